"""Lines above the header of a text table: comments, titles, a spreadsheet's ``sep=`` line."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from mtorscore.io.tables.cell_text import guess_delimiter, is_missing, is_number, split

__all__ = ["Preamble", "preamble"]

MOST_TITLES = 20
_SEP = re.compile(r'^"?sep=([,;|\t])"?\s*$', re.IGNORECASE)


@dataclass(frozen=True)
class Preamble:
    """Where the table begins.

    Attributes
    ----------
    lines
        Lines above the header.
    cut
        Characters to cut from the start of the header (the ``#`` of a header that looks like a comment).
    delimiter
        What a ``sep=`` line says, "" for nothing.
    repairs
        What was passed over, in words; comments are not worth one.
    """

    lines: int = 0
    cut: int = 0
    delimiter: str = ""
    repairs: list[str] = field(default_factory=list)


def preamble(lines: list[str], comment: str = "#") -> Preamble:
    """Find the header of a table.

    Parameters
    ----------
    lines
        The first lines of the file.
    comment
        What begins a comment, "" for nothing.
    """
    at, delimiter, repairs = 0, "", []
    last_comment = -1
    while at < len(lines) - 1:
        line = lines[at]
        found = _SEP.match(line) if not delimiter else None
        if found:
            delimiter = found[1]
            repairs.append("the spreadsheet's sep= line followed")
        elif comment and line.startswith(comment):
            last_comment = at
        elif line.strip():
            break
        at += 1
    body = [line for line in lines[at : at + 60] if line.strip()]
    used = delimiter or guess_delimiter(body)
    if not used or len(body) < 2:
        return Preamble(at, 0, delimiter, repairs)
    if last_comment == at - 1 and at > 0 and _is_header(lines[last_comment], body[0], used, comment):
        return Preamble(
            last_comment, len(lines[last_comment]) - len(_bare(lines[last_comment], comment)), delimiter, repairs
        )
    titles = _titles(lines[at:], used)
    if titles:
        repairs.append(f"{titles} line(s) of title above the header passed over")
    return Preamble(at + titles, 0, delimiter, repairs)


def _bare(line: str, comment: str) -> str:
    return line.lstrip(comment + " ")


def _is_header(line: str, row: str, delimiter: str, comment: str) -> bool:
    """Whether a comment names the columns of the row of numbers below it."""
    names, values = split(_bare(line, comment), delimiter), split(row, delimiter)
    if len(names) != len(values) or len(names) < 2 or any(is_number(n) for n in names[1:]):
        return False
    known = [v for v in values[1:] if not is_missing(v)]
    return bool(known) and is_number(known[-1]) and sum(map(is_number, known)) > 0.5 * len(known)


def _titles(lines: list[str], delimiter: str) -> int:
    """Count the lines above a table of three columns or more that hold a single field, and blank ones among them."""
    rows = [[f for f in split(line, delimiter) if f] if line.strip() else [] for line in lines[:60]]
    widths = [len(r) for r in rows if len(r) > 1]
    if not widths or Counter(widths).most_common(1)[0][0] < 3:
        return 0
    at = next((i for i, r in enumerate(rows) if len(r) > 1), 0)
    return at if at <= MOST_TITLES and len(widths) >= 2 else 0

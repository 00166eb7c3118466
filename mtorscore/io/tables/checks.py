"""Matrix validation errors: no header, text among the numbers, infinite values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from mtorscore.errors import FormatError, examples
from mtorscore.genes.identifier_kinds import is_symbol, kind_of
from mtorscore.io.tables.cell_text import is_missing, is_number
from mtorscore.io.tables.delimited import Grid, line_of, not_numbers

if TYPE_CHECKING:
    from mtorscore.io.tables.file_bytes import Content

__all__ = ["not_number_error", "refuse_headless", "refuse_odd_cells", "refuse_unusable"]

_ROW = re.compile(r"^(ENS[A-Z]*G\d{9,}.*|N_[a-z]\w+|__\w+|[^|\s]+\|\d+|\d+(_[a-z])?_at)$")
# Words above a column of row names; some are aliases of genes.
_HEADINGS = frozenset(
    {"gene", "genes", "id", "ids", "name", "names", "symbol", "probe", "probes", "sample", "ensembl", "cell"}
)


def not_number_error(grid: Grid, content: Content | None, i: int, name: str) -> FormatError:
    """Return the error for text in a column of numbers: which cells, on which line."""
    row = next((r for r, value in enumerate(grid.columns[i]) if not is_missing(value) and not is_number(value)), 0)
    line = line_of(grid, content, row) if content is not None else grid.line_of_row(row)
    bad = not_numbers(grid, i)
    hint = ""
    if all(c in "0123456789.,+-'eE " for c in str(grid.columns[i][row])):
        hint = " If commas or points group thousands, or commas are decimals, say so by exporting plain numbers."
    return FormatError(
        f"text where numbers are expected in column {name!r} ({bad}); correct or remove these cells.{hint}",
        path=grid.path,
        line=line,
        column=i + 1,
    )


def refuse_unusable(grid: Grid, content: Content | None, columns: list[int]) -> None:
    """Raise FormatError at the first column of values with text in it, or a number too large to be one."""
    for i in columns:
        if grid.is_text(i):
            raise not_number_error(grid, content, i, grid.names[i])
        _refuse_infinite(grid, content, i)


def _refuse_infinite(grid: Grid, content: Content | None, i: int) -> None:
    """Raise FormatError where column `i` holds an infinite value."""
    infinite = np.isinf(grid.columns[i])
    if infinite.any():
        row = int(np.argmax(infinite))
        raise FormatError(
            f"{int(infinite.sum())} infinite value(s) in column {grid.names[i]!r}, or numbers beyond 1e308; where the "
            "logarithm of 0 was taken, add an offset before the logarithm.",
            path=grid.path,
            line=line_of(grid, content, row) if content is not None else grid.line_of_row(row),
            column=i + 1,
        )


_HEADING = re.compile(
    r"^_?(genes?|ids?|names?|symbols?|probes?|samples?|patients?|cells?|ensembl|hugo|hgnc|entrez|feature|transcript|target|"
    r"identifier|geo|case|subject|donor|barcode|row|index|x|unnamed|spot|id_?ref)([ _.:-]?[a-z: _.-]*)?$",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"^[+-]?\d+(?:[.,]\d+)?\s?%$")
_DAY = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})"
_TIME = re.compile(rf"^{_DAY}(?:[T ]\d{{1,2}}:\d{{2}}(?::\d{{2}})?)?Z?$|^\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:\.\d+)?)?$")
_TRUTH = re.compile(r"^(?:true|false|t|f)$", re.IGNORECASE)


def refuse_odd_cells(grid: Grid, content: Content | None) -> None:
    """Raise FormatError where a column holds percentages, dates or times; note one of TRUE and FALSE."""
    for i in range(1, len(grid.names)):
        if not grid.is_text(i):
            continue
        known = [str(v) for v in grid.columns[i][:2000] if not is_missing(v)]
        for pattern, what, fix in (
            (_PERCENT, "percentages", "write them as plain numbers, or leave the column out"),
            (
                _TIME,
                "dates or times",
                "a spreadsheet may have made them of numbers; restore these, or leave the column out",
            ),
        ):
            if known and sum(bool(pattern.match(v)) for v in known) > 0.5 * len(known):
                row = next(r for r, v in enumerate(grid.columns[i]) if pattern.match(str(v)))
                raise FormatError(
                    f"{what} in column {grid.names[i]!r} ({examples([v for v in known if pattern.match(v)])}), not "
                    f"expression; {fix}.",
                    path=grid.path,
                    line=line_of(grid, content, row) if content is not None else grid.line_of_row(row),
                    column=i + 1,
                )
        if known and all(_TRUTH.match(v) for v in known):
            grid.repairs.append(f"the column {grid.names[i]!r} holds TRUE and FALSE and is not taken for values")
    _refuse_disguised(grid, content)


_DISGUISED = re.compile(
    r"^(?:=?\"|')?\s*[+-]?\d+(?:[.,]\d+)?(?:[eEdD][+-]?\d+)?\s*(?:\"|'|x ?10\^?[+-]?\d+|[A-Za-zµ/.]{1,5})?$"
)


# A comma that may group thousands or be a decimal one: `not_number_error` says so.
_COMMA = re.compile(r"^[+-]?\d+,\d+$")


def _refuse_disguised(grid: Grid, content: Content | None) -> None:
    """Raise FormatError where every column of numbers is written in a notation that is none (8.4D+00, 8.4 AU)."""
    if len(grid.names) < 3 or not all(grid.is_text(i) for i in range(1, len(grid.names))):
        return
    found = []
    for i in range(1, len(grid.names)):
        known = [str(v) for v in grid.columns[i][:2000] if not is_missing(v)]
        odd = (bool(_DISGUISED.match(v)) and not is_number(v) and not _COMMA.match(v) for v in known)
        if known and sum(odd) > 0.8 * len(known):
            found.append(i)
    if len(found) > 0.5 * (len(grid.names) - 1):
        i = found[0]
        shown = examples([v for v in grid.columns[i][:50] if not is_missing(v)])
        raise FormatError(
            f"no column holds plain numbers: {len(found)} column(s) hold numbers with units, quotes or in another "
            f"notation ({shown} in column {grid.names[i]!r}). Write plain numbers with decimal points.",
            path=grid.path,
            line=line_of(grid, content, 0) if content is not None else grid.line_of_row(0),
            column=i + 1,
        )


def refuse_headless(grid: Grid) -> None:
    """Raise FormatError where the line taken for the header is a row: a gene and numbers instead of sample names."""
    first, others = grid.names[0], grid.names[1:]
    row = _ROW.match(first) or is_number(first) or kind_of(first) not in ("", "sample") or is_symbol(first)
    counted = grid.names in ([str(i) for i in range(len(grid.names))], [str(i + 1) for i in range(len(grid.names))])
    numbers = [n for n in others if not is_missing(n)]
    # Names such as 1.10 are numbers too; but a word that is no heading, above others and beside decimals, is a name.
    decimals = len(numbers) > 1 and any("." in n for n in numbers) and not counted
    row = row or (decimals and bool(first) and not _HEADING.match(first))
    if numbers and all(map(is_number, numbers)) and row and first.lower() not in _HEADINGS and not counted:
        raise FormatError(
            f"no header: the first line ({examples(grid.names)}) is a row of data. Add a line with the names of the "
            "samples.",
            path=grid.path,
            line=grid.header_line or 1,
        )

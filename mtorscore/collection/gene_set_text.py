"""What all text formats of signatures share: reading lines, cleaning names, and one word on what had to be cleaned."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtorscore.collection.entries import Signature
from mtorscore.errors import DataWarning, FormatError, examples, warn

__all__ = ["GeneSet", "clean", "description", "read_lines", "read_text", "to_signatures"]

_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff]")


@dataclass(frozen=True)
class GeneSet:
    """One list as it stands in a file."""

    name: str
    title: str
    cells: Sequence[str]


def read_text(path: Path) -> str:
    """Return a text file, gzipped or not, with line feeds and without a byte-order mark."""
    raw = path.read_bytes()
    try:
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise FormatError("This is not a text file in UTF-8; save it as UTF-8.", path=path, line=line) from error
    except (OSError, EOFError) as error:
        raise FormatError(f"The file cannot be unpacked ({error}); fetch it again.", path=path) from error
    if "\x00" in text:
        line = text[: text.index("\x00")].count("\n") + 1
        raise FormatError("The file holds zero bytes, so it is no text in UTF-8; save it anew.", path=path, line=line)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file; only line ends part lines, whatever else a description holds."""
    lines = read_text(path).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def clean(cell: str) -> str:
    """Return a name without blanks and quotes around it and without invisible characters."""
    plain = (cell if cell.isascii() else _INVISIBLE.sub("", cell)).strip()
    if len(plain) > 1 and plain[0] == plain[-1] == '"':
        plain = plain[1:-1].replace('""', '"').strip()
    return plain


def description(cell: str) -> str:
    """Return a description; ``na`` is the formats' word for none."""
    text = " ".join(clean(cell).split())
    return "" if text == "na" else text


def to_signatures(sets: Sequence[GeneSet], path: Path) -> list[Signature]:
    """Return unsigned signatures of named lists, each gene once.

    Parameters
    ----------
    sets
        With clean names; cells as the file has them, blank ones allowed.
    path
        For messages and provenance.

    Returns
    -------
    list of Signature
        In the order given.
    """
    out: list[Signature] = []
    repeating: list[str] = []
    quoted: list[str] = []
    commas: list[str] = []
    for item in sets:
        genes = [g for g in map(clean, item.cells) if g]
        quoted += [c.strip() for c in item.cells if c.strip()[:1] == '"' and clean(c) != c.strip()]
        commas += [g for g in genes if "," in g]
        once = tuple(dict.fromkeys(genes))
        if len(once) < len(genes):
            repeating.append(item.name)
        out.append(Signature(id=item.name, title=item.title, up=once, path=str(path)))
    found = []
    if repeating:
        found.append(f"{len(repeating)} set(s) repeat genes ({examples(repeating)}); each gene counts once")
    if quoted:
        found.append(f"quotes around {len(quoted)} gene(s) were taken off ({examples(quoted)})")
    if commas:
        found.append(
            f"{len(commas)} gene name(s) hold a comma ({examples(map(repr, commas))}); separate genes by tabs, and "
            "give weights in a .tsv of source, target, weight"
        )
    if found:
        warn(f"{path}: {'. '.join(found)}.", DataWarning)
    return out

"""Shared by all text formats of gene sets: read lines, clean names, check sets, warn of what was cleaned."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path

from mtorscore.collection.entries import Signature
from mtorscore.errors import DataWarning, FormatError, examples, warn

__all__ = ["GeneSets", "clean", "description", "read_lines", "read_text"]

_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff]")


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
        raise FormatError("The file holds zero bytes, so it is not text in UTF-8; save it anew.", path=path, line=line)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file; only line ends separate lines, whatever else a description holds."""
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


class GeneSets:
    """The gene sets of a file, checked as they are added.

    Parameters
    ----------
    path
        For messages and provenance.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cells: dict[str, Sequence[str]] = {}
        self._titles: dict[str, str] = {}
        self._lines: dict[str, int | None] = {}

    def add(
        self, name: str, title: str, cells: Sequence[str], *, line: int | None = None, column: int | None = None
    ) -> str:
        """Add a set.

        Parameters
        ----------
        name, title
            As the file has them.
        cells
            Genes as the file has them, blank ones allowed.
        line, column
            Where the set is, one-based.

        Returns
        -------
        str
            Its clean name.

        Raises
        ------
        FormatError
            If the name is empty or was there before, or there is no gene.
        """
        plain = clean(name)
        if not plain:
            raise FormatError("A set has genes but no name; name it.", path=self.path, line=line, column=column)
        if plain in self._cells:
            before = self._lines[plain]
            where = f" (first in line {before})" if before is not None and before != line else ""
            message = f"The set {plain} is duplicated{where}; rename one."
            raise FormatError(message, path=self.path, line=line, column=column)
        if not any(map(clean, cells)):
            raise FormatError(f"The set {plain} holds no gene.", path=self.path, line=line, column=column)
        self._cells[plain], self._titles[plain], self._lines[plain] = cells, description(title), line
        return plain

    def signatures(self) -> list[Signature]:
        """Return the sets as unsigned signatures in the order added, each gene once; one `DataWarning` for repairs."""
        out: list[Signature] = []
        repeating: list[str] = []
        quoted: list[str] = []
        commas: list[str] = []
        for name, cells in self._cells.items():
            genes = [g for g in map(clean, cells) if g]
            quoted += [c.strip() for c in cells if c.strip()[:1] == '"' and clean(c) != c.strip()]
            commas += [g for g in genes if "," in g]
            once = tuple(dict.fromkeys(genes))
            if len(once) < len(genes):
                repeating.append(name)
            out.append(Signature(id=name, title=self._titles[name], up=once, path=str(self.path)))
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
            warn(f"{self.path}: {'. '.join(found)}.", DataWarning)
        return out

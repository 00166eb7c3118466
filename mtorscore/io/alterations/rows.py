"""Rows of a text table or a workbook, read lazily, with the line of every row and the comments between them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtorscore.errors import FormatError, examples
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.cell_text import guess_delimiter

__all__ = ["Rows", "open_rows", "refuse", "words_of"]

EXCEL = (".xlsx", ".xlsm")
_BLANK = re.compile(r"[^\S\t]")


def words_of(name: str) -> str:
    """Return a column's name in lower case, words joined by ``_``."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


@dataclass
class Rows:
    """A table of text.

    Attributes
    ----------
    path
        Its file.
    header
        Names of the columns, as written.
    comments
        Lines that begin with ``#``, above the header.
    line
        Line of the header.
    """

    path: Path
    header: list[str]
    comments: list[str]
    line: int
    delimiter: str = "\t"
    _data: bytes = b""
    _cells: list[list[str]] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        """Names of the columns in lower case."""
        return [words_of(h) for h in self.header]

    def column(self, *names: str) -> int | None:
        """Return the position of the first of these columns (in lower case) that the table has."""
        words = self.words
        for name in names:
            if name in words:
                if words.count(name) > 1:
                    raise FormatError(
                        f"{words.count(name)} columns are called {self.header[words.index(name)]!r}; keep one.",
                        path=self.path,
                        line=self.line,
                    )
                return words.index(name)
        return None

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line and the cells of every row; comments, blank lines and repeated headers are passed over.

        Raises
        ------
        FormatError
            If a row has more or fewer cells than the header.
        """
        for line, cells in self._rows():
            if len(cells) > len(self.header) and not any(cells[len(self.header) :]):
                del cells[len(self.header) :]  # delimiters at the end of a row
            if len(cells) != len(self.header):
                raise FormatError(
                    f"{len(cells)} cells under {len(self.header)} columns; the file is cut off or damaged here, "
                    "download or export it again.",
                    path=self.path,
                    line=line,
                )
            if cells != self.header:
                yield line, cells

    def padded(self) -> Iterator[tuple[int, list[str]]]:
        """Yield rows as iteration does, shorter ones filled up with blank cells and longer ones cut."""
        for line, cells in self._rows():
            yield line, [*cells, *[""] * (len(self.header) - len(cells))][: len(self.header)]

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        if self._cells:
            yield from enumerate(self._cells, self.line + 1)
        elif self.delimiter == "\t":
            for number, raw in enumerate(io.BytesIO(self._data), 1):
                if number > self.line and raw.strip() and not raw.startswith(b"#"):
                    yield number, _cells_of(raw.decode().rstrip("\n"))
        else:
            text = io.StringIO(self._data.decode())
            reader = csv.reader(text, delimiter=self.delimiter)
            try:
                for cells in reader:
                    if reader.line_num > self.line and any(c.strip() for c in cells) and not cells[0].startswith("#"):
                        yield reader.line_num, [c.strip() for c in cells]
            except csv.Error as error:
                raise FormatError(
                    f"the table cannot be read ({error}).", path=self.path, line=reader.line_num
                ) from error


def _cells_of(line: str) -> list[str]:
    """Return the cells between tabs, without blanks and quotation marks around them; most lines have neither."""
    cells = line.split("\t")
    if '"' in line:
        return _unquoted(cells)
    return [c.strip() for c in cells] if _BLANK.search(line) else cells


def _unquoted(cells: list[str]) -> list[str]:
    return [c[1:-1].strip() if len(c) > 1 and c[0] == c[-1] == '"' else c.strip() for c in cells]


def open_rows(path: Path) -> Rows:
    """Open a table: text with any delimiter, compressed or not, or the first sheet of a workbook.

    Raises
    ------
    FormatError
        If there is no such file, it is not text, or it holds no header with rows below.
    """
    file_bytes.check_exists(path)
    if path.suffix.lower() in EXCEL:
        return _sheet(path)
    content = file_bytes.load(path)
    comments: list[str] = []
    for number, raw in enumerate(io.BytesIO(content.data), 1):
        line = raw.decode().rstrip("\n")
        if line.startswith("#"):
            comments.append(line)
        elif line.strip():
            return Rows(path, _header(line), comments, number, _delimiter(line), content.data)
    raise FormatError("the file holds comments alone; download or export it again.", path=path)


def _delimiter(line: str) -> str:
    return "\t" if "\t" in line else guess_delimiter([line]) or "\t"


def _header(line: str) -> list[str]:
    delimiter = _delimiter(line)
    return _unquoted(line.split("\t") if delimiter == "\t" else next(csv.reader([line], delimiter=delimiter)))


def _sheet(path: Path) -> Rows:
    from mtorscore.io.formats.binary import sheet_frame

    frame, _, numbers, _ = sheet_frame(path)
    cells = [[str(v) for v in row] for row in frame.itertuples(index=False)]
    if not cells:
        raise FormatError("the first sheet holds no table.", path=path)
    return Rows(path, [str(c) for c in frame.columns], [], numbers[0] if numbers else 1, _cells=cells)


def refuse(rows: Rows, wanted: Sequence[str]) -> FormatError:
    """Return the error of a table in which nothing of an alteration is recognised."""
    return FormatError(
        f"no alterations are recognised: its columns are {examples(rows.header, 6)}. Known are {', '.join(wanted)}.",
        path=rows.path,
        line=rows.line,
    )

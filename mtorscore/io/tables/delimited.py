"""Parse delimited text into typed columns: a fast path through Arrow, and a slow one that locates errors."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import FormatError, examples
from mtorscore.io.tables.cell_text import (
    MISSING,
    grouped_by_points,
    guess_delimiter,
    is_missing,
    is_number,
    repair_decimals,
    repair_spaces,
    split,
    typed,
)
from mtorscore.io.tables.file_bytes import Content
from mtorscore.io.tables.odd_rows import is_comment, refuse_open_quote, without_comments

__all__ = ["Grid", "line_of", "not_numbers", "parse"]

_NUMBER_MISSING = sorted(MISSING)
_SOLID = re.compile(rb"\S")
MAX_COLUMNS = 2_000_000
BLOCK = 1 << 23
LOOKED_AT = 1 << 17


@dataclass
class Grid:
    """A delimited table, column by column.

    Attributes
    ----------
    names
        Column names as in the file; "" where the file has none.
    columns
        float64 arrays for numbers (missing as NaN), object arrays of str for text.
    path, header_line, first_line
        Its position in the file (one-based lines).
    repairs
        What had to be changed to read it.
    rows
        Numbers of the rows in the file, where they are known and not consecutive (sheets with empty rows).
    skip
        Lines that the caller left out above the header.
    """

    names: list[str]
    columns: list[npt.NDArray[Any]]
    path: Path
    header_line: int
    first_line: int
    delimiter: str
    repairs: list[str] = field(default_factory=list)
    rows: list[int] | None = None
    skip: int = 0

    def line_of_row(self, row: int) -> int:
        """Return the line of the file for data row `row`, where no line is blank or `rows` says which are."""
        return self.rows[row] if self.rows is not None else self.first_line + row

    @property
    def n_rows(self) -> int:
        """Number of data rows."""
        return len(self.columns[0]) if self.columns else 0

    def is_text(self, i: int) -> bool:
        """Whether column `i` holds text."""
        return bool(self.columns[i].dtype == object)

    def matrix(self, wanted: list[int]) -> npt.NDArray[np.float64]:
        """Return columns of numbers as rows: ``(len(wanted), n_rows)``, without a copy where they are contiguous."""
        columns = [self.columns[i] for i in wanted]
        base = columns[0].base if columns else None
        if isinstance(base, np.ndarray) and base.ndim == 2 and base.dtype == np.float64 and self.n_rows:
            places = [c.ctypes.data - base.ctypes.data for c in columns]
            first, width = places[0] // base.strides[0], base.strides[0]
            if all(c.base is base for c in columns) and places == [width * (first + k) for k in range(len(columns))]:
                side_by_side: npt.NDArray[np.float64] = base[first : first + len(columns)]
                return side_by_side
        out = np.empty((len(columns), self.n_rows))
        for row, column in zip(out, columns, strict=True):
            row[:] = column
        return out

    def frame(self) -> pd.DataFrame:
        """Return the table with unique column names and missing text as None."""
        seen: Counter[str] = Counter()
        data = {}
        for i, (name, column) in enumerate(zip(self.names, self.columns, strict=True)):
            name = name or f"column_{i + 1}"
            seen[name] += 1
            data[name if seen[name] == 1 else f"{name}.{seen[name] - 1}"] = column
        return pd.DataFrame(data)


def parse(
    content: Content,
    *,
    delimiter: str = "",
    skip: int = 0,
    until: str = "",
    text: bool = False,
    header: bool = True,
    comment: str = "#",
    names: list[str] | None = None,
) -> Grid:
    """Parse a delimited table.

    Parameters
    ----------
    content
        The text.
    delimiter
        One character; guessed if empty.
    skip
        Lines to leave out before the header.
    until
        A line that ends the table, such as ``!series_matrix_table_end``.
    text
        Keep every column as text (clinical tables, typed later).
    header
        Whether the first line holds names.
    comment
        Lines before the header that start with this are left out.
    names
        Column names, where the file has none.

    Returns
    -------
    Grid
        Columns of float64 or text; the first column is always text.

    Raises
    ------
    FormatError
        If rows differ in length, or there is no table.
    """
    from mtorscore.io.tables.preamble import Preamble, preamble

    data, path, repairs = content.data, content.path, list(content.repairs)
    offset, line = _skip_lines(data, skip)
    top = data[offset : offset + (1 << 22)].decode(errors="ignore").split("\n", 400)[:400]
    above = preamble(top, comment) if header and names is None and not until else Preamble(_comments(top, comment))
    delimiter = delimiter or above.delimiter
    repairs += above.repairs
    offset, _ = _skip_lines(data, above.lines, offset)
    offset, line = offset + above.cut, line + above.lines
    end = len(data)
    if until:
        found = data.find(b"\n" + until.encode(), offset)
        if found < 0:
            raise FormatError(f"the table is not closed by {until}: the file is cut off; download it again.", path=path)
        end = found + 1
    first = data[offset : min(end, offset + (1 << 22))].decode(errors="ignore").split("\n", 60)[:60]
    delimiter = delimiter or guess_delimiter(first)
    if not delimiter:
        if len([f for f in first if f.strip()]) < 2 or any(len(f) > 5000 for f in first[:3]):
            raise FormatError(
                "no table: no delimiter (tab, comma, semicolon, space) splits its lines.", path=path, line=line
            )
        delimiter = "\t"
    fields = split(first[0], delimiter)
    if len(fields) > MAX_COLUMNS:
        raise FormatError(f"the header has {len(fields)} fields; this is not a table.", path=path, line=line)
    header_line = line if header else 0
    body_offset = offset
    if header:
        body_offset = data.find(b"\n", offset, end) + 1
        if body_offset == 0 or _SOLID.search(data, body_offset, end) is None:
            raise FormatError("a header and no data row below it; the export stopped early.", path=path, line=line)
        line += 1
    body_lines = [f for f in first[1 if header else 0 :] if f.strip()]
    widths = [len(split(f, delimiter)) for f in body_lines[:20]]
    if names is None:
        names = fields if header else [f"column_{i + 1}" for i in range(len(fields))]
    names = _match_header(names, widths, body_lines, delimiter, repairs, path, header_line)
    if comment and not until:
        data, end = without_comments(data, (body_offset, max(end, body_offset)), comment, delimiter, repairs)
    span = (body_offset, max(end, body_offset))
    columns = _parse_arrow(data, span, delimiter, len(names), path, line, text) if delimiter != " " else None
    if columns is None:
        columns = _parse_slow(data[slice(*span)], delimiter, len(names), path, line, text)
    if not text:
        repair_spaces(columns, repairs)
    repair_decimals(columns, repairs, delimiter, text=text)
    if not text:
        _refuse_grouped(columns, data[span[0] : min(span[1], span[0] + LOOKED_AT + 1)], delimiter, path, line)
    return Grid(names, columns, path, header_line, line, delimiter, repairs, skip=skip)


def _refuse_grouped(columns: list[npt.NDArray[Any]], body: bytes, delimiter: str, path: Path, line: int) -> None:
    """Raise FormatError where points group thousands: 1.234 would be read as little more than one."""
    rows = [r for r in body[:LOOKED_AT].decode(errors="ignore").split("\n") if r.strip()]
    found = grouped_by_points(columns, rows if len(body) <= LOOKED_AT else rows[:-1], delimiter)
    if found is not None:
        raise FormatError(
            f"{found[2]!r} beside whole numbers: points seem to group thousands. Export plain numbers, without "
            "separators of thousands.",
            path=path,
            line=line + found[0],
            column=found[1] + 1,
        )


def _comments(lines: list[str], comment: str) -> int:
    """Count the leading comments and blank lines."""
    above = (bool(comment and line.startswith(comment)) or not line for line in lines[:-1])
    return next((i for i, passed in enumerate(above) if not passed), 0)


def _skip_lines(data: bytes, count: int, offset: int = 0) -> tuple[int, int]:
    for _ in range(count):
        found = data.find(b"\n", offset)
        if found < 0:
            break
        offset = found + 1
    return offset, count + 1


def _match_header(
    names: list[str], widths: list[int], lines: list[str], delimiter: str, repairs: list[str], path: Path, line: int
) -> list[str]:
    if not widths:
        return names
    width = Counter(widths).most_common(1)[0][0]
    if width == len(names):
        return names
    trailing = all(not split(f, delimiter)[-1] for f in lines[:20])
    if width == len(names) + 1 and trailing:
        repairs.append("a delimiter at the end of every row ignored")
        return [*names, ""]
    if width == len(names) + 1:
        repairs.append("the header is one field short: its first column (row names) has no name")
        return ["", *names]
    if width == len(names) - 1 and not names[-1]:
        repairs.append("a delimiter at the end of the header ignored")
        return names[:-1]
    raise FormatError(
        f"the header has {len(names)} fields and the rows have {width}; the file is cut, has another delimiter or a "
        "broken header.",
        path=path,
        line=line or 1,
    )


def _ragged(data: bytes, delimiter: str, width: int, path: Path, line: int) -> FormatError | None:
    for i, row in enumerate(data.decode(errors="replace").split("\n")):
        if row.strip() and len(got := split(row, delimiter)) != width:
            last = line + i == line + data.rstrip(b"\n").count(b"\n")
            why = (
                "the file ends in the middle of a row"
                if last
                else "a field is missing, or the delimiter stands inside one"
            )
            return FormatError(
                f"{len(got)} fields where the header has {width}; {why}. Download or export it again.",
                path=path,
                line=line + i,
                column=min(len(got), width) + (1 if len(got) > width else 0),
            )
    return None


def _plain_quotes(data: bytes, span: tuple[int, int], delimiter: str) -> bool:
    """Whether every quote opens or closes a field: none inside one, none escaped, none after a space."""
    start, stop = span
    raw = np.frombuffer(data, dtype=np.uint8, offset=start, count=stop - start)
    if data.count(b'"', start, stop) < 200_000:
        # Few quotes in many bytes, as around the names of probes: looking for each is quicker than looking at all.
        found, places = data.find(b'"', start, stop), []
        while found >= 0:
            places.append(found - start)
            found = data.find(b'"', found + 1, stop)
        at = np.array(places, dtype=np.int64)
    else:
        at = np.flatnonzero(raw == ord('"'))
    ends = (ord(delimiter), ord("\n"))
    before = np.where(at > 0, raw[at - 1], ends[1])
    after = np.where(at < len(raw) - 1, raw[np.minimum(at + 1, len(raw) - 1)], ends[1])
    opens, closes = np.isin(before, ends), np.isin(after, ends)
    # Quotes must alternate between opening and closing, and none may be able to do both but by enclosing nothing.
    return len(at) % 2 == 0 and bool(opens[::2].all() and closes[1::2].all())


def _likely_types(data: bytes, span: tuple[int, int], delimiter: str, width: int) -> list[bool] | None:
    """Say which columns hold numbers in the first rows; None where the rows are uneven or a column is all missing."""
    start, stop = span
    if stop - start < 1 << 21:
        return None
    # Of wide tables fewer rows: each of thousands of genes is looked at.
    most = max(16, min(40, 120_000 // width))
    head = data[start : start + (1 << 21)].decode(errors="ignore").split("\n", most)[:most]
    rows = [split(f, delimiter) for f in head if f]
    if len(rows) < 3 or any(len(r) != width for r in rows[:-1]):
        return None
    out = [False]
    for i in range(1, width):
        values = [r[i] for r in rows[:-1] if not is_missing(r[i])]
        if not values:
            return None
        out.append(all(is_number(v) for v in values))
    return out


def _parse_arrow(
    data: bytes, span: tuple[int, int], delimiter: str, width: int, path: Path, line: int, text: bool
) -> list[npt.NDArray[Any]] | None:
    """Parse with Arrow; None where quotes make that uncertain."""
    import pyarrow as pa
    from pyarrow import csv as pacsv

    start, stop = span
    quoted = data.find(b'"', start, stop) >= 0
    if quoted and not _plain_quotes(data, span, delimiter):
        return None
    body = pa.py_buffer(data).slice(start, stop - start)
    names = [f"c{i}" for i in range(width)]
    options = pacsv.ParseOptions(delimiter=delimiter, quote_char='"' if quoted else False, ignore_empty_lines=True)
    likely = None if text else _likely_types(data, span, delimiter, width)
    if likely is not None:
        # The types that the first rows suggest let Arrow work on blocks side by side; a surprise later falls through.
        kinds = {n: pa.float64() if number else pa.string() for n, number in zip(names, likely, strict=True)}
        try:
            table = pacsv.read_csv(
                body,
                read_options=pacsv.ReadOptions(column_names=names, block_size=BLOCK),
                parse_options=options,
                convert_options=pacsv.ConvertOptions(
                    column_types=kinds, null_values=_NUMBER_MISSING, strings_can_be_null=False
                ),
            )
            return _arrow_columns(table)
        except pa.ArrowInvalid:
            pass
    strings = names if text else names[:1]
    # One block, because Arrow infers the type of a column from its first block alone.
    read = pacsv.ReadOptions(column_names=names, block_size=max(body.size + 1, 1024))
    convert = pacsv.ConvertOptions(
        column_types={n: pa.string() for n in strings},
        null_values=_NUMBER_MISSING,
        strings_can_be_null=False,
        timestamp_parsers=["never"],
        true_values=[],
        false_values=[],
    )
    try:
        table = pacsv.read_csv(body, read_options=read, parse_options=options, convert_options=convert)
    except pa.ArrowInvalid as error:
        if quoted:
            return None
        found = _ragged(data[start:stop], delimiter, width, path, line)
        raise found or FormatError(f"the table cannot be parsed ({error}).", path=path, line=line) from error
    return _arrow_columns(table)


def _arrow_columns(table: Any) -> list[npt.NDArray[Any]]:
    """Return the columns; floating-point ones share one contiguous block, which `Grid.matrix` returns uncopied."""
    import pyarrow as pa

    floating = [i for i in range(table.num_columns) if pa.types.is_float64(table.schema.field(i).type)]
    block = np.empty((len(floating), table.num_rows))
    place = dict(zip(floating, block, strict=True))
    for i, room in place.items():
        at = 0
        for chunk in table.column(i).chunks:
            room[at : at + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
            at += len(chunk)
    return [place[i] if i in place else _arrow_column(table.column(i)) for i in range(table.num_columns)]


def _arrow_column(column: Any) -> npt.NDArray[Any]:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    if not pa.types.is_string(kind):
        column = column.cast(pa.string())
    return np.array([v.strip() if v is not None else "" for v in column.to_pylist()], dtype=object)


def _parse_slow(data: bytes, delimiter: str, width: int, path: Path, line: int, text: bool) -> list[npt.NDArray[Any]]:
    """Parse with quotes (which may hold delimiters and line ends), row by row."""
    stream = io.StringIO(data.decode(), newline="")
    rows: list[list[str]] = []
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=delimiter != "\t", strict=False)
    previous = csv.field_size_limit(1 << 28)
    try:
        for row in reader:
            if delimiter == " ":
                row = [f for f in row if f]
            if not row or row == [""]:
                continue
            refuse_open_quote(row, delimiter, width, path, line + reader.line_num - 1)
            if len(row) != width:
                raise FormatError(
                    f"{len(row)} fields where the header has {width}; a field is missing, a quote is not closed, or "
                    "the file is cut off. Download or export it again.",
                    path=path,
                    line=line + reader.line_num - 1,
                    column=min(len(row), width),
                )
            rows.append(row)
    except csv.Error as error:
        raise FormatError(f"cannot be parsed ({error}).", path=path, line=line + reader.line_num - 1) from error
    finally:
        csv.field_size_limit(previous)
    columns: list[npt.NDArray[Any]] = []
    for i in range(width):
        values = np.array([row[i].strip() for row in rows], dtype=object)
        columns.append(values if text or i == 0 else typed(values))
    return columns


def not_numbers(grid: Grid, i: int) -> str:
    """Describe the first cells of column `i` that are not numbers."""
    return examples([repr(v) for v in grid.columns[i] if not is_missing(v) and not is_number(v)])


def line_of(grid: Grid, content: Content, row: int) -> int:
    """Return the line number of data row `row` (blank lines counted, quoted line ends not)."""
    seen = -1
    for i, line in enumerate(content.data.decode(errors="replace").split("\n")[grid.first_line - 1 :]):
        if line.strip() and not is_comment(line, "#", grid.delimiter):
            seen += 1
        if seen == row:
            return grid.first_line + i
    return grid.first_line + row

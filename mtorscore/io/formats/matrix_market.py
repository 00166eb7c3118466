"""Matrix Market files of coordinates: read whole, or entry by entry in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mtorscore.errors import FormatError
from mtorscore.io.tables import file_bytes

__all__ = ["EXACT", "MARKER", "Sizes", "blocks_of", "duplicated", "read_mtx", "sizes_of"]

MARKER = "%%MatrixMarket"
# Cell Ranger's unfiltered matrices have 7 million barcodes; a pointer per row is kept in memory.
MOST_ROWS = 50_000_000
# Whole numbers beyond this are not all float32.
EXACT = 2**24
TEXT_BYTES = 8 << 20

Entries = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Sizes:
    """What stands above the entries.

    Attributes
    ----------
    n_rows, n_columns, n_entries
        As the file promises.
    pattern
        Whether entries have no value, and are ones.
    line
        Number of the line that promises it.
    start
        Offset of the first entry.
    """

    n_rows: int
    n_columns: int
    n_entries: int
    pattern: bool
    line: int
    start: int


def sizes_of(path: Path) -> Sizes:
    """Read what stands above the entries.

    Raises
    ------
    FormatError
        If it is no Matrix Market file of numbers by coordinates.
    """
    text = b""
    for piece in file_bytes.pieces(path):
        text += piece
        if _is_complete(text) or len(text) > TEXT_BYTES:
            break
    # An UTF-8 mark or the line ends of another system are no reason to refuse it; wide characters are.
    head = file_bytes.as_text(text, path, partial=True).data
    return _sizes(head, path)


def _is_complete(text: bytes) -> bool:
    """Whether a beginning holds the line of sizes."""
    at = 0
    while at < len(text):
        end = text.find(b"\n", at)
        if end < 0:
            return False
        if text[at : at + 1] != b"%":
            return at > 0
        at = end + 1
    return False


def _sizes(text: bytes, path: Path) -> Sizes:
    if not text.startswith(MARKER.encode()):
        raise FormatError("no %%MatrixMarket line.", path=path, line=1)
    banner = text.split(b"\n", 1)[0].decode(errors="replace").lower().split()
    if (
        len(banner) < 5
        or banner[1:3] != ["matrix", "coordinate"]
        or banner[3] not in ("integer", "real", "pattern")
        or banner[4] != "general"
    ):
        raise FormatError(
            f"{' '.join(banner[1:])}: only general coordinate matrices of numbers are read.", path=path, line=1
        )
    # Without a line feed behind it, a line is the last one.
    at, number = (text.find(b"\n") + 1) or len(text), 2
    while text[at : at + 1] == b"%":
        at, number = (text.find(b"\n", at) + 1) or len(text), number + 1
    end = text.find(b"\n", at)
    size = text[at : end if end > 0 else None].split()
    if len(size) != 3 or not all(s.isdigit() for s in size):
        raise FormatError("the line of sizes must hold three whole numbers.", path=path, line=number)
    n_rows, n_columns, n_entries = map(int, size)
    if max(n_rows, n_columns) > MOST_ROWS or n_entries > n_rows * n_columns:
        raise FormatError(
            f"{n_rows} x {n_columns} with {n_entries} entries cannot be in this file.", path=path, line=number
        )
    return Sizes(n_rows, n_columns, n_entries, banner[3] == "pattern", number, end + 1 if end > 0 else len(text))


def read_mtx(path: Path) -> tuple[Any, list[str]]:
    """Read a Matrix Market file of coordinates (genes x cells), repeated entries refused.

    Parameters
    ----------
    path
        Plain or compressed.

    Returns
    -------
    matrix, repairs
        scipy CSR matrix of float32 (float64 where whole numbers ask for it), and what was changed to read it.

    Raises
    ------
    FormatError
        If it is damaged; with the line.
    """
    content = file_bytes.load(path)
    sizes = _sizes(content.data, path)
    if sizes.n_entries > len(content.data):
        raise FormatError(
            f"{sizes.n_rows} x {sizes.n_columns} with {sizes.n_entries} entries cannot be in this file.",
            path=path,
            line=sizes.line,
        )
    values = _triplets(content.data[sizes.start :], sizes.pattern, path, sizes.line + 1)
    _check_number(len(values), sizes, path)
    i, j, v = _checked(values, sizes, path, sizes.line + 1)
    x = sparse.coo_matrix((v, (i, j)), shape=(sizes.n_rows, sizes.n_columns)).tocsr()
    if x.nnz != len(v):
        raise duplicated(len(v) - x.nnz, path)
    return x.astype(np.float32 if np.abs(v).max(initial=0) < EXACT else np.float64), content.repairs


def blocks_of(path: Path, sizes: Sizes) -> Iterator[Entries]:
    """Yield the entries in the order of the file, some megabytes of text at a time.

    Parameters
    ----------
    path, sizes
        The file, and what `sizes_of` read of it.

    Yields
    ------
    rows, columns, values
        Zero-based, inside the matrix; that none is repeated is for the caller to see.

    Raises
    ------
    FormatError
        If it is damaged or cut off; with the line.
    """
    line, found = 1, 0
    for text in _whole_lines(path):
        body = text
        if line == 1:
            body = file_bytes.as_text(text, path, partial=True).data[sizes.start :]
            line = sizes.line + 1
        elif b"\r" in text or b"\0" in text or b"\x1a" in text:
            body = file_bytes.as_text(text, path).data if text.strip() else text
        values = _triplets(body, sizes.pattern, path, line)
        yield _checked(values, sizes, path, line)
        found += len(values)
        line += body.count(b"\n")
    _check_number(found, sizes, path)


def _whole_lines(path: Path) -> Iterator[bytes]:
    """Yield text of several megabytes that ends with a line, or with the file."""
    kept: list[bytes] = []
    size = 0
    for piece in file_bytes.pieces(path):
        kept.append(piece)
        size += len(piece)
        if size >= TEXT_BYTES:
            text = b"".join(kept)
            end = text.rfind(b"\n") + 1
            if not end:
                raise FormatError(f"a line of more than {TEXT_BYTES >> 20} MiB; this is no text of entries.", path=path)
            yield text[:end]
            kept, size = [text[end:]], len(text) - end
    if size:
        yield b"".join(kept)


def duplicated(n: int, path: Path) -> FormatError:
    """Return the error of a file that has entries twice."""
    return FormatError(f"{n} entries are duplicated; the file is damaged.", path=path)


def _check_number(found: int, sizes: Sizes, path: Path) -> None:
    if found != sizes.n_entries:
        raise FormatError(
            f"{found} entries where {sizes.n_entries} are promised; the file is cut off.", path=path, line=sizes.line
        )


def _checked(values: Any, sizes: Sizes, path: Path, line: int) -> Entries:
    """Return rows, columns and values; refuse what is no whole number, not finite or outside."""
    odd = ~(np.isfinite(values).all(axis=1) & (values[:, :2] == np.floor(values[:, :2])).all(axis=1))
    if odd.any():
        where = line + int(np.argmax(odd))
        raise FormatError("an entry is no pair of whole numbers with a value.", path=path, line=where)
    i, j = values[:, 0].astype(np.int64) - 1, values[:, 1].astype(np.int64) - 1
    if len(values) and (i.min() < 0 or j.min() < 0 or i.max() >= sizes.n_rows or j.max() >= sizes.n_columns):
        bad = int(np.flatnonzero((i < 0) | (j < 0) | (i >= sizes.n_rows) | (j >= sizes.n_columns))[0])
        raise FormatError("an entry lies outside the matrix.", path=path, line=line + bad)
    return i, j, values[:, 2]


def _triplets(data: bytes, pattern: bool, path: Path, line: int) -> Any:
    import pyarrow as pa
    from pyarrow import csv as pacsv

    names = ["i", "j"] if pattern else ["i", "j", "v"]
    if not data.strip():
        return np.zeros((0, 3))
    try:
        table = pacsv.read_csv(
            pa.py_buffer(data.replace(b"\t", b" ")),
            read_options=pacsv.ReadOptions(column_names=names),
            parse_options=pacsv.ParseOptions(delimiter=" "),
            convert_options=pacsv.ConvertOptions(column_types={"i": pa.int64(), "j": pa.int64(), "v": pa.float64()}),
        )
    except pa.ArrowInvalid as error:
        for offset, row in enumerate(data.split(b"\n")):
            fields = row.split()
            sound = (
                len(fields) == len(names) and all(map(_numeric, fields[2:])) and all(f.isdigit() for f in fields[:2])
            )
            if fields and not sound:
                raise FormatError(
                    f"{row[:40].decode(errors='replace')!r} is no entry (row, column, value).",
                    path=path,
                    line=line + offset,
                ) from error
        # Sound, but aligned with several spaces.
        rows = np.array([r for row in data.split(b"\n") if (r := row.split())], dtype=np.float64)
        return rows if not pattern else np.column_stack([rows, np.ones(len(rows))])
    columns = [np.asarray(table.column(n).to_numpy(), dtype=np.float64) for n in names]
    return np.column_stack(columns if not pattern else [*columns, np.ones(len(table))])


def _numeric(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True

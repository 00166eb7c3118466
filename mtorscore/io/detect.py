"""Recognise the format of a file or folder from its first bytes and lines rather than from its name.

Each reader recognises its own kinds (`mtorscore.io.formats.reader`). They are asked in the order of the registry, at
each stage in turn: a folder, the members of a zip, the first bytes, an HDF5 root, the first lines, the first rows, the
names of the columns. Files that no reader recognises are refused with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mtorscore.errors import FormatError, examples
from mtorscore.io import unsupported
from mtorscore.io.formats.reader import Columns, FirstBytes, FirstLines, Folder, Found, Hdf5, Members, Rows
from mtorscore.io.formats.stored_matrices import check_hdf5, sound
from mtorscore.io.readers import BY_KIND, READERS
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.cell_text import guess_delimiter, is_number, split
from mtorscore.io.tables.preamble import preamble

__all__ = ["as_asked", "detect"]

# A block of the user may stand before it, as in MuData files: 512 bytes, or a power of two more.
_HDF5 = b"\x89HDF\r\n\x1a\n"


def detect(path: Path) -> Found:
    """Recognise a file or folder.

    Raises
    ------
    FormatError
        If it is missing, empty or unknown.
    """
    file_bytes.check_exists(path)
    if path.is_dir():
        return _folder(path)
    with path.open("rb") as handle:
        start = handle.read(8)
    compression = file_bytes.compression_of(start)
    if compression == "zip" and (found := _zip(path)):
        return found
    first = file_bytes.head(path)
    if any(first.startswith(_HDF5, at) for at in (0, 512, 1024, 2048, 4096, 8192)):
        return _hdf5(path)
    found = next(_answers(FirstBytes(first)), None)
    if found is None and (other := unsupported.binary(first)):
        raise FormatError(f"{other}.", path=path)
    return replace(found or _text(first, path), compression=compression)


def as_asked(path: Path, kind: str) -> Found:
    """Return the kind that was asked for; a folder is still searched for the files that its reader needs.

    Raises
    ------
    FormatError
        If no reader has this kind.
    """
    reader = BY_KIND.get(kind)
    if reader is None:
        raise FormatError(f"unknown kind {kind!r}; known: {', '.join(sorted(BY_KIND))}.", path=path)
    recognise = reader.detect.get(Folder)
    found = recognise(Folder(path, detect)) if recognise and "found" in reader.needs and path.is_dir() else None
    return Found(kind, "as asked", handed=found.handed if found else {})


def _answers(seen: object) -> Iterator[Found]:
    """Yield the kinds that readers recognise at one stage, in the order of the registry."""
    for reader in READERS:
        recognise = reader.detect.get(type(seen))
        if recognise and (found := recognise(seen)):
            yield found


def _zip(path: Path) -> Found | None:
    import zipfile

    try:
        names = zipfile.ZipFile(path).namelist()
    except zipfile.BadZipFile as error:
        raise FormatError(
            f"the zip archive is truncated or damaged ({error}); download it again.", path=path
        ) from error
    found = next(_answers(Members(names)), None)
    if found is None and (other := unsupported.zipped(names)):
        raise FormatError(f"{other}.", path=path)
    return found


def _hdf5(path: Path) -> Found:
    import h5py

    with sound(path, "the HDF5 file"), h5py.File(path) as file:
        check_hdf5(file, path)
        groups = {k: set(file[k]) for k in file if isinstance(file[k], h5py.Group)}
        seen = Hdf5(set(file), groups, str(file.attrs.get("encoding-type", "")))
    found = next(_answers(seen), None)
    if found is None:
        raise FormatError(f"HDF5 of an unknown layout (groups {examples(sorted(seen.keys), 6)}).", path=path)
    return found


def _folder(path: Path) -> Found:
    folder = Folder(path, detect)
    names = folder.names
    if not names:
        raise FormatError("the folder is empty.", path=path)
    if found := next(_answers(folder), None):
        return found
    if len(names) == 1 and (path / names[0]).is_dir():
        inner = _folder(path / names[0])
        return replace(
            inner,
            evidence=f"its only folder {inner.evidence}",
            details=inner.details | {"folder": names[0]},
            path=inner.path or path / names[0],
        )
    inside = "one of these files" if any((path / n).is_file() for n in names) else "one of these by its own path"
    hint = f"it holds {examples(names, 6)}; read {inside}" if folder.files else "it holds no file"
    raise FormatError(f"a folder that is no data set as a whole: {hint}.", path=path)


def _text(data: bytes, path: Path) -> Found:
    whole = len(data) < file_bytes.HEAD
    lines = file_bytes.as_text(data, path, partial=not whole).lines(400)
    # The last line of a beginning may be cut.
    lines = lines if whole or len(lines) < 2 else lines[:-1]
    first = next((line for line in lines if line.strip()), "")
    if found := next(_answers(FirstLines(first, lines)), None):
        return found
    if other := unsupported.text(lines):
        raise FormatError(f"{other}.", path=path, line=1)
    above = preamble(lines)
    below = [lines[above.lines][above.cut :], *lines[above.lines + 1 :]]
    body = [line for line in below if line.strip() and not line.startswith("#")]
    if not body:
        raise FormatError("only comment lines and no table.", path=path, line=1)
    delimiter = above.delimiter or guess_delimiter(body[:60])
    rows = Rows(body, delimiter, split(body[0], delimiter) if delimiter else [body[0]])
    if other := unsupported.columns(rows.fields) or unsupported.rows(body):
        raise FormatError(f"{other}.", path=path, line=above.lines + 1)
    if found := next(_answers(rows), None):
        return found
    _refuse_other_text(rows, path, above.lines + 1)
    found = next(_answers(Columns([f.strip('"') for f in rows.fields], lines[0].startswith("#"))))
    shown = {"\t": "tab", " ": "space"}.get(delimiter, delimiter)
    details = {"delimiter": shown, "columns": len(rows.fields), "header": examples(rows.fields, 6)}
    return replace(found, details=details | found.details)


def _refuse_other_text(rows: Rows, path: Path, line: int) -> None:
    """Raise FormatError for numbers without names, and for running text."""
    if not rows.delimiter and all(map(is_number, rows.body)):
        raise FormatError(
            "numbers without names: nothing says which gene or sample they belong to. Give a table with both.",
            path=path,
            line=line,
        )
    if not rows.delimiter or max(map(len, rows.fields)) > 250 or _prose(rows.body, rows.delimiter):
        raise FormatError("running text, not a table of data.", path=path, line=1)


def _prose(body: list[str], delimiter: str) -> bool:
    """Whether lines split at spaces or commas into varying numbers of words: sentences, not rows."""
    if delimiter == "\t":
        return False
    widths = [len(split(line, delimiter)) for line in body[:60]]
    common = max(set(widths), key=widths.count)
    return widths.count(common) < 0.5 * len(widths)

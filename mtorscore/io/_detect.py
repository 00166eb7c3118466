"""Which format a file or folder has, from its first bytes and lines rather than from its name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtorscore.errors import FormatError, examples
from mtorscore.io import _files
from mtorscore.io._delimited import guess_delimiter, split

__all__ = ["Found", "detect"]


@dataclass(frozen=True)
class Found:
    """A recognised format."""

    kind: str
    evidence: str
    compression: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def detect(path: Path) -> Found:
    """Recognise a file or folder.

    Raises
    ------
    FormatError
        If it is missing, empty or unknown.
    """
    _files.check_exists(path)
    if path.is_dir():
        return _folder(path)
    with path.open("rb") as handle:
        start = handle.read(8)
    compression = _files.compression_of(start)
    if compression == "zip":
        found = _zip(path)
        if found:
            return found
    first = _files.head(path)
    binary = _binary(first)
    if binary:
        return Found(binary[0], binary[1], compression)
    content = _files.as_text(first[: first.rfind(b"\n") + 1] or first, path)
    found = _text(content.lines(400), path)
    return Found(found.kind, found.evidence, compression, found.details)


def _zip(path: Path) -> Found | None:
    import zipfile

    try:
        names = zipfile.ZipFile(path).namelist()
    except zipfile.BadZipFile as error:
        raise FormatError(
            f"the zip archive is truncated or damaged ({error}); download it again.", path=path
        ) from error
    if "xl/workbook.xml" in names:
        return Found("excel", "a zip archive with xl/workbook.xml")
    return None


def _binary(first: bytes) -> tuple[str, str] | None:
    if first.startswith(b"PAR1"):
        return "parquet", "starts with PAR1"
    if first.startswith(b"\x89HDF\r\n\x1a\n"):
        return "hdf5", "starts with the HDF5 signature"
    if first.startswith((b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n")):
        return "rdata", "an R workspace (save)"
    if first.startswith((b"X\n\0\0\0\2", b"X\n\0\0\0\3", b"A\n2\n", b"A\n3\n")):
        return "rdata", "one R object (saveRDS)"
    if first.startswith(b"\xd0\xcf\x11\xe0"):
        return "xls", "an old Excel workbook"
    return None


def _folder(path: Path) -> Found:
    names = sorted(p.name for p in path.iterdir())
    raise FormatError(f"a folder that holds no data set mtorscore knows ({examples(names)}).", path=path)


def _text(lines: list[str], path: Path) -> Found:  # noqa: ARG001
    body = [line for line in lines if line.strip() and not line.startswith("#")]
    delimiter = guess_delimiter(body[:60])
    details: dict[str, Any] = {}
    if delimiter:
        details = {"delimiter": {"\t": "tab", " ": "space"}.get(delimiter, delimiter)}
        details["columns"] = len(split(body[0], delimiter))
        details["header"] = examples(split(body[0], delimiter), 6)
    return Found("table", "text in rows and columns", details=details)

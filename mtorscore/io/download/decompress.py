"""Decompress what was downloaded a bounded piece at a time, up to its end, within a budget."""

from __future__ import annotations

import bz2
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from mtorscore.errors import FetchError

__all__ = [
    "BROKEN",
    "FLOOR",
    "MOST_BYTES",
    "MOST_RATIO",
    "Budget",
    "Decompressed",
    "Pieces",
    "kind_of",
    "open_zip",
    "zip_blocks",
]

MOST_BYTES = 64 << 30
MOST_RATIO = 300
FLOOR = 256 << 20
# What xz may use for its dictionary; `xz -9` needs 65 MiB.
XZ_MEMORY = 1 << 30
PIECE = 1 << 16
# The list of members of a zip is read as a whole.
LONGEST_ZIP_LIST = 64 << 20
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz"}
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)


class Budget:
    """How much may come out of a file: `most` bytes, and at most `ratio` times its size beyond `floor` bytes."""

    def __init__(
        self, name: str, size: int, *, floor: int | None = None, ratio: int | None = None, most: int | None = None
    ) -> None:
        self.name, self.size, self.written = name, size, 0
        self.floor = FLOOR if floor is None else floor
        self.ratio = MOST_RATIO if ratio is None else ratio
        self.most = MOST_BYTES if most is None else most

    def add(self, n: int) -> None:
        """Count bytes; raise FetchError once they are too many."""
        self.written += n
        if self.written > self.most or (self.written > self.floor and self.written > self.ratio * self.size):
            raise FetchError(
                f"{self.name}: expands beyond {self.written >> 20} MiB from {self.size >> 10} KiB; not unpacked."
            )


class _Inflate:
    """zlib with the interface of the decompressors of bz2 and lzma."""

    def __init__(self, bits: int = 31) -> None:
        self._one, self._rest, self._full = zlib.decompressobj(bits), b"", False

    @property
    def eof(self) -> bool:
        return self._one.eof

    @property
    def unused_data(self) -> bytes:
        return self._one.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._rest and not self._full

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = self._one.decompress(self._rest + data, max_length)
        self._rest, self._full = self._one.unconsumed_tail, len(out) == max_length
        return out


def kind_of(start: bytes) -> str:
    """Name the compression that the first bytes of a file announce: gz, bz2, xz, or "" for none of them."""
    return next((name for magic, name in _MAGIC.items() if start.startswith(magic)), "")


def decompressor(kind: str) -> Any:
    """Return a decompressor of one kind: gz, bz2, xz, zlib or deflate (zlib without its header)."""
    if kind == "bz2":
        return bz2.BZ2Decompressor()
    if kind == "xz":
        return lzma.LZMADecompressor(memlimit=XZ_MEMORY)
    return _Inflate({"gz": 31, "zlib": 15, "deflate": -15}[kind])


class Pieces:
    """Decompress bytes that arrive bit by bit; streams may follow one another, and the last has to end."""

    def __init__(self, kind: str) -> None:
        self._kind, self._one, self._fed = kind, decompressor(kind), False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the content of the next compressed bytes, in pieces of at most `PIECE` bytes."""
        self._fed = self._fed or bool(data)
        while True:
            if self._one.eof:
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._one = decompressor(self._kind)
            out = self._one.decompress(data, PIECE)
            data = self._one.unused_data if self._one.eof else b""
            if out:
                yield out
            if not self._one.eof and self._one.needs_input:
                return

    @property
    def whole(self) -> bool:
        """Whether the last stream has ended."""
        return bool(self._fed and self._one.eof)


class Decompressed:
    """The content of a gz, bz2 or xz file, to be read forwards; a file without its end is an error."""

    def __init__(self, raw: IO[bytes], kind: str) -> None:
        self._raw, self._pieces, self._out = raw, Pieces(kind), bytearray()
        self._source = self._content()

    def _content(self) -> Iterator[bytes]:
        while block := self._raw.read(PIECE):
            yield from self._pieces.feed(block)
        if not self._pieces.whole:
            raise EOFError("the compressed data have no end")

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer at the end."""
        while len(self._out) < size:
            piece = next(self._source, None)
            if piece is None:
                break
            self._out += piece
        found = bytes(self._out[:size])
        del self._out[:size]
        return found


def open_zip(path: Path, name: str) -> zipfile.ZipFile:
    """Open a zip whose list of members is bounded, and whose members can be read without a password.

    Raises
    ------
    FetchError
        If a member is encrypted or compressed in an unusual way, or the list is too long.
    """
    _check_zip_list(path, name)
    archive = zipfile.ZipFile(path)
    try:
        for member in archive.infolist():
            if member.flag_bits & 1:
                raise FetchError(f"{name}: {member.filename!r} is encrypted with a password; not unpacked.")
            if member.compress_type not in _ZIP_METHODS:
                raise FetchError(
                    f"{name}: {member.filename!r} is compressed by a method that is not read "
                    f"({member.compress_type}); unpack it yourself."
                )
    except BaseException:
        archive.close()
        raise
    return archive


def _check_zip_list(path: Path, name: str) -> None:
    """Refuse a list of members of many megabytes, since zipfile reads it into memory."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - (1 << 16) - 22 - 76))
        tail = file.read()
    at = tail.rfind(b"PK\5\6")
    length = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    far = tail.rfind(b"PK\6\6", 0, max(at, 0))
    if far >= 0:
        length = max(length if length != 0xFFFFFFFF else 0, int.from_bytes(tail[far + 40 : far + 48], "little"))
    if min(length, size) > LONGEST_ZIP_LIST:
        raise FetchError(f"{name}: its list of members is {length >> 20} MiB long; not unpacked.")


def zip_blocks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content of a member in bounded blocks; its checksum is checked at the end."""
    # Of bz2 zipfile decompresses as many bytes as are asked for, whatever comes out.
    size = 1 << 20 if member.compress_type != zipfile.ZIP_BZIP2 else 1 << 10
    with archive.open(member) as source:
        while block := source.read(size):
            yield block

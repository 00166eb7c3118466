"""Decompression, decoding and checksums of files, in bounded memory."""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from mtorscore.errors import FormatError, examples

__all__ = ["Content", "check_exists", "compression_of", "files_of", "head", "load", "pieces", "sha256"]

CHUNK = 1 << 20
# A compressed table of zeros shrinks a hundredfold at most in practice; a bomb shrinks a thousandfold.
BOMB_FLOOR = 256 << 20
BOMB_RATIO = 250
LIMIT = 16 << 30
HEAD = 1 << 16

_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zst", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip"}
# Zero-width space, joiners and byte-order marks inside the text, as pasting from pages and joining files leave them.
_INVISIBLE = ("\u200b".encode(), "\u200c".encode(), "\u200d".encode(), codecs.BOM_UTF8)
_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass
class Content:
    """The content of a text file: decompressed UTF-8 with line feeds as line ends.

    Attributes
    ----------
    data
        The text.
    path
        The file it came from.
    repairs
        What had to be changed to read it, in words.
    """

    data: bytes
    path: Path
    repairs: list[str] = field(default_factory=list)

    def lines(self, limit: int | None = None) -> list[str]:
        """Return the first lines, without their ends."""
        if limit is None:
            return self.data.decode().split("\n")
        return self.data[: 1 << 22].decode(errors="ignore").split("\n", limit)[:limit]


def check_exists(path: Path) -> None:
    """Raise FormatError unless the path is there, readable and not empty."""
    if not path.exists():
        near = (
            [p.name for p in path.parent.iterdir() if p.stem.lower() == path.stem.lower()]
            if path.parent.is_dir()
            else []
        )
        hint = f" Files of that name there: {examples(sorted(near))}." if near else ""
        raise FormatError(f"there is no such file; check the path.{hint}", path=path)
    if path.is_file() and path.stat().st_size == 0:
        raise FormatError("the file is empty; download or export it again.", path=path)


def compression_of(start: bytes) -> str:
    """Name the compression that the first bytes of a file announce, "" for none."""
    return next((name for magic, name in _MAGIC.items() if start.startswith(magic)), "")


def files_of(path: Path, used: Sequence[Path] | None = None) -> list[Path]:
    """Return a file itself, or the files of a folder, sorted.

    Parameters
    ----------
    path
        File or folder.
    used
        Of a folder, only these files, and those in these folders.
    """
    if path.is_file():
        return [path]
    inside = [path] if used is None else used
    return sorted({f for place in inside for f in ([place] if place.is_file() else place.rglob("*")) if f.is_file()})


def sha256(path: Path, used: Sequence[Path] | None = None) -> str:
    """Return the SHA-256 of a file, or of the names and contents of a folder's files (of those used)."""
    digest = hashlib.sha256()
    block = memoryview(bytearray(1 << 18))
    for file in files_of(path, used):
        if file != path:
            digest.update(str(file.relative_to(path)).encode())
        with file.open("rb", buffering=0) as handle:
            # Into one block that stays in the processor's cache.
            while n := handle.readinto(block):
                digest.update(block[:n])
    return digest.hexdigest()


def _opened(path: Path, kind: str, raw: BinaryIO) -> BinaryIO:
    if kind == "gz":
        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
    if kind == "bz2":
        return bz2.BZ2File(raw)  # type: ignore[return-value]
    if kind == "xz":
        return lzma.LZMAFile(raw)  # type: ignore[return-value]
    if kind == "zst":
        return _Frames(raw)  # type: ignore[return-value]
    if kind == "zip":
        archive = zipfile.ZipFile(raw)
        members = [i for i in archive.infolist() if not i.is_dir() and not i.filename.startswith("__MACOSX/")]
        if len(members) != 1:
            names = examples([i.filename for i in members])
            raise FormatError(
                f"the archive holds {len(members)} files ({names}); unpack it and read one of them, or the folder.",
                path=path,
            )
        if members[0].flag_bits & 1:
            raise FormatError("the archive is protected by a password; unpack it first.", path=path)
        return archive.open(members[0])  # type: ignore[return-value]
    return raw


class _Frames:
    """Frames of Zstandard one after the other; unlike the library's own stream, an unfinished one is an error."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._frame: Any = None
        self._rest = b""

    def read(self, size: int) -> bytes:  # noqa: ARG002
        """Return the next decompressed bytes, b"" at the end; may return more than `size` bytes."""
        import zstandard

        out = b""
        while not out:
            # A thousand bytes of Zstandard hold 32 MiB at most, so that a bomb is seen before memory is full.
            block = self._rest or self._raw.read(1 << 10)
            self._rest = b""
            if not block:
                if self._frame is not None:
                    raise EOFError("the last frame has no end")
                return b""
            if self._frame is None:
                self._frame = zstandard.ZstdDecompressor(max_window_size=2**31).decompressobj()
            out = self._frame.decompress(block)
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        return out


_BROKEN = (EOFError, zlib.error, OSError, lzma.LZMAError, zipfile.BadZipFile, ValueError, NotImplementedError)


def pieces(path: Path, most: int | None = None, limit: int | None = None) -> Iterator[bytes]:
    """Yield the decompressed content of a file piece by piece.

    Parameters
    ----------
    path
        Plain or compressed.
    most
        Stop after so many bytes.
    limit
        Bytes of content that are refused as too many; None only refuses what looks like a bomb.

    Raises
    ------
    FormatError
        If it is missing, empty, truncated or damaged, or a decompression bomb.
    """
    check_exists(path)
    size, done, lines = path.stat().st_size, 0, 1
    with path.open("rb") as raw:
        kind = compression_of(raw.read(8))
        raw.seek(0)
        try:
            stream = _opened(path, kind, raw)
            while most is None or done < most:
                block = stream.read(CHUNK if most is None else min(CHUNK, most - done))
                if not block:
                    break
                done += len(block)
                lines += block.count(b"\n")
                if (limit is not None and done > limit) or (kind and done > BOMB_FLOOR and done > BOMB_RATIO * size):
                    raise FormatError(
                        f"expands to more than {done >> 20} MiB from {size >> 10} KiB; this looks like a "
                        "decompression bomb, so reading stopped. Unpack it yourself if it is genuine.",
                        path=path,
                    )
                yield block
        except FormatError:
            raise
        except Exception as error:
            # Newer versions of the library call the module of its one error zstandard, older ones zstd.
            if not kind or not (isinstance(error, _BROKEN) or type(error).__module__.startswith(("zstandard", "zstd"))):
                raise FormatError(f"cannot be read ({error}).", path=path) from error
            raise FormatError(
                f"the {kind} file is truncated or damaged after {done} bytes of content ({error}); download it again.",
                path=path,
                line=lines,
            ) from error


def _decompress(path: Path, most: int | None = None) -> bytes:
    """Return the decompressed content, or its first `most` bytes."""
    check_exists(path)
    with path.open("rb") as raw:
        if not compression_of(raw.read(8)) and path.stat().st_size <= LIMIT:
            raw.seek(0)
            return raw.read() if most is None else raw.read(most)
    out = io.BytesIO()
    for block in pieces(path, most, LIMIT):
        out.write(block)
    return out.getvalue()


def head(path: Path, size: int = HEAD) -> bytes:
    """Return the first decompressed bytes of a file; a truncated tail is not noticed."""
    return _decompress(path, size)


def _decode(data: bytes, path: Path, repairs: list[str], partial: bool) -> bytes:
    for bom, codec in (
        (codecs.BOM_UTF8, ""),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if not data.startswith(bom):
            continue
        repairs.append(f"byte-order mark removed ({codec or 'utf-8'})")
        if not codec:
            data = data[len(bom) :]
            break
        try:
            return data.decode(codec, errors="ignore" if partial else "strict").encode()
        except UnicodeDecodeError as error:
            raise FormatError(f"starts as {codec.upper()} text but is not; save it as UTF-8.", path=path) from error
    nul = data.find(b"\0")
    if nul >= 0:
        if nul in (0, 1) and data[:400].count(b"\0") >= len(data[:400]) // 2 - 1:
            try:
                codec = "utf-16-le" if nul == 1 else "utf-16-be"
                text = data.decode(codec, errors="ignore" if partial else "strict").encode()
            except UnicodeDecodeError:
                text = b""
            if text:
                repairs.append("UTF-16 without a byte-order mark")
                return text
        line = data.count(b"\n", 0, nul) + 1
        column = nul - data.rfind(b"\n", 0, nul)
        raise FormatError(
            "a NUL byte: the file is binary or damaged, not a text table; download or export it again.",
            path=path,
            line=line,
            column=column,
        )
    if data.isascii():
        return data
    for invisible in _INVISIBLE:
        if invisible in data:
            data = data.replace(invisible, b"")
            if "characters of no width removed" not in repairs:
                repairs.append("characters of no width removed")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if partial and error.start > len(data) - 4:
            return data[: error.start]
        line = data.count(b"\n", 0, error.start) + 1
        repairs.append(f"not UTF-8 from line {line} on; read as Windows-1252")
        return data.decode("cp1252", errors="replace").encode()
    return data


def as_text(data: bytes, path: Path, *, partial: bool = False) -> Content:
    """Turn decompressed bytes into UTF-8 text whose lines end in a line feed, recording what was repaired."""
    repairs: list[str] = []
    if data.startswith(_LFS):
        raise FormatError(
            "a Git LFS pointer, not the data: the repository keeps the file elsewhere. Fetch it with `git lfs pull` "
            "or download it from the repository's page.",
            path=path,
        )
    if compression_of(data[:8]) == "gz":
        raise FormatError("compressed twice; decompress it once and read the result.", path=path)
    data = _decode(data, path, repairs, partial)
    if data.endswith(b"\x1a"):
        data = data[:-1]
        repairs.append("the end-of-file mark of DOS removed")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
        if b"\r" in data:
            # Old Macintosh line ends; a stray one inside a line with other ends is only space.
            alone = data.count(b"\n") <= 1
            repairs.append("bare CR line ends" if alone else f"{data.count(13)} stray CR characters read as blanks")
            # Removed, 1.5 CR 2 would become one number.
            data = data.replace(b"\r", b"\n" if alone else b" ")
    if re.search(rb"\S", data) is None:
        raise FormatError("the file holds nothing but white space.", path=path)
    start = data[:2000].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) or (start.startswith(b"<") and b"<html" in start):
        raise FormatError("an HTML page instead of data (a log-in or error page?); download it again.", path=path)
    return Content(data, path, repairs)


def raw(path: Path) -> bytes:
    """Return the whole decompressed content of a file."""
    return _decompress(path)


def load(path: Path) -> Content:
    """Read a text file, compressed or not, into memory.

    Raises
    ------
    FormatError
        If it is missing, empty, truncated, not text, a Git LFS pointer, an HTML page, or a decompression bomb.
    """
    return as_text(_decompress(path), path)

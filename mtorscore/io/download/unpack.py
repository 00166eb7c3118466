"""Unpack archives safely: no paths outside the folder, links, devices or decompression bombs; all or nothing."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tarfile import EmptyHeaderError, EOFHeaderError, HeaderError, ReadError  # type: ignore[attr-defined]
from typing import IO, Any, cast

from mtorscore.errors import FetchError
from mtorscore.io.download.decompress import (
    BROKEN,
    FLOOR,
    Budget,
    Decompressed,
    kind_of,
    open_zip,
    zip_blocks,
)

__all__ = ["check_tar", "unpack"]

MOST_FILES = 100_000
LONGEST_HEADER = 1 << 16
BLOCK = 512
_BROKEN = (tarfile.TarError, *BROKEN)


def _safe(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]) or "\0" in name:
        raise FetchError(f"{archive.name}: it holds the path {name!r}, which leads outside the folder; not unpacked.")
    return path


class _Tar(tarfile.TarFile):
    """A tar of which every header has to be right, where the library takes a damaged one for the end."""

    # Whether it is within a compressed stream, whose own end shows that it is whole.
    packed = False
    # Whether the first of its closing blocks was met.
    ended = False


class _Info(tarfile.TarInfo):
    """A member with a bounded header, since tarfile reads headers into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Info:
        info = super().frombuf(buf, encoding, errors)
        if info.size < 0 or (info.size > LONGEST_HEADER and info.type not in tarfile.REGULAR_TYPES):
            raise ReadError("a header of impossible length")
        if info.type == tarfile.GNUTYPE_SPARSE:
            raise ReadError("a sparse file, which is not read")
        return info

    @classmethod
    def fromtarfile(cls, tarfile: Any) -> _Info:
        try:
            return super().fromtarfile(tarfile)
        except EOFHeaderError:
            tarfile.ended = True
            raise
        except EmptyHeaderError:
            raise
        except HeaderError as error:
            # No HeaderError, at which the library would take the archive for finished.
            raise ReadError(f"{error}, at byte {tarfile.offset}") from error

    def _proc_gnusparse_10(self, *_: Any) -> None:  # its list of parts would be read into memory
        raise ReadError("a sparse file, which is not read")


@contextmanager
def _opened(archive: Path) -> Iterator[_Tar]:
    with archive.open("rb") as raw:
        kind = kind_of(raw.read(8))
        raw.seek(0)
        source = cast("IO[bytes]", Decompressed(raw, kind)) if kind else raw
        with _Tar.open(fileobj=source, mode="r|", tarinfo=_Info) as tar:
            tar.packed = bool(kind)
            yield tar


def _check_end(tar: _Tar, archive: Path) -> None:
    """Refuse a tar without its closing blocks, and one that goes on behind them; read to the end of the stream."""
    rest = cast("IO[bytes]", tar.fileobj)
    if not tar.ended:
        if not tar.packed:
            raise FetchError(f"{archive.name}: it ends without the closing blocks of a tar; it is cut off.")
        return
    second = rest.read(BLOCK)
    if not tar.packed and len(second) < BLOCK:
        raise FetchError(f"{archive.name}: it ends within the closing blocks of a tar; it is cut off.")
    budget = Budget(archive.name, archive.stat().st_size, floor=FLOOR)
    while second:
        budget.add(len(second))
        if second.strip(b"\0"):
            raise FetchError(f"{archive.name}: it goes on behind its closing blocks; it is damaged or two in one.")
        second = rest.read(1 << 20)


def _members(tar: _Tar, archive: Path) -> Iterator[tuple[PurePosixPath, tarfile.TarInfo]]:
    """Yield the files of a tar, each with a safe path; the end is checked."""
    names: set[str] = set()
    entries = 0
    for member in tar:
        # The library keeps every member that it met.
        tar.members = []  # type: ignore[attr-defined]
        entries += 1
        if entries > MOST_FILES:
            raise FetchError(f"{archive.name}: more than {MOST_FILES} files; not unpacked.")
        path = _safe(member.name, archive)
        if member.isdir() and not member.size:
            continue
        if not member.isreg():
            raise FetchError(f"{archive.name}: {member.name!r} is a link or device; not unpacked.")
        _add(names, path, archive)
        yield path, member
    _check_end(tar, archive)
    if not names:
        raise FetchError(f"{archive.name}: the archive holds no file.")


def _blocks(source: IO[bytes] | None) -> Iterator[bytes]:
    while source is not None and (block := source.read(1 << 20)):
        yield block


def _write(blocks: Iterable[bytes], target: Path, budget: Budget) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as out:
        for block in blocks:
            budget.add(len(block))
            out.write(block)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a tar (plain or compressed) or zip into a new folder.

    Parameters
    ----------
    archive
        The file.
    folder
        The folder to make; an existing one is replaced when everything has been unpacked.

    Returns
    -------
    pathlib.Path
        `folder`.

    Raises
    ------
    FetchError
        If a path leads outside, a member is a link, device or encrypted, names repeat, there are more than 100,000
        members, it expands to more than 64 GiB or (beyond 256 MiB) to 300 times its size, a header is damaged, or it
        is not whole: a plain tar has to end with its two closing blocks, a compressed one with the end of the
        compressed stream. Nothing is left behind then.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name[-80:]}.", dir=folder.parent))
    try:
        with _one_sentence(archive):
            if zipfile.is_zipfile(archive) and not _is_tar(archive):
                _zip(archive, temporary)
            else:
                _tar(archive, temporary)
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder


def check_tar(archive: Path) -> None:
    """Read a plain tar up to its end; raise FetchError unless it is whole and could be unpacked."""
    with _one_sentence(archive), _opened(archive) as tar:
        for _ in _members(tar, archive):
            pass


@contextmanager
def _one_sentence(archive: Path) -> Iterator[None]:
    """Turn what the libraries say of a damaged archive into a FetchError."""
    try:
        yield
    except FetchError:
        raise
    except (*_BROKEN, OSError, RuntimeError, ValueError, OverflowError, LookupError) as error:
        raise FetchError(f"{archive.name}: the archive is truncated or damaged ({str(error)[:200]}).") from error


def _is_tar(archive: Path) -> bool:
    """Whether it begins as a tar; one that ends with a zip is still a tar."""
    with archive.open("rb") as file:
        return file.read(BLOCK)[257:262] == b"ustar"


def _zip(archive: Path, folder: Path) -> None:
    budget = Budget(archive.name, archive.stat().st_size, floor=FLOOR)
    names: set[str] = set()
    with open_zip(archive, archive.name) as file:
        for member in file.infolist():
            path = _safe(member.filename, archive)
            kind = (member.external_attr >> 16) & 0o170000
            if kind not in (0, 0o100000, 0o040000):
                raise FetchError(f"{archive.name}: {member.filename!r} is a link or device; not unpacked.")
            if not member.is_dir():
                _add(names, path, archive)
                _write(zip_blocks(file, member), folder / path, budget)
    if not names:
        raise FetchError(f"{archive.name}: the archive holds no file.")


def _tar(archive: Path, folder: Path) -> None:
    budget = Budget(archive.name, archive.stat().st_size, floor=FLOOR)
    with _opened(archive) as file:
        for path, member in _members(file, archive):
            _write(_blocks(file.extractfile(member)), folder / path, budget)


def _add(names: set[str], path: PurePosixPath, archive: Path) -> None:
    """Record a member; refuse too many, or names that collide on a case-insensitive file system."""
    if len(names) >= MOST_FILES:
        raise FetchError(f"{archive.name}: more than {MOST_FILES} files; not unpacked.")
    name = unicodedata.normalize("NFC", str(path)).casefold()
    if name in names:
        raise FetchError(f"{archive.name}: the name {str(path)!r} is duplicated in it; not unpacked.")
    names.add(name)

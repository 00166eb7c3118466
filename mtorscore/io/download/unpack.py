"""Unpack archives safely: no paths outside the folder, links, devices or decompression bombs; all or nothing."""

from __future__ import annotations

import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from mtorscore.errors import FetchError

__all__ = ["unpack"]

MOST_FILES = 100_000
MOST_BYTES = 64 << 30
MOST_RATIO = 300
FLOOR = 256 << 20
LONGEST_HEADER = 1 << 20
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)


def _safe(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]) or "\0" in name:
        raise FetchError(f"{archive.name}: it holds the path {name!r}, which leads outside the folder; not unpacked.")
    return path


class _Info(tarfile.TarInfo):
    """A member with a bounded header, since tarfile reads headers into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Info:
        info = super().frombuf(buf, encoding, errors)
        if info.size > LONGEST_HEADER and info.type not in tarfile.REGULAR_TYPES:
            raise tarfile.HeaderError("a header of many megabytes")
        return info


class _Budget:
    def __init__(self, archive: Path) -> None:
        self.archive, self.size, self.written = archive, archive.stat().st_size, 0

    def copy(self, source: IO[bytes], target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            while block := source.read(1 << 20):
                self.written += len(block)
                if self.written > MOST_BYTES or (self.written > FLOOR and self.written > MOST_RATIO * self.size):
                    raise FetchError(f"{self.archive.name}: expands beyond {self.written >> 20} MiB; not unpacked.")
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
        If a path leads outside, a member is a link or device, names repeat, it expands without bound, or it is
        damaged. Nothing is left behind then.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        try:
            if zipfile.is_zipfile(archive):
                _zip(archive, temporary)
            else:
                _tar(archive, temporary)
        except (*_BROKEN, OSError, RuntimeError, ValueError) as error:
            if isinstance(error, FetchError):
                raise
            raise FetchError(f"{archive.name}: the archive is truncated or damaged ({error}).") from error
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder


def _zip(archive: Path, folder: Path) -> None:
    budget = _Budget(archive)
    with zipfile.ZipFile(archive) as file:
        names: set[str] = set()
        for member in file.infolist():
            path = _safe(member.filename, archive)
            if not member.is_dir():
                _add(names, str(path), archive)
            if (member.external_attr >> 16) & 0o170000 == 0o120000:
                raise FetchError(f"{archive.name}: {member.filename!r} is a link; not unpacked.")
            if not member.is_dir():
                with file.open(member) as source:
                    budget.copy(source, folder / path)


def _tar(archive: Path, folder: Path) -> None:
    budget = _Budget(archive)
    names: set[str] = set()
    with tarfile.open(archive, "r|*", tarinfo=_Info) as file:
        for member in file:
            path = _safe(member.name, archive)
            if member.isdir():
                continue
            if not member.isreg():
                raise FetchError(f"{archive.name}: {member.name!r} is a link or device; not unpacked.")
            _add(names, str(path), archive)
            source = file.extractfile(member)
            if source is not None:
                budget.copy(source, folder / path)
    if not names:
        raise FetchError(f"{archive.name}: the archive holds no file.")


def _add(names: set[str], name: str, archive: Path) -> None:
    """Record a member; refuse too many, or names that collide on a case-insensitive file system."""
    if len(names) >= MOST_FILES:
        raise FetchError(f"{archive.name}: more than {MOST_FILES} files; not unpacked.")
    if name.casefold() in names:
        raise FetchError(f"{archive.name}: the name {name!r} is duplicated in it; not unpacked.")
    names.add(name.casefold())

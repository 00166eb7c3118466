"""Files of the cache, which others may write to: links are not followed, and notes are parsed with doubt."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from mtorscore.errors import FetchError
from mtorscore.io.tables.file_bytes import sha256

__all__ = ["cached", "is_file", "locked", "make_folder", "open_part", "read_note", "record_of"]

LONGEST_NOTE = 16 << 20
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def record_of(target: Path) -> Path:
    """Return the place of the record beside a file: its source, SHA-256 and size."""
    return target.with_name(f"{target.name}.source.json")


def is_file(path: Path) -> bool:
    """Whether it is a regular file, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def read_note(path: Path) -> dict[str, Any]:
    """Return a JSON object from the cache; an empty one where there is none, or anything is wrong with it."""
    if not is_file(path):
        return {}
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | _NO_LINK), "rb") as file:
            text = file.read(LONGEST_NOTE + 1)
        found = json.loads(text) if len(text) <= LONGEST_NOTE else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def cached(target: Path) -> bool:
    """Whether the file is complete: its size and SHA-256 are those recorded when it was fetched."""
    known = read_note(record_of(target))
    if not known or not is_file(target):
        return False
    return bool(target.stat().st_size == known.get("bytes") and sha256(target) == known.get("sha256"))


def make_folder(folder: Path, root: Path) -> None:
    """Make a folder below `root`; refuse one that is, or lies behind, a link.

    Raises
    ------
    FetchError
        If there is a link or a file in the way.
    """
    place = root
    place.mkdir(parents=True, exist_ok=True)
    for part in folder.relative_to(root).parts:
        place = place / part
        if place.is_symlink():
            raise FetchError(f"{place} is a link, and links in the cache are not followed; remove it.")
        place.mkdir(exist_ok=True)


@contextlib.contextmanager
def locked(target: Path) -> Iterator[None]:
    """Let one process at a time fetch a file or data set."""
    lock = target.with_name(f".{target.name}.lock")
    if lock.is_symlink():
        raise FetchError(f"{lock} is a link, and links in the cache are not followed; remove it.")
    # For reading: the file may be another user's.
    with os.fdopen(os.open(lock, os.O_RDONLY | os.O_CREAT | _NO_LINK, 0o666), "rb") as handle:
        try:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        except (ImportError, OSError):
            # Windows, or a file system without locks: the atomic move alone has to do.
            pass
        yield


def open_part(part: Path, *, append: bool) -> IO[bytes]:
    """Open a partial file, which nothing else may be linked to."""
    if append:
        handle = os.open(part, os.O_WRONLY | os.O_APPEND | _NO_LINK)
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
            os.close(handle)
            raise FetchError(f"{part} is a link, and links in the cache are not followed; remove it.")
        return os.fdopen(handle, "ab")
    part.unlink(missing_ok=True)
    return os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o666), "wb")

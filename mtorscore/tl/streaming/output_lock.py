"""One run at a time per output: a second run with the same `out` is refused while the first one works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtorscore.errors import ConfigError, not_writable

__all__ = ["only_writer"]


@contextmanager
def only_writer(out: Path) -> Iterator[None]:
    """Hold the lock of an output; the system releases it with the process, however that ends.

    Parameters
    ----------
    out
        The file or folder that will be written; the lock is ``.<name>.lock`` beside it, removed at the end.

    Raises
    ------
    ConfigError
        If another run holds the lock, or the folder cannot be written to.
    """
    lock = out.with_name(f".{out.name}.lock")
    descriptor = _acquire(lock, out)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        # While it is still held, so that nobody locks a file that is about to go.
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(lock: Path, out: Path) -> int:
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except OSError as error:
            raise not_writable(lock, error) from error
        if not _lock(descriptor):
            holder = os.read(descriptor, 20).decode(errors="replace").strip()
            os.close(descriptor)
            raise ConfigError(
                f"Another run{f' (process {holder})' if holder else ''} is writing {out}; wait for it, or give out= "
                "another name."
            )
        try:
            if os.path.samestat(os.fstat(descriptor), lock.stat(follow_symlinks=False)):
                return descriptor
        except FileNotFoundError:
            pass
        # The run before removed it between opening and locking.
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock an open file if nobody else has; where the system has no such locks, say that it worked."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # Some network file systems have none.
        return True
    return True

"""Write a file whole or not at all: the one place of the package that puts files under their final names."""

from __future__ import annotations

import gzip
import io
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

from mtorscore.errors import ConfigError, not_writable

__all__ = ["atomic", "atomic_text", "write_whole"]

# Longest part of a name that a temporary file keeps; its ending matters to writers, its beginning to nobody.
_KEPT = 80
_unfinished: set[Path] = set()


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder that becomes `path` if the block ends without an error.

    Parameters
    ----------
    path
        The final name; its folder is made where it is missing.

    Yields
    ------
    pathlib.Path
        An empty file that no other writer uses. It has the ending of `path`, since many writers look at it, and the
        permissions that the umask leaves. It is removed if the block fails or the process is asked to terminate.

    Raises
    ------
    ConfigError
        If nothing can be written there.
    """
    path = Path(path)
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir fails on a name that is too long
        raise ConfigError(f"{path} is a folder; name a file to write.")
    temporary = path.with_name(f".{os.getpid()}-{secrets.token_hex(6)}.tmp-{path.name[-_KEPT:]}")
    with _removed_on_termination(temporary):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OSError as error:
            raise not_writable(path, error) from error
        try:
            yield temporary
            try:
                temporary.replace(path)
            except OSError as error:
                raise not_writable(path, error) from error
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_text(path: str | Path) -> Iterator[IO[str]]:
    """Open a text file (UTF-8, line feeds) that takes the place of `path` once the block ends without an error.

    Parameters
    ----------
    path
        The final name; one that ends in ``.gz`` is gzipped.

    Yields
    ------
    file
        Open for writing.
    """
    with atomic(path) as temporary, temporary.open("wb") as raw:
        if temporary.suffix == ".gz":
            # No name and time inside, so that the same content gives the same bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                yield from _as_text(packed)
        else:
            yield from _as_text(raw)


def write_whole(path: str | Path, content: str | bytes) -> Path:
    """Write bytes as they are, or text as `atomic_text` does; return the path."""
    if isinstance(content, str):
        with atomic_text(path) as file:
            file.write(content)
    else:
        with atomic(path) as temporary:
            temporary.write_bytes(content)
    return Path(path)


def _as_text(binary: IO[bytes] | gzip.GzipFile) -> Iterator[IO[str]]:
    text = io.TextIOWrapper(binary, encoding="utf-8", newline="\n")
    yield text
    text.flush()
    text.detach()


@contextmanager
def _removed_on_termination(temporary: Path) -> Iterator[None]:
    """Let SIGTERM remove the file while the block runs, where the program has no answer of its own to SIGTERM.

    A program that turns SIGTERM into an exception, as our command line does, unwinds through the block anyway.
    """
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    _unfinished.add(temporary)
    if ours:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _unfinished.discard(temporary)


def _terminate(number: int, _: FrameType | None) -> None:
    for temporary in list(_unfinished):
        temporary.unlink(missing_ok=True)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)

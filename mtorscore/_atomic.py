"""Write a text file beside its target and move it there, so that nothing half-written stands under a final name."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mtorscore.errors import not_writable

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path) -> Iterator[IO[str]]:
    """Open a text file (UTF-8, line feeds) that takes the place of `path` once the block ends without an error.

    Parameters
    ----------
    path
        The target; missing folders are made. A name that ends in ``.gz`` is gzipped.

    Yields
    ------
    file
        Open for writing.

    Raises
    ------
    ConfigError
        If nothing can be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise not_writable(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as raw:
            if path.suffix == ".gz":
                # No name and time inside, so that the same content gives the same bytes.
                with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                    yield from _as_text(packed)
            else:
                yield from _as_text(raw)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _as_text(binary: IO[bytes] | gzip.GzipFile) -> Iterator[IO[str]]:
    import io

    text = io.TextIOWrapper(binary, encoding="utf-8", newline="\n")
    yield text
    text.flush()
    text.detach()

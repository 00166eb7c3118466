"""Tar archives of data files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore.errors import FetchError, FormatError
from mtorscore.io.download.unpack import unpack
from mtorscore.io.formats.reader import FirstBytes, Found, Reader

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["READER", "archive"]

# Archives within archives; one may hold itself.
MOST_NESTED = 3
_around: ContextVar[int] = ContextVar("archives around the file that is read", default=0)


def archive(
    path: Path, *, read_inside: Callable[[Path, dict[str, Any]], AnnData], **options: Any
) -> tuple[AnnData, dict[str, Any]]:
    """Read a tar archive, such as GEO's ``GSE1_RAW.tar`` or a download of the GDC, as the folder that it holds."""
    with _one_deeper(path), tempfile.TemporaryDirectory() as place:
        try:
            folder = unpack(path, Path(place) / "x")
        except FetchError as error:
            raise FormatError(str(error), path=path) from error
        inside = [p for p in folder.iterdir() if not p.name.startswith(".")]
        adata = read_inside(inside[0] if len(inside) == 1 else folder, options)
        made = dict(adata.uns.pop("source"))
    own = {"file", "sha256", "bytes"}
    return adata, {k: v for k, v in made.items() if k not in own} | {"archive": "tar"}


@contextmanager
def _one_deeper(path: Path) -> Iterator[None]:
    depth = _around.get()
    if depth >= MOST_NESTED:
        raise FormatError(f"an archive within {depth} others; unpack it yourself.", path=path)
    token = _around.set(depth + 1)
    try:
        yield
    finally:
        _around.reset(token)


def _is_tar(seen: FirstBytes) -> Found | None:
    return Found("archive", "a tar archive") if seen.data[257:262] == b"ustar" else None


READER = Reader(
    kinds=("archive",),
    read=archive,
    detect={FirstBytes: _is_tar},
    origin="Archives",
    title="tar, plain or compressed, such as GEO's `GSE…_RAW.tar`: read as the folder that it holds",
    options=None,
    needs=("read_inside",),
)

"""Folders of GEO series matrices, one per platform."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore.errors import FormatError, examples
from mtorscore.io.formats.reader import Folder, Found, Reader
from mtorscore.io.portals.geo import ORIGIN, series_matrix

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["READER"]


def series(path: Path, *, platform: str | None = None) -> tuple[AnnData, dict[str, Any]]:
    """Read the series matrix of one platform from a folder that may hold one per platform."""
    files = _matrices(f.name for f in path.iterdir())
    if len(files) > 1:
        named = [f for f in files if platform and f"-{platform}_" in f]
        if len(named) != 1:
            raise FormatError(
                f"{len(files)} series matrices, one per platform ({examples(files)}); choose with "
                "platform=, since their probes differ.",
                path=path,
            )
        files = named
    if not files:
        raise FormatError("no series matrix in this folder.", path=path)
    return series_matrix(path / files[0])


def _matrices(names: Iterable[str]) -> list[str]:
    return sorted(n for n in names if n.endswith(("_series_matrix.txt", "_series_matrix.txt.gz")))


def _is_folder(seen: Folder) -> Found | None:
    files = _matrices(seen.names)
    return Found("geo-series", f"holds {len(files)} GEO series matrices", details={"files": files}) if files else None


READER = Reader(
    kinds=("geo-series",),
    read=series,
    detect={Folder: _is_folder},
    origin=ORIGIN,
    title="folder of series matrices, one per platform",
    options={"platform": "accession of the platform, where there are several"},
)

"""Folders of GEO series matrices, one per platform."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore.errors import FormatError, examples
from mtorscore.io.portals.geo import series_matrix

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["series"]


def series(path: Path, *, platform: str | None = None, table: str = "") -> tuple[AnnData, dict[str, Any]]:  # noqa: ARG001
    """Read the series matrix of one platform from a folder that may hold one per platform."""
    files = sorted(f for f in path.iterdir() if f.name.endswith(("_series_matrix.txt", "_series_matrix.txt.gz")))
    if len(files) > 1:
        named = [f for f in files if platform and f"-{platform}_" in f.name]
        if len(named) != 1:
            raise FormatError(
                f"{len(files)} series matrices, one per platform ({examples([f.name for f in files])}); choose with "
                "platform=, since their probes differ.",
                path=path,
            )
        files = named
    return series_matrix(files[0])

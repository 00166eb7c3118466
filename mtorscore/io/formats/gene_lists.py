"""Lists of names, 10x feature tables, and the manifests and sample sheets of the GDC."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.delimited import parse
from mtorscore.io.tables.matrix import described, unique

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["features", "manifest", "names"]


def names(path: Path, *, table: str = "") -> tuple[AnnData, dict[str, Any]]:  # noqa: ARG001
    """Read one name per line: genes as variables, anything else as observations."""
    from mtorscore.genes.identifier_kinds import gene_likeness

    listed = [line.strip() for line in file_bytes.load(path).data.decode().split("\n") if line.strip()]
    genes = gene_likeness(listed)[0] > 0.5
    frame = pd.DataFrame(index=range(len(listed)))
    adata = described(frame, unique(listed), genes=genes, ids=listed)
    return adata, {"table": "genes" if genes else "samples"}


def features(path: Path, *, table: str = "") -> tuple[AnnData, dict[str, Any]]:  # noqa: ARG001
    """Read a 10x feature table: identifier, symbol and type without a header."""
    grid = parse(file_bytes.load(path), header=False, text=True)
    columns = ["id", "symbol", "feature_type"][: len(grid.columns)]
    frame = pd.DataFrame(dict(zip(columns, grid.columns, strict=False)))
    ids = [str(v) for v in grid.columns[0]]
    return described(frame, unique(ids), genes=True, ids=ids), {"table": "genes"}


def manifest(path: Path, *, table: str = "") -> tuple[AnnData, dict[str, Any]]:  # noqa: ARG001
    """Read a GDC manifest or sample sheet: one observation per file."""
    frame = parse(file_bytes.load(path), delimiter="\t", text=True).frame()
    key = "id" if "id" in frame else "File ID"
    if frame[key].duplicated().any():
        # A file of several samples (tumour and normal) stands once per sample.
        frame[key] = unique(list(frame[key]))
    return described(frame.drop(columns=key), list(frame[key]), genes=False), {"table": "files"}

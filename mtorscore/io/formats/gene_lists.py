"""Lists of names, one a line, and feature tables of 10x Genomics."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mtorscore.io.formats.reader import Found, Reader, Rows
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import described, unique
from mtorscore.io.tables.cell_text import is_number, split
from mtorscore.io.tables.delimited import parse

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["READERS"]

_FEATURE_TYPES = frozenset(
    {
        "Gene Expression",
        "Antibody Capture",
        "CRISPR Guide Capture",
        "Multiplexing Capture",
        "Peaks",
        "Custom",
    }
)
_BARCODE = re.compile(r"^[ACGTN]{10,80}(-\d+)?$")
_NAME = re.compile(r"^[A-Za-z0-9._-]{1,250}$")


def names(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read one name per line: genes as variables, anything else as observations."""
    from mtorscore.genes.identifier_kinds import gene_likeness

    listed = [line.strip() for line in file_bytes.load(path).data.decode().split("\n") if line.strip()]
    genes = gene_likeness(listed)[0] > 0.5
    frame = pd.DataFrame(index=range(len(listed)))
    adata = described(frame, unique(listed), genes=genes, ids=listed)
    return adata, {"table": "genes" if genes else "samples"}


def features(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a 10x feature table: identifier, symbol and type without a header."""
    grid = parse(file_bytes.load(path), header=False, text=True)
    columns = ["id", "symbol", "feature_type"][: len(grid.columns)]
    frame = pd.DataFrame(dict(zip(columns, grid.columns, strict=False)))
    ids = [str(v) for v in grid.columns[0]]
    return described(frame, unique(ids), genes=True, ids=ids), {"table": "genes"}


def _is_list(seen: Rows) -> Found | None:
    if seen.delimiter:
        return None
    if sum(bool(_BARCODE.match(line)) for line in seen.body) > 0.9 * len(seen.body):
        return Found("list", "one cell barcode per line", sure=False)
    if all(map(is_number, seen.body)):
        return None
    named = len(seen.body) > 1 and all(_NAME.match(line) for line in seen.body[:50])
    return Found("list", "one name per line", sure=False) if named else None


def _is_features(seen: Rows) -> Found | None:
    from mtorscore.genes.identifier_kinds import gene_likeness

    if not seen.delimiter or not 2 <= len(seen.fields) <= 3:
        return None
    rows = [split(line, seen.delimiter) for line in seen.body[:300]]
    if any(is_number(field) for row in rows for field in row):
        return None
    typed = all(len(row) == 3 and row[2] in _FEATURE_TYPES for row in rows)
    if not typed and not (
        all(gene_likeness([rows[0][i]])[0] == 1.0 for i in (0, 1)) and gene_likeness([row[0] for row in rows])[0] > 0.5
    ):
        return None
    return Found("10x-features", "gene, symbol (and type) without a header", sure=typed)


READERS = (
    Reader(
        kinds=("list",),
        read=names,
        detect={Rows: _is_list},
        origin="Tables",
        title="list of genes, samples or cell barcodes, one a line",
    ),
    Reader(
        kinds=("10x-features",),
        read=features,
        detect={Rows: _is_features},
        origin="Single cells",
        title="10x feature table (features.tsv, genes.tsv)",
    ),
)

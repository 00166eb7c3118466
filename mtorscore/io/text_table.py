"""Reader of delimited text tables of no particular origin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore.io.formats.reader import Columns, Found, Reader
from mtorscore.io.portals import cbioportal
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.delimited import parse
from mtorscore.io.tables.matrix import MEASURE_OPTION, TABLE_OPTION, from_grid

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["READER", "preview", "table"]

PREVIEW = 1 << 20


def table(
    path: Path, *, table: str = "", delimiter: str = "", skip: int = 0, measure: str = "", ids: str = ""
) -> tuple[AnnData, dict[str, Any]]:
    """Read a delimited text table in either orientation, of values or of descriptions."""
    content = file_bytes.load(path)
    adata, made = from_grid(parse(content, delimiter=delimiter, skip=skip), content, table, measure, ids)
    if made["table"] == "matrix" and cbioportal.is_zscore_file(path):
        cbioportal.warn_zscores(path.name)
    return adata, made


def preview(path: Path, table: str = "") -> tuple[AnnData, dict[str, Any], int]:
    """Read the first rows of a table, and count all of them."""
    data = file_bytes.raw(path)
    start = data[:PREVIEW]
    if len(start) < len(data):
        start = start[: start.rfind(b"\n") + 1] or start
    content = file_bytes.as_text(start, path, partial=len(start) < len(data))
    grid = parse(content)
    adata, made = from_grid(grid, content, table)
    beyond = data.count(b"\n") - content.data.count(b"\n")
    return adata, made, grid.n_rows + beyond if len(start) < len(data) else 0


READER = Reader(
    kinds=("table",),
    read=table,
    # Asked last: any text in rows and columns is one.
    detect={Columns: lambda _: Found("table", "text in rows and columns", sure=False)},
    origin="Tables",
    title="text with any delimiter, genes in rows or samples in rows; UCSC Xena's matrices and phenotypes among them",
    options=TABLE_OPTION
    | MEASURE_OPTION
    | {"ids": "column that names the genes (or the samples, where they are in rows)"}
    | {"delimiter": "one character; guessed if left out", "skip": "lines to leave out before the header"},
)

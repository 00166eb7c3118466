"""Expression of Firehose (matrices with two header lines) and of ICGC (long tables)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.errors import FormatError, examples
from mtorscore.io.formats.reader import Columns, Found, Reader
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import assemble
from mtorscore.io.tables.checks import not_number_error
from mtorscore.io.tables.delimited import parse
from mtorscore.io.tables.long_table import pivot

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["FIREHOSE", "ICGC"]

_READS = frozenset({"normalized_read_count", "raw_read_count"})


def firehose(path: Path, *, value: str | None = None) -> tuple[AnnData, dict[str, Any]]:
    """Read a Firehose matrix: samples in line 1, what each column measures in line 2 (``value`` chooses)."""
    content = file_bytes.load(path)
    first = [f.strip() for f in content.data.split(b"\n", 1)[0].decode().split("\t")]
    grid = parse(content, delimiter="\t", skip=1)
    if len(grid.names) != len(first):
        raise FormatError(f"line 1 has {len(first)} fields and line 2 {len(grid.names)}.", path=path, line=2)
    known = list(dict.fromkeys(grid.names[1:]))
    default = next((v for v in ("normalized_count", "raw_count", "RPKM", "Signal", *known) if v in known), "")
    chosen = value or default
    if chosen not in known:
        raise FormatError(f"no column holds {chosen!r}; there are {examples(known, 6)}.", path=path, line=2)
    wanted = [i for i in range(1, len(first)) if grid.names[i] == chosen]
    for i in wanted:
        if grid.is_text(i):
            raise not_number_error(grid, content, i, first[i])
    x = np.vstack([grid.columns[i] for i in wanted])
    adata = assemble(x, [first[i] for i in wanted], [str(v) for v in grid.columns[0]])
    units = {"normalized_count": "rsem", "raw_count": "", "scaled_estimate": "", "RPKM": "fpkm"}.get(chosen, "")
    return adata, {"table": "matrix", "value": chosen, "values": known, "units": units,
                   "orientation": "genes in rows", "repairs": grid.repairs}  # fmt: skip


def icgc(path: Path, *, value: str | None = None) -> tuple[AnnData, dict[str, Any]]:
    """Read ICGC ``exp_seq``: one row per sample and gene; raw counts where every row has one, else normalised."""
    frame = parse(file_bytes.load(path), delimiter="\t", text=True).frame()
    raw = "raw_read_count" in frame and (frame["raw_read_count"] != "").all()
    chosen = value or ("raw_read_count" if raw else "normalized_read_count")
    if chosen not in frame:
        raise FormatError(f"there is no column {chosen!r}.", path=path, line=1)
    sample = next(c for c in ("icgc_sample_id", "icgc_specimen_id", "icgc_donor_id") if c in frame)
    # The library strategy may have been run twice: the analysis id tells the runs apart.
    adata = pivot(frame, "gene_id", sample, chosen, path)
    names = ("icgc_donor_id", "icgc_specimen_id", "submitted_sample_id", "project_code")
    known = [c for c in names if c in frame and c != sample]
    first = frame.drop_duplicates(sample).set_index(sample)[known]
    for column in known:
        adata.obs[column] = first[column].reindex(adata.obs_names).to_numpy()
    return adata, {"table": "matrix", "units": "counts" if chosen == "raw_read_count" else "", "orientation": "long"}


def _is_firehose(seen: Columns) -> Found | None:
    known = seen.names[0] == "Hybridization REF"
    return Found("firehose-matrix", "the two header lines of Firehose") if known else None


def _is_icgc(seen: Columns) -> Found | None:
    known = {"icgc_donor_id", "gene_id"} <= set(seen.names) and _READS & set(seen.names)
    return Found("icgc-exp-seq", "the columns of ICGC exp_seq") if known else None


FIREHOSE = Reader(
    kinds=("firehose-matrix",),
    read=firehose,
    detect={Columns: _is_firehose},
    origin="Firehose, RTCGA",
    title="matrix with two header lines",
    options={"value": "what is read of the second header line, such as raw_count"},
)
ICGC = Reader(
    kinds=("icgc-exp-seq",),
    read=icgc,
    detect={Columns: _is_icgc},
    origin="ICGC",
    title="expression (exp_seq)",
    options={"value": "column of values: " + " or ".join(sorted(_READS))},
)

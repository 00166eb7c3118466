"""Small things: lists of names, manifests, feature tables, several series matrices, long tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.errors import FormatError, examples
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.checks import not_number_error
from mtorscore.io.tables.delimited import parse
from mtorscore.io.tables.matrix import assemble, described, unique

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["features", "firehose", "icgc", "manifest", "names", "pivot", "series"]


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


def series(path: Path, *, platform: str | None = None, table: str = "") -> tuple[AnnData, dict[str, Any]]:  # noqa: ARG001
    """Read the series matrix of one platform from a folder that may hold one per platform."""
    from mtorscore.io.portals.geo import series_matrix

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


def firehose(path: Path, *, value: str | None = None, table: str = "") -> tuple[AnnData, dict[str, Any]]:  # noqa: ARG001
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


def pivot(frame: pd.DataFrame, gene: str, sample: str, value: str, path: Path) -> AnnData:
    """Turn a long table (one row per gene and sample) into a matrix; a pair that stands twice is refused."""
    genes, gene_at = np.unique(frame[gene].astype(str), return_inverse=True)
    samples, sample_at = np.unique(frame[sample].astype(str), return_inverse=True)
    values = pd.to_numeric(frame[value], errors="coerce").to_numpy(dtype=np.float64)
    x = np.full((len(samples), len(genes)), np.nan)
    pairs = sample_at.astype(np.int64) * len(genes) + gene_at
    if len(np.unique(pairs)) < len(pairs):
        raise FormatError(
            f"{len(pairs) - len(np.unique(pairs))} pairs of {gene} and {sample} stand more than once; nothing says "
            "which value is meant.",
            path=path,
        )
    x[sample_at, gene_at] = values
    return assemble(x, [str(s) for s in samples], [str(g) for g in genes])


_VALUES = ("value", "expression", "count", "counts", "tpm", "fpkm", "log2_value")
_SPREAD = ("sd", "se", "stdev", "n")


def long_table(frame: pd.DataFrame, path: Path) -> AnnData | None:
    """Turn a table with one row per gene and sample into a matrix; None where it is not one.

    The first column holds genes, each as often as there are samples; one column is called value (or expression, count,
    tpm, fpkm); what remains, except spreads and further names of the gene, defines the sample.
    """
    lower = {str(c).lower(): c for c in frame.columns}
    value = next((lower[v] for v in _VALUES if v in lower), None)
    if value is None or len(frame.columns) < 3 or len(frame) < 4:
        return None
    gene = frame.columns[0]
    genes = frame[gene].nunique()
    if not 1 < genes < len(frame) or len(frame) % genes:
        return None
    others = [c for c in frame.columns if c not in (gene, value) and str(c).lower() not in _SPREAD]
    # A further name of the gene takes one value per gene; a part of the sample's name varies within it.
    first = frame[frame[gene] == frame[gene].iloc[0]]
    parts = [c for c in others if first[c].nunique() > 1]
    names = [c for c in others if c not in parts]
    if not parts or len(first.drop_duplicates(parts)) * genes != len(frame):
        return None
    codes = frame[parts[0]].map(_label)
    for part in parts[1:]:
        codes = codes + "_" + frame[part].map(_label)
    adata = pivot(frame.assign(_sample=codes), str(gene), "_sample", str(value), path)
    table = frame.assign(_sample=codes).drop_duplicates("_sample").set_index("_sample")
    for part in parts:
        adata.obs[str(part)] = table[part].reindex(adata.obs_names).to_numpy()
    by_gene = frame.drop_duplicates(gene).set_index(frame.drop_duplicates(gene)[gene].astype(str))
    for name in names:
        adata.var[str(name)] = [str(v) for v in by_gene[name].reindex(adata.var["id"])]
    return adata


def _label(value: object) -> str:
    return str(value).removesuffix(".0")


def icgc(path: Path, *, value: str | None = None, table: str = "") -> tuple[AnnData, dict[str, Any]]:  # noqa: ARG001
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

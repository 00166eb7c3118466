"""Pivot long tables (one row per gene and sample) into a matrix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import FormatError
from mtorscore.io.tables.assembly import assemble

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["long_table", "pivot"]


def pivot(frame: pd.DataFrame, gene: str, sample: str, value: str, path: Path) -> AnnData:
    """Turn a long table (one row per gene and sample) into a matrix; duplicated pairs are refused."""
    gene_at, genes = _sorted_codes(frame[gene])
    sample_at, samples = _sorted_codes(frame[sample])
    values = pd.to_numeric(frame[value], errors="coerce").to_numpy(dtype=np.float64)
    x = np.full((len(samples), len(genes)), np.nan)
    pairs = sample_at.astype(np.int64) * len(genes) + gene_at
    distinct = len(pd.unique(pairs))
    if distinct < len(pairs):
        raise FormatError(
            f"{len(pairs) - distinct} pairs of {gene} and {sample} are duplicated; nothing says which value is meant.",
            path=path,
        )
    x[sample_at, gene_at] = values
    return assemble(x, samples, genes)


def _sorted_codes(column: pd.Series) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the place of each cell's text among the sorted texts, and these."""
    codes, names = pd.factorize(column.astype(str).to_numpy(dtype=object), sort=True)
    return codes.astype(np.int64), [str(n) for n in names]


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

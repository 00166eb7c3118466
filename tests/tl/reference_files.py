"""Readers of the reference implementations' inputs and outputs, and the table of largest differences."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy.io import mmread

ROWS: list[tuple[str, str, float, float, str]] = []
SETS = {"bulk_cont": "bulk", "bulk_ties": "bulk", "bulk_counts": "bulk", "tiefree": "tiefree"}
SETS |= {"sc_counts": "sc", "sc_lognorm": "sc"}


@lru_cache(maxsize=8)
def matrix(golden: Path, name: str) -> ad.AnnData:
    """Read one input as observations x genes; sparse for the single-cell ones."""
    if name.startswith("sc_"):
        x = mmread(golden / "inputs" / f"{name}.mtx.gz").T.tocsr()
        genes = (golden / "inputs" / "sc_genes.tsv").read_text().split()
        cells = (golden / "inputs" / "sc_cells.tsv").read_text().split()
        return ad.AnnData(x, obs=pd.DataFrame(index=cells), var=pd.DataFrame(index=genes))
    return ad.AnnData(pd.read_csv(golden / "inputs" / f"{name}.tsv", sep="\t", index_col=0).T)


def gene_sets(golden: Path, name: str, *, joined: bool = True) -> dict[str, Any]:
    """Read the sets of an input; `joined` adds UPDN as one signed signature."""
    lines = (golden / "inputs" / f"{SETS[name]}_sets.gmt").read_text().splitlines()
    sets: dict[str, Any] = {line.split("\t")[0]: line.split("\t")[2:] for line in lines}
    if joined:
        sets["UPDN"] = {"up": sets["UPDN_UP"], "down": sets["UPDN_DN"]}
    return sets


def network(golden: Path, name: str) -> dict[str, dict[str, float]]:
    """Read the signed weighted network of an input."""
    table = pd.read_csv(golden / "inputs" / f"{SETS[name]}_net.tsv", sep="\t")
    return {str(s): dict(zip(g["target"], g["weight"], strict=True)) for s, g in table.groupby("source")}


def expected(golden: Path, file: str) -> pd.DataFrame:
    """Read one output file."""
    return pd.read_csv(golden / "expected" / file, sep="\t", index_col=0)


def compare(
    method: str, file: str, ours: pd.DataFrame, theirs: pd.DataFrame, *, tolerance: float = 1e-9, note: str = ""
) -> None:
    """Assert agreement to `tolerance`, absolute or relative to the value, and remember the largest difference."""
    shared = [c for c in theirs.columns if c in ours.columns]
    assert shared, f"{file}: no column in common"
    a = ours.loc[theirs.index, shared].to_numpy(dtype=float)
    b = theirs[shared].to_numpy(dtype=float)
    assert (np.isnan(a) == np.isnan(b)).all(), f"{file}: NaN in different places"
    gap = np.abs(a - b)
    largest = float(np.nanmax(gap))
    ROWS.append((method, file, largest, float(np.nanmax(np.abs(b))), note))
    allowed = tolerance * np.maximum(1.0, np.nan_to_num(np.abs(b)))
    assert (np.nan_to_num(gap) <= allowed).all(), f"{file}: largest difference {largest:.3g}"


def summary() -> Mapping[str, list[tuple[str, str, float, float, str]]]:
    """Return the remembered rows by method."""
    return {m: [r for r in ROWS if r[0] == m] for m in dict.fromkeys(r[0] for r in ROWS)}

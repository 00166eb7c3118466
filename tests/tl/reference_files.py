"""Readers of the inputs and outputs of the reference implementations."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd
from scipy.io import mmread

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

"""Shares of altered tumours, per gene and per branch."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore._alteration_results import ALTERATION_SHARES
from mtorscore.io.alterations.declared import declared_genes
from mtorscore.prognosis.genomics.altered import Altered

__all__ = ["alteration_shares", "share_row"]


def share_row(calls: pd.Series, level: float) -> dict[str, Any]:
    """Return how many are known and altered, and the share with its interval (Wilson)."""
    known = calls.dropna()
    n, k = len(known), int(known.sum())
    if not n:
        return {"n": 0, "altered": 0, "share": np.nan, "low": np.nan, "high": np.nan}
    interval = stats.binomtest(k, n).proportion_ci(level, method="wilson")
    return {"n": n, "altered": k, "share": k / n, "low": float(interval.low), "high": float(interval.high)}


def alteration_shares(alterations: Any, index: Any = None, *, level: float = 0.95) -> pd.DataFrame:
    """Return the share of altered tumours of each declared gene, and of each branch by any of its genes.

    Parameters
    ----------
    alterations
        What `mtorscore.io.read_alterations` returned, or a DataFrame of 1, 0 and NaN.
    index
        Observations that are counted; all profiled samples by default.
    level
        Of the intervals (Wilson).

    Returns
    -------
    pandas.DataFrame
        Columns of ``alterations/shares.tsv``: genes first, then branches. A tumour counts where everything that was
        read looked at the gene, for a branch at all of its genes; where a gene is altered in another way than expected
        it is left out, altered elsewhere or not. A gene that nobody was looked at for is none of its branch.

    Raises
    ------
    DataError
        If no observation was profiled.
    """
    names = alterations.obs_names if hasattr(alterations, "obs_names") else alterations.index
    found = Altered.of(alterations, pd.Index(names if index is None else index))
    rows: list[dict[str, Any]] = []
    by_branch: dict[str, dict[str, pd.Series]] = {}
    for gene, declared in declared_genes().items():
        if gene not in found.calls.columns:
            continue
        calls, other = found.of_gene(gene, declared.kinds)
        calls = calls.where(found.looked_at(gene, declared.kinds))
        kinds = _kinds(found, gene)
        about = {"what": "gene", "name": gene, "genes": gene, "effect": declared.effect, "kinds": kinds, "other": other}
        rows.append(about | share_row(calls, level))
        for branch, direction in declared.branches.items():
            if direction > 0 and not declared.context and calls.notna().any():
                by_branch.setdefault(branch, {})[gene] = calls
    for branch, genes in by_branch.items():
        table = pd.DataFrame(genes)
        any_of = table.max(axis=1).where(table.notna().all(axis=1))
        about = {"what": "branch", "name": branch, "genes": ", ".join(genes), "effect": "up", "kinds": "", "other": 0}
        rows.append(about | share_row(any_of, level))
    return ALTERATION_SHARES.arrange(pd.DataFrame(rows).assign(level=level))


def _kinds(found: Altered, gene: str) -> str:
    if found.kinds is None:
        return ""
    counts = Counter(kind for text in found.kinds[gene] for kind in text.split("; ") if kind)
    return "; ".join(f"{kind} {n}" for kind, n in counts.most_common())

"""Agreement of methods: correlations of their scores on one cohort, and the observations on which they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.collection import SignaturesLike
from mtorscore.errors import MethodError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["Comparison", "compare_methods"]

DEFAULT = ("singscore", "ssgsea", "gsva", "zscore", "ucell", "mean")


@dataclass(frozen=True)
class Comparison:
    """What `compare_methods` returns.

    Attributes
    ----------
    correlations
        One row per signature and pair of methods: `signature`, `method_a`, `method_b`, `n`, `pearson`, `spearman`, and
        `top_overlap`, the share of the highest tenth of observations that both name.
    disagreements
        The observations whose ranks differ most: `observation`, `signature`, `method_a`, `method_b`, `percentile_a`,
        `percentile_b`, `gap`, largest gap first.
    scores
        Method -> observations x signatures.
    """

    correlations: pd.DataFrame
    disagreements: pd.DataFrame
    scores: dict[str, pd.DataFrame]


def compare_methods(
    adata: AnnData,
    signatures: SignaturesLike = None,
    methods: Sequence[str] = DEFAULT,
    *,
    layer: str | None = None,
    n_disagreements: int = 20,
    **params: Any,
) -> Comparison:
    """Score one cohort by several methods and compare the scores signature by signature.

    Parameters
    ----------
    adata
        Observations x genes; left as it is.
    signatures
        As in `score`.
    methods
        Two or more names.
    layer
        Layer instead of ``.X``.
    n_disagreements
        Rows of the table of disagreements.
    **params
        Parameters of the methods, as in `score`.

    Returns
    -------
    Comparison
        Tables; NaN where a score does not vary.

    Raises
    ------
    MethodError
        If fewer than two methods are named.
    """
    import anndata as ad

    from mtorscore.tl.scoring import score

    if len(methods) < 2:
        raise MethodError("Name at least two methods to compare.")
    bare = ad.AnnData(
        adata.X if layer is None else adata.layers[layer],
        obs=adata.obs[[]].copy(),
        var=adata.var[[]].copy(),
    )
    score(bare, signatures, method=list(methods), **params)
    scores = {m: bare.obsm[f"score_{m}"] for m in methods}
    return Comparison(_correlations(scores), _disagreements(scores, n_disagreements), scores)


def _correlations(scores: dict[str, pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for a, b in combinations(scores, 2):
        for name in scores[a].columns:
            x, y = scores[a][name], scores[b][name]
            known = x.notna() & y.notna()
            x, y = x[known], y[known]
            varies = len(x) > 2 and x.nunique() > 1 and y.nunique() > 1
            rows.append(
                {
                    "signature": name,
                    "method_a": a,
                    "method_b": b,
                    "n": len(x),
                    "pearson": x.corr(y) if varies else np.nan,
                    "spearman": x.rank().corr(y.rank()) if varies else np.nan,
                    "top_overlap": _top_overlap(x, y) if varies else np.nan,
                }
            )
    return pd.DataFrame(rows)


def _top_overlap(x: pd.Series, y: pd.Series) -> float:
    k = max(1, len(x) // 10)
    return len(set(x.nlargest(k).index) & set(y.nlargest(k).index)) / k


def _disagreements(scores: dict[str, pd.DataFrame], n: int) -> pd.DataFrame:
    import pandas as pd

    parts = []
    for a, b in combinations(scores, 2):
        one, two = scores[a].rank(pct=True), scores[b].rank(pct=True)
        table = pd.DataFrame({"percentile_a": one.stack(), "percentile_b": two.stack()}).dropna()
        table["gap"] = (table["percentile_a"] - table["percentile_b"]).abs()
        top = table.nlargest(n, "gap").rename_axis(["observation", "signature"]).reset_index()
        top.insert(2, "method_a", a)
        top.insert(3, "method_b", b)
        parts.append(top)
    return pd.concat(parts).nlargest(n, "gap").reset_index(drop=True)

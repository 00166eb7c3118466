"""GSEA between groups, or along a score (through gseapy)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.collection import SignaturesLike, as_collection
from mtorscore.errors import DataError, DataWarning, examples, warn

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["prerank"]

ENOUGH = 7
COLUMNS = (
    "signature", "direction", "es", "nes", "p", "q", "n_genes", "leading_edge", "permutation", "contrast", "reason",
)  # fmt: skip


def prerank(
    adata: AnnData,
    signatures: SignaturesLike = None,
    *,
    groupby: str | None = None,
    groups: tuple[str, str] | None = None,
    score: str | Any = None,
    layer: str | None = None,
    permutations: int = 1000,
    p_values: str = "permutation",
    min_size: int = 5,
    max_size: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Test signatures for enrichment among genes that differ between two groups, or follow a score.

    With seven or more observations in each group, groups are permuted (GSEA's own null, which keeps the correlation of
    genes). With fewer, or along a score, genes are permuted, which ignores that correlation and is said so in the
    column `permutation`.

    Parameters
    ----------
    adata
        Observations x genes, on log scale.
    signatures
        As in `score`; up and down genes are tested as two sets.
    groupby
        Column of ``.obs`` with two groups, unless `groups` names the two to compare.
    groups
        ``(group, against)``; positive scores mean higher in the first. By default in sorted order, last against first.
    score
        Instead of `groupby`: a numeric column of ``.obs``, or one value per observation. Genes are ranked by their
        Spearman correlation with it.
    layer
        Layer instead of ``.X``.
    permutations
        Permutations.
    p_values
        ``"permutation"``, or ``"multilevel"``: gseapy's adaptive multilevel sampling of genes (Korotkevich et al.,
        bioRxiv 060012), which resolves p far below ``1 / permutations``. Genes are permuted then, whatever the number
        of observations.
    min_size, max_size
        Sets with fewer or more genes in the matrix are listed with a reason instead of a result.
    seed
        Decides the permutations.

    Returns
    -------
    pandas.DataFrame
        `signature`, `direction`, `es`, `nes`, `p` and `q` (false discovery rate; both at least
        ``1 / (permutations + 1)``: so many permutations cannot show less, but for multilevel), `n_genes`,
        `leading_edge`, `permutation`
        (``sample``, ``gene`` or ``gene, multilevel``), `contrast`, `reason`. Most extreme `nes` first.

    Raises
    ------
    DataError
        If neither or both of `groupby` and `score` are given, groups do not fit, or `p_values` is unknown.
    """
    if (groupby is None) == (score is None):
        raise DataError("Give either groupby= (two groups) or score= (one value per observation).")
    if p_values not in ("permutation", "multilevel"):
        raise DataError(f"p_values={p_values!r} is neither 'permutation' nor 'multilevel'.")
    multilevel = p_values == "multilevel"
    sets = _sets(signatures, adata, min_size, max_size)
    frame = _genes_by_observations(adata, layer)
    if groupby is not None:
        first, second = _groups(adata, groupby, groups)
        labels = adata.obs[groupby].astype(str).to_numpy()
        chosen = np.isin(labels, [first, second])
        frame, labels = frame.loc[:, chosen], labels[chosen]
        contrast = f"{first} against {second}"
        counts = [int((labels == g).sum()) for g in (first, second)]
        by_sample = min(counts) >= ENOUGH and not multilevel
        if by_sample:
            found = _by_sample(frame, labels, first, second, sets.usable, permutations, min_size, max_size, seed)
        else:
            ranking = _signal_to_noise(frame, labels == first)
            found = _by_gene(ranking, sets.usable, permutations, min_size, max_size, seed, p_values)
    else:
        values, contrast = _score_values(adata, score)
        by_sample = False
        found = _by_gene(_spearman(frame, values), sets.usable, permutations, min_size, max_size, seed, p_values)
    said = "sample" if by_sample else "gene, multilevel" if multilevel else "gene"
    return _table(found, sets, said, contrast, 0.0 if multilevel else 1.0 / (permutations + 1))


class _Sets:
    """Sets that can be tested, and those that cannot with the reason."""

    def __init__(self) -> None:
        self.usable: dict[str, list[str]] = {}
        self.owner: dict[str, tuple[str, str]] = {}
        self.refused: list[tuple[str, str, int, str]] = []


def _sets(signatures: SignaturesLike, adata: AnnData, low: int, high: int) -> _Sets:
    universe = {str(g) for g in adata.var_names}
    out = _Sets()
    for signature in as_collection(signatures).signatures:
        for direction, genes in (("up", signature.up), ("down", signature.down)):
            present = [g for g in genes if g in universe]
            if not genes:
                continue
            key = f"{signature.id}::{direction}"
            if low <= len(present) <= high:
                out.usable[key] = present
                out.owner[key] = (signature.id, direction)
            else:
                why = f"{len(present)} genes in the matrix, {low} to {high} are wanted"
                out.refused.append((signature.id, direction, len(present), why))
    if not out.usable:
        raise DataError(f"No signature has {low} to {high} genes in this matrix; lower min_size=, or harmonise genes.")
    return out


def _genes_by_observations(adata: AnnData, layer: str | None) -> pd.DataFrame:
    frame = adata.to_df(layer=layer).T
    unknown = frame.index[frame.isna().any(axis=1)]
    if len(unknown):
        warn(
            f"{len(unknown)} of {len(frame)} genes have missing values and are left out ({examples(unknown)}).",
            DataWarning,
        )
        frame = frame.drop(index=unknown)
    twice = frame.index.duplicated()
    if twice.any():
        names = list(dict.fromkeys(frame.index[twice]))
        warn(
            f"{len(names)} gene(s) are duplicated in the matrix ({examples(names)}); the first of each is taken. "
            "Collapse them with pp.harmonise_genes(adata).",
            DataWarning,
        )
    varies = frame.max(axis=1) > frame.min(axis=1)
    # By name, so that the order of genes of equal rank does not depend on the matrix.
    return frame[varies & ~twice].sort_index(kind="stable")


def _groups(adata: AnnData, groupby: str, groups: tuple[str, str] | None) -> tuple[str, str]:
    if groupby not in adata.obs:
        raise DataError(f"groupby={groupby!r} is not a column of obs.")
    present = sorted(set(adata.obs[groupby].dropna().astype(str)))
    if groups is None:
        if len(present) != 2:
            raise DataError(f"{groupby} has {len(present)} groups ({examples(present)}); name two with groups=.")
        return present[1], present[0]
    absent = [g for g in groups if str(g) not in present]
    if absent or len(groups) != 2:
        raise DataError(f"groups= must name two of {examples(present, 10)}; {examples(absent) or 'two'} does not fit.")
    return str(groups[0]), str(groups[1])


def _score_values(adata: AnnData, score: Any) -> tuple[np.ndarray[Any, Any], str]:
    if isinstance(score, str):
        if score not in adata.obs:
            raise DataError(f"score={score!r} is not a column of obs.")
        return adata.obs[score].to_numpy(dtype=float), f"correlation with {score}"
    values = np.asarray(score, dtype=float)
    if values.shape != (adata.n_obs,):
        raise DataError(f"score= must hold {adata.n_obs} values, not {values.shape}.")
    return values, f"correlation with {getattr(score, 'name', None) or 'the score'}"


def _signal_to_noise(frame: pd.DataFrame, first: np.ndarray[Any, Any]) -> pd.Series:
    """Return GSEA's signal-to-noise ratio, each SD at least a fifth of the absolute mean, and 0.2 where that is 0."""
    a, b = frame.loc[:, first], frame.loc[:, ~first]
    means = [g.mean(axis=1) for g in (a, b)]
    floors = [(0.2 * m.abs()).where(m != 0, 0.2) for m in means]
    spread = [np.maximum(g.std(axis=1).fillna(0), f) for g, f in zip((a, b), floors, strict=True)]
    return (means[0] - means[1]) / (spread[0] + spread[1])


def _spearman(frame: pd.DataFrame, values: np.ndarray[Any, Any]) -> pd.Series:
    import pandas as pd

    known = ~np.isnan(values)
    if known.sum() < 3:
        raise DataError("Fewer than three observations have a score.")
    ranks = frame.loc[:, known].rank(axis=1)
    return ranks.corrwith(pd.Series(values[known], index=ranks.columns).rank(), axis=1).dropna()


def _by_gene(
    ranking: pd.Series, sets: Mapping[str, list[str]], n: int, low: int, high: int, seed: int, p_values: str
) -> pd.DataFrame:
    import gseapy

    ordered = ranking.sort_values(ascending=False, kind="stable")
    result = gseapy.prerank(
        rnk=ordered, gene_sets=dict(sets), permutation_num=n, min_size=low, max_size=high, outdir=None, seed=seed,
        threads=1, no_plot=True, verbose=False, method=p_values,
    )  # fmt: skip
    table: pd.DataFrame = result.res2d
    return table


def _by_sample(
    frame: pd.DataFrame,
    labels: np.ndarray[Any, Any],
    first: str,
    second: str,
    sets: Mapping[str, list[str]],
    n: int,
    low: int,
    high: int,
    seed: int,
) -> pd.DataFrame:
    import gseapy

    # gseapy takes the first group that it meets as the positive one.
    order = np.argsort(labels != first, kind="stable")
    result = gseapy.gsea(
        data=frame.iloc[:, order], gene_sets=dict(sets), cls=list(labels[order]), permutation_type="phenotype",
        permutation_num=n, method="signal_to_noise", min_size=low, max_size=high, outdir=None, seed=seed, threads=1,
        no_plot=True, verbose=False,
    )  # fmt: skip
    del second
    table: pd.DataFrame = result.res2d
    return table


def _table(found: pd.DataFrame, sets: _Sets, permutation: str, contrast: str, least: float) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[str, Any]] = []
    tested = set()
    for _, r in found.iterrows():
        key = str(r["Term"])
        tested.add(key)
        signature, direction = sets.owner[key]
        values = {k: float(r[c]) for k, c in (("es", "ES"), ("nes", "NES"), ("p", "NOM p-val"), ("q", "FDR q-val"))}
        values |= {k: max(values[k], least) for k in ("p", "q")}  # NaN stays NaN
        rows.append(
            {"signature": signature, "direction": direction, **values, "n_genes": len(sets.usable[key]),
             "leading_edge": str(r["Lead_genes"]).replace(";", ","), "reason": ""}
        )  # fmt: skip
    missing = [
        (*sets.owner[k], len(sets.usable[k]), "too few of its genes vary") for k in sets.usable if k not in tested
    ]
    for signature, direction, n_genes, why in [*sets.refused, *missing]:
        rows.append({"signature": signature, "direction": direction, "n_genes": n_genes, "reason": why})
    table = pd.DataFrame(rows).assign(permutation=permutation, contrast=contrast)
    if "nes" in table:
        table = table.sort_values("nes", key=abs, ascending=False, kind="stable", ignore_index=True)
    return table.reindex(columns=list(COLUMNS)).astype({"leading_edge": object}).fillna({"leading_edge": ""})

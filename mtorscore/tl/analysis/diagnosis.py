"""What else a score measures: depth, detected genes, proliferation, shared genes; and whether its genes correlate."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np

from mtorscore.collection import CONFOUNDER, Signature, SignatureCollection, SignaturesLike, as_collection
from mtorscore.errors import DataError
from mtorscore.tl.engine.gene_sets import Array
from mtorscore.tl.engine.open_source import open_source
from mtorscore.tl.engine.random_signatures import draw, expression_bins
from mtorscore.tl.engine.source import Source

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["Diagnosis", "diagnose"]


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` returns.

    Attributes
    ----------
    technical
        Index: signature. Spearman correlation of the score with `depth` (sum of the values of an observation),
        `detected` (genes above 0) and `proliferation` (NaN where there is no such score, or the signature is it).
    overlap
        One row per pair of signatures that share a gene: `signature_a`, `signature_b`, `shared`, `jaccard`,
        `score_correlation` (Spearman).
    coherence
        Index: signature. `n_genes` that vary, `coherence` (mean correlation between genes, down genes turned round),
        `random_mean` and `random_sd` of matched random signatures, and `percentile` among them.
    """

    technical: pd.DataFrame
    overlap: pd.DataFrame
    coherence: pd.DataFrame


def diagnose(
    adata: AnnData,
    signatures: SignaturesLike = None,
    *,
    method: str = "singscore",
    layer: str | None = None,
    proliferation: str | None = None,
    n_random: int = 200,
    n_bins: int = 20,
    seed: int = 0,
) -> Diagnosis:
    """Relate existing scores to technical variables, proliferation and each other.

    Parameters
    ----------
    adata
        Scored with `score`; left as it is.
    signatures
        The signatures that were scored.
    method
        Which scores.
    layer
        Layer instead of ``.X``, for depth, detected genes and coherence; logarithms suit coherence best.
    proliferation
        Name of the proliferation signature; None takes the first confounder with
        ``PROLIFERATION`` or ``PCNA`` in its name.
    n_random
        Random signatures per signature, matched in size, direction and expression.
    n_bins
        Bins of mean expression.
    seed
        Decides the random signatures.

    Returns
    -------
    Diagnosis
        Three tables.

    Raises
    ------
    DataError
        If the method has not been scored.
    """
    key = f"score_{method}"
    if key not in adata.obsm:
        raise DataError(f"There is no {key} in obsm; run tl.score(adata, method={method!r}) first.")
    collection = as_collection(signatures)
    scores = adata.obsm[key]
    source = open_source(adata.X if layer is None else adata.layers[layer])
    role = proliferation or next((c for c in scores.columns if _is_proliferation(collection, c)), None)
    return Diagnosis(
        _technical(scores, source, role),
        _overlap(scores, collection),
        _coherence(source, collection, [str(g) for g in adata.var_names], n_random, n_bins, seed),
    )


def _is_proliferation(collection: SignatureCollection, name: str) -> bool:
    if name not in collection or collection[name].branch != CONFOUNDER:
        return False
    return any(word in name.upper() for word in ("PROLIFERATION", "PCNA"))


def _technical(scores: pd.DataFrame, source: Source, role: str | None) -> pd.DataFrame:
    import pandas as pd

    depth, detected = [], []
    for tile in source.tiles():
        values = tile.dense() if tile.x is not None else None
        if values is not None:
            depth.append(np.nansum(values, axis=1))
            detected.append(np.sum(values > 0, axis=1))
        else:
            data, _, indptr = tile.csr()
            depth.append(np.array([np.nansum(data[a:b]) for a, b in pairwise(indptr)]))
            detected.append(np.array([np.sum(data[a:b] > 0) for a, b in pairwise(indptr)]))
    against = {
        "depth": pd.Series(np.concatenate(depth), index=scores.index),
        "detected": pd.Series(np.concatenate(detected), index=scores.index),
    }
    if role is not None:
        against["proliferation"] = scores[role]
    table = pd.DataFrame({k: {c: _spearman(scores[c], v) for c in scores.columns} for k, v in against.items()})
    table = table.reindex(columns=["depth", "detected", "proliferation"])
    if role is not None:
        table.loc[role, "proliferation"] = np.nan
    return table.rename_axis("signature")


def _overlap(scores: pd.DataFrame, collection: SignatureCollection) -> pd.DataFrame:
    import pandas as pd

    genes = {s.id: set(s.genes) for s in collection.signatures if s.id in scores}
    rows = [
        {
            "signature_a": a,
            "signature_b": b,
            "shared": len(genes[a] & genes[b]),
            "jaccard": len(genes[a] & genes[b]) / len(genes[a] | genes[b]),
            "score_correlation": _spearman(scores[a], scores[b]),
        }
        for a, b in combinations(genes, 2)
        if genes[a] & genes[b]
    ]
    columns = ["signature_a", "signature_b", "shared", "jaccard", "score_correlation"]
    return pd.DataFrame(rows, columns=columns).sort_values("jaccard", ascending=False, ignore_index=True)


def _coherence(
    source: Source, collection: SignatureCollection, names: list[str], n_random: int, n_bins: int, seed: int
) -> pd.DataFrame:
    import pandas as pd

    z, means = _standardised(source)
    varies = np.flatnonzero(~np.isnan(z).any(axis=0))
    z = z[:, varies]
    bins = expression_bins(means[varies], n_bins)
    place = {names[c]: i for i, c in enumerate(varies)}
    rows = {}
    for stream, signature in enumerate(s for s in collection if isinstance(s, Signature)):
        pairs = [(place[g], np.sign(w)) for g, w in signature.signed_weights().items() if g in place]
        columns = np.array([c for c, _ in pairs], dtype=np.int64)
        signs = np.array([s for _, s in pairs], dtype=np.float64)
        row = {"n_genes": columns.size, "coherence": np.nan, "random_mean": np.nan, "random_sd": np.nan}
        row["percentile"] = np.nan
        if columns.size > 1:
            own = _mean_correlation(z[:, columns] * signs)
            drawn = draw(columns, columns.size, n_random, bins, seed=seed, stream=stream)
            null = np.array([_mean_correlation(z[:, d] * signs) for d in drawn])
            row |= {"coherence": own, "random_mean": null.mean(), "random_sd": null.std(ddof=1)}
            row["percentile"] = 100.0 * float((null < own).mean())
        rows[signature.id] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("signature")


def _standardised(source: Source) -> tuple[Array, Array]:
    """Return unit-length centred columns (NaN for constant genes) and means."""
    x = np.vstack([t.dense() for t in source.tiles()])
    means: Array = x.mean(axis=0)
    centred = x - means
    length = np.sqrt((centred**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(length > 1e-9 * np.maximum(np.abs(means), 1e-300), centred / length, np.nan)
    return z, means


def _mean_correlation(z: Array) -> float:
    """Return the mean off-diagonal correlation of unit-length columns: (|sum|^2 - k) / (k (k - 1))."""
    k = z.shape[1]
    total = z.sum(axis=1)
    return float((total @ total - k) / (k * (k - 1)))


def _spearman(x: pd.Series, y: pd.Series) -> float:
    known = x.notna() & y.notna()
    a, b = x[known].rank(), y[known].rank()
    return float(a.corr(b)) if len(a) > 2 and a.nunique() > 1 and b.nunique() > 1 else float("nan")

"""Where a score is high or low together with its neighbours: local Moran's I, Getis and Ord's G*."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore._multiple_testing import adjust_p
from mtorscore.errors import MethodError
from mtorscore.tl.spatial.lobules import without_zonation
from mtorscore.tl.spatial.sections import GRAPH, Floats, Ints, graph_of, scores_of, sections

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["hotspots"]

MIN_OBSERVATIONS = 30
_ROUNDING = 1e-10
_KINDS = np.array(["low among low", "low among high", "high among low", "high among high"], dtype=object)


def hotspots(
    adata: AnnData,
    *,
    method: str | None = None,
    signatures: str | Sequence[str] | None = None,
    section_key: str | None = None,
    zonation: str | None = None,
    n_permutations: int = 999,
    graph: str = GRAPH,
    seed: int = 0,
) -> pd.DataFrame:
    """Test of each observation whether its neighbours' scores are high or low.

    Within a section of n observations, with z the deviations from its mean, s their SD (over n) and w weights that sum
    to 1: local Moran's I_i = (n-1) z_i sum_j w_ij z_j / sum z^2 (Anselin, Geogr Anal 1995;27:93), and G*_i, the
    deviation of the mean over the observation and its neighbours from that of the section, in SD under random
    placement (Ord and Getis, Geogr Anal 1995;27:286).

    `p` is two-sided, from neighbours drawn from the other observations of the section. Given the score of the
    observation both statistics rise with the mean of its neighbours alone, so it is the p of both. Observations of one
    patch share neighbours: significant ones are no count of independent findings.

    Parameters
    ----------
    adata
        Scored observations with a graph, see `neighbours`.
    method, signatures
        Which scores.
    section_key
        Column of ``.obs`` that names the section; by default that of the graph.
    zonation
        Key of `zonation`: what follows the portal-to-central axis in each section is taken out first.
    n_permutations
        Drawn with `seed`, the same ones for all observations of a section.
    graph
        Key in ``.obsp``.
    seed
        Of the permutations.

    Returns
    -------
    pandas.DataFrame
        One row per signature and observation: ``signature, observation, section, score, neighbours`` (their number),
        ``around`` (mean of their scores), ``local_moran, g_star, p, q`` (Benjamini-Hochberg over the observations of
        a signature), ``kind`` (such as ``"high among high"``, above or below the mean of the section) and ``reason``.

    Raises
    ------
    DataError
        If there are no scores, no graph, or an edge leads to another section.
    """
    import pandas as pd

    if n_permutations < 19:
        raise MethodError(f"{n_permutations} permutations cannot show a p below 0.05; draw 19 at least.")
    where = sections(adata, section_key)
    weights = graph_of(adata, graph, where)
    table = scores_of(adata, method, signatures)
    values, _ = without_zonation(adata, table.to_numpy(dtype=np.float64), where, zonation)
    named = np.array([*where.names, ""], dtype=object)[where.codes]
    tables = []
    for column, signature in enumerate(table.columns):
        x = values[:, column]
        found = _empty(len(x))
        for code in range(len(where.names)):
            rows = where.rows(code)
            rows = rows[~np.isnan(x[rows])]
            own = _of_section(x[rows], weights[rows][:, rows].tocsr(), n_permutations, seed + code)
            for name, part in own.items():
                found[name][rows] = part
        q = adjust_p(found["p"].astype(np.float64))
        head = {"signature": str(signature), "observation": np.asarray(adata.obs_names), "section": named, "score": x}
        tables.append(pd.DataFrame(head | found | {"q": q}))
    order = ["signature", "observation", "section", "score", "neighbours", "around", "local_moran", "g_star", "p", "q"]
    return pd.concat(tables, ignore_index=True)[[*order, "kind", "reason"]]


def _empty(n: int) -> dict[str, Any]:
    found: dict[str, Any] = {k: np.full(n, np.nan) for k in ("around", "local_moran", "g_star", "p")}
    found["neighbours"] = np.zeros(n, dtype=np.int64)
    found["kind"] = np.full(n, "", dtype=object)
    found["reason"] = np.full(n, "no score", dtype=object)
    return found


def _of_section(x: Floats, weights: Any, n_permutations: int, seed: int) -> dict[str, Any]:
    """Return the columns of one section whose observations all have a score."""
    n = len(x)
    if n < MIN_OBSERVATIONS:
        return {"reason": f"{n} observations of the section have a score, fewer than {MIN_OBSERVATIONS}"}
    if np.ptp(x) <= 1e-12 * np.abs(x).max():
        return {"reason": "all scores of the section are equal"}
    degree = np.diff(weights.indptr)
    total = np.asarray(weights.sum(axis=1)).ravel()
    # Neighbours without a score have left the rows; the others share the weight.
    weights.data /= np.repeat(total, degree)
    z, linked = x - x.mean(), degree > 0
    around = weights @ x
    moran = (n - 1) * z * (weights @ z) / float(z @ z)
    kind = _KINDS[2 * (z > 0) + (around > x.mean())]
    return {
        "neighbours": degree,
        "around": np.where(linked, around, np.nan),
        "local_moran": np.where(linked, moran, np.nan),
        "g_star": np.where(linked, _g_star(x, weights), np.nan),
        "p": np.where(linked, _conditional_p(x, weights, n_permutations, seed), np.nan),
        "kind": np.where(linked, kind, ""),
        "reason": np.where(linked, "", "no neighbour has a score").astype(object),
    }


def _g_star(x: Floats, weights: Any) -> Floats:
    """Return G* in SD, every neighbour and the observation itself counting alike."""
    from scipy import sparse

    n = len(x)
    alike = sparse.csr_matrix((np.ones(weights.nnz), weights.indices, weights.indptr), shape=weights.shape)
    alike.setdiag(1.0)
    count = np.asarray(alike.sum(axis=1)).ravel()
    spread = x.std() * np.sqrt((n * count - count**2) / (n - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((alike @ x - count * x.mean()) / spread)


def _conditional_p(x: Floats, weights: Any, n_permutations: int, seed: int) -> Floats:
    """Return the two-sided p of the mean of neighbours, drawn without replacement from the other observations."""
    n, degree = len(x), np.diff(weights.indptr)
    if degree.max(initial=0) >= n:
        return np.full(n, np.nan)
    draws = _draws(n - 1, int(degree.max(initial=0)), n_permutations, np.random.default_rng(seed))
    p = np.full(n, np.nan)
    for i in np.flatnonzero(degree):
        at = slice(weights.indptr[i], weights.indptr[i + 1])
        w, mine = weights.data[at], float(weights.data[at] @ x[weights.indices[at]])
        others = draws[:, : degree[i]]
        sims = x[others + (others >= i)] @ w
        least = _ROUNDING * max(abs(mine), 1e-300)
        extreme = min(int((sims >= mine - least).sum()), int((sims <= mine + least).sum()))
        p[i] = min(1.0, 2 * (extreme + 1) / (n_permutations + 1))
    return p


def _draws(n: int, size: int, n_permutations: int, rng: np.random.Generator) -> Ints:
    """Return ``(n_permutations, size)`` different numbers below n in each row, in random order."""
    if size > n // 4:
        return np.stack([rng.permutation(n)[:size] for _ in range(n_permutations)]).astype(np.int64)
    found = rng.integers(0, n, (n_permutations, size))
    while True:
        ordered = np.sort(found, axis=1)
        again = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
        if not again.size:
            return np.asarray(found, dtype=np.int64)
        found[again] = rng.integers(0, n, (len(again), size))

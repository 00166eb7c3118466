"""Control genes of module scores: bins, draws, and the exact expectation over draws."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from mtorscore.tl.engine.gene_sets import Array, Ints

__all__ = ["expected_shares", "quantile_bins", "rank_bins", "sample_scanpy", "sample_seurat", "union_size"]

NEGLIGIBLE = 1e-16
# Nodes of integration over x: the exponentials of evenly spaced numbers.
STEP = 0.25
NODES = np.exp(np.arange(-52.0, 4.0, STEP))


def rank_bins(means: Array, n_bins: int) -> Ints:
    """Return bins by rank of the mean, as scanpy makes them; genes without a mean are in no bin (-1)."""
    from scipy.stats import rankdata

    out = np.full(means.size, -1, dtype=np.int64)
    known = np.isfinite(means)
    n_items = max(1, int(np.round(known.sum() / (n_bins - 1))))
    out[known] = rankdata(means[known], method="min").astype(np.int64) // n_items
    return out


def quantile_bins(means: Array, n_bins: int) -> Ints:
    """Return bins between quantiles of the mean, closed below, as Seurat makes them."""
    out = np.full(means.size, -1, dtype=np.int64)
    known = np.isfinite(means)
    if not known.any():
        return out
    breaks = np.unique(np.quantile(means[known], np.linspace(0.0, 1.0, n_bins + 1)))
    inner = breaks[1:-1]
    out[known] = np.searchsorted(inner, means[known], side="right")
    return out


def expected_shares(
    columns: Ints, bins: Ints, n_controls: int, *, exclude: bool, in_pool: bool = False
) -> tuple[Array, Array]:
    """Return the expected share of each bin in the control mean, and how many genes of it can be drawn.

    Parameters
    ----------
    columns
        Genes of the signature.
    bins
        Bin of each gene.
    n_controls
        Genes per draw.
    exclude
        True: one draw per bin, without the signature's genes (scanpy). False: one per gene of the signature (Seurat).
    in_pool
        With `exclude`, whether the signature's genes are taken out after the draw, so that fewer controls are left.
    """
    n_bins = max(int(bins.max()), 0) + 1
    sizes = np.bincount(bins[bins >= 0], minlength=n_bins).astype(np.float64)
    mine = bins[columns]
    hits = np.bincount(mine[mine >= 0], minlength=n_bins)
    touched = np.flatnonzero(hits)
    shares = np.zeros(n_bins)
    if exclude:
        pmfs = [_left_over(int(sizes[b]), int(hits[b]), n_controls, in_pool) for b in touched]
        sizes -= hits
    else:
        pmfs = [union_size(int(sizes[b]), min(n_controls, int(sizes[b])), int(hits[b])) for b in touched]
    shares[touched] = _mean_shares([_support(pmf) for pmf in pmfs])
    # A draw without any control gives no score, so it does not count.
    certain = shares.sum()
    return (shares / certain if certain > 0 else shares), sizes


def _mean_shares(counts: list[tuple[int, Array]]) -> Array:
    """Return the expected share of each of several independent counts in their sum; 0 where the sum is 0.

    Since 1 / t is the integral of exp(-t x) over x > 0, the expectation of S / (S + others) is that of
    S exp(-S x), times that of exp(-x others), integrated over x. With x = exp(y) the trapezoidal rule is exact to
    rounding for sums from 1 to 1e5 (Trefethen and Weideman, SIAM Review 2014;56:385-458), and every term is positive.

    Parameters
    ----------
    counts
        The smallest value of each count, and the probabilities of it and the values that follow.
    """
    if not counts:
        return np.zeros(0)
    decay = _decay(max(pmf.size for _, pmf in counts))
    product, ratios = STEP * NODES * np.exp(-NODES * sum(low for low, _ in counts)), []
    for low, pmf in counts:
        mean = pmf @ decay[: pmf.size]
        ratios.append((pmf * (low + np.arange(pmf.size))) @ decay[: pmf.size] / mean)
        product *= mean
    found: Array = np.array(ratios) @ product
    return found


@lru_cache(maxsize=4)
def _decay(n: int) -> Array:
    """Return exp(-s x), ``(n, n_nodes)``, for counts s from 0."""
    found: Array = np.exp(-np.arange(n)[:, None] * NODES)
    return found


@lru_cache(maxsize=4096)
def _left_over(n_genes: int, n_own: int, n_controls: int, in_pool: bool) -> Array:
    """Return the distribution of how many drawn genes are not the signature's own."""
    from scipy.stats import hypergeom

    pmf = np.zeros(n_genes + 1)
    if not in_pool:
        pmf[min(n_genes - n_own, n_controls)] = 1.0
        return pmf
    n_drawn = min(n_genes, n_controls)
    own = np.arange(max(0, n_drawn - (n_genes - n_own)), min(n_drawn, n_own) + 1)
    pmf[n_drawn - own] = hypergeom.pmf(own, n_genes, n_own, n_drawn)
    return pmf


def _support(pmf: Array) -> tuple[int, Array]:
    """Return the smallest size that is possible, and the probabilities from there to the largest."""
    possible = np.flatnonzero(pmf > NEGLIGIBLE)
    return int(possible[0]), pmf[possible[0] : possible[-1] + 1]


@lru_cache(maxsize=4096)
def union_size(n_genes: int, n_drawn: int, times: int) -> Array:
    """Return the distribution of the size of the union of several draws without replacement.

    Parameters
    ----------
    n_genes
        Genes that can be drawn.
    n_drawn
        Genes per draw.
    times
        Draws.

    Returns
    -------
    numpy.ndarray
        Probabilities of the sizes 0, 1, ..., `n_genes`.
    """
    pmf = np.zeros(n_genes + 1)
    pmf[n_drawn] = 1.0
    if n_drawn == n_genes or times < 2:
        return pmf
    step = _fresh(n_genes, n_drawn)
    for _ in range(times - 1):
        after = np.zeros_like(pmf)
        for new in range(n_drawn + 1):
            after[new:] += (pmf * step[:, new])[: pmf.size - new]
        pmf = after
    total: Array = pmf / pmf.sum()
    return total


@lru_cache(maxsize=256)
def _fresh(n_genes: int, n_drawn: int) -> Array:
    """Return P(j new genes in a draw | s genes in the union), ``(n_genes + 1, n_drawn + 1)``: hypergeometric."""
    from scipy.special import gammaln

    def log_choose(n: Any, k: Any) -> Any:
        chosen: Any = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
        return chosen

    size = np.arange(n_genes + 1, dtype=np.float64)[:, None]
    new = np.arange(n_drawn + 1, dtype=np.float64)[None, :]
    possible = (new <= n_genes - size) & (n_drawn - new <= size)
    free, old = np.where(possible, n_genes - size, 1.0), np.where(possible, size, 1.0)
    j, rest = np.where(possible, new, 0.0), np.where(possible, n_drawn - new, 0.0)
    log_p = log_choose(free, j) + log_choose(old, rest) - log_choose(n_genes, n_drawn)
    p: Array = np.where(possible, np.exp(log_p), 0.0)
    return p


def sample_scanpy(columns: Ints, bins: Ints, params: Mapping[str, Any]) -> Ints:
    """Draw controls as scanpy does from its seed."""
    random = np.random.RandomState(params["seed"])
    chosen: list[Ints] = []
    mine = np.isin(np.arange(bins.size), columns)
    for b in np.unique(bins[columns]):
        pool = np.flatnonzero((bins == b) & (params["set_in_pool"] | ~mine)) if b >= 0 else np.zeros(0, dtype=np.int64)
        if params["n_controls"] < pool.size:
            pool = pool[random.choice(pool.size, size=params["n_controls"], replace=False)]
        chosen.append(pool[~mine[pool]])
    return np.unique(np.concatenate(chosen)).astype(np.int64)


def sample_seurat(columns: Ints, bins: Ints, params: Mapping[str, Any]) -> Ints:
    """Draw controls for each gene from its bin and return the union."""
    random = np.random.default_rng(params["seed"])
    chosen = []
    for column in np.sort(columns):
        pool = np.flatnonzero(bins == bins[column])
        chosen.append(random.choice(pool, size=min(params["n_controls"], pool.size), replace=False))
    return np.unique(np.concatenate(chosen)).astype(np.int64)

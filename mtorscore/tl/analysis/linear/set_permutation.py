"""Sets of genes under permuted groups: the same statistic as the rotation test, another null."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtorscore.tl.analysis.linear.fits import basis
from mtorscore.tl.analysis.linear.permutations import arrangements, has_mirror, shuffled
from mtorscore.tl.analysis.linear.set_statistics import GeneTests, SetTest, gene_deviates

__all__ = ["permute_sets"]

_Float = npt.NDArray[np.float64]
_Codes = npt.NDArray[np.int64]


def permute_sets(
    y: _Float, x: _Float, nuisance: _Float, strata: _Codes, tests: GeneTests, sets: _Float, *, exact: bool, most: int,
    seed: int,
) -> tuple[SetTest, int, float]:  # fmt: skip
    """Test sets of genes by permuting groups, or with covariates residuals, within strata.

    Parameters
    ----------
    y
        Observations x genes.
    x, nuisance
        The contrast, and what it allows for.
    strata
        Within which groups are permuted.
    tests
        Of all genes.
    sets
        ``(n_genes, n_sets)`` signed weights, absolute column sums of 1.
    exact
        Whether groups are permuted; otherwise residuals are (Freedman and Lane).
    most, seed
        Most arrangements, and the seed of draws.

    Returns
    -------
    tuple
        The test (statistic: weighted mean of normal deviates), the number of arrangements, the least p possible.
    """
    some = (sets != 0).any(axis=1)
    y, sets = y[:, some], sets[some]
    q = basis(nuisance)
    centred = y - q @ (q.T @ y)
    regressor = x - q @ (q.T @ x)
    total = (centred**2).sum(axis=0)
    found = gene_deviates(regressor @ centred / np.sqrt(regressor @ regressor), total, tests) @ sets
    observed = np.abs(found)
    beyond, count = np.zeros(sets.shape[1]), 0
    if exact:
        orders, number = arrangements(x, strata, most, seed, together=True)
        for chunk in orders:
            deviates = gene_deviates(_first(chunk, q, centred), total, tests)
            beyond += (np.abs(deviates @ sets) >= observed * (1 - 1e-9)).sum(axis=0)
            count += len(chunk)
        complete = number <= most
        least = (2 if has_mirror(x, strata) else 1) / count if complete else 1 / (count + 1)
    else:
        beyond, count = _residuals(regressor, q, centred, strata, tests, sets, observed, most, seed), most
        complete, least = False, 1 / (most + 1)
    empty = ~(sets != 0).any(axis=0)
    p = np.where(empty, np.nan, beyond / count if complete else (beyond + 1) / (count + 1))
    unknown = np.full(len(p), np.nan)
    return SetTest(np.where(empty, np.nan, found), p, unknown, unknown), count, least


def _first(columns: _Float, q: _Float, centred: _Float) -> _Float:
    regressors = columns - (columns @ q) @ q.T
    length = np.sqrt((regressors**2).sum(axis=1, keepdims=True))
    out: _Float = (regressors / np.where(length > 1e-9, length, np.inf)) @ centred
    return out


def _residuals(
    regressor: _Float, q: _Float, centred: _Float, strata: _Codes, tests: GeneTests, sets: _Float, observed: _Float,
    draws: int, seed: int,
) -> _Float:  # fmt: skip
    rng = np.random.default_rng(seed)
    full = np.column_stack([q, regressor / np.sqrt(regressor @ regressor)])
    beyond = np.zeros(sets.shape[1])
    square = (centred**2).sum(axis=0)
    for _ in range(draws):
        parts = full.T @ centred[shuffled(strata, rng)]
        total = square - (parts[:-1] ** 2).sum(axis=0)
        beyond += np.abs(gene_deviates(parts[-1], total, tests) @ sets) >= observed * (1 - 1e-9)
    return beyond

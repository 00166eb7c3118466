"""Permutation tests of one column of a linear model, within strata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from math import factorial, prod

import numpy as np
import numpy.typing as npt

from mtorscore.tl.analysis.linear.fits import basis

__all__ = ["arrangements", "has_mirror", "permute_column", "permute_residuals", "shuffled"]

_Float = npt.NDArray[np.float64]
_Codes = npt.NDArray[np.int64]
_CHUNK = 512


def permute_column(
    y: _Float, x: _Float, nuisance: _Float, strata: _Codes, most: int, seed: int
) -> tuple[_Float, int, float]:
    """Permute the values of a column within strata; exact where nuisance columns are constant within strata.

    Parameters
    ----------
    y
        Observations x responses.
    x
        The column whose values are permuted.
    nuisance
        Observations x other columns.
    strata
        Stratum of each observation; -1: stays as it is.
    most
        Most arrangements that are looked at; all where there are no more, else so many are drawn.
    seed
        Of the draws.

    Returns
    -------
    tuple
        Two-sided p per response, number of arrangements, and the least p that there could be.
    """
    q = basis(nuisance)
    centred = y - q @ (q.T @ y)
    observed = _squared_t(x[None, :], q, centred)[0]
    orders, total = arrangements(x, strata, most, seed)
    exact = total <= most
    at_least, count = np.zeros(y.shape[1]), 0
    for chunk in orders:
        found = _squared_t(chunk, q, centred)
        at_least += (found >= observed * (1 - 2e-9)).sum(axis=0)
        count += len(chunk)
    p = at_least / count if exact else (at_least + 1) / (count + 1)
    mirrored = exact and has_mirror(x, strata)
    least = (2 if mirrored else 1) / count if exact else 1 / (count + 1)
    return np.where(np.isfinite(observed), p, np.nan), count, least


def permute_residuals(
    y: _Float, x: _Float, nuisance: _Float, strata: _Codes, draws: int, seed: int
) -> tuple[_Float, int, float]:
    """Permute the residuals of the model without the column (Freedman and Lane, J Bus Econ Stat 1983;1:292).

    Parameters
    ----------
    y
        Observations x responses.
    x
        The column tested.
    nuisance
        Observations x other columns.
    strata
        Residuals change places within them.
    draws
        Permutations.
    seed
        Of the draws.

    Returns
    -------
    tuple
        As from `permute_column`; approximate, since residuals are only about exchangeable.
    """
    q = basis(nuisance)
    regressor = x - q @ (q.T @ x)
    full = np.column_stack([q, regressor / np.sqrt(regressor @ regressor)])
    residual = y - q @ (q.T @ y)
    total = (residual**2).sum(axis=0)
    degrees = len(x) - full.shape[1]

    def squared_t(order: npt.NDArray[np.int64]) -> _Float:
        parts = np.einsum("nk,bnm->bkm", full, residual[order])
        rest = total - (parts**2).sum(axis=1)
        return _ratio(parts[:, -1] ** 2, rest, total, degrees)

    observed = squared_t(np.arange(len(x))[None, :])[0]
    rng = np.random.default_rng(seed)
    at_least = np.zeros(y.shape[1])
    size = max(1, min(_CHUNK, 2_000_000 // max(y.size, 1)))
    for start in range(0, draws, size):
        orders = np.stack([shuffled(strata, rng) for _ in range(min(size, draws - start))])
        at_least += (squared_t(orders) >= observed * (1 - 2e-9)).sum(axis=0)
    return np.where(np.isfinite(observed), (at_least + 1) / (draws + 1), np.nan), draws, 1 / (draws + 1)


def _squared_t(columns: _Float, q: _Float, centred: _Float) -> _Float:
    """Return t squared, but for its degrees of freedom, of columns (arrangements x observations)."""
    regressors = columns - (columns @ q) @ q.T
    square = (regressors**2).sum(axis=1)
    total = (centred**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        explained = (regressors @ centred) ** 2 / np.where(square > 1e-12, square, np.nan)[:, None]
    # An arrangement that nuisance columns explain says nothing against the null.
    found = _ratio(explained, total - explained, total, centred.shape[0] - q.shape[1] - 1)
    return np.where(np.isnan(explained) & (total > 0), 0.0, found)


def _ratio(explained: _Float, rest: _Float, total: _Float, degrees: int) -> _Float:
    if degrees < 1:
        return np.full(explained.shape, np.nan)
    rest = np.maximum(rest, 1e-14 * total)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: _Float = np.where(total > 0, explained / rest, np.nan)
    return out


def shuffled(strata: _Codes, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return an order of observations that differs within strata alone; those of stratum -1 stay."""
    order = np.arange(len(strata))
    for stratum in np.unique(strata[strata >= 0]):
        places = np.flatnonzero(strata == stratum)
        order[places] = rng.permutation(places)
    return order


def arrangements(
    x: _Float, strata: _Codes, most: int, seed: int, *, together: bool = False
) -> tuple[Iterator[_Float], int]:
    """Return the arrangements of values within strata, all or `most` drawn ones, and how many there are.

    Parameters
    ----------
    x
        Values, one per observation.
    strata
        Stratum of each; those of stratum -1 stay as they are.
    most
        Most that are wanted.
    seed
        Of the draws.
    together
        Whether many are drawn at once, which is faster and gives others.

    Returns
    -------
    tuple
        Iterator over chunks (arrangements x observations), and the number of different ones; drawn where that is above
        `most`.
    """
    places = [np.flatnonzero(strata == s) for s in np.unique(strata[strata >= 0])]
    counts = [Counter(x[p].tolist()) for p in places]
    total = prod(factorial(sum(c.values())) // prod(factorial(k) for k in c.values()) for c in counts)
    if total <= most:
        return _every(x, places, counts, total), total
    rng = np.random.default_rng(seed)
    sizes = [min(_CHUNK, most - start) for start in range(0, most, _CHUNK)]
    if together:
        return (_many(x, places, size, rng) for size in sizes), total
    return (np.array([x[shuffled(strata, rng)] for _ in range(size)]) for size in sizes), total


def _many(x: _Float, places: list[npt.NDArray[np.int64]], size: int, rng: np.random.Generator) -> _Float:
    out = np.tile(x, (size, 1))
    for place in places:
        out[:, place] = rng.permuted(out[:, place], axis=1)
    return out


def _every(
    x: _Float, places: list[npt.NDArray[np.int64]], counts: list[Counter[float]], total: int
) -> Iterator[_Float]:
    choices = [_orders(len(p), dict(c)) for p, c in zip(places, counts, strict=True)]
    shape = tuple(len(c) for c in choices)
    for start in range(0, total, _CHUNK):
        which = np.unravel_index(np.arange(start, min(start + _CHUNK, total)), shape)
        out = np.tile(x, (len(which[0]), 1))
        for place, choice, at in zip(places, choices, which, strict=True):
            out[:, place] = choice[at]
        yield out


def _orders(n: int, counts: dict[float, int]) -> _Float:
    """Return every distinct order of values that occur so often, one a row."""
    value, number = next(iter(counts.items()))
    rest = {v: k for v, k in counts.items() if v != value}
    if not rest:
        return np.full((1, n), value)
    others = _orders(n - number, rest)
    chosen = np.array(list(combinations(range(n), number)), dtype=np.int64).reshape(-1, number)
    taken = np.zeros((len(chosen), n), dtype=bool)
    np.put_along_axis(taken, chosen, True, axis=1)
    out = np.full((len(chosen), len(others), n), value)
    for i, row in enumerate(taken):
        out[i][:, ~row] = others
    return out.reshape(-1, n)


def has_mirror(x: _Float, strata: _Codes) -> bool:
    """Whether an arrangement and its mirror image both occur, as where two groups are of one size in every stratum."""
    for stratum in np.unique(strata[strata >= 0]):
        values = np.sort(x[strata == stratum])
        if not np.allclose(values - values.mean(), (values.mean() - values)[::-1]):
            return False
    return True

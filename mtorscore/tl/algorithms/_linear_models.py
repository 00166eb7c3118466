"""What the univariate and the multivariate linear model share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mtorscore.errors import DataError
from mtorscore.tl.algorithms._moments import LEAST_SQUARES
from mtorscore.tl.engine.gene_sets import ROUNDING, Array, Sets
from mtorscore.tl.engine.spec import Param, Scored
from mtorscore.tl.engine.tiles import Tile

__all__ = ["STATISTIC", "centred_products", "residuals", "t_or_slope"]

STATISTIC = Param("statistic", "t", "The t value or the slope.", choices=("t", "slope"))


def centred_products(tile: Tile, sets: Sets) -> tuple[Array, Array, Array]:
    """Return cross-products with the weights, sums of squares, and sums of weights.

    Returns
    -------
    cross : numpy.ndarray
        ``(n_obs, n_sets)`` sum over all genes of (value - mean) times weight.
    squares : numpy.ndarray
        ``(n_obs,)`` sum of squared deviations; NaN where any gene is NaN, since every gene takes part.
    total : numpy.ndarray
        ``(n_sets,)`` sum of weights.

    Raises
    ------
    DataError
        If squares of the values are beyond double precision.
    """
    moments = tile.moments()
    squares = moments[:, 2].copy()
    _check_range(tile, squares)
    squares[moments[:, 0] < sets.n_vars] = np.nan
    total: Array = np.bincount(sets.owner, weights=sets.weights, minlength=len(sets)).astype(np.float64)
    return tile.dot(sets) - moments[:, 1:2] * total, squares, total


def _check_range(tile: Tile, squares: Array) -> None:
    """Refuse observations whose values vary, but whose squares are beyond double precision: their t would be NaN."""
    lost = np.isinf(squares)
    small = np.flatnonzero(squares <= LEAST_SQUARES)
    if small.size:
        lost[small] = [_varies(tile, int(row)) for row in small]
    if lost.any():
        first = tile.start + int(np.flatnonzero(lost)[0])
        raise DataError(
            f"{int(lost.sum())} observation(s) hold values so large, or so small, that their squares are beyond double "
            f"precision (the first is number {first + 1}); divide the matrix by a suitable constant."
        )


def _varies(tile: Tile, row: int) -> bool:
    """Whether a row holds different numbers; the zeros that a sparse row does not store count."""
    if tile.x is not None:
        values = tile.x[row]
    else:
        data, _, indptr = tile.csr()
        values = data[indptr[row] : indptr[row + 1]]
        if values.size < tile.n_vars:
            return bool((values != 0).any() and not np.isnan(values).any())
    return bool(values.min() < values.max())


def residuals(squares: Array, explained: Array) -> Array:
    """Return the residual sum of squares; NaN where nothing is left over but rounding, so that there is no t value."""
    left = squares - explained
    left[~(left > ROUNDING * squares)] = np.nan
    return left


def t_or_slope(t: Array, slope: Array, df: float, params: Mapping[str, Any], pvalues: bool) -> Scored:
    """Return what was asked for, with two-sided p-values of t with `df` degrees of freedom."""
    scores = t if params["statistic"] == "t" else slope
    if not pvalues:
        return Scored(scores)
    from scipy.special import stdtr

    return Scored(scores, 2.0 * stdtr(df, -np.abs(t)))

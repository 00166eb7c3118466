"""What the univariate and the multivariate linear model share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

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
    """
    moments = tile.moments()
    squares = moments[:, 2].copy()
    squares[moments[:, 0] < sets.n_vars] = np.nan
    total: Array = np.bincount(sets.owner, weights=sets.weights, minlength=len(sets)).astype(np.float64)
    return tile.dot(sets) - moments[:, 1:2] * total, squares, total


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

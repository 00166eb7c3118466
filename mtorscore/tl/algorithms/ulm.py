r"""Univariate linear model: within one observation, expression of all genes regressed on the weights of one signature.

With y the N values of the observation and w the weights (0 for genes outside the signature), the score is the t value
of the slope,

    t = r sqrt((N - 2) / (1 - r^2)),   r = cor(y, w)

or the slope itself with `statistic="slope"`. p-values are those of t with N - 2 degrees of freedom. An observation that
the weights fit without remainder (such as one that holds the signature's only gene and no other) has no t value.

Badia-i-Mompel P, Velez Santiago J, Braunger J, et al. decoupleR: ensemble of computational methods to infer biological
activities from omics data. Bioinform Adv 2022;2:vbac016.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mtorscore.tl.algorithms._linear_models import STATISTIC, centred_products, residuals, t_or_slope
from mtorscore.tl.algorithms._shared import members
from mtorscore.tl.engine.gene_sets import Array, Sets, State
from mtorscore.tl.engine.spec import GeneContributions, MethodSpec, Scored
from mtorscore.tl.engine.tiles import Tile

__all__ = ["SPEC", "ulm"]


def ulm(tile: Tile, sets: Sets, params: Mapping[str, Any], state: State | None = None, pvalues: bool = False) -> Scored:
    """Score a tile.

    Parameters
    ----------
    tile
        Rows to score; a NaN makes the whole observation NaN, since every gene takes part.
    sets
        Signed, weighted sets.
    params
        `statistic`.
    state
        Not used: the method is single-sample.
    pvalues
        Whether to return two-sided p-values.

    Returns
    -------
    Scored
        Scores; NaN where the observation or the weights do not vary, or where the fit leaves no residual.
    """
    del state
    n = float(sets.n_vars)
    cross, squares, total = centred_products(tile, sets)
    spread = _spread_of_weights(sets, total)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        slope = cross / spread
        residual = residuals(squares[:, None], cross * slope)
        t = slope / np.sqrt(residual / ((n - 2) * spread)) if n > 2 else np.full_like(slope, np.nan)
        t[~(squares > 0)] = np.nan
    t[:, spread == 0] = slope[:, spread == 0] = np.nan
    return t_or_slope(t, slope, n - 2, params, pvalues)


def _spread_of_weights(sets: Sets, total: Array) -> Array:
    """Return the sum of squared deviations of the weights over all genes; 0 where they are all the same."""
    n = float(sets.n_vars)
    spread: Array = np.bincount(sets.owner, weights=sets.weights**2, minlength=len(sets)) - total**2 / n
    # Weights that are the same for every gene do not vary, whatever rounding says.
    spread[spread <= 1e-12 * np.maximum(total**2 / n, 1e-300)] = 0.0
    return spread


def contributions(tile: Tile, sets: Sets, i: int, params: Mapping[str, Any], state: State) -> GeneContributions:
    """Return weight times deviation from the observation's mean over the weights' spread; their sum is the slope."""
    del state
    part, x = members(tile, sets, i)
    total: Array = np.bincount(sets.owner, weights=sets.weights, minlength=len(sets)).astype(np.float64)
    spread = _spread_of_weights(sets, total)[i]
    with np.errstate(invalid="ignore", divide="ignore"):
        values = sets.weights[part] * (x - tile.moments()[:, 1:2]) / (spread if spread > 0 else np.nan)
    return GeneContributions(values, np.zeros(tile.n_obs), "score" if params["statistic"] == "slope" else "slope")


SPEC = MethodSpec(
    name="ulm",
    title="Univariate linear model",
    score=ulm,
    cohort_dependent=False,
    signed=True,
    weighted=True,
    basis="regression",
    competitive=True,
    input_scale="log, or log fold changes",
    sparse_exact=True,
    null="Student's t with N - 2 degrees of freedom",
    range="unbounded (a t value)",
    reference="decoupler 2.3.1, ulm, genes that are 0 in every observation dropped",
    citation="Badia-i-Mompel et al., Bioinform Adv 2022;2:vbac016",
    formula="t of the slope of expression on weights over all genes",
    params=(STATISTIC,),
    contributions=contributions,
)

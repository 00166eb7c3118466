r"""Mean expression of the up genes minus mean expression of the down genes.

    s = sum_up(w x) / sum_up(w) - sum_down(w x) / sum_down(w)

A signature with one direction has that one only (negative for down genes alone). Nothing is standardised: highly
expressed genes dominate, so the values should be logarithms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mtorscore.tl.algorithms._shared import NA, members, moment_null, per_direction, two_sided, weighted_rows
from mtorscore.tl.engine.gene_sets import Array, Sets, State
from mtorscore.tl.engine.spec import NO_ORIGIN, GeneContributions, MethodSpec, Scored
from mtorscore.tl.engine.tiles import Tile

__all__ = ["SPEC", "mean"]


def mean(
    tile: Tile, sets: Sets, params: Mapping[str, Any], state: State | None = None, pvalues: bool = False
) -> Scored:
    """Score a tile.

    Parameters
    ----------
    tile
        Rows to score.
    sets
        Signed, weighted sets.
    params
        `na`.
    state
        Not used: the method is single-sample.
    pvalues
        Whether to return two-sided p-values of the difference among random genes, by the normal approximation.

    Returns
    -------
    Scored
        Scores.
    """
    del state
    coefficients = _coefficients(sets)
    if params["na"] == "omit" and tile.has_nan():
        scores = _omitting(tile, sets)
    else:
        scores = weighted_rows(tile, sets, coefficients)
    if not pvalues:
        return Scored(scores)
    centre, sd = moment_null(tile, sets, coefficients)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Scored(scores, two_sided((scores - centre) / sd))


def _coefficients(sets: Sets) -> Array:
    """Return the coefficient of each gene: its weight over the sum of weights of its direction."""
    total = np.zeros(sets.slots.size)
    for sign in (1, -1):
        here = sets.weights * sign > 0
        sums = np.bincount(sets.owner[here], weights=np.abs(sets.weights[here]), minlength=len(sets))
        total[here] = sums[sets.owner[here]]
    return sets.weights / total


def _omitting(tile: Tile, sets: Sets) -> Array:
    out = np.zeros((tile.n_obs, len(sets)))
    observed = tile.observed(sets.genes)
    for sign in (1, -1):
        part = sets.direction(sign)
        total, weight = observed.sums(part)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_of_part = total / weight
        out += sign * np.where(part.sizes > 0, mean_of_part, 0.0)
    return out


def contributions(tile: Tile, sets: Sets, i: int, params: Mapping[str, Any], state: State) -> GeneContributions:
    """Return each gene's share in the means; a gene left out as NaN adds nothing."""
    del state
    part, x = members(tile, sets, i)
    weights = sets.weights[part]
    omitted = np.isnan(x) if params["na"] == "omit" else np.zeros(x.shape, dtype=np.bool_)
    total = per_direction(np.where(omitted, 0.0, np.abs(weights)), weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(omitted & (total > 0), 0.0, weights * x / total)
    return GeneContributions(values, np.zeros(tile.n_obs))


SPEC = MethodSpec(
    name="mean",
    title="Mean difference",
    score=mean,
    cohort_dependent=False,
    signed=True,
    weighted=True,
    basis="values",
    competitive=False,
    input_scale="log",
    sparse_exact=True,
    null="weighted sum of randomly drawn genes, normal approximation",
    range="that of the values",
    reference="definition",
    citation=NO_ORIGIN,
    formula="mean(up) - mean(down), weighted",
    params=(NA,),
    contributions=contributions,
)

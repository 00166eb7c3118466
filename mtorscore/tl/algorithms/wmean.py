r"""Weighted mean of a footprint.

    s = sum_g w_g x_g / sum_g |w_g|

`standardise=True` returns the deviate of s among random genes carrying the same weights, (s - E) / SD, whose moments
over draws without replacement have a closed form: with mean m and variance v (n - 1) of all N genes of the observation,
E = m sum(c) and SD^2 = v (sum(c^2) - sum(c)^2 / N), c = w / sum |w|.

Schubert M, Klinger B, Kluenemann M, et al. Perturbation-response genes reveal signaling footprints in cancer gene
expression. Nat Commun 2018;9:20. Badia-i-Mompel P, Velez Santiago J, Braunger J, et al. decoupleR. Bioinform Adv
2022;2:vbac016.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mtorscore.tl.algorithms._shared import NA, members, moment_null, two_sided, weighted_rows
from mtorscore.tl.engine.gene_sets import Sets, State
from mtorscore.tl.engine.spec import GeneContributions, MethodSpec, Param, Scored
from mtorscore.tl.engine.tiles import Tile

__all__ = ["SPEC", "wmean"]


def wmean(
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
        `standardise` and `na`.
    state
        Not used: the method is single-sample.
    pvalues
        Whether to return two-sided normal p-values of the standardised score.

    Returns
    -------
    Scored
        Scores.
    """
    del state
    if params["na"] == "omit" and tile.has_nan():
        observed = tile.observed(sets.genes)
        total, weight = observed.sums(sets)
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = total / weight
    else:
        scores = weighted_rows(tile, sets, _coefficients(sets))
    if not (pvalues or params["standardise"]):
        return Scored(scores)
    centre, sd = moment_null(tile, sets, _coefficients(sets))
    with np.errstate(invalid="ignore", divide="ignore"):
        deviate = (scores - centre) / sd
    return Scored(deviate if params["standardise"] else scores, two_sided(deviate) if pvalues else None)


def _coefficients(sets: Sets) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    total = np.bincount(sets.owner, weights=np.abs(sets.weights), minlength=len(sets))
    return sets.weights / total[sets.owner]


def contributions(tile: Tile, sets: Sets, i: int, params: Mapping[str, Any], state: State) -> GeneContributions:
    """Return each gene's share in the mean; with `standardise` also divided by the SD among random genes."""
    del state
    part, x = members(tile, sets, i)
    weights = sets.weights[part]
    omitted = np.isnan(x) if params["na"] == "omit" else np.zeros(x.shape, dtype=np.bool_)
    total = np.where(omitted, 0.0, np.abs(weights)).sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(omitted & (total > 0), 0.0, weights * x / total)
    if not params["standardise"]:
        return GeneContributions(values, np.zeros(tile.n_obs))
    centre, sd = moment_null(tile, sets, _coefficients(sets))
    return GeneContributions(values / sd[:, i : i + 1], -centre[:, i] / sd[:, i])


SPEC = MethodSpec(
    name="wmean",
    title="Weighted mean",
    score=wmean,
    cohort_dependent=False,
    signed=True,
    weighted=True,
    basis="values",
    competitive=False,
    input_scale="log, or log fold changes",
    sparse_exact=True,
    null="weighted sum of randomly drawn genes, normal approximation",
    range="that of the values; a normal deviate when standardised",
    reference="decoupler 2.3.1, waggr(fun='wmean', times=0)",
    citation="Schubert et al., Nat Commun 2018;9:20",
    formula="sum_g w_g x_g / sum_g |w_g|",
    params=(
        Param(
            "standardise", False, "Whether to return the deviate among random genes with these weights.", kind="bool"
        ),
        NA,
    ),
    contributions=contributions,
)

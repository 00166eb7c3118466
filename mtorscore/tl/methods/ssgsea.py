r"""Single-sample GSEA: the area between the running sums of a signature's genes and of all others.

Genes of one observation are walked from the highest rank down. With ascending ranks r and position q (N for the
first gene, 1 for the last), and k genes in the set,

    ES = sum_set(r^alpha * q) / sum_set(r^alpha) - (N (N + 1) / 2 - sum_set(q)) / (N - k)

which is the sum over all positions of P_in - P_out, written with the genes of the set alone. Without ties q = r.
`ties="average"` gives each tied gene its average rank and position: the score is the mean over all orders of the ties
in the walk, depends on no order of genes, and is 0 for an observation without any difference. `ties="first"` is what
the reference does: ranks truncated to integers, tied genes walked in matrix order.
Down genes are scored apart and subtracted. `normalise=True` divides by the range of all scores of the cohort, which
makes the result depend on the cohort and on the other signatures.

Barbie DA, Tamayo P, Boehm JS, et al. Systematic RNA interference reveals that oncogenic KRAS-driven cancers require
TBK1. Nature 2009;462:108-112. Haenzelmann S, Castelo R, Guinney J. GSVA. BMC Bioinformatics 2013;14:7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.tl._tiles import Tile
from mtorscore.tl._types import Array, MethodSpec, Param, Scored, Sets, State, TileSource
from mtorscore.tl.methods._common import NA, join_directions, part_sums

__all__ = ["SPEC", "fit", "ssgsea"]


def ssgsea(
    tile: Tile, sets: Sets, params: Mapping[str, Any], state: State | None = None, pvalues: bool = False
) -> Scored:
    """Score a tile.

    Parameters
    ----------
    tile
        Rows to score.
    sets
        Signed sets; weights are not used.
    params
        `alpha`, `normalise`, `ties` and `na`.
    state
        ``{"range": [lowest, highest]}`` when `normalise`.
    pvalues
        Not used: the null has no closed form.

    Returns
    -------
    Scored
        Scores.
    """
    del pvalues
    scores = _enrichment(tile, sets, params)
    if params["normalise"]:
        low, high = (state or {})["range"]
        scores = scores / (high - low)
    return Scored(scores)


def fit(source: TileSource, sets: Sets, params: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Learn the range of all scores of the cohort."""
    low, high = np.inf, -np.inf
    for tile in source.tiles():
        scores = _enrichment(tile, sets, params)
        known = scores[~np.isnan(scores)]
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    return {"range": np.array([low, high])}


def _enrichment(tile: Tile, sets: Sets, params: Mapping[str, Any]) -> Array:
    weight, position, n = _walk(tile, sets, params)
    parts = {sign: _part(weight, position, n, sets.direction(sign), params["na"] == "omit") for sign in (1, -1)}
    return join_directions(parts[1], parts[-1], sets, down_sign=-1)


def _walk(tile: Tile, sets: Sets, params: Mapping[str, Any]) -> tuple[Array, Array, Array]:
    """Return step weights and positions of the sets' genes, and the length of the walk."""
    omit = params["na"] == "omit"
    ranks = tile.ranks(sets.genes)
    average = ranks.ascending("average")
    # The reference walks NaN genes last when told to use everything: they lengthen the walk below all others.
    shift = np.zeros_like(ranks.n_nan) if omit else ranks.n_nan
    n = (ranks.n_valid + shift).astype(np.float64)[:, None]
    if params["ties"] == "average":
        return average ** params["alpha"], average + shift[:, None], n
    from mtorscore.tl.kernels.order import first_positions

    place = first_positions(tile.dense(), sets.genes)
    return np.floor(average) ** params["alpha"], place + shift[:, None], n


def _part(weight: Array, position: Array, n: Array, part: Sets, omit: bool) -> Array:
    inside, counts = part_sums(weight, part, omit=omit)
    reached, _ = part_sums(weight * position, part, omit=omit)
    places, _ = part_sums(position, part, omit=omit)
    k = counts.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        score: Array = reached / inside - (n * (n + 1) / 2 - places) / (n - k)
    # Without a gene inside, or without one outside, there is nothing to compare.
    score[(k == 0) | (k >= n)] = np.nan
    return score


SPEC = MethodSpec(
    name="ssgsea",
    title="ssGSEA",
    score=ssgsea,
    fit=fit,
    cohort_dependent=False,
    cohort_options=("normalise",),
    signed=True,
    weighted=False,
    input_scale="any monotone scale within an observation; lengths corrected (TPM, FPKM) for bulk",
    sparse_exact=True,
    null="random signatures matched in size and expression",
    null_closed=False,
    range="about [-N/2, N/2] for N genes; about [-1, 1] when normalised",
    reference="R GSVA 1.53.31 (ties='first' on data with ties)",
    citation="Barbie et al., Nature 2009;462:108-112",
    formula="sum_set(r^alpha q) / sum_set(r^alpha) - (N(N+1)/2 - sum_set(q)) / (N - k), up minus down",
    uses_ranks=True,
    params=(
        Param("alpha", 0.25, "Exponent of the rank in the step weights.", kind="float", low=0.0),
        Param("normalise", False, "Whether to divide by the range over the cohort and all signatures.", kind="bool"),
        Param("ties", "average", "`average` is free of order, `first` is the reference.", choices=("average", "first")),
        NA,
    ),
)

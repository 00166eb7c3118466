r"""Singscore: the mean rank of a signature's genes within one observation, between its smallest and largest value.

With ranks r from 1 (lowest) to N, a set of k genes scores

    s = (mean(r) - (k + 1) / 2) / ((2 N - k + 1) / 2 - (k + 1) / 2)

minus 0.5 when centred. Down genes are ranked from the other end, and the two parts are added. Where the direction is
unknown, r is replaced by its distance d from the rounded-up median of all ranks: up genes score mean(d) between
(floor(k / 2) + 1) / 2 and (2 ceil(N / 2) - floor(k / 2) + 1) / 2, down genes the reversed N - d + 1 between the bounds
above, and nothing is centred. Dispersion is 1.4826 times the median absolute deviation of r, or d, averaged over the
two parts. With n `stable_genes` the rank of a gene that exceeds m of them is (m + 1) / (n + 1), and the score is its
mean. With stable genes and unknown direction the distance is from 1/2; the reference takes it from the median rounded
up, which is 1 for such ranks, so that its score would only fall with expression.

Foroutan M, Bhuva DD, Lyu R, Horan K, Cursons J, Davis MJ. Single sample scoring of molecular phenotypes. BMC
Bioinformatics 2018;19:404. Bhuva DD, Cursons J, Davis MJ. Stable gene expression for normalisation and single-sample
scoring. Nucleic Acids Res 2020;48:e113.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mtorscore.tl.algorithms._shared import (
    NA,
    join_directions,
    linear_null,
    members,
    part_sums,
    per_direction,
    rank_sums,
    two_sided,
    value_sums,
)
from mtorscore.tl.engine.gene_sets import Array, Sets, State
from mtorscore.tl.engine.spec import GeneContributions, MethodSpec, Param, Scored
from mtorscore.tl.engine.tiles import Tile

__all__ = ["SPEC", "singscore"]


def singscore(
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
        `ties`, `known_direction`, `centre`, `na`, `stable_genes` (columns) and `dispersion`.
    state
        Not used: the method is single-sample.
    pvalues
        Whether to return two-sided p-values of the rank sum among random genes.

    Returns
    -------
    Scored
        Scores and, on request, `dispersion` among the extras.
    """
    del state
    from mtorscore.tl.kernels.part_scores import mean_rank_scores

    omit = params["na"] == "omit"
    stable = params["stable_genes"]
    if stable is not None:
        scored = Scored(_among_stable(tile, sets, params))
    else:
        entries = tile.entries(sets.genes)
        if params["known_direction"]:
            unit = 0.5
            sums, counts = rank_sums(entries, sets, ties=params["ties"], omit=omit)
        else:
            unit = 1.0
            values, zero = entries.ascending(params["ties"])
            middle = _middle(tile, params)
            values, zero = np.abs(values - middle[entries.owner]), np.abs(zero - middle)
            sums, counts = value_sums(entries, values, zero, sets, omit=omit)
        centre = 0.5 if params["centre"] and params["known_direction"] else 0.0
        parts = sets.parts
        scored = Scored(
            mean_rank_scores(
                sums, unit, counts, entries.n_valid, parts.up_of, parts.down_of, not params["known_direction"], centre
            )
        )
    if params["dispersion"]:
        scored.extras["dispersion"] = _dispersion(tile, sets, params)
    if pvalues:
        scored.pvalues = _pvalues(tile, sets, params)
    return scored


def _middle(tile: Tile, params: Mapping[str, Any]) -> Array:
    """Return the rank that distances are taken from, where the direction is unknown, ``(n_obs,)``."""
    everything = tile.ranks(tile.every_gene()).ascending(params["ties"])
    middle: Array = np.ceil(np.nanmedian(everything, axis=1))
    return middle


def _among_stable(tile: Tile, sets: Sets, params: Mapping[str, Any]) -> Array:
    """Return the mean rank among stable genes, a number from 0 to 1, of up genes and, reversed, of down genes."""
    ranks = _stable_ranks(tile, sets, np.asarray(params["stable_genes"], dtype=np.int64), params["ties"])
    known = params["known_direction"]
    moved = ranks if known else np.abs(ranks - 0.5)
    found = []
    for sign, most in ((1, 1.0 if known else 0.5), (-1, 1.0)):
        sums, counts = part_sums(moved, sets.direction(sign), omit=params["na"] == "omit")
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (sums if sign > 0 else counts - sums) / counts / most
        found.append(mean - 0.5 if params["centre"] and known else mean)
    return join_directions(found[0], found[1], sets)


def _dispersion(tile: Tile, sets: Sets, params: Mapping[str, Any]) -> Array:
    """Return the dispersion of ranks, or of their distance from the middle, averaged over the parts."""
    from mtorscore.tl.kernels.segment_sums import segment_mad

    if params["stable_genes"] is not None:
        ranks = _stable_ranks(tile, sets, np.asarray(params["stable_genes"], dtype=np.int64), params["ties"])
    else:
        ranks = tile.ranks(sets.genes).ascending(params["ties"])
        if not params["known_direction"]:
            ranks = np.abs(ranks - _middle(tile, params)[:, None])
    parts = [segment_mad(ranks, p.indptr, p.slots, params["na"] == "omit") for p in (sets.up, sets.down)]
    n_parts = (sets.up.sizes > 0).astype(int) + (sets.down.sizes > 0)
    spread: Array = join_directions(parts[0], parts[1], sets) / np.maximum(n_parts, 1)
    return spread


def _stable_ranks(tile: Tile, sets: Sets, stable: np.ndarray[Any, Any], ties: str) -> Array:
    """Rank genes among the stable genes only, on a scale from 0 to 1."""
    values = tile.columns(sets.genes)
    anchors = np.sort(tile.columns(stable), axis=1)
    ranks = np.empty_like(values)
    side = {"min": "left", "max": "right"}
    for i in range(tile.n_obs):
        if ties == "average":
            both = [np.searchsorted(anchors[i], values[i], side=s) for s in ("left", "right")]
            ranks[i] = (both[0] + both[1]) / 2
        else:
            ranks[i] = np.searchsorted(anchors[i], values[i], side=side[ties])  # type: ignore[call-overload]
    ranks = (ranks + 1) / (stable.size + 1)
    ranks[np.isnan(values)] = np.nan
    return ranks


def _pvalues(tile: Tile, sets: Sets, params: Mapping[str, Any]) -> Array:
    """Compare the signed difference of mean ranks with that of random genes of the same number and directions."""
    population = tile.ranks(tile.every_gene()).ascending(params["ties"])
    if not params["known_direction"]:
        population = np.abs(population - _middle(tile, params)[:, None])
    sizes = {s: sets.direction(s).sizes for s in (1, -1)}
    own = np.where(sets.weights > 0, sizes[1][sets.owner], sizes[-1][sets.owner])
    coefficients = np.sign(sets.weights) / own
    ranks = population[:, sets.genes]
    statistic, _ = part_sums(ranks, sets, omit=False, weights=coefficients)
    mean, sd = linear_null(population, sets, coefficients)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = two_sided((statistic - mean) / sd)
    p[:, sets.sizes == 0] = np.nan
    return p


def contributions(tile: Tile, sets: Sets, i: int, params: Mapping[str, Any], state: State) -> GeneContributions | None:
    """Return how far each gene's rank is from the middle one, as a share of the score; None if no direction is known.

    With k genes in a direction and N ranks, mean(r) between its bounds, less 1/2, is the mean of (r - (N + 1) / 2) over
    N - k: a gene of middle rank adds nothing.
    """
    del state
    if not params["known_direction"]:
        return None
    part, x = members(tile, sets, i)
    signs = np.sign(sets.weights[part])
    omitted = np.isnan(x) & (params["na"] == "omit")
    k = per_direction(~omitted, signs)
    if params["stable_genes"] is not None:
        stable = np.asarray(params["stable_genes"], dtype=np.int64)
        from_middle = _stable_ranks(tile, sets, stable, params["ties"])[:, sets.slots[part]] - 0.5
        room = np.ones_like(k)
    else:
        ranks = tile.ranks(sets.genes)
        n = ranks.n_valid[:, None].astype(np.float64)
        from_middle = ranks.ascending(params["ties"])[:, sets.slots[part]] - (n + 1) / 2
        room = n - k
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(omitted & (k > 0), 0.0, signs * from_middle / (k * room))
    n_directions = np.unique(signs).size
    return GeneContributions(values, np.full(tile.n_obs, 0.0 if params["centre"] else 0.5 * n_directions))


SPEC = MethodSpec(
    name="singscore",
    title="Singscore",
    score=singscore,
    cohort_dependent=False,
    signed=True,
    weighted=False,
    basis="ranks",
    competitive=True,
    input_scale="any monotone scale within an observation; lengths corrected (TPM, FPKM) for bulk",
    sparse_exact=True,
    keeps_tables=True,
    null="rank sum with tie correction, normal approximation",
    range="[-0.5, 0.5] per direction when centred, [0, 1] otherwise; the sum for signed signatures",
    reference="R singscore 1.29.1",
    citation="Foroutan et al., BMC Bioinformatics 2018;19:404",
    formula="(mean(r) - (k+1)/2) / (N - k), up plus reversed down, minus 0.5 per part when centred",
    params=(
        Param("ties", "min", "Rank of tied values; the reference takes `min`.", choices=("min", "average", "max")),
        Param("known_direction", True, "Whether up means up; if not, distance from the middle is scored.", kind="bool"),
        Param("centre", True, "Whether 0 is the score of genes of middle rank.", kind="bool"),
        Param("stable_genes", None, "Rank against these genes only.", kind="genes", optional=True),
        Param("dispersion", False, "Whether to return the dispersion of ranks as well.", kind="bool"),
        NA,
    ),
    contributions=contributions,
)

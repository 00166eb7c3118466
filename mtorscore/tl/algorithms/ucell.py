r"""UCell: a Mann-Whitney U statistic of the signature's genes among the top of the ranking.

Genes of one observation are ranked from the highest value (rank 1) down; tied genes, zeros among them, share their
average rank. Ranks above max_rank (at most the number of genes) become max_rank. For n genes with ranks r,

    U = 1 - (sum(r) - n (n + 1) / 2) / (n max_rank - n (n + 1) / 2)

Signed signatures score max(0, U_up - w_neg U_down); a signature of down genes alone, or whose up genes the matrix lacks
altogether, scores -w_neg U_down, which is not cut at 0, since the cut would leave nothing. Other genes that the matrix
lacks count as max_rank (`missing="impute"`) or not at all (`"skip"`).

Andreatta M, Carmona SJ. UCell: robust and scalable single-cell gene signature scoring. Comput Struct Biotechnol J
2021;19:3796-3798.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mtorscore.tl.algorithms._shared import (
    NA,
    dense_sums,
    linear_null,
    members,
    part_sums,
    per_direction,
    rank_sums,
    two_sided,
)
from mtorscore.tl.engine.gene_sets import Array, Sets, State
from mtorscore.tl.engine.spec import GeneContributions, MethodSpec, Param, Scored
from mtorscore.tl.engine.tiles import Tile

__all__ = ["SPEC", "ucell"]

# Ranks from the top are ranks from the bottom, reversed.
MIRROR = {"average": "average", "min": "max", "max": "min"}


def ucell(
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
        `max_rank`, `w_neg`, `missing`, `ties` and `na`.
    state
        Not used: the method is single-sample.
    pvalues
        Whether to return two-sided p-values of the sum of ranks (cut at max_rank) among random genes.

    Returns
    -------
    Scored
        Scores.
    """
    del state
    from mtorscore.tl.kernels.part_scores import top_rank_scores

    most = float(min(params["max_rank"], tile.n_vars))
    omit = params["na"] == "omit"
    if params["ties"] == "first":
        unit = 1.0
        sums, counts = dense_sums(np.minimum(_descending(tile, sets.genes, "first"), most), sets, omit=omit)
    else:
        entries, unit = tile.entries(sets.genes), 0.5
        sums, counts = rank_sums(entries, sets, ties=params["ties"], limit=int(most), omit=omit)
    absent = sets.once(_absent) if params["missing"] == "impute" else np.zeros(sets.parts.sizes.size)
    scores = tile.room(len(sets))
    up_of, down_of = sets.parts.up_of, sets.parts.down_of
    top_rank_scores(sums, unit, counts, absent, up_of, down_of, most, float(params["w_neg"]), scores)
    if not pvalues:
        return Scored(scores)
    return Scored(scores, _pvalues(tile, sets, params, most))


def _absent(sets: Sets) -> Array:
    """Return per part the genes that the matrix lacks."""
    return sets.parts.pick(sets.missing_up, sets.missing_down).astype(np.float64)


def _descending(tile: Tile, genes: np.ndarray[Any, np.dtype[np.int64]], ties: str) -> Array:
    """Return ranks from 1 for the highest value; NaN for NaN."""
    if ties == "first":
        from mtorscore.tl.kernels.tie_breaking import first_positions

        place = first_positions(tile.dense(), genes)
        n_valid = tile.moments()[:, 0:1]
        return n_valid - place + 1
    found = tile.ranks(genes)
    return found.n_valid[:, None] - found.ascending(MIRROR[ties]) + 1


def _pvalues(tile: Tile, sets: Sets, params: Mapping[str, Any], most: float) -> Array:
    """Compare the sum of ranks, down genes with weight -w_neg relative to their number, with that of random genes."""
    population = np.minimum(_descending(tile, tile.every_gene(), params["ties"]), most)
    sizes = {s: sets.direction(s).sizes for s in (1, -1)}
    up = sets.weights > 0
    factor = np.where(up, 1.0, -float(params["w_neg"]))
    coefficients = factor / np.where(up, sizes[1][sets.owner], sizes[-1][sets.owner])
    statistic, _ = part_sums(population[:, sets.genes], sets, omit=False, weights=coefficients)
    mean, sd = linear_null(population, sets, coefficients)
    with np.errstate(invalid="ignore", divide="ignore"):
        return two_sided((statistic - mean) / sd)


def contributions(tile: Tile, sets: Sets, i: int, params: Mapping[str, Any], state: State) -> GeneContributions:
    """Return how far each gene stands above max_rank, over n max_rank - n (n + 1) / 2; genes below it add nothing."""
    del state
    part, x = members(tile, sets, i)
    signs = np.sign(sets.weights[part])
    most = float(min(params["max_rank"], tile.n_vars))
    omitted = np.isnan(x) & (params["na"] == "omit")
    n = per_direction(~omitted, signs)
    if params["missing"] == "impute":
        n = n + np.where(signs > 0, sets.missing_up[i], sets.missing_down[i])
    above = most - np.minimum(_descending(tile, sets.genes, params["ties"])[:, sets.slots[part]], most)
    factor = np.where(signs > 0, 1.0, -float(params["w_neg"]))
    room = n * most - n * (n + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(omitted & (room > 0), 0.0, factor * above / np.where(room > 0, room, np.nan))
    signed = np.unique(signs).size > 1
    return GeneContributions(values, np.zeros(tile.n_obs), "score before clipping" if signed else "score")


SPEC = MethodSpec(
    name="ucell",
    title="UCell",
    score=ucell,
    cohort_dependent=False,
    signed=True,
    weighted=False,
    basis="ranks",
    competitive=False,
    input_scale="any monotone scale within an observation",
    sparse_exact=True,
    null="rank sum with tie correction, normal approximation",
    range="[0, 1]; [-w_neg, 0] for down genes alone",
    reference="R UCell 2.17.0",
    citation="Andreatta and Carmona, Comput Struct Biotechnol J 2021;19:3796-3798",
    formula="1 - (sum(min(r, R)) - n(n+1)/2) / (n R - n(n+1)/2), up minus w_neg times down, at least 0",
    params=(
        Param("max_rank", 1500, "Ranks above count as this one.", kind="int", low=1),
        Param("w_neg", 1.0, "Weight of the down genes.", kind="float", low=0.0),
        Param("missing", "impute", "What genes do that the matrix lacks.", choices=("impute", "skip")),
        Param(
            "ties",
            "average",
            "Rank of tied values, from the top; `first` breaks ties in matrix order.",
            choices=("average", "min", "max", "first"),
        ),
        NA,
    ),
    contributions=contributions,
)

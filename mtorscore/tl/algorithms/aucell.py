r"""AUCell: the area under the recovery curve of the signature's genes at the top of the ranking.

Genes of one observation are ranked from the highest value (rank 1) down. With M the rank at which the curve ends and k
genes in the set,

    AUC = sum_{r < M} (M - r) / sum_{r < min(k + 1, M)} (M - r)

Tied genes, which in sparse data are most of them, have no order. `ties="expected"` gives each gene the mean of its term
over all places of its tie block, which is the exact expectation of the score under random tie-breaking; `"random"`
draws one order per observation from `seed`, as the reference does. Down genes are scored apart and subtracted.

Aibar S, Gonzalez-Blas CB, Moerman T, et al. SCENIC: single-cell regulatory network inference and clustering. Nat
Methods 2017;14:1083-1086.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.tl.algorithms._shared import (
    NA,
    area_sums,
    dense_sums,
    linear_null,
    members,
    part_sums,
    per_direction,
    two_sided,
)
from mtorscore.tl.engine.gene_sets import Array, Sets, State
from mtorscore.tl.engine.spec import GeneContributions, MethodSpec, Param, Scored
from mtorscore.tl.engine.tiles import Tile

__all__ = ["SPEC", "aucell"]


def aucell(
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
        `top`, `ties`, `seed` and `na`.
    state
        Not used: the method is single-sample.
    pvalues
        Whether to return two-sided p-values of the area among random genes.

    Returns
    -------
    Scored
        Scores.
    """
    del state
    from mtorscore.tl.kernels.part_scores import area_scores

    most = _end_of_curve(tile, params)
    omit = params["na"] == "omit"
    if params["ties"] == "random":
        from mtorscore.tl.kernels.tie_breaking import shuffled_positions

        area = np.maximum(most - shuffled_positions(tile.dense(), sets.genes, params["seed"], tile.start), 0.0)
        sums, counts = dense_sums(area, sets, omit=omit)
    else:
        sums, counts = area_sums(tile.entries(sets.genes), sets, limit=int(most), omit=omit)
    scores = area_scores(sums, counts, sets.parts.up_of, sets.parts.down_of, most)
    if not pvalues:
        return Scored(scores)
    ranks = tile.ranks(tile.every_gene())
    population = _expected(ranks.less, ranks.equal, ranks.n_valid[:, None], most)
    coefficients = np.sign(sets.weights) / _largest(_sizes(sets), most)
    statistic, _ = part_sums(population[:, sets.genes], sets, omit=False, weights=coefficients)
    mean, sd = linear_null(population, sets, coefficients)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Scored(scores, two_sided((statistic - mean) / sd))


def _end_of_curve(tile: Tile, params: Mapping[str, Any]) -> float:
    """Return the rank M at which the curve ends."""
    top = params["top"]
    return float(min(top, tile.n_vars) if isinstance(top, int) else np.ceil(top * tile.n_vars))


def contributions(tile: Tile, sets: Sets, i: int, params: Mapping[str, Any], state: State) -> GeneContributions:
    """Return the area below the curve that each gene adds, over the largest that the direction could have."""
    del state
    from mtorscore.tl.kernels.tie_breaking import shuffled_positions

    part, x = members(tile, sets, i)
    signs, most = np.sign(sets.weights[part]), _end_of_curve(tile, params)
    if params["ties"] == "random":
        area = np.maximum(most - shuffled_positions(tile.dense(), sets.genes, params["seed"], tile.start), 0.0)
    else:
        ranks = tile.ranks(sets.genes)
        area = _expected(ranks.less, ranks.equal, ranks.n_valid[:, None], most)
    omitted = np.isnan(x) & (params["na"] == "omit")
    largest = _largest(per_direction(~omitted, signs), most)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(omitted & (largest > 0), 0.0, signs * area[:, sets.slots[part]] / largest)
    return GeneContributions(values, np.zeros(tile.n_obs))


def _expected(less: npt.NDArray[Any], equal: npt.NDArray[Any], n_valid: npt.NDArray[Any], most: float) -> Array:
    """Return the mean of max(0, M - r) over the places of each gene's tie block; NaN for NaN."""
    block = equal.astype(np.float64)
    above = n_valid - less - block
    inside = np.clip(most - 1 - above, 0.0, block)
    with np.errstate(invalid="ignore", divide="ignore"):
        area: Array = inside * (most - above - (inside + 1) / 2) / block
    area[equal == 0] = 0.0  # a row without zeros has no block of them
    area[less < 0] = np.nan
    return area


def _largest(k: Array, most: float) -> Array:
    """Return the area if the k genes stood first."""
    steps = np.minimum(k, most - 1)
    largest: Array = steps * most - steps * (steps + 1) / 2
    return largest


def _sizes(sets: Sets) -> Array:
    """Return, beside `sets.slots`, how many genes the direction of that gene has."""
    up, down = (sets.direction(sign).sizes for sign in (1, -1))
    return np.where(sets.weights > 0, up[sets.owner], down[sets.owner]).astype(np.float64)


SPEC = MethodSpec(
    name="aucell",
    title="AUCell",
    score=aucell,
    cohort_dependent=False,
    signed=True,
    weighted=False,
    basis="ranks",
    competitive=False,
    input_scale="any monotone scale within an observation",
    sparse_exact=True,
    null="rank statistic with tie correction, normal approximation",
    range="[0, 1]; [-1, 1] for signed signatures",
    reference="R AUCell 1.25.2 (random ties there: its mean over seeds)",
    citation="Aibar et al., Nat Methods 2017;14:1083-1086",
    formula="sum_{r<M}(M - r) / (k M - k(k+1)/2), expected over ties, up minus down",
    params=(
        Param(
            "top",
            0.05,
            "Where the curve ends: a share of genes (float) or a count (int).",
            kind="number",
            low=0,
            open_low=True,
        ),
        Param("ties", "expected", "`expected` over all orders, or one `random` order.", choices=("expected", "random")),
        Param("seed", 0, "Decides the random order.", kind="int"),
        NA,
    ),
    contributions=contributions,
)

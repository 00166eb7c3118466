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
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.tl.algorithms._shared import dense_sums, drawn_running_sums
from mtorscore.tl.engine.gene_sets import Array, Ints, Sets, State
from mtorscore.tl.engine.spec import MethodSpec, Param, Scored, StateSizes, TileSource, is_vector
from mtorscore.tl.engine.tiles import Tile

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
        # Where the cohort's scores do not differ there is nothing to divide by.
        scores = scores / (high - low) if high > low else np.full_like(scores, np.nan)
    return Scored(scores)


def fit(source: TileSource, sets: Sets, params: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Learn the range of all scores of the cohort."""
    low, high = source.reduce(partial(_range, sets=sets, params=params), _wider)
    return {"range": np.array([low, high])}


def sound(state: State, sizes: StateSizes, params: Mapping[str, Any]) -> bool:
    """Whether there is a range where one was learned."""
    del sizes, params
    return "range" not in state or is_vector(state["range"], 2, np.floating)


def _range(tile: Tile, sets: Sets, params: Mapping[str, Any]) -> tuple[float, float]:
    scores = _enrichment(tile, sets, params)
    known = scores[~np.isnan(scores)]
    return (float(known.min()), float(known.max())) if known.size else (np.inf, -np.inf)


def _wider(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return min(a[0], b[0]), max(a[1], b[1])


def _enrichment(tile: Tile, sets: Sets, params: Mapping[str, Any]) -> Array:
    from mtorscore.tl.kernels.part_scores import running_sum_scores
    from mtorscore.tl.kernels.rank_sums import running_sums

    omit = params["na"] == "omit"
    entries, parts = tile.entries(sets.genes), sets.parts
    if params["ties"] == "first":
        three, counts = _in_matrix_order(tile, sets, params)
    else:
        weights = step_weights(tile.n_vars, params["alpha"])
        if sets.drawn and entries.full:
            three, counts = drawn_running_sums(entries, sets, weights)
        else:
            sums, counts = running_sums(entries.ranking, weights, *sets.parts_of_genes, parts.sizes, omit)
            three = (sums[:, :, 0], sums[:, :, 1], sums[:, :, 2])
    # The reference puts NaN genes last when told to use everything: they lengthen the running sum below all others.
    n = entries.n_valid if omit else np.full_like(entries.n_valid, tile.n_vars)
    scores: Array = running_sum_scores(*three, counts, n, parts.up_of, parts.down_of)
    return scores


@lru_cache(maxsize=4)
def step_weights(n_vars: int, alpha: float) -> Array:
    """Return the weights of ranks 0, 0.5, 1, ... up to the number of genes, since powers are slow to compute."""
    weights: Array = (np.arange(2 * n_vars + 1) / 2.0) ** alpha
    weights.setflags(write=False)
    return weights


def _in_matrix_order(tile: Tile, sets: Sets, params: Mapping[str, Any]) -> tuple[tuple[Array, Array, Array], Ints]:
    """Return the sums of `running_sums` with ranks truncated to integers and tied genes in matrix order."""
    from mtorscore.tl.kernels.tie_breaking import first_positions

    omit = params["na"] == "omit"
    ranks = tile.ranks(sets.genes)
    shift = np.zeros_like(ranks.n_nan) if omit else ranks.n_nan
    weight = np.floor(ranks.ascending("average")) ** params["alpha"]
    place = first_positions(tile.dense(), sets.genes) + shift[:, None]
    steps, moves, places = (dense_sums(values, sets, omit=omit) for values in (weight, weight * place, place))
    return (steps[0], moves[0], places[0]), steps[1]


SPEC = MethodSpec(
    name="ssgsea",
    title="ssGSEA",
    score=ssgsea,
    fit=fit,
    sound=sound,
    cohort_dependent=False,
    cohort_options=("normalise",),
    signed=True,
    weighted=False,
    basis="ranks",
    competitive=True,
    input_scale="any monotone scale within an observation; lengths corrected (TPM, FPKM) for bulk",
    sparse_exact=True,
    keeps_tables=True,
    null="random signatures matched in size and expression",
    null_closed=False,
    range="about [-N/2, N/2] for N genes; about [-1, 1] when normalised",
    reference="R GSVA 1.53.31 (ties='first' on data with ties)",
    citation="Barbie et al., Nature 2009;462:108-112",
    formula="sum_set(r^alpha q) / sum_set(r^alpha) - (N(N+1)/2 - sum_set(q)) / (N - k), up minus down",
    params=(
        Param("alpha", 0.25, "Exponent of the rank in the step weights.", kind="float", low=0.0),
        Param("normalise", False, "Whether to divide by the range over the cohort and all signatures.", kind="bool"),
        Param("ties", "average", "`average` is free of order, `first` is the reference.", choices=("average", "first")),
        Param(
            "na",
            "everything",
            "What a NaN does: `everything` makes the scores NaN of the signatures that hold the gene, in that "
            "observation; outside of a signature the gene comes last there, one more step of the walk below all "
            "numbers, as in the reference. `omit`: in that observation as if the matrix did not have the gene.",
            choices=("everything", "omit"),
        ),
    ),
)

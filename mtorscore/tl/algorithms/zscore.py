r"""Combined z-score: each gene standardised over the cohort, then added up over the signature.

    s = sum_g w_g (x_g - mean_g) / sd_g / sqrt(sum_g w_g^2)

with the cohort's mean and standard deviation (n - 1 in its denominator). Genes that are constant over the cohort carry
no information and are left out, in the denominator too. With unit weights the denominator is sqrt(k).
`zeros="ignored"` standardises over the non-zero values of a gene only and leaves zeros at 0: what the reference does
with sparse input.

Lee E, Chuang HY, Kim JW, Ideker T, Lee D. Inferring pathway activity toward precise disease classification. PLoS
Comput Biol 2008;4:e1000217.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.tl.algorithms._moments import gene_moments, standardise
from mtorscore.tl.algorithms._shared import NA, bits_for, drawn_sums, fixed_point, members, part_sums
from mtorscore.tl.engine.gene_sets import Array, Sets, State
from mtorscore.tl.engine.spec import GeneContributions, MethodSpec, Param, Scored, StateSizes, TileSource, is_vector
from mtorscore.tl.engine.tiles import Tile

__all__ = ["SPEC", "fit", "zscore"]


def zscore(
    tile: Tile, sets: Sets, params: Mapping[str, Any], state: State | None = None, pvalues: bool = False
) -> Scored:
    """Score a tile against frozen means and standard deviations.

    Parameters
    ----------
    tile
        Rows to score.
    sets
        Signed, weighted sets.
    params
        `zeros` and `na`.
    state
        `mean` and `sd` of each gene of ``sets.genes``.
    pvalues
        Not used: genes are correlated, so the null of independent genes would mislead.

    Returns
    -------
    Scored
        Scores; NaN where no gene of a signature varies in the reference.
    """
    del pvalues
    frozen = state or {}
    if params["zeros"] == "values" and tile.all_finite() and not np.isnan(frozen["sd"]).any():
        if sets.drawn and tile.x is not None:
            return Scored(_of_drawn(tile, sets, frozen["mean"], frozen["sd"]))
        return Scored(_from_products(tile, sets, frozen["mean"], frozen["sd"]))
    z = standardise(tile.columns(sets.genes), frozen["mean"], frozen["sd"], ignore_zeros=params["zeros"] == "ignored")
    omit = params["na"] == "omit"
    # A gene that the reference never saw is left out, or makes its signatures NaN.
    varying = sets.keep_genes(frozen["sd"] > 0 if omit else frozen["sd"] != 0)
    total, _ = part_sums(z, varying, omit=omit, weights=varying.weights)
    present = np.where(np.isnan(z), 0.0, 1.0) if omit else np.ones_like(z)
    squares, _ = part_sums(present, varying, omit=False, weights=varying.weights**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores: Array = total / np.sqrt(squares)
    scores[squares == 0] = np.nan
    return Scored(scores)


def _from_products(tile: Tile, sets: Sets, mean: Array, sd: Array) -> Array:
    """Return sum(w x / sd) - sum(w mean / sd): the same sums, computed from values that are not 0."""
    used = sd[sets.slots] > 0
    scale = np.divide(sets.weights, sd[sets.slots], out=np.zeros_like(sets.weights), where=used)
    shift = np.bincount(sets.owner, weights=np.where(used, scale * mean[sets.slots], 0.0), minlength=len(sets))
    squares = np.bincount(sets.owner, weights=np.where(used, sets.weights**2, 0.0), minlength=len(sets))
    with np.errstate(invalid="ignore", divide="ignore"):
        scores: Array = (tile.dot(sets, scale) - shift) / np.sqrt(squares)
    scores[:, squares == 0] = np.nan
    return scores


def _of_drawn(tile: Tile, sets: Sets, mean: Array, sd: Array) -> Array:
    """Return the scores of drawn sets, from deviates that are made once for all of them."""

    def deviates() -> Array:
        return standardise(tile.columns(sets.genes), mean, sd)

    # A gene that does not vary has no deviate, and adds nothing.
    squares = np.add.reduceat((sd[sets.slots] > 0) * sets.weights**2, sets.indptr[:-1])
    key = (sets.genes, mean, sd)
    if (np.abs(sets.weights) == 1).all():
        bits = bits_for(sets)
        table = tile.once(f"deviates in {bits} bits", key, lambda: fixed_point(deviates(), bits))
        scores = _up_less_down(drawn_sums(table, sets), sets)
    else:
        from mtorscore.tl.kernels.drawn_sums import segment_products, side_by_side

        side = tile.once("deviates side by side", key, lambda: side_by_side(deviates()))
        scores = segment_products(side, tile.n_obs, sets.indptr, sets.slots.astype(np.int32), sets.weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores /= np.sqrt(squares)
    scores[:, squares == 0] = np.nan
    return scores


def _up_less_down(sums: Array, sets: Sets) -> Array:
    """Return the sums of the up parts less those of the down parts; a part without a gene adds nothing."""
    up_of, down_of = sets.parts.up_of, sets.parts.down_of
    if (down_of < 0).all():
        return sums
    up, down = (np.where(of >= 0, sums[:, of], 0.0) for of in (up_of, down_of))
    found: Array = up - down
    return found


def fit(source: TileSource, sets: Sets, params: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Learn the mean and standard deviation of each gene."""
    moments = gene_moments(source, sets.genes, ignore_zeros=params["zeros"] == "ignored")
    return {"mean": moments.mean, "sd": moments.sd}


def sound(state: State, sizes: StateSizes, params: Mapping[str, Any]) -> bool:
    """Whether there is a mean and a standard deviation per gene of the sets."""
    del params
    return all(is_vector(state.get(k), sizes.n_genes, np.floating) for k in ("mean", "sd"))


def contributions(tile: Tile, sets: Sets, i: int, params: Mapping[str, Any], state: State) -> GeneContributions:
    """Return each gene's weighted deviate over the root of the sum of squared weights; a constant gene adds nothing."""
    part, x = members(tile, sets, i)
    slots, weights = sets.slots[part], sets.weights[part]
    mean, sd = state["mean"][slots], state["sd"][slots]
    z = standardise(x, mean, sd, ignore_zeros=params["zeros"] == "ignored")
    omit = params["na"] == "omit"
    left_out = ~(sd > 0) if omit else sd == 0
    counted = np.broadcast_to(~left_out, z.shape) & ~(np.isnan(z) & omit)
    squares = np.where(counted, weights**2, 0.0).sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(counted | (squares == 0), weights * z / np.sqrt(squares), 0.0)
    return GeneContributions(values, np.where(squares[:, 0] > 0, 0.0, np.nan))


SPEC = MethodSpec(
    name="zscore",
    title="Combined z-score",
    score=zscore,
    fit=fit,
    sound=sound,
    cohort_dependent=True,
    signed=True,
    weighted=True,
    basis="deviates",
    competitive=False,
    input_scale="log",
    sparse_exact=True,
    keeps_tables=True,
    null="random signatures matched in size and expression",
    null_closed=False,
    range="unbounded; SD 1 over the cohort if genes were independent",
    reference="R GSVA 1.53.31, method zscore (zeros='ignored' for a sparse matrix there)",
    citation="Lee et al., PLoS Comput Biol 2008;4:e1000217",
    state_per_gene=True,
    formula="sum_g w_g z_g / sqrt(sum_g w_g^2), z over the cohort",
    params=(
        Param(
            "zeros",
            "values",
            "`values`: zeros count like any value; `ignored`: over non-zeros only, as the reference does when sparse.",
            choices=("values", "ignored"),
        ),
        NA,
    ),
    contributions=contributions,
)

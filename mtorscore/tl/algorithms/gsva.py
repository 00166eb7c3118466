r"""GSVA: genes made comparable by their distribution over the cohort, ranked within an observation, walked like GSEA.

1. Each gene's value becomes its distribution function over the cohort: with a Gaussian kernel of bandwidth sd / 4
   (`kcdf="gaussian"`, for logarithms), Poisson kernels with mean x + 0.5 (`"poisson"`, for counts), or the step
   function (`"none"`). Genes constant over the cohort are left out.
2. Within an observation these are ranked; the gene at place q from the top has weight |N / 2 - q + 1|^tau.
3. Walking down, genes of the set add their share of the set's weights, others subtract 1 / (N - k). The score is the
   sum of the largest positive and negative deviation (`max_diff`; their distance with `abs_ranking`), or else the one
   of larger size.

`ties="average"` treats genes of equal distribution function (to 12 digits) as one block that is passed in one step, so
that no order of genes matters; `ties="first"` is the reference: ties in matrix order. `zeros="ignored"` is what the
reference does with sparse input: distribution functions over the non-zero values of a gene only, zeros last. Down genes
are scored apart and subtracted.

The Gaussian kernel is read from a table in steps of 0.001 standard deviations, without interpolation, as the reference
does. A distribution function is off by less than 0.0004, so genes of an observation that differ by less than 0.0008
may change places or tie. Where none do, the score is that of the exact kernel to rounding. In a small matrix of mixed
magnitudes (one value far out makes the others of its gene alike) one such pair matters: in 600 random matrices of 3 to
11 observations and 6 to 19 genes scores were off by up to 0.38.

Haenzelmann S, Castelo R, Guinney J. GSVA: gene set variation analysis for microarray and RNA-seq data. BMC
Bioinformatics 2013;14:7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.tl.algorithms._kernel_cdf import (
    densities_at,
    densities_within,
    distributions_are_sound,
    learn_values,
    starts_within,
)
from mtorscore.tl.algorithms._shared import join_directions
from mtorscore.tl.engine.gene_sets import Array, Ints, Sets, State
from mtorscore.tl.engine.spec import MethodSpec, Param, Scored, StateSizes, TileSource
from mtorscore.tl.engine.tiles import Tile

__all__ = ["SPEC", "fit", "gsva"]


def gsva(
    tile: Tile, sets: Sets, params: Mapping[str, Any], state: State | None = None, pvalues: bool = False
) -> Scored:
    """Score a tile against the frozen distributions.

    Parameters
    ----------
    tile
        Rows to score.
    sets
        Signed sets; weights are not used.
    params
        `kcdf`, `tau`, `max_diff`, `abs_ranking`, `ties`, `zeros` and `na`.
    state
        What `fit` learned.
    pvalues
        Not used: the null has no closed form.

    Returns
    -------
    Scored
        Scores.
    """
    del pvalues
    from mtorscore.tl.kernels.gsva_walk import walk_deviations

    frozen = state or {}
    kept = frozen["kept"]
    x = tile.columns(kept)
    density = densities_at(x, frozen, params)
    if params["ties"] == "average" and params["kcdf"] != "none":
        density = np.round(density, 12)
    position = np.full(tile.n_vars, -1, dtype=np.int64)
    position[kept] = np.arange(kept.size)
    used = sets.restrict(position[sets.genes] >= 0)
    places = position[used.genes]
    zero = x == 0 if params["zeros"] == "ignored" else None
    above, tied, weight = _order(density, zero, places, params)
    parts = {}
    for sign in (1, -1):
        part = used.direction(sign)
        parts[sign] = walk_deviations(
            above,
            tied,
            weight,
            float(kept.size),  # with genes that are NaN in an observation, which come last there, as in the reference
            part.indptr,
            part.slots,
            params["max_diff"],
            params["abs_ranking"],
            params["na"] == "omit",
        )
    return Scored(join_directions(parts[1], parts[-1], used, down_sign=-1))


def fit(source: TileSource, sets: Sets, params: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Learn each gene's distribution; the cohort is held in memory, since every gene takes part in the ranking."""
    del sets
    state = learn_values(source, params)
    state["density"] = densities_within(state, params)
    state["starts"] = starts_within(state, params)
    return state


def sound(state: State, sizes: StateSizes, params: Mapping[str, Any]) -> bool:
    """Whether the genes kept are genes, and their distributions in order."""
    return distributions_are_sound(state, sizes.n_vars, params)


def _order(
    density: Array, zero: npt.NDArray[np.bool_] | None, genes: Ints, params: Mapping[str, Any]
) -> tuple[Array, Array, Array]:
    """Return genes above and tied with each gene of interest, and its weight."""
    n_valid = (density.shape[1] - np.isnan(density).sum(axis=1)).astype(np.float64)[:, None]
    if params["ties"] == "first":
        from mtorscore.tl.kernels.tie_breaking import first_positions

        above = n_valid - first_positions(density, genes)
        tied = np.ones_like(above)
    else:
        ranks = Tile(0, density.shape[1], x=np.ascontiguousarray(density)).ranks(genes)
        above = (n_valid - ranks.less - ranks.equal).astype(np.float64)
        above[ranks.less < 0] = np.nan
        tied = ranks.equal.astype(np.float64)
    middle = above + (tied + 1) / 2
    if zero is None:
        return above, tied, np.abs(n_valid / 2 - middle + 1) ** params["tau"]
    # Zeros share rank 1, below all other values, and come last: in reverse matrix order in the reference.
    weight = np.abs(n_valid / 2 - middle + 1.5)
    here = zero[:, genes]
    weight[here] = np.broadcast_to(np.abs((n_valid + 1) / 2 - 1), weight.shape)[here]
    last = np.cumsum(zero[:, ::-1], axis=1)[:, ::-1][:, genes] - 1.0
    above[here] = (n_valid + (last if params["ties"] == "first" else 0.0) + np.zeros_like(above))[here]
    n_zero = zero.sum(axis=1).astype(np.float64)[:, None]
    tied[here] = 1.0 if params["ties"] == "first" else np.broadcast_to(n_zero, tied.shape)[here]
    return above, tied, weight ** params["tau"]


SPEC = MethodSpec(
    name="gsva",
    title="GSVA",
    score=gsva,
    fit=fit,
    sound=sound,
    cohort_dependent=True,
    signed=True,
    weighted=False,
    basis="deviates",
    competitive=True,
    input_scale="log for the Gaussian kernel, counts for the Poisson kernel, any without kernel",
    sparse_exact=True,
    null="random signatures matched in size and expression",
    null_closed=False,
    range="[-1, 1]; [-2, 2] for signed signatures",
    reference="R GSVA 1.53.31 (ties='first' on data with ties; for a sparse matrix there, zeros='ignored' is its "
    "sparse=TRUE, and constant='nonzero' its choice of genes with sparse=FALSE)",
    citation="Hänzelmann et al., BMC Bioinformatics 2013;14:7",
    formula="max and min deviation of a weighted random walk over genes ranked by their cohort distribution function",
    holds_cohort=True,
    params=(
        Param("kcdf", "gaussian", "Kernel of the distribution function.", choices=("gaussian", "poisson", "none")),
        Param("tau", 1.0, "Exponent of the weights.", kind="float", low=0.0),
        Param("max_diff", True, "Sum of both extremes, or the larger one.", kind="bool"),
        Param("abs_ranking", False, "With max_diff, the distance of the extremes.", kind="bool"),
        Param("ties", "average", "`average` is free of order, `first` is the reference.", choices=("average", "first")),
        Param("zeros", "values", "`ignored`: as the reference does when sparse.", choices=("values", "ignored")),
        Param(
            "constant",
            "values",
            "Genes left out: constant in all `values`, or in `nonzero` ones, as the reference does with sparse input.",
            choices=("values", "nonzero"),
        ),
        Param(
            "na",
            "everything",
            "`everything`: a NaN makes its gene NaN in every observation, and the scores of the signatures that hold "
            "it; outside of a signature the gene comes last in every observation, below all numbers, as in the "
            "reference. `omit`: its distribution is learned from its numbers, and only where it is NaN the gene is "
            "left out of its signatures, and comes last for the others.",
            choices=("everything", "omit"),
        ),
    ),
)

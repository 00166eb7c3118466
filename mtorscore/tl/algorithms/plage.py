r"""PLAGE: the first principal component of a signature's standardised genes over the cohort.

With Z the genes of the signature standardised over the cohort and Z = U D V' (genes x observations), the scores of the
cohort are the first column of V, a unit vector. A new observation scores u_1' z / d_1 with the frozen loadings. The
sign of a singular vector is arbitrary: it is fixed so that the loadings agree with the signature's signed weights
(sum_g w_g u_g >= 0; where that cancels, sum_g w_g mean_g u_g >= 0). Genes constant over the cohort are left out.
`zeros="ignored"` standardises over non-zero values and leaves zeros at 0, which is what the reference does with sparse
input.

Tomfohr J, Lu J, Kepler TB. Pathway level analysis of gene expression using singular value decomposition. BMC
Bioinformatics 2005;6:225.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.tl.algorithms._moments import gene_moments, standardise
from mtorscore.tl.algorithms._shared import NA, members, part_sums
from mtorscore.tl.engine.gene_sets import Array, Sets, State
from mtorscore.tl.engine.spec import GeneContributions, MethodSpec, Param, Scored, StateSizes, TileSource, is_vector
from mtorscore.tl.engine.tiles import Tile

__all__ = ["SPEC", "fit", "plage"]


def plage(
    tile: Tile, sets: Sets, params: Mapping[str, Any], state: State | None = None, pvalues: bool = False
) -> Scored:
    """Score a tile with frozen loadings.

    Parameters
    ----------
    tile
        Rows to score.
    sets
        The sets that `fit` saw.
    params
        `zeros` and `na`.
    state
        `mean`, `sd` per gene and `loading` beside ``sets.slots``.
    pvalues
        Not used: the null has no closed form.

    Returns
    -------
    Scored
        Scores.
    """
    del pvalues
    frozen = state or {}
    z = standardise(tile.columns(sets.genes), frozen["mean"], frozen["sd"], ignore_zeros=params["zeros"] == "ignored")
    if params["na"] == "omit":
        z = np.nan_to_num(z, nan=0.0)
    scores, _ = part_sums(z, sets, omit=False, weights=frozen["loading"])
    return Scored(scores)


def fit(source: TileSource, sets: Sets, params: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Learn means, standard deviations and loadings; of the genes that signatures use, the cohort is held in memory."""
    ignored = params["zeros"] == "ignored"
    moments = gene_moments(source, sets.genes, ignore_zeros=ignored)
    z = np.vstack(
        [standardise(t.columns(sets.genes), moments.mean, moments.sd, ignore_zeros=ignored) for t in source.tiles()]
    )
    if params["na"] == "omit":
        z = np.nan_to_num(z, nan=0.0)
    loading = np.full(sets.slots.size, np.nan)
    for i in range(len(sets)):
        part = slice(sets.indptr[i], sets.indptr[i + 1])
        slots = sets.slots[part]
        used = moments.sd[slots] > 0 if params["na"] == "omit" else moments.sd[slots] != 0
        block = z[:, slots[used]]
        if used.any() and not np.isnan(block).any():
            values = np.zeros(slots.size)
            values[used] = _first_component(block, sets.weights[part][used], moments.mean[slots[used]])
            loading[part] = values
    return {"mean": moments.mean, "sd": moments.sd, "loading": loading}


def sound(state: State, sizes: StateSizes, params: Mapping[str, Any]) -> bool:
    """Whether there are moments per gene of the sets, and a loading per place."""
    del params
    moments = all(is_vector(state.get(k), sizes.n_genes, np.floating) for k in ("mean", "sd"))
    return moments and is_vector(state.get("loading"), sizes.n_slots, np.floating)


def _first_component(z: Array, weights: Array, mean: Array) -> Array:
    """Return u_1 / d_1 of ``z'``, its sign fixed without regard to the order of genes or observations."""
    _, d, vt = np.linalg.svd(z, full_matrices=False)
    u: Array = vt[0]
    # Two genes that move against each other agree with their weights neither way; then the more expressed one decides.
    for direction in (weights, weights * mean, weights * mean**2):
        agreement = float(u @ direction)
        if abs(agreement) > 1e-9 * np.linalg.norm(direction):
            u = u if agreement > 0 else -u
            break
    return u / d[0] if d[0] > 0 else np.full(u.size, np.nan)


def contributions(tile: Tile, sets: Sets, i: int, params: Mapping[str, Any], state: State) -> GeneContributions:
    """Return each gene's deviate times its loading."""
    part, x = members(tile, sets, i)
    slots = sets.slots[part]
    z = standardise(x, state["mean"][slots], state["sd"][slots], ignore_zeros=params["zeros"] == "ignored")
    if params["na"] == "omit":
        z = np.nan_to_num(z, nan=0.0)
    return GeneContributions(z * state["loading"][part], np.zeros(tile.n_obs))


SPEC = MethodSpec(
    name="plage",
    title="PLAGE",
    score=plage,
    fit=fit,
    sound=sound,
    cohort_dependent=True,
    signed=True,
    weighted=True,
    basis="deviates",
    competitive=False,
    input_scale="log",
    sparse_exact=True,
    null="random signatures matched in size and expression",
    null_closed=False,
    range="[-1, 1]; a unit vector over the cohort",
    reference="R GSVA 1.53.31, method plage (its sign is arbitrary; zeros='ignored' for a sparse matrix there)",
    citation="Tomfohr et al., BMC Bioinformatics 2005;6:225",
    formula="first right singular vector of z over the cohort; weights decide its sign only",
    state_per_set=True,
    holds_cohort=True,
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

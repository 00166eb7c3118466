r"""Module score: mean expression of a signature's genes minus that of control genes of similar expression.

Genes are sorted into bins by their mean over the cohort. The two flavours differ in the bins and the controls:

* `seurat`: bins by quantiles of the means; for each gene of the signature `n_controls` genes are drawn from its bin,
  and the union of all draws is averaged.
* `scanpy`: bins by rank, ``rank // round(N / (n_bins - 1))``; for each bin that the signature touches `n_controls`
  genes are drawn once, and the union of what is not the signature's own is averaged.

`controls="expected"` returns the exact expectation over those draws, which is what drawing often and averaging would
converge to (draws that leave no control do not count); `"sampled"` draws once from `seed`: the draw of scanpy itself,
and for `seurat` one with the same distribution. In scanpy's draw the signature's genes can be drawn and are then taken
out, if `set_in_pool`. Given the sizes u_b of the drawn unions per bin, every gene of a bin is equally likely to be in
it, so the expected control is sum_b E[u_b / sum u] mean_b. Where the bins hold no gene but the signature's own, there
is no score. Down genes are scored apart and subtracted.

Tirosh I, Izar B, Prakadan SM, et al. Dissecting the multicellular ecosystem of metastatic melanoma by single-cell
RNA-seq. Science 2016;352:189-196.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.tl.algorithms._control_genes import (
    expected_shares,
    quantile_bins,
    rank_bins,
    sample_scanpy,
    sample_seurat,
)
from mtorscore.tl.algorithms._shared import members
from mtorscore.tl.engine.gene_sets import Array, Ints, Sets, State
from mtorscore.tl.engine.spec import GeneContributions, MethodSpec, Param, Scored, StateSizes, TileSource, is_vector
from mtorscore.tl.engine.tiles import Tile

__all__ = ["SPEC", "fit", "module_score"]


SIGNIFICANT = 12


def module_score(
    tile: Tile, sets: Sets, params: Mapping[str, Any], state: State | None = None, pvalues: bool = False
) -> Scored:
    """Score a tile with frozen controls.

    Parameters
    ----------
    tile
        Rows to score.
    sets
        The signed sets that `fit` saw; weights are not used.
    params
        Those that `fit` was given.
    state
        `own` (coefficients beside ``sets.slots``), `bin_of`, `bin_weight`, and the controls drawn, if any.
    pvalues
        Not used: the null has no closed form.

    Returns
    -------
    Scored
        Scores.
    """
    del params, pvalues
    frozen = state or {}
    without = np.isnan(frozen["own"])
    scores = tile.dot(sets, np.where(without, 0.0, frozen["own"])) - _control_means(tile, sets, frozen)
    # Written afterwards: a NaN among coefficients would not reach the zeros of a sparse row.
    scores[:, np.unique(sets.owner[without])] = np.nan
    return Scored(scores)


def _control_means(tile: Tile, sets: Sets, frozen: State) -> Array:
    """Return the mean of the controls of up genes minus that of down genes, ``(n_obs, n_sets)``."""
    weight = frozen["bin_weight"]
    if weight.size:
        found: Array = tile.bin_sums(frozen["bin_of"], weight.shape[0]) @ weight
        return found
    return tile.dot(_drawn_sets(frozen, len(sets), tile.n_vars))


def contributions(tile: Tile, sets: Sets, i: int, params: Mapping[str, Any], state: State) -> GeneContributions:
    """Return each gene's share in the means; the controls are the baseline."""
    del params
    part, x = members(tile, sets, i)
    return GeneContributions(state["own"][part] * x, -_control_means(tile, sets, state)[:, i])


def fit(source: TileSource, sets: Sets, params: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Learn the bins from the cohort's means and choose, or take the expectation over, the controls."""
    means = _gene_means(source)
    by_rank = params["flavour"] == "scanpy"
    bins = (rank_bins if by_rank else quantile_bins)(means, params["n_bins"])
    own = np.zeros(sets.slots.size)
    n_bins = max(int(bins.max()), 0) + 1
    weight = np.zeros((n_bins, len(sets)))
    drawn: list[tuple[int, Ints, float]] = []
    for sign in (1, -1):
        for i in range(len(sets)):
            part = slice(sets.indptr[i], sets.indptr[i + 1])
            here = np.flatnonzero(sets.weights[part] * sign > 0) + sets.indptr[i]
            columns = sets.genes[sets.slots[here]]
            if not columns.size:
                continue
            own[here] = sign / columns.size
            if not by_rank and np.isin(bins, bins[columns]).sum() == columns.size:
                own[here] = np.nan  # the controls could only be the signature's own genes
                continue
            if params["controls"] == "sampled":
                sample = sample_scanpy if by_rank else sample_seurat
                controls = sample(columns, bins, params)
                drawn.append((i, controls, float(sign)))
                if not controls.size:
                    own[here] = np.nan
                continue
            shares, sizes = expected_shares(
                columns, bins, params["n_controls"], exclude=by_rank, in_pool=params["set_in_pool"]
            )
            per_gene = np.divide(shares, sizes, out=np.zeros_like(shares), where=sizes > 0)
            weight[:, i] += sign * per_gene
            if by_rank:
                own[here] += sign * per_gene[bins[columns]]
            if shares.sum() == 0:
                own[here] = np.nan
    return {"own": own, "bin_of": bins} | _controls(weight, drawn, params["controls"] == "sampled")


def sound(state: State, sizes: StateSizes, params: Mapping[str, Any]) -> bool:
    """Whether every gene has a bin that has weights, and every drawn control is a gene."""
    del params
    if not {"own", "bin_of", "bin_weight"} <= state.keys():
        return False
    bins, weight = state["bin_of"], state["bin_weight"]
    if not is_vector(state["own"], sizes.n_slots, np.floating) or not is_vector(bins, sizes.n_vars, np.integer):
        return False
    if weight.ndim != 2 or weight.dtype.kind != "f":
        return False
    if "control" not in state:
        return bool(((bins >= -1) & (bins < weight.shape[0])).all())
    n = state["control"].size
    kinds = {"control": np.integer, "control_set": np.integer, "control_weight": np.floating}
    vectors = all(is_vector(state.get(k), n, kind) for k, kind in kinds.items())
    return vectors and bool(((state["control"] >= 0) & (state["control"] < sizes.n_vars)).all())


def _controls(weight: Array, drawn: list[tuple[int, Ints, float]], sampled: bool) -> dict[str, npt.NDArray[Any]]:
    if not sampled:
        return {"bin_weight": weight}
    none = [np.zeros(0)]
    owner = np.concatenate(none + [np.full(c.size, i) for i, c, _ in drawn]).astype(np.int64)
    columns = np.concatenate(none + [c for _, c, _ in drawn]).astype(np.int64)
    each = np.concatenate(none + [np.full(c.size, sign / max(c.size, 1)) for _, c, sign in drawn])
    return {"bin_weight": np.zeros((0, 0)), "control_set": owner, "control": columns, "control_weight": each}


def _drawn_sets(frozen: State, n_sets: int, n_vars: int) -> Sets:
    owner = frozen["control_set"]
    columns = [frozen["control"][owner == i] for i in range(n_sets)]
    weights = [frozen["control_weight"][owner == i] for i in range(n_sets)]
    return Sets.from_lists(columns, weights, n_vars)


def _gene_means(source: TileSource) -> Array:
    total, n, size = source.reduce(_sums, _add)
    with np.errstate(invalid="ignore", divide="ignore"):
        means, size = total / n, size / n
    # Genes of one mean stay together, whatever the order in which observations were added up: what is smaller than the
    # rounding of the values themselves, which may cancel, is no difference.
    exponent = np.floor(np.log10(size, out=np.zeros_like(size), where=(size > 0) & np.isfinite(size)))
    unit = np.maximum(10.0 ** (exponent - SIGNIFICANT), np.finfo(np.float64).tiny)
    rounded: Array = np.round(means / unit) * unit
    return rounded


def _sums(tile: Tile) -> tuple[Array, Array, Array]:
    """Return per column the sum, how many values are known, and the sum of absolute values."""
    sums, n = tile.column_sums()
    values, columns = (tile.x, None) if tile.x is not None else tile.csr()[:2]
    if not (values < 0).any():
        return sums, n, sums
    sizes = np.abs(np.nan_to_num(values))
    if columns is None:
        return sums, n, sizes.sum(axis=0)
    per_column: Array = np.bincount(columns, weights=sizes, minlength=tile.n_vars).astype(np.float64)
    return sums, n, per_column


def _add(a: tuple[Array, Array, Array], b: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


SPEC = MethodSpec(
    name="module_score",
    title="Module score",
    score=module_score,
    fit=fit,
    sound=sound,
    cohort_dependent=True,
    signed=True,
    weighted=False,
    basis="values",
    competitive=True,
    input_scale="log",
    sparse_exact=True,
    null="random signatures matched in size and expression",
    null_closed=False,
    range="that of the values",
    reference="Seurat 4.3.0 AddModuleScore (its mean over draws); scanpy 1.12.4 score_genes",
    citation="Tirosh et al., Science 2016;352:189-196",
    formula="mean(signature) - expected mean(controls from the same expression bins), up minus down",
    state_per_set=True,
    params=(
        Param("n_bins", 24, "Bins of mean expression.", kind="int", low=2),
        Param("n_controls", 100, "Control genes per gene (seurat) or per bin (scanpy).", kind="int", low=1),
        Param("controls", "expected", "Exact expectation, or one draw.", choices=("expected", "sampled")),
        Param("flavour", "seurat", "Whose bins and controls.", choices=("seurat", "scanpy")),
        Param("set_in_pool", True, "Whether scanpy's draw may hit the signature's genes.", kind="bool"),
        Param("seed", 0, "Decides the draw.", kind="int", low=0),
    ),
    contributions=contributions,
)

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

from mtorscore.tl._tiles import Tile
from mtorscore.tl._types import Array, Ints, MethodSpec, Param, Scored, Sets, State, TileSource
from mtorscore.tl.methods._controls import expected_shares, quantile_bins, rank_bins, sample_scanpy, sample_seurat

__all__ = ["SPEC", "fit", "module_score"]


SIGNIFICANT = 13


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
    scores = tile.dot(sets, frozen["own"])
    weight = frozen["bin_weight"]
    if weight.size:
        scores -= tile.bin_sums(frozen["bin_of"], weight.shape[0]) @ weight
    else:
        controls = _drawn_sets(frozen, len(sets), tile.n_vars)
        scores -= tile.dot(controls)
    return Scored(scores)


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
    total, n = source.reduce(Tile.column_sums, _add_both)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = total / n
    # Genes of one mean stay together, whatever the order in which observations were added up.
    exponent = np.floor(np.log10(np.abs(means), out=np.zeros_like(means), where=(means != 0) & np.isfinite(means)))
    unit = np.maximum(10.0 ** (exponent - SIGNIFICANT), np.finfo(np.float64).tiny)
    return np.round(means / unit) * unit


def _add_both(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    return a[0] + b[0], a[1] + b[1]


SPEC = MethodSpec(
    name="module_score",
    title="Module score",
    score=module_score,
    fit=fit,
    cohort_dependent=True,
    signed=True,
    weighted=False,
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
)

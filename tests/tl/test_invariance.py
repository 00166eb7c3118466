"""No score depends on the order of genes or observations, on the container, on blocks or on threads."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtorscore import tl
from tests.containers import ArrayType, dense_and_sparse
from tests.tl.specs import COHORT, METHODS, RANKED, SINGLE, SPECS

SETS: dict[str, Any] = {
    "plain": [f"g{i}" for i in range(0, 40, 3)],
    "signed": {"up": [f"g{i}" for i in range(5, 25)], "down": [f"g{i}" for i in range(40, 52)]},
    "weighted": {f"g{i}": (-1) ** i * (i + 1) / 7 for i in range(60, 75)},
    "half": ["g80", "g81", "absent1"],
}
pytestmark = pytest.mark.filterwarnings("ignore::mtorscore.errors.IgnoredWarning")


def cohort(seed: int = 0, n_obs: int = 23, n_vars: int = 120, *, counts: bool = True) -> ad.AnnData:
    """Sparse-like counts with an empty and a one-gene observation, a constant and a never-seen gene."""
    rng = np.random.default_rng(seed)
    x = rng.poisson(rng.gamma(0.6, 2.0, n_vars), (n_obs, n_vars)).astype(float)
    if counts:
        x[3] = 0
        x[4] = 0
        x[4, 7] = 2
        x[:, 11] = 0
    x[:, 12] = 3
    names = [f"g{i}" for i in range(n_vars)]
    return ad.AnnData(np.log1p(x), pd.DataFrame(index=[f"o{i}" for i in range(n_obs)]), pd.DataFrame(index=names))


def in_container(array_type: ArrayType, adata: ad.AnnData) -> ad.AnnData:
    """Return the same observations and genes with the matrix in another container."""
    return ad.AnnData(array_type(adata.X), pd.DataFrame(index=adata.obs_names), pd.DataFrame(index=adata.var_names))


def scores(adata: ad.AnnData, method: str, **options: Any) -> pd.DataFrame:
    table = tl.score(adata, SETS, method=method, copy=True, **options).obsm[f"score_{method}"]
    assert isinstance(table, pd.DataFrame)
    return table


@pytest.mark.parametrize("method", METHODS)
@given(seed=st.integers(0, 1000))
@settings(max_examples=3, deadline=None)
def test_orders_do_not_matter(method: str, seed: int) -> None:
    adata = cohort(seed)
    rng = np.random.default_rng(seed)
    genes, rows = rng.permutation(adata.n_vars), rng.permutation(adata.n_obs)
    straight = scores(adata, method)
    turned = scores(adata[rows][:, genes].copy(), method).loc[straight.index]
    np.testing.assert_allclose(turned, straight, rtol=1e-9, atol=1e-11)


@cache
def dense_scores(method: str) -> pd.DataFrame:
    return scores(cohort(), method)


@pytest.mark.parametrize("method", METHODS)
def test_containers_do_not_matter(method: str, array_type: ArrayType) -> None:
    found = scores(in_container(array_type, cohort()), method)
    np.testing.assert_allclose(found, dense_scores(method), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("array_type", ["numpy-c", "csr_matrix", "csc_matrix"], indirect=True)
def test_a_backed_matrix_scores_like_memory(method: str, array_type: ArrayType, tmp_path: Path) -> None:
    in_container(array_type, cohort()).write_h5ad(tmp_path / "x.h5ad")
    backed = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    tl.score(backed, SETS, method=method)
    np.testing.assert_allclose(backed.obsm[f"score_{method}"], dense_scores(method), rtol=1e-12, atol=1e-12)
    backed.file.close()


@pytest.mark.parametrize("method", METHODS)
@dense_and_sparse
def test_blocks_and_threads_do_not_matter(method: str, array_type: ArrayType) -> None:
    adata = in_container(array_type, cohort())
    for block, threads in ((1, 1), (4, 2), (100, 1)):
        again = scores(adata, method, block=block, threads=threads)
        np.testing.assert_allclose(again, dense_scores(method), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@dense_and_sparse
def test_threads_change_no_bit(method: str, array_type: ArrayType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also not where the cohort is learned from: what is added up is cut alike for any number of threads."""
    monkeypatch.setattr("mtorscore.tl.engine.source.TILE_BYTES", 120 * 8 * 20)
    monkeypatch.setattr("mtorscore.tl.engine.source.FEWEST_ROWS", 7)
    adata = in_container(array_type, cohort(n_obs=331))
    one = scores(adata, method, threads=1)
    for threads in (2, 3, None):
        np.testing.assert_array_equal(scores(adata, method, threads=threads), one)


@pytest.mark.parametrize("method", SINGLE)
def test_single_sample_scores_do_not_see_other_observations(method: str) -> None:
    adata = cohort()
    np.testing.assert_array_equal(scores(adata[[2, 9]].copy(), method), scores(adata, method).iloc[[2, 9]])


@pytest.mark.parametrize("method", COHORT)
def test_cohort_methods_do(method: str) -> None:
    adata = cohort()
    assert np.abs(scores(adata[:10].copy(), method).to_numpy() - scores(adata, method)[:10].to_numpy()).max() > 1e-3


@pytest.mark.parametrize("method", RANKED)
@given(power=st.floats(0.2, 3.0), scale=st.floats(0.1, 100.0))
@settings(max_examples=5, deadline=None)
def test_monotone_transforms_leave_ranks_alone(method: str, power: float, scale: float) -> None:
    adata = cohort()
    other = adata.copy()
    # Rounded first, so that no two values meet through rounding.
    other.X = (np.round(np.asarray(adata.X), 6) * scale) ** power
    np.testing.assert_array_equal(scores(other, method), scores(adata, method))


@pytest.mark.parametrize("method", METHODS)
def test_absent_genes_change_coverage_only(method: str) -> None:
    adata = cohort()
    options: dict[str, Any] = {"missing": "skip"} if "missing" in SPECS[method].defaults() else {}
    more = {"plain": [*SETS["plain"], "absent2", "absent3"]}
    first = tl.score(adata, {"plain": SETS["plain"]}, method=method, copy=True, **options)
    second = tl.score(adata, more, method=method, copy=True, **options)
    np.testing.assert_array_equal(first.obsm[f"score_{method}"], second.obsm[f"score_{method}"])
    assert first.uns["mtorscore"][method]["coverage"].loc["plain", "coverage"] == 1
    assert second.uns["mtorscore"][method]["coverage"].loc["plain", "coverage"] == pytest.approx(14 / 16)


def test_methods_together_are_the_same_as_alone() -> None:
    adata = cohort()
    together = tl.score(adata, SETS, method=METHODS, copy=True)
    for method in METHODS:
        np.testing.assert_array_equal(together.obsm[f"score_{method}"], scores(adata, method))


@pytest.mark.parametrize("method", RANKED)
def test_negative_values_are_ranked_below_zeros(method: str, array_type: ArrayType) -> None:
    rng = np.random.default_rng(5)
    x = np.round(rng.normal(0, 2, (8, 60)))
    names = pd.DataFrame(index=[f"g{i}" for i in range(60)])
    sets = {"s": [f"g{i}" for i in range(9)]}
    found = tl.score(ad.AnnData(array_type(x), var=names), sets, method=method).obsm[f"score_{method}"]
    lifted = tl.score(ad.AnnData(x + 50, var=names), sets, method=method).obsm[f"score_{method}"]
    np.testing.assert_allclose(found, lifted, rtol=1e-12, atol=1e-12)


def test_means_that_cancel_give_the_same_control_bins_in_every_order() -> None:
    rng = np.random.default_rng(38)
    x = np.round(rng.normal(0, 1, (50, 53)), 1)  # sums of 50 such values are often equal, but for rounding
    adata = ad.AnnData(x, var=pd.DataFrame(index=[f"g{i}" for i in range(53)]))
    sets = {f"s{k}": [f"g{i}" for i in rng.permutation(53)[:9]] for k in range(9)}
    found = []
    for rows, block in ((np.arange(50), None), (np.arange(50), 7), (np.arange(50)[::-1], 28), (rng.permutation(50), 1)):
        scored = tl.score(adata[rows].copy(), sets, method="module_score", block=block)
        found.append(scored.obsm["score_module_score"].loc[adata.obs_names].to_numpy())
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=0, atol=1e-12)

"""Every edge case has a defined result in every method."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from mtorscore import SignatureScorer, tl
from mtorscore.errors import (
    CoverageWarning,
    DataError,
    IgnoredWarning,
    MethodError,
    SignatureError,
)
from mtorscore.tl.engine.open_source import open_source
from tests.containers import ArrayType, dense_and_sparse, in_memory
from tests.tl.specs import COHORT, METHODS, RANKED, SPECS
from tests.tl.test_invariance import cohort


def one(adata: ad.AnnData, method: str, genes: Any, **options: Any) -> np.ndarray:
    scored = tl.score(adata, {"s": genes}, method=method, copy=True, **options)
    values = scored.obsm[f"score_{method}"]["s"].to_numpy()
    assert values.shape == (adata.n_obs,)
    return np.asarray(values)


@pytest.mark.parametrize("method", METHODS)
def test_no_gene_present_gives_nan_with_a_reason(method: str) -> None:
    sets = {"here": ["g1", "g2", "g3"], "gone": ["nope1", "nope2"]}
    with pytest.warns(CoverageWarning, match="gone"):
        adata = tl.score(cohort(), sets, method=method, pvalues=True, n_random=9)
    table = adata.obsm[f"score_{method}"]
    assert list(table.columns) == ["here", "gone"]
    assert table["gone"].isna().all()
    assert adata.obsm[f"pval_{method}"]["gone"].isna().all()
    assert not table["here"].isna().all()
    coverage = adata.uns["mtorscore"][method]["coverage"]
    assert coverage.loc["gone", "reason"] == "none of its genes is in the matrix"
    assert coverage.loc["gone", "missing"] == "nope1,nope2"
    assert coverage.loc["here", "reason"] == ""


@pytest.mark.parametrize("method", METHODS)
def test_no_overlap_at_all(method: str) -> None:
    adata = cohort()
    with pytest.warns(CoverageWarning, match="harmonise_genes") as caught:
        tl.score(adata, {"s": ["ACACA", "FASN"], "t": ["SCD"]}, method=method)
    assert len(caught) == 1
    with pytest.warns(CoverageWarning, match="None of the genes of 1 signature"):
        scores = SignatureScorer({"s": ["ACACA", "FASN"]}, method=method).fit_transform(adata)
    assert adata.obsm[f"score_{method}"].isna().all(axis=None)
    assert scores.isna().all(axis=None)
    assert "none of its genes" in adata.uns["mtorscore"][method]["coverage"].loc["s", "reason"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1, 2])
def test_one_or_two_genes_are_scored(method: str, size: int) -> None:
    assert np.isfinite(one(cohort(), method, ["g20", "g21"][:size])).sum() >= 20


@pytest.mark.parametrize("method", METHODS)
def test_a_signature_as_large_as_the_matrix(method: str) -> None:
    adata = cohort()
    values = one(adata, method, list(adata.var_names))
    if SPECS[method].competitive:
        assert np.isnan(values).all()  # nothing is left to compare with
        scorer = SignatureScorer({"s": list(adata.var_names)}, method=method).fit(adata)
        assert "nothing to compare with" in scorer.coverage_.loc["s", "reason"]
    else:
        assert np.isfinite(values).all()


def test_ucell_of_a_signature_as_large_as_the_matrix_is_one() -> None:
    adata = cohort()
    np.testing.assert_allclose(one(adata, "ucell", list(adata.var_names)), 1.0)


def with_tied_observations() -> ad.AnnData:
    """Return a cohort with an empty, a one-gene and an all-tied observation: 3, 4 and 5."""
    adata = cohort(counts=False)
    adata.X[3] = 0
    adata.X[4] = 0
    adata.X[4, 7] = 2
    adata.X[:, 12] = 0
    adata.X[5] = 1.5
    return adata


@pytest.mark.parametrize("method", METHODS)
def test_empty_one_gene_and_all_tied_observations(method: str) -> None:
    adata = with_tied_observations()
    values = one(adata, method, ["g7", "g8", "g9", "g30"])
    if SPECS[method].basis == "regression":
        assert np.isnan(values[[3, 5]]).all()  # an observation that does not vary has no slope
        assert np.isfinite(values[4])
    else:
        assert np.isfinite(values[[3, 4]]).all()
    if method in RANKED:
        assert values[4] > values[3]


@pytest.mark.parametrize(("method", "options"), [("singscore", {"ties": "average"}), ("ssgsea", {})])
def test_observations_without_any_difference_score_zero(method: str, options: dict[str, Any]) -> None:
    values = one(with_tied_observations(), method, ["g7", "g8"], **options)
    np.testing.assert_allclose(values[[3, 5]], 0.0, atol=1e-12)


@pytest.mark.parametrize("method", [m for m in COHORT if SPECS[m].basis == "deviates"])
def test_constant_genes_are_left_out(method: str) -> None:
    adata = cohort()
    with_constant = one(adata, method, ["g20", "g21", "g22", "g12"])
    without = one(adata, method, ["g20", "g21", "g22"])
    np.testing.assert_allclose(with_constant, without, rtol=1e-12)
    scored = tl.score(adata, {"c": ["g12", "g11"], "s": ["g20"]}, method=method, copy=True)
    assert scored.obsm[f"score_{method}"]["c"].isna().all()
    assert "constant" in scored.uns["mtorscore"][method]["coverage"].loc["c", "reason"]


@pytest.mark.parametrize("method", COHORT)
def test_two_observations(method: str) -> None:
    adata = cohort(counts=False)[:2].copy()
    values = one(adata, method, [f"g{i}" for i in range(20, 40)])
    assert np.isfinite(values).all()
    with pytest.raises(MethodError, match="cannot learn from 1 sample"):
        one(adata[:1].copy(), method, ["g20"])


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_duplicates() -> None:
    adata = cohort()
    np.testing.assert_array_equal(one(adata, "singscore", ["g1", "g2", "g1"]), one(adata, "singscore", ["g1", "g2"]))
    adata.var_names = [*adata.var_names[:-1], "g5"]
    np.testing.assert_array_equal(one(adata, "mean", ["g1"]), np.asarray(adata.X)[:, 1])
    with pytest.raises(SignatureError, match="duplicated in the matrix \\(g5"):
        one(adata, "mean", ["g5"])


@pytest.mark.parametrize("method", METHODS)
@in_memory
def test_nan(method: str, array_type: ArrayType) -> None:
    adata = cohort(counts=False)
    genes = [f"g{i}" for i in range(20, 30)]
    adata.X[2, 25] = np.nan
    adata.X[6, 90] = np.nan
    adata.X = array_type(adata.X)
    values = one(adata, method, genes)
    assert np.isnan(values[2])
    omits = "na" in SPECS[method].defaults()
    spoilt = {2} if omits else {2, 6}  # methods in which every gene of an observation takes part cannot leave one out
    if SPECS[method].holds_cohort:  # a gene with a NaN has no place in the cohort
        assert np.isnan(values).all()
    else:
        assert set(np.flatnonzero(np.isnan(values))) <= spoilt
    if omits:
        assert np.isfinite(one(adata, method, genes, na="omit")).all()


@pytest.mark.parametrize("method", METHODS)
@in_memory
def test_infinite_values_are_refused(method: str, array_type: ArrayType) -> None:
    adata = cohort()
    adata.X[2, 3] = np.inf
    adata.X = array_type(adata.X)
    with pytest.raises(DataError, match="1 infinite value"):
        one(adata, method, ["g1", "g3"])


def test_unsupported_matrices_are_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"builtins\.list cannot be scored"):
        open_source([[1.0]])
    with pytest.raises(DataError, match="empty"):
        open_source(np.zeros((0, 3)))
    names = pd.DataFrame(index=["g1", "g2"])
    text = ad.AnnData(np.array([["1", "2"]], dtype=object), var=names)
    with pytest.raises(DataError, match="object"):
        tl.score(text, {"s": ["g1"]})


def test_what_a_method_cannot_use_is_said_once() -> None:
    sets = {"w": {"g1": 1.0, "g2": 3.0}, "v": {"g3": 2.0, "g4": 1.0}}
    with pytest.warns(IgnoredWarning, match=r"singscore does not use weights.*2 signature") as caught:
        tl.score(cohort(), sets, method="singscore")
    assert len([w for w in caught if w.category is IgnoredWarning]) == 1


def test_min_coverage_and_mask() -> None:
    adata = cohort()
    sets = {"low": ["g1", "g2", "q1"], "full": ["g3", "g4"]}
    adata.obs["tumour"] = [i % 2 == 0 for i in range(adata.n_obs)]
    tl.score(adata, sets, method="zscore", min_coverage=0.9, mask_obs="tumour")
    table = adata.obsm["score_zscore"]
    assert table["low"].isna().all()
    assert "below min_coverage" in adata.uns["mtorscore"]["zscore"]["coverage"].loc["low", "reason"]
    alone = adata[adata.obs["tumour"].to_numpy()].copy()
    tl.score(alone, sets, method="zscore")
    np.testing.assert_allclose(table.loc[alone.obs_names, "full"], alone.obsm["score_zscore"]["full"])
    assert table.loc[~adata.obs["tumour"], "full"].isna().all()
    with pytest.raises(DataError, match="not a column"):
        tl.score(adata, sets, mask_obs="normal")
    with pytest.raises(DataError, match="booleans"):
        tl.score(adata, sets, mask_obs=[True])
    with pytest.raises(DataError, match="no observation"):
        tl.score(adata, sets, mask_obs=np.zeros(adata.n_obs, dtype=bool))


def test_wrong_requests() -> None:
    adata = cohort()
    with pytest.raises(MethodError, match="Did you mean singscore"):
        tl.score(adata, {"s": ["g1"]}, method="singscor")
    with pytest.raises(MethodError, match="Did you mean max_rank"):
        tl.score(adata, {"s": ["g1"]}, method="ucell", maxrank=5)
    with pytest.raises(MethodError, match="choose one of"):
        tl.score(adata, {"s": ["g1"]}, method="ssgsea", ties="last")
    with pytest.raises(MethodError, match="outside"):
        tl.score(adata, {"s": ["g1"]}, method="ssgsea", alpha=-1)
    with pytest.raises(MethodError, match="whole number"):
        tl.score(adata, {"s": ["g1"]}, method="ucell", max_rank=1.5)
    with pytest.raises(MethodError, match="None of ucell, mean"):
        tl.score(adata, {"s": ["g1"]}, method=["ucell", "mean"], alpha=1)
    with pytest.raises(MethodError, match="named twice"):
        tl.score(adata, {"s": ["g1"]}, method=["mean", "mean"])
    with pytest.raises(DataError, match="no layer"):
        tl.score(adata, {"s": ["g1"]}, layer="counts")
    with pytest.raises(DataError, match="stable_genes"):
        tl.score(adata, {"s": ["g1"]}, method="singscore", stable_genes=["q"])
    with pytest.raises(MethodError, match="negative"):
        tl.score(ad.AnnData(-np.asarray(adata.X) - 1, var=adata.var), {"s": ["g1"]}, method="gsva", kcdf="poisson")


def test_constant_input_is_left_alone() -> None:
    adata = cohort()
    before = adata.X.copy()
    adata.raw = adata
    returned = tl.score(adata, {"s": ["g1", "g2"]}, method=METHODS, key_added="run")
    assert returned is adata
    np.testing.assert_array_equal(adata.X, before)
    assert "run_mean" in adata.obsm
    copied = tl.score(adata, {"s": ["g1", "g2"]}, method="mean", key_added="other", copy=True)
    assert "other" in copied.obsm
    assert "other" not in adata.obsm


@pytest.mark.parametrize("controls", ["expected", "sampled"])
@pytest.mark.parametrize("flavour", ["seurat", "scanpy"])
@dense_and_sparse
def test_without_control_genes_there_is_no_module_score(controls: str, flavour: str, array_type: ArrayType) -> None:
    few = cohort()[:, :12].copy()
    few.X[::2, 1] = 0
    few.X = array_type(few.X)
    options = {"controls": controls, "flavour": flavour}
    assert np.isnan(one(few, "module_score", ["g1"], **options)).all()  # 24 bins of 12 genes: each stands alone
    assert np.isfinite(one(few, "module_score", ["g1"], n_bins=2, **options)).all()


@pytest.mark.parametrize("word", ["gene_symbols", "use_raw"])
def test_words_of_scanpy_are_explained(word: str) -> None:
    adata = ad.AnnData(np.ones((3, 2)))
    adata.var_names = ["A", "B"]
    with pytest.raises(MethodError, match=rf"{word}= is scanpy's word.*ids="):
        tl.score(adata, {"S": ["A"]}, method="mean", **{word: "feature_name"})

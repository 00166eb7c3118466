"""p-values: exact against enumeration and sampling, calibrated where genes are independent."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mtorscore import tl
from mtorscore._multiple_testing import adjust_p
from mtorscore.tl.engine.random_signatures import draw, expression_bins
from tests.tl.specs import CLOSED, METHODS, SPECS
from tests.tl.test_invariance import cohort

# Beside the defaults, so that the few genes of these tests are enough.
OPTIONS: dict[str, dict[str, Any]] = {"aucell": {"top": 0.5}, "ucell": {"max_rank": 100}}


def independent(n_obs: int = 40, n_vars: int = 800, *, tied: bool = False) -> ad.AnnData:
    rng = np.random.default_rng(7)
    x = rng.normal(6, 2, (n_obs, n_vars))
    x = np.maximum(np.round(x) - 5, 0) if tied else x
    return ad.AnnData(x, var=pd.DataFrame(index=[f"g{i}" for i in range(n_vars)]))


def random_sets(n: int, n_vars: int) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    sets: dict[str, Any] = {}
    for i in range(n):
        genes = [f"g{j}" for j in rng.choice(n_vars, 45, replace=False)]
        sets[f"s{i}"] = {"up": genes[:30], "down": genes[30:]} if i % 2 else genes
    return sets


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("method", CLOSED)
def test_closed_forms_are_calibrated_where_genes_are_independent(method: str, tied: bool) -> None:
    adata = independent(tied=tied)
    options = OPTIONS.get(method, {}) | ({"max_rank": 400} if method == "ucell" else {})
    joint = SPECS[method].joint  # few signatures, so that each is left with enough of the genes
    sets = random_sets(12 if joint else 100, adata.n_vars)
    p = tl.score(adata, sets, method=method, pvalues=True, **options).obsm[f"pval_{method}"].to_numpy()
    share = (p < 0.05).mean()
    assert abs(share - 0.05) < (0.03 if joint else 0.012)
    assert abs((p < 0.5).mean() - 0.5) < (0.08 if joint else 0.03)


def test_rank_sum_is_the_wilcoxon_test_with_tie_correction() -> None:
    adata = independent(6, 90, tied=True)
    genes = [f"g{i}" for i in range(25)]
    p = tl.score(adata, {"s": genes}, method="singscore", ties="average", pvalues=True).obsm["pval_singscore"]["s"]
    for i in range(6):
        row = np.asarray(adata.X)[i]
        theirs = stats.mannwhitneyu(row[:25], row[25:], use_continuity=False, method="asymptotic").pvalue
        assert p.iloc[i] == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("method", [m for m in CLOSED if SPECS[m].basis != "regression"])
def test_moments_are_those_of_random_signatures(method: str) -> None:
    adata = cohort(counts=False)
    options = OPTIONS.get(method, {})
    sets = {"s": [f"g{i}" for i in range(20, 44)]}
    tl.score(adata, sets, method=method, pvalues=True, **options)
    weights = [np.ones(24)]
    ((_, null),) = tl.random_scores(adata.X, weights, 3000, method=method, seed=1, params=options)
    z = (adata.obsm[f"score_{method}"]["s"].to_numpy() - null.mean(axis=1)) / null.std(axis=1, ddof=1)
    ours = stats.norm.isf(adata.obsm[f"pval_{method}"]["s"] / 2)
    np.testing.assert_allclose(ours, np.abs(z), atol=0.12)


@pytest.mark.parametrize("method", [m for m, spec in SPECS.items() if not spec.null_closed])
def test_random_signatures_serve_where_there_is_no_closed_form(method: str) -> None:
    adata = independent(12, 300)
    adata.X[:, :20] += np.linspace(-3, 3, 12)[:, None]
    sets = {"moved": [f"g{i}" for i in range(20)], "quiet": [f"g{i}" for i in range(100, 120)]}
    tl.score(adata, sets, method=method, pvalues=True, n_random=99)
    p = adata.obsm[f"pval_{method}"]
    if method != "plage":  # a unit vector over the cohort reaches as far for random genes
        assert p["moved"].iloc[[0, -1]].max() <= 0.04
    assert p["quiet"].min() > 0.001
    assert p.to_numpy().min() >= 0.02 - 1e-12
    again = tl.score(adata, sets, method=method, pvalues=True, n_random=99, copy=True)
    pd.testing.assert_frame_equal(again.obsm[f"pval_{method}"], p)


def test_adjust_p() -> None:
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(0)
    p = rng.uniform(size=(5, 9))
    for i, row in enumerate(adjust_p(p)):
        np.testing.assert_allclose(row, multipletests(p[i], method="fdr_bh")[1])
    p[0, 3] = np.nan
    adjusted = adjust_p(p)
    assert np.isnan(adjusted[0, 3])
    np.testing.assert_allclose(np.delete(adjusted[0], 3), multipletests(np.delete(p[0], 3), method="fdr_bh")[1])


def test_draws_are_matched_and_reproducible() -> None:
    means = np.arange(200.0)
    bins = expression_bins(means, 10)
    assert np.bincount(bins).tolist() == [20] * 10
    columns = np.array([3, 5, 8, 77, 150, 151], dtype=np.int64)
    drawn = draw(columns, 6, 4000, bins, seed=1)
    assert (bins[drawn] == bins[columns]).all()
    assert all(len(set(row)) == 6 for row in drawn)
    share = np.bincount(drawn[:, 3], minlength=200)[60:80] / 4000
    assert abs(share - 0.05).max() < 0.02
    np.testing.assert_array_equal(draw(columns, 6, 10, bins, seed=1), drawn[:10])
    assert (draw(columns, 6, 10, bins, seed=2) != drawn[:10]).any()


def test_random_scores_are_scores() -> None:
    adata = cohort(n_vars=80, counts=False)
    weights = np.zeros((80, 2))
    weights[[3, 8, 20, 31], 0] = [1.0, 1.0, -1.0, 2.0]
    weights[[50, 51], 1] = 1.0
    bins = expression_bins(np.asarray(adata.X).mean(axis=0), 8)
    for method in METHODS:
        if SPECS[method].joint or SPECS[method].state_per_set:
            continue  # these depend on the sets scored together
        found = dict(tl.random_scores(adata.X, weights, 5, method=method, bins=8, seed=4))
        drawn = draw(np.flatnonzero(weights[:, 0]), 4, 5, bins, seed=4, stream=0)
        sets = {
            f"r{i}": {f"g{c}": w for c, w in zip(row, [1.0, 1.0, -1.0, 2.0], strict=True)}
            for i, row in enumerate(drawn)
        }
        with contextlib.nullcontext() if SPECS[method].weighted else pytest.warns():
            direct = tl.score(adata, sets, method=method, copy=True).obsm[f"score_{method}"]
        # Sums of random sets may be taken in fixed point, to a 2**31st of the largest number.
        exact = 1e-8 * float(np.abs(np.asarray(direct)).max()) if SPECS[method].keeps_tables else 0.0
        np.testing.assert_allclose(found[0], direct, rtol=1e-10, atol=exact + 1e-12)
        assert found[1].shape == (adata.n_obs, 5)


def test_random_signatures_keep_directions_and_weights() -> None:
    adata = cohort(counts=False)
    random = tl.random_signatures({"t": {"g1": 2.0, "g2": -1.0, "absent": 1.0}}, adata, 3, seed=1)
    assert random.names == ["t.random1", "t.random2", "t.random3"]
    first = random.signatures[0]
    assert (len(first.up), len(first.down)) == (1, 1)
    assert first.weights == {first.up[0]: 2.0}


@pytest.mark.slow
@pytest.mark.shared
def test_calibration_on_real_tumours_is_reported(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = pd.read_parquet(next((shared / "data" / "tcga-lihc").glob("*.parquet")))
    values = x.select_dtypes("number").to_numpy(dtype=float)
    values = values.T if values.shape[0] > values.shape[1] else values
    values = np.log2(values[:, values.mean(axis=0) > 0.5] + 1)
    adata = ad.AnnData(values, var=pd.DataFrame(index=[f"g{i}" for i in range(values.shape[1])]))
    sets = random_sets(100, values.shape[1])
    centred = values - values.mean(axis=0)
    strongest = np.argsort(-np.abs(np.corrcoef(centred[:, :2000].T)[0]))[:45]
    sets["coherent"] = [f"g{i}" for i in strongest]
    with capsys.disabled():
        print()
        for method in ("singscore", "ucell", "wmean", "ulm"):
            p = tl.score(adata, sets, method=method, pvalues=True, copy=True).obsm[f"pval_{method}"]
            share = (p.drop(columns="coherent") < 0.05).to_numpy().mean()
            print(
                f"tcga-lihc, {method}: {share:.3f} of p-values of random signatures are below 0.05; "
                f"of 45 co-expressed genes: {(p['coherent'] < 0.05).mean():.3f}"
            )
            assert 0.03 < share < 0.08

"""Cells are summarised, and compared, on samples."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mtorscore import pp, tl
from mtorscore.errors import DataError, DataWarning, MethodError
from tests.containers import ArrayType, dense_and_sparse


def scored(n: int = 240, shift: float = 0.0) -> ad.AnnData:
    rng = np.random.default_rng(2)
    sample = rng.permutation(np.arange(n) % 8)
    obs = pd.DataFrame(
        {
            "sample": [f"s{i}" for i in sample],
            "cell_type": rng.choice(["T", "hep"], n),
            "treatment": np.where(sample < 4, "drug", "none"),
        },
        index=[f"c{i}" for i in range(n)],
    )
    counts = sparse.csr_matrix(rng.poisson(1.0, (n, 30)).astype(float))
    adata = ad.AnnData(counts, obs, pd.DataFrame(index=[f"g{i}" for i in range(30)]))
    values = rng.normal(0, 1, (n, 2)) + 2 * rng.normal(0, 1, 8)[sample][:, None]
    values[:, 0] += shift * (sample < 4)
    values[0, 1] = np.nan
    adata.obsm["score_ucell"] = pd.DataFrame(values, index=adata.obs_names, columns=["A", "B"])
    return adata


def test_summaries_are_those_of_pandas() -> None:
    adata = scored()
    found = tl.summarise(
        adata, ["sample", "cell_type"], statistics=["mean", "median", "sd", "fraction_above"], min_cells=1
    )
    table = pd.concat([adata.obs, adata.obsm["score_ucell"]], axis=1)
    for name in ("A", "B"):
        groups = table.groupby(["sample", "cell_type"])[name]
        mine = found[found["signature"] == name].set_index(["sample", "cell_type"]).sort_index()
        for statistic, expected in (("mean", groups.mean()), ("median", groups.median()), ("sd", groups.std())):
            np.testing.assert_allclose(mine[statistic], expected, rtol=1e-12)
        np.testing.assert_array_equal(mine["n_cells"], groups.count())
        above = groups.apply(lambda v: (v > 0).sum() / v.count())
        np.testing.assert_allclose(mine["fraction_above"], above)


def test_small_groups_are_left_out_and_errors_say_what_is_there() -> None:
    adata = scored()
    assert len(tl.summarise(adata, "sample", min_cells=30)) == 16
    with pytest.raises(DataError, match="the most are 30"):
        tl.summarise(adata, "sample", min_cells=31)
    with pytest.raises(DataError, match="no column 'patient'"):
        tl.summarise(adata, "patient")
    with pytest.raises(MethodError, match="mode"):
        tl.summarise(adata, "sample", statistics=["mode"])
    with pytest.raises(DataError, match="no scores of gsva"):
        tl.summarise(adata, "sample", method="gsva")


def test_p_values_over_cells_are_refused() -> None:
    with pytest.raises(MethodError, match=r"not independent.*sample_key"):
        tl.compare_samples(scored(), "treatment", treated="drug", control="none")


def test_samples_are_compared_not_cells() -> None:
    """Sample effects of SD 2 and no treatment effect: over cells p would be tiny, over samples it is not."""
    from scipy import stats

    adata = scored()
    drug = (adata.obs["treatment"] == "drug").to_numpy()
    cells = stats.ttest_ind(*(adata.obsm["score_ucell"]["A"].to_numpy()[m] for m in (drug, ~drug))).pvalue
    found = tl.compare_samples(adata, "treatment", treated="drug", control="none", sample_key="sample")
    assert found.loc[0, "n_treated"] == 4
    assert found.loc[0, "p"] > cells
    assert found.loc[0, "p"] >= 2 / 70
    strong = tl.compare_samples(
        scored(shift=30.0),
        "treatment",
        treated="drug",
        control="none",
        sample_key="sample",
        cell_type="cell_type",
        min_cells=2,
    )
    assert set(strong["cell_type"]) == {"T", "hep"}
    assert strong.loc[strong["signature"] == "A", "p"].max() == pytest.approx(2 / 70)
    assert (strong["q"] >= strong["p"]).all()


def test_a_sample_in_two_groups_is_an_error() -> None:
    adata = scored()
    adata.obs.loc["c0", "treatment"] = "drug" if adata.obs.loc["c0", "treatment"] == "none" else "none"
    with pytest.raises(DataError, match="more than one value within 1 sample"):
        tl.compare_samples(adata, "treatment", treated="drug", control="none", sample_key="sample")


def test_smoothing_is_explicit_and_keeps_the_scores() -> None:
    adata = scored(12)
    graph = np.zeros((12, 12))
    graph[1, 2], graph[1, 3], graph[4, 0] = 1.0, 3.0, 2.0
    adata.obsp["connectivities"] = sparse.csr_matrix(graph)
    before = adata.obsm["score_ucell"].copy()
    tl.smooth(adata, own=0.25)
    after = adata.obsm["score_ucell_smoothed"]
    pd.testing.assert_frame_equal(adata.obsm["score_ucell"], before)
    a = before["A"].to_numpy()
    assert after["A"].iloc[1] == pytest.approx(0.25 * a[1] + 0.75 * (a[2] + 3 * a[3]) / 4)
    np.testing.assert_array_equal(after["A"].to_numpy()[5:], a[5:])
    # The neighbour of cell 4 has no score of B.
    assert after["B"].iloc[4] == before["B"].iloc[4]
    with pytest.raises(DataError, match=r"pp\.neighbors"):
        tl.smooth(adata, connectivities="other")


@dense_and_sparse
def test_pseudobulk_adds_up_the_cells_of_a_group(array_type: ArrayType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtorscore.pp.cell_aggregation.ROWS", 50)
    adata = scored()
    dense = adata.X.toarray()
    adata.X = array_type(dense)
    found = pp.pseudobulk(adata, ["sample", "cell_type"], min_cells=1)
    mask = ((adata.obs["sample"] == "s3") & (adata.obs["cell_type"] == "T")).to_numpy()
    row = found["s3|T"]
    np.testing.assert_allclose(np.asarray(row.X).ravel(), dense[mask].sum(axis=0))
    assert row.obs["n_cells"].iloc[0] == mask.sum()
    assert row.obs["treatment"].iloc[0] == "drug"
    mean = pp.pseudobulk(adata, "sample", statistic="mean")
    here = (adata.obs["sample"] == "s5").to_numpy()
    np.testing.assert_allclose(np.asarray(mean["s5"].X).ravel(), dense[here].mean(axis=0))
    assert "cell_type" not in mean.obs
    assert len(pp.pseudobulk(adata, ["sample", "cell_type"], min_cells=15).uns["pseudobulk"]["left_out"]) > 0
    with pytest.raises(DataError, match="has 1000 cells"):
        pp.pseudobulk(adata, "sample", min_cells=1000)


def test_cells_without_a_sample_are_counted_with_one_warning() -> None:
    adata = scored()
    adata.obs["sample"] = adata.obs["sample"].astype(object)
    adata.obs.loc[["c0", "c1"], "sample"] = [None, ""]
    with pytest.warns(DataWarning, match="2 of 240"):
        assert pp.pseudobulk(adata, "sample").uns["pseudobulk"]["cells_without_group"] == 2
    drug: dict[str, Any] = {"treated": "drug", "control": "none", "sample_key": "sample"}
    with pytest.warns(DataWarning, match=r"2 of 240 observations have no value in sample \(c0, c1\)") as caught:
        found = tl.compare_samples(adata, "treatment", **drug)
    assert len(caught) == 1
    assert set(found["cells_without_sample"]) == {2}
    assert set(found["n_cells"]) == {238}
    with pytest.warns(DataWarning, match="2 of 240") as caught:
        again = tl.contrast(adata, "treatment", **drug)
    assert len(caught) == 1
    assert (set(again["cells_without_sample"]), set(again["n_cells"])) == ({2}, {238})
    with pytest.warns(DataWarning, match="2 of 240"):
        by_type = tl.compare_samples(adata, "treatment", cell_type="cell_type", min_cells=2, **drug)
    assert by_type.groupby("cell_type")["n_cells"].first().sum() == 238
    assert by_type.groupby("cell_type")["cells_without_sample"].first().sum() == 2
    assert "cells_without_sample" not in tl.contrast(
        adata.obsm["score_ucell"], adata.obs["treatment"], treated="drug", control="none"
    )

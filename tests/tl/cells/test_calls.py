"""Calls of cells: thresholds of reference cells or between modes, samples as the unit."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mtorscore import tl
from mtorscore.errors import DataError, DataWarning
from mtorscore.tl.cells.thresholds import Cells, quantile


def cells(
    rng: np.random.Generator, n: int = 3000, m: int = 12, *, share: float = 0.3, shift: float = 4.0
) -> ad.AnnData:
    """Make cells whose samples differ (SD 0.3); in the second half of the samples a share is shifted."""
    sample = rng.integers(0, m, n)
    active = (sample >= m // 2) & (rng.random(n) < share)
    values = rng.normal(0, 1, n) + rng.normal(0, 0.3, m)[sample] + shift * active
    obs = pd.DataFrame(
        {"sample": [f"s{i:02d}" for i in sample], "healthy": sample < m // 2}, index=[f"c{i}" for i in range(n)]
    )
    adata = ad.AnnData(np.zeros((n, 1)), obs)
    adata.obsm["score_ucell"] = pd.DataFrame({"A": values, "SKEWED": rng.gamma(1.0, 1.0, n)}, index=adata.obs_names)
    return adata


def test_the_quantile_counts_samples_alike() -> None:
    values = np.concatenate([np.arange(100.0), np.arange(100.0, 104.0)])
    found = Cells.of(values, np.repeat([0, 1], [100, 4]))
    # Half of the weight lies in the sample of four cells.
    assert quantile(found, found.alike, level=0.5)[0] == 99
    assert quantile(found, found.alike, level=0.75)[0] == 101


def test_reference_cells_set_the_threshold() -> None:
    adata = cells(np.random.default_rng(4))
    calls = tl.call_cells(adata, sample_key="sample", reference="healthy")
    row = calls.signatures.set_index("signature").loc["A"]
    assert row["threshold_low"] < row["threshold"] < row["threshold_high"]
    assert row["threshold_low"] < stats.norm.ppf(0.95, 0, np.sqrt(1.09)) < row["threshold_high"]
    assert 0.02 < row["reference_active"] < 0.12
    assert row["active_low"] < 0.3 * 0.99 + 0.7 * 0.05 < row["active_high"]
    assert (row["n_reference_samples"], row["n_samples"]) == (6, 6)
    values = adata.obsm["score_ucell"]["A"]
    np.testing.assert_array_equal(calls.cells["A"], (values > row["threshold"]).astype(float))
    pd.testing.assert_frame_equal(adata.obsm["active_ucell"], calls.cells)
    mine = calls.samples[calls.samples["signature"] == "A"].set_index("sample")
    assert sorted(mine.index) == [f"s{i:02d}" for i in range(6, 12)]
    assert mine["active"].mean() == pytest.approx(row["active"])
    assert (mine["n_active"] / mine["n_cells"] == mine["active"]).all()


def test_two_modes_give_a_threshold_and_one_mode_none() -> None:
    adata = cells(np.random.default_rng(5))
    found = tl.call_cells(adata, sample_key="sample").signatures.set_index("signature")
    assert 1.2 < found.loc["A", "threshold"] < 3.2
    assert found.loc["A", "threshold_low"] < found.loc["A", "threshold"] < found.loc["A", "threshold_high"]
    assert found.loc["A", "active_low"] < 0.15 < found.loc["A", "active_high"]
    assert np.isnan(found.loc["SKEWED", "threshold"])
    assert (
        "have one mode" in found.loc["SKEWED", "reason"] or "resamples have two modes" in found.loc["SKEWED", "reason"]
    )
    assert np.isnan(adata.obsm["active_ucell"]["SKEWED"]).all()


def test_few_samples_give_no_interval_and_say_so() -> None:
    adata = cells(np.random.default_rng(6), m=6)
    row = tl.call_cells(adata, sample_key="sample", reference="healthy").signatures.iloc[0]
    assert np.isfinite(row["threshold"])
    assert np.isnan([row["threshold_low"], row["active_low"]]).all()
    assert row["reason"] == "3 samples set the threshold; 5 are needed for its interval"


def test_cells_without_a_sample_are_called_and_counted() -> None:
    adata = cells(np.random.default_rng(7))
    adata.obs.loc[["c0", "c5"], "sample"] = [None, " "]
    with pytest.warns(DataWarning, match="2 of 3000 observations have no value in sample") as caught:
        calls = tl.call_cells(adata, sample_key="sample", reference="healthy")
    assert len(caught) == 1
    assert calls.without_sample == ("c0", "c5")
    assert np.isfinite(calls.cells.loc[["c0", "c5"], "A"]).all()
    assert calls.signatures.loc[0, ["n_cells", "n_reference_cells"]].sum() == 2998


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": "absent"}, "no column 'absent'"),
        ({"reference": np.ones(3000, dtype=bool)}, "some must be, and some must not"),
        ({"signatures": "B"}, "have no score"),
        ({"level_above": 0.3}, "between 0.5 and 1"),
        ({"sample_key": "cell"}, "names cells, not samples"),
    ],
)
def test_what_cannot_be_called_is_refused(options: dict[str, Any], message: str) -> None:
    adata = cells(np.random.default_rng(8))
    adata.obs["cell"] = adata.obs_names
    with pytest.raises(DataError, match=message):
        tl.call_cells(adata, **{"sample_key": "sample"} | options)


@pytest.mark.slow
def test_intervals_cover_and_one_mode_is_not_split() -> None:
    seed = int(np.random.default_rng().integers(10**6))
    print("seed", seed)
    rng = np.random.default_rng(seed)
    threshold = stats.norm.ppf(0.95, 0, np.sqrt(1.09))
    share = 0.3 * stats.norm.sf(threshold, 4, np.sqrt(1.09)) + 0.7 * 0.05
    rows = pd.concat(
        tl.call_cells(cells(rng, 2000), sample_key="sample", reference="healthy", signatures="A", n_boot=200).signatures
        for _ in range(200)
    )
    # 95% nominal; of 200 the error is 0.015, and few clusters cost some.
    assert ((rows["threshold_low"] <= threshold) & (rows["threshold_high"] >= threshold)).mean() > 0.86
    assert ((rows["active_low"] <= share) & (rows["active_high"] >= share)).mean() > 0.88
    split = pd.concat(
        tl.call_cells(cells(rng, 2000, share=0.0), sample_key="sample", n_boot=50).signatures for _ in range(60)
    )
    assert split["threshold"].notna().mean() < 0.05

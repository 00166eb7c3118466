"""Activation calls: when they are made, and when they are withheld."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.stats import binom

import mtorscore as mt
from benchmarks.prognosis.activation_error import PAGE, SETTINGS, TABLE, measure
from mtorscore.errors import DataError
from mtorscore.prognosis import activation
from mtorscore.prognosis.statistics.quantiles import least_reference, predictive_quantile, quantile_interval


def scores(n_reference: int, shift: float = 0.0, n_tumour: int = 200, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=n_reference)
    tumour = rng.normal(size=n_tumour) + shift
    return pd.DataFrame({"S": np.r_[reference, tumour]}), np.arange(n_reference + n_tumour) >= n_reference


def test_share_active_beyond_the_quantile() -> None:
    table, tumour = scores(60, shift=2.0)
    row = activation(table, tumour, ~tumour, disease="hcc").iloc[0]
    threshold = np.quantile(table["S"][~tumour], 0.95, method="weibull")
    assert_allclose(row["threshold"], threshold)
    assert_allclose(row["active"], (table["S"][tumour] > threshold).mean())
    assert row["active_low"] < row["active"] < row["active_high"]
    assert row["called"]
    assert "cirrhotic" in row["reason"]
    assert activation(table, tumour, ~tumour, reference_is="healthy")["reason"].iloc[0] == ""


@pytest.mark.parametrize("n_reference", [20, 50])
def test_tumours_like_the_reference_are_called_in_five_percent(n_reference: int) -> None:
    """The sample quantile of 20 is exceeded by 8.4% of new observations; the predictive one by 5%."""
    rng = np.random.default_rng(3)
    called = [
        (rng.normal(size=200) > predictive_quantile(rng.normal(size=n_reference), 0.95)).mean() for _ in range(2000)
    ]
    assert abs(np.mean(called) - 0.05) < 0.005


def test_limits_of_a_quantile_are_order_statistics() -> None:
    """The classical limits of a 95th percentile: 72 samples for an upper one at 97.5%."""
    assert least_reference(0.95) == 19
    assert least_reference(0.99) == 99
    assert np.isinf(quantile_interval(np.arange(71.0), 0.95)[1])
    low, high = quantile_interval(np.arange(1.0, 101.0), 0.95)
    assert (low, high) == (90.0, 100.0)
    assert np.isfinite(quantile_interval(np.arange(72.0), 0.95)[1])
    inside = binom.cdf(99, 100, 0.95) - binom.cdf(89, 100, 0.95)
    assert inside >= 0.95


def test_a_higher_quantile_needs_more_reference_samples() -> None:
    table, tumour = scores(60, shift=2.0)
    row = activation(table, tumour, ~tumour, quantile=0.99).iloc[0]
    assert not row["called"]
    assert "99 are needed" in row["reason"]


def test_pairs_are_resampled_as_pairs() -> None:
    """A patient's own level, in tumour and reference alike, leaves the difference; unpaired it would stay in."""
    rng = np.random.default_rng(0)
    level = rng.normal(0, 3, 60)
    table = pd.DataFrame({"S": np.r_[level + rng.normal(size=60), level + rng.normal(size=60) + 1.0]})
    tumour = np.arange(120) >= 60
    patients = pd.Series(np.tile(np.arange(60), 2))
    apart, paired = (activation(table, tumour, ~tumour, patients=p).iloc[0] for p in (None, patients))
    assert paired["difference"] == apart["difference"]
    width = {k: r["difference_high"] - r["difference_low"] for k, r in (("apart", apart), ("paired", paired))}
    assert width["paired"] < 0.7 * width["apart"]
    assert paired["p"] < 0.01 < apart["p"]
    same = activation(table, tumour, ~tumour, patients=pd.Series(np.arange(120))).iloc[0]
    assert_allclose(same[["difference_low", "p"]].astype(float), apart[["difference_low", "p"]].astype(float))


def test_interval_covers_the_truth_with_few_reference_samples() -> None:
    """Tumours like the reference: 5% active in truth; the interval must carry the reference's own uncertainty."""
    hits = []
    for seed in range(120):
        table, tumour = scores(25, n_tumour=80, seed=seed)
        row = activation(table, tumour, ~tumour, n_boot=200, seed=seed).iloc[0]
        hits.append(row["active_low"] <= 0.05 <= row["active_high"])
    assert np.mean(hits) > 0.93


def test_no_call_below_twenty_reference_samples() -> None:
    table, tumour = scores(19, shift=2.0)
    row = activation(table, tumour, ~tumour).iloc[0]
    assert not row["called"]
    assert np.isnan(row["active"])
    assert "19 reference samples" in row["reason"]
    assert row["difference_low"] > 1
    assert row["p"] < 1e-6


@pytest.mark.parametrize(("disease", "word"), [("cca", "biliary"), ("hb", "maturity")])
def test_no_call_across_lineages(disease: str, word: str) -> None:
    table, tumour = scores(60, shift=2.0)
    row = activation(table, tumour, ~tumour, disease=disease).iloc[0]
    assert not row["called"]
    assert np.isnan(row["active"])
    assert word in row["reason"]
    assert np.isfinite(row["difference"])
    assert activation(table, tumour, ~tumour, disease=disease, same_lineage=True)["called"].iloc[0]


def test_direction_of_signatures_that_fall_with_activity() -> None:
    table, tumour = scores(60, shift=-2.0)
    up = activation(table, tumour, ~tumour).iloc[0]
    down = activation(table, tumour, ~tumour, signs={"S": -1}).iloc[0]
    assert up["active"] < 0.05
    assert down["active"] > 0.4
    assert_allclose(down["difference"], -up["difference"])


def test_unusable_input() -> None:
    table, tumour = scores(30)
    with pytest.raises(DataError, match="both tumour and reference"):
        activation(table, tumour, tumour)
    with pytest.raises(DataError, match="No observation is normal"):
        activation(table, tumour, np.zeros(len(table), dtype=bool))
    with pytest.raises(DataError, match="sample_type"):
        activation(table)
    with pytest.raises(DataError, match="Unknown disease"):
        activation(table, tumour, ~tumour, disease="melanoma")


def test_a_reference_that_does_not_vary_makes_no_call() -> None:
    index = [f"s{i}" for i in range(60)]
    table = pd.DataFrame({"A": np.r_[np.arange(30.0), np.ones(30)]}, index)
    row = activation(table, index[:30], index[30:], disease="hcc").iloc[0]
    assert not row["called"]
    assert "does not vary" in row["reason"]


def test_both_errors_and_what_is_published_of_them() -> None:
    text = TABLE.read_text(encoding="utf-8")
    assert f"mtorscore {mt.__version__}" in text.splitlines()[0]
    published = pd.read_csv(TABLE, sep="\t", comment="#")
    assert len(published) == 2 * len(SETTINGS)
    assert (published.loc[published["error"] == "jackknife", "verdict"] == "passes").all()
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"| {r.coverage} | {r.mc_error} | {r.excludes_0} | {r.width} |" in page for r in published.itertuples())
    seed = int(np.random.default_rng().integers(2**31))
    print("seed", seed)
    for number in (3, seed):
        found = measure((9, True, "heavy", 1.0), "jackknife", 60, number)
        assert float(str(found["coverage"])) > 0.85


def test_with_few_reference_samples_the_interval_keeps_its_bounds() -> None:
    """Resamples that hold one reference sample again and again have an SD of rounding, which is none."""
    rng = np.random.default_rng(2)
    tumours, reference = rng.normal(3, 1, 36), rng.normal(0, 1, 4)
    table = pd.DataFrame({"s": np.r_[tumours, reference]})
    is_tumour = np.arange(40) < 36
    for error in ("jackknife", "bootstrap"):
        row = activation(table, is_tumour, ~is_tumour, error=error).iloc[0]
        assert row["difference_high"] - row["difference_low"] < 1000
    with pytest.raises(DataError, match="'jackknife' or 'bootstrap'"):
        activation(table, is_tumour, ~is_tumour, error="sandwich")


def test_the_jackknife_is_that_of_the_estimate() -> None:
    rng = np.random.default_rng(5)
    values, patients = rng.normal(size=30), np.r_[np.arange(20), np.arange(10)]
    tumour = np.arange(30) < 20
    row = activation(pd.DataFrame({"s": values}), tumour, ~tumour, patients=pd.Series(patients)).iloc[0]

    def estimate(keep: np.ndarray) -> float:
        x, y = values[tumour & keep], values[~tumour & keep]
        return float((x.mean() - y.mean()) / y.std(ddof=1))

    left = np.array([estimate(patients != k) for k in range(20)])
    half = stats.t.ppf(0.975, 9) * np.sqrt(19 / 20 * ((left - left.mean()) ** 2).sum())
    middle = estimate(np.ones(30, dtype=bool))
    assert_allclose(row[["difference_low", "difference_high"]].astype(float), [middle - half, middle + half])

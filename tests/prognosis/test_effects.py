"""Competing risks, restricted means, effects over time, interactions, trends, splines, cut-points, meta-analysis."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore.errors import DataError, EndpointError
from mtorscore.prognosis import (
    Endpoint,
    associate,
    cause_specific,
    cumulative_incidence,
    interaction,
    kaplan_meier,
    meta_analyse,
    nonlinearity,
    optimal_cutpoint,
    over_time,
    residual_scores,
    restricted_mean,
    trend_test,
)
from mtorscore.prognosis.association.cutpoints import best_cut, lausen_schumacher, logrank_scores
from mtorscore.prognosis.association.meta_analysis import combine
from tests.conftest import peer
from tests.prognosis.simulate import survival_table

lifelines = peer("lifelines")
AalenJohansenFitter, CoxPHFitter, KaplanMeierFitter = (
    lifelines.AalenJohansenFitter,
    lifelines.CoxPHFitter,
    lifelines.KaplanMeierFitter,
)
restricted_mean_survival_time = lifelines.utils.restricted_mean_survival_time


ENDPOINT = Endpoint.survival("time", "event")


@pytest.fixture(scope="module")
def cohort() -> pd.DataFrame:
    rng = np.random.default_rng(21)
    x = rng.normal(size=200)
    table = survival_table(0.5 * x, rng, events=0.5)
    table["x"] = x
    other = rng.random(200) < 0.25
    table["cause"] = np.where((table["event"] == 0) & other, 2, table["event"])
    table["group"] = np.where(x > 0, "high", "low")
    return table


def test_aalen_johansen_agrees_with_lifelines(cohort: pd.DataFrame) -> None:
    endpoint = Endpoint.survival("time", "cause", competing=2)
    ours = cumulative_incidence(cohort, endpoint)
    for code, cause in ((1, "event"), (2, "competing")):
        theirs = AalenJohansenFitter(jitter_level=0, calculate_variance=True)
        theirs.fit(cohort["time"], cohort["cause"], event_of_interest=code)
        mine = ours[ours["cause"] == cause].set_index("time")
        curve = theirs.cumulative_density_.iloc[:, 0]
        shared = mine.index.intersection(curve.index)
        assert len(shared) > 150
        assert_allclose(mine.loc[shared, "incidence"], curve.loc[shared], atol=1e-10)
        # lifelines has no variance where the last observation at risk leaves.
        variance = theirs.variance_.squeeze().loc[shared].dropna()
        assert len(variance) > 150
        assert_allclose(mine.loc[variance.index, "se"] ** 2, variance, rtol=1e-6, atol=1e-12)
        bounds = theirs.confidence_interval_.loc[mine["low"].dropna().index.intersection(variance.index)]
        assert_allclose(mine.loc[bounds.index, ["low", "high"]], bounds, rtol=1e-6)
    both = ours.pivot_table(index="time", columns="cause", values="incidence").iloc[-1].sum()
    assert both <= 1 + 1e-12


def test_incidence_with_a_competitor_is_below_one_minus_kaplan_meier(cohort: pd.DataFrame) -> None:
    ours = cumulative_incidence(cohort, Endpoint.survival("time", "cause", competing=2))
    alone = cumulative_incidence(cohort, ENDPOINT)
    last = [t[t["cause"] == "event"]["incidence"].iloc[-1] for t in (ours, alone)]
    assert last[0] < last[1]
    assert "competing" not in set(alone["cause"])


def test_cause_specific_models_censor_the_other_cause(cohort: pd.DataFrame) -> None:
    table = cause_specific(cohort[["x"]], cohort, Endpoint.survival("time", "cause", competing=2), negative_controls=())
    for cause, code in (("event", 1), ("competing", 2)):
        plain = associate(
            cohort[["x"]],
            cohort.assign(e=(cohort["cause"] == code).astype(int)),
            Endpoint.survival("time", "e"),
            negative_controls=(),
        )
        assert_allclose(table.loc[table["cause"] == cause, "hr"], plain["hr"])
    with pytest.raises(EndpointError, match="names no competing event"):
        cause_specific(cohort[["x"]], cohort, ENDPOINT)


def test_restricted_mean_agrees_with_lifelines(cohort: pd.DataFrame) -> None:
    tau = 500.0
    ours = restricted_mean(cohort["group"], cohort, ENDPOINT, tau).set_index("group")
    for g in ("high", "low"):
        part = cohort[cohort["group"] == g]
        mean = restricted_mean_survival_time(KaplanMeierFitter().fit(part["time"], part["event"]), tau)
        assert_allclose(ours.loc[g, "rmst"], mean, rtol=1e-6)
    assert_allclose(ours.loc["low", "difference"], ours.loc["low", "rmst"] - ours.loc["high", "rmst"])
    assert ours.loc["low", "difference_low"] > 0
    with pytest.raises(DataError, match="beyond the follow-up"):
        restricted_mean(cohort["group"], cohort, ENDPOINT, 1e9)


def test_standard_error_of_the_restricted_mean_covers() -> None:
    rng = np.random.default_rng(0)
    means, errors = [], []
    for _ in range(150):
        table = survival_table(np.zeros(80), rng, events=0.6)
        found = restricted_mean(pd.Series("all", index=table.index), table, ENDPOINT, 600.0)
        means.append(found["rmst"][0])
        errors.append(found["se"][0])
    assert_allclose(np.mean(errors), np.std(means), rtol=0.2)
    assert_allclose(np.mean(means), 1000 * (1 - np.exp(-0.6)), rtol=0.02)


def test_an_effect_that_fades_is_seen_over_time() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=600)
    early = rng.exponential(500 * np.exp(-1.0 * x))
    time = np.where(early < 300, early, 300 + rng.exponential(500, 600))
    table = pd.DataFrame({"time": time, "event": 1, "x": x}, index=[f"P{i:04d}" for i in range(600)])
    row = over_time(table[["x"]], table, ENDPOINT, cut=300.0).iloc[0]
    assert row["hr_early"] > 2
    assert 0.8 < row["hr_late"] < 1.25
    assert row["p_change"] < 1e-6
    assert row["rmst_per_sd"] < 0
    assert row["rmst_p"] < 1e-4
    assert associate(table[["x"]], table, ENDPOINT, negative_controls=())["ph_p"][0] < 0.001


def test_early_and_late_models_are_the_split_data(cohort: pd.DataFrame) -> None:
    row = over_time(cohort[["x"]], cohort, ENDPOINT, cut=200.0).iloc[0]
    z = (cohort["x"] - cohort["x"].mean()) / cohort["x"].std()
    late = cohort[cohort["time"] > 200].assign(z=z, start=200.0)
    theirs = CoxPHFitter().fit(late[["time", "event", "z", "start"]], "time", "event", entry_col="start")
    assert_allclose(np.log(row["hr_late"]), theirs.params_["z"], atol=1e-4)


def test_interaction_finds_a_group_without_effect() -> None:
    rng = np.random.default_rng(6)
    x, site = rng.normal(size=400), np.repeat(["intra", "extra"], 200)
    table = survival_table(np.where(site == "intra", 1.0, 0.0) * x, rng, events=0.6)
    table["site"], table["x"], table["noise"] = site, x, rng.normal(size=400)
    found = interaction(table[["x", "noise"]], table, ENDPOINT, "site").set_index(["signature", "group"])
    assert found.loc[("x", "intra"), "hr_low"] > 1.5
    assert found.loc[("x", "extra"), "hr_low"] < 1 < found.loc[("x", "extra"), "hr_high"]
    assert found.loc[("x", "extra"), "p_interaction"] < 1e-4
    assert found.loc[("noise", "extra"), "p_interaction"] > 0.01
    assert found["valid"].all()
    few = interaction(table[["x"]].iloc[180:230], table, ENDPOINT, "site")
    assert few["reason"].str.contains("are asked for").all() == (not few["valid"].any())


def test_residual_scores_are_uncorrelated_with_the_confounder(cohort: pd.DataFrame) -> None:
    scores = cohort[["x"]].assign(y=cohort["x"] ** 2 + 1, z=np.nan)
    scores.iloc[3, 0] = np.nan
    confounders = pd.DataFrame({"p": cohort["x"] + cohort["time"] / 500, "g": cohort["group"]})
    left = residual_scores(scores, confounders)
    assert np.isnan(left.iloc[3, 0])
    assert left["z"].isna().all()
    known = left["x"].notna()
    assert abs(np.corrcoef(left["x"][known], confounders["p"][known])[0, 1]) < 1e-10
    assert abs(left["y"].groupby(cohort["group"]).mean()).max() < 1e-10
    with pytest.raises(DataError, match="fewer than three"):
        residual_scores(scores, confounders.set_axis(range(200)))


def test_trend_is_jonckheere() -> None:
    """R: DescTools::JonckheereTerpstraTest and the example of Hollander and Wolfe, table 6.6 (J = 79, z = 2.00)."""
    groups = {"A": [40, 35, 38, 43, 44, 41], "B": [38, 40, 47, 44, 40, 42], "C": [48, 40, 45, 43, 46, 44]}
    values = pd.DataFrame({"x": [v for g in groups.values() for v in g]}, dtype=float)
    label = pd.Series([g for g, vs in groups.items() for _ in vs])
    row = trend_test(values, label, ["A", "B", "C"]).iloc[0]
    assert row["statistic"] == 79
    assert_allclose(row["p"] / 2, 0.0209, atol=0.001)
    assert row["effect"] == 79 / 108
    back = trend_test(values, label, ["C", "B", "A"]).iloc[0]
    assert_allclose(back["z"], -row["z"])
    with pytest.raises(DataError, match="none is in"):
        trend_test(values, label, ["A", "Z"])


def test_spline_sees_a_curve_and_no_curve_in_a_line(cohort: pd.DataFrame) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=400)
    table = survival_table(0.8 * (x**2 - 1), rng, events=0.6)
    table["u"] = x
    curved = nonlinearity(table[["u"]], table, ENDPOINT).iloc[0]
    assert curved["p_nonlinear"] < 1e-4
    assert curved["log_hr_5"] > 0.5
    assert curved["log_hr_95"] > 0.5
    straight = nonlinearity(cohort[["x"]], cohort, ENDPOINT).iloc[0]
    assert straight["p_linear"] < 0.001
    assert straight["p_nonlinear"] > 0.05


def test_optimal_cutpoint_is_the_best_and_is_corrected(cohort: pd.DataFrame) -> None:
    found = optimal_cutpoint(cohort["x"], cohort, ENDPOINT, n_permutations=999)
    x, a = cohort["x"].to_numpy(), logrank_scores(cohort["time"].to_numpy(), cohort["event"].to_numpy(bool))
    best = 0.0
    for c in np.sort(x)[19:-20]:
        high = x > c
        m, n = high.sum(), len(x)
        best = max(best, abs(a[high].sum()) / np.sqrt(m * (n - m) / n * a.var(ddof=1)))
    assert_allclose(found.statistic, best, rtol=1e-8)
    assert found.p_naive < found.p
    assert set(found.groups) == {"high", "low"}
    assert_allclose(a.sum(), 0, atol=1e-9)
    with pytest.raises(DataError, match="no cut-point"):
        optimal_cutpoint(cohort["x"] * 0, cohort, ENDPOINT)


def test_naive_cutpoints_fail_and_corrected_ones_hold() -> None:
    """Under a true null the naive p-value is below 5% far too often, the corrected one is not."""
    rng = np.random.default_rng(3)
    naive, corrected = [], []
    from mtorscore.prognosis.statistics.kaplan_meier import logrank_statistic

    for _ in range(150):
        table = survival_table(np.zeros(100), rng, events=0.5)
        x = np.sort(rng.normal(size=100))
        time, event = table["time"].to_numpy(), table["event"].to_numpy(bool)
        a = logrank_scores(time, event)
        statistic, position = best_cut(x, a[:, None], 0.1)
        shuffled = rng.permuted(np.tile(a[:, None], (1, 199)), axis=0)
        corrected.append((1 + (best_cut(x, shuffled, 0.1)[0] >= statistic[0]).sum()) / 200)
        naive.append(logrank_statistic(time, event, (np.arange(100) >= position[0]).astype(int))[2])
    naive_rate, rate = np.mean(np.array(naive) < 0.05), np.mean(np.array(corrected) <= 0.05)
    assert naive_rate > 0.2
    assert rate <= 0.05 + 0.015 + 3 * np.sqrt(0.05 * 0.95 / 150)


def test_lausen_schumacher_approximates_the_permutation_p(cohort: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    a = rng.permuted(
        np.tile(logrank_scores(cohort["time"].to_numpy(), cohort["event"].to_numpy(bool))[:, None], (1, 4000)), axis=0
    )
    top = best_cut(np.arange(200.0), a, 0.1)[0]
    value = float(np.quantile(top, 0.95))
    assert 0.03 < lausen_schumacher(value, 0.1) < 0.08


def test_kaplan_meier_at_an_optimal_cut_carries_the_corrected_p(cohort: pd.DataFrame) -> None:
    table = kaplan_meier(cohort[["x"]], cohort, ENDPOINT, optimal=True)
    plain = kaplan_meier(cohort[["x"]], cohort, ENDPOINT)
    assert "corrected_p" in table.columns
    assert "corrected_p" not in plain.columns
    assert table["cut_rule"].unique().tolist() == ["optimal, cross-validated groups"]
    assert (table["corrected_p"] >= 1 / 10000).all()


def meta_table(effects: list[float], se: list[float], **columns: object) -> dict[str, pd.DataFrame]:
    out = {}
    for i, (y, s) in enumerate(zip(effects, se, strict=True)):
        low, high = np.exp(y - 1.959964 * s), np.exp(y + 1.959964 * s)
        base = {"signature": "S", "endpoint": "OS", "model": "unadjusted", "adjusted_for": "", "hr": np.exp(y)}
        out[f"c{i}"] = pd.DataFrame(
            [base | {"hr_low": low, "hr_high": high, "n": 100, "events": 40, "valid": True} | columns]
        )
    return out


def test_meta_analysis_agrees_with_statsmodels() -> None:
    from statsmodels.stats.meta_analysis import combine_effects

    y, se = np.array([0.4, 0.1, 0.7, -0.2, 0.5]), np.array([0.15, 0.2, 0.25, 0.18, 0.3])
    for ours, theirs in (("dl", "dl"), ("pm", "pm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = combine_effects(y, se**2, method_re=theirs)
        found = combine(y, se, ours, knapp=False)
        assert_allclose(found["tau2"], expected.tau2, rtol=1e-4)
        assert_allclose(np.log(found["hr"]), expected.mean_effect_re, rtol=1e-4)
        assert_allclose(found["cochran_q"], expected.q, rtol=1e-8)
        assert_allclose(found["i2"], expected.i2, rtol=1e-8)


def test_reml_is_the_maximum_of_the_restricted_likelihood() -> None:
    y, v = np.array([0.4, 0.1, 0.7, -0.2, 0.5]), np.array([0.15, 0.2, 0.25, 0.18, 0.3]) ** 2

    def likelihood(t2: float) -> float:
        w = 1 / (v + t2)
        mean = w @ y / w.sum()
        return float(0.5 * np.log(w).sum() - 0.5 * np.log(w.sum()) - 0.5 * (w * (y - mean) ** 2).sum())

    grid = np.linspace(0, 0.5, 20001)
    best = grid[np.argmax([likelihood(t) for t in grid])]
    assert_allclose(combine(y, np.sqrt(v), "reml")["tau2"], best, atol=1e-4)


def test_meta_analysis_of_tables() -> None:
    tables = meta_table([0.5, 0.3, 0.4, -0.1], [0.1, 0.2, 0.15, 0.2])
    row = meta_analyse(tables).iloc[0]
    assert row["cohorts"] == 4
    assert row["hr_low"] < row["hr"] < row["hr_high"]
    assert row["prediction_low"] < row["hr_low"]
    assert row["prediction_high"] > row["hr_high"]
    assert "c0=" in row["weights"]
    tables["c3"]["valid"] = False
    assert meta_analyse(tables)["cohorts"][0] == 3
    alone = meta_analyse({"c0": tables["c0"]}).iloc[0]
    assert not alone["valid"]
    with pytest.raises(DataError, match="lacks hr"):
        meta_analyse([tables["c0"].drop(columns="hr")])
    with pytest.raises(DataError, match="at least one"):
        meta_analyse([])


def test_meta_analysis_knows_the_level_of_its_tables(cohort: pd.DataFrame) -> None:
    tables = {}
    for level in (0.9, 0.95):
        parts = [cohort.iloc[:100], cohort.iloc[100:]]
        tables[level] = [associate(c[["x"]], c, ENDPOINT, negative_controls=(), n_boot=0, level=level) for c in parts]
    a, b = (meta_analyse(tables[level]).iloc[0] for level in (0.9, 0.95))
    assert_allclose([a["hr"], a["hr_low"], a["p"]], [b["hr"], b["hr_low"], b["p"]], rtol=1e-9)
    labels = [associate(c[["x"]], c, Endpoint.label("event"), negative_controls=(), n_boot=0) for c in parts]
    row = meta_analyse(labels).iloc[0]
    assert row["valid"]
    assert row["effect"] == "odds ratio"


@pytest.mark.parametrize("seed", [0, None])
def test_the_interval_of_a_restricted_mean_holds_with_few_events(seed: int | None) -> None:
    """About 9 of 30 patients have the event by then; on its own scale the interval covered 89% here."""
    seed = int(np.random.default_rng().integers(2**31)) if seed is None else seed
    print("seed", seed)
    rng = np.random.default_rng(seed)
    covered = []
    for _ in range(400):
        time, limit = rng.exponential(size=30), rng.random(30) * 1.2
        data = pd.DataFrame({"time": np.minimum(time, limit), "event": (time <= limit).astype(int)})
        if data["time"].max() <= 0.4:
            continue
        row = restricted_mean(pd.Series("all", index=data.index), data, Endpoint.survival("time", "event"), 0.4).iloc[0]
        if np.isfinite(row["low"]):
            assert row["low"] < row["rmst"] < row["high"] <= 0.4
            covered.append(row["low"] <= 1 - np.exp(-0.4) <= row["high"])
    assert len(covered) > 350
    assert np.mean(covered) > 0.93 - 3 * np.sqrt(0.05 * 0.95 / len(covered))


def test_without_two_events_a_restricted_mean_has_no_interval() -> None:
    data = pd.DataFrame({"time": [1.0, 2, 3, 4], "event": [1, 0, 0, 0]})
    row = restricted_mean(pd.Series("all", index=data.index), data, Endpoint.survival("time", "event"), 3.5).iloc[0]
    assert row["rmst"] > 0
    assert np.isnan(row["low"])
    assert np.isnan(row["high"])

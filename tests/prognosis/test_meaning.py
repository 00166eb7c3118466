"""Tables and endpoints carry their meaning: positive class, horizon, level, event, ties, reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mtorscore.errors import DataError, EndpointError
from mtorscore.prognosis import (
    Endpoint,
    added_value,
    associate,
    calibration_curve,
    concordance_index,
    cumulative_incidence,
    decision_curve,
    evaluate,
    fit_model,
    kaplan_meier,
    meta_analyse,
    optimism,
    validate,
)
from mtorscore.prognosis.statistics import metrics
from mtorscore.prognosis.statistics.concordance import ordered

SURVIVAL = Endpoint.survival("time", "event", unit="months")
HCC = Endpoint.label("dx", positive="HCC")
QUICK: dict[str, Any] = {"negative_controls": (), "n_boot": 0}


def cohort(n: int = 120, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    x = pd.DataFrame({"A": rng.normal(size=n), "B": rng.normal(size=n)}, index=[f"{seed}p{i}" for i in range(n)])
    time, censored = rng.exponential(20 * np.exp(-0.5 * x["A"])), rng.uniform(1, 60, n)
    clinical = pd.DataFrame({"time": np.minimum(time, censored), "event": (time <= censored).astype(int)}, x.index)
    clinical["age"] = rng.normal(60, 10, n)
    clinical["dx"] = np.where(rng.random(n) < 1 / (1 + np.exp(-x["A"])), "HCC", "normal")
    return x, clinical


def risk(x: pd.DataFrame) -> pd.Series:
    return 1 / (1 + np.exp(-x["A"]))


def test_a_label_in_words_asks_for_its_positive_class() -> None:
    x, clinical = cohort()
    for call in (
        lambda e: associate(x, clinical, e, **QUICK),
        lambda e: evaluate(None, x, clinical, e, n_repeats=1, n_boot=0),
        lambda e: fit_model(x, clinical, e),
        lambda e: decision_curve(risk(x), clinical, e),
    ):
        with pytest.raises(EndpointError, match=r"which of them is the positive class is not said.*'HCC' or 'normal'"):
            call(Endpoint.label("dx"))
    two = [associate(x, clinical, Endpoint.label("dx", positive=c), **QUICK).iloc[0] for c in ("HCC", "normal")]
    assert [r["positive"] for r in two] == ["HCC", "normal"]
    assert two[0]["odds_ratio"] > 1 > two[1]["odds_ratio"]


@pytest.mark.parametrize(
    ("values", "positive", "classes", "codes"),
    [
        ([1, 1, 1], None, ("0", "1"), [1, 1, 1]),
        ([0, 0], None, ("0", "1"), [0, 0]),
        ([0.0, 1.0], None, ("0", "1"), [0, 1]),
        (["0", "1"], None, ("0", "1"), [0, 1]),
        ([True, False], None, ("False", "True"), [1, 0]),
        ([1, 2], None, ("1", "2"), [0, 1]),
        (["HCC", "HCC"], "HCC", ("not HCC", "HCC"), [1, 1]),
        (["HCC", "normal"], "HCC", ("normal", "HCC"), [1, 0]),
        ([1, 2], "1", ("2", "1"), [1, 0]),
        (["a", "b", "c"], None, ("a", "b", "c"), [0, 1, 2]),
    ],
)
def test_the_code_of_a_class(values: list[Any], positive: Any, classes: tuple[str, ...], codes: list[int]) -> None:
    data = Endpoint.label("y", positive=positive).resolve_label(pd.DataFrame({"y": values}))
    assert data.classes == classes
    assert_array_equal(data.y, codes)


@pytest.mark.parametrize("values", [["HCC", "normal"], ["HCC", "HCC"], ["yes", "no"], ["yes", "unknown"]])
def test_words_without_a_positive_class_are_refused(values: list[str]) -> None:
    with pytest.raises(EndpointError, match="positive class is not said"):
        Endpoint.label("y").resolve(pd.DataFrame({"y": values}))


def test_every_table_says_what_it_is_of() -> None:
    x, clinical = cohort()
    model, label = fit_model(x, clinical, SURVIVAL), fit_model(x, clinical, HCC)
    found = evaluate(None, x, clinical, HCC, n_repeats=1, n_boot=0)
    early = Endpoint.early("time", "event", 12, "months")
    for table in (
        associate(x, clinical, HCC, **QUICK),
        added_value(x, clinical, HCC, ["age"], n_boot=0),
        validate(label, x, clinical, n_boot=0).summary,
        validate(label, x, clinical, n_boot=0).calibration,
        found.summary,
        found.calibration,
        found.calibration_curves,
        found.decision,
        calibration_curve(risk(x), HCC.resolve(clinical)),
        decision_curve(risk(x), clinical, HCC),
        optimism(x, clinical, HCC, n_boot=2).summary,
    ):
        assert table["positive"].eq("HCC").all()
    assert "Predicted: HCC (dx)" in str(found)
    assert associate(x, clinical, early, **QUICK)["horizon"].eq(12).all()
    assert decision_curve(risk(x), clinical, early)["horizon"].eq(12).all()
    survival = evaluate(None, x, clinical, SURVIVAL, n_repeats=1, n_boot=0)
    at = survival.summary.set_index("metric")["horizon"]
    assert np.isnan(at["harrell_c"]).all()
    assert at["uno_c"].eq(survival.times[-1]).all()
    for table in (survival.calibration, survival.calibration_curves, survival.decision):
        assert table["horizon"].eq(survival.times[len(survival.times) // 2]).all()
    assert validate(model, x, clinical, horizon=9, n_boot=0).calibration["horizon"].eq(9).all()


def intervals(level: float) -> dict[str, pd.DataFrame]:
    """Every table with an interval, its lower ends and its upper ends."""
    x, clinical = cohort()
    clinical["comp"] = np.where((clinical["event"] == 0) & (np.arange(len(x)) % 3 == 0), 1, 0)
    found = evaluate(None, x, clinical, SURVIVAL, n_repeats=1, n_boot=60, level=level)
    by_label = evaluate(None, x, clinical, HCC, n_repeats=1, n_boot=60, level=level)
    external = validate(fit_model(x, clinical, SURVIVAL), *cohort(seed=1), n_boot=60, level=level)
    label = validate(fit_model(x, clinical, HCC), *cohort(seed=1), n_boot=60, level=level)
    weighted = Endpoint.early("time", "event", 12, "months")
    competing = Endpoint.survival("time", "event", "months", competing="comp")
    score = x["A"]
    c = concordance_index(score, clinical, SURVIVAL, level=level)
    return {
        "hazard ratio": associate(x, clinical, SURVIVAL, **QUICK, level=level)[["hr_low", "hr_high"]],
        "C": associate(x, clinical, SURVIVAL, ["age"], negative_controls=(), level=level)[["c_low", "c_high"]],
        "AUC": associate(x, clinical, HCC, negative_controls=(), level=level)[["c_low", "c_high"]],
        "odds ratio": associate(x, clinical, HCC, **QUICK, level=level)[["or_low", "or_high"]],
        "weighted AUC": associate(
            x, clinical, weighted, negative_controls=(), n_boot=100, level=level
        )[["c_low", "c_high"]],
        "concordance": pd.DataFrame([[c.low, c.high]]),
        "evaluation": found.summary[found.summary["model"] != "dummy"][["low", "high"]],
        "evaluated calibration": found.calibration_curves[["low", "high"]],
        "evaluated slope": found.calibration[["slope_conditional_low", "slope_conditional_high"]].dropna(),
        "evaluated ratio": found.calibration[["oe_low", "oe_high"]],
        "label's calibration": by_label.calibration_curves[["low", "high"]],
        "validation": external.summary[["low", "high"]],
        "validated calibration": external.calibration[["low", "high"]],
        "validated label's calibration": label.calibration[["low", "high"]],
        "Kaplan-Meier": kaplan_meier(x, clinical, SURVIVAL, level=level)[["low", "high"]].dropna(),
        "incidence": cumulative_incidence(clinical, competing, level=level)[["low", "high"]].dropna(),
        "added value": added_value(x, clinical, SURVIVAL, ["age"], n_boot=60, level=level)[
            ["gain_conditional_low", "gain_conditional_high"]
        ],
        "instability": optimism(x, clinical, SURVIVAL, n_boot=20, level=level).instability[["low", "high"]],
    }  # fmt: skip


def test_the_level_reaches_every_interval() -> None:
    narrow, wide = intervals(0.8), intervals(0.99)
    for name in narrow:
        width = [(t.iloc[:, 1] - t.iloc[:, 0]).to_numpy() for t in (narrow[name], wide[name])]
        moves = np.isfinite(width[0]) & (width[1] > 0)
        assert moves.any(), name
        assert (width[1][moves] >= width[0][moves]).all(), name
        assert width[1][moves].sum() > 1.2 * width[0][moves].sum(), name


def test_level_and_class_travel_through_a_file(tmp_path: Path) -> None:
    tables = {f"c{s}": associate(*cohort(seed=s), SURVIVAL, **QUICK, level=0.8) for s in range(3)}
    direct = meta_analyse(tables)
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
    read = meta_analyse({n: pd.read_csv(tmp_path / f"{n}.tsv", sep="\t") for n in tables})
    assert_allclose(read["hr_low"], direct["hr_low"], rtol=1e-9)
    assert read["level"].eq(0.95).all()
    assert read["positive"].eq("event").all()
    mixed = meta_analyse([tables["c0"], associate(*cohort(seed=1), SURVIVAL, **QUICK), tables["c2"]])
    assert_allclose(mixed["hr_low"], direct["hr_low"], rtol=1e-9)
    with pytest.raises(DataError, match="whose level does not lie between 0 and 1"):
        meta_analyse([tables["c0"].assign(level=95)])


def test_a_combination_without_a_usable_row_keeps_its_columns() -> None:
    table = associate(*cohort(), SURVIVAL, **QUICK)
    whole = meta_analyse([table, table])
    none = meta_analyse([table.assign(valid=False), table.assign(valid=False)])
    assert list(none.columns) == list(whole.columns)
    assert none["hr"].isna().all()
    assert not none["valid"].any()
    assert none["reason"].str.contains("0 cohort").all()


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_two_values_are_two_groups(share: float) -> None:
    """A call, such as a class of 0 and 1, with most patients at either value."""
    x, clinical = cohort()
    calls = pd.DataFrame({"call": (np.arange(120) < 120 * share).astype(float)}, x.index)
    curves = kaplan_meier(calls, clinical, SURVIVAL)
    n = curves.groupby("group")["n"].first()
    assert n.to_dict() == {"low": 120 - int(calls["call"].sum()), "high": int(calls["call"].sum())}
    assert curves["cut"].eq("0").all()
    assert curves["logrank_p"].notna().all()
    assert (curves["reason"] == "").all()


def test_a_score_at_one_value_for_most_gives_the_reason() -> None:
    x, clinical = cohort()
    top = x["A"].where(np.arange(120) < 30, 9.0).to_frame()
    row = kaplan_meier(top, clinical, SURVIVAL)
    assert len(row) == 1
    assert row["reason"].iloc[0] == "75% of the scores are one value: the quantiles cut no groups"
    assert row["time"].isna().all()


@pytest.mark.parametrize("values", [[0, 1], [True, False], ["0", "1"]])
def test_an_event_column_that_speaks_of_censoring_asks(values: list[Any]) -> None:
    table = pd.DataFrame({"time": np.arange(1.0, 21), "censored": values * 10})
    with pytest.raises(EndpointError, match=r"'censored' speaks of censoring .*event_value=0"):
        Endpoint.survival("time", "censored").resolve(table)
    data = Endpoint.survival("time", "censored", event_value=values[0]).resolve(table)
    assert data.n_events == 10
    words = table.assign(censored=["dead", "alive"] * 10)
    assert Endpoint.survival("time", "censored").resolve(words).n_events == 10


def test_scores_that_differ_by_rounding_are_tied() -> None:
    """Sums in another order differ in the last digit: which is higher is no information."""
    score = np.array([0.1 + 0.2, 0.3, 0.5, -1.0, np.nan, 0.3 + 1e-9])
    assert_array_equal(ordered(score), [1, 1, 3, 0, np.nan, 2])
    time, event = np.array([1.0, 2.0, 3.0]), np.array([True, True, False])
    one, near = np.ones((1, 3)), np.array([0.3, 0.1 + 0.2, 0.0])
    tied = np.array([0.3, 0.3, 0.0])
    index = pd.Index(list("abc"))
    clinical = pd.DataFrame({"time": time, "event": event.astype(int)}, index)
    found = [concordance_index(pd.Series(s, index), clinical, Endpoint.survival("time", "event")) for s in (near, tied)]
    assert found[0].c == found[1].c == pytest.approx(2.5 / 3)
    assert found[0].tied == 1
    y, g = np.array([1, 0, 0]), np.ones(3)
    for a, b in (
        [metrics.harrell_c(time, event, s, one) for s in (near, tied)],
        [metrics.uno_c(time, event, s, one, g) for s in (near, tied)],
        [metrics.dynamic_auc(time, event, s, one, g, 1.5) for s in (near, tied)],
        [metrics.roc_auc(y, s, one) for s in (near, tied)],
    ):
        assert_array_equal(a, b)


def test_the_rank_of_a_score_is_that_of_its_values() -> None:
    values = np.random.default_rng(0).normal(size=500)
    ranks = ordered(values)
    assert_array_equal(np.sign(ranks[:, None] - ranks), np.sign(values[:, None] - values))
    assert_array_equal(ordered(np.zeros(4)), np.zeros(4))

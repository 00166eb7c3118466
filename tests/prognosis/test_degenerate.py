"""Whatever comes in, every public function returns defined numbers or raises one error of the package."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtorscore import prognosis as p
from mtorscore.errors import DataError, DataWarning, EndpointError, MtorscoreError, StatisticsWarning

ENDPOINT = p.Endpoint.survival("time", "event")
LABEL = p.Endpoint.label("lab")
Tables = tuple[pd.DataFrame, pd.DataFrame]


def tables(n: int = 40) -> Tables:
    rng = np.random.default_rng(3)
    index = [f"p{i}" for i in range(n)]
    scores = pd.DataFrame(rng.normal(size=(n, 2)), index, ["A", "B"])
    clinical = pd.DataFrame({"time": rng.exponential(10, n) + 0.1, "event": rng.integers(0, 2, n)}, index)
    clinical["age"], clinical["lab"] = rng.normal(60, 9, n), rng.integers(0, 2, n)
    clinical["stage"] = rng.choice(list("xyz"), n)
    return scores, clinical


def with_columns(**columns: Any) -> Callable[[pd.DataFrame, pd.DataFrame], Tables]:
    return lambda s, c: (s, c.assign(**columns))


EVENT = np.arange(40)
CASES: dict[str, Callable[[pd.DataFrame, pd.DataFrame], Tables]] = {
    "no event": with_columns(event=0),
    "one event": with_columns(event=(EVENT == 5).astype(int)),
    "everybody has the event": with_columns(event=1),
    "everything at one time": with_columns(time=5.0),
    "times of 0": with_columns(time=0.0),
    "times missing": with_columns(time=np.nan),
    "times are dates": with_columns(time=pd.Timestamp("2020-01-01")),
    "times are durations": with_columns(time=pd.Timedelta(days=3)),
    "events are text": with_columns(event=np.where(EVENT % 2, "HCC", "liver")),
    "events are 1 and 2": with_columns(event=EVENT % 2 + 1),
    "events are categories": with_columns(event=pd.Categorical(EVENT % 2)),
    "a covariate is missing": with_columns(age=np.nan, stage=None),
    "one label": with_columns(lab=1),
    "constant score": lambda s, c: (s.assign(A=1.0), c),
    "score missing": lambda s, c: (s.assign(A=np.nan), c),
    "infinite score": lambda s, c: (s.assign(A=np.where(EVENT == 3, np.inf, 0.5)), c),
    "text score": lambda s, c: (s.assign(A="high"), c),
    "the event is the score": lambda s, c: (s.assign(A=c["event"] * 1.0, B=c["lab"] * 1.0), c),
    "patients are duplicated": lambda s, c: (s, pd.concat([c, c.iloc[:3]])),
    "scores are duplicated": lambda s, c: (pd.concat([s, s.iloc[:3]]), c),
    "columns are duplicated": lambda s, c: (s.set_axis(["A", "A"], axis=1), c),
    "no column": lambda s, c: (s[[]], c),
    "other patients": lambda s, c: (s.rename(index=lambda i: f"q{i}"), c),
    "half of the patients": lambda s, c: (s.iloc[:25], c.iloc[15:]),
    "numbered columns": lambda s, c: (s.set_axis([1, 2], axis=1), c),
    "three patients": lambda s, c: (s.iloc[:3], c.iloc[:3].assign(event=[1, 0, 1])),
    "one patient": lambda s, c: (s.iloc[:1], c.iloc[:1].assign(event=1)),
    "nobody": lambda s, c: (s.iloc[:0], c.iloc[:0]),
}


def calls(s: pd.DataFrame, c: pd.DataFrame) -> list[Callable[[], Any]]:
    first = s.iloc[:, 0] if s.shape[1] else s
    fast: dict[str, Any] = {"n_boot": 5}
    return [
        lambda: p.associate(s, c, ENDPOINT, adjust=["age", ("age", "stage")], negative_controls=(), **fast),
        lambda: p.associate(s, c, LABEL, negative_controls=(), **fast),
        lambda: p.associate(s, c, p.Endpoint.early("time", "event", 5, "days"), negative_controls=(), **fast),
        lambda: p.kaplan_meier(s, c, ENDPOINT),
        lambda: p.cox(s, c, ENDPOINT),
        lambda: p.cox(s, c, ENDPOINT, firth=True),
        lambda: p.concordance_index(first, c, ENDPOINT, n_boot=5),
        lambda: p.logrank(c["stage"], c, ENDPOINT),
        lambda: p.restricted_mean(c["stage"], c, ENDPOINT),
        lambda: p.over_time(s, c, ENDPOINT),
        lambda: p.interaction(s, c, ENDPOINT, by="stage"),
        lambda: p.nonlinearity(s, c, ENDPOINT),
        lambda: p.trend_test(s, c["stage"], ["x", "y", "z"]),
        lambda: p.optimal_cutpoint(first, c, ENDPOINT, n_permutations=20, folds=2),
        lambda: p.evaluate(None, s, c, ENDPOINT, baseline=["age"], n_repeats=1, n_splits=2, **fast),
        lambda: p.evaluate(None, s, c, LABEL, n_repeats=1, n_splits=2, **fast),
        lambda: p.validate(p.fit_model(s, c, ENDPOINT, baseline=["age", "stage"]), s, c, **fast),
        lambda: p.added_value(s, c, ENDPOINT, ["age"], **fast),
        lambda: p.optimism(s, c, ENDPOINT, n_boot=3),
        lambda: p.cumulative_incidence(c, ENDPOINT),
        lambda: p.residual_scores(s, c[["age"]]),
        lambda: p.leave_one_cohort_out(s, c, ENDPOINT, "stage"),
    ]


QUICK = ("one event", "patients are duplicated", "half of the patients", "constant score")


@pytest.mark.parametrize("case", [c if c in QUICK else pytest.param(c, marks=pytest.mark.slow) for c in CASES])
def test_defined_or_one_clear_error(case: str) -> None:
    s, c = CASES[case](*tables())
    for call in calls(s, c):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                call()
            except MtorscoreError:
                continue


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("times are dates", "holds dates; numbers are needed"),
        ("times are durations", "holds durations; numbers are needed"),
        ("events are text", r"no number \(liver, HCC\); say which value is the event \(event_value=\)"),
        ("no event", "none of the 40 observations has an event"),
        ("other patients", "None of the 40 observations"),
        ("nobody", "there is no observation"),
    ],
)
def test_what_the_error_says(case: str, message: str) -> None:
    s, c = CASES[case](*tables())
    with pytest.raises(EndpointError, match=message):
        p.associate(s, c, ENDPOINT, negative_controls=(), n_boot=0)


def test_all_events_at_one_time_are_said() -> None:
    s, c = CASES["everything at one time"](*tables())
    table = p.associate(s, c, ENDPOINT, negative_controls=(), n_boot=0)
    assert table["hr"].notna().all()
    assert table["ph_p"].isna().all()
    assert table["reason"].str.contains("all events fall on one time").all()


def test_what_cannot_be_adjusted_for_is_said() -> None:
    s, c = tables()
    c = c.assign(same=1.0, twin=2 * s["A"] + 1, gone=np.nan)
    table = p.associate(s, c, ENDPOINT, ["same", "twin", "gone"], negative_controls=(), n_boot=0).set_index(
        ["signature", "adjusted_for"]
    )
    assert "same does not vary" in table.loc[("A", "same"), "reason"]
    assert table.loc[("A", "same"), "n"] == 40
    assert "gone does not vary among these patients (or is missing)" in table.loc[("A", "gone"), "reason"]
    assert "determine one another" in table.loc[("A", "twin"), "reason"]
    assert not table.loc["A"].loc[["same", "twin", "gone"], "valid"].any()
    assert table.loc[("B", "twin"), "valid"]


def test_a_cox_model_says_what_it_cannot_hold() -> None:
    s, c = tables()
    with pytest.raises(DataError, match="only 2 of them are free"):
        p.cox(s.assign(C=s["A"] - 3 * s["B"]), c, ENDPOINT)
    with pytest.raises(DataError, match="60 columns"):
        p.cox(pd.DataFrame(np.random.default_rng(0).normal(size=(40, 60)), c.index).add_prefix("x"), c, ENDPOINT)
    with pytest.warns(DataWarning, match=r"do not vary and are no part of the model \(C\)"):
        p.cox(s.assign(C=1.0), c, ENDPOINT)
    with pytest.raises(DataError, match="dates"):
        p.cox(s.assign(C=pd.Timestamp("2020-01-01")), c, ENDPOINT)


def test_one_bad_score_does_not_cost_the_others() -> None:
    """A score that nobody has, or that is constant, is a row that says so in every table of many scores."""
    s, c = tables()
    for bad, why in ((np.nan, "no "), (1.0, "constant")):
        both = s.assign(A=bad)
        for table in (p.interaction(both, c, ENDPOINT, "lab"), p.associate_imputed(both, c, ENDPOINT, ["age"])):
            rows = table[table["signature"] == "A"]
            assert not rows["valid"].any()
            assert rows["reason"].str.contains(why).all()
            assert table[table["signature"] == "B"]["hr"].notna().all()
    added = p.added_value(s.assign(A=np.nan), c, ENDPOINT, ["age"])
    assert not added["valid"].iloc[0]
    assert added["p"].notna().tolist() == [False, True]


def test_few_events_are_not_valid() -> None:
    s, c = tables()
    few = c.assign(event=(EVENT % 5 == 0).astype(int))
    for table in (p.over_time(s, few, ENDPOINT), p.nonlinearity(s, few, ENDPOINT)):
        assert not table["valid"].any()
        assert table["reason"].str.contains("are asked for").all()
    assert not p.validate(p.fit_model(s, c, ENDPOINT), s, few).summary["valid"].any()


def test_what_validation_and_evaluation_fill_in_is_said() -> None:
    s, c = tables()
    model = p.fit_model(s, c, ENDPOINT, ["stage", "age"])
    notes = "; ".join(p.validate(model, s, c.assign(stage="new", age=c["age"].where(EVENT > 3))).notes)
    assert "40 observation(s) have a stage that the model never saw (new)" in notes
    assert "age is missing for 4 of 40" in notes
    with pytest.raises(EndpointError, match="entry"):
        p.validate(model, s, c.assign(entry=0.0), p.Endpoint.survival("time", "event", entry="entry"))
    rivals = c.assign(
        event=np.where((c["event"] == 0) & (EVENT % 3 == 0), 2, c["event"]), age=c["age"].where(EVENT > 3)
    )
    found = p.evaluate(
        None, s, rivals, p.Endpoint.survival("time", "event", competing=2), ["age"], n_splits=2, n_repeats=1, n_boot=0
    )
    assert any("competing event(s): ridge models are of the subdistribution hazard" in note for note in found.notes)
    assert any("age (4 of 40)" in note for note in found.notes)
    with pytest.raises(DataError, match="misses a feature"):
        p.evaluate(None, s.assign(A=np.nan), c, ENDPOINT)
    with pytest.raises(DataError, match="is not an endpoint"):
        p.associate(s, c, "OS")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="between 0 and 1"):
        p.decision_curve(s["A"], c, ENDPOINT, horizon=5)


def test_observations_without_a_stratum_are_left_out() -> None:
    s, c = tables()
    some = c["stage"].where(EVENT > 9)
    fit = p.cox(s, c, ENDPOINT, strata=some)
    rest = p.cox(s[EVENT > 9], c, ENDPOINT, strata=some[EVENT > 9])
    assert fit.n == 30
    pd.testing.assert_frame_equal(fit.table, rest.table)
    assert p.logrank(c["lab"], c, ENDPOINT, strata=some)["n"].tolist() == [30]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 95}, "between 0 and 1, such as 0.95; got 95"),
        ({"n_boot": -1}, "n_boot must be a whole number, 0 at least"),
        ({"n_random": 0, "negative_controls": "random"}, "n_random must be a whole number, 1 at least"),
        ({"seed": 0.5}, "seed must be"),
        ({"adjust": "time"}, "belong.* to the endpoint"),
        ({"adjust": ["age", ("event", "stage")]}, "belong.* to the endpoint"),
    ],
)
def test_options_of_associate_are_checked(options: dict[str, Any], message: str) -> None:
    s, c = tables()
    with pytest.raises(DataError, match=message):
        p.associate(s, c, ENDPOINT, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": []}, "numbers, one at least"),
        ({"times": [5.0, 1e9]}, "longest follow-up"),
        ({"times": -1}, "longest follow-up"),
        ({"n_splits": 1}, "n_splits must be"),
        ({"n_repeats": 0}, "n_repeats must be"),
        ({"model": 5}, "5 is not a model"),
        ({"model": {}}, "There is no model"),
        ({"groups": "patient"}, "column.* of groups not in"),
        ({"groups": [1, 2]}, "2 values for 40 rows"),
        ({"baseline": ["event"]}, "belong.* to the endpoint"),
    ],
)
def test_options_of_evaluate_are_checked(options: dict[str, Any], message: str) -> None:
    s, c = tables()
    with pytest.raises(DataError, match=message):
        p.evaluate(options.pop("model", None), s, c, ENDPOINT, **options)


def test_one_name_is_as_good_as_a_list_of_one() -> None:
    s, c = tables()
    one, several = (p.associate(s, c, ENDPOINT, a, negative_controls=(), n_boot=0) for a in ("age", ["age"]))
    pd.testing.assert_frame_equal(one, several)
    assert len(p.kaplan_meier(s, c, ENDPOINT, quantiles=0.5)) == len(p.kaplan_meier(s, c, ENDPOINT))
    with pytest.raises(DataError, match=r"not in the table \(C\)"):
        p.kaplan_meier(s, c, ENDPOINT, signatures=["C"])
    with pytest.raises(DataError, match="cannot be part of the baseline"):
        p.fit_model(s, c, ENDPOINT, "time")
    with pytest.raises(DataError, match="cannot be part of the baseline"):
        p.evaluate(None, s, c, ENDPOINT, "time")


def test_patients_with_several_observations_are_said() -> None:
    s, c = tables()
    twice = c.assign(patient=[f"P{i // 2}" for i in range(40)])
    for call in (
        lambda: p.associate(s, twice, ENDPOINT, negative_controls=(), n_boot=0),
        lambda: p.cox(s, twice, ENDPOINT),
        lambda: p.kaplan_meier(s, twice, ENDPOINT),
        lambda: p.fit_model(s, twice, ENDPOINT),
    ):
        with pytest.warns(StatisticsWarning, match=r"20 patient\(s\) have several observations"):
            call()
    with pytest.raises(DataError, match=r"20 patient\(s\) have several observations .*groups='patient'"):
        p.evaluate(None, s, twice, ENDPOINT, n_splits=2, n_repeats=1, n_boot=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        p.evaluate(None, s, twice, ENDPOINT, groups="patient", n_splits=2, n_repeats=1, n_boot=0)
        p.cox(s, c.assign(patient=c.index), ENDPOINT)

"""Horizons: bounded by follow-up everywhere, and a column in the tables that depend on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtorscore.errors import EndpointError
from mtorscore.prognosis import (
    Endpoint,
    added_value,
    associate,
    cause_specific,
    cumulative_incidence,
    decision_curve,
    evaluate,
    fit_model,
    interaction,
    kaplan_meier,
    logrank,
    nonlinearity,
    optimism,
    over_time,
    survival_performance,
    validate,
)

RNG = np.random.default_rng(7)
N = 120
INDEX = [f"p{i}" for i in range(N)]
SCORES = pd.DataFrame({"A": RNG.normal(size=N)}, index=INDEX)
TIME = RNG.exponential(20 * np.exp(-0.6 * SCORES["A"]))
END = RNG.uniform(5, 40, N)
CLINICAL = pd.DataFrame(
    {
        "time": np.minimum(TIME, END),
        "event": np.where(END < TIME, 0, np.where(RNG.random(N) < 0.7, 1, 2)),
        "age": RNG.normal(60, 9, N),
        "sex": np.where(RNG.random(N) < 0.5, "m", "f"),
    },
    index=INDEX,
)
WHOLE = Endpoint.survival("time", "event", "months", competing=2)
CUT = Endpoint.survival("time", "event", "months", competing=2, horizon=12)
BEYOND = Endpoint.survival("time", "event", "months", competing=2, horizon=500)
HALVES = pd.Series(np.where(SCORES["A"] > 0, "high", "low"), index=INDEX)

TABLES: dict[str, Any] = {
    "associate": lambda e: associate(SCORES, CLINICAL, e, negative_controls=()),
    "cause_specific": lambda e: cause_specific(SCORES, CLINICAL, e, negative_controls=()),
    "kaplan_meier": lambda e: kaplan_meier(SCORES, CLINICAL, e),
    "cumulative_incidence": lambda e: cumulative_incidence(CLINICAL, e),
    "logrank": lambda e: logrank(HALVES, CLINICAL, e),
    "interaction": lambda e: interaction(SCORES, CLINICAL, e, "sex"),
    "nonlinearity": lambda e: nonlinearity(SCORES, CLINICAL, e),
    "added_value": lambda e: added_value(SCORES, CLINICAL, e, ["age"], n_boot=5),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_cut_is_a_column_and_one_beyond_follow_up_cuts_nothing(name: str) -> None:
    make = TABLES[name]
    assert (make(CUT)["horizon"] == 12).all()
    plain, beyond = make(WHOLE), make(BEYOND)
    assert plain["horizon"].isna().all()
    pd.testing.assert_frame_equal(plain, beyond)


def test_every_door_refuses_a_horizon_beyond_follow_up() -> None:
    model = fit_model(SCORES, CLINICAL, WHOLE)
    risk = 1 - model.predict_survival(SCORES, [12]).iloc[:, 0]
    data = WHOLE.resolve_survival(CLINICAL)
    doors: dict[str, Any] = {
        "decision_curve": lambda: decision_curve(risk, CLINICAL, WHOLE, horizon=500),
        "validate": lambda: validate(model, SCORES, CLINICAL, horizon=500, n_boot=0),
        "optimism": lambda: optimism(SCORES, CLINICAL, WHOLE, n_boot=2, horizon=500),
        "early": lambda: Endpoint.early("time", "event", 500, "months", competing=2).resolve(CLINICAL),
        "predict_survival": lambda: model.predict_survival(SCORES, [12, 500]),
        "over_time": lambda: over_time(SCORES, CLINICAL, WHOLE, horizon=500),
        "over_time, cut": lambda: over_time(SCORES, CLINICAL, WHOLE, cut=500),
    }
    for name, door in doors.items():
        with pytest.raises(EndpointError, match=r"500|beyond"):
            door()
        assert name
    for door in (
        lambda: survival_performance(SCORES["A"], CLINICAL, WHOLE, [500]),
        lambda: evaluate(None, SCORES, CLINICAL, WHOLE, times=[500], n_boot=0, n_repeats=1),
    ):
        with pytest.raises(Exception, match="longest follow-up"):
            door()
    assert data.longest < 500


def test_the_training_cohort_bounds_what_a_model_says() -> None:
    short = CLINICAL.assign(
        event=CLINICAL["event"].where(CLINICAL["time"] <= 15, 0), time=CLINICAL["time"].clip(upper=15)
    )
    model = fit_model(SCORES, short, WHOLE)
    assert model.training["longest"] == 15
    found = validate(model, SCORES, CLINICAL, n_boot=0)
    assert (found.summary["horizon"] == model.horizon).all()
    assert (found.calibration["horizon"] == model.horizon).all()
    with pytest.raises(EndpointError, match="longest follow-up of its training cohort"):
        validate(model, SCORES, CLINICAL, horizon=30, n_boot=0)
    with pytest.raises(EndpointError, match=r"beyond .*15 months.*got 30"):
        model.predict_survival(SCORES, [10, 30])

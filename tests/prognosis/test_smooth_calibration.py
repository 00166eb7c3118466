"""Smooth calibration curves, ICI, E50, E90 against R, their definition, and closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore.errors import DataError, EndpointError
from mtorscore.prognosis import (
    Endpoint,
    evaluate,
    fit_model,
    smooth_calibration,
    survival_performance,
    validate,
)
from mtorscore.prognosis.statistics import metrics
from mtorscore.prognosis.statistics.pseudo_values import pseudo_risk, pseudo_values
from mtorscore.prognosis.statistics.smoothing import cox_risk, loess_risk, logistic_risk
from tests.prognosis.against_r.values import AT, COMPETING, SURVIVAL, expected, patients

LABEL = Endpoint.label("y", positive="1")


@pytest.mark.parametrize("knots", [3, 4, 5])
def test_survival_is_the_cox_model_on_a_spline_of_austin_harrell_and_van_klaveren(knots: int) -> None:
    d = patients()
    x = np.log(-np.log1p(-d["risk"].to_numpy()))
    found = cox_risk(d["time"].to_numpy(float), d["event"].to_numpy(bool), x, x[:40], AT, knots=knots)
    assert_allclose(found.value, expected(f"cox_spline_observed_{knots}"), atol=1e-8)
    assert_allclose(found.low, expected(f"cox_spline_low_{knots}"), atol=1e-8)
    assert_allclose(found.high, expected(f"cox_spline_high_{knots}"), atol=1e-8)


def test_ici_e50_e90_of_survival_are_those_of_r() -> None:
    d = patients()
    for knots in (3, 4, 5):
        result = smooth_calibration(d["risk"], SURVIVAL.resolve(d), AT, knots=knots)
        # Ten events per parameter: 44 events by the horizon carry four parameters.
        assert result.smoother == f"Cox model on log(-log(1 - risk)) (restricted cubic spline, {knots} knots)"
        mine = [result.ici, result.e50, result.e90, result.emax]
        assert_allclose(mine, expected(f"cox_spline_errors_{knots}"), atol=1e-8)


def test_labels_by_loess_are_those_of_r() -> None:
    d = patients()
    y, p = d["y"].to_numpy(float), d["prob"].to_numpy()
    assert_allclose(loess_risk(y, p, p[:40]).value, expected("loess_observed"), atol=1e-9)
    result = smooth_calibration(p, LABEL.resolve(d), smoother="loess")
    assert_allclose([result.ici, result.e50, result.e90, result.emax], expected("loess_errors"), atol=1e-9)


def test_labels_by_a_spline_are_those_of_r() -> None:
    d = patients()
    odds = np.log(d["prob"] / (1 - d["prob"])).to_numpy()
    found = logistic_risk(d["y"].to_numpy(float), odds, odds[:40], knots=4)
    assert_allclose(found.value, expected("logistic_observed"), atol=1e-8)
    assert_allclose(found.low, expected("logistic_low"), atol=1e-7)
    result = smooth_calibration(d["prob"], LABEL.resolve(d), knots=4)
    assert_allclose([result.ici, result.e50, result.e90, result.emax], expected("logistic_errors"), atol=1e-8)


def test_competing_events_take_the_cumulative_incidence() -> None:
    d = patients()
    time, status = d["time2"].to_numpy(float), d["status"].to_numpy()
    assert_allclose(pseudo_values(time, status, AT)[:40], expected("pseudo"), atol=1e-8)
    x = np.log(-np.log1p(-d["risk"].to_numpy()))
    found = pseudo_risk(time, status, x, x[:40], AT)
    assert_allclose(found.value, expected("pseudo_observed"), atol=1e-5)
    assert_allclose(found.high, expected("pseudo_high"), atol=1e-5)
    result = smooth_calibration(d["risk"], COMPETING.resolve(d), AT)
    assert "pseudo-observations of the cumulative incidence" in result.smoother
    blind = smooth_calibration(d["risk"], Endpoint.survival("time2", "event", unit="months").resolve(d), AT)
    assert abs(result.ici - blind.ici) > 1e-3


def test_a_straight_line_has_the_closed_form_of_its_slope() -> None:
    """Without curvature the observed risk is 1 - exp(-exp(a + b cloglog)): ICI follows from slope and intercept."""
    rng = np.random.default_rng(0)
    lp = rng.normal(size=20000)
    time = rng.exponential(np.exp(-0.5 * lp))
    predicted = 1 - np.exp(-0.7 * np.exp(lp))
    truth = 1 - np.exp(-0.7 * np.exp(0.5 * lp))
    table = pd.DataFrame({"t": time, "e": 1})
    data = Endpoint.survival("t", "e", unit="years").resolve(table)
    result = smooth_calibration(predicted, data, 0.7)
    gap = np.abs(truth - predicted)
    assert_allclose([result.ici, result.e50, result.e90], [gap.mean(), *np.quantile(gap, [0.5, 0.9])], atol=0.01)
    honest = smooth_calibration(truth, data, 0.7)
    assert honest.ici < 0.01


def test_the_band_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    hits = []
    for _ in range(60):
        lp = rng.normal(size=300)
        table = pd.DataFrame({"t": rng.exponential(np.exp(-lp)), "e": 1})
        data = Endpoint.survival("t", "e", unit="years").resolve(table)
        curve = smooth_calibration(1 - np.exp(-0.7 * np.exp(lp)), data, 0.7).curve
        middle = curve.iloc[len(curve) // 2]
        hits.append(middle["low"] <= middle["predicted"] <= middle["high"])
    assert np.mean(hits) > 0.86


def test_few_events_give_a_straight_line_or_a_reason() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"t": rng.exponential(1, 100), "e": (np.arange(100) < 15).astype(int)})
    data = Endpoint.survival("t", "e", unit="years").resolve(table)
    late = float(table["t"].max())
    assert "straight line" in smooth_calibration(rng.uniform(0.1, 0.3, 100), data, late).smoother
    early = smooth_calibration(rng.uniform(0.1, 0.3, 100), data, float(np.sort(table["t"])[5]))
    assert early.curve.empty
    assert "event(s); at least 10" in early.reason
    assert np.isnan(early.ici)
    same = smooth_calibration(np.full(100, 0.2), data, late)
    at_risk = (table["t"].to_numpy() >= table["t"].to_numpy()[:15, None]).sum(axis=1)
    assert_allclose(same.ici, abs(1 - np.exp(-(1 / at_risk).sum()) - 0.2), rtol=1e-10)


def test_the_scaled_brier_score_is_the_index_of_prediction_accuracy_of_r() -> None:
    d = patients()
    untied = Endpoint.survival("time_untied", "event", unit="months")
    curves = pd.DataFrame({AT: 1 - d["risk"]})
    table = survival_performance(d["risk"], d, untied, [AT], survival=curves).set_index("metric")["value"]
    assert_allclose([table["brier"], table["scaled_brier"]], [expected("brier")[0], expected("ipa")[0]], atol=1e-8)
    y, p = d["y"].to_numpy(), d["prob"].to_numpy()
    own = 1 - ((y - p) ** 2).mean() / (y.mean() * (1 - y.mean()))
    assert_allclose(metrics.scaled_brier(y, p, np.ones((1, len(y)))), [own], rtol=1e-12)


def test_validation_and_evaluation_say_how_far_observed_and_predicted_risks_lie_apart() -> None:
    d = patients()
    x = d[["score"]]
    model = fit_model(x, d, SURVIVAL)
    result = validate(model, x, d, n_boot=20)
    row = result.summary.set_index("metric").loc["ici"]
    predicted = 1 - model.predict_survival(x, [model.horizon or 0])[model.horizon]
    assert_allclose(row["value"], smooth_calibration(predicted, SURVIVAL.resolve(d), model.horizon).ici)
    assert np.isnan(row["low"])
    assert "chance alone" in row["reason"]
    assert {"e50", "e90", "scaled_brier"} <= set(result.summary["metric"])
    assert result.smooth.curve["low"].le(result.smooth.curve["high"]).all()
    out = evaluate(None, x, d, SURVIVAL, n_splits=3, n_repeats=1, n_boot=0)
    score = out.calibration.set_index("model").loc["score"]
    assert score[["ici", "e50", "e90", "scaled_brier"]].notna().all()
    assert set(out.smooth_curves["model"]) <= {"dummy", "score"}


def test_wrong_input_is_refused() -> None:
    d = patients()
    data = SURVIVAL.resolve(d)
    with pytest.raises(DataError, match="needs a horizon"):
        smooth_calibration(d["risk"], data)
    with pytest.raises(EndpointError, match="beyond the longest follow-up"):
        smooth_calibration(d["risk"], data, 1e6)
    with pytest.raises(DataError, match="numbers from 0 to 1"):
        smooth_calibration(d["risk"] * 3, data, AT)
    with pytest.raises(DataError, match="Loess is for labels"):
        smooth_calibration(d["risk"], data, AT, smoother="loess")
    with pytest.raises(DataError, match="knots 3, 4 or 5"):
        smooth_calibration(d["risk"], data, AT, knots=7)

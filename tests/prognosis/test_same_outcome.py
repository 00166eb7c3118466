"""A frozen model is validated on its own outcome: positive class, horizon, unit, follow-up, training patients."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtorscore.errors import EndpointError, FormatError, ReferenceMismatchError
from mtorscore.prognosis import (
    Endpoint,
    FittedModel,
    calibration_curve,
    decision_curve,
    fit_model,
    leave_one_cohort_out,
    load_model,
    optimism,
    over_time,
    survival_performance,
    validate,
)
from mtorscore.prognosis.statistics.kaplan_meier import median_follow_up

MONTHS = Endpoint.survival("time", "event", unit="months")
HCC = Endpoint.label("dx", positive="HCC")


def cohort(n: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    scores = pd.DataFrame(rng.normal(size=(n, 2)), columns=["A", "B"], index=[f"{seed}_{i}" for i in range(n)])
    time, censored = rng.exponential(20 * np.exp(-0.7 * scores["A"])), rng.uniform(1, 60, n)
    clinical = pd.DataFrame({"time": np.minimum(time, censored), "event": (time <= censored).astype(int)}, scores.index)
    clinical["dx"] = np.where(rng.random(n) < 1 / (1 + np.exp(-1.5 * scores["A"])), "HCC", "normal")
    return scores, clinical


@pytest.fixture(scope="module")
def survival() -> FittedModel:
    return fit_model(*cohort(200, 1), MONTHS)


@pytest.fixture(scope="module")
def label() -> FittedModel:
    return fit_model(*cohort(200, 1), HCC)


def notes_of(model: FittedModel, scores: pd.DataFrame, clinical: pd.DataFrame, endpoint: Endpoint | None = None) -> str:
    return "; ".join(validate(model, scores, clinical, endpoint, n_boot=0).notes)


def test_another_positive_class_is_refused(label: FittedModel) -> None:
    scores, clinical = cohort(150, 2)
    assert set(validate(label, scores, clinical, HCC, n_boot=0).summary["positive"]) == {"HCC"}
    with pytest.raises(EndpointError, match=r"predicts HCC \(against normal\), and the positive class of dx is normal"):
        validate(label, scores, clinical, Endpoint.label("dx", positive="normal"), n_boot=0)
    renamed = clinical.replace({"HCC": "tumour"})
    with pytest.raises(EndpointError, match="positive class of dx is tumour"):
        validate(label, scores, renamed, Endpoint.label("dx", positive="tumour"), n_boot=0)
    with pytest.raises(EndpointError, match="holds no 'HCC'"):
        validate(label, scores, renamed, n_boot=0)
    assert "the class beside HCC was normal in training and is healthy here" in notes_of(
        label, scores, clinical.replace({"normal": "healthy"})
    )
    three = clinical.assign(dx=np.where(np.arange(150) < 20, "CCA", clinical["dx"]))
    with pytest.raises(EndpointError, match="has 3 classes"):
        validate(label, scores, three, n_boot=0)


def test_a_cohort_of_one_class_keeps_its_meaning(label: FittedModel) -> None:
    scores, clinical = cohort(80, 2)
    result = validate(label, scores, clinical.assign(dx="HCC"), n_boot=0)
    table = result.summary.set_index("metric")
    assert not table.loc["roc_auc", "valid"]
    assert table.loc["observed_expected", "value"] > 1
    assert any("every observation is HCC" in n for n in result.notes)


def test_an_early_model_is_for_its_horizon() -> None:
    scores, clinical = cohort(200, 1)
    model = fit_model(scores, clinical, Endpoint.early("time", "event", 6, "months"))
    new_scores, new = cohort(200, 2)
    same = validate(model, new_scores, new, n_boot=0).summary
    assert same["horizon"].eq(6).all()
    for other in (Endpoint.early("time", "event", 24, "months"), Endpoint.early("time", "event", 6, "days")):
        with pytest.raises(EndpointError, match="predicts an event within 6 months"):
            validate(model, new_scores, new, other, n_boot=0)
    days = new.assign(time=new["time"] * 365.25 / 12)
    in_days = Endpoint.early("time", "event", 6 * 365.25 / 12, "days")
    found = validate(model, new_scores, days, in_days, n_boot=0).summary
    np.testing.assert_allclose(found["value"], same["value"])


def test_the_horizon_is_that_of_the_training_cohort_within_follow_up(survival: FittedModel) -> None:
    _, clinical = cohort(200, 1)
    expected = clinical.loc[clinical["event"] == 1, "time"].median()
    new_scores, new = cohort(200, 2)
    result = validate(survival, new_scores, new, n_boot=0)
    assert result.summary["horizon"].eq(expected).all()
    assert result.calibration["horizon"].eq(expected).all()
    assert f"Horizon: {expected:g} months" in survival.card
    cut = expected / 2
    short = new.assign(event=np.where(new["time"] > cut, 0, new["event"]), time=new["time"].clip(upper=cut))
    with pytest.raises(EndpointError, match=r"training cohort's median event time \(.*beyond the longest follow-up"):
        validate(survival, new_scores, short, n_boot=0)
    assert validate(survival, new_scores, short, horizon=cut, n_boot=0).summary["horizon"].eq(cut).all()


def test_a_horizon_beyond_follow_up_is_refused_everywhere(survival: FittedModel) -> None:
    scores, clinical = cohort(150, 2)
    risk = 1 / (1 + np.exp(-scores["A"]))
    data = MONTHS.resolve(clinical)
    longest = float(clinical["time"].max())
    parts = pd.Series(np.where(np.arange(150) % 2, "a", "b"), scores.index)
    for call in (
        lambda h: validate(survival, scores, clinical, horizon=h, n_boot=0),
        lambda h: decision_curve(risk, clinical, MONTHS, horizon=h, thresholds=[0.2]),
        lambda h: calibration_curve(risk, data, h),
        lambda h: optimism(scores, clinical, MONTHS, n_boot=2, horizon=h),
        lambda h: over_time(scores, clinical, MONTHS, horizon=h),
        lambda h: survival_performance(scores["A"], clinical, MONTHS, [h]),
        lambda h: leave_one_cohort_out(scores, clinical.assign(c=parts), MONTHS, "c", horizon=h, n_boot=0),
    ):
        with pytest.raises((EndpointError, ValueError), match="longest follow-up"):
            call(500.0)
    with pytest.raises(EndpointError, match="horizon lies beyond the longest follow-up"):
        Endpoint.early("time", "event", 500, "months").resolve(clinical)
    assert decision_curve(risk, clinical, MONTHS, horizon=longest, thresholds=[0.2])["horizon"].eq(longest).all()
    assert survival_performance(scores["A"], clinical, MONTHS, [longest])["value"].notna().sum() >= 2


def test_training_patients_are_recognised(survival: FittedModel, tmp_path: Path) -> None:
    scores, clinical = cohort(200, 1)
    loaded = load_model(survival.save(tmp_path / "m.mtorscore"))
    with zipfile.ZipFile(tmp_path / "m.mtorscore") as archive:
        assert b"1_17" not in archive.read("model.json")
    for model in (survival, loaded):
        notes = notes_of(model, scores, clinical)
        assert "200 of 200 patient(s) have the names of patients that the model was trained on" in notes
        assert "200 of 200 observation(s) have exactly the scores of a training observation" in notes
    others = [f"x{i}" for i in range(200)]
    renamed = notes_of(survival, scores.set_axis(others), clinical.set_axis(others))
    assert "have the names" not in renamed
    assert "200 of 200 observation(s) have exactly the scores" in renamed
    new_scores, new = cohort(200, 2)
    assert "train" not in notes_of(survival, new_scores, new)
    named = new.assign(patient=[f"1_{i}" if i < 5 else f"n{i}" for i in range(200)])
    assert "5 of 200 patient(s) have the names" in notes_of(survival, new_scores, named)


def test_repeated_patients_are_resampled_as_patients(survival: FittedModel) -> None:
    scores, clinical = cohort(150, 2)
    clinical = clinical.assign(patient=clinical.index)
    twice = pd.concat([clinical, clinical.rename(index=lambda i: f"{i}_b")])
    both = pd.concat([scores, scores.rename(index=lambda i: f"{i}_b")])
    once, doubled = (validate(survival, *t, n_boot=200) for t in ((scores, clinical), (both, twice)))
    widths = [r.summary.set_index("metric").loc["harrell_c", ["low", "high"]].diff().iloc[1] for r in (once, doubled)]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)
    assert any("150 patient(s) have several observations" in n for n in doubled.notes)


def test_scores_of_another_method_are_refused() -> None:
    scores, clinical = cohort(150, 1)
    said = {"method": "singscore", "params": {"ties": "min"}, "cohort_dependent": False, "reference": ""}
    scores.attrs["scored_by"] = said
    model = fit_model(scores, clinical, MONTHS)
    assert "Scores: by singscore." in model.card
    new_scores, new = cohort(150, 2)
    for here, message in (
        (said | {"method": "zscore"}, "fitted on scores by singscore, and these are by zscore"),
        (said | {"params": {"ties": "max"}}, r"with other parameters \(ties\)"),
    ):
        new_scores.attrs["scored_by"] = here
        with pytest.raises(ReferenceMismatchError, match=message):
            validate(model, new_scores, new, n_boot=0)
        with pytest.raises(ReferenceMismatchError, match=message):
            model.predict(new_scores)
    new_scores.attrs["scored_by"] = said
    assert validate(model, new_scores, new, n_boot=0).summary["value"].notna().all()
    dependent = fit_model(cohort(150, 1)[0], clinical, MONTHS, method="zscore")
    new_scores.attrs["scored_by"] = {"method": "zscore", "params": {}, "cohort_dependent": True, "reference": ""}
    assert any("depend on the cohort" in n for n in validate(dependent, new_scores, new, n_boot=0).notes)


def test_a_changed_model_file_is_refused(survival: FittedModel, tmp_path: Path) -> None:
    path = survival.save(tmp_path / "m.mtorscore")
    assert load_model(path).digest == survival.digest
    assert survival.digest[:16] in survival.card
    assert replace(survival, penalty=survival.penalty * 2).digest != survival.digest
    with zipfile.ZipFile(path) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    parts["model.json"] = parts["model.json"].replace(b'"penalty": ', b'"penalty": 1')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(FormatError, match="not as it was written"):
        load_model(path)


def test_follow_up_of_the_card_is_by_reverse_kaplan_meier(survival: FittedModel) -> None:
    _, clinical = cohort(200, 1)
    time, event = clinical["time"].to_numpy(), clinical["event"].to_numpy(dtype=bool)
    order = np.argsort(time)
    free = np.cumprod(1 - (1 - event[order]) / np.arange(200, 0, -1))
    expected = time[order][np.argmax(free <= 0.5)]
    assert median_follow_up(time, event) == expected
    assert f"median follow-up {expected:g} months" in survival.card


def test_the_recalibrated_model_says_so(survival: FittedModel) -> None:
    card = validate(survival, *cohort(120, 2), n_boot=0).recalibrated.card
    assert "Trained on 200 observations" in card
    assert "Recalibrated on 120 observations of another cohort" in card


def test_the_slope_uses_the_ties_of_all_other_models() -> None:
    """Efron, as `cox` and `associate` do."""
    from mtorscore.prognosis import cox

    scores, clinical = cohort(200, 1)
    model = fit_model(scores, clinical, MONTHS)
    new_scores, new = cohort(200, 2)
    tied = new.assign(time=np.ceil(new["time"] / 6) * 6)
    slope = validate(model, new_scores, tied, n_boot=0).summary.set_index("metric").loc["calibration_slope", "value"]
    linear = model.linear_predictor(new_scores).to_frame("linear")
    for ties, same in (("efron", True), ("breslow", False)):
        assert (abs(cox(linear, tied, MONTHS, ties=ties).table.loc["linear", "coef"] - slope) < 1e-6) == same

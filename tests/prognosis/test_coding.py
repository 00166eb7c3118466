"""Clinical columns mean the same whatever their storage: levels by name, words among numbers named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mtorscore.errors import DataError, DataWarning
from mtorscore.prognosis import (
    ClinicalEncoder,
    Endpoint,
    FittedModel,
    associate,
    evaluate,
    fit_model,
    leave_one_cohort_out,
    load_model,
    validate,
)
from mtorscore.prognosis.endpoints.coding import kind_of_column, learn, name_of
from mtorscore.prognosis.endpoints.covariates import encode

ENDPOINT = Endpoint.survival("time", "event", unit="months")
STAGES = list("1234")


def cohort(n: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    index = [f"{seed}_{k}" for k in range(n)]
    scores = pd.DataFrame({"A": rng.normal(size=n)}, index=index)
    stage = rng.choice(STAGES, n, p=[0.4, 0.3, 0.2, 0.1])
    age = rng.normal(60, 10, n).round()
    hazard = np.exp(0.5 * scores["A"].to_numpy() + 0.8 * (stage.astype(int) - 1) + 0.06 * (age - 60))
    time, censored = rng.exponential(20 / hazard), rng.uniform(1, 60, n)
    clinical = pd.DataFrame(
        {"time": np.minimum(time, censored), "event": (time <= censored).astype(int), "age": age}, index=index
    )
    clinical["stage"] = pd.Categorical(stage, STAGES, ordered=True)
    return scores, clinical


@pytest.fixture(scope="module")
def model() -> FittedModel:
    return fit_model(*cohort(300, 1), ENDPOINT, ["age", "stage"])


def absent(c: pd.DataFrame) -> pd.DataFrame:
    part = c[c["stage"] != "1"]
    return part.assign(stage=part["stage"].cat.remove_unused_categories())


STORED: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "a level that is absent": absent,
    "levels in reverse order": lambda c: c.assign(stage=c["stage"].cat.reorder_categories(STAGES[::-1])),
    "a level that nobody has": lambda c: c.assign(stage=c["stage"].cat.set_categories(["0", *STAGES])),
    "text": lambda c: c.assign(stage=c["stage"].astype(str)),
    "whole numbers": lambda c: c.assign(stage=c["stage"].astype(int)),
    "numbers with decimals": lambda c: c.assign(stage=c["stage"].astype(float)),
    "an unordered category": lambda c: c.assign(stage=pd.Categorical(c["stage"].astype(str))),
    "ages as text": lambda c: c.assign(age=c["age"].astype(str)),
    "ages as a category": lambda c: c.assign(age=c["age"].astype(str).astype("category")),
}


@pytest.mark.parametrize("stored", STORED)
def test_predictions_do_not_depend_on_how_levels_are_stored(stored: str, model: FittedModel) -> None:
    scores, right = cohort(200, 2)
    other = STORED[stored](right)
    rows = other.index
    assert_allclose(model.predict(scores.loc[rows], other), model.predict(scores, right).loc[rows], rtol=1e-12)


def test_reversed_levels_are_noted(model: FittedModel) -> None:
    scores, clinical = cohort(200, 2)
    notes = validate(model, scores, STORED["levels in reverse order"](clinical), n_boot=0).notes
    assert any("stage are declared in another order here" in n and "(1, 2, 3, 4)" in n for n in notes)
    assert not any("another order" in n for n in validate(model, scores, clinical, n_boot=0).notes)


def test_levels_and_words_that_the_model_does_not_know_are_refused(model: FittedModel) -> None:
    scores, clinical = cohort(200, 2)
    strange = clinical.assign(stage="S" + clinical["stage"].astype(str))
    with pytest.raises(DataError, match=r"'stage' holds 200 value\(s\) that are no level .*levels are 1, 2, 3, 4"):
        validate(model, scores, strange, n_boot=0)
    for as_stored in (object, "category"):
        one = clinical["age"].astype(object)
        one.iloc[0] = "unknown"
        with pytest.raises(DataError, match=r"'age' holds numbers and 1 value\(s\) that are none \('unknown'\)"):
            model.predict(scores, clinical.assign(age=one.astype(as_stored)))


def test_one_word_among_numbers_is_named_at_every_door() -> None:
    scores, clinical = cohort(90, 3)
    ages = clinical["age"].astype(object)
    ages.iloc[0] = "[Not Available]"
    bad = clinical.assign(age=ages, cohort=["a", "b", "c"] * 30)
    for call in (
        lambda: associate(scores, bad, ENDPOINT, ["age"], negative_controls=()),
        lambda: evaluate(None, scores, bad, ENDPOINT, ["age"], n_repeats=1, n_boot=0),
        lambda: fit_model(scores, bad, ENDPOINT, ["age"]),
        lambda: leave_one_cohort_out(scores, bad, ENDPOINT, "cohort", ["age"], n_boot=0),
    ):
        with pytest.raises(DataError, match=r"'age' holds numbers and 1 value.*\[Not Available\]"):
            call()


def test_a_category_that_the_model_never_saw_is_counted() -> None:
    scores, clinical = cohort(150, 1)
    clinical["sex"] = np.where(np.arange(150) % 3 == 0, "female", "male")
    model = fit_model(scores, clinical, ENDPOINT, ["sex"])
    new = clinical.assign(sex=clinical["sex"].replace({"female": "f"}))
    with pytest.warns(DataWarning, match=r"50 observation\(s\) have a sex that model model never saw \(f\).* as male"):
        predicted = model.predict(scores, new)
    assert_array_equal(predicted, model.predict(scores, clinical.assign(sex="male")))
    assert any("50 observation(s) have a sex" in n for n in validate(model, scores, new, n_boot=0).notes)


def test_codes_do_not_change_when_an_empty_level_goes() -> None:
    stage = pd.Series(pd.Categorical(["I", "III", "IV"] * 20, ["I", "II", "III", "IV"], ordered=True))
    both = [encode(s.to_frame("stage"))["stage"].to_numpy() for s in (stage, stage.cat.remove_unused_categories())]
    assert_array_equal(*both)
    scores, clinical = cohort(120, 5)
    clinical["time"] = clinical["time"].to_numpy()
    keep = (clinical["stage"] != "2").to_numpy()
    part = clinical[keep]
    tables = [
        associate(scores[keep], c, ENDPOINT, ["stage"], negative_controls=(), n_boot=0)
        for c in (part, part.assign(stage=part["stage"].cat.remove_unused_categories()), clinical)
    ]
    for other in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], other)
    fits = [fit_model(scores[keep], c, ENDPOINT, ["stage"]) for c in (part, absent(part.assign(stage=part["stage"])))]
    assert fits[0].clinical["stage"]["levels"] == ["1", "3", "4"]
    assert fits[1].clinical["stage"]["levels"] == ["3", "4"]


def test_folds_keep_the_declared_order_of_levels() -> None:
    """A fold without a level must not move the codes of the others."""
    column = pd.Series(pd.Categorical(["a", "b", "c", "c"], ["a", "b", "c"], ordered=True), name="s")
    fold = ClinicalEncoder().fit(column.iloc[2:].to_frame())
    assert_array_equal(fold.transform(column.to_frame())[:, 0], [1, 2, 3, 3])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, None], "number"),
        (["1", "2", None], "number"),
        ([True, False, True], "number"),
        (["a", "b", "a"], "category"),
        (["HBV", "HCV", "none", "0"], "category"),
        (pd.Categorical(["x", "y"], ordered=True), "ordered"),
        (pd.Categorical([1, 2, 3]), "category"),
    ],
)
def test_the_kind_of_a_column(values: object, kind: str) -> None:
    assert kind_of_column(pd.Series(values, name="c")) == kind


def test_many_numbers_among_more_words_are_no_category() -> None:
    """Never one column per age."""
    ages = pd.Series([str(a) for a in range(40, 60)] + ["unknown"] * 30, name="age")
    with pytest.raises(DataError, match=r"'age' holds numbers and 30 value\(s\)"):
        kind_of_column(ages)


def test_names_of_levels() -> None:
    assert [name_of(v) for v in (1, 1.0, np.float64(2), " I ", True, 1.5)] == ["1", "1", "2", "I", "True", "1.5"]
    coding = learn(pd.Series(["b", "a", "b", None], name="g"))
    assert coding.levels == ("b", "a")
    assert_allclose(coding.apply(pd.Series(["a", "b", None], name="g")), [[1], [0], [0]])


def test_levels_come_back_from_a_file(model: FittedModel, tmp_path: object) -> None:
    again = load_model(model.save(f"{tmp_path}/m.mtorscore"))
    scores, clinical = cohort(100, 4)
    assert again.clinical == model.clinical
    assert again.digest == model.digest
    assert_array_equal(again.predict(scores, STORED["text"](clinical)), model.predict(scores, clinical))

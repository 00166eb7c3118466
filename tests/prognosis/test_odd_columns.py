"""Clinical columns as colleagues send them: words of events, covariates written as text, names that nearly agree."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore.errors import DataError, DataWarning, EndpointError, FormatError, StatisticsWarning
from mtorscore.prognosis import Endpoint, associate

N = 120


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame({"SIG": rng.normal(size=N)}, [f"P{i:03d}" for i in range(N)])


@pytest.fixture(scope="module")
def clinical(scores: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    death = rng.exponential(900 * np.exp(-0.5 * scores["SIG"]))
    last = rng.uniform(200, 2500, N)
    return pd.DataFrame(
        {
            "OS.time": np.minimum(death, last).round(1),
            "OS": (death <= last).astype(int),
            "age": rng.normal(60, 8, N).round(),
        },
        scores.index,
    )


def row(scores: pd.DataFrame, clinical: pd.DataFrame, adjust: tuple[str, ...] = (), **said: object) -> pd.Series:
    endpoint = Endpoint.survival("OS.time", "OS", **said)  # type: ignore[arg-type]
    table = associate(scores, clinical, endpoint, adjust=adjust)
    return table[(table["model"] == "adjusted") if adjust else (table["model"] == "unadjusted")].iloc[0]


def test_not_deceased_is_alive(scores: pd.DataFrame, clinical: pd.DataFrame) -> None:
    words = clinical.assign(OS=np.where(clinical["OS"] == 1, "deceased", "not deceased"))
    found, right = row(scores, words), row(scores, clinical)
    assert (found["n"], found["events"], found["hr"]) == (N, right["events"], right["hr"])


@pytest.mark.parametrize(
    ("event", "none", "named"),
    [("uncensored", "censored", "uncensored"), ("verstorben", "lebt", "lebt"), ("not observed", "0", "not observed")],
)
def test_words_that_may_mean_anything_are_named(
    scores: pd.DataFrame, clinical: pd.DataFrame, event: str, none: str, named: str
) -> None:
    words = clinical.assign(OS=np.where(clinical["OS"] == 1, event, none))
    with pytest.raises(EndpointError, match=rf"{named}.*event_value="):
        row(scores, words)


def test_the_value_of_the_event_is_found_as_number_or_text(scores: pd.DataFrame, clinical: pd.DataFrame) -> None:
    right = row(scores, clinical)["hr"]
    coded = clinical.assign(OS=clinical["OS"] + 1)
    assert row(scores, coded, event_value="2")["hr"] == right
    assert row(scores, coded.assign(OS=coded["OS"].astype(str)), event_value=2)["hr"] == right


@pytest.mark.parametrize(
    ("name", "words", "named"),
    [
        ("DSS", ["Died of disease", "Alive", "Died of other causes"], "other causes"),
        ("css_status", ["dead of HCC", "alive", "dead (sepsis)"], "sepsis"),
        ("cancer.specific.survival", ["dead of tumour", "alive", "dead, unrelated"], "unrelated"),
        ("RFS", ["recurrence", "alive without disease", "alive with disease"], "alive with disease"),
        ("relapse", ["relapse", "alive", "alive (relapsed)"], "relapsed"),
    ],
)
def test_a_word_of_another_endpoint_is_refused(
    scores: pd.DataFrame, clinical: pd.DataFrame, name: str, words: list[str], named: str
) -> None:
    table = clinical.assign(**{name: [words[i % 3] for i in range(N)]})
    with pytest.raises(EndpointError, match=named) as raised:
        associate(scores, table, Endpoint.survival("OS.time", name))
    assert f"({words[1]}, " not in str(raised.value)
    two = table.loc[table[name] != words[2]]
    assert associate(scores.loc[two.index], two, Endpoint.survival("OS.time", name))["events"].iloc[0] == N // 3


@pytest.mark.parametrize(
    ("how", "named"),
    [
        (lambda i: f"{40 + i % 30},5", "40,5"),
        (lambda i: f"{i % 90} %", "plain numbers"),
        (lambda i: f">{i % 40}", ">1"),
        (lambda i: f"{i % 40} mg", "mg"),
        (lambda i: f"1.{i % 7}00,0", "1.000,0"),
    ],
)
def test_numbers_written_as_text_are_no_levels(
    scores: pd.DataFrame, clinical: pd.DataFrame, how: object, named: str
) -> None:
    table = clinical.assign(x=[how(i) for i in range(N)])  # type: ignore[operator]
    with pytest.raises(DataError, match=r"'x' holds numbers written as text") as raised:
        row(scores, table, ("x",))
    assert named in str(raised.value)


@pytest.mark.parametrize("levels", [["<=60", ">60"], ["0-5 cm", "5-10 cm", ">10 cm"], ["3a", "3b", "4"]])
def test_bins_stay_levels(scores: pd.DataFrame, clinical: pd.DataFrame, levels: list[str]) -> None:
    table = clinical.assign(x=[levels[i % len(levels)] for i in range(N)])
    assert np.isfinite(row(scores, table, ("x",))["hr"])


@pytest.mark.parametrize("levels", [["male", "Male", "female"], ["Stage I", "stage  i", "Stage II"]])
def test_levels_that_differ_in_capitals_are_named(
    scores: pd.DataFrame, clinical: pd.DataFrame, levels: list[str]
) -> None:
    table = clinical.assign(x=[levels[i % 3] for i in range(N)])
    with pytest.raises(DataError, match=f"'{levels[0]}', '{levels[1]}'"):
        row(scores, table, ("x",))


def test_infinite_covariates_are_refused_at_every_door(scores: pd.DataFrame, clinical: pd.DataFrame) -> None:
    broken = clinical.assign(age=clinical["age"].where(np.arange(N) != 5, np.inf))
    endpoint = Endpoint.survival("OS.time", "OS")
    with pytest.raises(DataError, match=r"'age' holds 1 infinite value\(s\) \(P005\)"):
        row(scores, broken, ("age",))
    with pytest.raises(DataError, match="P005"):
        mt.prognosis.fit_model(scores, broken, endpoint, baseline=["age"])
    model = mt.prognosis.fit_model(scores, clinical, endpoint, baseline=["age"])
    with pytest.raises(DataError, match="P005"):
        model.predict(scores, broken)


@pytest.mark.parametrize("code", [-9, -99, 999])
def test_codes_of_missing_values_are_doubted(scores: pd.DataFrame, clinical: pd.DataFrame, code: int) -> None:
    table = clinical.assign(age=clinical["age"].where(np.arange(N) % 10 > 0, code))
    with pytest.warns(DataWarning, match=rf"12 value\(s\) of 'age' are {code}, and all others lie between"):
        row(scores, table, ("age",))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        row(scores, clinical.assign(age=clinical["age"] - 60), ("age",))


@pytest.mark.parametrize(
    ("rename", "how"),
    [
        (lambda c: c.set_axis(range(N)), "numbers, the other by text"),
        (lambda c: c.rename(index=str.lower), "capitals, blanks or punctuation"),
        (lambda c: c.rename(index=lambda s: f"{s[0]}-{s[1:]} "), "capitals, blanks or punctuation"),
    ],
)
def test_names_that_nearly_agree_are_shown(
    scores: pd.DataFrame, clinical: pd.DataFrame, rename: object, how: str
) -> None:
    other = scores.set_axis([str(i) for i in range(N)]) if "numbers" in how else scores
    with pytest.raises(EndpointError, match=how):
        row(other, rename(clinical))  # type: ignore[operator]


def test_a_part_that_nearly_agrees_is_warned_of(scores: pd.DataFrame, clinical: pd.DataFrame) -> None:
    part = clinical.rename(index={f"P{i:03d}": f"p{i:03d}" for i in range(20)})
    with pytest.warns(DataWarning, match="20 of 120 observations are not in the clinical table.*'P000' is 'p000'"):
        assert row(scores, part)["n"] == 100


def test_barcodes_tell_that_a_patient_stands_twice(scores: pd.DataFrame, clinical: pd.DataFrame) -> None:
    kinds = ("-01A", "-11A")
    both = [pd.concat([t.rename(index=lambda s, k=k: f"TCGA-AA-{s}{k}") for k in kinds]) for t in (scores, clinical)]
    with pytest.warns(StatisticsWarning, match=r"120 patient\(s\) have several observations"):
        row(*both)
    with pytest.raises(DataError, match="the patient of each barcode as groups="):
        mt.prognosis.evaluate(None, both[0], both[1], Endpoint.survival("OS.time", "OS"))
    named = both[1].assign(**{"Patient ID": [n[:12] for n in both[1].index]})
    with pytest.warns(StatisticsWarning, match="several observations"):
        row(both[0].rename(index=str.lower), named.rename(index=str.lower))


@pytest.mark.parametrize(
    ("time", "unit", "said"), [("OS_MONTHS", "days", "months"), ("futimeYears", "months", "years")]
)
def test_a_column_that_speaks_of_another_unit_is_doubted(time: str, unit: str, said: str) -> None:
    with pytest.warns(DataWarning, match=f"speaks of {said}, and its times are read as {unit}: say unit='{said}'"):
        Endpoint.survival(time, "OS", unit)


@pytest.fixture(scope="module")
def model(scores: pd.DataFrame, clinical: pd.DataFrame) -> mt.prognosis.FittedModel:
    table = clinical.assign(stage=[("I", "II", "III")[i % 3] for i in range(N)])
    return mt.prognosis.fit_model(scores, table, Endpoint.survival("OS.time", "OS"), baseline=["stage"])


def other(scores: pd.DataFrame, clinical: pd.DataFrame, **columns: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a cohort of other patients."""
    table = clinical.assign(stage=[("III", "I", "II")[i % 3] for i in range(N)]).assign(**columns)
    names = [f"Q{i:03d}" for i in range(N)]
    return (scores + 0.01).set_axis(names), table.set_axis(names)


@pytest.mark.parametrize("word", ["Stage {}", "{}A", "stadium {}"])
def test_levels_in_other_words_are_no_levels(
    model: mt.prognosis.FittedModel, scores: pd.DataFrame, clinical: pd.DataFrame, word: str
) -> None:
    x, table = other(scores, clinical)
    renamed = table.assign(stage=[word.format(s) for s in table["stage"]])
    with pytest.raises(DataError, match=r"None of the 120 values of 'stage' .* is a level that the model knows"):
        mt.prognosis.validate(model, x, renamed, n_boot=0)
    with pytest.raises(DataError, match=r"is a level that the model knows \(I, II, III\)"):
        model.predict(x, renamed)
    few = table.assign(stage=table["stage"].where(np.arange(N) > 3, "IV"))
    assert any("4 observation(s)" in n for n in mt.prognosis.validate(model, x, few, n_boot=0).notes)


def test_a_validation_without_predictions_says_why(
    model: mt.prognosis.FittedModel, scores: pd.DataFrame, clinical: pd.DataFrame
) -> None:
    x, table = other(scores, clinical)
    with pytest.raises(DataError, match=r"scores hold infinite values \(SIG\)"):
        mt.prognosis.validate(model, x.assign(SIG=x["SIG"].where(x["SIG"] < 1, np.inf)), table)
    with pytest.raises(EndpointError, match="none of the 120 observations has a prediction; SIG is missing for all"):
        mt.prognosis.validate(model, x.assign(SIG=np.nan), table)
    with pytest.raises(EndpointError, match="capitals, blanks or punctuation"):
        mt.prognosis.validate(model, x.rename(index=str.lower), table)
    with pytest.raises(DataError, match="must be a number, in the unit of the endpoint, not '24m'"):
        mt.prognosis.validate(model, x, table, horizon="24m")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="must be a DataFrame"):
        mt.prognosis.validate(model, x, dict(table))


def test_a_model_that_ranks_the_other_way_round_is_noted(
    model: mt.prognosis.FittedModel, scores: pd.DataFrame, clinical: pd.DataFrame
) -> None:
    x, table = other(scores, clinical)
    turned = mt.prognosis.validate(model, -x, table, n_boot=100).notes
    assert any("the other way round" in n for n in turned)
    assert not any("the other way round" in n for n in mt.prognosis.validate(model, x, table, n_boot=100).notes)


def test_barcodes_of_a_patient_are_resampled_together_in_validation(
    model: mt.prognosis.FittedModel, scores: pd.DataFrame, clinical: pd.DataFrame
) -> None:
    x, table = other(scores, clinical)
    both = [
        pd.concat([t.set_axis([f"TCGA-AA-{i:04d}-{k}A" for i in range(N)]) for k in ("01", "11")]) for t in (x, table)
    ]
    notes = mt.prognosis.validate(model, both[0], both[1], n_boot=20).notes
    assert any("120 patient(s) have several observations" in n for n in notes)


def test_a_model_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "none.model", tmp_path):
        with pytest.raises(FormatError, match="there is no model to be read"):
            mt.prognosis.load_model(path)


def test_a_score_handed_over_as_groups_is_refused(scores: pd.DataFrame, clinical: pd.DataFrame) -> None:
    endpoint = Endpoint.survival("OS.time", "OS")
    doors: tuple[Callable[[pd.Series], pd.DataFrame], ...] = (
        lambda g: mt.prognosis.kaplan_meier(g, clinical, endpoint),
        lambda g: mt.prognosis.logrank(g, clinical, endpoint),
        lambda g: mt.prognosis.cumulative_incidence(clinical, endpoint, g),
        lambda g: mt.prognosis.restricted_mean(g, clinical, endpoint),
    )
    for door in doors:
        with pytest.raises(DataError, match=r"120 different numbers .* a score rather than groups"):
            door(scores["SIG"])
        with pytest.raises(DataError, match="every value is missing"):
            door(scores["SIG"] * np.nan)
        assert len(door((scores["SIG"] > 0).astype(float)))


def test_ratios_that_cannot_be_are_not_combined(scores: pd.DataFrame, clinical: pd.DataFrame) -> None:
    endpoint = Endpoint.survival("OS.time", "OS")
    one = associate(scores, clinical, endpoint)
    two = associate(-scores, clinical.assign(OS=1), endpoint)
    for broken in (
        one.assign(hr=np.log(one["hr"]), hr_low=np.log(one["hr_low"]), hr_high=np.log(one["hr_high"])).assign(hr=-1.0),
        one.assign(hr_low=one["hr_high"], hr_high=one["hr_low"]),
        one.assign(hr=one["hr_high"] * 2),
    ):
        with pytest.raises(DataError, match=r"of a are not positive or lie outside their interval \(SIG: "):
            mt.prognosis.meta_analyse({"a": broken, "b": two})
    with pytest.raises(DataError, match=r"column hr of a holds .* no number \('1,5'\)"):
        mt.prognosis.meta_analyse({"a": one.assign(hr="1,5"), "b": two})
    with pytest.raises(DataError, match=r"1 of 2 things to combine are no tables \(a\)"):
        mt.prognosis.meta_analyse({"a": "a.tsv", "b": two})
    read_back = one.assign(valid=one["valid"].map({True: "False", False: "False"}))
    assert mt.prognosis.meta_analyse({"a": read_back, "b": two})["cohorts"].iloc[0] == 1


def test_times_in_words_are_refused(scores: pd.DataFrame, clinical: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="times of evaluation must be numbers"):
        mt.prognosis.evaluate(None, scores, clinical, Endpoint.survival("OS.time", "OS"), times=["1y"])  # type: ignore[list-item]

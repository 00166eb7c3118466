"""Endpoints over clinical tables: who counts, who does not, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore.errors import DataWarning, EndpointError
from mtorscore.prognosis import Endpoint, adjust_p, ajcc_stage, tcga_advice


@pytest.fixture
def clinical() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "OS.time": [100.0, 0.0, -5.0, np.nan, 300.0, 50.0],
            "OS": [1, 0, 1, 1, np.nan, 0],
            "cause": [1, 0, 0, 2, 0, 2],
            "status": ["Dead", "Alive", "Dead", "Dead", None, "Alive"],
            "group": ["HCC", "normal", "NASH", "HCC", "other", "normal"],
        },
        index=list("abcdef"),
    )


def test_who_counts(clinical: pd.DataFrame) -> None:
    data = Endpoint.survival("OS.time", "OS").resolve_survival(clinical)
    assert list(data.index) == ["a", "b", "f"]
    assert data.zero_times == ("b",)
    assert (data.n, data.n_events) == (3, 1)
    assert dict(zip(data.excluded["observation"], data.excluded["rule"], strict=True)) == {
        "c": "time negative",
        "d": "time missing",
        "e": "event missing",
    }


def test_observations_without_clinical_row_are_logged(clinical: pd.DataFrame) -> None:
    data = Endpoint.survival("OS.time", "OS").resolve_survival(clinical, pd.Index(["a", "f", "zz"]))
    assert list(data.index) == ["a", "f"]
    assert list(data.excluded["rule"]) == ["not in the clinical table"]


def test_events_are_numbers_recognised_words_or_a_named_value(clinical: pd.DataFrame) -> None:
    strange = clinical.assign(status=clinical["status"].replace("Alive", "somewhere"))
    with pytest.raises(EndpointError, match="no number"):
        Endpoint.survival("OS.time", "status").resolve(strange)
    words = Endpoint.survival("OS.time", "status").resolve_survival(clinical)
    data = Endpoint.survival("OS.time", "status", event_value="Dead").resolve_survival(clinical)
    assert data.event.tolist() == words.event.tolist() == [True, False, False]


def test_competing_events_by_code(clinical: pd.DataFrame) -> None:
    with pytest.raises(EndpointError, match="other than 0 and 1"):
        Endpoint.survival("OS.time", "cause").resolve(clinical)
    data = Endpoint.survival("OS.time", "cause", competing=2).resolve_survival(clinical)
    assert data.status.tolist() == [1, 0, 0, 2]
    assert data.event.tolist() == [True, False, False, False]


def test_times_stay_in_their_unit_which_is_one_of_four(clinical: pd.DataFrame) -> None:
    for unit in ("days", "weeks", "months", "years"):
        data = Endpoint.survival("OS.time", "OS", unit=unit).resolve_survival(clinical)
        assert (data.unit, data.time[0]) == (unit, 100)
    with pytest.raises(EndpointError, match="use one of days, weeks, months, years"):
        Endpoint.survival("OS.time", "OS", unit="hours")


def test_horizon_cuts_follow_up(clinical: pd.DataFrame) -> None:
    data = Endpoint.survival("OS.time", "OS", horizon=60).resolve_survival(clinical)
    assert data.time.tolist() == [60, 0, 50]
    assert data.n_events == 0


def test_ordinal_label_excludes_other_values(clinical: pd.DataFrame) -> None:
    data = Endpoint.label("group", order=("normal", "NASH", "HCC")).resolve_label(clinical)
    assert data.y.tolist() == [2, 0, 1, 2, 0]
    assert list(data.excluded["observation"]) == ["e"]


def test_positive_class_is_the_last(clinical: pd.DataFrame) -> None:
    data = Endpoint.label("group", positive="NASH").resolve_label(clinical)
    assert data.classes[-1] == "NASH"
    with pytest.raises(EndpointError, match="holds no 'cancer'"):
        Endpoint.label("group", positive="cancer").resolve(clinical)


def test_early_event_weights_stand_for_everybody() -> None:
    rng = np.random.default_rng(0)
    time, censor = rng.exponential(30, 4000), rng.uniform(0, 60, 4000)
    table = pd.DataFrame({"t": np.minimum(time, censor), "e": (time <= censor).astype(int)})
    data = Endpoint.early("t", "e", 24, unit="months").resolve_label(table)
    assert data.n == 4000
    early_censored = (table["t"] < 24) & (table["e"] == 0)
    assert (data.weights[early_censored.to_numpy()] == 0).all()
    assert_allclose(data.weights.sum(), 4000, rtol=0.03)
    weighted = np.average(data.y, weights=data.weights)
    assert_allclose(weighted, 1 - np.exp(-24 / 30), atol=0.02)
    # Dropping the censored instead is biased.
    assert abs(data.y[data.weights > 0].mean() - (1 - np.exp(-24 / 30))) > 0.02


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.rename(columns={"OS": "os_event"}), "no column 'OS'"),
        (lambda t: t.assign(**{"OS.time": "long"}), "no number"),
        (lambda t: pd.concat([t, t.iloc[:2]]), "are duplicated in the clinical table"),
        (lambda t: t.set_axis(list("uvwxyz")), "None of the 6 observations"),
    ],
)
def test_wrong_tables(clinical: pd.DataFrame, change: object, message: str) -> None:
    table = change(clinical)  # type: ignore[operator]
    with pytest.raises(EndpointError, match=message):
        Endpoint.survival("OS.time", "OS").resolve(table, clinical.index)


def test_wrong_definitions(clinical: pd.DataFrame) -> None:
    with pytest.raises(EndpointError, match="Unknown unit"):
        Endpoint.survival("OS.time", "OS", unit="fortnights")
    with pytest.raises(EndpointError, match="needs a survival endpoint"):
        Endpoint.label("group").resolve_survival(clinical)


def test_stages_collapse_to_an_order() -> None:
    raw = pd.Series(["Stage IIIA", "stage i", "IV", "[Discrepancy]", None, "Stage IVB", "Stage II", "Stage X"])
    found = ajcc_stage(raw)
    assert found.tolist()[:3] == ["III", "I", "IV"]
    assert found.isna().tolist() == [False, False, False, True, True, False, False, True]
    assert found.cat.ordered


def test_benjamini_hochberg_is_r_p_adjust() -> None:
    # R: p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "BH"); p.adjust(c(0.9, 0.001, NA, 0.04), "BH")
    assert_allclose(adjust_p([0.01, 0.02, 0.03, 0.04, 0.05]), [0.05] * 5)
    assert_allclose(adjust_p([0.9, 0.001, np.nan, 0.04]), [0.9, 0.003, np.nan, 0.06])


def test_tcga_advice() -> None:
    assert tcga_advice("LIHC", "PFI") is not None
    assert tcga_advice("lihc", "OS.time") is not None
    assert tcga_advice("CHOL", "DFI") != tcga_advice("LIHC", "DFI")
    assert tcga_advice("BRCA", "OS") is None


@pytest.mark.parametrize("dtype", ["boolean", "Int64", "Float64", "string", "category", object])
def test_every_kind_of_column_holds_events_and_times(clinical: pd.DataFrame, dtype: Any) -> None:
    plain = Endpoint.survival("OS.time", "OS").resolve_survival(clinical)
    kinds = clinical.assign(**{"OS.time": clinical["OS.time"].astype("Float64"), "OS": clinical["OS"].astype(dtype)})
    data = Endpoint.survival("OS.time", "OS").resolve_survival(kinds)
    assert data.event.tolist() == plain.event.tolist()
    assert data.time.tolist() == plain.time.tolist()


def test_a_value_that_means_the_event_must_be_there(clinical: pd.DataFrame) -> None:
    with pytest.raises(EndpointError, match=r"holds no 'dead'.*Dead"):
        Endpoint.survival("OS.time", "status", event_value="dead").resolve(clinical)


def test_several_values_that_mean_no_event_are_said() -> None:
    table = pd.DataFrame({"t": range(1, 7), "s": ["Dead", "Alive", "[Not Available]", "Alive", None, "Dead"]})
    with pytest.warns(DataWarning, match=r"2 values count as no event: Alive \(2\), \[Not Available\] \(1\)"):
        data = Endpoint.survival("t", "s", event_value="Dead").resolve_survival(table)
    assert (data.n, data.n_events) == (5, 2)


def test_event_value_and_competing_code_go_together() -> None:
    table = pd.DataFrame({"t": [1.0, 2, 3, 4], "s": [1, 2, 3, 1]})
    data = Endpoint.survival("t", "s", event_value=2, competing=3).resolve_survival(table)
    assert data.status.tolist() == [0, 1, 2, 0]

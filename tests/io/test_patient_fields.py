"""Sex, stage and age as clinics of other countries write them, and the column that names the patients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore.errors import DataWarning, FormatError

PATIENTS = [f"P{i}" for i in range(1, 7)]


def read(tmp_path: Path, text: str) -> pd.DataFrame:
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    return mt.io.read_clinical(tmp_path / "c.csv")


def column(tmp_path: Path, name: str, values: list[object]) -> pd.DataFrame:
    rows = "".join(f"{p},{v}\n" for p, v in zip(PATIENTS, values, strict=False))
    return read(tmp_path, f"patient,{name}\n{rows}")


@pytest.mark.parametrize(
    ("male", "female"),
    [
        ("männlich", "weiblich"),
        ("hombre", "mujer"),
        ("H", "F"),
        ("M", "W"),
        ("homme", "femme"),
        ("男", "女"),
        ("m", "f"),
    ],
)
def test_the_sex_in_other_languages(tmp_path: Path, male: str, female: str) -> None:
    assert column(tmp_path, "sex", [male, female, "unknown", male])["sex"].fillna("?").tolist() == [
        "male",
        "female",
        "?",
        "male",
    ]


def test_the_sex_in_codes_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.warns(DataWarning, match="coded with 1, 2, and nothing says which one is female"):
        assert column(tmp_path, "gender", [1, 2, 1])["sex"].tolist() == [1.0, 2.0, 1.0]
    # Hombre and mujer, or homme and the English M: nothing says which.
    with pytest.warns(DataWarning, match="nothing says which one is female"):
        assert column(tmp_path, "sex", ["H", "M", "M"])["sex"].tolist() == ["H", "M", "M"]
    with pytest.warns(DataWarning, match=r"1 value\(s\) of the sex are neither female nor male \(3\)"):
        assert column(tmp_path, "sex", ["m", "f", "3"])["sex"].fillna("?").tolist() == ["male", "female", "?"]


def test_stages_in_other_spellings(tmp_path: Path) -> None:
    written = ["\u2160", "\u2162B", "Stadium IV", "pStage 2", "stage-3c", "UICC Stage Ia"]
    assert column(tmp_path, "stage", [*written])["stage"].tolist() == ["I", "III", "IV", "II", "III", "I"]
    plain = pd.Series([*written, "Stage X"])
    assert mt.prognosis.ajcc_stage(plain).tolist()[:6] == ["I", "III", "IV", "II", "III", "I"]


@pytest.mark.parametrize(
    ("values", "named"),
    [(["I", "II-III", "IV", "Stage X"], "1 stage.*II-III"), (["A", "B", "0", "D"], r"3 stage.*A, B")],
)
def test_values_that_are_no_stage_are_counted(tmp_path: Path, values: list[object], named: str) -> None:
    with pytest.warns(DataWarning, match=named):
        frame = column(tmp_path, "stage", values)
    assert frame["stage_raw"].tolist() == values


def test_a_column_of_another_kind_of_stage_is_left_alone(tmp_path: Path) -> None:
    assert column(tmp_path, "stage", ["normal", "cirrhosis", "HCC"])["stage"].isna().all()


@pytest.mark.parametrize("code", [999, -9, 9999])
def test_a_code_among_ages_does_not_change_the_others(tmp_path: Path, code: int) -> None:
    with pytest.warns(DataWarning, match=rf"1 age\(s\) are no age in years \({code}\)"):
        age = column(tmp_path, "age", [60, 55, code, 70, 44])["age"]
    np.testing.assert_array_equal(age, [60, 55, np.nan, 70, 44])


def test_ages_with_units_and_in_days(tmp_path: Path) -> None:
    age = column(tmp_path, "age", ["60 y", "55 years", "(month): 6", "70 Jahre", "18 months", "unknown"])["age"]
    np.testing.assert_allclose(age, [60, 55, 0.5, 70, 1.5, np.nan])
    np.testing.assert_allclose(column(tmp_path, "age", [21915, 14610, ""])["age"], [60, 40, np.nan])


@pytest.mark.parametrize(
    "text",
    [
        "age,OS.time,OS,Patient ID\n60,12,1,P1\n50,13,0,P2\n60,14,1,P3\n",
        "Sex,OS.time,OS,MRN\nf,12,1,P1\nm,13,0,P2\nf,14,1,P3\n",
        ",Case No,OS.time,OS\n1,P1,12,1\n2,P2,13,0\n3,P3,14,1\n",
    ],
)
def test_the_patients_stand_in_another_column(tmp_path: Path, text: str) -> None:
    frame = read(tmp_path, text)
    assert frame.index.tolist() == ["P1", "P2", "P3"]
    assert frame["OS.time"].tolist() == [12, 13, 14]


def test_a_measurement_names_nobody(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no column says whose rows these are.*key="):
        read(tmp_path, "age,OS.time,OS,hospital\n60,12,1,A\n50,13,0,B\n")
    path = tmp_path / "c.csv"
    assert mt.io.read_clinical(path, key="hospital").index.tolist() == ["A", "B"]


def test_a_row_of_units_costs_no_column_its_numbers(tmp_path: Path) -> None:
    with pytest.warns(DataWarning, match=r"1 row\(s\) name nobody in column 'patient' and were left out \(years 0/1\)"):
        frame = read(tmp_path, "patient,age,OS\n,years,0/1\nP1,60,1\nP2,50,0\n")
    assert frame["age"].tolist() == [60.0, 50.0]
    assert frame["OS"].tolist() == [1.0, 0.0]

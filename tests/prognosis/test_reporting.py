"""Checklists are filled from a run where it knows the answer, and name the gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtorscore.errors import DataError
from mtorscore.prognosis import (
    Endpoint,
    associate,
    associate_imputed,
    evaluate,
    fit_model,
    follow_up,
    kaplan_meier,
    optimal_cutpoint,
    reporting_table,
    subgroup_performance,
    validate,
    validation_sample_size,
)
from mtorscore.prognosis.models.checklists import GAP
from tests.prognosis.test_models import ENDPOINT, cohort


def test_reporting_tables_number_their_items_and_say_that_they_paraphrase() -> None:
    for name, n in (("remark", 20), ("tripod+ai", 27)):
        table = reporting_table(name)
        assert table["item"].tolist() == [str(i + 1) for i in range(n)]
        assert "Check every item against the original" in table.attrs["note"]
        assert not table["filled"].any()


def test_reporting_tables_fill_what_is_known_and_name_the_gaps() -> None:
    x, clinical = cohort(2, 100)
    run = {
        "associations": associate(x, clinical, ENDPOINT, ["age"], negative_controls=()),
        "evaluation": evaluate(None, x, clinical, ENDPOINT, n_repeats=1, n_boot=20),
        "patients": "Simulated.",
    }
    remark = reporting_table("remark", run).set_index("topic")
    assert "100 patients" in remark.filter(like="Flow", axis=0)["answer"].iloc[0]
    assert "Riley" in remark.filter(like="sample size", axis=0)["answer"].iloc[0]
    assert (remark["answer"] == GAP).any()
    assert (remark["filled"] == (remark["answer"] != GAP)).all()
    tripod = reporting_table("tripod+ai", run)
    assert tripod["filled"].sum() >= 8
    assert not reporting_table("remark")["filled"].any()
    with pytest.raises(DataError, match="Unknown checklist"):
        reporting_table("strobe")


def answers(checklist: str, **run: Any) -> pd.Series:
    table = reporting_table(checklist, run).set_index("item")
    assert (table["filled"] == (table["answer"] != GAP)).all()
    return table["answer"]


def test_models_are_named_as_they_were_fitted() -> None:
    x, clinical = cohort(2, 100)
    clinical["dx"] = np.where(clinical["event"] == 1, "HCC", "normal")
    label = associate(x, clinical, Endpoint.label("dx", positive="HCC"), negative_controls=())
    methods = answers("remark", associations=label)["10"]
    assert "logistic models (of HCC)" in methods
    assert "Cox" not in methods
    assert "proportional hazards" not in answers("remark", associations=label)["18"].lower()
    breslow = associate(x, clinical, ENDPOINT, negative_controls=(), ties="breslow", strata="stage")
    assert "Cox models (ties: Breslow), stratified by stage" in answers("remark", associations=breslow)["10"]
    both = answers("tripod+ai", associations=label, evaluation=evaluate("forest", x, clinical, ENDPOINT, n_repeats=1, n_boot=0))  # fmt: skip  # noqa: E501
    assert "logistic models" in both["12"]
    assert "random survival forest" in both["12"].lower() or "RandomSurvivalForest" in both["12"]


def test_rows_come_from_the_record_and_not_from_fixed_text() -> None:
    x, clinical = cohort(2, 120)
    clinical.loc[clinical.index[:9], "age"] = np.nan
    complete = associate(x, clinical, ENDPOINT, ["age"], negative_controls=())
    plain = associate(x, clinical, ENDPOINT, negative_controls=())
    imputed = associate_imputed(x, clinical, ENDPOINT, ["age"], n_imputations=3)
    assert "Complete cases" in answers("tripod+ai", associations=complete)["11"]
    assert "No row leaves out a patient" in answers("tripod+ai", associations=plain)["11"]
    assert "Multiple imputation" in answers("tripod+ai", imputed=imputed)["11"]
    assert "one adjustment at a time" not in answers("remark", associations=plain)["16"]
    for how, text in (
        ("median", "median or commonest level"),
        ("regression", "predicted from the other clinical columns"),
    ):
        result = evaluate(None, x, clinical, ENDPOINT, ["age"], n_repeats=1, n_splits=3, n_boot=0, impute=how)
        found = answers("probast", evaluation=result)
        assert text in found["4.4"]
        assert "age: 9" in found["4.4"]
        assert "stratified by event" in found["4.8"]
        assert "neither weighted nor resampled" in answers("tripod+ai", evaluation=result)["13"]
    grouped = evaluate(None, x, clinical.assign(patient=np.arange(120) // 2), ENDPOINT, groups="patient", n_repeats=1, n_boot=0)  # fmt: skip  # noqa: E501
    assert "patients kept together" in answers("probast", evaluation=grouped)["4.8"]


def test_groups_and_cut_points_are_told_only_where_there_were_some() -> None:
    x, clinical = cohort(2, 120)
    table = associate(x, clinical, ENDPOINT, negative_controls=())
    name = x.columns[0]
    assert answers("remark", associations=table)["11"] == "Scores are analysed as continuous, per SD."
    curves = kaplan_meier(x[[name]], clinical, ENDPOINT)
    assert "set beforehand" in answers("remark", associations=table, kaplan_meier=curves)["11"]
    searched = optimal_cutpoint(x[name], clinical, ENDPOINT, n_permutations=19)
    assert "the naive p ignores the search" in answers("remark", cutpoint=searched)["11"]


def test_probast_tripod_and_remark_take_follow_up_subgroups_models_and_sizes() -> None:
    x, clinical = cohort(2, 150)
    other_x, other = cohort(5, 150)
    other.index = other_x.index = [f"Q{i}" for i in range(150)]
    model = fit_model(x, clinical, ENDPOINT, ["age"])
    run = {
        "follow_up": follow_up(clinical, ENDPOINT),
        "model": model,
        "validation": validate(model, other_x, other, n_boot=20),
        "subgroups": subgroup_performance(model, other_x, other, ENDPOINT, ["stage"], n_boot=10),
        "validation_size": validation_sample_size((0, 0.8), risk=0.3, horizon=5, n_simulated=2000),
    }
    probast = answers("probast", **run)
    assert len(probast) == 20
    assert "reverse Kaplan-Meier" in probast["3.6"]
    assert "external validation ask for" in probast["4.1"]
    tripod = answers("tripod+ai", **run)
    assert tripod["4"] == "Development and external validation."
    assert "stage=" in tripod["23"]
    assert "stage=" in tripod["14"]
    assert "recalibrated model was derived" in tripod["24"]
    assert "Ridge Cox regression" in tripod["12"]
    assert answers("probast")["2.2"] == GAP


def test_a_table_out_of_a_file_says_what_it_still_knows(tmp_path: Path) -> None:
    x, clinical = cohort(2, 120)
    table = associate(x, clinical, ENDPOINT, family="all", negative_controls=())
    table.to_csv(tmp_path / "a.tsv", sep="\t", index=False)
    read = pd.read_csv(tmp_path / "a.tsv", sep="\t")
    assert "ties" not in answers("remark", associations=read)["10"]
    assert "Cox models" in answers("remark", associations=read)["10"]
    assert "Benjamini-Hochberg over all tests together" in answers("remark", associations=table)["10"]

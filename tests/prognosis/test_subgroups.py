"""Performance by subgroup, and follow-up by the reverse Kaplan-Meier estimate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore.errors import DataError, EndpointError
from mtorscore.prognosis import Endpoint, fit_model, follow_up, subgroup_performance, validate
from tests.prognosis.against_r.values import COMPETING, SURVIVAL, expected, patients


def test_each_subgroup_is_validated_on_its_own() -> None:
    d = patients()
    model = fit_model(d[["score"]], d, SURVIVAL, ["age"])
    d["rare"] = ["a"] * 172 + ["b"] * 8
    d.loc[d.index[:20], "sex"] = None
    table = subgroup_performance(model, d[["score"]], d, SURVIVAL, ["sex", "stage", "rare"], n_boot=60)
    assert list(table.loc[table["column"] == "sex", "group"].unique()) == ["f", "m", "missing"]
    for column, group in (("sex", "f"), ("stage", "II")):
        part = d[d[column] == group]
        alone = validate(model, part[["score"]], part, SURVIVAL, n_boot=60).summary.set_index("metric")
        rows = table[(table["column"] == column) & (table["group"] == group)].set_index("metric")
        for end in ("value", "low", "high"):
            assert_allclose(rows.loc["harrell_c", end], alone.loc["harrell_c", end])
        assert rows["n"].iloc[0] == len(part)
    whole = table[table["group"] == "all"].set_index("metric")
    assert {"harrell_c", "observed_expected", "calibration_slope", "scaled_brier"} <= set(whole.index)
    assert whole["horizon"].nunique() == 1
    rare = table[table["group"] == "b"]
    assert not rare["valid"].any()
    assert rare["reason"].str.contains("event").all()
    assert len(table["horizon"].unique()) == 1


def test_labels_have_subgroups_too() -> None:
    d = patients()
    model = fit_model(d[["score"]], d, Endpoint.label("y", positive="1"))
    d["grade"] = pd.Categorical(np.where(d["age"] > 60, "high", "low"), ["low", "high", "none"], ordered=True)
    table = subgroup_performance(model, d[["score"]], d, None, "grade", n_boot=20)
    assert list(table["group"].unique()) == ["all", "low", "high"]
    assert set(table["metric"]) == {"roc_auc", "observed_expected", "calibration_slope", "brier", "scaled_brier"}


def test_columns_that_are_no_groups_are_refused() -> None:
    d = patients()
    model = fit_model(d[["score"]], d, SURVIVAL)
    with pytest.raises(DataError, match="cut it into groups"):
        subgroup_performance(model, d[["score"]], d, SURVIVAL, ["age"])
    with pytest.raises(DataError, match="not in the clinical table"):
        subgroup_performance(model, d[["score"]], d, SURVIVAL, ["aetiology"])


def test_follow_up_is_the_reverse_kaplan_meier_estimate_of_r() -> None:
    d = patients()
    row = follow_up(d, SURVIVAL).iloc[0]
    assert_allclose(row[["median_follow_up", "low", "high"]].astype(float), expected("follow_up"), rtol=1e-10)
    by = follow_up(d, SURVIVAL, "sex")
    assert by["group"].iloc[0] == "all"
    assert set(by["group"]) == {"all", "f", "m"}
    one = d[d["sex"] == "f"]
    f = by.set_index("group").loc["f", "median_follow_up"]
    assert_allclose(f, follow_up(one, SURVIVAL)["median_follow_up"].iloc[0])


def test_competing_events_end_no_follow_up() -> None:
    d = patients()
    row = follow_up(d, COMPETING).iloc[0]
    assert row["competing"] == (d["status"] == 2).sum()
    reverse = Endpoint.survival("time2", "out", unit="months")
    as_event = follow_up(d.assign(out=(d["status"] > 0).astype(int)), reverse).iloc[0]
    assert_allclose(row["median_follow_up"], as_event["median_follow_up"])


def test_a_median_that_is_not_reached_is_said() -> None:
    d = pd.DataFrame({"t": np.arange(1.0, 21), "e": [1] * 19 + [0]})
    d.loc[19, "t"] = 5.0
    row = follow_up(d, Endpoint.survival("t", "e", unit="months")).iloc[0]
    assert np.isnan(row["median_follow_up"])
    assert "beyond the longest" in row["reason"]
    with pytest.raises(EndpointError):
        follow_up(d, Endpoint.label("e"))

"""Meta-analysis of performance and of odds ratios against metafor and hand formulas; overlap of cohorts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore.errors import DataError
from mtorscore.prognosis import Endpoint, associate, fit_model, meta_analyse, meta_analyse_performance, validate
from mtorscore.prognosis.association.cohort_overlap import cohort_digest, shared_patients
from tests.prognosis.against_r.values import expected

VALUES = np.array([[0.71, 0.62, 0.78], [0.64, 0.55, 0.72], [0.80, 0.69, 0.87], [0.58, 0.49, 0.66]])


def summaries() -> dict[str, pd.DataFrame]:
    out = {}
    for i, (value, low, high) in enumerate(VALUES):
        table = pd.DataFrame({"metric": ["harrell_c", "calibration_slope", "observed_expected", "brier"]})
        out[f"c{i}"] = table.assign(value=value, low=low, high=high, n=100, events=40, level=0.95, valid=True)
    return out


def test_performance_is_combined_as_by_metafor() -> None:
    table = meta_analyse_performance(summaries()).set_index("metric")
    assert list(table.index) == ["harrell_c", "observed_expected", "calibration_slope"]
    for metric, name, to in (
        ("harrell_c", "meta_c", lambda v: np.log(v / (1 - v))),
        ("calibration_slope", "meta_slope", lambda v: v),
        ("observed_expected", "meta_oe", np.log),
    ):
        row, want = table.loc[metric], expected(name)
        assert_allclose(to(row[["value", "low", "high"]].astype(float)), want[:3], atol=1e-6)
        assert_allclose(row["tau2"], want[3], atol=1e-6)
        assert row["prediction_low"] < row["low"]
        assert row["n"] == 400
    assert table["valid"].all()


def test_wide_levels_and_unusable_cohorts() -> None:
    tables = summaries()
    tables["c0"].loc[0, "high"] = 1.0
    tables["c1"]["valid"] = False
    table = meta_analyse_performance(tables).set_index("metric")
    assert table.loc["harrell_c", "cohorts"] == 2
    assert "without c0, c1" in table.loc["harrell_c", "reason"]
    one = meta_analyse_performance({"a": tables["c2"]}).iloc[0]
    assert not one["valid"]
    with pytest.raises(DataError, match="Nothing to combine"):
        meta_analyse_performance({})
    with pytest.raises(DataError, match="lacks value"):
        meta_analyse_performance({"a": tables["c2"].drop(columns="value")})
    with pytest.raises(DataError, match="several models"):
        meta_analyse_performance({"a": pd.concat([tables["c2"]] * 2)})


def cohort(seed: int, n: int = 150, start: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    index = [f"P{i + start}" for i in range(n)]
    x = pd.DataFrame({"x": rng.normal(size=n)}, index=index)
    t, c = rng.exponential(np.exp(-0.6 * x["x"].to_numpy())), rng.exponential(2, n)
    y = np.where(rng.random(n) < 1 / (1 + np.exp(-x["x"].to_numpy())), "ill", "well")
    clinical = pd.DataFrame({"t": np.minimum(t, c), "e": (t <= c).astype(int), "y": y}, index=index)
    return x, clinical


SURVIVAL = Endpoint.survival("t", "e", unit="years")


def test_results_of_validate_are_combined() -> None:
    model = fit_model(*cohort(0), SURVIVAL)
    found = {f"c{i}": validate(model, *cohort(i), n_boot=50) for i in (1, 2, 3)}
    table = meta_analyse_performance(found).set_index("metric")
    values = [f.summary.set_index("metric").loc["harrell_c", "value"] for f in found.values()]
    assert min(values) < table.loc["harrell_c", "value"] < max(values)


def test_odds_ratios_are_combined() -> None:
    label = Endpoint.label("y", positive="ill")
    tables = {f"c{i}": associate(*cohort(i, start=1000 * i), label, negative_controls=()) for i in range(3)}
    row = meta_analyse(tables, tau2="dl", hartung_knapp=False).iloc[0]
    log = np.array([np.log(t["odds_ratio"].iloc[0]) for t in tables.values()])
    se = np.array([np.log(t["or_high"].iloc[0] / t["or_low"].iloc[0]) / 2 / 1.959963985 for t in tables.values()])
    w = 1 / se**2
    q = (w * (log - (w @ log) / w.sum()) ** 2).sum()
    tau2 = max(0.0, (q - 2) / (w.sum() - (w**2).sum() / w.sum()))
    w = 1 / (se**2 + tau2)
    assert_allclose(np.log(row["odds_ratio"]), w @ log / w.sum(), rtol=1e-8)
    assert_allclose(np.log(row["or_high"] / row["odds_ratio"]), 1.959963985 / np.sqrt(w.sum()), rtol=1e-8)
    assert np.isnan(row["hr"])
    assert row["effect"] == "odds ratio"
    assert row["positive"] == "ill"
    assert row["valid"]
    both = meta_analyse({**tables, "s": associate(*cohort(9), SURVIVAL, negative_controls=())})
    assert set(both["effect"]) == {"odds ratio", "hazard ratio"}
    other = {"a": tables["c0"], "b": associate(*cohort(5), Endpoint.label("y", positive="well"), negative_controls=())}
    assert not meta_analyse(other)["valid"].any()


def test_digests_estimate_how_many_patients_are_shared() -> None:
    a = [f"A{i}" for i in range(300)]
    for shared in (0, 60, 150, 300):
        b = a[:shared] + [f"B{i}" for i in range(300 - shared)]
        found = shared_patients(cohort_digest(a), cohort_digest(b), 300, 300)
        assert abs(found - shared) < 45, (shared, found)
        assert (found > 0) == (shared > 0)
    # A small cohort within a large one, and whether chance is taken for overlap.
    assert shared_patients(cohort_digest(a[:60]), cohort_digest(a), 60, 300) > 30
    alarms = [
        shared_patients(cohort_digest([f"{k}x{i}" for i in range(40)]), cohort_digest(a), 40, 300) for k in range(200)
    ]
    assert np.count_nonzero(alarms) <= 1
    assert cohort_digest(a) == cohort_digest(a[::-1])
    assert cohort_digest([]) == ""


def test_overlap_of_cohorts_is_seen_also_through_a_file(tmp_path: Path) -> None:
    tables = {
        "first": associate(*cohort(1), SURVIVAL, negative_controls=()),
        "second": associate(*cohort(2, start=75), SURVIVAL, negative_controls=()),
        "third": associate(*cohort(3, start=1000), SURVIVAL, negative_controls=()),
    }
    for name, table in tables.items():
        table.to_csv(tmp_path / name, sep="\t", index=False)
    read = {name: pd.read_csv(tmp_path / name, sep="\t") for name in tables}
    for given in (tables, read):
        row = meta_analyse(given).iloc[0]
        assert "of first (150) have the names of patients of second (150)" in row["reason"]
        assert "third" not in row["reason"]
        assert row["valid"]
    twice = meta_analyse({"a": read["first"], "b": tables["first"], "c": read["third"]}).iloc[0]
    assert not twice["valid"]
    assert "a, b hold the same estimates" in twice["reason"]
    apart = meta_analyse({"a": read["first"], "c": read["third"]}).iloc[0]
    assert apart["reason"] == ""


def test_a_patient_with_several_samples_is_one(tmp_path: Path) -> None:
    x, clinical = cohort(1)
    other = clinical.set_axis([f"{i}-01A" for i in clinical.index]).assign(patient=clinical.index.to_numpy())
    tables = {
        "a": associate(x, clinical, SURVIVAL, negative_controls=()),
        "b": associate(x.set_axis(other.index) + 0.1 * cohort(7)[0].to_numpy(), other, SURVIVAL, negative_controls=()),
    }
    assert "about 150 patient(s)" in meta_analyse(tables).iloc[0]["reason"]

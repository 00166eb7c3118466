"""Strata, robust and clustered errors against R; leverage and ranks; rare levels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from mtorscore.errors import DataError, StatisticsWarning
from mtorscore.prognosis import Endpoint, associate, reporting_table
from mtorscore.prognosis.association.associate import COLUMNS
from tests.prognosis.against_r.values import SURVIVAL, expected, patients

MODELS = {"alone": ((), ()), "age": (("age",), ()), "strata": ((), ("stage",)), "both": (("age",), ("stage",))}
ERRORS: dict[str, dict[str, Any]] = {"model": {}, "robust": {"robust": True}, "cluster": {"cluster": "centre"}}


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("errors", ERRORS)
def test_strata_and_robust_errors_are_those_of_coxph(ties: str, model: str, errors: str) -> None:
    d = patients()
    adjust, strata = MODELS[model]
    with warnings.catch_warnings():
        # 25 centres are too few, and said to be.
        warnings.simplefilter("ignore", StatisticsWarning)
        table = associate(
            d[["score"]], d, SURVIVAL, adjust, negative_controls=(), ties=ties, strata=strata, **ERRORS[errors]
        )
    row, want = table.iloc[-1], expected(f"cox_{ties}_{model}_{errors}")
    event = d["event"] == 1
    units = {"model": np.inf, "robust": event.sum(), "cluster": d.loc[event, "centre"].nunique()}[errors]
    z = stats.t.ppf(0.975, units - 1) if np.isfinite(units) else stats.norm.ppf(0.975)
    error = np.log(row["hr_high"] / row["hr_low"]) / 2 / z
    assert_allclose(np.log(row["hr"]), want[0], rtol=1e-6)
    assert_allclose(error, want[1], rtol=1e-6)
    # R tests robust errors by the normal distribution.
    assert_allclose(2 * stats.norm.sf(abs(np.log(row["hr"]) / error)), want[2], rtol=1e-6)
    if errors == "model":
        assert_allclose(row["p"], want[2], rtol=1e-6)
    else:
        assert_allclose(row["p"], 2 * stats.t.sf(abs(np.log(row["hr"]) / error), units - 1), rtol=1e-9)


def test_robust_errors_of_labels_are_those_of_r() -> None:
    d = patients()
    label = Endpoint.label("y", positive="1")
    ways: tuple[tuple[dict[str, Any], str], ...] = (
        ({"robust": True}, "logistic_robust"), ({"cluster": "centre"}, "logistic_cluster"),
    )  # fmt: skip
    for errors, name in ways:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StatisticsWarning)
            row = associate(d[["score"]], d, label, ["age"], negative_controls=(), **errors).iloc[-1]
        assert_allclose(np.log(row["odds_ratio"]), expected("logistic_model")[0], rtol=1e-6)
        units = d.loc[d["y"] == 1, "centre"].nunique() if "cluster" in errors else d["y"].sum()
        spread = np.log(row["or_high"] / row["or_low"]) / 2 / stats.t.ppf(0.975, units - 1)
        assert_allclose(spread, expected(name)[0], rtol=1e-6)


def test_the_error_of_the_concordance_is_clustered_too() -> None:
    from mtorscore.prognosis.statistics.concordance import concordance

    d = patients()
    c = concordance(
        d["score"].to_numpy(), d["time"].to_numpy(float), d["event"].to_numpy(bool), clusters=d["centre"].to_numpy()
    )
    assert_allclose([c.c, c.se], expected("concordance_cluster")[[0, 2]], rtol=1e-8)


def test_influence_is_that_of_r() -> None:
    from mtorscore.prognosis.statistics import cox
    from mtorscore.prognosis.statistics.risk_sets import RiskSets
    from mtorscore.prognosis.statistics.robust import cox_residuals, influence

    d = patients()
    x = ((d["score"] - d["score"].mean()) / d["score"].std()).to_numpy()[:, None, None]
    for dense in (True, False):
        risk = RiskSets(d["time"].to_numpy(float), d["event"].to_numpy(bool), dense=dense)
        fit = cox.newton(risk, x)
        found = influence(cox_residuals(risk, x, fit.coef), fit.covariance)[:40, 0]
        assert_allclose(found, expected("dfbetas"), atol=1e-8)
    row = associate(d[["score"]], d, SURVIVAL, negative_controls=()).iloc[0]
    assert_allclose(row["rank_p"], expected("rank_p")[0], rtol=1e-6)
    assert abs(row["largest_dfbeta"]) >= np.abs(expected("dfbetas")).max() - 1e-8


def test_an_outlier_is_named() -> None:
    rng = np.random.default_rng(5)
    n = 150
    x = rng.normal(size=n)
    t = rng.exponential(np.exp(-0.45 * x))
    x[np.argmax(t)] = 12.0
    table = pd.DataFrame({"t": t, "e": (t < np.quantile(t, 0.7)).astype(int)}, index=[f"P{i}" for i in range(n)])
    scores = pd.DataFrame({"A": x, "B": rng.normal(size=n)}, index=table.index)
    rows = associate(scores, table, Endpoint.survival("t", "e", unit="years"), negative_controls=()).set_index(
        "signature"
    )
    assert f"P{np.argmax(t)} alone moves the log ratio" in rows.loc["A", "reason"]
    assert "on ranks: outliers, or no straight line" in rows.loc["A", "reason"]
    assert rows.loc["A", "rank_p"] < 0.01 < rows.loc["A", "p"]
    assert rows.loc["B", "reason"] == ""
    assert rows["valid"].all()


def test_scores_without_outliers_are_seldom_noted() -> None:
    rng = np.random.default_rng(6)
    noted = 0
    for _ in range(10):
        scores = pd.DataFrame(rng.normal(size=(120, 30))).add_prefix("s")
        t, c = rng.exponential(1, 120), rng.exponential(1.5, 120)
        table = pd.DataFrame({"t": np.minimum(t, c), "e": (t <= c).astype(int)})
        rows = associate(scores, table, Endpoint.survival("t", "e", unit="years"), negative_controls=())
        noted += rows["reason"].str.contains("ranks|alone moves").sum()
    assert noted / 300 < 0.05


def test_rare_levels_are_pooled_with_a_note() -> None:
    d = patients()
    d["grade"] = ["G1"] * 100 + ["G2"] * 68 + ["G3"] * 5 + ["G4"] * 4 + ["GX"] * 3
    row = associate(d[["score"]], d, SURVIVAL, ["grade"], negative_controls=()).iloc[-1]
    assert row["parameters"] == 4
    assert "2 level(s) of grade with fewer than 5 patients (G4, GX) are pooled" in row["reason"]
    by_hand = d.assign(grade=d["grade"].replace(["G4", "GX"], "other"))
    same = associate(d[["score"]], by_hand, SURVIVAL, ["grade"], negative_controls=()).iloc[-1]
    assert_allclose(row["hr"], same["hr"], rtol=1e-12)
    d["grade"] = ["G1"] * 100 + ["G2"] * 76 + ["G3"] * 4
    lone = associate(d[["score"]], d, SURVIVAL, ["grade"], negative_controls=()).iloc[-1]
    assert lone["parameters"] == 2
    assert "count as G1" in lone["reason"]
    ordered = d.assign(grade=pd.Categorical(d["grade"], ["G1", "G2", "G3"], ordered=True))
    assert (
        "fewer than"
        not in associate(d[["score"]], ordered, SURVIVAL, ["grade"], negative_controls=()).iloc[-1]["reason"]
    )


def test_unknown_strata_leave_patients_out_and_are_logged() -> None:
    d = patients()
    d.loc[d.index[:7], "stage"] = None
    table = associate(d[["score"]], d, SURVIVAL, negative_controls=(), strata="stage")
    assert table["n"].iloc[0] == 173
    assert [e["rule"] for e in table.attrs["excluded"]] == ["no stratum"] * 7
    assert table.attrs["design"] == "stratified by stage"
    assert list(table.columns) == COLUMNS


def test_what_robust_errors_cannot_do_is_said() -> None:
    d = patients()
    with pytest.warns(StatisticsWarning, match="should not be trusted"):
        few = associate(d[["score"]], d, SURVIVAL, negative_controls=(), cluster="centre").iloc[0]
    assert not few["valid"]
    assert "errors of 25 clusters with an event are too small below 30" in few["reason"]
    many = associate(d[["score"]], d.assign(ward=np.arange(180) // 3), SURVIVAL, negative_controls=(), cluster="ward")
    assert many["valid"].iloc[0]
    rare = d.assign(event=(np.arange(180) < 12).astype(int))
    with pytest.warns(StatisticsWarning, match="should not be trusted"):
        with_penalty = associate(d[["score"]], rare, SURVIVAL, ["age"], negative_controls=(), robust=True).iloc[-1]
    assert not with_penalty["valid"]
    assert "no robust error" in with_penalty["reason"]
    with pytest.raises(DataError, match="strata= is for survival"):
        associate(d[["score"]], d, Endpoint.label("y", positive="1"), strata=["stage"])
    with pytest.raises(DataError, match="not in the clinical table"):
        associate(d[["score"]], d, SURVIVAL, cluster="hospital")
    with pytest.raises(DataError, match="belong"):
        associate(d[["score"]], d, SURVIVAL, strata="event")


def test_repeated_patients_as_clusters_bring_no_warning() -> None:
    d = patients()
    d["patient"] = [f"p{i // 2}" for i in range(180)]
    table = associate(d[["score"]], d, SURVIVAL, negative_controls=(), cluster="patient")
    assert table["valid"].iloc[0]
    assert "errors clustered by patient" in reporting_table("remark", {"associations": table})["answer"].str.cat()

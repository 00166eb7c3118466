"""Cox, Kaplan-Meier, log-rank and concordance against R survival 3.5.3.

Made in R 4.2.2 by::

    coxph(Surv(time, event) ~ score + age, d, ties = "efron", control = coxph.control(eps = 1e-14))
    cox.zph(fit); concordance(Surv(time, event) ~ score, d, reverse = TRUE)
    survfit(Surv(time, event) ~ 1, d, conf.type = "log-log"); survdiff(Surv(time, event) ~ I(score > median(score)), d)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore.prognosis import Endpoint, associate, concordance_index, cox, kaplan_meier, logrank
from mtorscore.prognosis.statistics.risk_sets import RiskSets

ENDPOINT = Endpoint.survival("time", "event", unit="days")


@pytest.fixture(scope="module")
def patients(golden: Path) -> pd.DataFrame:
    return pd.read_csv(golden / "inputs/survival.tsv", sep="\t", index_col="id")


@pytest.fixture(scope="module")
def expected(golden: Path) -> Path:
    return golden / "expected/R-survival-3.5.3"


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", index_col="id")


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("columns", [["score"], ["score", "age"]], ids="+".join)
def test_cox(patients: pd.DataFrame, expected: Path, ties: str, columns: list[str]) -> None:
    want = table(expected / f"coxph_{ties}_{'+'.join(columns)}__survival.tsv")
    fit = cox(patients[columns], patients, ENDPOINT, ties=ties)
    for ours, theirs in (("coef", "coef"), ("se", "se"), ("z", "z"), ("p", "p")):
        assert_allclose(fit.table[ours], want[theirs], rtol=1e-8, atol=0)
    assert_allclose(fit.loglik, want["loglik"].iloc[0], rtol=1e-10)
    assert_allclose(fit.concordance.c, want["concordance"].iloc[0], rtol=1e-12)
    assert fit.converged


def test_cox_zph(patients: pd.DataFrame, expected: Path) -> None:
    want = table(expected / "cox_zph_score+age__survival.tsv")
    fit = cox(patients[["score", "age"]], patients, ENDPOINT)
    assert_allclose(fit.table["ph_chisq"], want["chisq"][:2], rtol=1e-6)
    assert_allclose(fit.table["ph_p"], want["p"][:2], rtol=1e-6)
    assert_allclose(fit.ph_global_p, want["p"]["GLOBAL"], rtol=1e-6)


def test_associate_is_the_same_cox_model_per_sd(patients: pd.DataFrame, expected: Path) -> None:
    result = associate(patients[["score"]], patients, ENDPOINT, adjust=["age"], negative_controls=())
    sd = patients["score"].std()
    for row, name in ((0, "coxph_efron_score"), (1, "coxph_efron_score+age")):
        want = table(expected / f"{name}__survival.tsv").loc["score"]
        assert_allclose(np.log(result["hr"][row]) / sd, want["coef"], rtol=1e-8)
        assert_allclose(result["p"][row], want["p"], rtol=1e-8)
        assert_allclose(result["c_index"][row], want["concordance"], rtol=1e-12)
    zph = table(expected / "cox_zph_score+age__survival.tsv")
    assert_allclose(result["ph_p"][1], zph["p"]["score"], rtol=1e-6)
    assert list(result["model"]) == ["unadjusted", "adjusted"]
    assert (result["n"] == 120).all()
    assert (result["events"] == patients["event"].sum()).all()


def test_concordance(patients: pd.DataFrame, expected: Path) -> None:
    want = table(expected / "concordance_reverse_score__survival.tsv").loc["score"]
    ours = concordance_index(patients["score"], patients, ENDPOINT)
    assert_allclose([ours.c, ours.se], [want["cindex"], want["se"]], rtol=1e-12)
    assert (ours.concordant, ours.discordant, ours.tied) == (want["concordant"], want["discordant"], want["tied.x"])
    assert ours.low < ours.c < ours.high
    # The percentile interval is about as wide as the jackknife one.
    assert 0.8 < (ours.high - ours.low) / (2 * 1.96 * ours.se) < 1.2


def test_kaplan_meier(patients: pd.DataFrame, expected: Path) -> None:
    want = table(expected / "kaplan_meier_loglogCI__survival.tsv")
    groups = pd.Series(["all"] * 119 + ["other"], index=patients.index, name="g")
    assert set(kaplan_meier(groups, patients, ENDPOINT)["group"]) == {"all", "other"}
    from mtorscore.prognosis.statistics.kaplan_meier import loglog_interval, product_limit

    curve = product_limit(patients["time"].to_numpy(float), patients["event"].to_numpy(bool))
    low, high = loglog_interval(curve.survival, curve.se)
    assert_allclose(curve.time, want.index)
    for ours, theirs in (
        (curve.n_risk, "n.risk"), (curve.n_event, "n.event"), (curve.survival, "surv"), (curve.se, "std.err"),
        (low, "lower"), (high, "upper"),
    ):  # fmt: skip
        assert_allclose(ours, want[theirs], rtol=1e-10)
    everybody = kaplan_meier(pd.Series("all", index=patients.index), patients, ENDPOINT).iloc[1:]
    for column, theirs in (("survival", "surv"), ("low", "lower"), ("high", "upper"), ("n_risk", "n.risk")):
        assert_allclose(everybody[column], want[theirs], rtol=1e-10)
    assert everybody["logrank_p"].isna().all()


def test_logrank(patients: pd.DataFrame, expected: Path) -> None:
    want = table(expected / "logrank_median-split__survival.tsv").loc["median_split"]
    curves = kaplan_meier(patients[["score"]], patients, ENDPOINT)
    assert_allclose(curves["logrank_chisq"].unique(), [want["chisq"]], rtol=1e-10)
    assert_allclose(curves["logrank_p"].unique(), [want["p"]], rtol=1e-8)
    split = (patients["score"] > patients["score"].median()).map({True: "high", False: "low"})
    assert_allclose(logrank(split, patients, ENDPOINT)["p"], want["p"], rtol=1e-8)
    starts = curves[curves["time"] == 0]
    assert list(starts["n_risk"]) == [60, 60]
    assert list(starts["survival"]) == [1, 1]


def test_a_score_that_cannot_be_cut_gives_no_curves_but_the_reason(patients: pd.DataFrame) -> None:
    scores = patients[["score"]].assign(constant=1.0, absent=np.nan)
    curves = kaplan_meier(scores, patients, ENDPOINT)
    assert set(curves[curves["time"].notna()]["signature"]) == {"score"}
    reasons = curves[curves["time"].isna()].set_index("signature")["reason"]
    assert "are one value" in reasons["constant"]
    assert "0 observation(s) have a score" in reasons["absent"]
    assert kaplan_meier(scores[["absent"]], patients, ENDPOINT)["time"].isna().all()


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("with_entry", [False, True])
@pytest.mark.parametrize("with_strata", [False, True])
def test_both_backends_of_risk_sets_agree(ties: str, with_entry: bool, with_strata: bool) -> None:
    rng = np.random.default_rng(3)
    n = 80
    time = rng.integers(2, 15, n).astype(float)
    event = rng.random(n) < 0.6
    entry = np.minimum(rng.integers(-2, 6, n), time - 1).astype(float) if with_entry else None
    strata = rng.integers(0, 3, n) if with_strata else None
    dense = RiskSets(time, event, entry, strata, ties=ties, dense=True)
    sums = RiskSets(time, event, entry, strata, ties=ties, dense=False)
    assert sums.matrix is None
    v, u = rng.random((n, 3)), rng.random((dense.n_events, 2))
    assert_allclose(sums.sum(v), dense.sum(v), rtol=1e-12, atol=1e-12)
    assert_allclose(sums.adjoint(u), dense.adjoint(u), rtol=1e-12, atol=1e-12)

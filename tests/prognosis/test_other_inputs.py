"""Agreement with other implementations on small cohorts with heavy ties, truncation and strata."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore.errors import DataError
from mtorscore.prognosis import Endpoint, concordance_index, cox, kaplan_meier, logrank, survival_performance
from mtorscore.prognosis.statistics import metrics
from tests.conftest import peer

ENDPOINT = Endpoint.survival("time", "event")


def cohort(seed: int) -> pd.DataFrame:
    """Draw a cohort of 20, 60 or 200 whose times are rounded up, so that events tie with events and with censorings."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([20, 60, 200]))
    a, b = rng.normal(size=n).round(1), rng.normal(size=n)
    died, left = rng.exponential(np.exp(-0.5 * b)), rng.exponential(1.5, n)
    digits = 10.0 ** rng.integers(0, 2)
    time = np.ceil(np.minimum(died, left) * digits) / digits
    frame = {"a": a, "b": b, "time": time, "event": (died <= left).astype(int), "stratum": rng.integers(0, 2, n)}
    frame["entry"] = np.where(rng.random(n) < 0.5, 0, time * rng.random(n) * 0.8)
    return pd.DataFrame(frame, index=[f"P{i}" for i in range(n)])


@pytest.mark.parametrize("seed", range(6))
def test_cox_with_strata_and_truncation(seed: int) -> None:
    import statsmodels.api as sm

    CoxPHFitter = peer("lifelines").CoxPHFitter
    from sksurv.linear_model import CoxPHSurvivalAnalysis
    from sksurv.util import Surv

    table = cohort(seed)
    x = table[["a", "b"]]
    y = Surv.from_arrays(table["event"].astype(bool), table["time"])
    for ties in ("efron", "breslow"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = CoxPHSurvivalAnalysis(ties=ties, tol=1e-12, n_iter=200).fit(x, y)
        assert_allclose(cox(x, table, ENDPOINT, ties=ties).table["coef"], theirs.coef_, atol=1e-8)
    stratified = sm.PHReg(table["time"], x, status=table["event"], ties="efron", strata=table["stratum"]).fit(tol=1e-14)
    ours = cox(x, table, ENDPOINT, strata=table["stratum"]).table
    assert_allclose(ours["coef"], stratified.params, atol=1e-7)
    assert_allclose(ours["se"], stratified.bse, atol=1e-7)
    truncated = cox(x, table, Endpoint.survival("time", "event", entry="entry")).table
    columns = table[["a", "b", "time", "event", "entry"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = CoxPHFitter().fit(columns, "time", "event", entry_col="entry", fit_options={"precision": 1e-10})
    assert_allclose(truncated["coef"], fit.params_, atol=1e-5)
    assert_allclose(truncated["se"], fit.standard_errors_, atol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_curves_tests_and_metrics(seed: int) -> None:
    from sksurv import metrics as theirs
    from sksurv.compare import compare_survival
    from sksurv.nonparametric import kaplan_meier_estimator
    from sksurv.util import Surv

    table = cohort(seed)
    time, event = table["time"].to_numpy(), table["event"].to_numpy(bool)
    y = Surv.from_arrays(event, time)
    score = table["a"].to_numpy()
    one = np.ones((1, len(time)))
    _, survival, bounds = kaplan_meier_estimator(event, time, conf_type="log-log")
    ours = kaplan_meier(pd.Series(np.arange(len(time)) * 0, index=table.index).astype(str), table, ENDPOINT)
    inside = (survival > 0) & (survival < 1)
    assert_allclose(ours[ours["time"] > 0]["low"][inside], bounds[0][inside], atol=1e-12)
    assert ours["logrank_p"].isna().all()  # One group is no comparison.
    groups = pd.Series(np.where(np.arange(len(time)) % 2, "x", "y"), index=table.index)
    curves = kaplan_meier(groups, table, ENDPOINT)
    for g, rows in curves[curves["time"] > 0].groupby("group"):
        at = (groups == g).to_numpy()
        _, survival, bounds = kaplan_meier_estimator(event[at], time[at], conf_type="log-log")
        inside = (survival > 0) & (survival < 1)
        assert_allclose(rows["survival"], survival, atol=1e-12)
        assert_allclose(rows["low"][inside], bounds[0][inside], atol=1e-12)
        assert_allclose(rows["high"][inside], bounds[1][inside], atol=1e-12)
    assert_allclose(logrank(groups, table, ENDPOINT)["chisq"], [compare_survival(y, groups)[0]], rtol=1e-9)
    harrell = theirs.concordance_index_censored(event, time, score)[0]
    assert_allclose(concordance_index(table["a"], table, ENDPOINT, n_boot=0).c, harrell, atol=1e-12)
    _weighted(time, event, score, y, one)


def _weighted(time: Any, event: Any, score: Any, y: Any, one: Any) -> None:
    """Metrics with inverse probabilities of censoring."""
    from sksurv import metrics as theirs

    g = metrics.censoring(time, event, time)
    times = np.unique(np.quantile(time[event], [0.2, 0.5, 0.7]))
    times = times[(times < time.max()) & (times > time.min())]
    tau = float(np.quantile(time[event], 0.7))
    if (time < tau).any():
        uno = theirs.concordance_index_ipcw(y, y, score, tau=tau)[0]
        assert_allclose(metrics.uno_c(time, event, score, one, g, tau), [uno], atol=1e-12)
    if not len(times):
        return
    risk = np.exp(-np.outer(np.exp(0.5 * score), times))
    g_at = metrics.censoring(time, event, times)
    brier = [
        float(metrics.survival_brier(time, event, risk[:, j], one, g, float(g_at[j]), float(t))[0])
        for j, t in enumerate(times)
    ]
    assert_allclose(brier, theirs.brier_score(y, y, risk, times)[1], atol=1e-12)
    try:
        auc = theirs.cumulative_dynamic_auc(y, y, score, times)[0]
    except ValueError:  # They refuse times at which nobody is uncensored any more.
        return
    ours = [float(metrics.dynamic_auc(time, event, score, one, g, float(t))[0]) for t in times]
    assert_allclose(ours, auc, atol=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_performance_of_given_predictions_is_scikit_survivals(seed: int) -> None:
    from sksurv import metrics as theirs
    from sksurv.util import Surv

    table = cohort(seed)
    table = table[table["time"] > 0]
    y = Surv.from_arrays(table["event"].to_numpy(bool), table["time"].to_numpy())
    times = np.unique(np.quantile(table["time"][table["event"] == 1], [0.3, 0.5, 0.7]))
    risk = table["a"]
    survival = pd.DataFrame(np.exp(-np.outer(np.exp(risk), times / times[-1])), index=table.index)
    found = survival_performance(risk, table, ENDPOINT, times, survival=survival)
    value = found.set_index("metric")["value"]
    assert value["uno_c"] == pytest.approx(theirs.concordance_index_ipcw(y, y, risk, tau=times[-1])[0], abs=1e-10)
    assert value["harrell_c"] == pytest.approx(
        theirs.concordance_index_censored(y["event"], y["time"], risk)[0], abs=1e-12
    )
    assert_allclose(value["auc"], theirs.cumulative_dynamic_auc(y, y, risk, times)[0], atol=1e-10)
    assert_allclose(value["brier"], theirs.brier_score(y, y, survival.to_numpy(), times)[1], atol=1e-10)
    whole = theirs.integrated_brier_score(y, y, survival.to_numpy(), times)
    assert value["integrated_brier"] == pytest.approx(whole, abs=1e-10)
    with pytest.raises(DataError, match="2 columns for 3 distinct times"):
        survival_performance(risk, table, ENDPOINT, times, survival=survival.iloc[:, :2])
    with pytest.raises(DataError, match="between 0 and 1"):
        survival_performance(risk, table, ENDPOINT, times, survival=survival - 2)
    shuffled = survival_performance(risk, table, ENDPOINT, times[::-1], survival=survival.iloc[:, ::-1])
    pd.testing.assert_frame_equal(shuffled, found)

"""Cox models against lifelines, statsmodels and first principles; Firth's penalty; separation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime, minimize

from mtorscore.errors import DataError, EndpointError, StatisticsWarning
from mtorscore.prognosis import Endpoint, cox, logrank
from mtorscore.prognosis.statistics import cox as engine
from mtorscore.prognosis.statistics import logistic
from mtorscore.prognosis.statistics.risk_sets import RiskSets
from tests.conftest import peer
from tests.prognosis.simulate import correlated, survival_table

CoxPHFitter = peer("lifelines").CoxPHFitter


ENDPOINT = Endpoint.survival("time", "event")


@pytest.fixture(scope="module")
def cohort() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    x = correlated(150, 2, 0.3, rng)
    table = survival_table(0.6 * x[:, 0], rng, events=0.5, decimals=-1)
    table["a"], table["b"] = x[:, 0], x[:, 1]
    table["site"] = rng.integers(0, 3, 150)
    table["entry"] = table["time"] * rng.uniform(0, 0.6, 150) - 1.0
    return table


def test_ties_are_frequent_here(cohort: pd.DataFrame) -> None:
    assert cohort.loc[cohort["event"] == 1, "time"].duplicated().any()


def test_strata_agree_with_lifelines(cohort: pd.DataFrame) -> None:
    theirs = CoxPHFitter().fit(
        cohort[["time", "event", "a", "b", "site"]], "time", "event", strata=["site"], fit_options={"precision": 1e-12}
    )
    ours = cox(cohort[["a", "b"]], cohort, ENDPOINT, strata=cohort["site"])
    assert_allclose(ours.table["coef"], theirs.params_, atol=1e-5)
    assert_allclose(ours.table["se"], theirs.standard_errors_, atol=1e-4)


def test_left_truncation_agrees_with_lifelines(cohort: pd.DataFrame) -> None:
    theirs = CoxPHFitter().fit(
        cohort[["time", "event", "a", "b", "entry"]],
        "time",
        "event",
        entry_col="entry",
        fit_options={"precision": 1e-12},
    )
    ours = cox(cohort[["a", "b"]], cohort, Endpoint.survival("time", "event", entry="entry"))
    assert_allclose(ours.table["coef"], theirs.params_, atol=1e-5)
    assert_allclose(ours.table["se"], theirs.standard_errors_, atol=1e-4)


def test_score_and_information_are_the_derivatives(cohort: pd.DataFrame) -> None:
    risk = RiskSets(cohort["time"].to_numpy(float), cohort["event"].to_numpy(bool))
    x = cohort[["a", "b"]].to_numpy()[:, :, None]
    at = np.array([0.3, -0.2])
    for firth in (False, True):

        def value(b: np.ndarray, firth: bool = firth) -> float:
            return float(engine.moments(risk, x, b[:, None], firth=firth).loglik[0])

        found = engine.moments(risk, x, at[:, None], firth=firth)
        assert_allclose(found.score[:, 0], approx_fprime(at, value, 1e-6), rtol=1e-4, atol=1e-4)


def test_firth_maximises_the_penalised_likelihood_and_profiles_it(cohort: pd.DataFrame) -> None:
    few = cohort.iloc[:40]
    fit = cox(few[["a", "b"]], few, ENDPOINT, firth=True)
    risk = RiskSets(few["time"].to_numpy(float), few["event"].to_numpy(bool))
    x = few[["a", "b"]].to_numpy()[:, :, None]

    def loss(b: np.ndarray) -> float:
        return -float(engine.moments(risk, x, b[:, None], firth=True).loglik[0])

    best = minimize(loss, [0, 0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert_allclose(fit.table["coef"], best.x, atol=1e-5)
    for bound in ("hr_low", "hr_high"):
        value = np.log(fit.table[bound].iloc[0])
        held = minimize(
            lambda b, v=value: loss(np.array([v, b[0]])), [0], method="Nelder-Mead", options={"fatol": 1e-12}
        )
        assert_allclose(2 * (held.fun - best.fun), 3.841459, atol=1e-4)
    null = minimize(lambda b: loss(np.array([0, b[0]])), [0], method="Nelder-Mead", options={"fatol": 1e-12})
    from scipy.stats import chi2

    assert_allclose(fit.table["p"].iloc[0], chi2.sf(2 * (null.fun - best.fun), 1), atol=1e-5)


def test_separation_is_infinite_without_and_finite_with_firth() -> None:
    # Everyone with x = 1 has the event before anyone else: the partial likelihood has no maximum.
    x = np.repeat([1.0, 0.0], 15)
    table = pd.DataFrame({"x": x, "time": np.arange(1.0, 31.0), "event": (x == 1).astype(int)})
    with pytest.warns(StatisticsWarning, match="no finite estimate"):
        plain = cox(table[["x"]], table, ENDPOINT)
    assert not plain.converged
    assert np.isnan(plain.table["coef"]["x"])
    firth = cox(table[["x"]], table, ENDPOINT, firth=True)
    assert firth.converged
    assert 1 < firth.table["coef"]["x"] < 10
    assert np.isinf(firth.table["hr_high"]["x"]) or firth.table["hr_high"]["x"] > 50


def test_batch_equals_one_by_one(cohort: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    risk = RiskSets(cohort["time"].to_numpy(float), cohort["event"].to_numpy(bool))
    x = rng.normal(size=(150, 2, 40))
    for firth in (False, True):
        together = engine.newton(risk, x, firth=firth)
        for j in (0, 7, 39):
            alone = engine.newton(risk, x[:, :, [j]], firth=firth)
            assert_allclose(together.coef[:, j], alone.coef[:, 0], rtol=1e-8, atol=1e-10)
            assert_allclose(together.se[:, j], alone.se[:, 0], rtol=1e-8)


def test_score_test_of_two_groups_is_the_logrank_test(cohort: pd.DataFrame) -> None:
    from mtorscore.prognosis.statistics import score_test

    distinct = cohort.assign(time=cohort["time"] + np.linspace(0, 0.9, 150))
    group = (distinct["a"] > 0).astype(float)
    risk = RiskSets(distinct["time"].to_numpy(), distinct["event"].to_numpy(bool))
    z = score_test.cox(risk, np.zeros(150), None)(group.to_numpy()[:, None])[0]
    assert_allclose(z**2, logrank(group, distinct, ENDPOINT)["chisq"].iloc[0], rtol=1e-10)


def test_adjusted_score_test_is_close_to_the_likelihood_ratio(cohort: pd.DataFrame) -> None:
    from mtorscore.prognosis.endpoints.outcome_models import SurvivalOutcome

    outcome = SurvivalOutcome(ENDPOINT.resolve_survival(cohort))
    a, b = (cohort[c].to_numpy()[:, None] for c in "ab")
    both = outcome.fit(np.concatenate([a, b], axis=1)[:, :, None])
    one = outcome.fit(b[:, :, None])
    ratio = 2 * (both.loglik[0] - one.loglik[0])
    assert_allclose(outcome.score_test(b)(a)[0] ** 2, ratio, rtol=0.1)
    # A covariate that the nuisance explains fully has no statistic.
    assert np.isnan(outcome.score_test(b)(b)[0])


def test_logistic_agrees_with_statsmodels(cohort: pd.DataFrame) -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    y = (cohort["a"] + rng.normal(size=150) > 0).to_numpy(float)
    theirs = sm.Logit(y, sm.add_constant(cohort[["a", "b"]].to_numpy())).fit(disp=0, tol=1e-12)
    ours = logistic.newton(cohort[["a", "b"]].to_numpy()[:, :, None], y)
    assert_allclose(ours.coef[:, 0], theirs.params[[1, 2, 0]], rtol=1e-8)
    assert_allclose(ours.se[:, 0], theirs.bse[[1, 2, 0]], rtol=1e-6)


def test_unusable_input_says_what_to_do(cohort: pd.DataFrame) -> None:
    with pytest.raises(EndpointError, match="none of the 150 observations has an event"):
        cox(cohort[["a"]], cohort.assign(event=0), ENDPOINT)
    with pytest.raises(DataError, match="No covariate varies"):
        cox(cohort[["a"]] * 0, cohort, ENDPOINT)
    with pytest.raises(EndpointError, match="efron"):
        cox(cohort[["a"]], cohort, ENDPOINT, ties="exact")

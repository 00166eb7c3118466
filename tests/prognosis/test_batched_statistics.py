"""What is computed for many at once equals what is computed one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore.prognosis.association.associate import associate
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.statistics import cox, logistic
from mtorscore.prognosis.statistics.kaplan_meier import leave_one_out, restricted_mean_of
from mtorscore.prognosis.statistics.risk_sets import RiskSets

NONE = pd.DataFrame(columns=["observation", "endpoint", "rule", "reason"])


@pytest.mark.parametrize(("tied", "entered"), [(False, False), (True, False), (True, True)])
def test_pseudo_values_leave_one_out(tied: bool, entered: bool) -> None:
    rng = np.random.default_rng(1)
    time, event = rng.exponential(10, 60), rng.random(60) < 0.5
    time = np.ceil(time) if tied else time
    entry = np.minimum(rng.exponential(2, 60), 0.9 * time) if entered else None
    at = float(np.quantile(time, 0.8))

    def mean(kept: np.ndarray) -> float:
        return restricted_mean_of(time[kept], event[kept], None if entry is None else entry[kept], at)[0]

    everyone = np.arange(60)
    left = [60 * mean(everyone) - 59 * mean(everyone[everyone != i]) for i in everyone]
    assert_allclose(leave_one_out(time, event, entry, at), left, rtol=1e-10)


@pytest.mark.parametrize("p", [1, 3])
def test_proportional_hazards_of_many_models(p: int) -> None:
    rng = np.random.default_rng(p)
    risk = RiskSets(np.ceil(rng.exponential(10, 90)), rng.random(90) < 0.5)
    x = rng.normal(size=(90, p, 5))
    coef = cox.newton(risk, x).coef
    one_by_one = [cox.zph(risk, x[:, :, b], coef[:, b])[1][0] for b in range(5)]
    assert_allclose(cox.proportionality(risk, x, coef), one_by_one, rtol=1e-10)


def test_logistic_models_that_share_their_covariates(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 6)), (rng.random(80) < 0.4).astype(float)
    weights = (rng.random((80, 9)) < 0.8).astype(float)
    stacked = np.broadcast_to(x[:, :, None], (80, 6, 9))
    ridge = np.broadcast_to(np.logspace(-2, 1, 9), (6, 9))
    shared = logistic.newton(stacked, y, weights, ridge=ridge)
    monkeypatch.setattr(logistic, "LARGEST", 0)
    apart = logistic.newton(stacked, y, weights, ridge=ridge)
    assert_allclose(shared.coef, apart.coef, rtol=1e-10)
    assert_allclose(shared.covariance, apart.covariance, rtol=1e-9)


def test_ill_conditioned_information_has_no_inverse() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(3, 3))
    good = a @ a.T + np.eye(3)
    singular = np.ones((3, 3))
    nearly = good.copy()
    nearly[2] = nearly[1] * (1 + 1e-15)
    nearly[:, 2] = nearly[2]
    found = cox.invert(np.stack([good, singular, nearly], axis=2))
    assert_allclose(found[:, :, 0], np.linalg.inv(good), rtol=1e-10)
    assert np.isnan(found[:, :, 1:]).all()


def test_adjusted_models_fitted_together_are_those_fitted_alone() -> None:
    rng = np.random.default_rng(12)
    n = 90
    index = [f"s{i}" for i in range(n)]
    scores = pd.DataFrame(rng.normal(size=(n, 4)), index, list("abcd"))
    scores.iloc[:7, 1] = np.nan
    clinical = pd.DataFrame(
        {
            "time": np.ceil(rng.exponential(400, n)),
            "dead": rng.integers(0, 2, n),
            "grade": rng.choice(["G1", "G2", "G3"], n),
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.normal(60, 9, n)),
        },
        index,
    )
    endpoint = Endpoint.survival("time", "dead", "days")
    options: dict[str, Any] = {"adjust": ["grade", "age", "a"], "negative_controls": ()}
    together = associate(scores, clinical, endpoint, **options)
    numbers = ["hr", "hr_low", "hr_high", "p", "ph_p", "c_index", "c_low", "unadjusted_same_n"]
    for name in "bcd":
        alone = associate(scores[["a", name]], clinical, endpoint, **options).query("signature == @name")
        beside = together.query("signature == @name")
        assert_allclose(beside[numbers].to_numpy(float), alone[numbers].to_numpy(float), rtol=1e-12, equal_nan=True)
        assert list(beside["reason"]) == list(alone["reason"])

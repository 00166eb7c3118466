"""The score test in one pass down the risk sets is that of matrix products over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mtorscore.prognosis.statistics import score_test
from mtorscore.prognosis.statistics.risk_sets import FloatArray, RiskSets


def by_products(risk: RiskSets, eta: FloatArray, z: FloatArray, x: FloatArray) -> FloatArray:
    """Rao's statistic from the definition."""
    w = np.exp(eta)
    s0 = risk.sum(w)
    weight = w * risk.adjoint(1 / s0)
    both = np.concatenate([x, z], axis=1)
    mean = risk.sum(w[:, None] * both) / s0[:, None]
    information = (both * weight[:, None]).T @ both - mean.T @ mean
    k = x.shape[1]
    cross = information[:k, k:]
    left = information[:k, :k] - cross @ np.linalg.pinv(information[k:, k:]) @ cross.T
    out: FloatArray = (risk.event - weight) @ x / np.sqrt(np.diag(left))
    return out


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize(("q", "strata", "tied"), [(0, False, False), (2, False, True), (3, True, True)])
def test_one_pass_equals_products(ties: Any, q: int, strata: bool, tied: bool) -> None:
    rng = np.random.default_rng(q)
    n = 90
    time, event = rng.exponential(10, n), rng.random(n) < 0.5
    time = np.ceil(time) if tied else time
    risk = RiskSets(time, event, None, rng.integers(0, 3, n) if strata else None, ties=ties)
    z, eta, x = rng.normal(size=(n, q)), 0.3 * rng.normal(size=n), rng.normal(3, 1, size=(n, 300))
    test = score_test.cox(risk, eta, z)
    assert_allclose(test(x), by_products(risk, eta, z, x - x.mean(axis=0)), rtol=1e-10)
    design = np.column_stack([np.ones(n), rng.normal(size=n)])
    onto = np.linalg.pinv(design)
    found = score_test.residual_statistics(test, x, design, onto)
    assert_allclose(found, by_products(risk, eta, z, x - design @ (onto @ x)), rtol=1e-10)


def test_entry_times_keep_the_products() -> None:
    rng = np.random.default_rng(0)
    n = 60
    time = rng.exponential(10, n)
    risk = RiskSets(time, rng.random(n) < 0.5, time * rng.uniform(0, 0.5, n))
    x = rng.normal(size=(n, 4))
    found = score_test.cox(risk, np.zeros(n), None)(x)
    assert_allclose(found, by_products(risk, np.zeros(n), np.zeros((n, 0)), x - x.mean(axis=0)), rtol=1e-10)

"""The batched held-out partial likelihood is that of models fitted one inner fold after the other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mtorscore.prognosis.statistics import logistic, ridge_paths
from mtorscore.prognosis.statistics.risk_sets import RiskSets


@pytest.mark.parametrize(("n", "p", "ties"), [(60, 3, False), (150, 8, True), (120, 1, True), (40, 30, True)])
def test_batched_folds_equal_single_ones(monkeypatch: pytest.MonkeyPatch, n: int, p: int, ties: bool) -> None:
    rng = np.random.default_rng(n)
    time, event = rng.exponential(10, n), rng.random(n) < 0.3
    time = np.ceil(time) if ties else time
    x = rng.normal(size=(n, p))
    x[:, -1] = 0.0
    x = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), np.inf)
    fold, grid, risk = rng.integers(0, 5, n), np.logspace(-3, 1.5, 10), RiskSets(time, event)
    together = ridge_paths.held_out(risk, x, fold, grid)
    monkeypatch.setattr(ridge_paths, "LARGEST", 0)
    assert_allclose(together, ridge_paths.held_out(risk, x, fold, grid), rtol=1e-11)


def test_a_fold_whose_training_part_has_no_event_does_not_count() -> None:
    event = np.array([True, True, False, False, False, False])
    risk = RiskSets(np.arange(6.0) + 1, event)
    x = np.linspace(-1, 1, 6)[:, None]
    grid = np.array([0.1, 1.0])
    fold = np.array([0, 0, 1, 1, 2, 2])
    found = ridge_paths.held_out(risk, x, fold, grid)
    assert np.isfinite(found).all()
    assert (ridge_paths.held_out(risk, x, np.zeros(6, dtype=np.int64), grid) == 0).all()


@pytest.mark.parametrize(("n", "p", "weighted"), [(60, 3, False), (200, 12, True), (40, 30, False), (90, 1, True)])
def test_held_out_logistic_likelihood_is_that_of_models_fitted_for_themselves(n: int, p: int, weighted: bool) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, p))
    x[:, -1] = 0.0 if p > 1 else x[:, -1]
    y = (rng.random(n) < 1 / (1 + np.exp(-2 * x[:, 0]))).astype(np.float64)
    w = rng.choice([0.0, 0.5, 1.0, 2.0], n) if weighted else np.ones(n)
    fold, grid = np.arange(n) % 5, np.logspace(-3, 1.5, 10)
    expected = np.zeros(len(grid))
    for f in range(5):
        inside, outside = fold != f, fold == f
        for g, penalty in enumerate(grid):
            ridge = np.full((p, 1), penalty * w[inside].sum())
            coef = logistic.newton(x[inside][:, :, None], y[inside], w[inside], ridge=ridge).coef[:, 0]
            eta = x[outside] @ coef[:-1] + coef[-1]
            expected[g] += w[outside] @ (y[outside] * eta - np.logaddexp(0, eta))
    assert_allclose(ridge_paths.held_out_logistic(x, y, w, fold, grid), expected, rtol=1e-7)

"""The batched held-out partial likelihood is that of models fitted one inner fold after the other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mtorscore.prognosis.statistics import ridge_paths
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

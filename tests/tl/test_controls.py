"""Expected shares of control genes, against every outcome counted by hand and against draws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mtorscore.tl.algorithms._control_genes import _mean_shares, expected_shares


def by_hand(counts: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """Go through all outcomes of independent counts."""
    found = np.zeros(len(counts))
    for outcome in itertools.product(*(range(p.size) for _, p in counts)):
        values = np.array([low + k for (low, _), k in zip(counts, outcome, strict=True)])
        chance = np.prod([p[k] for (_, p), k in zip(counts, outcome, strict=True)])
        found += chance * values / max(values.sum(), 1)
    return found


@pytest.mark.parametrize("lowest", [0, 1, 700, 50_000])
def test_mean_shares_are_those_of_all_outcomes(lowest: int) -> None:
    rng = np.random.default_rng(lowest)
    for n in (1, 2, 4):
        counts = [(lowest * k, rng.dirichlet(np.ones(k + 2) / 3)) for k in range(n)]
        np.testing.assert_allclose(_mean_shares(counts), by_hand(counts), rtol=1e-13, atol=1e-15)
    assert _mean_shares([]).size == 0


@pytest.mark.parametrize(("exclude", "in_pool"), [(True, False), (True, True), (False, False)])
def test_expected_shares_are_the_mean_over_draws(exclude: bool, in_pool: bool) -> None:
    rng = np.random.default_rng(3)
    bins = np.repeat([0, 1, 2], [9, 14, 30])
    columns = np.array([0, 1, 2, 9, 30])
    n_controls = 6
    shares, sizes = expected_shares(columns, bins, n_controls, exclude=exclude, in_pool=in_pool)
    mean = np.zeros(3)
    n_draws = 6000
    for _ in range(n_draws):
        drawn: set[int] = set()
        for gene in np.unique(columns[np.unique(bins[columns], return_index=True)[1]]) if exclude else columns:
            pool = np.flatnonzero(bins == bins[gene])
            if exclude and not in_pool:
                pool = np.setdiff1d(pool, columns)
            drawn.update(rng.choice(pool, min(n_controls, pool.size), replace=False).tolist())
        kept = np.array(sorted(drawn.difference(columns.tolist()) if exclude else drawn))
        mean += np.bincount(bins[kept], minlength=3) / kept.size / n_draws
    np.testing.assert_allclose(shares, mean, atol=0.005)
    assert sizes.tolist() == ([6, 13, 29] if exclude else [9, 14, 30])

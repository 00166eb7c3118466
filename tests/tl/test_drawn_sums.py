"""Random sets are scored set by set: the same numbers as gene by gene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtorscore import tl
from mtorscore.tl.engine import registry
from mtorscore.tl.engine.cached_matrix import hold, learn, score_held
from mtorscore.tl.engine.gene_sets import Sets
from mtorscore.tl.engine.random_signatures import draw

TOLERANCE = {"ssgsea": 1e-8, "zscore": 1e-8}
"""Of the largest score: these two add up drawn sets in fixed point."""


def _random_sets(rng: np.random.Generator, n_vars: int, n: int = 40) -> Sets:
    """Return sets of 1 to 30 genes, up genes first, some of them all up or all down."""
    columns, weights = [], []
    for _ in range(n):
        size = int(rng.integers(1, 31))
        columns.append(rng.choice(n_vars, size, replace=False).astype(np.int64))
        up = int(rng.integers(0, size + 1))
        weights.append(rng.choice([1.0, 0.5, 2.0], size) * np.where(np.arange(size) < up, 1.0, -1.0))
    sets = Sets.from_lists(columns, weights, n_vars)
    return replace(sets, slots=sets.genes[sets.slots], genes=np.arange(n_vars, dtype=np.int64))


@pytest.mark.parametrize("zeros", [0.0, 0.2])
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("singscore", {}),
        ("singscore", {"ties": "average"}),
        ("ssgsea", {}),
        ("ucell", {"max_rank": 50}),
        ("zscore", {}),
    ],
)
def test_same_numbers_set_by_set(method: str, options: dict[str, object], zeros: float) -> None:
    rng = np.random.default_rng(7)
    x = np.round(rng.gamma(2.0, 3.0, (70, 120)), 1)
    x[rng.random(x.shape) < zeros] = 0.0
    x[:, 3] = 1.5
    held, spec = hold(x), registry.get(method)
    params = registry.check_params(spec, options)
    sets = _random_sets(rng, x.shape[1]).as_used(signed=spec.signed, weighted=spec.weighted)
    state = learn(spec, params, held, sets)
    plain = score_held(held, spec, params, sets, state)
    fast = score_held(held, spec, params, replace(sets, drawn=True), state)
    assert np.isfinite(plain).any()
    np.testing.assert_allclose(fast, plain, rtol=0, atol=TOLERANCE.get(method, 1e-12) * np.nanmax(np.abs(plain)))


@pytest.mark.parametrize("method", ["singscore", "ssgsea", "zscore"])
@pytest.mark.parametrize("directions", [(5, 0), (0, 4), (3, 6)])
def test_sets_of_one_template(method: str, directions: tuple[int, int]) -> None:
    """Templates without weights of their own, scored for themselves, as all sets together and gene by gene."""
    rng = np.random.default_rng(11)
    x = rng.gamma(2.0, 3.0, (90, 150))
    x[:, 7] = 2.5
    weights = np.repeat([1.0, -1.0], directions)
    (_, found), (_, again) = tl.random_scores(hold(x), [weights, weights], 60, method=method, streams=["a", "a"])
    np.testing.assert_array_equal(found, again)
    held, spec = hold(x), registry.get(method)
    params = registry.check_params(spec, {})
    drawn = draw(None, len(weights), 60, np.zeros(150, dtype=np.int64), seed=0, stream="a")
    sets = Sets.from_lists(list(drawn), [weights] * 60, 150)
    sets = replace(sets, slots=sets.genes[sets.slots], genes=held.genes)
    plain = score_held(held, spec, params, sets, learn(spec, params, held, sets))
    np.testing.assert_allclose(found, plain, rtol=0, atol=TOLERANCE.get(method, 1e-12) * np.nanmax(np.abs(plain)))


@pytest.mark.parametrize("method", ["ssgsea", "zscore"])
def test_many_genes_are_kept_in_two_bytes(method: str) -> None:
    """Where sets are all unlike, random scores are right to a thousandth of their SD; those of two genes to 1e-8."""
    rng = np.random.default_rng(5)
    x = rng.gamma(2.0, 3.0, (40, 5000))
    x[3, 17] = 400.0
    held, spec = hold(x), registry.get(method)
    params = registry.check_params(spec, {})
    for size, most in ((40, 1e-3), (3, 1e-3), (2, 1e-8)):
        weights = np.repeat([1.0, -1.0], [size // 2, size - size // 2])
        ((_, found),) = tl.random_scores(held, [weights], 200, method=method, streams=["a"])
        drawn = draw(None, size, 200, np.zeros(5000, dtype=np.int64), seed=0, stream="a")
        sets = Sets.from_lists(list(drawn), [weights] * 200, 5000)
        sets = replace(sets, slots=sets.genes[sets.slots], genes=held.genes)
        plain = score_held(held, spec, params, sets, learn(spec, params, held, sets))
        assert np.abs(found - plain).max() <= most * plain.std()


def test_a_nan_takes_the_plain_path() -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(10, 60))
    x[2, 5] = np.nan
    held, spec = hold(x), registry.get("ssgsea")
    params = registry.check_params(spec, {"na": "omit"})
    sets = _random_sets(rng, 60).as_used(signed=True, weighted=False)
    plain = score_held(held, spec, params, sets, {})
    fast = score_held(held, spec, params, replace(sets, drawn=True), {})
    np.testing.assert_array_equal(fast, plain)

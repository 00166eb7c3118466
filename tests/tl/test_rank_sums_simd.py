"""Rank sums by SIMD instructions are to the last bit those that go through the entries of each row."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st

from mtorscore import tl
from mtorscore.tl.algorithms import _shared
from mtorscore.tl.engine.gene_sets import Sets
from mtorscore.tl.engine.open_source import open_source
from mtorscore.tl.kernels import rank_sums, rank_sums_simd
from tests.containers import ArrayType, dense_and_sparse

# From the top, cut; from the top, so long a ranking that lanes of 16 bits overflow; from below.
LIMITS = [60, 4500, None]


def random_sets(rng: np.random.Generator, n_vars: int, n_sets: int, longest: int) -> Sets:
    columns = [np.sort(rng.choice(n_vars, rng.integers(0, longest + 1), replace=False)) for _ in range(n_sets)]
    return Sets.from_lists(columns, [rng.choice([-1.0, 1.0, 2.0], c.size) for c in columns], n_vars)


def both(x: Any, sets: Sets, limit: int | None, ties: int) -> tuple[Any, Any]:
    """Return twice the sums by both kernels."""
    e = open_source(x).tile(0, x.shape[0]).entries(sets.genes)
    ranking = (e.ranking, limit is not None, ties, limit or 0)
    table = rank_sums_simd.rank_table(e.n_slots, 2 * (limit or sets.n_vars), int(sets.parts.sizes.max()))
    assert table is not None
    expected, _ = rank_sums.rank_sums(*ranking, *sets.parts_of_genes, sets.parts.sizes, False)
    return rank_sums_simd.simd_rank_sums(*ranking, *(*sets.genes_of_parts, *table)), expected


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("ties", [0, 1, 2])
@pytest.mark.parametrize("n_obs", [1, 16, 77])
@dense_and_sparse
def test_simd_sums_are_those_of_entries(limit: int | None, ties: int, n_obs: int, array_type: ArrayType) -> None:
    rng = np.random.default_rng(n_obs + ties)
    n_vars = 5000 if limit == 4500 else 300
    counts = rng.poisson(rng.gamma(0.3, 2, n_vars), (n_obs, n_vars)).astype(float)
    sets = random_sets(rng, n_vars, 90, 40)
    for x in (counts, counts - 1, rng.normal(size=counts.shape), np.zeros_like(counts)):
        found, expected = both(array_type(x), sets, limit, ties)
        np.testing.assert_array_equal(found, expected)


@given(seed=st.integers(0, 2**32 - 1), n_obs=st.integers(1, 40), n_vars=st.integers(2, 80), limit=st.integers(1, 80))
@settings(max_examples=60, deadline=None)
def test_simd_sums_are_those_of_entries_for_any_shape(seed: int, n_obs: int, n_vars: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(rng.normal(), 2, (n_obs, n_vars)))
    sets = random_sets(rng, n_vars, int(rng.integers(1, 80)), n_vars)
    if sets.slots.size:
        found, expected = both(x, sets, min(limit, n_vars), int(rng.integers(3)))
        np.testing.assert_array_equal(found, expected)


def test_sums_that_overflow_a_narrow_lane_are_still_right() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((40, 3000))
    # The genes at the top of every row: twice the distance from the limit, summed over 400 of them, is a million.
    x[:, :400] += np.where(np.arange(40) % 3 == 0, 1.0, 0.0)[:, None]
    sets = Sets.from_lists([np.arange(400), np.arange(100, 2000)], [np.ones(400), np.ones(1900)], 3000)
    table, _ = rank_sums_simd.rank_table(3000, 2 * 1500, 1900) or (None, 0)
    assert table is not None
    assert table.dtype == np.uint16
    found, expected = both(x, sets, 1500, 0)
    assert (2 * 1500 * 400 - expected[0, 0]) > np.iinfo(np.uint16).max
    np.testing.assert_array_equal(found, expected)


def test_sums_that_do_not_fit_at_all_are_left_to_the_entries() -> None:
    assert rank_sums_simd.rank_table(10, 2**20, 2**10) is not None
    assert rank_sums_simd.rank_table(10, 2**20, 2**11) is None


def test_simd_sums_are_chosen_for_many_sets_and_rows_only() -> None:
    assert rank_sums_simd.is_faster(128, 128 * 2500, 20_000, 330_000, 1500)
    assert not rank_sums_simd.is_faster(1, 2500, 20_000, 330_000, 1500)
    assert not rank_sums_simd.is_faster(128, 128 * 20, 20_000, 100, 1500)


@pytest.mark.parametrize("method", ["ucell", "singscore"])
@pytest.mark.parametrize("missing", [False, True])
def test_scores_are_the_same_whichever_kernel_adds(method: str, missing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    x = rng.poisson(0.3, (150, 400)).astype(float)
    if missing:
        x[3, 5] = np.nan
    names = [f"G{i}" for i in range(400)]
    sets = {
        f"S{i}": {"up": list(rng.choice(names[:200], 12, replace=False)), "down": list(rng.choice(names[200:], i % 4))}
        for i in range(60)
    }
    sets = {n: {k: list(dict.fromkeys(v)) for k, v in s.items()} for n, s in sets.items()}
    scores = {}
    used: list[bool] = []
    kernel = rank_sums_simd.simd_rank_sums

    def counted(*arguments: Any) -> Any:
        used.append(True)
        return kernel(*arguments)

    monkeypatch.setattr(rank_sums_simd, "simd_rank_sums", counted)
    for few in (1 << 60, 0):
        monkeypatch.setattr(_shared, "FEW_MEMBERS", few)
        monkeypatch.setattr(rank_sums_simd, "is_faster", lambda *_: True)
        adata = AnnData(x.copy())
        adata.var_names = names
        tl.score(adata, sets, method=method, max_rank=50) if method == "ucell" else tl.score(adata, sets)
        scores[few] = adata.obsm[f"score_{method}"].to_numpy()
    # One tile holds the missing value, and is left to the other kernel.
    assert bool(used) is not missing
    np.testing.assert_array_equal(scores[0], scores[1 << 60])


def test_signed_sets_with_one_direction_keep_their_parts() -> None:
    sets = Sets.from_lists([np.array([0, 2]), np.array([1, 3]), np.zeros(0, dtype=np.int64)],
                           [np.array([1.0, -1.0]), np.array([-1.0, -1.0]), np.zeros(0)], 5)  # fmt: skip
    assert sets.parts.up_of.tolist() == [0, -1, -1]
    assert sets.parts.down_of.tolist() == [1, 2, -1]
    pointer, slots = sets.genes_of_parts
    assert [slots[a:b].tolist() for a, b in pairwise(pointer)] == [[0], [2], [1, 3]]
    pointer, part = sets.parts_of_genes
    assert [part[a:b].tolist() for a, b in pairwise(pointer)] == [[0], [2], [1], [2]]

"""The shared ranking pass against scipy's, on values that are hard on buckets."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata

from mtorscore.tl.engine.gene_sets import Sets
from mtorscore.tl.engine.open_source import open_source
from mtorscore.tl.engine.tiles import Tile
from tests.containers import ArrayType, dense_and_sparse, in_memory

RNG = np.random.default_rng(1)
SHAPE = (12, 700)
HARD = {
    "normal": RNG.normal(0, 2, SHAPE),
    "long tail": RNG.gamma(0.3, 5, SHAPE),
    "counts": RNG.poisson(RNG.gamma(0.3, 30, SHAPE)).astype(float),
    "two hundred orders of magnitude": np.exp(RNG.normal(0, 60, SHAPE)),
    "the same below zero": -np.exp(RNG.normal(0, 60, SHAPE)),
    "half zeros": np.where(RNG.random(SHAPE) < 0.5, 0, np.round(RNG.normal(0, 2, SHAPE), 1)),
    "subnormal": np.round(RNG.normal(0, 9, SHAPE)) * 5e-324,
    "one outlier": np.where(np.arange(700) == 5, 1e300, RNG.random(SHAPE) + 1),
    "extremes": np.where(RNG.random(SHAPE) < 0.5, -1.7e308, 1.7e308),
    "constant": np.full(SHAPE, 3.0),
    "empty": np.zeros(SHAPE),
}


def tile_of(matrix: Any) -> Tile:
    return open_source(matrix).tile(0, matrix.shape[0])


@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("ties", ["average", "min", "max"])
@in_memory
def test_ranks_are_those_of_scipy(kind: str, ties: str, array_type: ArrayType) -> None:
    x = HARD[kind]
    genes = np.arange(0, x.shape[1], 3, dtype=np.int64)
    expected = rankdata(x, axis=1, method=ties)[:, genes]
    for values in (x, np.where(x == 0, -0.0, x)):
        np.testing.assert_array_equal(tile_of(array_type(values)).ranks(genes).ascending(ties), expected)


@in_memory
def test_nan_has_no_rank(array_type: ArrayType) -> None:
    x = HARD["half zeros"].copy()
    x[:, 10:13] = np.nan
    genes = np.arange(x.shape[1], dtype=np.int64)
    expected = rankdata(x, axis=1, nan_policy="omit")
    ranks = tile_of(array_type(x)).ranks(genes)
    np.testing.assert_array_equal(ranks.ascending(), expected)
    assert (ranks.n_nan == 3).all()


@pytest.mark.parametrize("kind", ["normal", "long tail", "counts", "half zeros"])
@dense_and_sparse
def test_single_precision_ranks_like_double(kind: str, array_type: ArrayType) -> None:
    x = HARD[kind].astype(np.float32)
    expected = rankdata(x, axis=1)
    genes = np.arange(x.shape[1], dtype=np.int64)
    np.testing.assert_array_equal(tile_of(array_type(x)).ranks(genes).ascending(), expected)


@pytest.mark.parametrize("rounded", [None, 2, 0])
def test_rows_of_many_values_are_ranked_like_short_ones(rounded: int | None) -> None:
    x = RNG.normal(1, 3, (3, 20_000))
    x = x if rounded is None else np.round(x, rounded)
    genes = np.arange(0, 20_000, 7, dtype=np.int64)
    ranks = tile_of(x).ranks(genes).ascending()
    np.testing.assert_array_equal(ranks, rankdata(x, axis=1)[:, genes])


def test_signed_sets_with_one_direction_keep_their_parts() -> None:
    sets = Sets.from_lists([np.array([0, 2]), np.array([1, 3]), np.zeros(0, dtype=np.int64)],
                           [np.array([1.0, -1.0]), np.array([-1.0, -1.0]), np.zeros(0)], 5)  # fmt: skip
    assert sets.parts.up_of.tolist() == [0, -1, -1]
    assert sets.parts.down_of.tolist() == [1, 2, -1]
    pointer, part = sets.parts_of_genes
    assert [part[a:b].tolist() for a, b in pairwise(pointer)] == [[0], [2], [1], [2]]

"""Cached matrix for repeated scoring: its tiles, and their ranks, stay in memory."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mtorscore._blas_threads import one_blas_thread
from mtorscore.errors import MethodError
from mtorscore.tl.engine import registry
from mtorscore.tl.engine.gene_sets import Array, Ints, Sets
from mtorscore.tl.engine.open_source import open_source
from mtorscore.tl.engine.plan import columns_of_genes
from mtorscore.tl.engine.source import Source, keep_freed_memory
from mtorscore.tl.engine.spec import MethodSpec
from mtorscore.tl.engine.tiles import Tile

T = TypeVar("T")
HELD_BYTES = 1 << 30
# What is kept for the next who asks, such as random sets for the next method.
KEPT_BYTES = 128 << 20
# Sets are added up for all rows of a tile at once, so few tiles read the sets few times.
HELD_ROWS = 512


class _Kept:
    """An array that threads share, once there is one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.array: npt.NDArray[Any] | None = None


class Held:
    """A matrix that is read many times: its tiles, and the ranks cached in them, are kept if they fit in memory."""

    def __init__(self, source: Source, tiles: list[Tile] | None, names: Sequence[str] | None = None) -> None:
        self.source = source
        self.names = [str(i) for i in range(source.n_vars)] if names is None else names
        self.n_obs, self.n_vars = source.n_obs, source.n_vars
        self.genes = np.arange(source.n_vars, dtype=np.int64)
        self._tiles = tiles
        self._kept: dict[Any, _Kept] = {}
        self._room = KEPT_BYTES
        self._lock = threading.Lock()

    def once(self, key: Any, make: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return an array that is made for the first who asks and kept while there is room; others wait for it."""
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
        with kept.lock:
            if kept.array is not None:
                return kept.array
            array = make()
            with self._lock:
                if array.nbytes <= self._room:
                    self._room -= array.nbytes
                    kept.array = array
            return array

    def tiles(self) -> Iterator[Tile]:
        """Yield the rows in order, as tiles."""
        yield from self.source.tiles() if self._tiles is None else self._tiles

    def reduce(self, function: Callable[[Tile], T], combine: Callable[[T, T], T]) -> T:
        """Apply a function to every tile and put the results together in row order."""
        return functools.reduce(combine, map(function, self.tiles()))

    def each(self, function: Callable[[Tile], T]) -> Iterator[T]:
        """Apply a function to every tile, several tiles at a time, and yield the results in row order."""
        threads = 1 if self._tiles is None else min(len(self._tiles), os.cpu_count() or 1)
        if threads <= 1:
            yield from map(function, self.tiles())
            return
        # The first tile computes what all tiles need of the sets, so that threads do not compute it at the same time.
        first, *others = self._tiles or []
        yield function(first)
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(function, others)

    @functools.cached_property
    def plain(self) -> bool:
        """Whether the matrix is in memory, dense, without NaN, and zero in less than half."""
        tiles = self._tiles or []
        return bool(tiles) and all(
            t.x is not None and t.all_finite() and 2 * np.count_nonzero(t.x) > t.x.size for t in tiles
        )

    @functools.cached_property
    def gene_means(self) -> Array:
        """Mean of the known values per gene."""
        return gene_means_of(self)


def hold(X: Any, names: Sequence[str] | None = None) -> Held:
    """Cache a matrix for repeated scoring: ranks computed for one scoring are reused by the next.

    Parameters
    ----------
    X
        ``(n_obs, n_vars)`` expression, any container that `score` takes.
    names
        Genes, for parameters that name some; their positions by default.
    """
    return hold_source(open_source(X), names)


def hold_source(source: Source, names: Sequence[str] | None = None) -> Held:
    """Cache an open source, in memory if it fits."""
    keep_freed_memory()
    # Values, ranks, and the tables of drawn sets or a working copy.
    fits = 40 * source.n_obs * source.n_vars <= HELD_BYTES
    bounds = range(0, source.n_obs, HELD_ROWS)
    tiles = [source.tile(a, min(a + HELD_ROWS, source.n_obs)) for a in bounds] if fits else None
    return Held(source, tiles, names)


def score_held(held: Held, spec: MethodSpec, params: Mapping[str, Any], sets: Sets, state: Mapping[str, Any]) -> Array:
    """Return the scores of one pass over the matrix, ``(n_obs, n_sets)``."""
    out = np.empty((held.n_obs, len(sets)))

    def one(tile: Tile) -> None:
        out[tile.start : tile.start + tile.n_obs] = spec.score(tile, sets, params, state, False).scores

    for _ in held.each(one):
        pass
    return out


def score_columns(
    held: Held,
    signatures: Sequence[tuple[Ints, Array]],
    *,
    method: str,
    params: Mapping[str, Any] | None = None,
) -> Array:
    """Score signatures given as columns and signed weights; the numbers of `score`, without its bookkeeping.

    Parameters
    ----------
    held
        The matrix, from `hold`.
    signatures
        Ascending columns and signed weights of each.
    method, params
        The scoring method. A cohort-dependent one learns from the matrix.

    Returns
    -------
    numpy.ndarray
        ``(n_obs, n_signatures)``; NaN for a signature without columns.
    """
    spec = registry.get(method)
    checked = columns_of_genes(spec, registry.check_params(spec, params or {}), held.names)
    sets = Sets.from_lists([c for c, _ in signatures], [w for _, w in signatures], held.n_vars)
    sets = sets.as_used(signed=spec.signed, weighted=spec.weighted)
    if not sets.slots.size:
        return np.full((held.n_obs, len(sets)), np.nan)
    state = learn(spec, checked, held, sets)
    if spec.uses_ranks and not spec.learns(checked):
        # Over all genes, so that the ranks that random sets have asked for, or will, are shared.
        sets = replace(sets, slots=sets.genes[sets.slots], genes=held.genes)
    out = score_held(held, spec, checked, sets, state)
    out[:, sets.sizes == 0] = np.nan
    return out


def learn(spec: MethodSpec, params: Mapping[str, Any], held: Held, sets: Sets) -> Mapping[str, Any]:
    """Learn what a cohort-dependent method needs from the cached matrix."""
    if spec.fit is None or not spec.learns(params):
        return {}
    if held.n_obs < 2:
        raise MethodError(f"{spec.name} learns from a cohort and cannot learn from 1 sample.")
    with one_blas_thread():
        return spec.fit(held, sets, params)


def gene_means_of(source: Source | Held) -> Array:
    """Mean of each gene over the observations where it is known, ``(n_vars,)``."""
    total, n = np.zeros(source.n_vars), np.zeros(source.n_vars)
    for tile in source.tiles():
        if tile.x is not None and tile.all_finite():
            total += tile.x.sum(axis=0)
            n += tile.n_obs
            continue
        sums, known = tile.column_sums()
        total += sums
        n += known
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / n

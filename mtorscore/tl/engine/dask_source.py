"""Dask arrays as a source of tiles: chunks are scored on the user's scheduler, and only results are returned."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from mtorscore._sparse_structure import canonical
from mtorscore.tl.engine.source import BY_SIZE, Source, Tiling
from mtorscore.tl.engine.tiles import Tile

__all__ = ["DaskSource", "dask_source", "known_chunks"]

T = TypeVar("T")


@dataclass
class DaskSource(Source):
    """A Dask array, cut where its row chunks are.

    Attributes
    ----------
    parts
        One delayed block of rows per chunk, all columns in it.
    edges
        ``(n_parts + 1,)`` first row of each part.
    """

    parts: list[Any] = field(default_factory=list)
    edges: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    remote: ClassVar[bool] = True

    def each(self, function: Callable[[Tile], T], threads: int | None = None, tiling: Tiling = BY_SIZE) -> Iterator[T]:
        """Apply a function to every tile on the worker that has it; yield the results in row order."""
        del threads, tiling
        for found in self._compute(partial(_map, function=function)):
            yield from found

    def reduce(self, function: Callable[[Tile], T], combine: Callable[[T, T], T]) -> T:
        """Reduce every chunk on the worker that has it, then put the results together."""
        return functools.reduce(combine, self._compute(partial(_reduce, function=function, combine=combine)))

    def _compute(self, work: Callable[[Source], T]) -> Sequence[T]:
        """Return the result of `work` for every chunk, from one computation."""
        import dask

        shared = dask.delayed(partial(_on_chunk, work=work), pure=False)
        tasks = [
            shared(part, int(start), self.n_vars, self.block, self.columns)
            for part, start in zip(self.parts, self.edges[:-1], strict=True)
        ]
        found: Sequence[T] = dask.compute(*tasks)
        return found

    def tiles(self) -> Iterator[Tile]:
        """Yield tiles in row order, fetching one chunk at a time."""
        for part, start in zip(self.parts, self.edges[:-1], strict=True):
            yield from _local(part.compute(), int(start), self.n_vars, self.block, self.columns).tiles()

    def tile(self, start: int, stop: int) -> Tile:
        """Return rows ``start:stop``."""
        rows = self.matrix[start:stop].compute()
        return _local(rows, start, self.n_vars, stop - start, self.columns).tile(0, stop - start)


def dask_source(
    matrix: Any,
    *,
    rows: npt.NDArray[np.int64] | None,
    columns: npt.NDArray[np.int64] | None,
    block: int | None,
) -> DaskSource:
    """Make a Dask array a source of tiles; chunks of columns are joined, chunks of rows stay as they are."""
    if rows is not None:
        matrix = matrix[rows]
    if len(matrix.chunks[1]) > 1:
        matrix = matrix.rechunk({1: -1})
    n_obs, n_vars = (int(n) for n in matrix.shape)
    kept = [i for i, n in enumerate(matrix.chunks[0]) if n]
    edges = np.concatenate([[0], np.cumsum([n for n in matrix.chunks[0] if n])]).astype(np.int64)
    delayed = matrix.to_delayed().ravel()
    parts = [delayed[i] for i in kept]
    width = n_vars if columns is None else len(columns)
    return DaskSource(matrix, n_obs, width, None, block, columns, parts=parts, edges=edges)


def known_chunks(matrix: Any) -> Any:
    """Return the array with its chunk sizes computed, where Dask does not know them."""
    return matrix.compute_chunk_sizes() if any(np.isnan(n) for n in matrix.shape) else matrix


def _on_chunk(
    part: Any,
    start: int,
    n_vars: int,
    block: int | None,
    columns: npt.NDArray[np.int64] | None,
    work: Callable[[Source], T],
) -> T:
    return work(_local(part, start, n_vars, block, columns))


def _map(chunk: Source, function: Callable[[Tile], T]) -> list[T]:
    return [function(tile) for tile in chunk.tiles()]


def _reduce(chunk: Source, function: Callable[[Tile], T], combine: Callable[[T, T], T]) -> T:
    return chunk.reduce(function, combine)


def _local(part: Any, start: int, n_vars: int, block: int | None, columns: npt.NDArray[np.int64] | None) -> Source:
    """Return a computed chunk as a source of its own."""
    held = canonical(part) if hasattr(part, "tocsr") else np.asarray(part)
    return Source(held, int(held.shape[0]), n_vars, None, block, columns, start)

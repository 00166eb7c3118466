"""Any container of expression values as a source of tiles; sparse stays sparse."""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from mtorscore._blas_threads import one_blas_thread
from mtorscore._sparse_structure import canonical
from mtorscore.errors import DataError
from mtorscore.io.formats.stored_matrices import sound
from mtorscore.tl.engine.tiles import Tile

__all__ = ["BY_SIZE", "Source", "Tiling", "path_of"]

T = TypeVar("T")
TILE_BYTES = 16 << 20
RESULT_BYTES = 8 << 20
FREED_BYTES = 16 << 20
SHARE, FEWEST_ROWS = 4, 64
# Kernels add up rows in blocks of 16 (`kernels.segment_sums`); tiles hold whole blocks.
ROWS_TOGETHER = 32
# Tiles per thread whose results may wait to be fetched.
AHEAD = 4


@functools.lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Free a large array once: glibc then keeps freed memory, up to twice as much per thread, for the next array.

    Without it each tile's arrays go back to the system, which clears the memory before it hands it out again. That is a
    tenth of the time of a rank method, and more where threads wait for each other over it.
    """
    np.empty(FREED_BYTES, np.uint8)


@functools.lru_cache(maxsize=4)
def _threads(n: int) -> ThreadPoolExecutor:
    """Return a pool that is reused: a file is scored in many small blocks, and threads are slow to start."""
    if hasattr(os, "register_at_fork"):
        # A forked process inherits the pool but not its threads.
        os.register_at_fork(after_in_child=_threads.cache_clear)
    return ThreadPoolExecutor(n, thread_name_prefix="mtorscore-score")


class Tiling(NamedTuple):
    """What the size of tiles depends on beside the matrix.

    Attributes
    ----------
    width
        Numbers per row that a function works on beside the tile; many mean smaller tiles, which stay in cache.
    tables
        Whether the function reads tables of the whole cohort, which it does less often for larger tiles.
    steady
        Whether the tiles are the same for any number of threads, as they must be where results are added up.
    """

    width: int = 0
    tables: bool = False
    steady: bool = False


BY_SIZE = Tiling()


@dataclass
class Source:
    """A matrix of observations x genes that is read in row blocks, as often as a method needs.

    Attributes
    ----------
    matrix
        Anything that `open_source` accepts.
    n_obs, n_vars
        Shape after `rows` is applied.
    rows
        Chosen rows, ascending, or None for all.
    block
        Rows per tile, or None to choose by size; no result depends on it.
    columns
        Chosen columns in the order wanted, or None for all.
    offset
        Number of the first row, where this is a part of a larger matrix.
    threads
        Tiles that `reduce` works on at the same time; None takes all cores.
    """

    matrix: Any
    n_obs: int
    n_vars: int
    rows: npt.NDArray[np.int64] | None = None
    block: int | None = None
    columns: npt.NDArray[np.int64] | None = None
    offset: int = 0
    threads: int | None = 1
    remote: ClassVar[bool] = False

    def all_missing(self) -> bool:
        """Whether every value is NaN; the first row tells for most matrices."""
        if self.remote or not self.n_obs or not self.n_vars:
            return False

        def missing(tile: Tile) -> bool:
            return tile.count_special()[0] == tile.n_obs * tile.n_vars

        return missing(self.tile(0, 1)) and all(map(missing, self.tiles()))

    def tiles(self) -> Iterator[Tile]:
        """Yield tiles in row order; infinite values are refused."""
        step = self.rows_per_tile()
        for start in range(0, self.n_obs, step):
            yield self.tile(start, min(start + step, self.n_obs))

    def each(self, function: Callable[[Tile], T], threads: int | None = 1, tiling: Tiling = BY_SIZE) -> Iterator[T]:
        """Apply a function to every tile and yield the results in row order.

        Parameters
        ----------
        function
            What is wanted of a tile; it may run in another process, so it should return little.
        threads
            Tiles worked on at the same time; None takes all cores.
        tiling
            What the size of the tiles depends on.
        """
        keep_freed_memory()
        step = self.rows_per_tile() * (2 if tiling.tables and self.block is None else 1)
        step = max(1, min(step, RESULT_BYTES // (8 * max(tiling.width, 1))))
        n_tiles = -(-self.n_obs // step)
        n_threads = min(n_tiles, threads or os.cpu_count() or 1)
        shared_by = 1 if tiling.steady else n_threads
        if self.block is None:
            # Tiles of one size, several and equally many for each thread, so that none waits long for the last.
            n_tiles = max(n_tiles, min(SHARE * shared_by, -(-self.n_obs // FEWEST_ROWS))) if shared_by > 1 else n_tiles
            step = -(-self.n_obs // (-(-n_tiles // shared_by) * shared_by))
            step = -(-step // ROWS_TOGETHER) * ROWS_TOGETHER if step > 2 * ROWS_TOGETHER else step
        bounds = [(a, min(a + step, self.n_obs)) for a in range(0, self.n_obs, step)]

        def work(start: int, stop: int) -> T:
            return function(self.tile(start, stop))

        if n_threads <= 1:
            yield from (work(*ab) for ab in bounds)
            return
        waiting: deque[Future[T]] = deque()
        with one_blas_thread():
            for ab in bounds:
                waiting.append(_threads(n_threads).submit(work, *ab))
                if len(waiting) > AHEAD * n_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def reduce(self, function: Callable[[Tile], T], combine: Callable[[T, T], T]) -> T:
        """Apply a function to every tile and put the results together from left to right."""
        return functools.reduce(combine, self.each(function, self.threads, Tiling(steady=True)))

    def rows_per_tile(self) -> int:
        """Return how many rows are worked on at once."""
        if self.block is not None:
            return self.block
        thin = getattr(self.matrix, "format", None) in ("csr", "csc")
        return int(max(1, min(512 if thin else 256, TILE_BYTES // max((2 if thin else 8) * self.n_vars, 1))))

    def tile(self, start: int, stop: int) -> Tile:
        """Return rows ``start:stop`` as float64."""
        index: Any = slice(start, stop) if self.rows is None else self.rows[start:stop]
        part = self._rows_as_views(start, stop)
        if part is not None:
            return self._checked(part, start, stop)
        part = _take(self.matrix, index)
        if hasattr(part, "tocsr") and self.columns is not None:
            # Before scipy looks for columns by numbers that may be wrong.
            part = canonical(part)
        first = self.offset + start
        tile = to_tile(part if self.columns is None else part[:, self.columns], first, self.n_vars)
        return self._checked(tile, start, stop)

    def _rows_as_views(self, start: int, stop: int) -> Tile | None:
        """Return rows of a CSR matrix in memory without copying them, or None where that cannot be done."""
        m = self.matrix
        if getattr(m, "format", None) != "csr" or not hasattr(m, "indptr") or not isinstance(m.data, np.ndarray):
            return None
        if self.rows is not None or self.columns is not None:
            return None
        first, last = int(m.indptr[start]), int(m.indptr[stop])
        return Tile(
            self.offset + start,
            self.n_vars,
            data=_floats(m.data[first:last]),
            indices=np.ascontiguousarray(m.indices[first:last], dtype=np.int32),
            indptr=m.indptr[start : stop + 1].astype(np.int64) - first,
        )

    def _checked(self, tile: Tile, start: int, stop: int) -> Tile:
        if tile.all_finite():
            return tile
        _, n_inf, _ = tile.count_special()
        if n_inf:
            first = self.offset + start
            raise DataError(
                f"The matrix holds {n_inf} infinite value(s) among observations {first} to {self.offset + stop - 1}; "
                "they usually come from the logarithm of 0. Use log(x + 1), or set them to NaN."
            )
        return tile


def to_tile(part: Any, start: int, n_vars: int) -> Tile:
    """Turn rows of any supported container into a float64 tile."""
    from scipy import sparse

    if sparse.issparse(part):
        rows = canonical(part)
        return Tile(
            start,
            n_vars,
            data=_floats(rows.data),
            indices=np.ascontiguousarray(rows.indices, dtype=np.int32),
            indptr=np.ascontiguousarray(rows.indptr, dtype=np.int64),
        )
    return Tile(start, n_vars, x=np.ascontiguousarray(part, dtype=np.float64))


def _floats(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return stored values as they are if they are float32, else as float64; kernels add them up as float64."""
    return np.ascontiguousarray(values, dtype=np.float32 if values.dtype == np.float32 else np.float64)


def _take(matrix: Any, index: Any) -> Any:
    if isinstance(matrix, np.ndarray) or hasattr(matrix, "tocsr"):
        return matrix[index]
    if hasattr(matrix, "compute"):
        return matrix[index].compute()
    with sound(path_of(matrix)):
        return matrix[index]


def path_of(matrix: Any) -> str:
    """Return the file that a matrix on disk is in, or what it is."""
    group = getattr(matrix, "group", matrix)
    file = getattr(group, "file", None)
    return str(getattr(file, "filename", None) or getattr(group, "name", None) or type(matrix).__name__)

"""Row blocks of a matrix, with ranks and sums that methods share computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtorscore.tl.engine.gene_sets import Array, Ints, Sets, T

if TYPE_CHECKING:
    from mtorscore.tl.kernels.ranks import Ranking

__all__ = ["Ranks", "Tile"]


@dataclass(frozen=True)
class Ranks:
    """Ranks of chosen genes within rows, in the only form that every rank method can be computed from.

    Attributes
    ----------
    less, equal
        ``(n_obs, n_genes)`` values of the row that are smaller, and the size of the gene's tie block (itself
        included). Where the gene is NaN, `less` is -1 and `equal` 0.
    n_valid, n_nan
        ``(n_obs,)`` values of the row that are, and are not, numbers.
    """

    less: npt.NDArray[np.int32]
    equal: npt.NDArray[np.int32]
    n_valid: Ints
    n_nan: Ints

    def ascending(self, ties: str = "average") -> Array:
        """Return ranks from 1 (smallest value) as floats; NaN where the gene is NaN."""
        ranks = _rank(self.less, self.equal, ties)
        if self.n_nan.any():
            ranks[self.less < 0] = np.nan
        return ranks


@dataclass(frozen=True)
class Entries:
    """Ranks of the chosen genes that are not 0; all others of a row share the zeros' block.

    Attributes
    ----------
    ranking
        Per row the entries: gene, smaller values of the row, size of the tie block.
    n_slots
        Chosen genes.
    """

    ranking: Ranking
    n_slots: int

    @property
    def n_obs(self) -> int:
        """Rows."""
        return int(self.ranking.pointer.size - 1)

    @property
    def n_nan(self) -> Ints:
        """NaN per row."""
        return self.ranking.rows[:, 0]

    @property
    def n_valid(self) -> Ints:
        """Numbers per row."""
        return self.ranking.n_vars - self.ranking.rows[:, 0]

    @cached_property
    def full(self) -> bool:
        """Whether most genes have an entry and none is NaN."""
        return 2 * self.ranking.slots.size > self.n_obs * self.n_slots and not self.n_nan.any()

    def once(self, key: tuple[Any, ...], make: Callable[[], T]) -> T:
        """Return what is made of the ranks alone; it is made for the first who asks and cached."""
        kept: dict[tuple[Any, ...], T] = self.__dict__.setdefault("_once", {})
        if key not in kept:
            kept[key] = make()
        return kept[key]

    @cached_property
    def owner(self) -> Ints:
        """The row of each entry."""
        return np.repeat(np.arange(self.n_obs), np.diff(self.ranking.pointer))

    def ascending(self, ties: str = "average") -> tuple[Array, Array]:
        """Return ranks from 1 (smallest value) of the entries, NaN for NaN, and of the zeros of each row."""
        r = self.ranking
        zero = _rank(r.rows[:, 1], r.rows[:, 2], ties)
        ranks = _rank(r.less, r.equal, ties)
        if self.n_nan.any():
            ranks[r.less < 0] = np.nan
        return ranks, zero


def _rank(less: npt.NDArray[Any], equal: npt.NDArray[Any], ties: str) -> Array:
    """Return the rank of a tie block."""
    if ties == "average":
        return less + (equal + 1) * 0.5
    return less + 1.0 if ties == "min" else less.astype(np.float64) + equal


@dataclass(frozen=True)
class Observed:
    """Values of chosen genes with NaN set to 0, and which of them are numbers."""

    values: Array
    known: Array

    def sums(self, sets: Sets) -> tuple[Array, Array]:
        """Return per row and set the weighted sum, and the sum of absolute weights, of the genes that are numbers."""
        from mtorscore.tl.kernels.segment_sums import segment_sum

        total, _ = segment_sum(self.values, sets.indptr, sets.slots, sets.weights, False)
        weight, _ = segment_sum(self.known, sets.indptr, sets.slots, np.abs(sets.weights), False)
        return total, weight


@dataclass
class Tile:
    """Some rows of a matrix as float64: either `dense`, or CSR `data`, `indices`, `indptr`.

    Attributes
    ----------
    start
        Number of the first row in the whole matrix.
    n_vars
        Columns.
    target
        ``(n_obs, n_sets)`` array of the final scores; a method that writes to it saves a copy.
    """

    start: int
    n_vars: int
    x: Array | None = None
    data: Array | None = None
    indices: npt.NDArray[np.int32] | None = None
    indptr: Ints | None = None
    target: Array | None = None
    _cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def n_obs(self) -> int:
        """Rows."""
        if self.x is not None:
            return int(self.x.shape[0])
        return int(self.csr()[2].size - 1)

    def room(self, n_sets: int) -> Array:
        """Return an uninitialised array for scores."""
        return np.empty((self.n_obs, n_sets)) if self.target is None else self.target

    def csr(self) -> tuple[Array, npt.NDArray[np.int32], Ints]:
        """Return the CSR arrays; an error for a dense tile."""
        if self.data is None or self.indices is None or self.indptr is None:
            raise TypeError("This tile is dense.")
        return self.data, self.indices, self.indptr

    def slot_of(self, genes: Ints) -> npt.NDArray[np.int32]:
        """Return per column its place in `genes`, -1 elsewhere."""
        key = ("slots", id(genes))
        if key not in self._cache:
            table = np.full(self.n_vars, -1, dtype=np.int32)
            table[genes] = np.arange(genes.size, dtype=np.int32)
            self._cache[key] = table
        found: npt.NDArray[np.int32] = self._cache[key]
        return found

    def ranks(self, genes: Ints) -> Ranks:
        """Rank each row and return the ranks of `genes`; computed once per tile and gene list."""
        key = ("ranks", id(genes))
        if key not in self._cache:
            from mtorscore.tl.kernels.ranks import dense_ranks

            e = self.entries(genes)
            less, equal = dense_ranks(e.ranking, e.n_slots)
            self._cache[key] = Ranks(less, equal, e.n_valid, e.n_nan)
        found: Ranks = self._cache[key]
        return found

    def entries(self, genes: Ints) -> Entries:
        """Rank each row and return the ranks of `genes` that are not 0; computed once per tile and gene list."""
        key = ("entries", id(genes))
        if key not in self._cache:
            from mtorscore.tl.kernels import ranks as kernel

            if self.x is not None:
                found = kernel.rank_dense(self.x, self.slot_of(genes), genes.size)
            else:
                found = kernel.rank_csr(*self.csr(), self.n_vars, self.slot_of(genes), genes.size)
            self._cache[key] = Entries(found, genes.size)
        entries: Entries = self._cache[key]
        return entries

    def once(self, name: str, of: tuple[Any, ...], make: Callable[[], T]) -> T:
        """Return what is made of this tile and of certain objects; what was made last is cached."""
        kept = self._cache.get(name)
        if kept is None or len(kept[0]) != len(of) or any(a is not b for a, b in zip(kept[0], of, strict=True)):
            kept = (of, make())
            self._cache[name] = kept
        found: T = kept[1]
        return found

    def every_gene(self) -> Ints:
        """Return all columns, as one array that ranks can be cached under."""
        if "genes" not in self._cache:
            self._cache["genes"] = np.arange(self.n_vars, dtype=np.int64)
        found: Ints = self._cache["genes"]
        return found

    def columns(self, genes: Ints) -> Array:
        """Return the values of `genes` as a dense ``(n_obs, n_genes)``."""
        if self.x is not None:
            return self.x if np.array_equal(genes, self.every_gene()) else np.take(self.x, genes, axis=1)
        from mtorscore.tl.kernels import row_reductions

        out: Array = row_reductions.columns_csr(*self.csr(), self.slot_of(genes), genes.size)
        return out

    def dense(self) -> Array:
        """Return all columns of this tile, and only of this tile, as a dense array."""
        if self.x is not None:
            return self.x
        return self.columns(self.every_gene())

    def observed(self, genes: Ints) -> Observed:
        """Return the values of `genes` with NaN set to 0."""
        values = self.columns(genes)
        missing = np.isnan(values)
        return Observed(np.where(missing, 0.0, values), np.where(missing, 0.0, 1.0))

    def has_nan(self) -> bool:
        """Whether any value is NaN."""
        return not self.all_finite()

    def moments(self) -> Array:
        """Return per row: valid values, their mean, and the sum of squared deviations."""
        if "moments" not in self._cache:
            from mtorscore.tl.kernels import row_reductions

            if self.x is not None:
                self._cache["moments"] = row_reductions.row_moments_dense(self.x)
            else:
                data, _, indptr = self.csr()
                self._cache["moments"] = row_reductions.row_moments_csr(data, indptr, self.n_vars)
        found: Array = self._cache["moments"]
        return found

    def gene_sums(self, genes: Ints) -> Array:
        """Return per gene, as rows: sum, non-zero numbers, NaN, smallest and largest non-zero number."""
        if self.x is None:
            from mtorscore.tl.kernels import row_reductions

            data, indices, _ = self.csr()
            found: Array = row_reductions.gene_sums_csr(data, indices, self.slot_of(genes), genes.size)
            return found
        values = self.x[:, genes]
        missing = np.isnan(values)
        other = (values != 0) & ~missing
        return np.array(
            [
                np.where(missing, 0.0, values).sum(axis=0),
                other.sum(axis=0),
                missing.sum(axis=0),
                np.where(other, values, np.inf).min(axis=0),
                np.where(other, values, -np.inf).max(axis=0),
            ]
        )

    def gene_squares(self, genes: Ints, mean: Array) -> Array:
        """Return per gene the sum of squared deviations of its non-zero numbers from `mean`."""
        if self.x is None:
            from mtorscore.tl.kernels import row_reductions

            data, indices, _ = self.csr()
            found: Array = row_reductions.gene_squares_csr(data, indices, self.slot_of(genes), mean)
            return found
        values = self.x[:, genes]
        counted = (values != 0) & ~np.isnan(values)
        with np.errstate(over="ignore"):  # callers check for overflow
            squares: Array = np.where(counted, (values - mean) ** 2, 0.0).sum(axis=0)
        return squares

    def bin_sums(self, bin_of: Ints, n_bins: int) -> Array:
        """Return per row the sum of the values of each bin of columns; columns of bin -1 are left out."""
        from mtorscore.tl.kernels import row_reductions

        if self.x is not None:
            out: Array = row_reductions.bin_sums_dense(self.x, bin_of, n_bins)
        else:
            out = row_reductions.bin_sums_csr(*self.csr(), bin_of, n_bins)
        return out

    def column_sums(self) -> tuple[Array, Array]:
        """Return per column the sum of its values and how many are numbers."""
        from mtorscore.tl.kernels import row_reductions

        if self.x is not None:
            known = ~np.isnan(self.x)
            return np.where(known, self.x, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64)
        data, indices, _ = self.csr()
        sums: Array
        missing: Array
        sums, missing = row_reductions.column_sums_csr(data, indices, self.n_vars)
        return sums, self.n_obs - missing

    def dot(self, sets: Sets, weights: Array | None = None) -> Array:
        """Return per row and set the sum of value times weight; NaN where a gene with a weight is NaN.

        Parameters
        ----------
        sets
            The sets.
        weights
            Instead of the sets' own weights, beside `sets.slots`.
        """
        from mtorscore.tl.kernels import row_reductions

        pointer, owners, order = sets.by_column
        chosen = (sets.weights if weights is None else weights)[order]
        if self.x is not None:
            out: Array = row_reductions.dot_dense(self.x, pointer, owners, chosen, len(sets))
        else:
            out = row_reductions.dot_csr(*self.csr(), pointer, owners, chosen, len(sets))
        return out

    def all_finite(self) -> bool:
        """Whether no stored value is NaN or infinite."""
        low, high = self._limits()
        return -np.inf < low and high < np.inf

    def _limits(self) -> tuple[float, float]:
        """Return the smallest and largest stored value; NaN if any value is NaN."""
        if "limits" not in self._cache:
            values = self.csr()[0] if self.x is None else self.x
            limits = (float(values.min()), float(values.max())) if values.size else (1.0, 1.0)
            self._cache["limits"] = limits
        found: tuple[float, float] = self._cache["limits"]
        return found

    def count_special(self) -> tuple[int, int, int]:
        """Return how many stored values are NaN, infinite and negative."""
        from mtorscore.tl.kernels import row_reductions

        values = self.csr()[0] if self.x is None else self.x.ravel()
        found: tuple[int, int, int] = row_reductions.count_special(values)
        return found

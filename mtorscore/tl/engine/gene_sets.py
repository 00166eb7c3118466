"""Gene sets resolved against the columns of a matrix: signs, weights, positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from mtorscore.collection import Resolved

__all__ = ["ROUNDING", "Array", "DrawnSets", "Ints", "Parts", "Sets", "State", "T"]


T = TypeVar("T")
Array: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
State: TypeAlias = Mapping[str, npt.NDArray[Any]]
# Differences that are smaller than this, relative to what they are made from, are rounding.
ROUNDING = 1e-10


class Parts(NamedTuple):
    """The directions of sets that hold a gene, up parts first.

    Attributes
    ----------
    sizes
        ``(n_parts,)`` genes per part.
    up_of, down_of
        ``(n_sets,)`` the parts of each set, -1 where it has none.
    """

    sizes: Ints
    up_of: Ints
    down_of: Ints

    def pick(self, up: npt.NDArray[Any], down: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return numbers per part from numbers per set and direction, sets in the last dimension."""
        return np.concatenate([up[..., self.up_of >= 0], down[..., self.down_of >= 0]], axis=-1)


@dataclass(frozen=True)
class Sets:
    """Signed, weighted gene sets over the union of their genes.

    Attributes
    ----------
    names
        Ids, length ``n``.
    indptr
        ``(n + 1,)``; set ``i`` owns ``slots[indptr[i]:indptr[i + 1]]``.
    slots
        Positions in `genes`, ascending within a set.
    weights
        Signed weights beside `slots`.
    genes
        Ascending columns of the matrix that any set uses.
    missing_up, missing_down
        Genes per direction that the matrix lacks.
    n_vars
        Columns of the matrix.
    drawn
        Whether these are many random sets, up genes first in each: sums may then be taken set by set, and in fixed
        point, to a 2**31st of the largest number.
    """

    names: tuple[str, ...]
    indptr: Ints
    slots: Ints
    weights: Array
    genes: Ints
    missing_up: Ints
    missing_down: Ints
    n_vars: int
    drawn: bool = False

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def sizes(self) -> Ints:
        """Genes present per set."""
        return np.diff(self.indptr)

    @cached_property
    def owner(self) -> Ints:
        """The set that each entry of `slots` belongs to."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @cached_property
    def by_column(self) -> tuple[Ints, npt.NDArray[np.int32], Ints]:
        """Sets by matrix column: pointer ``(n_vars + 1,)``, set numbers, and the entry of `slots` that each is."""
        from scipy.sparse import csr_array

        columns, n = self.columns(), self.slots.size
        # Turning rows into columns is a sort by column in one pass, which keeps the order of the sets.
        turned = csr_array((np.arange(n), columns, np.array([0, n])), shape=(1, self.n_vars)).tocsc()
        order = turned.data.astype(np.int64)
        pointer = np.zeros(self.n_vars + 1, dtype=np.int64)
        np.cumsum(np.bincount(columns, minlength=self.n_vars), out=pointer[1:])
        return pointer, self.owner[order].astype(np.int32), order

    @cached_property
    def parts(self) -> Parts:
        """The up and the down parts that hold a gene."""
        sizes = np.bincount(self._direction_of, minlength=2 * len(self)).astype(np.int64)
        of = np.where(sizes > 0, np.cumsum(sizes > 0) - 1, -1)
        return Parts(sizes[sizes > 0], of[: len(self)], of[len(self) :])

    @cached_property
    def parts_of_genes(self) -> tuple[Ints, npt.NDArray[np.int32]]:
        """Parts by gene: gene g of `genes` belongs to parts ``part[pointer[g]:pointer[g + 1]]``."""
        from scipy.sparse import csr_array

        part = np.concatenate([self.parts.up_of, self.parts.down_of])[self._direction_of].astype(np.int32)
        # Turning rows into columns is a sort by gene, in one pass.
        turned = csr_array((part, self.slots, self.indptr), shape=(len(self), self.genes.size)).tocsc()
        return turned.indptr.astype(np.int64), turned.data

    @cached_property
    def segments(self) -> tuple[Ints, Ints, npt.NDArray[np.int32]]:
        """Where each part of `parts` begins and ends in `slots`, and these; for sets that hold up genes first."""
        n_up = np.bincount(self.owner[self.weights > 0], minlength=len(self))
        middle = self.indptr[:-1] + n_up
        starts = self.parts.pick(self.indptr[:-1], middle)
        stops = self.parts.pick(middle, self.indptr[1:])
        return starts.astype(np.int64), stops.astype(np.int64), self.slots.astype(np.int32)

    @cached_property
    def _direction_of(self) -> Ints:
        """The set of each entry of `slots`, counted on for down genes."""
        return np.where(self.weights > 0, self.owner, self.owner + len(self))

    def once(self, work: Callable[[Sets], T]) -> T:
        """Return what a method computes from the sets alone; it is computed for the first tile and cached."""
        kept: dict[Any, T] = self.__dict__.setdefault("_once", {})
        if work not in kept:
            kept[work] = work(self)
        return kept[work]

    def direction(self, sign: int) -> Sets:
        """Return the up (+1) or down (-1) parts, with weights made positive and the same `genes`."""
        return self.up if sign > 0 else self.down

    @cached_property
    def up(self) -> Sets:
        """The up parts."""
        return self._direction(1)

    @cached_property
    def down(self) -> Sets:
        """The down parts, with weights made positive."""
        return self._direction(-1)

    def _direction(self, sign: int) -> Sets:
        part = self._keep(self.weights * sign > 0)
        return replace(
            part,
            weights=np.abs(part.weights),
            missing_up=self.missing_up if sign > 0 else self.missing_down,
            missing_down=np.zeros_like(self.missing_down),
        )

    def keep_genes(self, mask: npt.NDArray[np.bool_]) -> Sets:
        """Return the sets without the genes (entries of `genes`) that `mask` turns off; `genes` stays as it is."""
        return self._keep(mask[self.slots])

    def _keep(self, entries: npt.NDArray[np.bool_]) -> Sets:
        counts = np.bincount(self.owner[entries], minlength=len(self))
        return replace(
            self,
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            slots=self.slots[entries],
            weights=self.weights[entries],
        )

    def restrict(self, mask: npt.NDArray[np.bool_]) -> Sets:
        """Return the sets without the genes (entries of `genes`) that `mask` turns off, and `genes` without them."""
        kept = self.keep_genes(mask)
        place = np.cumsum(mask) - 1
        return replace(kept, genes=self.genes[mask], slots=place[kept.slots].astype(np.int64))

    def without(self, which: list[int]) -> Sets:
        """Return the sets with some of them emptied."""
        return self._keep(~np.isin(self.owner, which))

    def as_used(self, *, signed: bool, weighted: bool) -> Sets:
        """Return the sets without the signs or weights that a method cannot use."""
        weights = self.weights if signed else np.abs(self.weights)
        return replace(self, weights=weights if weighted else np.sign(weights))

    def columns(self) -> Ints:
        """Return the matrix column of each entry of `slots`."""
        return self.genes[self.slots]

    @classmethod
    def of(cls, resolved: Resolved) -> Sets:
        """Return the sets of a resolved collection, over the union of their genes."""
        present = np.zeros(resolved.n_vars, dtype=np.bool_)
        present[resolved.indices] = True
        slots = (np.cumsum(present) - 1)[resolved.indices]
        owner = np.repeat(np.arange(len(resolved)), np.diff(resolved.indptr))
        matched_up = np.bincount(owner[resolved.weights > 0], minlength=len(resolved))
        matched_down = np.bincount(owner[resolved.weights < 0], minlength=len(resolved))
        return cls(
            names=resolved.names,
            indptr=resolved.indptr,
            slots=slots.astype(np.int64),
            weights=resolved.weights,
            genes=np.flatnonzero(present).astype(np.int64),
            missing_up=resolved.n_up - matched_up,
            missing_down=resolved.n_down - matched_down,
            n_vars=resolved.n_vars,
        )

    @classmethod
    def from_lists(cls, columns: list[Ints], weights: list[Array], n_vars: int) -> Sets:
        """Build sets from matrix columns and signed weights per set; names are their positions."""
        sizes = [c.size for c in columns]
        everything = np.concatenate(columns) if columns else np.zeros(0, dtype=np.int64)
        genes, slots = np.unique(everything, return_inverse=True)
        none = np.zeros(len(columns), dtype=np.int64)
        return cls(
            names=tuple(str(i) for i in range(len(columns))),
            indptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            slots=slots.astype(np.int64),
            weights=np.concatenate(weights).astype(np.float64) if weights else np.zeros(0),
            genes=genes.astype(np.int64),
            missing_up=none,
            missing_down=none,
            n_vars=n_vars,
        )


@dataclass(frozen=True)
class DrawnSets(Sets):
    """Random sets of one template: equal sizes, and the same weights in all, up genes first."""

    @cached_property
    def sizes(self) -> Ints:
        """Genes present per set."""
        return np.full(len(self), self.slots.size // max(1, len(self)), dtype=np.int64)

    @cached_property
    def _n_up(self) -> int:
        return int((self.weights[: self.indptr[1]] > 0).sum())

    @cached_property
    def parts(self) -> Parts:
        """The up and the down parts that hold a gene."""
        n, n_up = len(self), self._n_up
        n_down = int(self.indptr[1]) - n_up
        numbers, none = np.arange(n, dtype=np.int64), np.full(n, -1, dtype=np.int64)
        sizes = np.concatenate([np.full(n, size, dtype=np.int64) for size in (n_up, n_down) if size])
        down_of = numbers + n if n_up else numbers
        return Parts(sizes, numbers if n_up else none, down_of if n_down else none)

    @cached_property
    def segments(self) -> tuple[Ints, Ints, npt.NDArray[np.int32]]:
        """Where each part of `parts` begins and ends in `slots`, and these."""
        begin, end = self.indptr[:-1], self.indptr[1:]
        middle = begin + self._n_up
        pick = self.parts.pick
        return pick(begin, middle), pick(middle, end), self.slots.astype(np.int32)

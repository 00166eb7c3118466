"""Plain records that methods and engine hand each other; nothing here computes a score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from mtorscore.tl.engine.tiles import Tile

__all__ = ["NO_ORIGIN", "Array", "Ints", "MethodSpec", "Param", "Parts", "Scored", "Sets", "State", "TileSource"]

T = TypeVar("T")
Array: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
State: TypeAlias = Mapping[str, npt.NDArray[Any]]
# The citation of a method that everybody has used and nobody proposed.
NO_ORIGIN = "no single origin"


class TileSource(Protocol):
    """A matrix that can be walked in row blocks as often as a method needs."""

    n_obs: int
    n_vars: int

    def tiles(self) -> Iterator[Tile]:
        """Yield the rows in order, as tiles."""
        ...

    def reduce(self, function: Callable[[Tile], T], combine: Callable[[T, T], T]) -> T:
        """Apply a function to every tile, wherever it is, and put the results together in row order."""
        ...


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
    """

    names: tuple[str, ...]
    indptr: Ints
    slots: Ints
    weights: Array
    genes: Ints
    missing_up: Ints
    missing_down: Ints
    n_vars: int

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
        columns = self.columns()
        order = np.lexsort((self.owner, columns)).astype(np.int64)
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
    def genes_of_parts(self) -> tuple[Ints, npt.NDArray[Any]]:
        """Genes by part, ascending: part p holds ``slots[pointer[p]:pointer[p + 1]]``, in few bytes."""
        pointer = np.concatenate([[0], np.cumsum(self.parts.sizes)]).astype(np.int64)
        narrow = self.slots.astype(np.uint16 if self.genes.size < 1 << 16 else np.int32)
        return pointer, narrow[np.argsort(self._direction_of, kind="stable")] if (self.weights < 0).any() else narrow

    @cached_property
    def _direction_of(self) -> Ints:
        """The set of each entry of `slots`, counted on for down genes."""
        return np.where(self.weights > 0, self.owner, self.owner + len(self))

    def once(self, work: Callable[[Sets], T]) -> T:
        """Return what a method works out from the sets alone; it is worked out for the first tile and kept."""
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
        keep = self.weights * sign > 0
        counts = np.bincount(self.owner[keep], minlength=len(self))
        return replace(
            self,
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            slots=self.slots[keep],
            weights=np.abs(self.weights[keep]),
            missing_up=self.missing_up if sign > 0 else self.missing_down,
            missing_down=np.zeros_like(self.missing_down),
        )

    def keep_genes(self, mask: npt.NDArray[np.bool_]) -> Sets:
        """Return the sets without the genes (entries of `genes`) that `mask` turns off; `genes` stays as it is."""
        keep = mask[self.slots]
        counts = np.bincount(self.owner[keep], minlength=len(self))
        return replace(
            self,
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            slots=self.slots[keep],
            weights=self.weights[keep],
        )

    def restrict(self, mask: npt.NDArray[np.bool_]) -> Sets:
        """Return the sets without the genes (entries of `genes`) that `mask` turns off, and `genes` without them."""
        kept = self.keep_genes(mask)
        place = np.cumsum(mask) - 1
        return replace(kept, genes=self.genes[mask], slots=place[kept.slots].astype(np.int64))

    def columns(self) -> Ints:
        """Return the matrix column of each entry of `slots`."""
        return self.genes[self.slots]

    def dense(self) -> Array:
        """Return signed weights as ``(n_genes_in_union, n_sets)``."""
        out = np.zeros((self.genes.size, len(self)))
        out[self.slots, self.owner] = self.weights
        return out

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


@dataclass
class Scored:
    """What a method returns for a tile: scores, and what was asked for beside them, each ``(n_obs, n_sets)``."""

    scores: Array
    pvalues: Array | None = None
    extras: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Param:
    """One parameter of a method.

    Attributes
    ----------
    name, default, doc
        As users see them.
    choices
        Values allowed, where they are few.
    kind
        ``"float"``, ``"int"``, ``"bool"``, ``"choice"``, ``"genes"`` (gene symbols or None) or ``"number"`` (int: a
        count, float: a share).
    low, high
        Bounds of a number, inclusive unless `open_low`.
    optional
        Whether None is allowed.
    """

    name: str
    default: Any
    doc: str
    kind: str = "choice"
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    optional: bool = False


ScoreFunction: TypeAlias = "Callable[[Tile, Sets, Mapping[str, Any], State, bool], Scored]"


class StateSizes(NamedTuple):
    """What the arrays of a saved state must fit to: genes of the matrix, distinct genes of the sets, their places."""

    n_vars: int
    n_genes: int
    n_slots: int


def is_vector(value: npt.NDArray[Any] | None, size: int, kind: type) -> bool:
    """Whether an array is one row of `size` numbers of a kind such as ``numpy.floating``."""
    return value is not None and value.shape == (size,) and bool(np.issubdtype(value.dtype, kind))


SoundFunction: TypeAlias = "Callable[[State, StateSizes, Mapping[str, Any]], bool]"
FitFunction: TypeAlias = "Callable[[TileSource, Sets, Mapping[str, Any]], dict[str, npt.NDArray[Any]]]"


@dataclass(frozen=True)
class MethodSpec:
    """What the engine needs to know of a method, as data.

    Attributes
    ----------
    name, title
        Identifier and name for people.
    score
        ``(tile, sets, params, state, pvalues) -> Scored``: a pure function of one tile.
    fit
        ``(source, sets, params) -> state``: what a cohort-dependent method learns; None for single-sample methods.
    cohort_dependent
        Whether the score of an observation changes when other observations change.
    cohort_options
        Parameters that make an otherwise single-sample method cohort-dependent when they are true.
    signed, weighted
        Whether down genes and weights are used.
    uses_ranks
        Whether the score depends on a row only through its ranks (one ranking pass is shared by such methods).
    input_scale
        The scale that the reference implementation is meant for.
    sparse_exact
        Whether zeros of a sparse matrix are handled without storing them.
    null
        Where p-values come from: a closed form, or random signatures matched in size and expression.
    null_closed
        Whether `score` returns p-values itself.
    range
        The range of the scores.
    reference, citation, formula
        The implementation whose numbers are reproduced, the paper, and the formula in words and symbols.
    params
        The parameters.
    whole_rows
        Whether the method needs every gene of a row, not only those of the signatures.
    state_per_set, state_per_gene
        Whether what `fit` learns belongs to the sets, or to the genes of the sets, so that other sets need a new one.
    holds_cohort
        Whether `fit` holds the cohort in memory, so that it cannot learn from files and clusters block by block.
    sound
        ``(state, sizes, params) -> bool``: whether a state read from a file has the shapes and indices that compiled
        code relies on without looking.
    """

    name: str
    title: str
    score: ScoreFunction
    cohort_dependent: bool
    signed: bool
    weighted: bool
    input_scale: str
    sparse_exact: bool
    null: str
    range: str
    reference: str
    citation: str
    formula: str
    params: tuple[Param, ...] = ()
    fit: FitFunction | None = None
    cohort_options: tuple[str, ...] = ()
    uses_ranks: bool = False
    null_closed: bool = True
    whole_rows: bool = False
    state_per_set: bool = False
    state_per_gene: bool = False
    holds_cohort: bool = False
    sound: SoundFunction | None = None

    def defaults(self) -> dict[str, Any]:
        """Return the parameters with their defaults."""
        return {p.name: p.default for p in self.params}

    def learns(self, params: Mapping[str, Any]) -> bool:
        """Return whether scoring with these parameters depends on a cohort."""
        return self.cohort_dependent or any(bool(params.get(name)) for name in self.cohort_options)

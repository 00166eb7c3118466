"""Records that scoring methods and the engine exchange; nothing here computes a score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from mtorscore.tl.engine.gene_sets import Array, Sets, State, T

if TYPE_CHECKING:
    from mtorscore.tl.engine.tiles import Tile

__all__ = ["NO_ORIGIN", "GeneContributions", "MethodSpec", "Param", "Scored", "TileSource"]

# The citation of a method without one original publication.
NO_ORIGIN = "no single origin"


class TileSource(Protocol):
    """A matrix that can be read in row blocks as often as a method needs."""

    n_obs: int
    n_vars: int

    def tiles(self) -> Iterator[Tile]:
        """Yield the rows in order, as tiles."""
        ...

    def reduce(self, function: Callable[[Tile], T], combine: Callable[[T, T], T]) -> T:
        """Apply a function to every tile and put the results together in row order."""
        ...


@dataclass
class Scored:
    """What a method returns for a tile: scores, and p-values and extras on request, each ``(n_obs, n_sets)``."""

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


class GeneContributions(NamedTuple):
    """What each gene of one set adds to its score, for a method that is a sum over genes.

    Attributes
    ----------
    values
        ``(n_obs, n_members)`` in the order of the set's entries of `slots`.
    baseline
        ``(n_obs,)`` what the score is without them: values + baseline add up.
    total
        What they add up to: ``"score"``, ``"score before clipping"`` or ``"slope"``.
    """

    values: Array
    baseline: Array
    total: str = "score"


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
ContributionFunction: TypeAlias = "Callable[[Tile, Sets, int, Mapping[str, Any], State], GeneContributions | None]"
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
    basis
        What a score is made from: the ``"ranks"`` of genes within an observation, their ``"values"`` (the score is in
        the same unit), their ``"deviates"`` from a cohort, or a ``"regression"`` over all genes of an observation.
    competitive
        Whether the genes of a signature are compared with all others, so that a signature of every gene has no score.
    joint
        Whether the score of a signature depends on the signatures that are scored with it.
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
    state_per_set, state_per_gene
        Whether what `fit` learns belongs to the sets, or to the genes of the sets, so that other sets need a new one.
    holds_cohort
        Whether `fit` holds the cohort in memory, so that it cannot learn from files and clusters block by block.
    keeps_tables
        Whether `score` keeps, with a tile, numbers per gene that serve all drawn sets, so that no pass over the matrix
        is saved by scoring the sets of several templates together.
    sound
        ``(state, sizes, params) -> bool``: whether a state read from a file has the shapes and indices that compiled
        code relies on without looking.
    contributions
        ``(tile, sets, i, params, state) -> GeneContributions``: how the score of set i is made up of its genes, or
        None where it is no sum over genes with these parameters. Without it no score of the method is such a sum.
    """

    name: str
    title: str
    score: ScoreFunction
    cohort_dependent: bool
    signed: bool
    weighted: bool
    basis: Literal["ranks", "values", "deviates", "regression"]
    competitive: bool
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
    joint: bool = False
    null_closed: bool = True
    state_per_set: bool = False
    state_per_gene: bool = False
    holds_cohort: bool = False
    keeps_tables: bool = False
    sound: SoundFunction | None = None
    contributions: ContributionFunction | None = None

    @property
    def uses_ranks(self) -> bool:
        """Whether the score depends on a row only through its ranks; such methods share one ranking pass."""
        return self.basis == "ranks"

    def defaults(self) -> dict[str, Any]:
        """Return the parameters with their defaults."""
        return {p.name: p.default for p in self.params}

    def learns(self, params: Mapping[str, Any]) -> bool:
        """Return whether scoring with these parameters depends on a cohort."""
        return self.cohort_dependent or any(bool(params.get(name)) for name in self.cohort_options)

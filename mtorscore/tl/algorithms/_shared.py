"""What several methods share: missing values, joining up and down parts, the null of a linear rank statistic."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mtorscore.tl.engine.gene_sets import ROUNDING, Array, Ints, Sets
from mtorscore.tl.engine.spec import Param
from mtorscore.tl.engine.tiles import Entries, Tile

__all__ = [
    "NA",
    "FixedPoint",
    "area_sums",
    "bits_for",
    "dense_sums",
    "drawn_running_sums",
    "drawn_sums",
    "fixed_point",
    "join_directions",
    "linear_null",
    "members",
    "moment_null",
    "part_sums",
    "per_direction",
    "rank_sums",
    "two_sided",
    "value_sums",
    "weighted_rows",
]


NA = Param(
    "na",
    "everything",
    "What a NaN does: `everything` makes the scores NaN of the signatures that hold the gene, in that observation; "
    "`omit` leaves the gene out in that observation.",
    choices=("everything", "omit"),
)


TIES = {"average": 0, "min": 1, "max": 2}


def part_sums(values: Array, sets: Sets, *, omit: bool, weights: Array | None = None) -> tuple[Array, Ints]:
    """Sum per-gene numbers over each set; return sums and genes counted, ``(n_obs, n_sets)`` each."""
    from mtorscore.tl.kernels.segment_sums import segment_sum

    factors = np.ones(sets.slots.size) if weights is None else weights
    sums, counts = segment_sum(values, sets.indptr, sets.slots, factors, omit)
    return sums, counts


def rank_sums(
    entries: Entries,
    sets: Sets,
    *,
    ties: str = "average",
    limit: int | None = None,
    omit: bool,
) -> tuple[Array, Ints]:
    """Add up ranks over the up and down parts of sets; see `kernels.rank_sums.rank_sums`.

    Parameters
    ----------
    entries
        Ranks of genes that are not 0.
    sets
        Signed sets over the genes of the entries.
    ties
        ``"average"``, ``"min"`` or ``"max"``, as seen from where ranks begin.
    limit
        Count ranks from the highest value, cut at this one; from the lowest where None.
    omit
        Whether NaN are left out.

    Returns
    -------
    sums, counts
        Twice the sums, whole numbers unless NaN is among them, and the genes, ``(n_obs, n_parts)`` each, in the order
        of ``sets.parts``; counts may have one row for all.
    """
    from mtorscore.tl.kernels import rank_sums as kernel

    how = (limit is not None, TIES[ties], limit or 0)
    sums: Array
    counts: Ints
    if sets.drawn and entries.full:
        return drawn_rank_sums(entries, sets, *how), sets.parts.sizes[None]
    sums, counts = kernel.rank_sums(entries.ranking, *how, *sets.parts_of_genes, sets.parts.sizes, omit)
    return sums, counts


def drawn_rank_sums(entries: Entries, sets: Sets, from_above: bool, ties: int, limit: int) -> Array:
    """Return the sums of `rank_sums` for drawn sets: the same whole numbers, faster for many sets."""
    from mtorscore.tl.kernels.drawn_sums import rank_table, segment_totals, side_by_side

    ranking = entries.ranking
    largest = 2 * (ranking.n_vars + 1)

    def table() -> npt.NDArray[Any]:
        # Half the bytes, hence half the time, where twice the rank fits.
        found = np.empty((entries.n_obs, entries.n_slots), np.uint16 if largest < 2**16 else np.int32)
        rank_table(ranking, from_above, ties, limit, found)
        side: npt.NDArray[Any] = side_by_side(found)
        return side

    side = entries.once(("twice the rank", from_above, ties, limit), table)
    total = np.int32 if largest * int(sets.sizes.max(initial=0)) < 2**31 else np.int64
    sums: Array = segment_totals(side, entries.n_obs, *sets.segments, total)
    return sums


def drawn_running_sums(entries: Entries, sets: Sets, powers: Array) -> tuple[tuple[Array, Array, Array], Ints]:
    """Return the sums of `kernels.rank_sums.running_sums` for drawn sets, ties having their mean rank."""
    from mtorscore.tl.kernels.drawn_sums import running_tables

    bits = bits_for(sets)

    def tables() -> list[FixedPoint]:
        return [fixed_point(v, bits) for v in running_tables(entries.ranking, powers, entries.n_slots)]

    kept = entries.once(("running sums", float(powers[-1]), bits), tables)
    steps, moves = (drawn_sums(t, sets) for t in kept)
    places = 0.5 * drawn_rank_sums(entries, sets, False, TIES["average"], 0)
    return (steps, moves, places), sets.parts.sizes[None]


class FixedPoint(NamedTuple):
    """Numbers per row and gene as multiples of a unit, which take fewer bytes and add up without rounding.

    Attributes
    ----------
    side
        The whole numbers, as `kernels.drawn_sums.side_by_side` returns them.
    unit
        What they are multiples of.
    n_obs
        Rows.
    """

    side: npt.NDArray[Any]
    unit: float
    n_obs: int


# A null of random sets needs no nine digits, unless a set may well be the signature itself, to which it is compared.
MANY_GENES, FEW_GENES = 4096, 3


def bits_for(sets: Sets) -> int:
    """Return in how many bits a number of a gene is kept for drawn sets: 16 where sets of many genes are all unlike."""
    alike = sets.genes.size < MANY_GENES or bool((sets.sizes < FEW_GENES).any())
    return 32 if alike else 16


def fixed_point(values: Array, bits: int) -> FixedPoint:
    """Round ``(n_obs, n_genes)`` finite numbers to multiples of a 2**15th or 2**31st of the largest."""
    from mtorscore.tl.kernels.drawn_sums import side_by_side

    unit = float(max(values.max(initial=0.0), -values.min(initial=0.0))) / (2 ** (bits - 1) - 1) or 1.0
    whole = np.rint(values / unit).astype(np.int16 if bits == 16 else np.int32)
    return FixedPoint(side_by_side(whole), unit, len(values))


def drawn_sums(table: FixedPoint, sets: Sets) -> Array:
    """Add up a table over the parts of drawn sets, ``(n_obs, n_parts)``."""
    from mtorscore.tl.kernels.drawn_sums import segment_totals

    fits = table.side.dtype == np.int16 and sets.sizes.max(initial=0) < 2**16
    sums: Array = segment_totals(table.side, table.n_obs, *sets.segments, np.int32 if fits else np.int64)
    sums *= table.unit
    return sums


def area_sums(entries: Entries, sets: Sets, *, limit: int, omit: bool) -> tuple[Array, Ints]:
    """Add up areas below the recovery curve, which ends at rank `limit`; see `rank_sums`."""
    from mtorscore.tl.kernels import rank_sums as kernel

    found: tuple[Array, Ints] = kernel.area_sums(
        entries.ranking, float(limit), *sets.parts_of_genes, sets.parts.sizes, omit
    )
    return found


def value_sums(entries: Entries, values: Array, zero: Array, sets: Sets, *, omit: bool) -> tuple[Array, Ints]:
    """Add up any numbers per entry, and `zero` for the zeros of each row, over the parts of sets; see `rank_sums`."""
    from mtorscore.tl.kernels import rank_sums as kernel

    found: tuple[Array, Ints] = kernel.value_sums(
        entries.ranking, values, zero, *sets.parts_of_genes, sets.parts.sizes, omit
    )
    return found


def dense_sums(values: Array, sets: Sets, *, omit: bool) -> tuple[Array, Ints]:
    """Add up numbers per gene, ``(n_obs, n_genes)``, over the parts of sets; see `rank_sums`."""
    up, down = (part_sums(values, part, omit=omit) for part in (sets.up, sets.down))
    return sets.parts.pick(up[0], down[0]), sets.parts.pick(up[1], down[1])


def join_directions(up: Array, down: Array, sets: Sets, *, down_sign: int = 1) -> Array:
    """Add the scores of down parts to those of up parts; a set with one direction present has that one only.

    Parameters
    ----------
    up, down
        Scores of the parts, NaN where a part is empty.
    sets
        The signed sets.
    down_sign
        -1 where a high score of the down part speaks against the signature.
    """
    has_up = sets.direction(1).sizes > 0
    has_down = sets.direction(-1).sizes > 0
    total: Array = np.where(has_up, up, 0.0) + down_sign * np.where(has_down, down, 0.0)
    total[:, ~(has_up | has_down)] = np.nan
    return total


def linear_null(population: Array, sets: Sets, coefficients: Array) -> tuple[Array, Array]:
    """Return mean and SD of ``sum(coefficient * a(gene))`` over random genes drawn without replacement.

    Parameters
    ----------
    population
        ``(n_obs, n_vars)`` the numbers a(gene) of every gene of a row, NaN where the gene has none.
    sets
        The sets; only how many genes they hold, and the coefficients of these, matter.
    coefficients
        Beside `sets.slots`, such as ``1 / size``, negative for down genes.

    Returns
    -------
    mean, sd
        ``(n_obs, n_sets)``. Ties need no further correction: they are part of the population.
    """
    n = np.sum(~np.isnan(population), axis=1)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.nansum(population, axis=1)[:, None] / n
        squares = np.nansum((population - centre) ** 2, axis=1)[:, None]
    return _null_of_sums(n, centre, squares, sets, coefficients)


def weighted_rows(tile: Tile, sets: Sets, coefficients: Array) -> Array:
    """Return ``sum(coefficient * value)`` per row and set, NaN where a gene of the set is NaN."""
    return tile.dot(sets, coefficients)


def moment_null(tile: Tile, sets: Sets, coefficients: Array) -> tuple[Array, Array]:
    """Return mean and SD of ``sum(coefficient * value)`` over genes of the row drawn without replacement."""
    moments = tile.moments()
    return _null_of_sums(moments[:, 0:1], moments[:, 1:2], moments[:, 2:3], sets, coefficients)


def _null_of_sums(n: Array, centre: Array, squares: Array, sets: Sets, coefficients: Array) -> tuple[Array, Array]:
    """Return mean and SD of the sum over random genes; SD is NaN where every draw gives the same, save for rounding."""
    total = np.bincount(sets.owner, weights=coefficients, minlength=len(sets))[None, :]
    own = np.bincount(sets.owner, weights=coefficients**2, minlength=len(sets))[None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        room = own - total**2 / n
        room = np.where(room > ROUNDING * own, room, np.nan)
        spread = np.where(squares > n * (ROUNDING * centre) ** 2, squares, np.nan) / (n - 1)
        return centre * total, np.sqrt(spread * room)


def members(tile: Tile, sets: Sets, i: int) -> tuple[slice, Array]:
    """Return where set i stands in `slots`, and the values of its genes, ``(n_obs, n_members)``."""
    part = slice(int(sets.indptr[i]), int(sets.indptr[i + 1]))
    return part, tile.columns(sets.genes)[:, sets.slots[part]]


def per_direction(known: npt.NDArray[Any], signs: Array) -> Array:
    """Return, beside each member of a set, the sum of `known` over the members of its direction, ``(n_obs, n)``."""
    counted = known.astype(np.float64)
    up = signs > 0
    sums = [counted[:, side].sum(axis=1, keepdims=True) for side in (up, ~up)]
    beside: Array = np.where(up, sums[0], sums[1])
    return beside


def two_sided(z: Array) -> Array:
    """Return two-sided p-values of standard normal deviates."""
    from scipy.special import ndtr

    p: Array = 2.0 * ndtr(-np.abs(z))
    return np.minimum(p, 1.0)

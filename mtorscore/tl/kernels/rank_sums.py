"""Sums over gene sets of a function of the rank, computed from the genes that are not 0.

All genes of a row that are 0 share one rank, so they share one number: each sum begins with that number times the size
of the part, and every entry adds what it differs by. A part is the up or the down genes of a set.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtorscore.tl.kernels.jit import jit, jit_within
from mtorscore.tl.kernels.ranks import Ranking

__all__ = ["area_sums", "rank_sums", "running_sums", "tie_terms", "value_sums"]

NONE = np.uint64(0)


@jit_within
def _area(less: int, equal: int, n_valid: int, limit: float) -> float:
    """Return the expected area of one gene below the recovery curve."""
    if equal == 0:
        return 0.0
    block = np.float64(equal)
    above = np.float64(n_valid - less) - block
    inside = min(max(limit - 1.0 - above, 0.0), block)
    return inside * (limit - above - (inside + 1.0) / 2.0) / block


@jit_within
def tie_terms(ties: int, from_above: bool) -> tuple[np.int64, np.int64]:
    """Return a and b such that twice the rank from below of a tie block is ``2 less + a equal + b``.

    Parameters
    ----------
    ties, from_above
        See `rank_sums`.
    """
    # The lowest rank from below is the highest from above.
    low = ties if ties == 0 or not from_above else 3 - ties
    return np.int64(0 if low == 1 else 1 if low == 0 else 2), np.int64(1 if low == 0 else 2 if low == 1 else 0)


def _count(
    sizes: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return a row of sizes as floats, and the genes per part, one row for all where nothing is NaN."""
    n_rows = rows.shape[0] if rows[:, 0].any() else 1
    return sizes.astype(np.float64), np.repeat(sizes[None].astype(np.int64), n_rows, axis=0)


def _longest(ranking: Ranking) -> int:
    return int(np.diff(ranking.pointer).max(initial=0))


# Arrays are made outside compiled code: numba compiles each kind of np.empty anew, a tenth of a second each.


def rank_sums(
    ranking: Ranking,
    from_above: bool,
    ties: int,
    limit: int,
    gene_ptr: npt.NDArray[np.int64],
    gene_part: npt.NDArray[np.int32],
    sizes: npt.NDArray[np.int64],
    skip_nan: bool,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Add up ranks over the parts of sets.

    Twice a rank is a whole number, and whole numbers are added in memory faster than others.

    Parameters
    ----------
    ranking
        Ranks of the genes of interest in a block of rows.
    from_above, limit
        Whether ranks count from the highest value, cut at `limit`; else from the lowest, without a limit.
    ties
        Ranks of ties: 0 their mean, 1 the lowest, 2 the highest.
    gene_ptr, gene_part
        Gene g belongs to parts ``gene_part[gene_ptr[g]:gene_ptr[g + 1]]``.
    sizes
        ``(n_parts,)`` genes per part.
    skip_nan
        Whether NaN is left out; if not, it propagates.

    Returns
    -------
    sums
        ``(n_obs, n_parts)`` twice the sums.
    counts
        Genes added up, ``(n_obs, n_parts)``, or ``(1, n_parts)`` where no value is NaN.
    """
    sums = np.empty((ranking.pointer.size - 1, sizes.size))
    size, counts = _count(sizes, ranking.rows)
    longest = _longest(ranking)
    rooms = np.empty(longest + 1, np.uint32), np.empty(longest + 1, np.int64), np.empty(sizes.size, np.int64)
    _rank_sums(ranking, from_above, ties, limit, gene_ptr, gene_part, skip_nan, size, counts, *rooms, sums)
    return sums, counts


@jit
def _rank_sums(
    ranking: Ranking,
    from_above: bool,
    ties: int,
    limit: int,
    gene_ptr: npt.NDArray[np.int64],
    gene_part: npt.NDArray[np.int32],
    skip_nan: bool,
    size: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    genes: npt.NDArray[np.uint32],
    moves: npt.NDArray[np.int64],
    twice: npt.NDArray[np.int64],
    sums: npt.NDArray[np.float64],
) -> None:
    pointer, slots, less, equal, rows, n_vars = ranking
    per_tie, more = tie_terms(ties, from_above)
    cut = np.int64(2 * limit)
    for i in range(sums.shape[0]):
        top = np.int64(2 * (n_vars - rows[i, 0] + 1))
        rank = 2 * rows[i, 1] + per_tie * rows[i, 2] + more
        base = min(top - rank, cut) if from_above else rank
        for s in range(twice.size):
            twice[s] = 0
        m = NONE
        for k in range(pointer[i], pointer[i + 1]):
            rank = 2 * np.int64(less[k]) + per_tie * np.int64(equal[k]) + more
            move = (min(top - rank, cut) if from_above else rank) - base
            genes[m] = slots[k]
            moves[m] = move
            m += np.uint64(move != 0 and less[k] >= 0)
        for k in range(m):
            g, move = genes[k], moves[k]
            for j in range(gene_ptr[g], gene_ptr[g + np.uint32(1)]):
                twice[np.uint32(gene_part[np.uint64(j)])] += move
        for s in range(twice.size):
            sums[i, s] = size[s] * base + twice[s]
        if rows[i, 0] > 0:
            for k in range(pointer[i], pointer[i + 1]):
                if less[k] < 0:
                    _drop(sums[i], counts[i], gene_ptr, gene_part, slots[k], base, skip_nan)


@jit_within
def _drop(
    sums: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    gene_ptr: npt.NDArray[np.int64],
    gene_part: npt.NDArray[np.int32],
    gene: int,
    base: float,
    skip_nan: bool,
) -> None:
    """Leave a NaN out of the sums of one row, or let it propagate."""
    for j in range(gene_ptr[gene], gene_ptr[gene + 1]):
        part = gene_part[j]
        if skip_nan:
            sums[part] -= base
            counts[part] -= 1
        else:
            sums[part] = np.nan


def area_sums(
    ranking: Ranking,
    limit: float,
    gene_ptr: npt.NDArray[np.int64],
    gene_part: npt.NDArray[np.int32],
    sizes: npt.NDArray[np.int64],
    skip_nan: bool,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Add up the area that each gene adds below the recovery curve, expected over all orders of ties, up to `limit`.

    Parameters
    ----------
    ranking, gene_ptr, gene_part, sizes, skip_nan
        See `rank_sums`.
    limit
        The rank from above at which the area ends.

    Returns
    -------
    sums, counts
        See `value_sums`.
    """
    sums = np.empty((ranking.pointer.size - 1, sizes.size))
    size, counts = _count(sizes, ranking.rows)
    _area_sums(ranking, limit, gene_ptr, gene_part, skip_nan, size, counts, np.empty(_longest(ranking)), sums)
    return sums, counts


@jit
def _area_sums(
    ranking: Ranking,
    limit: float,
    gene_ptr: npt.NDArray[np.int64],
    gene_part: npt.NDArray[np.int32],
    skip_nan: bool,
    size: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
) -> None:
    pointer, slots, less, equal, rows, n_vars = ranking
    for i in range(sums.shape[0]):
        a, b = pointer[i], pointer[i + 1]
        n_valid = n_vars - rows[i, 0]
        for k in range(b - a):
            values[k] = np.nan if less[a + k] < 0 else _area(less[a + k], equal[a + k], n_valid, limit)
        base = _area(rows[i, 1], rows[i, 2], n_valid, limit)
        _add_row(slots[a:b], values, base, gene_ptr, gene_part, size, skip_nan, sums[i], counts[i % counts.shape[0]])


def value_sums(
    ranking: Ranking,
    values: npt.NDArray[np.float64],
    zero: npt.NDArray[np.float64],
    gene_ptr: npt.NDArray[np.int64],
    gene_part: npt.NDArray[np.int32],
    sizes: npt.NDArray[np.int64],
    skip_nan: bool,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Add up any numbers per entry, and `zero` for the zeros of each row, over the parts of sets.

    See `rank_sums`; the sums are not doubled here.
    """
    sums = np.empty((ranking.pointer.size - 1, sizes.size))
    size, counts = _count(sizes, ranking.rows)
    _value_sums(ranking.pointer, ranking.slots, values, zero, gene_ptr, gene_part, skip_nan, size, counts, sums)
    return sums, counts


@jit
def _value_sums(
    pointer: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int32],
    values: npt.NDArray[np.float64],
    zero: npt.NDArray[np.float64],
    gene_ptr: npt.NDArray[np.int64],
    gene_part: npt.NDArray[np.int32],
    skip_nan: bool,
    size: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    sums: npt.NDArray[np.float64],
) -> None:
    for i in range(sums.shape[0]):
        a, b = pointer[i], pointer[i + 1]
        own = counts[i % counts.shape[0]]
        _add_row(slots[a:b], values[a:b], zero[i], gene_ptr, gene_part, size, skip_nan, sums[i], own)


@jit_within
def _add_row(
    slots: npt.NDArray[np.int32],
    values: npt.NDArray[np.float64],
    base: float,
    gene_ptr: npt.NDArray[np.int64],
    gene_part: npt.NDArray[np.int32],
    size: npt.NDArray[np.float64],
    skip_nan: bool,
    sums: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
) -> None:
    """Add up the numbers of one row over the parts, `base` standing for genes without an entry."""
    for s in range(size.size):
        sums[s] = size[s] * base
    for k in range(slots.size):
        g = np.uint32(slots[k])
        v = values[k]
        gone = v != v and skip_nan
        v = -base if gone else v - base
        if v == 0.0 and not gone:
            continue
        for j in range(gene_ptr[g], gene_ptr[g + np.uint32(1)]):
            sums[np.uint32(gene_part[np.uint64(j)])] += v
            if gone:
                counts[gene_part[j]] -= 1


def running_sums(
    ranking: Ranking,
    powers: npt.NDArray[np.float64],
    gene_ptr: npt.NDArray[np.int64],
    gene_part: npt.NDArray[np.int32],
    sizes: npt.NDArray[np.int64],
    skip_nan: bool,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Add up over the parts of sets what the area between two running sums needs, ties having their mean rank.

    Parameters
    ----------
    powers
        ``(2 * n_vars + 1,)`` step weights; that of rank r is element ``2 r``.
    ranking, gene_ptr, gene_part, sizes, skip_nan
        See `rank_sums`. Where NaN are not left out, they come last in the ranking and raise all positions.

    Returns
    -------
    sums
        ``(n_obs, n_parts, 3)``: weights, weights times position, positions.
    counts
        See `rank_sums`.
    """
    sums = np.empty((ranking.pointer.size - 1, sizes.size, 3))
    size, counts = _count(sizes, ranking.rows)
    _running_sums(ranking, powers, gene_ptr, gene_part, skip_nan, size, counts, sums)
    return sums, counts


@jit
def _running_sums(
    ranking: Ranking,
    powers: npt.NDArray[np.float64],
    gene_ptr: npt.NDArray[np.int64],
    gene_part: npt.NDArray[np.int32],
    skip_nan: bool,
    size: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    sums: npt.NDArray[np.float64],
) -> None:
    pointer, slots, less, equal, rows, _ = ranking
    for i in range(sums.shape[0]):
        shift = 0.0 if skip_nan else np.float64(rows[i, 0])
        twice = 2 * rows[i, 1] + rows[i, 2] + 1
        zero_weight, zero_place = powers[twice], twice * 0.5 + shift
        row = sums[i]
        for s in range(size.size):
            row[s, 0] = size[s] * zero_weight
            row[s, 1] = size[s] * (zero_weight * zero_place)
            row[s, 2] = size[s] * zero_place
        for k in range(pointer[i], pointer[i + 1]):
            g = np.uint32(slots[k])
            gone = less[k] < 0
            if gone and not skip_nan:
                weight, moved, place = np.nan, np.nan, np.nan
            elif gone:
                weight, moved, place = -zero_weight, -(zero_weight * zero_place), -zero_place
            else:
                twice = 2 * less[k] + equal[k] + 1
                place = twice * 0.5 + shift
                moved = powers[twice] * place - zero_weight * zero_place
                weight = powers[twice] - zero_weight
                place -= zero_place
            for j in range(gene_ptr[g], gene_ptr[g + 1]):
                part = np.uint32(gene_part[j])
                row[part, 0] += weight
                row[part, 1] += moved
                row[part, 2] += place
                if gone and skip_nan:
                    counts[i, part] -= 1

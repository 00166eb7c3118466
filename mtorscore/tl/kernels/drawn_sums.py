"""Sums over many sets, more than there are genes, of a number that every gene has in every row.

Where hundreds of sets hold each gene, it is faster to go through the sets than through the genes: the numbers of a few
rows lie side by side, gene by gene, so that a set adds up whole registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.tl.kernels.jit import jit
from mtorscore.tl.kernels.rank_sums import tie_terms
from mtorscore.tl.kernels.ranks import Ranking

__all__ = ["rank_table", "running_tables", "segment_products", "segment_totals", "side_by_side"]

# Rows side by side at most: a gene's numbers are some whole registers, which the processor fetches ahead.
ROWS = 320
REGISTER = 32
# Genes that are added at a time, so that the sums are not written for each.
AT_ONCE = np.uint64(4)
ONE, TWO, THREE = np.uint64(1), np.uint64(2), np.uint64(3)


def side_by_side(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return ``(n_obs, n_genes)`` values as ``(n_blocks, n_genes, rows)``; the last block ends in zeros."""
    n_obs, n_genes = values.shape
    n_blocks = max(1, -(-n_obs // ROWS))
    rows = -(-n_obs // (n_blocks * REGISTER)) * REGISTER
    side = np.zeros((n_blocks, n_genes, rows), values.dtype)
    _lay_side_by_side(values, side)
    return side


@jit
def _lay_side_by_side(values: npt.NDArray[Any], side: npt.NDArray[Any]) -> None:
    rows = side.shape[2]
    for i in range(values.shape[0]):
        block, r = i // rows, i % rows
        for g in range(values.shape[1]):
            side[block, g, r] = values[i, g]


def segment_totals(
    side: npt.NDArray[Any],
    n_obs: int,
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int32],
    total: npt.DTypeLike,
) -> npt.NDArray[np.float64]:
    """Return ``(n_obs, n_parts)`` sums of ``values[:, slots[starts[p]:stops[p]]]``.

    Parameters
    ----------
    side
        `side_by_side` of the values, without NaN: whole numbers, or floats, which are added in an order that depends
        on the part alone.
    n_obs
        Rows.
    starts, stops
        ``(n_parts,)``.
    slots
        Genes of all parts.
    total
        A type that the sums fit.
    """
    out = np.empty((n_obs, starts.size))
    _segment_totals(side, starts, stops, slots, np.zeros(side.shape[2], total), out)
    return out


@jit
def _segment_totals(
    side: npt.NDArray[Any],
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int32],
    total: npt.NDArray[Any],
    out: npt.NDArray[np.float64],
) -> None:
    rows = side.shape[2]
    for block in range(side.shape[0]):
        first, table = block * rows, side[block]
        width = min(rows, out.shape[0] - first)
        for p in range(starts.size):
            j, stop = np.uint64(starts[p]), np.uint64(stops[p])
            for r in range(rows):
                total[r] = 0
            while j + AT_ONCE <= stop:
                a, b = table[np.uint32(slots[j])], table[np.uint32(slots[j + ONE])]
                c, d = table[np.uint32(slots[j + TWO])], table[np.uint32(slots[j + THREE])]
                for r in range(rows):
                    total[r] += (a[r] + b[r]) + (c[r] + d[r])
                j += AT_ONCE
            while j < stop:
                a = table[np.uint32(slots[j])]
                for r in range(rows):
                    total[r] += a[r]
                j += ONE
            for r in range(width):
                out[first + r, p] = total[r]


def segment_products(
    side: npt.NDArray[np.float64],
    n_obs: int,
    pointer: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int32],
    factors: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return ``(n_obs, n_sets)`` sums of values times the factors beside `slots`; set s begins at ``pointer[s]``."""
    out = np.empty((n_obs, pointer.size - 1))
    _segment_products(side, pointer, slots, factors, np.zeros(side.shape[2]), out)
    return out


@jit
def _segment_products(
    side: npt.NDArray[np.float64],
    pointer: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int32],
    factors: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
    out: npt.NDArray[np.float64],
) -> None:
    rows = side.shape[2]
    for block in range(side.shape[0]):
        first, table = block * rows, side[block]
        width = min(rows, out.shape[0] - first)
        for s in range(pointer.size - 1):
            j, stop = np.uint64(pointer[s]), np.uint64(pointer[s + 1])
            for r in range(rows):
                total[r] = 0.0
            while j + AT_ONCE <= stop:
                a, b = table[np.uint32(slots[j])], table[np.uint32(slots[j + ONE])]
                c, d = table[np.uint32(slots[j + TWO])], table[np.uint32(slots[j + THREE])]
                wa, wb, wc, wd = factors[j], factors[j + ONE], factors[j + TWO], factors[j + THREE]
                for r in range(rows):
                    total[r] += (a[r] * wa + b[r] * wb) + (c[r] * wc + d[r] * wd)
                j += AT_ONCE
            while j < stop:
                a, wa = table[np.uint32(slots[j])], factors[j]
                for r in range(rows):
                    total[r] += a[r] * wa
                j += ONE
            for r in range(width):
                out[first + r, s] = total[r]


@jit
def rank_table(ranking: Ranking, from_above: bool, ties: int, limit: int, table: npt.NDArray[Any]) -> None:
    """Write twice the rank of every gene into ``(n_obs, n_genes)``; rows without NaN. See `rank_sums.rank_sums`."""
    pointer, slots, less, equal, rows, n_vars = ranking
    per_tie, more = tie_terms(ties, from_above)
    top, cut = np.int64(2 * (n_vars + 1)), np.int64(2 * limit)
    for i in range(pointer.size - 1):
        rank = 2 * rows[i, 1] + per_tie * rows[i, 2] + more
        base = min(top - rank, cut) if from_above else rank
        for g in range(table.shape[1]):
            table[i, g] = base
        for k in range(pointer[i], pointer[i + 1]):
            rank = 2 * np.int64(less[k]) + per_tie * np.int64(equal[k]) + more
            table[i, slots[k]] = min(top - rank, cut) if from_above else rank


@jit
def running_tables(
    ranking: Ranking, powers: npt.NDArray[np.float64], n_genes: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the step weight of every gene, and weight times position, ``(n_obs, n_genes)``; rows without NaN.

    See `rank_sums.running_sums`; positions are half of what `rank_table` writes for ties at their mean.
    """
    pointer, slots, less, equal, rows, _ = ranking
    n_obs = pointer.size - 1
    weights, moved = np.empty((n_obs, n_genes)), np.empty((n_obs, n_genes))
    for i in range(n_obs):
        twice = 2 * rows[i, 1] + rows[i, 2] + 1
        for g in range(n_genes):
            weights[i, g] = powers[twice]
            moved[i, g] = powers[twice] * (twice * 0.5)
        for k in range(pointer[i], pointer[i + 1]):
            twice = 2 * np.int64(less[k]) + np.int64(equal[k]) + 1
            weights[i, slots[k]] = powers[twice]
            moved[i, slots[k]] = powers[twice] * (twice * 0.5)
    return weights, moved

"""Distribution functions of genes over a cohort and the random walk of GSVA, on plain arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtorscore.tl.kernels.jit import jit, jit_in_place, jit_within

__all__ = [
    "cdf_at_known_values",
    "empirical_cdf",
    "gaussian_cdf_at",
    "gaussian_cdf_within",
    "search_starts",
    "walk_deviations",
]

STEPS_PER_SD = 1000.0
BLOCK = 32
LINE = 8
FEW = np.uint64(4)
ONE = np.uint64(1)
NONE = np.uint64(0)


def gaussian_cdf_within(
    values: npt.NDArray[np.float64],
    n_valid: npt.NDArray[np.int64],
    bandwidth: npt.NDArray[np.float64],
    table: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the kernel distribution function of each gene at its own values.

    Each pair of values is looked up once, for both. Blocks of neighbours are paired with blocks, so that the part of
    the table that they need stays in cache; blocks so far apart that the table reads 1 are only counted.

    Parameters
    ----------
    values
        ``(n_genes, n_obs)`` sorted within a gene.
    n_valid
        Values of each gene that count, from the front.
    bandwidth
        ``(n_genes,)`` standard deviation of the kernel.
    table
        Normal distribution function at 0, 0.001, 0.002, ...; read without interpolation, as the reference does.

    Returns
    -------
    numpy.ndarray
        ``(n_genes, n_obs)``, NaN behind the valid values.
    """
    out = np.full(values.shape, np.nan)
    rooms = np.empty(values.shape[1]), np.empty(BLOCK, np.int32), np.empty(BLOCK, np.int32)
    _gaussian_cdf_within(values, n_valid, bandwidth, table, *rooms, out)
    return out


@jit_in_place
def _gaussian_cdf_within(
    values: npt.NDArray[np.float64],
    n_valid: npt.NDArray[np.int64],
    bandwidth: npt.NDArray[np.float64],
    table: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
    place: npt.NDArray[np.int32],
    place_2: npt.NDArray[np.int32],
    out: npt.NDArray[np.float64],
) -> None:
    # The first entry of the table that reads 1, or the last: a loop, since np.searchsorted takes a second to compile.
    first_one = 0
    while first_one < table.size - 1 and table[first_one] < 1.0:
        first_one += 1
    full = np.float64(first_one)
    for g in range(n_valid.size):
        n = n_valid[g]
        if n == 0:
            continue
        x = values[g, :n]
        scale = STEPS_PER_SD / bandwidth[g]
        for i in range(n):
            total[i] = table[0]
        for first in range(0, n, BLOCK):
            last = min(first + BLOCK, n)
            for i in range(first, last):
                below = 0.0
                for j in range(i + 1, last):
                    t = table[np.uint32(min((x[j] - x[i]) * scale, full))]
                    total[j] += t
                    below += 1.0 - t
                total[i] += below
            for start in range(last, n, BLOCK):
                if (x[start] - x[last - 1]) * scale >= full:
                    # An explicit loop: assignment of a slice compiles its error messages too, which takes seconds.
                    for j in range(start, n):
                        total[j] += last - first
                    break
                right, theirs = x[start : min(start + BLOCK, n)], total[start : min(start + BLOCK, n)]
                m = right.size
                even = m // 2 * 2
                # Two values at once, each with two sums, so that no addition waits for another. The last value of an
                # odd block is paired with itself and counted half.
                for i in range(first, last, 2):
                    other = min(i + 1, last - 1)
                    share = 1.0 if other > i else 0.5
                    low, high = x[i], x[other]
                    for j in range(m):
                        place[j] = np.int32(min((right[j] - low) * scale, full))
                        place_2[j] = np.int32(min((right[j] - high) * scale, full))
                    a, b, c, d = 0.0, 0.0, 0.0, 0.0
                    for j in range(0, even, 2):
                        t0, u0 = table[np.uint32(place[j])], table[np.uint32(place_2[j])]
                        t1, u1 = table[np.uint32(place[j + 1])], table[np.uint32(place_2[j + 1])]
                        theirs[j] += (t0 + u0) * share
                        theirs[j + 1] += (t1 + u1) * share
                        a += t0
                        b += u0
                        c += t1
                        d += u1
                    for j in range(even, m):
                        t0, u0 = table[np.uint32(place[j])], table[np.uint32(place_2[j])]
                        theirs[j] += (t0 + u0) * share
                        a += t0
                        b += u0
                    total[i] += (m - (a + c)) * share
                    total[other] += (m - (b + d)) * share
        for i in range(n):
            out[g, i] = total[i] / n
        # Equal values have one density, whatever the order in which their terms were added up.
        for i in range(1, n):
            if x[i] == x[i - 1]:
                out[g, i] = out[g, i - 1]


@jit
def gaussian_cdf_at(
    queries: npt.NDArray[np.float64],
    genes: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    n_valid: npt.NDArray[np.int64],
    bandwidth: npt.NDArray[np.float64],
    table: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the kernel distribution function of gene ``genes[i]`` at ``queries[i]``; see `gaussian_cdf_within`."""
    out = np.empty(queries.size)
    last = table.size - 1
    for q in range(queries.size):
        g = genes[q]
        scale = STEPS_PER_SD / bandwidth[g]
        total = 0.0
        for j in range(n_valid[g]):
            step = (queries[q] - values[g, j]) * scale
            t = table[int(min(abs(step), last))]
            total += t if step >= 0 else 1.0 - t
        out[q] = total / n_valid[g]
    return out


@jit
def empirical_cdf(values: npt.NDArray[np.float64], n_valid: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the empirical distribution function of each gene at its sorted values; NaN behind the valid ones."""
    n_genes, n_obs = values.shape
    out = np.full((n_genes, n_obs), np.nan)
    for g in range(n_genes):
        n = n_valid[g]
        last = n
        for i in range(n - 1, -1, -1):
            if i + 1 < n and values[g, i] != values[g, i + 1]:
                last = i + 1
            out[g, i] = last / n
    return out


def search_starts(values: npt.NDArray[np.float64], n_valid: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Return where to start searching for a value: a table over equal steps from the smallest to the largest value.

    Parameters
    ----------
    values, n_valid
        As in `gaussian_cdf_within`.

    Returns
    -------
    numpy.ndarray
        ``(n_genes, n_obs + 1)``; the values of step s are those between entries s and s + 1.
    """
    out = np.zeros((values.shape[0], values.shape[1] + 1), np.int32)
    _search_starts(values, n_valid, out)
    return out


@jit_in_place
def _search_starts(values: npt.NDArray[np.float64], n_valid: npt.NDArray[np.int64], out: npt.NDArray[np.int32]) -> None:
    for g in range(n_valid.size):
        n = n_valid[g]
        if n == 0:
            continue
        known, begin = values[g], out[g]
        low, scale = known[0], _steps_per_unit(known[0], known[n - 1], n)
        for j in range(n):
            begin[np.uint32((known[j] - low) * scale) + np.uint32(1)] += 1
        for step in range(1, begin.size):
            begin[step] += begin[step - 1]


@jit_within
def _steps_per_unit(low: float, high: float, n: int) -> float:
    """Return the steps per unit of expression of one gene."""
    width = high - low
    # Where the width overflows, or nearly underflows, one step holds all values.
    return (n - 1) / width if 1e-290 < width < 1e290 else 0.0


def cdf_at_known_values(
    x: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    n_valid: npt.NDArray[np.int64],
    density: npt.NDArray[np.float64],
    starts: npt.NDArray[np.int32],
) -> npt.NDArray[np.float64]:
    """Return the distribution function of each value that the cohort holds; -1 where it does not, NaN for NaN.

    Parameters
    ----------
    x
        ``(n_rows, n_genes)``.
    values, n_valid, density
        ``(n_genes, n_obs)`` as in `gaussian_cdf_within`.
    starts
        From `search_starts`.
    """
    out = np.empty(x.shape)
    _cdf_at_known_values(x, values, n_valid, density, starts, out)
    return out


@jit_in_place
def _cdf_at_known_values(
    x: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    n_valid: npt.NDArray[np.int64],
    density: npt.NDArray[np.float64],
    starts: npt.NDArray[np.int32],
    out: npt.NDArray[np.float64],
) -> None:
    n_rows, n_genes = x.shape
    # As many genes at a time as a cache line holds values of a row.
    for first in range(0, n_genes, LINE):
        for g in range(first, min(first + LINE, n_genes)):
            n = n_valid[g]
            if n == 0:
                for i in range(n_rows):
                    out[i, g] = np.nan
                continue
            known, begin, shares, most = values[g], starts[g], density[g], np.uint64(n)
            low, high = known[0], known[n - 1]
            scale = _steps_per_unit(low, high, n)
            for i in range(n_rows):
                v = x[i, g]
                if not (low <= v <= high):
                    out[i, g] = np.nan if v != v else -1.0
                    continue
                step = np.uint64((v - low) * scale)
                at, left = np.uint64(begin[step]), np.uint64(begin[step + ONE] - begin[step])
                while left > FEW:
                    half = left >> ONE
                    at += half if known[at + half] <= v else NONE
                    left -= half
                if most >= FEW:
                    # Four comparisons without a branch are faster than a loop of unpredictable length. Values before
                    # the step are below v, and the last value is not.
                    at = min(at, most - FEW)
                    at += (
                        np.uint64(known[at] < v)
                        + np.uint64(known[at + ONE] < v)
                        + np.uint64(known[at + np.uint64(2)] < v)
                        + np.uint64(known[at + np.uint64(3)] < v)
                    )
                else:
                    while known[at] < v:
                        at += ONE
                out[i, g] = shares[at] if known[at] == v else -1.0


@jit_within
def _order(place: npt.NDArray[np.float64], n: np.int64, order: npt.NDArray[np.int64]) -> None:
    """Write the order of the first `n` places (Shell 1959, gaps of Knuth 1973); the order of ties does not matter."""
    for i in range(n):
        order[i] = i
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            e = order[i]
            j = i
            while j >= gap and place[order[j - gap]] > place[e]:
                order[j] = order[j - gap]
                j -= gap
            order[j] = e
        gap //= 3


def walk_deviations(
    above: npt.NDArray[np.float64],
    tied: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    length: float,
    indptr: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int64],
    max_diff: bool,
    abs_ranking: bool,
    skip_nan: bool,
) -> npt.NDArray[np.float64]:
    """Return the extreme deviations of each set's random walk.

    Parameters
    ----------
    above, tied
        ``(n_obs, n_genes)`` genes ranked strictly higher, and the size of the tie block; `above` is NaN for genes
        without a rank.
    weight
        ``(n_obs, n_genes)`` what a gene adds, before division by its set's sum.
    length
        Genes in the walk.
    indptr, slots
        The sets over the columns of `above`.
    max_diff
        Difference of the two extremes; if not, the larger one.
    abs_ranking
        With `max_diff`, their distance.
    skip_nan
        Whether genes without a rank are left out; if not, their sets are NaN.

    Returns
    -------
    numpy.ndarray
        ``(n_obs, n_sets)``; NaN for sets without a gene, or without one outside, or without weight.
    """
    n_obs, n_sets = above.shape[0], indptr.size - 1
    out = np.full((n_obs, n_sets), np.nan)
    longest = int(np.diff(indptr).max(initial=0))
    rooms = np.empty((3, longest)), np.empty(longest, np.int64)
    _walk_deviations(above, tied, weight, length, indptr, slots, max_diff, abs_ranking, skip_nan, *rooms, out)
    return out


@jit_in_place
def _walk_deviations(
    above: npt.NDArray[np.float64],
    tied: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    n: float,
    indptr: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int64],
    max_diff: bool,
    abs_ranking: bool,
    skip_nan: bool,
    members: npt.NDArray[np.float64],
    order: npt.NDArray[np.int64],
    out: npt.NDArray[np.float64],
) -> None:
    place, width, gain = members[0], members[1], members[2]
    for i in range(out.shape[0]):
        for s in range(out.shape[1]):
            k = np.int64(0)
            has_nan = False
            total = 0.0
            for e in range(indptr[s], indptr[s + 1]):
                a = above[i, slots[e]]
                if a != a:
                    has_nan = has_nan or not skip_nan
                    continue
                place[k] = a
                width[k] = tied[i, slots[e]]
                gain[k] = weight[i, slots[e]]
                total += gain[k]
                k += 1
            if has_nan or k == 0 or k >= n:
                continue
            if not total > 0.0:
                continue
            _order(place, k, order)
            highest, lowest, reached = 0.0, 0.0, 0.0
            outside = n - k
            e = 0
            hits = 0
            while e < k:
                a = place[order[e]]
                block = width[order[e]]
                before = reached / total - (a - hits) / outside
                here = 0
                while e < k and place[order[e]] == a:
                    reached += gain[order[e]]
                    here += 1
                    e += 1
                hits += here
                after = reached / total - (a + block - hits) / outside
                highest = max(highest, before, after)
                lowest = min(lowest, before, after)
            if max_diff:
                out[i, s] = highest - lowest if abs_ranking else highest + lowest
            else:
                out[i, s] = highest if highest > abs(lowest) else lowest

"""The ranking pass that all rank methods share.

For a row and a gene of interest two numbers say everything that a rank method needs: how many values of the row are
smaller, and how many are equal. Zeros are never sorted: they form one block between negative and positive values.
NaN has no rank; it is counted and marked.

Other values are not sorted either. The bits of positive floating-point numbers, read as whole numbers, are in the order
of the values, so their leading bits put them into buckets, which are counted. A bucket with one distinct value (the
rule for counts and what is computed from them) is a tie block; in others the few values that differ are compared one by
one. Negative values are ranked by their magnitudes, from the other end. Values keep their own width, 32 or 64 bits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mtorscore.tl.kernels.jit import jit_in_place, jit_within

__all__ = ["Ranking", "as_bits", "dense_ranks", "rank_csr", "rank_dense"]

NAN_RANK = -1
# Few values: enough buckets that counts rarely share one, with four counters each, so that increments of equal values
# do not depend on each other. Many values: more buckets, one counter each.
FEW = 8192
BUCKETS = 1024
MANY_BUCKETS = 32768
# Up to this many values that differ from the sample of their bucket are compared with each other directly.
ODD = 32
LONG = 64
ONE = np.uint64(1)
NONE = np.uint64(0)
COUNT = np.uint32(1)

_Bits = npt.NDArray[Any]


class Ranking(NamedTuple):
    """Ranks of the genes of interest that are not 0, by row; all others of a row share the tie block of the zeros.

    Attributes
    ----------
    pointer
        ``(n_obs + 1,)``; row i owns entries ``pointer[i]:pointer[i + 1]``.
    slots, less, equal
        Per entry: the number of the gene, the smaller values of the row, and the size of its tie block. `less` is -1
        and `equal` 0 where the value is NaN.
    rows
        ``(n_obs, 3)`` NaN, negative values and zeros per row.
    n_vars
        Columns of the matrix.
    """

    pointer: npt.NDArray[np.int64]
    slots: npt.NDArray[np.int32]
    less: npt.NDArray[np.int32]
    equal: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int64]
    n_vars: int


def as_bits(values: npt.NDArray[Any]) -> tuple[_Bits, int, int]:
    """Return floating-point values as unsigned whole numbers, with the bits of the sign and of infinity."""
    if values.dtype.itemsize == 4:
        return values.view(np.uint32), 1 << 31, 0x7F800000
    return values.view(np.uint64), 1 << 63, 0x7FF0000000000000


@jit_within
def _within(
    part: _Bits,
    key: np.uint64,
    below: np.int64,
) -> tuple[np.int64, np.int64]:
    """Return `below` plus the number of values of a bucket below `key`, and the number equal to it."""
    same = np.int64(0)
    for j in range(part.size):
        below += np.int64(part[j] < key)
        same += np.int64(part[j] == key)
    return below, same


@jit_within
def _sort(part: _Bits) -> None:
    """Sort in place (Shell 1959, gaps of Knuth 1973): compiles faster than numpy's sort; for long buckets."""
    gap = 1
    while gap < part.size // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, part.size):
            key = part[i]
            j = i
            while j >= gap and part[j - gap] > key:
                part[j] = part[j - gap]
                j -= gap
            part[j] = key
        gap //= 3


@jit_within
def _first_not(part: _Bits, key: np.uint64) -> np.int64:
    """Return the position of the first value not below `key` in a sorted bucket."""
    low, high = np.int64(0), np.int64(part.size)
    while low < high:
        middle = (low + high) // 2
        if part[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@jit_within
def _rank_positive(
    bits: _Bits,
    columns: npt.NDArray[np.int32],
    slot_of: npt.NDArray[np.int32],
    counts: npt.NDArray[np.uint32],
    first: npt.NDArray[np.uint32],
    sample: _Bits,
    sorted_bucket: npt.NDArray[np.uint8],
    stored: _Bits,
    chosen: npt.NDArray[np.uint32],
    odd: _Bits,
    lowest: np.uint64,
    highest: np.uint64,
    slots: npt.NDArray[np.int32],
    less: npt.NDArray[np.int32],
    equal: npt.NDArray[np.int32],
    lower: np.int64,
) -> np.int64:
    """Write the entries of a row of positive values, above `lower` others; return how many there are."""
    n = bits.size
    shift = NONE
    while ((highest - lowest) >> shift) >= np.uint64(sample.size):
        shift += ONE
    used = np.int64((highest - lowest) >> shift) + 1
    many = n > FEW
    c0 = counts[0]
    c1, c2, c3 = counts[0 if many else 1], counts[0 if many else 2], counts[0 if many else 3]
    quarter = n // 4
    p0, p1, p2, p3 = (
        bits[:quarter],
        bits[quarter : 2 * quarter],
        bits[2 * quarter : 3 * quarter],
        bits[3 * quarter : 4 * quarter],
    )
    for k in range(quarter):
        b0 = (np.uint64(p0[k]) - lowest) >> shift
        b1 = (np.uint64(p1[k]) - lowest) >> shift
        b2 = (np.uint64(p2[k]) - lowest) >> shift
        b3 = (np.uint64(p3[k]) - lowest) >> shift
        sample[b0] = p0[k]
        sample[b1] = p1[k]
        sample[b2] = p2[k]
        sample[b3] = p3[k]
        c0[b0] += COUNT
        c1[b1] += COUNT
        c2[b2] += COUNT
        c3[b3] += COUNT
    for k in range(4 * quarter, n):
        b0 = (np.uint64(bits[k]) - lowest) >> shift
        sample[b0] = bits[k]
        c0[b0] += COUNT
    if not many:
        for b in range(used):
            c0[b] += c1[b] + c2[b] + c3[b]
    total = np.uint32(0)
    for b in range(used):
        first[b] = total
        total += c0[b]
    m, n_odd = NONE, NONE
    for k in range(n):
        key = bits[k]
        odd[n_odd] = key
        n_odd += np.uint64(sample[(np.uint64(key) - lowest) >> shift] != key)
        s = slot_of[np.uint32(columns[k])]
        slots[m] = s
        chosen[m] = k
        m += np.uint64(s >= 0)
    placed = n_odd > np.uint64(ODD)
    if placed:
        for k in range(n):
            b0 = (np.uint64(bits[k]) - lowest) >> shift
            stored[first[b0]] = bits[k]
            first[b0] += COUNT
        for b in range(used):
            first[b] -= c0[b]
        for b in range(used):
            sorted_bucket[b] = 0
    if n_odd == NONE:
        # One value per bucket, as is the rule with counts.
        for e in range(m):
            b0 = (np.uint64(bits[chosen[e]]) - lowest) >> shift
            less[e], equal[e] = lower + np.int64(first[b0]), c0[b0]
    for e in range(m if n_odd > NONE else NONE):
        key = bits[chosen[e]]
        b0 = (np.uint64(key) - lowest) >> shift
        below, same = np.int64(first[b0]), np.int64(c0[b0])
        if placed and same > 1:
            part = stored[below : below + same]
            if same > LONG:
                if not sorted_bucket[b0]:
                    _sort(part)
                    sorted_bucket[b0] = 1
                low, high = _first_not(part, np.uint64(key)), _first_not(part, np.uint64(key) + ONE)
                below, same = below + low, high - low
            else:
                below, same = _within(part, key, below)
        elif not placed:
            # Values of the bucket that are not among the odd ones are equal to its sample.
            under, as_odd, others = np.int64(0), np.int64(0), np.int64(0)
            for j in range(n_odd):
                if (np.uint64(odd[j]) - lowest) >> shift == b0:
                    others += 1
                    under += np.int64(odd[j] < key)
                    as_odd += np.int64(odd[j] == key)
            rest = same - others
            below += under + (rest if sample[b0] < key else np.int64(0))
            same = as_odd + (rest if sample[b0] == key else np.int64(0))
        less[e], equal[e] = lower + below, same
    for lane in range(1 if many else 4):
        for b in range(used):
            counts[lane, b] = 0
    return np.int64(m)


@jit_in_place
def _rank_rows(
    bits: _Bits,
    columns: npt.NDArray[np.int32],
    indptr: npt.NDArray[np.int64],
    n_vars: int,
    slot_of: npt.NDArray[np.int32],
    sign: np.uint64,
    infinity: np.uint64,
    every_column: bool,
    pointer: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int32],
    less: npt.NDArray[np.int32],
    equal: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    names: npt.NDArray[np.int32],
    buckets: npt.NDArray[np.uint32],
    chosen: npt.NDArray[np.uint32],
    keys_of: _Bits,
    sample: _Bits,
    sorted_bucket: npt.NDArray[np.uint8],
) -> np.int64:
    """Rank rows of values given as bits into `pointer` to `rows`, the fields of a `Ranking`; return how many entries.

    `columns` are those of every row where `every_column`. The rest is room to work in (see `_rank`).
    """
    counts, first = buckets[:4], buckets[4]
    stored, odd, group = keys_of[0], keys_of[1], keys_of[2]
    at = np.int64(0)
    for i in range(indptr.size - 1):
        a, b = indptr[i], indptr[i + 1]
        row = bits[a:b]
        genes = columns if every_column else columns[a:b]
        n = row.size
        low, high = infinity, NONE
        for v in row:
            low, high = min(low, np.uint64(v)), max(high, np.uint64(v))
        plain = n > 0 and low > NONE and high < infinity
        n_nan, n_negative, n_positive = np.int64(0), np.int64(0), np.int64(n)
        if not plain:
            n_positive = np.int64(0)
            for v in row:
                magnitude = np.uint64(v) & ~sign
                n_nan += np.int64(magnitude > infinity)
                n_negative += np.int64(np.uint64(v) > sign and magnitude <= infinity)
                n_positive += np.int64(magnitude > NONE and np.uint64(v) <= infinity)
        n_zero = n_vars - n_nan - n_negative - n_positive
        rows[i, 0], rows[i, 1], rows[i, 2] = n_nan, n_negative, n_zero
        for wanted in range(2):
            if (n_negative if wanted == 1 else n_positive) == 0:
                continue
            keys, named = row, genes
            if not plain:
                k = NONE
                low, high = sign, NONE
                for j in range(n):
                    v = np.uint64(row[j])
                    magnitude = v & ~sign
                    here = magnitude > NONE and magnitude <= infinity and (v > sign) == (wanted == 1)
                    group[k] = magnitude
                    names[k] = genes[j]
                    low = min(low, magnitude if here else low)
                    high = max(high, magnitude if here else high)
                    k += np.uint64(here)
                keys, named = group[: np.int64(k)], names[: np.int64(k)]
            found = _rank_positive(
                keys, named, slot_of, counts, first, sample, sorted_bucket, stored, chosen, odd,
                low, high, slots[at:], less[at:], equal[at:], n_negative + n_zero if wanted == 0 else np.int64(0),
            )  # fmt: skip
            if wanted == 1:
                for e in range(at, at + found):
                    less[e] = n_negative - less[e] - equal[e]
            at += found
        if n_nan > 0:
            for j in range(n):
                s = slot_of[genes[j]]
                if s >= 0 and np.uint64(row[j]) & ~sign > infinity:
                    slots[at], less[at], equal[at] = s, NAN_RANK, 0
                    at += 1
        pointer[i + 1] = at
    return at


def rank_csr(
    data: npt.NDArray[Any],
    indices: npt.NDArray[np.int32],
    indptr: npt.NDArray[np.int64],
    n_vars: int,
    slot_of: npt.NDArray[np.int32],
    n_slots: int,
) -> Ranking:
    """Rank the rows of a CSR block.

    Parameters
    ----------
    data, indices, indptr
        The block, float32 or float64; no entry stored twice.
    n_vars
        Columns, stored or not.
    slot_of
        ``(n_vars,)`` number of a gene of interest, -1 for other columns.
    n_slots
        Genes of interest.

    """
    return _rank(data, indices, indptr, n_vars, slot_of, n_slots, every_column=False)


def rank_dense(x: npt.NDArray[Any], slot_of: npt.NDArray[np.int32], n_slots: int) -> Ranking:
    """Rank the rows of a C-contiguous dense block; see `rank_csr`."""
    n_obs, n_vars = x.shape
    columns = np.arange(n_vars, dtype=np.int32)
    indptr = np.arange(n_obs + 1, dtype=np.int64) * n_vars
    return _rank(x.ravel(), columns, indptr, n_vars, slot_of, n_slots, every_column=True)


def _rank(
    values: npt.NDArray[Any],
    columns: npt.NDArray[np.int32],
    indptr: npt.NDArray[np.int64],
    n_vars: int,
    slot_of: npt.NDArray[np.int32],
    n_slots: int,
    *,
    every_column: bool,
) -> Ranking:
    bits, sign, infinity = as_bits(values)
    widths = np.diff(indptr)
    longest = int(widths.max(initial=0))
    n_buckets = BUCKETS if longest <= FEW else MANY_BUCKETS
    # One entry more than is kept is written: those of other genes are overwritten by the next.
    size = int(np.minimum(widths, n_slots).sum()) + 1
    # Arrays are made here because numba compiles each kind of np.empty anew, 0.1 s each.
    pointer, rows = np.zeros(indptr.size, np.int64), np.zeros((indptr.size - 1, 3), np.int64)
    slots, less, equal = (np.empty(size, np.int32) for _ in range(3))
    found = _rank_rows(
        bits, columns, indptr, n_vars, slot_of, np.uint64(sign), np.uint64(infinity), every_column,
        pointer, slots, less, equal, rows, np.empty(longest + 1, np.int32), np.zeros((5, n_buckets), np.uint32),
        np.empty(longest + 1, np.uint32), np.empty((3, longest + 1), bits.dtype), np.empty(n_buckets, bits.dtype),
        np.empty(n_buckets, np.uint8),
    )  # fmt: skip
    return Ranking(pointer, slots[:found], less[:found], equal[:found], rows, n_vars)


def dense_ranks(ranking: Ranking, n_slots: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return `less` and `equal` as ``(n_obs, n_slots)``, with the zeros' tie block where there is no entry."""
    size = (ranking.pointer.size - 1, n_slots)
    all_less, all_equal = (np.broadcast_to(ranking.rows[:, k : k + 1], size).astype(np.int32) for k in (1, 2))
    _scatter(ranking.pointer, ranking.slots, ranking.less, ranking.equal, all_less, all_equal)
    return all_less, all_equal


@jit_in_place
def _scatter(
    pointer: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int32],
    less: npt.NDArray[np.int32],
    equal: npt.NDArray[np.int32],
    all_less: npt.NDArray[np.int32],
    all_equal: npt.NDArray[np.int32],
) -> None:
    for i in range(pointer.size - 1):
        for k in range(pointer[i], pointer[i + 1]):
            all_less[i, slots[k]] = less[k]
            all_equal[i, slots[k]] = equal[k]

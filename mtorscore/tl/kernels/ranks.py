"""The ranking pass that all rank methods share.

For a row and a gene of interest two numbers say everything that a rank method needs: how many values of the row are
smaller, and how many are equal. Zeros are never sorted: they form one block between negative and positive values.
NaN has no rank; it is counted and marked.

Other values are not sorted either, if that can be helped. Their bits, read as whole numbers, are in the order of the
values, so the leading bits put them into buckets in one pass. A bucket with one distinct value (the rule for counts and
what is computed from them) is a tie block; a short one is compared value by value; only a long one is sorted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtorscore.tl.kernels._jit import jit

__all__ = ["rank_csr", "rank_dense", "rank_sorted", "spread_entries"]

NAN_RANK = -1
BUCKETS = 2048
SHORT = 24
SIGN = np.uint64(1) << np.uint64(63)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@jit
def _key(bits: np.uint64) -> np.uint64:
    """Return whole numbers in the order of the floating-point values with these bits."""
    return bits ^ ALL if bits & SIGN else bits | SIGN


@jit
def _rank_row(
    values: npt.NDArray[np.float64],
    columns: npt.NDArray[np.int32],
    n_vars: int,
    slot_of: npt.NDArray[np.int32],
    bucket_of: npt.NDArray[np.int32],
    stored: npt.NDArray[np.uint64],
    counts: npt.NDArray[np.int32],
    first: npt.NDArray[np.int32],
    sample: npt.NDArray[np.uint64],
    state: npt.NDArray[np.int8],
    slots: npt.NDArray[np.int32],
    less: npt.NDArray[np.int32],
    equal: npt.NDArray[np.int32],
) -> tuple[int, int, int, int]:
    """Write the entries of one row; return how many there are, and how many values are NaN, negative and 0."""
    n_stored = values.size
    bits = values.view(np.uint64)
    lowest, highest = ALL, np.uint64(0)
    least, most, total_value = np.inf, -np.inf, 0.0
    n, n_nan, n_negative = 0, 0, 0
    for k in range(n_stored):
        v = values[k]
        if v != v:
            n_nan += 1
        elif v != 0.0:
            if v < 0.0:
                n_negative += 1
            key = _key(bits[k])
            lowest = min(lowest, key)
            highest = max(highest, key)
            least = min(least, v)
            most = max(most, v)
            total_value += v
            n += 1
    n_zero = n_vars - n_nan - n
    shift = np.uint64(0)
    if n > 0:
        span = highest - lowest
        while (span >> shift) >= np.uint64(BUCKETS):
            shift += np.uint64(1)
    # Steps of equal width part values without a long tail better than their leading bits do.
    width = most - least
    even = n > 0 and 1e-300 < width < 1e300 and total_value / n - least > 0.05 * width
    scale = (BUCKETS - 1) / width if even else 0.0
    counts[:] = 0
    state[:] = 0
    any_mixed = False
    for k in range(n_stored):
        v = values[k]
        if v != v or v == 0.0:
            continue
        key = _key(bits[k])
        b = np.int32((v - least) * scale) if even else np.int32((key - lowest) >> shift)
        bucket_of[k] = b
        if counts[b] == 0:
            sample[b] = key
        elif sample[b] != key:
            state[b] = 1
            any_mixed = True
        counts[b] += 1
    total = 0
    for c in range(BUCKETS):
        first[c] = total
        total += counts[c]
    if any_mixed:
        counts[:] = 0
        for k in range(n_stored):
            v = values[k]
            if v == v and v != 0.0:
                b = bucket_of[k]
                stored[first[b] + counts[b]] = _key(bits[k])
                counts[b] += 1
    m = 0
    for k in range(n_stored):
        s = slot_of[columns[k]]
        if s < 0:
            continue
        v = values[k]
        if v == 0.0:
            continue
        slots[m] = s
        if v != v:
            less[m], equal[m] = NAN_RANK, 0
            m += 1
            continue
        b = bucket_of[k]
        below, same = first[b], counts[b]
        if state[b] != 0:
            part = stored[below : below + counts[b]]
            key = _key(bits[k])
            if part.size > SHORT:
                if state[b] == 1:
                    part.sort()
                    state[b] = 2
                low = np.searchsorted(part, key, side="left")
                same = np.int32(np.searchsorted(part, key, side="right") - low)
                below += np.int32(low)
            else:
                same = np.int32(0)
                lower = np.int32(0)
                for j in range(part.size):
                    lower += np.int32(part[j] < key)
                    same += np.int32(part[j] == key)
                below += lower
        less[m] = below if v < 0.0 else below + n_zero
        equal[m] = same
        m += 1
    return m, n_nan, n_negative, n_zero


@jit
def _rank_positive(
    values: npt.NDArray[np.float64],
    columns: npt.NDArray[np.int32],
    n_vars: int,
    slot_of: npt.NDArray[np.int32],
    chosen: npt.NDArray[np.int32],
    stored: npt.NDArray[np.uint64],
    counts: npt.NDArray[np.int32],
    more: npt.NDArray[np.int32],
    first: npt.NDArray[np.int32],
    sample: npt.NDArray[np.int64],
    state: npt.NDArray[np.int8],
    slots: npt.NDArray[np.int32],
    less: npt.NDArray[np.int32],
    equal: npt.NDArray[np.int32],
) -> int:
    """Do what `_rank_row` does for a row whose stored values are all positive numbers: three plain passes."""
    n = values.size
    bits = values.view(np.int64)
    lowest, highest = bits[0], bits[0]
    for k in range(n):
        lowest = min(lowest, bits[k])
        highest = max(highest, bits[k])
    shift = 0
    while ((highest - lowest) >> shift) >= BUCKETS:
        shift += 1
    counts[:] = 0
    more[:] = 0
    state[:] = 0
    sample[:] = -1
    any_mixed = False
    # Two counters in turn: equal values in a row would wait for each other on one.
    half = n // 2
    for k in range(half):
        b = (bits[2 * k] - lowest) >> shift
        c = (bits[2 * k + 1] - lowest) >> shift
        if sample[b] != bits[2 * k]:
            if sample[b] < 0:
                sample[b] = bits[2 * k]
            else:
                state[b] = 1
                any_mixed = True
        if sample[c] != bits[2 * k + 1]:
            if sample[c] < 0:
                sample[c] = bits[2 * k + 1]
            else:
                state[c] = 1
                any_mixed = True
        counts[b] += 1
        more[c] += 1
    if n % 2 == 1:
        b = (bits[n - 1] - lowest) >> shift
        if sample[b] >= 0 and sample[b] != bits[n - 1]:
            state[b] = 1
            any_mixed = True
        counts[b] += 1
    total = n_vars - n
    for j in range(BUCKETS):
        counts[j] += more[j]
        first[j] = total
        total += counts[j]
    if any_mixed:
        more[:] = 0
        for k in range(n):
            b = (bits[k] - lowest) >> shift
            if state[b] != 0:
                stored[first[b] - (n_vars - n) + more[b]] = np.uint64(bits[k])
                more[b] += 1
    m = 0
    for k in range(n):
        s = slot_of[columns[k]]
        slots[m] = s
        chosen[m] = k
        m += int(s >= 0)
    for e in range(m):
        key = bits[chosen[e]]
        b = (key - lowest) >> shift
        below, same = first[b], counts[b]
        if state[b] != 0:
            start = first[b] - (n_vars - n)
            part = stored[start : start + counts[b]]
            wanted = np.uint64(key)
            if part.size > SHORT:
                if state[b] == 1:
                    part.sort()
                    state[b] = 2
                low = np.searchsorted(part, wanted, side="left")
                same = np.int32(np.searchsorted(part, wanted, side="right") - low)
                below += np.int32(low)
            else:
                same = np.int32(0)
                lower = np.int32(0)
                for j in range(part.size):
                    lower += np.int32(part[j] < wanted)
                    same += np.int32(part[j] == wanted)
                below += lower
        less[e] = below
        equal[e] = same
    return m


@jit
def rank_csr(
    data: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int32],
    indptr: npt.NDArray[np.int64],
    n_vars: int,
    slot_of: npt.NDArray[np.int32],
    positive: bool,
) -> tuple[
    npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int64]
]:
    """Rank the rows of a CSR block.

    Parameters
    ----------
    data, indices, indptr
        The block; no entry stored twice.
    n_vars
        Columns, stored or not.
    slot_of
        ``(n_vars,)`` number of a gene of interest, -1 for other columns.
    positive
        Whether all stored values are known to be positive numbers.

    Returns
    -------
    pointer
        ``(n_obs + 1,)`` entries of a row.
    slots, less, equal
        Per non-zero gene of interest: its number, the smaller values of the row, and the size of its tie block.
        `less` is -1 where the value is NaN.
    rows
        ``(n_obs, 3)`` NaN, negative values and zeros per row.
    """
    n_obs = indptr.size - 1
    longest = 0
    for i in range(n_obs):
        longest = max(longest, indptr[i + 1] - indptr[i])
    size = indptr[n_obs] - indptr[0] + 1
    slots, less, equal = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    pointer, rows = np.zeros(n_obs + 1, np.int64), np.empty((n_obs, 3), np.int64)
    bucket_of, stored = np.empty(longest, np.int32), np.empty(longest, np.uint64)
    counts, first = np.empty(BUCKETS, np.int32), np.empty(BUCKETS, np.int32)
    sample, state = np.empty(BUCKETS, np.uint64), np.empty(BUCKETS, np.int8)
    more, seen = np.empty(BUCKETS, np.int32), np.empty(BUCKETS, np.int64)
    at = 0
    for i in range(n_obs):
        a, b = indptr[i], indptr[i + 1]
        if positive and b > a:
            at += _rank_positive(
                data[a:b], indices[a:b], n_vars, slot_of, bucket_of, stored, counts, more, first, seen, state,
                slots[at:], less[at:], equal[at:],
            )  # fmt: skip
            rows[i, 0], rows[i, 1], rows[i, 2] = 0, 0, n_vars - (b - a)
            pointer[i + 1] = at
            continue
        m, rows[i, 0], rows[i, 1], rows[i, 2] = _rank_row(
            data[a:b], indices[a:b], n_vars, slot_of, bucket_of, stored, counts, first, sample, state,
            slots[at:], less[at:], equal[at:],
        )  # fmt: skip
        at += m
        pointer[i + 1] = at
    return pointer, slots[:at].copy(), less[:at].copy(), equal[:at].copy(), rows


@jit
def rank_dense(
    x: npt.NDArray[np.float64], slot_of: npt.NDArray[np.int32], n_slots: int
) -> tuple[
    npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int64]
]:
    """Rank the rows of a C-contiguous dense block; see `rank_csr`."""
    n_obs, n_vars = x.shape
    size = n_obs * n_slots
    slots, less, equal = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    pointer, rows = np.zeros(n_obs + 1, np.int64), np.empty((n_obs, 3), np.int64)
    bucket_of, stored = np.empty(n_vars, np.int32), np.empty(n_vars, np.uint64)
    counts, first = np.empty(BUCKETS, np.int32), np.empty(BUCKETS, np.int32)
    sample, state = np.empty(BUCKETS, np.uint64), np.empty(BUCKETS, np.int8)
    columns = np.arange(n_vars).astype(np.int32)
    at = 0
    for i in range(n_obs):
        m, rows[i, 0], rows[i, 1], rows[i, 2] = _rank_row(
            x[i], columns, n_vars, slot_of, bucket_of, stored, counts, first, sample, state,
            slots[at:], less[at:], equal[at:],
        )  # fmt: skip
        at += m
        pointer[i + 1] = at
    return pointer, slots[:at].copy(), less[:at].copy(), equal[:at].copy(), rows


@jit
def spread_entries(
    pointer: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int32],
    less: npt.NDArray[np.int32],
    equal: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    n_slots: int,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return `less` and `equal` as ``(n_obs, n_slots)``, with the zeros' block where there is no entry."""
    n_obs = pointer.size - 1
    all_less, all_equal = np.empty((n_obs, n_slots), np.int32), np.empty((n_obs, n_slots), np.int32)
    for i in range(n_obs):
        all_less[i, :] = rows[i, 1]
        all_equal[i, :] = rows[i, 2]
        for k in range(pointer[i], pointer[i + 1]):
            all_less[i, slots[k]] = less[k]
            all_equal[i, slots[k]] = equal[k]
    return all_less, all_equal


def rank_sorted(
    x: npt.NDArray[np.float64], slot_of: npt.NDArray[np.int32], n_slots: int
) -> tuple[
    npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int64]
]:
    """Rank the rows of a dense block by sorting; the same numbers as `rank_dense`.

    Where nearly all values of a row differ its buckets are all mixed, and numpy's vectorised sort of what is not 0 is
    several times faster.
    """
    n_obs = x.shape[0]
    size = n_obs * n_slots
    slots, less, equal = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    pointer, rows = np.zeros(n_obs + 1, np.int64), np.empty((n_obs, 3), np.int64)
    at = 0
    for i in range(n_obs):
        stored = np.flatnonzero(x[i])
        values = x[i][stored]
        order = np.argsort(values)
        m = _write_sorted(values, stored, order, x.shape[1], slot_of, rows[i], slots[at:], less[at:], equal[at:])
        at += m
        pointer[i + 1] = at
    return pointer, slots[:at].copy(), less[:at].copy(), equal[:at].copy(), rows


@jit
def _write_sorted(
    values: npt.NDArray[np.float64],
    stored: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    n_vars: int,
    slot_of: npt.NDArray[np.int32],
    row: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int32],
    less: npt.NDArray[np.int32],
    equal: npt.NDArray[np.int32],
) -> int:
    """Write the entries of one row in the order of its columns; return how many there are."""
    n = values.size
    known = n
    while known > 0 and values[order[known - 1]] != values[order[known - 1]]:
        known -= 1
    n_zero = n_vars - n
    below, same = np.empty(n, np.int32), np.empty(n, np.int32)
    negative = 0
    a = 0
    while a < known:
        v = values[order[a]]
        b = a + 1
        while b < known and values[order[b]] == v:
            b += 1
        if v < 0.0:
            negative = b
        for k in range(a, b):
            below[order[k]] = a if v < 0.0 else a + n_zero
            same[order[k]] = b - a
        a = b
    for k in range(known, n):
        below[order[k]] = NAN_RANK
        same[order[k]] = 0
    row[0], row[1], row[2] = n - known, negative, n_zero
    m = 0
    for k in range(n):
        s = slot_of[stored[k]]
        if s >= 0:
            slots[m], less[m], equal[m] = s, below[k], same[k]
            m += 1
    return m

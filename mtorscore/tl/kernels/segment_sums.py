"""Statistics of each gene set within a block of per-gene numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtorscore.tl.kernels.jit import jit, jit_within

__all__ = ["longest_segment", "segment_mad", "segment_sum"]

# Rows that are added up side by side: their sums fill a vector register.
ROWS = 16


@jit_within
def longest_segment(indptr: npt.NDArray[np.int64]) -> np.int64:
    """Return the largest size of the segments ``indptr[i]:indptr[i + 1]``."""
    longest = np.int64(0)
    for i in range(indptr.size - 1):
        longest = max(longest, indptr[i + 1] - indptr[i])
    return longest


@jit
def segment_sum(
    values: npt.NDArray[np.float64],
    indptr: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    skip_nan: bool,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return weighted sums, and the number of genes that they cover, both ``(n_obs, n_sets)``.

    NaN propagates to the sum unless `skip_nan`. Every sum is taken in the order of `slots`, whatever the block of rows.
    """
    n_obs, n_genes = values.shape
    n_sets = indptr.size - 1
    sums = np.zeros((n_obs, n_sets))
    counts = np.empty((n_obs, n_sets), dtype=np.int64)
    if skip_nan:
        _sum_without_nan(values, indptr, slots, weights, sums, counts)
        return sums, counts
    for j in range(n_sets):
        for i in range(n_obs):
            counts[i, j] = indptr[j + 1] - indptr[j]
    if n_obs < ROWS or slots.size < n_genes:
        for i in range(n_obs):
            row = values[i]
            for j in range(n_sets):
                total = 0.0
                for k in range(indptr[j], indptr[j + 1]):
                    total += row[slots[k]] * weights[k]
                sums[i, j] = total
        return sums, counts
    # The transpose of a block of rows: a gene of ROWS rows is contiguous, so their sums are vectorised.
    transposed = np.zeros((n_genes, ROWS))
    total_of = np.empty(ROWS)
    for first in range(0, n_obs, ROWS):
        width = min(ROWS, n_obs - first)
        for g in range(n_genes):
            for i in range(width):
                transposed[g, i] = values[first + i, g]
        for j in range(n_sets):
            for i in range(ROWS):
                total_of[i] = 0.0
            for k in range(indptr[j], indptr[j + 1]):
                run = transposed[slots[k]]
                w = weights[k]
                for i in range(ROWS):
                    total_of[i] += run[i] * w
            for i in range(width):
                sums[first + i, j] = total_of[i]
    return sums, counts


@jit_within
def _sum_without_nan(
    values: npt.NDArray[np.float64],
    indptr: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
) -> None:
    """Write the sums, and numbers, of the genes that are not NaN."""
    for i in range(values.shape[0]):
        row = values[i]
        for j in range(indptr.size - 1):
            total = 0.0
            n = 0
            for k in range(indptr[j], indptr[j + 1]):
                v = row[slots[k]]
                if v == v:
                    total += v * weights[k]
                    n += 1
            sums[i, j] = total
            counts[i, j] = n


@jit
def segment_mad(
    values: npt.NDArray[np.float64],
    indptr: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int64],
    skip_nan: bool,
) -> npt.NDArray[np.float64]:
    """Return 1.4826 times the median absolute deviation of each set, ``(n_obs, n_sets)``; NaN for an empty set."""
    n_obs = values.shape[0]
    n_sets = indptr.size - 1
    out = np.full((n_obs, n_sets), np.nan)
    buffer = np.empty(longest_segment(indptr))
    for i in range(n_obs):
        for j in range(n_sets):
            n = 0
            has_nan = False
            for k in range(indptr[j], indptr[j + 1]):
                v = values[i, slots[k]]
                if v != v:
                    has_nan = has_nan or not skip_nan
                    continue
                buffer[n] = v
                n += 1
            if has_nan or n == 0:
                continue
            part = buffer[:n]
            part.sort()
            centre = 0.5 * (part[(n - 1) // 2] + part[n // 2])
            for k in range(n):
                part[k] = abs(part[k] - centre)
            part.sort()
            out[i, j] = 1.4826 * (0.5 * (part[(n - 1) // 2] + part[n // 2]))
    return out

"""Statistics of each gene set within a block of per-gene numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtorscore.tl.kernels.jit import jit

__all__ = ["segment_mad", "segment_sum"]

LANES = 16


@jit
def segment_sum(
    values: npt.NDArray[np.float64],
    indptr: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    skip_nan: bool,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return weighted sums, and the number of genes that they cover, both ``(n_obs, n_sets)``.

    NaN spreads to the sum unless `skip_nan`. Every sum is taken in the order of `slots`, whatever the block of rows.
    """
    n_obs, n_genes = values.shape
    n_sets = indptr.size - 1
    sums = np.zeros((n_obs, n_sets))
    counts = np.empty((n_obs, n_sets), dtype=np.int64)
    if skip_nan:
        _skipping_sum(values, indptr, slots, weights, sums, counts)
        return sums, counts
    for j in range(n_sets):
        counts[:, j] = indptr[j + 1] - indptr[j]
    if n_obs < LANES or slots.size < n_genes:
        for i in range(n_obs):
            row = values[i]
            for j in range(n_sets):
                total = 0.0
                for k in range(indptr[j], indptr[j + 1]):
                    total += row[slots[k]] * weights[k]
                sums[i, j] = total
        return sums, counts
    # Rows side by side: one gene of LANES rows is one run of memory, and their sums go on together.
    turned = np.zeros((n_genes, LANES))
    total_of = np.empty(LANES)
    for first in range(0, n_obs, LANES):
        width = min(LANES, n_obs - first)
        for g in range(n_genes):
            for i in range(width):
                turned[g, i] = values[first + i, g]
        for j in range(n_sets):
            total_of[:] = 0.0
            for k in range(indptr[j], indptr[j + 1]):
                run = turned[slots[k]]
                w = weights[k]
                for i in range(LANES):
                    total_of[i] += run[i] * w
            for i in range(width):
                sums[first + i, j] = total_of[i]
    return sums, counts


@jit
def _skipping_sum(
    values: npt.NDArray[np.float64],
    indptr: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
) -> None:
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
    longest = 0
    for j in range(n_sets):
        longest = max(longest, indptr[j + 1] - indptr[j])
    buffer = np.empty(longest)
    for i in range(n_obs):
        for j in range(n_sets):
            n = 0
            spoilt = False
            for k in range(indptr[j], indptr[j + 1]):
                v = values[i, slots[k]]
                if v != v:
                    spoilt = spoilt or not skip_nan
                    continue
                buffer[n] = v
                n += 1
            if spoilt or n == 0:
                continue
            part = buffer[:n]
            part.sort()
            centre = 0.5 * (part[(n - 1) // 2] + part[n // 2])
            for k in range(n):
                part[k] = abs(part[k] - centre)
            part.sort()
            out[i, j] = 1.4826 * (0.5 * (part[(n - 1) // 2] + part[n // 2]))
    return out

"""Sums over sparse or dense rows, added up in column order, so that no result depends on blocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtorscore.tl.kernels.jit import jit

__all__ = [
    "bin_sums_csr",
    "bin_sums_dense",
    "column_sums_csr",
    "columns_csr",
    "count_special",
    "dot_csr",
    "dot_dense",
    "gene_squares_csr",
    "gene_sums_csr",
    "row_moments_csr",
    "row_moments_dense",
]


@jit
def dot_csr(
    data: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int32],
    indptr: npt.NDArray[np.int64],
    gene_ptr: npt.NDArray[np.int64],
    gene_set: npt.NDArray[np.int32],
    gene_weight: npt.NDArray[np.float64],
    n_sets: int,
) -> npt.NDArray[np.float64]:
    """Return ``X @ W`` for weights stored by gene: gene g adds to sets ``gene_set[gene_ptr[g]:gene_ptr[g + 1]]``."""
    n_obs = indptr.size - 1
    out = np.zeros((n_obs, n_sets))
    for i in range(n_obs):
        row = out[i]
        for k in range(indptr[i], indptr[i + 1]):
            g = indices[k]
            v = data[k]
            for j in range(gene_ptr[g], gene_ptr[g + 1]):
                row[gene_set[j]] += v * gene_weight[j]
    return out


@jit
def dot_dense(
    x: npt.NDArray[np.float64],
    gene_ptr: npt.NDArray[np.int64],
    gene_set: npt.NDArray[np.int32],
    gene_weight: npt.NDArray[np.float64],
    n_sets: int,
) -> npt.NDArray[np.float64]:
    """Return ``X @ W`` for a dense block; see `dot_csr`."""
    n_obs, n_vars = x.shape
    out = np.zeros((n_obs, n_sets))
    for i in range(n_obs):
        row = out[i]
        for g in range(n_vars):
            v = x[i, g]
            # In a function of its own, this loop takes twice as long.
            for j in range(gene_ptr[g], gene_ptr[g + 1]):
                row[gene_set[j]] += v * gene_weight[j]
    return out


@jit
def row_moments_csr(
    data: npt.NDArray[np.float64], indptr: npt.NDArray[np.int64], n_vars: int
) -> npt.NDArray[np.float64]:
    """Return per row: valid values, their mean, and the sum of squared deviations, zeros included."""
    n_obs = indptr.size - 1
    out = np.zeros((n_obs, 3))
    for i in range(n_obs):
        total = 0.0
        n_nan = 0
        n_other = 0
        for k in range(indptr[i], indptr[i + 1]):
            v = data[k]
            if v != v:
                n_nan += 1
            elif v != 0.0:
                n_other += 1
                total += v
        n = n_vars - n_nan
        mean = total / n if n > 0 else np.nan
        squares = (n - n_other) * mean * mean if n > 0 else np.nan
        for k in range(indptr[i], indptr[i + 1]):
            v = data[k]
            if v == v and v != 0.0:
                squares += (v - mean) * (v - mean)
        out[i, 0] = n
        out[i, 1] = mean
        out[i, 2] = squares
    return out


@jit
def row_moments_dense(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the moments of `row_moments_csr` for a dense block; sharing its loops through a function is slower."""
    n_obs, n_vars = x.shape
    out = np.zeros((n_obs, 3))
    for i in range(n_obs):
        total = 0.0
        n_nan = 0
        n_zero = 0
        for g in range(n_vars):
            v = x[i, g]
            if v != v:
                n_nan += 1
            elif v == 0.0:
                n_zero += 1
            else:
                total += v
        n = n_vars - n_nan
        mean = total / n if n > 0 else np.nan
        # Zeros are added in one product, as they are for a sparse row: the same bits for both.
        squares = n_zero * mean * mean if n > 0 else np.nan
        for g in range(n_vars):
            v = x[i, g]
            if v == v and v != 0.0:
                squares += (v - mean) * (v - mean)
        out[i, 0] = n
        out[i, 1] = mean
        out[i, 2] = squares
    return out


def columns_csr(
    data: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int32],
    indptr: npt.NDArray[np.int64],
    slot_of: npt.NDArray[np.int32],
    n_slots: int,
) -> npt.NDArray[np.float64]:
    """Return chosen columns of a CSR block as a dense ``(n_obs, n_slots)``."""
    # Made outside compiled code: numba compiles each kind of np.zeros anew, a quarter of a second.
    out = np.zeros((indptr.size - 1, n_slots))
    _columns_csr(data, indices, indptr, slot_of, out)
    return out


@jit
def _columns_csr(
    data: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int32],
    indptr: npt.NDArray[np.int64],
    slot_of: npt.NDArray[np.int32],
    out: npt.NDArray[np.float64],
) -> None:
    for i in range(out.shape[0]):
        for k in range(indptr[i], indptr[i + 1]):
            s = slot_of[indices[k]]
            if s >= 0:
                out[i, s] = data[k]


@jit
def bin_sums_csr(
    data: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int32],
    indptr: npt.NDArray[np.int64],
    bin_of: npt.NDArray[np.int64],
    n_bins: int,
) -> npt.NDArray[np.float64]:
    """Return per row the sum of the values in each bin of columns; bin -1 is left out."""
    n_obs = indptr.size - 1
    out = np.zeros((n_obs, n_bins))
    for i in range(n_obs):
        row = out[i]
        for k in range(indptr[i], indptr[i + 1]):
            b = bin_of[indices[k]]
            if b >= 0:
                row[b] += data[k]
    return out


@jit
def bin_sums_dense(x: npt.NDArray[np.float64], bin_of: npt.NDArray[np.int64], n_bins: int) -> npt.NDArray[np.float64]:
    """Return the sums of `bin_sums_csr` for a dense block."""
    n_obs, n_vars = x.shape
    out = np.zeros((n_obs, n_bins))
    for i in range(n_obs):
        row = out[i]
        for g in range(n_vars):
            if bin_of[g] >= 0:
                row[bin_of[g]] += x[i, g]
    return out


@jit
def gene_sums_csr(
    data: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int32],
    slot_of: npt.NDArray[np.int32],
    n_slots: int,
) -> npt.NDArray[np.float64]:
    """Return per chosen column: sum, non-zero numbers, NaN, and the smallest and largest non-zero number."""
    out = np.zeros((5, n_slots))
    out[3, :] = np.inf
    out[4, :] = -np.inf
    for k in range(data.size):
        s = slot_of[indices[k]]
        if s < 0:
            continue
        v = data[k]
        if v != v:
            out[2, s] += 1.0
        elif v != 0.0:
            out[0, s] += v
            out[1, s] += 1.0
            out[3, s] = min(out[3, s], v)
            out[4, s] = max(out[4, s], v)
    return out


@jit
def gene_squares_csr(
    data: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int32],
    slot_of: npt.NDArray[np.int32],
    mean: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return per chosen column the sum of squared deviations of its non-zero numbers from `mean`."""
    out = np.zeros(mean.size)
    for k in range(data.size):
        s = slot_of[indices[k]]
        if s >= 0:
            v = data[k]
            if v == v and v != 0.0:
                out[s] += (v - mean[s]) ** 2
    return out


@jit
def column_sums_csr(
    data: npt.NDArray[np.float64], indices: npt.NDArray[np.int32], n_vars: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return per column the sum of values and the number of NaN."""
    sums = np.zeros(n_vars)
    missing = np.zeros(n_vars)
    for k in range(data.size):
        v = data[k]
        if v != v:
            missing[indices[k]] += 1.0
        else:
            sums[indices[k]] += v
    return sums, missing


@jit
def count_special(values: npt.NDArray[np.float64]) -> tuple[int, int, int]:
    """Return how many values are NaN, infinite and negative."""
    n_nan = 0
    n_inf = 0
    n_negative = 0
    for k in range(values.size):
        v = values[k]
        if v != v:
            n_nan += 1
        elif np.isinf(v):
            n_inf += 1
        elif v < 0.0:
            n_negative += 1
    return n_nan, n_inf, n_negative

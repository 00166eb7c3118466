"""The ranking pass that all rank methods share.

For a row and a gene of interest two numbers say everything that a rank method needs: how many values of the row are
smaller, and how many are equal. Zeros are never sorted: they form one block between negative and positive values.
NaN has no rank; it is counted and marked.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mtorscore.tl.kernels._jit import jit

__all__ = ["rank_csr", "rank_dense"]

NAN_RANK = -1


@jit
def _rank_row(
    values: npt.NDArray[np.float64],
    columns: npt.NDArray[np.int32],
    n_stored: int,
    n_vars: int,
    slot_of: npt.NDArray[np.int32],
    buffer: npt.NDArray[np.float64],
    less: npt.NDArray[np.int32],
    equal: npt.NDArray[np.int32],
) -> tuple[int, int]:
    """Fill `less` and `equal` for one row; return the number of NaN and of infinite values."""
    n = 0
    n_nan = 0
    n_inf = 0
    n_negative = 0
    for k in range(n_stored):
        v = values[k]
        if v != v:
            n_nan += 1
        elif v != 0.0:
            if math.isinf(v):
                n_inf += 1
            if v < 0.0:
                n_negative += 1
            buffer[n] = v
            n += 1
    n_zero = n_vars - n_nan - n
    ordered = buffer[:n]
    ordered.sort()
    for s in range(less.size):
        less[s] = n_negative
        equal[s] = n_zero
    for k in range(n_stored):
        s = slot_of[columns[k]]
        if s < 0:
            continue
        v = values[k]
        if v != v:
            less[s] = NAN_RANK
            equal[s] = 0
        elif v != 0.0:
            low = np.searchsorted(ordered, v, side="left")
            high = np.searchsorted(ordered, v, side="right")
            less[s] = low if v < 0.0 else low + n_zero
            equal[s] = high - low
    return n_nan, n_inf


@jit
def rank_csr(
    data: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int32],
    indptr: npt.NDArray[np.int64],
    n_vars: int,
    slot_of: npt.NDArray[np.int32],
    n_slots: int,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int64], int]:
    """Rank the rows of a CSR block.

    Parameters
    ----------
    data, indices, indptr
        The block; no entry stored twice.
    n_vars
        Columns, stored or not.
    slot_of
        ``(n_vars,)`` place of a column in the result, -1 for columns of no interest.
    n_slots
        Columns of interest.

    Returns
    -------
    less, equal
        ``(n_obs, n_slots)`` smaller values and size of the tie block; `less` is -1 where the value is NaN.
    n_nan
        ``(n_obs,)`` NaN per row.
    n_inf
        Infinite values met.
    """
    n_obs = indptr.size - 1
    less = np.empty((n_obs, n_slots), dtype=np.int32)
    equal = np.empty((n_obs, n_slots), dtype=np.int32)
    n_nan = np.zeros(n_obs, dtype=np.int64)
    n_inf = 0
    longest = 0
    for i in range(n_obs):
        longest = max(longest, indptr[i + 1] - indptr[i])
    buffer = np.empty(longest)
    for i in range(n_obs):
        a, b = indptr[i], indptr[i + 1]
        n_nan[i], inf = _rank_row(data[a:b], indices[a:b], b - a, n_vars, slot_of, buffer, less[i], equal[i])
        n_inf += inf
    return less, equal, n_nan, n_inf


@jit
def rank_dense(
    x: npt.NDArray[np.float64], slot_of: npt.NDArray[np.int32], n_slots: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int64], int]:
    """Rank the rows of a C-contiguous dense block; see `rank_csr`."""
    n_obs, n_vars = x.shape
    less = np.empty((n_obs, n_slots), dtype=np.int32)
    equal = np.empty((n_obs, n_slots), dtype=np.int32)
    n_nan = np.zeros(n_obs, dtype=np.int64)
    n_inf = 0
    buffer = np.empty(n_vars)
    columns = np.arange(n_vars).astype(np.int32)
    for i in range(n_obs):
        n_nan[i], inf = _rank_row(x[i], columns, n_vars, n_vars, slot_of, buffer, less[i], equal[i])
        n_inf += inf
    return less, equal, n_nan, n_inf

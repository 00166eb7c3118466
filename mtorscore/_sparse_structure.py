"""The one check of compressed sparse matrices: compiled code reads memory at the places that a file names.

Readers, scoring in memory, from a backed AnnData and from disk all come through here, so that a column number out of
range, a pointer that goes down or a shape that does not fit is a sentence, and never a read beyond an array.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from mtorscore.errors import DataError, FormatError

__all__ = [
    "all_missing",
    "can_be_sparse",
    "canonical",
    "check_indices",
    "check_numbers",
    "check_pointers",
    "check_stored_pointers",
    "compressed",
    "load_stored",
    "without_repeats",
]

Ints = npt.NDArray[np.int64]
MOST_COLUMNS = 2**31 - 1


def check_pointers(
    indptr: npt.NDArray[Any], n_rows: int, n_stored: int, *, path: str | Path | None = None, name: str = "the matrix"
) -> Ints:
    """Return the pointers as int64 once they are known to start at 0, never go down and end at the last entry.

    Parameters
    ----------
    indptr
        ``(n_rows + 1,)`` first entry of each row (of each column, in a matrix stored by columns).
    n_rows, n_stored
        What the matrix claims: rows (or columns), and the entries that there are.
    path, name
        Where it came from, for the error.

    Raises
    ------
    FormatError
        If they do not fit.
    """
    if indptr.ndim != 1 or indptr.dtype.kind not in "iu":
        _refuse(f"its pointers are {indptr.dtype} of {indptr.ndim} dimension(s), not one list of integers", path, name)
    if indptr.size != n_rows + 1:
        _refuse(f"there are {indptr.size} pointers for {n_rows} rows or columns, which need {n_rows + 1}", path, name)
    if int(indptr[0]) != 0:
        _refuse(f"its first pointer is {int(indptr[0])} instead of 0", path, name)
    if indptr.dtype.itemsize == 8 and int(indptr.max()) > np.iinfo(np.int64).max:
        _refuse(f"a pointer is {int(indptr.max())}", path, name)
    pointers: Ints = indptr.astype(np.int64)
    down = np.flatnonzero(pointers[1:] < pointers[:-1])
    if down.size:
        at = int(down[0])
        _refuse(f"pointer {at + 1} goes down from {pointers[at]} to {pointers[at + 1]}", path, name)
    if int(pointers[-1]) != n_stored:
        _refuse(f"its last pointer is {pointers[-1]}, and {n_stored} entries are stored", path, name)
    return pointers


def check_indices(
    indices: npt.NDArray[Any], n_columns: int, *, path: str | Path | None = None, name: str = "the matrix"
) -> None:
    """Raise FormatError unless all column numbers (row numbers, in a matrix stored by columns) are in range."""
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        _refuse(f"its indices are {indices.dtype} of {indices.ndim} dimension(s), not one list of integers", path, name)
    if not indices.size:
        return
    low, high = int(indices.min()), int(indices.max())
    if low < 0 or high >= n_columns:
        n = int(np.count_nonzero((indices < 0) | (indices >= n_columns)))
        wrong = low if low < 0 else high
        _refuse(f"{n} index(es) lie outside of 0 to {n_columns - 1}, such as {wrong}", path, name)


def check_numbers(dtype: Any, *, path: str | Path | None = None) -> None:
    """Raise DataError, of a file FormatError, unless values of this type can be scored."""
    if np.dtype(dtype).kind not in "biuf":
        wrong = f"The matrix holds values of type {dtype}; numbers are needed."
        raise DataError(wrong) if path is None else FormatError(wrong, path=path)


def all_missing(matrix: Any) -> bool:
    """Whether every value of a dense or sparse matrix is NaN; one without values is not missing."""
    if hasattr(matrix, "tocsr"):
        values = matrix.data
        if values.size < matrix.shape[0] * matrix.shape[1]:
            return False
    else:
        values = np.asarray(matrix)
    if not values.size or values.dtype.kind != "f" or not np.isnan(values[:1]).all():
        return False
    return bool(np.isnan(values).all())


def check_stored_pointers(
    node: Any, shape: tuple[int, int], n_rows: int, *, path: str | Path | None = None, name: str = "the matrix"
) -> Ints:
    """Check lengths, types and pointers of a sparse matrix on disk; the indices are checked where they are read.

    Parameters
    ----------
    node
        Group with the arrays ``data``, ``indices`` and ``indptr``.
    shape
        Observations and genes that the file claims.
    n_rows
        That of the two by which the matrix is stored.
    path, name
        Where it came from, for the error.

    Returns
    -------
    numpy.ndarray
        The pointers as int64.

    Raises
    ------
    FormatError
        If an array is missing, or they do not fit each other.
    DataError
        If the values are no numbers.
    """
    arrays = {}
    for key in ("data", "indices", "indptr"):
        found = node.get(key)
        if found is None or not hasattr(found, "dtype") or len(found.shape) != 1:
            _refuse(f"it has no list {key!r}", path, name)
        arrays[key] = found
    check_numbers(arrays["data"].dtype, path=path)
    if min(shape) < 0 or min(n_rows, shape[1]) > MOST_COLUMNS or shape[1] > MOST_COLUMNS:
        _refuse(f"it claims {shape[0]} x {shape[1]} values", path, name)
    n_stored = int(arrays["data"].shape[0])
    if int(arrays["indices"].shape[0]) != n_stored:
        _refuse(f"there are {arrays['indices'].shape[0]} indices for {n_stored} values", path, name)
    if arrays["indices"].dtype.kind not in "iu":
        _refuse(f"its indices are {arrays['indices'].dtype}, not integers", path, name)
    # Before anything of this length is made.
    if int(arrays["indptr"].shape[0]) != n_rows + 1:
        _refuse(
            f"there are {arrays['indptr'].shape[0]} pointers for {n_rows} rows or columns, which need {n_rows + 1}",
            path,
            name,
        )
    return check_pointers(np.asarray(arrays["indptr"][:]), n_rows, n_stored, path=path, name=name)


def compressed(
    data: npt.NDArray[Any],
    indices: npt.NDArray[Any],
    indptr: npt.NDArray[Any],
    shape: tuple[int, int],
    *,
    path: str | Path | None = None,
    name: str = "the matrix",
) -> Any:
    """Make a scipy CSR matrix of three arrays: all checked, columns sorted, repeated entries summed.

    Parameters
    ----------
    data, indices, indptr
        The values, their columns, and the first entry of each row; any integer and number type, any byte order.
    shape
        Rows and columns.
    path, name
        Where it came from, for the error.

    Returns
    -------
    scipy.sparse.csr_matrix
        In canonical form. Arrays are shared with the caller where nothing had to change.

    Raises
    ------
    FormatError
        If the arrays do not fit the shape or each other.
    DataError
        If the values are no numbers.
    """
    from scipy import sparse

    check_numbers(data.dtype, path=path)
    if data.ndim != 1 or data.size != indices.size:
        _refuse(f"there are {indices.size} indices for {data.size} values", path, name)
    pointers = check_pointers(indptr, shape[0], data.size, path=path, name=name)
    check_indices(indices, shape[1], path=path, name=name)
    width = np.int32 if max(shape[1], data.size) <= MOST_COLUMNS else np.int64
    made = sparse.csr_matrix(
        (_native(data), indices.astype(width, copy=False), pointers.astype(width, copy=False)), shape=shape, copy=False
    )
    if made.has_canonical_format:
        return made
    made = made.copy()
    made.sort_indices()
    if not made.has_canonical_format:
        # Small integers would overflow in the sum.
        made = made if made.dtype.kind == "f" else made.astype(np.float64)
        made.sum_duplicates()
    return made


def load_stored(node: Any, layout: str, shape: tuple[int, int], *, path: str | Path | None = None) -> Any:
    """Load a sparse matrix from disk as canonical CSR or CSC, whatever number type and byte order it has.

    Parameters
    ----------
    node
        Group with the arrays ``data``, ``indices`` and ``indptr``.
    layout, shape
        ``"csr"`` or ``"csc"``, and the shape that it claims.
    path
        For the error.

    Raises
    ------
    FormatError
        If the arrays do not fit the shape or each other.
    """
    data, indices, indptr = (np.asarray(node[key][:]) for key in ("data", "indices", "indptr"))
    stored = shape if layout == "csr" else (shape[1], shape[0])
    held = compressed(data, indices, indptr, stored, path=path, name=str(node.name))
    return held if layout == "csr" else held.T


def canonical(matrix: Any, *, path: str | Path | None = None, name: str = "the matrix") -> Any:
    """Return any scipy sparse matrix as checked CSR with sorted columns and no entry twice.

    The caller's object is left as it is. What it says about its own order is not relied upon: whoever built it from a
    file may have been wrong.

    Parameters
    ----------
    matrix
        Any scipy sparse matrix or array.
    path, name
        Where it came from, for the error.

    Raises
    ------
    FormatError
        If its arrays do not fit its shape or each other.
    DataError
        If the values are no numbers.
    """
    check_numbers(matrix.dtype, path=path)
    kind = matrix.format
    if kind in ("csr", "csc"):
        held = _summed(matrix, path, name)
        return held if kind == "csr" else held.T.tocsr()
    if kind == "coo":
        for axis, places in enumerate(matrix.coords):
            check_indices(np.asarray(places), matrix.shape[axis], path=path, name=name)
    elif kind == "bsr":
        n_rows, n_columns = (n // b for n, b in zip(matrix.shape, matrix.blocksize, strict=True))
        check_pointers(matrix.indptr, n_rows, len(matrix.data), path=path, name=name)
        check_indices(matrix.indices, n_columns, path=path, name=name)
    wide = matrix if matrix.dtype.kind == "f" else matrix.astype(np.float64)
    rows = wide.tocsr()
    return compressed(rows.data, rows.indices, rows.indptr, rows.shape, path=path, name=name)


def without_repeats(matrix: Any, *, path: str | Path | None = None, name: str = "the matrix") -> tuple[Any, int]:
    """Check a CSR or CSC matrix and sum entries that are repeated; it stays in its layout.

    Parameters
    ----------
    matrix
        scipy CSR or CSC matrix, whose arrays are used up to the last pointer.
    path, name
        Where it came from, for the error.

    Returns
    -------
    matrix, n
        The object itself if no entry was repeated, and how many were.

    Raises
    ------
    FormatError
        If its arrays do not fit its shape or each other.
    """
    held = _summed(matrix, path, name)
    n = int(matrix.indptr[-1]) - int(held.nnz)
    if not n:
        return matrix, 0
    return type(matrix)(held if matrix.format == "csr" else held.T), n


def _summed(matrix: Any, path: str | Path | None, name: str) -> Any:
    """Return a CSR or CSC matrix as canonical CSR, of its transpose for CSC."""
    # scipy allows arrays that are longer than what the pointers use.
    used = slice(0, max(int(matrix.indptr[-1]), 0) if matrix.indptr.size else 0)
    shape = matrix.shape if matrix.format == "csr" else matrix.shape[::-1]
    return compressed(matrix.data[used], matrix.indices[used], matrix.indptr, shape, path=path, name=name)


def can_be_sparse(dtype: Any) -> bool:
    """Whether scipy has sparse matrices of this type: not of half precision, nor of the other byte order."""
    kind = np.dtype(dtype)
    return bool(kind.isnative) and (kind.kind != "f" or kind.itemsize in (4, 8))


def _native(data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return numbers of a type and byte order that scipy computes with."""
    if data.dtype.kind == "f" and data.dtype.itemsize not in (4, 8):
        return data.astype(np.float32 if data.dtype.itemsize == 2 else np.float64)
    return data.astype(data.dtype.newbyteorder("="), copy=False)


def _refuse(what: str, path: str | Path | None, name: str) -> NoReturn:
    raise FormatError(
        f"{name} is stored as a sparse matrix that is damaged: {what}. Get the file again, or write it again from the "
        "original.",
        path=path,
    )

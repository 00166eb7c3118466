"""Open any supported container as a source of row blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore._sparse_structure import can_be_sparse, canonical, check_numbers, check_stored_pointers, load_stored
from mtorscore.errors import DataError, examples
from mtorscore.io.formats.stored_matrices import sound
from mtorscore.tl.engine.source import Source, path_of

__all__ = ["SUPPORTED", "open_source"]


SUPPORTED = "numpy array, pandas DataFrame, scipy sparse matrix, backed AnnData matrix or Dask array"


def open_source(
    matrix: Any,
    *,
    rows: npt.NDArray[np.int64] | None = None,
    columns: npt.NDArray[np.int64] | None = None,
    block: int | None = None,
) -> Source:
    """Open a matrix as a source of row blocks.

    Parameters
    ----------
    matrix
        Numpy array, pandas DataFrame, scipy sparse matrix, backed AnnData matrix or Dask array, observations x genes.
    rows
        Rows to keep, ascending.
    columns
        Columns to keep, in the order wanted.
    block
        Rows per tile.

    Returns
    -------
    Source
        Reads nothing yet, unless the container has to be converted from columns to rows.

    Raises
    ------
    DataError
        If the container is not supported, is not two-dimensional, is empty or holds text.
    FormatError
        If the arrays of a sparse matrix do not fit its shape or each other; those of a backed one are checked block
        by block.
    """
    from scipy import sparse

    kind = f"{type(matrix).__module__}.{type(matrix).__qualname__}"
    if hasattr(matrix, "iloc") and hasattr(matrix, "to_numpy"):
        matrix = _from_frame(matrix)
    if isinstance(matrix, np.matrix | np.ma.MaskedArray):
        raise DataError(f"A {kind} cannot be scored; give a {SUPPORTED}.")
    if sparse.issparse(matrix):
        matrix = canonical(matrix)
    elif _is_backed(matrix):
        matrix = _checked_backed(matrix)
    elif not (isinstance(matrix, np.ndarray) or _is_lazy(matrix)):
        raise DataError(f"A {kind} cannot be scored; give a {SUPPORTED}.")
    if len(matrix.shape) != 2:
        raise DataError(f"The matrix has {len(matrix.shape)} dimension(s); observations x genes, 2, are needed.")
    check_numbers(matrix.dtype)
    if kind.startswith("dask."):
        from mtorscore.tl.engine.dask_source import known_chunks

        matrix = known_chunks(matrix)
    n_obs, n_vars = int(matrix.shape[0]), int(matrix.shape[1])
    if n_obs == 0 or n_vars == 0:
        raise DataError(f"The matrix is empty: {n_obs} observations x {n_vars} genes.")
    if n_vars >= 2**31:
        raise DataError(f"The matrix has {n_vars} columns; at most {2**31 - 1} can be ranked.")
    if kind.startswith("dask."):
        from mtorscore.tl.engine.dask_source import dask_source

        return dask_source(matrix, rows=rows, columns=columns, block=block)
    shape = (n_obs if rows is None else len(rows), n_vars if columns is None else len(columns))
    return Source(matrix, *shape, rows, block, columns)


def _is_lazy(matrix: Any) -> bool:
    """Whether the object is a matrix on disk or a task graph that row slices can be read from."""
    module = type(matrix).__module__.split(".")[0]
    return module in {"dask", "h5py", "zarr", "anndata"} and hasattr(matrix, "shape") and hasattr(matrix, "dtype")


def _is_backed(matrix: Any) -> bool:
    return type(matrix).__name__.removeprefix("_") in {"CSRDataset", "CSCDataset"} and hasattr(matrix, "group")


def _checked_backed(matrix: Any) -> Any:
    """Return a sparse matrix of a backed AnnData with sound pointers.

    It is loaded where it is stored by columns, or in numbers that scipy has no sparse matrices of.
    """
    group = matrix.group
    path = path_of(matrix)
    by_rows = matrix.format == "csr"
    with sound(path):
        shape = (int(matrix.shape[0]), int(matrix.shape[1]))
        check_stored_pointers(group, shape, shape[0 if by_rows else 1], path=path, name=str(group.name))
        if by_rows and can_be_sparse(group["data"].dtype):
            return matrix
        return load_stored(group, matrix.format, shape, path=path).tocsr()


def _from_frame(frame: Any) -> npt.NDArray[Any]:
    text = [c for c, t in zip(frame.columns, frame.dtypes, strict=True) if t.kind not in "biuf"]
    if text:
        try:
            return frame[frame.columns].astype(np.float64).to_numpy()  # type: ignore[no-any-return]
        except (TypeError, ValueError) as error:
            raise DataError(f"{len(text)} column(s) hold text, not numbers ({examples(text)}).") from error
    return frame.to_numpy()  # type: ignore[no-any-return]

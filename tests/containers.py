"""The containers that can hold an expression matrix, for tests of what must not depend on them.

A test that takes the fixture `array_type` runs once for each of them; `@in_memory` and `@dense_and_sparse` choose
fewer. Hypothesis draws a container from `IN_MEMORY` instead, since it does not go together with such a fixture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import sparse

__all__ = ["ARRAY_TYPES", "IN_MEMORY", "ArrayType", "dense_and_sparse", "in_memory"]


@dataclass(frozen=True)
class ArrayType:
    """A container; calling it converts a numpy array ``(n_obs, n_vars)``."""

    name: str
    convert: Callable[[np.ndarray], Any]

    def __call__(self, x: Any) -> Any:
        """Return the values in this container."""
        return self.convert(np.asarray(x))

    def __str__(self) -> str:
        return self.name


def _dask(x: np.ndarray, chunks: tuple[int, int]) -> Any:
    import dask.array

    return dask.array.from_array(x, chunks=chunks)


ARRAY_TYPES = {
    kind.name: kind
    for kind in (
        ArrayType("numpy-c", np.ascontiguousarray),
        ArrayType("numpy-f", np.asfortranarray),
        ArrayType("csr_matrix", sparse.csr_matrix),
        ArrayType("csc_matrix", sparse.csc_matrix),
        ArrayType("csr_array", sparse.csr_array),
        ArrayType("dask", lambda x: _dask(x, (5, 50))),
        ArrayType("dask-csr", lambda x: _dask(x, (7, -1)).map_blocks(sparse.csr_matrix)),
    )
}
IN_MEMORY = tuple(kind for name, kind in ARRAY_TYPES.items() if not name.startswith("dask"))
in_memory = pytest.mark.parametrize("array_type", [str(kind) for kind in IN_MEMORY], indirect=True)
dense_and_sparse = pytest.mark.parametrize("array_type", ["numpy-c", "csr_matrix"], indirect=True)

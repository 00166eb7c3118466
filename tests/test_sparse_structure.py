"""Sparse matrices as files can hold them: the dense result, or one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from mtorscore._sparse_structure import all_missing, canonical, check_pointers, compressed, without_repeats
from mtorscore.errors import DataError, FormatError

X = sparse.random(30, 20, 0.2, "csr", dtype=np.float32, random_state=0)


def damaged(kind: str) -> tuple[Any, Any, Any]:
    data, indices, pointers = X.data.copy(), X.indices.copy(), X.indptr.copy()
    if kind == "beyond":
        indices[3] = 10**6
    elif kind == "one beyond":
        indices[3] = 20
    elif kind == "negative":
        indices[3] = -1
    elif kind == "pointer too far":
        pointers[-1] += 50
    elif kind == "pointer too short":
        pointers[-1] -= 1
    elif kind == "descending":
        pointers[[5, 9]] = pointers[[9, 5]]
    elif kind == "negative pointer":
        pointers[3] = -7
    elif kind == "no start":
        pointers[0] = 1
    elif kind == "a pointer less":
        pointers = pointers[:-1]
    elif kind == "an index less":
        indices = indices[:-1]
    elif kind == "fractional indices":
        indices = indices.astype(np.float64)
    return data, indices, pointers


KINDS = (
    "beyond", "one beyond", "negative", "pointer too far", "pointer too short", "descending", "negative pointer",
    "no start", "a pointer less", "an index less", "fractional indices",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_is_refused(kind: str) -> None:
    with pytest.raises(FormatError, match=r"a\.h5ad: X is stored as a sparse matrix that is damaged"):
        compressed(*damaged(kind), X.shape, path="a.h5ad", name="X")


@pytest.mark.parametrize("kind", ["beyond", "negative", "descending", "negative pointer", "no start"])
@pytest.mark.parametrize("layout", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_a_matrix_in_memory_is_not_believed(kind: str, layout: Any) -> None:
    made = layout(X.T if layout is sparse.csc_matrix else X)
    made.data, made.indices, made.indptr = damaged(kind)
    with pytest.raises(FormatError, match="damaged"):
        canonical(made)


def test_coordinates_and_blocks_are_checked_too() -> None:
    coordinates = X.tocoo(copy=True)
    coordinates.coords[1][2] = 99
    blocks = X.tobsr((2, 2))
    blocks.indices[1] = -3
    for made in (coordinates, blocks):
        with pytest.raises(FormatError, match="outside"):
            canonical(made)


@pytest.mark.parametrize("indices", ["u4", "i8", "u8", ">i4", "i2"])
@pytest.mark.parametrize("values", [">f4", "f2", "f8", "g", "u1", "i8", "?"])
def test_any_number_type_and_byte_order_gives_the_dense_matrix(indices: str, values: str) -> None:
    data = np.arange(X.nnz).astype(values)
    made = compressed(data, X.indices.astype(indices), X.indptr.astype(indices), X.shape)
    dense = np.zeros(X.shape)
    dense[X.nonzero()] = data.astype(np.float64)
    np.testing.assert_array_equal(made.toarray(), dense)
    assert made.dtype.isnative


def test_values_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="complex"):
        compressed(X.data.astype(np.complex64), X.indices, X.indptr, X.shape)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["f8", "u1", "i2"]))
def test_repeated_and_unsorted_entries_are_summed_in_any_layout(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(0, 6, 60), rng.integers(0, 5, 60)
    values = rng.integers(0, 256, 60).astype(kind)
    dense = np.zeros((6, 5))
    np.add.at(dense, (rows, columns), values.astype(np.float64))
    order = np.argsort(rows, kind="stable")
    arrays = (values[order], columns[order], np.searchsorted(rows[order], np.arange(7)))
    for layout, shape, wanted in ((sparse.csr_matrix, (6, 5), dense), (sparse.csc_matrix, (5, 6), dense.T)):
        made = layout(arrays, shape=shape)
        before = made.data.copy()
        np.testing.assert_array_equal(canonical(made).toarray(), wanted)
        held, n = without_repeats(made)
        np.testing.assert_array_equal(held.toarray(), wanted)
        assert held.format == made.format
        assert n == 60 - np.unique(rows * 5 + columns).size
        # The caller's object stays as it is.
        np.testing.assert_array_equal(made.data, before)


def test_flags_of_the_caller_are_not_believed() -> None:
    made = sparse.csr_matrix((np.array([1.0, 2.0]), np.array([3, 3]), np.array([0, 2])), shape=(1, 5))
    made.has_canonical_format = True
    np.testing.assert_array_equal(canonical(made).toarray(), [[0, 0, 0, 3, 0]])


def test_arrays_longer_than_used_are_allowed_in_memory_only() -> None:
    made = X.copy()
    made.data, made.indices = np.append(made.data, 5.0), np.append(made.indices, 10**9)
    np.testing.assert_array_equal(canonical(made).toarray(), X.toarray())


def test_a_sound_matrix_is_not_copied() -> None:
    assert np.shares_memory(canonical(X).data, X.data)
    assert without_repeats(X)[0] is X


def test_pointers_beyond_any_integer_are_named() -> None:
    with pytest.raises(FormatError, match="pointer is"):
        check_pointers(np.array([0, 2**64 - 1, 3], dtype=np.uint64), 2, 3)


@pytest.mark.parametrize(
    ("matrix", "missing"),
    [
        (np.full((2, 3), np.nan), True),
        (np.array([[np.nan, 1.0]]), False),
        (np.zeros((0, 3)), False),
        (np.ones((2, 2), dtype=np.int64), False),
        (sparse.csr_matrix(np.full((2, 3), np.nan)), True),
        (sparse.csr_matrix(np.array([[np.nan, 0.0]])), False),
    ],
)
def test_all_missing(matrix: Any, missing: bool) -> None:
    assert all_missing(matrix) is missing

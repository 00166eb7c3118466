"""Chunks of HDF5 files decompressed by several threads: the same elements as the library reads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mtorscore.errors import DataError
from mtorscore.tl.kernels.lzf import decompress_lzf
from mtorscore.tl.streaming.hdf5_chunks import TASK_BYTES, ZSTD, BufferPool, open_dataset

RNG = np.random.default_rng(5)
VALUES: dict[str, Any] = {
    "counts": RNG.poisson(1, 30_011).astype(np.float32),
    "normal": RNG.normal(size=30_011),
    "columns": RNG.integers(0, 20_000, 30_011).astype(np.int32),
}
STORED: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "chunked": {"chunks": (1000,)},
    "growing": {"chunks": (4096,), "maxshape": (None,)},
    "gzip": {"compression": "gzip"},
    "gzip, shuffled": {"compression": "gzip", "shuffle": True, "chunks": (777,)},
    "lzf": {"compression": "lzf"},
    "lzf, shuffled": {"compression": "lzf", "shuffle": True},
}


def ends(n: int) -> list[tuple[int, int]]:
    pairs = np.sort(RNG.integers(0, n + 1, (12, 2)), axis=1)
    return [(0, n), (0, 1), (n - 1, n), (5, 5), *map(tuple, pairs.tolist())]


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("kind", VALUES)
def test_any_slice_is_what_the_library_reads(tmp_path: Path, kind: str, stored: str) -> None:
    x = VALUES[kind]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=x, **STORED[stored])
    descriptor = os.open(tmp_path / "a.h5", os.O_RDONLY)
    with h5py.File(tmp_path / "a.h5") as file, ThreadPoolExecutor(2) as pool:
        dataset = open_dataset(file["x"], descriptor)
        assert dataset.file == descriptor
        for a, b in ends(x.size):
            np.testing.assert_array_equal(dataset.read(a, b, pool), x[a:b])
            np.testing.assert_array_equal(dataset.read(a, b), x[a:b])
        np.testing.assert_array_equal(np.concatenate(list(dataset.pieces(7001))), x)
    os.close(descriptor)


@pytest.mark.parametrize(
    "unusual", [{"fletcher32": True, "chunks": (100,)}, {"dtype": ">f4"}, {"scaleoffset": 3, "chunks": (100,)}]
)
def test_what_is_unusual_is_left_to_the_library(tmp_path: Path, unusual: dict[str, Any]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=np.round(VALUES["normal"], 3), **unusual)
    descriptor = os.open(tmp_path / "a.h5", os.O_RDONLY)
    with h5py.File(tmp_path / "a.h5") as file:
        dataset = open_dataset(file["x"], descriptor)
        assert dataset.file < 0
        np.testing.assert_array_equal(dataset.read(10, 400), file["x"][10:400])
    os.close(descriptor)


def test_zstd_needs_no_plug_in(tmp_path: Path) -> None:
    x = VALUES["counts"][:3000]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((1000,))
        properties.set_filter(ZSTD, h5py.h5z.FLAG_OPTIONAL, (3,))
        space = h5py.h5s.create_simple((3000,))
        dataset = h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, properties)
        for k in range(3):
            dataset.write_direct_chunk((1000 * k,), zstandard.compress(x[1000 * k : 1000 * (k + 1)].tobytes()))
    descriptor = os.open(tmp_path / "a.h5", os.O_RDONLY)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(open_dataset(file["x"], descriptor).read(500, 2500), x[500:2500])
    os.close(descriptor)


def test_a_file_cut_short_is_an_error(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=VALUES["normal"], chunks=(1000,))
    descriptor = os.open(tmp_path / "a.h5", os.O_RDONLY)
    with h5py.File(tmp_path / "a.h5") as file:
        dataset = open_dataset(file["x"], descriptor)
    os.close(descriptor)
    short = tmp_path / "short"
    short.write_bytes((tmp_path / "a.h5").read_bytes()[:50_000])
    dataset.file = os.open(short, os.O_RDONLY)
    with pytest.raises(DataError, match="shorter than its index"):
        dataset.read(0, dataset.size)
    os.close(dataset.file)


@pytest.mark.parametrize("compression", ["gzip", "lzf"])
def test_a_damaged_chunk_is_an_error(tmp_path: Path, compression: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=VALUES["counts"], chunks=(10_000,), compression=compression)
        place = file["x"].id.get_chunk_info_by_coord((10_000,))
    content = bytearray((tmp_path / "a.h5").read_bytes())
    middle = place.byte_offset + place.size // 2
    content[middle : middle + 60] = bytes(60)
    (tmp_path / "a.h5").write_bytes(content)
    descriptor = os.open(tmp_path / "a.h5", os.O_RDONLY)
    with h5py.File(tmp_path / "a.h5") as file, pytest.raises(DataError, match="damaged"):
        open_dataset(file["x"], descriptor).read(9000, 12_000)
    os.close(descriptor)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_damaged_lzf_is_noticed_and_never_written_beyond_its_room(packed: bytes) -> None:
    out = np.full(80, 7, dtype=np.uint8)
    n = decompress_lzf(np.frombuffer(packed, dtype=np.uint8), out[:64])
    assert -1 <= n <= 64
    assert (out[64:] == 7).all()


def test_memory_is_reused_only_when_nothing_refers_to_it() -> None:
    buffers, n = BufferPool(), TASK_BYTES // 8
    first = buffers.take(n, np.dtype(np.float64))
    first[:] = 1.0
    part = first[10:20]
    second = buffers.take(n, np.dtype(np.float64))
    second[:] = 2.0
    del first
    third = buffers.take(n, np.dtype(np.float64))
    third[:] = 3.0
    assert (part == 1.0).all()
    assert (second == 2.0).all()
    address = third.ctypes.data
    del third
    assert buffers.take(n + n // 16, np.dtype(np.float64)).ctypes.data == address
    assert buffers.take(2 * n, np.dtype(np.float64)).size == 2 * n

"""One-dimensional datasets of HDF5 files, read and decompressed by several threads at once.

The HDF5 library reads one chunk after the other and holds the interpreter lock meanwhile. It reports the offsets of the
chunks and their filters, so they are read from the file and decompressed here, outside the lock, by several threads.
Whatever is unusual (other filters, other byte orders, a user block) is left to the library.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.errors import FormatError

__all__ = ["BufferPool", "ChunkedDataset", "open_dataset"]

DEFLATE, SHUFFLE, LZF, ZSTD = 1, 2, 32000, 32015
Bytes = npt.NDArray[np.uint8]
# Raw bytes that one task reads at once: large enough for the file system, small enough to distribute over threads.
TASK_BYTES = 1 << 20
# What is larger, or cut into more chunks, is left to the library; a damaged file can claim anything.
MOST_CHUNK, MOST_CHUNKS = 1 << 28, 5_000_000
BROKEN = "A chunk of the matrix is damaged"
AGAIN = "Get the file again."


class BufferPool:
    """Arrays that are reused once nothing refers to them: fresh memory is filled with zeros first, which is slow.

    Every view of an array refers to the array that owns the memory, so its reference count shows whether it is in use.
    """

    def __init__(self) -> None:
        self._buffers: list[npt.NDArray[Any]] = []

    def take(self, n: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return an uninitialised array of `n` elements."""
        if n * dtype.itemsize < TASK_BYTES:
            return np.empty(n, dtype)
        kept: list[npt.NDArray[Any]] = []
        found = None
        for i in range(len(self._buffers)):
            # Two references: the list's and the argument's.
            idle = sys.getrefcount(self._buffers[i]) == 2
            if idle and found is None and self._buffers[i].size >= n:
                found = self._buffers[i]
                kept.append(found)
            elif not idle:
                kept.append(self._buffers[i])
        if found is None:
            # Slightly larger than needed, since blocks differ a little in length; but less than twice as large, since
            # scipy copies views of less than half of an array.
            found = np.empty(n + n // 8, dtype)
            kept.append(found)
        self._buffers = kept
        return found[:n]


@dataclass
class ChunkedDataset:
    """A one-dimensional dataset that is read by slices.

    Attributes
    ----------
    dataset
        The h5py dataset (or zarr array) itself.
    file
        A file descriptor, or -1 where the library reads everything.
    chunk
        Elements per chunk.
    offsets, sizes, masks
        Offset of each chunk in the file, its bytes there, and its mask of skipped filters.
    filters
        The filters in the order in which they were applied.
    path
        The file, for errors.
    """

    dataset: Any
    file: int = -1
    chunk: int = 0
    offsets: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    sizes: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    masks: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    filters: tuple[int, ...] = ()
    path: str | None = None
    buffers: BufferPool = field(default_factory=BufferPool)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        found: np.dtype[Any] = np.dtype(self.dataset.dtype)
        return found

    @property
    def size(self) -> int:
        """Elements."""
        return int(self.dataset.shape[0])

    def read(self, start: int, stop: int, pool: Executor | None = None) -> npt.NDArray[Any]:
        """Return elements ``start:stop``; tasks go to the pool, where there is one."""
        if self.file < 0 or stop <= start:
            return np.asarray(self.dataset[start:stop])
        out = self.buffers.take(stop - start, self.dtype)
        tasks = list(self._tasks(start, stop))
        # Uncompressed bytes are copied as fast by one thread, and several would wait for each other.
        run = map if pool is None or len(tasks) < 2 or not self.filters else pool.map
        try:
            for _ in run(lambda task: self._read_chunks(out, start, stop, *task), tasks):
                pass
        except _DamagedError as error:
            raise FormatError(f"{error}. {AGAIN}", path=self.path) from error
        return out

    def pieces(self, step: int) -> Iterator[npt.NDArray[Any]]:
        """Yield the elements, `step` at a time."""
        for a in range(0, self.size, step):
            yield self.read(a, min(a + step, self.size))

    def _tasks(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Group the chunks of a slice into runs that are contiguous in the file."""
        first, last = start // self.chunk, -(-stop // self.chunk)
        begin = first
        for i in range(first + 1, last + 1):
            length = self.offsets[i - 1] + self.sizes[i - 1] - self.offsets[begin]
            broken = i < last and self.offsets[i] != self.offsets[i - 1] + self.sizes[i - 1]
            if i == last or broken or length >= TASK_BYTES:
                yield begin, i
                begin = i

    def _read_chunks(self, out: npt.NDArray[Any], start: int, stop: int, first: int, last: int) -> None:
        """Read chunks ``first:last`` and write their elements of ``start:stop`` to `out`."""
        origin = int(self.offsets[first])
        if not self.filters:
            # Stored without filters, so they are read in place.
            a, b = max(start, first * self.chunk), min(stop, last * self.chunk)
            self._pread(
                out[a - start : b - start].view(np.uint8), origin + (a - first * self.chunk) * self.dtype.itemsize
            )
            return
        raw = np.empty(int(self.offsets[last - 1] + self.sizes[last - 1]) - origin, dtype=np.uint8)
        self._pread(raw, origin)
        for i in range(first, last):
            at = int(self.offsets[i]) - origin
            values = self._decode(raw[at : at + int(self.sizes[i])], int(self.masks[i])).view(self.dtype)
            a, b = max(start, i * self.chunk), min(stop, (i + 1) * self.chunk)
            out[a - start : b - start] = values[a - i * self.chunk : b - i * self.chunk]

    def _pread(self, out: Bytes, offset: int) -> None:
        done = 0
        while done < out.size:
            n = os.preadv(self.file, [out[done:]], offset + done)
            if n == 0:
                raise _DamagedError("The file is shorter than its index of chunks says")
            done += n

    def _decode(self, raw: Bytes, mask: int) -> Bytes:
        """Undo the filters of a chunk, last one first."""
        n_bytes = self.chunk * self.dtype.itemsize
        for k in range(len(self.filters) - 1, -1, -1):
            if not mask >> k & 1:
                raw = DECODERS[self.filters[k]](raw, n_bytes, self.dtype.itemsize)
                if raw.size != n_bytes:
                    break
        if raw.size != n_bytes:
            raise _DamagedError(f"{BROKEN}: it holds {raw.size} bytes instead of {n_bytes}")
        return raw


class _DamagedError(Exception):
    """What the file holds is not what its index says."""


def _inflate(raw: Bytes, n_bytes: int, width: int) -> Bytes:
    del width
    decoder = zlib.decompressobj()
    try:
        # One byte more than there may be, so that a chunk that goes on is noticed, and never unpacked to its end.
        return np.frombuffer(decoder.decompress(raw, n_bytes + 1), dtype=np.uint8)
    except zlib.error as error:
        raise _DamagedError(f"{BROKEN} ({error})") from error


def _unshuffle(raw: Bytes, n_bytes: int, width: int) -> Bytes:
    if raw.size != n_bytes:
        return raw
    return np.ascontiguousarray(raw.reshape(width, -1).T).ravel()


def _decompress_lzf(raw: Bytes, n_bytes: int, width: int) -> Bytes:
    del width
    from mtorscore.tl.kernels.lzf import decompress_lzf

    out = np.empty(n_bytes, dtype=np.uint8)
    written = int(decompress_lzf(raw, out))
    return out[: max(written, 0)]


def _decompress_zstd(raw: Bytes, n_bytes: int, width: int) -> Bytes:
    del width
    import zstandard

    try:
        return np.frombuffer(
            zstandard.ZstdDecompressor().decompress(memoryview(raw), max_output_size=n_bytes), dtype=np.uint8
        )
    except zstandard.ZstdError as error:
        raise _DamagedError(f"{BROKEN} ({error})") from error


DECODERS: dict[int, Callable[[Bytes, int, int], Bytes]] = {
    DEFLATE: _inflate,
    SHUFFLE: _unshuffle,
    LZF: _decompress_lzf,
    ZSTD: _decompress_zstd,
}


def open_dataset(dataset: Any, file: int) -> ChunkedDataset:
    """Find the chunks of a dataset in its file; leave it to the library where anything about it is unusual.

    Parameters
    ----------
    dataset
        One-dimensional h5py dataset, or any array that can be sliced.
    file
        Descriptor of the file that holds it, or -1.
    """
    path = getattr(getattr(dataset, "file", None), "filename", None)
    plain = ChunkedDataset(dataset, path=path)
    low_level = getattr(dataset, "id", None)
    if file < 0 or low_level is None or not hasattr(low_level, "chunk_iter") or dataset.shape[0] == 0:
        return plain
    if not np.dtype(dataset.dtype).isnative or low_level.get_create_plist().get_external_count():
        return plain
    width = np.dtype(dataset.dtype).itemsize
    if dataset.chunks is None:
        offset = low_level.get_offset()
        if offset is None:
            return plain
        # A contiguous dataset is treated as chunks without filters.
        chunk = TASK_BYTES // width
        starts = np.arange(0, dataset.shape[0], chunk, dtype=np.int64)
        ends = np.minimum(starts + chunk, dataset.shape[0])
        found = ChunkedDataset(dataset, file, chunk, offset + starts * width, (ends - starts) * width, starts * 0)
        found.path = path
        return found if _inside(found) and _agrees(found) else plain
    properties = low_level.get_create_plist()
    filters = tuple(properties.get_filter(k)[0] for k in range(properties.get_nfilters()))
    if not set(filters) <= set(DECODERS):
        return plain
    chunk = int(dataset.chunks[0])
    n = -(-int(dataset.shape[0]) // chunk)
    if n > MOST_CHUNKS or chunk * width > MOST_CHUNK:
        return plain
    place = np.full((n, 3), -1, dtype=np.int64)

    def record(info: Any) -> None:
        at = info.chunk_offset[0] // chunk
        if 0 <= at < n and max(info.byte_offset, info.size) < 2**62:
            place[at] = info.byte_offset, info.size, info.filter_mask

    low_level.chunk_iter(record)
    if (place[:, 0] < 0).any():
        return plain
    found = ChunkedDataset(dataset, file, chunk, place[:, 0].copy(), place[:, 1].copy(), place[:, 2].copy(), filters)
    found.path = path
    return found if _inside(found) and _agrees(found) else plain


def _inside(ours: ChunkedDataset) -> bool:
    """Whether every chunk lies in the file and, where nothing is compressed, has the bytes of its elements."""
    length = os.fstat(ours.file).st_size
    inside = (ours.offsets >= 0) & (ours.sizes >= 0) & (ours.offsets + ours.sizes <= length)
    n_bytes = ours.chunk * ours.dtype.itemsize
    fits = ours.sizes <= 2 * n_bytes + 4096
    if not ours.filters and ours.dataset.chunks is not None:
        fits = ours.sizes == n_bytes
    return bool(inside.all() and fits.all())


def _agrees(ours: ChunkedDataset) -> bool:
    """Whether the first and the last element are those that the library reads; if not, the library reads everything."""
    if UNREADABLE & set(ours.filters):
        return True
    for at in (0, ours.size - 1):
        try:
            same = ours.read(at, at + 1).tobytes() == np.asarray(ours.dataset[at : at + 1]).tobytes()
        except (FormatError, OSError):
            return False
        if not same:
            return False
    return True


# Filters that the library has only with a plug-in.
UNREADABLE = frozenset({ZSTD})

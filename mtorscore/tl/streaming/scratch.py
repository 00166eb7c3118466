"""Entries of a matrix on scratch files, put into the order of rows."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from mtorscore._sparse_structure import canonical
from mtorscore.errors import DataError

__all__ = ["CHUNK", "Panels", "ScratchArrays", "check_room", "panel_edges"]

CHUNK = 4_000_000
SPARE = 1 << 28

Triplets = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]


def check_room(folder: Path | None, needed: int, why: str) -> Path:
    """Return the folder for scratch files, the system's by default, if so many bytes are free there.

    Parameters
    ----------
    folder, needed
        Where, and how many.
    why
        What they are needed for, with the file.

    Raises
    ------
    DataError
        If they are not free.
    """
    base = Path(tempfile.gettempdir()) if folder is None else folder
    if shutil.disk_usage(base).free < needed + SPARE:
        raise DataError(
            f"{why} needs {max(needed >> 20, 1)} MB of scratch space in {base}, which are not free; free them, or set "
            "TMPDIR (or write the scores) to a larger disk."
        )
    return base


class ScratchArrays:
    """Arrays of one length on temporary files that have no name: nothing is left of them, however the process ends."""

    def __init__(self, folder: Path, types: Mapping[str, Any]) -> None:
        self.folder = folder
        self.types = {name: np.dtype(dtype) for name, dtype in types.items()}
        self._files: dict[str, IO[bytes]] = {}
        self.length = 0
        try:
            for name in self.types:
                self._files[name] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        except OSError as error:
            self.close()
            raise DataError(f"No scratch file can be made in {folder} ({error.strerror}); set TMPDIR.") from error

    def append(self, **arrays: npt.NDArray[Any]) -> None:
        """Add values at the end of every array."""
        for name, values in arrays.items():
            self.write(name, self.length, values)
        self.length += len(next(iter(arrays.values())))

    def write(self, name: str, at: int, values: npt.NDArray[Any]) -> None:
        """Write values from element `at` on."""
        dtype = self.types[name]
        rest = memoryview(np.ascontiguousarray(values, dtype=dtype).view(np.uint8))
        place = at * dtype.itemsize
        try:
            while len(rest):
                done = os.pwrite(self._files[name].fileno(), rest, place)
                rest, place = rest[done:], place + done
        except OSError as error:
            raise DataError(
                f"Scratch files cannot be written in {self.folder} ({error.strerror}); set TMPDIR, or write the scores "
                "to a larger disk."
            ) from error

    def read(self, name: str, a: int, b: int) -> npt.NDArray[Any]:
        """Return elements ``a:b``."""
        dtype = self.types[name]
        out = np.empty(b - a, dtype)
        rest, place = memoryview(out.view(np.uint8)), a * dtype.itemsize
        while len(rest):
            done = os.preadv(self._files[name].fileno(), [rest], place)
            if not done:
                raise DataError(f"A scratch file in {self.folder} was cut short.")
            rest, place = rest[done:], place + done
        return out

    def pieces(self, *names: str) -> Iterator[tuple[npt.NDArray[Any], ...]]:
        """Yield some elements of several arrays at a time."""
        for a in range(0, self.length, CHUNK):
            yield tuple(self.read(name, a, min(a + CHUNK, self.length)) for name in names)

    def drop(self, *names: str) -> None:
        """Give the room of some arrays back."""
        for name in names:
            self._files.pop(name).close()

    def close(self) -> None:
        """Give all room back."""
        self.drop(*list(self._files))


class Panels:
    """The entries of a matrix, those of a panel of rows next to each other; one panel is cached.

    Parameters
    ----------
    folder
        For scratch files.
    n_vars
        Columns of the matrix.
    counts
        ``(n_rows,)`` entries of each row.
    dtype
        Of the values.
    most
        Bytes of a panel in memory.
    """

    def __init__(self, folder: Path, n_vars: int, counts: npt.NDArray[np.int64], dtype: Any, most: int) -> None:
        self.n_vars, self.pointer = n_vars, np.concatenate([[0], np.cumsum(counts)])
        self.width = 8 + np.dtype(dtype).itemsize
        # Rows, columns, values and the converted copy of all three are in memory at the same time.
        self.edges = panel_edges(self.pointer, max(1, most // (2 * self.width)))
        types = {"row": np.int32, "column": np.int32, "value": np.dtype(dtype).newbyteorder("=")}
        self.arrays = ScratchArrays(folder, types)
        self.cached: tuple[int, Any] = (-1, None)
        self.repeated = 0

    def fill(self, entries: Iterable[Triplets]) -> None:
        """Write rows, columns and values of all entries, in any order."""
        panel_of = np.repeat(np.arange(self.edges.size - 1, dtype=np.int32), np.diff(self.edges))
        cursor = self.pointer[self.edges[:-1]].copy()
        for triplet in entries:
            panel = panel_of[triplet[0]]
            order = np.argsort(panel, kind="stable")
            sizes = np.bincount(panel, minlength=cursor.size)
            sorted_ = [values[order] for values in triplet]
            done = 0
            for p in np.flatnonzero(sizes):
                for name, values in zip(self.arrays.types, sorted_, strict=True):
                    self.arrays.write(name, int(cursor[p]), values[done : done + sizes[p]])
                done += sizes[p]
                cursor[p] += sizes[p]

    def read(self, start: int, stop: int) -> Any:
        """Return rows ``start:stop`` as a scipy CSR matrix."""
        from scipy import sparse

        parts = []
        for p in range(int(np.searchsorted(self.edges, start, side="right")) - 1, self.edges.size - 1):
            if self.edges[p] >= stop:
                break
            first, last = int(self.edges[p]), int(self.edges[p + 1])
            parts.append(self._panel(p)[max(start - first, 0) : min(stop, last) - first])
        if not parts:
            return sparse.csr_matrix((0, self.n_vars), dtype=self.arrays.types["value"])
        return parts[0] if len(parts) == 1 else sparse.vstack(parts, format="csr")

    def _panel(self, p: int) -> Any:
        from scipy import sparse

        if self.cached[0] != p:
            self.cached = (-1, None)
            first, last = int(self.edges[p]), int(self.edges[p + 1])
            a, b = int(self.pointer[first]), int(self.pointer[last])
            row, column, value = (self.arrays.read(name, a, b) for name in self.arrays.types)
            shape = (last - first, self.n_vars)
            # Half precision has no sparse arithmetic, and small integers overflow where entries are repeated.
            value = value if value.dtype.itemsize > 2 and value.dtype.kind == "f" else value.astype(np.float64)
            made = canonical(sparse.coo_matrix((value, (row - first, column)), shape=shape))
            self.repeated = b - a - int(made.nnz)
            self.cached = (p, made)
        return self.cached[1]


def panel_edges(pointer: npt.NDArray[np.int64], most: int, step: int = 1) -> npt.NDArray[np.int64]:
    """Cut rows into panels of at most `most` entries, at multiples of `step` rows; one step at least.

    Parameters
    ----------
    pointer
        ``(n_rows + 1,)`` running total of entries (or bytes) before each row.
    most
        Entries per panel.
    step
        Rows that stay together.

    Returns
    -------
    numpy.ndarray
        Edges, from 0 to the number of rows.
    """
    n_rows = pointer.size - 1
    edges = [0]
    while edges[-1] < n_rows:
        here = edges[-1]
        reach = int(np.searchsorted(pointer, pointer[here] + most, side="right")) - 1
        edges.append(min(max(here + (reach - here) // step * step, here + step), n_rows))
    return np.array(edges, dtype=np.int64)

"""What every file that is scored from disk is to the rest: rows, names, tables, and a copy that takes the scores."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.errors import FormatError
from mtorscore.io.formats.stored_matrices import sound
from mtorscore.io.tables import file_bytes
from mtorscore.tl.streaming.scratch import ScratchArrays

__all__ = ["DiskFile", "DiskRows"]


@dataclass
class DiskRows:
    """A matrix on disk, observations x genes; ``matrix[a:b]`` and ``matrix[ascending rows]`` read those rows.

    `format` is the format of these rows: ``"csr"``, or ``"array"`` for dense.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    read: Callable[[int, int], Any]
    row_bytes: npt.NDArray[np.int64]
    stored: Callable[[], Iterator[npt.NDArray[Any]]]
    format: str = "array"
    path: Path = Path()

    def __getitem__(self, index: Any) -> Any:
        """Return rows as a scipy CSR matrix or a numpy array."""
        with sound(self.path):
            if isinstance(index, slice):
                start, stop, _ = index.indices(self.shape[0])
                return self.read(start, stop)
            rows = np.asarray(index, dtype=np.int64)
            first = int(rows[0])
            return self.read(first, int(rows[-1]) + 1)[rows - first]

    def value_range(self) -> tuple[float, float]:
        """Return the smallest and largest stored value; NaN are left out."""
        low, high = np.inf, -np.inf
        with sound(self.path):
            for values in self.stored():
                known = values[~np.isnan(values)] if values.dtype.kind == "f" else values
                if known.size:
                    low, high = min(low, float(known.min())), max(high, float(known.max()))
        return low, high


@dataclass
class DiskFile:
    """An open h5ad, h5mu or zarr file: its matrix and its other elements.

    Attributes
    ----------
    path
        The file or folder.
    root
        What holds the elements: the file, or in it the group of one modality.
    kind
        ``"h5ad"`` for anything in HDF5, ``"zarr"``, ``"text"``.
    shape
        Observations and genes.
    genes
        Names of the genes.
    modality
        Name of the modality that `root` is.
    copies
        Endings of the copies that it can be written to with scores.
    orientation_stated
        Whether the format says which of the two sides are the genes.
    words
        What is to be said of it once it is scored; "" for nothing.
    make
        Makes the rows when they are first asked for, which may take a pass over the file.
    on_rows, on_words
        Called with the number of rows that were put in order, and with what is to be done before the first block.
    """

    path: Path
    root: Any
    kind: str
    shape: tuple[int, int] = (0, 0)
    genes: list[str] = field(default_factory=list)
    modality: str | None = None
    copies: tuple[str, ...] = ()
    orientation_stated: bool = False
    words: str = ""
    make: Callable[[], DiskRows] | None = None
    scratch: list[ScratchArrays] = field(default_factory=list)
    descriptor: int = -1
    pool: ThreadPoolExecutor | None = None
    on_rows: Callable[[int], None] | None = None
    on_words: Callable[[str], None] | None = None
    _made: DiskRows | None = None

    @property
    def matrix(self) -> DiskRows:
        """The rows."""
        if self._made is None:
            if self.make is None:
                raise FormatError("It holds no matrix.", path=self.path)
            with sound(self.path):
                self._made = self.make()
            self._made.path = self.path
        return self._made

    @property
    def files(self) -> list[Path]:
        """The files that the matrix and its names are read from."""
        return file_bytes.files_of(self.path)

    def report(self, n: int) -> None:
        """Report that n rows were put in order."""
        if self.on_rows is not None:
            self.on_rows(n)

    def tell(self, words: str) -> None:
        """Say what is to be done."""
        if self.on_words is not None:
            self.on_words(words)

    def open_chunks(self) -> ThreadPoolExecutor:
        """Open the file a second time for reading chunks, and return the threads that unpack them."""
        if self.pool is None:
            self.descriptor = os.open(self.path, os.O_RDONLY)
            self.pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="mtorscore-decompress")
        return self.pool

    def obs_index(self) -> Any:
        """Return the dataset of observation names."""
        frame = self.root["obs"]
        if not hasattr(frame, "keys"):
            raise FormatError("obs is a table of an old format; write the file again with anndata.", path=self.path)
        return frame[frame.attrs.get("_index", "_index")]

    def obs_names(self, rows: Any = slice(None)) -> npt.NDArray[Any]:
        """Return observation names."""
        found = self.obs_index()
        if hasattr(found, "keys"):
            return np.asarray(self.element("obs").index[rows], dtype=object)
        with sound(self.path, "obs"):
            values = found.asstr()[rows] if hasattr(found, "asstr") else np.asarray(found[rows])
        return np.asarray(values, dtype=object)

    def obs_names_utf8(self, rows: Any = slice(None)) -> Any:
        """Return observation names as an Arrow array of text, without decoding them where that is possible."""
        import pyarrow as pa

        found = self.obs_index()
        if not hasattr(found, "asstr"):
            return pa.array(self.obs_names(rows), pa.string())
        with sound(self.path, "obs"):
            return pa.array(found[rows], pa.binary()).cast(pa.string())

    def element(self, name: str) -> Any:
        """Read an element such as ``obs`` or ``uns/source``."""
        from anndata.io import read_elem

        with sound(self.path, name):
            return read_elem(self.root[name])

    def has(self, name: str) -> bool:
        """Whether the file holds an element."""
        return name in self.root

    def copy_to(self, target: Path) -> None:
        """Write a copy, of one of the endings in `copies`, that scores are then added to."""
        if self.path.is_dir():
            shutil.copytree(self.path, target)
        else:
            shutil.copyfile(self.path, target)

    def close(self) -> None:
        """Close the file and its scratch files."""
        if self.pool is not None:
            self.pool.shutdown()
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        if self.kind == "h5ad":
            self.root.file.close()
        for arrays in self.scratch:
            arrays.close()
        self.scratch.clear()

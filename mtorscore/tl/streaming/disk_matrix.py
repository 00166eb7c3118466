"""Matrices in h5ad and zarr files, read in row blocks: CSR and dense in native order, CSC converted by panels."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore._doors import option
from mtorscore._sparse_structure import canonical, check_indices, check_stored_pointers, compressed
from mtorscore.errors import DataError, FormatError, examples
from mtorscore.io.formats.mudata import modality_of
from mtorscore.io.formats.stored_matrices import check_anndata, check_hdf5, check_zarr, sound, sparse_shape
from mtorscore.tl.streaming.hdf5_chunks import open_dataset

__all__ = ["DiskFile", "DiskRows", "open_file"]

CHUNK = 4_000_000


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

    `root` is what holds them: the file, or in it the group of one modality, whose name is `modality`.
    """

    path: Path
    root: Any
    kind: str
    matrix: DiskRows
    genes: list[str]
    modality: str | None = None
    scratch: list[tempfile.TemporaryDirectory[str]] = field(default_factory=list)
    descriptor: int = -1
    pool: ThreadPoolExecutor | None = None

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

    def close(self) -> None:
        """Close the file and remove scratch files."""
        if self.pool is not None:
            self.pool.shutdown()
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        if self.kind == "h5ad":
            self.root.file.close()
        for folder in self.scratch:
            folder.cleanup()
        self.scratch.clear()


def open_file(
    path: str | Path,
    *,
    layer: str | None = None,
    modality: str | None = None,
    scratch: Path | None = None,
    panel_bytes: int,
) -> DiskFile:
    """Open an AnnData file, or a modality of a MuData file, for reading in row blocks.

    Parameters
    ----------
    path
        ``.h5ad`` or ``.h5mu`` file, or ``.zarr`` folder.
    layer
        Layer instead of ``X``.
    modality
        Of a MuData file, where it has several.
    scratch
        Folder for the copy by rows that a matrix stored by columns needs; the system's temporary folder by default.
    panel_bytes
        Bytes of such a matrix that are converted at once.

    Raises
    ------
    FormatError
        If the file is neither, or holds no such matrix.
    """
    file = Path(path)
    if not file.exists():
        raise FormatError("There is no such file.", path=file)
    root, kind = _open_root(file)
    opened = DiskFile(file, root, kind, _empty(), [])
    try:
        name = "X" if layer is None else f"layers/{layer}"
        with sound(file):
            if kind == "h5ad":
                check_hdf5(root, file)
            opened.modality = _modality(root, modality, file)
            if opened.modality is not None:
                opened.root = root = root["mod"][opened.modality]
            _refuse_spatialdata(root, file)
            if name not in root:
                there = ", ".join(root["layers"]) if "layers" in root else ""
                raise FormatError(f"It holds no {name}; layers: {there or 'none'}.", path=file)
            check_anndata(root, file)
            opened.obs_index()
            opened.genes = [str(g) for g in opened.element("var").index]
            opened.matrix = _rows_of(opened, root[name], name, scratch, panel_bytes)
            opened.matrix.path = file
    except BaseException:
        opened.close()
        raise
    return opened


def _open_root(file: Path) -> tuple[Any, str]:
    if file.is_dir():
        import zarr

        check_zarr(file)
        try:
            return zarr.open_group(str(file), mode="r"), "zarr"
        except (OSError, ValueError, KeyError) as error:
            raise FormatError("This folder is not a zarr group.", path=file) from error
    import h5py

    try:
        return h5py.File(file, "r"), "h5ad"
    except OSError as error:
        raise FormatError(
            "This is not an HDF5 file, or it was cut short; fetch or write it again.", path=file
        ) from error


def _modality(root: Any, asked: str | None, file: Path) -> str | None:
    """Return the modality that is meant; None where the file has none."""
    if "mod" in root and hasattr(root["mod"], "keys"):
        names = sorted(k for k in root["mod"] if hasattr(root["mod"][k], "keys"))
        return modality_of(names, asked, where=file)
    if asked is not None:
        raise FormatError(f"it has no modalities, and {option('modality')} chooses one of a MuData file.", path=file)
    return None


def _refuse_spatialdata(root: Any, file: Path) -> None:
    """Refuse a store of tables, which is no AnnData itself; each of its tables is one."""
    if "obs" in root or "tables" not in root:
        return
    # Tables and the store may be of different versions of Zarr's format, which the library remarks on.
    tables = sorted(p.name for p in (file / "tables").glob("*") if p.is_dir())
    raise FormatError(
        f"a SpatialData store with the table(s) {examples(tables, 8) or 'none'}; score a table from disk by its own "
        f"path ({file / 'tables' / tables[0] if tables else 'tables/NAME'}), or read it with its coordinates: "
        "mtorscore.read.",
        path=file,
    )


def _empty() -> DiskRows:
    return DiskRows((0, 0), np.dtype(np.float64), lambda _a, _b: None, np.zeros(0, dtype=np.int64), lambda: iter(()))


def _rows_of(opened: DiskFile, node: Any, name: str, scratch: Path | None, panel_bytes: int) -> DiskRows:
    if not hasattr(node, "keys"):
        return _dense(node)
    layout, (n_obs, n_vars) = sparse_shape(node, name, opened.path)
    n_rows = n_obs if layout == "csr" else n_vars
    indptr = check_stored_pointers(node, (n_obs, n_vars), n_rows, path=opened.path, name=name)
    if layout == "csr":
        return _csr(opened, node, indptr, n_obs, n_vars)
    return _csc(opened, node, indptr, n_obs, n_vars, scratch, panel_bytes)


def _dense(node: Any) -> DiskRows:
    n_obs, n_vars = (int(n) for n in node.shape)
    step = max(1, CHUNK // max(n_vars, 1))
    return DiskRows(
        (n_obs, n_vars),
        node.dtype,
        lambda a, b: node[a:b],
        np.full(n_obs, n_vars * node.dtype.itemsize, dtype=np.int64),
        lambda: (node[a : a + step] for a in range(0, n_obs, step)),
    )


def _csr(opened: DiskFile, node: Any, indptr: npt.NDArray[np.int64], n_obs: int, n_vars: int) -> DiskRows:
    if opened.kind == "h5ad":
        opened.descriptor = os.open(opened.path, os.O_RDONLY)
        opened.pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="mtorscore-decompress")
    pool = opened.pool
    data, indices = (open_dataset(node[name], opened.descriptor) for name in ("data", "indices"))

    def read(start: int, stop: int) -> Any:
        a, b = int(indptr[start]), int(indptr[stop])
        arrays = (data.read(a, b, pool), indices.read(a, b, pool), indptr[start : stop + 1] - a)
        return compressed(*arrays, (stop - start, n_vars), path=opened.path, name=str(node.name))

    width = data.dtype.itemsize + indices.dtype.itemsize
    return DiskRows((n_obs, n_vars), data.dtype, read, np.diff(indptr) * width, lambda: data.pieces(CHUNK), "csr")


def _csc(
    opened: DiskFile,
    node: Any,
    indptr: npt.NDArray[np.int64],
    n_obs: int,
    n_vars: int,
    scratch: Path | None,
    panel_bytes: int,
) -> DiskRows:
    """Sort the entries into panels of rows on scratch files; a panel is converted to CSR when it is read."""
    data, indices = node["data"], node["indices"]
    counts = np.zeros(n_obs, dtype=np.int64)
    for part in _pieces(indices):
        check_indices(part, n_obs, path=opened.path, name=str(node.name))
        counts += np.bincount(part, minlength=n_obs)
    pointer = np.concatenate([[0], np.cumsum(counts)])
    width = 8 + data.dtype.itemsize
    # Rows, columns, values and the converted copy of all three are in memory at the same time.
    edges = panel_edges(pointer, max(1, panel_bytes // (2 * width)))
    folder = _scratch_folder(opened, scratch, int(indptr[-1]) * width)
    panels = _Panels(folder, n_vars, edges, pointer, data.dtype)
    panels.fill(data, indices, indptr)
    return DiskRows((n_obs, n_vars), data.dtype, panels.read, counts * width, lambda: _pieces(data), "csr")


def _scratch_folder(opened: DiskFile, scratch: Path | None, needed: int) -> Path:
    """Make a folder with room for so many bytes; it is removed when the file is closed."""
    base = Path(tempfile.gettempdir()) if scratch is None else scratch
    if shutil.disk_usage(base).free < needed + (1 << 28):
        raise DataError(
            f"{opened.path}: the matrix is stored by columns (CSC); reading it by rows needs {needed >> 20} MB of "
            f"scratch space in {base}, which are not free. Write it as CSR, or set TMPDIR to a larger disk."
        )
    folder = tempfile.TemporaryDirectory(prefix=".mtorscore-rows-", dir=base)
    opened.scratch.append(folder)
    return Path(folder.name)


class _Panels:
    """The entries of a matrix on scratch files, those of a panel of rows next to each other; one panel is cached."""

    def __init__(
        self, folder: Path, n_vars: int, edges: npt.NDArray[np.int64], pointer: npt.NDArray[np.int64], dtype: Any
    ) -> None:
        self.folder, self.n_vars, self.edges, self.pointer = folder, n_vars, edges, pointer
        self.types = {
            "row": np.dtype(np.int32),
            "column": np.dtype(np.int32),
            "value": np.dtype(dtype).newbyteorder("="),
        }
        self.cached: tuple[int, Any] = (-1, None)

    def fill(self, data: Any, indices: Any, indptr: npt.NDArray[np.int64]) -> None:
        """Write the entries of a CSC matrix, read once from beginning to end."""
        panel_of = np.repeat(np.arange(self.edges.size - 1, dtype=np.int32), np.diff(self.edges))
        cursor = self.pointer[self.edges[:-1]].copy()
        files = [os.open(self.folder / name, os.O_CREAT | os.O_WRONLY, 0o600) for name in self.types]
        n_stored = int(indptr[-1])
        for a in range(0, n_stored, CHUNK):
            b = min(a + CHUNK, n_stored)
            rows = indices[a:b]
            columns = np.searchsorted(indptr, np.arange(a, b), side="right") - 1
            panel = panel_of[rows]
            order = np.argsort(panel, kind="stable")
            sizes = np.bincount(panel, minlength=cursor.size)
            arrays = zip((rows, columns, data[a:b]), self.types.values(), strict=True)
            entries = [values[order].astype(dtype) for values, dtype in arrays]
            done = 0
            for p in np.flatnonzero(sizes):
                for file, values in zip(files, entries, strict=True):
                    os.pwrite(file, values[done : done + sizes[p]].data, int(cursor[p]) * values.itemsize)
                done += sizes[p]
                cursor[p] += sizes[p]
        for file in files:
            os.close(file)

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
            return sparse.csr_matrix((0, self.n_vars), dtype=self.types["value"])
        return parts[0] if len(parts) == 1 else sparse.vstack(parts, format="csr")

    def _panel(self, p: int) -> Any:
        from scipy import sparse

        if self.cached[0] != p:
            self.cached = (-1, None)
            first, last = int(self.edges[p]), int(self.edges[p + 1])
            a, b = int(self.pointer[first]), int(self.pointer[last])
            row, column, value = (
                np.fromfile(self.folder / name, dtype=dtype, count=b - a, offset=a * dtype.itemsize)
                for name, dtype in self.types.items()
            )
            shape = (last - first, self.n_vars)
            # Half precision has no sparse arithmetic, and small integers overflow where entries are repeated.
            value = value if value.dtype.itemsize > 2 and value.dtype.kind == "f" else value.astype(np.float64)
            self.cached = (p, canonical(sparse.coo_matrix((value, (row - first, column)), shape=shape)))
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


def _pieces(dataset: Any) -> Iterator[npt.NDArray[Any]]:
    for a in range(0, dataset.shape[0], CHUNK):
        yield np.asarray(dataset[a : a + CHUNK])


def check_kind(path: Path) -> None:
    """Refuse a path that cannot be streamed."""
    known = (".h5ad", ".h5mu", ".zarr", ".h5")
    if path.suffix.lower() not in known and not path.is_dir():
        raise FormatError(
            f"Only {examples(known)} are scored from disk; read others with mtorscore.read and score the result.",
            path=path,
        )

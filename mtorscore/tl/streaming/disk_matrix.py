"""Matrices in h5ad, h5mu and zarr files, read in row blocks: CSR and dense in native order, CSC converted by panels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore._doors import option
from mtorscore._sparse_structure import check_indices, check_stored_pointers, compressed
from mtorscore.errors import FormatError, examples
from mtorscore.io.formats.mudata import modality_of
from mtorscore.io.formats.stored_matrices import check_anndata, check_hdf5, check_zarr, sound, sparse_shape
from mtorscore.tl.streaming.disk_file import DiskFile, DiskRows
from mtorscore.tl.streaming.hdf5_chunks import open_dataset
from mtorscore.tl.streaming.scratch import CHUNK, Panels, check_room

__all__ = ["csr_rows", "open_anndata", "open_hdf5"]


def open_anndata(
    file: Path, *, layer: str | None, modality: str | None, scratch: Path | None, panel_bytes: int
) -> DiskFile:
    """Open an AnnData file, or a modality of a MuData file; see `mtorscore.tl.streaming.open_file`."""
    root, kind = _open_root(file)
    named = file.suffix if file.suffix in (".h5ad", ".h5mu") else ".h5ad"
    opened = DiskFile(file, root, kind, copies=(".zarr" if kind == "zarr" else named,))
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
            _rows_of(opened, root[name], name, scratch, panel_bytes)
    except BaseException:
        opened.close()
        raise
    return opened


def open_hdf5(file: Path) -> Any:
    """Open an HDF5 file for reading."""
    import h5py

    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise FormatError(
            "This is not an HDF5 file, or it was cut short; fetch or write it again.", path=file
        ) from error


def _open_root(file: Path) -> tuple[Any, str]:
    if not file.is_dir():
        return open_hdf5(file), "h5ad"
    import zarr

    check_zarr(file)
    try:
        return zarr.open_group(str(file), mode="r"), "zarr"
    except (OSError, ValueError, KeyError) as error:
        raise FormatError("This folder is not a zarr group.", path=file) from error


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


def _rows_of(opened: DiskFile, node: Any, name: str, scratch: Path | None, panel_bytes: int) -> None:
    """Set shape and rows; a matrix by columns is put into rows when they are first asked for."""
    if not hasattr(node, "keys"):
        opened.shape = (int(node.shape[0]), int(node.shape[1]))
        opened.make = lambda: _dense(node)
        return
    layout, shape = sparse_shape(node, name, opened.path)
    opened.shape = shape
    indptr = check_stored_pointers(node, shape, shape[0 if layout == "csr" else 1], path=opened.path, name=name)
    if layout == "csr":
        opened.make = lambda: csr_rows(opened, node, indptr, shape)
    else:
        opened.make = lambda: _csc(opened, node, indptr, shape, scratch, panel_bytes)


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


def csr_rows(opened: DiskFile, node: Any, indptr: npt.NDArray[np.int64], shape: tuple[int, int]) -> DiskRows:
    """Return the rows of a matrix that is stored by rows.

    Parameters
    ----------
    opened
        The open file.
    node
        Its group with ``data`` and ``indices``.
    indptr
        ``(n_obs + 1,)`` pointers, checked.
    shape
        Observations and genes.
    """
    pool = opened.open_chunks() if opened.kind == "h5ad" else None
    data, indices = (open_dataset(node[name], opened.descriptor) for name in ("data", "indices"))

    def read(start: int, stop: int) -> Any:
        a, b = int(indptr[start]), int(indptr[stop])
        arrays = (data.read(a, b, pool), indices.read(a, b, pool), indptr[start : stop + 1] - a)
        return compressed(*arrays, (stop - start, shape[1]), path=opened.path, name=str(node.name))

    width = data.dtype.itemsize + indices.dtype.itemsize
    return DiskRows(shape, data.dtype, read, np.diff(indptr) * width, lambda: data.pieces(CHUNK), "csr")


def _csc(
    opened: DiskFile,
    node: Any,
    indptr: npt.NDArray[np.int64],
    shape: tuple[int, int],
    scratch: Path | None,
    panel_bytes: int,
) -> DiskRows:
    """Sort the entries into panels of rows on scratch files; a panel is converted to CSR when it is read."""
    data, indices = node["data"], node["indices"]
    opened.tell("The matrix is stored by columns; it is put into rows on scratch files, before the first block.")
    counts = np.zeros(shape[0], dtype=np.int64)
    for part in _pieces(indices):
        check_indices(part, shape[0], path=opened.path, name=str(node.name))
        counts += np.bincount(part, minlength=shape[0])
    width = 8 + data.dtype.itemsize
    why = f"{opened.path}: the matrix is stored by columns (CSC); reading it by rows"
    panels = Panels(check_room(scratch, int(indptr[-1]) * width, why), shape[1], counts, data.dtype, panel_bytes)
    opened.scratch.append(panels.arrays)
    panels.fill(_by_columns(data, indices, indptr))
    return DiskRows(shape, data.dtype, panels.read, counts * width, lambda: _pieces(data), "csr")


def _by_columns(
    data: Any, indices: Any, indptr: npt.NDArray[np.int64]
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]]:
    """Yield rows, columns and values of a matrix that is stored by columns, read once from beginning to end."""
    n_stored = int(indptr[-1])
    for a in range(0, n_stored, CHUNK):
        b = min(a + CHUNK, n_stored)
        columns = np.searchsorted(indptr, np.arange(a, b), side="right") - 1
        yield np.asarray(indices[a:b]), columns, np.asarray(data[a:b])


def _pieces(dataset: Any) -> Iterator[npt.NDArray[Any]]:
    for a in range(0, dataset.shape[0], CHUNK):
        yield np.asarray(dataset[a : a + CHUNK])

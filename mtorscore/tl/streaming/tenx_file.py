"""Matrices of 10x Genomics on disk: HDF5 is stored by cells as it is; text is put on scratch files in one pass."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtorscore._sparse_structure import compressed
from mtorscore.errors import DataError, examples
from mtorscore.io.formats import tenx_parts as parts
from mtorscore.io.formats.matrix_market import EXACT, Sizes, blocks_of, duplicated, sizes_of
from mtorscore.io.formats.stored_matrices import check_hdf5, sound
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import assemble
from mtorscore.tl.streaming.disk_file import DiskFile, DiskRows
from mtorscore.tl.streaming.disk_matrix import csr_rows, open_hdf5
from mtorscore.tl.streaming.scratch import Panels, ScratchArrays, check_room

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["TenxFile", "open_tenx_folder", "open_tenx_h5"]

COPIES = (".h5ad", ".zarr")
# Entries that are copied at once.
COPIED = 2_000_000
# Bytes of a matrix (8 at least for each entry) from which on its entries may be more than 32 bits count.
LEAST_WIDE = 8 << 31


@dataclass
class TenxFile(DiskFile):
    """An open 10x matrix; what is no gene is left out.

    Attributes
    ----------
    barcodes
        Names of the cells, as they are stored.
    features
        Its genes.
    used
        The files that it consists of.
    about
        What ``uns["source"]`` says beside file and checksum.
    """

    barcodes: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, dtype="S1"))
    features: parts.Features | None = None
    used: tuple[Path, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """The files that the matrix and its names are read from."""
        return list(self.used)

    def obs_names(self, rows: Any = slice(None)) -> npt.NDArray[Any]:
        """Return observation names."""
        return np.array(parts.texts(self.barcodes[rows]), dtype=object)

    def obs_names_utf8(self, rows: Any = slice(None)) -> Any:
        """Return observation names as an Arrow array of text."""
        import pyarrow as pa

        return pa.array(parts.texts(self.barcodes[rows]), pa.string())

    def element(self, name: str) -> Any:
        """Return ``obs``, ``var``, ``uns`` or ``uns/source`` as `mtorscore.read` makes them."""
        import pandas as pd

        if name == "obs":
            return pd.DataFrame(index=pd.Index(self.obs_names(), dtype=object))
        if name == "var":
            return self.var.copy()
        if not self._made:
            # What the values are is known once they were read.
            _ = self.matrix
        return {"source": dict(self.about)} if name == "uns" else dict(self.about)

    def has(self, name: str) -> bool:
        """Whether there is an element."""
        return name in ("obs", "var", "uns", "uns/source")

    @cached_property
    def var(self) -> pd.DataFrame:
        """The genes by unique names."""
        kept = self.features or parts.Features([], _no_genes())
        return assemble(np.zeros((0, len(kept.names)), dtype=np.float32), [], kept.names, var=kept.var.copy()).var

    def copy_to(self, target: Path) -> None:
        """Write an AnnData file with the matrix and its names, some cells at a time."""
        if target.suffix == ".zarr":
            import zarr

            with warnings.catch_warnings():
                # Which version of the format is written is for the library to say.
                warnings.simplefilter("ignore", UserWarning)
                self._described().write_zarr(target)
                self._write_matrix(zarr.open_group(str(target), mode="r+", use_consolidated=False))
            return
        import h5py

        self._described().write_h5ad(target)
        with h5py.File(target, "r+") as root:
            self._write_matrix(root)

    def _write_matrix(self, root: Any) -> None:
        from anndata.io import sparse_dataset, write_elem

        low, high = self.matrix.value_range()
        dtype = np.float32 if max(abs(low), abs(high)) < EXACT or low > high else np.float64
        if "X" in root:
            del root["X"]
        for number, (start, stop) in enumerate(self._spans()):
            part = self.matrix[start:stop].astype(dtype)
            if number:
                sparse_dataset(root["X"]).append(part)
            else:
                # Pointers of 32 bits, as small matrices have them, could not be added to.
                wide = int(self.matrix.row_bytes.sum()) >= LEAST_WIDE
                write_elem(root, "X", part, dataset_kwargs={"indptr_dtype": np.int64} if wide else {})

    def _described(self) -> AnnData:
        from anndata import AnnData

        source = {
            "file": self.path.name,
            "kind": self.about["kind"],
            "sha256": file_bytes.sha256(self.path, self.files),
            "bytes": sum(f.stat().st_size for f in self.files),
            "accession": "",
        }
        about = {k: v for k, v in self.element("uns/source").items() if v not in ([], {})}
        return AnnData(obs=self.element("obs"), var=self.element("var"), uns={"source": source | about})

    def _spans(self) -> Iterator[tuple[int, int]]:
        before = np.concatenate([[0], np.cumsum(self.matrix.row_bytes)])
        start, n_obs = 0, self.shape[0]
        while start < n_obs:
            stop = int(np.searchsorted(before, before[start] + 8 * COPIED, side="right")) - 1
            stop = min(max(stop, start + 1), n_obs)
            yield start, stop
            start = stop


def _no_genes() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame()


def open_tenx_h5(path: Path, *, genome: str | None = None) -> TenxFile:
    """Open a 10x HDF5 file: Cell Ranger stores it by cells, so that blocks of cells lie together.

    Parameters
    ----------
    path
        The file.
    genome
        Where there are several.

    Raises
    ------
    FormatError
        If it is damaged, or holds no gene.
    DataError
        If two cells have one name.
    """
    root = open_hdf5(path)
    opened = TenxFile(path, root, "h5ad", copies=COPIES, orientation_stated=True, used=(path,))
    try:
        with sound(path, "the HDF5 file"):
            check_hdf5(root, path)
            name, group, pointers, shape = parts.group_of(root, path, genome)
            opened.barcodes = parts.barcodes_in(group)
            features, n_features = parts.features_in(group, path, genome=genome)
            parts.check_names(shape, n_features, opened.barcodes.size, path)
        opened.about = {"kind": "10x-h5", "table": "matrix", "units": "counts", "orientation": "genes in rows",
                        "genome": genome or name}  # fmt: skip
        _describe(opened, features, shape[0])
        opened.make = lambda: _chosen(csr_rows(opened, group, pointers, shape), features, _reals)
    except BaseException:
        opened.close()
        raise
    return opened


def open_tenx_folder(
    path: Path, *, prefix: str = "", scratch: Path | None = None, panel_bytes: int = 1 << 25
) -> TenxFile:
    """Open a 10x folder; its text is put on scratch files, by cells, when the matrix is first asked for.

    Parameters
    ----------
    path
        The folder.
    prefix
        Where several samples lie in it.
    scratch
        Folder for scratch files; the system's temporary folder by default.
    panel_bytes
        Bytes that are sorted at once where the text is not in the order of cells.

    Raises
    ------
    FormatError
        If a file is missing or damaged, or there is no gene.
    DataError
        If two cells have one name.
    """
    found = parts.three_files(path, prefix)
    sizes = sizes_of(found["matrix"])
    features, n_features = parts.features_of(found["features"])
    barcodes = np.array(parts.barcodes_of(found["barcodes"]), dtype=object)
    parts.check_sizes((sizes.n_rows, sizes.n_columns), n_features, barcodes.size, found["matrix"])
    used = tuple(found[k] for k in ("matrix", "barcodes", "features"))
    opened = TenxFile(path, None, "text", copies=COPIES, orientation_stated=True, used=used, barcodes=barcodes)
    opened.about = {"kind": "10x-mtx", "table": "matrix", "units": "", "orientation": "genes in rows"}
    _describe(opened, features, sizes.n_columns)
    rows = _Text(opened, found["matrix"], sizes, scratch, panel_bytes)
    opened.make = lambda: _chosen(rows.read_once(), features, rows.reals)
    return opened


def _describe(opened: TenxFile, features: parts.Features, n_obs: int) -> None:
    """Set what is known of the genes; refuse cells of one name."""
    opened.features, opened.words = features, features.words()
    if features.left_out:
        opened.about["features_left_out"] = dict(features.left_out)
    opened.shape = (n_obs, len(features.names))
    opened.genes = [str(g) for g in opened.var.index]
    twice = parts.texts(_repeated_in(opened.barcodes))
    if twice:
        raise DataError(
            f"{opened.path}: {len(twice)} sample name(s) are duplicated ({examples(twice)}); rename or remove the "
            "copies, since nothing says which one is meant."
        )


def _repeated_in(names: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return what an array holds more than once; millions of names are not copied as text."""
    import pandas as pd

    if names.dtype.kind == "O":
        found = pd.Index(names)
        return np.asarray(found[found.duplicated()].unique())
    values, counts = np.unique(names, return_counts=True)
    return values[counts > 1]


def _reals(part: Any) -> Any:
    """Return counts as single precision, where that holds them."""
    return part.astype(np.float32 if np.abs(part.data).max(initial=0) < EXACT else np.float64)


def _chosen(rows: DiskRows, features: parts.Features, reals: Callable[[Any], Any]) -> DiskRows:
    """Return the rows with the genes alone."""
    columns, before = features.columns, rows.read

    def read(start: int, stop: int) -> Any:
        part = reals(before(start, stop))
        return part if columns is None else part[:, columns]

    return replace(rows, read=read, dtype=np.dtype(np.float32), shape=(rows.shape[0], len(features.names)))


class _Text:
    """Entries of a Matrix Market file, read once; those that come in the order of cells are rows already."""

    def __init__(self, opened: TenxFile, path: Path, sizes: Sizes, scratch: Path | None, panel_bytes: int) -> None:
        self.opened, self.path, self.sizes, self.panel_bytes = opened, path, sizes, panel_bytes
        self.scratch, self.top = scratch, 0.0

    def read_once(self) -> DiskRows:
        """Put the entries on scratch files; return the rows, all features."""
        import pyarrow as pa

        n_cells = self.sizes.n_columns
        why = f"{self.path}: text has to be put into rows before it is scored in blocks, which"
        base = check_room(self.scratch, 16 * self.sizes.n_entries, why)
        self.opened.tell(f"{self.path.name} is read once and put on scratch files, before the first block is scored.")
        entries = ScratchArrays(base, {"row": np.int32, "column": np.int32, "value": np.float64})
        self.opened.scratch.append(entries)
        counts, ordered, whole = np.zeros(n_cells, dtype=np.int64), True, True
        last = 0
        for genes, cells, values in blocks_of(self.path, self.sizes):
            if not cells.size:
                continue
            entries.append(row=cells, column=genes, value=values)
            low = int(cells.min())
            here = np.bincount(cells - low)
            counts[low : low + here.size] += here
            ordered = ordered and int(cells[0]) >= last and bool((np.diff(cells) >= 0).all())
            whole = whole and bool((values == np.round(values)).all() and (values >= 0).all())
            self.top = max(self.top, float(np.abs(values).max()))
            self.opened.report(max(0, int(cells[-1]) - last) if ordered else 0)
            last = int(cells[-1])
        # What parsing has used is not kept for a second text, which does not come.
        pa.default_memory_pool().release_unused()
        self.opened.about["units"] = "counts" if whole else ""
        return self._in_order(entries, counts) if ordered else self._sorted(entries, counts, base)

    def reals(self, part: Any) -> Any:
        """Return values as single precision where that holds all of the file."""
        return part.astype(np.float32 if self.top < EXACT else np.float64)

    def _in_order(self, entries: ScratchArrays, counts: npt.NDArray[np.int64]) -> DiskRows:
        entries.drop("row")
        pointer = np.concatenate([[0], np.cumsum(counts)])
        n_features = self.sizes.n_rows

        def read(start: int, stop: int) -> Any:
            a, b = int(pointer[start]), int(pointer[stop])
            arrays = (entries.read("value", a, b), entries.read("column", a, b), pointer[start : stop + 1] - a)
            made = compressed(*arrays, (stop - start, n_features), path=self.path)
            if made.nnz != b - a:
                raise duplicated(b - a - made.nnz, self.path)
            return made

        return self._rows(read, counts, lambda: (v for (v,) in entries.pieces("value")))

    def _sorted(self, entries: ScratchArrays, counts: npt.NDArray[np.int64], base: Path) -> DiskRows:
        self.opened.tell(f"{self.path.name} is not in the order of cells; its entries are sorted on scratch files.")
        check_room(base, 16 * self.sizes.n_entries, f"{self.path}: entries that are not in the order of cells, which")
        panels = Panels(base, self.sizes.n_rows, counts, np.float64, self.panel_bytes)
        self.opened.scratch.append(panels.arrays)
        panels.fill(entries.pieces("row", "column", "value"))  # type: ignore[arg-type]
        entries.close()

        def read(start: int, stop: int) -> Any:
            made = panels.read(start, stop)
            if panels.repeated:
                raise duplicated(panels.repeated, self.path)
            return made

        return self._rows(read, counts, lambda: (v for (v,) in panels.arrays.pieces("value")))

    def _rows(
        self, read: Callable[[int, int], Any], counts: npt.NDArray[np.int64], stored: Callable[[], Any]
    ) -> DiskRows:
        shape = (self.sizes.n_columns, self.sizes.n_rows)
        return DiskRows(shape, np.dtype(np.float64), read, counts * 12, stored, "csr")

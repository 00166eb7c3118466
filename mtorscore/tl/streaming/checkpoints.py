"""Finished blocks on disk: written as they come, found again after a kill, and joined into one file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore._atomic import atomic, write_whole
from mtorscore.errors import DataError, examples
from mtorscore.tl.engine.gene_sets import Array
from mtorscore.tl.streaming.disk_matrix import DiskFile

__all__ = ["Parts", "read_scores", "write_h5ad", "write_parquet", "write_zarr"]

Tables = Mapping[str, Array]
Columns = Mapping[str, Sequence[str]]
ROW_GROUP_BYTES = 4 << 20


@dataclass
class Parts:
    """The folder beside the output that holds finished blocks until all are there.

    Attributes
    ----------
    folder
        ``<out>.parts``.
    bounds
        Edges of the blocks; those of the run that began, if it is resumed.
    """

    folder: Path
    bounds: npt.NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path, identity: Mapping[str, Any], bounds: npt.NDArray[np.int64], *, resume: bool) -> Parts:
        """Begin, or go on with, a run.

        Raises
        ------
        DataError
            If the folder holds blocks of another run.
        """
        plan = folder / "run.json"
        if folder.exists() and not resume:
            shutil.rmtree(folder)
        if plan.exists():
            before = json.loads(plan.read_text())
            different = [k for k, v in identity.items() if before["run"].get(k) != json.loads(json.dumps(v))]
            if different:
                raise DataError(
                    f"{folder} holds an unfinished run that differs in {examples(different)}. Finish that one, delete "
                    "the folder, or say resume=False to begin anew."
                )
            return cls(folder, np.array(before["bounds"], dtype=np.int64))
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(plan, json.dumps({"run": identity, "bounds": bounds.tolist()}).encode())
        return cls(folder, bounds)

    @property
    def n(self) -> int:
        """Blocks in all."""
        return int(self.bounds.size - 1)

    def path(self, i: int) -> Path:
        """Return the file of a block."""
        return self.folder / f"block-{i:06d}.npz"

    def missing(self) -> list[int]:
        """Return the blocks that are still to be scored."""
        return [i for i in range(self.n) if not self.path(i).exists()]

    def write(self, i: int, tables: Tables) -> None:
        """Write a finished block; a block that has its name is whole, even after a power failure."""
        with atomic(self.path(i)) as temporary, temporary.open("wb") as out:
            np.savez(out, **{f"t{k}": v for k, v in enumerate(tables.values())})  # type: ignore[arg-type]
            out.flush()
            os.fsync(out.fileno())

    def __iter__(self) -> Iterator[list[Array]]:
        """Yield the tables of each block in order."""
        for i in range(self.n):
            with np.load(self.path(i), allow_pickle=False) as found:
                yield [found[f"t{k}"] for k in range(len(found.files))]

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder)


def write_parquet(
    out: Path,
    parts: Parts,
    columns: Columns,
    file: DiskFile,
    rows: npt.NDArray[np.int64] | None,
    record: dict[str, Any],
) -> None:
    """Join the blocks into one Parquet file with a column ``observation`` and columns ``<table>/<signature>``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [f"{table}/{name}" for table, found in columns.items() for name in found]
    fields = [pa.field("observation", pa.string())] + [pa.field(name, pa.float64()) for name in names]
    schema = pa.schema(fields, metadata={"mtorscore": json.dumps(record)})
    temporary = out.with_name(f".{out.name}.tmp")
    with (
        pq.ParquetWriter(temporary, schema, compression="lz4", use_dictionary=["observation"]) as writer,
        ThreadPoolExecutor(1, thread_name_prefix="mtorscore-write") as pool,
    ):
        before = None
        for a, b, tables in _row_groups(parts):
            values = [np.ascontiguousarray(t[:, j]) for t in tables for j in range(t.shape[1])]
            observations = file.obs_names_utf8(slice(a, b) if rows is None else rows[a:b])
            group = pa.table([observations, *values], schema=schema)
            if before is not None:
                before.result()
            # The next blocks are read while these are packed.
            before = pool.submit(writer.write_table, group)
        if before is not None:
            before.result()
    temporary.replace(out)


def _row_groups(parts: Parts) -> Iterator[tuple[int, int, list[Array]]]:
    """Yield edges and tables of several blocks at once: a row group of few rows is dear to write and to read."""
    waiting: list[list[Array]] = []
    first = size = 0
    for i, tables in enumerate(parts):
        waiting.append(tables)
        size += sum(t.nbytes for t in tables)
        if size >= ROW_GROUP_BYTES or i == parts.n - 1:
            together = [np.concatenate(t) for t in zip(*waiting, strict=True)]
            yield int(parts.bounds[first]), int(parts.bounds[i + 1]), together
            waiting.clear()
            first, size = i + 1, 0


def read_scores(path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a Parquet file that `score` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    tables, record
        DataFrames (observations x signatures) by their key in ``.obsm``, and what ``.uns["mtorscore"]`` would hold.

    Raises
    ------
    DataError
        If something else wrote the file.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    record = (table.schema.metadata or {}).get(b"mtorscore")
    if record is None:
        raise DataError(f"{path} was not written by mtorscore.tl.score.")
    frame = table.to_pandas().set_index("observation").rename_axis(index=None)
    keys = dict.fromkeys(c.split("/", 1)[0] for c in frame.columns)
    found = {}
    for key in keys:
        part = frame[[c for c in frame.columns if c.startswith(f"{key}/")]]
        found[key] = part.set_axis([c.split("/", 1)[1] for c in part.columns], axis=1)
    return found, json.loads(record)


def write_h5ad(
    out: Path,
    parts: Parts,
    columns: Columns,
    file: DiskFile,
    rows: npt.NDArray[np.int64] | None,
    record: dict[str, Any],
) -> None:
    """Copy the h5ad and add the tables to its ``obsm``, block by block."""
    import h5py

    temporary = out.with_name(f".{out.name}.tmp")
    shutil.copyfile(file.path, temporary)
    with h5py.File(temporary, "r+") as copy:
        _fill(copy, lambda group, index: copy.copy(file.obs_index(), group, name=index), parts, columns, rows, record)
    temporary.replace(out)


def write_zarr(
    out: Path,
    parts: Parts,
    columns: Columns,
    file: DiskFile,
    rows: npt.NDArray[np.int64] | None,
    record: dict[str, Any],
) -> None:
    """Copy the zarr folder and add the tables to its ``obsm``, block by block."""
    import zarr
    from anndata.io import write_elem

    temporary = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(file.path, temporary)
    copy = zarr.open_group(str(temporary), mode="r+", use_consolidated=False)
    names = file.obs_names()
    _fill(copy, lambda group, index: write_elem(group, index, names), parts, columns, rows, record)
    if (temporary / ".zmetadata").exists() or "consolidated_metadata" in _metadata(temporary):
        zarr.consolidate_metadata(str(temporary))
    if out.exists():
        shutil.rmtree(out)
    temporary.rename(out)


def _metadata(folder: Path) -> str:
    described = folder / "zarr.json"
    return described.read_text() if described.exists() else ""


def _fill(
    root: Any, copy_index: Any, parts: Parts, columns: Columns, rows: npt.NDArray[np.int64] | None, record: Any
) -> None:
    """Write one dataframe per table in the layout that anndata reads, without holding a whole table."""
    from anndata.io import write_elem

    obsm = root.require_group("obsm")
    n_obs = int(root["obs"][root["obs"].attrs["_index"]].shape[0])
    arrays: list[list[Any]] = []
    for key, names in columns.items():
        if key in obsm:
            del obsm[key]
        group = obsm.create_group(key)
        attributes = {
            "encoding-type": "dataframe",
            "encoding-version": "0.2.0",
            "_index": "_index",
            "column-order": list(names),
        }
        for name, value in attributes.items():
            group.attrs[name] = value
        copy_index(group, "_index")
        mine = []
        for name in names:
            array = _column(group, name, n_obs)
            array.attrs["encoding-type"], array.attrs["encoding-version"] = "array", "0.2.0"
            mine.append(array)
        arrays.append(mine)
    for i, tables in enumerate(parts):
        a, b = int(parts.bounds[i]), int(parts.bounds[i + 1])
        for mine, values in zip(arrays, tables, strict=True):
            for j, array in enumerate(mine):
                if rows is None:
                    array[a:b] = values[:, j]
                else:
                    first, last = int(rows[a]), int(rows[b - 1]) + 1
                    here = array[first:last]
                    here[rows[a:b] - first] = values[:, j]
                    array[first:last] = here
    uns = root.require_group("uns")
    before = set(uns["mtorscore"]) if "mtorscore" in uns else set()
    if not before:
        write_elem(uns, "mtorscore", {})
    for key, value in record.items():
        if key in before:
            del uns["mtorscore"][key]
        write_elem(uns["mtorscore"], key, value)


def _column(group: Any, name: str, n_obs: int) -> Any:
    """Make a column of NaN in an HDF5 or a zarr group."""
    chunks = (min(max(n_obs, 1), 16384),)
    if hasattr(group, "create_array"):
        return group.create_array(name, shape=(n_obs,), dtype="f8", fill_value=np.nan, chunks=chunks)
    return group.create_dataset(name, shape=(n_obs,), dtype="f8", fillvalue=np.nan, chunks=chunks)

"""Checkpoints of streaming: finished blocks on disk, found again after a kill, and joined into one file."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore._atomic import atomic, write_whole
from mtorscore._doors import option
from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.io.tables import file_bytes
from mtorscore.tl.engine.gene_sets import Array
from mtorscore.tl.streaming.disk_file import DiskFile

__all__ = [
    "Finished",
    "Parts",
    "atomic_folder",
    "content_of",
    "read_scores",
    "stamps_of",
    "write_h5ad",
    "write_parquet",
    "write_zarr",
]

Tables = Mapping[str, Array]
Columns = Mapping[str, Sequence[str]]
ROW_GROUP_BYTES = 4 << 20
_OURS = re.compile(r"run\.json|(?:block|early)-[0-9]+\.npz|learned-[a-z_]+\.npz|\..*\.tmp-.*")


def _plan(file: Path) -> dict[str, Any]:
    """Return what an unfinished run wrote down of itself."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        bounds = np.array(found["bounds"], dtype=np.int64)
        if not isinstance(found["run"], dict) or bounds.ndim != 1 or (np.diff(bounds) <= 0).any():
            raise ValueError("no blocks")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        again = option("start_again")
        raise DataError(f"{file} is damaged; delete {file.parent}, or start again with {again}.") from error
    return {"run": found["run"], "bounds": bounds}


def stamps_of(files: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Return name, size and time of change of files."""
    found = [(f, f.stat()) for f in files]
    return [(str(f), seen.st_size, seen.st_mtime_ns) for f, seen in found]


def content_of(path: Path, files: Sequence[Path] | None = None) -> str:
    """Return the SHA-256 of a file, or of the names and contents of the files of a folder.

    Sizes and times do not tell: a store keeps both where values are overwritten in place.
    """
    digest = hashlib.sha256()
    for file in file_bytes.files_of(path) if files is None else files:
        with file.open("rb") as opened:
            inner = hashlib.file_digest(opened, "sha256").digest()
        digest.update(f"{file.relative_to(path.parent)}\0".encode() + inner)
    return digest.hexdigest()


@dataclass
class Parts:
    """The folder beside the output that holds finished blocks until all are scored.

    Attributes
    ----------
    folder
        ``<out>.parts``.
    bounds
        Edges of the blocks; those of the interrupted run, if it is resumed.
    name
        What the names of its files begin with.
    """

    folder: Path
    bounds: npt.NDArray[np.int64]
    name: str = "block"

    @classmethod
    def open(
        cls,
        folder: Path,
        identity: Mapping[str, Any],
        bounds: npt.NDArray[np.int64],
        *,
        resume: bool,
        give_up_others: bool = False,
    ) -> Parts:
        """Start or resume a run.

        Raises
        ------
        DataError
            If the folder holds blocks of another run.
        """
        plan = folder / "run.json"
        if folder.exists() and not resume:
            _give_up(folder)
        if plan.exists():
            try:
                before = _plan(plan)
                _refuse_another(folder, before["run"], identity)
                return cls(folder, before["bounds"])
            except DataError as error:
                if not give_up_others:
                    raise
                warn(f"{error} It is given up, and everything is scored anew.", DataWarning)
                _give_up(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(plan, json.dumps({"run": identity, "bounds": bounds.tolist()}).encode())
        return cls(folder, bounds)

    @property
    def n(self) -> int:
        """Number of blocks."""
        return int(self.bounds.size - 1)

    def path(self, i: int) -> Path:
        """Return the file of a block."""
        return self.folder / f"{self.name}-{i:06d}.npz"

    def named(self, name: str) -> Parts:
        """Return the blocks of some of the methods, in the same folder."""
        return replace(self, name=name)

    def missing(self) -> list[int]:
        """Return the blocks that have not been scored yet."""
        return [i for i in range(self.n) if not self.path(i).exists()]

    def write(self, i: int, tables: Tables) -> None:
        """Write a finished block; a file under its final name is complete, even after a power failure."""
        with atomic(self.path(i)) as temporary, temporary.open("wb") as out:
            arrays = {f"t{k}": v for k, v in enumerate(tables.values())}
            np.savez(out, names=np.array(list(tables), dtype=np.str_), **arrays)  # type: ignore[arg-type]
            out.flush()
            os.fsync(out.fileno())

    def read(self, i: int) -> dict[str, Array]:
        """Return the tables of a finished block by their key in ``.obsm``."""
        with np.load(self.path(i), allow_pickle=False) as found:
            return {str(name): found[f"t{k}"] for k, name in enumerate(found["names"])}

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder)


@dataclass(frozen=True)
class Finished:
    """What is written once every block is scored.

    Attributes
    ----------
    parts
        The blocks, of all methods or of some and the others.
    columns
        Signatures by key of their table in ``.obsm``.
    file
        The file that was scored.
    rows
        The rows that were scored, or None for all.
    record
        What ``.uns["mtorscore"]`` holds.
    """

    parts: Sequence[Parts]
    columns: Columns
    file: DiskFile
    rows: npt.NDArray[np.int64] | None
    record: Mapping[str, Any]

    @property
    def bounds(self) -> npt.NDArray[np.int64]:
        """Edges of the blocks."""
        return self.parts[0].bounds

    def blocks(self) -> Iterator[list[Array]]:
        """Yield the tables of each block in the order of `columns`."""
        for i in range(self.parts[0].n):
            found: dict[str, Array] = {}
            for parts in self.parts:
                found |= parts.read(i)
            yield [found[key] for key in self.columns]


def _give_up(folder: Path) -> None:
    """Delete the blocks of an unfinished run, and never anything else."""
    foreign = [f.name for f in folder.iterdir() if not _OURS.match(f.name)] if folder.is_dir() else [folder.name]
    if foreign:
        raise DataError(
            f"{folder} is where finished blocks are kept, and holds what is none of them ({examples(foreign)}); move "
            "it, or give the scores another name."
        )
    shutil.rmtree(folder)


def _refuse_another(folder: Path, before: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    """Refuse to go on with the blocks of another run, or of another version."""
    different = [k for k, v in identity.items() if before.get(k) != json.loads(json.dumps(v))]
    if not different:
        return
    again = f"delete the folder, or start again with {option('start_again')}, which deletes it"
    if {"version", "layout"} & set(different):
        raise DataError(
            f"{folder} holds an unfinished run of another state of mtorscore ({before.get('version', 'unknown')}; this "
            f"is {identity['version']}), and its blocks cannot be continued here. Finish it with the version that "
            f"began it; or {again}."
        )
    raise DataError(
        f"{folder} holds an unfinished run that differs in {examples(different)}. Finish that one by the call that "
        f"began it; or {again}; or give the scores another name."
    )


def write_parquet(out: Path, scores: Finished) -> None:
    """Join the blocks into one Parquet file with a column ``observation`` and columns ``<table>/<signature>``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [f"{table}/{name}" for table, found in scores.columns.items() for name in found]
    fields = [pa.field("observation", pa.string())] + [pa.field(name, pa.float64()) for name in names]
    schema = pa.schema(fields, metadata={"mtorscore": json.dumps(scores.record)})
    with (
        atomic(out) as temporary,
        pq.ParquetWriter(temporary, schema, compression="lz4", use_dictionary=["observation"]) as writer,
        ThreadPoolExecutor(1, thread_name_prefix="mtorscore-write") as pool,
    ):
        before = None
        for a, b, tables in _row_groups(scores):
            values = [np.ascontiguousarray(t[:, j]) for t in tables for j in range(t.shape[1])]
            observations = scores.file.obs_names_utf8(slice(a, b) if scores.rows is None else scores.rows[a:b])
            group = pa.table([observations, *values], schema=schema)
            if before is not None:
                before.result()
            # The next blocks are read while these are compressed.
            before = pool.submit(writer.write_table, group)
        if before is not None:
            before.result()


def _row_groups(scores: Finished) -> Iterator[tuple[int, int, list[Array]]]:
    """Yield edges and tables of several blocks at once: row groups of few rows are slow to write and to read."""
    pending: list[list[Array]] = []
    first = size = 0
    last = scores.bounds.size - 2
    for i, tables in enumerate(scores.blocks()):
        pending.append(tables)
        size += sum(t.nbytes for t in tables)
        if size >= ROW_GROUP_BYTES or i == last:
            together = [np.concatenate(t) for t in zip(*pending, strict=True)]
            yield int(scores.bounds[first]), int(scores.bounds[i + 1]), together
            pending.clear()
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


def write_h5ad(out: Path, scores: Finished) -> None:
    """Copy the h5ad or h5mu and add the tables to its ``obsm`` (that of the modality), block by block."""
    import h5py

    with atomic(out) as temporary:
        scores.file.copy_to(temporary)
        with h5py.File(temporary, "r+") as copy:
            root = copy if scores.file.modality is None else copy["mod"][scores.file.modality]
            names = root["obs"][root["obs"].attrs.get("_index", "_index")]
            _fill(root, lambda group, index: copy.copy(names, group, name=index), scores)


def write_zarr(out: Path, scores: Finished) -> None:
    """Copy the zarr folder and add the tables to its ``obsm``, block by block."""
    import zarr
    from anndata.io import write_elem

    with atomic_folder(out) as temporary:
        scores.file.copy_to(temporary)
        copy = zarr.open_group(str(temporary), mode="r+", use_consolidated=False)
        names = scores.file.obs_names()
        _fill(copy, lambda group, index: write_elem(group, index, names), scores)
        if (temporary / ".zmetadata").exists() or "consolidated_metadata" in _metadata(temporary):
            zarr.consolidate_metadata(str(temporary))


@contextmanager
def atomic_folder(out: Path) -> Iterator[Path]:
    """Yield the name of a folder to make, of this process alone, that takes the place of `out` at the end.

    What processes that were killed left behind is removed; the caller holds the lock of `out`.
    """
    for left in out.parent.glob(f".*.tmp-{glob.escape(out.name)}"):
        shutil.rmtree(left, ignore_errors=True)
    mark = f"{os.getpid()}-{secrets.token_hex(6)}"
    temporary, before = out.with_name(f".{mark}.tmp-{out.name}"), out.with_name(f".{mark}-old.tmp-{out.name}")
    try:
        yield temporary
        if out.exists():
            out.rename(before)
        temporary.rename(out)
    finally:
        for folder in (temporary, before):
            shutil.rmtree(folder, ignore_errors=True)


def _metadata(folder: Path) -> str:
    described = folder / "zarr.json"
    return described.read_text() if described.exists() else ""


def _fill(root: Any, copy_index: Callable[[Any, str], None], scores: Finished) -> None:
    """Write one dataframe per table in the layout that anndata reads, without holding a whole table in memory."""
    obsm = root.require_group("obsm")
    n_obs = scores.file.shape[0]
    tables = [_new_table(obsm, key, names, n_obs, copy_index) for key, names in scores.columns.items()]
    bounds = scores.bounds
    for i, block in enumerate(scores.blocks()):
        a, b = int(bounds[i]), int(bounds[i + 1])
        for arrays, values in zip(tables, block, strict=True):
            for j, array in enumerate(arrays):
                _write_rows(array, a, b, scores.rows, values[:, j])
    _write_record(root.require_group("uns"), scores.record)


def _new_table(
    obsm: Any, key: str, names: Sequence[str], n_obs: int, copy_index: Callable[[Any, str], None]
) -> list[Any]:
    """Make an empty dataframe and return the arrays of its columns."""
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
    arrays = [_column(group, name, n_obs) for name in names]
    for array in arrays:
        array.attrs["encoding-type"], array.attrs["encoding-version"] = "array", "0.2.0"
    return arrays


def _write_rows(array: Any, a: int, b: int, rows: npt.NDArray[np.int64] | None, values: Array) -> None:
    """Write the values of scored rows ``a:b`` to a column on disk."""
    if rows is None:
        array[a:b] = values
        return
    first, last = int(rows[a]), int(rows[b - 1]) + 1
    here = array[first:last]
    here[rows[a:b] - first] = values
    array[first:last] = here


def _write_record(uns: Any, record: Mapping[str, Any]) -> None:
    """Add what is recorded of each method to ``uns["mtorscore"]``."""
    from anndata.io import write_elem

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

"""10x Genomics matrices (folders of Cell Ranger 2 and 3, HDF5 of both) and loom files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from mtorscore._sparse_structure import all_missing, check_numbers, check_stored_pointers, compressed
from mtorscore.errors import FormatError, examples
from mtorscore.io.formats.reader import FirstLines, Folder, Found, Hdf5, Reader
from mtorscore.io.formats.stored_matrices import check_hdf5, sound
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import assemble
from mtorscore.io.tables.cell_text import split

if TYPE_CHECKING:
    from anndata import AnnData

# Cell Ranger's unfiltered matrices have 7 million barcodes; a pointer per row is kept in memory.
MOST_ROWS = 50_000_000
MOST_UNNAMED = 2_000_000
MARKER = "%%MatrixMarket"

__all__ = ["READERS"]


def files_of(path: Path, prefix: str = "") -> dict[str, Path]:
    """Return matrix, barcodes and features of a 10x folder, as far as they are there (GEO prefixes allowed)."""
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        name = file.name.removesuffix(".gz")
        if not name.startswith(prefix):
            continue
        for part, endings in (
            ("matrix", ("matrix.mtx",)),
            ("barcodes", ("barcodes.tsv",)),
            ("features", ("features.tsv", "genes.tsv")),
        ):
            if name.endswith(endings):
                found.setdefault(part, file)
    return found


def _lines(path: Path) -> list[list[str]]:
    return [split(line, "\t") for line in file_bytes.load(path).data.decode().split("\n") if line]


def folder(
    path: Path,
    *,
    gene_ids: bool = True,
    prefix: str = "",
) -> tuple[AnnData, dict[str, Any]]:
    """Read a 10x folder: cells x genes, sparse, raw counts.

    Parameters
    ----------
    path
        Folder with matrix.mtx, barcodes.tsv and features.tsv or genes.tsv, each plain or gz.
    gene_ids
        Identify genes by the first column (Ensembl), with symbols in ``var["symbol"]``; False the other way round.
    prefix
        What the names of the three files begin with, where a folder holds several samples, as GEO's supplements do.
    """
    matrices = [f.name for f in sorted(path.iterdir()) if f.name.removesuffix(".gz").endswith("matrix.mtx")]
    if sum(m.startswith(prefix) for m in matrices) > 1:
        starts = [m[: m.index("matrix.mtx")] for m in matrices]
        raise FormatError(
            f"{len(matrices)} samples lie together ({examples(starts)}); choose one with prefix=, such as "
            f"prefix={starts[0]!r}.",
            path=path,
        )
    files = files_of(path, prefix)
    missing = [p for p in ("matrix", "barcodes", "features") if p not in files]
    if missing:
        raise FormatError(f"a 10x folder without {' and '.join(missing)}.", path=path)
    x, repairs = read_mtx(files["matrix"])
    features, barcodes = _lines(files["features"]), [r[0] for r in _lines(files["barcodes"])]
    if x.shape != (len(features), len(barcodes)):
        raise FormatError(
            f"the matrix is {x.shape[0]} x {x.shape[1]}, and there are {len(features)} features and {len(barcodes)} "
            "barcodes; the files belong to different runs.",
            path=files["matrix"],
            line=1,
        )
    ids = [f[0] for f in features]
    symbols = [f[1] if len(f) > 1 else f[0] for f in features]
    var = pd.DataFrame({"symbol": symbols} if gene_ids else {"gene_id": ids})
    if all(len(f) > 2 for f in features):
        var["feature_type"] = [f[2] for f in features]
    adata = assemble(x.T.tocsr(), barcodes, ids if gene_ids else symbols, var=var)
    return adata, {"table": "matrix", "units": "counts" if _whole(x) else "", "orientation": "genes in rows",
                   "repairs": repairs}  # fmt: skip


def _whole(x: Any) -> bool:
    return bool((x.data == np.round(x.data)).all() and (x.data >= 0).all())


def read_mtx(path: Path) -> tuple[Any, list[str]]:
    """Read a Matrix Market file of coordinates (genes x cells), repeated entries refused."""
    content = file_bytes.load(path)
    lines = content.data
    if not lines.startswith(MARKER.encode()):
        raise FormatError("no %%MatrixMarket line.", path=path, line=1)
    banner = lines.split(b"\n", 1)[0].decode(errors="replace").lower().split()
    if (
        len(banner) < 5
        or banner[1:3] != ["matrix", "coordinate"]
        or banner[3] not in ("integer", "real", "pattern")
        or banner[4] != "general"
    ):
        raise FormatError(
            f"{' '.join(banner[1:])}: only general coordinate matrices of numbers are read.", path=path, line=1
        )
    # Without a line feed behind it, a line is the last one.
    at, number = (lines.find(b"\n") + 1) or len(lines), 2
    while lines[at : at + 1] == b"%":
        at, number = (lines.find(b"\n", at) + 1) or len(lines), number + 1
    end = lines.find(b"\n", at)
    size = lines[at : end if end > 0 else None].split()
    if len(size) != 3 or not all(s.isdigit() for s in size):
        raise FormatError("the line of sizes must hold three whole numbers.", path=path, line=number)
    n_rows, n_columns, n_entries = map(int, size)
    if max(n_rows, n_columns) > MOST_ROWS or n_entries > len(lines):
        raise FormatError(
            f"{n_rows} x {n_columns} with {n_entries} entries cannot be in this file.", path=path, line=number
        )
    values = _triplets(lines[end + 1 :], banner[3] == "pattern", path, number + 1)
    if len(values) != n_entries:
        raise FormatError(
            f"{len(values)} entries where {n_entries} are promised; the file is cut off.", path=path, line=number
        )
    odd = ~(np.isfinite(values).all(axis=1) & (values[:, :2] == np.floor(values[:, :2])).all(axis=1))
    if odd.any():
        where = number + 1 + int(np.argmax(odd))
        raise FormatError("an entry is no pair of whole numbers with a value.", path=path, line=where)
    i, j = values[:, 0].astype(np.int64) - 1, values[:, 1].astype(np.int64) - 1
    if len(values) and (i.min() < 0 or j.min() < 0 or i.max() >= n_rows or j.max() >= n_columns):
        bad = int(np.flatnonzero((i < 0) | (j < 0) | (i >= n_rows) | (j >= n_columns))[0])
        raise FormatError("an entry lies outside the matrix.", path=path, line=number + 1 + bad)
    x = sparse.coo_matrix((values[:, 2], (i, j)), shape=(n_rows, n_columns)).tocsr()
    if x.nnz != len(values):
        raise FormatError(f"{len(values) - x.nnz} entries are duplicated; the file is damaged.", path=path)
    return x.astype(np.float32 if np.abs(values[:, 2]).max(initial=0) < 2**24 else np.float64), content.repairs


def _triplets(data: bytes, pattern: bool, path: Path, line: int) -> Any:
    import pyarrow as pa
    from pyarrow import csv as pacsv

    names = ["i", "j"] if pattern else ["i", "j", "v"]
    if not data.strip():
        return np.zeros((0, 3))
    try:
        table = pacsv.read_csv(
            pa.py_buffer(data.replace(b"\t", b" ")),
            read_options=pacsv.ReadOptions(column_names=names),
            parse_options=pacsv.ParseOptions(delimiter=" "),
            convert_options=pacsv.ConvertOptions(column_types={"i": pa.int64(), "j": pa.int64(), "v": pa.float64()}),
        )
    except pa.ArrowInvalid as error:
        for offset, row in enumerate(data.split(b"\n")):
            fields = row.split()
            sound = (
                len(fields) == len(names) and all(map(_numeric, fields[2:])) and all(f.isdigit() for f in fields[:2])
            )
            if fields and not sound:
                raise FormatError(
                    f"{row[:40].decode(errors='replace')!r} is no entry (row, column, value).",
                    path=path,
                    line=line + offset,
                ) from error
        # Sound, but aligned with several spaces.
        rows = np.array([r for row in data.split(b"\n") if (r := row.split())], dtype=np.float64)
        return rows if not pattern else np.column_stack([rows, np.ones(len(rows))])
    columns = [np.asarray(table.column(n).to_numpy(), dtype=np.float64) for n in names]
    return np.column_stack(columns if not pattern else [*columns, np.ones(len(table))])


def _numeric(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def mtx(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a Matrix Market file, with the barcodes and features beside it where they are there."""
    if {"barcodes", "features"} <= set(files_of(path.parent)) and files_of(path.parent).get("matrix") == path:
        return folder(path.parent)
    x, repairs = read_mtx(path)
    if max(x.shape) > MOST_UNNAMED:
        raise FormatError(
            f"{x.shape[0]} x {x.shape[1]} without names; put barcodes.tsv and features.tsv beside it.", path=path
        )
    genes = [f"row_{i + 1}" for i in range(x.shape[0])]
    cells = [f"column_{i + 1}" for i in range(x.shape[1])]
    return assemble(x.T.tocsr(), cells, genes), {"table": "matrix", "names": "none beside the file", "repairs": repairs}


def _text(values: Any) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


def h5(path: Path, *, genome: str | None = None) -> tuple[AnnData, dict[str, Any]]:
    """Read a 10x HDF5 file of Cell Ranger 2 (one group per genome) or 3 (group ``matrix``)."""
    import h5py

    with sound(path, "the HDF5 file"), h5py.File(path) as file:
        check_hdf5(file, path)
        groups = [k for k in file if isinstance(file[k], h5py.Group) and "indptr" in file[k]]
        if genome is None and len(groups) > 1:
            raise FormatError(f"{len(groups)} genomes ({examples(groups)}); choose one with genome=.", path=path)
        name = genome or (groups[0] if groups else "")
        if name not in groups:
            raise FormatError(f"there is no genome {name!r}; there are {examples(groups)}.", path=path)
        group = file[name]
        n_genes, n_cells = (int(v) for v in group["shape"][()])
        pointers = check_stored_pointers(group, (n_cells, n_genes), n_cells, path=path, name=name)
        values = group["data"][()]
        # Whole numbers beyond this are not all float32.
        values = values.astype(np.float32 if np.abs(values).max(initial=0) < 2**24 else np.float64)
        x = compressed(values, group["indices"][()], pointers, (n_cells, n_genes), path=path, name=name)
        barcodes = _text(group["barcodes"][()])
        if "features" in group:
            ids, symbols = _text(group["features/id"][()]), _text(group["features/name"][()])
            var = pd.DataFrame({"symbol": symbols})
            if "feature_type" in group["features"]:
                var["feature_type"] = _text(group["features/feature_type"][()])
        else:
            ids, var = _text(group["genes"][()]), pd.DataFrame({"symbol": _text(group["gene_names"][()])})
        if (len(ids), len(barcodes)) != (n_genes, n_cells):
            raise FormatError(
                f"{len(ids)} genes and {len(barcodes)} barcodes for a matrix of {n_genes} x {n_cells}; the file is "
                "damaged. Download it again.",
                path=path,
            )
    return assemble(x, barcodes, ids, var=var), {"table": "matrix", "units": "counts", "genome": name}


def loom(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a loom file: the main matrix, row and column attributes."""
    import h5py

    with sound(path, "the loom file"), h5py.File(path) as file:
        check_hdf5(file, path)
        check_numbers(file["matrix"].dtype, path=path)
        dense = file["matrix"][()].T
        if all_missing(dense):
            raise FormatError("every value is missing (NaN); there is nothing to score.", path=path)
        x = sparse.csr_matrix(dense)
        rows = {k: v[()] for k, v in file["row_attrs"].items() if v.ndim == 1}
        columns = {k: v[()] for k, v in file["col_attrs"].items() if v.ndim == 1}
    genes = next((rows[k] for k in ("Accession", "var_names", "Gene", "gene_ids") if k in rows), range(x.shape[1]))
    cells = next((columns[k] for k in ("CellID", "obs_names", "cell_names") if k in columns), range(x.shape[0]))
    if (len(genes), len(cells)) != (x.shape[1], x.shape[0]):
        raise FormatError(
            f"{len(genes)} genes and {len(cells)} cells for a matrix of {x.shape[1]} x {x.shape[0]}; the loom file is "
            "damaged. Download it again.",
            path=path,
        )
    obs = pd.DataFrame({k: _text(v) if v.dtype.kind in "OS" else v for k, v in columns.items()})
    var = pd.DataFrame({k: _text(v) if v.dtype.kind in "OS" else v for k, v in rows.items()})
    return assemble(x, _text(cells), _text(genes), obs=obs, var=var), {"table": "matrix"}


def _is_folder(seen: Folder) -> Found | None:
    return Found("10x-mtx", "holds matrix.mtx with barcodes and features") if "matrix" in files_of(seen.path) else None


def _is_h5(seen: Hdf5) -> Found | None:
    known = "matrix" in seen.groups or any({"indptr", "barcodes"} <= keys for keys in seen.groups.values())
    return Found("10x-h5", "HDF5 with the groups of Cell Ranger") if known else None


def _is_loom(seen: Hdf5) -> Found | None:
    known = {"matrix", "row_attrs", "col_attrs"} <= seen.keys
    return Found("loom", "HDF5 with matrix, row_attrs and col_attrs") if known else None


READERS = (
    Reader(
        kinds=("10x-mtx",),
        read=folder,
        detect={Folder: _is_folder},
        origin="Single cells",
        title="10x folder (matrix, barcodes, features) of Cell Ranger 2 and 3",
        options={
            "gene_ids": "False names genes by symbol instead of Ensembl id",
            "prefix": "start of the three file names, where a folder holds several samples",
        },
    ),
    Reader(
        kinds=("10x-h5",),
        read=h5,
        detect={Hdf5: _is_h5},
        origin="Single cells",
        title="10x HDF5 of Cell Ranger 2 and 3",
        options={"genome": "name of the genome, where there are several"},
    ),
    Reader(
        kinds=("loom",),
        read=loom,
        detect={Hdf5: _is_loom},
        origin="Single cells",
        title="loom",
    ),
    Reader(
        kinds=("mtx",),
        read=mtx,
        detect={FirstLines: lambda seen: Found("mtx", "Matrix Market") if seen.first.startswith(MARKER) else None},
        origin="Single cells",
        title="Matrix Market, with the barcodes and features beside it",
    ),
)

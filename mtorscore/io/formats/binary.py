"""Typed formats: Parquet, Feather, Excel, R workspaces, h5ad, Zarr."""

from __future__ import annotations

import contextlib
import gc
import itertools
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore._sparse_structure import all_missing, without_repeats
from mtorscore.errors import DataError, FormatError, examples
from mtorscore.io.formats.reader import FirstBytes, Folder, Found, Hdf5, Members, Reader, starts_with
from mtorscore.io.formats.stored_matrices import (
    check_anndata,
    check_hdf5,
    check_zarr,
    read_anndata,
    scipy_reads,
    sound,
)
from mtorscore.io.tables.assembly import assemble, unique
from mtorscore.io.tables.cell_text import is_missing, typed
from mtorscore.io.tables.delimited import Grid
from mtorscore.io.tables.long_table import long_table
from mtorscore.io.tables.matrix import MEASURE_OPTION, TABLE_OPTION, from_grid
from mtorscore.io.tables.orientation import all_samples, genes_in_rows, is_transposed

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["READERS", "checked", "sheet_frame", "zarr"]

# A workbook is held as Python objects, some 100 bytes a cell.
MOST_CELLS, MOST_UNPACKED, SMALL_UNPACKED = 50_000_000, 4 << 30, 64 << 20
# A formula that ends its cell, or has an empty result behind it.
_EMPTY_FORMULA = re.compile(rb"(</f>|<f\b[^<>]*/>)\s*(<v\s*/>|<v></v>)?\s*</c>")


def _grid_of(frame: pd.DataFrame, path: Path, *, index: bool = True, header_line: int = 1) -> Grid:
    """Turn a DataFrame into the columns that the table reader works on."""
    names, columns = [], []
    if index:
        names.append(str(frame.index.name or ""))
        columns.append(np.array([str(v) for v in frame.index], dtype=object))
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position]
        names.append("" if is_missing(name) else str(name))
        if column.dtype.kind in "iufb" and (columns or index):
            columns.append(column.to_numpy(dtype=np.float64))
            continue
        text = np.array(["" if v is None or v != v else str(v).strip() for v in column], dtype=object)
        columns.append(typed(text) if columns else text)
    return Grid(names, columns, path, header_line, header_line + 1, "")


def parquet(path: Path, *, table: str = "") -> tuple[AnnData, dict[str, Any]]:
    """Read a Parquet table in either orientation; the stored number type is kept."""
    from pyarrow.parquet import read_table

    return _arrow(_arrow_table(path, read_table, "Parquet"), path, table)


def feather(path: Path, *, table: str = "") -> tuple[AnnData, dict[str, Any]]:
    """Read an Arrow (Feather) table in either orientation; the stored number type is kept."""
    from pyarrow.feather import read_table

    return _arrow(_arrow_table(path, read_table, "Feather"), path, table)


def _arrow_table(path: Path, read_table: Callable[[Path], Any], what: str) -> Any:
    import pyarrow as pa

    try:
        return read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise FormatError(
            f"the {what} file is truncated or damaged ({error}); download it again.", path=path
        ) from error


def _arrow(frame: Any, path: Path, table: str) -> tuple[AnnData, dict[str, Any]]:
    import pyarrow as pa

    numeric = [n for n in frame.column_names if pa.types.is_floating(frame.schema.field(n).type)]
    text = [n for n in frame.column_names if n not in numeric]
    plain = not table or table == "matrix"
    if plain and len(text) == 1 and pa.types.is_string(frame.schema.field(text[0]).type) and all_samples(numeric):
        # The common case, one column of names, without a detour through Python objects.
        ids = frame.column(text[0]).to_pylist()
        genes, evidence = genes_in_rows(ids)
        if table or genes:
            x = np.empty((len(numeric), len(ids)), dtype=_common([frame.schema.field(n).type for n in numeric]))
            for row, name in enumerate(numeric):
                x[row] = frame.column(name).to_numpy()
            made = {"table": "matrix", "evidence": evidence, "orientation": "genes in rows"}
            return assemble(x, numeric, [str(i) for i in ids]), made
    nested = [n for n in frame.column_names if pa.types.is_nested(frame.schema.field(n).type)]
    if nested:
        raise FormatError(
            f"{len(nested)} column(s) hold lists or records, not numbers ({examples(nested)}); one value per cell.",
            path=path,
        )
    pandas = frame.to_pandas()
    if isinstance(pandas.index, pd.MultiIndex):
        pandas = pandas.reset_index()
    ranged = isinstance(pandas.index, pd.RangeIndex)
    grid = _grid_of(pandas, path, index=not ranged)
    return from_grid(grid, None, table)


def _common(types: list[Any]) -> Any:
    return np.float32 if all(str(t) in ("float", "halffloat") for t in types) else np.float64


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Disable garbage collection, a third of the time while hundreds of thousands of cells are made."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _sheet(path: Path, name: str | None = None) -> tuple[list[list[Any]], list[int], str, list[str]]:
    """Return the rows of one sheet (the first that holds a table if none is named), their numbers, and the names."""
    import openpyxl

    _check_unpacked(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        except Exception as error:
            raise FormatError(f"the workbook is damaged ({error}); download or save it again.", path=path) from error
        with contextlib.closing(book):
            names = list(book.sheetnames)
            if name is not None and name not in names:
                raise FormatError(f"there is no sheet {name!r}; there are {examples(names, 10)}.", path=path)
            for candidate in [name] if name is not None else names:
                try:
                    book[candidate].reset_dimensions()
                    with _without_collection():
                        rows = _bounded_rows(book[candidate].iter_rows(values_only=True), path, candidate)
                except FormatError:
                    raise
                except Exception as error:
                    raise FormatError(f"sheet {candidate!r} is damaged ({error}); save it again.", path=path) from error
                numbers = [i for i, r in enumerate(rows, 1) if any(v is not None for v in r)]
                rows = [rows[i - 1] for i in numbers]
                # A sheet of notes has one column; it is read only where it is asked for.
                if len(rows) > 1 and (name is not None or sum(sum(v is not None for v in r) > 1 for r in rows) > 1):
                    _refuse_formulas(path, candidate, rows)
                    return rows, numbers, candidate, names
    raise FormatError("no sheet of the workbook holds a table.", path=path)


def _check_unpacked(path: Path) -> None:
    """Refuse a workbook that unpacks to far more than a table does: XML of cells shrinks to a tenth, not to a 200th."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MOST_UNPACKED or (size > SMALL_UNPACKED and size > 200 * path.stat().st_size):
        raise FormatError(
            f"the workbook has {path.stat().st_size} bytes and unpacks to {size}; save the table as text (tsv).",
            path=path,
        )


def _bounded_rows(found: Iterator[tuple[Any, ...]], path: Path, name: str) -> list[list[Any]]:
    rows, n_cells = [], 0
    for row in found:
        n_cells += len(row)
        if n_cells > MOST_CELLS:
            raise FormatError(f"sheet {name!r} has more than {MOST_CELLS} cells; save it as text (tsv).", path=path)
        rows.append(list(row))
    return rows


def _refuse_formulas(path: Path, name: str, rows: list[list[Any]]) -> None:
    """Raise FormatError where a cell has a formula without a stored result, as some programs write."""
    import zipfile

    import openpyxl

    if all(v is not None for r in rows for v in r):
        return
    with zipfile.ZipFile(path) as archive:
        sheets = [n for n in archive.namelist() if n.startswith("xl/worksheets/sheet")]
        if not any(_EMPTY_FORMULA.search(archive.read(n)) for n in sheets):
            return
    with (
        contextlib.closing(openpyxl.load_workbook(path, read_only=True, data_only=True)) as results,
        contextlib.closing(openpyxl.load_workbook(path, read_only=True)) as formulas,
    ):
        results[name].reset_dimensions()
        formulas[name].reset_dimensions()
        both = itertools.zip_longest(
            results[name].iter_rows(values_only=True), formulas[name].iter_rows(), fillvalue=()
        )
        # To the end, because the library lets go of the file only there.
        empty = [
            (line, column, str(cell.value))
            for line, (stored, written) in enumerate(both, 1)
            for column, (result, cell) in enumerate(zip(stored, written, strict=False), 1)
            if result is None and cell.data_type == "f"
        ]
    if empty:
        raise FormatError(
            f"{len(empty)} formula(s) without a stored result, first {empty[0][2][:40]!r}; open the workbook in a "
            "spreadsheet program and save it, or replace formulas by values.",
            path=path,
            line=empty[0][0],
            column=empty[0][1],
        )


def sheet_frame(path: Path, name: str | None = None) -> tuple[pd.DataFrame, str, list[int], list[str]]:
    """Return one sheet as text columns, its name, the row numbers (of the header first) and all sheet names.

    Title lines above the header (rows with one filled cell) are passed over.
    """
    rows, numbers, found, names = _sheet(path, name)
    # Title lines and group headings above the names fill few cells, or repeat themselves.
    filled = [len({str(v) for v in r if v is not None}) for r in rows[:50]]
    filled += [sum(v is not None for v in r) for r in rows[50:200]]
    at = next(
        (i for i, n in enumerate(filled[:-1]) if n >= 0.6 * max(filled) and any(v is not None for v in rows[i][:2])), 0
    )
    header = [("" if v is None else str(v).strip()) for v in rows[at]]
    while header and not header[-1] and all(len(r) < len(header) or r[len(header) - 1] is None for r in rows[at + 1 :]):
        header.pop()
    body = [[_cell(v) for v in [*r[: len(header)], *[None] * (len(header) - len(r))]] for r in rows[at + 1 :]]
    return pd.DataFrame(body, columns=pd.Index(header), dtype=object), found, numbers[at:], names


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return str(value).strip()


def excel(
    path: Path, *, sheet: str | None = None, measure: str = "", table: str = ""
) -> tuple[AnnData, dict[str, Any]]:
    """Read a sheet of an Excel workbook."""
    frame, name, lines, names = sheet_frame(path, sheet)
    if (
        len(frame.columns)
        and frame.columns[0] == ""
        and frame.iloc[:, 0].str.fullmatch(r"\d+").all()
        and len(frame.columns) > 2
    ):
        frame = frame.iloc[:, 1:]
    grid = _grid_of(frame, path, index=False, header_line=lines[0])
    grid.rows = lines[1:]
    adata, made = from_grid(grid, None, table, measure)
    return adata, {**made, "sheet": name, "sheets": names}


def h5ad(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read an AnnData file."""
    import anndata
    import h5py

    with sound(path, "the h5ad file"), warnings.catch_warnings(), h5py.File(path) as file:
        check_hdf5(file, path)
        check_anndata(file, path)
        # Names that repeat are looked after below.
        warnings.filterwarnings("ignore", message=".*names are not unique", category=UserWarning)
        adata = anndata.read_h5ad(path) if scipy_reads(file) else read_anndata(file, path)
    old = dict(adata.uns.get("source", {}))
    adata, repairs = checked(adata, path)
    return adata, {k: v for k, v in old.items() if k in ("units", "accession")} | {"repairs": repairs}


def checked(adata: AnnData, path: Path) -> tuple[AnnData, list[str]]:
    """Return a stored AnnData with unique names and genes as variables, and what had to be changed for that."""
    repairs = []
    if adata.X is None and adata.n_vars:
        layers = examples(sorted(filter(None, adata.layers))) or "none"
        raise FormatError(
            f"there are no values in X; the layers are {layers}. Move one to X.",
            path=path,
        )
    repairs += _check_values(adata, path)
    if not adata.obs_names.is_unique:
        repeated = adata.obs_names[adata.obs_names.duplicated()].unique()
        raise DataError(
            f"{path}: {len(repeated)} observation name(s) are duplicated ({examples(repeated)}); make them "
            "unique (obs_names_make_unique), since nothing says which one is meant."
        )
    if is_transposed(list(adata.obs_names), list(adata.var_names)):
        adata = adata.T
        repairs.append("genes stood in the rows; transposed")
    if "id" not in adata.var:
        adata.var["id"] = [str(n) for n in adata.var_names]
    if not adata.var_names.is_unique:
        repairs.append(f"{int(adata.var_names.duplicated().sum())} repeated gene names numbered (A~2)")
        adata.var_names = pd.Index(unique([str(n) for n in adata.var_names]), dtype=object)
    return adata, repairs


def _check_values(adata: AnnData, path: Path) -> list[str]:
    """Check the matrices that were loaded, sum repeated entries, and return what was done."""
    from scipy import sparse

    repairs = []
    matrices = {"X": adata.X} | {f"layers/{name}": layer for name, layer in adata.layers.items()}
    for name, matrix in matrices.items():
        if not sparse.issparse(matrix):
            continue
        held, n = without_repeats(matrix, path=path, name=name)
        if n:
            repairs.append(f"{n} repeated entries of {name} summed")
            if name == "X":
                adata.X = held
            else:
                adata.layers[name.removeprefix("layers/")] = held
    if adata.X is not None and all_missing(adata.X):
        raise FormatError("every value of X is missing (NaN); there is nothing to score.", path=path)
    return repairs


def zarr(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read an AnnData store in Zarr."""
    try:
        import zarr as z
    except ImportError as error:
        raise FormatError("reading Zarr needs the package zarr: pip install 'mtorscore[scale]'.", path=path) from error
    import anndata

    check_zarr(path)
    with sound(path, "the Zarr store"):
        root = z.open_group(str(path), mode="r")
        check_anndata(root, path)
        adata = anndata.read_zarr(path) if scipy_reads(root) else read_anndata(root, path)
    adata, repairs = checked(adata, path)
    return adata, {"repairs": repairs}


def rdata(path: Path, *, name: str | None = None, table: str = "") -> tuple[AnnData, dict[str, Any]]:
    """Read a matrix or data frame from an R file (``.rda``, ``.RData``, ``.rds``)."""
    from mtorscore.io.formats.r_objects import objects

    found = objects(path)
    if name is not None and name not in found:
        raise FormatError(f"there is no object {name!r}; there are {examples(sorted(found), 10)}.", path=path)
    chosen = name or max(found, key=lambda n: found[n].size)
    frame = found[chosen]
    long = long_table(frame, path)
    if long is not None:
        return long, {"table": "matrix", "orientation": "long", "object": chosen, "objects": sorted(found)}
    ranged = isinstance(frame.index, pd.RangeIndex) or list(map(str, frame.index[:2])) == ["1", "2"]
    adata, made = from_grid(_grid_of(frame, path, index=not ranged), None, table)
    return adata, {**made, "object": chosen, "objects": sorted(found)}


def _is_workbook(seen: Members) -> Found | None:
    return Found("excel", "a zip archive with xl/workbook.xml") if "xl/workbook.xml" in seen.names else None


def _is_anndata(seen: Hdf5) -> Found | None:
    known = seen.encoding == "anndata" or {"obs", "var"} <= seen.keys
    return Found("h5ad", "HDF5 with obs and var") if known else None


def _is_zarr(seen: Folder) -> Found | None:
    return Found("zarr", "a Zarr store") if {".zgroup", "zarr.json", ".zattrs"} & set(seen.names) else None


def _is_r(seen: FirstBytes) -> Found | None:
    if seen.data.startswith((b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n")):
        return Found("rdata", "an R workspace (save)")
    one = seen.data.startswith((b"X\n\0\0\0\2", b"X\n\0\0\0\3", b"A\n2\n", b"A\n3\n"))
    return Found("rdata", "one R object (saveRDS)") if one else None


READERS = (
    Reader(
        kinds=("parquet",),
        read=parquet,
        detect={FirstBytes: starts_with("parquet", "starts with PAR1", b"PAR1")},
        origin="Tables",
        title="Parquet, in either orientation",
        options=TABLE_OPTION,
    ),
    Reader(
        kinds=("feather",),
        read=feather,
        detect={FirstBytes: starts_with("feather", "an Arrow table (Feather)", b"ARROW1", b"FEA1")},
        origin="Tables",
        title="Feather (Arrow), in either orientation",
        options=TABLE_OPTION,
    ),
    Reader(
        kinds=("excel",),
        read=excel,
        detect={Members: _is_workbook},
        origin="Tables",
        title="Excel workbook (.xlsx), the first sheet that holds a table",
        options={"sheet": "name of the sheet"} | MEASURE_OPTION | TABLE_OPTION,
    ),
    Reader(
        kinds=("rdata",),
        read=rdata,
        detect={FirstBytes: _is_r},
        origin="Tables",
        title="R workspace or object (.rda, .RData, .rds), its largest matrix or data frame",
        options={"name": "name of the object"} | TABLE_OPTION,
    ),
    Reader(
        kinds=("h5ad",),
        read=h5ad,
        detect={Hdf5: _is_anndata},
        origin="Single cells",
        title="AnnData (.h5ad)",
    ),
    Reader(
        kinds=("zarr",),
        read=zarr,
        detect={Folder: _is_zarr},
        origin="Single cells",
        title="AnnData in a Zarr store (needs the package zarr)",
    ),
)

"""10x Genomics matrices (folders of Cell Ranger 2 and 3, HDF5 of both) and loom files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from mtorscore._sparse_structure import all_missing, check_numbers, compressed
from mtorscore.errors import DataWarning, FormatError, warn
from mtorscore.io.formats import tenx_parts as parts
from mtorscore.io.formats.matrix_market import EXACT, MARKER, read_mtx
from mtorscore.io.formats.reader import FirstLines, Folder, Found, Hdf5, Reader
from mtorscore.io.formats.stored_matrices import check_hdf5, sound
from mtorscore.io.tables.assembly import assemble

if TYPE_CHECKING:
    from anndata import AnnData

MOST_UNNAMED = 2_000_000

__all__ = ["READERS"]


def folder(
    path: Path,
    *,
    gene_ids: bool = True,
    prefix: str = "",
    other_features: bool = False,
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
    other_features
        Keep features that are no genes (antibodies, peaks, guides) in the matrix.
    """
    files = parts.three_files(path, prefix)
    x, repairs = read_mtx(files["matrix"])
    features, n_features = parts.features_of(files["features"], gene_ids=gene_ids, other_features=other_features)
    barcodes = parts.barcodes_of(files["barcodes"])
    parts.check_sizes(x.shape, n_features, len(barcodes), files["matrix"])
    found = {"table": "matrix", "units": "counts" if _whole(x) else "", "orientation": "genes in rows",
             "repairs": repairs}  # fmt: skip
    return _genes_of(x.T.tocsr(), barcodes, features, found)


def _genes_of(
    x: Any, barcodes: list[str], features: parts.Features, made: dict[str, Any]
) -> tuple[AnnData, dict[str, Any]]:
    """Put matrix and names together, and say what is left out."""
    adata = assemble(x if features.columns is None else x[:, features.columns], barcodes, features.names,
                     var=features.var)  # fmt: skip
    if features.left_out:
        warn(features.words(), DataWarning)
        made = made | {"features_left_out": dict(features.left_out)}
    return adata, made


def _whole(x: Any) -> bool:
    return bool((x.data == np.round(x.data)).all() and (x.data >= 0).all())


def mtx(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a Matrix Market file, with the barcodes and features beside it where they are there."""
    if {"barcodes", "features"} <= set(parts.files_of(path.parent)) and parts.files_of(path.parent).get(
        "matrix"
    ) == path:
        return folder(path.parent)
    x, repairs = read_mtx(path)
    if max(x.shape) > MOST_UNNAMED:
        raise FormatError(
            f"{x.shape[0]} x {x.shape[1]} without names; put barcodes.tsv and features.tsv beside it.", path=path
        )
    warn(
        f"{path}: no barcodes.tsv and features.tsv (or genes.tsv) lie beside it, so nothing says which genes and cells "
        "these are; they are numbered.",
        DataWarning,
    )
    genes = [f"row_{i + 1}" for i in range(x.shape[0])]
    cells = [f"column_{i + 1}" for i in range(x.shape[1])]
    return assemble(x.T.tocsr(), cells, genes), {"table": "matrix", "names": "none beside the file", "repairs": repairs}


def h5(path: Path, *, genome: str | None = None, other_features: bool = False) -> tuple[AnnData, dict[str, Any]]:
    """Read a 10x HDF5 file of Cell Ranger 2 (one group per genome) or 3 (group ``matrix``).

    Parameters
    ----------
    path
        The file.
    genome
        Where there are several.
    other_features
        Keep features that are no genes (antibodies, peaks, guides) in the matrix.
    """
    import h5py

    with sound(path, "the HDF5 file"), h5py.File(path) as file:
        check_hdf5(file, path)
        name, group, pointers, shape = parts.group_of(file, path, genome)
        values = group["data"][()]
        values = values.astype(np.float32 if np.abs(values).max(initial=0) < EXACT else np.float64)
        x = compressed(values, group["indices"][()], pointers, shape, path=path, name=name)
        barcodes = parts.texts(parts.barcodes_in(group))
        features, n_features = parts.features_in(group, path, genome=genome, other_features=other_features)
        parts.check_names(shape, n_features, len(barcodes), path)
    made = {"table": "matrix", "units": "counts", "orientation": "genes in rows", "genome": genome or name}
    return _genes_of(x, barcodes, features, made)


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
    obs = pd.DataFrame({k: parts.texts(v) if v.dtype.kind in "OS" else v for k, v in columns.items()})
    var = pd.DataFrame({k: parts.texts(v) if v.dtype.kind in "OS" else v for k, v in rows.items()})
    return assemble(x, parts.texts(cells), parts.texts(genes), obs=obs, var=var), {"table": "matrix"}


def _is_folder(seen: Folder) -> Found | None:
    return (
        Found("10x-mtx", "holds matrix.mtx with barcodes and features")
        if "matrix" in parts.files_of(seen.path)
        else None
    )


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
            "other_features": "True keeps antibodies, peaks and guides among the genes",
        },
    ),
    Reader(
        kinds=("10x-h5",),
        read=h5,
        detect={Hdf5: _is_h5},
        origin="Single cells",
        title="10x HDF5 of Cell Ranger 2 and 3",
        options={
            "genome": "name of the genome, where there are several",
            "other_features": "True keeps antibodies, peaks and guides among the genes",
        },
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

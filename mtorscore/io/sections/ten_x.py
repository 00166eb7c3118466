"""Sections of 10x Genomics: the folders that Space Ranger (Visium, Visium HD) and Xenium write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.errors import DataWarning, FormatError, examples, warn
from mtorscore.io.formats import tenx, tenx_parts
from mtorscore.io.formats.reader import Folder, Found, Reader
from mtorscore.io.sections.places import COORDINATES, first_there, place, positions, set_apart

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["READERS"]

MATRICES = ("filtered", "raw")
SPOTS = ("tissue_positions.parquet", "tissue_positions.csv", "tissue_positions_list.csv")
SPOT_COLUMNS = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")
CELLS = ("cells.parquet", "cells.csv")
# Beside the genes; what each of them counts.
NOT_GENES = {
    "Antibody Capture": "proteins",
    "Negative Control Probe": "probes without a target",
    "Negative Control Codeword": "codewords without a probe",
    "Unassigned Codeword": "codewords without a probe",
    "Blank Codeword": "codewords without a probe",
    "Deprecated Codeword": "codewords that are no longer used",
    "Genomic Control": "probes on DNA",
}
LONGEST_NOTE = 16 << 20


def visium(
    path: Path, *, matrix: str | None = None, bin_size: str | None = None, in_tissue: bool = True
) -> tuple[AnnData, dict[str, Any]]:
    """Read a folder of Space Ranger: spots (of Visium HD, bins) x genes, counts, with coordinates.

    Parameters
    ----------
    path
        Folder with a matrix and ``spatial/`` (``outs``), or, of Visium HD, with ``binned_outputs/``.
    matrix
        ``"filtered"`` or ``"raw"``; by default the filtered one, where there is one.
    bin_size
        Of Visium HD: the folder of the bin size, such as ``"square_008um"``.
    in_tissue
        Leave out spots that are not under tissue; False keeps them.

    Returns
    -------
    AnnData
        ``obsm["spatial"]``: x and y in pixels of the full image; ``obs``: ``in_tissue``, ``array_row``, ``array_col``;
        ``uns["spatial"][library]["scalefactors"]``, where scanpy and squidpy look for them.
    dict
        For ``uns["source"]``.
    """
    if matrix not in (None, *MATRICES):
        raise FormatError(f"there is no matrix={matrix!r}; choose one of {examples(map(repr, MATRICES))}.", path=path)
    path = _bin_folder(path, bin_size)
    kinds = MATRICES if matrix is None else (matrix,)
    file = next((f for kind in kinds if (f := _matrix_of(path, (kind,), "feature_bc_matrix"))), None)
    table = _spots_of(path)
    if file is None or table is None:
        lacks = "table of positions (spatial/tissue_positions.csv)" if file else f"{matrix or 'filtered or raw'} matrix"
        raise FormatError(f"there is no {lacks}; give the folder outs as Space Ranger wrote it.", path=path)
    adata, made = _matrix_in(file)
    adata, left_out = _placed(adata, table, in_tissue)
    adata, apart = set_apart(adata, known=NOT_GENES)
    scale, used = _scale_factors(table.parent)
    library = _library(path, file)
    adata.uns[COORDINATES] = {library: {"images": {}, "scalefactors": scale, "metadata": {}}}
    return adata, _made(made, apart, [file, table, *used]) | {
        "section": library,
        "matrix": file.name,
        "coordinates": "pixels of the full image",
        "left_out": left_out,
    }


def _placed(adata: AnnData, table: Path, in_tissue: bool) -> tuple[AnnData, int]:
    """Return the spots with their places, and how many were left out since they are not under tissue."""
    found = positions(table, SPOT_COLUMNS[0], SPOT_COLUMNS[1:], headless=SPOT_COLUMNS)
    place(adata, found, (SPOT_COLUMNS[5], SPOT_COLUMNS[4]), table)
    under = adata.obs["in_tissue"].to_numpy(dtype=np.float64) > 0
    adata.obs["in_tissue"] = under
    for column in ("array_row", "array_col"):
        adata.obs[column] = adata.obs[column].to_numpy(dtype=np.int64)
    outside = int((~under).sum())
    if not outside or not in_tissue:
        return adata, 0
    if not under.any():
        raise FormatError(f"none of the {adata.n_obs} spots of the matrix is under tissue.", path=table)
    warn(
        f"{outside} of {adata.n_obs} spots are not under tissue and are left out (in_tissue=False keeps them).",
        DataWarning,
    )
    return adata[under].copy(), outside


def _made(made: dict[str, Any], apart: dict[str, int], files: Sequence[Path]) -> dict[str, Any]:
    return {**made, "units": "counts", "set_apart": apart, "used": list(files)}


def _bin_folder(path: Path, asked: str | None) -> Path:
    inside = path / "binned_outputs"
    if not inside.is_dir():
        if asked is not None and path.name != asked:
            raise FormatError(f"there is no binned_outputs/{asked}.", path=path)
        return path
    there = sorted(p.name for p in inside.iterdir() if p.is_dir() and _spots_of(p))
    if asked is None and len(there) == 1:
        return inside / there[0]
    if asked not in there:
        what = f"there is no bin size {asked!r}" if asked else f"there are {len(there)} bin sizes"
        raise FormatError(
            f"{what} ({examples(there, 6)}); choose one with bin_size=, such as 'square_008um', or give its folder.",
            path=path,
        )
    return inside / str(asked)


def _matrix_of(path: Path, prefixes: Sequence[str], name: str) -> Path | None:
    """Return the HDF5 file of a matrix, else the folder of its three files."""
    names = [f"{p}_{name}" for p in prefixes] if prefixes else [name]
    file = first_there([path], [f"{n}.h5" for n in names], prefixed_too=bool(prefixes))
    folder = next((path / n for n in names if "matrix" in _parts(path / n)), None)
    # Three files beside spatial/, as GEO's supplements have them.
    return file or folder or (path if prefixes and "matrix" in _parts(path) else None)


def _matrix_in(file: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read all features, whatever they are; what is no gene is set apart afterwards."""
    read = tenx.h5 if file.is_file() else tenx.folder
    return read(file, other_features=True)


def _parts(path: Path) -> dict[str, Path]:
    return tenx_parts.files_of(path) if path.is_dir() else {}


def _spots_of(path: Path) -> Path | None:
    return first_there([path / "spatial", path], SPOTS, prefixed_too=True)


def _scale_factors(folder: Path) -> tuple[dict[str, float], list[Path]]:
    file = first_there([folder], ["scalefactors_json.json"], prefixed_too=True)
    if file is None:
        return {}, []
    return {k: float(v) for k, v in _note(file).items() if isinstance(v, int | float)}, [file]


def _note(file: Path) -> dict[str, Any]:
    """Return a small JSON object."""
    from mtorscore.io.tables import file_bytes

    if file.stat().st_size > LONGEST_NOTE:
        raise FormatError(f"{file.stat().st_size} bytes are no note of a few numbers.", path=file)
    try:
        found = json.loads(file_bytes.load(file).data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"no sound JSON ({error}); get it again.", path=file) from error
    if not isinstance(found, dict):
        raise FormatError("a JSON object was expected.", path=file)
    return found


def _library(path: Path, file: Path) -> str:
    """Return the name of the section: the one that the matrix states, else that of the folder of the run."""
    if file.is_file():
        import h5py

        with h5py.File(file) as root:
            stated = np.atleast_1d(root.attrs.get("library_ids", ()))
        if len(stated):
            first = stated[0]
            return first.decode(errors="replace") if isinstance(first, bytes) else str(first)
    inside = path.parent.parent if path.parent.name == "binned_outputs" else path
    return inside.parent.name if inside.name == "outs" else inside.name


def xenium(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a folder of Xenium: cells x genes, counts of transcripts, with the centre of each cell.

    Parameters
    ----------
    path
        Folder with ``cell_feature_matrix.h5`` (or the folder of that name) and ``cells.parquet`` or ``cells.csv.gz``.

    Returns
    -------
    AnnData
        ``obsm["spatial"]``: x and y in micrometres; ``obs``: what the table of cells says; control probes and codewords
        are not in the matrix but in ``obsm["negative_control_probe"]`` and its like.
    dict
        For ``uns["source"]``.
    """
    file, table = _matrix_of(path, (), "cell_feature_matrix"), first_there([path], CELLS)
    if file is None or table is None:
        raise FormatError(
            f"there is no {'table of cells (cells.csv.gz or cells.parquet)' if file else 'cell_feature_matrix'}; give "
            "the folder as Xenium wrote it.",
            path=path,
        )
    adata, made = _matrix_in(file)
    place(adata, positions(table, "cell_id", ("x_centroid", "y_centroid")), ("x_centroid", "y_centroid"), table)
    adata, apart = set_apart(adata, known=NOT_GENES)
    used = [file, table]
    about = first_there([path], ["experiment.xenium"])
    panel = {}
    if about is not None:
        said = _note(about)
        panel = {k: str(said[k]) for k in ("run_name", "region_name", "panel_name", "panel_organism") if k in said}
        used.append(about)
    section = panel.get("region_name") or (path.parent.name if path.name == "outs" else path.name)
    return adata, _made(made, apart, used) | panel | {"section": section, "coordinates": "micrometres"}


def _is_visium(seen: Folder) -> Found | None:
    for path in (seen.path, seen.path / "outs"):
        table, binned = _spots_of(path), path / "binned_outputs"
        if table and (file := _matrix_of(path, MATRICES, "feature_bc_matrix")):
            return _found("visium", seen, path, file, table)
        if binned.is_dir():
            sizes = sorted(p.name for p in binned.iterdir() if p.is_dir() and _spots_of(p))
            if sizes:
                found = Found("visium", "Visium HD of Space Ranger", details={"bin sizes": ", ".join(sizes)})
                return found if path == seen.path else replace(found, path=path)
    return None


def _is_xenium(seen: Folder) -> Found | None:
    for path in (seen.path, seen.path / "outs"):
        table, file = first_there([path], CELLS), _matrix_of(path, (), "cell_feature_matrix")
        if table and file:
            return _found("xenium", seen, path, file, table)
    return None


def _found(kind: str, seen: Folder, path: Path, file: Path, table: Path) -> Found:
    where = table.relative_to(path)
    name = file.name if file != path else "matrix.mtx"
    matrices = [(file, "10x-h5")] if file.is_file() else []
    found = Found(kind, f"holds {name} with {where}", handed={"used": [file, table], "matrices": matrices})
    return found if path == seen.path else replace(found, path=path)


READERS = (
    Reader(
        kinds=("visium",),
        read=visium,
        detect={Folder: _is_visium},
        origin="Tissue sections",
        title="Visium and Visium HD, the folder of Space Ranger: spots with their coordinates",
        options={
            "matrix": '"filtered" (the default, where it is there) or "raw"',
            "bin_size": 'of Visium HD, the bin size, such as "square_008um"',
            "in_tissue": "False keeps spots that are not under tissue",
        },
    ),
    Reader(
        kinds=("xenium",),
        read=xenium,
        detect={Folder: _is_xenium},
        origin="Tissue sections",
        title="Xenium, the folder of its output: cells with their centres, control probes set apart",
    ),
)

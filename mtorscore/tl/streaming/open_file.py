"""Open any file that can be scored from disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtorscore._doors import option
from mtorscore.errors import FormatError
from mtorscore.io.detect import detect
from mtorscore.tl.streaming.disk_file import DiskFile
from mtorscore.tl.streaming.disk_matrix import open_anndata
from mtorscore.tl.streaming.tenx_file import open_tenx_folder, open_tenx_h5

__all__ = ["STREAMED", "kind_of", "open_file"]

STREAMED = frozenset({"h5ad", "h5mu", "zarr", "10x-h5", "10x-mtx"})
"""Kinds of files, as `mtorscore.io.describe` names them, that are scored from disk."""
_BY_NAME = {".h5ad": "h5ad", ".h5mu": "h5mu"}


def kind_of(path: Path) -> tuple[str, Path]:
    """Return the kind of a file, and the folder that is meant where it lies inside the one that is given.

    Parameters
    ----------
    path
        Any file or folder.

    Raises
    ------
    FormatError
        If it is missing, empty or nothing that is known.
    """
    if path.suffix in _BY_NAME and path.is_file():
        return _BY_NAME[path.suffix], path
    if path.is_dir() and (path.suffix == ".zarr" or any((path / n).is_file() for n in ("zarr.json", ".zgroup"))):
        # Without a table of observations, a store of several tables.
        return ("zarr" if (path / "obs").is_dir() or not (path / "tables").is_dir() else "spatialdata"), path
    seen = detect(path)
    beside = path.parent
    if seen.kind == "mtx" and _names_lie_beside(path):
        return "10x-mtx", beside
    return seen.kind, seen.path or path


def _names_lie_beside(path: Path) -> bool:
    from mtorscore.io.formats.tenx_parts import files_of

    there = files_of(path.parent)
    return {"barcodes", "features"} <= set(there) and there.get("matrix") == path


def open_file(
    path: str | Path,
    *,
    layer: str | None = None,
    modality: str | None = None,
    scratch: Path | None = None,
    panel_bytes: int,
    said: Mapping[str, Any] | None = None,
) -> DiskFile:
    """Open a file for reading in row blocks: AnnData, a modality of MuData, or a matrix of 10x.

    Parameters
    ----------
    path
        ``.h5ad`` or ``.h5mu`` file, ``.zarr`` folder, 10x HDF5 file, or 10x folder of text.
    layer
        Layer instead of ``X``.
    modality
        Of a MuData file, where it has several.
    scratch
        Folder for the copy by rows that a matrix stored by columns, or as text, needs; the system's temporary folder
        by default.
    panel_bytes
        Bytes of such a matrix that are converted at once.
    said
        ``genome`` or ``prefix`` of a 10x matrix, where that was said.

    Raises
    ------
    FormatError
        If the file is none of these, or holds no such matrix.
    """
    file = Path(path)
    if not file.exists():
        raise FormatError("There is no such file.", path=file)
    kind, file = kind_of(file)
    if kind not in STREAMED | {"spatialdata"}:
        raise FormatError(
            ".h5ad, .h5mu, .zarr and matrices of 10x (.h5, or the folder of matrix.mtx) are scored from disk, and this "
            f"is {kind}; read it with mtorscore.read and score the result.",
            path=file,
        )
    given = {k: v for k, v in (said or {}).items() if v is not None}
    if kind not in ("10x-h5", "10x-mtx"):
        _refuse(given, ("genome", "prefix"), kind, file)
        return open_anndata(file, layer=layer, modality=modality, scratch=scratch, panel_bytes=panel_bytes)
    if layer is not None:
        raise FormatError(f"a matrix of 10x has no layers, and {layer!r} was asked for.", path=file)
    if modality is not None:
        raise FormatError(f"it has no modalities, and {option('modality')} chooses one of a MuData file.", path=file)
    if kind == "10x-h5":
        _refuse(given, ("prefix",), kind, file)
        return open_tenx_h5(file, **given)
    _refuse(given, ("genome",), kind, file)
    return open_tenx_folder(file, scratch=scratch, panel_bytes=panel_bytes, **given)


def _refuse(given: Mapping[str, Any], names: tuple[str, ...], kind: str, file: Path) -> None:
    for name in names:
        if name in given:
            raise FormatError(f"{option(name, given[name])} says nothing about {kind}.", path=file)

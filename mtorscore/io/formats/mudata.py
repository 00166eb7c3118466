"""MuData files (h5mu): several modalities of the same cells, one of which is read; the package mudata is not needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore._doors import COMMAND_LINE, door, option
from mtorscore.errors import FormatError, examples
from mtorscore.io.formats.binary import checked
from mtorscore.io.formats.reader import Found, Hdf5, Reader
from mtorscore.io.formats.stored_matrices import check_anndata, check_hdf5, read_anndata, scipy_reads, sound

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["READER", "modality_of"]


def modality_of(names: list[str], asked: str | None, *, where: str | Path) -> str:
    """Return the modality that is meant: the one asked for, or the only one.

    Parameters
    ----------
    names
        Of the modalities there are.
    asked
        None where nothing was asked for.
    where
        What holds them, for the error.

    Raises
    ------
    FormatError
        If there is none of that name, or there are several and none was asked for.
    """
    if asked is None and len(names) == 1:
        return names[0]
    if asked in names:
        return str(asked)
    what = f"there is no modality {asked!r}" if asked else f"there are {len(names)} modalities"
    example = option("modality", names[0]) if names else option("modality")
    # Other commands have no such option.
    other = ", of score, and of read, which writes it for other commands" if door() == COMMAND_LINE else ""
    raise FormatError(f"{what} ({examples(names, 8) or 'none'}); choose one, such as {example}{other}.", path=where)


def h5mu(path: Path, *, modality: str | None = None) -> tuple[AnnData, dict[str, Any]]:
    """Read one modality of a MuData file.

    Parameters
    ----------
    path
        ``.h5mu`` file.
    modality
        Its name, where there are several.

    Returns
    -------
    AnnData
        Columns of ``obs`` that belong to all modalities come along, where the modality has none of that name.
    dict
        For ``uns["source"]``.
    """
    import h5py
    from anndata.io import read_elem

    with sound(path, "the h5mu file"), h5py.File(path) as file:
        check_hdf5(file, path)
        names = sorted(k for k in file["mod"] if isinstance(file["mod"][k], h5py.Group))
        name = modality_of(names, modality, where=path)
        group = file["mod"][name]
        check_anndata(group, path)
        adata = read_elem(group) if scipy_reads(group) else read_anndata(group, path)
        shared = read_elem(file["obs"]) if "obs" in file else None
    old = dict(adata.uns.get("source", {}))
    adata, repairs = checked(adata, path)
    if shared is not None:
        _join(adata, shared, names)
    kept = {k: v for k, v in old.items() if k in ("units", "accession")}
    return adata, kept | {"modality": name, "modalities": names, "repairs": repairs}


def _join(adata: AnnData, shared: pd.DataFrame, names: list[str]) -> None:
    """Add the columns of all modalities to those of one, in place; copies of a modality's own are named ``rna:x``."""
    if not shared.index.is_unique:
        return
    own = shared.reindex(adata.obs_names)
    for column in map(str, own.columns):
        if column not in adata.obs and not column.startswith(tuple(f"{n}:" for n in names)):
            adata.obs[column] = own[column].to_numpy()


def _is_mudata(seen: Hdf5) -> Found | None:
    known = seen.encoding.lower() == "mudata" or {"mod", "obs", "var"} <= seen.keys
    if not known:
        return None
    modalities = sorted(seen.groups.get("mod", ()))
    return Found("h5mu", "HDF5 of MuData", details={"modalities": examples(modalities, 8) or "none"})


READER = Reader(
    kinds=("h5mu",),
    read=h5mu,
    detect={Hdf5: _is_mudata},
    origin="Single cells",
    title="MuData (.h5mu), one modality of it",
    options={"modality": "its name, where there are several"},
)

"""`read` any supported file or folder into one AnnData, and `describe` what was recognised and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore._doors import option
from mtorscore.errors import DataError, FormatError, MtorscoreError
from mtorscore.io import detect
from mtorscore.io.download.addresses import is_remote, shown
from mtorscore.io.formats.stored_matrices import check_matrices
from mtorscore.io.readers import BY_KIND
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import no_column, unique
from mtorscore.io.tables.described import said
from mtorscore.io.tables.matrix import TABLE_KINDS
from mtorscore.io.tables.orientation import asked_orientation
from mtorscore.io.text_table import preview

if TYPE_CHECKING:
    from anndata import AnnData

    from mtorscore.io.formats.reader import Found, Reader

__all__ = ["Description", "describe", "local", "read"]


@dataclass(frozen=True)
class Description:
    """The format of a file, and the evidence.

    Attributes
    ----------
    path
        The file or folder.
    kind
        The format, such as ``"table"``, ``"geo-series-matrix"`` or ``"gdc-star-counts"``.
    evidence
        Why, in words.
    compression
        ``"gz"``, ``"bz2"``, ``"zst"``, ``"xz"``, ``"zip"`` or ``""``.
    details
        What its beginning tells: delimiter, header, dimensions where they are stated.
    """

    path: Path
    kind: str
    evidence: str
    compression: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.kind}", f"  because {self.evidence}"]
        if self.compression:
            lines.append(f"  compressed: {self.compression}")
        return "\n".join(lines + [f"  {k}: {v}" for k, v in self.details.items()])


def describe(path: str | Path, *, orientation: str | None = None) -> Description:
    """Recognise the format of a file or folder from its beginning, and say why; small files and tables say more.

    The details of a table (of its first rows, where it is large) name its orientation, sizes, the kind of identifiers
    and the units, and how sure each of them is.

    Parameters
    ----------
    path
        File, folder, or an address as for `read`.
    orientation
        As for `read`.

    Returns
    -------
    Description
        The format, the evidence and what the beginning tells.

    Raises
    ------
    FormatError
        If it is missing, empty, damaged as far as its structure tells, or nothing that mtorscore reads. Of sparse
        matrices the first 100 million indices are looked at.
    """
    path = local(path)
    table = asked_orientation(orientation) if orientation else ""
    found = detect.detect(path)
    for file, kind in found.handed.get("matrices", [(found.path or path, found.kind)]):
        check_matrices(file, kind)
    return Description(path, found.kind, found.evidence, found.compression, found.details | meaning(path, found, table))


def read(
    path: str | Path,
    *,
    kind: str | None = None,
    orientation: str | None = None,
    ids: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> AnnData:
    """Read any supported file or folder into an AnnData.

    Parameters
    ----------
    path
        A file (plain, gz, bz2, zst, xz or a zip of one file), a folder, or an address: a URL that `fetch` takes, or
        one that fsspec reads (``s3://``, ``gs://``, ``memory://``). It is copied into the cache.
    kind
        Overrides what would be recognised; see `describe` for the names. For a delimited table also ``"matrix"``
        (genes in rows), ``"matrix_t"`` (samples in rows), ``"clinical"``, ``"genes"`` or ``"contrast"``.
    orientation
        ``"genes-in-rows"`` or ``"samples-in-rows"``, for a table that can be read in two ways.
    ids
        The column that names the genes (in a table with samples in rows, the samples), where it is not the first.
    storage_options
        Of an address, for fsspec, such as ``{"anon": True}``; never written or shown.
    options
        For one format only, such as ``sheet`` for Excel, ``name`` for an object in an R file, ``platform`` for GEO.

    Returns
    -------
    anndata.AnnData
        Observations x genes. ``X`` as published, never transformed: float64 from text, otherwise as stored.
        ``var["id"]`` keeps the published identifiers (the index numbers repeats, ``A~2``), ``obs`` clinical columns,
        ``uns["source"]`` the file, its kind, SHA-256, units as far as known, every repair, and under ``guessed`` what
        nothing in the file says, with the evidence and whether it is sure. A table of samples or
        patients has no variables; a table of genes no observations.

    Raises
    ------
    FormatError
        If the file is missing, empty, damaged or not what it promises: file, line and column are named.
    DataError
        If samples repeat or values cannot be used.
    """
    address, path = path, local(path, storage_options)
    adata = _asked(path, kind, orientation, ids, options)
    if is_remote(address):
        adata.uns["source"]["address"] = shown(str(address))
    return adata


def local(path: str | Path, storage_options: Mapping[str, Any] | None = None) -> Path:
    """Return a path as it is, and of an address the copy in the cache."""
    if not is_remote(path):
        return Path(path)
    from mtorscore.io.download.object_storage import local_copy

    return local_copy(path, storage_options)


def _asked(path: Path, kind: str | None, orientation: str | None, ids: str | None, options: dict[str, Any]) -> AnnData:
    if orientation is not None:
        asked = asked_orientation(orientation)
        if kind in TABLE_KINDS and kind != asked:
            raise DataError(f"kind={kind!r} and orientation={orientation!r} contradict each other.")
        return _oriented(path, asked, kind, ids, options)
    return _read(path, kind, options, ids)


def _oriented(path: Path, asked: str, kind: str | None, ids: str | None, options: dict[str, Any]) -> AnnData:
    """Read with the orientation that was asked for; a format that states its own is not turned."""
    found = detect.detect(path) if kind is None or kind in TABLE_KINDS else detect.as_asked(path, kind)
    reader = BY_KIND[found.kind]
    if not reader.options or "table" not in reader.options:
        adata = _read(path, kind, options, ids)
        states = str(adata.uns["source"].get("orientation", ""))
        if states.startswith(("genes", "samples")) and asked != _KIND_OF[states]:
            raise DataError(f"{path}: {option('orientation')} contradicts {found.kind}, which has {states}.")
        return adata
    if kind is None or kind in TABLE_KINDS:
        return _read(path, asked, options, ids)
    return _read(path, kind, options | {"table": asked}, ids)


_KIND_OF = {"genes in rows": "matrix", "samples in rows": "matrix_t"}


def _named_by(adata: AnnData, ids: str, path: Path) -> None:
    """Name the genes by a column of `var`, in place."""
    import pandas as pd

    if ids not in adata.var:
        raise no_column(ids, adata.var.columns, path)
    named = [str(v) for v in adata.var[ids]]
    adata.var["row_name"] = [str(v) for v in adata.var.get("id", adata.var_names)]
    adata.var["id"] = named
    adata.var_names = pd.Index(unique(named), dtype=object)


def _read(path: Path, kind: str | None, options: dict[str, Any], ids: str | None = None) -> AnnData:
    table = kind if kind in TABLE_KINDS else None
    found = detect.detect(path) if kind is None or table else detect.as_asked(path, kind)
    reader = BY_KIND[found.kind]
    if table and reader.options and "table" in reader.options:
        options = options | {"table": table}
    if ids is not None and reader.options is not None and "ids" in reader.options:
        options, ids = options | {"ids": ids}, None
    supplied = {"found": found, "read_inside": lambda inside, passed: _read(inside, table, passed)}
    needed = {name: supplied[name] for name in reader.needs}
    adata, made = _guarded(reader, found, found.path or path, options, needed)
    if ids is not None:
        _named_by(adata, ids, path)
    _refuse_values(adata, path)
    _refuse_infinite(adata, path)
    # Of a folder with images and alignments beside the data, what was read.
    used = made.pop("used", None)
    source = {
        "file": path.name,
        "kind": found.kind,
        "evidence": found.evidence,
        "sha256": file_bytes.sha256(path, used),
        "bytes": _bytes(path, used),
        "units": "",
        "accession": "",
    } | made
    adata.uns["source"] = {k: v for k, v in source.items() if v is not None}
    return adata


_SMALL = 1 << 23


def meaning(path: Path, found: Found, table: str = "") -> dict[str, str]:
    """Return orientation, sizes, identifiers and units of a file, each with how sure it is.

    Of a large folder with a file per sample the first file tells; {} for any other large file or folder.
    """
    import warnings

    files = found.handed.get("files") or []
    inside = found.path or path
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if found.kind == "table":
                return said(*preview(path, table))
            if _bytes(inside, found.handed.get("used")) <= _SMALL:
                adata = _read(path, None, {})
                return said(adata, dict(adata.uns["source"]))
            if len(files) > 1 and _bytes(files[0]) <= _SMALL:
                adata = _read(files[0], found.handed.get("quantifier"), {})
                told = said(adata, dict(adata.uns["source"]) | {"orientation": "one file per sample"})
                return told | {"sizes": f"{len(files)} samples x {adata.n_vars} genes (of the first file)"}
    except MtorscoreError as error:
        return {"refused": str(error)}
    return {}


def _bytes(path: Path, used: Sequence[Path] | None = None) -> int:
    """Return the bytes of a file, or of all files (or of those used) of a folder."""
    files = file_bytes.files_of(path, used)
    return sum(f.stat().st_size for f in files)


def _guarded(
    reader: Reader, found: Found, path: Path, options: dict[str, Any], needed: dict[str, Any]
) -> tuple[AnnData, dict[str, Any]]:
    """Run a reader; an unexpected exception becomes a FormatError that names the file."""
    unknown = sorted(set(options) - set(reader.options)) if reader.options is not None else []
    if unknown:
        raise DataError(f"{', '.join(unknown)}: no option of the reader for {found.kind}.")
    try:
        return reader.read(path, **options, **needed)
    except (MtorscoreError, MemoryError):
        raise
    except Exception as error:
        raise FormatError(
            f"not a sound {found.kind} file, in an unexpected way ({type(error).__name__}: {str(error)[:120]!r}).",
            path=path,
        ) from error


def _refuse_values(adata: AnnData, path: Path) -> None:
    """Raise FormatError where a stored matrix holds text, complex numbers or records, or no number at all."""
    import numpy as np

    if adata.X is None or 0 in adata.shape:
        return
    held = adata.X.data if hasattr(adata.X, "tocsr") else adata.X
    kind = getattr(getattr(held, "dtype", None), "kind", "f")
    if kind not in "fiub":
        what = {"c": "complex numbers", "O": "text", "U": "text", "S": "text", "T": "text"}.get(kind, "no numbers")
        raise FormatError(f"X holds {what}, not expression; store it as numbers (float32 or float64).", path=path)
    if isinstance(held, np.ndarray) and kind == "f" and held.size and np.isnan(held.flat[0]) and np.isnan(held).all():
        raise FormatError("every value of X is missing: there is no expression in it.", path=path)


def _refuse_infinite(adata: AnnData, path: Path) -> None:
    """Raise DataError where a reader without line numbers met an infinite value."""
    import numpy as np

    values = [adata.X, *adata.layers.values()]
    for x in values:
        held = getattr(x, "data", x) if hasattr(x, "tocsr") else x
        if not isinstance(held, np.ndarray) or held.dtype.kind != "f":
            continue
        with np.errstate(all="ignore"):
            if np.isfinite(held.sum(dtype=np.float64)):
                continue
        if (count := int(np.isinf(held).sum())) and count:
            place = np.argwhere(np.isinf(x.toarray() if hasattr(x, "tocsr") else x))[0]
            raise DataError(
                f"{path}: {count} infinite value(s), first for sample {adata.obs_names[place[0]]} and gene "
                f"{adata.var_names[place[1]]}; where the logarithm of 0 was taken, add an offset before the logarithm."
            )

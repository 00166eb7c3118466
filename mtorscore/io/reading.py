"""`read` and `describe`: any supported file or folder into one AnnData, with what was recognised and why."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore.errors import DataError, FetchError, FormatError, MtorscoreError
from mtorscore.io import detect
from mtorscore.io.formats import binary, gct, gene_lists, quantifier_kinds, quantifiers, tenx
from mtorscore.io.portals import cbioportal, firehose_icgc, gdc, geo, geo_series
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.delimited import parse
from mtorscore.io.tables.matrix import from_grid

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from anndata import AnnData

    Reader: TypeAlias = Callable[..., tuple[AnnData, dict[str, Any]]]

__all__ = ["Description", "describe", "read"]


@dataclass(frozen=True)
class Description:
    """What a file is, and why that is thought.

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


def describe(path: str | Path) -> Description:
    """Say what a file or folder is and why, reading its beginning only.

    Parameters
    ----------
    path
        File or folder.

    Returns
    -------
    Description
        The format, the evidence and what the beginning tells.

    Raises
    ------
    FormatError
        If it is missing, empty, or nothing that mtorscore reads.
    """
    found = detect.detect(Path(path))
    return Description(Path(path), found.kind, found.evidence, found.compression, found.details)


def read(path: str | Path, *, kind: str | None = None, **options: Any) -> AnnData:
    """Read any supported file or folder into an AnnData.

    Parameters
    ----------
    path
        A file (plain, gz, bz2, zst, xz or a zip of one file), a folder, or a URL that `fetch` takes.
    kind
        Overrides what would be recognised; see `describe` for the names. For a delimited table also ``"matrix"``
        (genes in rows), ``"matrix_t"`` (samples in rows), ``"clinical"``, ``"genes"`` or ``"contrast"``.
    options
        For one format only, such as ``sheet`` for Excel, ``name`` for an object in an R file, ``platform`` for GEO.

    Returns
    -------
    anndata.AnnData
        Observations x genes. ``X`` as published, never transformed: float64 from text, otherwise as stored.
        ``var["id"]`` keeps the published identifiers (the index numbers repeats, ``A~2``), ``obs`` clinical columns,
        ``uns["source"]`` the file, its kind, SHA-256, units as far as known, and every repair. A table of samples or
        patients has no variables; a table of genes no observations.

    Raises
    ------
    FormatError
        If the file is missing, empty, damaged or not what it promises: file, line and column are named.
    DataError
        If samples repeat or values cannot be used.
    """
    if isinstance(path, str) and path.startswith(("http://", "https://", "ftp://")):
        from mtorscore.io.download.fetching import fetch

        path = fetch(path)
    path = Path(path)
    return _read(path, kind, options)


def _read(path: Path, kind: str | None, options: dict[str, Any]) -> AnnData:
    found = detect.detect(path) if kind is None or kind in _TABLE_KINDS else detect.Found(kind, "as asked")
    if kind in _TABLE_KINDS:
        options["table"] = kind
    reader = _READERS.get(found.kind)
    if reader is None:
        raise FormatError(f"unknown kind {found.kind!r}; known: {', '.join(sorted(_READERS))}.", path=path)
    inner = path / found.details["folder"] if "folder" in found.details else path
    while (
        inner.is_dir()
        and "folder" in found.details
        and len(list(inner.iterdir())) == 1
        and next(inner.iterdir()).is_dir()
    ):
        inner = next(inner.iterdir())
    if found.kind in quantifier_kinds.FORMATS:
        options["kind"] = found.kind
    adata, made = _guarded(reader, inner, found.kind, options)
    _refuse_infinite(adata, path)
    source = {
        "file": path.name,
        "kind": found.kind,
        "evidence": found.evidence,
        "sha256": file_bytes.sha256(path),
        "bytes": sum(f.stat().st_size for f in ([path] if path.is_file() else path.rglob("*")) if f.is_file()),
        "units": "",
        "accession": "",
    } | made
    adata.uns["source"] = {k: v for k, v in source.items() if v is not None}
    return adata


def _refuse_infinite(adata: AnnData, path: Path) -> None:
    """Raise DataError where a reader that knows no lines met an infinite value."""
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


def _guarded(reader: Reader, path: Path, kind: str, options: dict[str, Any]) -> tuple[AnnData, dict[str, Any]]:
    """Run a reader; what it did not foresee becomes an error that names the file."""
    unknown = (
        sorted(set(options) - set(inspect.signature(reader).parameters)) if reader not in (_counts, _archive) else []
    )
    if unknown:
        raise DataError(f"{', '.join(unknown)}: no option of the reader for {kind}.")
    try:
        return reader(path, **options)
    except MtorscoreError:
        raise
    except MemoryError:
        raise
    except Exception as error:
        raise FormatError(
            f"not a sound {kind} file, in an unexpected way ({type(error).__name__}: {str(error)[:120]!r}).", path=path
        ) from error


_TABLE_KINDS = frozenset({"matrix", "matrix_t", "clinical", "genes", "contrast"})


def _table(
    path: Path, *, table: str = "", delimiter: str = "", skip: int = 0, measure: str = ""
) -> tuple[AnnData, dict[str, Any]]:
    content = file_bytes.load(path)
    grid = parse(content, delimiter=delimiter, skip=skip)
    adata, made = from_grid(grid, content, table, measure)
    if made["kind"] == "matrix" and cbioportal.is_zscore_file(path):
        cbioportal.warn_zscores(path.name)
    return adata, {"table": made["kind"], "evidence": made["evidence"], "orientation": made["orientation"],
                   "repairs": grid.repairs}  # fmt: skip


def _counts(path: Path, **options: Any) -> tuple[AnnData, dict[str, Any]]:
    return (gdc.folder if path.is_dir() else gdc.single)(path, **options)


def _archive(path: Path, **options: Any) -> tuple[AnnData, dict[str, Any]]:
    """Read a tar archive, such as GEO's ``GSE1_RAW.tar`` or a download of the GDC, as the folder that it holds."""
    import tempfile

    from mtorscore.io.download.unpack import unpack

    with tempfile.TemporaryDirectory() as place:
        try:
            folder = unpack(path, Path(place) / "x")
        except FetchError as error:
            raise FormatError(str(error), path=path) from error
        inside = [p for p in folder.iterdir() if not p.name.startswith(".")]
        adata = _read(inside[0] if len(inside) == 1 else folder, None, options)
        made = dict(adata.uns.pop("source"))
    taken = {"file", "sha256", "bytes"}
    return adata, {k: v for k, v in made.items() if k not in taken} | {"archive": "tar"}


_READERS: dict[str, Reader] = {
    "table": _table,
    "archive": _archive,
    "parquet": binary.parquet,
    "feather": binary.feather,
    "excel": binary.excel,
    "h5ad": binary.h5ad,
    "zarr": binary.zarr,
    "rdata": binary.rdata,
    "loom": tenx.loom,
    "10x-h5": tenx.h5,
    "10x-mtx": tenx.folder,
    "mtx": tenx.mtx,
    "10x-features": gene_lists.features,
    "list": gene_lists.names,
    "geo-series-matrix": geo.series_matrix,
    "geo-series": geo_series.series,
    "geo-soft": geo.family,
    "geo-dataset": geo.dataset,
    "geo-annotation": geo.annotation,
    "gct": gct.gct,
    "cls": gct.cls,
    "gdc-star-counts": _counts,
    "htseq-counts": _counts,
    "per-sample": quantifiers.read,
    **dict.fromkeys(quantifier_kinds.FORMATS, quantifiers.read),
    "firehose-matrix": firehose_icgc.firehose,
    "gdc-cart": gdc.cart,
    "gdc-manifest": gene_lists.manifest,
    "gdc-sample-sheet": gene_lists.manifest,
    "icgc-exp-seq": firehose_icgc.icgc,
    "cbioportal-study": cbioportal.study,
    "cbioportal-meta": cbioportal.meta,
    "clinical:gdc-clinical": cbioportal.clinical,
    "clinical:biotab": cbioportal.clinical,
    "clinical:firehose": cbioportal.clinical,
    "clinical:cbioportal-clinical": cbioportal.clinical,
    "clinical:icgc-donor": cbioportal.clinical,
}

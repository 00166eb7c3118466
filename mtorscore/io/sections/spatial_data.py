"""Tables of SpatialData, from the object or its Zarr store; the package spatialdata is not needed."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtorscore.errors import DataError, DataWarning, FormatError, examples, warn
from mtorscore.io.formats.binary import zarr
from mtorscore.io.formats.reader import Folder, Found, Reader
from mtorscore.io.sections.places import COORDINATES

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["READER", "from_spatialdata"]

Floats = npt.NDArray[np.float64]
ATTRIBUTES = "spatialdata_attrs"
LONGEST_NOTE = 16 << 20
MOST_SHAPES = 50_000_000


def from_spatialdata(sdata: Any, *, name: str | None = None) -> AnnData:
    """Return a table of a SpatialData object with the coordinates of its spots or cells.

    Parameters
    ----------
    sdata
        A ``spatialdata.SpatialData``, or anything with ``tables`` and ``shapes``.
    name
        Of the table, where there are several.

    Returns
    -------
    AnnData
        A copy of the table with ``obsm["spatial"]``: as the table has it, else the centres of the shapes that it
        annotates, in the coordinates of these shapes. The column of ``obs`` that names the region is the section
        (``section_key=``); ``uns["source"]`` says which it is.

    Raises
    ------
    DataError
        If there is no such table, or several and none is named.

    Examples
    --------
    >>> adata = mt.io.from_spatialdata(sdata)  # doctest: +SKIP
    """
    tables = getattr(sdata, "tables", None)
    if tables is None:
        raise DataError(f"a {type(sdata).__name__} has no tables; give a SpatialData object, or read its store.")
    chosen = _chosen(sorted(map(str, tables)), name, None)
    adata = tables[chosen].copy()
    shapes = dict(getattr(sdata, "shapes", {}) or {})

    def centres(region: str) -> dict[str, tuple[float, float]] | None:
        if region not in shapes:
            return None
        points = shapes[region].geometry.centroid
        return {str(i): (float(p.x), float(p.y)) for i, p in points.items()}

    made = _placed(adata, centres)
    adata.uns["source"] = dict(adata.uns.get("source", {})) | {"kind": "spatialdata", "table_name": chosen} | made
    return adata


def spatialdata(path: Path, *, name: str | None = None) -> tuple[AnnData, dict[str, Any]]:
    """Read a table of a SpatialData store.

    Parameters
    ----------
    path
        The ``.zarr`` folder.
    name
        Of the table, where there are several.
    """
    folder = _tables(path)
    names = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder else []
    chosen = _chosen(names, name, path)
    inside = (folder or path) / chosen
    if not inside.resolve().is_relative_to(path.resolve()):
        raise FormatError(f"tables/{chosen} is a link out of the store; the file is made to mislead.", path=path)
    adata, made = zarr(inside)
    used = [inside]

    def centres(region: str) -> dict[str, tuple[float, float]] | None:
        file = path / "shapes" / region / "shapes.parquet"
        if Path(region).name != region or not file.is_file() or file.is_symlink():
            return None
        used.append(file)
        return _centres_of(file)

    said = _placed(adata, centres)
    adata.uns.pop("source", None)
    return adata, made | said | {"table_name": chosen, "tables": names, "used": used}


def _chosen(names: list[str], asked: str | None, path: Path | None) -> str:
    if asked is None and len(names) == 1:
        return names[0]
    if asked in names:
        return str(asked)
    what = f"there is no table {asked!r}" if asked else f"there are {len(names)} tables"
    advice = "there is nothing to score"
    if names:
        folder = f", or give its folder (tables/{names[0]})" if path is not None else ""
        advice = f"choose one with name=, such as name={names[0]!r}{folder}"
    raise FormatError(f"{what} ({examples(names, 8) or 'none'}); {advice}.", path=path)


def _placed(adata: AnnData, centres: Callable[[str], dict[str, tuple[float, float]] | None]) -> dict[str, Any]:
    """Give a table coordinates where it has none, and return what is known about them."""
    about = dict(adata.uns.get(ATTRIBUTES, {}))
    region_key, instance_key = str(about.get("region_key", "") or ""), str(about.get("instance_key", "") or "")
    section = {"section_key": region_key} if region_key in adata.obs else {}
    if COORDINATES in adata.obsm:
        return section | {"coordinates": f"as stored in obsm[{COORDINATES!r}]"}
    if region_key not in adata.obs or instance_key not in adata.obs:
        warn(
            f"The table has no obsm[{COORDINATES!r}] and does not say which shapes it annotates; it is read without "
            "coordinates.",
            DataWarning,
        )
        return section | {"coordinates": "none"}
    regions, instances = adata.obs[region_key].astype(str), adata.obs[instance_key].astype(str)
    xy: Floats = np.full((adata.n_obs, 2), np.nan)
    for region in sorted(set(regions)):
        found = centres(region) or {}
        rows = np.flatnonzero((regions == region).to_numpy())
        xy[rows] = [found.get(instances.iloc[r], (np.nan, np.nan)) for r in rows]
    lost = ~np.isfinite(xy).all(axis=1)
    if lost.all():
        warn(
            f"No shapes of {examples(sorted(set(regions)))} could be read; the table is read without coordinates. Read "
            "the store with the package spatialdata and use mt.io.from_spatialdata.",
            DataWarning,
        )
        return section | {"coordinates": "none"}
    if lost.any():
        warn(f"{int(lost.sum())} of {adata.n_obs} observations have no shape ({examples(adata.obs_names[lost])}); "
             "their coordinates are NaN.", DataWarning)  # fmt: skip
    adata.obsm[COORDINATES] = xy
    return section | {"coordinates": "centres of the shapes, in their own coordinates"}


def _centres_of(file: Path) -> dict[str, tuple[float, float]]:
    """Return the centre of each shape of a GeoParquet file, by its index."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file) as opened:
            if opened.metadata.num_rows > MOST_SHAPES:
                raise FormatError(f"{opened.metadata.num_rows} shapes are too many.", path=file)
            schema = opened.schema_arrow
            table = opened.read()
    except (pa.ArrowException, OSError) as error:
        raise FormatError(f"the shapes are truncated or damaged ({error}); get them again.", path=file) from error
    names = [n for n in schema.names if n != "geometry"]
    stated = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    index = next((i for i in stated if isinstance(i, str) and i in names), None)
    if "geometry" not in schema.names:
        raise FormatError("there is no column 'geometry'.", path=file)
    ids = table.column(index).to_pylist() if index else range(table.num_rows)
    try:
        return {str(i): centre(g) for i, g in zip(ids, table.column("geometry").to_pylist(), strict=True)}
    except (struct.error, IndexError, TypeError, ValueError) as error:
        raise FormatError(f"a shape is no sound WKB ({error}).", path=file) from error


def centre(shape: bytes) -> tuple[float, float]:
    """Return the centroid of a point, polygon (holes count off) or several of either, in well-known binary.

    Raises
    ------
    ValueError
        If it is another kind of geometry.
    """
    weights = list(_weighted(shape, 0)[0])
    total = sum(w for w, _, _ in weights)
    if not weights:
        return (np.nan, np.nan)
    if total == 0:
        return (float(np.mean([x for _, x, _ in weights])), float(np.mean([y for _, _, y in weights])))
    return (sum(w * x for w, x, _ in weights) / total, sum(w * y for w, _, y in weights) / total)


def _weighted(data: bytes, at: int) -> tuple[Iterator[tuple[float, float, float]], int]:
    """Return (weight, x, y) of each part of a geometry, and where the next one begins."""
    order = {0: ">", 1: "<"}.get(data[at])
    if order is None:
        raise ValueError(f"byte order {data[at]}")
    (code,) = struct.unpack_from(f"{order}I", data, at + 1)
    kind, at = code & 0xFF if code < 1000 else code % 1000, at + 5
    wide = 2 + (code & 0x80000000 != 0 or code // 1000 in (1, 3)) + (code & 0x40000000 != 0 or code // 1000 in (2, 3))
    if kind not in (1, 3, 4, 6):
        raise ValueError(f"geometry of the kind {kind}")
    if kind == 1:
        x, y = struct.unpack_from(f"{order}2d", data, at)
        return iter([(1.0, x, y)] if np.isfinite(x) else []), at + 8 * wide
    (n,) = struct.unpack_from(f"{order}I", data, at)
    at += 4
    if n > len(data):
        raise ValueError(f"{n} parts in {len(data)} bytes")
    parts: list[tuple[float, float, float]] = []
    for k in range(n):
        if kind == 3:
            ring, at = _ring(data, at, order, wide)
            parts.append((ring[0] if k == 0 else -ring[0], *ring[1:]))
        else:
            inner, at = _weighted(data, at)
            parts.extend(inner)
    return iter(parts), at


def _ring(data: bytes, at: int, order: str, wide: int) -> tuple[tuple[float, float, float], int]:
    """Return area and centroid of a ring."""
    (n,) = struct.unpack_from(f"{order}I", data, at)
    end = at + 4 + 8 * wide * n
    if not n or end > len(data):
        raise ValueError(f"{n} corners in {len(data)} bytes")
    corners = np.frombuffer(data, dtype=f"{order}f8", count=n * wide, offset=at + 4).reshape(n, wide)[:, :2]
    here, shifted = corners - corners[0], np.roll(corners, -1, axis=0) - corners[0]
    cross = here[:, 0] * shifted[:, 1] - shifted[:, 0] * here[:, 1]
    area = float(cross.sum()) / 2
    if area == 0:
        x, y = corners.mean(axis=0)
        return (0.0, float(x), float(y)), end
    x, y = ((here + shifted) * cross[:, None]).sum(axis=0) / (6 * area) + corners[0]
    return (abs(area), float(x), float(y)), end


def _tables(path: Path) -> Path | None:
    return next((path / n for n in ("tables", "table") if (path / n).is_dir()), None)


def _is_spatialdata(seen: Folder) -> Found | None:
    names = set(seen.names)
    if not {".zgroup", "zarr.json", ".zattrs"} & names or {"obs", "var"} <= names:
        return None
    folder = _tables(seen.path)
    stated = any(_says_so(seen.path / n) for n in ("zarr.json", ".zattrs") if n in names)
    if not stated and not (folder and {"images", "labels", "points", "shapes"} & names):
        return None
    tables = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder else []
    handed = {"matrices": [(folder / t, "zarr") for t in tables if folder], "used": [folder] if folder else []}
    return Found("spatialdata", "a Zarr store of SpatialData", details={"tables": examples(tables, 8) or "none"},
                 handed=handed)  # fmt: skip


def _says_so(file: Path) -> bool:
    return (
        file.is_file()
        and file.stat().st_size < LONGEST_NOTE
        and f'"{ATTRIBUTES}"' in file.read_text("utf-8", "replace")
    )


READER = Reader(
    kinds=("spatialdata",),
    read=spatialdata,
    detect={Folder: _is_spatialdata},
    origin="Tissue sections",
    title="SpatialData in a Zarr store, one table of it with coordinates (needs the package zarr)",
    options={"name": "name of the table, where there are several"},
)

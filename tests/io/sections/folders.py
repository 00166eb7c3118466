# ruff: noqa: E501
"""Folders as Space Ranger, Xenium and SpatialData write them, written without the readers."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

GENES = ["ALB", "FASN", "SCD", "GLUL", "CYP2E1"]
IDS = [f"ENSG{i:011d}" for i in (163631, 169710, 99194, 135821, 130649)]
HEADER = "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres"


def counts(n: int, n_features: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).poisson(1.5, (n, n_features)).astype(np.int32)


def write_10x(
    path: Path, x: np.ndarray, barcodes: list[str], features: list[tuple[str, str, str]], **attrs: Any
) -> None:
    """HDF5 of Cell Ranger 3: the matrix by columns (features x barcodes), as 10x stores it."""
    indptr: list[int] = [0]
    indices: list[int] = []
    data: list[int] = []
    for row in x:
        filled = np.flatnonzero(row)
        indices.extend(filled)
        data.extend(row[filled])
        indptr.append(len(indices))
    with h5py.File(path, "w") as file:
        for key, value in attrs.items():
            file.attrs[key] = value
        group = file.create_group("matrix")
        group["barcodes"] = np.array(barcodes, dtype="S24")
        group["data"], group["indices"] = np.array(data, np.int32), np.array(indices, np.int64)
        group["indptr"], group["shape"] = np.array(indptr, np.int64), np.array([x.shape[1], x.shape[0]], np.int32)
        for key, values in zip(("id", "name", "feature_type"), zip(*features, strict=True), strict=True):
            group[f"features/{key}"] = np.array(values, dtype="S40")


def genes() -> list[tuple[str, str, str]]:
    return [(i, g, "Gene Expression") for i, g in zip(IDS, GENES, strict=True)]


def write_mtx(folder: Path, x: np.ndarray, barcodes: list[str], features: list[tuple[str, str, str]]) -> None:
    folder.mkdir(parents=True)
    filled = np.argwhere(x.T)
    lines = ["%%MatrixMarket matrix coordinate integer general", f"{x.shape[1]} {x.shape[0]} {len(filled)}"]
    lines += [f"{i + 1} {j + 1} {x[j, i]}" for i, j in filled]
    for name, rows in (
        ("matrix.mtx", lines),
        ("barcodes.tsv", barcodes),
        ("features.tsv", ["\t".join(f) for f in features]),
    ):
        with gzip.open(folder / f"{name}.gz", "wt") as stream:
            stream.write("\n".join(rows) + "\n")


def write_visium(
    folder: Path, *, header: bool = True, n: int = 12, matrix: str = "h5", prefix: str = "filtered"
) -> Any:
    """Spots 0 to n - 1 are under tissue; positions list 3 more. Returns counts, barcodes and positions (x, y)."""
    folder.mkdir(parents=True)
    barcodes = [f"{'ACGT'[i % 4]}{'CA'[i % 2]}GTTT{i:02d}-1" for i in range(n + 3)]
    rng = np.random.default_rng(n)
    listed = [
        (b, int(i < n), i // 4, 2 * (i % 4) + (i // 4) % 2, 100 + 37 * i, 900 - 11 * i) for i, b in enumerate(barcodes)
    ]
    shuffled = [listed[i] for i in rng.permutation(len(listed))]
    text = [*([HEADER] if header else []), *(",".join(map(str, row)) for row in shuffled)]
    (folder / "spatial").mkdir()
    name = "tissue_positions.csv" if header else "tissue_positions_list.csv"
    (folder / "spatial" / name).write_text("\n".join(text) + "\n")
    scale = {
        "spot_diameter_fullres": 89.5,
        "tissue_hires_scalef": 0.17,
        "fiducial_diameter_fullres": 144.6,
        "tissue_lowres_scalef": 0.05,
    }
    (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(scale))
    (folder / "spatial" / "tissue_hires_image.png").write_bytes(b"\x89PNG no picture is looked at")
    kept = n if prefix == "filtered" else n + 3
    x = counts(kept, len(GENES))
    if matrix == "h5":
        write_10x(
            folder / f"{prefix}_feature_bc_matrix.h5", x, barcodes[:kept], genes(), library_ids=np.array([b"liver_7"])
        )
    else:
        write_mtx(folder / f"{prefix}_feature_bc_matrix", x, barcodes[:kept], genes())
    return x, barcodes[:kept], np.array([[row[5], row[4]] for row in listed[:kept]], dtype=float)


def write_visium_hd(folder: Path, bins: tuple[str, ...] = ("square_008um", "square_016um")) -> Any:
    out = {}
    for size, name in enumerate(bins, 2):
        inside = folder / "binned_outputs" / name
        (inside / "spatial").mkdir(parents=True)
        barcodes = [f"s_{name[7:10]}um_{i:05d}_00001-1" for i in range(size * 3)]
        frame = pd.DataFrame({
            "barcode": barcodes, "in_tissue": 1, "array_row": range(size * 3), "array_col": 1,
            "pxl_row_in_fullres": [5.5 + i for i in range(size * 3)], "pxl_col_in_fullres": [2.25 * i for i in range(size * 3)],
        })  # fmt: skip
        frame.sample(frac=1, random_state=1).to_parquet(inside / "spatial" / "tissue_positions.parquet", index=False)
        out[name] = counts(size * 3, len(GENES))
        write_10x(inside / "filtered_feature_bc_matrix.h5", out[name], barcodes, genes())
    return out


CONTROLS = [
    ("NegControlProbe_00042", "NegControlProbe_00042", "Negative Control Probe"),
    ("NegControlCodeword_0500", "NegControlCodeword_0500", "Negative Control Codeword"),
    ("UnassignedCodeword_0006", "UnassignedCodeword_0006", "Unassigned Codeword"),
]


def write_xenium(folder: Path, *, cells: str = "csv.gz", n: int = 9, matrix: str = "h5") -> Any:
    folder.mkdir(parents=True)
    names = [f"aaaa{'abcdefghi'[i % 9]}lk-1" for i in range(n)]
    features = [*genes(), *CONTROLS]
    x = counts(n, len(features))
    if matrix == "h5":
        write_10x(folder / "cell_feature_matrix.h5", x, names, features)
    else:
        write_mtx(folder / "cell_feature_matrix", x, names, features)
    frame = pd.DataFrame({
        "cell_id": names, "x_centroid": [10.5 + 3 * i for i in range(n)], "y_centroid": [400.25 - i for i in range(n)],
        "transcript_counts": x[:, :5].sum(axis=1), "control_probe_counts": x[:, 5], "cell_area": 33.5,
        "segmentation_method": "Segmented by boundary stain",
    })  # fmt: skip
    if cells == "parquet":
        frame.assign(cell_id=[n.encode() for n in names]).to_parquet(folder / "cells.parquet", index=False)
    else:
        frame.sample(frac=1, random_state=0).to_csv(folder / f"cells.{cells}", index=False)
    about = {
        "run_name": "run 4",
        "region_name": "liver_left",
        "panel_name": "Xenium Human Liver",
        "panel_organism": "Human",
    }
    (folder / "experiment.xenium").write_text(json.dumps(about))
    return x, names, frame[["x_centroid", "y_centroid"]].to_numpy()


def wkb_point(x: float, y: float) -> bytes:
    return struct.pack("<BI2d", 1, 1, x, y)


def wkb_polygon(*rings: Sequence[tuple[float, float]]) -> bytes:
    out = struct.pack("<BII", 1, 3, len(rings))
    for ring in rings:
        out += struct.pack("<I", len(ring)) + b"".join(struct.pack("<2d", *corner) for corner in ring)
    return out


def write_shapes(folder: Path, shapes: dict[Any, bytes]) -> None:
    """GeoParquet as geopandas writes it: WKB, the index as a column that pandas' metadata name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    table = pa.table({"geometry": pa.array(list(shapes.values()), pa.binary()), "cell_id": pa.array(list(shapes))})
    about = {"pandas": json.dumps({"index_columns": ["cell_id"], "columns": [], "pandas_version": "2"})}
    pq.write_table(table.replace_schema_metadata(about), folder / "shapes.parquet")

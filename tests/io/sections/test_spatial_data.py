"""Tables of SpatialData stores and objects, with coordinates from the table or from the shapes."""

from __future__ import annotations

import json
import struct
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import mtorscore as mt
from mtorscore import cli
from mtorscore.errors import DataError, DataWarning, FormatError
from mtorscore.io.sections.spatial_data import centre
from tests.io.sections.folders import GENES, counts, wkb_point, wkb_polygon, write_shapes

zarr = pytest.importorskip("zarr")

N = 6


def table(*, coordinates: bool) -> AnnData:
    names = [f"spot{i}" for i in range(N)]
    obs = pd.DataFrame(
        {"region": pd.Categorical(["left"] * 4 + ["right"] * 2), "instance": [3, 1, 0, 2, 1, 0]}, index=names
    )
    adata = AnnData(counts(N, 5).astype(np.float32), obs, pd.DataFrame(index=GENES))
    adata.uns["spatialdata_attrs"] = {"region": ["left", "right"], "region_key": "region", "instance_key": "instance"}
    if coordinates:
        adata.obsm["spatial"] = np.arange(2.0 * N).reshape(N, 2)
    return adata


def store(path: Path, tables: dict[str, AnnData], *, version: int = 2) -> Path:
    """Write a store as spatialdata lays it out, in either version of Zarr's format."""
    root = zarr.open_group(str(path), mode="w", zarr_format=version)
    root.attrs["spatialdata_attrs"] = {"version": "0.2", "spatialdata_software_version": "0.4"}
    root.create_group("tables")
    root.create_group("shapes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, adata in tables.items():
            adata.write_zarr(path / "tables" / name)
    write_shapes(path / "shapes" / "left", {i: wkb_point(10.0 * i, -1.5) for i in range(4)})
    square = [(0, 0), (2, 0), (2, 2), (0, 2), (0, 0)]
    write_shapes(path / "shapes" / "right", {i: wkb_polygon([(x + 8.0 * i, y) for x, y in square]) for i in range(2)})
    return path


@pytest.mark.parametrize("version", [2, 3])
def test_a_store_is_read_with_the_coordinates_of_its_table(version: int, tmp_path: Path) -> None:
    wanted = table(coordinates=True)
    path = store(tmp_path / "x.zarr", {"table": wanted}, version=version)
    found = mt.io.describe(path)
    assert (found.kind, found.details["tables"]) == ("spatialdata", "table")
    adata = mt.read(path)
    np.testing.assert_array_equal(adata.X, wanted.X)
    np.testing.assert_array_equal(adata.obsm["spatial"], wanted.obsm["spatial"])
    assert adata.uns["source"]["section_key"] == "region"
    assert adata.uns["source"]["table_name"] == "table"


def test_without_them_the_shapes_give_the_centres(tmp_path: Path) -> None:
    path = store(tmp_path / "x.zarr", {"table": table(coordinates=False)})
    adata = mt.read(path)
    wanted = np.array([[30, -1.5], [10, -1.5], [0, -1.5], [20, -1.5], [9, 1], [1, 1]])
    np.testing.assert_allclose(adata.obsm["spatial"], wanted)
    assert "centres of the shapes" in adata.uns["source"]["coordinates"]
    mt.tl.score(adata, {"A": GENES[:2], "B": GENES[2:4]})
    mt.tl.spatial.neighbours(adata, "nearest", n=1)
    assert adata.uns["spatial_neighbors"]["params"]["section_key"] == "region"
    edges = adata.obsp["spatial_connectivities"].tocoo()
    assert (adata.obs["region"].iloc[edges.row].to_numpy() == adata.obs["region"].iloc[edges.col].to_numpy()).all()


def test_the_digest_does_not_read_images(tmp_path: Path) -> None:
    path = store(tmp_path / "x.zarr", {"table": table(coordinates=False)})
    before = mt.read(path).uns["source"]["sha256"]
    (path / "images" / "he").mkdir(parents=True)
    (path / "images" / "he" / "0").write_bytes(bytes(1 << 16))
    assert mt.read(path).uns["source"]["sha256"] == before
    write_shapes(path / "shapes" / "more", {0: wkb_point(0, 0)})
    (path / "shapes" / "left" / "shapes.parquet").unlink()
    (path / "shapes" / "left").rmdir()
    write_shapes(path / "shapes" / "left", {i: wkb_point(1.0 * i, 0) for i in range(4)})
    assert mt.read(path).uns["source"]["sha256"] != before


def test_several_tables_are_chosen_by_name(tmp_path: Path) -> None:
    path = store(tmp_path / "x.zarr", {"cells": table(coordinates=True), "bins": table(coordinates=True)[:3].copy()})
    with pytest.raises(FormatError, match=r"2 tables \(bins, cells\); choose one with name=, such as name='bins'"):
        mt.read(path)
    assert mt.read(path, name="bins").n_obs == 3
    with pytest.raises(FormatError, match="no table 'x'"):
        mt.read(path, name="x")


def test_shapes_that_are_not_there_leave_no_coordinates_with_a_warning(tmp_path: Path) -> None:
    path = store(tmp_path / "x.zarr", {"table": table(coordinates=False)})
    file = path / "shapes" / "right" / "shapes.parquet"
    whole = file.read_bytes()
    file.unlink()
    with pytest.warns(DataWarning, match="2 of 6 observations have no shape"):
        adata = mt.read(path)
    assert np.isnan(adata.obsm["spatial"]).all(axis=1).tolist() == [False] * 4 + [True] * 2
    file.write_bytes(whole[:-9])
    with pytest.raises(FormatError, match="truncated or damaged"):
        mt.read(path)
    for side in ("left", "right"):
        (path / "shapes" / side / "shapes.parquet").unlink()
    with pytest.warns(DataWarning, match="read without coordinates"):
        assert "spatial" not in mt.read(path).obsm


def test_a_table_that_is_a_link_out_of_the_store_is_refused(tmp_path: Path) -> None:
    inside = store(tmp_path / "secret.zarr", {"table": table(coordinates=True)})
    path = store(tmp_path / "x.zarr", {})
    (path / "tables" / "table").symlink_to(inside / "tables" / "table")
    with pytest.raises(FormatError, match="link out of the store"):
        mt.read(path)


def test_centres_of_shapes() -> None:
    hole = [(1, 1), (1, 3), (2, 3), (2, 1), (1, 1)]
    square = [(0, 0), (4, 0), (4, 4), (0, 4), (0, 0)]
    # (16 x 2 - 2 x 1.5) / 14 along x.
    np.testing.assert_allclose(np.array(centre(wkb_polygon(square, hole))), [29 / 14, 2])
    multi = struct.pack("<BII", 1, 6, 2) + wkb_polygon(square) + wkb_polygon([(x + 10, y) for x, y in square])
    np.testing.assert_allclose(centre(multi), (7, 2))
    np.testing.assert_allclose(centre(struct.pack(">BI3d", 0, 1001, 5.0, 6.0, 7.0)), (5, 6))
    assert np.isnan(centre(wkb_point(np.nan, np.nan))).all()
    for broken in (b"\x01", struct.pack("<BII", 1, 3, 10**6), struct.pack("<BI", 1, 2) + bytes(20), bytes(30)):
        with pytest.raises((ValueError, struct.error, IndexError)):
            centre(broken)


def test_an_object_gives_its_table(tmp_path: Path) -> None:
    class Shapes(SimpleNamespace):
        geometry: Any

    points = pd.Series({i: SimpleNamespace(x=10.0 * i, y=-1.5) for i in range(4)})
    left = Shapes(geometry=SimpleNamespace(centroid=points))
    sdata = SimpleNamespace(tables={"table": table(coordinates=False)[:4].copy()}, shapes={"left": left})
    adata = mt.io.from_spatialdata(sdata)
    np.testing.assert_allclose(adata.obsm["spatial"][:, 0], [30, 10, 0, 20])
    assert adata.uns["source"]["section_key"] == "region"
    assert "spatial" not in sdata.tables["table"].obsm
    with pytest.raises(DataError, match="dict has no tables"):
        mt.io.from_spatialdata({})
    assert json.dumps(adata.uns["source"])


@pytest.mark.filterwarnings("ignore:Writing zarr v2 data")
def test_a_store_is_scored_by_the_command_line_and_its_table_from_disk(tmp_path: Path) -> None:
    path = store(tmp_path / "x.zarr", {"table": table(coordinates=False)})
    (tmp_path / "sets.gmt").write_text("LIPID\tx\tFASN\tSCD\n")
    for out in ("scores.tsv", "scores.h5ad"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["-q", "score", str(path), "-s", str(tmp_path / "sets.gmt"), "-o", str(tmp_path / out)])
        assert not ended.value.code
    scored = mt.read(tmp_path / "scores.h5ad")
    assert scored.obsm["spatial"].shape == (N, 2)
    with pytest.raises(FormatError, match=r"SpatialData store with the table\(s\) table; .*tables/table"):
        mt.tl.score(path, {"LIPID": ["FASN", "SCD"]})
    disk = mt.tl.score(path / "tables" / "table", {"LIPID": ["FASN", "SCD"]})
    np.testing.assert_array_equal(disk.obsm["score_singscore"], scored.obsm["score_singscore"])
    with pytest.raises(DataError, match=r"mt\.io\.from_spatialdata"):
        mt.tl.score(SimpleNamespace(tables={}, shapes={}), {"LIPID": ["FASN"]})

"""Folders of Space Ranger and Xenium into AnnData with coordinates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import mtorscore as mt
from mtorscore.cli.app import app
from mtorscore.errors import DataWarning, FormatError
from tests.io.sections.folders import CONTROLS, GENES, HEADER, IDS, write_visium, write_visium_hd, write_xenium


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("matrix", ["h5", "mtx"])
def test_a_visium_folder_has_counts_and_places(header: bool, matrix: str, tmp_path: Path) -> None:
    folder = tmp_path / "run_1" / "outs"
    x, barcodes, xy = write_visium(folder, header=header, matrix=matrix)
    adata = mt.read(folder)
    np.testing.assert_array_equal(adata.X.toarray(), x)
    assert list(adata.obs_names) == barcodes
    np.testing.assert_array_equal(adata.obsm["spatial"], xy)
    assert (list(adata.var["id"]), list(adata.var["symbol"])) == (IDS, GENES)
    assert adata.obs["in_tissue"].all()
    assert adata.obs["array_col"].dtype == np.int64
    library = "liver_7" if matrix == "h5" else "run_1"
    assert adata.uns["spatial"][library]["scalefactors"]["spot_diameter_fullres"] == 89.5
    source = adata.uns["source"]
    assert (source["kind"], source["units"], source["section"]) == ("visium", "counts", library)


def test_the_folder_above_outs_and_a_gz_of_geo_are_recognised(tmp_path: Path) -> None:
    import gzip

    _, barcodes, xy = write_visium(tmp_path / "run" / "outs", header=False)
    (tmp_path / "run" / "_log").write_text("x")
    np.testing.assert_array_equal(mt.read(tmp_path / "run").obsm["spatial"], xy)
    flat = tmp_path / "GSE1"
    flat.mkdir()
    inside = tmp_path / "run" / "outs"
    (inside / "filtered_feature_bc_matrix.h5").rename(flat / "GSM9_L1_filtered_feature_bc_matrix.h5")
    listed = inside / "spatial" / "tissue_positions_list.csv"
    with gzip.open(flat / "GSM9_L1_tissue_positions_list.csv.gz", "wb") as stream:
        stream.write(listed.read_bytes())
    adata = mt.read(flat)
    assert list(adata.obs_names) == barcodes
    np.testing.assert_array_equal(adata.obsm["spatial"], xy)


def test_the_digest_is_of_what_was_read(tmp_path: Path) -> None:
    write_visium(tmp_path / "outs")
    before = mt.read(tmp_path / "outs").uns["source"]
    (tmp_path / "outs" / "possorted_genome_bam.bam").write_bytes(bytes(1 << 20))
    after = mt.read(tmp_path / "outs").uns["source"]
    assert (before["sha256"], before["bytes"]) == (after["sha256"], after["bytes"])
    (tmp_path / "outs" / "spatial" / "scalefactors_json.json").write_text('{"tissue_hires_scalef": 0.5}')
    assert mt.read(tmp_path / "outs").uns["source"]["sha256"] != before["sha256"]


def test_spots_without_tissue_are_left_out_and_said(tmp_path: Path) -> None:
    x, barcodes, _ = write_visium(tmp_path / "outs", prefix="raw")
    with pytest.warns(DataWarning, match="3 of 15 spots are not under tissue"):
        adata = mt.read(tmp_path / "outs", matrix="raw")
    assert (list(adata.obs_names), adata.uns["source"]["left_out"]) == (barcodes[:12], 3)
    whole = mt.read(tmp_path / "outs", matrix="raw", in_tissue=False)
    np.testing.assert_array_equal(whole.X.toarray(), x)
    assert list(whole.obs["in_tissue"]) == [True] * 12 + [False] * 3
    with pytest.warns(DataWarning, match="3 of 15 spots"):
        assert mt.read(tmp_path / "outs").uns["source"]["matrix"] == "raw_feature_bc_matrix.h5"
    with pytest.raises(FormatError, match="no filtered matrix"):
        mt.read(tmp_path / "outs", matrix="filtered")
    table = tmp_path / "outs" / "spatial" / "tissue_positions.csv"
    table.write_text(table.read_text().replace("-1,1,", "-1,0,"))
    with pytest.raises(FormatError, match="none of the 15 spots"):
        mt.read(tmp_path / "outs")


def test_bins_of_visium_hd_are_chosen(tmp_path: Path) -> None:
    x = write_visium_hd(tmp_path / "outs")
    with pytest.raises(FormatError, match=r"2 bin sizes \(square_008um, square_016um\); choose one with bin_size="):
        mt.read(tmp_path / "outs")
    assert "square_016um" in mt.io.describe(tmp_path / "outs").details["bin sizes"]
    adata = mt.read(tmp_path / "outs", bin_size="square_016um")
    np.testing.assert_array_equal(adata.X.toarray(), x["square_016um"])
    np.testing.assert_array_equal(adata.obsm["spatial"][:2], [[0, 5.5], [2.25, 6.5]])
    direct = mt.read(tmp_path / "outs" / "binned_outputs" / "square_016um")
    np.testing.assert_array_equal(direct.X.toarray(), x["square_016um"])


@pytest.mark.parametrize(("cells", "matrix"), [("csv.gz", "h5"), ("parquet", "h5"), ("csv", "mtx")])
def test_a_xenium_folder_has_cells_and_controls_apart(cells: str, matrix: str, tmp_path: Path) -> None:
    x, names, xy = write_xenium(tmp_path / "xenium", cells=cells, matrix=matrix)
    adata = mt.read(tmp_path / "xenium")
    np.testing.assert_array_equal(adata.X.toarray(), x[:, :5])
    assert list(adata.obs_names) == names
    np.testing.assert_allclose(adata.obsm["spatial"], xy)
    np.testing.assert_array_equal(adata.obsm["negative_control_probe"].to_numpy(), x[:, 5:6])
    assert list(adata.obsm["unassigned_codeword"].columns) == [CONTROLS[2][0]]
    assert list(adata.obs["control_probe_counts"]) == list(x[:, 5])
    assert set(adata.obs["segmentation_method"]) == {"Segmented by boundary stain"}
    source = adata.uns["source"]
    assert (source["kind"], source["panel_name"], source["section"]) == ("xenium", "Xenium Human Liver", "liver_left")
    assert source["set_apart"] == dict.fromkeys(sorted(c[2] for c in CONTROLS), 1)


def test_folders_are_described_and_scored_by_the_command_line(tmp_path: Path) -> None:
    write_visium(tmp_path / "outs")
    (tmp_path / "sets.gmt").write_text("LIPID\tx\tFASN\tSCD\nCENTRAL\tx\tGLUL\tCYP2E1\n")
    said = CliRunner().invoke(app, ["describe", str(tmp_path / "outs")])
    assert said.exit_code == 0
    assert ": visium" in said.output
    assert "filtered_feature_bc_matrix.h5 with spatial/tissue_positions.csv" in said.output
    asked = ["score", str(tmp_path / "outs"), "--signatures", str(tmp_path / "sets.gmt"), "--harmonise"]
    done = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "scores.tsv")])
    assert done.exit_code == 0, done.output
    table = pd.read_csv(tmp_path / "scores.tsv", sep="\t", index_col=0)
    assert (table.shape, list(table.columns)) == ((12, 2), ["LIPID", "CENTRAL"])
    done = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "scores.h5ad")])
    assert done.exit_code == 0, done.output
    assert mt.read(tmp_path / "scores.h5ad").obsm["spatial"].shape == (12, 2)


def test_what_is_read_goes_on_to_neighbours_and_statistics(tmp_path: Path) -> None:
    write_visium(tmp_path / "outs", n=40)
    adata = mt.pp.harmonise_genes(mt.read(tmp_path / "outs"))
    mt.tl.score(adata, {"LIPID": ["FASN", "SCD"]})
    mt.tl.spatial.neighbours(adata, "nearest")
    assert np.isfinite(mt.tl.spatial.autocorrelation(adata, statistic="moran", n_permutations=20)["estimate"]).all()


ROW = "AA-1,1,0,0,5,6"


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        (f"{HEADER}\n{ROW}\nCC-1,1,0,x,5,6\n", "no finite number", 3),
        (f"{HEADER}\n{ROW}\nCC-1,1,0\n", "no finite number", 3),
        (f"{HEADER}\n{ROW}\nCC-1,1,0,1,5,6,7,8\n", "differ in their number of columns", 3),
        (f"{ROW}\nCC-1,1,0,0,5,inf\n", "no finite number", 2),
        (f"{HEADER}\n{ROW}\n{ROW}\n", "occur twice", 3),
        (HEADER.replace("in_tissue", "tissue") + f"\n{ROW}\n", "no column 'in_tissue'", None),
    ],
)
def test_odd_positions_are_refused_with_their_line(text: str, message: str, line: int | None, tmp_path: Path) -> None:
    write_visium(tmp_path / "outs")
    path = tmp_path / "outs" / "spatial" / "tissue_positions.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=message) as caught:
        mt.read(tmp_path / "outs")
    assert (caught.value.path, caught.value.line) == (path, line)


def test_parts_of_different_runs_and_broken_notes_are_refused(tmp_path: Path) -> None:
    write_visium(tmp_path / "outs")
    scale = tmp_path / "outs" / "spatial" / "scalefactors_json.json"
    scale.write_text("[" * 100_000)
    with pytest.raises(FormatError, match="no sound JSON"):
        mt.read(tmp_path / "outs")
    scale.write_text(json.dumps({"tissue_hires_scalef": 1, "words": "x"}))
    path = tmp_path / "outs" / "spatial" / "tissue_positions.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:5]) + "\n")
    with pytest.raises(FormatError, match=r"have no position .* different runs"):
        mt.read(tmp_path / "outs")
    write_xenium(tmp_path / "x", cells="parquet")
    cells = tmp_path / "x" / "cells.parquet"
    cells.write_bytes(cells.read_bytes()[:-20])
    with pytest.raises(FormatError, match="truncated or damaged"):
        mt.read(tmp_path / "x")


def test_two_sections_in_one_folder_are_not_mixed(tmp_path: Path) -> None:
    write_visium(tmp_path / "outs")
    table = tmp_path / "outs" / "spatial" / "tissue_positions.csv"
    for name in ("GSM1_a", "GSM2_b"):
        (tmp_path / "outs" / "spatial" / f"{name}_tissue_positions.csv").write_text(table.read_text())
    table.unlink()
    with pytest.raises(FormatError, match="2 files of several sections lie together"):
        mt.read(tmp_path / "outs")

"""Matrices of 10x are scored from disk with the numbers of memory, whatever wrote them and in whatever order."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import mtorscore as mt
from mtorscore import cli
from mtorscore.errors import DataError, DataWarning, FormatError
from mtorscore.io.formats import matrix_market
from mtorscore.tl.streaming import tenx_file
from mtorscore.tl.streaming.open_file import open_file
from tests.tl.tenx_files import KINDS, barcodes, counts, genes, write_h5, write_mtx, write_tenx

pytestmark = pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read text and blocks in many pieces."""
    monkeypatch.setattr(matrix_market, "TEXT_BYTES", 3_000)
    monkeypatch.setattr("mtorscore.io.tables.file_bytes.CHUNK", 1_000)
    monkeypatch.setattr("mtorscore.tl.streaming.score_file.block_bytes", lambda _: 4_000)
    monkeypatch.setattr("mtorscore.tl.engine.source.TILE_BYTES", 40_000)
    monkeypatch.setattr(tenx_file, "COPIED", 2_000)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_and_names_are_those_that_are_read(tmp_path: Path, kind: str) -> None:
    path = write_tenx(tmp_path, kind)
    read = mt.read(path)
    assert read.n_vars == len(genes()[0]), "antibodies are left out"
    file = open_file(path, panel_bytes=4_000)
    try:
        assert file.shape == read.shape
        assert file.genes == list(read.var_names)
        for rows in (slice(0, 1), slice(3, 90), slice(0, read.n_obs), np.array([2, 7, 149])):
            part = file.matrix[rows]
            assert part.dtype == read.X.dtype == np.float32
            assert (part != read.X[rows]).nnz == 0
            assert list(file.obs_names(rows)) == list(read.obs_names[rows])
            assert file.obs_names_utf8(rows).to_pylist() == list(read.obs_names[rows])
        pd.testing.assert_frame_equal(file.element("var"), read.var)
        assert list(file.element("obs").index) == list(read.obs_names)
        for key, value in file.element("uns/source").items():
            assert read.uns["source"][key] == value
        assert not list(tmp_path.rglob(".*")), "scratch files have no name"
    finally:
        file.close()


@pytest.mark.parametrize("kind", ["h5", "mtx", "mtx, cells mixed"])
@pytest.mark.parametrize("ending", ["parquet", "h5ad", "zarr"])
def test_scores_are_those_of_memory(tmp_path: Path, kind: str, ending: str) -> None:
    path, out = write_tenx(tmp_path, kind), tmp_path / f"s.{ending}"
    sets = {"A": genes()[0][:40:2], "B": genes()[0][50:70]}
    read = mt.read(path)
    mt.tl.score(read, sets, method=["ucell", "zscore"])
    assert mt.tl.score(path, sets, method=["ucell", "zscore"], out=out) == out
    found: Any
    if ending == "parquet":
        found = mt.tl.read_scores(out)[0]
    else:
        copied = ad.read_h5ad(out) if ending == "h5ad" else ad.read_zarr(out)
        assert (copied.X != read.X).nnz == 0
        assert copied.X.dtype == read.X.dtype
        pd.testing.assert_frame_equal(copied.var.astype(str), read.var.astype(str), check_index_type=False)
        assert copied.uns["source"]["sha256"] == read.uns["source"]["sha256"]
        assert copied.uns["source"]["units"] == "counts"
        found = copied.obsm
    np.testing.assert_array_equal(found["score_ucell"].to_numpy(), read.obsm["score_ucell"].to_numpy())
    np.testing.assert_allclose(found["score_zscore"].to_numpy(), read.obsm["score_zscore"].to_numpy(), atol=1e-12)
    assert list(found["score_ucell"].index) == barcodes()


def test_a_copy_of_billions_of_entries_has_wide_pointers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenx_file, "LEAST_WIDE", 1)
    path, out = write_tenx(tmp_path, "h5"), tmp_path / "s.h5ad"
    mt.tl.score(path, {"A": genes()[0][:20]}, method="ucell", out=out)
    with h5py.File(out) as file:
        assert file["X/indptr"].dtype == np.int64
    assert (ad.read_h5ad(out).X != mt.read(path).X).nnz == 0


def test_without_out_everything_but_the_matrix_comes_back(tmp_path: Path) -> None:
    path = write_tenx(tmp_path, "h5")
    found = mt.tl.score(path, {"A": genes()[0][:20]}, method="ucell")
    assert found.uns["source"]["kind"] == "10x-h5"
    assert list(found.var.columns) == ["id", "symbol", "feature_type"]
    with pytest.raises(DataError, match=r"must end in \.h5ad or \.zarr"):
        mt.tl.score(path, {"A": genes()[0][:20]}, method="ucell", out=tmp_path / "s.h5mu")


def test_large_counts_and_decimals_are_kept(tmp_path: Path) -> None:
    ids, symbols = genes()
    types = ["Gene Expression"] * len(ids)
    large = counts(len(ids))
    large.data[5] = 2**30 + 1
    write_h5(tmp_path / "a.h5", large, ids, symbols, types)
    decimals = sparse.csr_matrix(counts(len(ids)) / 3)
    write_mtx(tmp_path / "b", decimals, "mtx", ids, symbols, types)
    text = gzip.decompress((tmp_path / "b" / "matrix.mtx.gz").read_bytes()).replace(b"integer", b"real")
    (tmp_path / "b" / "matrix.mtx.gz").write_bytes(gzip.compress(text))
    for path in (tmp_path / "a.h5", tmp_path / "b"):
        read = mt.read(path)
        file = open_file(path, panel_bytes=4_000)
        assert (file.matrix[0 : read.n_obs] != read.X).nnz == 0
        assert file.element("uns/source")["units"] == read.uns["source"]["units"]
        file.close()


def broken(folder: Path, what: str) -> Path:
    """Write a 10x matrix and damage it."""
    path = write_tenx(folder, "h5" if what.startswith("h5") else "mtx")
    if what.startswith("h5"):
        if what == "h5 cut short":
            path.write_bytes(path.read_bytes()[:-3000])
        else:
            with h5py.File(path, "a") as file:
                if what == "h5, an index outside":
                    file["matrix/indices"][5] = 100_000
                elif what == "h5, a barcode less":
                    kept = file["matrix/barcodes"][:-1]
                    del file["matrix/barcodes"]
                    file["matrix/barcodes"] = kept
                else:
                    file["matrix/barcodes"][1] = file["matrix/barcodes"][0]
        return path
    matrix = path / "matrix.mtx.gz"
    lines = gzip.decompress(matrix.read_bytes()).split(b"\n")
    if what == "cut short":
        matrix.write_bytes(matrix.read_bytes()[:-500])
        return path
    if what == "no barcodes":
        (path / "barcodes.tsv.gz").unlink()
    elif what == "a barcode twice":
        rows = gzip.decompress((path / "barcodes.tsv.gz").read_bytes()).split(b"\n")
        (path / "barcodes.tsv.gz").write_bytes(gzip.compress(b"\n".join([rows[1], *rows[1:]])))
    elif what == "a barcode less":
        rows = gzip.decompress((path / "barcodes.tsv.gz").read_bytes()).split(b"\n")
        (path / "barcodes.tsv.gz").write_bytes(gzip.compress(b"\n".join(rows[1:])))
    elif what == "rows and columns changed":
        lines[3:-1] = [b" ".join([(f := line.split())[1], f[0], f[2]]) for line in lines[3:-1]]
        lines[2] = b" ".join([(f := lines[2].split())[1], f[0], f[2]])
    elif what == "an entry twice":
        lines[900] = lines[901]
    elif what == "no entry":
        lines[900] = b"3 x 4"
    elif what == "outside":
        lines[900] = b"3 100000 4"
    elif what == "a line less":
        del lines[900]
    elif what == "not finite":
        lines[900] = b"3 100 inf"
    matrix.write_bytes(gzip.compress(b"\n".join(lines)))
    return path


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("h5 cut short", "truncated|cut short|damaged"),
        ("h5, an index outside", r"outside of 0 to"),
        ("h5, a barcode less", r"genes and 149 barcodes for a matrix"),
        ("h5, a barcode twice", r"1 sample name\(s\) are duplicated \(ACGT0000-1\)"),
        ("a barcode twice", r"1 sample name\(s\) are duplicated \(ACGT0000-2\)"),
        ("cut short", "gz file is truncated"),
        ("no barcodes", r"without barcodes: barcodes\.tsv, plain or \.gz, must lie beside"),
        ("rows and columns changed", "has the 150 barcodes in its rows and the 224 features in its columns"),
        ("a barcode less", "and 149 barcodes; the files belong to different runs"),
        ("an entry twice", "1 entries are duplicated; the file is damaged"),
        ("no entry", r"line 901.*no entry|no entry.*"),
        ("outside", "an entry lies outside the matrix"),
        ("a line less", "entries where .* are promised; the file is cut off"),
        ("not finite", "an entry is no pair of whole numbers with a value"),
    ],
)
def test_damage_is_named_from_disk_as_in_memory(tmp_path: Path, what: str, words: str) -> None:
    path = broken(tmp_path, what)
    with pytest.raises(DataError, match=words) as read:
        mt.read(path)
    with pytest.raises(DataError, match=words) as scored:
        mt.tl.score(path, {"A": genes()[0][:20]}, method="ucell", out=tmp_path / "s.parquet")
    assert getattr(read.value, "line", None) == getattr(scored.value, "line", None)
    assert not list(tmp_path.glob("*.parquet"))
    assert not list(tmp_path.glob(".*"))


def test_features_that_are_no_genes_are_said_once_and_kept_on_request(tmp_path: Path) -> None:
    path = write_tenx(tmp_path, "h5")
    with pytest.warns(DataWarning, match=r"3 features are no genes \(3 of the type Antibody Capture\)") as said:
        mt.tl.score(path, {"A": genes()[0][:20]}, method="ucell", out=tmp_path / "s.parquet")
    assert len([w for w in said if "no genes" in str(w.message)]) == 1
    with pytest.warns(DataWarning, match="3 features are no genes"):
        assert mt.read(path).uns["source"]["features_left_out"] == {"Antibody Capture": 3}
    assert mt.read(path, other_features=True).n_vars == len(genes()[0]) + 3
    ids, symbols = genes()
    write_h5(tmp_path / "p.h5", counts(len(ids)), ids, symbols, ["Peaks"] * len(ids))
    for door in (mt.read, mt.tl.score):
        with pytest.raises(FormatError, match=r"none of 221 features is of the type 'Gene Expression'; there are Peak"):
            door(tmp_path / "p.h5")
    write_h5(tmp_path / "q.h5", counts(len(ids)), ids, symbols, ["protein_coding"] * len(ids))
    assert mt.read(tmp_path / "q.h5").n_vars == len(ids), "words of others say nothing"


def test_one_genome_of_several(tmp_path: Path) -> None:
    ids, symbols = genes()
    genomes = ["hg"] * 150 + ["mm"] * (len(ids) - 150)
    first, second = ([f"{g}_{n}" for g, n in zip(genomes, names, strict=True)] for names in (ids, symbols))
    types = ["Gene Expression"] * len(ids)
    write_h5(tmp_path / "m.h5", counts(len(ids)), first, second, types, genome=genomes)
    read = mt.read(tmp_path / "m.h5", genome="hg")
    assert list(read.var["id"]) == ids[:150]
    assert list(read.var["symbol"]) == symbols[:150]
    file = open_file(tmp_path / "m.h5", panel_bytes=4_000, said={"genome": "hg"})
    assert (file.matrix[0 : read.n_obs] != read.X).nnz == 0
    file.close()
    with pytest.raises(FormatError, match=r"no genome 'rn'; there are hg, mm\."):
        open_file(tmp_path / "m.h5", panel_bytes=4_000, said={"genome": "rn"})
    with pytest.raises(FormatError, match="prefix='a' says nothing about 10x-h5"):
        open_file(tmp_path / "m.h5", panel_bytes=4_000, said={"prefix": "a"})


def test_no_room_for_scratch_files_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match=r"text has to be put into rows .* MB of scratch space in .*TMPDIR"):
        mt.tl.score(write_tenx(tmp_path, "mtx"), {"A": genes()[0][:20]}, out=tmp_path / "s.parquet")


def test_cells_and_genes_of_wrong_values_are_named_at_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids, symbols = genes()
    x = counts(len(ids))
    x.data[40] = -5
    path = write_h5(tmp_path / "a.h5", x, ids, symbols, ["Gene Expression"] * len(ids))
    with pytest.raises(SystemExit):
        cli.main(["score", str(path), "--out", str(tmp_path / "s.tsv")])
    row = int(np.searchsorted(x.indptr, 40, side="right")) - 1
    assert f"{barcodes()[row]} x {ids[x.indices[40]]} = -5" in capsys.readouterr().err

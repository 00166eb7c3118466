"""`mtorscore score` on a file of AnnData never loads it, and gives what scoring in memory gives."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mtorscore import cli, io, library, tl
from mtorscore.errors import DataError
from mtorscore.genes.tables import human
from mtorscore.pipeline import read_table
from mtorscore.pipeline.from_disk import stream_scores
from mtorscore.pipeline.tables import Reading, check_overlap, log_layer, read_expression, scores_table
from tests.tl.tenx_files import write_tenx

pytestmark = [
    pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning"),
    pytest.mark.filterwarnings("ignore:Writing zarr v2 data"),
]
METHODS = ["ucell", "zscore"]


def write_atlas(folder: Path, kind: str, n_obs: int = 300) -> Path:
    """Write counts whose genes go by symbols, and 25 of them by Ensembl ids too, beside a column of symbols."""
    rng = np.random.default_rng(0)
    table = human().by_symbol
    known = [g for g in sorted({g for e in library().signatures for g in e.genes}) if g in table and table[g].ensembl]
    chosen = [str(g) for g in rng.permutation(known)[:900]]
    symbols = [*chosen, *chosen[:25]]
    var = pd.DataFrame({"feature_name": symbols}, index=[*chosen, *(table[g].ensembl for g in chosen[:25])])
    counts = sparse.random(n_obs, len(symbols), density=0.2, random_state=1, data_rvs=lambda k: rng.integers(1, 40, k))
    matrix = counts.tocsr().astype(np.float32) if kind != "dense" else counts.toarray().astype(np.float32)
    adata = ad.AnnData(matrix, obs=pd.DataFrame(index=[f"cell{i}" for i in range(n_obs)]), var=var)
    path = folder / f"atlas.{'zarr' if kind == 'zarr' else 'h5ad'}"
    adata.write_zarr(path) if kind == "zarr" else adata.write_h5ad(path)
    return path


def run(*words: object) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(w) for w in words])
    assert not ended.value.code


def in_memory(path: Path, methods: list[str] = METHODS) -> ad.AnnData:
    adata = read_expression(path, harmonise=True)
    tl.score(adata, library(), method=methods)
    return adata


@pytest.mark.parametrize("kind", ["sparse", "dense", "zarr"])
def test_every_output_holds_the_scores_of_memory(tmp_path: Path, kind: str) -> None:
    path = write_atlas(tmp_path, kind)
    expected = in_memory(path)
    assert expected.n_vars == 900, "copies of a gene are collapsed"
    own = ".zarr" if kind == "zarr" else ".h5ad"
    for name in ("scores.tsv", "scores.tsv.gz", "scores.parquet", f"scores{own}"):
        run("-q", "score", path, "--method", ",".join(METHODS), "--out", tmp_path / name)
    text = read_table(tmp_path / "scores.tsv")
    # A z-score adds up in another order where the cohort is held in memory.
    table = scores_table(expected, METHODS)
    pd.testing.assert_frame_equal(text, table, check_dtype=False, rtol=1e-12, atol=1e-13)
    pd.testing.assert_frame_equal(read_table(tmp_path / "scores.tsv.gz"), text, check_exact=True)
    tables, record = tl.read_scores(tmp_path / "scores.parquet")
    copied = ad.read_h5ad(tmp_path / "scores.h5ad") if own == ".h5ad" else ad.read_zarr(tmp_path / "scores.zarr")
    for method in METHODS:
        values = expected.obsm[f"score_{method}"].to_numpy()
        np.testing.assert_allclose(tables[f"score_{method}"].to_numpy(), values, rtol=1e-12, atol=1e-13)
        np.testing.assert_array_equal(copied.obsm[f"score_{method}"], tables[f"score_{method}"])
        seen = record[method]["coverage"]["coverage"]
        np.testing.assert_allclose(seen, expected.uns["mtorscore"][method]["coverage"]["coverage"])
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".") or p.name.endswith(".parts")]


def test_a_column_names_the_genes(tmp_path: Path) -> None:
    path = write_atlas(tmp_path, "sparse")
    lists = tmp_path / "own.gmt"
    names = ad.read_h5ad(path).var["feature_name"].tolist()[30:60]
    lists.write_text("OWN\t\t" + "\t".join(names) + "\n")
    run("-q", "score", path, "-s", lists, "--ids", "feature_name", "--out", tmp_path / "s.tsv")
    assert read_table(tmp_path / "s.tsv")["OWN"].notna().all()


def test_the_file_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_atlas(tmp_path, "sparse")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the file was read as a whole")

    monkeypatch.setattr(ad, "read_h5ad", never)
    run("-q", "score", path, "--out", tmp_path / "s.parquet", "--memory", "100MB", "--threads", 1)
    assert (tmp_path / "s.parquet").exists()


def logged(path: Path, units: str | None = None, layer: str | None = None) -> ad.AnnData:
    reading = Reading(units=units, log=True, layer=layer)
    adata = read_expression(path, harmonise=True, reading=reading)
    log_layer(adata)
    tl.score(adata, library(), method=METHODS, layer="log")
    return adata


@pytest.mark.parametrize(
    ("kind", "what", "words"),
    [
        ("sparse", "counts", []),
        ("zarr", "counts", ["--units", "counts"]),
        ("sparse", "sums of its own", []),
        ("sparse", "a layer", ["--layer", "raw"]),
        ("dense", "tpm", ["--units", "tpm"]),
        ("sparse", "logarithms", ["--units", "log2"]),
    ],
)
def test_logarithms_are_made_from_disk(
    tmp_path: Path, kind: str, what: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_atlas(tmp_path, kind)
    adata = ad.read_zarr(path) if kind == "zarr" else ad.read_h5ad(path)
    if what == "sums of its own":
        adata.obs["library_size"] = 1.0
    elif what == "a layer":
        adata.layers["raw"], adata.X = adata.X, -adata.X
    elif what == "tpm":
        adata.X = np.asarray(adata.X) * 1e6 / np.asarray(adata.X).sum(axis=1, keepdims=True)
    elif what == "logarithms":
        adata.X = np.log2(adata.X.toarray() + 1)
    if kind != "zarr":
        adata.write_h5ad(path)
    expected = logged(path, words[1] if "--units" in words else None, "raw" if what == "a layer" else None)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the file was read as a whole")

    monkeypatch.setattr("mtorscore.io.read", never)
    run("-q", "score", path, "--method", ",".join(METHODS), "--log", *words, "--out", tmp_path / "s.parquet")
    tables, record = tl.read_scores(tmp_path / "s.parquet")
    for key in (*(f"score_{m}" for m in METHODS), "ratio", "panel"):
        values = expected.obsm[key].to_numpy()
        np.testing.assert_allclose(tables[key].to_numpy(), values, rtol=1e-12, atol=1e-12)
    assert record["ucell"]["layer"] == expected.uns["mtorscore"]["ucell"]["layer"] == "log"


def test_units_that_the_values_contradict_are_refused_from_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_atlas(tmp_path, "sparse", 60)
    adata = ad.read_h5ad(path)
    adata.X.data[adata.X.indptr[7]] = -3
    adata.write_h5ad(path)
    for words in (["--units", "counts"], ["--log"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(["score", str(path), *words, "--out", str(tmp_path / "s.parquet")])
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert "negative value" in said
        assert "cell7" in said
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_unfinished_run_of_another_version_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = write_atlas(tmp_path, "sparse", 40), tmp_path / "s.tsv"

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mtorscore.tl.streaming.score_file._assemble", stopped)
        with pytest.raises(SystemExit):
            cli.main(["-q", "score", str(path), "--method", "ucell", "--out", str(out)])
    plan = next(tmp_path.glob(".s.tsv*.parts")) / "run.json"
    before = json.loads(plan.read_text())
    older = before | {"run": {k: v for k, v in before["run"].items() if k != "layout"}}
    for changed in (older, before | {"run": before["run"] | {"version": "0.0.9"}}):
        plan.write_text(json.dumps(changed))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["score", str(path), "--method", "ucell", "--out", str(out)])
        assert ended.value.code == 2
        said = " ".join(capsys.readouterr().err.split())
        assert f"{plan.parent} holds an unfinished run of another state of mtorscore (0." in said
        assert "with the version that began it; or delete the folder, or start again with --start-again" in said
    run("-q", "score", path, "--method", "ucell", "--out", out, "--start-again")
    assert [p.name for p in tmp_path.iterdir() if p != path] == ["s.tsv"]


def test_a_run_with_other_units_does_not_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_atlas(tmp_path, "sparse", 40)
    asked = stream_scores.Asked(methods=("ucell",), harmonise={}, check=check_overlap)
    whole = tmp_path / "s.parquet"

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mtorscore.tl.streaming.score_file._assemble", stopped)
    with pytest.raises(KeyboardInterrupt):
        stream_scores.stream_scores(path, library(), asked, whole)
    with pytest.raises(DataError, match="an unfinished run that differs in values"):
        stream_scores.stream_scores(path, library(), replace(asked, log=log_layer), whole)


def test_what_cannot_be_scored_is_refused_from_disk_too(tmp_path: Path) -> None:
    path = write_atlas(tmp_path, "sparse", 40)
    adata = ad.read_h5ad(path)
    asked = stream_scores.Asked(methods=("singscore",), harmonise={}, check=check_overlap)
    adata.obs_names = ["twice", "twice", *adata.obs_names[2:]]
    adata.write_h5ad(path)
    with pytest.raises(DataError, match=r"1 observation name\(s\) are duplicated \(twice\)"):
        stream_scores.stream_scores(path, library(), asked, tmp_path / "s.tsv")
    adata.obs_names = [f"c{i}" for i in range(40)]
    adata.X.data[:3] = -5
    adata.write_h5ad(path)
    with pytest.raises(DataError, match="negative value"):
        stream_scores.stream_scores(path, library(), asked, tmp_path / "s.tsv")
    assert not list(tmp_path.glob("*.tsv*"))


def test_genes_of_no_signature_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lists = tmp_path / "own.gmt"
    lists.write_text("OWN\t\tNOT1\tNOT2\n")
    with pytest.raises(SystemExit) as ended:
        cli.main(["score", str(write_atlas(tmp_path, "sparse")), "-s", str(lists), "--out", str(tmp_path / "s.tsv")])
    assert ended.value.code == 2
    assert "None of the 2 genes of 1 signature(s) (NOT1, NOT2) is among the 925 genes" in capsys.readouterr().err


def test_genes_in_the_rows_are_turned_in_memory(tmp_path: Path) -> None:
    path = write_atlas(tmp_path, "sparse")
    assert stream_scores.can_stream(path, "s.tsv")
    ad.read_h5ad(path)[:, :900].copy().T.write_h5ad(tmp_path / "turned.h5ad")
    assert not stream_scores.can_stream(tmp_path / "turned.h5ad", "s.tsv")


@pytest.mark.parametrize("ending", ["parquet", "h5ad", "zarr"])
def test_a_table_in_memory_has_the_same_outputs(tmp_path: Path, ending: str) -> None:
    path = write_atlas(tmp_path, "sparse", 20)
    adata = ad.read_h5ad(path)[:, :900]
    adata.to_df().T.to_csv(tmp_path / "m.tsv", sep="\t")
    run("-q", "score", tmp_path / "m.tsv", "--method", "ucell", "--out", tmp_path / f"s.{ending}")
    expected = in_memory(path, ["ucell"]).obsm["score_ucell"].to_numpy()
    if ending == "parquet":
        found = tl.read_scores(tmp_path / "s.parquet")[0]["score_ucell"]
    else:
        found = (ad.read_h5ad if ending == "h5ad" else ad.read_zarr)(tmp_path / f"s.{ending}").obsm["score_ucell"]
    assert found.shape == expected.shape
    assert found.notna().any(axis=None)


def test_progress_in_lines_where_nobody_watches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtorscore.tl.streaming import progress

    monkeypatch.setattr(progress, "EVERY", 0.0)
    run("score", write_atlas(tmp_path, "sparse"), "--method", "ucell,zscore", "--out", tmp_path / "s.parquet")
    said = capsys.readouterr().err
    assert said.count("reads the whole file") == 1
    assert said.index("zscore reads the whole file to learn from it") < said.index("scoring: ")
    assert "before its first block is scored. The blocks of ucell are scored and kept meanwhile." in said
    assert "25 gene(s) have several columns" in said
    assert "scoring: 300 cells" in said
    assert "cells/s" in said


@pytest.mark.parametrize("kind", ["h5", "mtx"])
def test_a_10x_matrix_is_scored_with_the_bytes_of_its_h5ad(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One gene has two Ensembl ids, so that copies are collapsed; antibodies bear the symbol of a gene."""
    path = write_tenx(tmp_path, kind)
    read = io.read(path)
    read.write_h5ad(tmp_path / "same.h5ad")
    expected = in_memory(path)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the matrix was read as a whole")

    for ending, words in [("parquet", [])] if kind == "h5" else [("tsv", []), ("parquet", ["--log"])]:
        names = [f"{i}{len(words)}.{ending}" for i in "ab"]
        options = ["--method", ",".join(METHODS), *words]
        run("-q", "score", tmp_path / "same.h5ad", *options, "--out", tmp_path / names[0])
        with monkeypatch.context() as patch:
            patch.setattr("mtorscore.io.read", never)
            run("-q", "score", path, *options, "--out", tmp_path / names[1])
        assert (tmp_path / names[0]).read_bytes() == (tmp_path / names[1]).read_bytes()
    ending = "h5ad" if kind == "h5" else "zarr"
    run("-q", "score", path, "--method", ",".join(METHODS), "--out", tmp_path / f"s.{ending}")
    found = (ad.read_h5ad if ending == "h5ad" else ad.read_zarr)(tmp_path / f"s.{ending}")
    assert (found.X != read.X).nnz == 0
    for method in METHODS:
        values = expected.obsm[f"score_{method}"].to_numpy()
        np.testing.assert_allclose(found.obsm[f"score_{method}"].to_numpy(), values, rtol=1e-12, atol=1e-13)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".") or p.name.endswith(".parts")]


def test_one_of_several_samples_and_genomes_is_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_tenx(tmp_path, "mtx")
    for name in ("one", "two"):
        for file in path.glob("*.gz"):
            (tmp_path / "both").mkdir(exist_ok=True)
            (tmp_path / "both" / f"GSM_{name}_{file.name}").write_bytes(file.read_bytes())
    with pytest.raises(SystemExit) as ended:
        cli.main(["score", str(tmp_path / "both"), "--out", str(tmp_path / "s.tsv")])
    assert ended.value.code == 2
    assert "choose one with --prefix, such as --prefix GSM_one_" in capsys.readouterr().err
    run("-q", "score", tmp_path / "both", "--prefix", "GSM_two_", "--out", tmp_path / "s.tsv")
    run("-q", "score", path, "--out", tmp_path / "t.tsv")
    assert (tmp_path / "s.tsv").read_bytes() == (tmp_path / "t.tsv").read_bytes()
    with pytest.raises(SystemExit) as ended:
        cli.main(["score", str(path), "--genome", "mm10", "--out", str(tmp_path / "s.tsv")])
    assert ended.value.code == 2
    assert "--genome mm10 says nothing about 10x-mtx" in capsys.readouterr().err

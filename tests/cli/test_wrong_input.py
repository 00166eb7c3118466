"""Wrong input gives one clear sentence and exit code 2, never a traceback."""

from __future__ import annotations

import gzip
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from mtorscore.cli import main

GENES = [f"G{i}" for i in range(40)]
SAMPLES = [f"s{i}" for i in range(30)]


@pytest.fixture
def matrix() -> pd.DataFrame:
    values = np.random.default_rng(0).negative_binomial(2, 0.01, size=(len(GENES), len(SAMPLES)))
    return pd.DataFrame(values, index=pd.Index(GENES, name="gene"), columns=SAMPLES)


@pytest.fixture
def gmt(tmp_path: Path) -> Path:
    path = tmp_path / "sets.gmt"
    path.write_text("A\tna\tG0\tG1\tG2\tG3\nB\tna\tG10\tG11\tG12\n")
    return path


def fails(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    said = capsys.readouterr()
    assert stop.value.code == 2, said.err
    assert "Traceback" not in said.err
    errors = [line for line in said.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert said.err.rstrip().splitlines()[-1] == errors[0]
    return errors[0]


def works(*arguments: object) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    assert stop.value.code == 0


def test_the_good_input_works(matrix: pd.DataFrame, gmt: Path, tmp_path: Path) -> None:
    matrix.to_csv(tmp_path / "m.tsv", sep="\t")
    works("score", tmp_path / "m.tsv", "-s", gmt, "-m", "singscore,zscore", "-o", tmp_path / "out.tsv")
    table = pd.read_csv(tmp_path / "out.tsv", sep="\t")
    assert list(table.columns) == ["observation", "method", "A", "B"]
    assert len(table) == 2 * len(SAMPLES)
    assert table[["A", "B"]].notna().all(axis=None)


def test_missing_file(gmt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nowhere.tsv" in fails(capsys, "score", "nowhere.tsv", "-s", gmt)


def test_empty_file(gmt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.tsv").write_text("")
    assert "empty" in fails(capsys, "score", tmp_path / "m.tsv", "-s", gmt)


def test_truncated_gzip(matrix: pd.DataFrame, gmt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = gzip.compress(matrix.to_csv(sep="\t").encode())
    (tmp_path / "m.tsv.gz").write_bytes(packed[: len(packed) // 2])
    said = fails(capsys, "score", tmp_path / "m.tsv.gz", "-s", gmt)
    assert "truncated" in said or "ends" in said or "incomplete" in said


def test_no_gene_in_common(matrix: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix.to_csv(tmp_path / "m.tsv", sep="\t")
    (tmp_path / "other.gmt").write_text("A\tna\tFASN\tACLY\n")
    said = fails(capsys, "score", tmp_path / "m.tsv", "-s", tmp_path / "other.gmt")
    assert "ACLY" in said
    assert "G0" in said


def test_negative_count(matrix: pd.DataFrame, gmt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix.iloc[3, 4] = -5
    matrix.to_csv(tmp_path / "m.tsv", sep="\t")
    said = fails(capsys, "score", tmp_path / "m.tsv", "-s", gmt)
    assert "negative" in said
    assert "-5" in said


def test_negative_count_in_a_run(matrix: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix.iloc[3, 4] = -5
    matrix.index = ["FASN", "SCD", "ACACA", "ACLY", "TP53", *(f"ENSG{i:011}" for i in range(len(matrix) - 5))]
    matrix.to_csv(tmp_path / "m.tsv", sep="\t")
    from mtorscore.errors import DataError
    from mtorscore.pipeline import prepare
    from mtorscore.pipeline.own_data import OwnData, write_inputs

    write_inputs(
        OwnData(name="own", expression=tmp_path / "m.tsv", unit="days", tumour="tumour", normal="normal"), tmp_path
    )
    with pytest.raises(DataError, match="negative"):
        prepare(str(tmp_path / "own" / "inputs" / "recipe.yaml"), tmp_path / "out", data=tmp_path)


def test_what_reading_changed_is_said(
    matrix: pd.DataFrame, gmt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = matrix.astype(object)
    text.iloc[5, 2] = "#DIV/0!"
    text.iloc[6, 3] = "1,5"
    text.to_csv(tmp_path / "m.tsv", sep="\t")
    works("score", tmp_path / "m.tsv", "-s", gmt, "-o", tmp_path / "out.tsv")
    said = capsys.readouterr().err
    assert "decimal commas" in said
    assert "1 value(s) are missing (s2 x G5)" in said


def test_log_ratios_may_be_negative(gmt: Path, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(len(GENES), len(SAMPLES)))
    pd.DataFrame(values, index=GENES, columns=SAMPLES).to_csv(tmp_path / "m.tsv", sep="\t")
    works("score", tmp_path / "m.tsv", "-s", gmt, "-o", tmp_path / "out.tsv")


def test_text_in_the_matrix(
    matrix: pd.DataFrame, gmt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = matrix.astype(object)
    text.iloc[5, 2] = "high"
    text.to_csv(tmp_path / "m.tsv", sep="\t")
    said = fails(capsys, "score", tmp_path / "m.tsv", "-s", gmt)
    assert "high" in said
    assert "line 7" in said


def test_unknown_method_names_the_nearest(
    matrix: pd.DataFrame, gmt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix.to_csv(tmp_path / "m.tsv", sep="\t")
    for wrong, near in {"singscor": "singscore", "GSVA": "gsva", "z-score": "zscore"}.items():
        said = fails(capsys, "score", tmp_path / "m.tsv", "-s", gmt, "-m", wrong)
        assert f"the nearest are {near}" in said


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    pd.DataFrame({"observation": SAMPLES, "A": rng.normal(size=30)}).to_csv(tmp_path / "s.tsv", sep="\t", index=False)
    return tmp_path / "s.tsv"


def clinical(path: Path, names: list[str], events: list[int]) -> Path:
    times = np.linspace(10, 900, len(names))
    pd.DataFrame({"sample": names, "OS.time": times, "OS": events}).to_csv(path, sep="\t", index=False)
    return path


def test_the_value_of_the_event_and_competing_events_are_options(
    scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.DataFrame(
        {"sample": SAMPLES, "t": np.linspace(10, 900, 30), "censored": [1, 0] * 15, "OS": [0, 1, 1] * 10}
    )
    table.to_csv(tmp_path / "c.tsv", sep="\t", index=False)
    asked = ("relate", scored, "-c", tmp_path / "c.tsv", "--time", "t", "--event", "censored")
    works(*asked, "--event-value", "0", "--competing", "OS", "-o", tmp_path / "a.tsv")
    result = pd.read_csv(tmp_path / "a.tsv", sep="\t")
    assert result["events"].iloc[0] == 15
    assert result["competing"].iloc[0].startswith("10 competing event(s)")
    assert np.isfinite(result["subdistribution_hr"].iloc[0])
    assert "censored" in fails(capsys, *asked, "--event-value", "no")
    label = ("relate", scored, "-c", tmp_path / "c.tsv", "--label", "OS", "--event-value", "1")
    assert "--event-value" in fails(capsys, *label)


def test_relating_works(scored: Path, tmp_path: Path) -> None:
    table = clinical(tmp_path / "c.tsv", SAMPLES, [0, 1] * 15)
    works("relate", scored, "-c", table, "--time", "OS.time", "--event", "OS", "-o", tmp_path / "a.tsv")
    result = pd.read_csv(tmp_path / "a.tsv", sep="\t")
    assert {"signature", "hr", "hr_low", "hr_high", "p", "n", "events"} <= set(result.columns)
    assert result["events"].iloc[0] == 15


@pytest.mark.parametrize("ending", ["c.csv", "c.txt", "c.tsv.gz", "c.xlsx"])
def test_clinical_tables_of_other_kinds(scored: Path, tmp_path: Path, ending: str) -> None:
    path = clinical(tmp_path / "c.tsv", SAMPLES, [0, 1] * 15)
    frame = pd.read_csv(path, sep="\t")
    frame["OS"] = frame["OS"] == 1
    if ending.endswith("xlsx"):
        frame.to_excel(tmp_path / ending, index=False)
    else:
        frame.to_csv(tmp_path / ending, sep={"c.csv": ",", "c.txt": ";"}.get(ending, "\t"), index=False)
    works("relate", scored, "-c", tmp_path / ending, "--time", "OS.time", "--event", "OS", "-o", tmp_path / "a.tsv")
    assert pd.read_csv(tmp_path / "a.tsv", sep="\t")["events"].iloc[0] == 15


def test_broken_clinical_tables(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = clinical(tmp_path / "c.tsv", SAMPLES, [0, 1] * 15).read_bytes()
    (tmp_path / "cut.tsv.gz").write_bytes(gzip.compress(text)[:-20])
    (tmp_path / "head.tsv").write_bytes(text.splitlines()[0])
    for name, word in {"cut.tsv.gz": "truncated", "head.tsv": "no data row", ".": "is a folder"}.items():
        assert word in fails(capsys, "relate", scored, "-c", tmp_path / name, "--time", "OS.time", "--event", "OS")


def test_text_among_the_scores(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = clinical(tmp_path / "c.tsv", SAMPLES, [0, 1] * 15)
    frame = pd.read_csv(scored, sep="\t").astype(object)
    frame.iloc[3, 1] = "high"
    frame.to_csv(tmp_path / "s.tsv", sep="\t", index=False)
    said = fails(capsys, "relate", tmp_path / "s.tsv", "-c", table, "--time", "OS.time", "--event", "OS")
    assert "column A" in said
    assert "high" in said


def test_observations_in_one_table_only_are_counted(
    scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = clinical(tmp_path / "c.tsv", [*SAMPLES[:28], "x"], ([0, 1] * 15)[:29])
    works("relate", scored, "-c", table, "--time", "OS.time", "--event", "OS", "-o", tmp_path / "a.tsv")
    said = capsys.readouterr().err
    assert "2 of 30 observations" in said
    assert "1 of 29 rows" in said


def test_no_sample_in_common(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = clinical(tmp_path / "c.tsv", [f"p{i}" for i in range(30)], [0, 1] * 15)
    said = fails(capsys, "relate", scored, "-c", table, "--time", "OS.time", "--event", "OS")
    assert "s0" in said
    assert "p0" in said


def test_endpoint_without_events(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = clinical(tmp_path / "c.tsv", SAMPLES, [0] * 30)
    assert "event" in fails(capsys, "relate", scored, "-c", table, "--time", "OS.time", "--event", "OS")


def test_unknown_endpoint_column(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = clinical(tmp_path / "c.tsv", SAMPLES, [0, 1] * 15)
    assert "DFS" in fails(capsys, "relate", scored, "-c", table, "--time", "DFS", "--event", "OS")


def test_missing_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nowhere.yaml" in fails(capsys, "run", "--config", "nowhere.yaml")


def test_missing_data_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cohorts.tsv").write_text("cohort\trecipe\na\ttcga-lihc\n")
    (tmp_path / "c.yaml").write_text(f"run: r\ncohorts: {tmp_path / 'cohorts.tsv'}\nresults: {tmp_path / 'r'}\n")
    said = fails(capsys, "run", "--config", tmp_path / "c.yaml", "--data", tmp_path / "none")
    assert "none" in said


def test_setting_that_is_no_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text("run: r\ncohorts: demo_cohorts.tsv\n")
    assert "methods=[" in fails(capsys, "run", "--config", tmp_path / "c.yaml", "--set", "methods=[")


def test_out_that_is_a_folder(
    matrix: pd.DataFrame, gmt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix.to_csv(tmp_path / "m.tsv", sep="\t")
    assert "is a folder" in fails(capsys, "score", tmp_path / "m.tsv", "-s", gmt, "-o", tmp_path)


@pytest.mark.parametrize("place", ["m.tsv/out.tsv", "/proc/out.tsv", "x" * 300])
def test_out_that_cannot_be_written(
    matrix: pd.DataFrame, gmt: Path, tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix.to_csv(tmp_path / "m.tsv", sep="\t")
    said = fails(capsys, "score", tmp_path / "m.tsv", "-s", gmt, "-o", tmp_path / place)
    assert "cannot be written" in said
    assert ".tmp" not in said
    assert "cannot be written" in fails(capsys, "signatures", "export", tmp_path / f"{place}.gmt")


def test_results_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in fails(capsys, "demo", "--results", tmp_path / "file")


def test_another_run_at_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mtorscore.pipeline.config import lock_run

    with lock_run(tmp_path / "demo"):
        assert "Another run" in fails(capsys, "demo", "--results", tmp_path)


def test_what_snakemake_refuses_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text(f"run: r\ncohorts: demo_cohorts.tsv\nresults: {tmp_path}\nsignatures: no.gmt\n")
    assert "no.gmt" in fails(capsys, "run", "--config", tmp_path / "c.yaml", "--dry-run")


def test_unknown_organism(matrix: pd.DataFrame, gmt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix.to_csv(tmp_path / "m.tsv", sep="\t")
    assert "human and mouse" in fails(capsys, "score", tmp_path / "m.tsv", "-s", gmt, "--organism", "yeast")


@pytest.mark.parametrize(
    ("arguments", "said"), [({"n_tumors": 60}, "Did you mean n_tumours"), ({"n_tumours": "many"}, "a whole number")]
)
def test_wrong_arguments_of_a_simulation(tmp_path: Path, arguments: dict[str, object], said: str) -> None:
    from mtorscore.errors import ConfigError
    from mtorscore.pipeline import acquire

    with pytest.raises(ConfigError, match=said):
        acquire("simulated", tmp_path / "manifest.json", simulate=arguments)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["score", "words.csv"], "words.csv has 1 gene(s) and no column of numbers (a: x, b: y)"),
        (["score", "m.tsv", "--out", "s.xlsx"], "s.xlsx: no table is written as .xlsx; let the name end in .tsv"),
        (["relate", "m.tsv", "-c", "m.tsv", "--label", "a", "--out", "s.pdf"], "no table is written as .pdf"),
        (["score", "a.h5ad", "--memory", "1MB"], "--memory 1MB is too little; the least is 100MB"),
        (
            ["score", "a.h5ad", "--ids", "no"],
            "no column 'no' (--ids); there are none beside the names themselves",
        ),
        (["score", "a.h5ad", "--out", "s.tsv.xz"], "a file is scored into text, .gz, .parquet"),
        (["score", "broken.h5ad"], "This is not an HDF5 file, or it was cut short; fetch or write it again"),
    ],
)
def test_tired_words_at_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("words.csv").write_text("gene,a,b\nFASN,x,y\n")
    Path("m.tsv").write_text("gene\ta\tb\nFASN\t1.5\t2\nSCD\t3\t4\nALB\t7\t1\n")
    values = np.array([[1.5, 2, 3], [4, 5, 6]], dtype=np.float32)
    ad.AnnData(values, var=pd.DataFrame(index=["FASN", "SCD", "ALB"])).write_h5ad("a.h5ad")
    Path("broken.h5ad").write_bytes(b"\x89HDF" + b"x" * 3000)
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.glob("s.*"))


def test_calls_of_0_and_1_are_no_expression(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("calls.tsv").write_text("gene\tHCC1\tHCC2\tHCC3\nFASN\t0\t1\t0\nSCD\t1\t0\t1\nALB\t0\t1\t1\nTP53\t1\t0\t0\n")
    with pytest.raises(SystemExit):
        main(["score", "calls.tsv", "--out", "s.csv"])
    assert "every value is 0 or 1" in " ".join(capsys.readouterr().err.split())
    assert pd.read_csv("s.csv", sep=",").shape[0] == 3, "a .csv is separated by commas"

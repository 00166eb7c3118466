"""`mtorscore contrast`: tables are recognised, and each design is one command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtorscore.cli import main
from tests.tl.test_score_contrast import as_written, results

STAGES = ["normal", "cirrhosis", "dysplasia", "early", "advanced"]


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as done:
        main([str(a) for a in arguments])
    return int(done.value.code or 0)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Scores by two methods of 40 samples: five stages, pairs, a drug in two genotypes; the effects are known."""
    rng = np.random.default_rng(0)
    n = 40
    about = pd.DataFrame({"sample": [f"s{i:02d}" for i in range(n)]})
    about["stage"] = np.repeat(STAGES, 8)
    about["patient"] = [f"p{i // 2}" for i in range(n)]
    about["tissue"] = ["tumour", "adjacent"] * 20
    about["arm"] = np.tile(["drug", "drug", "vehicle", "vehicle"], 10)
    about["genotype"] = np.tile(["wt", "ko"], 20)
    about["age"] = rng.normal(60, 8, n).round(1)
    patient = rng.normal(scale=2, size=20)[np.arange(n) // 2]
    step = np.repeat(np.arange(5), 8)
    base = rng.normal(scale=0.3, size=(n, 4))
    base[:, 0] += step
    base[:, 1] += patient + 1.5 * (about["tissue"] == "tumour")
    base[:, 2] += 2.0 * ((about["arm"] == "drug") & (about["genotype"] == "wt"))
    parts = []
    for method, k in (("ucell", 1.0), ("singscore", 3.0)):
        table = pd.DataFrame(k * base, columns=["STAGE", "TISSUE", "DRUG", "NOTHING"])
        table.insert(0, "method", method)
        table.insert(0, "observation", about["sample"])
        parts.append(table)
    pd.concat(parts).to_csv(tmp_path / "scores.tsv", sep="\t", index=False)
    parts[0].drop(columns="method").to_csv(tmp_path / "one.tsv", sep="\t", index=False)
    about.to_csv(tmp_path / "samples.tsv", sep="\t", index=False)
    return tmp_path


def result(study: Path, scores: str, *options: str) -> pd.DataFrame:
    out = study / "out.tsv"
    assert run("contrast", study / scores, "--clinical", study / "samples.tsv", *options, "--out", out) == 0
    return pd.read_csv(out, sep="\t")


def test_a_trend_over_five_stages(study: Path) -> None:
    table = result(study, "scores.tsv", "--group", "stage", "--order", ",".join(STAGES)).set_index(
        ["method", "signature"]
    )
    row = table.loc[("ucell", "STAGE")]
    assert row["difference"] == pytest.approx(1.0, abs=0.1)
    assert row["contrast"] == "per step of normal < cirrhosis < dysplasia < early < advanced"
    assert row["claim"] == "above: all 2 methods"
    assert table.loc[("ucell", "NOTHING"), "p_t"] > 0.05


def test_pairs_of_tumour_and_adjacent_tissue(study: Path) -> None:
    options = ("--group", "tissue", "--reference", "adjacent")
    paired = result(study, "one.tsv", *options, "--pair", "patient").set_index("signature")
    alone = result(study, "one.tsv", *options).set_index("signature")
    assert paired.loc["TISSUE", "difference"] == pytest.approx(1.5, abs=0.3)
    assert paired.loc["TISSUE", "error"] < 0.4 * alone.loc["TISSUE", "error"]
    assert paired.loc["TISSUE", "robust"] == "paired"
    assert "method" not in paired


def test_four_arms_and_their_interaction(study: Path) -> None:
    options = ("--group", "arm", "--reference", "vehicle", "--covariates", "age")
    table = result(study, "one.tsv", *options, "--interaction", "genotype").set_index("signature")
    assert table.loc["DRUG", "contrast"] == "(drug - vehicle): wt - ko"
    assert table.loc["DRUG", "difference"] == pytest.approx(2.0, abs=0.4)
    turned = result(study, "one.tsv", *options, "--interaction", "genotype", "--interaction-reference", "wt")
    turned = turned.set_index("signature")
    assert turned.loc["DRUG", "contrast"] == "(drug - vehicle): ko - wt"
    assert turned.loc["DRUG", "difference"] == pytest.approx(-table.loc["DRUG", "difference"])


def test_the_difference_within_and_names_with_commas(study: Path) -> None:
    table = result(study, "one.tsv", "--group", "arm", "--reference", "vehicle", "--within", "genotype")
    rows = table[table["signature"] == "DRUG"].set_index("contrast")
    assert list(rows.index) == ["drug - vehicle in ko", "drug - vehicle in wt"]
    assert rows["difference"].tolist() == pytest.approx([0.0, 2.0], abs=0.4)
    about = pd.read_csv(study / "samples.tsv", sep="\t").replace({"early": "HCC, early", "advanced": "HCC, late"})
    about.to_csv(study / "samples.tsv", sep="\t", index=False)
    trend = result(
        study, "one.tsv", "--group", "stage", "--order", "normal,cirrhosis,dysplasia,HCC, early", "--order", "HCC, late"
    )
    assert trend["contrast"].iloc[0] == "per step of normal < cirrhosis < dysplasia < HCC, early < HCC, late"


def test_all_groups_against_one_and_a_predictor(study: Path) -> None:
    table = result(study, "one.tsv", "--group", "stage", "--reference", "normal")
    assert table["contrast"].nunique() == 4
    two = result(
        study, "one.tsv", "--group", "stage", "--reference", "normal", "--treated", "early", "--treated", "advanced"
    )
    assert list(two["contrast"].unique()) == ["early - normal", "advanced - normal"]
    line = result(study, "one.tsv", "--continuous", "age")
    assert set(line["contrast"]) == {"per unit of age"}
    mixed = result(
        study, "one.tsv", "--group", "arm", "--reference", "vehicle", "--block", "patient", "--block-effect", "mixed"
    )
    assert set(mixed["block_effect"]) == {"mixed"}


def test_a_de_table_is_recognised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.tl.test_score_contrast import as_written, results

    as_written("DESeq2", results()).to_csv(tmp_path / "de.csv", index=False)
    assert run("contrast", tmp_path / "de.csv", "--out", tmp_path / "out.tsv") == 0
    said = capsys.readouterr().out
    assert "differential expression (DESeq2), genes ranked by t (stat)" in said
    table = pd.read_csv(tmp_path / "out.tsv", sep="\t").set_index(["signature", "part"])
    assert table.loc[("SREBP1_LIPOGENIC_CORE", "whole"), "direction"] == "up"
    assert run("contrast", tmp_path / "de.csv", "--group", "arm", "--out", tmp_path / "out.tsv") == 2
    assert "which takes no --group" in capsys.readouterr().err


def test_markers_of_clusters_are_counted_cluster_by_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    markers = as_written("Seurat", results()).query("avg_log2FC.abs() > 0.25")
    other = markers.assign(avg_log2FC=-markers["avg_log2FC"])
    both = pd.concat([markers.assign(cluster="Hepatocyte"), other.assign(cluster="1")]).rename(columns={"": "gene"})
    both.to_csv(tmp_path / "markers.csv", index=False)
    assert run("contrast", tmp_path / "markers.csv", "--out", tmp_path / "out.tsv") == 0
    said = capsys.readouterr().out
    first, second = (line for line in said.splitlines() if ": most genes of a signature in the table" in line)
    assert first.startswith("Hepatocyte: ")
    assert "TOP_RIBOSOMAL_PROTEINS (77 of 79 genes against it)" in first
    assert second.startswith("1: ")
    assert "TOP_RIBOSOMAL_PROTEINS (77 of 79 genes as it says)" in second


def test_dates_and_missing_names_of_genes_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = as_written("limma", results())
    dated = table.copy()
    dated.loc[:2, ""] = ["2-Sep", "8-Mar", "1-Mar"]
    dated.to_csv(tmp_path / "dated.csv", index=False)
    assert run("contrast", tmp_path / "dated.csv", "--out", tmp_path / "out.tsv") == 0
    said = capsys.readouterr().out
    assert "3 gene names are dates that a spreadsheet made of them: 2 are genes again (" in said
    assert "2-Sep is SEPTIN2" in said
    assert "1 may be several genes and are not used (1-Mar)" in said
    table.drop(columns="").to_csv(tmp_path / "bare.csv", index=False)
    assert run("contrast", tmp_path / "bare.csv", "--out", tmp_path / "out.tsv") == 2
    assert "names no genes: its first column holds numbers" in capsys.readouterr().err


def test_what_is_missing_is_said(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("contrast", study / "one.tsv") == 2
    assert "give --clinical and --group" in capsys.readouterr().err
    assert run("contrast", study / "none.tsv") == 2
    assert "does not exist" in capsys.readouterr().err
    about = ("--clinical", study / "samples.tsv")
    assert run("contrast", study / "one.tsv", *about, "--group", "grade") == 2
    assert "no column 'grade'" in capsys.readouterr().err
    assert run("contrast", study / "one.tsv", *about, "--group", "stage") == 2
    assert "Name the group that others are compared with" in capsys.readouterr().err


def test_the_answer_is_said_once_for_each_contrast(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = pd.read_csv(study / "samples.tsv", sep="\t")
    about.iloc[:-1].to_csv(study / "samples.tsv", sep="\t", index=False)
    result(study, "scores.tsv", "--group", "tissue", "--reference", "adjacent", "--pair", "patient")
    told = capsys.readouterr()
    assert told.err.count("1 of 20 pairs are not complete (p19)") == 1  # of two methods
    line = next(t for t in told.out.splitlines() if t.startswith("tumour - adjacent"))
    assert " 38 samples in 19 pairs or blocks: of 4 signatures 2 are higher and 0 lower with q < 0.05" in line
    assert "2 of them by every method; most: TISSUE (g +" in line
    result(study, "one.tsv", "--group", "stage", "--reference", "normal")
    lines = [t for t in capsys.readouterr().out.splitlines() if " - normal, " in t]
    assert [t.split(" - ")[0] for t in lines] == STAGES[1:]
    assert all("by every method" not in t for t in lines)


def test_a_matrix_of_expression_is_not_taken_for_scores(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    genes = results()["gene"].iloc[:200]
    samples = pd.read_csv(study / "samples.tsv", sep="\t")["sample"]
    values = np.random.default_rng(0).normal(8, 1, (200, len(samples)))
    pd.DataFrame(values, pd.Index(genes, name="gene"), samples).to_csv(study / "matrix.tsv", sep="\t")
    options = ("--clinical", study / "samples.tsv", "--group", "arm", "--reference", "vehicle")
    assert run("contrast", study / "matrix.tsv", *options, "--out", study / "out.tsv") == 2
    assert "The former are genes: score the matrix first (mtorscore score" in capsys.readouterr().err

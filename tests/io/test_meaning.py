# ruff: noqa: E501
"""What a table means: orientation and identifiers by weight of evidence, ids as text, what is no expression matrix."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore.errors import DataError, DataWarning, FormatError
from mtorscore.genes.numbers import entrez_evidence, is_running_count
from mtorscore.io.tables.name_evidence import weigh_names

GENES = [
    "MTOR",
    "AKT1",
    "PTEN",
    "TSC1",
    "TSC2",
    "RHEB",
    "RPTOR",
    "MLST8",
    "TP53",
    "MYC",
    "ALB",
    "EIF4E",
    "RPS6",
    "FASN",
    "SCD",
    "LDLR",
]
ENTREZ = [
    "2475",
    "207",
    "5728",
    "7248",
    "7249",
    "6009",
    "57521",
    "64223",
    "7157",
    "4609",
    "213",
    "1977",
    "6194",
    "2194",
    "6319",
    "3949",
]
HCC = [f"HCC{i}" for i in range(1, 5)]
X = np.round(np.random.default_rng(3).gamma(2, 3, (len(GENES), 4)), 3)


def table(rows: Sequence[Sequence[Any]], sep: str = "\t") -> str:
    return "\n".join(sep.join(map(str, r)) for r in rows) + "\n"


def matrix(ids: list[str], samples: list[str] = HCC, *, key: str = "gene", **extra: list[str]) -> str:
    """Return a table of genes in rows; further columns stand at its end."""
    x = X if len(samples) == 4 else np.resize(X, (len(ids), len(samples)))
    rows = [[i, *r, *(v[k] for v in extra.values())] for k, (i, r) in enumerate(zip(ids, x, strict=False))]
    return table([[key, *samples, *extra], *rows])


def samples_in_rows(ids: list[str], key: str, sep: str = ",") -> str:
    x = np.resize(X, (len(ids), len(GENES)))
    return table([[key, *GENES], *([i, *r] for i, r in zip(ids, x, strict=True))], sep)


def write(folder: Path, text: str, name: str = "t.tsv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def quietly(path: Path, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return mt.read(path, **options)


ROWS = [str(i) for i in range(1, len(GENES) + 1)]


@pytest.mark.parametrize("name", ["GENE_SYMBOL", "Gene.symbol", "symbol", "Gene Symbol"])
@pytest.mark.parametrize(
    "ids", [ROWS, [str(200000 + i) + "_at" for i in range(16)], ["3", "12", "13", "24", *map(str, range(30, 42))]]
)
def test_a_column_of_symbols_outweighs_numbers_and_probes(tmp_path: Path, name: str, ids: list[str]) -> None:
    adata = quietly(write(tmp_path, matrix(ids, key="ID_REF", **{name: GENES})))
    assert adata.shape == (4, 16)
    assert set(mt.pp.harmonise_genes(adata).var_names) == set(GENES)


def test_entrez_ids_beside_their_own_symbols_stay(tmp_path: Path) -> None:
    adata = mt.read(write(tmp_path, matrix(ENTREZ, key="entrez", symbol=GENES)))
    assert list(adata.var["id"]) == ENTREZ


def test_numbered_rows_are_no_genes(tmp_path: Path) -> None:
    path = write(tmp_path, matrix(ROWS, key="ID_REF"))
    with pytest.warns(DataWarning, match="only numbered"):
        adata = mt.read(path)
    assert adata.uns["source"]["identifiers"] == "row numbers"
    with pytest.raises(DataError, match=r"only numbered.*ids=.*platform="):
        mt.pp.harmonise_genes(adata)


@pytest.mark.parametrize("key", ["patient", "id", "sample", "", "case", "year"])
@pytest.mark.parametrize("start", [1, 100, 1000, 1990])
def test_patient_numbers_do_not_turn_the_table(tmp_path: Path, key: str, start: int) -> None:
    ids = [str(start + i) for i in range(20)]
    adata = mt.read(write(tmp_path, samples_in_rows(ids, key), "t.csv"))
    assert list(adata.obs_names) == ids
    assert list(adata.var_names) == GENES


def test_the_index_of_a_filtered_frame_is_no_entrez(tmp_path: Path) -> None:
    ids = [str(i) for i in (9, 17, 23, 24, 31, 40, 55, 58, 61, 77, 80, 92)]
    assert mt.read(write(tmp_path, samples_in_rows(ids, ""), "t.csv")).shape == (12, 16)


@pytest.mark.parametrize("samples", [HCC, ["HB1", "HB2", "HB3", "HB4"], ["T1", "N1", "T2", "N2"], ["NL", "TL", "TC", "NC"], ["HepG2", "Huh7", "Hep3B", "SNU449"], ["CCA1", "CCA2", "CCA3", "CCA4"], ["C1", "C2", "C3", "C4"], ["GSM11", "GSM15", "GSM16", "GSM17"]])  # fmt: skip
@pytest.mark.parametrize("style", ["uc{:05d}aaa.1", "MSTRG.{}", "{}", "contig_{:04d}"])
def test_samples_of_the_field_are_no_genes(tmp_path: Path, samples: list[str], style: str) -> None:
    ids = [style.format(i + 1) for i in range(16)]
    adata = quietly(write(tmp_path, matrix(ids, samples, key="id")))
    assert list(adata.obs_names) == samples
    assert list(adata.var["id"]) == ids


PREFIXES = [
    "MSTRG.{i}|{s}",
    "STRG.{i}.1|{s}",
    "GRCh38_{s}",
    "GRCh38______{s}",
    "hg38_{s}",
    "hg19:{s}",
    "hsa:{e}",
    "GeneID:{e}",
    "ENTREZID:{e}",
    "{e}_at",
    "gene:{s}",
    "{e}|{s}",
    "{s}_{e}",
    "chr1:{s}",
    "{s}|{s}",
    "HGNC:{s}",
    "{s}_HUMAN",
    "{s} [Homo sapiens]",
    "{s}_hg38",
    "LOC{e}",
]


@pytest.mark.parametrize("style", PREFIXES)
def test_prefixes_and_suffixes_of_pipelines(tmp_path: Path, style: str) -> None:
    ids = [style.format(i=i, s=s, e=e) for i, (s, e) in enumerate(zip(GENES, ENTREZ, strict=True))]
    adata = mt.read(write(tmp_path, matrix(ids, key="gene_id")))
    assert adata.shape == (4, 16)
    assert set(mt.pp.harmonise_genes(adata).var_names) == set(GENES)


@pytest.mark.parametrize("style", ["row_{}", "gene_{}", "{}_gene", "feature{}"])
def test_rows_that_are_counted_are_no_entrez_ids(style: str) -> None:
    names = [style.format(i + 1) for i in range(300)]
    assert (mt.pp.map_identifiers(names)["match"] == "unmapped").all()


def test_probe_sets_of_affymetrix_are_no_entrez_ids() -> None:
    names = ["1007_s_at", "1053_at", "117_at", "121_at", "1255_g_at", "1294_at"]
    assert (mt.pp.map_identifiers(names)["match"] == "unmapped").all()


def test_mouse_symbols_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, matrix([g.capitalize() for g in GENES]))
    with pytest.warns(DataWarning, match="organism='mouse'"):
        mt.pp.harmonise_genes(mt.read(path))
    mt.pp.harmonise_genes(mt.read(path), organism="mouse")


TIE = table([["", *GENES[:6]], *([g, *map(float, r)] for g, r in zip(GENES[6:12], np.resize(X, (6, 6)), strict=True))])


def test_a_tie_is_refused_with_both_readings_and_the_options(tmp_path: Path) -> None:
    path = write(tmp_path, TIE)
    with pytest.raises(FormatError, match=r"two ways.*genes in rows.*samples in rows.*orientation=.*ids="):
        mt.read(path)
    assert list(mt.read(path, orientation="genes-in-rows").obs_names) == GENES[:6]
    assert list(mt.read(path, orientation="samples-in-rows").obs_names) == GENES[6:12]
    with pytest.raises(DataError, match="genes-in-rows or samples-in-rows"):
        mt.read(path, orientation="sideways")
    assert "two ways" in mt.io.describe(path).details["refused"]
    assert "asked for" in mt.io.describe(path, orientation="genes-in-rows").details["orientation"]


def test_orientation_does_not_turn_what_states_its_own(tmp_path: Path) -> None:
    gct = write(tmp_path, "#1.2\n2\t2\nNAME\tDescription\tS1\tS2\nMTOR\tx\t1\t2\nPTEN\tx\t3\t4\n", "t.gct")
    assert mt.read(gct, orientation="genes-in-rows").shape == (2, 2)
    with pytest.raises(DataError, match="contradicts gct"):
        mt.read(gct, orientation="samples-in-rows")


def test_ids_names_the_column(tmp_path: Path) -> None:
    path = write(tmp_path, matrix(ENTREZ, key="entrez", symbol=GENES))
    assert list(mt.read(path, ids="symbol").var["id"]) == GENES
    with pytest.raises(FormatError, match="no column 'name'"):
        mt.read(path, ids="name")


def test_options_at_the_command_line(tmp_path: Path) -> None:
    path, out = write(tmp_path, TIE), tmp_path / "o.h5ad"
    command = [sys.executable, "-m", "mtorscore.cli", "read", str(path), "--out", str(out)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2
    done = subprocess.run([*command, "--orientation", "samples-in-rows"], capture_output=True, text=True, check=True)
    assert "6 observations x 6 genes" in done.stdout


def test_describe_says_what_is_known_and_how_sure(tmp_path: Path) -> None:
    details = mt.io.describe(write(tmp_path, matrix(GENES))).details
    assert details["orientation"].startswith("genes in rows, sure")
    assert details["sizes"] == "4 samples x 16 genes"
    assert details["identifiers"].startswith("symbol, sure")
    assert "a guess" in details["units"]


def test_what_is_guessed_is_carried(tmp_path: Path) -> None:
    guessed = mt.read(write(tmp_path, matrix(GENES))).uns["source"]["guessed"]
    assert guessed["orientation"]["is"] == "genes in rows"
    assert guessed["orientation"]["sure"] is True
    assert "100% genes" in guessed["orientation"]["evidence"]


def test_numbers_are_weighed() -> None:
    assert is_running_count(["1000", "1001", "1002"])
    assert is_running_count(["0", "2", "4", "6"])
    assert not is_running_count(ENTREZ)
    assert entrez_evidence(ENTREZ) > 3
    assert entrez_evidence([str(i) for i in range(1000, 1040)]) < 0
    assert entrez_evidence(["001", "017"]) < 0
    assert weigh_names(["C1", "C2", "C3", "T1", "T2"]).samples > 0.8
    assert weigh_names(["C3", "C5", "CFB", "CFH"]).genes > 0.8


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0)])
def test_long_tables_are_read(tmp_path: Path, order: tuple[int, ...]) -> None:
    rows = [
        ["gene_symbol", "sample_id", "tpm"],
        *([g, f"{j + 1:03d}", X[i, j]] for i, g in enumerate(GENES) for j in range(4)),
    ]
    adata = mt.read(write(tmp_path, table([[r[k] for k in order] for r in rows])))
    assert list(adata.obs_names) == ["001", "002", "003", "004"]
    np.testing.assert_array_equal(adata[:, GENES].X.T, X)
    assert adata.uns["source"]["orientation"] == "long"


TOOLS = {
    "Seurat": ["", "p_val", "avg_log2FC", "pct.1", "pct.2", "p_val_adj"],
    "scanpy": ["names", "scores", "logfoldchanges", "pvals", "pvals_adj"],
    "DESeq2": ["", "baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj"],
    "edgeR": ["", "logFC", "logCPM", "LR", "PValue", "FDR"],
    "limma": ["", "logFC", "AveExpr", "t", "P.Value", "adj.P.Val", "B"],
    "GEO2R": ["ID", "adj.P.Val", "P.Value", "t", "B", "logFC"],
    "sleuth": ["target_id", "pval", "qval", "b", "se_b", "mean_obs", "var_obs", "tech_var", "sigma_sq"],
    "Cuffdiff": ["gene", "value_1", "value_2", "log2(fold_change)", "test_stat", "p_value", "q_value"],
    "snake case": ["gene", "log2fc", "p_value", "adj_p_value"],
    "by hand": ["Gene", "Fold Change", "P value", "FDR"],
}


@pytest.mark.parametrize("sep", ["\t", ",", " "])
@pytest.mark.parametrize("tool", TOOLS)
def test_contrasts_of_every_tool_hold_no_samples(tmp_path: Path, tool: str, sep: str) -> None:
    names = TOOLS[tool]
    if sep == " " and (not names[0] or any(" " in n for n in names)):
        names = [n for n in names if n and " " not in n]
        if len(names) < 4:
            pytest.skip("this tool does not separate by blanks")
    values = np.round(np.random.default_rng(0).random((len(GENES), len(TOOLS[tool]) - 1)), 4)
    values = values[:, : len(names) - (0 if names[0] not in TOOLS[tool][0:1] or not TOOLS[tool][0] else 1)]
    adata = mt.read(write(tmp_path, table([names, *([g, *v] for g, v in zip(GENES, values, strict=True))], sep)))
    assert adata.n_obs == 0


OTHER = {
    "MAF": "Hugo_Symbol\tChromosome\tStart_Position\tVariant_Classification\tReference_Allele\tTumor_Sample_Barcode\n"
    + "".join(f"{g}\t1\t{i}\tSilent\tA\tP{i}\n" for i, g in enumerate(GENES)),
    "SEG": "ID\tchrom\tloc.start\tloc.end\tnum.mark\tseg.mean\n"
    + "".join(f"P{i}\t1\t{i}\t{i + 9}\t3\t0.1\n" for i in range(20)),
    "GISTIC": "Gene Symbol\tLocus ID\tCytoband\tP1\tP2\n"
    + "".join(f"{g}\t{i}\t1p36\t0.1\t-0.2\n" for i, g in enumerate(GENES)),
    "BED": "chrom\tstart\tend\tname\tscore\tstrand\n"
    + "".join(f"1\t{i}\t{i + 9}\t{g}\t0\t+\n" for i, g in enumerate(GENES)),
    "VCF": "#CHROM\tPOS\tID\tREF\tALT\n" + "".join(f"1\t{i}\trs{i}\tA\tG\n" for i in range(20)),
    "featureCounts": "Status\ta.bam\tb.bam\nAssigned\t5\t6\nUnassigned_Unmapped\t1\t2\nUnassigned_NoFeatures\t3\t4\n",
    "no header": "".join(f"{g}\t{2 - i / 9:.3f}\n" for i, g in enumerate(GENES)),
    "percentages": "gene\tHCC1\tHCC2\n" + "".join(f"{g}\t{i}.5%\t{i + 3}.1%\n" for i, g in enumerate(GENES)),
    "dates or times": "gene\tHCC1\tHCC2\n" + "".join(f"{g}\t{i}.5\t2021-03-{i + 1:02d}\n" for i, g in enumerate(GENES)),
}


@pytest.mark.parametrize("what", OTHER)
def test_what_is_no_expression_matrix_says_so(tmp_path: Path, what: str) -> None:
    with pytest.raises(FormatError, match=what if what != "no header" else "header"):
        mt.read(write(tmp_path, OTHER[what]))


def test_truth_values_are_noted(tmp_path: Path) -> None:
    adata = mt.read(write(tmp_path, matrix(GENES, significant=["TRUE", "FALSE"] * 8)))
    assert adata.shape == (4, 16)
    assert any("TRUE and FALSE" in r for r in adata.uns["source"]["repairs"])


@pytest.mark.parametrize("first", ["NA", "1.5", ""])
def test_a_table_without_header(tmp_path: Path, first: str) -> None:
    rows = [[g, first if i == 0 else r[0], *r[1:]] for i, (g, r) in enumerate(zip(GENES, X, strict=True))]
    with pytest.raises(FormatError, match="no header"):
        mt.read(write(tmp_path, table(rows)))


def test_htseq_counts_with_names_keep_their_first_gene(tmp_path: Path) -> None:
    rows = [[f"ENSG{i:011d}", g, 10 * i] for i, g in enumerate(GENES, 1)]
    adata = mt.read(write(tmp_path, table(rows), "S1.htseq.counts.txt"))
    assert adata.shape == (1, 16)
    assert list(adata.var["gene_name"]) == GENES
    assert adata.X[0, 0] == 10


def test_laboratory_values_go_to_obs(tmp_path: Path) -> None:
    labs = ["AFP", "ALT", "CEA", "bilirubin", "tumor_size", "riskScore"]
    x = np.resize(X, (12, len(GENES)))
    rows = [
        ["id", "futime", "fustat", *labs, *GENES],
        *([f"P{i}", 100 + i, i % 2, 5000 + i, 40, 7, 12, 3, 1.5, *r] for i, r in enumerate(x)),
    ]
    path = write(tmp_path, table(rows, ","), "t.csv")
    with pytest.warns(DataWarning, match="laboratory"):
        adata = mt.read(path)
    assert set(labs) <= set(adata.obs)
    assert list(adata.var_names) == GENES


STYLES: list[Callable[[int], str]] = [lambda i: f"{i:03d}", lambda i: f"{i}.10", lambda i: f"{i}E0", lambda i: f"9{i:019d}", lambda i: "NA" if i == 2 else f"HCC{i}"]  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_ids_are_text_at_every_door(tmp_path: Path, style: Callable[[int], str]) -> None:
    ids = [style(i) for i in range(1, 5)]
    adata = mt.read(write(tmp_path, matrix(GENES, ids)))
    assert list(adata.obs_names) == ids
    assert list(mt.read(write(tmp_path, samples_in_rows(ids, "sample"), "t.csv")).obs_names) == ids
    for key in ("patient", "sample", ""):
        rows: list[list[Any]] = [[key, "OS.time", "OS"], *([p, 100 * i, 1] for i, p in enumerate(ids))]
        path = write(tmp_path, table(rows), "c.tsv")
        clinical = mt.io.read_clinical(path)
        assert list(clinical.index) == ids
        assert list(mt.io.clinical.read_named_rows(path).index) == ids
        assert list(mt.read(path).obs_names) == ids
    mt.pp.attach_clinical(adata, clinical)
    assert list(adata.obs["OS.time"]) == [0, 100, 200, 300]


def test_1_10_is_not_1_1(tmp_path: Path) -> None:
    clinical = mt.io.read_clinical(
        write(tmp_path, table([["patient", "OS.time", "OS"], ["1.10", 100, 1], ["2.10", 200, 1]]), "c.tsv")
    )
    adata = mt.read(write(tmp_path, matrix(GENES, ["1.1", "2.1", "1.10", "2.10"])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        mt.pp.attach_clinical(adata, clinical)
    assert adata.obs["OS.time"].isna().tolist() == [True, True, False, False]
    assert list(clinical["patient"]) == ["1.10", "2.10"]


def test_a_sample_called_by_a_point(tmp_path: Path) -> None:
    assert list(mt.read(write(tmp_path, matrix(GENES, ["HCC1", ".", "HCC3", "HCC4"]))).obs_names)[1] == "."


@pytest.mark.parametrize("word", ["NA", "n.d.", "N.A.", "MISSING", "not done", "unknown", "ND", "not available"])
def test_one_word_of_missing_makes_one_cell_missing(tmp_path: Path, word: str) -> None:
    rows: list[list[Any]] = [
        ["patient", "OS.time", "OS", "age"],
        ["P1", 100, 1, 60],
        ["P2", word, 0, 61],
        ["P3", 300, 0, word],
    ]
    frame = mt.io.read_clinical(write(tmp_path, table(rows), "c.tsv"))
    assert frame["OS.time"].isna().tolist() == [False, True, False]
    assert frame["age"].isna().tolist() == [False, False, True]


def test_a_stray_return_does_not_join_digits(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_bytes(matrix(GENES).replace(str(X[3, 1]), "1.5\r2", 1).encode())
    with pytest.raises(FormatError, match=r"line 5.*1\.5 2"):
        mt.read(path)


@pytest.mark.parametrize("comment", ["# batch two", "# batch two\t\t\t\t", "#"])
def test_a_comment_among_the_rows_is_no_gene(tmp_path: Path, comment: str) -> None:
    lines = matrix(GENES).splitlines()
    lines.insert(5, comment)
    adata = mt.read(write(tmp_path, "\n".join(lines) + "\n"))
    assert list(adata.var_names) == GENES
    assert any("comment" in r for r in adata.uns["source"]["repairs"])


@pytest.mark.parametrize("sep", [",", ";"])
def test_a_comment_above_is_no_running_text(tmp_path: Path, sep: str) -> None:
    path = write(tmp_path, "# Liver tumours\n\n" + matrix(GENES, key="Gene").replace("\t", sep), "t.csv")
    assert mt.read(path).shape == (4, 16)


@pytest.mark.parametrize("sep", ["\t", ","])
def test_a_quote_never_closed_is_refused_with_its_line(tmp_path: Path, sep: str) -> None:
    lines = [
        sep.join([f'"{c}"' if i == 0 else c for i, c in enumerate(r.split("\t"))]) for r in matrix(GENES).splitlines()
    ]
    lines[4] = lines[4].replace(f'"{sep}', sep, 1)
    with pytest.raises(FormatError, match=r"line 5.*not closed"):
        mt.read(write(tmp_path, "\n".join(lines) + "\n"))


@pytest.mark.parametrize("sep", ["\t", ";"])
def test_commas_inside_quotes_are_no_delimiter(tmp_path: Path, sep: str) -> None:
    rows = [
        ["gene", "description", *HCC],
        *([g, '"a kinase, of human, 3,4-linked"', *r] for g, r in zip(GENES, X, strict=True)),
    ]
    np.testing.assert_array_equal(mt.read(write(tmp_path, table(rows, sep))).X.T, X)


def test_decimal_commas_are_told_by_any_cell(tmp_path: Path) -> None:
    rows = [
        ["gene", *HCC],
        *([g, "5,5" if i == 0 else "6,125", "1,250", "2,125", "7,875"] for i, g in enumerate(GENES)),
    ]
    adata = mt.read(write(tmp_path, table(rows)))
    assert adata.X[1].tolist() == [1.25] * 16


def test_a_row_of_tabs_below_a_gct(tmp_path: Path) -> None:
    text = "#1.2\n2\t2\nNAME\tDescription\tS1\tS2\nMTOR\tx\t1\t2\nPTEN\tx\t3\t4\n\t\t\t\n"
    assert mt.read(write(tmp_path, text, "t.gct")).shape == (2, 2)


def test_the_marker_of_a_series_matrix_in_its_description(tmp_path: Path) -> None:
    text = (
        '!Series_geo_accession\t"GSE9"\n!Series_summary\t"see !series_matrix_table_begin below"\n'
        '!Sample_geo_accession\t"GSM1"\t"GSM2"\n!series_matrix_table_begin\n"ID_REF"\t"GSM1"\t"GSM2"\nMTOR\t1\t2\nPTEN\t3\t4\n'
        "!series_matrix_table_end\n"
    )
    assert mt.read(write(tmp_path, text, "GSE9_series_matrix.txt")).shape == (2, 2)


def test_linear_values_with_negatives_are_no_z_scores(tmp_path: Path) -> None:
    x = np.round(np.random.default_rng(1).lognormal(5, 2, (40, 6)) - 150)
    path = write(
        tmp_path,
        pd.DataFrame(x, [f"G{i}" for i in range(40)], [f"HCC{i}" for i in range(6)]).to_csv(
            sep="\t", index_label="gene"
        ),
    )
    adata = mt.read(path)
    scale = mt.pp.detect_scale(adata)
    assert (scale.kind, scale.certain) == ("linear", False)
    with pytest.warns(DataWarning, match="a guess"), pytest.raises(DataError, match="negative value"):
        mt.pp.add_log_layer(adata)


def test_estimated_counts_are_counts(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    x = np.round(rng.dirichlet(np.full(60, 0.6), 5) * rng.uniform(2e7, 7e7, (5, 1)), 2)
    adata = mt.read(
        write(
            tmp_path,
            pd.DataFrame(x.T, [f"G{i}" for i in range(60)], [f"HCC{i}" for i in range(5)]).to_csv(
                sep="\t", index_label="gene"
            ),
        )
    )
    mt.pp.check_values(adata, "counts")
    mt.pp.add_log_layer(adata, scale="counts")
    np.testing.assert_allclose(
        adata.layers["log"], np.log2(x / x.sum(axis=1, keepdims=True) * 1e6 + 1), rtol=0, atol=1e-9
    )
    mt.pp.check_values(adata, "counts")
    adata.X = x / x.sum(axis=1, keepdims=True) * 1e6
    with pytest.raises(DataError, match="not whole numbers"):
        mt.pp.check_values(adata, "counts")


def test_the_shared_cases(shared: Path) -> None:
    """All of them; the values of f7 are held above, where the script asks for a Python bool and numpy gives its own."""
    cases = shared / "cases"
    if not (cases / "check_reading.py").exists():
        if os.environ.get("MTORSCORE_REQUIRE_SHARED"):
            pytest.fail(f"no cases in {shared}")
        pytest.skip(f"no cases in {shared}")
    done = subprocess.run([sys.executable, str(cases / "check_reading.py"), str(cases / "reading")], capture_output=True, text=True, check=False)  # fmt: skip
    fallen = [
        line.split()[1] for line in done.stdout.splitlines() if line.startswith("FALLS") and not line.endswith(" True")
    ]
    assert fallen == []


def test_a_method_for_logarithms_warns_once_of_counts(tmp_path: Path) -> None:
    adata = mt.read(write(tmp_path, matrix(GENES)))
    adata.X = np.round(adata.X * 100)
    sets = {"S": GENES[:8]}
    with pytest.warns(DataWarning, match="made for logarithms") as caught:
        mt.tl.score(adata, sets, method=["zscore", "mean"])
    assert len(caught) == 1
    mt.tl.score(adata, sets, method="ucell", max_rank=16)
    adata.layers["log"] = np.log2(adata.X + 1)
    mt.tl.score(adata, sets, method="zscore", layer="log")


@pytest.mark.parametrize("header", [True, False])
def test_transcripts_are_summed_by_tx2gene(tmp_path: Path, header: bool) -> None:
    folder = tmp_path / "salmon"
    names = [f"ENST{i:011d}" for i in range(1, 5)]
    for k, sample in enumerate(("HCC1", "HCC2"), 1):
        (folder / sample).mkdir(parents=True)
        rows: list[list[Any]] = [
            ["Name", "Length", "EffectiveLength", "TPM", "NumReads"],
            *([f"{n}.2", 900, 700, k * i, 10 * k * i] for i, n in enumerate(names, 1)),
        ]
        write(folder / sample, table(rows), "quant.sf")
    pairs = [
        *([["transcript", "gene"]] if header else []),
        *([n, g] for n, g in zip(names, ["MTOR", "MTOR", "PTEN"], strict=False)),
    ]
    mapping = write(tmp_path, table(pairs), "tx2gene.tsv")
    with pytest.warns(DataWarning, match="1 of 4 transcripts"):
        adata = mt.read(folder, tx2gene=mapping)
    assert list(adata.var_names) == ["MTOR", "PTEN"]
    np.testing.assert_array_equal(adata.X, [[3, 3], [6, 6]])
    np.testing.assert_array_equal(adata.layers["counts"], [[30, 30], [60, 60]])
    assert adata.uns["source"]["level"] == "genes"
    with pytest.raises(FormatError, match="none of the 4 transcripts"):
        mt.read(folder, tx2gene=write(tmp_path, "a\tb\nc\td\n", "other.tsv"))


@pytest.mark.parametrize(("values", "words"), [(np.full((3, 4), 1 + 2j), "complex"), (np.full((3, 4), np.nan), "every value of X is missing")])  # fmt: skip
def test_an_h5ad_without_numbers_is_refused_by_read(tmp_path: Path, values: np.ndarray[Any, Any], words: str) -> None:
    import h5py
    from anndata import AnnData

    path = tmp_path / "a.h5ad"
    AnnData(np.ones((3, 4)), obs=pd.DataFrame(index=HCC[:3]), var=pd.DataFrame(index=GENES[:4])).write_h5ad(path)
    with h5py.File(path, "r+") as file:
        attributes = dict(file["X"].attrs)
        del file["X"]
        file["X"] = values
        file["X"].attrs.update(attributes)
    with pytest.raises(FormatError, match=words):
        mt.read(path)


def test_an_h5ad_of_text_is_refused_by_read(tmp_path: Path) -> None:
    import h5py
    from anndata import AnnData

    path = tmp_path / "a.h5ad"
    AnnData(np.ones((3, 4)), obs=pd.DataFrame(index=HCC[:3]), var=pd.DataFrame(index=GENES[:4])).write_h5ad(path)
    with h5py.File(path, "r+") as file:
        del file["X"]
        file.create_dataset("X", data=np.full((3, 4), "high", dtype=object), dtype=h5py.string_dtype())
        file["X"].attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
    with pytest.raises(FormatError, match="text"):
        mt.read(path)


def test_a_name_column_behind_the_samples_costs_no_sample(tmp_path: Path) -> None:
    adata = mt.read(write(tmp_path, table([[*HCC, "symbol"], *([*x, g] for g, x in zip(GENES, X, strict=True))])))
    assert list(adata.obs_names) == HCC
    np.testing.assert_array_equal(adata[:, GENES].X.T, X)
    assert any("holds values" in r for r in adata.uns["source"]["repairs"])


def test_a_table_without_a_name_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no column names the rows"):
        mt.read(write(tmp_path, table([HCC, *X])))


@pytest.mark.parametrize("name", ["Patient{}", "xx{}a", "HCC{}"])
def test_samples_in_rows_without_header(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match="no header"):
        mt.read(write(tmp_path, table([[name.format(i), *r] for i, r in enumerate(np.resize(X, (9, 6)))])))


def test_a_long_table_with_pairs_twice_is_refused(tmp_path: Path) -> None:
    rows = [["gene", "sample", "value"], *([g, s, X[i, j]] for i, g in enumerate(GENES) for j, s in enumerate(HCC))]
    with pytest.raises(FormatError, match="duplicated"):
        mt.read(write(tmp_path, table([*rows, rows[1]])))


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    """Found by fuzzing: what remains once comments among the rows are left out may be a header alone."""
    (tmp_path / "x.txt").write_bytes(b"4 4#1.4 4#1.3\n#!\x9f\xdf\x9d%%Matrmama\xcf3\n#!\x9f\xdf%%Matrrix")
    with pytest.raises(FormatError, match="no row"):
        mt.read(tmp_path / "x.txt")

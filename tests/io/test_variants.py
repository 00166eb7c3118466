# ruff: noqa: E501
"""Formats as other studies publish them, made here: each is read right, or refused in one sentence that helps."""

from __future__ import annotations

import gzip
import io
import tarfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from scipy import io as sio
from scipy import sparse

import mtorscore as mt
from mtorscore.errors import DataError, DataWarning, FormatError
from mtorscore.genes.identifier_kinds import strip_version
from mtorscore.genes.tables import human

GENES = ["TP53", "ALB", "MYC", "EGFR", "FASN", "RPS6", "MTOR", "SCD", "LDLR", "PTEN"]
HUMAN = human()
ENSEMBL = [HUMAN.by_symbol[g].ensembl for g in GENES]
ENTREZ = [HUMAN.by_symbol[g].entrez for g in GENES]
SAMPLES = ["LC01N", "LC01T", "LC02N", "LC02T"]
TCGA = ["TCGA-AA-0001-01", "TCGA-AA-0002-01", "TCGA-AA-0003-11", "TCGA-AA-0004-01"]
_RNG = np.random.default_rng(0)
COUNTS = _RNG.integers(0, 5000, (10, 4))
ABUNDANCE = np.round(_RNG.gamma(2, 3, (10, 4)), 4)
ROWS = range(10)


def table(header: Sequence[object], rows: Sequence[Sequence[object]], sep: str = "\t") -> str:
    return "\n".join(sep.join(map(str, r)) for r in [header, *rows]) + "\n"


def matrix(names: list[str], x: np.ndarray[Any, Any] = COUNTS, sep: str = "\t", samples: list[str] = SAMPLES) -> str:
    return table(["gene_id", *samples], [[names[i], *x[i]] for i in ROWS], sep)


def annotated(before: dict[str, object], after: dict[str, object]) -> str:
    """Return a count table with columns that describe genes on both sides of the samples."""

    def cells(columns: dict[str, object], i: int) -> list[object]:
        return [v[i] if isinstance(v, list) else v for v in columns.values()]

    header = ["gene_id", *before, *SAMPLES, *after]
    return table(header, [[ENSEMBL[i] + ".4", *cells(before, i), *COUNTS[i], *cells(after, i)] for i in ROWS])


NOVOGENE = {
    "gene_name": GENES, "gene_chr": "1", "gene_start": 5, "gene_end": 9, "gene_strand": "+", "gene_length": 1234,
    "gene_biotype": "protein_coding", "gene_description": "a protein [Source:HGNC Symbol;Acc:1]", "tf_family": "-",
}  # fmt: skip
POSITIONS = {"Chr": "1;1", "Start": "1;5", "End": "4;9", "Strand": "+;+", "Length": 2000}
COUNTERS = [["__no_feature", 1, 2, 3, 4], ["__ambiguous", 1, 2, 3, 4], ["__too_low_aQual", 0, 0, 0, 0],
            ["__not_aligned", 5, 5, 5, 5], ["__alignment_not_unique", 9, 9, 9, 9]]  # fmt: skip
FEATURE = "# Program:featureCounts v2.0.1; Command:\"featureCounts\" \"-a\" \"x.gtf\"\n" + annotated(POSITIONS, {}).replace(
    "gene_id", "Geneid"
).replace("LC", "/data/aln/LC").replace("T\t", "T.sorted.bam\t").replace("N\t", "N.sorted.bam\t").replace("T\n", "T.sorted.bam\n")  # fmt: skip

# name, content, values expected (samples x genes), identifiers expected, columns of var, words of the repairs
TABLES: list[tuple[str, str, np.ndarray[Any, Any], list[str] | None, list[str], str]] = [
    ("featurecounts.txt", FEATURE, COUNTS, None, ["Length"], ""),
    ("novogene.txt", annotated({}, NOVOGENE), COUNTS, None, ["gene_name", "gene_biotype", "tf_family"], ""),
    ("name-before.txt", annotated({"gene_name": GENES}, {}), COUNTS, None, ["gene_name"], ""),
    ("length-before.txt", annotated({"gene_name": GENES, "gene_length": 99}, {}), COUNTS, None, ["gene_length"], ""),
    ("statistics.txt", annotated({}, {"baseMean": 5.5, "log2FoldChange": -1.5, "padj": 0.01}), COUNTS, None, ["padj"],
     "statistics"),
    ("counters.tsv", matrix(ENSEMBL) + table(COUNTERS[0], COUNTERS[1:]), COUNTS, ENSEMBL, [], "5 rows of counters"),
    ("clinical-rows.tsv", table(["gene", *SAMPLES], [["OS", 1, 0, 1, 0], ["OS.time", 9, 8, 7, 6],
                                                      *([g, *COUNTS[i]] for i, g in enumerate(GENES))]),
     COUNTS, GENES, [], "describe the samples"),
    ("blank-row.tsv", matrix(GENES) + "\t\t\t\t\n", COUNTS, GENES, [], "1 rows without name"),
    ("quoted.csv", matrix([f'"{g}"' for g in GENES], sep=","), COUNTS, GENES, [], ""),
    ("r-spaces.txt", " ".join(f'"{s}"' for s in SAMPLES) + "\n" + table([f'"{GENES[0]}"', *COUNTS[0]],
     [[f'"{GENES[i]}"', *COUNTS[i]] for i in ROWS[1:]], " "), COUNTS, GENES, [], "one field short"),
    ("sep-line.csv", "sep=;\n" + matrix(GENES, sep=";"), COUNTS, GENES, [], "sep= line"),
    ("hash-header.tsv", "#" + matrix(GENES), COUNTS, GENES, [], ""),
    ("title.tsv", "Table S3. Expression\n\n" + matrix(GENES), COUNTS, GENES, [], "title"),
    ("title.csv", "Table S3. Expression,,,,\n" + matrix(GENES, sep=","), COUNTS, GENES, [], "title"),
    ("european.csv", matrix(GENES, ABUNDANCE, ";").replace(".", ","), ABUNDANCE, GENES, [], "decimal commas"),
    ("entrez.tsv", matrix(ENTREZ), COUNTS, ENTREZ, [], ""),
    ("xena.tsv", matrix(GENES, ABUNDANCE, samples=TCGA).replace("gene_id", "sample"), ABUNDANCE, GENES, [], ""),
    ("cbioportal-entrez.txt", matrix(ENTREZ, ABUNDANCE, samples=TCGA).replace("gene_id", "Entrez_Gene_Id"), ABUNDANCE,
     ENTREZ, [], ""),
    ("numbered-samples.tsv", matrix(GENES, samples=["1", "2", "3", "4"]), COUNTS, GENES, [], ""),
    ("gene-like-samples.tsv", matrix(GENES, samples=["A1", "T", "P", "B"]), COUNTS, GENES, [], ""),
    ("transposed-clinical.csv", table(["", "OS", "OS.time", "age", "stage", "T", *GENES], [[s, 1, 100, 50, "II", "T2",
     *COUNTS[:, j]] for j, s in enumerate(SAMPLES)], ","), COUNTS, GENES, [], ""),
    ("rtcga.csv", table(["bcr_patient_barcode", *(f"{g}|{e}" for g, e in zip(GENES, ENTREZ, strict=True))],
     [[t, *ABUNDANCE[:, j]] for j, t in enumerate(TCGA)], ","), ABUNDANCE, None, [], ""),
    ("firehose.txt", "Hybridization REF\t" + "\t".join(TCGA) + "\n" + matrix(GENES, ABUNDANCE,
     samples=["normalized_count"] * 4), ABUNDANCE, GENES, [], ""),
    ("gtex.gct", "#1.2\n10\t4\n" + table(["id", "Name", "Description", *SAMPLES], [[i, ENSEMBL[i], GENES[i],
     *ABUNDANCE[i]] for i in ROWS]), ABUNDANCE, ENSEMBL, ["Description"], ""),
]  # fmt: skip


def dense(adata: Any) -> np.ndarray[Any, Any]:
    return np.asarray(adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X)


@pytest.mark.parametrize(("name", "text", "x", "ids", "columns", "repair"), TABLES, ids=[t[0] for t in TABLES])
@pytest.mark.parametrize("compressed", [False, True])
def test_tables(
    tmp_path: Path,
    name: str,
    text: str,
    x: Any,
    ids: list[str] | None,
    columns: list[str],
    repair: str,
    compressed: bool,
) -> None:
    path = tmp_path / (name + ".gz" * compressed)
    path.write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    adata = mt.read(path)
    np.testing.assert_array_equal(dense(adata), x.T)
    assert adata.n_obs == 4
    if ids is not None:
        assert list(adata.var["id"]) == ids
    assert set(columns) <= set(adata.var.columns)
    repairs = "; ".join(adata.uns["source"]["repairs"])
    assert repair in repairs
    assert bool(repair) == bool(repairs), repairs
    assert mt.io.describe(path).kind == adata.uns["source"]["kind"]


def salmon(j: int) -> str:
    return table(["Name", "Length", "EffectiveLength", "TPM", "NumReads"],
                 [[ENSEMBL[i], 1000, 800.5, ABUNDANCE[i, j], COUNTS[i, j]] for i in ROWS])  # fmt: skip


def kallisto(j: int) -> str:
    return table(["target_id", "length", "eff_length", "est_counts", "tpm"],
                 [[ENSEMBL[i].replace("ENSG", "ENST"), 1000, 800.5, COUNTS[i, j], ABUNDANCE[i, j]] for i in ROWS])  # fmt: skip


def rsem(j: int) -> str:
    return table(["gene_id", "transcript_id(s)", "length", "effective_length", "expected_count", "TPM", "FPKM"],
                 [[ENSEMBL[i], "a,b", 1000, 800.5, COUNTS[i, j], ABUNDANCE[i, j], 2 * ABUNDANCE[i, j]] for i in ROWS])  # fmt: skip


def star(j: int) -> str:
    top = "".join(f"N_{n}\t5\t6\t7\n" for n in ("unmapped", "multimapping", "noFeature", "ambiguous"))
    return top + "".join(f"{ENSEMBL[i]}.3\t{COUNTS[i, j]}\t{COUNTS[i, j] + 1}\t0\n" for i in ROWS)


def cufflinks(j: int) -> str:
    columns = ["tracking_id", "class_code", "gene_id", "gene_short_name", "locus", "FPKM", "FPKM_status"]
    return table(columns, [[ENSEMBL[i], "-", ENSEMBL[i], GENES[i], "chr1:1-2", ABUNDANCE[i, j], "OK"] for i in ROWS])


def headed(j: int) -> str:
    return table(["gene_id", "read_count"], [[ENSEMBL[i], COUNTS[i, j]] for i in ROWS])


def bare(j: int) -> str:
    return "".join(f"{ENSEMBL[i]}\t{COUNTS[i, j]}\n" for i in ROWS) + "__no_feature\t7\n"


# kind, file of a sample, content, values, units
QUANTIFIERS: list[tuple[str, str, Callable[[int], str], np.ndarray[Any, Any], str]] = [
    ("salmon", "{}/quant.sf", salmon, ABUNDANCE, "tpm"),
    ("kallisto", "{}/abundance.tsv", kallisto, ABUNDANCE, "tpm"),
    ("rsem", "{}.genes.results", rsem, ABUNDANCE, "tpm"),
    ("star-counts", "{}_ReadsPerGene.out.tab", star, COUNTS, "counts"),
    ("cufflinks", "{}/genes.fpkm_tracking", cufflinks, ABUNDANCE, "fpkm"),
    ("table", "GSM1_{}_counts.txt.gz", headed, COUNTS, "counts"),
    ("htseq-counts", "GSM1_{}.txt.gz", bare, COUNTS, "counts"),
]


@pytest.mark.parametrize(("kind", "name", "text", "x", "units"), QUANTIFIERS, ids=[q[0] for q in QUANTIFIERS])
def test_folders_and_archives_of_samples(
    tmp_path: Path, kind: str, name: str, text: Callable[[int], str], x: Any, units: str
) -> None:
    folder = tmp_path / "run"
    for j, sample in enumerate(SAMPLES):
        path = folder / name.format(sample)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text(j).encode()) if path.suffix == ".gz" else text(j).encode())
    (folder / "README.md").write_text("# Notes\n\nSome words.\n")
    with tarfile.open(tmp_path / "GSE1_RAW.tar", "w") as archive:
        archive.add(folder, arcname="x")
    for path in (folder, tmp_path / "GSE1_RAW.tar"):
        adata = mt.read(path)
        np.testing.assert_array_equal(dense(adata), x.T)
        assert [n.removeprefix("GSM1_") for n in adata.obs_names] == SAMPLES
        assert (adata.uns["source"]["kind"], adata.uns["source"]["units"]) == (kind, units)
        assert [strip_version(i).replace("ENST", "ENSG") for i in adata.var["id"]] == ENSEMBL
    if units == "tpm":
        np.testing.assert_array_equal(adata.layers["counts"], COUNTS.T)
        np.testing.assert_array_equal(dense(mt.read(folder, units="counts")), COUNTS.T)
    if kind == "star-counts":
        np.testing.assert_array_equal(dense(mt.read(folder, units="stranded_first")), COUNTS.T + 1)
        assert adata.obs["N_noFeature"].tolist() == [5] * 4
    with pytest.raises(DataError, match="units must be"):
        mt.read(folder, units="rpkm")


def test_samples_with_other_genes_are_not_mixed(tmp_path: Path) -> None:
    for j, sample in enumerate(SAMPLES):
        (tmp_path / f"{sample}.genes.results").write_text(
            rsem(j).replace(ENSEMBL[0], "ENSG00000000000" if j else ENSEMBL[0])
        )
    with pytest.raises(DataError, match="mixes annotations"):
        mt.read(tmp_path)


def test_two_measures_of_the_same_samples_are_not_mixed(tmp_path: Path) -> None:
    header = ["gene", *(f"{s}_count" for s in SAMPLES), *(f"{s}_FPKM" for s in SAMPLES)]
    path = tmp_path / "x.tsv"
    path.write_text(table(header, [[GENES[i], *COUNTS[i], *ABUNDANCE[i]] for i in ROWS]))
    with pytest.raises(FormatError, match="2 measures of the same samples"):
        mt.read(path)
    adata = mt.read(path, measure="fpkm")
    np.testing.assert_array_equal(adata.X, ABUNDANCE.T)
    assert list(adata.obs_names) == SAMPLES
    with pytest.raises(FormatError, match="no column holds 'tpm'"):
        mt.read(path, measure="tpm")


def test_several_10x_samples_in_one_folder(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    sio.mmwrite(buffer, sparse.coo_matrix(COUNTS))
    for prefix in ("GSM1_a_", "GSM2_b_"):
        (tmp_path / f"{prefix}matrix.mtx.gz").write_bytes(gzip.compress(buffer.getvalue()))
        (tmp_path / f"{prefix}barcodes.tsv.gz").write_bytes(gzip.compress("\n".join(SAMPLES).encode()))
        rows = "".join(f"{e}\t{g}\tGene Expression\n" for e, g in zip(ENSEMBL, GENES, strict=True))
        (tmp_path / f"{prefix}features.tsv.gz").write_bytes(gzip.compress(rows.encode()))
    with pytest.raises(FormatError, match="2 samples lie together"):
        mt.read(tmp_path)
    np.testing.assert_array_equal(dense(mt.read(tmp_path, prefix="GSM2_b_")), COUNTS.T)


def test_notes_before_the_sheet_of_values(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    notes = book.worksheets[0]
    notes.append(["This workbook holds expression"])
    notes.append(["of four samples"])
    sheet = book.create_sheet("expression")
    sheet.append(["Gene", *SAMPLES])
    for i in ROWS:
        sheet.append([GENES[i], *map(float, ABUNDANCE[i])])
    clinical = book.create_sheet("clinical")
    clinical.append(["sample", "OS", "OS.time"])
    for name in SAMPLES:
        clinical.append([name, 1, 100])
    book.save(tmp_path / "x.xlsx")
    adata = mt.read(tmp_path / "x.xlsx")
    np.testing.assert_array_equal(adata.X, ABUNDANCE.T)
    assert adata.uns["source"]["sheets"] == ["Sheet", "expression", "clinical"]
    assert mt.read(tmp_path / "x.xlsx", sheet="clinical").obs["OS.time"].tolist() == [100] * 4


def test_arrow_tables(tmp_path: Path) -> None:
    frame = pd.DataFrame(ABUNDANCE, index=GENES, columns=SAMPLES)
    frame.to_feather(tmp_path / "x.feather")
    named = frame.reset_index(names="gene")
    named.to_parquet(tmp_path / "named.parquet", index=False)
    with_outcome = frame.T.assign(OS=[1, 0, 1, 0], stage=["I", "II", "II", "I"])
    with_outcome.to_parquet(tmp_path / "outcome.parquet")
    for name in ("x.feather", "named.parquet", "outcome.parquet"):
        adata = mt.read(tmp_path / name)
        np.testing.assert_array_equal(adata.X, ABUNDANCE.T)
        assert list(adata.var["id"]) == GENES
    assert adata.obs["stage"].tolist() == ["I", "II", "II", "I"]


def series(characteristics: list[list[str]], quote: str = '"', ending: str = "\n") -> str:
    def q(cells: list[str]) -> str:
        return "\t".join(f"{quote}{c}{quote}" for c in cells)

    names = ["GSM1", "GSM2", "GSM3", "GSM4"]
    head = [
        f"!Series_title\t{q(['a title'])}",
        f"!Series_geo_accession\t{q(['GSE9'])}",
        f"!Sample_geo_accession\t{q(names)}",
    ]
    head += [f"!Sample_characteristics_ch1\t{q(c)}" for c in characteristics]
    rows = [f"{q([f'{i}_at'])}\t" + "\t".join(map(str, ABUNDANCE[i])) for i in ROWS]
    table_ = ["!series_matrix_table_begin", q(["ID_REF", *names]), *rows, "!series_matrix_table_end", ""]
    return ending.join([*head, *table_])


RAGGED = [
    ["tissue: liver", "tissue: liver", "tissue: tumor: HCC", "tissue: liver"],
    ["age (yrs): 50", "age (yrs): 61.5", "age (yrs): NA", "gender: M"],
    ["gender: M", "", "gender: F", "age (yrs): 7"],
    ["note", "free text", "x", "y"],
]


@pytest.mark.parametrize(("quote", "ending"), [('"', "\n"), ("", "\n"), ('"', "\r\n")])
def test_series_matrix_with_ragged_characteristics(tmp_path: Path, quote: str, ending: str) -> None:
    path = tmp_path / "GSE9_series_matrix.txt.gz"
    path.write_bytes(gzip.compress(series(RAGGED, quote, ending).encode()))
    adata = mt.read(path)
    np.testing.assert_array_equal(adata.X, ABUNDANCE.T)
    assert adata.obs["tissue"].tolist() == ["liver", "liver", "tumor: HCC", "liver"]
    np.testing.assert_array_equal(adata.obs["age (yrs)"], [50, 61.5, np.nan, 7])
    assert adata.obs["gender"].tolist() == ["M", "", "F", "M"]
    assert adata.obs["characteristic_4"].tolist() == ["note", "free text", "x", "y"]


def test_series_of_several_platforms(tmp_path: Path) -> None:
    (tmp_path / "GSE9-GPL570_series_matrix.txt").write_text(series(RAGGED))
    (tmp_path / "GSE9-GPL96_series_matrix.txt").write_text(series(RAGGED).replace("GSM", "GSM1"))
    with pytest.raises(FormatError, match=r"2 series matrices.*platform="):
        mt.read(tmp_path)
    assert list(mt.read(tmp_path, platform="GPL96").obs_names) == ["GSM11", "GSM12", "GSM13", "GSM14"]


def family(platforms: list[str]) -> str:
    out = "^DATABASE = GeoMiame\n^SERIES = GSE9\n!Series_geo_accession = GSE9\n"
    for name in platforms:
        rows = "".join(f"{i}_at\t{GENES[i]}\t{ENTREZ[i]}\n" for i in ROWS)
        out += f"^PLATFORM = {name}\n#ID = probe\n!platform_table_begin\nID\tGene Symbol\tENTREZ_GENE_ID\n{rows}!platform_table_end\n"
    for j in range(4):
        rows = "".join(f"{i}_at\t{ABUNDANCE[i, j]}\tP\n" for i in ROWS)
        out += (
            f"^SAMPLE = GSM{j}\n!Sample_geo_accession = GSM{j}\n!Sample_characteristics_ch1 = tissue: liver\n"
            f"!Sample_platform_id = {platforms[j % len(platforms)]}\n!sample_table_begin\nID_REF\tVALUE\tABS_CALL\n"
            f"{rows}!sample_table_end\n"
        )
    return out


def test_soft_families(tmp_path: Path) -> None:
    path = tmp_path / "GSE9_family.soft"
    path.write_text(family(["GPL1"]))
    adata = mt.read(path)
    np.testing.assert_array_equal(adata.X, ABUNDANCE.T)
    assert list(adata.var["symbol"]) == GENES
    path.write_text(family(["GPL1", "GPL2"]))
    with pytest.raises(FormatError, match=r"2 platforms \(GPL1, GPL2\)"):
        mt.read(path)
    np.testing.assert_array_equal(mt.read(path, platform="GPL2").X, ABUNDANCE.T[1::2])


# Files that lie beside expression data: name, content, words of the refusal.
FOREIGN: list[tuple[str, bytes, str]] = [
    ("x.pdf", b"%PDF-1.4\n%\xe2\xe3", "PDF"),
    ("x.png", b"\x89PNG\r\n\x1a\n\0\0", "picture"),
    ("x.cel", b"@\0\0\0\4\0\0\0" + b"\0" * 100, "CEL"),
    ("x.cel.gz", gzip.compress(b"[CEL]\nVersion=3\n"), "CEL"),
    ("x.bam", gzip.compress(b"BAM\1" + b"\0" * 50), "BAM"),
    ("x.sqlite", b"SQLite format 3\0", "SQLite"),
    ("x.pkl", b"\x80\x04\x95\x00", "pickle"),
    ("x.npy", b"\x93NUMPY\1\0", "NumPy"),
    ("x.fastq", b"@r1 x\nACGT\n+\nIIII\n" * 5, "FASTQ"),
    ("x.fasta", b">NM_000546 p53\nACGTACGT\nACGT\n", "FASTA"),
    ("x.vcf", b"##fileformat=VCFv4.2\n#CHROM\tPOS\n1\t5\n", "VCF"),
    ("x.gtf", b"#!genome\n1\thavana\tgene\t5\t9\t.\t+\t.\tgene_id\n", "GTF"),
    ("x.bed", b"chr1\t5\t9\nchr1\t7\t9\n", "BED"),
    ("x.gmt", b"A\tna\tTP53\tMYC\nB\tna\tALB\tFASN\tSCD\n", "SignatureCollection"),
    ("x.md", b"# Title\n\nWords, and | a pipe.\n\n| a | b | c |\n| --- | --- | --- |\n| 1 | 2 | 3 |\n", "Markdown"),
    ("x.xml", b'<?xml version="1.0"?>\n<MINiML>\n</MINiML>', "MINiML"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "words"), FOREIGN, ids=[f[0] for f in FOREIGN])
def test_other_files_are_named(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    for look in (mt.read, mt.io.describe):
        with pytest.raises(FormatError, match=words):
            look(path)


def test_study_folder_without_comment_lines(tmp_path: Path) -> None:
    files = {
        "meta_study.txt": "cancer_study_identifier: x\nname: with: a colon\n",
        "meta_mrna.txt": "cancer_study_identifier: x\ngenetic_alteration_type: MRNA_EXPRESSION\ndatatype: CONTINUOUS\n"
        "stable_id: m\ndata_filename: data_mrna.txt\n",
        "data_mrna.txt": table(["Hugo_Symbol", "Entrez_Gene_Id", *TCGA],
                               [[g if i else "", ENTREZ[i], *ABUNDANCE[i]] for i, g in enumerate(GENES)]),
        "data_clinical_sample.txt": table(["PATIENT_ID", "SAMPLE_ID"], [[t[:12], t] for t in TCGA]),
        "data_clinical_patient.txt": table(["PATIENT_ID", "OS_STATUS", "OS_MONTHS"],
                                           [[t[:12], "1:DECEASED", 10] for t in TCGA]),
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    adata = mt.read(tmp_path)
    np.testing.assert_array_equal(adata.X, ABUNDANCE.T)
    assert adata.obs["OS"].tolist() == [1] * 4
    assert adata.obs["OS.time"].tolist() == pytest.approx([304.375] * 4)
    # The first gene has no symbol; its Entrez id names it.
    mt.pp.harmonise_genes(adata)
    assert list(adata.var_names) == GENES


def test_nothing_warns(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        for name, text, *_ in TABLES:
            (tmp_path / name).write_text(text)
            mt.read(tmp_path / name)

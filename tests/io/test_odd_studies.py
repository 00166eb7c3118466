# ruff: noqa: E501
"""Second helping of odd files: what spreadsheets, portals and half-finished downloads do to each format."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import openpyxl
import pandas as pd
import pytest
import zstandard
from anndata import AnnData

import mtorscore as mt
from mtorscore.errors import DataError, DataWarning, FormatError
from tests.io.test_broken_files import GCT, GENES, GOOD, LINES, MTX, SAMPLES, SERIES, STAR, X, cell, lines, table

COUNTS = (X * 40).astype(int)
FRAME = pd.DataFrame(X, index=pd.Index(GENES, name="gene"), columns=SAMPLES)
LONG = [[g, *map(float, r)] for g, r in zip(GENES, X, strict=True)]


def dots(value: float) -> str:
    """Return a count as German spreadsheets write it: 7.120 for seven thousand."""
    return f"{int(value):,}".replace(",", ".")


def comma(value: float) -> str:
    return f"{value:.2f}".replace(".", ",")


def zst(text: str) -> bytes:
    return zstandard.compress(text.encode())


def book(*sheets: list[list[Any]], merge: tuple[str, ...] = ()) -> bytes:
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for i, rows in enumerate(sheets):
        sheet = made.create_sheet(f"s{i}")
        for row in rows:
            sheet.append(row)
        for cells in merge:
            sheet.merge_cells(cells)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def parquet(frame: pd.DataFrame, **options: Any) -> bytes:
    out = io.BytesIO()
    frame.to_parquet(out, **options)
    return out.getvalue()


def soft(first: str, second: str) -> str:
    head = "^SERIES = GSE9\n!Series_geo_accession = GSE9\n"
    for i, rows in enumerate((first, second), 1):
        head += f"^SAMPLE = GSM{i}\n!Sample_geo_accession = GSM{i}\n!Sample_platform_id = GPL1\n!sample_table_begin\nID_REF\tVALUE\n{rows}"
    return head


END = "!sample_table_end\n"
CLINICAL = "patient,OS,OS.time,age\nP1,1,10,50\nP2,0,20,61.5\n"

# name, content, words of the repair; the values must be those of the good table.
SAME: list[tuple[str, bytes | str, str]] = [
    ("no-sample-names.csv", table(",", header=GENES, rows=[[str(v) for v in X[:, i]] for i in range(4)]), "no column names the samples"),
    ("notes-below.csv", table(",") + ",,,,\nSource: a paper,,,,\n", "notes below the table"),
    ("notes-below.xlsx", book([["gene", *SAMPLES], *LONG, [], ["Note: values are TPM"]]), "notes below the table"),
    ("no-width.tsv", GOOD.replace("S2", "S2\u200b").replace("TP53", "\ufeffTP53"), "no width"),
    ("many-members.gz", b"".join(gzip.compress(x.encode() + b"\n") for x in LINES if x), ""),
    ("gz-padded.gz", gzip.compress(GOOD.encode()) + b"\0" * 512, ""),
    ("two-frames.zst", zst(GOOD[:100]) + zst(GOOD[100:]), ""),
    ("unicode-text.txt", table(end="\r\n").encode("utf-16"), "utf-16"),
    ("tab-in-quotes.tsv", "\n".join("\t".join(f'"{f}"' for f in x.split("\t")) for x in LINES if x), ""),
    ("line-end-in-quotes.csv", table(",", header=['"gene\n(HGNC)"', *SAMPLES]), "title"),
    ("fixed-width.txt", "\n".join("".join(f.ljust(12) for f in x.split("\t")) for x in LINES if x), ""),
    ("hash-header.tsv", "# made on a Monday\n#" + GOOD, ""),
    ("empty-column.tsv", "\n".join("\t".join([*x.split("\t")[:2], "", *x.split("\t")[2:]]) for x in LINES if x), ""),
    ("length.parquet", parquet(FRAME.assign(Length=1000.0)), ""),
    ("two-indices.parquet", parquet(FRAME.assign(ens=[f"ENSG{i:011d}" for i in range(12)]).set_index("ens", append=True)), ""),
    ("nameless.parquet", parquet(pd.DataFrame(X.T, columns=GENES), index=False), "no column names the samples"),
    ("nullable.parquet", parquet(FRAME.convert_dtypes()), ""),
    ("merged-heads.xlsx", book([["", "tumour", None, "normal", None], ["gene", *SAMPLES], *LONG], merge=("B1:C1", "D1:E1")), ""),
    ("beside-a-margin.xlsx", book([[None, "gene", *SAMPLES], *([None, *r] for r in LONG)]), ""),
    ("numbers-as-text.xlsx", book([["gene", *SAMPLES], *([r[0], *map(str, r[1:])] for r in LONG)]), ""),
]  # fmt: skip

# name, content, words of the error, line, column (None: not demanded)
WRONG: list[tuple[str, bytes | str, str, int | None, int | None]] = [
    ("points-group.csv", table(";", rows=[[g, *map(dots, r)] for g, r in zip(GENES, COUNTS, strict=True)]), "group thousands", 2, 2),
    ("points-group.tsv", table(rows=[[g, *map(dots, r)] for g, r in zip(GENES, COUNTS, strict=True)]), "group thousands", 2, 2),
    ("points-and-commas.csv", table(";", rows=[[g, dots(r[0] * 40 + 1000), *map(comma, r[1:])] for g, r in zip(GENES, X, strict=True)]), "68,00", 2, 3),
    ("both-marks.tsv", "\n".join([LINES[0], *(x if i % 2 else x.replace(".", ",") for i, x in enumerate(LINES[1:]))]), "178,01", 2, 2),
    ("zst-cut.zst", zst(GOOD)[:-8], "no end", 1, None),
    ("zst-second-cut.zst", zst(GOOD[:100]) + zst(GOOD[100:])[:-8], "no end", 4, None),
    ("too-large.tsv", cell(4, 2, "1e400"), "infinite", 4, 2),
    ("infinity.tsv", cell(5, 3, "-Infinity"), "infinite", 5, 3),
    ("headless-entrez.tsv", "\n".join("\t".join([str(1000 + i), *map(str, map(int, r))]) for i, r in enumerate(X)), "no header", 1, None),
    ("headless-probes.tsv", "\n".join("\t".join([f"ILMN_{1000 + i}", *map(str, r)]) for i, r in enumerate(X)), "no header", 1, None),
    ("one-word.txt", "A" * 10_000_000, "", None, None),
    ("one-row.txt", "TP53\t" + "1.5\t" * 100_000, "no data row", 1, None),
    ("numbers-alone.txt", "\n".join(map(str, X[:, 0])), "numbers without names", 1, None),
    ("series-infinite.txt", SERIES.replace("3.5", "Inf"), "infinite", 8, 2),
    ("soft-cut.soft", soft("a\t1\nb\t2\n" + END, "a\t3\n"), "cut off", None, None),
    ("soft-cut-row.soft", soft("a\t1\nb\t2\n" + END, "a\t3\nb"), "cut off", None, None),
    ("soft-probe-twice.soft", soft("a\t1\na\t5\n" + END, "a\t3\n" + END), "is duplicated", 9, 1),
    ("soft-underscore.soft", soft("a\t1\n" + END, "a\t1_0\n" + END), "1_0", 15, 2),
    ("soft-infinite.soft", soft("a\tinf\n" + END, "a\t1\n" + END), "inf", 8, 2),
    ("soft-platform-cut.soft", "^PLATFORM = GPL1\n!platform_table_begin\nID\tGene Symbol\na\tTP53\n", "cut off", None, None),
    ("star-line-cut.tsv", STAR[:-3], "no end", 11, None),
    ("star-negative.tsv", STAR.replace("G4\tprotein_coding\t4", "G4\tprotein_coding\t-4"), "negative", 7, 4),
    ("gct-infinite.gct", GCT.replace("3\t4", "3\tinf"), "infinite", None, None),
    ("formula.xlsx", book([["gene", *SAMPLES], *LONG[:2], ["MYC", 1.0, "=B2*2", 1.0, 1.0], *LONG[3:]]), "without a stored result", 4, 3),
    ("word.xlsx", book([["Table S1"], [], ["gene", *SAMPLES], *LONG[:3], ["MTOR", "high", 1, 2, 3], *LONG[4:]]), "high", 7, 2),
    ("infinite.parquet", parquet(FRAME.mask(FRAME.eq(FRAME.iloc[2, 1]), np.inf)), "infinite", None, None),
    ("times.csv", "cases.submitter_id,demographic.vital_status,demographic.days_to_death\nTCGA-AA-0001,Dead,\"1,234\"\n", "1,234", None, 3),
    ("no-patients.txt", "#Patient\tStatus\n#x\ty\n#STRING\tSTRING\n#1\t1\nPATIENT_ID\tOS\tx\nPATIENT_ID\tOS_STATING\tNA\n", "no patients", None, None),
    ("beyond.csv", "patient,vital_status,days_to_death,days_to_last_followup\nP1,Dead,9,\nP2,alive,,>70\n", "", None, None),
]  # fmt: skip


def write(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(("name", "content", "repair"), SAME, ids=[s[0] for s in SAME])
def test_right_data(tmp_path: Path, name: str, content: bytes | str, repair: str) -> None:
    adata = mt.read(write(tmp_path, name, content))
    np.testing.assert_array_equal(adata.X, X.T)
    assert list(adata.var["id"]) == GENES
    if "no column names" not in repair:
        assert list(adata.obs_names) == SAMPLES
    repairs = "; ".join(adata.uns["source"].get("repairs", []))
    assert repair in repairs
    assert bool(repair) == bool(repairs), repairs


@pytest.mark.parametrize(("name", "content", "words", "line", "column"), WRONG, ids=[w[0] for w in WRONG])
def test_one_sentence(
    tmp_path: Path, name: str, content: bytes | str, words: str, line: int | None, column: int | None
) -> None:
    if name == "beyond.csv":
        with pytest.raises(
            FormatError, match=r"'>70' where a time is expected in column 'days_to_last_followup' of P2"
        ):
            mt.io.read_clinical(write(tmp_path, name, content))
        return
    with pytest.raises(DataError) as caught:
        mt.read(write(tmp_path, name, content))
    message = str(caught.value)
    assert words in message
    assert name in message
    assert "unexpected" not in message
    assert "\n" not in message
    assert len(message) < 700
    for wanted, where in ((line, "line"), (column, "column")):
        assert wanted is None or getattr(caught.value, where) == wanted


def test_three_decimals_are_no_thousands(tmp_path: Path) -> None:
    for digits in (3, 4):
        text = table(number=(f"{{:.{digits}f}}").format, rows=None)
        assert mt.read(write(tmp_path, "x.tsv", text)).X[0, 0] == float(f"{X[0, 0]:.{digits}f}")
    rounded = table(number=lambda v: f"{round(v / 20, 3):g}")
    assert mt.read(write(tmp_path, "x.tsv", rounded)).X[0, 0] == float(f"{round(X[0, 0] / 20, 3):g}")


def test_decimal_commas_of_a_clinical_table(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", "patient;OS;OS.time;age\nP1;1;12,5;50\nP2;0;3,25;61,5\n")
    frame = mt.io.read_clinical(path)
    assert frame["OS.time"].tolist() == [12.5, 3.25]
    assert frame["age"].tolist() == [50, 61.5]
    adata = mt.read(path)
    assert adata.shape == (2, 0)
    assert adata.obs["OS.time"].tolist() == [12.5, 3.25]


def test_patients_called_like_genes_are_patients(tmp_path: Path) -> None:
    for name, content in (
        ("x.csv", CLINICAL),
        ("x.parquet", parquet(pd.read_csv(io.StringIO(CLINICAL)).astype({"OS": float}), index=False)),
    ):
        adata = mt.read(write(tmp_path, name, content))
        assert adata.shape == (2, 0)
        assert adata.obs["OS.time"].tolist() == [10, 20]


def test_statuses_that_say_neither_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", "patient,vital_status,days_to_death\nP1,DOD,100\nP2,Deceased,90\nP3,Unknown,\n")
    with pytest.warns(DataWarning, match=r"1 value\(s\) of vital_status.*DOD"):
        frame = mt.io.read_clinical(path)
    assert frame["OS"].tolist()[1] == 1
    with pytest.warns(DataWarning, match="age.*>89"):
        mt.io.read_clinical(write(tmp_path, "y.csv", "patient,age\nP1,>89\nP2,50\n"))


def test_disease_progression_is_an_event(tmp_path: Path) -> None:
    text = "PATIENT_ID\tDFS_STATUS\tDFS_MONTHS\nA\t1:Recurred/Progressed\t1\nB\tDiseaseFree\t2\nC\tProgression\t3\nD\tdisease free\t4\n"
    assert mt.io.read_clinical(write(tmp_path, "x.txt", text))["DFS"].tolist() == [1, 0, 1, 0]


def test_a_sample_that_stands_twice_is_named(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "x.txt",
        "sample\tOS\t_PATIENT\tOS.time\nTCGA-AA-0001-01\t1\tTCGA-AA-0001\t100\nTCGA-AA-0001-01\t0\tTCGA-AA-0001\t90\n",
    )
    with pytest.warns(DataWarning, match="are on several rows"):
        mt.read(path)
    with pytest.raises(FormatError, match="several differing rows"):
        mt.io.read_clinical(path)


def test_soft_samples_without_values_are_named(tmp_path: Path) -> None:
    text = soft("a\t1\nb\t2\n" + END, "a\t3\n" + END) + "^SAMPLE = GSM3\n!Sample_platform_id = GPL1\n"
    adata = mt.read(write(tmp_path, "x.soft", text))
    np.testing.assert_array_equal(adata.X, [[1, 2], [3, np.nan], [np.nan, np.nan]])
    assert ["no table" in r or "lack" in r for r in adata.uns["source"]["repairs"]] == [True, True]


STAR_NAME = "rna_seq.augmented_star_gene_counts.tsv"


def test_a_cut_file_among_star_counts(tmp_path: Path) -> None:
    short = "\n".join(STAR.split("\n")[:8]) + "\n"
    for i, (a, b, words) in enumerate(
        ((STAR, short, "its table is cut off"), (short, STAR, "first file's table is cut off"))
    ):
        write(tmp_path, f"{i}/a.{STAR_NAME}", a)
        write(tmp_path, f"{i}/b.{STAR_NAME}", b)
        with pytest.raises(DataError, match=words):
            mt.read(tmp_path / str(i))


def test_a_manifest_is_held_against_the_files(tmp_path: Path) -> None:
    path = write(tmp_path, f"a.{STAR_NAME}", STAR)
    md5 = hashlib.md5(STAR.encode(), usedforsecurity=False).hexdigest()
    head = "id\tfilename\tmd5\tsize\tstate\n"
    write(tmp_path, f"b.{STAR_NAME}.partial", STAR[:100])
    manifest = f"{head}u1\t{path.name}\t{md5}\t{len(STAR)}\tok\nu2\tb.{STAR_NAME}\t{md5}\t{len(STAR)}\tok\n"
    write(tmp_path, "MANIFEST.txt", manifest)
    with pytest.warns(DataWarning, match=r"1 files of the manifest are not here .*1 downloads are not finished"):
        assert mt.read(tmp_path).shape == (1, 8)
    write(tmp_path, "MANIFEST.txt", manifest.replace(f"\t{len(STAR)}", "\t5"))
    with pytest.raises(FormatError, match="not complete"):
        mt.read(tmp_path)
    write(tmp_path, "MANIFEST.txt", manifest.replace(md5, "0" * 32))
    with pytest.raises(FormatError, match="MD5"):
        mt.read(tmp_path)


def test_a_sample_sheet_that_leaves_files_out(tmp_path: Path) -> None:
    write(tmp_path, f"a.{STAR_NAME}", STAR)
    write(tmp_path, "gdc_sample_sheet.tsv", "File ID\tFile Name\tSample ID\nx\tother.tsv\tTCGA-AA-0001-01A\n")
    with pytest.warns(DataWarning, match="1 of 1 files are not in the metadata cart"):
        adata = mt.read(tmp_path)
    assert adata.obs_names.tolist() == ["a"]
    assert "no metadata" not in adata.uns["source"]["names"]


def test_counts_and_fpkm_in_one_folder(tmp_path: Path) -> None:
    for scale, name in ((1, "a.htseq.counts"), (0.5, "b.FPKM.txt")):
        rows = "".join(f"ENSG{i:011d}.1\t{i * scale}\n" for i in range(1, 4))
        write(tmp_path, name, rows + "__no_feature\t3\n__ambiguous\t1\n")
    with pytest.raises(DataError, match="different units"):
        mt.read(tmp_path)


def test_two_genes_and_no_header_are_two_genes(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        write(tmp_path, name, "ENSG00000141510.1\t1\nENSG00000163631.1\t2\n")
    np.testing.assert_array_equal(mt.read(tmp_path).X, [[1, 2], [1, 2]])


STUDY = {
    "meta_study.txt": "cancer_study_identifier: x\nname: y\n",
    "meta_mrna.txt": "cancer_study_identifier: x\ngenetic_alteration_type: MRNA_EXPRESSION\ndatatype: CONTINUOUS\nstable_id: m\ndata_filename: data_mrna.txt\n",
    "data_mrna.txt": "Hugo_Symbol\tEntrez_Gene_Id\tA-01\tB-01\nTP53\t7157\t1\t2\nALB\t213\t3\t4\n",
    "data_clinical_sample.txt": "PATIENT_ID\tSAMPLE_ID\nA\tA-01\nB\tB-01\n",
    "data_clinical_patient.txt": "PATIENT_ID\tOS_STATUS\tOS_MONTHS\nA\t1:DECEASED\t10\nB\t0:LIVING\t[Not Available]\n",
}
BROKEN_STUDIES: list[tuple[str, str, str, str]] = [
    ("meta_mrna.txt", "data_mrna.txt", "data_gone.txt", "should be in data_gone.txt"),
    ("meta_mrna.txt", "data_mrna.txt", "../data_mrna.txt", "not the name of a file in the study"),
    ("data_clinical_patient.txt", "B\t0:LIVING", "A\t0:LIVING", "several differing rows"),
    (
        "data_clinical_patient.txt",
        "\t10\n",
        "\t10,500\n",
        "'10,500' where a time is expected in column 'OS_MONTHS' of A",
    ),
    ("data_mrna.txt", "\t3\t4", "\t3", "3 fields"),
]


@pytest.mark.parametrize(
    ("name", "old", "new", "words"), BROKEN_STUDIES, ids=[f"{b[0]}-{i}" for i, b in enumerate(BROKEN_STUDIES)]
)
def test_broken_studies(tmp_path: Path, name: str, old: str, new: str, words: str) -> None:
    for file, text in STUDY.items():
        write(tmp_path, file, text.replace(old, new) if file == name else text)
    with pytest.raises(FormatError, match=words):
        mt.read(tmp_path)


def test_samples_without_clinical_rows_are_named(tmp_path: Path) -> None:
    for file, text in STUDY.items():
        write(tmp_path, file, text.replace("B\tB-01\n", ""))
    with pytest.warns(DataWarning, match="1 of 2 samples with expression are not in the clinical tables"):
        assert mt.read(tmp_path).obs["OS"].tolist()[0] == 1


def stored(change: Callable[[AnnData], AnnData | None]) -> AnnData:
    adata = AnnData(X.T.copy(), obs=pd.DataFrame(index=SAMPLES), var=pd.DataFrame(index=GENES))
    changed = change(adata)
    return adata if changed is None else changed


def rename(adata: AnnData) -> None:
    adata.obs_names = ["S1", "S1", "S3", "S4"]


def infinite(adata: AnnData) -> None:
    adata.X[1, 1] = np.inf


@pytest.mark.filterwarnings("ignore:.*names are not unique")
def test_stored_anndata(tmp_path: Path) -> None:
    path = tmp_path / "x.h5ad"
    wrong: list[tuple[Callable[[AnnData], Any], str]] = [
        (rename, "are duplicated"), (infinite, "infinite"), (lambda a: AnnData(obs=a.obs, var=a.var), "no values in X"),
    ]  # fmt: skip
    for change, words in wrong:
        stored(change).write_h5ad(path)
        with pytest.raises(DataError, match=words):
            mt.read(path)
    stored(lambda a: a.T.copy()).write_h5ad(path)
    adata = mt.read(path)
    np.testing.assert_array_equal(adata.X, X.T)
    assert adata.uns["source"]["repairs"] == ["genes stood in the rows; transposed"]
    adata = stored(AnnData.copy)
    adata.var_names = ["TP53"] * 12
    adata.write_h5ad(path)
    back = mt.read(path)
    assert (back.var_names[1], back.var["id"].iloc[1]) == ("TP53~2", "TP53")


def test_hdf5_whose_parts_disagree(tmp_path: Path) -> None:
    for name, genes, words in (("x.h5", 3, "3 genes and 1 barcodes"), ("x.loom", 5, "5 genes and 4 cells")):
        with h5py.File(tmp_path / name, "w") as file:
            if name == "x.h5":
                group = file.create_group("matrix")
                for key, value in {
                    "shape": [3, 2],
                    "data": [5, 1, 7],
                    "indices": [0, 1, 2],
                    "indptr": [0, 2, 3],
                }.items():
                    group[key] = value
                group["barcodes"] = [b"A"]
                group["features/id"] = group["features/name"] = [b"TP53", b"ALB", b"MYC"]
            else:
                file["matrix"] = X
                file["row_attrs/Gene"] = [g.encode() for g in GENES[:genes]]
                file["col_attrs/CellID"] = [s.encode() for s in SAMPLES]
        with pytest.raises(FormatError, match=words):
            mt.read(tmp_path / name)


def test_cells_ranger_with_quotes_and_two_columns(tmp_path: Path) -> None:
    write(tmp_path, "matrix.mtx", MTX)
    write(tmp_path, "barcodes.tsv", '"A-1"\r\n"B-1"\r\n')
    write(tmp_path, "genes.tsv", '"ENSG00000141510"\t"TP53"\n"ENSG00000163631"\t"ALB"\n"ENSG00000136997"\t"MYC"\n')
    adata = mt.read(tmp_path)
    assert adata.obs_names.tolist() == ["A-1", "B-1"]
    assert adata.var["symbol"].tolist() == ["TP53", "ALB", "MYC"]
    assert adata.X.sum() == 13


def test_lines_inside_a_table_are_counted(tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        mt.read(write(tmp_path, "x.tsv", lines((5, "# a comment\n" + LINES[4].replace("\t", "\thigh", 1)))))
    assert caught.value.line == 6


def test_a_contrast_in_parquet_is_a_contrast(tmp_path: Path) -> None:
    frame = pd.DataFrame({"gene": GENES, "log2FoldChange": X[:, 0], "pvalue": 0.1, "padj": 0.2})
    adata = mt.read(write(tmp_path, "x.parquet", parquet(frame, index=False)))
    assert (adata.shape, adata.uns["source"]["table"]) == ((0, 12), "contrast")


@pytest.mark.parametrize("style", ["{:.2E}", "{:.2f} AU", "'{:.2f}'", '="{:.2f}"', "{:.2f}x10^0", "{:.2f}a.u."])
def test_numbers_in_another_notation_are_refused(tmp_path: Path, style: str) -> None:
    genes = ["MTOR", "AKT1", "PTEN", "TSC1", "TSC2", "RHEB", "FASN", "SCD"]
    told = [style.format(5.25 + i).replace("E", "D") for i in range(8)]
    text = "gene\tS1\tS2\n" + "".join(f"{g}\t{v}\t{v}\n" for g, v in zip(genes, told, strict=True))
    with pytest.raises(FormatError, match="no column holds plain numbers: 2 column"):
        mt.read(write(tmp_path, "m.tsv", text))

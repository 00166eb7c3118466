# ruff: noqa: E501
"""Formats that no reference file shows: ICGC expression, loom, Zarr, GDC folders and sheets, long tables, speed."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import mtorscore as mt
from mtorscore.errors import DataError, FormatError
from mtorscore.genes.tables import excel_dates

GENES = ["TP53", "ALB", "MYC"]


def test_import_is_light() -> None:
    code = (
        "import sys, mtorscore.io, mtorscore.pp; "
        "print([m for m in ('pandas', 'anndata', 'pyarrow', 'httpx', 'openpyxl', 'scanpy', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_icgc_expression(tmp_path: Path) -> None:
    header = "icgc_donor_id\tproject_code\ticgc_specimen_id\ticgc_sample_id\tgene_id\tnormalized_read_count\traw_read_count\n"
    rows = [f"DO{s}\tLIRI-JP\tSP{s}\tSA{s}\t{g}\t{0.5 * i}\t{10 * s + i}" for s in (1, 2) for i, g in enumerate(GENES)]
    path = tmp_path / "exp_seq.tsv"
    path.write_text(header + "\n".join(rows) + "\n")
    adata = mt.read(path)
    assert adata.uns["source"]["kind"] == "icgc-exp-seq"
    assert adata["SA2", "TP53"].X.item() == 20
    assert adata.obs.loc["SA2", "icgc_donor_id"] == "DO2"
    assert mt.read(path, value="normalized_read_count")["SA1", "MYC"].X.item() == 0.5 * list(GENES).index("MYC")
    path.write_text(header + "\n".join([*rows, rows[0]]) + "\n")
    with pytest.raises(FormatError, match="are duplicated"):
        mt.read(path)


def test_loom_and_zarr(tmp_path: Path) -> None:
    x = np.arange(6, dtype=float).reshape(2, 3)
    with h5py.File(tmp_path / "x.loom", "w") as file:
        file["matrix"] = x.T
        file["row_attrs/Gene"] = np.array(GENES, dtype="S8")
        file["col_attrs/CellID"] = np.array(["c1", "c2"], dtype="S8")
        file["col_attrs/age"] = np.array([3, 4])
    adata = mt.read(tmp_path / "x.loom")
    np.testing.assert_array_equal(adata.X.toarray(), x)
    assert (list(adata.obs_names), list(adata.var["id"])) == (["c1", "c2"], GENES)
    pytest.importorskip("zarr")
    plain = AnnData(x, obs=pd.DataFrame(index=["c1", "c2"]), var=pd.DataFrame(index=GENES))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain.write_zarr(tmp_path / "x.zarr")
        back = mt.read(tmp_path / "x.zarr")
    np.testing.assert_array_equal(back.X, x)
    assert back.uns["source"]["kind"] == "zarr"


def star(factor: int) -> str:
    rows = "".join(f"ENSG{i:011d}.2\tG{i}\tprotein_coding\t{factor * i}\t0\t0\t1.0\t2.0\t3.0\n" for i in range(1, 9))
    columns = "unstranded\tstranded_first\tstranded_second\ttpm_unstranded\tfpkm_unstranded\tfpkm_uq_unstranded"
    return f"# gene-model: GENCODE v36\ngene_id\tgene_name\tgene_type\t{columns}\nN_unmapped\t\t\t5\t5\t5\t\t\t\n{rows}"


def test_gdc_folder_with_a_sample_sheet(tmp_path: Path) -> None:
    sheet = ["File ID\tFile Name\tData Category\tCase ID\tSample ID"]
    for i in (1, 2):
        folder = tmp_path / f"uuid-{i}"
        folder.mkdir()
        name = f"{i}.rna_seq.augmented_star_gene_counts.tsv"
        (folder / name).write_text(star(i))
        sheet.append(f"uuid-{i}\t{name}\tTranscriptome\tTCGA-AA-000{i}\tTCGA-AA-000{i}-01A")
    bare = mt.read(tmp_path)
    assert sorted(bare.obs_names) == ["1", "2"]
    assert "no metadata" in bare.uns["source"]["names"]
    (tmp_path / "gdc_sample_sheet.2024.tsv").write_text("\n".join(sheet) + "\n")
    adata = mt.read(tmp_path)
    assert sorted(adata.obs_names) == ["TCGA-AA-0001-01A", "TCGA-AA-0002-01A"]
    assert adata["TCGA-AA-0002-01A"].X.ravel().tolist() == [2 * i for i in range(1, 9)]
    assert mt.read(tmp_path, units="fpkm").X[0, 0] == 2.0
    with pytest.raises(DataError, match="units must be"):
        mt.read(tmp_path, units="rpkm")
    (tmp_path / "uuid-2" / "2.rna_seq.augmented_star_gene_counts.tsv").write_text(star(2).replace("0003.2", "0099.2"))
    with pytest.raises(DataError, match="mixes annotations"):
        mt.read(tmp_path)


def test_star_and_htseq_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "a.rna_seq.augmented_star_gene_counts.tsv").write_text(star(1))
    (tmp_path / "b.htseq.counts").write_text("".join(f"ENSG{i:011d}.2\t{i}\n" for i in range(1, 9)))
    with pytest.raises(FormatError, match="lie together"):
        mt.read(tmp_path)


def test_long_table(tmp_path: Path) -> None:
    from mtorscore.io.tables.long_table import long_table

    rows = [
        (g, f"s{g}", c, t, i) for i, (g, c, t) in enumerate((g, c, t) for g in GENES for c in "ab" for t in (0, 15))
    ]
    frame = pd.DataFrame(rows, columns=["gene", "name", "condition", "time", "value"])
    adata = long_table(frame.sample(frac=1, random_state=0), tmp_path)
    assert adata is not None
    assert list(adata.obs_names) == ["a_0", "a_15", "b_0", "b_15"]
    assert adata["b_15", "ALB"].X.item() == 7
    assert adata.var.loc["ALB", "name"] == "sALB"
    assert long_table(frame.drop(index=3), tmp_path) is None


@pytest.mark.parametrize("name", ["hcc-os-150-panel/testdata.Rdata", "singlecell-mouse-hepatoblast/liver.rda"])
def test_r_files_are_read_as_the_library_reads_them(shared: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mtorscore.io.formats import r_objects
    from mtorscore.io.formats.r_serialisation import NotPlainError

    ours = r_objects.objects(shared / "data" / name)

    def refuse(_: bytes) -> None:
        raise NotPlainError

    monkeypatch.setattr(r_objects, "parse", refuse)
    theirs = r_objects.objects(shared / "data" / name)
    assert set(ours) == set(theirs)
    for key, frame in ours.items():
        assert list(map(str, frame.columns)) == list(map(str, theirs[key].columns))
        np.testing.assert_array_equal(frame.to_numpy(dtype=float), theirs[key].to_numpy(dtype=float))


def test_xena_matrix_and_survival(tmp_path: Path) -> None:
    (tmp_path / "HiSeqV2").write_text(
        "sample\tTCGA-AA-0001-01\tTCGA-AA-0001-11\nTP53\t1.5\t2.5\nALB\t3\t4\nMYC\t5\t6\n"
    )
    (tmp_path / "survival.txt").write_text(
        "sample\t_PATIENT\tOS\tOS.time\tRedaction\nTCGA-AA-0001-01\tTCGA-AA-0001\t1\t9\t\n"
    )
    adata = mt.read(tmp_path / "HiSeqV2")
    mt.pp.resolve_patients(adata, tmp_path / "survival.txt")
    assert adata.obs["OS.time"].tolist()[0] == 9
    assert adata.obs["sample_type"].tolist() == ["tumour", "normal"]


def test_excel_dates_table_is_complete() -> None:
    assert excel_dates()["2-Sep"] == ("SEPTIN2",)
    assert len(excel_dates()["1-Mar"]) == 3


@pytest.mark.slow
def test_memory_of_lihc_with_outcomes(shared: Path) -> None:
    """The seconds are measured by benchmarks/reading, where the machine has nothing else to do."""
    from benchmarks.reading.run import LIHC, measure

    _, cpu, memory, _, _ = measure(LIHC, str(shared / "data"))
    print(f"LIHC with outcomes: {cpu:.1f} s of processor time, {memory:.0f} MiB")
    assert memory < 1024


def test_a_series_matrix_gives_the_numbers_of_its_table(tmp_path: Path) -> None:
    from benchmarks.reading.run import series_matrix

    matrix, bare = series_matrix(tmp_path, 3000, 40)
    adata = mt.read(matrix)
    table = pd.read_csv(bare, sep="\t", index_col=0)
    np.testing.assert_array_equal(adata.X, table.to_numpy().T)
    assert list(adata.obs_names) == list(table.columns)


def test_raw_fields_of_survival(tmp_path: Path) -> None:
    """Xena's older clinical matrices and phenotypes say overall survival in raw fields; GDC exposures say none."""
    old = "sampleID\tvital_status\tdays_to_death\tdays_to_last_followup\nTCGA-AA-0001-01\tDECEASED\t100\t\nTCGA-AA-0002-01\tLIVING\t\t50\n"
    new = old.replace("sampleID", "submitter_id.samples").replace("vital_status", "vital_status.demographic")
    new = new.replace("days_to_death", "days_to_death.demographic").replace("_followup", "_follow_up.diagnoses")
    for text in (old, new):
        (tmp_path / "x.tsv").write_text(text)
        frame = mt.io.read_clinical(tmp_path / "x.tsv")
        assert frame[["OS", "OS.time"]].to_numpy().tolist() == [[1, 100], [0, 50]]
        assert list(frame.index) == ["TCGA-AA-0001-01", "TCGA-AA-0002-01"]
    rows = "u\tTCGA-AA-0001\tYes\ta\nu\tTCGA-AA-0001\tYes\tb\n"
    (tmp_path / "exposure.tsv").write_text("case_id\tcase_submitter_id\talcohol_history\tkind\n" + rows)
    frame = mt.io.read_clinical(tmp_path / "exposure.tsv")
    assert frame.loc["TCGA-AA-0001", "alcohol_history"] == "Yes"
    assert not {"OS", "kind"} & set(frame.columns)


def test_wide_table_of_samples_in_rows_is_no_gene_set(tmp_path: Path) -> None:
    """Its header alone is longer than what is looked at first."""
    genes = pd.read_csv(_genes_file(), sep="\t", usecols=["symbol"])["symbol"].dropna().unique()[:20000]
    values = pd.DataFrame(np.arange(3 * len(genes)).reshape(3, -1), index=["S1", "S2", "S3"], columns=genes)
    values.rename_axis("sample").to_csv(tmp_path / "wide.tsv", sep="\t")
    adata = mt.read(tmp_path / "wide.tsv")
    assert adata.shape == (3, len(genes))
    assert list(adata.obs_names) == ["S1", "S2", "S3"]


def _genes_file() -> Path:
    return Path(mt.__file__).parent / "data" / "genes_human.tsv.gz"


def test_codes_of_death_that_nothing_explains_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "clinical.tsv"
    path.write_text("cases.submitter_id\tdemographic.vital_status\tdemographic.days_to_death\nTCGA-AA-0001\t2\t55\n")
    for read in (mt.read, mt.io.read_clinical):
        with pytest.raises(
            FormatError, match=r"clinical\.tsv: vital_status is coded with numbers other than 0 and 1 \(2\)"
        ):
            read(path)


def test_a_clinical_form_without_patients_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clinical.tsv"
    path.write_text("bcr_patient_uuid\tbcr_patient_barcode\tvital_status\nCDE_ID:\tCDE_ID:2003301\tCDE_ID:5\n")
    for read in (mt.read, mt.io.read_clinical):
        with pytest.raises(FormatError, match="there are no patients in it"):
            read(path)

"""Every reference file is read without hand-holding, and the numbers of its README hold."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mtorscore as mt
from mtorscore.errors import DataWarning, FormatError

# path, shape (observations, variables), kind of table
SHAPES = [
    ("hb-clinical-only/metadata_GSE131329.csv", (67, 0), "clinical"),
    ("hb-clinical-only/metadata_GSE75271.csv", (55, 0), "clinical"),
    ("hb-clinical-only/sampleData.csv", (151, 0), "clinical"),
    ("hcc-gse184733/GSE184733_counts.tsv.gz", (34, 35421), "matrix"),
    ("hcc-gse184733/GSE184733_samples.tsv", (34, 0), "clinical"),
    ("hcc-os-150-panel/testdata.Rdata", (150, 1000), "matrix"),
    ("hcc-os-150-panel/testdata.tsv.gz", (150, 1000), "matrix"),
    ("native-formats/cbioportal/hcc_mskimpact_2018", (127, 0), "clinical"),
    ("native-formats/cbioportal/hcc_mskimpact_2018/data_clinical_patient.txt", (127, 0), "clinical"),
    ("native-formats/cbioportal/hcc_mskimpact_2018/data_clinical_sample.txt", (127, 0), "clinical"),
    ("native-formats/cbioportal/hcc_mskimpact_2018/case_lists/cases_all.txt", (127, 0), "samples"),
    ("native-formats/cbioportal/hcc_mskimpact_2018/case_lists/cases_cna.txt", (127, 0), "samples"),
    ("native-formats/cbioportal/hcc_mskimpact_2018/case_lists/cases_cnaseq.txt", (127, 0), "samples"),
    ("native-formats/cbioportal/hcc_mskimpact_2018/case_lists/cases_sequenced.txt", (127, 0), "samples"),
    ("native-formats/cbioportal/hcc_mskimpact_2018/meta_study.txt", (1, 0), "meta"),
    ("native-formats/cbioportal/lihc_tcga_lfs_pointers/case_lists/cases_RNA_Seq_v2_mRNA.txt", (373, 0), "samples"),
    ("native-formats/cbioportal/lihc_tcga_lfs_pointers/meta_mrna_seq_v2_rsem.txt", (1, 0), "meta"),
    ("native-formats/cbioportal/study_es_0", (526, 6), "matrix"),
    ("native-formats/cbioportal/study_es_0/data_clinical_patients.txt", (841, 0), "clinical"),
    ("native-formats/cbioportal/study_es_0/data_clinical_samples.txt", (845, 0), "clinical"),
    ("native-formats/cbioportal/study_es_0/data_expression_median.txt", (526, 6), "matrix"),
    ("native-formats/gct-cls/mini_gctoo_for_testing.gct", (6, 6), "matrix"),
    ("native-formats/gct-cls/mini_gctoo_for_testing_nometa.gct", (6, 6), "matrix"),
    ("native-formats/gct-cls/test_v1point2_n5x10.gct", (5, 10), "matrix"),
    ("native-formats/gct-cls/training_NTP_PoorIntGood_predicted_sorted.cls", (56, 0), "labels"),
    ("native-formats/gct-cls/training_NTP_prediction_result.txt", (56, 0), "clinical"),
    ("native-formats/gct-cls/training_NTP_sorted_dataset.gct", (56, 557), "matrix"),
    ("native-formats/gct-cls/training_full_meta.txt", (56, 0), "clinical"),
    ("native-formats/gdc/gdc_manifest_20200320_101242.txt", (424, 0), "files"),
    ("native-formats/gdc/htseq_fpkm", (3, 60483), "matrix"),
    ("native-formats/gdc/star_counts", (4, 60660), "matrix"),
    ("native-formats/geo/GDS507.soft.gz", (17, 22645), "matrix"),
    ("native-formats/geo/GPL97.annot.gz", (0, 22645), "genes"),
    ("native-formats/geo/GSE105845_family.soft", (2, 0), "clinical"),
    ("native-formats/geo/GSE42872_series_matrix.txt.gz", (6, 33297), "matrix"),
    ("native-formats/geo/soft_ex_family.txt", (3, 20), "matrix"),
    ("native-formats/icgc/donor.LIRI-JP.tsv", (260, 0), "clinical"),
    ("native-formats/icgc/sample.LIRI-JP.tsv", (988, 0), "clinical"),
    ("native-formats/tenx/1.2.0/filtered_gene_bc_matrices/hg19_chr21", (12, 343), "matrix"),
    ("native-formats/tenx/1.2.0/filtered_gene_bc_matrices/hg19_chr21/barcodes.tsv", (12, 0), "samples"),
    ("native-formats/tenx/1.2.0/filtered_gene_bc_matrices/hg19_chr21/genes.tsv", (0, 343), "genes"),
    ("native-formats/tenx/1.2.0/filtered_gene_bc_matrices_h5.h5", (12, 343), "matrix"),
    ("native-formats/tenx/3.0.0/filtered_feature_bc_matrix", (1107, 507), "matrix"),
    ("native-formats/tenx/3.0.0/filtered_feature_bc_matrix/features.tsv.gz", (0, 507), "genes"),
    ("native-formats/tenx/3.0.0/filtered_feature_bc_matrix.h5", (1107, 507), "matrix"),
    ("perturb-crispr-rptor-rictor/rnaseq_nutri.tsv.gz", (16, 61541), "matrix"),
    ("perturb-crispr-rptor-rictor/rnaseq_starved.tsv.gz", (16, 61541), "matrix"),
    ("perturb-hmec-pik3ca/PI3K_GFP_Only_SCAN_Symbol_SM.txt.gz", (11, 12063), "matrix"),
    ("perturb-hmec-pik3ca/PI3K_Only_SCAN_Symbol_SM.txt.gz", (8, 12063), "matrix"),
    ("perturb-hmec-pik3ca/gfp_rm5610_only.txt.gz", (6, 25370), "matrix"),
    ("perturb-hmec-pik3ca/pi3k_rm5610_only.txt.gz", (9, 25370), "matrix"),
    ("perturb-l1000-consensi-drugs/consensi-drugbank.tsv.gz", (1170, 978), "matrix"),
    ("perturb-l1000-consensi-drugs/genes.tsv.gz", (0, 7467), "genes"),
    ("perturb-l1000-overexpression/dysregulated_genes.tsv", (0, 424), "contrast"),
    ("perturb-mcf10a-pi3k/mean_by_condition.tsv.gz", (25, 39235), "matrix"),
    ("perturb-mcf10a-pi3k/sd_by_condition.tsv.gz", (25, 39235), "matrix"),
    ("perturb-rapamycin-mouse-liver/provenance.csv", (4, 0), "clinical"),
    ("perturb-rapamycin-mouse-liver/transcriptomics_DE_rapamycin_vs_control.csv.gz", (0, 11584), "contrast"),
    ("perturb-tsc1-ko-muscle/Binary DESeq Results.csv.gz", (0, 21390), "contrast"),
    ("perturb-tsc1-ko-muscle/htseq-counts", (28, 39179), "matrix"),
    ("perturb-tsc1-ko-muscle/sample_mapping.csv", (28, 0), "clinical"),
    ("singlecell-copykat-tnbc", (302, 33694), "matrix"),
    ("singlecell-copykat-tnbc/copykat_prediction.tsv", (302, 0), "clinical"),
    ("singlecell-mouse-hepatoblast/cells.tsv", (540, 0), "clinical"),
    ("singlecell-mouse-hepatoblast/expression.tsv.gz", (540, 583), "matrix"),
    ("tcga-chol/CHOL.clinical.tsv.gz", (36, 0), "clinical"),
    ("tcga-chol/CHOL.rnaseqv2_rsem_normalized.tsv.gz", (45, 20531), "matrix"),
    ("tcga-lihc/LIHC_survival.txt.gz", (438, 0), "clinical"),
    ("tcga-lihc/TCGA_coreClinicalMolecular.xlsx", (196, 0), "clinical"),
    ("tcga-lihc/clinical.cart.2020-03-20.json.gz", (371, 0), "clinical"),
    ("tcga-lihc/clinical.tsv.gz", (377, 0), "clinical"),
    ("tcga-lihc/metadata.cart.2020-03-20.json.gz", (424, 0), "files"),
    ("tcga-lihc/nationwidechildrens.org_clinical_patient_lihc.txt.gz", (377, 0), "clinical"),
]
SLOW_SHAPES = [
    ("perturb-mcf10a-pi3k/plot-data.rds", (25, 39235), "matrix"),
    ("singlecell-copykat-tnbc/exp.rawdata.rda", (302, 33694), "matrix"),
    ("singlecell-mouse-hepatoblast/liver.rda", (408, 583), "matrix"),
    ("tcga-cdr/Liu2018_survivalData.xlsx", (11160, 0), "clinical"),
    ("tcga-chol/CHOL.rnaseq.rda", (45, 20531), "matrix"),
    ("tcga-lihc/TCGA-LIHC.htseq_fpkm.179samples.parquet", (179, 60483), "matrix"),
]
# Documentation and pointers: refused with a clear sentence.
REFUSED = ("README.md", "LICENSE")


@pytest.mark.parametrize(("name", "shape", "table"), SHAPES, ids=[s[0] for s in SHAPES])
def test_shape_and_kind(shared: Path, name: str, shape: tuple[int, int], table: str) -> None:
    adata = mt.read(shared / "data" / name)
    assert adata.shape == shape
    source = adata.uns["source"]
    assert source["table"] == table
    assert len(source["sha256"]) == 64
    assert source["file"] == Path(name).name


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shape", "table"), SLOW_SHAPES, ids=[s[0] for s in SLOW_SHAPES])
def test_shape_and_kind_slow(shared: Path, name: str, shape: tuple[int, int], table: str) -> None:
    adata = mt.read(shared / "data" / name)
    assert adata.shape == shape
    assert adata.uns["source"]["table"] == table


@pytest.mark.slow
def test_no_file_is_forgotten(shared: Path) -> None:
    """Every file is in the tables above, inside a folder that is, or refused by name."""
    listed = {s[0] for s in [*SHAPES, *SLOW_SHAPES]}
    failures = []
    for path in sorted(p for p in (shared / "data").rglob("*") if p.is_file()):
        name = str(path.relative_to(shared / "data"))
        if name in listed or path.name in REFUSED:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DataWarning)
                mt.read(path)
        except FormatError as error:
            if "Git LFS pointer" not in str(error):
                failures.append(f"{name}: {error}")
    assert failures == []


def test_documents_and_pointers_are_refused(shared: Path) -> None:
    data = shared / "data"
    for name in ("README.md", "tcga-lihc/README.md", "native-formats/cbioportal/hcc_mskimpact_2018/LICENSE"):
        with pytest.raises(FormatError):
            mt.read(data / name)
    folder = data / "native-formats" / "cbioportal" / "lihc_tcga_lfs_pointers"
    for path in (folder, folder / "data_mrna_seq_v2_rsem.txt"):
        with pytest.raises(FormatError, match="Git LFS pointer"):
            mt.read(path)


def column(adata: Any, gene: str) -> Any:
    at = list(adata.var["id"]).index(gene)
    x = adata.X[:, at]
    return np.asarray(x.toarray() if hasattr(x, "toarray") else x).ravel()


def test_numbers_of_gse184733(shared: Path) -> None:
    folder = shared / "data" / "hcc-gse184733"
    adata = mt.read(folder / "GSE184733_counts.tsv.gz")
    hcc = (mt.read(folder / "GSE184733_samples.tsv").obs.loc[adata.obs_names, "diagnosis"] == "HCC").to_numpy()
    assert hcc.sum() == 17
    assert not np.isnan(adata.X).any()
    for gene, tumour, normal in (("GPC3", 2244, 25), ("MKI67", 1305, 168), ("ALB", 643344, 279036)):
        values = column(adata, gene)
        assert (np.median(values[hcc]), np.median(values[~hcc])) == pytest.approx((tumour, normal), abs=1)


def test_numbers_of_tcga_chol(shared: Path) -> None:
    adata = mt.read(shared / "data" / "tcga-chol" / "CHOL.rnaseqv2_rsem_normalized.tsv.gz")
    tumour = np.array([n[13:15] == "01" for n in adata.obs_names])
    assert tumour.sum() == 36
    ids = list(adata.var["id"])
    assert sum(i.startswith("?|") for i in ids) == 29
    assert sum(i.startswith("SLC35E2|") for i in ids) == 2
    for gene, a, b in (("ALB|213", 51506, 5746400), ("KRT19|3880", 8342, 275.48), ("MTOR|2475", 968, 1679)):
        values = column(adata, gene)
        assert (np.median(values[tumour]), np.median(values[~tumour])) == pytest.approx((a, b), rel=1e-3)


def test_numbers_of_hcc_panel(shared: Path) -> None:
    adata = mt.read(shared / "data" / "hcc-os-150-panel" / "testdata.tsv.gz")
    assert adata.obs["OS"].sum() == 58
    assert np.median(adata.obs["OStime"]) == 913
    assert np.median(column(adata, "ALB")) == pytest.approx(15.1, abs=0.05)
    assert "FASN" not in adata.var_names


def test_numbers_of_star_counts(shared: Path) -> None:
    adata = mt.read(shared / "data" / "native-formats" / "gdc" / "star_counts")
    assert sum(i.endswith("_PAR_Y") for i in adata.var["id"]) == 44
    assert adata.var["gene_name"].duplicated().sum() == 1233
    assert not any(str(i).startswith("N_") for i in adata.var["id"])
    assert adata.uns["source"]["units"] == "counts"
    assert adata.uns["source"]["gene_model"] == "GENCODE v36"
    tpm = mt.read(shared / "data" / "native-formats" / "gdc" / "star_counts", units="tpm")
    assert np.asarray(tpm.X).sum(axis=1) == pytest.approx(1e6, rel=1e-3)


def test_htseq_folder_takes_barcodes_from_a_metadata_cart(shared: Path) -> None:
    cart = shared / "data" / "tcga-lihc" / "metadata.cart.2020-03-20.json.gz"
    folder = shared / "data" / "native-formats" / "gdc" / "htseq_fpkm"
    adata = mt.read(folder, metadata=cart)
    assert sorted(n[:16] for n in adata.obs_names) == ["TCGA-2Y-A9H1-01A", "TCGA-BC-A10R-01A", "TCGA-BC-A10R-11A"]
    assert adata.uns["source"]["units"] == "fpkm"


def test_special_counters_are_not_genes(shared: Path) -> None:
    adata = mt.read(shared / "data" / "perturb-tsc1-ko-muscle" / "htseq-counts")
    assert all(str(i).startswith("ENSMUSG") for i in adata.var["id"])
    assert "no_feature" in adata.obs
    total = np.asarray(adata.X).sum(axis=1) + adata.obs[
        ["no_feature", "ambiguous", "alignment_not_unique"]
    ].to_numpy().sum(axis=1)
    assert 8.6e6 <= total.min() <= total.max() <= 20.5e6


def test_geo_series_matrix_has_typed_characteristics(shared: Path) -> None:
    adata = mt.read(shared / "data" / "native-formats" / "geo" / "GSE42872_series_matrix.txt.gz")
    assert adata.uns["source"]["accession"] == "GSE42872"
    assert adata.uns["source"]["platform"] == ["GPL6244"]
    assert set(adata.obs["cell line"]) == {"A375"}
    assert adata.X[0, 0] == 7.24559
    assert list(adata.var["id"][:2]) == ["7892501", "7892502"]


def test_gds_subsets_become_columns(shared: Path) -> None:
    adata = mt.read(shared / "data" / "native-formats" / "geo" / "GDS507.soft.gz")
    assert adata.obs["disease state"].value_counts().to_dict() == {"RCC": 9, "normal": 8}
    assert adata.var.loc["200000_s_at", "symbol"] == "PRPF8"


def test_soft_family_joins_platform(shared: Path) -> None:
    adata = mt.read(shared / "data" / "native-formats" / "geo" / "soft_ex_family.txt")
    assert adata.var.loc["1", "symbol"] == "Nfatc2"


def test_gct_and_cls(shared: Path) -> None:
    folder = shared / "data" / "native-formats" / "gct-cls"
    adata = mt.read(folder / "training_NTP_sorted_dataset.gct")
    assert adata["X027"].X.ravel()[0] == 37.36668
    assert "HCC_event" in mt.read(folder / "training_full_meta.txt").obs
    meta = mt.read(folder / "mini_gctoo_for_testing.gct")
    assert meta.obs["distil_nsample"].tolist()[:2] == [3, 3]
    labels = mt.read(folder / "training_NTP_PoorIntGood_predicted_sorted.cls").obs["class"].tolist()
    # Values count the names from 1; they are not in the order in which they are met.
    assert labels[0] == "Poor"
    assert labels[18] == "Good"


def test_copykat_counts(shared: Path) -> None:
    adata = mt.read(shared / "data" / "singlecell-copykat-tnbc")
    assert np.asarray(adata.X.sum(axis=1)).mean() == pytest.approx(23121, abs=1)
    labels = mt.read(shared / "data" / "singlecell-copykat-tnbc" / "copykat_prediction.tsv").obs["copykat.pred"]
    assert labels.value_counts().to_dict() == {"aneuploid": 228, "diploid": 74}


def test_hepatoblastoma_labels(shared: Path) -> None:
    obs = mt.read(shared / "data" / "hb-clinical-only" / "metadata_GSE131329.csv").obs
    tumours = obs[obs["Status"] == "tumor tissue"]
    assert len(tumours) == 53
    assert tumours["Clinical course"].str.strip().value_counts().to_dict() == {"Alive": 38, "Dead": 15}


def test_describe_reads_the_beginning_only(shared: Path) -> None:
    found = mt.io.describe(shared / "data" / "native-formats" / "geo" / "GSE42872_series_matrix.txt.gz")
    assert (found.kind, found.compression) == ("geo-series-matrix", "gz")
    assert "Series" in found.evidence
    assert "because" in str(found)


@pytest.mark.slow
def test_numbers_of_lihc_and_cdr(shared: Path) -> None:
    folder = shared / "data" / "tcga-lihc"
    adata = mt.read(folder / "TCGA-LIHC.htseq_fpkm.179samples.parquet")
    assert adata.X.dtype == np.float32
    codes = [n[13:15] for n in adata.obs_names]
    assert (codes.count("01"), codes.count("02"), codes.count("11")) == (156, 2, 21)
    tumour = np.array([c == "01" for c in codes])
    ids = [str(i).split(".")[0] for i in adata.var["id"]]
    alb = adata.X[:, ids.index("ENSG00000163631")]
    assert (np.median(alb[tumour]), np.median(alb[np.array(codes) == "11"])) == pytest.approx((13103, 33033), rel=1e-3)
    cdr = mt.io.read_clinical(shared / "data" / "tcga-cdr" / "Liu2018_survivalData.xlsx")
    assert len(cdr) == 11160
    for cancer, patients, events in (("LIHC", 377, (132, 80, 147, 185)), ("CHOL", 45, (22, 18, 10, 23))):
        rows = cdr[cdr["type"] == cancer]
        assert len(rows) == patients
        assert tuple(int(rows[e].sum()) for e in ("OS", "DSS", "DFI", "PFI")) == events


def gene(adata: Any, name: str) -> Any:
    """Return the values of a gene called so in any column of `var`."""
    for column in adata.var.columns:
        at = np.flatnonzero((adata.var[column].astype(str) == name).to_numpy())
        if len(at):
            x = adata.X[:, at[0]]
            return np.asarray(x.toarray() if hasattr(x, "toarray") else x, dtype=float).ravel()
    raise KeyError(name)


def test_numbers_of_the_perturbations(shared: Path) -> None:
    data = shared / "data"
    arrays = [mt.read(data / "perturb-hmec-pik3ca" / f"PI3K_{n}Only_SCAN_Symbol_SM.txt.gz") for n in ("", "GFP_")]
    assert gene(arrays[0], "IRS2").mean() - gene(arrays[1], "IRS2").mean() == pytest.approx(-0.25, abs=0.01)
    tpm = mt.read(data / "perturb-hmec-pik3ca" / "gfp_rm5610_only.txt.gz")
    assert (2**tpm.X - 1).sum(axis=1) == pytest.approx(1e6, rel=1e-4)
    time = mt.read(data / "perturb-mcf10a-pi3k" / "mean_by_condition.tsv.gz")
    at = {n: i for i, n in enumerate(time.obs_names)}
    for name, wild, a66 in (("IRS2", 440, 888), ("TXNIP", 6031, 13657), ("SCD", 4518, 3290), ("SQLE", 7143, 5339)):
        values = gene(time, name)
        assert (values[at["WT_300"]], values[at["A66_300"]]) == pytest.approx((wild, a66), abs=0.5)
    crispr = mt.read(data / "perturb-crispr-rptor-rictor" / "rnaseq_nutri.tsv.gz")
    cpm = np.log2(crispr.X / crispr.X.sum(axis=1, keepdims=True) * 1e6 + 1)
    genotype = np.array([n.split("_")[0] for n in crispr.obs_names])
    assert (crispr.var["symbol"] == "").sum() == 3854
    for name, change in (("RPTOR", -1.9), ("FASN", -2.5)):
        values = cpm[:, list(crispr.var["symbol"]).index(name)]
        assert values[genotype == "Rap"].mean() - values[genotype == "v"].mean() == pytest.approx(change, abs=0.1)


def test_numbers_of_the_contrasts(shared: Path) -> None:
    data = shared / "data"
    rapamycin = mt.read(
        data / "perturb-rapamycin-mouse-liver" / "transcriptomics_DE_rapamycin_vs_control.csv.gz"
    ).var.set_index("symbol")
    assert ((rapamycin["pval"] < 0.05).sum(), (rapamycin["padj"] < 0.1).sum()) == (1239, 2)
    assert rapamycin.loc["Fasn", "log2FC"] == pytest.approx(-0.10, abs=0.005)
    muscle = mt.read(data / "perturb-tsc1-ko-muscle" / "Binary DESeq Results.csv.gz").var
    assert (muscle["padj"] < 0.05).sum() == 4403
    drugs = mt.read(data / "perturb-l1000-consensi-drugs" / "consensi-drugbank.tsv.gz")
    genes = mt.read(data / "perturb-l1000-consensi-drugs" / "genes.tsv.gz").var
    entrez = dict(zip(genes["symbol"], genes["entrez_gene_id"].astype(int).astype(str), strict=True))
    x = drugs.to_df().set_axis(drugs.var["id"], axis=1)
    assert x.loc["DB00877", entrez["DDIT4"]] == pytest.approx(-14.9, abs=0.05)
    assert np.corrcoef(x.loc["DB00877"], x.loc["DB06287"])[0, 1] == pytest.approx(0.87, abs=0.005)
    assert (drugs.X.min(), drugs.X.max()) == pytest.approx((-207, 203), abs=0.5)
    expressed = mt.read(data / "perturb-l1000-overexpression" / "dysregulated_genes.tsv").var
    assert (expressed["perturbagen_symbol"] == "TFEB").sum() == 240


def test_numbers_of_single_cells_and_donors(shared: Path) -> None:
    data = shared / "data"
    cells = mt.read(data / "singlecell-mouse-hepatoblast" / "expression.tsv.gz")
    assert (cells.X.min(), cells.X.max()) == pytest.approx((-6.2, 19.4), abs=0.05)
    table = mt.read(data / "singlecell-mouse-hepatoblast" / "cells.tsv").obs
    assert (table["in_hepatocyte_branch"] == "True").sum() == 408
    donors = mt.read(data / "native-formats" / "icgc" / "donor.LIRI-JP.tsv").obs
    assert (len(donors), donors["OS"].sum()) == (260, 46)
    chol = mt.read(data / "tcga-chol" / "CHOL.clinical.tsv.gz").obs
    assert (len(chol), chol["OS"].sum()) == (36, 18)
    survival = mt.read(data / "tcga-lihc" / "LIHC_survival.txt.gz").obs
    assert survival.groupby("_PATIENT")["OS"].first().agg(["size", "sum"]).tolist() == [377, 132]

"""Scales recognised with their evidence, and explicit ways between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse

import mtorscore as mt
from mtorscore.errors import DataError, DataWarning

RNG = np.random.default_rng(7)
COUNTS = RNG.negative_binomial(2, 0.01, size=(12, 400)).astype(float)
COUNTS[:, ::9] = 0
TPM = COUNTS / COUNTS.sum(axis=1, keepdims=True) * 1e6
LENGTHS = RNG.uniform(0.5, 5, 400)
FPKM = COUNTS / LENGTHS / COUNTS.sum(axis=1, keepdims=True) * 1e6 * RNG.uniform(0.7, 1.3, (12, 1))
RSEM = COUNTS / LENGTHS
RSEM = RSEM / np.percentile(RSEM, 75, axis=1, keepdims=True) * 1000
LOGS = np.log2(TPM[:, TPM.any(axis=0)] + 1)
SCORES = (LOGS - LOGS.mean(axis=0)) / LOGS.std(axis=0)


@pytest.mark.parametrize(
    ("x", "kind", "log"),
    [
        (COUNTS, "counts", "none"),
        (sparse.csr_matrix(COUNTS), "counts", "none"),
        (TPM, "tpm", "none"),
        (FPKM, "fpkm", "none"),
        (RSEM, "rsem", "none"),
        (np.log2(TPM + 1), "log2", "log2"),
        (np.log1p(COUNTS / COUNTS.sum(axis=1, keepdims=True) * 1e4), "ln", "ln"),
        (np.log2(FPKM + 1), "log2", "log2"),
        (RNG.normal(7, 2, (12, 400)).clip(2.1, 14.9), "rma", "log2"),
        (SCORES, "zscore", "none"),
        (RNG.normal(0, 900, (12, 400)), "zscore", "none"),
        (RNG.normal(0, 0.3, (12, 400)), "log2", "log2"),
    ],
    ids=["counts", "sparse", "tpm", "fpkm", "rsem", "log2tpm", "ln", "log2fpkm", "rma", "z", "statistic", "log-ratio"],
)
def test_detected(x: object, kind: str, log: str) -> None:
    adata = AnnData(x)
    before = adata.X.copy()
    scale = mt.pp.detect_scale(adata)
    assert (scale.kind, scale.log) == (kind, log)
    assert scale.evidence
    assert (before != adata.X).sum() == 0


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("hcc-gse184733/GSE184733_counts.tsv.gz", "counts"),
        ("tcga-chol/CHOL.rnaseqv2_rsem_normalized.tsv.gz", "rsem"),
        ("perturb-hmec-pik3ca/gfp_rm5610_only.txt.gz", "log2"),
        ("native-formats/geo/GSE42872_series_matrix.txt.gz", "rma"),
        ("native-formats/cbioportal/study_es_0/data_expression_median.txt", "log2"),
        ("perturb-l1000-consensi-drugs/consensi-drugbank.tsv.gz", "zscore"),
        ("singlecell-mouse-hepatoblast/expression.tsv.gz", "log2"),
        ("singlecell-copykat-tnbc", "counts"),
    ],
)
def test_detected_in_real_files(shared: Path, path: str, kind: str) -> None:
    assert mt.pp.detect_scale(mt.read(shared / "data" / path)).kind == kind


def test_normalise_is_explicit_and_recorded() -> None:
    adata = AnnData(COUNTS.copy())
    mt.pp.normalise(adata, "log2_cpm")
    np.testing.assert_array_equal(adata.X, COUNTS)
    np.testing.assert_allclose(adata.layers["log"], np.log2(TPM + 1), rtol=1e-12)
    assert adata.uns["normalised"]["log"] == {"method": "log2_cpm", "source": "X", "input_scale": "counts"}
    mt.pp.normalise(adata, "cpm", key_added="cpm")
    np.testing.assert_allclose(adata.layers["cpm"], TPM, rtol=1e-12)
    mt.pp.normalise(adata, "log1p", key_added="ln")
    np.testing.assert_allclose(adata.layers["ln"], np.log1p(TPM / 100), rtol=1e-12)
    assert set(adata.uns["normalised"]) == {"log", "cpm", "ln"}


def test_sparse_normalisation_is_the_dense_one() -> None:
    for method in ("log2", "cpm", "log2_cpm", "log1p", "median_of_ratios", "tmm"):
        dense = mt.pp.normalise(AnnData(COUNTS + 1), method, key_added=None).X
        thin = mt.pp.normalise(AnnData(sparse.csr_matrix(COUNTS + 1)), method, key_added=None).X
        np.testing.assert_allclose(thin.toarray(), dense, rtol=1e-12)


def test_median_of_ratios_undoes_library_size() -> None:
    base = RNG.poisson(200, 300).astype(float) + 1
    adata = AnnData(np.vstack([base, base * 2, base * 5]))
    y = mt.pp.normalise(adata, "median_of_ratios", key_added=None).X
    np.testing.assert_allclose(y[0], y[1], rtol=1e-12)
    np.testing.assert_allclose(y[0], y[2], rtol=1e-12)


def test_tmm_ignores_a_few_dominant_genes() -> None:
    base = RNG.poisson(300, 1000).astype(float) + 1
    other = base.copy()
    other[:10] *= 200  # a few genes take most of the library: CPM would push all others down
    y = mt.pp.normalise(AnnData(np.vstack([base, other])), "tmm", key_added=None).X
    np.testing.assert_allclose(y[0, 10:], y[1, 10:], rtol=1e-9)
    cpm = mt.pp.normalise(AnnData(np.vstack([base, other])), "cpm", key_added=None).X
    assert (cpm[0, 10:] / cpm[1, 10:]).min() > 2


def test_logarithms_are_not_taken_twice() -> None:
    with pytest.raises(DataError, match="needs counts or linear"):
        mt.pp.normalise(AnnData(np.log2(TPM + 1)), "log2")
    with pytest.raises(DataError, match="unknown method"):
        mt.pp.normalise(AnnData(COUNTS), "vst")


def test_declared_units_are_checked() -> None:
    mt.pp.check_values(AnnData(COUNTS), "counts")
    with pytest.raises(DataError, match="not whole numbers"):
        mt.pp.check_values(AnnData(TPM), "counts")
    with pytest.raises(DataError, match="negative"):
        mt.pp.check_values(AnnData(SCORES), "fpkm")
    with pytest.raises(DataError, match="unknown units"):
        mt.pp.check_values(AnnData(COUNTS), "reads")


def test_log_layer_by_scale() -> None:
    assert mt.pp.add_log_layer(AnnData(COUNTS), scale="counts").uns["normalised"]["log"]["method"] == "log2_cpm"
    with pytest.warns(DataWarning, match="a guess; declare"):
        assert mt.pp.add_log_layer(AnnData(FPKM)).uns["normalised"]["log"]["method"] == "log2"
    logged = mt.pp.add_log_layer(AnnData(np.log2(FPKM + 1)))
    np.testing.assert_array_equal(logged.layers["log"], logged.X)


def test_nothing_to_look_at() -> None:
    with pytest.raises(DataError, match="no values"):
        mt.pp.detect_scale(AnnData(np.zeros((0, 3))))
    with pytest.raises(DataError, match="missing"):
        mt.pp.detect_scale(AnnData(np.full((2, 2), np.nan)))


def test_what_may_be_something_else_is_not_called_certain() -> None:
    rng = np.random.default_rng(0)
    abundance = rng.lognormal(2, 1.5, (6, 400))
    tpm = abundance / abundance.sum(axis=1, keepdims=True) * 1e6
    tens = mt.pp.detect_scale(
        AnnData(
            np.log10(np.where(tpm > 900, tpm, 0) * 1e6 / np.where(tpm > 900, tpm, 0).sum(axis=1, keepdims=True) + 1)
        )
    )
    assert (tens.certain, "base 10" in tens.evidence[-1]) == (False, True)
    proportions = mt.pp.detect_scale(AnnData(rng.beta(0.5, 0.5, (6, 400))))
    assert (proportions.certain, "proportions" in proportions.evidence[-1]) == (False, True)
    array = mt.pp.detect_scale(AnnData(2 ** rng.normal(8, 2, (6, 400))))
    assert (array.kind, array.certain) == ("linear", False)

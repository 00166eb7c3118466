"""Genes that the field renamed are found in matrices that use the old names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from typer.testing import CliRunner

import mtorscore as mt
from mtorscore.cli.app import app
from mtorscore.collection import as_collection
from mtorscore.errors import CoverageWarning, DataWarning
from mtorscore.genes.symbols import current_symbol, other_names
from mtorscore.pipeline.config import open_signatures

RENAMED = {"GATSL3": "CASTOR1", "C7orf60": "BMT2", "C12orf66": "KICS2", "LARS": "LARS1"}


def test_old_names_in_a_matrix_reach_the_library() -> None:
    adata = AnnData(np.ones((2, 5)), var=pd.DataFrame(index=[*RENAMED, "MTOR"]))
    mt.pp.harmonise_genes(adata)
    assert set(adata.var_names) == {*RENAMED.values(), "MTOR"}
    assert {"CASTOR1", "BMT2", "KICS2"} <= set(mt.library()["AMINO_ACID_SENSORS"].genes)


@pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")
def test_tcga_chol_uses_old_names_and_loses_none(shared: Path) -> None:
    adata = mt.read(next((shared / "data" / "tcga-chol").glob("*rsem_normalized*")))
    published = {str(n).split("|")[0] for n in adata.var_names}
    assert set(RENAMED) <= published
    mt.pp.harmonise_genes(adata)
    assert set(RENAMED.values()) <= set(adata.var_names)
    sensors = mt.library()["AMINO_ACID_SENSORS"].genes
    assert set(sensors) <= set(adata.var_names)


def test_the_library_is_asked_by_any_name_of_a_gene() -> None:
    for name in ("SAMTOR", "C7orf60", "C7ORF60", "BMT2"):
        assert mt.library().holding(name).names == ["AMINO_ACID_SENSORS"]
    assert len(mt.library().holding("NOT_A_GENE")) == 0


def test_names_of_every_vintage_are_followed_and_ambiguous_ones_are_not() -> None:
    assert current_symbol("C12ORF66") == ("KICS2",)
    assert current_symbol("SAMTOR") == ("BMT2",)
    assert set(current_symbol("MIP1")) == {"MAPKAP1", "TNPO1"}
    assert current_symbol("NOT_A_GENE") == ()
    wanted = ["SAMTOR", "CASTOR1", "FASN", "MAPKAP1", "DEPTOR"]
    held = ["BMT2", "GATSL3", "FASN", "MIP1", "DEPDC6", "DEP.6"]
    # FASN is there; MIP1 is ambiguous; DEPTOR is there twice under old names, so nothing says which row is meant.
    assert other_names(wanted, held) == {"SAMTOR": "BMT2", "CASTOR1": "GATSL3"}


def test_a_gene_that_counts_as_missing_only_by_its_name_is_reported() -> None:
    adata = AnnData(np.arange(12.0).reshape(2, 6), var=pd.DataFrame(index=["BMT2", "FASN", "SCD", "A1", "A2", "A3"]))
    old = {"X": ["SAMTOR", "FASN", "SCD"]}
    with pytest.warns(CoverageWarning, match="SAMTOR as BMT2"):
        mt.tl.score(adata, old, method="singscore")
    with pytest.warns(CoverageWarning, match="SAMTOR as BMT2"):
        mt.SignatureScorer(old, method="zscore").fit(adata)
    renamed, report = as_collection(old).rename_genes()
    assert report["status"].tolist() == ["renamed"]
    mt.tl.score(adata, renamed, method="singscore")  # a warning would fail the test
    with pytest.warns(CoverageWarning) as caught:
        mt.tl.score(adata, {"X": ["SAMTOR"]}, method="singscore")
    assert any("None of the genes" in str(w.message) for w in caught)
    assert any("SAMTOR as BMT2" in str(w.message) for w in caught)


def test_a_users_lists_are_renamed_where_the_matrix_is(tmp_path: Path) -> None:
    genes = ["GATSL3", "C7orf60", "LARS", "MTOR", "FASN", "SCD"]
    pd.DataFrame(np.arange(12.0).reshape(6, 2), index=genes, columns=["s1", "s2"]).to_csv(tmp_path / "m.tsv", sep="\t")
    (tmp_path / "unclear.gmt").write_text("OLD\tna\tSAMTOR\tMIP1\n")
    with pytest.warns(DataWarning, match="1 symbol.* are ambiguous .*MIP1 may be MAPKAP1 or TNPO1"):
        assert open_signatures(str(tmp_path / "unclear.gmt"))["OLD"].genes == ("BMT2", "MIP1")
    (tmp_path / "old.gmt").write_text("OLD\tna\tSAMTOR\tCASTOR1\tLARS1\tMTOR\n")
    with pytest.warns(DataWarning, match="SAMTOR -> BMT2"):
        assert open_signatures(str(tmp_path / "old.gmt"))["OLD"].genes == ("BMT2", "CASTOR1", "LARS1", "MTOR")
    out, found = tmp_path / "scores.tsv", tmp_path / "coverage.tsv"
    arguments = ["score", tmp_path / "m.tsv", "-s", tmp_path / "old.gmt", "-o", out, "--coverage", found, "--harmonise"]
    with pytest.warns(DataWarning, match="1 gene symbol"):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.exception
    assert pd.read_csv(found, sep="\t")["coverage"].tolist() == [1.0]

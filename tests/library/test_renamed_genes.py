"""Genes that the field renamed are found in matrices that use the old names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import mtorscore as mt

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

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtorscore.errors import DataError
from mtorscore.io.gene_set_scores import write_gene_set_scores

SAMPLES = ["S1", "S\t2"]


def pair() -> tuple[pd.DataFrame, pd.DataFrame]:
    scores = pd.DataFrame({"A": [0.1, -0.2], "B": [0.3, np.nan]}, index=SAMPLES)
    return scores, pd.DataFrame({"A": [0.01, 0.5], "B": [0.2, 0.2]}, index=SAMPLES)


def test_a_pair_with_its_metadata_is_written(tmp_path: Path) -> None:
    paths = write_gene_set_scores(*pair(), tmp_path, study="TCGA-LIHC (2)", method="singscore")
    assert {p.name for p in paths} == {f"{a}_gsva_{b}.txt" for a in ("data", "meta") for b in ("scores", "pvalues")}
    table = pd.read_csv(tmp_path / "data_gsva_scores.txt", sep="\t", index_col="geneset_id")
    assert table.to_dict() == {"S1": {"A": 0.1}, "S 2": {"A": -0.2}}, "signatures with gaps are left out"
    meta = dict(line.split(": ", 1) for line in (tmp_path / "meta_gsva_pvalues.txt").read_text().splitlines())
    assert meta["datatype"] == "P-VALUE"
    assert meta["source_stable_id"] == "gsva_scores"
    assert meta["cancer_study_identifier"] == "tcga_lihc_2"
    assert (tmp_path / meta["data_filename"]).is_file()


def test_what_cannot_be_imported_is_refused(tmp_path: Path) -> None:
    scores, pvalues = pair()
    with pytest.raises(DataError, match="between -1 and 1"):
        write_gene_set_scores(scores * 10, pvalues, tmp_path, study="a", method="zscore")
    with pytest.raises(DataError, match="No signature"):
        write_gene_set_scores(scores[["B"]], pvalues, tmp_path, study="a", method="zscore")

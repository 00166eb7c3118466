"""The three real cohorts, from raw files to patients: the numbers that must come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtorscore.pipeline import load_cohort, prepare, read_table
from mtorscore.pipeline.relate import endpoints_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.shared,
    # What is left out is warned of with its rules, and counted here.
    pytest.mark.filterwarnings("ignore:.*(are left out|is left out):mtorscore.errors.DataWarning"),
]


def counts(obs: pd.DataFrame) -> dict[str, int]:
    tumours = obs[(obs["sample_type"] == "tumour") & obs["in_outcome"].astype(bool)]
    events = {f"{name} events": int(tumours[name].sum()) for name in ("OS", "PFI")}
    return {"patients": tumours["patient"].nunique(), "rows": len(tumours), **events}


@pytest.mark.parametrize(
    ("histology", "patients", "os", "pfi", "left_out"),
    [("default", 153, 55, 84, {"fibrolamellar": 2, "mixed": 1}), ("all", 156, 55, 85, {})],
)
def test_tcga_lihc(
    shared: Path, tmp_path: Path, histology: str, patients: int, os: int, pfi: int, left_out: dict[str, int]
) -> None:
    prepare("tcga-lihc", tmp_path, data=shared / "data", histology=histology)
    adata = load_cohort(tmp_path)
    assert counts(adata.obs) == {"patients": patients, "rows": patients, "OS events": os, "PFI events": pfi}
    assert (adata.obs["sample_type"] == "normal").sum() == 21
    log = read_table(tmp_path / "exclusions.tsv")
    rules = log["rule"].value_counts()
    assert rules["recurrent"] == 2
    assert {rule: rules.get(rule, 0) for rule in left_out} == left_out
    assert set(log.loc[log["rule"] == "recurrent", "sample"].str[:15]) == {"TCGA-DD-AACA-02", "TCGA-ZS-A9CF-02"}
    assert (log["rule"] == "zero_time").any()
    tumours = adata[(adata.obs["sample_type"] == "tumour").to_numpy()]
    medians = np.median(np.asarray(tumours.X), axis=0)
    assert tumours.var_names[int(medians.argmax())] == "ALB"
    assert [e.name for e in endpoints_of(tumours)[0]] == ["OS", "DSS", "PFI", "DFI"]


def test_tcga_chol(shared: Path, tmp_path: Path) -> None:
    prepare("tcga-chol", tmp_path, data=shared / "data")
    adata = load_cohort(tmp_path)
    assert counts(adata.obs) == {"patients": 36, "rows": 36, "OS events": 18, "PFI events": 20}
    assert (adata.obs["sample_type"] == "normal").sum() == 9
    assert adata.obs.index.str[:12].tolist() == adata.obs["patient"].tolist()


def test_gse184733(shared: Path, tmp_path: Path) -> None:
    prepare("gse184733", tmp_path, data=shared / "data")
    adata = load_cohort(tmp_path)
    assert adata.obs["sample_type"].value_counts().to_dict() == {"tumour": 17, "normal": 17}
    assert endpoints_of(adata) == ([], [])
    gpc3 = pd.Series(
        np.asarray(adata[:, "GPC3"].X.toarray() if hasattr(adata.X, "toarray") else adata[:, "GPC3"].X)[:, 0]
    )
    medians = gpc3.groupby((adata.obs["sample_type"] == "tumour").to_numpy()).median()
    assert medians.to_dict() == {True: 2244, False: 25}

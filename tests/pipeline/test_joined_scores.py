"""Scores and clinical table are joined as in a run: barcodes of any length, every patient once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtorscore.errors import DataError, DataWarning
from mtorscore.pipeline.joined_scores import join_clinical, methods_beside
from mtorscore.pipeline.tables import relate_label, relate_survival

PATIENTS = [f"TCGA-ZZ-{i:04d}" for i in range(20)]


def write(folder: Path, names: list[str], table: pd.DataFrame) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    scores = pd.DataFrame({"observation": names, "A": rng.normal(size=len(names)), "B": rng.normal(size=len(names))})
    scores.to_csv(folder / "s.tsv", sep="\t", index=False)
    table.to_csv(folder / "c.tsv", sep="\t", index=False)
    return folder / "s.tsv", folder / "c.tsv"


def test_tumour_and_normal_of_a_patient_count_once(shared: Path) -> None:
    folder = shared / "cases" / "reading"
    with pytest.warns(DataWarning, match=r"of 120 samples are left out 40 of normal tissue \(TCGA-ZZ-0000-11A"):
        joined = join_clinical(
            folder / "f9a_tumour_and_normal.scores.tsv", folder / "f9a_tumour_and_normal.survival.tsv"
        )
    assert len(joined.scores) == 80
    assert joined.scores.index.str.endswith("-01A").all()


def test_aliquots_join_patients_and_recurrences_are_left_out(tmp_path: Path) -> None:
    names = [f"{p}-01A-11R-A000-07" for p in PATIENTS] + [f"{p}-02A-11R-A000-07" for p in PATIENTS[:6]]
    table = pd.DataFrame({"bcr_patient_barcode": PATIENTS, "OS": [0, 1] * 10, "OS.time": range(100, 120)})
    with pytest.warns(DataWarning, match=r"of 26 samples are left out 6 by the rule recurrent"):
        joined = join_clinical(*write(tmp_path, names, table))
    assert joined.scores.index.tolist() == names[:20]
    assert joined.clinical["OS.time"].tolist() == list(range(100, 120))
    assert joined.patients is None


def test_a_label_may_be_about_normal_tissue(tmp_path: Path) -> None:
    names = [f"{p}-{code}A" for p in PATIENTS for code in ("01", "11")]
    table = pd.DataFrame({"sample": names, "tissue": ["tumour", "normal"] * 20})
    joined = join_clinical(*write(tmp_path, names, table), normals=True)
    assert len(joined.scores) == 40
    assert joined.patients is not None
    assert joined.patients.tolist() == [p for p in PATIENTS for _ in range(2)]
    found = relate_label(joined.scores, joined.clinical, "tissue", positive="tumour", patients=joined.patients)
    assert set(found["n"]) == {40}


def test_the_rule_reads_a_patient_column_as_a_run_does(tmp_path: Path) -> None:
    names = [f"s{i}" for i in range(20)]
    table = pd.DataFrame({"sample": names, "patient": [f"p{i // 2}" for i in range(20)], "OS": 1, "OS.time": 5})
    with pytest.warns(DataWarning, match="10 by the rule repeat"):
        joined = join_clinical(*write(tmp_path, names, table))
    assert joined.clinical["patient"].is_unique
    assert len(joined.scores) == 10


def test_only_normals_is_said(tmp_path: Path) -> None:
    names = [f"{p}-11A" for p in PATIENTS]
    table = pd.DataFrame({"sample": PATIENTS, "OS": 1, "OS.time": 5})
    with pytest.raises(DataError, match="None of the 20 observations is a tumour"):
        join_clinical(*write(tmp_path, names, table))


def test_ratios_by_several_methods_say_whether_these_agree(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"s{i}" for i in range(80)]
    risk = rng.normal(size=80)
    clinical = pd.DataFrame({"sample": names, "t": rng.exponential(900 * np.exp(-risk)), "e": 1})
    parts = [
        pd.DataFrame({"observation": names, "method": m, "A": k * risk, "B": rng.normal(size=80)})
        for m, k in (("ucell", 1.0), ("mean", 5.0))
    ]
    pd.concat(parts).to_csv(tmp_path / "s.tsv", sep="\t", index=False)
    clinical.to_csv(tmp_path / "c.tsv", sep="\t", index=False)
    joined = join_clinical(tmp_path / "s.tsv", tmp_path / "c.tsv")
    table = relate_survival(joined.scores, joined.clinical, time="t", event="e", unit="days")
    told = methods_beside(table).set_index("signature")
    alone = told[told["model"] == "unadjusted"]
    assert alone.loc[["A (ucell)", "A (mean)"], "claim"].tolist() == ["above: all 2 methods"] * 2
    assert list(told.columns) == [*table.columns[1:], "methods_agree", "differ", "claim"]
    one = table[table["signature"].str.endswith("(mean)")]
    assert methods_beside(one) is one

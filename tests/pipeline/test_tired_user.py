"""Ten mistakes of a tired user, at the door of `mtorscore run`: each is caught in one sentence, or repaired and said.

Every case writes the two files of a group, makes one mistake, and does what the command does before it scores.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from mtorscore._doors import COMMAND_LINE, at_door
from mtorscore.errors import DataError, EndpointError, MtorscoreWarning
from mtorscore.pipeline import load_cohort, prepare
from mtorscore.pipeline.own_data import OwnData, write_inputs

GENES = [
    *("FASN", "SCD", "ACACA", "ACLY", "SREBF1", "HMGCR", "LDLR", "SQLE", "MTOR", "RPTOR", "RHEB", "AKT1", "PTEN"),
    *("TSC1", "TSC2", "ALB", "AFP", "MKI67", "PCNA", "TP53", "ACTB", "GAPDH", "VEGFA", "HIF1A", "MYC", "CCND1"),
    *("EIF4E", "RPS6", "ULK1", "SQSTM1"),
]
SAMPLES = [f"HCC-{i:03d}" for i in range(1, 31)]


def counts() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    values = rng.negative_binomial(3, 0.001, (len(GENES), len(SAMPLES)))
    return pd.DataFrame(values, index=pd.Index(GENES, name="gene"), columns=SAMPLES)


def clinical() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "sample": SAMPLES,
            "age": rng.integers(40, 80, len(SAMPLES)),
            "stage": rng.choice(["I", "II", "III"], len(SAMPLES)),
            "futime": rng.integers(60, 3000, len(SAMPLES)),
            "status": rng.integers(0, 2, len(SAMPLES)),
        }
    )


def prepared(folder: Path, matrix: Path, table: pd.DataFrame, **options: Any) -> tuple[ad.AnnData, str]:
    """Return the cohort that a run would score, and everything that it warned of on the way."""
    table.to_csv(folder / "clinical.csv", index=False)
    asked = {"time": "futime", "event": "status"} | options
    own = OwnData(name="own", expression=matrix, clinical=folder / "clinical.csv", **asked)
    with at_door(COMMAND_LINE), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        write_inputs(own, folder / "results")
        prepare(str(folder / "results/own/inputs/recipe.yaml"), folder / "out", data=folder)
    said = [str(w.message) for w in caught if issubclass(w.category, MtorscoreWarning)]
    return load_cohort(folder / "out"), "\n".join(said)


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    counts().to_csv(tmp_path / "expression.tsv", sep="\t")
    return tmp_path / "expression.tsv"


def test_without_a_mistake_nothing_but_the_tumours_is_said(tmp_path: Path, matrix: Path) -> None:
    adata, said = prepared(tmp_path, matrix, clinical())
    assert adata.shape == (30, 30)
    assert said.startswith("All 30 samples are taken as tumours, as nothing says otherwise.")
    assert "\n" not in said


def test_1_ids_with_dots_for_dashes_are_joined_and_said(tmp_path: Path) -> None:
    counts().rename(columns=lambda n: n.replace("-", ".")).to_csv(tmp_path / "e.tsv", sep="\t")
    adata, said = prepared(tmp_path, tmp_path / "e.tsv", clinical())
    assert adata.obs["status.time"].notna().all()
    assert adata.obs.loc["HCC.007", "age"] == clinical().set_index("sample").loc["HCC-007", "age"]
    assert "30 of 30 samples were matched although their names are spelt differently" in said
    assert "HCC.001 and HCC-001" in said


def test_2_months_for_days_are_doubted_with_the_option(tmp_path: Path, matrix: Path) -> None:
    table = clinical().assign(futime=lambda t: (t["futime"] / 30.4375).round(1))
    said = prepared(tmp_path, matrix, table)[1]
    assert "read in days, the times of futime are implausible" in said
    assert "If they are weeks or months or years, say so: --unit" in said
    adata, said = prepared(tmp_path, matrix, table, unit="months")
    assert "implausible" not in said
    table = clinical().rename(columns={"futime": "OS_MONTHS"}).assign(OS_MONTHS=lambda t: t["OS_MONTHS"] / 30.4375)
    adata, said = prepared(tmp_path, matrix, table, time="OS_MONTHS")
    assert "Times are read as months, as the column's name OS_MONTHS says; --unit says otherwise." in said
    np.testing.assert_allclose(adata.obs["status.time"], clinical()["futime"], rtol=1e-9)


def test_2_days_for_months_are_389_years(tmp_path: Path, matrix: Path) -> None:
    said = prepared(tmp_path, matrix, clinical().assign(futime=4671), unit="months")[1]
    assert "the longest follow-up would be 389 years. If they are days or weeks, say so: --unit" in said


def test_3_events_of_1_and_2_are_refused_with_the_way_out(tmp_path: Path, matrix: Path) -> None:
    with pytest.raises(EndpointError, match=r"status holds 2, .* Use 1 where .* R's coding \(1 censored, 2 event\)"):
        prepared(tmp_path, matrix, clinical().assign(status=lambda t: t["status"] + 1))


def test_4_a_transposed_matrix_is_read_as_it_is(tmp_path: Path, matrix: Path) -> None:
    counts().T.rename_axis("sample").to_csv(tmp_path / "t.tsv", sep="\t")
    adata, _ = prepared(tmp_path, tmp_path / "t.tsv", clinical())
    right, _ = prepared(tmp_path, matrix, clinical())
    assert list(adata.obs_names) == list(right.obs_names)
    np.testing.assert_array_equal(adata[:, right.var_names].layers["log"], right.layers["log"])


def test_5_title_rows_in_a_workbook_are_passed_over(tmp_path: Path, matrix: Path) -> None:
    with pd.ExcelWriter(tmp_path / "e.xlsx") as book:
        counts().to_excel(book, startrow=3)
        book.sheets["Sheet1"].cell(1, 1, "Supplementary Table 2: expression in 30 tumours")
    adata, said = prepared(tmp_path, tmp_path / "e.xlsx", clinical())
    right, _ = prepared(tmp_path, matrix, clinical())
    np.testing.assert_array_equal(adata.layers["log"], right.layers["log"])
    assert said.startswith("All 30 samples")


def test_6_duplicated_patients_are_refused_or_counted_once(tmp_path: Path, matrix: Path) -> None:
    table = pd.concat([clinical(), clinical().iloc[[4]].assign(futime=1)])
    with pytest.raises(DataError, match=r"clinical.csv: 1 observation\(s\) are duplicated \(HCC-005\); keep one row"):
        prepared(tmp_path, matrix, table)
    names = [f"TCGA-ZZ-{i // 2:04d}-0{1 + i % 2}A" for i in range(30)]
    counts().set_axis(names, axis=1).to_csv(tmp_path / "e.tsv", sep="\t")
    patients = clinical().iloc[:15].assign(sample=[f"TCGA-ZZ-{i:04d}" for i in range(15)])
    adata, said = prepared(tmp_path, tmp_path / "e.tsv", patients)
    assert adata.n_obs == 15
    assert "15 sample(s) are left out: 15 by the rule recurrent (TCGA-ZZ-0000-02A" in said


def test_7_decimal_commas_are_read_and_said(tmp_path: Path) -> None:
    logs = np.log2(counts() + 1).round(4)
    logs.map(lambda v: f"{v:.4f}".replace(".", ",")).to_csv(tmp_path / "e.csv", sep=";")
    adata, said = prepared(tmp_path, tmp_path / "e.csv", clinical(), units="log2")
    np.testing.assert_allclose(adata[:, "FASN"].X.ravel(), logs.loc["FASN"])
    assert "decimal commas" in said
    # Three decimals may also be thousands: neither is guessed.
    logs.map(lambda v: f"{v:.3f}".replace(".", ",")).to_csv(tmp_path / "e.csv", sep=";")
    with pytest.raises(DataError, match=r"line 2.*text where numbers are expected.*or commas are decimals"):
        prepared(tmp_path, tmp_path / "e.csv", clinical(), units="log2")


def test_8_counts_declared_as_logarithms_are_refused(tmp_path: Path, matrix: Path) -> None:
    with pytest.raises(DataError, match=r"declared as log2 and its values reach .*counts.*Declare .* --units counts"):
        prepared(tmp_path, matrix, clinical(), units="log2")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"time": "stage"}, r"time column stage holds 30 value\(s\) that are not numbers .*--time.*futime"),
        ({"event": "stage"}, "column stage holds .*, which may mean anything"),
        ({"event": "age"}, "column age holds .*, which may mean anything"),
        ({"time": "futimes"}, "no column futimes; it has sample, age, stage, futime, status. Did you mean 'futime'"),
    ],
)
def test_9_a_wrong_column_is_named(tmp_path: Path, matrix: Path, options: dict[str, str], said: str) -> None:
    with pytest.raises(EndpointError, match=said):
        prepared(tmp_path, matrix, clinical(), **options)


def test_10_a_missing_sample_is_counted_on_both_sides(tmp_path: Path, matrix: Path) -> None:
    table = clinical().replace({"sample": {"HCC-004": "HCC-104"}})
    adata, said = prepared(tmp_path, matrix, table)
    assert np.isnan(adata.obs.loc["HCC-004", "status.time"])
    assert "1 of 30 samples of the matrix have no row in the clinical table (HCC-004)" in said
    assert "1 of 30 rows of the clinical table belong to no sample of the matrix (HCC-104)" in said


@pytest.mark.parametrize("word", ["NA", "n.d.", "unknown", "missing", "not done", "#N/A", "-", ""])
def test_a_word_for_missing_makes_only_that_cell_missing(tmp_path: Path, matrix: Path, word: str) -> None:
    table = clinical().astype(object)
    table.loc[3, "age"] = table.loc[5, "futime"] = table.loc[7, "status"] = word
    adata, _ = prepared(tmp_path, matrix, table)
    assert np.flatnonzero(adata.obs["age"].isna()).tolist() == [3]
    assert np.flatnonzero(adata.obs["status"].isna()).tolist() == [5, 7]
    assert adata.obs["age"].dtype == float


def test_negative_times_are_counted(tmp_path: Path, matrix: Path) -> None:
    table = clinical()
    table.loc[[2, 6], "futime"] = -5
    said = prepared(tmp_path, matrix, table)[1]
    assert "2 sample(s) have a negative time (HCC-003, HCC-007) and count as no status" in said

# ruff: noqa: E501
"""Recipes of cohorts that nobody here has read, and a cohort added as the manual says."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore.errors import ConfigError, DataError, MtorscoreError

GENES = ["TP53", "ALB", "MYC", "EGFR", "FASN", "RPS6", "MTOR", "SCD"]
GSM = [f"GSM{i}" for i in range(1, 9)]
MANUAL = Path(__file__).parents[2] / "docs" / "howto" / "new_cohort.md"


def matrix(characteristics: dict[str, list[object]]) -> bytes:
    """Return a series matrix of eight samples on GPL3921."""
    names = "\t".join(f'"{s}"' for s in GSM)
    lines = ['!Series_geo_accession\t"GSE14520"', f"!Sample_geo_accession\t{names}"]
    for key, values in characteristics.items():
        lines.append("!Sample_characteristics_ch1\t" + "\t".join(f'"{key}: {v}"' for v in values))
    x = np.random.default_rng(0).normal(8, 1, (len(GENES), 8)).round(3)
    rows = [f'"{i}_at"\t' + "\t".join(map(str, row)) for i, row in enumerate(x)]
    return gzip.compress(
        "\n".join(
            [*lines, "!series_matrix_table_begin", f'"ID_REF"\t{names}', *rows, "!series_matrix_table_end", ""]
        ).encode()
    )


def supplement(**renamed: str) -> bytes:
    frame = pd.DataFrame(
        {
            "Affy_GSM": GSM,
            "Tissue Type": ["Tumor", "Non-Tumor"] * 4,
            "Survival months": np.arange(8) + 1.0,
            "Survival status": [1, 0] * 4,
            "Recurr months": np.arange(8) + 0.5,
            "Recurr status": [0, 1] * 4,
        }
    )
    text = frame.rename(columns=renamed).to_csv(sep="\t", index=False)
    return gzip.compress(text.encode())


@pytest.fixture
def gse14520(tmp_path: Path) -> Path:
    rows = "".join(f"{i}_at\t{g}\n" for i, g in enumerate(GENES))
    annotation = f"^Annotation\n!Annotation_platform = GPL3921\n!platform_table_begin\nID\tGene symbol\n{rows}!platform_table_end\n"
    for name, data in {
        "GSE14520/GSE14520-GPL3921_series_matrix.txt.gz": matrix({"tissue": ["liver"] * 8}),
        "GSE14520/suppl/GSE14520_Extra_Supplement.txt.gz": supplement(),
        "GPL3921/GPL3921.annot.gz": gzip.compress(annotation.encode()),
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path


def test_an_unverified_recipe_whose_fields_are_all_there_is_followed(gse14520: Path) -> None:
    adata = mt.pp.prepare_cohort("gse14520", gse14520)
    assert sorted(adata.var_names) == sorted(GENES)
    tumours = adata.obs[adata.obs["in_outcome"]]
    assert len(tumours) == 4
    np.testing.assert_allclose(tumours["OS.time"], np.array([1, 3, 5, 7]) * 30.4375)
    assert tumours["OS"].tolist() == [1] * 4
    assert adata.uns["recipe"]["status"] == "unverified"


@pytest.mark.parametrize(
    "field", ["Survival months", "Survival status", "Recurr months", "Recurr status", "Tissue Type", "Affy_GSM"]
)
def test_an_unverified_recipe_with_a_field_missing_is_refused(gse14520: Path, field: str) -> None:
    path = gse14520 / "GSE14520" / "suppl" / "GSE14520_Extra_Supplement.txt.gz"
    path.write_bytes(supplement(**{field: "renamed"}))
    with pytest.raises(MtorscoreError) as caught:
        mt.pp.prepare_cohort("gse14520", gse14520)
    message = str(caught.value)
    assert field in message
    # What is there instead is listed, so that the recipe can be corrected.
    assert "renamed" in message


@pytest.mark.parametrize("name", ["gse76427", "gse54236", "gse26566", "gse89749"])
def test_recipes_that_nobody_has_checked_invent_no_endpoint(name: str) -> None:
    recipe = mt.pp.load_recipe(name)
    assert (recipe.status, recipe.endpoints, recipe.labels, recipe.group) == ("unverified", {}, {}, None)


def test_a_cohort_is_added_as_the_manual_says(tmp_path: Path) -> None:
    text = MANUAL.read_text()
    recipe = re.search(r"```yaml\n(id: my-cohort\n.*?)```", text, re.DOTALL)
    assert recipe is not None
    (tmp_path / "my-cohort.yaml").write_text(recipe[1])
    folder = tmp_path / "my-cohort"
    folder.mkdir()
    samples = [f"P{i}{kind}" for i in range(3) for kind in "TN"]
    abundance = pd.DataFrame(
        np.random.default_rng(0).lognormal(3, 1, (8, 6)), index=pd.Index(GENES, name="gene"), columns=samples
    )
    abundance.to_csv(folder / "expression.tsv.gz", sep="\t")
    clinical = pd.DataFrame(
        {
            "sample": samples,
            "tissue": ["tumor", "adjacent"] * 3,
            "patient_id": [s[:2] for s in samples],
            "os_months": [12, 12, 6, 6, 24, 24],
            "os_status": ["DECEASED", "DECEASED", "LIVING", "LIVING", "LIVING", "LIVING"],
            "died_of_hcc": [1, 1, 0, 0, 0, 0],
            "died": [1, 1, 0, 0, 0, 0],
            "histologic_grade": ["G1", "G1", "G2", "G2", "G3", "G3"],
            "recurred": ["yes", "yes", "no", "no", "no", "no"],
            "ajcc_stage": ["II"] * 6,
            "age": [60] * 6,
            "gender": ["F"] * 6,
        }
    )
    clinical.to_csv(folder / "clinical.tsv", sep="\t", index=False)
    adata = mt.pp.prepare_cohort(tmp_path / "my-cohort.yaml", tmp_path)
    tumours = adata.obs[adata.obs["in_outcome"]]
    assert tumours["patient"].tolist() == ["P0", "P1", "P2"]
    assert tumours["OS"].tolist() == [1, 0, 0]
    np.testing.assert_allclose(tumours["OS.time"], np.array([12, 6, 24]) * 30.4375)
    assert tumours["recurrence"].tolist() == [1, 0, 0]
    assert tumours["stage"].tolist() == ["II"] * 3
    assert tumours["sex"].tolist() == ["female"] * 3
    clinical.rename(columns={"os_months": "months"}).to_csv(folder / "clinical.tsv", sep="\t", index=False)
    with pytest.raises((ConfigError, DataError), match=r"os_months.*months"):
        mt.pp.prepare_cohort(tmp_path / "my-cohort.yaml", tmp_path)

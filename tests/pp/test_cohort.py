"""Recipes and cohorts: the numbers that the real cohorts must give, and wrong input in one clear sentence."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml

import mtorscore as mt
from mtorscore.errors import ConfigError, DataError, DataWarning, EndpointError, FormatError
from mtorscore.pipeline.relate import endpoints_of


def counts(adata: anndata.AnnData) -> dict[str, tuple[int, int]]:
    tumours = adata.obs[adata.obs["in_outcome"]]
    return {e: (int(tumours[e].notna().sum()), int(tumours[e].sum())) for e in adata.uns["recipe"]["endpoints"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("histology", "expected", "dropped"),
    [
        ("default", {"OS": (153, 55), "DSS": (149, 36), "DFI": (136, 69), "PFI": (153, 84)}, 5),
        ("all", {"OS": (156, 55), "DSS": (152, 36), "DFI": (136, 69), "PFI": (156, 85)}, 2),
    ],
)
def test_tcga_lihc(
    shared: Path, tmp_path: Path, histology: str, expected: dict[str, tuple[int, int]], dropped: int
) -> None:
    adata = mt.pp.prepare_cohort("tcga-lihc", shared / "data", histology=histology)
    assert counts(adata) == expected
    assert (adata.obs["sample_type"] == "normal").sum() == 21
    if histology == "default":
        causes = adata.obs[adata.obs["sample_type"] == "tumour"]
        assert [int((causes[c] == "yes").sum()) for c in ("HBV", "HCV", "alcohol", "NAFLD")] == [52, 25, 43, 8]
        assert causes["HBV"].isna().sum() == 6
    assert (adata.obs["sample_type"] == "tumour").sum() == expected["OS"][0]
    log = adata.uns["exclusions"]
    gone = log[log["effect"] == "dropped"]
    assert len(gone) == dropped
    assert sorted(gone.loc[gone["rule"] == "recurrent", "patient"]) == ["TCGA-DD-AACA", "TCGA-ZS-A9CF"]
    if histology == "default":
        assert gone["rule"].value_counts().to_dict() == {"fibrolamellar": 2, "recurrent": 2, "mixed": 1}
    zero = log[(log["rule"] == "zero_time") & log["reason"].str.startswith("OS.")]
    assert len(zero) == 1
    assert zero["effect"].tolist() == ["kept"]
    assert str(adata.var_names[np.asarray(adata.X).mean(axis=0).argmax()]) == "ALB"
    np.testing.assert_allclose(adata.layers["log"][:3], np.log2(adata.X[:3].astype(float) + 1))
    assert adata.var_names.is_unique
    assert len(adata.uns["genes"]) == 60483
    path = tmp_path / "cohort.h5ad"
    adata.write_h5ad(path)
    back = anndata.read_h5ad(path)
    assert back.uns["exclusions"].shape == log.shape
    assert back.obs["stage"].cat.categories.tolist() == ["I", "II", "III", "IV"]


@pytest.mark.slow
def test_tcga_chol(shared: Path) -> None:
    adata = mt.pp.prepare_cohort("tcga-chol", shared / "data")
    assert counts(adata) == {"OS": (36, 18), "DSS": (35, 16), "DFI": (24, 10), "PFI": (36, 20)}
    assert adata.obs["sample_type"].value_counts().to_dict() == {"tumour": 36, "normal": 9}


def test_gse184733(shared: Path) -> None:
    adata = mt.pp.prepare_cohort("gse184733", shared / "data")
    assert adata.obs["sample_type"].value_counts().to_dict() == {"tumour": 17, "normal": 17}
    cpm = np.asarray(adata.X) / np.asarray(adata.X).sum(axis=1, keepdims=True) * 1e6
    np.testing.assert_allclose(adata.layers["log"], np.log2(cpm + 1))
    assert adata.uns["normalised"]["log"]["method"] == "log2_cpm"


def test_label_cohorts(shared: Path) -> None:
    first = mt.pp.prepare_cohort("gse131329", shared / "data")
    assert first.shape == (67, 0)
    assert first.obs["death"].value_counts().to_dict() == {0.0: 38, 1.0: 15}
    assert first.obs["age"].iloc[0] == 33 / 12
    second = mt.pp.prepare_cohort("gse75271", shared / "data")
    assert second.obs["sample_type"].value_counts().to_dict() == {"tumour": 50, "normal": 5}
    assert second.obs["age"].iloc[0] == 0.7
    third = mt.pp.prepare_cohort("liri-jp", shared / "data")
    assert counts(third) == {"OS": (260, 46)}
    assert third.obs["stage"].value_counts().to_dict() == {"II": 117, "III": 80, "I": 40, "IV": 23}


def test_every_shipped_recipe_is_valid() -> None:
    assert {"tcga-lihc", "tcga-chol", "gse184733", "gse14520", "liri-jp"} <= set(mt.pp.recipes())
    for name in mt.pp.recipes():
        recipe = mt.pp.load_recipe(name)
        assert recipe.id == name
        assert recipe.title
        assert recipe.source
        assert recipe.terms


RECIPE = {
    "id": "small",
    "cancer": "hcc",
    "status": "verified",
    "expression": {"file": "expression.tsv", "units": "counts"},
    "clinical": [{"file": "clinical.tsv", "key": "patient"}],
    "endpoints": {
        "OS": {"time": "months", "event": "died", "unit": "months", "event_values": ["yes"], "censored_values": ["no"]}
    },
    "fields": {"stage_raw": "tnm", "age": "age"},
}
SAMPLES = [f"P{i}" for i in range(6)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    genes = ["ALB", "TP53", "MYC", "GATSL3"]
    frame = pd.DataFrame(rng.poisson(50, (4, 6)), index=pd.Index(genes, name="gene"), columns=SAMPLES)
    frame.to_csv(tmp_path / "expression.tsv", sep="\t")
    clinical = pd.DataFrame(
        {
            "patient": SAMPLES,
            "months": [1, 2, 3, 4, 5, 6],
            "died": ["yes", "no", "no", "yes", "no", "no"],
            "tnm": ["I", "II", "IIIA", "IVB", "I", "NA"],
            "age": [40, 50, 60, 70, 80, 61],
        }
    )
    clinical.to_csv(tmp_path / "clinical.tsv", sep="\t", index=False)
    write(tmp_path, {})
    return tmp_path


def write(folder: Path, changes: dict[str, object]) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(RECIPE | changes))
    return path


def prepare(folder: Path, **changes: object) -> anndata.AnnData:
    return mt.pp.prepare_cohort(write(folder, changes), folder)


def test_a_cohort_needs_no_python(folder: Path) -> None:
    adata = prepare(folder)
    assert adata.obs["OS"].tolist() == [1, 0, 0, 1, 0, 0]
    np.testing.assert_allclose(adata.obs["OS.time"].iloc[0], 30.4375)
    assert adata.obs["stage_number"].tolist()[:5] == [1, 2, 3, 4, 1]
    assert "CASTOR1" in adata.var_names


def test_a_recipe_names_causes_and_files_that_may_be_absent(folder: Path) -> None:
    """Several causes of one tumour are all there; what nobody recorded is missing; an absent file is said."""
    risk = ["Hepatitis B|Alcohol", "Hepatitis C", "None known", "NA", "hepatitis b", "[Unknown]"]
    pd.DataFrame({"patient": SAMPLES, "risk": risk, "age": 1}).to_csv(folder / "risk.tsv", sep="\t", index=False)
    changes: dict[str, object] = {
        "clinical": [*RECIPE["clinical"], {"file": "risk.tsv", "key": "patient", "columns": ["risk"]}],
        "aetiology": {
            "HBV": {"column": "risk", "holds": "Hepatitis B"},
            "alcohol": {"column": "risk", "holds": "alcohol"},
        },
        "optional": ["risk.tsv", "rppa.tsv"],
        "proteins": "rppa.tsv",
    }
    with pytest.warns(DataWarning, match="rppa.tsv is not there"):
        adata = prepare(folder, **changes)
    assert adata.obs["HBV"].fillna("").tolist() == ["yes", "no", "no", "", "yes", ""]
    assert adata.obs["alcohol"].fillna("").tolist() == ["yes", "no", "no", "", "no", ""]
    assert adata.obs["age"].tolist() == [40, 50, 60, 70, 80, 61]
    (folder / "risk.tsv").unlink()
    with pytest.warns(DataWarning, match=r"risk.tsv"):
        assert "HBV" not in prepare(folder, **changes).obs


def test_a_recipe_names_competing_events(folder: Path) -> None:
    clinical = pd.read_csv(folder / "clinical.tsv", sep="\t").assign(of_hcc=[1, 0, 0, 0, 0, 0])
    clinical.to_csv(folder / "clinical.tsv", sep="\t", index=False)
    rule = {"time": "months", "event": "of_hcc", "unit": "months", "competing": "died"}
    adata = prepare(folder, endpoints={"DSS": rule})
    assert adata.obs["DSS.competing"].tolist() == [1, 0, 0, 1, 0, 0]
    endpoint = endpoints_of(adata)[0][0]
    assert endpoint.resolve_survival(adata.obs).status.tolist() == [1, 0, 0, 2, 0, 0]
    wrong = rule | {"competing": "deceased"}
    with pytest.raises(ConfigError, match="deceased"):
        prepare(folder, endpoints={"DSS": wrong})
    with pytest.raises(EndpointError, match="may mean anything"):
        prepare(folder, endpoints={"DSS": rule | {"competing": "tnm"}})


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"endpoints": {"OS": {"time": "days", "event": "died"}}}, ConfigError, "'days'|days"),
        (
            {"endpoints": {"OS": {"time": "months", "event": "died", "event_values": ["dead"]}}},
            EndpointError,
            "does not explain",
        ),
        ({"endpoints": {"OS": {"time": "months", "event": "tnm"}}}, EndpointError, "may mean anything"),
        ({"endpoints": {"OS": {"time": "months"}}}, ConfigError, "needs `time` and `event`"),
        ({"endpoints": {"OS": {"time": "months", "event": "died", "unit": "decades"}}}, ConfigError, "unit"),
        ({"fields": {"stage_raw": "ajcc"}}, ConfigError, "stage_raw: ajcc"),
        ({"expression": {"file": "none.tsv"}}, ConfigError, "none.tsv"),
        ({"expression": {"file": "expression.tsv", "unit": "counts"}}, ConfigError, "unknown key"),
        ({"expression": {"file": "expression.tsv", "units": "reads"}}, DataError, "unknown units"),
        ({"colour": "red"}, ConfigError, "colour"),
        ({"aetiology": {"HBV": {"column": "tnm"}}}, ConfigError, "HBV needs `column`, and `holds`"),
        ({"aetiology": {"HBV": {"column": "virus", "holds": "B"}}}, ConfigError, "'virus'"),
        ({"clinical": [{"file": "clinical.tsv", "key": "patient", "columns": ["sex"]}]}, ConfigError, "no column sex"),
        ({"status": "sure"}, ConfigError, "status"),
        ({"id": ""}, ConfigError, "`id`"),
        ({"clinical": [{"file": "clinical.tsv", "key": "name"}]}, FormatError, "no column 'name'"),
        ({"clinical": [{"file": "clinical.tsv", "where": {"tnm": "V"}}]}, FormatError, "no row has tnm"),
        ({"group": {"column": "died", "tumour": ["yes"]}}, DataError, "no meaning"),
        ({"labels": {"x": {"column": "nothing", "positive": [1], "negative": [0]}}}, ConfigError, "nothing"),
    ],
)
def test_wrong_recipes(folder: Path, changes: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        prepare(folder, **changes)


def test_wrong_recipe_files(folder: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean tcga-lihc"):
        mt.pp.load_recipe("tcga_lihc")
    with pytest.raises(ConfigError, match="no recipe file"):
        mt.pp.load_recipe(folder / "none.yaml")
    (folder / "bad.yaml").write_text("id: [")
    with pytest.raises(ConfigError, match="YAML"):
        mt.pp.load_recipe(folder / "bad.yaml")
    (folder / "list.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="mapping"):
        mt.pp.load_recipe(folder / "list.yaml")
    with pytest.raises(ConfigError, match="raw files"):
        mt.pp.prepare_cohort("tcga-lihc", None)
    with pytest.raises(ConfigError, match="is not there"):
        mt.pp.prepare_cohort("tcga-lihc", folder / "none")
    with pytest.raises(ConfigError, match="needs tcga-lihc/"):
        mt.pp.prepare_cohort("tcga-lihc", folder)


def test_wrong_input_files(folder: Path) -> None:
    path = folder / "expression.tsv"
    good = path.read_text()
    for text, error, words in (
        ("", FormatError, "empty"),
        (good.replace("\t5", "\thigh", 1), FormatError, "line 2, column"),
        (good.replace("\t5", "\t-5", 1), DataError, "negative"),
        (good.replace("\t5", "\t5.5", 1), DataError, "whole numbers"),
        (good.replace("P0", "Q0").replace("P", "Q"), DataError, "none of the 6 samples"),
        (
            good.replace("ALB", "x1").replace("TP53", "x2").replace("MYC", "x3").replace("GATSL3", "x4"),
            DataError,
            "none of",
        ),
    ):
        path.write_text(text)
        with pytest.raises(error, match=words):
            prepare(folder, expression={"file": "expression.tsv", "units": "counts", "kind": "matrix"})
    path.write_bytes(gzip.compress(good.encode())[:-9])
    with pytest.raises(FormatError, match="truncated"):
        prepare(folder)


def test_files_may_lie_in_the_cohorts_own_folder(shared: Path, tmp_path: Path) -> None:
    for file in (shared / "data" / "hcc-gse184733").iterdir():
        shutil.copy(file, tmp_path)
    assert len(mt.pp.recipe_files("gse184733", tmp_path)) == 2

"""A user's own files become a run: recipe, cohort table, configuration."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml

import mtorscore as mt
from mtorscore._doors import COMMAND_LINE, at_door
from mtorscore.errors import ConfigError, DataError, DataWarning, EndpointError
from mtorscore.pipeline import load_cohort, prepare, read_table
from mtorscore.pipeline.config import load_config, with_paths
from mtorscore.pipeline.own_data import OwnData, write_inputs
from mtorscore.pipeline.relate import endpoints_of, relate
from mtorscore.pipeline.score import score
from mtorscore.pipeline.tables import relate_survival
from mtorscore.pp.cohort import recipe_files
from mtorscore.pp.cohort_recipes import load_recipe

WORDS: dict[str, Any] = {"unit": "days", "tumour": "tumour", "normal": "normal"}


@pytest.fixture
def own(tmp_path: Path) -> OwnData:
    rng = np.random.default_rng(0)
    samples = [f"s{i}" for i in range(12)]
    genes = ["FASN", "SCD", "ACACA", "ALB", "MKI67", "PCNA", "TP53", "ACTB"]
    values = pd.DataFrame(rng.negative_binomial(5, 0.01, (8, 12)), index=pd.Index(genes, name="gene"), columns=samples)
    values.to_csv(tmp_path / "expression.tsv", sep="\t")
    clinical = pd.DataFrame({"sample": samples, "kind": ["HCC"] * 8 + ["liver"] * 4, "months": range(1, 13)})
    clinical["died"] = [1, 0] * 6
    clinical.to_csv(tmp_path / "clinical.csv", index=False)
    return OwnData(
        name="mine",
        expression=tmp_path / "expression.tsv",
        clinical=tmp_path / "clinical.csv",
        time="months",
        event="died",
        unit="months",
        group="kind",
        tumour="HCC",
        normal="liver",
    )


def test_run_on_own_files(own: OwnData, tmp_path: Path) -> None:
    config = load_config(yaml.safe_load(write_inputs(own, tmp_path / "results").read_text()))
    cohort = config.cohorts["mine"]
    prepare(cohort.recipe, tmp_path / "out", data=tmp_path)
    adata = load_cohort(tmp_path / "out")
    assert adata.obs["sample_type"].value_counts().to_dict() == {"tumour": 8, "normal": 4}
    tumours = adata[(adata.obs["sample_type"] == "tumour").to_numpy()]
    endpoints, _ = endpoints_of(tumours)
    assert [e.name for e in endpoints] == ["died"]
    assert tumours.obs["died.time"].tolist() == [m * 30.4375 for m in range(1, 9)]


def test_weeks_become_days(own: OwnData, tmp_path: Path) -> None:
    with pytest.warns(DataWarning, match="months speaks of months, and --unit weeks"):
        path = write_inputs(replace(own, unit="weeks"), tmp_path / "results")
    config = load_config(yaml.safe_load(path.read_text()))
    prepare(config.cohorts["mine"].recipe, tmp_path / "out", data=tmp_path)
    assert load_cohort(tmp_path / "out").obs["died.time"].tolist()[:3] == [7.0, 14.0, 21.0]


def test_no_normal_tissue_by_that_name_is_said(own: OwnData, tmp_path: Path) -> None:
    said = r"1 value\(s\) of 'kind' have no meaning: liver \(4 samples\). Give each one: --tumour, --normal or"
    with pytest.raises(ConfigError, match=said):
        write_inputs(replace(own, normal="livr"), tmp_path / "results")
    with pytest.warns(DataWarning, match=r"Nothing is said to be normal tissue \(--normal\).* HCC, liver"):
        write_inputs(replace(own, normal=(), leave_out=("liver",)), tmp_path / "results")


def test_a_confounder_that_is_nowhere_is_named(tmp_path: Path) -> None:
    made = mt.datasets.simulate_cohort(n_tumours=40, n_normals=10, n_genes=3000, seed=1)
    made.layers["log"] = np.log2(made.X + 1)
    made.obs["in_outcome"] = True
    (tmp_path / "cohort").mkdir()
    made.write_h5ad(tmp_path / "cohort" / "cohort.h5ad")
    library = mt.library().select(["HALLMARK_MTORC1_SIGNALING", "META_PCNA"])
    score(tmp_path / "cohort", library, ["singscore"])
    with pytest.warns(DataWarning, match="cohort is not adjusted for grdae"):
        relate(
            tmp_path / "cohort", library, methods=["singscore"], adjust=["proliferation", "grdae"], null_sets=0,
            bootstraps=0, cv_folds=2, cv_repeats=1,
        )  # fmt: skip


def test_without_a_group_every_sample_is_taken_for_a_tumour_and_the_log_says_so(own: OwnData, tmp_path: Path) -> None:
    config = load_config(yaml.safe_load(write_inputs(replace(own, group=None), tmp_path / "results").read_text()))
    with pytest.warns(DataWarning, match=r"All 12 samples are taken as tumours.*kind \(HCC, liver\).*group.column"):
        prepare(config.cohorts["mine"].recipe, tmp_path / "out", data=tmp_path)
    assert set(load_cohort(tmp_path / "out").obs["sample_type"]) == {"tumour"}
    assert "assumed_tumour" in set(read_table(tmp_path / "out" / "exclusions.tsv")["rule"])


def test_events_may_be_words(own: OwnData, tmp_path: Path) -> None:
    clinical = pd.read_csv(tmp_path / "clinical.csv")
    clinical["status"] = clinical["died"].map({1: "Dead", 0: "Alive"})
    clinical.loc[11, "status"] = np.nan
    clinical.to_csv(tmp_path / "clinical.csv", index=False)
    config = load_config(yaml.safe_load(write_inputs(replace(own, event="status"), tmp_path / "results").read_text()))
    prepare(config.cohorts["mine"].recipe, tmp_path / "out", data=tmp_path)
    obs = load_cohort(tmp_path / "out").obs
    tumours = obs[obs["sample_type"] == "tumour"]
    assert tumours["status"].tolist() == [1.0, 0.0] * 4


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"expression": Path("nowhere.tsv")}, ConfigError, "nowhere.tsv"),
        ({"time": None}, ConfigError, "both --time and --event"),
        ({"clinical": None}, ConfigError, "give --clinical"),
        ({"event": "dead"}, EndpointError, "no column dead; it has sample, kind, months, died"),
        ({"event": "dieb"}, EndpointError, "Did you mean 'died'"),
        ({"event": "kind"}, EndpointError, "kind holds HCC, liver, which may mean anything"),
        ({"tumour": "HC"}, ConfigError, "the values are HCC, liver. Name those"),
        ({"unit": "decades"}, ConfigError, "use days, weeks, months, years"),
        ({"units": "count"}, ConfigError, r"Unknown units 'count' \(--units\).*Did you mean counts"),
        ({"organism": "rat"}, ConfigError, "--organism"),
        ({"orientation": "rows"}, ConfigError, "--orientation.*genes-in-rows"),
        ({"platform": Path("GPL.txt")}, ConfigError, "no file GPL.txt"),
        ({"platform_columns": ("ID", "SYMBOL")}, ConfigError, "--platform-columns ID,SYMBOL"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    own: OwnData, tmp_path: Path, change: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        write_inputs(replace(own, **change), tmp_path / "results")


def test_events_may_be_words_or_numbers_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    index = [f"P{i}" for i in range(40)]
    scores = pd.DataFrame(rng.normal(size=(40, 1)), index, ["A"])
    dead = rng.integers(0, 2, 40)
    clinical = pd.DataFrame({"time": rng.exponential(9, 40), "event": dead}, index)
    plain = relate_survival(scores, clinical, time="time", event="event", unit="days")
    for values in (np.where(dead, "Dead", "Alive"), np.where(dead, "1:DECEASED", "0:LIVING"), dead == 1, dead * 1.0):
        other = relate_survival(scores, clinical.assign(event=values), time="time", event="event", unit="days")
        pd.testing.assert_frame_equal(other, plain)
    with pytest.raises(EndpointError, match="may mean anything"):
        relate_survival(scores, clinical.assign(event=dead + 1), time="time", event="event", unit="days")


@pytest.mark.parametrize(
    ("times", "events", "said"),
    [
        ([5, 6, 7], [0, 0, 0], "no row with a time has an event"),
        ([5, 6, 7], ["alive", "Alive", "censored"], "no row with a time has an event"),
        ([5, 6, None], [0, 0, 1], "no row with a time has an event"),
        ([5, "long", 7], [0, 1, 1], r"not numbers \(long\)"),
        ([-5, -6, -7], [0, 1, 1], "0 or more"),
    ],
)
def test_endpoint_that_cannot_be_used(tmp_path: Path, times: list[object], events: list[object], said: str) -> None:
    (tmp_path / "m.tsv").write_text("gene\ta\tb\tc\nFASN\t1\t2\t3\n")
    clinical = tmp_path / "c.tsv"
    pd.DataFrame({"s": ["a", "b", "c"], "t": times, "e": events}).to_csv(clinical, sep="\t", index=False)
    with pytest.raises(EndpointError, match=said):
        write_inputs(
            OwnData(name="own", expression=tmp_path / "m.tsv", clinical=clinical, time="t", event="e", **WORDS),
            tmp_path,
        )


def test_the_value_that_means_the_event_competing_events_and_the_cancer(own: OwnData, tmp_path: Path) -> None:
    """Where 1 means censored, 0 is the event; another death competes; scores are graded by what is known of HCC."""
    clinical = pd.read_csv(tmp_path / "clinical.csv").assign(other=[0] * 6 + [1] * 6)
    clinical.to_csv(tmp_path / "clinical.csv", index=False)
    told = replace(own, event_value="0", competing="other", cancer="hcc")
    cohort = _prepared(told, tmp_path)
    tumours = cohort[(cohort.obs["sample_type"] == "tumour").to_numpy()]
    assert tumours.obs["died"].tolist() == [0.0, 1.0] * 4
    assert tumours.obs["died.competing"].tolist() == [0.0] * 6 + [1.0] * 2
    assert cohort.uns["context"] == "HCC"
    assert endpoints_of(tumours)[0][0].competing == "died.competing"


@pytest.mark.parametrize(
    ("said", "error", "sentence"),
    [
        ({"event_value": "2"}, EndpointError, r"no row has '2' \(--event-value\) in column died; it holds 1, 0"),
        ({"competing": "others"}, EndpointError, "no column others"),
        ({"time": None, "event": None, "competing": "died"}, ConfigError, "name it with --time and --event"),
        ({"cancer": "HCCA"}, ConfigError, r"Unknown cancer 'HCCA' \(--cancer\); use HCC, CCA, HB, .* Did you mean HCC"),
    ],
)
def test_what_an_outcome_cannot_mean(own: OwnData, tmp_path: Path, said: Any, error: Any, sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        write_inputs(replace(own, **said), tmp_path)


def _prepared(own: OwnData, folder: Path) -> ad.AnnData:
    """Return the cohort that a run on these files would score."""
    config = load_config(yaml.safe_load(write_inputs(own, folder / "results").read_text()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepare(config.cohorts[own.name].recipe, folder / "out", data=folder)
    return load_cohort(folder / "out")


def test_a_folder_of_quantifications(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for sample in ("HCC1", "HCC2", "NL1"):
        (tmp_path / "salmon" / sample).mkdir(parents=True)
        table = pd.DataFrame({"Name": [f"ENST{i:011d}" for i in range(60)], "Length": 1000, "EffectiveLength": 800.0})
        table["TPM"] = rng.gamma(1, 100, 60)
        table["NumReads"] = rng.gamma(1, 1e5, 60).round(3)
        table.to_csv(tmp_path / "salmon" / sample / "quant.sf", sep="\t", index=False)
    pairs = pd.DataFrame({"tx": [f"ENST{i:011d}" for i in range(60)], "gene": ["FASN", "SCD", "MTOR", "AKT1"] * 15})
    pairs.to_csv(tmp_path / "tx2gene.tsv", sep="\t", index=False)
    adata = _prepared(
        OwnData(name="own", expression=tmp_path / "salmon", tx2gene=tmp_path / "tx2gene.tsv", units="tpm"), tmp_path
    )
    assert list(adata.obs_names) == ["HCC1", "HCC2", "NL1"]
    assert set(adata.var_names) == {"FASN", "SCD", "MTOR", "AKT1"}


@pytest.mark.parametrize("columns", [("Probe Set", "Target"), ("probe set", "target")])
def test_a_platform_with_other_headings(tmp_path: Path, columns: tuple[str, ...]) -> None:
    probes = [f"P{i}_at" for i in range(6)]
    values = pd.DataFrame(np.linspace(4, 12, 24).reshape(6, 4), pd.Index(probes, name="ID_REF"), list("abcd"))
    values.to_csv(tmp_path / "m.tsv", sep="\t")
    genes = ["FASN", "SCD", "MTOR", "AKT1", "PTEN", ""]
    platform = pd.DataFrame({"Chromosome": 1, "Target": genes, "Probe Set": probes})
    platform.to_csv(tmp_path / "gpl.csv", index=False)
    own = OwnData(name="own", expression=tmp_path / "m.tsv", platform=tmp_path / "gpl.csv", platform_columns=columns)
    adata = _prepared(own, tmp_path)
    assert {"FASN", "SCD", "MTOR", "AKT1", "PTEN"} <= set(adata.var_names)
    assert adata[:, "MTOR"].X.ravel().tolist() == values.loc["P2_at"].tolist()
    with at_door(COMMAND_LINE), pytest.raises(DataError, match="--platform-columns ID,SYMBOL"):
        _prepared(replace(own, platform_columns=None), tmp_path)
    with (
        at_door(COMMAND_LINE),
        pytest.raises(DataError, match="no column Symbol; it has Chromosome, Target, Probe Set"),
    ):
        _prepared(replace(own, platform_columns=("Probe Set", "Symbol")), tmp_path)


def test_mouse_genes_and_a_column_of_ids(tmp_path: Path) -> None:
    table = pd.DataFrame({"spot": range(1, 5), "a": [5.5, 6, 7, 8], "b": [6.0, 7, 8, 9.5], "c": [7.5, 8, 9, 4]})
    table["gene"] = ["Fasn", "Acaca", "Mtor", "Trp53"]
    table.to_csv(tmp_path / "m.tsv", sep="\t", index=False)
    said: dict[str, Any] = {"organism": "mouse", "ids": "gene", "orientation": "genes-in-rows", "units": "log2"}
    adata = _prepared(OwnData(name="own", expression=tmp_path / "m.tsv", **said), tmp_path)
    assert set(adata.var_names) == {"FASN", "ACACA", "MTOR", "TP53"}
    assert adata[:, "TP53"].X.ravel().tolist() == [8, 9.5, 4]


def test_paths_of_a_configuration_start_at_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "study" / "data").mkdir(parents=True)
    study = tmp_path / "study"
    (study / "data" / "m.tsv").write_text("gene\ta\tb\tc\nFASN\t1\t2\t3\nMTOR\t4\t5\t60\n")
    (study / "r.yaml").write_text(yaml.safe_dump({"id": "r", "expression": {"file": "data/m.tsv", "units": "counts"}}))
    (study / "cohorts.tsv").write_text("cohort\trecipe\nmine\tr.yaml\n")
    raw = {"run": "x", "cohorts": "cohorts.tsv", "results": "out", "data": "data"}
    (study / "run.yaml").write_text(yaml.safe_dump(raw))
    monkeypatch.chdir(tmp_path)
    config = load_config(with_paths(raw, [study / "run.yaml"]))
    assert config.results == str(study / "out")
    assert config.data == str(study / "data")
    assert config.cohorts["mine"].recipe == str(study / "r.yaml")
    assert load_recipe(config.cohorts["mine"].recipe).id == "r"
    assert [p.name for p in recipe_files(config.cohorts["mine"].recipe, None)] == ["m.tsv"]
    # What the command line gives starts at the working directory.
    assert with_paths(raw | {"results": "mine"}, [study / "run.yaml"], ["results"])["results"] == "mine"


def test_an_endpoint_that_is_not_named_is_said_and_not_taken(own: OwnData, tmp_path: Path) -> None:
    table = pd.read_csv(own.clinical or "")
    table["age (years)"] = 60
    table.to_csv(tmp_path / "clinical.csv", index=False)
    silent = replace(own, time=None, event=None, unit=None)
    with pytest.warns(DataWarning, match=r"follow-up \(months\) and events \(died\); say which with --time"):
        write_inputs(silent, tmp_path / "results")
    table.drop(columns="months").to_csv(tmp_path / "clinical.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_inputs(replace(silent, cancer="HCC"), tmp_path / "again")


def test_competing_events_may_be_a_code_of_the_event_column(own: OwnData, tmp_path: Path) -> None:
    clinical = pd.read_csv(tmp_path / "clinical.csv")
    clinical["cause"] = [0, 1, 2, 0, 1, 2, 1, 0, 0, 0, 0, 0]
    clinical.to_csv(tmp_path / "clinical.csv", index=False)
    coded = replace(own, event="cause")
    with pytest.raises(EndpointError, match=r"holds 2, which may mean anything.*say --competing 2"):
        write_inputs(coded, tmp_path / "results")
    path = write_inputs(replace(coded, competing="2"), tmp_path / "results")
    prepare(load_config(yaml.safe_load(path.read_text())).cohorts["mine"].recipe, tmp_path / "out", data=tmp_path)
    obs = load_cohort(tmp_path / "out").obs
    tumours = obs[obs["sample_type"] == "tumour"]
    assert tumours["cause"].tolist() == [0, 1, 0, 0, 1, 0, 1, 0]
    assert tumours["cause.competing"].tolist() == [0, 0, 1, 0, 0, 1, 0, 0]


def test_relate_takes_a_code_of_competing_events() -> None:
    rng = np.random.default_rng(5)
    names = [f"P{i}" for i in range(90)]
    scores = pd.DataFrame({"SIG": rng.normal(size=90)}, names)
    clinical = pd.DataFrame({"t": rng.exponential(10, 90), "e": rng.integers(0, 3, 90)}, names)
    right = mt.prognosis.associate(scores, clinical, mt.prognosis.Endpoint.survival("t", "e", competing=2))
    found = relate_survival(scores, clinical, time="t", event="e", unit="days", competing="2")
    assert found["hr"].iloc[0] == right["hr"].iloc[0]
    assert found["competing"].iloc[0] == right["competing"].iloc[0]
    words = clinical.assign(e=clinical["e"].map({0: "alive", 1: "dead of HCC", 2: "dead of sepsis"}))
    told = relate_survival(scores, words, time="t", event="e", unit="days", competing="dead of sepsis")
    assert told["hr"].iloc[0] == right["hr"].iloc[0]

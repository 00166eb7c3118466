"""Labels of several classes on their way through recipes, runs and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from mtorscore import results
from mtorscore.cli.app import app
from mtorscore.collection import SignatureCollection, library
from mtorscore.datasets import simulate_cohort
from mtorscore.errors import ConfigError, DataWarning
from mtorscore.pipeline import prepare, read_table, relate, score
from mtorscore.pipeline.relate import class_labels
from mtorscore.pp import load_recipe

SIGNATURES = SignatureCollection([library()[n] for n in ("SREBP1_LIPOGENIC_CORE", "CLEAR_TFEB", "META_PCNA")])


@pytest.mark.filterwarnings("ignore::mtorscore.errors.StatisticsWarning")
def test_a_run_relates_scores_to_classes(tmp_path: Path) -> None:
    cohort = simulate_cohort(n_tumours=60, n_normals=0, n_genes=600, signatures=SIGNATURES)
    grade = pd.Categorical(
        np.array(["low", "middle", "high"])[np.arange(60) % 3], ["low", "middle", "high"], ordered=True
    )
    cohort.obs["grade"] = grade
    cohort.uns["labels"] = ["grade"]
    cohort.write_h5ad(tmp_path / "simulated.h5ad")
    prepare("simulated", tmp_path / "run", simulated=tmp_path / "simulated.h5ad")
    score(tmp_path / "run", SIGNATURES, ["singscore"])
    few: dict[str, Any] = {"null_sets": 0, "bootstraps": 0, "cv_folds": 2, "cv_repeats": 1, "adjust": ["stage"]}
    relate(tmp_path / "run", SIGNATURES, methods=["singscore"], **few)
    found = read_table(tmp_path / "run" / results.CLASS_EFFECTS.path)
    assert tuple(found.columns) == results.CLASS_EFFECTS.names
    assert set(found["effect"]) == {"proportional odds ratio"}
    assert found.loc[found["model"] == "unadjusted", "odds_ratio"].notna().all()
    metrics = read_table(tmp_path / "run" / results.CLASSIFIERS.path)
    assert {"hand_till", "ordinal_c", "recall of high"} <= set(metrics.loc[metrics["endpoint"] == "grade", "metric"])


def test_classes_of_few_are_left_out_and_said() -> None:
    values = ["S1"] * 9 + ["S2"] * 10 + ["S3"] * 8 + ["mixed"] * 2
    obs = pd.DataFrame({"subclass": pd.Categorical(values, ["S3", "S2", "S1", "mixed"]), "sex": ["m"] * 29})
    with pytest.warns(DataWarning, match=r"mixed \(2\)"):
        (endpoint,) = class_labels(obs, ["subclass", "sex", "absent"])
    assert endpoint.classes == ("S3", "S2", "S1")


def test_a_recipe_declares_classes_once(tmp_path: Path) -> None:
    raw: dict[str, Any] = {"id": "x", "labels": {"g": {"column": "grade", "order": [1, 2, 3]}}}
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(raw))
    assert load_recipe(path).labels["g"]["order"] == [1, 2, 3]
    raw["labels"]["g"]["classes"] = [1, 2, 3]
    path.write_text(yaml.safe_dump(raw))
    with pytest.raises(ConfigError, match="label g needs"):
        load_recipe(path)


def test_the_command_line_takes_classes_and_asks_for_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    index = [f"p{i}" for i in range(90)]
    scores = pd.DataFrame(rng.normal(size=(90, 2)), index, ["A", "B"])
    label = np.where(scores["A"] > 0.5, "S1", np.where(scores["B"] > 0, "S2", "S3"))
    scores.to_csv(tmp_path / "s.tsv", sep="\t", index_label="sample")
    pd.DataFrame({"subclass": label}, index).to_csv(tmp_path / "c.tsv", sep="\t", index_label="sample")
    call = ["relate", str(tmp_path / "s.tsv"), "--clinical", str(tmp_path / "c.tsv"), "--label", "subclass"]
    refused = CliRunner().invoke(app, call)
    assert refused.exit_code != 0
    done = CliRunner().invoke(app, [*call, "--classes", "S3,S2,S1", "--out", str(tmp_path / "o.tsv")])
    assert done.exit_code == 0, done.output
    table = pd.read_csv(tmp_path / "o.tsv", sep="\t").set_index(["model", "metric"])
    assert table.loc[("score", "hand_till"), "value"] > 0.9
    assert (
        CliRunner().invoke(app, ["relate", *call[1:4], "--order", "a,b,c", "--time", "t", "--event", "e"]).exit_code
        != 0
    )

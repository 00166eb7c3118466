"""A configuration is checked before anything runs, and its errors are in plain words."""

from __future__ import annotations

from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from mtorscore.errors import ConfigError
from mtorscore.pipeline import enrich, relate, score
from mtorscore.pipeline.config import DEFAULTS, RunConfig, load_config, lock_run, schema


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "cohorts.tsv"
    path.write_text("cohort\trecipe\tsimulate\na\tsimulated\tn_tumours=50; disease=cca\n")
    return path


def test_defaults_come_from_the_schema(table: Path) -> None:
    config = load_config({"run": "r", "cohorts": str(table)})
    assert config.null_sets == schema()["properties"]["null_sets"]["default"]
    assert config.cohorts["a"].simulate == {"n_tumours": 50, "disease": "cca"}
    assert config.cohorts["a"].histology == "default"


@pytest.mark.parametrize(
    ("step", "renamed"), [(relate, {}), (enrich, {"permutations": "gsea_permutations"}), (score, {})]
)
def test_the_steps_take_their_defaults_from_the_schema(step: Any, renamed: dict[str, str]) -> None:
    given = {n: p.default for n, p in signature(step).parameters.items() if p.default not in (p.empty, None)}
    assert given
    for name, value in given.items():
        stated = DEFAULTS[renamed.get(name, name)]
        assert value == (tuple(stated) if isinstance(stated, list) else stated), name


def test_the_relate_step_gets_every_option_that_it_has(table: Path) -> None:
    options = load_config({"run": "r", "cohorts": str(table)}).relate_options()
    assert set(options) == set(signature(relate).parameters) - {"folder", "signatures"}
    assert {f.name for f in fields(RunConfig)} | {"histology"} == set(schema()["properties"])


def test_histology_overrides_the_table(table: Path) -> None:
    assert load_config({"run": "r", "cohorts": str(table), "histology": "all"}).cohorts["a"].histology == "all"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metods": ["zscore"]}, "Did you mean 'methods'"),
        ({"null_sets": -1}, "null_sets"),
        ({"null_sets": "many"}, "null_sets"),
        ({"methods": ["singscor"]}, "nearest are singscore"),
        ({"methods": []}, "methods"),
        ({"run": "../up"}, "run"),
        ({"run": None}, "run"),
        ({"cohorts": "nowhere.tsv"}, "no cohort table nowhere.tsv"),
        ({"histology": "some"}, "histology"),
    ],
)
def test_bad_configuration_is_one_sentence(table: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        load_config({"run": "r", "cohorts": str(table)} | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1"),
        ("cohort,recipe\na,b\n", "separated by tabs"),
        ("cohort\trecipe\n", "names no cohort"),
        ("cohort\trecipe\na\tsimulated\na\tsimulated\n", "line 3: the cohort a is duplicated"),
        ("cohort\trecipe\na/b\tsimulated\n", "line 2: the cohort name"),
        ("cohort\trecipe\na\t\n", "line 2: the cohort a has no recipe"),
        ("cohort\trecipe\na\tsimulated\textra\n", "line 2: 3 fields under 2 columns"),
        ("cohort\trecipe\tsimulate\na\tsimulated\tn_tumours\n", "name=value"),
        ("cohort\trecipe\tsimulate\nx\tsimulated\tn_tumours=[3\n", "line 2: n_tumours=.3 cannot be read"),
    ],
)
def test_bad_cohort_table_names_the_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cohorts.tsv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_config({"run": "r", "cohorts": str(path)})


def test_cohort_table_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "cohorts.tsv"
    path.write_bytes(b"cohort\xff\trecipe\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config({"run": "r", "cohorts": str(path)})


def test_two_runs_cannot_write_to_one_folder(tmp_path: Path) -> None:
    first = lock_run(tmp_path)
    with pytest.raises(ConfigError, match="Another run"):
        lock_run(tmp_path)
    first.close()
    lock_run(tmp_path).close()

"""YAML that others wrote is bounded at every door, and no key counts twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mtorscore._bounded_yaml import MOST_DEPTH, UnboundedError, check_bounds, safe_load
from mtorscore.cli.runs import _read_yaml
from mtorscore.collection.validation import validate
from mtorscore.errors import ConfigError
from mtorscore.pipeline.config import parse_value
from mtorscore.pp.cohort_recipes import load_recipe

DEEP = "id: x\nexpression: " + "[" * 60_000
RING = "id: x\nexpression: &a [*a]\n"
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]\n" for i in range(1, 12)
)
TWICE = "id: x\nexpression: {}\nid: y\n"


@pytest.mark.parametrize("text", [DEEP, RING, BOMB, "- " * 60_000 + "x", "{a: " * 60 + "1" + "}" * 60])
def test_what_has_no_measure_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(UnboundedError) as caught:
        check_bounds(text)
    assert caught.value.problem_mark is not None
    with pytest.raises(yaml.YAMLError):
        safe_load(text)


def test_what_is_within_bounds_is_what_pyyaml_reads() -> None:
    for text in ("a: &x [1, 2]\nb: *x\n", "a: &x {k: 1}\nb: {<<: *x, c: 2}\n", "x", "", "- yes\n- 010\n- 2020-01-02\n"):
        assert safe_load(text) == yaml.safe_load(text)
    within = "[" * (MOST_DEPTH - 1) + "]" * (MOST_DEPTH - 1)
    assert safe_load(within) == yaml.safe_load(within)


@pytest.mark.parametrize("text", [TWICE, "a: {b: 1, c: 2, b: 3}", "when: 2021-13-45", "a: !!int x"])
def test_repeated_keys_and_values_that_are_none_are_yaml_errors(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        safe_load(text)


@pytest.mark.parametrize("text", [DEEP, RING, BOMB, TWICE])
@pytest.mark.parametrize("door", ["recipe", "config", "validate", "value"])
def test_every_door_refuses_it(tmp_path: Path, door: str, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    if door == "validate":
        found = validate([path])
        assert {p.code for p in found} & {"yaml", "duplicate-key"}
        return
    work: dict[str, Any] = {
        "recipe": lambda: load_recipe(path),
        "config": lambda: _read_yaml(path),
        "value": lambda: parse_value(text, "a value"),
    }
    with pytest.raises(ConfigError) as caught:
        work[door]()
    assert len(str(caught.value)) < 700

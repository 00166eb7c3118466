"""Raw files and recipes: recorded, and noticed when they change."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mtorscore.pipeline import acquire
from mtorscore.pipeline.acquire import raw_state


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "m.tsv").write_text("gene\ts1\nFASN\t3\n")
    path = tmp_path / "recipe.yaml"
    path.write_text("id: own\ntitle: t\nstatus: unverified\nexpression: {file: m.tsv}\n")
    return path


def test_changed_file_changes_the_state(recipe: Path) -> None:
    folder = recipe.parent
    before = raw_state(str(recipe), folder)
    assert before == raw_state(str(recipe), folder)
    os.utime(folder / "m.tsv", ns=(1, 1))
    assert before != raw_state(str(recipe), folder)


def test_changed_recipe_changes_state_and_manifest_and_its_place_does_not(recipe: Path, tmp_path: Path) -> None:
    before, manifest = raw_state(str(recipe), tmp_path), acquire(str(recipe), tmp_path / "a.json", data=tmp_path)
    other = tmp_path / "elsewhere.yaml"
    other.write_text(recipe.read_text() + "notes: more\n")
    assert raw_state(str(other), tmp_path) == before
    recipe.write_text(recipe.read_text() + "patient: p\n")
    assert raw_state(str(recipe), tmp_path) != before
    again = acquire(str(recipe), tmp_path / "b.json", data=tmp_path)
    assert json.loads(again.read_text())["recipe_hash"] != json.loads(manifest.read_text())["recipe_hash"]


def test_folder_is_recorded_by_its_files(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mtx"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    recipe.write_text(recipe.read_text().replace("m.tsv", "mtx"))
    state = raw_state(str(recipe), tmp_path)
    first = json.loads(acquire(str(recipe), tmp_path / "a.json", data=tmp_path).read_text())["files"][0]
    assert first["bytes"] == 1
    (folder / "b.txt").write_text("b")
    second = json.loads(acquire(str(recipe), tmp_path / "a.json", data=tmp_path).read_text())["files"][0]
    assert first["sha256"] != second["sha256"]
    assert raw_state(str(recipe), tmp_path) != state


def test_missing_file_is_left_to_the_step_to_say(recipe: Path, tmp_path: Path) -> None:
    assert raw_state(str(recipe), tmp_path / "none") == []
    assert raw_state("simulated", None) == []

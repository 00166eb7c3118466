from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from mtorscore.pipeline import COMMAND, command_line, write_run_record
from tests.conftest import ROOT


def test_the_record_says_what_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(COMMAND, raising=False)
    monkeypatch.setattr("sys.argv", ["/usr/bin/mtorscore", "run", "my matrix.tsv", "--time", "OS.time"])
    typed = command_line()
    assert typed == "mtorscore run 'my matrix.tsv' --time OS.time"
    monkeypatch.setattr("sys.argv", ["/usr/lib/python3/site-packages/snakemake/__main__.py", "--cores", "2"])
    assert command_line() == "snakemake --cores 2"
    monkeypatch.setenv(COMMAND, typed)
    assert command_line() == typed
    path = write_run_record(tmp_path, {"run": "a", "cohorts": ["b"]}, signatures_hash="c")
    assert json.loads(path.read_text(encoding="utf-8"))["command"] == typed


def test_the_record_lists_requirements_of_users_only(tmp_path: Path) -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    names = {re.split(r"[<>=\[ ]", line)[0] for line in needed}
    path = write_run_record(tmp_path, {"run": "a", "cohorts": ["b"]}, signatures_hash="c")
    versions = json.loads(path.read_text(encoding="utf-8"))["versions"]
    assert set(versions) - {"mtorscore", "python"} <= names

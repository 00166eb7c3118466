"""The table of agreement holds what every worker measured."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.tl.agreement import PROPERTY, Compare, Row, rows_of

TESTS = """
import pandas as pd, pytest

@pytest.mark.parametrize("i", range(6))
def test_one(compare, i):
    ours, theirs = pd.DataFrame({"s": [i * 1e-12]}), pd.DataFrame({"s": [0.0]})
    compare("mean" if i % 2 else "ucell", f"Tool-{i}/case.tsv", ours, theirs)
"""
CONFTEST = "from tests.conftest import pytest_terminal_summary\nfrom tests.tl.conftest import compare\n"


def test_rows_come_in_one_order_from_the_reports_of_calls() -> None:
    rows = [Row("ucell", "b.tsv", 1e-9, 1.0, ""), Row("mean", "a.tsv", 0.0, 2.0, "rounded there")]
    reports = [SimpleNamespace(when="call", user_properties=[(PROPERTY, tuple(r)), ("other", 1)]) for r in rows]
    teardown = SimpleNamespace(when="teardown", user_properties=reports[0].user_properties)
    assert rows_of([*reports, teardown]) == rows_of(reports[::-1]) == rows[::-1]


def test_a_difference_is_recorded_even_where_it_is_refused() -> None:
    seen: list[object] = []
    compare = Compare(lambda name, value: seen.append((name, value)))
    ours, theirs = pd.DataFrame({"s": [1.0, 2.5]}), pd.DataFrame({"s": [1.0, 2.0]})
    with pytest.raises(AssertionError, match=r"largest difference 0\.5"):
        compare("mean", "a.tsv", ours, theirs)
    compare("mean", "a.tsv", ours, theirs, tolerance=0.3)
    assert seen == [(PROPERTY, ("mean", "a.tsv", 0.5, 2.0, ""))] * 2
    with pytest.raises(AssertionError, match="no column in common"):
        compare("mean", "a.tsv", ours, theirs.rename(columns={"s": "t"}))


@pytest.mark.slow
def test_workers_share_one_table(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    said = []
    for workers in ("0", "2"):
        command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:cacheprovider", "."]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        said.append(re.findall(r"^(?:mean|ucell) .*$", run.stdout, re.M))
    assert said[0] == said[1]
    assert len(said[0]) == 6 + 2

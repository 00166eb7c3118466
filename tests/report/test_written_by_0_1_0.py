"""A run of 0.1.0 is reported with what its tables do not say, and every step of it is made anew by the workflow.

``run-0.1.0.zip`` was written by commit bfcb502 from 40 simulated tumours and 8 normals.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path

import pytest

from mtorscore import report
from mtorscore.errors import DataWarning
from mtorscore.report.data.run_files import OLDER_RUN, read_run
from mtorscore.results import FORMAT

RULES = Path(__file__).parents[2] / "workflows/rules"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    with zipfile.ZipFile(Path(__file__).with_name("run-0.1.0.zip")) as packed:
        packed.extractall(tmp_path)
    return tmp_path / "old"


def test_the_page_says_what_an_old_run_does_not_say(old: Path) -> None:
    with pytest.warns(DataWarning, match=r"written by mtorscore 0\.1\.0.*positive class.*Run the same command again"):
        page = report.write(old)
    assert OLDER_RUN in page.read_text(encoding="utf-8")


def test_a_run_of_today_is_not_called_old(old: Path) -> None:
    record = json.loads((old / "run.json").read_text())
    (old / "run.json").write_text(json.dumps(record | {"format": FORMAT}))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        assert OLDER_RUN not in read_run(old).notes


@pytest.mark.parametrize("rules", ["cohort.smk", "report.smk"])
def test_every_step_depends_on_the_version(rules: str) -> None:
    """Snakemake makes a step anew where a parameter changed."""
    text = (RULES / rules).read_text()
    steps = [part for part in text.split("\nrule ")[1:] if "script:" in part]
    assert steps
    assert all("made_by=MADE_BY" in part for part in steps)

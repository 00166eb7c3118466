from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.runs import hostile_run, two_cohorts


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_cohorts(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_run(tmp_path_factory.getbasetemp())

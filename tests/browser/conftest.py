from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.driver import Browser, find_chromium
from tests.report.runs import hostile_run, two_cohorts


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a real Chromium; tests are skipped where there is none."""
    found = find_chromium()
    if found is None:
        pytest.skip("no chromium with chromedriver found (Debian: apt-get install chromium chromium-driver)")
    with Browser(*found) as window:
        yield window


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_cohorts(tmp_path_factory.getbasetemp()) / "report.html"


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_run(tmp_path_factory.getbasetemp()) / "report.html"

"""How far scores are from the reference implementations: measured by golden tests, printed when all have run.

A row travels in the report of the test that measured it, so it reaches the process that prints, whichever worker of
pytest-xdist ran the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

PROPERTY = "agreement"


class Row(NamedTuple):
    """One comparison with one output file of a reference implementation."""

    method: str
    file: str
    difference: float
    size: float
    note: str


class Compare:
    """Asserts agreement with a reference implementation and records the largest difference in the test's report."""

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self.record = record

    def __call__(
        self,
        method: str,
        file: str,
        ours: pd.DataFrame,
        theirs: pd.DataFrame,
        *,
        tolerance: float = 1e-9,
        note: str = "",
    ) -> None:
        """Assert agreement to `tolerance`, absolute or relative to the value."""
        shared = [c for c in theirs.columns if c in ours.columns]
        assert shared, f"{file}: no column in common"
        a = ours.loc[theirs.index, shared].to_numpy(dtype=float)
        b = theirs[shared].to_numpy(dtype=float)
        assert (np.isnan(a) == np.isnan(b)).all(), f"{file}: NaN in different places"
        gap = np.abs(a - b)
        row = Row(method, file, float(np.nanmax(gap)), float(np.nanmax(np.abs(b))), note)
        self.record(PROPERTY, tuple(row))
        allowed = tolerance * np.maximum(1.0, np.nan_to_num(np.abs(b)))
        assert (np.nan_to_num(gap) <= allowed).all(), f"{file}: largest difference {row.difference:.3g}"


class Collector:
    """A pytest plugin that keeps the reports of a run, for scripts that need the rows."""

    def __init__(self) -> None:
        self.reports: list[Any] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.reports.append(report)


def rows_of(reports: Iterable[Any]) -> list[Row]:
    """Return the rows that the reports of tests carry, in the same order however the tests were distributed."""
    called = (report for report in reports if getattr(report, "when", "") == "call")
    return sorted(Row(*value) for report in called for name, value in report.user_properties if name == PROPERTY)


def print_summary(terminalreporter: Any) -> None:
    """Print every comparison, and the largest difference of each method."""
    rows = rows_of(report for reports in terminalreporter.stats.values() for report in reports)
    if not rows:
        return
    terminalreporter.section("agreement with reference implementations")
    terminalreporter.write_line(f"{'method':<13} {'largest |difference|':>21} {'scale':>9}  reference and parameters")
    for row in rows:
        note = f"  - {row.note}" if row.note else ""
        name = row.file.removesuffix(".tsv")
        terminalreporter.write_line(f"{row.method:<13} {row.difference:>21.3g} {row.size:>9.3g}  {name}{note}")
    terminalreporter.section("largest difference per method")
    for method in dict.fromkeys(row.method for row in rows):
        exact = [row.difference for row in rows if row.method == method and not row.note]
        if exact:
            terminalreporter.write_line(f"{method:<13} {max(exact):.3g} over {len(exact)} reference file(s)")

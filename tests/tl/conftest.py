"""Prints, at the end of a test run, how far the scores are from the reference implementations."""

from __future__ import annotations

from typing import Any

from tests.tl import reference_files


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows = reference_files.ROWS
    if not rows:
        return
    terminalreporter.section("agreement with reference implementations")
    terminalreporter.write_line(f"{'method':<13} {'largest |difference|':>21} {'scale':>9}  reference and parameters")
    for method, file, gap, scale, note in sorted(rows):
        name = file.removesuffix(".tsv")
        terminalreporter.write_line(f"{method:<13} {gap:>21.3g} {scale:>9.3g}  {name}{'  - ' + note if note else ''}")
    terminalreporter.section("largest difference per method")
    for method, found in reference_files.summary().items():
        exact = [r[2] for r in found if not r[4]]
        if exact:
            terminalreporter.write_line(f"{method:<13} {max(exact):.3g} over {len(exact)} reference file(s)")

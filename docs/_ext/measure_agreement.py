"""Run the tests against the reference implementations and write what they measured to ``docs/evidence/agreement.tsv``.

    python docs/_ext/measure_agreement.py [OUT]

Needs the folder of reference outputs (MTORSCORE_SHARED, default ../shared beside the repository).
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("single", "cohort", "cells", "linear")


def measure(out: Path) -> int:
    """Run the comparisons and write one row per method, reference tool and parameter set, over all inputs.

    Parameters
    ----------
    out
        The table to write.

    Returns
    -------
    int
        Exit code of the tests; the table is written only where they pass.
    """
    sys.path.insert(0, str(ROOT))
    from tests.tl.agreement import Collector, rows_of

    collector = Collector()
    files = [str(ROOT / f"tests/tl/test_golden_{f}.py") for f in FILES]
    code = pytest.main(["-q", "-p", "no:cacheprovider", *files], plugins=[collector])
    if code != 0:
        return int(code)
    with out.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, delimiter="\t", lineterminator="\n")
        writer.writerow(["method", "tool", "case", "difference", "size", "note"])
        for method, file, difference, size, note in sorted(set(rows_of(collector.reports))):
            tool, _, case = file.partition("/")
            writer.writerow([method, tool, case.removesuffix(".tsv"), f"{difference:.3g}", f"{size:.4g}", note])
    return 0


if __name__ == "__main__":
    raise SystemExit(measure(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "evidence" / "agreement.tsv"))

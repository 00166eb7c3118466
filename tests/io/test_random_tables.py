"""Random tables against their known truth, of a fixed seed and of a fresh one; the large run is a benchmark."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from benchmarks.reading.random_tables import judge, make

SECONDS = 20


@pytest.mark.parametrize("which", ["fixed", "fresh"])
def test_no_table_is_misread(tmp_path: Path, which: str) -> None:
    seed = 15 if which == "fixed" else int(os.environ.get("MTORSCORE_SEED", time.time_ns() % 10**9))
    print(f"seed {seed}")
    begun, refused, count = time.monotonic(), 0, 0
    bad = []
    while count < 300 and time.monotonic() - begun < SECONDS:
        case = make(seed, count)
        outcome, why = judge(case, tmp_path)
        count += 1
        refused += outcome == "refused"
        if outcome in ("wrong", "accepted"):
            bad.append(f"seed {seed}, table {count - 1}, {case.kind}: {outcome}: {why[-300:]}")
    assert not bad, "\n".join(bad)
    assert refused <= max(3, 0.01 * count), f"seed {seed}: {refused} of {count} tables with one reading were refused"

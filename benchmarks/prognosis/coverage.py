"""Coverage of every interval and error of every test that `mtorscore.prognosis` prints, with a verdict that can fail.

Run as ``python -m benchmarks.prognosis.coverage [STATE] [MINUTES] [GROUPS]``: counts are appended to STATE
(``coverage.jsonl`` beside this file) chunk by chunk, so that a killed run goes on where it was; at the end it writes
``coverage.tsv`` and ``docs/evidence/prognosis_coverage.md``. 10,000 cohorts for closed forms and 1,000 for resampled
ones, of 60, 160 and 360 patients with 10% and 40% events, with and without an effect; about an hour and a half on one
core that does nothing else. What has fewer cohorts than that in the table is "not shown".
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mtorscore
from benchmarks.prognosis import coverage_batched, coverage_closed, coverage_resampled
from benchmarks.prognosis.coverage_settings import SETTINGS, Setting, table
from mtorscore._blas_threads import one_blas_thread

Counts = dict[tuple[str, int, float, str], list[int]]
Group = Callable[[Setting, np.random.Generator], Any]
CLOSED, RESAMPLED = 10_000, 1_000
CHUNK = {True: 250, False: 25}
HERE = Path(__file__).parent
CALIBRATION = HERE / "coverage_calibration.tsv"
PAGE = HERE.parents[1] / "docs" / "evidence" / "prognosis_coverage.md"

INTRODUCTION = """\
Simulated cohorts of 60, 160 and 360 patients with 10% and 40% events, without (null) and with an effect (0.4 per SD on
the log scale). A test passes with a type-I error of at most 6.5%, an interval (at 95%) with a coverage of at least 93%;
beyond that by more than two Monte-Carlo errors it fails; in between, with a Monte-Carlo error above 1.1 points, or with
fewer than the 10,000 (closed forms) or 1,000 (resampled) cohorts that were set before, it is not shown. `not_valid`
counts cohorts whose result carries `valid=False` or has no interval; they are not in the rate, and where they are more
than half, the statistic is not offered there."""


def groups() -> dict[str, tuple[Group, int]]:
    """Name of a group of statistics -> what simulates one cohort, and how many are wanted."""
    closed: dict[str, tuple[Group, int]] = {name: (f, CLOSED) for name, f in coverage_batched.GROUPS.items()}
    closed |= {name: (f, CLOSED) for name, f in coverage_closed.GROUPS.items()}
    return closed | {name: (f, RESAMPLED) for name, f in coverage_resampled.GROUPS.items()}


def simulate(group: Group, setting: Setting, repetitions: int, rng: np.random.Generator) -> Counts:
    """Hits, repetitions and cohorts that were not valid, per statistic."""
    out: Counts = {}
    with warnings.catch_warnings(), one_blas_thread(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        batched = group in coverage_batched.GROUPS.values()
        for _ in range(repetitions // coverage_batched.COHORTS if batched else repetitions):
            for name, truth, hit, *valid in group(setting, rng):
                row = out.setdefault((name, setting.n, setting.share, truth), [0, 0, 0])
                known = valid[0] if valid else np.array([hit is not None])
                row[0] += int((np.asarray(hit, dtype=bool) & known).sum())
                row[1] += int(known.sum())
                row[2] += int((~known).sum())
    return out


def read_state(path: Path) -> tuple[Counts, dict[tuple[str, int, float], int], dict[str, int]]:
    """Return the counts so far, the repetitions per group and setting, and how many each statistic is to have."""
    counts: Counts = {}
    wanted: dict[str, int] = {}
    known = groups()
    of_group: dict[str, str] = {}
    done: dict[tuple[str, int, float], int] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        chunk = json.loads(line)
        at = (chunk["group"], chunk["n"], chunk["share"])
        done[at] = done.get(at, 0) + chunk["repetitions"]
        for name, truth, hits, repetitions, invalid in chunk["counts"]:
            wanted[name], of_group[name] = known[chunk["group"]][1], chunk["group"]
            row = counts.setdefault((name, chunk["n"], chunk["share"], truth), [0, 0, 0])
            for k, v in enumerate((hits, repetitions, invalid)):
                row[k] += v
    for (name, n, share, _), row in counts.items():
        # A cohort of which a statistic says nothing, for want of events, is not valid for it.
        row[2] += max(0, done[(of_group[name], n, share)] - row[1] - row[2])
    return counts, done, wanted


def one_chunk(path: Path, name: str, group: Group, setting: Setting, done: int, repetitions: int) -> None:
    """Simulate some cohorts and append their counts."""
    rng = np.random.default_rng((zlib.crc32(name.encode()), setting.n, round(100 * setting.share), done))
    found = simulate(group, setting, repetitions, rng)
    chunk = {"group": name, "n": setting.n, "share": setting.share, "repetitions": repetitions}
    rows = [[key[0], key[3], *row] for key, row in found.items()]
    with path.open("a") as out:
        out.write(json.dumps(chunk | {"counts": rows}) + "\n")


def head() -> str:
    """Command, commit, date and version."""
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, cwd=HERE, capture_output=True, text=True, check=False).stdout.strip()
    date = time.strftime("%Y-%m-%d")
    return f"python -m benchmarks.prognosis.coverage; commit {commit}; {date}; mtorscore {mtorscore.__version__}"


def write(path: Path) -> pd.DataFrame:
    """Write the table of the counts in a file, and its page."""
    counts, _, wanted = read_state(path)
    found = table(counts, wanted)
    text = f"# {head()}\n" + found.to_csv(sep="\t", index=False)
    (HERE / "coverage.tsv").write_text(text, encoding="utf-8")
    PAGE.write_text(page(found, head()), encoding="utf-8")
    return found


def page(found: pd.DataFrame, header: str) -> str:
    """Return the page of the manual: first what does not pass, then everything."""
    counts = found["verdict"].value_counts()
    said = ", ".join(f"{counts.get(v, 0)} {v}" for v in ("passes", "fails", "not shown", "not offered"))
    parts = [
        "# Coverage of every printed interval, error of every printed test", "",
        f"Written by `{header}`; no figure is typed by hand.", "",
        INTRODUCTION, "",
        f"Of {len(found)} rows: {said}.", "",
        (HERE / "coverage_notes.md").read_text(encoding="utf-8").strip(), "",
        "## What does not pass", "", _markdown(found[~found["verdict"].isin(["passes", "not offered"])]), "",
        "## All", "", _markdown(found), "",
        "## Robust and clustered errors, calibration bands, median follow-up", "",
        "Written by `" + head_of(CALIBRATION) + "`.", "",
        _markdown(pd.read_csv(CALIBRATION, sep="\t", comment="#")),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def head_of(path: Path) -> str:
    """Return the first line of a table: command, commit, date and version."""
    return path.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ")


def _markdown(rows: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(rows.columns) + " |", "| " + " | ".join(["---"] * rows.shape[1]) + " |"]
    lines += ["| " + " | ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in r) + " |"
              for r in rows.itertuples(index=False)]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Go on until everything has its repetitions or the time is up; round by round, so that all settings advance."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "coverage.jsonl"
    until = time.monotonic() + 60 * (float(sys.argv[2]) if len(sys.argv) > 2 else 1e6)
    only = sys.argv[3].split(",") if len(sys.argv) > 3 else None
    _, done, _ = read_state(path)
    todo = {name: g for name, g in groups().items() if only is None or name in only}
    while time.monotonic() < until:
        left = [(name, s) for name, (_, n) in todo.items() for s in SETTINGS if done.get((name, s.n, s.share), 0) < n]
        if not left:
            break
        for name, setting in left:
            group, n = todo[name]
            at = (name, setting.n, setting.share)
            size = min(CHUNK[n == CLOSED], n - done.get(at, 0))
            one_chunk(path, name, group, setting, done.get(at, 0), size)
            done[at] = done.get(at, 0) + size
            if time.monotonic() >= until:
                break
    print(write(path)["verdict"].value_counts().to_string())


if __name__ == "__main__":
    main()

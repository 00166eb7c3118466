"""Interval of the difference of tumours and reference tissue, by two errors.

Run as ``python -m benchmarks.prognosis.activation_error [N]``.
Scores of 40 tumours and of 5 to 50 reference samples, of other patients or of the first of the same (pairs, correlated
by one half), normal or with heavy tails (Student's t on 5 degrees of freedom), at differences of 0, 1 and 5 SD of the
reference. Counted is how often the interval at 95% holds the truth, how often it excludes 0, and its median width. A
coverage passes at 93% or more, fails below by more than two Monte-Carlo errors, and is not shown in between. With an
argument N, N cohorts for the jackknife and a quarter for the bootstrap (2,000 by default). Writes
``activation_error.tsv`` and ``docs/evidence/activation_error.md``.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

import mtorscore as mt

HERE = Path(__file__).parent
TABLE, PAGE = HERE / "activation_error.tsv", HERE.parents[1] / "docs" / "evidence" / "activation_error.md"
TUMOURS, HEAVY = 40, 5
SETTINGS = tuple(product((5, 9, 20, 50), (False, True), ("normal", "heavy"), (0.0, 1.0, 5.0)))
TEXT = """# Tumours against reference tissue: the interval of the difference

Written by `python -m benchmarks.prognosis.activation_error`; no figure is typed by hand. `prognosis.activation` gives
the difference of means in SD of the reference tissue. Its interval is Student's t on an error that counts patients:
the jackknife (the default; each patient left out with all samples) or the bootstrap. 40 tumours against 5 to 50
reference samples, of other patients or paired (correlation one half), normal or heavy-tailed (Student's t on 5 degrees
of freedom). `coverage`: how often the interval at 95% holds the truth; `excludes_0`: the error where the difference is
0, else the power; `width`: the median. A coverage passes at 93% or more, fails below by more than two Monte-Carlo
errors, and is not shown in between.

{table}

- {verdict}
- With nine reference samples or fewer a resample often holds one or two of them, whose SD is next to nothing, so that
  the bootstrap's error has no bound; the jackknife leaves out one patient at a time.
- command: python -m benchmarks.prognosis.activation_error {n}
- commit: {commit}
- date: {date}
- mtorscore: {version}
"""


def cohort(
    rng: np.random.Generator, setting: tuple[int, bool, str, float]
) -> tuple[pd.DataFrame, npt.NDArray[np.bool_], pd.Series]:
    """Return scores, which of them are tumours', and the patient of each."""
    m, paired, kind, shift = setting
    x, y = rng.normal(size=TUMOURS), rng.normal(size=m)
    if kind == "heavy":
        x, y = (rng.standard_t(HEAVY, size=k) * np.sqrt((HEAVY - 2) / HEAVY) for k in (TUMOURS, m))
    both = min(m, TUMOURS)
    if paired:
        y[:both] = np.sqrt(0.5) * y[:both] + np.sqrt(0.5) * x[:both]
    index = pd.RangeIndex(TUMOURS + m)
    patients = np.r_[np.arange(TUMOURS), np.arange(m) if paired and m <= TUMOURS else np.arange(m) + TUMOURS]
    if paired and m > TUMOURS:
        patients = np.r_[np.arange(TUMOURS), np.arange(TUMOURS), np.arange(TUMOURS, m)]
    scores = pd.DataFrame({"score": np.r_[x + shift, y]}, index=index)
    return scores, np.arange(len(index)) < TUMOURS, pd.Series(patients, index=index)


def measure(setting: tuple[int, bool, str, float], error: str, n: int, seed: int) -> dict[str, object]:
    """Return coverage, share of intervals that exclude 0, and median width over n cohorts."""
    rng, found = np.random.default_rng(seed), []
    for k in range(n):
        scores, tumour, patients = cohort(rng, setting)
        row = mt.prognosis.activation(scores, tumour, ~tumour, patients=patients, error=error, n_boot=200, seed=k)
        found.append(row.loc[0, ["difference_low", "difference_high"]].to_numpy(dtype=np.float64))
    low, high = np.array(found).T
    shift = setting[3]
    coverage = float(np.mean((low <= shift) & (shift <= high)))
    mc = float(np.sqrt(max(coverage * (1 - coverage), 1e-4) / n))
    verdict = "passes" if coverage >= 0.93 else "fails" if coverage < 0.93 - 2 * mc else "not shown"
    return {
        "reference": setting[0], "pairs": "yes" if setting[1] else "no", "scores": setting[2], "difference": shift,
        "error": error, "cohorts": n, "coverage": round(coverage, 3), "mc_error": round(mc, 3),
        "excludes_0": round(float(np.mean((low > 0) | (high < 0))), 3),
        "width": round(float(np.median(high - low)), 2), "verdict": verdict,
    }  # fmt: skip


def main() -> None:
    """Measure all settings, and write table and page."""
    warnings.simplefilter("ignore")
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    rows = [
        measure(setting, error, n if error == "jackknife" else n // 4, 11 * i)
        for i, setting in enumerate(SETTINGS)
        for error in ("jackknife", "bootstrap")
    ]
    table = pd.DataFrame(rows)
    head = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=False, cwd=HERE).stdout.strip()
    date, version = datetime.now(tz=UTC).date(), mt.__version__
    told = f"# python -m benchmarks.prognosis.activation_error {n}; commit {commit}; {date}; mtorscore {version}\n"
    TABLE.write_text(told + table.to_csv(sep="\t", index=False), encoding="utf-8")
    counts = {e: part["verdict"].value_counts().to_dict() for e, part in table.groupby("error", sort=False)}
    verdict = "; ".join(f"{e}: " + ", ".join(f"{k} {v}" for k, v in c.items()) for e, c in counts.items())
    lines = ["| " + " | ".join(table.columns) + " |", "| " + " | ".join("---" for _ in table.columns) + " |"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)]
    page = TEXT.format(table="\n".join(lines), verdict=verdict + ".", n=n, commit=commit, date=date, version=version)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()

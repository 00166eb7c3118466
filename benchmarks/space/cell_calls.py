"""Calls of cells where the truth is known: ``python -m benchmarks.space.cell_calls [RUNS] [SEED]``.

Scores of cells are normal, samples differ (SD 0.3 of the cells'), and a share of the cells of each sample, which is
drawn anew (mean 0.3), stands `shift` SD higher. The table has how often intervals of 95% hold the truth, what a sample
like the reference shows above the threshold, and how often scores with one mode, or two, are given a threshold.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import stats

import mtorscore as mt

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_suffix(".tsv")
SD, SHARE, CELLS = 0.3, 0.3, 200
ONE_MODE: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "normal": lambda rng, n: rng.normal(0, 1, n),
    "uniform": lambda rng, n: rng.random(n) * 3,
    "gamma, shape 1": lambda rng, n: rng.gamma(1.0, 1.0, n),
    "lognormal": lambda rng, n: rng.lognormal(0, 1, n),
    "t, 3 df": lambda rng, n: rng.standard_t(3, n),
}


def scored(values: Any, sample: Any, healthy: Any) -> ad.AnnData:
    """Wrap scores of cells."""
    names = [f"c{i}" for i in range(len(values))]
    adata = ad.AnnData(np.zeros((len(values), 1)), pd.DataFrame({"sample": sample, "healthy": healthy}, index=names))
    adata.obs["sample"] = [f"s{i}" for i in sample]
    adata.obsm["score_ucell"] = pd.DataFrame({"A": values}, index=names)
    return adata


def simulate(rng: np.random.Generator, n_reference: int, n_samples: int, shift: float) -> ad.AnnData:
    """Make reference samples without, and others with active cells."""
    n = n_reference + n_samples
    sample = np.repeat(np.arange(n), CELLS)
    active = (
        rng.random(n * CELLS) < np.where(np.arange(n) < n_reference, 0, rng.beta(6 * SHARE, 6 * (1 - SHARE), n))[sample]
    )
    values = rng.normal(0, 1, n * CELLS) + rng.normal(0, SD, n)[sample] + shift * active
    return scored(values, sample, sample < n_reference)


def with_reference(rng: np.random.Generator, runs: int, n_samples: int) -> dict[str, Any]:
    """Return how often the intervals hold, with as many reference samples as others."""
    spread = np.sqrt(1 + SD**2)
    threshold = stats.norm.ppf(0.95, 0, spread)
    share = SHARE * stats.norm.sf(threshold, 4, spread) + (1 - SHARE) * 0.05
    found = pd.concat(
        mt.tl.call_cells(
            simulate(rng, n_samples, n_samples, 4.0), sample_key="sample", reference="healthy", n_boot=200
        ).signatures
        for _ in range(runs)
    )
    return {
        "what": f"{n_samples} reference samples", "runs": runs, "threshold found": found["threshold"].notna().mean(),
        "threshold held": ((found["threshold_low"] <= threshold) & (found["threshold_high"] >= threshold)).mean(),
        "share held": ((found["active_low"] <= share) & (found["active_high"] >= share)).mean(),
        "reference active": found["reference_active"].mean(),
    }  # fmt: skip


def without_reference(runs: int, name: str, make: Callable[[], ad.AnnData], share: float) -> dict[str, Any]:
    """Return how often a threshold is found between modes, and how often its interval of the share holds."""
    table = pd.concat(mt.tl.call_cells(make(), sample_key="sample", n_boot=200).signatures for _ in range(runs))
    found = table[table["threshold"].notna()]
    row = {"what": name, "runs": runs, "threshold found": len(found) / runs}
    if share and len(found):
        row["share held"] = ((found["active_low"] <= share) & (found["active_high"] >= share)).mean()
    return row


def main() -> None:
    """Run all and write the table."""
    runs, seed = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 400), (2, 17)))
    rng = np.random.default_rng(seed)
    warnings.simplefilter("ignore")
    rows = [with_reference(rng, runs, n) for n in (5, 8, 12)]
    for shift in (2.5, 3.0, 4.0, 6.0):
        name = f"two modes {shift:g} SD apart, 8 samples"
        rows.append(without_reference(runs // 4, name, lambda s=shift: simulate(rng, 0, 8, s), SHARE))
    sample = np.repeat(np.arange(8), CELLS)
    for name, draw in ONE_MODE.items():
        rows.append(
            without_reference(runs // 4, f"one mode: {name}, 8 samples",
                lambda d=draw: scored(d(rng, len(sample)) + rng.normal(0, SD, 8)[sample], sample, sample < 0), 0.0,
            )
        )  # fmt: skip
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    head = (
        f"# python -m benchmarks.space.cell_calls {runs} {seed}; commit {commit.stdout.strip()}; "
        f"{datetime.now(UTC):%Y-%m-%d}; mtorscore {mt.__version__}; {os.cpu_count()} cores\n"
        f"# {CELLS} cells per sample; intervals of 95%\n"
    )
    TABLE.write_text(head + pd.DataFrame(rows).to_csv(sep="\t", index=False, float_format="%.4g"))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()

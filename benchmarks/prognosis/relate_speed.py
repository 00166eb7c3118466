"""Relating a cohort's scores to its outcomes, beside another checkout: ``python -m benchmarks.prognosis.relate_speed``.

Run it as ``python -m benchmarks.prognosis.relate_speed OTHER [ROUNDS]`` with the folder of another checkout. The cohort
is that of the demo (300 tumours, 2 endpoints, 3 methods, 1,000 random signatures each), made and scored by each
checkout for itself. Both take turns, each time in a process of its own, after one run that compiles the kernels.
Printed are seconds (processor: of the process and its children; the least of all rounds) and the largest relative
difference of every column that both tables of associations hold; of null columns and `valid` the difference itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

import mtorscore as mt

ROOT = Path(__file__).resolve().parents[2]
METHODS = ["singscore", "ssgsea", "zscore"]
PREPARE = f"""
import sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import mtorscore as mt
from mtorscore.pipeline import acquire, prepare, relate, score
out = Path(sys.argv[1])
acquire("simulated", out / "manifest.json", simulate=dict(seed=0, disease="hcc", n_tumours=300, n_normals=40))
prepare("simulated", out, simulated=out / "simulated.h5ad")
score(out, mt.library(), {METHODS}, {{}})
relate(out, mt.library(), methods={METHODS}, null_sets=2)
"""
RELATE = f"""
import resource, sys, time, warnings
warnings.simplefilter("ignore")
import mtorscore as mt
from mtorscore.pipeline import relate
def processor():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)
library = mt.library()
begun, wall = processor(), time.perf_counter()
relate(sys.argv[1], library, methods={METHODS}, null_sets=1000)
print(processor() - begun, time.perf_counter() - wall)
"""


def run(checkout: Path, code: str, folder: Path) -> str:
    """Run code with the package of a checkout; return what it printed."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=folder).stdout


def differences(before: Path, now: Path) -> dict[str, float]:
    """Return the largest relative difference of each numeric column that both tables hold; NaN where one lacks it."""
    one, two = (pd.read_csv(p / "relate" / "associations.tsv", sep="\t", low_memory=False) for p in (before, now))
    keys = ["method", "signature", "endpoint", "model", "adjusted_for"]
    both = one.merge(two, on=keys, suffixes=("_1", "_2"), validate="one_to_one")
    found = {}
    for name in [c for c in one if c in two and c not in keys]:
        a, b = (pd.to_numeric(both[f"{name}_{i}"], errors="coerce").to_numpy(dtype=float) for i in (1, 2))
        known = np.isfinite(a) & np.isfinite(b)
        if known.any():
            # Percentiles and p-values of random signatures are counts: their difference is told as it is.
            size = 1.0 if "null" in name or name == "valid" else np.maximum(np.abs(a), 1e-300)
            found[name] = float((np.abs(a - b) / size)[known].max())
    return found


def main() -> None:
    """Measure, and print the table."""
    other, rounds = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    head = ["git", "rev-parse", "--short", "HEAD"]
    commits = [subprocess.run(head, capture_output=True, text=True, check=False, cwd=c) for c in (ROOT, other)]
    now, before = (c.stdout.strip() for c in commits)
    today, cores = datetime.now(tz=UTC).date(), os.cpu_count()
    print(f"# python -m benchmarks.prognosis.relate_speed; commits {now} and {before}; {today}; mtorscore "
          f"{mt.__version__}; {cores} cores, load {os.getloadavg()[0]:.1f}; {rounds} round(s)")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        places = {checkout: Path(folder) / name for checkout, name in ((other, "before"), (ROOT, "now"))}
        for checkout, place in places.items():
            place.mkdir()
            run(checkout, PREPARE, place)
        told: dict[Path, list[list[float]]] = {other: [], ROOT: []}
        for _ in range(rounds):
            for checkout, place in places.items():
                told[checkout].append([float(v) for v in run(checkout, RELATE, place).split()])
        print("what\tbefore\tnow\tratio")
        for i, what in enumerate(("processor seconds", "wall seconds")):
            then, here = (min(t[i] for t in told[c]) for c in (other, ROOT))
            print(f"{what}\t{then:.1f}\t{here:.1f}\t{here / then:.2f}")
        for name, largest in differences(places[other], places[ROOT]).items():
            print(f"difference of {name}\t\t\t{largest:.1e}")


if __name__ == "__main__":
    main()

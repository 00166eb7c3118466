"""What scoring from disk costs: ``python -m benchmarks.scoring.cost_model FOLDER``.

Files of 20,000 genes, about 2,175 counts per cell, CSR (compressed sparse rows), not packed, made in FOLDER (5 GB;
those that are there are used again). Each run is a process of its own that writes Parquet. Processor seconds (user and
system, of all threads) are fitted, by least squares of relative errors, coefficients not negative, as

    seconds = start + signatures * each + cells * (base + passes * pass + signatures * signature)

to 10,000 to 100,000 cells; 200,000 cells, and a number of signatures that no run of the fit had, are predicted.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.optimize import nnls

import mtorscore as mt

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_suffix(".tsv")
GENES, PER_CELL, PER_SET, AT_ONCE = 20_000, 2_175, 50, 2_000
PASSES = {"ucell": 1, "zscore": 3}
FITTED = [
    (n, method, sets)
    for n in (10_000, 20_000, 50_000, 100_000)
    for method, sets in (("ucell", 100), ("ucell", 1_000), ("zscore", 100), ("zscore", 1_000))
]
HELD_OUT = [(200_000, "ucell", 300), (200_000, "zscore", 300)]
FAR = [(10**6, "ucell", 1_000), (10**8, "ucell", 100), (10**8, "ucell", 1_000), (10**8, "zscore", 1_000)]
RUN = f"""
import sys, warnings
warnings.simplefilter("ignore")
import numpy as np
import mtorscore as mt
path, out, method, sets = sys.argv[1:]
rng = np.random.default_rng(1)
genes = [f"GENE{{i}}" for i in range({GENES})]
sets = {{f"S{{i}}": list(rng.choice(genes, {PER_SET}, replace=False)) for i in range(int(sets))}}
mt.tl.score(path, sets, method=method, out=out)
"""


def make(path: Path, n_obs: int) -> None:
    """Write a file of counts, some rows at a time."""
    rng = np.random.default_rng(n_obs)
    share = rng.gamma(0.5, 1.0, GENES) + 0.02
    share = np.clip(share / share.sum() * PER_CELL, 0, 0.95).astype(np.float32)
    names = pd.DataFrame(index=[f"GENE{i}" for i in range(GENES)])
    obs = pd.DataFrame(index=[f"cell{i}" for i in range(n_obs)])
    ad.AnnData(sparse.csr_matrix((n_obs, GENES), dtype=np.float32), obs=obs, var=names).write_h5ad(path)
    pointer = [np.zeros(1, dtype=np.int64)]
    with h5py.File(path, "r+") as file:
        matrix = file["X"]
        for name in ("data", "indices", "indptr"):
            del matrix[name]
        more = {"shape": (0,), "maxshape": (None,), "chunks": (1 << 18,)}
        data, indices = (matrix.create_dataset(n, dtype=d, **more) for n, d in (("data", "f4"), ("indices", "i4")))
        for first in range(0, n_obs, AT_ONCE):
            there = rng.random((min(AT_ONCE, n_obs - first), GENES), dtype=np.float32) < share
            columns = np.nonzero(there)[1]
            done = int(pointer[-1][-1])
            for dataset, values in ((data, rng.geometric(0.4, columns.size)), (indices, columns)):
                dataset.resize((done + columns.size,))
                dataset[done:] = values
            pointer.append(done + np.cumsum(there.sum(axis=1)))
        matrix.create_dataset("indptr", data=np.concatenate(pointer))


def measured(folder: Path, n_obs: int, method: str, sets: int) -> dict[str, float | str]:
    """Return what one run took."""
    path, out = folder / f"cells{n_obs}.h5ad", folder / "scores.parquet"
    if not path.exists():
        make(path, n_obs)
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", RUN, str(path), str(out), method, str(sets)]
    subprocess.run(command, cwd=ROOT, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "cells": n_obs,
        "method": method,
        "signatures": sets,
        "passes": PASSES[method],
        "read GB": PASSES[method] * path.stat().st_size / 1e9,
        "written GB": out.stat().st_size / 1e9,
        "processor seconds": seconds,
        "wall seconds": time.perf_counter() - wall,
    }


def terms(table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the columns that the coefficients multiply."""
    n = table["cells"].to_numpy(dtype=np.float64)
    sets = table["signatures"].to_numpy(dtype=np.float64)
    return np.column_stack([np.ones(n.size), sets, n, n * table["passes"], n * sets])


def main() -> None:
    """Measure, fit, predict, and write the table."""
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    for method in PASSES:
        # Compiled code is kept from here on.
        measured(folder, 10_000, method, 10)
    runs = []
    for run in [*FITTED, *HELD_OUT]:
        runs.append(measured(folder, *run) | {"use": "held out" if run in HELD_OUT else "fitted"})
        print(runs[-1], flush=True)
    table = pd.DataFrame(runs)
    fitted = table[table["use"] == "fitted"]
    seconds = fitted["processor seconds"].to_numpy()
    found, _ = nnls(terms(fitted) / seconds[:, None], np.ones(len(fitted)))
    per_cell = table[table["cells"] == max(n for n, *_ in HELD_OUT)].iloc[0]
    far = pd.DataFrame(FAR, columns=["cells", "method", "signatures"])
    far["passes"] = far["method"].map(PASSES)
    far["read GB"] = far["cells"] * far["passes"] * (per_cell["read GB"] / per_cell["passes"] / per_cell["cells"])
    far["written GB"] = far["cells"] * far["signatures"] * (
        per_cell["written GB"] / per_cell["signatures"] / per_cell["cells"]
    )  # fmt: skip
    far["use"] = "extrapolated"
    table = pd.concat([table, far], ignore_index=True)
    table["predicted seconds"] = terms(table) @ found
    table["error"] = table["predicted seconds"] / table["processor seconds"] - 1
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    start, each, base, one_pass, signature = found
    where = f"commit {commit}; {datetime.now(UTC):%Y-%m-%d}; mtorscore {mt.__version__}; {os.cpu_count()} cores"
    model = f"start {start:.2f} s and {each * 1e3:.2f} s per thousand signatures; per million cells {base * 1e6:.1f} s"
    model += f", {one_pass * 1e6:.1f} s for each pass, {signature * 1e9:.1f} s per thousand signatures"
    header = [
        f"# python -m benchmarks.scoring.cost_model; {where}, load {os.getloadavg()[0]:.1f}",
        f"# processor seconds: {model}",
    ]
    text = table.to_csv(sep="\t", index=False, float_format="%.3g", na_rep="")
    TABLE.write_text("\n".join(header) + "\n" + text)
    print("\n".join(header), text, sep="\n")


if __name__ == "__main__":
    main()

"""What scoring from disk costs: ``python -m benchmarks.scoring.cost_model FOLDER [MOST]``.

Files of 20,000 genes in CSR (compressed sparse rows), not packed, are made in FOLDER and removed when they are done
with (up to 17 GB at a time; MOST leaves out files of more cells). Each run is a process of its own that writes Parquet.
Processor seconds (user and system, of all threads; the mean of the rounds) are fitted for each method, by
least squares of relative errors, coefficients not negative, as

    seconds = start + signatures * each + cells * (cell + signatures * signature) + gigabytes read * gigabyte

to files of up to 200,000 cells. A file that fits into the memory in which the system keeps what was read costs less
than one that does not, so that small files would say too little of large ones: while a run lasts the system is told to
forget its file, which is thus read from the disk at every pass, as a large one is. Larger files, and numbers of
signatures that no run of the fit had, are predicted.
`benchmarks.scoring.cost_page` writes the page of the manual from the table.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
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
GENES, USUAL, FEW, PER_SET, AT_ONCE, DISTINCT = 20_000, 2_175, 725, 50, 2_000, 10
# How often a file is read: the passes of the method, and one for the hash that tells whether it is still the same file.
READS = {"ucell": 2, "zscore": 4}
TERMS = [
    "start s",
    "s per 1000 signatures",
    "s per million cells",
    "s per million cells and 1000 signatures",
    "s per GB",
]
"""Coefficients in the units in which they are printed; see `terms`."""
# Cells, values per cell, numbers of signatures, rounds.
FITTED = [
    (10_000, USUAL, (100, 1_000), 2),
    (20_000, USUAL, (100, 1_000), 1),
    (50_000, USUAL, (100, 1_000), 1),
    (50_000, FEW, (100, 1_000), 1),
    (100_000, USUAL, (100, 1_000), 1),
    (200_000, USUAL, (100, 1_000), 1),
]
HELD_OUT = [(500_000, USUAL, (300,), 1), (1_000_000, USUAL, (300,), 1)]
RUN = f"""
import os, sys, threading, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import mtorscore as mt
path, out, method, sets = sys.argv[1:]
def forget():
    file = os.open(path, os.O_RDONLY)
    while True:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        time.sleep(0.2)
threading.Thread(target=forget, daemon=True).start()
rng = np.random.default_rng(1)
genes = [f"GENE{{i}}" for i in range({GENES})]
sets = {{f"S{{i}}": list(rng.choice(genes, {PER_SET}, replace=False)) for i in range(int(sets))}}
mt.tl.score(path, sets, method=method, out=out)
"""


def blocks(per_cell: int) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.int64]]]:
    """Return blocks of rows (values, columns, values per row) that a file repeats."""
    rng = np.random.default_rng(per_cell)
    share = rng.gamma(0.5, 1.0, GENES) + 0.02
    share = np.clip(share / share.sum() * per_cell, 0, 0.95).astype(np.float32)
    found = []
    for _ in range(DISTINCT):
        there = rng.random((AT_ONCE, GENES), dtype=np.float32) < share
        columns = np.nonzero(there)[1].astype(np.int32)
        found.append((rng.geometric(0.4, columns.size).astype(np.float32), columns, there.sum(axis=1)))
    return found


def make(path: Path, n_obs: int, per_cell: int) -> None:
    """Write a file of counts, a block of rows at a time."""
    names = pd.DataFrame(index=[f"GENE{i}" for i in range(GENES)])
    obs = pd.DataFrame(index=[f"cell{i}" for i in range(n_obs)])
    ad.AnnData(sparse.csr_matrix((n_obs, GENES), dtype=np.float32), obs=obs, var=names).write_h5ad(path)
    repeated = blocks(per_cell)
    pointer = [np.zeros(1, dtype=np.int64)]
    with h5py.File(path, "r+") as file:
        matrix = file["X"]
        for name in ("data", "indices", "indptr"):
            del matrix[name]
        more = {"shape": (0,), "maxshape": (None,), "chunks": (1 << 18,)}
        data, indices = (matrix.create_dataset(n, dtype=d, **more) for n, d in (("data", "f4"), ("indices", "i4")))
        for turn in range(n_obs // AT_ONCE):
            values, columns, sizes = repeated[turn % DISTINCT]
            done = int(pointer[-1][-1])
            for dataset, part in ((data, values), (indices, columns)):
                dataset.resize((done + part.size,))
                dataset[done:] = part
            pointer.append(done + np.cumsum(sizes))
        matrix.create_dataset("indptr", data=np.concatenate(pointer))
    # What is not on the disk yet cannot be forgotten.
    os.sync()


def measured(path: Path, method: str, sets: int) -> dict[str, float]:
    """Return what one run took."""
    out, wall = path.with_name("scores.parquet"), time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", RUN, str(path), str(out), method, str(sets)], cwd=ROOT)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(status)
    return {
        "read GB": READS[method] * path.stat().st_size / 1e9,
        "written GB": out.stat().st_size / 1e9,
        "processor s": used.ru_utime + used.ru_stime,
        "wall s": time.perf_counter() - wall,
    }


def terms(table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the columns that the coefficients multiply, in the order and units of `TERMS`."""
    cells, sets = table["cells"].to_numpy(dtype=np.float64) / 1e6, table["signatures"].to_numpy(dtype=np.float64) / 1e3
    return np.column_stack([np.ones(cells.size), sets, cells, cells * sets, table["read GB"]])


def fit(runs: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the coefficients of one method."""
    seconds = runs["processor s"].to_numpy()
    found, _ = nnls(terms(runs) / seconds[:, None], np.ones(seconds.size))
    return np.asarray(found)


def measure(folder: Path, most: int) -> Iterator[pd.DataFrame]:
    """Run everything; yield the means of each kind of run, file by file."""
    for use, plan in (("fitted", FITTED), ("held out", HELD_OUT)):
        for n_obs, per_cell, numbers, rounds in plan:
            if n_obs > most:
                continue
            path = folder / f"cells{n_obs}-{per_cell}.h5ad"
            make(path, n_obs, per_cell)
            kinds = [(method, sets) for method in READS for sets in numbers]
            found = [{"method": m, "signatures": s, **measured(path, m, s)} for _ in range(rounds) for m, s in kinds]
            path.unlink()
            table = pd.DataFrame(found).groupby(["method", "signatures"], sort=False)
            spread = (table["processor s"].max() / table["processor s"].min()).rename("most by least")
            about = {"cells": n_obs, "values per cell": per_cell, "rounds": rounds, "use": use}
            yield table.mean().join(spread).reset_index().assign(**about)


def write(table: pd.DataFrame) -> str:
    """Fit, predict, and write the table."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    where = f"commit {commit}; {datetime.now(UTC):%Y-%m-%d}; mtorscore {mt.__version__}; {os.cpu_count()} cores"
    lines = [f"# python -m benchmarks.scoring.cost_model; {where}, load {os.getloadavg()[0]:.1f} at the end"]
    for method in READS:
        own = table["method"] == method
        found = fit(table[own & (table["use"] == "fitted")])
        table.loc[own, "predicted s"] = terms(table[own]) @ found
        lines.append(f"# {method}: " + "; ".join(f"{t} {v:.4g}" for t, v in zip(TERMS, found, strict=True)))
    table["error"] = table["predicted s"] / table["processor s"] - 1
    order = ["method", "cells", "values per cell", "signatures", "read GB", "written GB", "processor s", "wall s"]
    order += ["rounds", "most by least", "use", "predicted s", "error"]
    text = "\n".join(lines) + "\n" + table[order].to_csv(sep="\t", index=False, float_format="%.4g")
    TABLE.write_text(text)
    return text


def main() -> None:
    """Measure and write the table, anew after each file."""
    folder, most = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10**7
    folder.mkdir(exist_ok=True)
    warm = folder / "warm.h5ad"
    make(warm, AT_ONCE, USUAL)
    for method in READS:
        # Compiled code is kept from here on.
        measured(warm, method, 10)
    warm.unlink()
    tables: list[pd.DataFrame] = []
    for found in measure(folder, most):
        tables.append(found)
        print(write(pd.concat(tables, ignore_index=True)), flush=True)


if __name__ == "__main__":
    main()

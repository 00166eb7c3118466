"""First calls: ``python -m benchmarks.scoring.first_calls [METHOD ...]``.

300 cells x 33,694 genes, counts as log(CPM / 100 + 1) in CSR (compressed sparse rows), single precision, and the
shipped library. Every method is called twice in a process of its own whose cache of compiled code is empty; printed are
seconds of processor (user and system, all threads). Then PLAGE is called beside eight processes that are busy, once
with the threads of linear algebra as they come and once with one, in turns; printed is the least wall time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from anndata import AnnData
from scipy import sparse

import mtorscore as mt

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_suffix(".tsv")
CELLS, GENES, BUSY, TURNS = 300, 33_694, 8, 5
MOST = 6.0


def cells() -> AnnData:
    """Return the matrix; the genes of the library come first."""
    rng = np.random.default_rng(1)
    means = np.exp(rng.normal(-3, 2, GENES))
    counts = rng.poisson(means * rng.gamma(4, 0.25, (CELLS, 1))).astype(np.float32)
    known = sorted({str(gene) for entry in mt.library() for gene in getattr(entry, "genes", ())})
    adata = AnnData(sparse.csr_matrix(np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))))
    adata.var_names = [*known, *(f"GENE{i}" for i in range(GENES - len(known)))]
    return adata


def calls(method: str, times: int = 2) -> None:
    """Print processor and wall seconds of each call."""
    warnings.simplefilter("ignore")
    adata, library = cells(), mt.library()
    for _ in range(times):
        used, wall = time.process_time(), time.perf_counter()
        mt.tl.score(adata, library, method=method)
        print(time.process_time() - used, time.perf_counter() - wall)


def measured(method: str, cache: str, times: int, **environment: str) -> np.ndarray:
    """Return ``(times, 2)`` processor and wall seconds of the calls of a new process."""
    code = f"from benchmarks.scoring.first_calls import calls; calls({method!r}, {times})"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"NUMBA_CACHE_DIR": cache} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return np.array([line.split() for line in found.stdout.splitlines()], dtype=float)


def beside_busy(method: str) -> tuple[float, float]:
    """Return wall seconds beside busy processes: threads as they come, one thread."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]
    try:
        with tempfile.TemporaryDirectory() as cache:
            measured(method, cache, 1)
            walls: tuple[list[float], list[float]] = ([], [])
            for _ in range(TURNS):
                walls[0].append(measured(method, cache, 2)[1, 1])
                walls[1].append(measured(method, cache, 2, OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")[1, 1])
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return min(walls[0]), min(walls[1])


def main() -> None:
    """Measure and write the table."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    header = (
        f"# python -m benchmarks.scoring.first_calls; commit {commit} and what stood beside it; "
        f"{datetime.now(UTC):%Y-%m-%d}; mtorscore {mt.__version__}; {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    lines = [
        header,
        "method\twhat\tfirst\tsecond\tfirst less second\tat most",
    ]
    for method in sys.argv[1:] or list(mt.tl.methods().index):
        with tempfile.TemporaryDirectory() as cache:
            first, second = measured(method, cache, 2)[:, 0]
        lines.append(f"{method}\tprocessor seconds\t{first:.2f}\t{second:.2f}\t{first - second:.2f}\t{MOST:.1f}")
        print(lines[-1], flush=True)
    as_it_comes, one = beside_busy("plage")
    lines.append(f"plage\tthreads as they come, one thread: wall seconds beside {BUSY} busy processes\t"
                 f"{as_it_comes:.2f}\t{one:.2f}\t{as_it_comes / one:.2f} times\t2 times")  # fmt: skip
    print(lines[-1])
    TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

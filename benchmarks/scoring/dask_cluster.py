"""A Dask cluster of processes beside memory: ``python -m benchmarks.scoring.dask_cluster FOLDER [CELLS]``.

One h5ad of counts of 20,000 genes (CSR, made in FOLDER, used again) is scored by a process that loads it, and by a
`LocalCluster` whose workers read their rows from the file; each run is a process of its own. The table has processor
and wall seconds, the largest memory of the client and of any worker, and how far the scores are from those of memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

import mtorscore as mt
from benchmarks.scoring.data import rates, sets

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_suffix(".tsv")
CELLS, GENES, DETECTED, SETS, CHUNK, WORKERS = 200_000, 20_000, 1_000, 100, 5_000, 2
METHODS = ["singscore", "ucell", "aucell", "mean", "ulm", "zscore"]
RUN = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import anndata as ad, h5py, numpy as np, pandas as pd
import mtorscore as mt

def peak(who=resource.RUSAGE_SELF):
    return resource.getrusage(who).ru_maxrss / 1e6

def seconds():
    both = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in both)

def worker_peak():
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

def main():
    path, out, where, sets, methods, chunk, workers = json.loads(sys.argv[1])
    began, largest = time.perf_counter(), 0.0
    if where == "memory":
        adata = mt.tl.score(ad.read_h5ad(path), sets, method=methods)
    else:
        from anndata.experimental import read_elem_lazy
        from dask.distributed import Client, LocalCluster
        with h5py.File(path) as file:
            genes = [g.decode() for g in file["var/_index"][:]]
            cells = [c.decode() for c in file["obs/_index"][:]]
            x = read_elem_lazy(file["X"], chunks=(chunk, len(genes)))
            adata = ad.AnnData(x, pd.DataFrame(index=cells), pd.DataFrame(index=genes))
            cluster = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None)
            with cluster, Client(cluster) as client:
                mt.tl.score(adata, sets, method=methods)
                largest = max(client.run(worker_peak).values())
    wall = time.perf_counter() - began
    np.savez(out, **{m: adata.obsm[f"score_{m}"].to_numpy() for m in methods})
    print(json.dumps([seconds(), wall, peak(), largest]))

if __name__ == "__main__":
    main()
"""


def make(path: Path, n_obs: int) -> None:
    """Write counts as CSR, 1,000 rows at a time."""
    if path.exists():
        return
    rate = rates(GENES, DETECTED)
    part = path.with_suffix(".part")
    with h5py.File(part, "w") as file:
        for frame, names in (("obs", [f"c{i}" for i in range(n_obs)]), ("var", [f"G{i}" for i in range(GENES)])):
            group = file.create_group(frame)
            group.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"})
            group.attrs["column-order"] = np.array([], dtype="S1")
            group.create_dataset("_index", data=np.array(names, dtype=object), dtype=h5py.string_dtype())
            group["_index"].attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        x = file.create_group("X")
        x.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": (n_obs, GENES)})
        data = x.create_dataset("data", (0,), np.float32, maxshape=(None,), chunks=(1 << 18,))
        indices = x.create_dataset("indices", (0,), np.int32, maxshape=(None,), chunks=(1 << 18,))
        pointers = [np.zeros(1, dtype=np.int64)]
        for start in range(0, n_obs, 1000):
            rng = np.random.default_rng([7, start])
            block = sparse.csr_matrix(rng.poisson(rate, (min(1000, n_obs - start), GENES)).astype(np.float32))
            end = int(pointers[-1][-1])
            for stored, values in ((data, block.data), (indices, block.indices)):
                stored.resize((end + block.nnz,))
                stored[end:] = values
            pointers.append(block.indptr[1:].astype(np.int64) + end)
        x["indptr"] = np.concatenate(pointers)
    part.rename(path)


def run(path: Path, where: str) -> tuple[dict[str, np.ndarray], list[float]]:
    """Score in a process of its own; return the scores, and processor seconds, wall seconds and peaks (GB)."""
    out, program = path.with_name(f"{where}.npz"), path.with_name("run.py")
    program.write_text(RUN)
    asked = json.dumps([str(path), str(out), where, sets(SETS, GENES), METHODS, CHUNK, WORKERS])
    done = subprocess.run(
        [sys.executable, str(program), asked],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    with np.load(out) as found:
        return {m: found[m] for m in METHODS}, json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Run both and write the table."""
    folder, n_obs = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else CELLS
    path = folder / f"cells-{n_obs}.h5ad"
    make(path, n_obs)
    memory, cost = run(path, "memory")
    cluster, cost_cluster = run(path, "cluster")
    rows = [["memory", *cost, "", ""], ["cluster", *cost_cluster, "", ""]]
    for method in METHODS:
        equal = np.array_equal(memory[method], cluster[method], equal_nan=True)
        apart = float(np.nanmax(np.abs(memory[method] - cluster[method])))
        rows.append([method, *[np.nan] * 4, "yes" if equal else "no", f"{apart:.1e}"])
    columns = [
        "what",
        "processor seconds",
        "wall seconds",
        "peak GB",
        "peak GB of a worker",
        "same bits",
        "largest difference",
    ]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    import dask
    import distributed

    head = (
        f"# python -m benchmarks.scoring.dask_cluster FOLDER {n_obs}; commit {commit.stdout.strip()}; "
        f"{datetime.now(UTC):%Y-%m-%d}; mtorscore {mt.__version__}; dask {dask.__version__}, distributed "
        f"{distributed.__version__}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n"
        f"# {n_obs} cells x {GENES} genes, {DETECTED} detected per cell, {SETS} sets; {WORKERS} workers of 1 thread, "
        f"chunks of {CHUNK} cells\n"
    )
    TABLE.write_text(head + pd.DataFrame(rows, columns=columns).to_csv(sep="\t", index=False, float_format="%.3g"))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()

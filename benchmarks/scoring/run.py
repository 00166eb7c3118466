"""Runs every contender in rounds, so that noise of the machine hits all alike, and writes tables and figures."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scoring import data
from benchmarks.scoring.report import write_report

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("worker.py")
TABLES = ["cells", "threads", "together", "scale", "bulk", "stream", "start"]
OWN = {"ours", "floor", "stream", "read_blocks", "read_library", "command", "r"}


@dataclass
class Task:
    """One contender on one data set."""

    table: str
    label: str
    package: str
    n_obs: int
    settings: dict[str, Any]
    against: str | None = None
    answers: list[dict[str, Any]] = field(default_factory=list)
    failure: str = ""

    @property
    def warm(self) -> list[float]:
        """Warm times of all rounds, in seconds."""
        return [t for a in self.answers for t in a["warm_s"]]

    def rate(self, what: str = "median") -> float:
        """Observations per second."""
        if not self.warm:
            return float("nan")
        return self.n_obs / float(np.median(self.warm) if what == "median" else np.min(self.warm))


def run(task: Task, python: str, *, timeout: float, environment: dict[str, str] | None = None) -> None:
    """Run a task once in a process of its own and note what it says."""
    if task.failure:
        return
    settings = {"package": task.package, "threads": 1, "repeats": 3} | task.settings
    try:
        done = subprocess.run(
            [python, str(WORKER), json.dumps(settings)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {}),
        )
    except subprocess.TimeoutExpired:
        task.failure = f"more than {timeout:.0f} s"
        return
    if done.returncode:
        last = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["no message"]
        task.failure = f"exit {done.returncode}: {last[-1][:120]}"
        return
    task.answers.append(json.loads(done.stdout.strip().splitlines()[-1]))


def single_cell_tasks(folder: Path, n_obs: int) -> list[Task]:
    """Return our methods, the floor, and peers on the same cells."""
    here = data.write(folder, f"cells{n_obs}", n_obs, 30, "cells")
    slow = data.write(folder, "cells1000", 1000, 30, "cells")
    base = {"data": str(here)}
    tasks = [Task("cells", "floor: add up data and indices", "floor", n_obs, dict(base))]
    for method in ("ucell", "aucell", "singscore", "ssgsea", "mean", "ulm", "mlm", "zscore", "module_score"):
        params = {"flavour": "scanpy"} if method == "module_score" else {}
        scores = str(folder / f"ours-{method}.npy")
        own = base | {"method": method, "params": params, "scores": scores}
        tasks.append(Task("cells", f"mtorscore {method}", "ours", n_obs, own))
        tasks.append(
            Task("threads", f"mtorscore {method}, 2 threads", "ours", n_obs, own | {"threads": 2, "scores": None})
        )
    four = ["ucell", "aucell", "singscore", "ssgsea"]
    tasks.append(
        Task("together", "mtorscore ucell + aucell + singscore + ssgsea", "ours", n_obs, base | {"method": four})
    )
    peers = [
        ("pyucell", "pyucell", "ucell", {}, here, n_obs),
        ("decoupler aucell", "decoupler", "aucell", {}, here, n_obs),
        ("decoupler ulm", "decoupler", "ulm", {}, here, n_obs),
        ("decoupler mlm", "decoupler", "mlm", {}, slow, 1000),
        ("decoupler zscore", "decoupler", "zscore", {}, slow, 1000),
        ("scanpy score_genes", "scanpy", "module_score", {}, here, n_obs),
        ("gseapy ssgsea", "gseapy", "ssgsea", {}, slow, 1000),
    ]
    for label, package, method, params, where, n in peers:
        settings = {"data": str(where), "method": method, "params": params, "repeats": 1}
        scores = str(folder / f"{label.replace(' ', '-')}.npy")
        tasks.append(Task("cells", label, package, n, settings | {"scores": scores}, against=f"mtorscore {method}"))
    return tasks


def bulk_tasks(folder: Path, n_obs: int) -> list[Task]:
    """Return cohort methods and peers on bulk samples."""
    here = {"data": str(data.write(folder, f"bulk{n_obs}", n_obs, 30, "bulk"))}
    tasks = [Task("bulk", "floor: add up the matrix", "floor", n_obs, dict(here))]
    variants: list[tuple[str, str, dict[str, Any]]] = [
        ("gsva, Gaussian", "gsva", {"kcdf": "gaussian"}),
        ("gsva, no kernel", "gsva", {"kcdf": "none"}),
        ("ssgsea", "ssgsea", {}),
        ("zscore", "zscore", {}),
        ("plage", "plage", {}),
        ("singscore", "singscore", {}),
    ]
    for label, method, params in variants:
        scores = str(folder / f"ours-bulk-{label.replace(' ', '')}.npy")
        own = here | {"method": method, "params": params, "scores": scores}
        tasks.append(Task("bulk", f"mtorscore {label}", "ours", n_obs, own))
    for label, method, params, ours in (
        ("gseapy gsva, Gaussian", "gsva", {"kcdf": "Gaussian"}, "mtorscore gsva, Gaussian"),
        ("gseapy ssgsea", "ssgsea", {}, "mtorscore ssgsea"),
    ):
        scores = str(folder / f"bulk-{label.replace(' ', '-').replace(',', '')}.npy")
        settings = here | {"method": method, "params": params, "repeats": 1, "scores": scores}
        tasks.append(Task("bulk", label, "gseapy", n_obs, settings, against=ours))
    return [*tasks, *r_tasks(folder, here, n_obs)]


def r_tasks(folder: Path, here: dict[str, Any], n_obs: int) -> list[Task]:
    """Return Bioconductor's GSVA on the same samples, where R has it."""
    if shutil.which("Rscript") is None:
        return []
    found = subprocess.run(["Rscript", "-e", 'cat(format(packageVersion("GSVA")))'], capture_output=True, text=True)
    if found.returncode:
        return []
    tasks = []
    for label, method, params in (
        ("gsva, Gaussian", "gsva", {"kcdf": "Gaussian"}),
        ("gsva, no kernel", "gsva", {"kcdf": "none"}),
        ("ssgsea", "ssgsea", {}),
        ("zscore", "zscore", {}),
        ("plage", "plage", {}),
    ):
        scores = str(folder / f"r-{label.replace(' ', '-').replace(',', '')}.npy")
        settings = here | {"method": method, "params": params, "repeats": 1, "scores": scores}
        name = f"R GSVA {found.stdout.strip()} {label}"
        tasks.append(Task("bulk", name, "r", n_obs, settings, against=f"mtorscore {label}"))
    return tasks


def scale_tasks(folder: Path, n_obs: int, *, small: bool) -> list[Task]:
    """Return one method over more signatures, genes and cells."""
    tasks = []
    for n_sets in (30, 300, 3000):
        here = data.write(folder, f"cells{n_obs}-{n_sets}sets", n_obs, n_sets, "cells")
        settings = {"data": str(here), "method": "ucell"}
        tasks.append(Task("scale", f"mtorscore ucell, {n_sets:,} signatures", "ours", n_obs, settings))
    for n_genes in (10_000, 40_000):
        here = data.write(folder, f"cells{n_obs}-{n_genes}genes", n_obs, 30, "cells", n_genes)
        settings = {"data": str(here), "method": "ucell"}
        tasks.append(Task("scale", f"mtorscore ucell, {n_genes:,} genes", "ours", n_obs, settings))
    for n in (n_obs,) if small else (n_obs, 50_000, 200_000):
        here = data.write(folder, f"cells{n}", n, 30, "cells")
        settings = {"data": str(here), "method": "ucell"}
        tasks.append(Task("scale", f"mtorscore ucell, {n:,} cells", "ours", n, settings))
    return tasks


# Writes X of one file into another, packed by zstd, which h5py reads and writes only with a plugin.
PACK = """
import shutil, sys
import h5py, hdf5plugin
shutil.copyfile(sys.argv[1], sys.argv[2])
with h5py.File(sys.argv[2], "r+") as file:
    for name in ("data", "indices"):
        values, kept = file["X"][name][:], dict(file["X"][name].attrs)
        del file["X"][name]
        file["X"].create_dataset(name, data=values, **hdf5plugin.Zstd(clevel=3)).attrs.update(kept)
"""


def packed_by_zstd(plain: Path, peers: str) -> Path | None:
    """Return a copy of a file whose matrix is packed by zstd; None where the peers' interpreter lacks the plugin."""
    packed = plain.with_name(plain.name.replace("None", "zstd"))
    if not packed.exists():
        temporary = packed.with_suffix(".tmp")
        done = subprocess.run([peers, "-c", PACK, str(plain), str(temporary)], capture_output=True, check=False)
        if done.returncode:
            return None
        temporary.rename(packed)
    return packed


def stream_tasks(folder: Path, n_obs: int, peers: str) -> list[Task]:
    """Return reading alone, by the HDF5 library and as we do it, and reading with scoring, for each compression."""
    import anndata as ad
    import pandas as pd

    here = data.write(folder, "cells1000", 1000, 30, "cells")
    tasks = []
    for compression in (None, "gzip", "lzf", "zstd"):
        path = folder / f"stream-{n_obs}-{compression}.h5ad"
        if compression == "zstd":
            found = packed_by_zstd(folder / f"stream-{n_obs}-None.h5ad", peers)
            if found is None:
                continue
        elif not path.exists():
            x = data.cells(n_obs)
            names = pd.DataFrame(index=[f"G{i}" for i in range(x.shape[1])])
            obs = pd.DataFrame(index=[f"c{i}" for i in range(n_obs)])
            ad.AnnData(x, obs, names).write_h5ad(path, compression=compression)
        settings = {"data": str(here), "file": str(path), "method": "ucell", "threads": 2, "repeats": 6}
        name = compression or "uncompressed"
        library = "read_plugin" if compression == "zstd" else "read_library"
        tasks.append(Task("stream", f"read blocks with h5py, {name}", library, n_obs, dict(settings)))
        tasks.append(Task("stream", f"read blocks, {name}", "read_blocks", n_obs, dict(settings)))
        tasks.append(Task("stream", f"ucell from disk, {name}", "stream", n_obs, dict(settings)))
    return tasks


def start_tasks(folder: Path) -> list[Task]:
    """Return what starting costs: the import, and one command on a table of 400 samples."""
    import pandas as pd

    table = folder / "bulk400.tsv"
    if not table.exists():
        from mtorscore.collection import library

        genes = sorted({g for s in library().signatures for g in s.genes})
        names = genes + [f"G{i}" for i in range(data.N_GENES - len(genes))]
        values = np.round(data.bulk(400).T, 4)
        frame = pd.DataFrame(values, index=pd.Index(names, name="gene"), columns=[f"s{i}" for i in range(400)])
        frame.to_csv(table, sep="\t")
    program = str(Path(sys.executable).with_name("mtorscore"))
    command = [program, "score", str(table), "--out", str(folder / "bulk400-scores.tsv")]
    only_import = [sys.executable, "-c", "import mtorscore"]
    return [
        Task("start", "import mtorscore", "command", 1, {"command": only_import, "repeats": 5}),
        Task("start", "mtorscore score, 400 samples x 20,000 genes", "command", 400, {"command": command}),
    ]


def agreement(task: Task) -> dict[str, float]:
    """Return the largest difference and the lowest correlation over signatures between a peer and us."""
    theirs = Path(task.settings.get("scores") or "")
    name = task.settings["method"]
    bulk = "bulk-" if task.table == "bulk" else ""
    ours = theirs.with_name(f"ours-{bulk}{(task.against or '').removeprefix('mtorscore ').replace(' ', '')}.npy")
    if task.table == "cells":
        ours = theirs.with_name(f"ours-{name}.npy")
    if not (theirs.is_file() and ours.is_file()):
        return {}
    a, b = np.load(theirs), np.load(ours)
    # Slow peers are given fewer cells, the first ones.
    n = min(len(a), len(b))
    a, b = a[:n], b[:n]
    r = [float(np.corrcoef(a[:, j], b[:, j])[0, 1]) for j in range(a.shape[1]) if np.std(a[:, j]) > 0]
    return {"largest": float(np.nanmax(np.abs(a - b))), "lowest_r": min(r)}


def main() -> None:
    """Read the command line, measure, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--small", action="store_true", help="fewer cells and rounds: minutes")
    parser.add_argument("--peers", help="interpreter with benchmarks/requirements-peers.txt; default: this one")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "benchmarks")
    parser.add_argument("--work", type=Path, help="folder for the data sets; default: a temporary one")
    parser.add_argument("--cells", type=int, help="cells of the main table")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", nargs="*", default=TABLES)
    options = parser.parse_args()
    n_cells = options.cells or (2_000 if options.small else 10_000)
    n_samples = 100 if options.small else 400
    rounds = options.rounds or (1 if options.small else 3)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        peers = options.peers or sys.executable
        tasks = []
        if {"cells", "threads", "together"} & set(options.only):
            tasks += single_cell_tasks(folder, n_cells)
        if "bulk" in options.only:
            tasks += bulk_tasks(folder, n_samples)
        if "scale" in options.only:
            tasks += scale_tasks(folder, n_cells, small=options.small)
        if "stream" in options.only:
            tasks += stream_tasks(folder, n_cells if options.small else 5 * n_cells, peers)
        if "start" in options.only:
            tasks += start_tasks(folder)
        tasks = [t for t in tasks if t.table in options.only]
        for r in range(rounds):
            for i, task in enumerate(tasks):
                own = task.package in OWN
                print(f"round {r + 1}/{rounds} {i + 1}/{len(tasks)} {task.label}", file=sys.stderr, flush=True)
                run(task, sys.executable if own else peers, timeout=120 if options.small else 900)
        agreements = {t.label + t.table: agreement(t) for t in tasks if t.against}
        cold = Task("cold", "first call, cold JIT cache", "ours", 200, {})
        cold.settings = {"data": str(data.write(folder, "cells200", 200, 30, "cells")), "method": "ucell", "repeats": 1}
        with tempfile.TemporaryDirectory() as cache:
            run(cold, sys.executable, timeout=300, environment={"NUMBA_CACHE_DIR": cache})
            warm = Task("cold", "first call, warm JIT cache", "ours", 200, dict(cold.settings))
            run(warm, sys.executable, timeout=300, environment={"NUMBA_CACHE_DIR": cache})
        write_report(options.out, [*tasks, cold, warm], agreements, rounds)


if __name__ == "__main__":
    main()

"""One contender in a process of its own: first call, warm calls, peak memory, and its scores for comparison.

Run by `benchmarks.scoring.run`, by any interpreter that has the contender installed; it needs nothing of mtorscore for
the others.
"""

# ruff: noqa: ARG001, D103

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

TASK = json.loads(sys.argv[1])
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = str(TASK["threads"])

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from scipy import sparse  # noqa: E402

warnings.simplefilter("ignore")


# The process whose memory counts.
WATCHED = "self"


def peak_kib() -> int:
    """Return the most memory that the process has held; what its parent held counts in `resource` on Linux."""
    status = Path(f"/proc/{WATCHED}/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


def load() -> tuple[Any, dict[str, list[str]]]:
    folder = Path(TASK["data"])
    shape = tuple(json.loads((folder / "shape.json").read_text()))
    if (folder / "x.npy").exists():
        x: Any = np.load(folder / "x.npy")
    else:
        x = sparse.csr_matrix(tuple(np.load(folder / f"{p}.npy") for p in ("data", "indices", "indptr")), shape=shape)
    return x, json.loads((folder / "sets.json").read_text())


def adata_of(x: Any) -> Any:
    import anndata

    names = pd.DataFrame(index=[f"G{i}" for i in range(x.shape[1])])
    return anndata.AnnData(x, pd.DataFrame(index=[f"c{i}" for i in range(x.shape[0])]), names)


def network(sets: dict[str, list[str]]) -> pd.DataFrame:
    rows = [(name, gene, 1.0) for name, genes in sets.items() for gene in genes]
    return pd.DataFrame(rows, columns=["source", "target", "weight"])


def floor(x: Any, sets: dict[str, list[str]]) -> Callable[[], Any]:
    arrays = [x] if isinstance(x, np.ndarray) else [x.data, x.indices]
    return lambda: np.array([[float(a.sum()) for a in arrays]])


def ours(x: Any, sets: dict[str, list[str]]) -> Callable[[], Any]:
    from mtorscore import tl

    adata = adata_of(x)
    methods, params = TASK["method"], TASK.get("params", {})

    def call() -> Any:
        tl.score(adata, sets, method=methods, threads=TASK["threads"], **params)
        return adata.obsm[f"score_{methods if isinstance(methods, str) else methods[0]}"].to_numpy()

    return call


def decoupler(x: Any, sets: dict[str, list[str]]) -> Callable[[], Any]:
    import decoupler as dc

    net, adata = network(sets), adata_of(x)

    def call() -> Any:
        getattr(dc.mt, TASK["method"])(adata, net, verbose=False, tmin=1, **TASK.get("params", {}))
        return adata.obsm[f"score_{TASK['method']}"][list(sets)].to_numpy()

    return call


def pyucell(x: Any, sets: dict[str, list[str]]) -> Callable[[], Any]:
    import pyucell as pu

    adata = adata_of(x)

    def call() -> Any:
        pu.compute_ucell_scores(adata, signatures=sets, n_jobs=TASK["threads"], max_rank=1500)
        return adata.obs[[f"{name}_UCell" for name in sets]].to_numpy()

    return call


def scanpy(x: Any, sets: dict[str, list[str]]) -> Callable[[], Any]:
    import scanpy as sc

    adata = adata_of(x)

    def call() -> Any:
        for name, genes in sets.items():
            sc.tl.score_genes(adata, genes, score_name=name, ctrl_size=100, n_bins=24)
        return adata.obs[list(sets)].to_numpy()

    return call


def gseapy(x: Any, sets: dict[str, list[str]]) -> Callable[[], Any]:
    import gseapy as gp

    dense = x.toarray() if sparse.issparse(x) else x
    frame = pd.DataFrame(
        dense.T, index=[f"G{i}" for i in range(x.shape[1])], columns=[f"c{i}" for i in range(x.shape[0])]
    )

    def call() -> Any:
        common = {"gene_sets": sets, "outdir": None, "threads": TASK["threads"], "min_size": 1, "max_size": 5000}
        if TASK["method"] == "gsva":
            found = gp.gsva(data=frame, kcdf=TASK["params"]["kcdf"], **common)
        else:
            found = gp.ssgsea(data=frame, sample_norm_method="rank", weight=0.25, no_plot=True, **common)
        table = found.res2d.pivot(index="Name", columns="Term", values="ES").astype(float)
        return table.loc[frame.columns, list(sets)].to_numpy()

    return call


def r(x: Any, sets: dict[str, list[str]]) -> Callable[[], Any]:
    """Keep R waiting with the matrix read, so that calls are timed and its start is not."""
    import subprocess
    import tempfile

    global WATCHED
    folder = Path(tempfile.mkdtemp(dir=TASK["data"]))
    np.ascontiguousarray(x, dtype=np.float64).tofile(folder / "x.f64")
    (folder / "size.txt").write_text(f"{x.shape[1]}\n{x.shape[0]}\n")
    (folder / "sets.gmt").write_text("".join("\t".join([name, "", *genes]) + "\n" for name, genes in sets.items()))
    script = str(Path(__file__).with_name("peer.R"))
    command = ["Rscript", script, str(folder), TASK["method"], TASK["params"].get("kcdf", "Gaussian")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    said, told = process.stdout, process.stdin
    if not said.readline().startswith("GSVA"):
        raise RuntimeError("R has no GSVA")
    WATCHED = str(process.pid)

    def call() -> Any:
        told.write("\n")
        told.flush()
        while line := said.readline():
            if line == "scored\n":
                return None
        raise RuntimeError("R ended")

    def scores() -> Any:
        told.close()
        process.wait()
        return np.fromfile(folder / "scores.f64").reshape(x.shape[0], len(sets))

    call.scores = scores  # type: ignore[attr-defined]
    return call


def read_blocks(x: Any, sets: dict[str, list[str]]) -> Callable[[], Any]:
    from mtorscore.tl.streaming.open_file import open_file
    from mtorscore.tl.streaming.stream_source import StreamSource, block_bytes

    def call() -> Any:
        most = block_bytes(10**9)
        file = open_file(TASK["file"], panel_bytes=most)
        source = StreamSource.over(file.matrix, None, block=None, most_bytes=most)
        for i in range(source.bounds.size - 1):
            source._read(i)
        file.close()

    return call


def read_library(x: Any, sets: dict[str, list[str]]) -> Callable[[], Any]:
    import h5py

    def call() -> Any:
        with h5py.File(TASK["file"]) as file:
            node = file["X"]
            ends = node["indptr"][::1000]
            for a, b in zip(ends, [*ends[1:], node["data"].shape[0]], strict=True):
                node["data"][a:b]
                node["indices"][a:b]

    return call


def read_plugin(x: Any, sets: dict[str, list[str]]) -> Callable[[], Any]:
    import hdf5plugin  # noqa: F401

    return read_library(x, sets)


def command(x: Any, sets: dict[str, list[str]]) -> Callable[[], Any]:
    import subprocess

    return lambda: subprocess.run(TASK["command"], check=True, capture_output=True)


def stream(x: Any, sets: dict[str, list[str]]) -> Callable[[], Any]:
    from mtorscore import tl

    out = Path(TASK["file"]).with_suffix(".parquet")

    def call() -> Any:
        return tl.score(TASK["file"], sets, method=TASK["method"], threads=TASK["threads"], out=out, resume=False)

    return call


def main() -> None:
    if "command" in TASK:
        x, sets = None, {}
    elif "file" in TASK:
        x, sets = None, json.loads((Path(TASK["data"]) / "sets.json").read_text())
    else:
        x, sets = load()
    before = peak_kib()
    started = time.perf_counter()
    call = globals()[TASK["package"]](x, sets)
    imported = time.perf_counter() - started
    after_import = peak_kib()
    times = []
    result = None
    for _ in range(TASK["repeats"] + 1):
        started = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - started)
        if len(times) > 1 and sum(times) > TASK.get("budget", 60):
            break
    peak = peak_kib()
    if hasattr(call, "scores"):
        result = call.scores()
    if TASK.get("scores") and isinstance(result, np.ndarray):
        np.save(TASK["scores"], result)
    answer = {
        "import_s": imported,
        "first_s": times[0],
        "warm_s": times[1:] or times,
        "added_mb": (peak - max(before, after_import)) / 1024,
        "peak_mb": peak / 1024,
    }
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


main()

"""Flip one random byte of small h5ad, Zarr and 10x files, and see what describing, reading and scoring do with them.

    python -m benchmarks.reading.byte_flips --flips 500 --out benchmarks/reading/byte_flips.tsv

Each flip is tried in a process of its own, through every door: `describe`, `read` with scoring of the result, scoring
from disk, and scoring of a backed AnnData. A process that ends by a signal is tried again with h5py alone, which opens
the file and reads all that is in it: where that ends by a signal too, the fault is in the HDF5 library.

Outcomes of a door: ``same`` scores as without the flip; ``other`` scores, where the flip hit a value or a name that
nothing checks; ``refused`` with one of our errors; ``raw``, an exception of another kind; ``slow``, no end in time;
``signal``. In the door of the backed AnnData, opening it is anndata's work: ``not opened`` where that fails.

`byte_flips.tsv` has seeds 0 to 499 of every kind.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

GENES = [f"GENE{i}" for i in range(40)]
SETS = {"a": GENES[:8], "b": GENES[5:20]}
KINDS = ("h5ad", "h5ad-csc", "h5ad-dense", "zarr", "10x-h5", "h5ad-gzip")
SECONDS, BYTES = 60, 6 << 30


def write(kind: str, folder: Path) -> Path:
    """Write a small file: 30 cells, 40 genes."""
    import anndata as ad
    import h5py
    import pandas as pd
    from scipy import sparse

    rng = np.random.default_rng(1)
    x = sparse.csr_matrix(rng.poisson(0.7, (30, len(GENES))).astype(np.float32))
    cells = [f"cell{i}" for i in range(30)]
    path = folder / f"small-{kind}.{'zarr' if kind == 'zarr' else 'h5' if kind == '10x-h5' else 'h5ad'}"
    if kind == "10x-h5":
        with h5py.File(path, "w") as file:
            group = file.create_group("matrix")
            group["shape"] = np.array([len(GENES), 30], dtype=np.int64)
            for name, values in (("data", x.data.astype("i4")), ("indices", x.indices), ("indptr", x.indptr)):
                group.create_dataset(name, data=values, compression="gzip")
            group["barcodes"] = np.array(cells, dtype="S")
            group.create_group("features")["id"] = np.array(GENES, dtype="S")
            group["features/name"] = np.array(GENES, dtype="S")
        return path
    stored = {"h5ad-csc": x.tocsc, "h5ad-dense": x.toarray}.get(kind, x.copy)()
    made = ad.AnnData(stored, obs=pd.DataFrame(index=cells), var=pd.DataFrame(index=GENES))
    if kind == "zarr":
        with warnings.catch_warnings():
            # Which version of the format anndata writes is its own affair.
            warnings.simplefilter("ignore")
            made.write_zarr(path)
    else:
        made.write_h5ad(path, compression="gzip" if kind == "h5ad-gzip" else None)
    return path


def flip(path: Path, seed: int) -> str:
    """Change one byte, and say which."""
    rng = np.random.default_rng(seed)
    files = sorted(f for f in path.rglob("*") if f.is_file() and f.stat().st_size) if path.is_dir() else [path]
    sizes = np.array([f.stat().st_size for f in files], dtype=np.float64)
    # Metadata and values alike, whatever their lengths.
    file = files[int(rng.choice(len(files), p=np.sqrt(sizes) / np.sqrt(sizes).sum()))]
    content = bytearray(file.read_bytes())
    at, by = int(rng.integers(len(content))), int(rng.integers(1, 256))
    content[at] ^= by
    file.write_bytes(content)
    return f"{file.relative_to(path) if path.is_dir() else ''}@{at}^{by}"


def doors(kind: str) -> dict[str, Callable[[Path], Any]]:
    """Return what is tried with a file."""
    import anndata as ad

    import mtorscore as mt

    def scores(adata: Any) -> Any:
        mt.tl.score(adata, SETS, method=["ucell", "mean"], threads=1)
        return adata.obsm["score_ucell"].to_numpy(), adata.obsm["score_mean"].to_numpy()

    def stream(path: Path) -> Any:
        found: Any = mt.tl.score(path, SETS, method=["ucell", "mean"], threads=1)
        return found.obsm["score_ucell"].to_numpy(), found.obsm["score_mean"].to_numpy()

    def backed(path: Path) -> Any:
        try:
            opened = ad.read_h5ad(path, backed="r")
        except Exception as error:
            raise NotOpenedError from error
        return scores(opened)

    found: dict[str, Callable[[Path], Any]] = {"describe": lambda p: str(mt.io.describe(p)) and None}
    found["read"] = lambda p: scores(mt.read(p))
    if kind != "10x-h5":
        found["stream"] = stream
    if kind.startswith("h5ad"):
        found["backed"] = backed
    return found


class NotOpenedError(Exception):
    """The library that opens the file refused it."""


def outcome(work: Callable[[Path], Any], path: Path, truth: Any) -> str:
    """Return how one door ends; never raises."""
    from mtorscore.errors import MtorscoreError

    try:
        found = work(path)
    except MtorscoreError:
        return "refused"
    except NotOpenedError:
        return "not opened"
    except BaseException as error:
        return f"raw {type(error).__name__}: {str(error)[:80]}"
    if truth is None:
        return "same"
    same = all(a.shape == b.shape and np.allclose(a, b, equal_nan=True) for a, b in zip(found, truth, strict=True))
    return "same" if same else "other"


def alone(work: Callable[[], str]) -> str:
    """Run in a forked process with a limit of time and memory; a death by signal is an outcome."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.alarm(SECONDS)
            warnings.simplefilter("ignore")
            os.write(writer, work().encode()[:3000])
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        said = answer.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return "slow" if name == "SIGALRM" else f"signal {name}"
    return said


def read_all_of_hdf5(path: Path) -> str:
    """Open a file with h5py alone and read every dataset and attribute."""
    import h5py

    def read(_: str, node: Any) -> None:
        dict(node.attrs)
        if isinstance(node, h5py.Dataset):
            node[()]

    try:
        with h5py.File(path) as file:
            read("", file)
            file.visititems(read)
    except BaseException as error:
        return f"h5py raises {type(error).__name__}"
    return "h5py reads it"


def try_flips(kind: str, seeds: range, folder: Path) -> Iterator[tuple[int, str, str, str, str]]:
    """Yield seed, place, door, outcome and, after a signal, what h5py alone does."""
    original = write(kind, folder)
    entries = doors(kind)
    # Kernels are compiled once, here; the forked processes have them.
    truth = {name: work(original) for name, work in entries.items()}
    for seed in seeds:
        changed = folder / f"{seed}-{original.name}"
        (shutil.copytree if original.is_dir() else shutil.copyfile)(original, changed)
        place = flip(changed, seed)
        for name, work in entries.items():
            said = alone(partial(outcome, work, changed, truth[name]))
            by_itself = ""
            if said.startswith(("signal", "slow")) and not original.is_dir():
                by_itself = alone(partial(read_all_of_hdf5, changed))
            yield seed, place, name, said, by_itself
        shutil.rmtree(changed) if changed.is_dir() else changed.unlink()


def provenance(name: str) -> str:
    """Return a comment that names the command, the commit, the date and the version of the package."""
    import mtorscore as mt

    arguments = " ".join(a for a in sys.argv[1:] if "/" not in a and a != "--out")
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    run = f"python -m benchmarks.reading.{name} {arguments}; commit {done.stdout.strip()}"
    return f"# {run}; {datetime.now(tz=UTC).date()}; mtorscore {mt.__version__}"


def main() -> None:
    """Print the share of each outcome, and write a table with every outcome that is not fine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=500)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = [provenance("byte_flips"), "kind\tdoor\toutcome\tflips\tseeds"]
    for kind in chosen.kinds.split(","):
        counts: Counter[tuple[str, str]] = Counter()
        seeds: dict[tuple[str, str], list[int]] = {}
        with tempfile.TemporaryDirectory() as folder:
            tried = range(chosen.first_seed, chosen.first_seed + chosen.flips)
            for seed, place, door, said, by_itself in try_flips(kind, tried, Path(folder)):
                key = (door, f"{said}; {by_itself}" if by_itself else said)
                counts[key] += 1
                seeds.setdefault(key, []).append(seed)
                if said.split()[0] not in ("same", "other", "refused", "not"):
                    print(kind, seed, place, door, said, by_itself, flush=True)
        for key in sorted(counts):
            named = "" if key[1] in ("same", "other", "refused", "not opened") else ",".join(map(str, seeds[key]))
            rows.append(f"{kind}\t{key[0]}\t{key[1]}\t{counts[key]}\t{named}")
            print(rows[-1], flush=True)
        if chosen.out is not None:
            chosen.out.write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

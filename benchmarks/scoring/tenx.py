"""Matrices of 10x at the command line: ``python -m benchmarks.scoring.tenx [FOLDER]``.

60,000 cells x 20,000 genes and 8 antibodies, about 115 million counts, as Cell Ranger writes them: HDF5 (gzip) and the
folder of text (gzip). ``mtorscore score`` runs in a process of its own with the shipped library; written are wall and
processor seconds, the most memory, and whether the scores are the same bytes as those of HDF5.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
from pyarrow import csv

import mtorscore as mt
from mtorscore.genes.tables import human

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_suffix(".tsv")
CELLS, GENES, ANTIBODIES, DRAWN, STEP = 60_000, 20_000, 8, 2_600, 1_000


def features() -> list[tuple[str, str, str]]:
    """Return id, name and type of the features; the genes of the library come first."""
    table = human().by_symbol
    known = [g for g in table if table[g].ensembl]
    ours = {g for e in mt.library().signatures for g in e.genes}
    chosen = [*(g for g in known if g in ours), *(g for g in known if g not in ours)][:GENES]
    rows = [(str(table[g].ensembl), g, "Gene Expression") for g in chosen]
    return rows + [(f"CD{i}", f"CD{i}", "Antibody Capture") for i in range(ANTIBODIES)]


def counts() -> Any:
    """Yield row pointers, columns and counts of some cells at a time."""
    rng = np.random.default_rng(0)
    n = GENES + ANTIBODIES
    weight = np.cumsum(rng.lognormal(0, 1.5, n))
    for a in range(0, CELLS, STEP):
        here = min(STEP, CELLS - a)
        cells = np.repeat(np.arange(here), rng.poisson(DRAWN, here))
        genes = np.searchsorted(weight, rng.random(cells.size) * weight[-1])
        place = np.unique(cells * n + genes)
        yield np.bincount(place // n, minlength=here), place % n, rng.geometric(0.4, place.size)


def write(folder: Path) -> int:
    """Write both forms; return the number of counts."""
    rows, text = features(), folder / "text"
    text.mkdir()
    names = [f"{i:016d}-{1 + i % 4}" for i in range(CELLS)]
    sizes, at = [np.zeros(1, dtype=np.int64)], 0
    with h5py.File(folder / "m.h5", "w") as file, tempfile.TemporaryFile() as entries:
        group = file.create_group("matrix")
        how: dict[str, Any] = {"maxshape": (None,), "chunks": (80_000,), "compression": "gzip", "shuffle": True}
        arrays = [group.create_dataset(k, (0,), dtype=t, **how) for k, t in (("indices", "i8"), ("data", "i4"))]
        for per_cell, *values in counts():
            for array, part in zip(arrays, values, strict=True):
                array.resize((sum(s.sum() for s in sizes) + part.size,))
                array[-part.size :] = part
            cells = np.repeat(np.arange(at, at + per_cell.size), per_cell) + 1
            table = pa.table({"gene": values[0] + 1, "cell": cells, "count": values[1]})
            csv.write_csv(table, entries, csv.WriteOptions(include_header=False, delimiter=" "))
            sizes.append(per_cell)
            at += per_cell.size
        group["indptr"] = np.cumsum(np.concatenate(sizes))
        group["shape"], group["barcodes"] = [len(rows), CELLS], np.array(names, dtype="S")
        for key, column in zip(("id", "name", "feature_type"), zip(*rows, strict=True), strict=True):
            group[f"features/{key}"] = np.array(column, dtype="S")
        n = int(group["indptr"][-1])
        entries.seek(0)
        with gzip.open(text / "matrix.mtx.gz", "wb", compresslevel=1) as out:
            out.write(f"%%MatrixMarket matrix coordinate integer general\n%\n{len(rows)} {CELLS} {n}\n".encode())
            while block := entries.read(1 << 24):
                out.write(block)
    for name, lines in (("barcodes", names), ("features", ["\t".join(r) for r in rows])):
        (text / f"{name}.tsv.gz").write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return n


def measured(path: Path, methods: str, out: Path) -> tuple[float, float, float]:
    """Score at the command line; return wall seconds, processor seconds and the most MB."""
    words = [sys.executable, "-m", "mtorscore.cli", "-q", "score", str(path), "-m", methods, "--out"]
    began = perf_counter()
    with out.open("wb") if out.suffix == ".printed" else open(os.devnull, "wb") as printed:  # noqa: PTH123
        run = subprocess.Popen([*words, "-" if out.suffix == ".printed" else str(out)], stdout=printed, cwd=ROOT)
        _, status, used = os.wait4(run.pid, 0)
    if status:
        raise SystemExit(f"{path}: mtorscore score ended with {status}.")
    return perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3


def main() -> None:
    """Measure and write the table."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    lines = []
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        folder = Path(name)
        n = write(folder)
        for methods in ("ucell", "ucell,zscore"):
            first = folder / "first.tsv"
            for what, path, ending in (
                ("HDF5, from disk", folder / "m.h5", "tsv"),
                ("text, from disk", folder / "text", "tsv"),
                ("HDF5, in memory", folder / "m.h5", "printed"),
            ):
                out = first if what == "HDF5, from disk" else folder / f"other.{ending}"
                wall, used, most = measured(path, methods, out)
                same = "yes" if out.read_bytes() == first.read_bytes() else "no"
                lines.append(f"{what}\t{methods}\t{n}\t{wall:.1f}\t{used:.1f}\t{most:.0f}\t{same}")
                print(lines[-1], flush=True)
    header = (
        f"# python -m benchmarks.scoring.tenx; commit {commit} and what stood beside it; {datetime.now(UTC):%Y-%m-%d}; "
        f"mtorscore {mt.__version__}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    columns = "matrix\tmethods\tcounts\twall seconds\tprocessor seconds\tmost MB\tsame bytes as HDF5 from disk"
    TABLE.write_text("\n".join([header, columns, *lines]) + "\n")


if __name__ == "__main__":
    main()

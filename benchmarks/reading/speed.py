"""Reading now beside reading in another checkout: ``python -m benchmarks.reading.speed OTHER [ROUNDS]``.

Prints a table of processor seconds of one warm call (the least of all rounds) and their ratio, for files of most kinds.
Every measurement is a process of its own, and the two versions take turns, so that a busy moment meets both.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import mtorscore as mt
from benchmarks.reading.run import series_matrix

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys, time, warnings
warnings.simplefilter("ignore")
import mtorscore as mt
path, kind = sys.argv[1:3]
read = {"sets": mt.SignatureCollection.read, "clinical": mt.io.read_clinical}.get(kind, mt.read)
read(path)
least = 1e9
for _ in range(int(sys.argv[3])):
    begun = time.process_time()
    read(path)
    least = min(least, time.process_time() - begun)
print(least)
"""


def write(folder: Path) -> dict[str, tuple[Path, str]]:
    """Write the files; name -> path and how it is read."""
    import anndata as ad
    import pandas as pd
    from scipy import sparse

    rng = np.random.default_rng(0)
    genes = sorted({g for s in mt.library().signatures for g in s.genes})[:6000]
    samples = [f"TCGA-ZZ-{i:04d}-01A" for i in range(120)]
    values = pd.DataFrame(np.round(rng.gamma(2, 30, (len(genes), 120)), 3), genes, samples)
    values.to_csv(folder / "genes.tsv", sep="\t")
    values.T.to_csv(folder / "samples.csv")
    long = values.iloc[:500, :40].stack().reset_index().set_axis(["gene", "sample", "tpm"], axis=1)
    long.to_csv(folder / "long.csv", index=False)
    clinical = pd.DataFrame({"patient": [f"P{i}" for i in range(3000)], "OS.time": rng.integers(1, 3000, 3000)})
    clinical["OS"], clinical["stage"] = rng.integers(0, 2, 3000), rng.choice(["I", "II", "III"], 3000)
    clinical.to_csv(folder / "clinical.tsv", sep="\t", index=False)
    counts = sparse.csr_matrix(rng.poisson(0.2, (3000, 6000)).astype(np.float32))
    cells = ad.AnnData(counts, pd.DataFrame(index=[f"c{i}" for i in range(3000)]), pd.DataFrame(index=genes[:6000]))
    cells.write_h5ad(folder / "cells.h5ad")
    matrix, _ = series_matrix(folder, 15_000, 100)
    names = np.array(genes)
    lines = [f"SET_{i}\thttp://x.org/{i}\t" + "\t".join(rng.choice(names, 80, replace=False)) for i in range(3000)]
    (folder / "sets.gmt").write_text("\n".join(lines) + "\n")
    rows = [f"SET_{i},{g},1.5" for i in range(800) for g in rng.choice(names, 40, replace=False)]
    (folder / "sets.csv").write_text("source,target,weight\n" + "\n".join(rows) + "\n")
    mt.library(experimental=True).write(folder / "library.yaml")
    return {
        "genes in rows, 6,000 x 120, TSV": (folder / "genes.tsv", "matrix"),
        "samples in rows, 120 x 6,000, CSV": (folder / "samples.csv", "matrix"),
        "long table, 500 genes x 40 samples": (folder / "long.csv", "matrix"),
        "series matrix, 15,000 x 100": (matrix, "matrix"),
        "h5ad, 3,000 cells x 6,000 genes, sparse": (folder / "cells.h5ad", "matrix"),
        "clinical table, 3,000 patients": (folder / "clinical.tsv", "clinical"),
        "GMT, 3,000 sets of 80 genes": (folder / "sets.gmt", "sets"),
        "table of 800 weighted sets": (folder / "sets.csv", "sets"),
        "the library as one YAML file": (folder / "library.yaml", "sets"),
    }


def seconds(checkout: Path, path: Path, kind: str) -> float | None:
    """Return the processor seconds of a warm call in a checkout; None where it cannot read the file."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    command = [sys.executable, "-c", CODE, str(path), kind, "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=path.parent)
    return float(done.stdout) if done.returncode == 0 else None


def main() -> None:
    """Measure, and print the table."""
    other, rounds = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    head = ["git", "rev-parse", "--short", "HEAD"]
    commits = [subprocess.run(head, capture_output=True, text=True, check=False, cwd=c) for c in (ROOT, other)]
    now, before = (c.stdout.strip() for c in commits)
    today = datetime.now(tz=UTC).date()
    print(f"# python -m benchmarks.reading.speed; commits {now} and {before}; {today}; mtorscore {mt.__version__}")
    print("file\tseconds_before\tseconds_now\tratio", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, (path, kind) in write(Path(folder)).items():
            pairs = [(seconds(other, path, kind), seconds(ROOT, path, kind)) for _ in range(rounds)]
            then, here = (min((p[i] for p in pairs if p[i] is not None), default=None) for i in (0, 1))
            told = ["cannot" if v is None else f"{v:.4f}" for v in (then, here)]
            print(f"{name}\t{told[0]}\t{told[1]}\t{f'{here / then:.2f}' if here and then else '-'}", flush=True)


if __name__ == "__main__":
    main()

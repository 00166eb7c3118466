"""Time and memory of reading: ``python -m benchmarks.reading.run [DATA]``, a table of medians on standard output.

Each measurement runs in a process of its own, the readers compared in turns, so that a busy moment meets both.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

REPEATS = 7
_START = "import sys, time; wall = time.time(); "
# On Linux `resource` counts what the parent held as well.
_END = (
    "; from benchmarks.reading.memory import peak_mib; "
    "print(time.time() - wall, time.process_time(), peak_mib(), time.time() - begun, time.process_time() - used)"
)
_BEGIN = "begun, used = time.time(), time.process_time(); "
LIHC = (
    "import mtorscore as mt; from pathlib import Path; d = Path(sys.argv[1]); "
    + _BEGIN
    + "a = mt.read(d / 'tcga-lihc' / "
    "'TCGA-LIHC.htseq_fpkm.179samples.parquet'); c = mt.io.read_clinical(d / 'tcga-cdr' / 'Liu2018_survivalData.xlsx', "
    "where={'type': ['LIHC']}); mt.pp.attach_clinical(a, c)"
)
OURS = "import mtorscore as mt; mt.read(sys.argv[2]); " + _BEGIN + "mt.read(sys.argv[1])"
PANDAS = (
    "import pandas as pd; pd.read_csv(sys.argv[2], sep='\\t'); "
    + _BEGIN
    + "pd.read_csv(sys.argv[1], sep='\\t', index_col=0)"
)
# In a process of its own, since what its parent holds would count as the peak of a reader.
WRITE = (
    "import sys; from pathlib import Path; from benchmarks.reading.run import series_matrix as write; "
    "write(Path(sys.argv[1]), 50, 5); write(Path(sys.argv[1]), 22_000, 450)"
)


def measure(code: str, *arguments: str) -> list[float]:
    """Return seconds and processor seconds of the process, its peak memory (MiB), and both times of the last call."""
    command = [sys.executable, "-c", _START + code + _END, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(v) for v in done.stdout.split()]


def series_matrix(folder: Path, probes: int, samples: int) -> tuple[Path, Path]:
    """Write a series matrix and the bare table in it."""
    x = np.round(np.random.default_rng(0).normal(7, 2, (probes, samples)), 4)
    names = "\t".join(f'"GSM{i}"' for i in range(samples))
    body = "".join(f'"{i}_at"\t' + "\t".join(map(str, row)) + "\n" for i, row in enumerate(x.tolist()))
    head = f'!Series_geo_accession\t"GSE1"\n!Sample_geo_accession\t{names}\n'
    head += f'!series_matrix_table_begin\n"ID_REF"\t{names}\n'
    matrix, bare = folder / f"s{probes}_series_matrix.txt", folder / f"t{probes}.tsv"
    matrix.write_text(head + body + "!series_matrix_table_end\n")
    bare.write_text(f'"ID_REF"\t{names}\n' + body)
    return matrix, bare


def median(rows: list[list[float]], column: int) -> float:
    """Return the median of a column of measurements."""
    return statistics.median(r[column] for r in rows)


def main() -> None:
    """Measure and print the table."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MTORSCORE_SHARED", "../shared") + "/data")
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([sys.executable, "-c", WRITE, place], check=True)
        names = (f"{place}/s22000_series_matrix.txt", f"{place}/s50_series_matrix.txt")
        bare = (f"{place}/t22000.tsv", f"{place}/t50.tsv")
        ours, theirs = [], []
        for _ in range(REPEATS):
            ours.append(measure(OURS, *names))
            theirs.append(measure(PANDAS, *bare))
    print("what\tseconds\tprocessor_seconds\tpeak_mib\tbound")
    bound = f"{1.2 * median(theirs, 3):.2f} s (pandas + 20%)"
    print(f"series matrix 22,000 x 450\t{median(ours, 3):.2f}\t{median(ours, 4):.2f}\t{median(ours, 2):.0f}\t{bound}")
    print(f"pandas.read_csv of its table\t{median(theirs, 3):.2f}\t{median(theirs, 4):.2f}\t{median(theirs, 2):.0f}\t")
    if (data / "tcga-lihc").is_dir():
        rows = [measure(LIHC, str(data)) for _ in range(3)]
        times = f"{median(rows, 3):.2f}\t{median(rows, 4):.2f}\t{median(rows, 2):.0f}"
        print(f"LIHC parquet and outcomes\t{times}\t5 s, 1024 MiB")
        print(f"the same, from python's start\t{median(rows, 0):.2f}\t{median(rows, 1):.2f}\t{median(rows, 2):.0f}\t")


if __name__ == "__main__":
    main()

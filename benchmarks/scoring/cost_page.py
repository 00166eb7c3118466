"""The manual's page of what scoring from disk costs: ``python -m benchmarks.scoring.cost_page``, from the table."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from benchmarks.scoring.cost_model import FEW, READS, TABLE, TERMS, USUAL

__all__ = ["page"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "evidence" / "cost_of_scoring.md"
MANY = 100_000_000
"""Cells of the extrapolation."""
PER_FILE = 1_000_000
CORES, DISK = 256, 2.0
"""A cluster: its cores, and the gigabytes a second that its shared storage reads and writes."""


def coefficients(text: str) -> dict[str, dict[str, float]]:
    """Return the coefficients of each method from the head of the table."""
    found = {}
    for line in text.splitlines():
        if (seen := re.match(r"# (\w+): (start s .*)", line)) is not None:
            found[seen[1]] = {t: float(v) for t, v in (part.rsplit(" ", 1) for part in seen[2].split("; "))}
    return found


def seconds(of: dict[str, float], cells: float, signatures: float, gigabytes: float, files: int = 1) -> float:
    """Return processor seconds; every file starts a process of its own."""
    millions, thousands = cells / 1e6, signatures / 1e3
    amounts = (files, files * thousands, millions, millions * thousands, gigabytes)
    return sum(of[term] * amount for term, amount in zip(TERMS, amounts, strict=True))


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def far(of: dict[str, dict[str, float]], runs: pd.DataFrame) -> str:
    """Return what `MANY` cells cost on the cluster, and what limits each kind of run."""
    usual = runs[runs["values per cell"] == USUAL]
    rows = []
    for method, own in usual.groupby("method"):
        last = own.iloc[-1]
        for signatures in (100, 1_000):
            read = MANY * last["read GB"] / last["cells"]
            written = MANY * signatures * last["written GB"] / last["cells"] / last["signatures"]
            used = seconds(of[str(method)], MANY, signatures, read, MANY // PER_FILE) / (1 + last["error"])
            # What the hash has read is still in memory, as a rule: the storage gives each file once less.
            moved = read * (READS[str(method)] - 1) / READS[str(method)] + written
            times = {"processor": used / CORES, "storage": moved / DISK}
            limit = max(times, key=lambda name: times[name])
            rows.append(
                [str(method), f"{signatures:,}", f"{used / 3600:,.1f}", f"{read / 1e3:,.1f}", f"{written / 1e3:,.2f}",
                 f"{times['processor'] / 60:,.1f}", f"{times['storage'] / 60:,.1f}", limit]
            )  # fmt: skip
    head = ["method", "signatures", "processor hours", "read, TB", "written, TB", "processor, min", "storage, min"]
    return table([*head, "limited by"], rows)


def page() -> str:
    """Return the page."""
    text = TABLE.read_text()
    of, runs = coefficients(text), pd.read_csv(TABLE, sep="\t", comment="#")
    held, most = runs[runs["use"] == "held out"], runs.loc[runs["use"] == "fitted", "cells"].max()
    costs = [[m, *(f"{of[m][t]:.3g}" for t in TERMS)] for m in of]
    tested = [
        [r["method"], f"{r['cells']:,}", f"{r['signatures']:,}", f"{r['processor s']:.1f}", f"{r['predicted s']:.1f}",
         f"{r['error']:+.1%}"]
        for _, r in held.iterrows()
    ]  # fmt: skip
    within = int((held["error"].abs() < 0.15).sum())
    if within == len(held):
        verdict = f"So the fit holds for files up to {held['cells'].max() / most:.1f} times as large as those it saw."
    else:
        worst = held.loc[held["error"].abs().idxmax(), "error"]
        verdict = f"So the fit holds for sizes like those it saw; larger ones it misses by up to {abs(worst):.0%}."
    client = 8e-9 * MANY * 1_000
    largest = runs[runs["cells"] == runs["cells"].max()]
    reads = largest["method"].map(READS)
    per_core = ((largest["read GB"] * (reads - 1) / reads + largest["written GB"]) / largest["processor s"]).min()
    command = text.splitlines()[0].removeprefix("# ")
    once, thrice, taken, full = READS["ucell"], READS["zscore"], f"{per_core * 1e3:.0f}", f"{DISK / per_core:.0f}"
    return f"""# What scoring from disk costs

Written by `python -m benchmarks.scoring.cost_page` from `benchmarks/scoring/cost_model.tsv` ({command}).

A run is `tl.score(path, ..., out="scores.parquet")` in a process of its own, on counts of 20,000 genes stored by rows,
unpacked, with {USUAL:,} values per cell (and {FEW}, to tell cells from values). Its processor seconds, all threads
together, are

    start + signatures x each + cells x (cell + signatures x signature) + gigabytes read x gigabyte

A file is read once per pass of the method and once for the hash by which an interrupted run knows its file:
{once} times by `ucell`, which stands for methods of one pass, {thrice} times by `zscore`. Fitted up to {most:,} cells:

{table(["method", *TERMS], costs)}

Runs that the fit did not see, larger and with another number of signatures; {within} of {len(held)} are within 15%:

{table(["method", "cells", "signatures", "measured s", "predicted s", "error"], tested)}

{verdict}

While a run lasts the system is told to forget the file, so that small files are read from the disk at every pass, as
large ones are; files that fit into free memory cost less than this. The machine was shared, so wall time says nothing
and processor time varies by some per cent. Packed files cost the unpacking besides ([benchmarks](benchmarks.md)).

## {MANY:,} cells

An extrapolation, not a measurement: {MANY // PER_FILE} files of {PER_FILE:,} cells, {CORES} cores, and a shared
storage that moves {DISK:g} GB a second. Processor time is that of the fit, raised by what the largest run took more.

{far(of, runs)}

**The bottleneck is the storage.** A core takes in and gives out at least {taken} MB a second, so about
{full} cores keep {DISK:g} GB a second busy, and more cores than that wait. Scores are written in 8 bytes per
cell and signature: a thousand signatures are two fifths of the data of the counts, so ask for those that are needed.

- **Snakemake**, a job per file: `mtorscore score FILE --out FILE.parquet --memory 500MB --threads 4`. Jobs share
  nothing but the storage; a job that is killed goes on from its finished blocks. Methods that learn from the cohort
  (`zscore`, `module_score`, `gsva`, `plage`) would learn from each file alone: fit a `SignatureScorer` once and hand it
  to every job as `reference=`.
- **Dask** (`dask_jobqueue.SLURMCluster`): one matrix, and cohort sums over all of it. Here the bottleneck is the
  process that asks: all scores come back to it, {client:,.0f} GB for a thousand signatures of {MANY:,} cells. Up to
  about 30 signatures (24 GB) that is in order; beyond, use a job per file.
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

"""Tables and figures of a run."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchmarks.scoring.run import Task

__all__ = ["write_report"]

TITLES = {
    "cells": "Single cells, 20,000 genes, 30 signatures, one thread",
    "threads": "The same with two threads",
    "together": "Several methods at once, one thread",
    "scale": "More signatures, genes and cells, one thread",
    "bulk": "Bulk samples, 20,000 genes, 30 signatures, one thread",
    "stream": "From disk (h5ad), read-ahead thread and two scoring threads",
    "start": "Starting: processes of their own, from start to end",
    "cold": "First call in a new process, 200 cells",
}
OURS, FLOOR, PEER = "#2b6a99", "#8a8a8a", "#c9772d"


def write_report(out: Path, tasks: Sequence[Task], agreements: Mapping[str, Mapping[str, float]], rounds: int) -> None:
    """Write ``benchmarks.md``, ``benchmarks.json`` and ``speed.svg``, ``speed.png``."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [_machine(rounds), ""]
    for table, title in TITLES.items():
        mine = [t for t in tasks if t.table == table]
        if mine:
            lines += [f"## {title}", "", *_rows(mine, tasks, agreements), ""]
    (out / "benchmarks.md").write_text("\n".join(lines))
    raw = [
        {"table": t.table, "label": t.label, "n_obs": t.n_obs, "failure": t.failure, "runs": t.answers} for t in tasks
    ]
    (out / "benchmarks.json").write_text(json.dumps(raw, indent=1))
    _figure(out, [t for t in tasks if t.table == "cells" and t.warm])
    print(f"{out / 'benchmarks.md'}")


def _machine(rounds: int) -> str:
    load = os.getloadavg()[0]
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f} at the end; {rounds} round(s), "
        "each contender in a process of its own, all contenders once per round. Times are medians of warm calls, in "
        "brackets the fastest; copying the object is not timed. Memory is what calls add to the peak above them."
    )


def _rows(mine: Sequence[Task], tasks: Sequence[Task], agreements: Mapping[str, Mapping[str, float]]) -> list[str]:
    # Labels are unique within a table; two threads are compared with one.
    home = "cells" if mine[0].table == "threads" else mine[0].table
    by_label = {t.label: t for t in tasks if t.table == home}
    lines = [
        "| what | n | per second | first call (s) | MB added | ratio | agreement |",
        "|---|---:|---:|---:|---:|---|---|",
    ]
    floors = [t for t in mine if t.package == "floor"]
    for t in mine:
        if t.failure or not t.answers:
            lines.append(f"| {t.label} | {t.n_obs:,} | not measured: {t.failure or 'left out'} | | | | |")
            continue
        notes = []
        if t.package == "ours" and floors and floors[0].answers:
            notes.append(f"{floors[0].rate() / t.rate():.1f} x the floor")
        ours = by_label.get(t.against or "")
        if ours is not None and ours.warm:
            notes.append(f"ours {ours.rate() / t.rate():.1f} x as fast")
        single = by_label.get(t.label.removesuffix(", 2 threads"))
        if t.table == "threads" and single is not None and single.warm:
            notes.append(f"{t.rate() / single.rate():.2f} x one thread")
        if t.table == "stream" and t.package == "stream":
            for how in ("read blocks with h5py", "read blocks"):
                read = by_label[how + t.label.removeprefix("ucell from disk")]
                if read.warm:
                    notes.append(f"{read.rate() / t.rate():.2f} x {how}")
        if t.table == "together" and t.warm:
            alone = [a for a in tasks if a.table == "cells" and a.label.removeprefix("mtorscore ") in t.label.split()]
            if any(a.warm for a in alone):
                notes.append(f"{min(a.rate() for a in alone if a.warm) / t.rate():.2f} x the dearest alone")
        if t.table == "scale" and t.warm and mine[0].warm:
            notes.append(f"{mine[0].rate() / t.rate():.2f} x the first row per cell")
        if t.table == "start" and t.warm:
            notes.append(f"{t.n_obs / t.rate():.2f} s")
        same = agreements.get(t.label + t.table, {})
        agree = f"r >= {same['lowest_r']:.4f}, largest difference {same['largest']:.2g}" if same else ""
        first = np.median([a["first_s"] for a in t.answers])
        added = np.median([a["added_mb"] for a in t.answers])
        lines.append(
            f"| {t.label} | {t.n_obs:,} | {t.rate():,.0f} ({t.rate('min'):,.0f}) | {first:.2f} | {added:,.0f} | "
            f"{', '.join(notes)} | {agree} |"
        )
    return lines


def _figure(out: Path, tasks: Sequence[Task]) -> None:
    """Draw observations per second, one row per contender, on a log scale."""
    if not tasks:
        return
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    ordered = sorted(tasks, key=lambda t: t.rate())
    colours = [FLOOR if t.package == "floor" else OURS if t.package == "ours" else PEER for t in ordered]
    figure, axes = plt.subplots(figsize=(7.5, 0.32 * len(ordered) + 1.1), layout="constrained")
    axes.barh([t.label for t in ordered], [t.rate() for t in ordered], color=colours)
    for i, t in enumerate(ordered):
        axes.text(t.rate() * 1.06, i, f"{t.rate():,.0f}", va="center", fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(right=max(t.rate() for t in ordered) * 4)
    axes.set_xlabel("cells per second, one thread (log scale)")
    axes.spines[["top", "right"]].set_visible(False)
    for suffix in ("svg", "png"):
        figure.savefig(out / f"speed.{suffix}", dpi=150)
    plt.close(figure)

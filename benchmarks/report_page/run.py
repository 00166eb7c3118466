"""Measure the page of one run as two versions write it: size, first paint, total blocking time, time of the step.

    python -m benchmarks.report_page.run results/demo --other CHECKOUT --out benchmarks/report_page/speed.tsv

Versions take turns: each writes the page of a copy of the run's folder in a process of its own, and a fresh Chromium
opens it at 1280 x 800. Total blocking time is what tasks longer than 50 ms take beyond 50 ms until the page is ready;
first paint is Chromium's first contentful paint. Medians are printed with the least and the most.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import mtorscore
from tests.browser.driver import Browser, find_chromium

ROOT = Path(__file__).parents[2]
_WRITE = (
    "import resource, sys, warnings; warnings.simplefilter('ignore'); from mtorscore import report;"
    "report.write(sys.argv[1]); u = resource.getrusage(resource.RUSAGE_SELF); print(u.ru_utime + u.ru_stime)"
)
_WATCH = (
    "window.slow = []; new PerformanceObserver((l) => { for (const e of l.getEntries()) window.slow.push(e.duration) })"
    ".observe({ type: 'longtask', buffered: true });"
)


def step(checkout: Path, folder: Path) -> float:
    """Return the processor seconds of a process that writes the page, imports included."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, "-c", _WRITE, str(folder)], cwd=checkout, env=environment, capture_output=True, check=True
    )
    return float(done.stdout.split()[-1])


def opened(page: Path) -> tuple[float, float]:
    """Return first paint and total blocking time of a page in a fresh browser, in milliseconds."""
    found = find_chromium()
    if found is None:
        raise SystemExit("There is no Chromium with ChromeDriver.")
    with Browser(*found) as window:
        window.view(1280, 800)
        window.command("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)
        window.open(page)
        time.sleep(0.6)
        paint = window.js("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
        return float(paint), sum(max(0.0, float(d) - 50) for d in window.js("return window.slow"))


def commit(checkout: Path) -> str:
    """Return the commit of a checkout."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=checkout, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--other", type=Path, required=True, help="a checkout of the version to stand beside")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    versions = {commit(path): path for path in (given.other, ROOT)}
    values: dict[str, list[tuple[float, ...]]] = {v: [] for v in versions}
    with tempfile.TemporaryDirectory() as scratch:
        for version in versions:
            shutil.copytree(given.folder, Path(scratch) / version)
        for _ in range(given.rounds):
            for version, path in versions.items():
                folder = Path(scratch) / version
                seconds = step(path, folder)
                page = folder / "report.html"
                values[version].append((page.stat().st_size / 1e6, *opened(page), seconds))
    head = (
        f"# python -m benchmarks.report_page.run {given.folder.name} --rounds {given.rounds}; commit {commit(ROOT)}; "
        f"{datetime.now(UTC):%Y-%m-%d}; mtorscore {mtorscore.__version__}; medians (least to most)"
    )
    lines = [head, "commit\tsize_mb\tfirst_paint_ms\tblocking_ms\tstep_cpu_s"]
    for version, rows in values.items():
        cells = [
            f"{statistics.median(c):.{d}f} ({min(c):.{d}f} to {max(c):.{d}f})"
            for c, d in zip(zip(*rows, strict=True), (2, 0, 0, 1), strict=True)
        ]
        lines.append("\t".join([version, *cells]))
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if given.out:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

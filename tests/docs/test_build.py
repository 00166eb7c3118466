"""The manual builds without a warning, its tutorials run, and its tables are those of a run."""

from __future__ import annotations

import csv
import importlib
import io
import os
import posixpath
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.browser.driver import Browser, find_chromium

DOCS = Path(__file__).resolve().parents[2] / "docs"
TUTORIALS = sorted(p for p in [DOCS / "quickstart.md", *DOCS.glob("tutorials/*.md")])
ENV = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def cells(path: Path) -> list[str]:
    """Return the code of a tutorial's cells, options left out."""
    found = re.findall(r"```\{code-cell\} ipython3\n(.*?)```", path.read_text(), re.S)
    return ["\n".join(line for line in c.splitlines() if not line.startswith(":tags:")) for c in found]


def test_there_are_tutorials() -> None:
    assert len(TUTORIALS) >= 7
    assert all(len(cells(path)) >= 5 for path in TUTORIALS)


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda p: p.stem)
def test_tutorial_runs(path: Path, tmp_path: Path) -> None:
    """Run the cells one after another in IPython, as a reader would, in an empty folder."""
    script = tmp_path / "tutorial.ipy"
    script.write_text("\n\n".join(cells(path)).replace("%matplotlib inline", ""))
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", str(script)]
    done = subprocess.run(
        command, cwd=tmp_path, env=ENV | {"MPLBACKEND": "agg"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_the_manual_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(tmp_path / "trees")]
    done = subprocess.run(
        [*command, str(DOCS), str(tmp_path / "html")], env=ENV, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    built = list((tmp_path / "html").rglob("*.html"))
    assert len(built) > 60
    for page in built:
        loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', page.read_text())
        assert loaded == [], page
    assert undocumented(tmp_path / "html" / "objects.inv") == []
    found = find_chromium()
    if found is not None:
        assert wider_than_a_phone(built, found) == {}


def undocumented(inventory: Path) -> list[str]:
    """Return the public names that the built manual does not describe."""
    from sphinx.util.inventory import InventoryFile

    loaded = InventoryFile.load(io.BytesIO(inventory.read_bytes()), "", posixpath.join)
    described = {name for kind, names in loaded.items() if kind.startswith("py:") for name in names}
    listed = re.findall(r"^   (mtorscore\.[\w.]+)$", (DOCS / "reference" / "api.md").read_text(), re.M)
    assert len(listed) >= 10
    public = [f"{module}.{name}" for module in listed for name in importlib.import_module(module).__all__]
    return [name for name in public if name not in {*described, *listed}]


def wider_than_a_phone(pages: list[Path], found: tuple[str, str]) -> dict[str, int]:
    """Return the pages that scroll sideways at 390 pixels, with their width."""
    wide = {}
    with Browser(*found) as browser:
        browser.view(390)
        for page in pages:
            browser.go(page)
            width = int(browser.js("return document.documentElement.scrollWidth"))
            if width > 390 and page.stem not in ("genindex", "search"):
                wide[page.stem] = width
    return wide


@pytest.mark.slow
@pytest.mark.shared
def test_the_agreement_table_is_current(golden: Path, tmp_path: Path) -> None:
    """Every comparison in the table was made again, and none agrees less than it says, rounding apart."""
    out = tmp_path / "agreement.tsv"
    env = ENV | {"MTORSCORE_SHARED": str(golden.parent)}
    command = [sys.executable, str(DOCS / "_ext" / "measure_agreement.py"), str(out)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    now, then = read(out), read(DOCS / "evidence" / "agreement.tsv")
    assert set(now) == set(then)
    for key, value in now.items():
        assert value <= 10 * then[key] + 1e-11, key


def read(path: Path) -> dict[tuple[str, str, str], float]:
    with path.open(newline="") as text:
        rows = list(csv.DictReader(text, delimiter="\t"))
    return {(r["method"], r["tool"], r["case"]): float(r["difference"]) for r in rows}


@pytest.mark.slow
def test_every_column_of_a_run_is_in_the_reference(tmp_path: Path) -> None:
    from mtorscore.cli import main
    from mtorscore.results import TABLES

    (tmp_path / "cohorts.tsv").write_text(
        "cohort\trecipe\tsimulate\nsmall\tsimulated\tn_tumours=60; n_normals=12; n_genes=8000\n"
    )
    (tmp_path / "run.yaml").write_text(
        f"run: r\nresults: {tmp_path / 'out'}\ncohorts: {tmp_path / 'cohorts.tsv'}\nmethods: [singscore]\n"
        "null_sets: 0\nbootstraps: 0\ncv_repeats: 1\ngsea_permutations: 20\n"
    )
    with pytest.raises(SystemExit) as stop:
        main(["run", "--config", str(tmp_path / "run.yaml")])
    assert stop.value.code in (0, None)
    cohort = tmp_path / "out" / "r" / "small"
    text = (DOCS / "reference" / "results.md").read_text()
    for declared in TABLES.values():
        if not declared.path:
            continue
        # What is written only where alterations are handed over is written with declared columns, as
        # tests/pipeline/test_alterations.py sees.
        if declared.step != "alterations":
            table = pd.read_csv(cohort / declared.path.format(method="singscore"), sep="\t")
            names = tuple(table.columns)
            assert names[: len(declared.names)] == declared.names, declared.name
            assert declared.per_signature or names == declared.names, declared.name
        assert f"{{include}} ../generated/results/{'scores' if declared.per_signature else declared.name}.txt" in text
    named = re.findall(r"^\| `([\w./]+\.\w+)` \|", text, re.M)
    assert len(named) >= 9
    for file in named:
        assert (cohort / file).is_file() or (cohort.parent / file).is_file(), file

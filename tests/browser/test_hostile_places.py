"""Hostile text in every text column, name, title, description and configuration value of a run, in a real browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

from mtorscore import report
from mtorscore.results import TABLES
from tests.browser.driver import Browser
from tests.report.runs import NAMES, compared_run

pytestmark = pytest.mark.slow

BAD = [
    "<script>window.hacked=1</script>",
    '"><img src=x onerror=window.hacked=1>',
    "'><svg onload=window.hacked=1>",
    "</script><script>window.hacked=1</script>",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "+1+cmd",
    "-2+3",
    "\u202e\u2066gnp.exe \u200f",
    "javascript:window.hacked=1",
    "{{ 7 * 7 }}${7*7}",
]
KNOWN = {
    "method": ["singscore", "zscore"], "signature": NAMES, "endpoint": ["OS", "PFI"], "what": ["gene", "branch"],
    "model": ["unadjusted", "adjusted"], "branch": ["mtorc1", "s6k"], "design": ["groups", "trend"],
    "metric": ["harrell_c"],
}  # fmt: skip
NUMBERS = {"count": 12, "share": 0.4, "p-value": 0.004, "flag": True, "number": 0.3}


class Hostile:
    """Give another hostile text at each call, so that no two places show the same."""

    def __init__(self) -> None:
        self._next = count()

    def __call__(self) -> str:
        k = next(self._next)
        return f"{BAD[k % len(BAD)]} {k}"


def planted(name: str, bad: Hostile, observations: list[str]) -> pd.DataFrame:
    """Return a table with hostile text in every text column: in some rows of all, in others beside known keys."""
    table = TABLES[name]
    rows: list[dict[str, Any]] = []
    for k in range(16):
        row: dict[str, Any] = {}
        for column in table.columns:
            if column.kind != "text":
                row[column.name] = NUMBERS.get(column.kind, 0.3)
            elif column.name in KNOWN and k < len(NAMES):
                row[column.name] = KNOWN[column.name][k % len(KNOWN[column.name])]
            elif column.name == "quantiles":  # numbers, which no user writes
                row[column.name] = "0.1 0.9 2.5"
            elif column.name == "observation":
                row[column.name] = observations[k]
            else:
                row[column.name] = bad()
        rows.append(row)
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bad = Hostile()
    base = tmp_path_factory.mktemp("every")
    folder = base / "=run <b>"
    # A folder's name cannot hold a slash; all else can stand in it.
    cohort = folder / '=cohort "><img src=x onerror=window.hacked=1>\u202e'
    shutil.copytree(compared_run(tmp_path_factory.getbasetemp()) / "sim-hcc", cohort)
    adata = anndata.read_h5ad(cohort / "cohort.h5ad")
    for column in ("stage", "sex", "grade", "comparison_group"):
        adata.obs[column] = pd.Categorical([BAD[k % 4] for k in range(adata.n_obs)])
    adata.obs["<img src=x onerror=window.hacked=1>"] = [BAD[k % 3] for k in range(adata.n_obs)]
    keys = ("kind", "file", "accession", "units", "description", "sha256")
    adata.uns["source"] = {k: bad() for k in keys} | {
        "guessed": {BAD[0].replace("/", ""): {"is": bad(), "evidence": bad(), "sure": False}}
    }
    adata.uns["scale"] = {"certain": False, "declared": "", "kind": bad(), "evidence": [bad()], "log": bad()}
    adata.uns["flow"] = adata.uns["flow"].assign(step=[bad() for _ in range(len(adata.uns["flow"]))])
    names = list(adata.obs_names)
    adata.write_h5ad(cohort / "cohort.h5ad")
    for name, table in TABLES.items():
        if table.report:
            path = cohort / table.path
            path.parent.mkdir(parents=True, exist_ok=True)
            planted(name, bad, names).to_csv(path, sep="\t", index=False)
    for method in ("singscore", "zscore"):
        scores = pd.read_csv(cohort / f"scores/{method}.tsv", sep="\t", index_col=0)
        own = [f"{text} own" for text in BAD]
        scores[own] = np.random.default_rng(0).normal(size=(len(scores), len(own)))
        scores.to_csv(cohort / f"scores/{method}.tsv", sep="\t")
    (cohort / "export" / "<img src=x onerror=window.hacked=1>.rnk").write_text("a", encoding="utf-8")
    (cohort / "acquired").mkdir(exist_ok=True)
    files = [{"path": bad(), "bytes": bad(), "sha256": bad()}]
    (cohort / "acquired" / "manifest.json").write_text(json.dumps({"files": files}), encoding="utf-8")
    keys = ("name", "command", "platform", "written", "started", "signatures_hash")
    config = {"methods": ["singscore", "zscore", bad()], "signatures": "library", bad(): {bad(): [bad()]}}
    record = {k: bad() for k in keys} | {"config": config, "versions": {bad(): bad(), "mtorscore": bad()}, "format": 2}
    (folder / "run.json").write_text(json.dumps(record | {"cohorts": [cohort.name, bad()]}), encoding="utf-8")
    report.write(folder)
    return folder


@pytest.fixture
def opened(browser: Browser, run: Path) -> Iterator[Browser]:
    browser.console()
    browser.requests()
    browser.view(1280)
    browser.open(run / "report.html")
    yield browser
    assert browser.js("return window.hacked") is None
    assert browser.console() == []
    outside = [u for u in browser.requests() if not u.startswith(("file:", "data:", "blob:", "chrome:", "about:"))]
    assert outside == []


def inert(browser: Browser) -> None:
    assert browser.js("return window.hacked") is None
    found = "return document.querySelectorAll('iframe, object, embed, main script, img:not([src^=\"data:\"])').length"
    assert browser.js(found) == 0
    assert browser.js("return document.querySelectorAll('script').length") == 2
    assert browser.js("return document.querySelectorAll('[onload], [onerror], a[href^=javascript]').length") == 0


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_text_in_every_place_does_nothing(opened: Browser, width: int) -> None:
    opened.view(width)
    assert opened.wait(f"return innerWidth === {width}")
    inert(opened)
    opened.js("for (const d of document.querySelectorAll('details')) d.open = true; for (const f of live) paint(f);")
    assert opened.js("return document.documentElement.scrollWidth") <= width
    signatures = opened.js("return [...tableNow().keys()]")
    assert len(signatures) > len(NAMES)
    for name in signatures[-4:]:
        opened.js("change({signature: arguments[0], rows: 'all'}); for (const f of live) paint(f);", name)
    opened.js("change({selected: new Set([1])}); change({selected: new Set([1, 2, 3])}); change({cut: 'selection'})")
    opened.js("change({selected: new Set([0])}); redraw({theme: true});")
    for view in ("heatmap", "strip", "forest"):
        target = f"[data-view={view}] canvas, [data-view={view}] .row-hit"
        if opened.js("return Boolean(document.querySelector(arguments[0]))", target):
            opened.mouse("mouseMoved", *opened.centre(target))
    find = (
        "const i = document.getElementById('find'); i.value = arguments[0];"
        "i.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    for text in ("<s", "cmd", "own"):
        opened.js(find, text)
    inert(opened)


def test_text_that_turns_what_follows_is_not_in_the_page(opened: Browser) -> None:
    walk = (
        "const bad = /[\\u202a-\\u202e\\u2066-\\u2069]/; const found = [];"
        "const w = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);"
        "for (let n = w.nextNode(); n; n = w.nextNode())"
        " if (bad.test(n.data) && n.parentElement.tagName !== 'SCRIPT') found.push(n.parentElement.outerHTML);"
        "return bad.test(document.title) ? [document.title] : found"
    )
    assert opened.js(walk) == []


def test_no_exported_cell_is_a_formula(opened: Browser) -> None:
    opened.js(
        "window.saved = []; URL.createObjectURL = (b) => { window.saved.push(b); return 'data:,'; };"
        "HTMLAnchorElement.prototype.click = function () {};"
        "for (const b of document.querySelectorAll('button'))"
        " if (/^(TSV|Download TSV)$/.test(b.textContent.trim())) b.click();"
        "change({selected: new Set([0])});"
        "[...document.querySelectorAll('#sample button')].find((b) => b.textContent === 'TSV').click();"
        "window.texts = null; Promise.all(window.saved.map((b) => b.text())).then((t) => { window.texts = t; });"
    )
    assert opened.wait("return window.texts !== null")
    texts = opened.js("return window.texts")
    assert len(texts) > 12
    cells = [c for t in texts for line in t.split("\n") for c in line.split("\t")]
    assert any(c.startswith("'=cmd") for c in cells)
    for cell in cells:
        if cell.lstrip()[:1] in ("=", "+", "-", "@"):
            float(cell)  # a number may be negative


def test_saved_pictures_hold_no_script(opened: Browser) -> None:
    opened.js(
        "window.saved = []; URL.createObjectURL = (b) => { window.saved.push(b); return 'data:,'; };"
        "HTMLAnchorElement.prototype.click = function () {};"
        "for (const b of document.querySelectorAll('button')) if (b.textContent.trim() === 'SVG') b.click();"
        "window.texts = null; Promise.all(window.saved.map((b) => b.text())).then((t) => { window.texts = t; });"
    )
    assert opened.wait("return window.texts !== null")
    texts = opened.js("return window.texts")
    assert len(texts) > 5
    parsed = (
        "const d = new DOMParser().parseFromString(arguments[0], 'image/svg+xml');"
        "return [d.querySelectorAll('parsererror').length,"
        " d.querySelectorAll('script, foreignObject, image, [onload], [onerror]').length]"
    )
    for text in texts:
        assert opened.js(parsed, text) == [0, 0]


def test_figures_and_exchange_files_take_hostile_names(run: Path) -> None:
    report.write_figures(run, ["svg"])
    for path in (run / "figures").rglob("*.svg"):
        text = path.read_text(encoding="utf-8")
        assert "<script" not in text, path
        assert "onerror=window" not in text.replace("&gt;", ">").split("<metadata>")[0] or "&lt;" in text, path
    lines = (run / "figures" / "captions.tsv").read_text(encoding="utf-8").splitlines()
    assert not any(cell[:1] in "=+-@" for line in lines for cell in line.split("\t"))
    assert "<script>" not in (run / "mtorscore_mqc.json").read_text(encoding="utf-8")

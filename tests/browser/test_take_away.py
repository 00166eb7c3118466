"""What a reader takes away from the page, finds on it, and keeps in its address; hostile text in every place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import anndata
import pandas as pd
import pytest

from mtorscore import report
from tests.browser.driver import Browser
from tests.report.runs import HOSTILE, NAMES

pytestmark = pytest.mark.slow

KEEP = """
window.saved = [];
URL.createObjectURL = (b) => { window.saved.push([b.type, b]); return 'data:,'; };
HTMLAnchorElement.prototype.click = function () { window.saved[window.saved.length - 1]?.push(this.download); };
"""
READ = "window.texts = null; Promise.all(window.saved.map((s) => s[1].text())).then((t) => { window.texts = t; });"


@pytest.fixture
def shown(browser: Browser, page: Path) -> Iterator[Browser]:
    browser.console()
    browser.view(1280)
    browser.open(page)
    yield browser
    assert browser.console() == []


def saved(browser: Browser) -> list[str]:
    browser.js(READ)
    assert browser.wait("return window.texts !== null")
    return list(browser.js("return window.texts"))


def test_every_figure_is_saved_as_vector_and_as_table(shown: Browser) -> None:
    shown.js(KEEP)
    views = shown.js("return live.map((f) => f.root.dataset.view)")
    assert {"heatmap", "strip", "scatter", "forest", "km", "null", "calibration", "decision", "meta"} <= set(views)
    drawn = [v for v in views if v != "gsea"]  # this run has no enrichment
    for view in drawn:
        shown.js(f"document.querySelector('[data-view={view}] [aria-label^=SVG]').click()")
    for svg in saved(shown):
        root = ElementTree.fromstring(svg)  # noqa: S314
        assert root.tag.endswith("svg")
        assert len(list(root.iter())) > 5
    shown.js("window.saved = []")
    for view in drawn:
        shown.js(f"document.querySelector('[data-view={view}] [aria-label^=TSV]').click()")
    for view, text in zip(drawn, saved(shown), strict=True):
        assert len(text.strip().split("\n")) > 1, view
    shown.js("window.saved = []; document.querySelector('[data-view=km] [aria-label^=PNG]').click()")
    shown.js("document.querySelector('.answer [aria-label^=\"SVG of board\"]').click()")
    shown.js("document.querySelector('[aria-label^=\"SVG of map\"]').click()")
    for text in saved(shown):
        assert ElementTree.fromstring(text).tag.endswith("svg")  # noqa: S314


def test_formula_signs_are_marked(shown: Browser) -> None:
    cells = ["=1+1", "+cmd", "-x", "@SUM(A1)", " =1", "-1.5", "ok", "a\tb"]
    text = shown.js("return tsvOf(['=name'], arguments[0].map((c) => [c]))", cells)
    assert text.split("\n")[:-1] == ["'=name", "'=1+1", "'+cmd", "'-x", "'@SUM(A1)", "' =1", "-1.5", "ok", "a b"]


def test_references_are_saved(shown: Browser) -> None:
    shown.js(KEEP + "document.querySelectorAll('[data-cite]').forEach((b) => b.click())")
    bib, ris = saved(shown)
    assert "@software{mtorscore" in bib
    assert "Foroutan" in bib
    assert ris.count("TY  - ") == ris.count("ER  - ") == bib.count("\n@") + 1


def test_the_address_keeps_the_choices(shown: Browser, page: Path) -> None:
    shown.js("change({cohort: 1, method: 'zscore', signature: 'CLEAR_TFEB'})")
    address = shown.js("return location.hash")
    assert "cohort=sim-cca" in address
    assert "signature=CLEAR_TFEB" in address
    shown.js("location.hash = ''; change({cohort: 0, method: 'singscore', signature: 'RIBI_CORE'})")
    shown.js("location.hash = arguments[0]", address)
    assert shown.wait("return state.signature === 'CLEAR_TFEB' && state.cohort === 1 && state.method === 'zscore'")
    for bad in ("#cohort=none&method=<b>&rows=x&sample=%zz", "#=&&%", f"#{quote(HOSTILE[0])}", "#signature=__proto__"):
        shown.js("location.hash = arguments[0]", bad)
    assert shown.js("return Boolean(tableNow().get(state.signature))")
    shown.js("location.hash = 'outcome'")
    assert shown.wait("return location.hash.startsWith('#outcome&')")


def test_a_sample_and_a_gene_are_found(shown: Browser) -> None:
    find = (
        "const i = document.getElementById('find'); i.value = arguments[0];"
        "i.dispatchEvent(new Event('input', {bubbles: true})); return document.getElementById('found').innerText;"
    )
    sample = shown.js("return cohortNow().observations[3]")
    assert sample in shown.js(find, sample)
    shown.js("document.querySelector('#found button').click()")
    assert shown.wait("return !document.getElementById('sample').hidden")
    words = shown.js("return document.getElementById('sample').innerText")
    assert sample in words
    assert "percentile" in words
    assert f"sample={sample}" in shown.js("return location.hash")
    node = '[data-cohort="0"] svg.pathway a[data-signature=RIBI_CORE] .small'
    assert " SD" in shown.js("return document.querySelector(arguments[0]).textContent", node)
    assert "SREBP1_LIPOGENIC_CORE" in shown.js(find, "FASN")
    assert "Nothing of that name" in shown.js(find, "no such thing")
    shown.js("change({selected: new Set()})")
    assert shown.js("return document.getElementById('sample').hidden")


def test_the_map_is_coloured_as_the_reader_wishes(shown: Browser) -> None:
    node = "svg.pathway a[data-signature=HALLMARK_MTORC1_SIGNALING]"
    spoken = f"return document.querySelector({node!r}).getAttribute('aria-label')"
    words = f"return document.querySelector('{node} .small').textContent"
    # By keyboard: the list is focused and its second entry chosen.
    options = "return [...document.querySelector('select[data-map]').options].map((o) => o.value)"
    assert shown.js(options) == ["effect"], "this run compares no groups, so there is one way, and no list to see"
    assert shown.js("return document.querySelector('.map-by').hidden")
    before = shown.js(words)
    assert before.startswith("HR ")
    shown.js("change({selected: new Set([2])})")
    assert shown.js(options) == ["effect", "sample"]
    assert not shown.js("return document.querySelector('.map-by').hidden")
    assert shown.js(words).endswith(" SD")
    assert shown.js(words) in shown.js(spoken)
    assert "map=sample" in shown.js("return location.hash")
    label = "return document.querySelector('svg.pathway').getAttribute('aria-label')"
    assert shown.js(label) == "Pathway, coloured by the chosen sample"
    shown.js("document.querySelector('select[data-map]').focus()")
    shown.key("ArrowUp", 38)
    assert shown.wait(words.replace("return ", "return (") + f") === {before!r}")
    assert shown.js(spoken).endswith(before)
    assert shown.js(label) == "Pathway, coloured by effect"
    assert "worse outcome" in shown.js("return document.querySelector('.map-note').textContent")
    shown.js("change({selected: new Set()})")
    assert shown.js(options) == ["effect"]


@pytest.mark.parametrize("bad", HOSTILE[:4])
def test_hostile_text_in_every_place_is_inert(browser: Browser, page: Path, tmp_path: Path, bad: str) -> None:
    run = shutil.copytree(page.parent, tmp_path / "run")
    shutil.rmtree(run / "sim-cca")
    folder = run / "sim-hcc"
    adata = anndata.read_h5ad(folder / "cohort.h5ad")
    adata.obs["stage"] = pd.Categorical([bad] * adata.n_obs)
    adata.obs["comparison_group"] = [f"{bad}{k % 3}" for k in range(adata.n_obs)]
    adata.uns["source"] = dict.fromkeys(("kind", "file", "accession", "units", "description", "sha256"), bad)
    adata.write_h5ad(folder / "cohort.h5ad")
    for name in ("relate/associations.tsv", "relate/classifiers.tsv", "exclusions.tsv", "scores/coverage.tsv"):
        table = pd.read_csv(folder / name, sep="\t")
        table["reason"] = bad
        if "adjusted_for" in table:
            table["adjusted_for"] = table["adjusted_for"].where(table["adjusted_for"].isna(), bad)
        if "model" in table and name.endswith("classifiers.tsv"):
            table["model"] = bad
        table.to_csv(folder / name, sep="\t", index=False)
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    record |= {"name": bad, "command": bad, "platform": bad, "written": bad, "versions": {bad: bad, "mtorscore": bad}}
    record["config"] |= {"methods": ["singscore", bad], "run": bad, bad: bad}
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    browser.console()
    browser.view(1280)
    browser.open(report.write(run))
    browser.js("change({selected: new Set([1])}); change({signature: arguments[0]}); redraw({theme: true})", NAMES[1])
    assert browser.js("return window.hacked") is None
    assert browser.js("return document.querySelectorAll('img, iframe, main script, object, embed').length") == 0
    assert browser.js("return document.querySelectorAll('script').length") == 2
    assert browser.js("return document.documentElement.scrollWidth") <= 1280
    assert browser.console() == []

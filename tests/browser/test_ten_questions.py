"""The ten questions of the manual: each path of clicks leads to the text that answers it, as the tables have it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mtorscore import report
from tests.browser.driver import Browser
from tests.report.runs import compared_run

pytestmark = pytest.mark.slow

MANUAL = Path(__file__).parents[2] / "docs" / "howto" / "read_a_report.md"
MOST_CLICKS = 2
# A text is seen where the smallest element that holds it is drawn within the window.
SEEN = """
const drawn = (r) => r.width && r.bottom > 0 && r.top < innerHeight && r.left < innerWidth;
const within = (e) => [...e.getClientRects()].some(drawn);
const holds = (e) => e.textContent.replace(/\\s+/g, ' ').includes(arguments[0]);
return [...document.querySelectorAll('main *')].some((e) => holds(e) && ![...e.children].some(holds) && within(e));
"""
LABEL = """
const plain = (e) => e.textContent.trim();
const named = (e) => plain(e) === arguments[0] && e.getClientRects().length;
const found = [...document.querySelectorAll('a, button, summary')].find(named);
found.scrollIntoView({block: 'center', behavior: 'instant'});
found.click();
"""
FIND = """
const i = document.getElementById('find'); i.value = arguments[0]; i.dispatchEvent(new Event('input', {bubbles: true}));
"""


def questions() -> dict[str, str]:
    """Return question -> clicks, as the manual prints them."""
    part = MANUAL.read_text(encoding="utf-8").split("## Ten questions")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| ")][2:]
    return {row[0].strip(): f"{row[1]} {row[2]}" if "its node" in row[2] else row[1] for row in rows}


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compared_run(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def single(several: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = shutil.copytree(several, tmp_path_factory.mktemp("single") / "run")
    shutil.rmtree(run / "sim-cca")
    report.write(run)
    return run


def follow(browser: Browser, clicks: str, sample: str) -> None:
    """Do what the manual says: what stands in bold is clicked."""
    if "Find" in clicks:
        browser.js(FIND, sample)
    named: dict[str, Callable[[], object]] = {
        "the sample": lambda: browser.click("#found button"),
        "the cohort's name": lambda: browser.js(LABEL, "sim-hcc"),
        "its node": lambda: browser.js("document.querySelector('svg.pathway a[href^=\"#unread\"]').dispatchEvent("
                                       "new MouseEvent('click', {bubbles: true, cancelable: true}))"),
    }  # fmt: skip
    for name in re.findall(r"\*\*(.+?)\*\*", clicks):
        named[name]() if name in named else browser.js(LABEL, name)


def expected(run: Path) -> list[tuple[str, list[str]]]:
    """Return for each question a word of it, and the texts that answer it, from the tables of the run."""
    rows = pd.read_csv(run / "sim-hcc/relate/associations.tsv", sep="\t")
    os = rows[(rows["endpoint"] == "OS") & (rows["model"] == "unadjusted")]
    exclusions = pd.read_csv(run / "sim-hcc/exclusions.tsv", sep="\t")
    deaths = f"{int(os['events'].iloc[0])} deaths"
    return [
        ("SREBP-1", ["SREBP-1 lipogenesis", "Shift"]),
        ("share", ["Active", "40%"]),
        ("matter", ["overall survival"]),
        ("proliferation", ["adjusted for", "Hazard ratios"]),
        ("deaths", [deaths]),
        ("cohorts", ["sim-hcc", "sim-cca", "Combined hazard ratio"]),
        ("trust", ["Evidence", "as expected"]),
        ("genes", ["genes furthest from their mean", "SREBP-1 lipogenesis"]),
        ("left out", [str(exclusions["rule"].iloc[0])]),
        ("paper", ["In sim-hcc, "]),
    ]


@pytest.mark.parametrize("number", range(10))
def test_each_question_is_answered_within_two_clicks(
    browser: Browser, several: Path, single: Path, number: int
) -> None:
    question, clicks = list(questions().items())[number]
    assert clicks.count("**") <= 2 * MOST_CLICKS
    # Two cohorts are compared on the page of both; a single one has no column of another.
    for run in [several] if number == 5 else [single, several]:
        word, texts = expected(run)[number]
        assert word in question
        browser.view(1280, 800)
        browser.open(run / "report.html")
        browser.js("scrollTo(0, 0)")
        several_only = "the cohort's name" in clicks and run == single
        follow(
            browser,
            clicks.split("**its node**")[0] if not several_only else "",
            browser.js("return cohortNow().observations[3]"),
        )
        assert browser.wait("return document.readyState === 'complete'")
        if run == several and number in (1, 2, 4):
            texts = texts[-1:]
        for text in texts:
            assert browser.wait(f"return (function() {{ {SEEN} }})({text!r})"), (question, text, run.name)


def test_a_branch_without_a_row_says_why_in_one_click(browser: Browser, single: Path) -> None:
    browser.view(1280, 800)
    browser.open(single / "report.html")
    assert "**its node**" in list(questions().values())[6]
    follow(browser, "**its node**", "")
    assert browser.wait("return document.querySelector('details[id^=unread]').open")
    assert browser.wait(f"return (function() {{ {SEEN} }})('Without a signature that may be read here')")
    assert "opposed in liver tumours" in browser.js("return document.querySelector('details[id^=unread]').innerText")


def test_the_answers_stand_on_the_first_screen(browser: Browser, single: Path, several: Path) -> None:
    """At 1280 x 800: which branches (sentence, board, map), how sure, does it matter."""
    for run in (single, several):
        browser.view(1280, 800)
        browser.open(run / "report.html")
        browser.js("scrollTo(0, 0)")
        edges = browser.js(
            "return ['.sentence', 'table.board', 'svg.pathway']"
            ".map((s) => document.querySelector(s).getBoundingClientRect().top)"
        )
        assert all(0 <= y < 400 for y in edges), edges
        assert browser.js("return document.querySelector('svg.pathway').getBoundingClientRect().bottom") < 800

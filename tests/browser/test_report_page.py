from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.browser.driver import Browser

# A browser is not everywhere, and starting one takes seconds: `make test` leaves these out, .ci/run does not.
pytestmark = pytest.mark.slow

SET = """
const s = document.getElementById(arguments[0]); s.value = arguments[1];
s.dispatchEvent(new Event('change', {bubbles: true}));
"""


@pytest.fixture
def shown(browser: Browser, page: Path) -> Iterator[Browser]:
    """Open the report afresh, and refuse console messages and requests at the end."""
    browser.console()
    browser.requests()
    browser.view(1280)
    browser.open(page)
    yield browser
    assert browser.console() == []
    outside = [u for u in browser.requests() if not u.startswith(("file:", "data:", "blob:", "chrome:", "about:"))]
    assert outside == []


def test_opens_quickly_and_quietly(shown: Browser) -> None:
    assert shown.js("return document.querySelectorAll('.live[hidden]').length") == 0
    for view in ("heatmap", "strip", "scatter", "forest", "km", "null", "meta"):
        assert shown.js(f"return document.querySelector('[data-view={view}] .view').childElementCount") > 0, view
    assert shown.js("return performance.getEntriesByType('navigation')[0].loadEventEnd") < 10000


@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1280, True), (1600, False)])
def test_fits_every_width(shown: Browser, width: int, dark: bool) -> None:
    shown.view(width, dark=dark)
    assert shown.wait(f"return innerWidth === {width}")
    assert shown.js("return document.documentElement.scrollWidth") <= width
    ground = shown.js("return getComputedStyle(document.body).backgroundColor")
    brightness = np.mean([int(v) for v in ground.strip("rgb()").split(",")])
    assert (brightness < 80) == dark
    folder = os.environ.get("MTORSCORE_SCREENSHOTS")
    if folder:
        (Path(folder) / f"report-{width}-{'dark' if dark else 'light'}.png").write_bytes(shown.screenshot())


def test_theme_button(shown: Browser) -> None:
    before = shown.js("return getComputedStyle(document.body).backgroundColor")
    shown.click("#theme")
    assert shown.js("return getComputedStyle(document.body).backgroundColor") != before


def test_cohort_and_signature_follow_the_controls(shown: Browser) -> None:
    shown.js(SET, "pick-cohort", "1")
    visible = "return [...document.querySelectorAll('[data-cohort]')].filter(e => !e.hidden).map(e => e.dataset.cohort)"
    assert set(shown.js(visible)) == {"1"}
    shown.js(SET, "pick-signature", "CLEAR_TFEB")
    assert "CLEAR_TFEB" in shown.js("return document.querySelector('[data-view=about]').innerText")
    assert "falls with the branch" in shown.js("return document.querySelector('[data-view=about]').innerText")
    label = "return document.querySelector('[data-view=km] svg').getAttribute('aria-label')"
    shown.centre("[data-view=km]")  # a figure is drawn anew when it comes near the screen
    assert shown.wait(f"{label}.includes('CLEAR_TFEB')")
    shown.js(SET, "pick-endpoint", "PFI")
    assert shown.wait(f"{label}.includes('curves of PFI')")


def test_links_and_rows_of_the_first_screen_lead_somewhere(shown: Browser) -> None:
    """A cohort's name shows its board; a row of a board leads to its signature, a cell to that in its cohort."""
    # Figures that are drawn on the way move what is below: a place is reached once it no longer moves.
    inside = """const y = document.querySelector(arguments[0]).getBoundingClientRect().top;
        const still = window.before === y; window.before = y; return still && y > -5 && y < innerHeight"""
    shown.js("document.documentElement.style.scrollBehavior = 'auto'")
    assert shown.js("return document.getElementById('board-1').hidden")
    for link in (".sentence a[href='#board-1']", ".overview thead a[href='#board-1']"):
        shown.js(SET, "pick-cohort", "0")
        shown.click(link)
        assert shown.wait("return !document.getElementById('board-1').hidden && state.cohort === 1"), link
        assert shown.wait(inside.replace("arguments[0]", "'#board-1'")), link
    shown.click("#board-1 tr[data-signature=RIBI_CORE] th a")
    assert shown.wait("return state.signature === 'RIBI_CORE'")
    assert shown.wait(inside.replace("arguments[0]", "'#signature'"))
    shown.click("#board-1 tr[data-signature=SREBP1_LIPOGENIC_CORE] td:last-child")
    assert shown.wait("return state.signature === 'SREBP1_LIPOGENIC_CORE'")
    assert shown.wait(inside.replace("arguments[0]", "'#signature'"))
    shown.click(".overview tr[data-signature=RIBI_CORE] td[data-of='0']")
    assert shown.wait("return state.signature === 'RIBI_CORE' && state.cohort === 0")
    assert shown.wait(inside.replace("arguments[0]", "'#signature'"))


def test_survival_curve_agrees_with_the_package(shown: Browser, page: Path) -> None:
    import pandas as pd

    table = pd.read_csv(page.parent / "sim-hcc" / "relate" / "km.tsv", sep="\t")
    part = table[(table["signature"] == "RIBI_CORE") & (table["endpoint"] == "OS")]
    shown.js(SET, "pick-signature", "RIBI_CORE")
    found = shown.js(
        "const g = groupsNow(); return {p: logRank(g.endpoint, g.groups), groups: g.groups.map(x => "
        "({name: x.name, n: x.members.length, steps: productLimit(g.endpoint, x.members).steps}))}"
    )
    assert found["p"] == pytest.approx(float(part["logrank_p"].iloc[0]), abs=1e-6)
    for group in found["groups"]:
        rows = part[part["group"] == group["name"]].sort_values("time")
        assert group["n"] == rows["n"].iloc[0]
        assert [s["time"] for s in group["steps"]] == rows["time"].tolist()
        assert np.allclose([s["survival"] for s in group["steps"]], rows["survival"], atol=1e-9)


def test_cumulative_incidence_agrees_with_the_package(shown: Browser) -> None:
    import pandas as pd

    from mtorscore.prognosis.statistics.incidence import aalen_johansen

    table = pd.read_csv(Path(__file__).parents[1] / "prognosis" / "competing" / "tied.tsv", sep="\t")
    event, competing = (table["status"] == 1).astype(int), (table["status"] == 2).astype(int)
    found = shown.js(
        "const e = {time: arguments[0], event: arguments[1], competing: arguments[2]};"
        "return productLimit(e, e.time.map((_, i) => i))",
        *(v.tolist() for v in (table["time"], event, competing)),
    )
    times, _, incidence, _ = aalen_johansen(table["time"].to_numpy(float), table["status"].to_numpy(), 1)
    assert found["rising"]
    assert found["events"] == event.sum()
    assert np.allclose([s["height"] for s in found["steps"]], np.r_[0, incidence], atol=1e-9)
    assert [s["time"] for s in found["steps"]] == [0, *times]


def test_choosing_a_row_by_mouse_and_by_keyboard(shown: Browser) -> None:
    row = "[data-view=forest] [aria-label^='SREBP1_LIPOGENIC_CORE']"
    shown.click(row)
    assert shown.wait("return state.signature === 'SREBP1_LIPOGENIC_CORE'")
    shown.js("document.querySelector(\"[data-view=forest] [aria-label^='RIBI_CORE']\").focus()")
    shown.key("Enter", 13, "\r")
    assert shown.wait("return state.signature === 'RIBI_CORE'")
    assert shown.js("return document.activeElement.getAttribute('aria-label')").startswith("RIBI_CORE")


def test_hover_names_a_sample_and_its_score(shown: Browser) -> None:
    x, y = shown.centre("[data-view=heatmap] canvas")
    shown.mouse("mouseMoved", x, y)
    assert shown.wait("return !document.getElementById('tip').hidden")
    text = shown.js("return document.getElementById('tip').textContent")
    assert "SIM-HCC-" in text
    assert " SD)" in text


def test_selection_links_the_figures(shown: Browser) -> None:
    x, y = shown.centre("[data-view=heatmap] canvas")
    shown.mouse("mouseMoved", x - 150, y)
    shown.mouse("mousePressed", x - 150, y)
    shown.mouse("mouseMoved", x + 50, y)
    shown.mouse("mouseReleased", x + 50, y)
    assert shown.wait("return state.selected.size > 5")
    chosen = shown.js("return state.selected.size")
    assert f"{chosen} samples selected" in shown.js("return document.getElementById('controls').innerText")
    shown.js("change({cut: 'selection'})")
    shown.centre("[data-view=km]")
    label = "return document.querySelector('[data-view=km] svg').getAttribute('aria-label')"
    assert shown.wait(f"{label}.includes('selected')")
    assert "proves nothing" in shown.js("return document.querySelector('[data-view=km]').innerText")


def test_heat_map_by_keyboard(shown: Browser) -> None:
    shown.js("document.querySelector('[data-view=heatmap] canvas').focus()")
    shown.key("ArrowRight", 39)
    shown.key("ArrowDown", 40)
    assert "RIBI_CORE" in shown.js("return document.getElementById('tip').textContent")
    shown.key("Enter", 13, "\r")
    assert shown.wait("return state.selected.size === 1")


def test_tables_sort_search_and_download(shown: Browser) -> None:
    table = "[data-table=associations][data-cohort-table='0'] "
    shown.js(f"document.querySelector(\"{table.strip()}\").closest('details').querySelector('summary').click()")
    shown.js(
        f"const i = document.querySelector(\"{table}input\"); i.value = 'clear_tfeb';"
        "i.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    rows = f'return [...document.querySelectorAll("{table}.live-table tbody tr")].map(r => r.innerText)'
    found = shown.js(rows)
    assert found
    assert all("CLEAR_TFEB" in r for r in found)
    head = (
        f"return [...document.querySelectorAll(\"{table}.live-table th\")].findIndex(h => h.innerText.trim() === 'p')"
    )
    column = shown.js(head)
    sort = f'document.querySelectorAll("{table}.live-table th button")[{column}].click();'
    values = (
        f'return [...document.querySelectorAll("{table}.live-table tbody tr")].map(r => r.cells[{column}].innerText)'
    )
    shown.js(sort)
    ascending = [float(v) for v in shown.js(values)]
    assert ascending == sorted(ascending)
    shown.js(sort)
    assert [float(v) for v in shown.js(values)] == ascending[::-1]
    shown.js(
        "window.saved = [];"
        "URL.createObjectURL = (b) => { b.text().then(t => window.saved.push(t)); return 'data:,'; };"
        f"[...document.querySelectorAll(\"{table}button\")].find(b => b.innerText === 'Download TSV').click();"
    )
    assert shown.wait("return window.saved.length === 1")
    lines = shown.js("return window.saved[0]").strip().split("\n")
    assert len(lines) == len(found) + 1
    assert lines[0].split("\t")[:3] == ["signature", "endpoint", "model"]


def test_long_texts_are_cut_and_shown_on_demand(shown: Browser) -> None:
    shown.js("document.querySelector('#enrichment').append(long('AKT1,'.repeat(60)))")
    cell = "#enrichment > td"
    assert len(shown.js(f"return document.querySelector('{cell}').innerText")) < 100
    shown.js(f"document.querySelector('{cell} button').focus()")
    shown.key("Enter", 13, "\r")
    assert len(shown.js(f"return document.querySelector('{cell}').innerText")) == 300
    shown.js(f"document.querySelector('{cell}').remove()")


def test_the_heat_map_explains_every_colour(shown: Browser) -> None:
    key = shown.js("return document.querySelector('[data-view=heatmap] .key').innerText")
    assert all(word in key for word in ("\u22122.5 to +2.5 SD", "tumour", "normal", "OS", "yes", "no", "not known"))


def test_every_control_has_a_name_and_can_be_reached(shown: Browser) -> None:
    nameless = shown.js("""
      const named = (e) => e.getAttribute('aria-label') || e.textContent?.trim() || e.closest('label');
      return [...document.querySelectorAll('button, select, input, a[href], [tabindex], canvas, svg[role]')]
        .filter((e) => !e.closest('[hidden]') && !named(e)).map((e) => e.outerHTML.slice(0, 80));""")
    assert nameless == []
    shown.js("document.activeElement.blur(); scrollTo(0, 0)")
    reached = set()
    for _ in range(60):
        shown.key("Tab", 9)
        reached.add(shown.js("return document.activeElement.id || document.activeElement.tagName"))
    assert {"theme", "pick-method", "pick-signature", "A"} <= reached


def test_print_shows_the_figures(shown: Browser) -> None:
    shown.view(700)  # the width of A4 between its margins
    shown.command("Emulation.setEmulatedMedia", media="print")
    shown_now = "return [...document.querySelectorAll('{}')].filter(e => e.getBoundingClientRect().height > 0).length"
    for view in ("forest", "km", "heatmap"):
        assert shown.js(shown_now.format(f"[data-view={view}] .view")) == 1, view
    assert shown.js(shown_now.format(".controls, .js-table, nav.contents")) == 0
    assert shown.js(shown_now.format("svg.pathway")) == 2
    assert shown.js(shown_now.format(".cohort")) == shown.js("return document.querySelectorAll('.cohort').length")
    right = "Math.max(...[...document.querySelectorAll('table, figure svg')].map(e => e.getBoundingClientRect().right))"
    assert shown.js(f"return {right}") <= 702, "nothing is cut at the edge of the paper"
    shown.command("Emulation.setEmulatedMedia", media="")


def test_hostile_names_do_nothing(browser: Browser, hostile_page: Path) -> None:
    browser.console()
    browser.view(1280)
    browser.open(hostile_page)
    for width in (390, 1280):
        browser.view(width)
        assert browser.wait(f"return innerWidth === {width}")
        assert browser.js("return document.documentElement.scrollWidth") <= width
    assert browser.js("return window.hacked") is None
    assert browser.js("return document.querySelectorAll('img, iframe, main script').length") == 0
    x, y = browser.centre("[data-view=heatmap] canvas")
    browser.mouse("mouseMoved", x, y)
    assert browser.wait("return !document.getElementById('tip').hidden")
    assert browser.js("return document.getElementById('tip').childElementCount") == 0
    assert browser.js("return [...document.querySelector('#pick-signature').options].map(o => o.value)[0]").startswith(
        "<scr"
    )
    assert browser.console() == []


@pytest.mark.skipif("MTORSCORE_AXE" not in os.environ, reason="MTORSCORE_AXE names no axe.min.js (npm: axe-core)")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_axe_finds_nothing_serious(shown: Browser, width: int, dark: bool) -> None:
    shown.view(width, dark=dark)
    shown.js(Path(os.environ["MTORSCORE_AXE"]).read_text(encoding="utf-8") + ";window.axe = axe;")
    shown.js(
        "window.found = null; const bad = ['serious', 'critical'];"
        "axe.run(document).then(r => { window.found = r.violations.filter(v => bad.includes(v.impact))"
        ".map(v => [v.id, v.nodes.length, v.nodes[0].html]); });"
    )
    assert shown.wait("return window.found !== null", 120)
    assert shown.js("return window.found") == []

from __future__ import annotations

import base64
import json
import re
import shutil
import warnings
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtorscore import report
from mtorscore.errors import DataError, FormatError
from mtorscore.report.data.run_files import read_run
from mtorscore.report.page import cell, render, safe_json
from mtorscore.report.payload import column, columns, packed


class Page(HTMLParser):
    """What a browser's parser sees: elements with attributes, ids, and text outside scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._skip = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._skip += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._skip -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


@pytest.fixture(scope="module")
def path(results: Path) -> Path:
    return results / "report.html"


@pytest.fixture(scope="module")
def page(path: Path) -> Page:
    return Page(path)


def test_one_file_under_its_name(path: Path, results: Path) -> None:
    assert path == results / "report.html"
    assert path.is_file()
    assert not list(results.glob(".*"))
    assert path.stat().st_size < 8_000_000 * 2 / 3


def test_sections_in_order(page: Page) -> None:
    sections = [a["id"] for t, a in page.elements if t == "section"]
    assert sections == [
        "summary", "findings", "signature", "groups", "outcome", "prediction", "meta", "scores", "enrichment", "drugs",
        "notes", "data", "coverage", "methods", "provenance",
    ]  # fmt: skip


def test_the_answer_comes_first_and_simulation_is_loud(page: Page) -> None:
    words = page.words
    assert words.index("SIMULATED DATA") < words.index("branches that can be read")
    assert words.index("branches that can be read") < words.index("before any control")
    assert words.index("80% power") < words.index("before any control")
    assert "Smallest p" not in words
    assert "there are no patients" in words
    assert words.count("simulated") > 5
    assert "information beyond proliferation" in words
    assert "independent of" not in words


def test_nothing_is_fetched(path: Path, page: Page) -> None:
    for tag, attributes in page.elements:
        for key in ("src", "href", "xlink:href", "action", "srcset", "poster"):
            value = attributes.get(key)
            assert value is None or value.startswith(("#", "data:")), (tag, key, value)
    text = path.read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", text))
    assert {a for a in addresses if "www.w3.org" not in a} == set()
    assert "connect-src 'none'" in text


def test_ids_are_unique_and_links_land(page: Page) -> None:
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    links = {str(a["href"])[1:] for t, a in page.elements if t == "a" and str(a.get("href", "")).startswith("#")}
    assert links <= set(ids)


def test_figures_have_names(page: Page) -> None:
    figures = [a for t, a in page.elements if t == "svg" and a.get("class") != "pathway"]
    maps = [a for t, a in page.elements if t == "svg" and a.get("class") == "pathway"]
    # The map holds links, so it is a group.
    assert maps
    assert all(a.get("role") == "group" and a.get("aria-label") for a in maps)
    assert len(figures) >= 12
    assert all(a.get("role") == "img" and len(str(a.get("aria-label"))) > 20 for a in figures)


def test_what_was_read_and_excluded_is_shown(page: Page) -> None:
    words = page.words
    for expected in ("sim-hcc", "60 tumour, 10 normal", "counts", "recurrent", "signatures.gmt", "0123456789abcdef"):
        assert expected in words, expected


def test_findings_agree_with_the_table(page: Page, results: Path) -> None:
    table = pd.read_csv(results / "sim-hcc" / "relate" / "associations.tsv", sep="\t")
    rows = table[(table["endpoint"] == "PFI") & (table["model"] == "unadjusted")]
    rows = rows[~rows["signature"].isin(["META_PCNA", "HEPATOCYTE_IDENTITY"])]
    assert rows["signature"].nunique() == 6
    assert rows["valid"].all()
    hits = int((rows["q"] < 0.05).groupby(rows["signature"]).all().sum())
    said = f"Of all 6 mTOR signatures with a valid model for progression-free interval, {hits} have q < 0.05 by every"
    assert said in page.words


def test_power_is_stated(page: Page, results: Path) -> None:
    import anndata

    events = int(anndata.read_h5ad(results / "sim-hcc" / "cohort.h5ad").obs["OS"].sum())
    least = np.exp((1.959964 + 0.841621) / np.sqrt(events))
    assert f"for OS (60 patients, {events} events) {least:.2f} or {1 / least:.2f};" in page.words


def test_payload_holds_the_scores(path: Path, results: Path) -> None:
    text = re.search(
        r'<script type="application/json" id="payload">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL
    )
    assert text is not None
    cohort = json.loads(text.group(1))["cohorts"][0]
    scores = pd.read_csv(results / "sim-hcc" / "scores" / "singscore.tsv", sep="\t", index_col=0)
    kept = cohort["scores"]["singscore"]
    steps = np.frombuffer(base64.b64decode(kept["data"]), dtype="<u2").reshape(len(kept["names"]), -1)
    for j, name in enumerate(kept["names"]):
        span = kept["high"][j] - kept["low"][j]
        assert np.allclose(kept["low"][j] + steps[j] / 65534 * span, scores[name], atol=span / 65534)
    assert cohort["observations"] == list(scores.index)
    assert cohort["tracks"]["sample_type"]["levels"] == ["tumour", "normal"]
    normals = [i for i, n in enumerate(scores.index) if n.endswith("-N")]
    assert all(cohort["endpoints"]["OS"]["time"][i] is None for i in normals)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("exclusions.tsv", "The file exclusions.tsv is missing"),
        ("scores/coverage.tsv", "The file scores/coverage.tsv is missing"),
        ("relate/associations.tsv", "The file relate/associations.tsv is missing"),
        ("relate/classifiers.tsv", "The file relate/classifiers.tsv is missing"),
        ("../run.json", "The run has no run.json"),
    ],
)
def test_a_missing_file_is_a_sentence(results: Path, tmp_path: Path, file: str, sentence: str) -> None:
    copy = shutil.copytree(results, tmp_path / "run")
    shutil.rmtree(copy / "sim-cca")
    (copy / "sim-hcc" / file).unlink()
    words = Page(report.write(copy)).words
    assert sentence in words


@pytest.mark.parametrize("kept", ["scores", "relate", "nothing"])
def test_a_run_without_its_tables_has_a_page(results: Path, tmp_path: Path, kept: str) -> None:
    """Every table of a run may be missing, alone or with all others of its kind; the page is written and says so."""
    copy = shutil.copytree(results, tmp_path / "run")
    for file in [p for p in copy.rglob("*.tsv") if p.parent.name != kept]:
        file.unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "</html>" in report.write(copy).read_text(encoding="utf-8")


def menu(text: str) -> list[str]:
    return re.findall(r'<li><a href="#([a-z]+)">', text.split('<nav class="contents"')[1].split("</nav>")[0])


def test_the_menu_names_the_sections_that_hold_something(results: Path, tmp_path: Path) -> None:
    import anndata

    copy = shutil.copytree(results, tmp_path / "run")
    assert {"outcome", "prediction", "meta"} <= set(menu(report.write(copy).read_text(encoding="utf-8")))
    shutil.rmtree(copy / "sim-cca")
    record = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    (copy / "run.json").write_text(json.dumps(record | {"cohorts": ["sim-hcc"]}), encoding="utf-8")
    one = menu(report.write(copy).read_text(encoding="utf-8"))
    assert "meta" not in one
    assert {"outcome", "prediction"} <= set(one)
    shutil.rmtree(copy / "sim-hcc" / "relate")
    adata = anndata.read_h5ad(copy / "sim-hcc" / "cohort.h5ad")
    adata.obs = adata.obs[["sample_type", "simulated"]]
    adata.write_h5ad(copy / "sim-hcc" / "cohort.h5ad")
    none = menu(report.write(copy).read_text(encoding="utf-8"))
    assert not {"outcome", "prediction", "meta", "enrichment"} & set(none)
    assert {"summary", "groups", "scores"} <= set(none)


def test_each_table_of_a_run_may_be_missing(results: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(results, tmp_path / "run")
    shutil.rmtree(copy / "sim-cca")
    record = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    (copy / "run.json").write_text(json.dumps(record | {"cohorts": ["sim-hcc"]}), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for file in sorted(copy.rglob("*.tsv")):
            text = file.read_text(encoding="utf-8")
            file.unlink()
            assert "</html>" in render(read_run(copy)), file.name
            file.write_text(text, encoding="utf-8")


def test_other_tables_beside_the_scores_are_no_method(results: Path, tmp_path: Path) -> None:
    """Every declared table that stands in scores/ without holding scores."""
    from mtorscore.report.data.run_files import read_run
    from mtorscore.results import TABLES

    copy = shutil.copytree(results, tmp_path / "run")
    others = [t for t in TABLES.values() if t.path.startswith("scores/") and not t.per_signature]
    assert others
    for table in others:
        row = pd.DataFrame({name: [f"any {name}"] for name in table.names})
        row.to_csv(copy / "sim-hcc" / table.path, sep="\t", index=False)
    assert read_run(copy).methods == ["singscore", "zscore"]


def test_the_summary_of_a_cohort_is_short(path: Path) -> None:
    raw = path.read_text(encoding="utf-8")
    answers = re.findall(r'<div class="answer[^"]*" id="board-\d.*?(?=<div class="answer|</section>)', raw, re.DOTALL)
    sentences = re.findall(r'<p class="sentence several">(.*?)</p>', raw, re.DOTALL)
    assert len(answers) == len(sentences) == 2
    for answer, sentence in zip(answers, sentences, strict=True):
        prose = re.sub(
            r"<table.*?</table>|<details.*?</details>|<svg.*?</svg>|<h3>.*?</h3>", " ", answer, flags=re.DOTALL
        )
        words = re.sub(r"<[^>]+>", " ", prose + sentence).split()
        assert 10 < len(words) <= 150


def test_a_cohort_with_scores_only(results: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(results, tmp_path / "run")
    shutil.rmtree(copy / "sim-cca")
    shutil.rmtree(copy / "sim-hcc" / "relate")
    (copy / "sim-hcc" / "scores" / "singscore.tsv").unlink()
    (copy / "sim-hcc" / "scores" / "zscore.tsv").unlink()
    words = Page(report.write(copy)).words
    assert "There are no scores" in words
    assert "sim-cca" in words, "a cohort of the record without results is named"


def test_wrong_folders(tmp_path: Path, results: Path) -> None:
    with pytest.raises(DataError, match="no results folder"):
        report.write(tmp_path / "nothing")
    with pytest.raises(DataError, match="holds no cohort"):
        report.write(tmp_path)
    broken = tmp_path / "run" / "c"
    broken.mkdir(parents=True)
    (broken / "cohort.h5ad").write_bytes(b"not HDF5")
    with pytest.raises(FormatError, match="not a prepared cohort"):
        report.write(tmp_path / "run")
    copy = shutil.copytree(results / "sim-hcc", tmp_path / "other" / "c").parent
    (copy / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(FormatError, match="not valid JSON"):
        report.write(copy)


def test_hostile_names_stay_text(hostile: Path) -> None:
    page = Page(hostile / "report.html")
    scripts = [a for t, a in page.elements if t == "script"]
    assert len(scripts) == 2
    assert not [t for t, _ in page.elements if t in ("img", "b", "iframe")]
    assert not [k for _, a in page.elements for k in a if k.startswith("on")]
    assert "<script>window.hacked=1</script>" in page.words
    assert "{{ 7 * 7 }}" in page.words


def test_json_cannot_close_its_script() -> None:
    nasty = ["</script>", "<!--", "\u2028", "&amp;", None, 1.5]
    text = str(safe_json(nasty))
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == nasty
    with pytest.raises(ValueError, match="JSON"):
        safe_json(float("nan"))


def test_packing_edge_cases() -> None:
    table = pd.DataFrame({"same": [2.0, 2.0], "gap": [np.nan, 1.0], "none": [np.nan, np.nan], "inf": [np.inf, 0.5]})
    kept = packed(table, ["none", "gap", "same", "inf", "absent"])
    assert kept["names"] == ["gap", "same", "inf"]
    steps = np.frombuffer(base64.b64decode(kept["data"]), dtype="<u2").reshape(3, 2)
    assert steps.tolist() == [[65535, 0], [0, 0], [65535, 0]]


def test_long_columns_are_packed_without_loss() -> None:
    values = np.arange(300) / 7.0
    values[::2] = np.nan
    table = pd.DataFrame({"gaps": values, "full": np.arange(300) / 3.0, "word": ["a"] * 150 + ["b"] * 150})
    found = columns(table)["columns"]
    bits = np.unpackbits(np.frombuffer(base64.b64decode(found["gaps"]["known"]), np.uint8))[:300].astype(bool)
    back = np.full(300, np.nan)
    back[bits] = np.frombuffer(base64.b64decode(found["gaps"]["single"]), "<f4")
    assert np.allclose(back, values, rtol=1e-6, equal_nan=True)
    assert np.allclose(np.frombuffer(base64.b64decode(found["full"]["single"]), "<f4"), table["full"], rtol=1e-6)
    assert found["word"] == {"levels": ["a", "b"], "runs": [0, 150, 1, 150], "ordered": False}
    assert set(columns(table.head(5))["columns"]["full"]) == {"numbers"}


def test_columns_keep_order_and_gaps() -> None:
    stage = pd.Series(pd.Categorical(["II", None, "I"], ["I", "II", "III"], ordered=True))
    assert column(stage) == {"levels": ["I", "II"], "codes": [1, -1, 0], "ordered": True}
    assert column(pd.Series([1.0, np.nan])) == {"numbers": [1.0, None]}
    assert column(pd.Series([True, False])) == {"levels": ["True", "False"], "codes": [0, 1], "ordered": False}


@pytest.mark.parametrize(
    ("value", "text"), [(float("nan"), ""), (3.0, "3"), (0.012345, "0.0123"), ("x" * 200, "x" * 117 + "...")]
)
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


def test_every_link_within_the_page_leads_somewhere(results: Path, hostile: Path) -> None:
    for run in (results, hostile):
        text = (run / "report.html").read_text(encoding="utf-8")
        body = text[: text.index('<script type="application/json"')]
        ids = set(re.findall(r'\sid="([^"]+)"', body))
        links = set(re.findall(r'href="#([^"]+)"', body))
        assert len(links) > 10
        assert links <= ids, run.name

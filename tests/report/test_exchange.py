"""What other programmes read of a run: MultiQC, RO-Crate, references."""

from __future__ import annotations

import json
import re
import shutil
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from mtorscore import report
from mtorscore.report.citations import Reference, bibtex, references, ris
from mtorscore.report.data.run_files import Cohort, Run
from mtorscore.report.exchange import CRATE, MULTIQC


def test_multiqc_has_the_numbers_of_the_board(results: Path) -> None:
    content = json.loads((results / MULTIQC).read_text(encoding="utf-8"))
    assert content["plot_type"] == "table"
    board = report.board(results)
    first = board[(board["cohort"] == "sim-hcc") & (board["method"] == "singscore")]
    row = content["data"]["sim-hcc"]
    assert row["observations"] == 70
    for found in first.to_dict(orient="records"):
        key = f"{found['branch']}_hr"
        if found["readable"]:
            assert row[key] == pytest.approx(found["hr"], abs=1e-4)
            assert key in content["headers"]
        else:
            assert key not in row


def test_the_crate_lists_every_file_and_says_what_tables_hold(results: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(results, tmp_path / "run")
    report.write(copy)
    graph = {e["@id"]: e for e in json.loads((copy / CRATE).read_text(encoding="utf-8"))["@graph"]}
    assert graph[CRATE]["conformsTo"]["@id"].endswith("ro/crate/1.1")
    parts = {p["@id"] for p in graph["./"]["hasPart"]}
    there = {p.relative_to(copy).as_posix() for p in copy.rglob("*") if p.is_file()} - {CRATE}
    assert parts == there
    assert parts <= set(graph)
    assert "hazard ratio per standard deviation" in graph["sim-hcc/relate/associations.tsv"]["description"]
    assert "table scores" in graph["sim-hcc/scores/zscore.tsv"]["description"]
    assert "table coverage" in graph["sim-hcc/scores/coverage.tsv"]["description"]
    assert "branches" in graph["./"]["description"]


def test_the_crate_is_what_the_standard_asks(results: Path, tmp_path: Path) -> None:
    """RO-Crate 1.1: the root has name, description, date and licence; every reference lands; ids are addresses."""
    copy = shutil.copytree(results, tmp_path / "run")
    (copy / "a note #1 <b>.txt").write_text("x", encoding="utf-8")
    record = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    del record["written"]
    (copy / "run.json").write_text(json.dumps(record), encoding="utf-8")
    report.write(copy)
    graph = json.loads((copy / CRATE).read_text(encoding="utf-8"))["@graph"]
    ids = [e["@id"] for e in graph]
    root = next(e for e in graph if e["@id"] == "./")
    assert root["@type"] == "Dataset"
    assert root["name"]
    assert root["description"]
    assert datetime.fromisoformat(root["datePublished"]).tzinfo is not None
    assert len(set(ids)) == len(ids)
    pointed = re.findall(r'"@id": "([^"]*)"', json.dumps(graph))
    assert {i for i in pointed if not i.startswith("https://w3id.org/")} == set(ids)
    assert root["license"]["@id"] in ids
    assert "a%20note%20%231%20%3Cb%3E.txt" in ids
    assert not any(set(i) & set(' <>"') for i in ids)


def test_names_of_the_user_are_inert_in_multiqc(hostile: Path) -> None:
    """MultiQC writes names, titles and descriptions into its page as they are."""
    content = (hostile / MULTIQC).read_text(encoding="utf-8")
    assert "<" not in content


def test_citations_in_words_become_fields() -> None:
    scores = {m: pd.DataFrame({"A": [1.0]}, index=["s"]) for m in ("singscore", "ssgsea", "zscore")}
    obs = pd.DataFrame(index=["s"])
    scored = Cohort("a", obs, {"simulated": True}, 1, pd.DataFrame(), scores, {}, {}, {}, (), context=None)
    run = Run(Path("x"), {}, [scored])
    works = references(run, {}, None)
    method = next(w for w in works if w.key == "method_ssgsea")
    assert (method.kind, method.author, method.journal) == ("article", "Barbie", "Nature")
    assert (method.year, method.volume, method.pages) == ("2009", "462", "108-112")
    assert "author = {Barbie and others}" in bibtex([method])
    assert "pages = {108--112}" in bibtex([method])
    assert all(w.journal for w in works if w.kind == "article")
    assert {"SP  - 108", "EP  - 112", "JO  - Nature"} <= set(ris([method]).splitlines())


def test_references_are_escaped() -> None:
    work = Reference("k", "A & B_{c} 100%", year="2018", doi="10.1/x_y", note="two\nlines")
    assert bibtex([work]) == (
        "@misc{k,\n  title = {A \\& B\\_(c) 100\\%},\n  year = {2018},\n  doi = {10.1/x\\_y},\n"
        "  note = {two lines}\n}\n"
    )
    assert ris([work]).splitlines() == [
        "TY  - GEN", "ID  - k", "TI  - A & B_{c} 100%", "PY  - 2018", "DO  - 10.1/x_y", "N1  - two lines", "ER  - ",
    ]  # fmt: skip

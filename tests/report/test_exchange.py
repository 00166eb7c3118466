"""What other programmes read of a run: MultiQC, RO-Crate, references."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mtorscore import report
from mtorscore.report.citations import Reference, bibtex, ris
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


def test_references_are_escaped() -> None:
    work = Reference("k", "A & B_{c} 100%", year="2018", doi="10.1/x_y", note="two\nlines")
    assert bibtex([work]) == (
        "@article{k,\n  title = {A \\& B\\_(c) 100\\%},\n  year = {2018},\n  doi = {10.1/x\\_y},\n"
        "  note = {two lines}\n}\n"
    )
    assert ris([work]).splitlines() == [
        "TY  - JOUR", "ID  - k", "TI  - A & B_{c} 100%", "PY  - 2018", "DO  - 10.1/x_y", "N1  - two lines", "ER  - ",
    ]  # fmt: skip

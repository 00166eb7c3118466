"""Titles of branches and meanings of levels are stated in ``signatures/library.yaml`` and nowhere else."""

from __future__ import annotations

import yaml

from mtorscore.collection import BRANCHES, LEVELS
from mtorscore.report.data.described import branch_titles, level_meanings
from tests.conftest import ROOT

STATED = yaml.safe_load((ROOT / "signatures" / "library.yaml").read_text(encoding="utf-8"))


def test_the_report_says_what_the_library_says() -> None:
    titles = branch_titles()
    assert {b: titles[b] for b in BRANCHES} == {b: STATED["branches"][b]["title"] for b in BRANCHES}
    assert set(titles) - set(STATED["branches"]) == {"user"}
    assert level_meanings() == STATED["levels"]
    assert set(STATED["levels"]) == set(LEVELS)


def test_no_code_states_them_again() -> None:
    words = [*(about["title"] for about in STATED["branches"].values()), *STATED["levels"].values()]
    files = [p for pattern in ("*.py", "*.js", "*.j2") for p in (ROOT / "mtorscore").rglob(pattern)]
    files += (ROOT / "docs" / "_ext").glob("*.py")
    assert len(files) > 150
    code = {p.name: p.read_text(encoding="utf-8") for p in files}
    assert [(name, w) for name, text in code.items() for w in words if f'"{w}"' in text] == []

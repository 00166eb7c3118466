"""The format of a signature and the titles of the branches are stated once; what else shows them reads that."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from mtorscore.collection import BRANCHES, LEVELS, Source
from mtorscore.collection.entries import ENTRY_CLASSES
from mtorscore.collection.entry_format import CODES, GROUPS, KEYS, LEVELS_OF_KIND, SOURCE_KEYS
from mtorscore.collection.library_files import library_meta
from mtorscore.collection.validation import validate
from tests.conftest import ROOT


def test_schema_and_table_of_keys_are_current() -> None:
    command = [sys.executable, str(ROOT / "tools" / "signature_format.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_statement_fits_the_entries() -> None:
    """Every key is a field of the entries that may have it; every field but those derived from genes is a key."""
    derived = {"path", "weights", "evidence", "gene_sources", "members", "notes"}
    for kind, made in ENTRY_CLASSES.items():
        keys = {key.name for key in KEYS if kind in key.kinds} - {"kind"}
        if kind == "panel":
            keys -= set(GROUPS["panel"])
        assert keys == {f.name for f in fields(made)} - derived, kind
    assert [key.name for key in SOURCE_KEYS] == [f.name for f in fields(Source)]
    assert set(LEVELS_OF_KIND) == set(GROUPS) == set(ENTRY_CLASSES)
    assert {level for levels in LEVELS_OF_KIND.values() for level in levels} == set(LEVELS)


@pytest.mark.parametrize("key", [key for key in KEYS if key.needed], ids=lambda key: key.name)
def test_the_validator_asks_for_what_is_needed(key: object, tmp_path: Path) -> None:
    name = str(getattr(key, "name", ""))
    folder = tmp_path / "mtorc1"
    folder.mkdir()
    lines = (ROOT / "signatures" / "mtorc1" / "MTORC1_PPP.yaml").read_text().splitlines()
    path = folder / "MTORC1_PPP.yaml"
    path.write_text("\n".join(line for line in lines if not line.startswith(f"{name}:")))
    found = validate([path])
    assert "missing-key" in {problem.code for problem in found}
    assert f"`{name}`" in " ".join(problem.message for problem in found)
    assert {problem.code for problem in found} <= set(CODES)


def strings(path: Path) -> Iterator[str]:
    """Yield the texts of a module that are no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    loose = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in loose:
            yield node.value


def test_titles_and_meanings_are_stated_in_the_library_alone() -> None:
    meta = library_meta()
    assert tuple(meta["branches"]) == BRANCHES
    assert tuple(meta["levels"]) == LEVELS
    titles = {about["title"] for about in meta["branches"].values()} | set(meta["levels"].values())
    assert len(titles) == len(BRANCHES) + len(LEVELS)
    modules = [p for folder in ("mtorscore", "docs/_ext", "tools") for p in (ROOT / folder).rglob("*.py")]
    assert len(modules) > 150
    again = [(p.name, text) for p in modules for text in strings(p) if any(title in text for title in titles)]
    assert again == []
    lists = [(p.name, b) for p in modules for b in ("mtorc2_akt", "survival_bcl2") if b in set(strings(p))]
    assert lists == []

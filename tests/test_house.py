"""The house: a room imports only from the rooms below it, no circle, nothing private across files.

Imports are read from the syntax tree, so that lazy ones and those for type checkers count as well. A name taken from
a face (a package whose `__init__.pyi` lists its names) is followed to the module that the stub names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT

# Highest first. A room imports only from rooms that stand below it; the last ones are the ground floor.
ROOMS = (
    "cli",
    "report",
    "report.figures",
    "report.data",
    "pipeline.genomics",
    "pipeline",
    "pipeline.from_disk",
    "pl",
    "prognosis",
    "prognosis.genomics",
    "prognosis.association",
    "prognosis.models",
    "prognosis.prediction",
    "prognosis.endpoints",
    "prognosis.statistics",
    "tl.spatial",
    "tl.cells",
    "tl.analysis",
    "tl",
    "tl.streaming",
    "tl.algorithms",
    "tl.engine",
    "tl.kernels",
    "pp",
    "io",
    "io.alterations",
    "io.portals",
    "io.sections",
    "io.formats",
    "io.download",
    "io.tables",
    "datasets",
    "collection",
    "genes",
    "results",
    "_outcome_results",
    "_alteration_results",
    "_result_columns",
    "_outcome_terms",
    "_atomic",
    "_multiple_testing",
    "_blas_threads",
    "_workers",
    "_sparse_structure",
    "_bounded_yaml",
    "_version",
    "_doors",
    "errors",
)
GROUND = ROOMS[ROOMS.index("results") :]
# `tl/algorithms` may hold one file per method.
MOST_MODULES, UNBOUNDED = 17, {"tl.algorithms"}


class Import(NamedTuple):
    """One import of one module by another."""

    file: str
    line: int
    importer: str
    imported: str
    name: str


@cache
def modules() -> dict[str, Path]:
    """Modules of the package by dotted name, without ``mtorscore.``; packages under their own name."""
    package = ROOT / "mtorscore"
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    assert len(found) > 150
    return found


@cache
def faces() -> dict[str, dict[str, str]]:
    """For each face, the module of each name, as its stub lists it."""
    out = {}
    for name, path in modules().items():
        stub = path.with_suffix(".pyi")
        if path.name == "__init__.py" and stub.exists():
            listed: dict[str, str] = {}
            for node in ast.parse(stub.read_text(encoding="utf-8")).body:
                assert isinstance(node, ast.ImportFrom)
                assert node.level == 1
                inside = ".".join(filter(None, (name, node.module)))
                for alias in node.names:
                    listed[alias.name] = inside if node.module else f"{inside}.{alias.name}".strip(".")
            out[name] = listed
    return out


def resolve(base: str, name: str) -> str | None:
    """Return the module that ``from mtorscore.<base> import <name>`` reads."""
    inside = f"{base}.{name}".strip(".")
    if base in faces() and name in faces()[base]:
        home = faces()[base][name]
        return resolve(home, name) if home in faces() and home != base else home
    return inside if inside in modules() else base


def imports_of(module: str, path: Path) -> Iterator[Import]:
    file = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "mtorscore":
                    yield Import(file, node.lineno, module, alias.name.partition(".")[2], "")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative import"
            if (node.module or "").split(".")[0] == "mtorscore":
                for alias in node.names:
                    home = resolve((node.module or "").partition(".")[2], alias.name)
                    yield Import(file, node.lineno, module, home or "", alias.name)


@cache
def imports() -> tuple[Import, ...]:
    return tuple(i for module, path in modules().items() for i in imports_of(module, path))


def room(module: str) -> str:
    """Return the innermost declared room of a module."""
    parts = module.split(".")
    for depth in range(len(parts), 0, -1):
        if ".".join(parts[:depth]) in ROOMS:
            return ".".join(parts[:depth])
    raise AssertionError(f"{module} stands in no room; name it in ROOMS and in CONTRIBUTING.md")


def test_every_module_stands_in_a_room() -> None:
    for module in modules():
        assert not module or room(module) in ROOMS


def test_contributing_draws_the_same_rooms_in_the_same_order() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = text.split("```")[1].split("mtorscore/\n", 1)[1].split("tests/")[0]
    drawn = re.findall(r"(?:^ +|, )(\w+)(?:/|\.py)", tree, re.M)
    # `tl` heads its rooms in the drawing, while scoring.py and scorer.py stand below its rooms.
    order = [r for r in ROOMS if r not in ("tl", "pipeline")]
    # So does `pipeline` its step on alterations, which reads the other steps.
    order.insert(order.index("tl.spatial"), "tl")
    order.insert(order.index("pipeline.genomics"), "pipeline")
    assert drawn == [r.rpartition(".")[2] for r in order]


def test_rooms_import_only_from_below() -> None:
    upward = [
        f"{i.file}:{i.line} imports {i.imported}"
        for i in imports()
        if i.importer
        and i.importer != i.imported
        and ROOMS.index(room(i.imported or "cli")) < ROOMS.index(room(i.importer))
    ]
    assert upward == []


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one module (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    out: list[list[str]] = []

    def visit(v: str) -> None:
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in sorted(arrows.get(v, ())):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            members = stack[stack.index(v) :]
            del stack[stack.index(v) :]
            if len(members) > 1:
                out.append(sorted(members))

    for v in sorted(arrows):
        if v not in index:
            visit(v)
    return out


def test_no_circle_between_modules() -> None:
    arrows: dict[str, set[str]] = {}
    for i in imports():
        if i.imported != i.importer:
            arrows.setdefault(i.importer, set()).add(i.imported)
    assert circles(arrows) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_nothing_private_crosses_files() -> None:
    """Private modules of a room serve that room alone; the ground floor's serve all."""
    crossing = []
    for i in imports():
        private_name = i.name.startswith("_") and not i.name.startswith("__") and i.imported.split(".")[-1] != i.name
        owner, _, last = i.imported.rpartition(".")
        private_module = last.startswith("_") and i.imported not in GROUND and not i.importer.startswith(owner)
        if private_name or private_module:
            crossing.append(f"{i.file}:{i.line} {i.imported}: {i.name}")
    assert crossing == []


def test_a_room_of_a_room_has_plain_file_names() -> None:
    inner = [r for r in ROOMS if "." in r and r != "tl.algorithms"]
    assert not [m for m in modules() if room(m or "cli") in inner and m.rpartition(".")[2].startswith("_")]


def test_no_folder_is_too_full() -> None:
    sizes: dict[str, int] = {}
    for module, path in modules().items():
        if path.name != "__init__.py":
            sizes[module.rpartition(".")[0]] = sizes.get(module.rpartition(".")[0], 0) + 1
    assert {f: n for f, n in sizes.items() if n > MOST_MODULES and f not in UNBOUNDED} == {}


def test_modules_are_named_at_run_time_only_where_that_is_said() -> None:
    """In the registry of methods and for optional extras; faces leave it to lazy-loader."""
    word = re.compile(r"\bimport_module\b|\b__import__\b|sys\.modules")
    found = {m for m, p in modules().items() if word.search(p.read_text(encoding="utf-8"))}
    assert found <= {"tl.engine.registry", "cli.doctor"}


def test_only_prognosis_imports_the_library_under_gpl() -> None:
    for module, path in modules().items():
        code = path.read_text(encoding="utf-8")
        assert module.startswith("prognosis") or not re.search(r"^\s*(from|import) sksurv", code, re.M), path


@pytest.mark.parametrize("face", ["", "tl", "tl.spatial", "prognosis", "pl", "pp", "io", "collection"])
def test_a_face_lists_each_name_once_and_keeps_its_word(face: str) -> None:
    import importlib

    module = importlib.import_module(f"mtorscore.{face}".strip("."))
    assert dir(module) == sorted(faces()[face])
    for name, home in faces()[face].items():
        assert getattr(module, name) is not None, (name, home)

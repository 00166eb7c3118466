"""The generated pages hold everything that the package has, and what the handwritten pages promise is so."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import mtorscore as mt
from mtorscore import errors
from mtorscore.tl.engine import registry

ROOMS = ("io", "pp", "tl", "prognosis", "pl", "report", "datasets", "pipeline")


def test_every_module_of_the_face_is_in_the_reference(docs: Path) -> None:
    """Autosummary writes a page for each, of all that its `__all__` names: see `test_build.py`."""
    listed = re.findall(r"^   mtorscore\.([\w.]+)$", (docs / "reference" / "api.md").read_text(), re.M)
    assert set(listed) == {*ROOMS, "io.gsea", "tl.spatial", "collection"}


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_stay_what_they_are(room: str) -> None:
    """A module of the same name must not take a function's place once it has been imported."""
    module = importlib.import_module(f"mtorscore.{room}")
    for name in module.__all__:
        first, second = getattr(module, name), getattr(module, name)
        assert first is second or callable(second), f"mt.{room}.{name}"


def test_every_top_level_name_is_listed(docs: Path) -> None:
    text = (docs / "reference" / "api.md").read_text()
    named = set(re.findall(r"`mt\.(\w+)`", text))
    for short, home in re.findall(r"^\| `mt\.(\w+)` \| \{py:obj\}`mtorscore\.([\w.]+)` \|$", text, re.M):
        module, _, name = home.rpartition(".")
        assert getattr(mt, short) is getattr(importlib.import_module(f"mtorscore.{module}"), name)
    assert set(dir(mt)) - {"__version__"} <= named
    assert named <= set(dir(mt))


def test_every_error_class_is_listed(pages: dict[str, str]) -> None:
    classes = [n for n in errors.__all__ if isinstance(getattr(errors, n), type)]
    assert len(classes) > 10
    assert all(f"mtorscore.errors.{n}`" in pages["errors.md"] for n in classes)


def test_every_method_has_its_page(pages: dict[str, str]) -> None:
    for spec in registry.specs():
        page = pages[f"methods/{spec.name}.md"]
        assert spec.formula in page
        assert f"[{spec.title}]({spec.name}.md)" in pages["methods/index.md"]
        assert all(f"| `{p.name}` |" in page for p in spec.params)


def test_every_reader_is_on_the_page_of_formats(pages: dict[str, str]) -> None:
    from mtorscore.io.readers import READERS

    for reader in READERS:
        (row,) = (line for line in pages["formats.md"].splitlines() if f"`{reader.kinds[0]}`" in line)
        assert reader.title in row
        assert all(f"`{kind}`" in row for kind in reader.kinds)
        assert all(f"`{option}=` {meaning}" in row for option, meaning in (reader.options or {}).items())


def test_every_entry_stands_on_its_branch_page(pages: dict[str, str]) -> None:
    for entry in mt.library():
        page = pages[f"signatures/{entry.branch}.md"]
        section = page.split(f"## `{entry.id}`\n")[1].split("\n## ")[0]
        words = set(re.findall(r"[\w.-]+", section))
        assert {g for g in entry.genes if g not in words} == set(), entry.id
        assert entry.hash in section
        assert not entry.caveat or entry.caveat[:20].split("_")[0] in section


def test_every_configuration_key_is_documented(pages: dict[str, str]) -> None:
    schema = json.loads(resources.files("mtorscore.workflows").joinpath("schemas", "config.schema.json").read_text())
    for key, rule in schema["properties"].items():
        assert f"\n## `{key}`\n" in pages["configuration.md"]
        assert rule["description"][:30].split("<")[0] in pages["configuration.md"]


def test_every_command_is_documented(pages: dict[str, str]) -> None:
    import typer

    from mtorscore.cli.app import app

    root = typer.main.get_command(app)
    names = [f"mtorscore {name}" for name, c in root.commands.items() if not hasattr(c, "commands")]  # type: ignore[attr-defined]
    assert len(names) >= 10
    assert all(f"## `{name}`" in pages["commands.md"] for name in [*names, "mtorscore signatures list"])
    examples = "\n```shell\nmtorscore fetch GSE14520\nmtorscore fetch TCGA-LIHC --source xena\n```\n"
    assert examples in pages["commands.md"]
    assert "For example" not in pages["commands.md"]


def test_every_recipe_is_listed(pages: dict[str, str]) -> None:
    assert all(f"| `{name}` |" in pages["cohorts.md"] for name in mt.pp.recipes())


def test_writing_twice_changes_nothing(generate: ModuleType, docs: Path, tmp_path: Path) -> None:
    for name in ("howto/a.md", "b.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("# Title\n")
    first = {p: p.stat().st_mtime_ns for p in generate.write_all(tmp_path)}
    stale = tmp_path / "generated" / "old.md"
    stale.write_text("gone")
    assert {p: p.stat().st_mtime_ns for p in generate.write_all(tmp_path)} == first
    assert not stale.exists()


HANDWRITTEN = ("*.md", "docs/*.md", "docs/evidence/*.md", "docs/explain/*.md", "docs/howto/*.md", "docs/reference/*.md")


def calls(code: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield the package's functions that a piece of code calls, by their dotted names."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and re.fullmatch(r"mt(\.\w+)+", name := ast.unparse(node.func)):
            yield name, node


def test_code_that_is_shown_calls_what_exists(docs: Path) -> None:
    """The tutorials run; of the code on other pages, names and arguments are those of the package."""
    seen = 0
    for page in sorted(p for pattern in HANDWRITTEN for p in docs.parent.glob(pattern)):
        for code in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S):
            if "snakefile:" in code:
                continue  # a Snakefile
            for name, call in calls(code):
                thing: Any = mt
                for part in name.split(".")[1:]:
                    thing = getattr(thing, part)
                given = {k.arg: None for k in call.keywords if k.arg}
                if any(isinstance(a, ast.Starred) for a in call.args):
                    continue
                try:
                    inspect.signature(thing).bind(*call.args, **given)
                except TypeError as error:
                    pytest.fail(f"{page.name}: {name}: {error}")
                seen += 1
    assert seen > 40
    with pytest.raises(TypeError):
        inspect.signature(mt.tl.smooth).bind(None, owns=0.5)


def test_links_lead_to_files(docs: Path, pages: dict[str, str]) -> None:
    texts = {p: p.read_text() for p in [*docs.glob("*.md"), *docs.glob("*/*.md")] if p.parent.name != "generated"}
    texts |= {docs / "generated" / name: text for name, text in pages.items()}
    there = {path.resolve() for path in texts}
    for path, text in texts.items():
        for link in re.findall(r"\]\(((?!https?:)[^)#\s]+\.md)(?:#[^)]*)?\)", text):
            assert (path.parent / link).resolve() in there, f"{path.name}: {link}"


def test_the_recipe_of_the_guide_is_valid(docs: Path, tmp_path: Path) -> None:
    text = (docs / "howto" / "new_cohort.md").read_text()
    recipe = re.findall(r"```yaml\n(.*?)```", text, re.S)[0]
    (tmp_path / "my-cohort.yaml").write_text(recipe)
    loaded = mt.pp.load_recipe(tmp_path / "my-cohort.yaml")
    assert loaded.endpoints["OS"]["unit"] == "months"
    assert loaded.labels["recurrence"]["positive"] == ["yes"]


def test_tests_named_in_the_faq_exist(docs: Path) -> None:
    text = (docs / "explain" / "faq.md").read_text()
    answers = re.split(r"^## ", text, flags=re.M)[1:]
    assert len(answers) >= 12
    for answer in answers:
        named = re.findall(r"`((?:tests/\w+/)?test_\w+\.py)`", answer)
        assert named, answer.splitlines()[0]
        for name in named:
            found = list((docs.parent / "tests").rglob(Path(name).name))
            assert found, name


def test_branches_without_a_trusted_readout_are_named_as_such() -> None:
    """`what_scores_say.md` says so of these three."""
    entries = mt.library().select(branch=["ampk_lkb1", "tsc", "pten"], kind="signature")
    assert len(entries) >= 3
    as_expected = {(e.id, c) for e in entries for c, grade in e.grades.items() if grade == "as expected"}
    assert as_expected == {("PTEN_DN.V2", "HCC")}


def test_figures_keep_text_and_widths(docs: Path, tmp_path: Path) -> None:
    """As `howto/figures.md` says."""
    import pandas as pd

    table = pd.DataFrame({"signature": ["A_NAME"], "hr": [1.5], "hr_low": [1.1], "hr_high": [2.0], "valid": [True]})
    named = re.search(r"`ax=` argument \(([^)]*)\)", " ".join((docs / "howto" / "figures.md").read_text().split()))
    assert named is not None
    drawn = {n for n in dir(mt.pl) if "ax" in inspect.signature(getattr(mt.pl, n)).parameters}
    assert set(re.findall(r"`(\w+)`", named.group(1))) == drawn
    figure = mt.pl.forest(table, width=89)
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(89)
    assert "A_NAME</text>" in mt.pl.save(figure, tmp_path / "f.svg").read_text()


def test_advice_named_in_the_tutorial_is_there(docs: Path) -> None:
    called = re.search(r'tcga_advice\("(\w+)", "(\w+)"\)', (docs / "tutorials" / "prognosis.md").read_text())
    assert called is not None
    assert mt.prognosis.tcga_advice(called.group(1), called.group(2)) is not None


def test_words_that_promise_too_much_are_not_used(docs: Path) -> None:
    """RNA holds a footprint, never mTOR activity; beside a confounder there is information, never independence."""
    for path in [*docs.glob("*/*.md"), docs / "index.md", docs / "quickstart.md"]:
        if "_build" in path.parts or "generated" in path.parts:
            continue
        text = " ".join(path.read_text().split()).lower()
        for phrase in ("independent of proliferation", "explained by", "proliferation explains", "mtor activity score"):
            assert phrase not in text, path
        assert not re.search(r"\b(measures?|quantif\w+) mtor activity", text), path


@pytest.mark.slow
def test_the_workflow_can_be_a_module(tmp_path: Path, docs: Path) -> None:
    main = docs.parent / "workflows" / "main.smk"
    settings = {"run": "inner", "cohorts": "demo_cohorts.tsv", "results": str(tmp_path / "out")}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"mtorscore": settings}))
    (tmp_path / "Snakefile").write_text(
        'configfile: "config.yaml"\n\n'
        f'module mtorscore:\n    snakefile: "{main}"\n    config: config["mtorscore"]\n\n'
        "use rule * from mtorscore as mtorscore_*\n\n"
        f'rule all:\n    default_target: True\n    input: "{tmp_path}/out/inner/report.html"\n'
    )
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mtorscore_relate" in done.stdout + done.stderr

"""The wheel holds what an installation needs, and nothing that must not be shipped."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.conftest import ROOT


def declared() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_subpackage_is_declared() -> None:
    found = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "mtorscore").rglob("__init__.py")}
    assert found | {"mtorscore.signatures", "mtorscore.workflows"} == set(declared()["tool"]["setuptools"]["packages"])


ROOMS = ("cli", "pipeline", "report", "pl", "prognosis", "tl", "pp", "io", "datasets")
IMPORT = re.compile(r"^ *(?:from (mtorscore[\w.]*) import ([\w ,]+|\()|import (mtorscore[\w.]*))", re.M)


def upward(room: str, code: str) -> set[str]:
    """Return the rooms above its own that a module imports from; what stands in no room may import from none."""
    found = set()
    for home, names, whole in IMPORT.findall(code):
        parts = (whole or home).split(".")[1:]
        found |= {parts[0]} if parts else set(re.findall(r"\w+", names))
    above = ROOMS[: ROOMS.index(room)] if room in ROOMS else ROOMS
    return found & set(above)


def test_rooms_import_only_from_below() -> None:
    """As CONTRIBUTING says; scikit-survival, which is GPL, is imported in one room only."""
    package = ROOT / "mtorscore"
    modules = {p: p.read_text(encoding="utf-8") for p in package.rglob("*.py") if p != package / "__init__.py"}
    assert len(modules) > 150
    for path, code in modules.items():
        room = path.relative_to(package).parts[0]
        assert upward(room, code) == set(), path
        assert room == "prognosis" or not re.search(r"^\s*(from|import) sksurv", code, re.M), path
    assert upward("tl", "    from mtorscore.prognosis.statistics.cox import newton\n") == {"prognosis"}
    assert upward("collection.py", "from mtorscore import io, errors\n") == {"io"}


def test_lock_file_pins_hashes_and_names_no_host() -> None:
    text = (ROOT / "requirements.lock").read_text()
    pins = [line for line in text.splitlines() if "==" in line]
    assert len(pins) > 100
    assert all(line.rstrip().endswith("\\") for line in pins)
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text
    assert "index-url" not in text


def test_the_lowest_versions_are_those_declared_as_lowest() -> None:
    text = (ROOT / "requirements-lowest.txt").read_text()
    pinned = dict(line.split("==") for line in text.splitlines() if not line.startswith("#"))
    project = declared()["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *(d for e in extras if e != "dev" for d in extras[e])]
    assert len(asked) > 30
    for requirement in map(Requirement, asked):
        (least,) = requirement.specifier
        assert least.operator == ">=", requirement
        assert Version(pinned[canonicalize_name(requirement.name)]) == Version(least.version), requirement
    assert "://" not in text


def split(requirement: str) -> tuple[str, str]:
    name = re.split(r"[><=\[; ]", requirement, maxsplit=1)[0]
    return name, requirement.removeprefix(name).strip()


# The names of conda-forge and Bioconda where they differ, as docs/explain/versions.md says from which recipes; of
# snakemake and matplotlib it is the part that a run needs.
CONDA = {"snakemake": "snakemake-minimal", "matplotlib": "matplotlib-base", "lazy-loader": "lazy_loader"}


def rendered_recipe() -> dict[str, Any]:
    """Return the recipe as conda-build renders it: Jinja with the names that conda-build defines, then YAML."""
    text = (ROOT / "packaging/conda/meta.yaml").read_text()
    given = {"PYTHON": "python", "pin_subpackage": lambda name, max_pin: f"{name} max_pin={max_pin}"}
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True).from_string(text)
    recipe: dict[str, Any] = yaml.safe_load(template.render(given))
    return recipe


def test_the_conda_recipe_asks_for_what_the_package_asks_for() -> None:
    project = declared()["project"]
    recipe = rendered_recipe()
    assert recipe["package"] == {"name": project["name"], "version": project["version"]}
    assert recipe["build"]["script"].startswith("python -m pip install .")
    assert recipe["build"]["run_exports"] == ["mtorscore max_pin=x.x"]
    found = dict(line.split(" ", 1) if " " in line else (line, "") for line in recipe["requirements"]["run"])
    wanted = {CONDA.get(name, name): version for name, version in map(split, project["dependencies"])}
    assert found == wanted | {"python": project["requires-python"]}
    assert recipe["build"]["entry_points"] == [
        f"{name} = {target}" for name, target in project["scripts"].items()
    ]  # fmt: skip
    assert all((ROOT / f).is_file() for f in recipe["about"]["license_file"])


def test_machine_readable_descriptions_agree() -> None:
    project = declared()["project"]
    described = json.loads((ROOT / "codemeta.json").read_text())
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert described["version"] == cited["version"] == project["version"]
    assert described["description"] == project["description"]
    assert described["softwareRequirements"] == [split(d)[0] for d in project["dependencies"]]
    # Nothing of a home that does not exist yet.
    assert not {"codeRepository", "url", "identifier", "author"} & set(described)
    assert "urls" not in project


def test_the_image_is_of_a_lock_file_and_not_of_root() -> None:
    text = (ROOT / "packaging/Dockerfile").read_text()
    stages = text.split("\nFROM ")[1:]
    assert len(stages) == 2
    assert all(re.match(r"[\w.-]+:[\w.-]*\d", stage) and not stage.startswith("latest") for stage in stages)
    assert "--require-hashes" in stages[0]
    # A number, so that a host need not know the name (hadolint's DL3066).
    user = re.search(r"^USER (\d+)", stages[1], re.M)
    assert user
    assert user[1] != "0"
    ignored = (ROOT / ".dockerignore").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M):
        for source in line.split():
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored.splitlines()


def test_every_step_of_the_image_is_known_to_the_tool_that_runs_them_without_an_engine(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("image_steps", ROOT / "tools/image_steps.py")
    assert spec
    assert spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    ran: list[tuple[str, str]] = []

    def run(words: list[str], *, cwd: Path, **_: object) -> None:
        ran.append((words[-1], str(cwd)))
        (tmp_path / "build/opt/mtorscore").mkdir(exist_ok=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tool.subprocess, "run", run)
        image = tool.build(tmp_path)
    assert [image.entry, image.arguments] == [["mtorscore"], ["--help"]]
    assert image.work == tmp_path / "last" / "data"
    assert image.environment["PATH"].startswith(f"{tmp_path}/last/opt/mtorscore/bin:")
    assert ran[0][0].startswith(f"python -m venv {tmp_path}/build/opt/mtorscore ")
    assert {where for _, where in ran} == {f"{tmp_path}/build/src"}
    assert (tmp_path / "build/src/signatures/library.yaml").is_file()
    assert (tmp_path / "last/opt").is_dir()


def test_the_lock_file_of_a_run_is_a_part_of_the_whole_one() -> None:
    whole = (ROOT / "requirements.lock").read_text()
    part = (ROOT / "packaging/requirements.lock").read_text()
    entries = re.split(r"\n(?=\S)", part.rstrip("\n"))
    assert len(entries) > 100
    assert all(f"{entry}\n" in whole for entry in entries)
    names = {split(e.split(" ", 1)[0])[0] for e in entries}
    assert names.isdisjoint({"pytest", "mypy", "ruff", "lifelines", "sphinx", "atheris"})
    project = declared()["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["prognosis"]]
    assert {split(d)[0].lower() for d in asked} <= {n.lower() for n in names}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_wheel_holds_library_workflow_and_templates(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    library = {p.relative_to(ROOT).as_posix() for p in (ROOT / "signatures").rglob("*.yaml")}
    workflow = {p.relative_to(ROOT).as_posix() for p in (ROOT / "workflows").rglob("*") if p.is_file()}
    workflow = {name for name in workflow if "__pycache__" not in name}
    assert len(library) >= 20
    assert {f"mtorscore/{name}" for name in library | workflow} <= names
    assert {"mtorscore/signatures/evidence.tsv", "mtorscore/signatures/seed_answers.tsv"} <= names
    assert "mtorscore/py.typed" in names
    assert not [n for n in names if n.startswith(("tests", "benchmarks", "docs"))]
    restricted = [n for n in names if Path(n).name.startswith(("KEGG_", "BIOCARTA_", "PENG_"))]
    assert not restricted


@pytest.mark.slow
def test_installed_wheel_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    # The dependencies are lent by path, so that only mtorscore itself comes from the wheel. A path line in a .pth
    # file does not run the .pth files found there, hence the editable install of this checkout stays out.
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel], check=True)
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    (Path(site) / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    where = subprocess.run(
        [python, "-c", "import mtorscore; print(mtorscore.__file__, len(mtorscore.library()))"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    ).stdout
    assert str(tmp_path) in where
    command = [str(tmp_path / "venv" / "bin" / "mtorscore"), "demo", "--results", "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "out/demo/report.html" in done.stdout
    assert (tmp_path / "out" / "demo" / "report.html").stat().st_size > 10_000

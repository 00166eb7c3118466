"""The configuration of a run: read, checked against its schema, defaults filled in, cohort table joined."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mtorscore.errors import ConfigError, DataWarning, examples, nearest, not_writable, warn

if TYPE_CHECKING:
    from mtorscore.collection import SignatureCollection

__all__ = [
    "DEFAULTS",
    "Cohort",
    "RunConfig",
    "check_methods",
    "check_recipe_groups",
    "current",
    "load_config",
    "lock_run",
    "open_signatures",
    "parse_value",
    "schema",
    "with_paths",
    "workflow_folder",
]


def workflow_folder() -> Path:
    """Return the folder of the installed workflow."""
    return Path(str(resources.files("mtorscore.workflows")))


@cache
def schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration: keys, their meaning, limits and defaults."""
    text = (workflow_folder() / "schemas" / "config.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


DEFAULTS: Mapping[str, Any] = {
    key: rule["default"] for key, rule in schema()["properties"].items() if "default" in rule
}
"""Default of every optional key; the functions of the steps take theirs from here."""


@dataclass(frozen=True)
class Cohort:
    """One row of the cohort table.

    Parameters
    ----------
    name
        Its folder under the run's results.
    recipe
        Id of a shipped recipe, a path to one, or ``"simulated"``.
    histology
        ``"default"`` or ``"all"``.
    simulate
        Keyword arguments of the simulation.
    """

    name: str
    recipe: str
    histology: str = "default"
    simulate: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the row as plain types."""
        return asdict(self)


@dataclass(frozen=True)
class RunConfig:
    """A checked configuration; the keys are described in ``workflows/schemas/config.schema.json``."""

    run: str
    results: str
    data: str | None
    cohorts: Mapping[str, Cohort]
    signatures: str
    methods: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, Any]]
    reference: str
    adjust: tuple[str, ...]
    null_sets: int
    gsea_permutations: int
    bootstraps: int
    cv_folds: int
    cv_repeats: int
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration as plain types, for the record that the report shows."""
        return asdict(self)

    def relate_options(self) -> dict[str, Any]:
        """Return the options of the relate step, and nothing else, so that no other change repeats that step."""
        names = ("methods", "parameters", "adjust", "null_sets", "bootstraps", "cv_folds", "cv_repeats", "seed")
        return {name: getattr(self, name) for name in names}

    def alteration_options(self) -> dict[str, Any]:
        """Return the options of the step on alterations, and nothing else."""
        return {name: getattr(self, name) for name in ("methods", "parameters", "null_sets", "seed")}


def open_signatures(signatures: str) -> SignatureCollection:
    """Return the collection that a configuration names.

    Parameters
    ----------
    signatures
        ``"library"``, or a path to a collection.

    Returns
    -------
    SignatureCollection
        Checked on reading, and brought to current symbols as the cohorts are; one `DataWarning` says what was renamed.
    """
    from mtorscore.collection import SignatureCollection, library

    if signatures == "library":
        return library()
    return current(SignatureCollection.read(signatures), signatures)


def current(collection: SignatureCollection, where: str) -> SignatureCollection:
    """Return a user's collection in current HGNC symbols.

    Parameters
    ----------
    collection
        Gene lists of any vintage, in symbols, Ensembl or Entrez ids, of human or mouse.
    where
        Their file, for the message.

    Returns
    -------
    SignatureCollection
        Ambiguous and unknown symbols stay as they are; one `DataWarning` says what was renamed and what is ambiguous.
    """
    renamed, report = collection.rename_genes()
    changed = report[report["status"].isin(["renamed", "merged"])].drop_duplicates("symbol")
    unclear = report[report["status"] == "ambiguous"].drop_duplicates("symbol")
    found = []
    if len(changed):
        shown = examples(f"{r.symbol} -> {r.current}" for r in changed.itertuples())
        found.append(f"{len(changed)} gene symbol(s) or id(s) of {where} are not current and were renamed ({shown})")
    if len(unclear):
        shown = examples(f"{r.symbol} may be {r.current.replace(',', ' or ')}" for r in unclear.itertuples())
        found.append(f"{len(unclear)} symbol(s) of {where} are ambiguous and stay as they are ({shown})")
    if found:
        warn(f"{'; '.join(found)}.", DataWarning)
    return renamed


def load_config(raw: Mapping[str, Any]) -> RunConfig:
    """Check a configuration and fill in what it leaves out.

    Parameters
    ----------
    raw
        The mapping that a YAML file and the command line gave.

    Returns
    -------
    RunConfig
        With the cohort table read.

    Raises
    ------
    ConfigError
        If a key is unknown (with the nearest known one), a value is out of its range, a method is unknown, or the
        cohort table cannot be used.
    """
    described = schema()["properties"]
    _check(raw, described)
    values = dict(DEFAULTS) | dict(raw)
    if values["histology"] not in (None, "default", "all"):
        raise ConfigError(f"histology is {values['histology']!r}; it must be default or all.")
    cohorts = _read_cohorts(values["cohorts"], values.pop("histology"))
    check_methods(values["methods"])
    values.update(cohorts=cohorts, methods=tuple(values["methods"]), adjust=tuple(values["adjust"]))
    return RunConfig(**values)


_PATHS = ("cohorts", "data", "signatures", "results")


def with_paths(raw: Mapping[str, Any], files: Sequence[str | Path], given: Collection[str] = ()) -> dict[str, Any]:
    """Return a configuration whose relative paths are resolved from the folder of the file that says them.

    Parameters
    ----------
    raw
        Keys and values.
    files
        The files that they were read from, in order; a later one wins.
    given
        Keys that the command line gave: their paths are relative to the working directory.

    Returns
    -------
    dict
        ``results`` is always resolved; the paths of what is read only where they are there, so that a name of what
        ships, or a path from the working directory, is still found.
    """
    import yaml

    out = dict(raw)
    for file in map(Path, files):
        said = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
        for key in _PATHS:
            value = said.get(key) if isinstance(said, dict) else None
            if isinstance(value, str) and key not in given and (key == "results" or (file.parent / value).exists()):
                out[key] = str((file.parent / value).resolve())
    return out


def lock_run(folder: str | Path) -> IO[str]:
    """Take the lock of a run's results folder, so that two runs do not write there at once.

    Parameters
    ----------
    folder
        The run's results folder; made where it is missing.

    Returns
    -------
    IO
        Keep it open as long as the run lasts; the system releases the lock when the process ends, however it ends.

    Raises
    ------
    ConfigError
        If another run holds the lock, or nothing can be written there.
    """
    import fcntl

    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        handle = (path / ".lock").open("w", encoding="utf-8")
    except OSError as error:
        raise not_writable(path, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise ConfigError(f"Another run is writing to {path}. Wait for it to end, or name another run.") from None
    return handle


def _check(raw: Mapping[str, Any], described: Mapping[str, Any]) -> None:
    import jsonschema

    unknown = [key for key in raw if key not in described]
    if unknown:
        near = nearest(unknown[0], described, 1)
        hint = f" Did you mean {near[0]!r}?" if near else f" Known keys: {', '.join(described)}."
        raise ConfigError(f"The configuration has {len(unknown)} unknown key(s): {examples(unknown)}.{hint}")
    validator = jsonschema.Draft202012Validator(schema())
    problems = sorted(validator.iter_errors(dict(raw)), key=lambda e: list(map(str, e.absolute_path)))
    if problems:
        first = problems[0]
        where = ".".join(map(str, first.absolute_path)) or "the configuration"
        meaning = described.get(first.absolute_path[0], {}).get("description", "") if first.absolute_path else ""
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ConfigError(f"Configuration, {where}: {first.message}.{f' {meaning}' if meaning else ''}{more}")


def check_methods(methods: Sequence[str]) -> None:
    """Refuse an unknown scoring method.

    Parameters
    ----------
    methods
        Names.

    Raises
    ------
    ConfigError
        With the nearest known names.
    """
    from mtorscore.tl import methods as known_methods

    table = known_methods()
    known = list(table["name"]) if "name" in table else list(table.index)
    unknown = [m for m in methods if m not in known]
    if unknown:
        near = nearest(unknown[0], known) or known
        raise ConfigError(f"Unknown method {unknown[0]!r}; the nearest are {', '.join(near)}.")


def check_recipe_groups(recipe: str, data: str | None) -> None:
    """Refuse a recipe whose groups have something without a meaning, as far as its clinical tables tell.

    Parameters
    ----------
    recipe
        Path of a recipe; those that ship were checked on their files.
    data
        Folder of the raw files.

    Raises
    ------
    ConfigError
        With one sentence for each thing.
    """
    from mtorscore._doors import RECIPE, at_door
    from mtorscore.errors import MtorscoreError
    from mtorscore.io.clinical import read_clinical
    from mtorscore.pp.cohort import recipe_files
    from mtorscore.pp.cohort_recipes import load_recipe
    from mtorscore.pp.group_checks import beside, problems
    from mtorscore.pp.groups import Groups, as_published, values_of, with_reference

    if not recipe.endswith((".yaml", ".yml")):
        return
    chosen = load_recipe(recipe)
    if chosen.group is None or not chosen.clinical:
        return
    groups = Groups.of(chosen.group)
    try:
        files = recipe_files(chosen, data)[-len(chosen.clinical) :]
        options = [{k: c[k] for k in ("key", "sheet") if k in c} for c in chosen.clinical]
        tables = [read_clinical(f, **o) for f, o in zip(files, options, strict=True)]
    except MtorscoreError:
        # The steps say what is wrong with the files.
        return
    table = next((t for t in tables if groups.column in t), None)
    if table is None:
        return
    groups, _ = with_reference(groups, values_of(as_published(table, groups.column)))
    # Other columns may stand in the matrix file; rows that belong to no sample are not compared.
    known = [*map(str, table.columns), *groups.columns]
    with at_door(RECIPE):
        wrong = problems(groups, values_of(as_published(table, groups.column)), known, *beside(groups, table))
    if wrong:
        raise ConfigError(f"{recipe}: {' '.join(wrong)}")


def _read_cohorts(table: str, histology: str | None) -> dict[str, Cohort]:
    import csv

    path = Path(table)
    if not path.is_file() and (workflow_folder() / "config" / table).is_file():
        path = workflow_folder() / "config" / table
    if not path.is_file():
        raise ConfigError(f"There is no cohort table {table}. Give a tab-separated file with columns cohort, recipe.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = [row for row in csv.reader(handle, delimiter="\t") if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} is not a tab-separated text in UTF-8 ({error}). Save it as such.") from error
    known = ["cohort", "recipe", "histology", "simulate"]
    header = [cell.strip() for cell in rows[0]] if rows else []
    if not {"cohort", "recipe"} <= set(header) or not set(header) <= set(known):
        raise ConfigError(
            f"{path}, line 1: the columns are {', '.join(header) or 'missing'}; "
            f"expected cohort, recipe and optionally {', '.join(known[2:])}, separated by tabs."
        )
    cohorts: dict[str, Cohort] = {}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) > len(header):
            raise ConfigError(f"{path}, line {number}: {len(row)} fields under {len(header)} columns.")
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        cohort = _cohort(cells, histology, f"{path}, line {number}", path.parent)
        if cohort.name in cohorts:
            raise ConfigError(f"{path}, line {number}: the cohort {cohort.name} is duplicated; names must be unique.")
        cohorts[cohort.name] = cohort
    if not cohorts:
        raise ConfigError(f"{path} names no cohort; add a line per cohort.")
    return cohorts


def _cohort(cells: Mapping[str, str], histology: str | None, where: str, folder: Path) -> Cohort:
    import re

    name, recipe = cells.get("cohort", ""), cells.get("recipe", "")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ConfigError(f"{where}: the cohort name {name!r} cannot be a folder; use letters, digits, '.', '_', '-'.")
    if not recipe:
        raise ConfigError(f"{where}: the cohort {name} has no recipe.")
    if recipe.endswith((".yaml", ".yml")) and (folder / recipe).is_file():
        recipe = str((folder / recipe).resolve())
    chosen = histology or cells.get("histology") or "default"
    if chosen not in ("default", "all"):
        raise ConfigError(f"{where}: histology is {chosen!r}; it must be default or all.")
    return Cohort(name, recipe, chosen, _arguments(cells.get("simulate", ""), where))


def parse_value(text: str, where: str) -> Any:
    """Read a value as YAML: a number, a list such as ``[ssgsea, zscore]``, true or false, else text.

    Parameters
    ----------
    text
        The value.
    where
        What to name where it cannot be read.

    Returns
    -------
    object
        The value.

    Raises
    ------
    ConfigError
        If it is not YAML.
    """
    import yaml

    from mtorscore._bounded_yaml import safe_load

    try:
        return safe_load(text)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "not a value"
        raise ConfigError(f"{where} cannot be read ({problem}); write lists as [a, b].") from error


def _arguments(text: str, where: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        key, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"{where}: {part!r} is not of the form name=value; separate several by ';'.")
        arguments[key.strip()] = parse_value(value, f"{where}: {part}")
    return arguments

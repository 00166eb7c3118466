"""A user's own matrix and clinical table as a cohort of one run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtorscore.errors import ConfigError, EndpointError, examples
from mtorscore.pipeline._files import atomic

__all__ = ["OwnData", "write_inputs"]

UNITS = ("days", "months", "years")


@dataclass(frozen=True)
class OwnData:
    """What a user says of their files.

    Parameters
    ----------
    name
        Of the run and of its one cohort.
    expression, clinical
        Files; the clinical table's first column names the sample.
    time, event, unit
        Columns of the endpoint in the clinical table.
    group, tumour, normal
        Column of the clinical table that tells tumours from normal tissue, and its two values.
    """

    name: str
    expression: Path
    clinical: Path | None = None
    time: str | None = None
    event: str | None = None
    unit: str = "days"
    group: str | None = None
    tumour: str = "tumour"
    normal: str = "normal"


def write_inputs(own: OwnData, results: str | Path) -> Path:
    """Write recipe, cohort table and configuration of a run on a user's own files.

    Parameters
    ----------
    own
        The files and columns.
    results
        Folder of all runs; the inputs go to ``<results>/<name>/inputs/``, so that the run can be repeated from them.

    Returns
    -------
    pathlib.Path
        The configuration.

    Raises
    ------
    ConfigError
        If a file is missing or an option needs another one.
    EndpointError
        If a column is not in the clinical table.
    """
    _check(own)
    folder = Path(results) / own.name / "inputs"
    recipe: dict[str, Any] = {
        "id": own.name,
        "title": own.expression.name,
        "status": "unverified",
        "expression": {"file": str(own.expression.resolve())},
    }
    if own.clinical is not None:
        recipe["clinical"] = [{"file": str(own.clinical.resolve()), "key": _columns(own.clinical)[0]}]
    if own.event is not None:
        endpoint = own.event if own.event != own.time else "event"
        recipe["endpoints"] = {endpoint: {"time": own.time, "event": own.event, "unit": own.unit}}
    if own.group is not None:
        recipe["group"] = {"column": own.group, "tumour": [own.tumour], "normal": [own.normal]}
    _write(folder / "recipe.yaml", recipe)
    with atomic(folder / "cohorts.tsv") as temporary:
        temporary.write_text(f"cohort\trecipe\n{own.name}\t{(folder / 'recipe.yaml').resolve()}\n", encoding="utf-8")
    config = {"run": own.name, "results": str(results), "cohorts": str((folder / "cohorts.tsv").resolve())}
    return _write(folder / "config.yaml", config)


def _check(own: OwnData) -> None:
    for path in (own.expression, own.clinical):
        if path is not None and not Path(path).exists():
            raise ConfigError(f"There is no file {path}. Check the path.")
    if (own.time is None) != (own.event is None):
        raise ConfigError("An endpoint needs both --time and --event.")
    if own.unit not in UNITS:
        raise ConfigError(f"Unknown unit {own.unit!r}; use {', '.join(UNITS)}.")
    wanted = [c for c in (own.time, own.event, own.group) if c is not None]
    if wanted and own.clinical is None:
        raise ConfigError(f"The column(s) {examples(wanted)} are looked for in a clinical table: give --clinical.")
    if own.clinical is not None:
        there = _columns(own.clinical)
        missing = [c for c in wanted if c not in there]
        if missing:
            raise EndpointError(f"{own.clinical} has no column {examples(missing)}; it has {examples(there, 12)}.")


def _columns(clinical: Path) -> list[str]:
    from mtorscore.pipeline.tables import read_clinical_table

    table = read_clinical_table(clinical)
    return [str(table.index.name), *map(str, table.columns)]


def _write(path: Path, content: dict[str, Any]) -> Path:
    import yaml

    with atomic(path) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path

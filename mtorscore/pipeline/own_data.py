"""A user's own matrix and clinical table as a cohort of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtorscore._atomic import write_whole
from mtorscore._doors import COMMAND_LINE, at_door
from mtorscore._outcome_terms import word_of
from mtorscore.io.portals.event_column import is_code
from mtorscore.pipeline.own_checks import (
    ClinicalTable,
    OwnData,
    check_files,
    check_groups,
    check_outcome,
    happened,
    unit_of,
)

__all__ = ["OwnData", "write_inputs"]


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
    with at_door(COMMAND_LINE):
        check_files(own)
        table = None if own.clinical is None else ClinicalTable(own.clinical)
        check_outcome(own, table)
        own = check_groups(own, table)
    folder = Path(results) / own.name / "inputs"
    _write(folder / "recipe.yaml", _recipe(own, table))
    write_whole(folder / "cohorts.tsv", f"cohort\trecipe\n{own.name}\t{(folder / 'recipe.yaml').resolve()}\n")
    config = {
        "run": own.name,
        "results": str(Path(results).resolve()),
        "cohorts": str((folder / "cohorts.tsv").resolve()),
    }
    return _write(folder / "config.yaml", config)


def _recipe(own: OwnData, table: ClinicalTable | None) -> dict[str, Any]:
    """Return the recipe of these files; what was not said is not in it."""
    genes = {
        "platform": _absolute(own.platform),
        "platform_columns": list(own.platform_columns) if own.platform_columns else None,
        "mapping": _absolute(own.mapping),
    }
    expression = {
        "file": _absolute(own.expression),
        "units": own.units,
        "ids": own.ids,
        "orientation": own.orientation,
        "tx2gene": _absolute(own.tx2gene),
    }
    recipe: dict[str, Any] = {
        "id": own.name,
        "title": own.expression.name,
        "organism": own.organism,
        "status": "unverified",
        "expression": _said(expression),
    }
    if own.cancer is not None:
        recipe["cancer"] = own.cancer
    if _said(genes):
        recipe["genes"] = _said(genes)
    if table is not None:
        recipe["clinical"] = [{"file": str(table.path.resolve()), "key": table.columns[0]}]
    if table is not None and own.event is not None and own.time is not None:
        endpoint = own.event if own.event != own.time else "event"
        rule: dict[str, Any] = {"time": own.time, "event": own.event, "unit": unit_of(own)}
        rule |= {} if own.competing is None else {"competing": own.competing}
        if is_code(own.competing, table.rows, own.event):
            rule |= {"competing": own.event, "competing_values": [word_of(own.competing)]}
        recipe["endpoints"] = {endpoint: rule | _event_words(own, table)}
    recipe |= _beside(own)
    if own.group is not None:
        recipe["group"] = own.section
    return recipe


def _beside(own: OwnData) -> dict[str, Any]:
    """Return what stands beside the expression: alterations, proteins, classes."""
    found: dict[str, Any] = {}
    if own.alterations:
        panels = [_absolute(p) for p in own.panels] or None
        files = [_absolute(p) for p in own.alterations]
        found["alterations"] = _said({"files": files, "profiled": _absolute(own.profiled), "panels": panels})
    if own.proteins is not None:
        found["proteins"] = _absolute(own.proteins)
    if own.classes:
        found["classes"] = [str(Path(c).resolve()) if Path(c).is_file() else c for c in own.classes]
    return found


def _said(section: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if value is not None}


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(Path(path).resolve())


def _event_words(own: OwnData, table: ClinicalTable) -> dict[str, list[str]]:
    """Return which values of the event column mean that it happened."""
    column = table.rows[str(own.event)].dropna()
    codes = happened(own, table)
    words = {name: {word_of(v) for v in column[codes == code]} for name, code in _RECIPE_WORDS.items()}
    return {name: sorted(found) for name, found in words.items()}


_RECIPE_WORDS = {"event_values": 1.0, "censored_values": 0.0}


def _write(path: Path, content: dict[str, Any]) -> Path:
    import yaml

    return write_whole(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))

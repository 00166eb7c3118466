"""A user's own matrix and clinical table as a cohort of one run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtorscore._atomic import write_whole
from mtorscore._outcome_terms import DAYS, word_of
from mtorscore.errors import ConfigError, DataWarning, EndpointError, examples, nearest, warn
from mtorscore.pipeline.tables import events_of, read_clinical_table

__all__ = ["OwnData", "write_inputs"]


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """A user's files and the columns that matter in them.

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
    unit: str
    group: str | None = None
    tumour: str
    normal: str


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
        rule = {"time": own.time, "event": own.event, "unit": own.unit}
        recipe["endpoints"] = {endpoint: rule | _event_words(own)}
    if own.group is not None:
        recipe["group"] = {"column": own.group, "tumour": [own.tumour], "normal": [own.normal]}
    _write(folder / "recipe.yaml", recipe)
    write_whole(folder / "cohorts.tsv", f"cohort\trecipe\n{own.name}\t{(folder / 'recipe.yaml').resolve()}\n")
    config = {"run": own.name, "results": str(results), "cohorts": str((folder / "cohorts.tsv").resolve())}
    return _write(folder / "config.yaml", config)


def _check(own: OwnData) -> None:
    for path in (own.expression, own.clinical):
        if path is not None and not Path(path).exists():
            raise ConfigError(f"There is no file {path}. Check the path.")
    if (own.time is None) != (own.event is None):
        raise ConfigError("An endpoint needs both --time and --event.")
    if own.unit not in DAYS:
        raise ConfigError(f"Unknown unit {own.unit!r}; use {', '.join(DAYS)}.")
    wanted = [c for c in (own.time, own.event, own.group) if c is not None]
    if wanted and own.clinical is None:
        raise ConfigError(f"The column(s) {examples(wanted)} are looked for in a clinical table: give --clinical.")
    if own.clinical is not None:
        there = _columns(own.clinical)
        missing = [c for c in wanted if c not in there]
        if missing:
            near = nearest(missing[0], there, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise EndpointError(
                f"{own.clinical} has no column {examples(missing)}; it has {examples(there, 12)}.{hint}"
            )
    _check_endpoint(own)
    _check_groups(own)


def _check_endpoint(own: OwnData) -> None:
    """Refuse times that are not numbers or all negative, and an endpoint without events."""
    import pandas as pd

    if own.clinical is None or own.event is None:
        return
    table = _table(own.clinical)
    given = table[own.time].dropna()
    times = pd.to_numeric(given, errors="coerce")
    strange = given[times.isna()]
    if len(strange):
        raise EndpointError(
            f"{own.clinical}: the time column {own.time} holds {len(strange)} value(s) that are not numbers "
            f"({examples(strange)}). Correct them, or leave them blank."
        )
    usable = times.index[times >= 0]
    if not len(usable):
        raise EndpointError(f"{own.clinical}: no row has a time of 0 or more in column {own.time}.")
    known = table.loc[usable, own.event].dropna()
    if not (events_of(known, own.clinical) == 1.0).any():
        raise EndpointError(
            f"{own.clinical}: no row with a time has an event in column {own.event} (its values: "
            f"{examples(dict.fromkeys(known)) or 'none'}), so nothing can be related to it. Check how events are "
            "coded, or leave the endpoint out."
        )


def _check_groups(own: OwnData) -> None:
    if own.group is None or own.clinical is None:
        return
    found = list(dict.fromkeys(_table(own.clinical)[own.group].dropna().astype(str)))
    if own.tumour not in found:
        raise ConfigError(
            f"No sample of {own.clinical} has {own.group} = {own.tumour!r}; the values are {examples(found, 8)}. Name "
            "those of tumours and normal tissue: --tumour VALUE --normal VALUE."
        )
    if own.normal not in found:
        warn(
            f"No sample of {own.clinical} has {own.group} = {own.normal!r} (normal tissue): nothing is compared with "
            f"normal tissue; the values are {examples(found, 8)}.",
            DataWarning,
        )


def _event_words(own: OwnData) -> dict[str, list[str]]:
    """Return which values of the event column mean that it happened."""
    if own.clinical is None or own.event is None:
        return {}
    column = _table(own.clinical)[own.event].dropna()
    codes = events_of(column, own.clinical)
    words = {name: {word_of(v) for v in column[codes == code]} for name, code in _RECIPE_WORDS.items()}
    return {name: sorted(found) for name, found in words.items()}


_RECIPE_WORDS = {"event_values": 1.0, "censored_values": 0.0}


def _table(clinical: Path) -> Any:
    table = read_clinical_table(clinical)
    return table.assign(**{str(table.index.name): table.index})


def _columns(clinical: Path) -> list[str]:
    table = _table(clinical)
    return [str(table.index.name), *map(str, table.columns[:-1])]


def _write(path: Path, content: dict[str, Any]) -> Path:
    import yaml

    return write_whole(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))

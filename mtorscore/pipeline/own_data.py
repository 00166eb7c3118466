"""A user's own matrix and clinical table as a cohort of one run."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtorscore.errors import ConfigError, DataWarning, EndpointError, examples, nearest
from mtorscore.pipeline.table_files import atomic
from mtorscore.pp._recipes import UNITS

__all__ = ["OwnData", "write_inputs"]

# Words that clinical tables use for an event and for its absence, compared without case.
HAPPENED = (
    "1", "dead", "deceased", "died", "yes", "true", "event", "1:deceased", "1:dead", "1:recurred", "1:progression",
    "1:recurred/progressed", "recurred", "recurrence", "progressed", "relapse", "relapsed",
)  # fmt: skip
CENSORED = (
    "0", "alive", "living", "no", "false", "censored", "0:living", "0:alive", "0:diseasefree", "0:censored",
    "disease free", "diseasefree", "none",
)  # fmt: skip


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
        rule = {"time": own.time, "event": own.event, "unit": own.unit}
        recipe["endpoints"] = {endpoint: rule | _event_words(own)}
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
            near = nearest(missing[0], there, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise EndpointError(
                f"{own.clinical} has no column {examples(missing)}; it has {examples(there, 12)}.{hint}"
            )
    _check_endpoint(own)
    _check_groups(own)


def _check_endpoint(own: OwnData) -> None:
    """Refuse times that are no numbers or all negative, and an endpoint without events."""
    import pandas as pd

    if own.clinical is None or own.event is None:
        return
    table = _table(own.clinical)
    given = table[own.time].dropna()
    times = pd.to_numeric(given, errors="coerce")
    strange = given[times.isna()]
    if len(strange):
        raise EndpointError(
            f"{own.clinical}: the time column {own.time} holds {len(strange)} value(s) that are no number "
            f"({examples(strange)}). Correct them, or leave them blank."
        )
    usable = times.index[times >= 0]
    if not len(usable):
        raise EndpointError(f"{own.clinical}: no row has a time of 0 or more in column {own.time}.")
    _event_words(own)
    known = table.loc[usable, own.event].dropna()
    if not {_word(v) for v in known} & {*HAPPENED}:
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
        warnings.warn(
            f"No sample of {own.clinical} has {own.group} = {own.normal!r} (normal tissue): nothing is compared with "
            f"normal tissue; the values are {examples(found, 8)}.",
            DataWarning,
            stacklevel=2,
        )


def _event_words(own: OwnData) -> dict[str, list[str]]:
    """Say which values of the event column mean that it happened, where they are words that everybody knows."""
    if own.clinical is None or own.event is None:
        return {}
    values = _known_words(_table(own.clinical)[own.event], own.clinical)
    return {"event_values": sorted(values & {*HAPPENED}), "censored_values": sorted(values & {*CENSORED})}


def _known_words(column: Any, source: object) -> set[str]:
    """Return the words of an event column, all of them such as everybody knows."""
    values = {_word(v) for v in column.dropna()} - {""}
    strange = sorted(values - {*HAPPENED, *CENSORED})
    if strange:
        raise EndpointError(
            f"{source}: the column {column.name} holds {examples(strange)}, which may mean anything. Use 1 where "
            "the event happened and 0 where follow-up ended before it, or words such as Dead and Alive."
        )
    return values


def events_of(column: Any, source: object) -> Any:
    """Turn an event column into 1, 0 and missing, whether it holds numbers or words such as Dead and Alive.

    Parameters
    ----------
    column
        Series of numbers, booleans or text.
    source
        What the message calls the table.

    Raises
    ------
    EndpointError
        If a value may mean anything.
    """
    _known_words(column, source)
    codes = {**dict.fromkeys(HAPPENED, 1.0), **dict.fromkeys(CENSORED, 0.0)}
    return column.map(lambda v: codes.get(_word(v), float("nan")), na_action="ignore").astype(float)


def _word(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().lower()


def _table(clinical: Path) -> Any:
    from mtorscore.pipeline.tables import read_clinical_table

    table = read_clinical_table(clinical)
    return table.assign(**{str(table.index.name): table.index})


def _columns(clinical: Path) -> list[str]:
    table = _table(clinical)
    return [str(table.index.name), *map(str, table.columns[:-1])]


def _write(path: Path, content: dict[str, Any]) -> Path:
    import yaml

    with atomic(path) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path

"""A user's own files and what is checked of them before a run begins, in the words of the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mtorscore._outcome_terms import DAYS
from mtorscore.errors import ConfigError, DataWarning, EndpointError, examples, nearest, warn
from mtorscore.pipeline.tables import events_of, read_clinical_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ClinicalTable", "OwnData", "check_files", "check_outcome", "unit_of"]


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """A user's files, what they mean, and the columns that matter in them.

    Parameters
    ----------
    name
        Of the run and of its one cohort.
    expression, clinical
        Files, or a folder of quantifications; the clinical table's first column names the sample.
    units, organism
        What the values are (see `mtorscore.pp.detect_scale`), and whose genes.
    orientation, ids
        See `mtorscore.read`.
    platform, platform_columns, mapping, tx2gene
        Tables that name the genes: the annotation of an array with its columns of probes and symbols, a table of
        identifier and gene, a table of transcript and gene.
    time, event, unit
        Columns of the endpoint in the clinical table; a unit of None is read from the time column's name, else days.
    group, tumour, normal
        Column of the clinical table that tells tumours from normal tissue, and its two values.
    """

    name: str
    expression: Path
    clinical: Path | None = None
    units: str | None = None
    organism: str = "human"
    orientation: str | None = None
    ids: str | None = None
    platform: Path | None = None
    platform_columns: tuple[str, ...] | None = None
    mapping: Path | None = None
    tx2gene: Path | None = None
    time: str | None = None
    event: str | None = None
    unit: str | None = None
    group: str | None = None
    tumour: str = "tumour"
    normal: str = "normal"


class ClinicalTable:
    """A clinical table, read once.

    Parameters
    ----------
    path
        The file; its first column names the sample.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The table, with the column of names among the others."""
        table = read_clinical_table(self.path)
        return table.assign(**{str(table.index.name): table.index})

    @property
    def columns(self) -> list[str]:
        """Names of the columns, that of the samples first."""
        return [str(self.rows.index.name), *map(str, self.rows.columns[:-1])]


def check_files(own: OwnData) -> None:
    """Refuse files that are not there, and words that mean nothing.

    Parameters
    ----------
    own
        What the user gave.

    Raises
    ------
    ConfigError
        If something does not fit.
    """
    from mtorscore.pp.cohort_recipes import ORGANISMS, ORIENTATIONS
    from mtorscore.pp.scale import UNITS

    for path in (own.expression, own.clinical, own.platform, own.mapping, own.tx2gene):
        if path is not None and not Path(path).exists():
            raise ConfigError(f"There is no file {path}. Check the path.")
    for name, value, known in (
        ("--units", own.units, UNITS),
        ("--organism", own.organism, ORGANISMS),
        ("--orientation", own.orientation, ORIENTATIONS),
        ("--unit", own.unit, tuple(DAYS)),
    ):
        if value is not None and value not in known:
            near = nearest(value, known, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(f"Unknown {name.removeprefix('--')} {value!r} ({name}); use {', '.join(known)}.{hint}")
    if own.platform_columns is not None and (own.platform is None or len(own.platform_columns) != 2):
        raise ConfigError(
            "--platform-columns names two columns of the file given with --platform, those of probes and symbols, as "
            "in --platform-columns ID,SYMBOL."
        )
    if own.platform is not None and own.mapping is not None:
        raise ConfigError("Give either --platform or --mapping, not both.")


def check_outcome(own: OwnData, table: ClinicalTable | None) -> None:
    """Refuse columns that are not there, an endpoint that cannot be used, and groups without a meaning.

    Parameters
    ----------
    own
        What the user gave.
    table
        The clinical table.

    Raises
    ------
    ConfigError
        If an option needs another one, or a group is not there.
    EndpointError
        If a column is not there, or nothing can be learned from it.

    Warns
    -----
    DataWarning
        If the unit of time is taken from the column's name, or contradicts it.
    """
    if (own.time is None) != (own.event is None):
        raise ConfigError("An endpoint needs both --time and --event.")
    wanted = [c for c in (own.time, own.event, own.group) if c is not None]
    if wanted and table is None:
        raise ConfigError(f"The column(s) {examples(wanted)} are looked for in a clinical table: give --clinical.")
    if table is None:
        return
    missing = [c for c in wanted if c not in table.columns]
    if missing:
        near = nearest(missing[0], table.columns, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise EndpointError(
            f"{table.path} has no column {examples(missing)}; it has {examples(table.columns, 12)}.{hint}"
        )
    if own.time is not None and own.event is not None:
        _check_endpoint(own.time, own.event, table)
        _say_unit(own)
    _check_groups(own, table)


def _check_endpoint(time: str, event: str, table: ClinicalTable) -> None:
    """Refuse times that are not numbers or all negative, and an endpoint without events."""
    import pandas as pd

    given = table.rows[time].dropna()
    times = pd.to_numeric(given, errors="coerce")
    strange = given[times.isna()]
    if len(strange):
        raise EndpointError(
            f"{table.path}: the time column {time} holds {len(strange)} value(s) that are not numbers "
            f"({examples(strange)}). Correct them, or leave them blank; if it is another column, name it with --time "
            f"(there are {examples(table.columns, 12)})."
        )
    usable = times.index[times >= 0]
    if not len(usable):
        raise EndpointError(f"{table.path}: no row has a time of 0 or more in column {time}.")
    known = table.rows.loc[usable, event].dropna()
    if not (events_of(known, table.path) == 1.0).any():
        raise EndpointError(
            f"{table.path}: no row with a time has an event in column {event} (its values: "
            f"{examples(dict.fromkeys(known)) or 'none'}), so nothing can be related to it. Check how events are "
            "coded, or leave the endpoint out."
        )


def _unit_said(column: str) -> str | None:
    """Return the unit of time that a column's name speaks of."""
    words = set(re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", column).lower()))
    found = [unit for unit in DAYS if {unit, unit[:-1]} & words or (unit == "months" and "mo" in words)]
    return found[0] if len(found) == 1 else None


def unit_of(own: OwnData) -> str:
    """Return the unit of the times: as given, else as the column's name says, else days."""
    return own.unit or _unit_said(own.time or "") or "days"


def _say_unit(own: OwnData) -> None:
    said = _unit_said(own.time or "")
    if said is None or said == (own.unit or "days"):
        return
    if own.unit is None:
        warn(f"Times are read as {said}, as the column's name {own.time} says; --unit says otherwise.", DataWarning)
    else:
        warn(
            f"The column {own.time} speaks of {said}, and --unit {own.unit} was given: its times are read as "
            f"{own.unit}.",
            DataWarning,
        )


def _check_groups(own: OwnData, table: ClinicalTable) -> None:
    if own.group is None:
        return
    found = list(dict.fromkeys(table.rows[own.group].dropna().astype(str)))
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

"""A user's own files and what is checked of them before a run begins, in the words of the command line."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore._outcome_terms import AGE_NAMES, DAYS, EVENT_NAMES, TIME_NAMES, event_codes, unit_said, word_of, words_of
from mtorscore.collection.grades import CONTEXTS, context_named
from mtorscore.errors import ConfigError, DataWarning, EndpointError, examples, nearest, warn
from mtorscore.io.portals.event_column import events_of, is_code
from mtorscore.pipeline.tables import read_clinical_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ClinicalTable",
    "OwnData",
    "check_files",
    "check_groups",
    "check_outcome",
    "happened",
    "unit_of",
]


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
    event_value, competing
        The one value of `event` that means the event; column of what ended follow-up as a competing event.
    cancer
        Whose evidence grades the scores: a context of `mtorscore.collection.grades`, in any case.
    group, tumour, normal
        Column of the clinical table, or of the matrix file, that tells groups of samples, and its values that mean
        tumours and normal tissue. Without the latter two, every value is a group of its own.
    reference, order, leave_out
        The group that others are compared with; groups from lowest to highest; values whose samples are left out.
        Of `order`, `leave_out` and `covariates` several may stand in one text, by commas.
    pair, block, covariates
        Columns of what pairs samples, of what they share, and of what comparisons are adjusted for.
    interaction, interaction_reference
        Column that the comparison may depend on (genotype, cell type), and its value that others are compared with.
    alterations, profiled, panels
        Files of DNA alterations, of who was profiled, and of gene panels, see `mtorscore.io.read_alterations`.
    proteins
        Table of samples x antibodies.
    classes
        Schemes of classes.
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
    event_value: str | None = None
    competing: str | None = None
    cancer: str | None = None
    group: str | None = None
    tumour: tuple[str, ...] | str = ()
    normal: tuple[str, ...] | str = ()
    reference: str | None = None
    order: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    pair: str | None = None
    block: str | None = None
    covariates: tuple[str, ...] = ()
    interaction: str | None = None
    interaction_reference: str | None = None
    alterations: tuple[Path, ...] = ()
    profiled: Path | None = None
    panels: tuple[Path, ...] = ()
    proteins: Path | None = None
    classes: tuple[str, ...] = ()

    @property
    def section(self) -> dict[str, Any]:
        """What the recipe says of groups: what was given, and nothing else."""
        said = {
            "column": self.group,
            "tumour": _listed(self.tumour),
            "normal": _listed(self.normal),
            "reference": self.reference,
            "order": list(self.order),
            "leave_out": list(self.leave_out),
            "pair": self.pair,
            "block": self.block,
            "covariates": list(self.covariates),
            "interaction": self.interaction,
            "interaction_reference": self.interaction_reference,
        }
        return {key: value for key, value in said.items() if value}


def _listed(value: tuple[str, ...] | str) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


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

    beside = (*own.alterations, own.profiled, *own.panels, own.proteins)
    for path in (own.expression, own.clinical, own.platform, own.mapping, own.tx2gene, *beside):
        if path is not None and not Path(path).exists():
            raise ConfigError(f"There is no file {path}. Check the path.")
    for name, value, known in (
        ("--units", own.units, UNITS),
        ("--organism", own.organism, ORGANISMS),
        ("--orientation", own.orientation, ORIENTATIONS),
        ("--unit", own.unit, tuple(DAYS)),
        ("--cancer", own.cancer and (context_named(own.cancer) or own.cancer), tuple(CONTEXTS)),
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
    if (own.profiled or own.panels) and not own.alterations:
        raise ConfigError("--profiled and --panels say who was profiled for alterations: give them with --alterations.")
    _check_classes(own.classes)
    if own.platform is not None and own.mapping is not None:
        raise ConfigError("Give either --platform or --mapping, not both.")


def _meant(value: str, known: Iterable[str]) -> str:
    near = nearest(value, list(known), 1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _check_classes(names: tuple[str, ...]) -> None:
    from mtorscore.tl import schemes

    known = schemes()
    for name in names:
        if name not in known and not Path(name).is_file():
            hint = _meant(name, known)
            raise ConfigError(f"Unknown scheme of classes {name!r} (--classes); there are {', '.join(known)}.{hint}")


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
        If the unit of time is taken from the column's name, or contradicts it; or if no endpoint is named and columns
        look like one.
    """
    if (own.time is None) != (own.event is None):
        raise ConfigError("An endpoint needs both --time and --event.")
    if own.time is None and (own.event_value is not None or own.competing is not None):
        raise ConfigError("--event-value and --competing speak of an endpoint: name it with --time and --event.")
    code = table is not None and is_code(own.competing, table.rows, own.event)
    wanted = [c for c in (own.time, own.event, None if code else own.competing) if c is not None]
    if wanted and table is None:
        raise ConfigError(f"The column(s) {examples(wanted)} are looked for in a clinical table: give --clinical.")
    if table is None:
        return
    missing = [c for c in wanted if c not in table.columns]
    if missing:
        hint = _meant(missing[0], table.columns)
        raise EndpointError(
            f"{table.path} has no column {examples(missing)}; it has {examples(table.columns, 12)}.{hint}"
        )
    if own.time is not None and own.event is not None:
        _check_endpoint(own, own.time, own.event, table)
        _say_unit(own)
    else:
        _say_endpoint(table)


def _say_endpoint(table: ClinicalTable) -> None:
    """Warn where columns look like an endpoint that the user did not name; none is taken unasked."""
    import pandas as pd

    times, events = [], []
    for name in table.columns:
        known = table.rows[name].dropna()
        words = words_of(name)
        if words & TIME_NAMES and not words & AGE_NAMES:
            if (pd.to_numeric(known, errors="coerce") >= 0).mean() > 0.9:
                times.append(name)
        elif words & EVENT_NAMES:
            codes, unread = event_codes(known)
            if not unread and {0.0, 1.0} <= set(codes.tolist()):
                events.append(name)
    if times and events:
        warn(
            f"Nothing is related to an outcome, since no endpoint was named. {table.path} has columns that look like "
            f"follow-up ({examples(times)}) and events ({examples(events)}); say which with --time and --event.",
            DataWarning,
        )


def happened(own: OwnData, table: ClinicalTable) -> pd.Series:
    """Return 1 where the event happened and 0 where not, for the rows that say it.

    Parameters
    ----------
    own
        With `event`, and perhaps the one value that means it.
    table
        The clinical table.

    Raises
    ------
    EndpointError
        If a value may mean anything, or the value that means the event does not occur.
    """
    column = table.rows[str(own.event)].dropna()
    if own.event_value is None:
        return events_of(column, table.path, own.competing if is_code(own.competing, table.rows, own.event) else None)
    words = column.map(word_of)
    if word_of(own.event_value) not in set(words):
        raise EndpointError(
            f"{table.path}: no row has {own.event_value!r} (--event-value) in column {own.event}; it holds "
            f"{examples(dict.fromkeys(words))}."
        )
    return (words == word_of(own.event_value)).astype(float)


def _check_endpoint(own: OwnData, time: str, event: str, table: ClinicalTable) -> None:
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
    if own.competing is not None and not is_code(own.competing, table.rows, own.event):
        events_of(table.rows[own.competing].dropna(), table.path)
    codes = happened(own, table)
    known = table.rows.loc[usable, event].dropna()
    if not (codes.loc[known.index] == 1.0).any():
        raise EndpointError(
            f"{table.path}: no row with a time has an event in column {event} (its values: "
            f"{examples(dict.fromkeys(known)) or 'none'}), so nothing can be related to it. Check how events are "
            "coded, or leave the endpoint out."
        )


def unit_of(own: OwnData) -> str:
    """Return the unit of the times: as given, else as the column's name says, else days."""
    return own.unit or unit_said(own.time or "") or "days"


def _say_unit(own: OwnData) -> None:
    said = unit_said(own.time or "")
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


def check_groups(own: OwnData, table: ClinicalTable | None) -> OwnData:
    """Refuse groups of which something has no meaning, all at once, each with the option that gives it one.

    Parameters
    ----------
    own
        What the user gave.
    table
        The clinical table; without it, and for columns that it lacks, the matrix file is asked.

    Returns
    -------
    OwnData
        With the reference, as given or as a group's name says, and each value of an option apart.

    Raises
    ------
    ConfigError
        With one sentence for each thing.

    Warns
    -----
    DataWarning
        If the reference is taken from a group's name, or nothing is of normal tissue.
    """
    from mtorscore.pp.group_checks import beside, problems
    from mtorscore.pp.groups import Groups, as_known, values_of, with_reference

    section = own.section
    if own.group is None:
        section = {key: value for key, value in section.items() if key not in ("tumour", "normal")}
        if section:
            given = ", ".join(f"--{key.replace('_', '-')}" for key in section)
            raise ConfigError(f"{given}: these are about groups; name their column with --group.")
        return own
    columns = {} if table is None else {c: table.rows[c] for c in table.columns}
    own = replace(own, covariates=as_known(own.covariates, columns))
    groups = Groups.of(own.section)
    if not set(groups.columns) <= set(columns):
        columns = _of_matrix(own) | columns
    where = " and ".join(str(p) for p in (own.clinical, own.expression) if p is not None)
    if groups.column not in columns:
        hint = _meant(groups.column, columns)
        if table is None and not columns:
            raise ConfigError(
                f"{own.expression} says nothing of its samples, so {groups.column} (--group) is not there; give the "
                "table that has it with --clinical."
            )
        raise ConfigError(f"{where}: no column {groups.column} (--group); there are {examples(columns, 12)}.{hint}")
    values = values_of(columns[groups.column])
    own = replace(own, order=as_known(own.order, values), leave_out=as_known(own.leave_out, values))
    groups = Groups.of(own.section)
    groups, said = with_reference(groups, values)
    wrong = problems(groups, values, list(columns), *beside(groups, columns))
    if wrong:
        raise ConfigError(f"{where}: {' '.join(wrong)}")
    if said:
        warn(said, DataWarning)
    if groups.tumour and not groups.normal:
        warn(
            f"Nothing is said to be normal tissue (--normal), so tumours are compared with none; the values of "
            f"{groups.column} are {examples(dict.fromkeys(v for v in values if v), 8)}.",
            DataWarning,
        )
    return replace(own, reference=groups.reference or None)


def _of_matrix(own: OwnData) -> dict[str, pd.Series]:
    """Return the columns that the matrix file has of its samples."""
    from mtorscore import io

    options: dict[str, Any] = {"orientation": own.orientation, "ids": own.ids}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        obs = io.read(own.expression, **{k: v for k, v in options.items() if v is not None}).obs
    return {str(name): obs[name] for name in obs}

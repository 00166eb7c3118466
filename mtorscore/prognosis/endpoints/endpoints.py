"""Endpoints: the outcome, the clinical columns that hold it, and the observations excluded from it.

A survival endpoint is a time and an event (and, where needed, an entry time and a competing event); a label endpoint
is a class. Both are only *names of columns* until `Endpoint.resolve` reads them from a clinical table. A new kind of
endpoint is a constructor of `Endpoint`, an entry of ``_RESOLVERS`` and, where no present one fits, a data class here;
`outcome_models` and `prediction.tasks` say what is computed with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._doors import option
from mtorscore._outcome_terms import DAYS, unit_said
from mtorscore.errors import DataWarning, EndpointError, warn
from mtorscore.prognosis.endpoints.coding import name_of
from mtorscore.prognosis.endpoints.columns import (
    EXCLUDED,
    align,
    apply_rules,
    ask_for_event,
    numbers,
    pick,
    row,
    status_of,
    two_classes,
)
from mtorscore.prognosis.endpoints.labels import LabelData, check_declared, declare, named_classes
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData, reasons
from mtorscore.prognosis.statistics.kaplan_meier import inverse_weights

__all__ = ["Endpoint", "LabelData", "SurvivalData"]


@dataclass(frozen=True, eq=False)
class SurvivalData:
    """A survival endpoint read from a clinical table.

    Attributes
    ----------
    index
        Observations that count, in the order of the clinical table; length ``n``.
    time
        ``(n,)`` follow-up in `unit`, at least 0.
    event
        ``(n,)`` bool, the event of interest.
    entry
        ``(n,)`` start of observation (left truncation), or None.
    status
        ``(n,)`` int: 0 censored, 1 event of interest, 2 competing event. Equals `event` without competing events.
    excluded
        Table observation, endpoint, rule, reason.
    zero_times
        Observations with a follow-up of 0, which count in ``n``.
    horizon
        Where follow-up was cut; NaN where it was not.
    """

    name: str
    unit: str
    index: pd.Index
    time: npt.NDArray[np.float64]
    event: npt.NDArray[np.bool_]
    entry: npt.NDArray[np.float64] | None
    status: npt.NDArray[np.int64]
    excluded: pd.DataFrame
    zero_times: tuple[str, ...]
    horizon: float = math.nan

    @property
    def n(self) -> int:
        """Number of observations."""
        return len(self.time)

    @property
    def positive(self) -> str:
        """What a ratio above 1 means more of."""
        return "event"

    @property
    def classes(self) -> tuple[str, ...]:
        """None: a time is no class."""
        return ()

    @property
    def longest(self) -> float:
        """Longest follow-up: nothing is known beyond it."""
        return float(self.time.max()) if self.n else math.nan

    @property
    def n_events(self) -> int:
        """Number of events of interest."""
        return int(self.event.sum())

    @property
    def n_competing(self) -> int:
        """Number of competing events."""
        return int((self.status == 2).sum())

    def take(self, keep: npt.NDArray[Any]) -> SurvivalData:
        """Return the observations at positions, or under a mask, `keep`."""
        entry = None if self.entry is None else self.entry[keep]
        kept = {name: getattr(self, name)[keep] for name in ("index", "time", "event", "status")}
        return replace(self, entry=entry, **kept)


@dataclass(frozen=True)
class Endpoint:
    """An outcome, by the columns that hold it. Make one with `survival`, `label` or `early`.

    Attributes
    ----------
    kind
        ``"survival"``, ``"label"`` or ``"early"``.
    name
        What tables call it; the event column or the label column unless given.
    """

    kind: str
    name: str
    time: str | None = None
    event: str | None = None
    unit: str = "days"
    entry: str | None = None
    competing: str | int | None = None
    horizon: float | None = None
    event_value: Hashable | None = None
    column: str | None = None
    positive: Hashable | None = None
    order: tuple[Hashable, ...] = field(default=())
    classes: tuple[Hashable, ...] = field(default=())
    balanced: bool = False

    @classmethod
    def survival(
        cls,
        time: str,
        event: str,
        unit: str = "days",
        entry: str | None = None,
        competing: str | int | None = None,
        *,
        horizon: float | None = None,
        event_value: Hashable | None = None,
        name: str | None = None,
    ) -> Endpoint:
        """Time to an event.

        Parameters
        ----------
        time, event
            Columns of follow-up time and event (1/0, True/False, words such as Dead and Alive, or any text with
            `event_value`).
        unit
            ``"days"``, ``"weeks"``, ``"months"`` or ``"years"``.
        entry
            Column of the time at which an observation came under risk (left truncation).
        competing
            Column that is 1 where a competing event ended follow-up (where the event of interest happened as well, such
            as any death beside death of the disease, that counts), or the code of competing events in `event`.
        horizon
            Follow-up is cut here: later events count as censored at the horizon. In `unit`.
        event_value
            The value of `event` that means the event, where it is neither 0/1 nor boolean.
        name
            What tables call it.

        Returns
        -------
        Endpoint
            The endpoint; nothing is read yet.

        Raises
        ------
        EndpointError
            If the unit is unknown or the horizon is not positive.

        Warns
        -----
        DataWarning
            If the name of the time column speaks of another unit.
        """
        if unit not in DAYS:
            raise EndpointError(f"Unknown unit of time {unit!r}; use one of {', '.join(DAYS)}.")
        if horizon is not None and not horizon > 0:
            raise EndpointError(f"The horizon must be positive, not {horizon}.")
        said = unit_said(time)
        if said not in (None, unit):
            warn(
                f"The column {time} speaks of {said}, and its times are read as {unit}: say {option('unit', said)} if "
                "it does.",
                DataWarning,
            )
        return cls("survival", name or event, time, event, unit, entry, competing, horizon, event_value)

    @classmethod
    def label(
        cls,
        column: str,
        *,
        positive: Hashable | None = None,
        order: Sequence[Hashable] = (),
        classes: Sequence[Hashable] = (),
        balanced: bool = False,
        name: str | None = None,
    ) -> Endpoint:
        """Class of an observation.

        Parameters
        ----------
        column
            Column of the labels.
        positive
            The positive class of a binary label: what a ratio above 1 means more of. By default the larger number (1
            of 0/1, True of False/True); a label in words has no default and is refused without.
        order
            Ascending classes of an ordinal label, such as ``("normal", "NASH", "cirrhosis", "HCC")``; values that are
            not listed are excluded and logged. An ordered categorical column declares its own.
        classes
            Classes of an unordered label, such as ``("S1", "S2", "S3")``, the first of which is the reference of odds
            ratios; values that are not listed are excluded and logged.
        balanced
            Weight the classes so that each counts the same in the fitting and the metrics of `evaluate`, `fit_model`
            and `validate`: a rare class is found more often, and probabilities are those of classes equally common.
        name
            What tables call it.

        Raises
        ------
        EndpointError
            If the classes are declared twice or contradict `positive` or `balanced`.
        """
        check_declared(column, positive, order, classes, balanced)
        made = cls("label", name or column, column=column, positive=positive, order=tuple(order))
        return replace(made, classes=tuple(classes), balanced=balanced)

    @classmethod
    def early(
        cls,
        time: str,
        event: str,
        horizon: float,
        unit: str = "months",
        *,
        competing: str | int | None = None,
        event_value: Hashable | None = None,
        name: str | None = None,
    ) -> Endpoint:
        """Event within a horizon against none, derived from survival; such as recurrence within 24 months.

        Observations censored before the horizon are neither: they keep their place with weight 0, and the others are
        weighted by the inverse Kaplan-Meier probability of being uncensored (at the event, or at the horizon), so
        that the weighted sample stands for all. `horizon` and the time column are in `unit`. A `competing` event (as
        in `survival`) by the horizon means no event: the weighted prevalence is the cumulative incidence.
        """
        base = cls.survival(time, event, unit, competing=competing, horizon=horizon, event_value=event_value)
        label = name or f"{event} within {horizon:g} {unit}"
        return replace(base, kind="early", name=label)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the clinical table that hold the outcome."""
        found = (self.time, self.event, self.entry, self.competing, self.column)
        return tuple(c for c in found if isinstance(c, str))

    @property
    def within_days(self) -> float | None:
        """Days within which an early event counts; None for other endpoints."""
        return self.horizon * DAYS[self.unit] if self.kind == "early" and self.horizon is not None else None

    def as_read(self, classes: Sequence[str], ordered: bool) -> Endpoint:
        """Return the endpoint with the classes that a label was read with, where it names none itself."""
        if self.kind != "label" or self.positive is not None or self.order or self.classes:
            return self
        if len(classes) > 2:
            return replace(self, order=tuple(classes)) if ordered else replace(self, classes=tuple(classes))
        return replace(self, positive=classes[-1]) if len(classes) == 2 else self

    @property
    def data_kind(self) -> str:
        """Kind of data that `resolve` returns: an early endpoint is a label, several classes are kinds of their own."""
        if len(self.order) > 2 or len(self.classes) > 2:
            return "ordered" if self.order else "classes"
        return "label" if self.kind == "early" else self.kind

    def resolve(self, clinical: pd.DataFrame, index: pd.Index | None = None) -> OutcomeData:
        """Read the endpoint from a clinical table.

        Parameters
        ----------
        clinical
            Observations x columns.
        index
            Observations to look at; those missing from `clinical` are excluded and logged.

        Returns
        -------
        SurvivalData or LabelData
            Who counts, their outcome, and who was excluded by which rule.

        Raises
        ------
        EndpointError
            If a column is missing, holds values that are not a time or not an event, or an observation is duplicated.
        """
        if self.kind not in _RESOLVERS:
            raise EndpointError(f"Unknown kind of endpoint {self.kind!r}; use one of {', '.join(_RESOLVERS)}.")
        table, missing = align(clinical, index, self.name)
        return _RESOLVERS[self.kind](self, table, missing)

    def resolve_survival(self, clinical: pd.DataFrame, index: pd.Index | None = None) -> SurvivalData:
        """Like `resolve`, and an `EndpointError` where it is not a survival endpoint."""
        data = self.resolve(clinical, index)
        if not isinstance(data, SurvivalData):
            raise EndpointError(f"{self.name} is a label; this needs a survival endpoint (Endpoint.survival).")
        if data.n == 0:
            why = reasons(data, "there are no observations")
            raise EndpointError(f"Endpoint {self.name}: no observation is left ({why}).")
        return data

    def resolve_label(self, clinical: pd.DataFrame, index: pd.Index | None = None) -> LabelData:
        """Like `resolve`, and an `EndpointError` where it is not a label."""
        data = self.resolve(clinical, index)
        if not isinstance(data, LabelData):
            raise EndpointError(f"{self.name} is a survival endpoint; this needs a label (Endpoint.label or .early).")
        return data

    def _survival(self, table: pd.DataFrame, missing: list[dict[str, str]]) -> SurvivalData:
        time = numbers(pick(table, self.time, self.name), f"time column {self.time!r}")
        column = pick(table, self.event, self.name)
        if self.event_value is None:
            ask_for_event(column)
        status = status_of(column, self.event_value, self.competing, self.name)
        unknown = np.zeros(len(status), dtype=bool)
        if isinstance(self.competing, str):
            other = status_of(pick(table, self.competing, self.name))
            unknown = (status == 0) & np.isnan(other)
            status = np.where((status == 0) & (other == 1), 2.0, status)
        entry = None
        if self.entry is not None:
            entry = numbers(pick(table, self.entry, self.name), f"entry column {self.entry!r}")
        rules = [
            ("time missing", np.isnan(time)),
            ("event missing", np.isnan(status)),
            ("competing event missing", unknown),
            ("time negative", time < 0),
        ]
        if entry is not None:
            rules += [("entry missing", np.isnan(entry)), ("entry not before time", entry >= time)]
        keep, log = apply_rules(table.index, self.name, rules)
        index, time, codes = table.index[keep], time[keep], status[keep].astype(np.int64)
        entry = None if entry is None else entry[keep]
        # A horizon beyond follow-up cuts nothing, and is none of these data.
        cut = float(self.horizon) if self.horizon is not None and bool((time > self.horizon).any()) else math.nan
        if self.horizon is not None:
            codes = np.where(time > self.horizon, 0, codes)
            time = np.minimum(time, self.horizon)
            if entry is not None and bool((entry >= time).any()):
                late = entry >= time
                log += [row(o, self.name, "entry after horizon") for o in index[late]]
                index, time, codes, entry = index[~late], time[~late], codes[~late], entry[~late]
        zero = tuple(str(o) for o in index[time == 0])
        excluded = pd.DataFrame(missing + log, columns=EXCLUDED)
        return SurvivalData(self.name, self.unit, index, time, codes == 1, entry, codes, excluded, zero, cut)

    def _early(self, table: pd.DataFrame, missing: list[dict[str, str]]) -> LabelData:
        if self.horizon is None:
            raise EndpointError(f"{self.name} has no horizon; make it with Endpoint.early.")
        data = replace(self, kind="survival", horizon=None)._survival(table, missing)
        if data.n and self.horizon > data.longest:
            raise EndpointError(
                f"Endpoint {self.name}: its horizon lies beyond the longest follow-up ({data.longest:g} {self.unit}), "
                "where nothing is known; name an earlier one."
            )
        by = data.event & (data.time <= self.horizon)
        # A competing event ends what there is to know as the event itself does: it is no censoring.
        any_event = data.status > 0
        weights = inverse_weights(data.time, any_event, self.horizon)
        names = (f"no event within {self.horizon:g} {self.unit}", f"event within {self.horizon:g} {self.unit}")
        source = (data.time, any_event, self.horizon)
        return LabelData(self.name, data.index, by.astype(np.int64), names, False, weights, data.excluded, source)

    def _label(self, table: pd.DataFrame, missing: list[dict[str, str]]) -> LabelData:
        column = pick(table, self.column, self.name)
        rules = [("label missing", column.isna().to_numpy())]
        names, ordered = declare(column, self.order, self.classes)
        if names:
            which = "ordered classes" if ordered else "declared classes"
            rules.append((f"label not among the {which}", named_classes(column, names) < 0))
        keep, log = apply_rules(table.index, self.name, rules)
        column = column[keep]
        if names:
            y = named_classes(column, names)
        else:
            found, y = two_classes(column, self.positive, self.name)
            names = tuple(name_of(c) for c in found)
        excluded = pd.DataFrame(missing + log, columns=EXCLUDED)
        declared = len(names) > 2 and (ordered or bool(self.classes))
        weights = np.ones(len(y))
        return LabelData(
            self.name, table.index[keep], y, names, ordered, weights, excluded, None, declared, self.balanced
        )


_RESOLVERS: dict[str, Callable[[Endpoint, pd.DataFrame, list[dict[str, str]]], OutcomeData]] = {
    "survival": Endpoint._survival,
    "label": Endpoint._label,
    "early": Endpoint._early,
}
"""How an endpoint of each kind is read from the aligned clinical rows, and the log of those without one."""

"""Competing risks: cumulative incidence and cause-specific hazards.

References
----------
Aalen and Johansen, Scand J Stat 1978;5:141; Prentice et al., Biometrics 1978;34:541 (cause-specific hazards).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from mtorscore.errors import EndpointError
from mtorscore.prognosis.endpoints.endpoints import Endpoint, SurvivalData
from mtorscore.prognosis.statistics.incidence import aalen_johansen, incidence_interval

__all__ = ["cause_specific", "cumulative_incidence"]


def cumulative_incidence(
    clinical: pd.DataFrame, endpoint: Endpoint, groups: pd.Series | None = None, *, level: float = 0.95
) -> pd.DataFrame:
    """Aalen-Johansen cumulative incidence of the event and of the competing event.

    Parameters
    ----------
    clinical
        Table that holds the endpoint.
    endpoint
        A survival endpoint, usually with `competing`.
    groups
        Optional groups, each with its own curves.
    level
        Of the interval, on the log(-log) scale.

    Returns
    -------
    pandas.DataFrame
        group, cause (``"event"`` or ``"competing"``), time, n_risk, incidence, se, low, high.
    """
    index = None if groups is None else groups.dropna().index
    data = endpoint.resolve_survival(clinical, index)
    labels = pd.Series("all", index=data.index) if groups is None else groups.loc[data.index].astype(str)
    parts = []
    for label in sorted(labels.unique()):
        part = data.take((labels == label).to_numpy())
        for code, cause in ((1, "event"), (2, "competing")):
            if code == 2 and not (data.status == 2).any():
                continue
            at, risk, incidence, se = aalen_johansen(part.time, part.status, code, part.entry)
            low, high = incidence_interval(incidence, se, level)
            columns = {"time": at, "n_risk": risk, "incidence": incidence, "se": se, "low": low, "high": high}
            parts.append(pd.DataFrame({"group": label, "cause": cause} | columns))
    return pd.concat(parts, ignore_index=True)


def cause_specific(
    scores: Any, clinical: pd.DataFrame, endpoint: Endpoint, adjust: Sequence[Any] = (), **options: Any
) -> pd.DataFrame:
    """Cause-specific Cox models of the event and of the competing event, side by side.

    A score that lowers the incidence of an event may do so by raising its competitor; only both hazards show it.

    Parameters
    ----------
    scores, clinical, adjust, **options
        As in `associate`.
    endpoint
        With `competing`.

    Returns
    -------
    pandas.DataFrame
        As from `associate`, with a column `cause` in front.

    Raises
    ------
    EndpointError
        If the endpoint names no competing event.
    """
    from mtorscore.prognosis.association.associate import associate

    if endpoint.competing is None:
        raise EndpointError(f"Endpoint {endpoint.name} names no competing event; use Endpoint.survival(competing=...).")
    index = clinical.index if not isinstance(scores, pd.DataFrame) else scores.index
    data = endpoint.resolve_survival(clinical, index)
    parts = []
    for code, cause in ((1, "event"), (2, "competing")):
        table, plain = _as_columns(clinical, data, endpoint, code)
        part = associate(scores, table, plain, adjust, **options)
        part.insert(0, "cause", cause)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _as_columns(
    clinical: pd.DataFrame, data: SurvivalData, endpoint: Endpoint, code: int
) -> tuple[pd.DataFrame, Endpoint]:
    """Write one cause as an ordinary event column; the other cause counts as censored."""
    table = clinical.loc[data.index].copy()
    table["__time"], table["__event"] = data.time, (data.status == code).astype(int)
    columns = {"time": "__time", "event": "__event", "competing": None, "event_value": None, "horizon": None}
    return table, replace(endpoint, **columns)  # type: ignore[arg-type]

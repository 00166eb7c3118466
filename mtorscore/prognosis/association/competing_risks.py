"""Competing risks: cumulative incidence and cause-specific hazards.

References
----------
Aalen and Johansen, Scand J Stat 1978;5:141; Marubini and Valsecchi 1995 (delta-method variance); Prentice et al.,
Biometrics 1978;34:541 (cause-specific hazards).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore.errors import EndpointError
from mtorscore.prognosis.endpoints.endpoints import Endpoint, SurvivalData
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

__all__ = ["cause_specific", "cumulative_incidence"]


def aalen_johansen(
    time: FloatArray, status: IntArray, cause: int, entry: FloatArray | None = None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Cumulative incidence of one cause.

    Returns
    -------
    time, n_risk, incidence, se
        At each distinct follow-up time; the standard error by the delta method.
    """
    at, inverse = np.unique(time, return_inverse=True)
    own = np.bincount(inverse, weights=status == cause, minlength=len(at))
    every = np.bincount(inverse, weights=status > 0, minlength=len(at))
    leaving = np.bincount(inverse, minlength=len(at))
    risk = np.cumsum(leaving[::-1])[::-1].astype(np.float64)
    if entry is not None:
        risk -= len(entry) - np.searchsorted(np.sort(entry), at, side="left")
    safe = np.maximum(risk, 1.0)
    survival = np.cumprod(1 - every / safe)
    before = np.concatenate([[1.0], survival[:-1]])
    incidence = np.cumsum(before * own / safe)
    with np.errstate(divide="ignore", invalid="ignore"):
        a = np.where(risk > every, every / (safe * (safe - every)), 0.0)
    b = before**2 * (safe - own) / safe**3 * own
    c = before * own / safe**2
    # Sums over earlier times of (F(t) - F(u))^2 a + b - 2 (F(t) - F(u)) c, opened up into running sums.
    f = incidence
    sums = [np.cumsum(v) for v in (a, f * a, f * f * a, b, c, f * c)]
    variance = f * f * sums[0] - 2 * f * sums[1] + sums[2] + sums[3] - 2 * (f * sums[4] - sums[5])
    return at, risk, incidence, np.sqrt(np.maximum(variance, 0.0))


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
    z = stats.norm.ppf(0.5 + level / 2)
    parts = []
    for label in sorted(labels.unique()):
        part = data.take((labels == label).to_numpy())
        for code, cause in ((1, "event"), (2, "competing")):
            if code == 2 and not (data.status == 2).any():
                continue
            at, risk, incidence, se = aalen_johansen(part.time, part.status, code, part.entry)
            with np.errstate(divide="ignore", invalid="ignore"):
                width = z * se / (incidence * np.log(incidence))
                inside = (incidence > 0) & (incidence < 1)
                low = np.where(inside, incidence ** np.exp(-width), np.nan)
                high = np.where(inside, incidence ** np.exp(width), np.nan)
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

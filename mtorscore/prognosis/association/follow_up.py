"""How long patients were followed: the reverse Kaplan-Meier estimate.

References
----------
Schemper and Smith, Control Clin Trials 1996;17:343; Brookmeyer and Crowley, Biometrics 1982;38:29 (interval).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mtorscore.prognosis.endpoints.checks import check_level
from mtorscore.prognosis.endpoints.covariates import pick_columns
from mtorscore.prognosis.endpoints.endpoints import Endpoint, SurvivalData
from mtorscore.prognosis.statistics.kaplan_meier import loglog_interval, product_limit
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["follow_up"]


def follow_up(
    clinical: pd.DataFrame, endpoint: Endpoint, by: str | None = None, *, level: float = 0.95
) -> pd.DataFrame:
    """Return the median follow-up of a survival endpoint by the reverse Kaplan-Meier estimate.

    What ends follow-up without any event is the event here; events, competing ones included, are censored: a patient
    who died early would have been followed for longer.

    Parameters
    ----------
    clinical
        Clinical table.
    endpoint
        A survival endpoint.
    by
        Column whose values are followed apart, such as the cohort; everybody is the first row all the same.
    level
        Of the interval.

    Returns
    -------
    pandas.DataFrame
        group, n, events, competing, median_follow_up, low, high (log(-log) interval), longest, unit, level, reason. NaN
        where the curve does not fall to one half, with the reason.

    Raises
    ------
    EndpointError
        If the endpoint is none of survival.
    """
    check_level(level)
    data = endpoint.resolve_survival(clinical)
    parts = [("all", np.ones(data.n, dtype=bool))]
    if by is not None:
        groups = pick_columns(clinical, [by], "column(s)")[by].astype(object).reindex(data.index)
        parts += [(str(g), (groups == g).to_numpy(dtype=bool)) for g in groups.dropna().unique()]
    return pd.DataFrame([{"group": name} | _one(data.take(at), level) for name, at in parts])


def _one(data: SurvivalData, level: float) -> dict[str, Any]:
    competing = int((data.status == 2).sum())
    row: dict[str, Any] = {"n": data.n, "events": data.n_events, "competing": competing}
    row |= dict.fromkeys(("median_follow_up", "low", "high"), np.nan)
    row |= {"longest": data.longest, "unit": data.unit, "level": level}
    if not data.n:
        return row | {"reason": "nobody is left"}
    curve = product_limit(data.time, data.status == 0, data.entry)
    low, high = loglog_interval(curve.survival, curve.se, level)
    found = {"median_follow_up": curve.survival, "low": low, "high": high}
    row |= {name: _first(curve.time, values) for name, values in found.items()}
    never = not np.isfinite(row["median_follow_up"])
    return row | {"reason": "more than half would have been followed beyond the longest time" if never else ""}


def _first(time: FloatArray, curve: FloatArray) -> float:
    """Return the first time at which a curve is at one half or below; NaN where it never is."""
    at = np.flatnonzero(curve <= 0.5 + 1e-12)
    return float(time[at[0]]) if len(at) else float("nan")

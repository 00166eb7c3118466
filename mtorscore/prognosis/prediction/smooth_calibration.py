"""Smooth calibration: observed risk over predicted risk with a band, and the distance between both.

References
----------
Austin, Harrell and van Klaveren, Stat Med 2020;39:2714 (survival); Austin and Steyerberg, Stat Med 2019;38:4051 (ICI,
E50, E90); Austin, Putter, Giardiello and van Klaveren, Diagn Progn Res 2022;6:2, and van Geloven et al., BMJ
2022;377:e069249 (competing events).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._outcome_terms import EVENTS_PER_PARAMETER, MIN_EVENTS
from mtorscore.errors import DataError
from mtorscore.prognosis.endpoints.checks import check_level, within_follow_up
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.prognosis.statistics.risk_sets import FloatArray
from mtorscore.prognosis.statistics.smoothing import KNOTS

__all__ = ["ERRORS", "NO_INTERVAL", "SmoothCalibration", "smooth_calibration"]

ERRORS = ("ici", "e50", "e90")
"""Mean, median and 90th percentile of the distance between smoothed observed and predicted risk."""
NO_INTERVAL = "a distance, which chance alone makes greater than 0: no interval is given"
SMOOTHERS = ("spline", "loess")
_NEAREST = 1e-9
"""Predicted risks are kept this far from 0 and 1, which have no log(-log)."""


@dataclass(frozen=True, eq=False)
class SmoothCalibration:
    """Result of `smooth_calibration`.

    Attributes
    ----------
    curve
        predicted, observed, low, high, horizon, positive, level; on a grid between the 1st and the 99th percentile of
        the predicted risks, where there is enough to see. Empty with a `reason`.
    ici, e50, e90, emax
        Mean (integrated calibration index), median, 90th percentile and maximum, over the observations, of the distance
        between smoothed observed and predicted risk; NaN with a `reason`. Chance alone makes them greater than 0.
    smoother
        What was fitted, in words.
    reason
        Why there is no curve.
    """

    curve: pd.DataFrame
    ici: float = float("nan")
    e50: float = float("nan")
    e90: float = float("nan")
    emax: float = float("nan")
    smoother: str = ""
    reason: str = ""


def smooth_calibration(
    predicted: npt.ArrayLike,
    data: OutcomeData,
    horizon: float | None = None,
    *,
    smoother: str = "spline",
    knots: int = 3,
    points: int = 100,
    level: float = 0.95,
) -> SmoothCalibration:
    """Observed against predicted risk as a smooth curve with a pointwise band, with ICI, E50 and E90.

    Survival: a Cox model on a restricted cubic spline of log(-log(1 - predicted)); with competing events its risk is
    that of a regression of pseudo-observations of the cumulative incidence instead. Labels: a logistic model on a
    restricted cubic spline of the log odds, or loess.

    Parameters
    ----------
    predicted
        ``(n,)`` predicted risk (by `horizon`, for survival).
    data
        Resolved endpoint.
    horizon
        For survival.
    smoother
        ``"spline"``; for labels also ``"loess"``, the definition of Austin and Steyerberg.
    knots
        3, 4 or 5; fewer, down to a straight line, where there are fewer than ten events per parameter.
    points
        Of the curve.
    level
        Of the band.

    Raises
    ------
    DataError
        If an option is unknown, predictions are no risks, or a survival endpoint comes without a horizon.
    EndpointError
        If the horizon lies beyond follow-up.
    """
    check_level(level)
    values, task = np.asarray(predicted, dtype=np.float64), make_task(data)
    if smoother not in SMOOTHERS or knots not in KNOTS or points < 2:
        raise DataError(f"Use smoother='spline' or 'loess', knots 3, 4 or 5; got {smoother!r}, {knots!r}, {points!r}.")
    if values.shape != (data.n,) or not ((values >= 0) & (values <= 1)).all():
        raise DataError(f"Predicted risks must be {data.n} numbers from 0 to 1, none missing.")
    if task.needs_horizon and horizon is None:
        raise DataError("Calibration of a survival endpoint needs a horizon.")
    at_time = within_follow_up(float(horizon), data) if task.needs_horizon and horizon is not None else data.horizon
    events = task.events_by(at_time)
    if events < MIN_EVENTS:
        return _without(f"only {events} event(s); at least {MIN_EVENTS} are asked for")
    allowed = max(2, min(knots, 1 + events // EVENTS_PER_PARAMETER))
    first, last = np.quantile(values, 0.01), np.quantile(values, 0.99)
    grid = np.linspace(first, last, points) if np.ptp(values) > 0 else values[:1]
    inside = np.clip(np.concatenate([values, grid]), _NEAREST, 1 - _NEAREST)
    fitted, words = task.smooth(inside[: data.n], inside, at_time, smoother=smoother, knots=allowed, level=level)
    if not np.isfinite(fitted.value).all():
        return _without("the smooth model did not converge")
    n = len(values)
    curve = pd.DataFrame({"predicted": grid, "observed": fitted.value[n:]})
    curve = curve.assign(low=fitted.low[n:], high=fitted.high[n:], horizon=at_time, positive=data.positive, level=level)
    return SmoothCalibration(curve, *_distances(fitted.value[:n], values, task.weights), words)


def _distances(observed: FloatArray, predicted: FloatArray, weights: FloatArray) -> tuple[float, float, float, float]:
    """Weighted mean, median, 90th percentile and maximum of the distance."""
    distance = np.abs(observed - predicted)
    if (weights == weights[0]).all():
        middle, far = np.quantile(distance, [0.5, 0.9])
        return float(distance.mean()), float(middle), float(far), float(distance.max())
    order = np.argsort(distance, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    found = [float(distance[order][np.searchsorted(share, q - 1e-12)]) for q in (0.5, 0.9)]
    return float(np.average(distance, weights=weights)), found[0], found[1], float(distance[weights > 0].max())


def _without(reason: str) -> SmoothCalibration:
    columns = ["predicted", "observed", "low", "high", "horizon", "positive", "level"]
    return SmoothCalibration(pd.DataFrame(columns=columns), reason=reason)

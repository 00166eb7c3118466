"""Cumulative incidence under competing risks: plain arrays in, plain arrays out.

A status is 0 (censored), 1 (the event of interest) or 2 (a competing event).

References
----------
Aalen and Johansen, Scand J Stat 1978;5:141; Marubini and Valsecchi 1995 (delta-method variance).
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray


def aalen_johansen(
    time: FloatArray,
    status: IntArray,
    cause: int,
    entry: FloatArray | None = None,
    weights: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Cumulative incidence of one cause.

    Returns
    -------
    time, n_risk, incidence, se
        At each distinct follow-up time; the standard error by the delta method (of weights as counts).
    """
    w: FloatArray = np.ones(len(time)) if weights is None else weights
    at, inverse = np.unique(time, return_inverse=True)
    own = np.bincount(inverse, weights=w * (status == cause), minlength=len(at))
    every = np.bincount(inverse, weights=w * (status > 0), minlength=len(at))
    leaving = np.bincount(inverse, weights=w, minlength=len(at))
    risk: FloatArray = np.cumsum(leaving[::-1])[::-1].astype(np.float64)
    if entry is not None:
        order = np.argsort(entry, kind="stable")
        ahead = np.concatenate([[0.0], np.cumsum(w[order])])
        # Not yet under risk at t: entry >= t.
        risk = risk - (ahead[-1] - ahead[np.searchsorted(entry[order], at, side="left")])
    safe = np.where(risk > 0, risk, 1.0)
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


def incidence_interval(incidence: FloatArray, se: FloatArray, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Interval of a cumulative incidence on the log(-log) scale; NaN where it is 0 or 1."""
    z = stats.norm.ppf(0.5 + level / 2)
    inside = (incidence > 0) & (incidence < 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        width = z * se / (incidence * np.log(incidence))
        low, high = incidence ** np.exp(-width), incidence ** np.exp(width)
    return np.where(inside, low, np.nan), np.where(inside, high, np.nan)


def incidence_at(
    time: FloatArray, status: IntArray, at: float, weights: FloatArray | None = None, level: float = 0.95
) -> tuple[float, float, float]:
    """Cumulative incidence of the event of interest by one time, with its interval (NaN where it is 0 or 1)."""
    times, _, incidence, se = aalen_johansen(time, status, 1, weights=weights)
    i = int(np.searchsorted(times, at, side="right")) - 1
    if i < 0:
        return 0.0, float("nan"), float("nan")
    low, high = incidence_interval(incidence[[i]], se[[i]], level)
    return float(incidence[i]), float(low[0]), float(high[0])


def incidences_at(time: FloatArray, status: IntArray, at: float, weights: FloatArray) -> FloatArray:
    """``(R,)`` cumulative incidence of the event of interest by one time in each of ``(R, n)`` resamples."""
    times, inverse = np.unique(time, return_inverse=True)
    last = int(np.searchsorted(times, at, side="right"))
    order = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[order], np.arange(len(times)))
    w = weights[:, order]

    def at_each(which: FloatArray) -> FloatArray:
        out: FloatArray = np.add.reduceat(w * which[order], starts, axis=1)
        return out

    leaving, own = at_each(np.ones(len(time))), at_each((status == 1).astype(np.float64))
    every = at_each((status > 0).astype(np.float64))
    risk = np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1]
    safe = np.where(risk > 0, risk, 1.0)
    survival = np.cumprod(1 - every / safe, axis=1)
    before = np.concatenate([np.ones((len(w), 1)), survival[:, :-1]], axis=1)
    out: FloatArray = (before * own / safe)[:, :last].sum(axis=1)
    return out

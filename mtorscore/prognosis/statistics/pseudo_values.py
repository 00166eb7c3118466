"""Pseudo-observations of a risk by a time, also with competing events, and their regression.

The pseudo-observation of i is ``n F - (n - 1) F_(-i)``, with ``F`` the Aalen-Johansen estimate of the risk by the
horizon (one minus Kaplan-Meier without competing events) and ``F_(-i)`` that without i. It stands for the indicator of
the event where censoring hides it.

References
----------
Andersen, Klein and Rosthoj, Biometrika 2003;90:15; Gerds, Andersen and Kattan, Stat Med 2014;33:3191 (calibration);
van Geloven et al., BMJ 2022;377:e069249 (validation with competing events).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray
from mtorscore.prognosis.statistics.smoothing import Smooth, knots_of, spline_basis

BLOCK = 4_000_000
FURTHEST = 30.0
"""Largest log cumulative hazard of a fitted risk."""


def pseudo_values(time: FloatArray, status: IntArray, horizon: float) -> FloatArray:
    """``(n,)`` pseudo-observations of the risk of the event (status 1) by `horizon`; 2 is a competing event."""
    n = len(time)
    at = np.unique(time[(status > 0) & (time <= horizon)])
    if not len(at):
        return np.zeros(n)
    place = np.searchsorted(at, time, side="right") - 1
    risk = np.array([(time >= t).sum() for t in at], dtype=np.float64)
    exact = (place >= 0) & (at[np.maximum(place, 0)] == time)
    events = np.array([np.bincount(place[exact & (status == s)], minlength=len(at)) for s in (1, 2)], dtype=np.float64)

    def aalen_johansen(y: FloatArray, first: FloatArray, any_: FloatArray) -> FloatArray:
        safe = np.maximum(y, 1.0)
        stay = np.where(y > 0, 1.0 - any_ / safe, 1.0)
        before = np.cumprod(stay, axis=1)
        before = np.concatenate([np.ones((len(y), 1)), before[:, :-1]], axis=1)
        out: FloatArray = (before * np.where(y > 0, first / safe, 0.0)).sum(axis=1)
        return out

    whole = float(aalen_johansen(risk[None], events[:1], events.sum(axis=0, keepdims=True))[0])
    left = np.empty(n)
    for rows in np.array_split(np.arange(n), max(1, -(-n * len(at) // BLOCK))):
        mine = place[rows, None] == np.arange(len(at))
        mine &= exact[rows, None]
        y = risk - (time[rows, None] >= at)
        first = events[0] - (mine & (status[rows, None] == 1))
        left[rows] = aalen_johansen(y, first, events.sum(axis=0) - (mine & (status[rows, None] > 0)))
    out: FloatArray = n * whole - (n - 1) * left
    return out


def fit_cloglog(pseudo: FloatArray, design: FloatArray, start: FloatArray) -> tuple[FloatArray, FloatArray, bool]:
    """Regression of pseudo-observations with complementary log-log link and independent, equal variances.

    Parameters
    ----------
    pseudo
        ``(n,)``.
    design
        ``(n, p)``, with a column of ones where there is an intercept.
    start
        ``(p,)``.

    Returns
    -------
    coef, covariance, converged
        ``(p,)``, ``(p, p)`` sandwich estimate.
    """
    coef, done = start.copy(), False

    def parts(b: FloatArray) -> tuple[FloatArray, FloatArray]:
        hazard = np.exp(np.minimum(design @ b, FURTHEST))
        return pseudo + np.expm1(-hazard), design * (hazard * np.exp(-hazard))[:, None]

    residual, slope = parts(coef)
    for _ in range(100):
        step = np.linalg.pinv(slope.T @ slope) @ (slope.T @ residual)
        for _ in range(20):
            fresh = parts(coef + step)
            if (fresh[0] ** 2).sum() <= (residual**2).sum() * (1 + 1e-12):
                break
            step = step / 2
        coef, (residual, slope) = coef + step, fresh
        done = bool(np.abs(step).max(initial=0.0) < 1e-10)
        if done:
            break
    bread = np.linalg.pinv(slope.T @ slope)
    covariance: FloatArray = bread @ (slope.T * residual**2 @ slope) @ bread
    return coef, covariance, done and bool(np.abs(coef).max(initial=0.0) < FURTHEST)


def pseudo_risk(
    time: FloatArray, status: IntArray, x: FloatArray, at: FloatArray, horizon: float, *, knots: int = 3,
    level: float = 0.95,
) -> Smooth:  # fmt: skip
    """Risk by `horizon` over `x`: pseudo-observations on its restricted cubic spline, complementary log-log link.

    Arguments as in `mtorscore.prognosis.statistics.smoothing.cox_risk`; the interval is that of the sandwich estimator.
    """
    pseudo = pseudo_values(time, status, horizon)
    at_knots = knots_of(x, knots)
    own, new = spline_basis(x, at_knots), spline_basis(at, at_knots)
    mean, sd = own.mean(axis=0), own.std(axis=0)
    keep = sd > 1e-12 * np.maximum(np.abs(own).max(axis=0, initial=0.0), 1e-300)
    design = np.column_stack([np.ones(len(own)), ((own - mean) / np.where(keep, sd, 1.0))[:, keep]])
    points = np.column_stack([np.ones(len(new)), ((new - mean) / np.where(keep, sd, 1.0))[:, keep]])
    overall = float(np.clip(pseudo.mean(), 1e-6, 1 - 1e-6))
    start = np.zeros(design.shape[1])
    start[0] = np.log(-np.log1p(-overall))
    coef, covariance, good = fit_cloglog(pseudo, design, start)
    if not good:
        nothing: npt.NDArray[np.float64] = np.full(len(at), np.nan)
        return Smooth(nothing, nothing, nothing)
    eta = points @ coef
    half = float(stats.norm.ppf(0.5 + level / 2)) * np.sqrt(np.einsum("mp,pq,mq->m", points, covariance, points))
    return Smooth(*(-np.expm1(-np.exp(np.minimum(v, FURTHEST))) for v in (eta, eta - half, eta + half)))

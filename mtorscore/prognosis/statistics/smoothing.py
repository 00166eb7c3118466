"""Smooth curves of an outcome over one number: restricted cubic splines in Cox and logistic models, and loess.

References
----------
Austin, Harrell and van Klaveren, Stat Med 2020;39:2714 (smooth calibration of survival models: a Cox model on a
restricted cubic spline of the complementary log-log of the predicted risk); Austin and Steyerberg, Stat Med
2019;38:4051 (integrated calibration index, binary outcomes, loess); Harrell, Regression Modeling Strategies, 2015
(basis and places of the knots); Cleveland, JASA 1979;74:829 (loess).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import expit

from mtorscore.prognosis.statistics import cox, logistic
from mtorscore.prognosis.statistics.risk_sets import FloatArray, RiskSets

KNOTS = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95), 5: (0.05, 0.275, 0.5, 0.725, 0.95)}
"""Quantiles at which the knots of a restricted cubic spline stand."""
SPAN = 0.75
"""Share of the observations that each point of a loess curve looks at."""


@dataclass(frozen=True)
class Smooth:
    """A smooth curve: ``(m,)`` estimate with its pointwise interval; NaN where the model has no estimate."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


def knots_of(x: FloatArray, k: int) -> FloatArray:
    """``(k,)`` knots at fixed quantiles of `x`; none where they would coincide."""
    if k not in KNOTS:
        return np.zeros(0)
    at: FloatArray = np.quantile(x, KNOTS[k])
    return at if (np.diff(at) > 1e-9 * np.abs(at).max(initial=1e-9)).all() else np.zeros(0)


def shape_of(knots: int) -> str:
    """Say what a number of knots gives."""
    return f"restricted cubic spline, {knots} knots" if knots in KNOTS else "straight line"


def spline_basis(x: FloatArray, knots: FloatArray) -> FloatArray:
    """``(n, k - 1)`` restricted cubic spline: linear beyond the outer knots; `x` itself without knots."""
    parts = [x]
    if len(knots) > 2:
        last, before, scale = knots[-1], knots[-2], (knots[-1] - knots[0]) ** 2

        def cube(values: FloatArray) -> FloatArray:
            out: FloatArray = np.maximum(values, 0.0) ** 3
            return out

        for knot in knots[:-2]:
            tail = cube(x - before) * (last - knot) - cube(x - last) * (before - knot)
            parts.append((cube(x - knot) - tail / (last - before)) / scale)
    return np.column_stack(parts)


def _standardised(x: FloatArray, at: FloatArray, knots: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bases of observations and points, centred and scaled by the observations; columns that vary."""
    own, new = spline_basis(x, knots), spline_basis(at, knots)
    mean, sd = own.mean(axis=0), own.std(axis=0)
    keep = sd > 1e-12 * np.maximum(np.abs(own).max(axis=0, initial=0.0), 1e-300)
    return (own[:, keep] - mean[keep]) / sd[keep], (new[:, keep] - mean[keep]) / sd[keep]


def _unknown(at: FloatArray) -> Smooth:
    nothing = np.full(len(at), np.nan)
    return Smooth(nothing, nothing, nothing)


def cox_risk(
    time: FloatArray,
    event: npt.NDArray[np.bool_],
    x: FloatArray,
    at: FloatArray,
    horizon: float,
    *,
    entry: FloatArray | None = None,
    knots: int = 3,
    level: float = 0.95,
) -> Smooth:
    """Risk by `horizon` over `x`, by a Cox model on its restricted cubic spline.

    Parameters
    ----------
    time, event, entry
        The outcome.
    x
        ``(n,)`` number that the risk depends on.
    at
        ``(m,)`` points of the curve.
    horizon
        Time by which the event happens.
    knots
        3, 4 or 5; 2 for a straight line.
    level
        Of the interval, on the log(-log) scale: that of ``survfit`` of a Cox model.
    """
    design, new = _standardised(x, at, knots_of(x, knots))
    risk = RiskSets(time, event, entry)
    fit = cox.newton(risk, design[:, :, None])
    if design.shape[1] and not fit.converged[0]:
        return _unknown(at)
    by = risk.times <= horizon
    if not by.any():
        return Smooth(np.zeros(len(at)), np.full(len(at), np.nan), np.full(len(at), np.nan))
    coef = fit.coef[:, 0]
    w = np.exp(design @ coef)
    s0 = risk.sum(w)
    mean = (risk.sum(w[:, None] * design) / s0[:, None])[by]
    step = 1.0 / s0[by]
    cumulative = float(step.sum())
    hazard = cumulative * np.exp(new @ coef)
    slope = new * cumulative - (mean * step[:, None]).sum(axis=0)
    covariance = fit.covariance[:, :, 0] if design.shape[1] else np.zeros((0, 0))
    spread = np.sqrt((step**2).sum() + np.einsum("mp,pq,mq->m", slope, covariance, slope)) / cumulative
    z = float(stats.norm.ppf(0.5 + level / 2))
    return Smooth(*(-np.expm1(-hazard * np.exp(s * z * spread)) for s in (0.0, -1.0, 1.0)))


def logistic_risk(
    y: FloatArray, x: FloatArray, at: FloatArray, *, weights: FloatArray | None = None, knots: int = 3,
    level: float = 0.95,
) -> Smooth:  # fmt: skip
    """Risk over `x`, by a logistic model on its restricted cubic spline; arguments as in `cox_risk`.

    With weights other than 0 and 1 the interval is that of the sandwich estimator.
    """
    w = np.ones(len(y)) if weights is None else weights
    design, new = _standardised(x, at, knots_of(x[w > 0], knots))
    fit = logistic.newton(design[:, :, None], y, w)
    if not fit.converged[0]:
        return _unknown(at)
    coef, covariance = fit.coef[:, 0], fit.covariance[:, :, 0]
    full = np.column_stack([design, np.ones(len(design))])
    if ((w != 0) & (w != 1)).any():
        residual = w * (y - expit(full @ coef))
        covariance = covariance @ (full.T * residual**2 @ full) @ covariance
    points = np.column_stack([new, np.ones(len(new))])
    eta = points @ coef
    half = float(stats.norm.ppf(0.5 + level / 2)) * np.sqrt(np.einsum("mp,pq,mq->m", points, covariance, points))
    return Smooth(expit(eta), expit(eta - half), expit(eta + half))


def loess_risk(
    y: FloatArray, x: FloatArray, at: FloatArray, *, weights: FloatArray | None = None, span: float = SPAN,
    level: float = 0.95,
) -> Smooth:  # fmt: skip
    """Risk over `x` by local quadratic regression with tricube weights (``loess`` of R with ``surface="direct"``).

    The interval comes from the variance of a share at each observation, not from one residual variance.
    """
    case = np.ones(len(y)) if weights is None else weights
    known = np.flatnonzero(case > 0)
    near = max(int(np.floor(len(known) * span + 1e-5)), 3)
    value, rows = np.full(len(at), np.nan), np.zeros((len(at), len(y)))
    for i, point in enumerate(at):
        distance = np.abs(x[known] - point)
        reach = np.partition(distance, min(near, len(known)) - 1)[min(near, len(known)) - 1]
        if reach <= 0:
            inside = distance <= 0
            rows[i, known[inside]] = case[known[inside]] / case[known[inside]].sum()
        else:
            weight = np.where(distance < reach, (1 - (distance / reach) ** 3) ** 3, 0.0) * case[known]
            local = np.vander((x[known] - point) / reach, 3, increasing=True)
            root = np.sqrt(weight)
            rows[i, known] = np.linalg.pinv(local * root[:, None])[0] * root
        value[i] = rows[i] @ y
    at_own = np.clip(np.interp(x, *_sorted(at, value)), 0.0, 1.0)
    spread = np.sqrt((rows**2) @ (at_own * (1 - at_own)))
    half = float(stats.norm.ppf(0.5 + level / 2)) * spread
    return Smooth(*(np.clip(v, 0.0, 1.0) for v in (value, value - half, value + half)))


def _sorted(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    order = np.argsort(x, kind="stable")
    return x[order], y[order]

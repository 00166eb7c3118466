"""Score residuals, their influence on a coefficient, and robust or cluster-robust variances.

References
----------
Lin and Wei, JASA 1989;84:1074 (robust variance of a Cox model); Therneau, Grambsch and Fleming, Biometrika 1990;77:147
(score residuals); White, Econometrica 1980;48:817, Liang and Zeger, Biometrika 1986;73:13 (sums over clusters). No
correction for few clusters, as in ``coxph(cluster=)`` of R and ``HC0`` of its sandwich package.
"""

from __future__ import annotations

import numpy as np

from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets


def cox_residuals(risk: RiskSets, x: FloatArray, coef: FloatArray) -> FloatArray:
    """``(n, p, B)`` score residuals of B Cox models ``(n, p, B)`` at their coefficients ``(p, B)``."""
    eta = np.einsum("npb,pb->nb", x, coef)
    w = np.exp(eta - eta.max(axis=0))
    s0 = risk.sum(w)
    mean = risk.sum(x * w[:, None, :]) / s0[:, None, :]
    out: FloatArray = x * risk.adjoint(1.0 / s0)[:, None, :] - risk.adjoint(mean / s0[:, None, :])
    out *= -w[:, None, :]
    # Tied events share the mean of their means.
    size = np.bincount(risk.group)[:, None, None]
    shared = (np.add.reduceat(mean, risk.starts, axis=0) / size)[risk.group]
    out[risk.rows] += x[risk.rows] - shared
    return out


def logistic_residuals(x: FloatArray, y: FloatArray, weights: FloatArray, coef: FloatArray) -> FloatArray:
    """``(n, p + 1, B)`` score residuals of B logistic models; the intercept is the last coefficient."""
    design = np.concatenate([x, np.ones((len(x), 1, x.shape[2]))], axis=1)
    eta = np.clip(np.einsum("npb,pb->nb", design, coef), -700, 700)
    out: FloatArray = design * (weights[:, None] * (y[:, None] - 1.0 / (1.0 + np.exp(-eta))))[:, None, :]
    return out


def sandwich(residuals: FloatArray, covariance: FloatArray, clusters: IntArray | None = None) -> FloatArray:
    """``(p, p, B)`` robust covariance of ``(n, p, B)`` score residuals; clusters are codes ``0 .. k - 1``."""
    if clusters is not None:
        summed = np.zeros((int(clusters.max()) + 1, *residuals.shape[1:]))
        np.add.at(summed, clusters, residuals)
        residuals = summed
    meat = np.einsum("njb,nkb->jkb", residuals, residuals)
    out: FloatArray = np.einsum("jkb,klb,lmb->jmb", covariance, meat, covariance)
    return out


def influence(residuals: FloatArray, covariance: FloatArray, term: int = 0) -> FloatArray:
    """``(n, B)`` change of a coefficient, in its standard errors, that each observation makes (dfbetas)."""
    change = np.einsum("npb,pb->nb", residuals, covariance[:, term])
    with np.errstate(divide="ignore", invalid="ignore"):
        out: FloatArray = change / np.sqrt(covariance[term, term])
    return out


def robust_slope(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Least-squares slope with the heteroscedasticity-consistent error HC3, which suits few observations."""
    centred = x - x.mean()
    squares = float(centred @ centred)
    slope = float(centred @ y / squares)
    leverage = 1 / len(x) + centred**2 / squares
    left_out = (y - y.mean() - slope * centred) / (1 - leverage)
    variance = (centred**2 * left_out**2).sum() / squares**2
    return slope, float(np.sqrt(variance))

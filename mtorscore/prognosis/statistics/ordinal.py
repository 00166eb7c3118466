"""Proportional-odds regression for one model or hundreds at once, with its score tests.

The odds of a class above each cut are proportional: ``logit P(y > m) = x'b - a_m`` with ascending thresholds ``a``; one
coefficient per covariate, above 0 where a higher value goes with higher classes. The coefficients of B models are
``(p + K - 1, B)``, thresholds last.

References
----------
McCullagh, J R Stat Soc B 1980;42:109; Peterson and Harrell, Appl Stat 1990;39:205 (the score test of
proportional odds).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import expit

from mtorscore.prognosis.statistics.cox import FLAT, MAX_STEP, Fits, invert, runs_away
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray
from mtorscore.prognosis.statistics.score_test import ScoreTest, statistic


def newton(
    x: FloatArray,
    y: IntArray,
    classes: int,
    weights: FloatArray | None = None,
    *,
    ridge: FloatArray | None = None,
    max_iter: int = 60,
    tol: float = 1e-11,
) -> Fits:
    """Maximise the (penalised) likelihood of B models.

    Parameters
    ----------
    x
        ``(n, p, B)``.
    y
        ``(n,)`` ascending codes from 0 to ``classes - 1``, each of which occurs with a weight.
    classes
        Number of classes, ``K``.
    weights
        ``(n,)`` or ``(n, B)`` case weights.
    ridge
        ``(p, B)`` penalty weights; thresholds are free.
    max_iter, tol
        As in `mtorscore.prognosis.statistics.logistic.newton`.

    Returns
    -------
    Fits
        Coefficients ``(p + K - 1, B)``; the covariance is the inverse of the observed information.
    """
    n, p, b = x.shape
    w = np.ones((n, 1)) if weights is None else (weights[:, None] if weights.ndim == 1 else weights)
    w = np.broadcast_to(w, (n, b))
    penalty = np.zeros((p + classes - 1, b))
    if ridge is not None:
        penalty[:p] = ridge
    below = np.stack([w[y <= m].sum(axis=0) for m in range(classes - 1)]) / w.sum(axis=0)
    below = np.clip(below, 1e-6, 1 - 1e-6)
    coef = np.concatenate([np.zeros((p, b)), np.log(below / (1 - below))])
    loglik, score, information = _moments(x, y, w, coef, penalty)
    null = loglik.copy()
    converged, infinite = np.zeros(b, dtype=bool), np.zeros(b, dtype=bool)
    for _ in range(max_iter):
        step = np.einsum("jkb,kb->jb", invert(information), score)
        stuck = ~np.isfinite(step).all(axis=0)
        step[:, stuck | converged | infinite] = 0.0
        done = ((step * score).sum(axis=0) < tol) & ~stuck & ~infinite
        longest = np.abs(step).max(axis=0)
        step *= np.where(longest > MAX_STEP, MAX_STEP / np.maximum(longest, 1e-300), 1.0)
        trial = coef + step
        fresh = _moments(x, y, w, trial, penalty)
        for _ in range(30):
            # Thresholds that cross give -inf, and the step is halved.
            worse = ~(fresh[0] >= loglik - 1e-10 * np.abs(loglik)) & ~stuck & ~done
            if not worse.any():
                break
            step[:, worse] *= 0.5
            trial = coef + step
            fresh = _moments(x, y, w, trial, penalty)
        coef, (loglik, score, information) = trial, fresh
        converged |= done
        infinite |= np.abs(coef[:p]).max(axis=0, initial=0.0) > FLAT
        if (converged | stuck | infinite).all():
            break
    inverse = invert(information)
    infinite |= runs_away(coef[:p], inverse[:p][:, :p])
    return Fits(coef, inverse, loglik, null, converged & ~infinite, infinite)


def probabilities(linear: FloatArray, thresholds: FloatArray) -> FloatArray:
    """``(n, K)`` probability of each class for ``(n,)`` linear predictors and ascending thresholds."""
    below = expit(thresholds - linear[:, None])
    edges = np.concatenate([np.zeros((len(linear), 1)), below, np.ones((len(linear), 1))], axis=1)
    out: FloatArray = np.diff(edges, axis=1)
    return out


def _cuts(y: IntArray, eta: FloatArray, thresholds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``(n, B)`` probability of at most the own class, and of less than it."""
    k = len(thresholds)
    padded = np.concatenate([np.full((1, eta.shape[1]), -np.inf), thresholds, np.full((1, eta.shape[1]), np.inf)])
    upper, lower = expit(padded[y + 1] - eta), expit(padded[y] - eta)
    # From the other side where both are near 1, so that their difference keeps its digits.
    return np.where(y[:, None] == k, 1.0, upper), np.where(y[:, None] == 0, 0.0, lower)


def _chance(y: IntArray, eta: FloatArray, thresholds: FloatArray, upper: FloatArray, lower: FloatArray) -> FloatArray:
    """``(n, B)`` probability of the own class, without cancellation where both cuts are far below or above."""
    padded = np.concatenate([np.full((1, eta.shape[1]), -np.inf), thresholds, np.full((1, eta.shape[1]), np.inf)])
    mirrored = expit(eta - padded[y]) - expit(eta - padded[y + 1])
    out: FloatArray = np.where(lower > 0.5, mirrored, upper - lower)
    return out


def _moments(
    x: FloatArray, y: IntArray, w: FloatArray, coef: FloatArray, penalty: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log-likelihood, score and observed information, each with the models in the last axis."""
    _, p, b = x.shape
    thresholds = coef[p:]
    eta = np.einsum("npb,pb->nb", x, coef[:p])
    upper, lower = _cuts(y, eta, thresholds)
    own = _chance(y, eta, thresholds, upper, lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(own > 0, np.log(np.where(own > 0, own, 1.0)), -np.inf)
    loglik = np.where(w > 0, w * np.where(w > 0, logs, 0.0), 0.0).sum(axis=0) - 0.5 * (penalty * coef**2).sum(axis=0)
    safe = np.where(own > 0, own, 1.0)
    du, dl = upper * (1 - upper), lower * (1 - lower)
    residual = w * (upper + lower - 1.0)
    curvature = w * (du + dl)
    score, information = np.zeros_like(coef), np.zeros((len(coef), len(coef), b))
    score[:p] = np.einsum("npb,nb->pb", x, residual)
    information[:p, :p] = np.einsum("njb,nkb->jkb", x * curvature[:, None], x)
    for m in range(len(thresholds)):
        at, above = y == m, y == m + 1
        score[p + m] = (w * du / safe)[at].sum(axis=0) - (w * dl / safe)[above].sum(axis=0)
        cross = np.einsum("njb,nb->jb", x[at], (w * du)[at]) + np.einsum("njb,nb->jb", x[above], (w * dl)[above])
        information[:p, p + m] = information[p + m, :p] = -cross
        information[p + m, p + m] = _own_curvature(w, du, upper, safe, at, 1.0)
        information[p + m, p + m] += _own_curvature(w, dl, lower, safe, above, -1.0)
        if m:
            shared = (w * du * dl / safe**2)[at].sum(axis=0)
            information[p + m, p + m - 1] = information[p + m - 1, p + m] = -shared
    score -= penalty * coef
    rows = np.arange(len(coef))
    information[rows, rows] += penalty
    return loglik, score, information


def _own_curvature(
    w: FloatArray, d: FloatArray, f: FloatArray, own: FloatArray, at: npt.NDArray[np.bool_], sign: float
) -> FloatArray:
    """Information of one threshold from the observations that lie beside it."""
    part: FloatArray = (w * (d**2 / own**2 - sign * d * (1 - 2 * f) / own))[at].sum(axis=0)
    return part


def score_test(y: IntArray, coef: FloatArray, z: FloatArray) -> ScoreTest:
    """Score test of one covariate beside `z` and the thresholds.

    Parameters
    ----------
    y
        ``(n,)`` codes.
    coef
        ``(q + K - 1,)`` fit without the covariate.
    z
        ``(n, q)`` nuisance covariates.
    """
    q = z.shape[1]
    eta, thresholds = (z @ coef[:q])[:, None], coef[q:, None]
    upper, lower = (v[:, 0] for v in _cuts(y, eta, thresholds))
    du, dl = upper * (1 - upper), lower * (1 - lower)
    residual, curvature = upper + lower - 1.0, du + dl
    beside = np.stack([du * (y == m) + dl * (y == m + 1) for m in range(len(thresholds))], axis=1)
    block = _moments(z[:, :, None], y, np.ones((len(y), 1)), coef[:, None], np.zeros((len(coef), 1)))[2][:, :, 0]
    inverse: FloatArray = np.asarray(np.linalg.pinv(block), dtype=np.float64)

    def test(x: FloatArray) -> FloatArray:
        x = x - x.mean(axis=0)
        cross = np.concatenate([(z * curvature[:, None]).T @ x, -beside.T @ x])
        return statistic(residual @ x, curvature @ (x * x), cross, inverse)

    return test


def proportionality(x: FloatArray, y: IntArray, coef: FloatArray) -> float:
    """P-value of the score test that the odds ratio of the first covariate is the same at every cut.

    The alternative lets this covariate have one coefficient per cut; ``K - 2`` degrees of freedom, expected
    information.

    Parameters
    ----------
    x
        ``(n, p)``.
    y
        ``(n,)`` codes.
    coef
        ``(p + K - 1,)`` fitted coefficients.
    """
    p = x.shape[1]
    cuts = len(coef) - p
    if cuts < 2:
        return float("nan")
    below = expit(coef[p:] - (x @ coef[:p])[:, None])
    chances = np.diff(np.concatenate([np.zeros((len(y), 1)), below, np.ones((len(y), 1))], axis=1), axis=1)
    d = below * (1 - below)
    # Derivative of the chance of each class by the linear predictor at each cut: (n, class, cut).
    by_cut = np.zeros((len(y), cuts + 1, cuts))
    for m in range(cuts):
        by_cut[:, m, m], by_cut[:, m + 1, m] = d[:, m], -d[:, m]
    if (chances <= 0).any():
        return float("nan")
    by_slope = -x[:, 1:, None, None].transpose(0, 2, 3, 1)[:, 0] * by_cut.sum(axis=2)[:, :, None]
    gradient = np.concatenate([-x[:, 0, None, None] * by_cut, by_slope, by_cut], axis=2)
    score = np.einsum("nt,n->t", gradient[np.arange(len(y)), y], 1.0 / chances[np.arange(len(y)), y])
    information = np.einsum("nct,ncu,nc->tu", gradient, gradient, 1.0 / chances)
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    scaled = information / np.outer(scale, scale)
    if not np.isfinite(scaled).all() or np.linalg.cond(scaled) > 1e12:
        return float("nan")
    chisq = float((score / scale) @ np.linalg.solve(scaled, score / scale))
    return float(stats.chi2.sf(chisq, cuts - 1))

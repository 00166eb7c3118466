"""Logistic regression for one model or for thousands at once: Newton on ``(n, p, B)`` arrays, optional Firth or ridge.

Column 0 of every design must be the one that is tested; the intercept is added here as the last coefficient, and is
never penalised by the ridge.

References
----------
Firth, Biometrika 1993;80:27; Heinze and Schemper, Stat Med 2002;21:2409.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit

from mtorscore.prognosis.statistics.cox import FLAT, MAX_STEP, Fits, invert, runs_away
from mtorscore.prognosis.statistics.risk_sets import FloatArray


def newton(
    x: FloatArray,
    y: FloatArray,
    weights: FloatArray | None = None,
    *,
    firth: bool = False,
    ridge: FloatArray | None = None,
    fixed: npt.NDArray[np.bool_] | None = None,
    start: FloatArray | None = None,
    max_iter: int = 50,
    tol: float = 1e-11,
) -> Fits:
    """Maximise the (penalised) likelihood of B models.

    Parameters
    ----------
    x
        ``(n, p, B)``, without intercept.
    y
        ``(n,)`` or ``(n, B)`` of 0 and 1.
    weights
        ``(n,)`` or ``(n, B)`` case weights.
    firth
        Add half the log determinant of the information.
    ridge
        ``(p, B)`` penalty weights; the intercept is free.
    fixed, start
        As in `mtorscore.prognosis.statistics.cox.newton`, over the ``p + 1`` coefficients (intercept last).

    Returns
    -------
    Fits
        Coefficients ``(p + 1, B)``.
    """
    n, p, b = x.shape
    design = np.concatenate([x, np.ones((n, 1, b))], axis=1)
    target = np.broadcast_to(y[:, None] if y.ndim == 1 else y, (n, b))
    w = np.ones((n, 1)) if weights is None else (weights[:, None] if weights.ndim == 1 else weights)
    w = np.broadcast_to(w, (n, b))
    penalty = np.zeros((p + 1, b))
    if ridge is not None:
        penalty[:p] = ridge
    coef = np.zeros((p + 1, b)) if start is None else start.copy()
    if start is None:
        share = np.clip((w * target).sum(axis=0) / w.sum(axis=0), 1e-6, 1 - 1e-6)
        coef[p] = np.log(share / (1 - share))
    free = np.ones(p + 1, dtype=bool) if fixed is None else ~fixed
    loglik, score, information = _moments(design, target, w, coef, penalty, firth)
    null = loglik.copy()
    converged, infinite = np.zeros(b, dtype=bool), np.zeros(b, dtype=bool)
    for _ in range(max_iter):
        step = np.zeros_like(coef)
        if free.any():
            step[free] = np.einsum("jkb,kb->jb", invert(information[free][:, free]), score[free])
        stuck = ~np.isfinite(step).all(axis=0)
        step[:, stuck | converged | infinite] = 0.0
        done = ((step[free] * score[free]).sum(axis=0) < tol) & ~stuck & ~infinite
        longest = np.abs(step).max(axis=0)
        step *= np.where(longest > MAX_STEP, MAX_STEP / np.maximum(longest, 1e-300), 1.0)
        trial = coef + step
        fresh = _moments(design, target, w, trial, penalty, firth)
        for _ in range(25):
            worse = ~(fresh[0] >= loglik - 1e-10 * np.abs(loglik)) & ~stuck & ~done
            if not worse.any():
                break
            step[:, worse] *= 0.5
            trial = coef + step
            fresh = _moments(design, target, w, trial, penalty, firth)
        coef, (loglik, score, information) = trial, fresh
        converged |= done
        infinite |= np.abs(coef[:p]).max(axis=0, initial=0.0) > FLAT
        if (converged | stuck | infinite).all():
            break
    inverse = invert(information)
    infinite |= runs_away(coef[:p], inverse)
    return Fits(coef, inverse, loglik, null, converged & ~infinite, infinite)


def _moments(
    design: FloatArray, y: FloatArray, w: FloatArray, coef: FloatArray, penalty: FloatArray, firth: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log-likelihood, score and information, each with the models in the last axis."""
    eta = np.einsum("npb,pb->nb", design, coef)
    mu = expit(eta)
    variance = w * mu * (1 - mu)
    loglik = (w * (y * log_expit(eta) + (1 - y) * log_expit(-eta))).sum(axis=0)
    residual = w * (y - mu)
    if design.shape[2] == 1:
        d = design[:, :, 0]
        information = ((d * variance).T @ d)[:, :, None]
    else:
        information = np.einsum("njb,nkb->jkb", design * variance[:, None, :], design)
    if firth:
        sign, logdet = np.linalg.slogdet(information.transpose(2, 0, 1))
        loglik = loglik + np.where(sign > 0, 0.5 * logdet, -np.inf)
        hat = variance * np.einsum("njb,jkb,nkb->nb", design, invert(information), design)
        residual = residual + hat * (0.5 - mu)
    score = np.einsum("npb,nb->pb", design, residual) - penalty * coef
    loglik = loglik - 0.5 * (penalty * coef**2).sum(axis=0)
    p = len(coef)
    information = information.copy()
    information[np.arange(p), np.arange(p)] += penalty
    return loglik, score, information

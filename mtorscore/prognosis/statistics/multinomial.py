"""Multinomial logistic regression against a reference class, for one model or hundreds at once.

The coefficients of B models are ``((K - 1) * (p + 1), B)``: a block per class other than the reference (class 0), each
with the ``p`` covariates first and its intercept last. With two classes it is the logistic model.

References
----------
McCullagh and Nelder, Generalized Linear Models, 2nd ed. 1989, chapter 5; Begg and Gray, Biometrika 1984;71:11 (each
class against the reference alone).
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from mtorscore.prognosis.statistics.cox import FLAT, MAX_STEP, Fits, invert, runs_away
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray


def newton(x: FloatArray, y: IntArray, classes: int, *, max_iter: int = 50, tol: float = 1e-11) -> Fits:
    """Maximise the likelihood of B models.

    Parameters
    ----------
    x
        ``(n, p, B)``, without intercept.
    y
        ``(n,)`` codes from 0 (the reference) to ``classes - 1``, each of which occurs.
    classes
        Number of classes, ``K``.
    max_iter, tol
        As in `mtorscore.prognosis.statistics.logistic.newton`.

    Returns
    -------
    Fits
        Coefficients ``((K - 1) * (p + 1), B)``, covariance and log-likelihoods.
    """
    n, p, b = x.shape
    design = np.concatenate([x, np.ones((n, 1, b))], axis=1)
    hot = (y[:, None] == np.arange(1, classes)).astype(np.float64)
    coef = np.zeros(((classes - 1) * (p + 1), b))
    share = np.bincount(y, minlength=classes) / n
    coef[p :: p + 1] = np.log(share[1:] / share[0])[:, None]
    loglik, score, information = _moments(design, hot, coef)
    null = loglik.copy()
    converged, infinite = np.zeros(b, dtype=bool), np.zeros(b, dtype=bool)
    slopes = np.arange(len(coef)) % (p + 1) < p
    for _ in range(max_iter):
        step = np.einsum("jkb,kb->jb", invert(information), score)
        stuck = ~np.isfinite(step).all(axis=0)
        step[:, stuck | converged | infinite] = 0.0
        done = ((step * score).sum(axis=0) < tol) & ~stuck & ~infinite
        longest = np.abs(step).max(axis=0)
        step *= np.where(longest > MAX_STEP, MAX_STEP / np.maximum(longest, 1e-300), 1.0)
        trial = coef + step
        fresh = _moments(design, hot, trial)
        for _ in range(25):
            worse = ~(fresh[0] >= loglik - 1e-10 * np.abs(loglik)) & ~stuck & ~done
            if not worse.any():
                break
            step[:, worse] *= 0.5
            trial = coef + step
            fresh = _moments(design, hot, trial)
        coef, (loglik, score, information) = trial, fresh
        converged |= done
        infinite |= np.abs(coef[slopes]).max(axis=0, initial=0.0) > FLAT
        if (converged | stuck | infinite).all():
            break
    inverse = invert(information)
    infinite |= runs_away(coef[slopes], inverse[slopes][:, slopes])
    return Fits(coef, inverse, loglik, null, converged & ~infinite, infinite)


def block_of(fit: Fits, k: int, p: int) -> Fits:
    """Return the part of a fit that compares class `k` (from 1) with the reference, of `p` covariates."""
    rows = np.arange((k - 1) * (p + 1), k * (p + 1))
    covariance = fit.covariance[rows][:, rows]
    return Fits(fit.coef[rows], covariance, fit.loglik, fit.loglik_null, fit.converged, fit.infinite)


def _moments(design: FloatArray, hot: FloatArray, coef: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log-likelihood, score and information, each with the models in the last axis."""
    n, q, b = design.shape
    others = hot.shape[1]
    eta = np.zeros((n, others + 1, b))
    np.einsum("nqb,kqb->nkb", design, coef.reshape(others, q, b), out=eta[:, 1:])
    logs = log_softmax(eta, axis=1)
    p = np.exp(logs[:, 1:])
    reference = 1.0 - hot.sum(axis=1)
    loglik = reference @ logs[:, 0] + np.einsum("nk,nkb->b", hot, logs[:, 1:])
    score = np.einsum("nqb,nkb->kqb", design, hot[:, :, None] - p).reshape(others * q, b)
    information = np.empty((others, q, others, q, b))
    for k in range(others):
        for m in range(k, others):
            weight = p[:, k] * ((k == m) - p[:, m])
            information[k, :, m] = np.einsum("njb,nlb->jlb", design * weight[:, None], design)
            information[m, :, k] = information[k, :, m]
    return loglik, score, information.reshape(others * q, others * q, b)


def ridge(
    x: FloatArray, y: IntArray, classes: int, weights: FloatArray, penalty: FloatArray, *, max_iter: int = 100
) -> tuple[FloatArray, FloatArray]:
    """Maximise the ridge-penalised likelihood of B models of the same covariates, without a reference class.

    Every class has its own coefficients, so the estimate does not depend on which class comes first.

    Parameters
    ----------
    x
        ``(n, p)`` standardised covariates.
    y
        ``(n,)`` codes.
    classes
        Number of classes, ``K``.
    weights
        ``(n, B)`` case weights; a class without any weight gets a vanishing probability.
    penalty
        ``(B,)`` above 0, of the squared coefficients; intercepts are free.
    max_iter
        Most Newton steps.

    Returns
    -------
    coef, intercept
        ``(K, p, B)`` and ``(K, B)``; both sum to 0 over the classes.
    """
    n, p = x.shape
    hot = (y[:, None] == np.arange(classes)).astype(np.float64)
    coef, intercept = np.zeros((classes, p, len(penalty))), np.zeros((classes, len(penalty)))
    design = np.column_stack([x, np.ones(n)])
    q = p + 1
    # Adding a constant to all intercepts changes nothing; their sum is held at 0 so that the information inverts.
    free = np.arange(classes) * q + p
    for b, size in enumerate(penalty):
        w, theta = weights[:, b], np.zeros(classes * q)
        share = np.log(np.maximum(w @ hot, 1e-3) / max(w.sum(), 1e-300))
        theta[free] = share - share.mean()
        shrink = np.full(classes * q, size)
        shrink[free] = 0.0
        value = _ridge_value(design, hot, w, theta, shrink)
        for _ in range(max_iter):
            chance = np.exp(log_softmax(design @ theta.reshape(classes, q).T, axis=1))
            score = ((hot - chance) * w[:, None]).T @ design
            score = score.ravel() - shrink * theta
            information = _ridge_information(design, chance, w) + np.diag(shrink)
            information[np.ix_(free, free)] += w.sum() + 1e-8
            step = np.linalg.solve(information, score)
            gain = float(step @ score)
            scale = 1.0
            while (fresh := _ridge_value(design, hot, w, theta + scale * step, shrink)) < value - 1e-12 * abs(value):
                scale *= 0.5
                if scale < 1e-8:
                    break
            theta, value = theta + scale * step, fresh
            if gain < 1e-10:
                break
        found = theta.reshape(classes, q)
        coef[:, :, b], intercept[:, b] = found[:, :p], found[:, p]
    return coef, intercept


def _ridge_value(design: FloatArray, hot: FloatArray, w: FloatArray, theta: FloatArray, shrink: FloatArray) -> float:
    logs = log_softmax(design @ theta.reshape(hot.shape[1], -1).T, axis=1)
    return float(w @ (hot * logs).sum(axis=1) - 0.5 * (shrink * theta**2).sum())


def _ridge_information(design: FloatArray, chance: FloatArray, w: FloatArray) -> FloatArray:
    classes, q = chance.shape[1], design.shape[1]
    out = np.empty((classes, q, classes, q))
    for k in range(classes):
        for m in range(k, classes):
            weight = w * chance[:, k] * ((k == m) - chance[:, m])
            out[k, :, m] = (design * weight[:, None]).T @ design
            out[m, :, k] = out[k, :, m].T
    return out.reshape(classes * q, classes * q)

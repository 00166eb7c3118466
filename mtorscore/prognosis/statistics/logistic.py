"""Logistic and multinomial regression for one model or thousands at once by Newton steps, optional Firth or ridge.

Column 0 of every design must be the one that is tested; the intercept is added here as the last coefficient, and is
never penalised by the ridge.

References
----------
Firth, Biometrika 1993;80:27; Heinze and Schemper, Stat Med 2002;21:2409; McCullagh and Nelder,
Generalized Linear Models, 2nd ed. 1989, chapter 5 (multinomial models).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit, log_softmax

from mtorscore.prognosis.statistics.cox import FLAT, MAX_STEP, Fits, invert, runs_away
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

LARGEST = 4_000_000
"""Numbers in the table of products of columns of a shared design."""


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
    # The same covariates in every model (a broadcast axis): products of matrices instead of sums over models.
    same = b > 1 and x.strides[2] == 0 and n * (p + 1) ** 2 <= LARGEST
    design = np.concatenate([x[:, :, :1], np.ones((n, 1, 1))], axis=1) if same else _with_intercept(x)
    squares = _squares(design[:, :, 0]) if same and not firth else None
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
    penalised = bool(penalty[:p].min(initial=np.inf) > 0)
    loglik, score, information = _moments(design, target, w, coef, penalty, firth, squares)
    null = loglik.copy()
    converged, infinite = np.zeros(b, dtype=bool), np.zeros(b, dtype=bool)
    for _ in range(max_iter):
        step = np.zeros_like(coef)
        if free.any():
            step[free] = _newton_step(information[free][:, free], score[free], penalised)
        stuck = ~np.isfinite(step).all(axis=0)
        step[:, stuck | converged | infinite] = 0.0
        done = ((step[free] * score[free]).sum(axis=0) < tol) & ~stuck & ~infinite
        longest = np.abs(step).max(axis=0)
        step *= np.where(longest > MAX_STEP, MAX_STEP / np.maximum(longest, 1e-300), 1.0)
        trial = coef + step
        fresh = _moments(design, target, w, trial, penalty, firth, squares)
        for _ in range(25):
            worse = ~(fresh[0] >= loglik - 1e-10 * np.abs(loglik)) & ~stuck & ~done
            if not worse.any():
                break
            step[:, worse] *= 0.5
            trial = coef + step
            fresh = _moments(design, target, w, trial, penalty, firth, squares)
        coef, (loglik, score, information) = trial, fresh
        converged |= done
        infinite |= np.abs(coef[:p]).max(axis=0, initial=0.0) > FLAT
        if (converged | stuck | infinite).all():
            break
    inverse = invert(information)
    infinite |= runs_away(coef[:p], inverse)
    return Fits(coef, inverse, loglik, null, converged & ~infinite, infinite)


def _with_intercept(x: FloatArray) -> FloatArray:
    return np.concatenate([x, np.ones((len(x), 1, x.shape[2]))], axis=1)


def _newton_step(information: FloatArray, score: FloatArray, penalised: bool) -> FloatArray:
    """Return information^-1 score of every model, NaN where the information is singular."""
    if penalised:
        # Every slope is penalised, so that the information is regular; solving is five times as fast as inverting.
        try:
            solved = np.linalg.solve(information.transpose(2, 0, 1), score.T[:, :, None])[:, :, 0].T
        except np.linalg.LinAlgError:
            pass
        else:
            return np.asarray(solved, dtype=np.float64)
    step: FloatArray = np.einsum("jkb,kb->jb", invert(information), score)
    return step


def _squares(design: FloatArray) -> FloatArray:
    """Return the products of all pairs of columns, those on and above the diagonal, ``(p * (p + 1) / 2, n)``."""
    one, other = np.triu_indices(design.shape[1])
    return np.ascontiguousarray((design[:, one] * design[:, other]).T)


def _shared_moments(
    design: FloatArray, squares: FloatArray, y: FloatArray, w: FloatArray, coef: FloatArray, penalty: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what `_moments` does, of models that share the ``(n, p)`` design, without Firth's penalty."""
    eta = design @ coef
    small = np.exp(-np.abs(eta))
    mu = np.where(eta >= 0, 1.0, small) / (1.0 + small)
    # log(1 - mu) = -max(eta, 0) - log(1 + exp(-|eta|))
    loglik = (w * (y * eta - np.maximum(eta, 0.0) - np.log1p(small))).sum(axis=0)
    loglik -= 0.5 * (penalty * coef**2).sum(axis=0)
    p = design.shape[1]
    one, other = np.triu_indices(p)
    information = np.empty((p, p, coef.shape[1]))
    information[one, other] = squares @ (w * mu * (1 - mu))
    information[other, one] = information[one, other]
    information[np.arange(p), np.arange(p)] += penalty
    return loglik, design.T @ (w * (y - mu)) - penalty * coef, information


def _moments(
    design: FloatArray,
    y: FloatArray,
    w: FloatArray,
    coef: FloatArray,
    penalty: FloatArray,
    firth: bool,
    squares: FloatArray | None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log-likelihood, score and information, each with the models in the last axis."""
    if squares is not None:
        return _shared_moments(design[:, :, 0], squares, y, w, coef, penalty)
    if design.shape[2] < coef.shape[1]:
        design = np.broadcast_to(design, (*design.shape[:2], coef.shape[1]))
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


def multinomial(x: FloatArray, y: IntArray, classes: int, *, max_iter: int = 50, tol: float = 1e-11) -> Fits:
    """Maximise the likelihood of B multinomial models, each class against the reference.

    The coefficients of a model are a block per class other than the reference (class 0), each with the ``p`` covariates
    first and its intercept last. With two classes it is the logistic model.

    Parameters
    ----------
    x
        ``(n, p, B)``, without intercept.
    y
        ``(n,)`` codes from 0 (the reference) to ``classes - 1``, each of which occurs.
    classes
        Number of classes, ``K``.
    max_iter, tol
        As in `newton`.

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
    loglik, score, information = _multinomial_moments(design, hot, coef)
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
        fresh = _multinomial_moments(design, hot, trial)
        for _ in range(25):
            worse = ~(fresh[0] >= loglik - 1e-10 * np.abs(loglik)) & ~stuck & ~done
            if not worse.any():
                break
            step[:, worse] *= 0.5
            trial = coef + step
            fresh = _multinomial_moments(design, hot, trial)
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


def _multinomial_moments(
    design: FloatArray, hot: FloatArray, coef: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
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


def multinomial_ridge(
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
    theta = np.zeros(classes * q)
    last = len(penalty) - 1
    # From the last to the first: along an ascending grid of penalties the larger one's estimate is where to start.
    for b in range(last, -1, -1):
        w, size = weights[:, b], penalty[b]
        if b == last or not np.array_equal(w, weights[:, b + 1]):
            share = np.log(np.maximum(w @ hot, 1e-3) / max(w.sum(), 1e-300))
            theta = np.zeros(classes * q)
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

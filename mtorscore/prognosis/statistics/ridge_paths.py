"""Held-out likelihood of ridge models over inner folds and penalties, which tunes the penalty.

Cox models of all folds and penalties are fitted by the same matrix products. The models of fold ``f`` share one matrix
of risk sets, that of its training part, as rows and columns of the matrix of everybody. Arrays carry folds, penalties
and observations (or events) in this order, so that a step of Newton's method for all of them is a handful of products.
Logistic models are fitted one after the other in compiled code, from the largest penalty down.

References
----------
Verweij and van Houwelingen, Stat Med 1993;12:2305 (the cross-validated partial likelihood).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mtorscore.prognosis.statistics import cox
from mtorscore.prognosis.statistics.cox import BoolArray
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets
from mtorscore.tl.kernels.jit import jit

MAX_STEP = cox.MAX_STEP
MOST_STEPS, TOLERANCE, LARGE = 50, 1e-6, 1e300
LARGEST = 8_000_000
"""Numbers in the largest array of a batched step; beyond, folds are fitted one after the other."""


def held_out(risk: RiskSets, x: FloatArray, fold: IntArray, grid: FloatArray) -> FloatArray:
    """Cross-validated partial likelihood per penalty: that of all less that of the training part, over folds.

    Parameters
    ----------
    risk
        Risk sets of everybody, without entry times and strata.
    x
        ``(n, p)`` standardised covariates.
    fold
        ``(n,)`` inner fold of each observation.
    grid
        Penalties, per event.

    Returns
    -------
    numpy.ndarray
        ``(len(grid),)``.
    """
    n, p = x.shape
    trains = [t for t in (fold != f for f in np.unique(fold)) if risk.event[t].any()]
    if not trains:
        return np.zeros(len(grid))
    largest = max(n * p * p, len(trains) * len(grid) * max(n, risk.n_events) * p, len(trains) * risk.n_events * n)
    if risk.matrix is None or largest > LARGEST or grid.min() <= 0:
        parts = iter([_one_by_one(risk, x, train, grid) for train in trains])
    else:
        parts = _together(risk, x, trains, grid)
    out: FloatArray = np.sum(list(parts), axis=0)
    return out


def _one_by_one(risk: RiskSets, x: FloatArray, train: BoolArray, grid: FloatArray) -> FloatArray:
    inside = risk.within(train)
    stacked = np.broadcast_to(x[:, :, None], (*x.shape, len(grid)))
    ridge = np.broadcast_to(grid * inside.n_events, (x.shape[1], len(grid)))
    coef = cox.newton(inside, stacked[train], ridge=ridge, tol=1e-8).coef
    out: FloatArray = cox.moments(risk, stacked, coef).loglik - cox.moments(inside, stacked[train], coef).loglik
    return out


def coefficients(risk: RiskSets, x: FloatArray, trains: list[BoolArray], grid: FloatArray) -> FloatArray:
    """``(len(trains), len(grid), p)`` ridge estimates on sets of observations, for penalties above 0."""
    likelihood, events = _batch(risk, x, trains)
    return likelihood.maximise(grid * events.sum(axis=1)[:, None])


def _together(risk: RiskSets, x: FloatArray, trains: list[BoolArray], grid: FloatArray) -> Iterator[FloatArray]:
    """Yield the gain of each fold."""
    likelihood, events = _batch(risk, x, trains)
    coef = likelihood.maximise(grid * events.sum(axis=1)[:, None])
    matrix = np.zeros((0, 0)) if risk.matrix is None else risk.matrix
    everybody = _Batch(risk, x, np.ascontiguousarray(matrix.T)[None], np.ones((1, risk.n_events)))
    whole = everybody.loglik(coef.reshape(1, -1, x.shape[1])).reshape(coef.shape[:2])
    yield from whole - likelihood.loglik(coef)


def _batch(risk: RiskSets, x: FloatArray, trains: list[BoolArray]) -> tuple[_Batch, FloatArray]:
    """Return the likelihoods of sets of observations, and ``(F, E)`` which events are in them."""
    place = np.empty(risk.n, dtype=np.int64)
    place[risk.rows] = np.arange(risk.n_events)
    matrices = np.zeros((len(trains), risk.n, risk.n_events))
    events = np.zeros((len(trains), risk.n_events))
    for f, train in enumerate(trains):
        rows = np.flatnonzero(train)
        inside = risk.within(rows, dense=True)
        at = place[rows[inside.rows]]
        events[f, at] = 1.0
        if inside.matrix is not None:
            matrices[f][np.ix_(rows, at)] = inside.matrix.T
    return _Batch(risk, x, matrices, events), events


class _Batch:
    """Partial likelihoods of several sets of observations, each with one model per penalty.

    Parameters
    ----------
    risk
        Of everybody.
    x
        ``(n, p)``.
    matrices
        ``(F, n, E)`` transposed risk sets of each set of observations; columns of events elsewhere are 0.
    events
        ``(F, E)`` 1 where the event is one of the set.
    """

    def __init__(self, risk: RiskSets, x: FloatArray, matrices: FloatArray, events: FloatArray) -> None:
        self.risk, self.x, self.matrices, self.events = risk, x, matrices, events
        self.squares = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)
        self.observed = events @ x[risk.rows]

    def loglik(self, coef: FloatArray) -> FloatArray:
        """``(F, G)`` log partial likelihood at ``(F, G, p)`` coefficients."""
        return self._weights(coef)[2]

    def _weights(self, coef: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        eta = coef @ self.x.T
        eta -= eta.max(axis=2, keepdims=True)
        w = np.exp(eta)
        s0 = np.where(self.events[:, None, :] > 0, np.maximum(w @ self.matrices, np.finfo(np.float64).tiny), 1.0)
        loglik = (self.events[:, None, :] * eta[:, :, self.risk.rows] - np.log(s0)).sum(axis=2)
        return w, s0, loglik

    def moments(self, coef: FloatArray, ridge: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Penalised log-likelihood ``(F, G)``, score ``(F, G, p)`` and information ``(F, G, p, p)``."""
        (f, g, p), n = coef.shape, len(self.x)
        w, s0, loglik = self._weights(coef)
        wx = w[:, :, None, :] * self.x.T
        mean = (wx.reshape(f, g * p, n) @ self.matrices).reshape(f, g, p, -1) / s0[:, :, None, :]
        inverse = self.events[:, None, :] / s0
        hw = w * (inverse @ self.matrices.transpose(0, 2, 1))
        information = (hw.reshape(f * g, n) @ self.squares).reshape(f, g, p, p) - mean @ mean.transpose(0, 1, 3, 2)
        information[:, :, np.arange(p), np.arange(p)] += ridge[:, :, None]
        score = self.observed[:, None, :] - mean.sum(axis=3) - ridge[:, :, None] * coef
        return loglik - 0.5 * ridge * (coef**2).sum(axis=2), score, information

    def maximise(self, ridge: FloatArray, max_iter: int = 50, tol: float = 1e-8) -> FloatArray:
        """Newton's method with halved steps, as `cox.newton`, from 0; models that have converged stay."""
        coef = np.zeros((*ridge.shape, self.x.shape[1]))
        loglik, score, information = self.moments(coef, ridge)
        still = np.ones(ridge.shape, dtype=bool)
        for _ in range(max_iter):
            step = np.linalg.solve(information, score[..., None])[..., 0]
            done = (step * score).sum(axis=2) < tol
            longest = np.abs(step).max(axis=2, keepdims=True)
            step *= np.where(longest > cox.MAX_STEP, cox.MAX_STEP / np.maximum(longest, 1e-300), 1.0)
            step[~still] = 0.0
            fresh = self.moments(coef + step, ridge)
            for _ in range(25):
                worse = ~(fresh[0] >= loglik - 1e-10 * np.abs(loglik)) & ~done & still
                if not worse.any():
                    break
                step[worse] *= 0.5
                fresh = self.moments(coef + step, ridge)
            coef += step
            loglik, score, information = fresh
            still &= ~done & (np.abs(coef).max(axis=2) <= cox.FLAT)
            if not still.any():
                break
        return coef


def held_out_logistic(
    x: FloatArray, y: FloatArray, weights: FloatArray, fold: IntArray, grid: FloatArray
) -> FloatArray:
    """Log-likelihood of the held-out folds of ridge logistic models, per penalty.

    Parameters
    ----------
    x
        ``(n, p)`` standardised covariates.
    y, weights
        ``(n,)`` of 0 and 1, and case weights.
    fold
        ``(n,)`` inner fold of each observation, from 0.
    grid
        Penalties above 0, per weight of the training part.

    Returns
    -------
    numpy.ndarray
        ``(len(grid),)``.
    """
    design = np.column_stack([x, np.ones(len(x))])
    one, other = np.tril_indices(design.shape[1])
    squares = np.ascontiguousarray(design[:, one] * design[:, other])
    q = design.shape[1]
    rooms = np.empty(len(x)), np.empty((5, q)), np.empty(squares.shape[1]), np.empty((q, q))
    out = np.zeros(len(grid))
    # From the largest penalty down: where one model ends is near where the next one does.
    order = np.argsort(-grid, kind="stable")
    columns = np.ascontiguousarray(x.T)
    _held_out_logistic(design, columns, squares, y, weights, fold, grid, order, *rooms, out)
    return out


@jit
def _predict(columns: FloatArray, coef: FloatArray, eta: FloatArray) -> None:
    eta[:] = coef[coef.size - 1]
    for j in range(coef.size - 1):
        slope, column = coef[j], columns[j]
        for i in range(eta.size):
            eta[i] += slope * column[i]


@jit
def _moments(
    design: FloatArray, columns: FloatArray, squares: FloatArray, y: FloatArray, w: FloatArray, coef: FloatArray,
    ridge: float, eta: FloatArray, score: FloatArray, information: FloatArray,
) -> float:  # fmt: skip
    """Write score and information (its lower triangle, by rows) and return the penalised log-likelihood."""
    q = coef.size
    score[:], information[:] = 0.0, 0.0
    loglik, product = 0.0, 1.0
    _predict(columns, coef, eta)
    for i in range(y.size):
        if w[i] == 0.0:
            continue
        small = np.exp(-np.abs(eta[i]))
        mu = (1.0 if eta[i] >= 0.0 else small) / (1.0 + small)
        loglik += w[i] * (y[i] * eta[i] - max(eta[i], 0.0))
        if w[i] == 1.0:
            # One logarithm of many factors, none of which is above 2.
            product *= 1.0 + small
            if product > LARGE:
                loglik -= float(np.log(product))
                product = 1.0
        else:
            loglik -= w[i] * float(np.log1p(small))
        left, variance = w[i] * (y[i] - mu), w[i] * mu * (1.0 - mu)
        for j in range(q):
            score[j] += left * design[i, j]
        for j in range(information.size):
            information[j] += variance * squares[i, j]
    loglik -= float(np.log(product))
    for j in range(q - 1):
        loglik -= 0.5 * ridge * coef[j] * coef[j]
        score[j] -= ridge * coef[j]
        information[j * (j + 3) // 2] += ridge
    return loglik


@jit
def _solve(information: FloatArray, score: FloatArray, lower: FloatArray, step: FloatArray) -> bool:
    """Write information^-1 score by Cholesky's method; False where the information is not positive."""
    q = score.size
    for j in range(q):
        first = j * (j + 1) // 2
        for k in range(j + 1):
            total = information[first + k]
            for m in range(k):
                total -= lower[j, m] * lower[k, m]
            if k < j:
                lower[j, k] = total / lower[k, k]
            elif total > 0.0:
                lower[j, j] = np.sqrt(total)
            else:
                return False
    for j in range(q):
        total = score[j]
        for m in range(j):
            total -= lower[j, m] * step[m]
        step[j] = total / lower[j, j]
    for j in range(q - 1, -1, -1):
        total = step[j]
        for m in range(j + 1, q):
            total -= lower[m, j] * step[m]
        step[j] = total / lower[j, j]
    return True


@jit
def _held_out_logistic(
    design: FloatArray, columns: FloatArray, squares: FloatArray, y: FloatArray, weights: FloatArray, fold: IntArray,
    grid: FloatArray, order: IntArray, eta: FloatArray, vectors: FloatArray, information: FloatArray,
    lower: FloatArray, out: FloatArray,
) -> None:  # fmt: skip
    """Fit by Newton's method with halved steps, as `logistic.newton`, and add up what is held out."""
    coef, trial, score, step, start = vectors[0], vectors[1], vectors[2], vectors[3], vectors[4]
    w = weights.copy()
    q = coef.size
    for f in range(fold.max() + 1):
        total, events = 0.0, 0.0
        for i in range(y.size):
            w[i] = 0.0 if fold[i] == f else weights[i]
            total += w[i]
            events += w[i] * y[i]
        share = min(max(events / total, 1e-6), 1.0 - 1e-6)
        coef[:] = 0.0
        coef[q - 1] = np.log(share / (1.0 - share))
        for place in range(order.size):
            g = order[place]
            ridge = grid[g] * total
            loglik = _moments(design, columns, squares, y, w, coef, ridge, eta, score, information)
            for _ in range(MOST_STEPS):
                if not _solve(information, score, lower, step):
                    break
                gain, longest = 0.0, 0.0
                for j in range(q):
                    gain += step[j] * score[j]
                    longest = max(longest, np.abs(step[j]))
                scale = MAX_STEP / longest if longest > MAX_STEP else 1.0
                start[:] = coef
                fresh = loglik
                for _ in range(25):
                    for j in range(q):
                        trial[j] = start[j] + scale * step[j]
                    fresh = _moments(design, columns, squares, y, w, trial, ridge, eta, score, information)
                    if fresh >= loglik - 1e-10 * np.abs(loglik) or gain < TOLERANCE:
                        break
                    scale *= 0.5
                coef[:] = trial
                loglik = fresh
                if gain < TOLERANCE:
                    break
            _predict(columns, coef, eta)
            for i in range(y.size):
                if fold[i] == f and weights[i] != 0.0:
                    one = y[i] * eta[i] - max(eta[i], 0.0) - np.log1p(np.exp(-np.abs(eta[i])))
                    out[g] += weights[i] * one

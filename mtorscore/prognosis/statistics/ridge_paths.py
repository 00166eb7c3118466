"""Held-out partial likelihood of ridge Cox models: all inner folds and all penalties by the same matrix products.

The models of fold ``f`` share one matrix of risk sets, that of its training part, as rows and columns of the matrix of
everybody. Arrays carry folds, penalties and observations (or events) in this order, so that a step of Newton's method
for all of them is a handful of products.

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

"""Newton's method for Cox's partial likelihood, for one model or for thousands at once.

All arrays carry the models in their last axis: ``X`` is ``(n, p, B)``, coefficients are ``(p, B)``. With
``w = exp(X b)``, ``S0 = sum(w)`` and ``S1 = sum(w x)`` over the risk sets of `RiskSets`, the score is
``sum_e (x_e - S1_e / S0_e)`` and the information ``sum_i h_i w_i x_i x_i' - sum_e m_e m_e'`` with ``m = S1 / S0``
and ``h`` the transpose of the risk-set sum applied to ``1 / S0``; no per-event second moment is ever formed.

References
----------
Cox 1972; Efron, JASA 1977;72:557; Firth, Biometrika 1993;80:27; Heinze and Schemper, Biometrics 2001;57:114;
Grambsch and Therneau, Biometrika 1994;81:515 (the test of `zph` is the score test of survival >= 3.0).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from mtorscore.errors import DataError
from mtorscore.prognosis.statistics.risk_sets import FloatArray, RiskSets

BoolArray = npt.NDArray[np.bool_]

MAX_STEP = 5.0
"""Longest step of a standardised linear predictor's coefficient in one iteration."""
FLAT = 20.0
"""A coefficient per SD beyond this is the likelihood running away to infinity (separation)."""


@dataclass
class Fits:
    """B fitted models.

    Attributes
    ----------
    coef
        ``(p, B)``.
    covariance
        ``(p, p, B)`` inverse of the information (without any penalty).
    loglik, loglik_null
        ``(B,)``; penalised where the fit is.
    converged, infinite
        ``(B,)``; `infinite` marks models whose likelihood has no finite maximum.
    """

    coef: FloatArray
    covariance: FloatArray
    loglik: FloatArray
    loglik_null: FloatArray
    converged: BoolArray
    infinite: BoolArray

    @property
    def se(self) -> FloatArray:
        """``(p, B)`` standard errors."""
        p = len(self.coef)
        with np.errstate(invalid="ignore"):
            out: FloatArray = np.sqrt(self.covariance[np.arange(p), np.arange(p)])
        return out


@dataclass
class Moments:
    """Value and derivatives of the log partial likelihood at one point."""

    loglik: FloatArray
    score: FloatArray
    information: FloatArray


def moments(
    risk: RiskSets,
    x: FloatArray,
    coef: FloatArray,
    *,
    firth: bool = False,
    ridge: FloatArray | None = None,
    offset: FloatArray | None = None,
) -> Moments:
    """Return log partial likelihood ``(B,)``, score ``(p, B)`` and information ``(p, p, B)`` at `coef`.

    Parameters
    ----------
    risk
        Risk sets over ``n`` observations.
    x
        ``(n, p, B)`` covariates.
    coef
        ``(p, B)``.
    firth
        Add half the log determinant of the information (Jeffreys' prior).
    ridge
        ``(p, B)`` weights of a penalty ``sum(ridge * b ** 2) / 2``.
    offset
        ``(n, B)`` or ``(n, 1)`` added to the linear predictor.
    """
    eta = np.einsum("npb,pb->nb", x, coef)
    if offset is not None:
        eta = eta + offset
    eta -= eta.max(axis=0)
    w = np.exp(eta)
    wx = x * w[:, None, :]
    s0 = np.maximum(risk.sum(w), np.finfo(np.float64).tiny)
    mean = risk.sum(wx) / s0[:, None, :]
    inverse = 1.0 / s0
    h = risk.adjoint(inverse)
    loglik = (eta[risk.rows] - np.log(s0)).sum(axis=0)
    score = x[risk.rows].sum(axis=0) - mean.sum(axis=0)
    information = _second(wx * h[:, None, :], x) - _second(mean, mean)
    if firth:
        sign, logdet = np.linalg.slogdet(information.transpose(2, 0, 1))
        loglik = loglik + np.where(sign > 0, 0.5 * logdet, -np.inf)
        score = score + _firth_score(risk, x, wx, inverse, mean, information)
    if ridge is not None:
        loglik = loglik - 0.5 * (ridge * coef**2).sum(axis=0)
        score = score - ridge * coef
        p = len(coef)
        information = information.copy()
        information[np.arange(p), np.arange(p)] += ridge
    return Moments(loglik, score, information)


def _second(a: FloatArray, b: FloatArray) -> FloatArray:
    """``(rows, p, B), (rows, p, B) -> (p, p, B)``."""
    if a.shape[2] == 1:
        single: FloatArray = (a[:, :, 0].T @ b[:, :, 0])[:, :, None]
        return single
    out: FloatArray = np.einsum("njb,nkb->jkb", a, b)
    return out


def _firth_score(
    risk: RiskSets, x: FloatArray, wx: FloatArray, inverse: FloatArray, mean: FloatArray, information: FloatArray
) -> FloatArray:
    """Half the trace of ``I^-1 dI/db_l``, from third central moments summed over events."""
    h = risk.adjoint(inverse)
    hm = risk.adjoint(mean * inverse[:, None, :])
    third = np.einsum("njb,nkb,nlb->jklb", wx * h[:, None, :], x, x)
    mixed = np.einsum("njb,nkb,nlb->jklb", wx, x, hm)
    third -= mixed + mixed.transpose(0, 2, 1, 3) + mixed.transpose(2, 1, 0, 3)
    third += 2 * np.einsum("ejb,ekb,elb->jklb", mean, mean, mean)
    inverted = invert(information)
    out: FloatArray = 0.5 * np.einsum("jkb,jklb->lb", inverted, third)
    return out


def invert(information: FloatArray) -> FloatArray:
    """Inverse over the first two axes; NaN where singular."""
    stacked = information.transpose(2, 0, 1)
    if stacked.shape[1] == 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            single: FloatArray = np.where(information > 0, 1.0 / information, np.nan)
        return single
    out = np.full(stacked.shape, np.nan)
    scale = np.sqrt(np.maximum(np.diagonal(stacked, axis1=1, axis2=2), np.finfo(np.float64).tiny))
    scaled = stacked / scale[:, :, None] / scale[:, None, :]
    good: BoolArray = np.asarray(np.isfinite(scaled).all(axis=(1, 2)))
    inverse, sound = _inverse(scaled[good])
    good[good] = sound
    out[good] = inverse[sound] / scale[good][:, :, None] / scale[good][:, None, :]
    back: FloatArray = out.transpose(1, 2, 0)
    return back


def _inverse(stacked: FloatArray, limit: float = 1e12) -> tuple[FloatArray, BoolArray]:
    """Inverse of each ``(p, p)`` matrix, and whether its condition number is below the limit.

    The product of the Frobenius norms of a matrix and its inverse is never below it and costs no singular values.
    """
    inverse: FloatArray = np.full_like(stacked, np.nan)
    try:
        inverse = np.asarray(np.linalg.inv(stacked), dtype=np.float64)
    except np.linalg.LinAlgError:
        good: BoolArray = np.asarray(np.linalg.cond(stacked) < limit)
        inverse[good] = np.linalg.inv(stacked[good])
        return inverse, good
    with np.errstate(over="ignore", invalid="ignore"):
        good = (stacked**2).sum(axis=(1, 2)) * (inverse**2).sum(axis=(1, 2)) < limit**2
    if not good.all():
        good[~good] = np.linalg.cond(stacked[~good]) < limit
    return inverse, good


def newton(
    risk: RiskSets,
    x: FloatArray,
    *,
    firth: bool = False,
    ridge: FloatArray | None = None,
    offset: FloatArray | None = None,
    fixed: npt.NDArray[np.bool_] | None = None,
    start: FloatArray | None = None,
    max_iter: int = 50,
    tol: float = 1e-11,
) -> Fits:
    """Maximise the (penalised) partial likelihood of B models.

    Parameters
    ----------
    risk
        Risk sets over ``n`` observations.
    x
        ``(n, p, B)`` covariates, each centred and of SD about 1 (the caller scales back).
    firth, ridge, offset
        As in `moments`.
    fixed
        ``(p,)`` coefficients that stay at `start` (profile likelihood).
    start
        ``(p, B)``; 0 by default.
    max_iter
        Most iterations; with separation the likelihood is flat long before.
    tol
        Converged when Newton's decrement is below this.

    Returns
    -------
    Fits
        Coefficients on the scale of `x`.
    """
    _, p, b = x.shape
    coef = np.zeros((p, b)) if start is None else start.copy()
    free = np.ones(p, dtype=bool) if fixed is None else ~fixed
    current = moments(risk, x, coef, firth=firth, ridge=ridge, offset=offset)
    null = current.loglik.copy()
    if p == 0:
        return Fits(coef, current.information, null, null, np.ones(b, dtype=bool), np.zeros(b, dtype=bool))
    loglik, information = current.loglik.copy(), current.information.copy()
    converged = np.zeros(b, dtype=bool)
    active = np.arange(b)
    xa, ra, oa = x, ridge, offset
    for _ in range(max_iter):
        step = _step(current, free)
        # A singular model moves no further and does not count as converged.
        stuck = ~np.isfinite(step).all(axis=0)
        step[:, stuck] = 0.0
        decrement = (step[free] * current.score[free]).sum(axis=0)
        done = (decrement < tol) & ~stuck
        longest = np.abs(step).max(axis=0)
        step *= np.where(longest > MAX_STEP, MAX_STEP / np.maximum(longest, 1e-300), 1.0)
        trial = coef[:, active] + step
        fresh = moments(risk, xa, trial, firth=firth, ridge=ra, offset=oa)
        for _ in range(25):
            worse = ~(fresh.loglik >= current.loglik - 1e-10 * np.abs(current.loglik)) & ~stuck & ~done
            if not worse.any():
                break
            step[:, worse] *= 0.5
            trial = coef[:, active] + step
            fresh = moments(risk, xa, trial, firth=firth, ridge=ra, offset=oa)
        coef[:, active] = trial
        loglik[active] = fresh.loglik
        information[:, :, active] = fresh.information
        runaway = np.abs(trial).max(axis=0) > FLAT
        converged[active[done]] = True
        keep = ~(done | stuck | runaway)
        if not keep.any():
            break
        if not keep.all():
            active = active[keep]
            xa = x[:, :, active]
            ra = None if ridge is None else ridge[:, active]
            oa = offset if offset is None or offset.shape[1] == 1 else offset[:, active]
            fresh = Moments(fresh.loglik[keep], fresh.score[:, keep], fresh.information[:, :, keep])
        current = fresh
    inverse = invert(information)
    infinite = runs_away(coef, inverse)
    return Fits(coef, inverse, loglik, null, converged & ~infinite, infinite)


def runs_away(coef: FloatArray, covariance: FloatArray) -> BoolArray:
    """Whether each likelihood has no finite maximum: huge coefficients, or one so flat that its error is huge."""
    p = len(coef)
    if p == 0:
        return np.zeros(coef.shape[1], dtype=bool)
    variance = covariance[np.arange(p), np.arange(p)]
    out: BoolArray = (np.abs(coef).max(axis=0) > FLAT) | (np.where(np.isfinite(variance), variance, 0) > 1e6).any(
        axis=0
    )
    return out


def _step(current: Moments, free: npt.NDArray[np.bool_]) -> FloatArray:
    """Newton's step for the free coefficients, 0 for the others."""
    step = np.zeros_like(current.score)
    if free.any():
        inverse = invert(current.information[free][:, free])
        step[free] = np.einsum("jkb,kb->jb", inverse, current.score[free])
    return step


def zph(risk: RiskSets, x: FloatArray, coef: FloatArray, transform: str = "km") -> tuple[FloatArray, FloatArray]:
    """Test proportional hazards: score test of ``x * g(t)`` beside ``x``, as cox.zph of survival >= 3.0.

    Parameters
    ----------
    risk
        Risk sets.
    x
        ``(n, p)`` covariates.
    coef
        ``(p,)`` fitted coefficients.
    transform
        ``"km"`` (1 - Kaplan-Meier just before the event, strata pooled), ``"rank"``, ``"identity"`` or ``"log"``.

    Returns
    -------
    chisq, p
        ``(p + 1,)``: one per covariate (1 degree of freedom each), then the global test (p degrees of freedom).
    """
    p = x.shape[1]
    g = time_transform(risk, transform)
    eta = x @ coef
    w = np.exp(eta - eta.max())
    s0 = risk.sum(w)
    mean = risk.sum(w[:, None] * x) / s0[:, None]
    residual = x[risk.rows] - mean
    parts = []
    for power in (np.ones_like(g), g, g * g):
        h = risk.adjoint(power / s0)
        parts.append((x * (w * h)[:, None]).T @ x - (mean * power[:, None]).T @ mean)
    information = np.block([[parts[0], parts[1]], [parts[1], parts[2]]])
    score = np.concatenate([residual.sum(axis=0), (residual * g[:, None]).sum(axis=0)])
    chisq, df = np.full(p + 1, np.nan), np.append(np.ones(p), p)
    for j in range(p + 1):
        extra = np.array([p + j]) if j < p else np.arange(p, 2 * p)
        rows = np.concatenate([np.arange(p), extra])
        block, u = information[np.ix_(rows, rows)], score[rows]
        scale = np.sqrt(np.maximum(np.diag(block), 1e-300))
        scaled = block / np.outer(scale, scale)
        if np.isfinite(scaled).all() and np.linalg.cond(scaled) < 1e12:
            chisq[j] = (u / scale) @ np.linalg.solve(scaled, u / scale)
    return chisq, stats.chi2.sf(chisq, df)


def proportionality(risk: RiskSets, x: FloatArray, coef: FloatArray) -> FloatArray:
    """P-value of the test of `zph` for the first covariate of B models, ``(n, p, B)`` and ``(p, B)``, at once."""
    p = x.shape[1]
    g = time_transform(risk, "km")
    eta = np.einsum("npb,pb->nb", x, coef)
    w = np.exp(eta - eta.max(axis=0))
    s0 = risk.sum(w)
    wx = w[:, None, :] * x
    mean = risk.sum(wx) / s0[:, None, :]
    residual = x[risk.rows] - mean
    blocks = []
    for power in (np.ones_like(g), g, g * g):
        h = risk.adjoint(power[:, None] / s0)
        blocks.append(_second(wx * h[:, None, :], x) - _second(mean * power[:, None, None], mean))
    size = p + 1
    information = np.empty((size, size, x.shape[2]))
    information[:p, :p], information[:p, p] = blocks[0], blocks[1][:, 0]
    information[p, :p], information[p, p] = blocks[1][0], blocks[2][0, 0]
    score = np.concatenate([residual.sum(axis=0), np.einsum("e,eb->b", g, residual[:, 0])[None]])
    inverse = invert(information)
    chisq = np.einsum("jb,jkb,kb->b", score, inverse, score)
    out: FloatArray = stats.chi2.sf(chisq, 1)
    return out


def time_transform(risk: RiskSets, transform: str) -> FloatArray:
    """``(E,)`` transformed event times, centred over events."""
    from mtorscore.prognosis.statistics.kaplan_meier import product_limit

    times = risk.times
    if transform == "km":
        curve = product_limit(risk.time, risk.event, risk.entry)
        survival = np.concatenate([[1.0], curve.survival])
        g = 1.0 - survival[np.searchsorted(curve.time, times, side="left")]
    elif transform == "rank":
        g = stats.rankdata(times)
    elif transform == "identity":
        g = times.copy()
    elif transform == "log":
        g = np.log(np.maximum(times, np.finfo(np.float64).tiny))
    else:
        raise DataError(f"Unknown time transform {transform!r}; use 'km', 'rank', 'identity' or 'log'.")
    centred: FloatArray = g - g.mean()
    return centred

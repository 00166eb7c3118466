"""Tests and intervals for the first covariate of B models at once: Wald, or penalised profile likelihood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import expit, logit

from mtorscore.prognosis.statistics.cox import Fits
from mtorscore.prognosis.statistics.risk_sets import FloatArray

Fitter = Callable[..., Fits]

UNBOUNDED = 50.0
"""A bound of a log ratio per SD beyond this is returned as infinite."""


@dataclass
class Effects:
    """Estimate of one coefficient in B models, per unit of the covariate as handed in.

    Attributes
    ----------
    coef, se, low, high, p
        ``(B,)``; NaN where the model has no estimate.
    all_coef
        ``(p, B)``.
    firth
        Whether the fits are penalised.
    usable
        ``(B,)`` converged with a finite maximum.
    loglik, loglik_null
        ``(B,)``.
    """

    coef: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray
    all_coef: FloatArray
    firth: bool
    usable: npt.NDArray[np.bool_]
    infinite: npt.NDArray[np.bool_]
    loglik: FloatArray
    loglik_null: FloatArray


def ratio(log: npt.ArrayLike) -> FloatArray:
    """Exponential that turns what no float can hold into infinity without a warning."""
    values = np.asarray(log, dtype=np.float64)
    out: FloatArray = np.exp(np.where(values > 700, np.inf, values))
    return out


def wilson_interval(k: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share of `k` out of `n`, which may be fractions (effective sample sizes)."""
    z = float(stats.norm.ppf(0.5 + level / 2))
    z2 = z**2
    centre = (k + z2 / 2) / (n + z2)
    half = z * np.sqrt(k * (n - k) / n + z2 / 4) / (n + z2)
    return centre - half, centre + half


def logit_interval(value: float, resamples: FloatArray, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share by the spread of its resamples on the logit scale; NaN without two of them.

    Of an AUC with few cases the percentile interval is too narrow (benchmarks/prognosis/competing.tsv).
    """
    known = resamples[np.isfinite(resamples)]
    if len(known) < 2 or not np.isfinite(value):
        return float("nan"), float("nan")
    centre, spread = logit(np.clip(value, 1e-3, 1 - 1e-3)), logit(np.clip(known, 1e-3, 1 - 1e-3)).std(ddof=1)
    half = stats.norm.ppf(0.5 + level / 2) * spread
    return float(expit(centre - half)), float(expit(centre + half))


def spread_interval(value: float, resamples: FloatArray, level: float = 0.95) -> tuple[float, float]:
    """Interval of a number by the spread of its resamples; NaN without two of them."""
    known = resamples[np.isfinite(resamples)]
    if len(known) < 2 or not np.isfinite(value):
        return float("nan"), float("nan")
    half = float(stats.norm.ppf(0.5 + level / 2) * known.std(ddof=1))
    return value - half, value + half


def log_interval(value: float, resamples: FloatArray, level: float = 0.95) -> tuple[float, float]:
    """Interval of a ratio by the spread of its resamples on the logarithm's scale; NaN without two above 0."""
    if not value > 0:
        return float("nan"), float("nan")
    low, high = spread_interval(float(np.log(value)), np.log(resamples[resamples > 0]), level)
    return float(np.exp(low)), float(np.exp(high))


def wald(fit: Fits, level: float = 0.95, term: int = 0, df: float = np.inf) -> Effects:
    """Wald test and interval of coefficient `term`, by Student's t where degrees of freedom are given."""
    coef, se = fit.coef[term].copy(), fit.se[term].copy()
    usable = fit.converged & np.isfinite(se)
    coef[~usable], se[~usable] = np.nan, np.nan
    law = stats.norm if np.isinf(df) else stats.t(df)
    z = law.ppf(0.5 + level / 2)
    p = 2 * law.sf(np.abs(coef / se))
    low, high = coef - z * se, coef + z * se
    return Effects(coef, se, low, high, p, fit.coef, False, usable, fit.infinite, fit.loglik, fit.loglik_null)


def profile(
    fitter: Fitter, x: FloatArray, level: float = 0.95, term: int = 0, *, interval: bool = True, null: float = 0.0
) -> Effects:
    """Penalised likelihood-ratio test and profile interval of coefficient `term` under Firth's penalty.

    Parameters
    ----------
    fitter
        ``fitter(x, firth=True, fixed=..., start=...)`` returns `Fits`; Cox and logistic models share this.
    x
        ``(n, p, B)`` standardised covariates.
    level
        Of the interval.
    term
        Which covariate.
    interval
        Whether to look for the bounds, which takes ten times as long as the test.
    null
        Value of the coefficient that is tested.

    Returns
    -------
    Effects
        As coxphf and logistf report them.

    References
    ----------
    Heinze and Schemper, Biometrics 2001;57:114; Heinze and Schemper, Stat Med 2002;21:2409.
    """
    fit = fitter(x, firth=True)
    p = fit.coef.shape[0]
    fixed = np.zeros(p, dtype=bool)
    fixed[term] = True
    usable = fit.converged & np.isfinite(fit.se[term])
    start = np.where(np.isfinite(fit.coef), fit.coef, 0.0)

    def deviance(value: FloatArray, which: npt.NDArray[np.int64]) -> FloatArray:
        held = start[:, which].copy()
        held[term] = value
        part = fitter(x[:, :, which], firth=True, fixed=fixed, start=held)
        out: FloatArray = 2 * (fit.loglik[which] - part.loglik)
        return out

    everything = np.arange(fit.coef.shape[1])
    good = everything[usable]
    pvalue = np.full(len(everything), np.nan)
    low, high = pvalue.copy(), pvalue.copy()
    if len(good):
        pvalue[good] = stats.chi2.sf(np.maximum(deviance(np.full(len(good), null), good), 0), 1)
        target = stats.chi2.ppf(level, 1)
        for sign, out in ((-1.0, low), (1.0, high)) if interval else ():
            out[good] = _root(deviance, fit.coef[term][good], fit.se[term][good] * sign, target, good)
    coef, se = np.where(usable, fit.coef[term], np.nan), np.where(usable, fit.se[term], np.nan)
    return Effects(
        coef, se, low, high, pvalue, fit.coef, True, usable, np.zeros_like(usable), fit.loglik, fit.loglik_null
    )


def _root(
    deviance: Callable[[FloatArray, npt.NDArray[np.int64]], FloatArray],
    centre: FloatArray,
    step: FloatArray,
    target: float,
    which: npt.NDArray[np.int64],
) -> FloatArray:
    """Where the deviance reaches `target` on one side of the maximum; bracketing, then regula falsi (Illinois)."""
    inner, outer = centre.copy(), centre + 2.2 * step
    f_inner, f_outer = np.full(len(which), -target), deviance(outer, which) - target
    for _ in range(12):
        short = (f_outer < 0) & (np.abs(outer) < UNBOUNDED)
        if not short.any():
            break
        inner[short], f_inner[short] = outer[short], f_outer[short]
        outer[short] = centre[short] + 2.0 * (outer[short] - centre[short])
        f_outer[short] = deviance(outer[short], which[short]) - target
    root = np.where(f_outer >= 0, outer, np.sign(step) * np.inf)
    open_ = (f_outer >= 0) & np.isfinite(f_outer)
    side = np.zeros(len(which))
    for _ in range(60):
        rows = np.flatnonzero(open_)
        if not len(rows):
            break
        a, b, fa, fb = inner[rows], outer[rows], f_inner[rows], f_outer[rows]
        middle = (a * fb - b * fa) / (fb - fa)
        value = deviance(middle, which[rows]) - target
        root[rows] = middle
        below = value < 0
        inner[rows] = np.where(below, middle, a)
        outer[rows] = np.where(below, b, middle)
        f_inner[rows] = np.where(below, value, np.where(side[rows] == 1, fa / 2, fa))
        f_outer[rows] = np.where(below, np.where(side[rows] == -1, fb / 2, fb), value)
        side[rows] = np.where(below, -1, 1)
        open_[rows] = (np.abs(value) > 1e-9) & (np.abs(outer[rows] - inner[rows]) > 1e-12)
    return root

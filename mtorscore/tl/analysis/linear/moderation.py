"""Variances shrunk towards their common prior, and t statistics as normal deviates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

__all__ = [
    "Moderated", "moderate", "normal_bailey", "normal_hill", "smooth", "trended_prior", "two_sided", "variance_prior",
]  # fmt: skip

_Float = npt.NDArray[np.float64]
_SPLINE = 4
_LEAST_FOR_TREND = 30


@dataclass(frozen=True)
class Moderated:
    """Posterior variances.

    Attributes
    ----------
    variance
        Per row (gene or signature).
    degrees
        Of the moderated t, per row: residual and prior together, at most the sum of all residual ones.
    prior_variance, prior_degrees
        Of the scaled inverse chi-squared prior; the variance is one for all rows, or with a covariate one per row.
    """

    variance: _Float
    degrees: _Float
    prior_variance: float | _Float
    prior_degrees: float


def variance_prior(variance: _Float, degrees: _Float | float) -> tuple[float, float]:
    """Fit the scaled F distribution of variances by the moments of their logs (Smyth 2004, section 6.2).

    Parameters
    ----------
    variance
        Residual variances; those that are not finite take no part.
    degrees
        Their degrees of freedom, one for all or one each.

    Returns
    -------
    tuple of float
        Prior variance and prior degrees of freedom, infinite where the variances do not differ more than by chance.

    Notes
    -----
    Variances of zero are lifted to 1e-5 of the median, as limma does.
    """
    each = np.broadcast_to(np.asarray(degrees, dtype=np.float64), variance.shape)
    known = np.isfinite(variance) & (each > 0)
    x, half = variance[known], each[known] / 2
    if x.size < 2:
        return (float(x[0]) if x.size else np.nan), 0.0
    x, logs = _unbiased_logs(x, half)
    excess = float(logs.var(ddof=1) - special.polygamma(1, half).mean())
    if excess <= 0:
        return float(x.mean()), np.inf
    prior = _inverse_trigamma(excess)
    return float(np.exp(logs.mean() + special.digamma(prior) - np.log(prior))), 2 * prior


def trended_prior(variance: _Float, degrees: _Float | float, covariate: _Float) -> tuple[_Float, float]:
    """Fit the prior of variances whose level follows a covariate, by a natural cubic spline of their logs.

    The trend of limma (Phipson, Lee, Majewski, Alexander, Smyth, Ann Appl Stat 2016;10:946): 4 columns of a natural
    spline with knots at the thirds of the covariate.

    Parameters
    ----------
    variance, degrees
        As of `variance_prior`.
    covariate
        Per row, finite, such as the mean log expression.

    Returns
    -------
    tuple
        Prior variance per row, and prior degrees of freedom, infinite where the variances differ from their trend by
        no more than chance. Fewer than 30 known rows, or a covariate of fewer than 4 values, have no trend.
    """
    each = np.broadcast_to(np.asarray(degrees, dtype=np.float64), variance.shape)
    known = np.isfinite(variance) & (each > 0)
    if known.sum() < _LEAST_FOR_TREND or len(np.unique(covariate[known])) < _SPLINE:
        flat, prior_degrees = variance_prior(variance, degrees)
        return np.full(variance.shape, flat), prior_degrees
    half = each[known] / 2
    _, logs = _unbiased_logs(variance[known], half)
    knots = np.quantile(covariate[known], np.linspace(0, 1, _SPLINE))
    basis = _natural_spline(covariate[known], knots)
    coefficients, _, rank, _ = np.linalg.lstsq(basis, logs, rcond=None)
    residual = logs - basis @ coefficients
    excess = float((residual**2).sum() / (len(logs) - rank) - special.polygamma(1, half).mean())
    trend: _Float = _natural_spline(covariate, knots) @ coefficients
    if excess <= 0:
        return np.exp(trend), np.inf
    prior = _inverse_trigamma(excess)
    return np.exp(trend + special.digamma(prior) - np.log(prior)), 2 * prior


def smooth(values: _Float, covariate: _Float) -> _Float:
    """Return what values are on average where the covariate is this: the natural spline of `trended_prior`.

    Parameters
    ----------
    values, covariate
        Per row, finite.

    Returns
    -------
    numpy.ndarray
        Per row; the mean where fewer than 30 rows, or a covariate of fewer than 4 values, have no trend.
    """
    if len(values) < _LEAST_FOR_TREND or len(np.unique(covariate)) < _SPLINE:
        return np.full(len(values), values.mean())
    basis = _natural_spline(covariate, np.quantile(covariate, np.linspace(0, 1, _SPLINE)))
    fitted: _Float = basis @ np.linalg.lstsq(basis, values, rcond=None)[0]
    return fitted


def _unbiased_logs(variance: _Float, half: _Float) -> tuple[_Float, _Float]:
    """Return variances lifted above 0, and their logs without the bias of the log of a chi-squared variable."""
    middle = float(np.median(variance)) or 1.0
    lifted = np.maximum(variance, 1e-5 * middle)
    return lifted, np.log(lifted) - special.digamma(half) + np.log(half)


def _natural_spline(values: _Float, knots: _Float) -> _Float:
    """Return constant, slope and cubics that are straight beyond the outer knots, as columns."""
    knots = np.unique(knots)
    unit = (values - knots[0]) / (knots[-1] - knots[0])
    places = (knots - knots[0]) / (knots[-1] - knots[0])
    above = np.maximum(unit[:, None] - places, 0.0) ** 3
    cubics = (above[:, :-1] - above[:, -1:]) / (1 - places[:-1])
    return np.column_stack([np.ones_like(unit), unit, cubics[:, :-1] - cubics[:, -1:]])


def _inverse_trigamma(value: float) -> float:
    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1e-6:
        return float(1 / value)
    y = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, y))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, y))
        y += step
        if abs(step) < 1e-12 * y:
            break
    return y


def moderate(variance: _Float, degrees: _Float | float, covariate: _Float | None = None) -> Moderated:
    """Shrink residual variances towards their prior (Smyth, Stat Appl Genet Mol Biol 2004;3:3).

    Parameters
    ----------
    variance
        Residual variances.
    degrees
        Their degrees of freedom, one for all or one each.
    covariate
        Per row, finite: the prior variance follows it (see `trended_prior`). By default one prior serves all rows.

    Returns
    -------
    Moderated
        NaN where a variance is NaN.
    """
    each = np.broadcast_to(np.asarray(degrees, dtype=np.float64), variance.shape)
    prior_variance: float | _Float
    if covariate is None:
        prior_variance, prior_degrees = variance_prior(variance, each)
    else:
        prior_variance, prior_degrees = trended_prior(variance, each, covariate)
    if np.isinf(prior_degrees):
        posterior = np.where(np.isfinite(variance), prior_variance, np.nan)
    else:
        posterior = (prior_degrees * prior_variance + each * variance) / (prior_degrees + each)
    pooled = float(each[np.isfinite(variance)].sum())
    return Moderated(posterior, np.minimum(each + prior_degrees, pooled), prior_variance, prior_degrees)


def two_sided(t: _Float, degrees: _Float | float) -> _Float:
    """Return two-sided p of t statistics; NaN stays NaN."""
    p: _Float = 2 * stats.t.sf(np.abs(t), degrees)
    return p


def normal_hill(t: _Float, degrees: float) -> _Float:
    """Return normal deviates of t statistics by Hill's expansion (Commun ACM 1970;13:617), as in limma's camera."""
    degrees = min(degrees, 1e100)
    a = degrees - 0.5
    b = 48 * a * a
    z = a * np.log1p(t / degrees * t)
    z = (((((-0.4 * z - 3.3) * z - 24) * z - 85.5) / (0.8 * z * z + 100 + b) + z + 3) / b + 1) * np.sqrt(z)
    out: _Float = z * np.sign(t)
    return out


def normal_bailey(t: _Float, degrees: float) -> _Float:
    """Return normal deviates of t statistics by Bailey's formula (Am Stat 1980;34:119), as in limma's roast."""
    shrink = (degrees + 0.125) / (degrees + 1.125)
    out: _Float = shrink * np.sqrt((degrees + 19 / 12) * np.log1p(t / (degrees + 1 / 12) * t)) * np.sign(t)
    return out

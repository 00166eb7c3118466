"""Variances shrunk towards their common prior, and t statistics as normal deviates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

__all__ = ["Moderated", "moderate", "normal_bailey", "normal_hill", "two_sided", "variance_prior"]

_Float = npt.NDArray[np.float64]


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
        Of the scaled inverse chi-squared prior.
    """

    variance: _Float
    degrees: _Float
    prior_variance: float
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
    middle = float(np.median(x)) or 1.0
    x = np.maximum(x, 1e-5 * middle)
    logs = np.log(x) - special.digamma(half) + np.log(half)
    excess = float(logs.var(ddof=1) - special.polygamma(1, half).mean())
    if excess <= 0:
        return float(x.mean()), np.inf
    prior = _inverse_trigamma(excess)
    return float(np.exp(logs.mean() + special.digamma(prior) - np.log(prior))), 2 * prior


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


def moderate(variance: _Float, degrees: _Float | float) -> Moderated:
    """Shrink residual variances towards their prior (Smyth, Stat Appl Genet Mol Biol 2004;3:3).

    Parameters
    ----------
    variance
        Residual variances.
    degrees
        Their degrees of freedom, one for all or one each.

    Returns
    -------
    Moderated
        NaN where a variance is NaN.
    """
    each = np.broadcast_to(np.asarray(degrees, dtype=np.float64), variance.shape)
    prior_variance, prior_degrees = variance_prior(variance, each)
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

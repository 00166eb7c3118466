"""The difference of two assays of the same samples: its variance per gene, its null, and q by weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from mtorscore._multiple_testing import adjust_p
from mtorscore.tl.analysis.linear.moderation import moderate, smooth, trended_prior

__all__ = ["difference_variance", "shift_of_the_unchanged", "weighted_q"]

_Float = npt.NDArray[np.float64]
_MOST_SHARED = 0.95
_UNCHANGED = 2.0
"""Robust standard deviations within which a gene counts as unchanged."""
_LEAST_UNCHANGED = 30
_ROUNDS = 50
_MAD = float(1 / stats.norm.ppf(0.75))
_CHANGE = 0.8
"""Change (log2) for which the weights are best."""
_FDR = 0.05
_FEWEST = 5
_LARGEST_CUT = 0.01
"""Weights are best at the cut-off of p at which that many genes or more would be found without them, or at this."""


def difference_variance(
    first: _Float, second: _Float, degrees: int, trends: tuple[_Float, _Float], level: _Float
) -> tuple[_Float, _Float]:
    """Return the shrunken variance of first minus second per gene, and its degrees of freedom.

    A gene has one factor on the trends of both assays; both inform on it, less where they correlate. What they share
    within a sample follows the level: counting noise is of each assay alone.

    Parameters
    ----------
    first, second
        Residuals of both assays about the means of groups, samples x genes.
    degrees
        Their degrees of freedom.
    trends
        What the variances of each assay follow, per gene.
    level
        What the correlation of both follows, per gene.
    """
    variances = [(r**2).sum(axis=0) / degrees for r in (first, second)]
    a, b = (trended_prior(v, float(degrees), t)[0] for v, t in zip(variances, trends, strict=True))
    factor = (variances[0] / a + variances[1] / b) / 2
    between = np.sqrt(a * b)
    common = smooth((first * second).sum(axis=0) / degrees / between, level)
    shared = np.clip(common / np.maximum(smooth(factor, level), factor.mean() / 10), -_MOST_SHARED, _MOST_SHARED)
    found = moderate(factor, 2 * degrees / (1 + shared**2))
    return found.variance * (a + b - 2 * shared * between), found.degrees


def shift_of_the_unchanged(change: _Float, error: _Float) -> float:
    """Return the change of genes that do not change, by which the normalisation was moved by those that do.

    The mean, by precision, of the genes within two robust standard deviations of it, from 0 on until it stays.

    Parameters
    ----------
    change, error
        Estimate and standard error per gene; 0 is returned where fewer than 30 genes would tell.
    """
    known = np.isfinite(change) & (error > 0)
    x, e = change[known], error[known]
    shift = 0.0
    for _ in range(_ROUNDS):
        z = np.abs((x - shift) / e)
        near = z <= _UNCHANGED * _MAD * (np.median(z) if z.size else 0.0)
        if near.sum() < _LEAST_UNCHANGED:
            return 0.0
        before, shift = shift, float(np.average(x[near], weights=e[near] ** -2))
        if abs(shift - before) < 1e-10:
            break
    return shift


def weighted_q(p: _Float, error: _Float, level: _Float) -> _Float:
    """Return q of Benjamini and Hochberg, with weights by the error that is expected at a gene's level.

    Parameters
    ----------
    p, error
        Per gene; genes whose p is NaN take no part.
    level
        What errors follow, such as counting noise; it says nothing of a change, so that weights by it hold the rate.
    """
    out = np.full(len(p), np.nan)
    known = np.isfinite(p) & (error > 0)
    out[~known] = p[~known]
    if not known.any():
        return out
    found = max(int((adjust_p(p[known]) <= _FDR).sum()), _FEWEST)
    cut = min(_FDR * found / int(known.sum()), _LARGEST_CUT)
    weights = _weights(np.exp(smooth(np.log(error[known]), level[known])), cut)
    with np.errstate(divide="ignore", over="ignore"):
        out[known] = adjust_p(np.minimum(p[known] / weights, 1.0))
    return out


def _weights(error: _Float, cut: float) -> _Float:
    """Return weights of mean 1 that find most genes, if each changes by the same amount, at this mean cut-off of p."""
    size = _CHANGE / error

    def tails(c: float) -> _Float:
        tail: _Float = 2 * stats.norm.sf(size / 2 + c / size)
        return tail

    high = 1.0
    while tails(high).mean() > cut:
        high *= 2
    low = -1.0
    while tails(low).mean() < cut:
        low *= 2
    found: _Float = tails(float(optimize.brentq(lambda c: tails(c).mean() - cut, low, high)))
    return np.asarray(found / found.mean(), dtype=np.float64)

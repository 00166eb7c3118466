"""Quantiles of a reference sample that hold for new observations, and intervals of shares beyond them.

Order statistics alone: nothing is assumed of the distribution.

References
----------
Wilks, Ann Math Stat 1941;12:91 (order statistics as limits for new observations); Conover, Practical Nonparametric
Statistics, 1999 (intervals of a quantile); Zou and Donner, Stat Med 2008;27:1693 (recovery of variance estimates).
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from mtorscore.prognosis.statistics.inference import wilson_interval
from mtorscore.prognosis.statistics.risk_sets import FloatArray


def least_reference(quantile: float) -> int:
    """Fewest reference samples whose largest is beyond the quantile as often as a new observation should be."""
    return int(np.ceil(quantile / (1 - quantile) - 1e-9))


def predictive_quantile(reference: FloatArray, quantile: float) -> float:
    """Value that a new observation of the same kind exceeds with probability ``1 - quantile``.

    Observation ``k`` of ``n`` in ascending order is exceeded with probability ``1 - k / (n + 1)``; between two of them
    it is interpolated. The plain sample quantile is exceeded more often: by 8.4% instead of 5% with 20 samples.
    """
    return float(np.quantile(reference, quantile, method="weibull"))


def quantile_interval(reference: FloatArray, quantile: float, level: float = 0.95) -> tuple[float, float]:
    """Interval of the quantile of the distribution by order statistics; infinite where the sample has no bound."""
    ascending, n = np.sort(reference), len(reference)
    tail = (1 - level) / 2
    below = stats.binom.cdf(np.arange(n + 1), n, quantile)
    lows = np.flatnonzero(below[:n] <= tail)
    highs = np.flatnonzero(1 - below[:n] <= tail)
    low = float(ascending[lows[-1]]) if len(lows) else -np.inf
    high = float(ascending[highs[0]]) if len(highs) else np.inf
    return low, high


def share_beyond(
    values: FloatArray, reference: FloatArray, quantile: float, level: float = 0.95, independent: int | None = None
) -> tuple[float, float, float]:
    """Share of `values` beyond the reference's quantile, with an interval that holds both samples' uncertainty.

    Parameters
    ----------
    values, reference
        The two samples.
    quantile
        Of the reference.
    level
        Of the interval.
    independent
        How many of `values` are independent (patients), where that is fewer than there are.
    """
    share = float((values > predictive_quantile(reference, quantile)).mean())
    n = len(values) if independent is None else independent
    own_low, own_high = wilson_interval(share * n, n, level)
    low, high = quantile_interval(reference, quantile, level)
    least, most = float((values > high).mean()), float((values > low).mean())
    return (
        share,
        max(share - float(np.hypot(share - own_low, share - least)), 0.0),
        min(share + float(np.hypot(own_high - share, most - share)), 1.0),
    )

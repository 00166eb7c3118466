"""Intervals of cross-validated performance that hold for the whole procedure, refitting and tuning included.

A bootstrap of patients with the predictions kept knows how the test patients vary, and nothing of how the models would
differ had other patients been drawn. Nadeau and Bengio add the second part: over the folds of one repeat the variance
of a mean is ``S2 * (1 / k + 1 / (k - 1))`` instead of ``S2 / k``, where ``1 / (k - 1)`` is the ratio of test to
training patients. Here the first part is the bootstrap's variance ``V`` of one repeat, estimated from all patients
rather than from ``k`` folds. Repeats share their patients: averaging them takes away the noise of the split but little
of the rest, so their ``V`` is averaged and not divided. The noise of the split itself came to about half of ``V`` in
simulation and is what repeats divide: the whole is ``V * (1 + k / (k - 1) + 1 / (2 * repeats))``. What that covers, and
what the alternatives cover, stands in ``docs/evidence/prognosis_coverage.md``.

References
----------
Nadeau and Bengio, Mach Learn 2003;52:239; Bengio and Grandvalet, J Mach Learn Res 2004;5:1089 (no unbiased estimate of
the variance exists); Bates, Hastie and Tibshirani, J Am Stat Assoc 2024;119:1434.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from mtorscore.prognosis.statistics.risk_sets import FloatArray

UNBOUNDED = ("log_loss",)
"""Metrics that may exceed 1."""
SPLIT = 0.5
"""Variance that dealing out the folds adds, in units of that of the resamples."""
NEED_LARGE_FOLDS, LEAST_IN_FOLD = ("average_precision",), 30
"""Average precision of a dozen patients is too high on average, whatever the model: an interval covered 89%."""


def average(stack: FloatArray) -> tuple[FloatArray, int]:
    """Mean over the folds that have a value, of the sample and of each resample; and how many folds the sample has.

    Parameters
    ----------
    stack
        ``(folds, 1 + resamples)``, the sample itself first.
    """
    known = np.isfinite(stack)
    count = known.sum(axis=0)
    total = np.where(known, stack, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan), int(count[0])


def inflation(k: int, repeats: int = 1) -> float:
    """By what the variance of the resamples of one repeat of `k` folds is multiplied."""
    return 1 + k / (k - 1) + SPLIT / repeats


def has_interval(metric: str, n: int, folds: int) -> bool:
    """Whether an interval of the metric was seen to hold with `n` observations in so many folds."""
    return metric not in NEED_LARGE_FOLDS or n // folds >= LEAST_IN_FOLD


def half_width(stack: FloatArray, repeats: int, events: int, level: float = 0.95) -> float:
    """Half of the interval of the mean over folds and repeats; NaN without resamples.

    Parameters
    ----------
    stack
        ``(repeats * k, 1 + resamples)``, repeat by repeat.
    repeats
        Of the cross-validation.
    events
        Events, or observations of the rarest class: Student's t has one degree of freedom fewer.
    level
        Of the interval.
    """
    k = len(stack) // repeats
    means = [average(part)[0][1:] for part in np.split(stack, repeats)]
    variances = [np.var(m[np.isfinite(m)], ddof=1) for m in means if np.isfinite(m).sum() > 1]
    if not variances:
        return float("nan")
    quantile = stats.t.ppf(0.5 + level / 2, max(events - 1, 1))
    return float(quantile * np.sqrt(inflation(k, repeats) * np.mean(variances)))


def bounded(value: float, half: float, metric: str) -> tuple[float, float]:
    """Interval around a value, cut at what the metric can be."""
    return max(value - half, 0.0), value + half if metric in UNBOUNDED else min(value + half, 1.0)

"""Comparable pairs of a survival outcome, counted one by one (compiled): no matrix of pairs is formed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray
from mtorscore.tl.kernels.jit import jit


@jit
def pair_sums(
    score: FloatArray, time: FloatArray, event: npt.NDArray[np.bool_], entry: FloatArray, strata: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Count concordant, discordant and tied pairs, and what each observation has part in.

    Parameters
    ----------
    score, time, event, entry, strata
        ``(n,)`` each; scores are compared as they are, and an entry of minus infinity is none.

    Returns
    -------
    counts
        ``(3,)`` concordant, discordant, tied.
    sums
        ``(2, n)`` gains and comparable pairs of each observation.
    """
    n = score.size
    counts, sums = np.zeros(3), np.zeros((2, n))
    for i in range(n):
        if not event[i]:
            continue
        for j in range(n):
            later = time[j] > time[i] or (time[j] == time[i] and not event[j])
            if not later or strata[j] != strata[i] or not entry[j] < time[i]:
                continue
            if score[i] > score[j]:
                counts[0] += 1.0
                gain = 1.0
            elif score[i] == score[j]:
                counts[2] += 1.0
                gain = 0.5
            else:
                counts[1] += 1.0
                gain = 0.0
            sums[0, i] += gain
            sums[0, j] += gain
            sums[1, i] += 1.0
            sums[1, j] += 1.0
    return counts, sums

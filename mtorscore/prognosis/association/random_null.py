"""Null distribution over random signatures matched in size, direction, weights and expression.

Observed and random scores are tested by the *same* score test
(`mtorscore.prognosis.statistics.score_test`), which is closed form: ten thousand sets cost a few matrix products.

References
----------
Venet, Dumont and Detours, PLoS Comput Biol 2011;7:e1002240; Phipson and Smyth, Stat Appl Genet Mol Biol 2010;9:39.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtorscore.prognosis.statistics.risk_sets import FloatArray
from mtorscore.prognosis.statistics.score_test import ScoreTest, each_of_centred

BATCH = 4096


def nulls_of(tests: Sequence[ScoreTest], scores: FloatArray) -> list[FloatArray]:
    """Return, by each test, the absolute statistics of random scores that are defined, in ascending order.

    Parameters
    ----------
    tests
        Score tests of the same patients.
    scores
        ``(n, n_sets)``, of about mean 0.
    """
    batches = [each_of_centred(tests, scores[:, i : i + BATCH]) for i in range(0, scores.shape[1], BATCH)]
    nulls = np.abs(np.concatenate([np.stack(batch) for batch in batches], axis=1))
    nulls[~np.isfinite(nulls)] = np.nan
    # What is not defined comes last.
    nulls.sort(axis=1)
    return [null[:n] for null, n in zip(nulls, np.isfinite(nulls).sum(axis=1), strict=True)]


def compare_with_null(null: FloatArray, observed: float) -> tuple[float, float, int]:
    """Return percentile and p-value of an observed statistic among those of random scores.

    Parameters
    ----------
    null
        Absolute statistics of random signatures, in ascending order (`nulls_of`).
    observed
        Absolute statistic of the signature by the same test.

    Returns
    -------
    percentile, p, n_sets
        The percentile is the share of sets with a smaller absolute statistic (ties count half), times 100;
        ``p = (1 + b) / (1 + B)`` with ``b`` of ``B`` sets at least as extreme. Sets without a score do not count.
    """
    if not len(null):
        return float("nan"), float("nan"), 0
    slack = 1e-9 * max(observed, 1.0)
    at_least = len(null) - int(null.searchsorted(observed - slack, side="left"))
    above = len(null) - int(null.searchsorted(observed + slack, side="right"))
    return 100 * (1 - 0.5 * (at_least + above) / len(null)), (1 + at_least) / (1 + len(null)), len(null)

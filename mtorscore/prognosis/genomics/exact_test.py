"""Permutation tests of two groups and of two labels, exact where that can be counted.

References
----------
Streitberg and Roehmel, Statistical Software Newsletter 1986;12:10 (the shift algorithm); Phipson and Smyth, Stat Appl
Genet Mol Biol 2010;9:39 (p-values of sampled permutations); Bergsma, J Korean Stat Soc 2013;42:323 (Cramer's V without
bias).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["cramers_v", "rank_sum_p"]

MOST_STEPS = 300_000_000
"""Steps of the shift algorithm up to which ties are counted exactly."""
MOST_PAIRS = 4_000_000
"""Product of the group sizes up to which the distribution without ties is counted."""
SAMPLED = 99_999


def rank_sum_p(values: FloatArray, first: npt.NDArray[np.bool_], seed: int = 0) -> tuple[float, str]:
    """Return the two-sided permutation p-value of the rank sum of one group.

    Parameters
    ----------
    values
        ``(n,)``, finite.
    first
        ``(n,)``, which belong to the group.
    seed
        Of sampled permutations.

    Returns
    -------
    p, how
        How: ``"exact"``, or ``"sampled"`` where the arrangements are too many to count.
    """
    k, n = int(first.sum()), len(values)
    if not 0 < k < n:
        return float("nan"), ""
    ranks = stats.rankdata(values)
    doubled = np.round(2 * ranks).astype(np.int64)
    observed = int(doubled[first].sum())
    if len(np.unique(ranks)) == n and k * (n - k) <= MOST_PAIRS:
        return float(stats.mannwhitneyu(values[first], values[~first], method="exact").pvalue), "exact"
    if n * min(k, n - k) * int(np.sort(doubled)[-min(k, n - k) :].sum()) <= MOST_STEPS and n <= 1000:
        return _shifted(doubled, first, observed), "exact"
    return _sampled(doubled, k, observed, seed), "sampled"


def _shifted(doubled: npt.NDArray[np.int64], first: npt.NDArray[np.bool_], observed: int) -> float:
    """Count the arrangements whose rank sum lies as far from its mean (shift algorithm)."""
    k, n = int(first.sum()), len(doubled)
    if k > n - k:
        k, observed = n - k, int(doubled.sum()) - observed
    top = int(np.sort(doubled)[-k:].sum())
    counts = np.zeros((k + 1, top + 1))
    counts[0, 0] = 1.0
    for rank in doubled:
        # From the largest group on, so that no value is taken twice.
        for size in range(k, 0, -1):
            counts[size, rank:] += counts[size - 1, : top + 1 - rank]
    total = counts[k]
    centre = k * doubled.sum() / n
    distance = np.abs(np.arange(top + 1) - centre)
    return float(min(1.0, total[distance >= abs(observed - centre) - 1e-9].sum() / total.sum()))


def _sampled(doubled: npt.NDArray[np.int64], k: int, observed: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    centre = k * doubled.mean()
    far, done = 0, 0
    while done < SAMPLED:
        batch = min(5000, SAMPLED - done)
        order = np.argpartition(rng.random((batch, len(doubled))), k - 1, axis=1)[:, :k]
        far += int((np.abs(doubled[order].sum(axis=1) - centre) >= abs(observed - centre) - 1e-9).sum())
        done += batch
    return (1 + far) / (1 + done)


def cramers_v(
    first: npt.NDArray[np.int64], second: npt.NDArray[np.int64], n_permutations: int = 9999, seed: int = 0
) -> tuple[float, float]:
    """Return Cramer's V of two labels (corrected for its bias) and the permutation p-value of chi-squared.

    Parameters
    ----------
    first, second
        Codes from 0 on, ``(n,)`` each.
    n_permutations, seed
        Permutations of the second label.

    Returns
    -------
    v, p
        NaN where one of the labels does not vary.
    """
    r, c = int(first.max(initial=0)) + 1, int(second.max(initial=0)) + 1
    n = len(first)
    rows, columns = np.bincount(first, minlength=r), np.bincount(second, minlength=c)
    if n < 2 or (rows > 0).sum() < 2 or (columns > 0).sum() < 2:
        return float("nan"), float("nan")
    expected = np.outer(rows, columns) / n
    used = expected > 0

    def chi_squared(labels: npt.NDArray[np.int64]) -> float:
        table = np.bincount(first * c + labels, minlength=r * c).reshape(r, c)
        return float(((table - expected)[used] ** 2 / expected[used]).sum())

    found = chi_squared(second)
    n_first, n_second = int((rows > 0).sum()), int((columns > 0).sum())
    phi = max(0.0, found / n - (n_first - 1) * (n_second - 1) / (n - 1))
    least = min(k - (k - 1) ** 2 / (n - 1) for k in (n_first, n_second)) - 1
    rng = np.random.default_rng(seed)
    far = sum(chi_squared(rng.permutation(second)) >= found - 1e-9 for _ in range(n_permutations))
    return float(np.sqrt(phi / least)) if least > 0 else float("nan"), (1 + far) / (1 + n_permutations)

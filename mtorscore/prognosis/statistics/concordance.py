"""Harrell's concordance, and its bootstrap, by pair matrices.

A pair (i, j) is comparable when i has an event while j is still under risk: ``t_i < t_j``, or ``t_i = t_j`` with j
censored. With ``K`` the comparable pairs and ``G`` their gains (1 where the one with the event has the higher score,
1/2 for equal scores), a bootstrap resample with multiplicities ``m`` has concordance ``m'Gm / m'Km``: one matrix
product for all resamples.

Scores that differ by less than 1e-12 of the largest are equal: sums of one patient's genes in another order differ in
the last digits, and which of them is higher is no information. R survival compares such scores as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import expit

from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray
from mtorscore.tl.kernels.jit import jit

BLOCK = 2_000_000


def ordered(score: FloatArray) -> FloatArray:
    """Return ranks of scores by which to compare them: equal where scores are equal up to rounding."""
    size = np.abs(score[np.isfinite(score)]).max(initial=0.0)
    order = np.argsort(score, kind="stable")
    with np.errstate(invalid="ignore"):
        rises = np.diff(score[order]) > 1e-12 * size
    ranks = np.empty(len(score))
    ranks[order] = np.concatenate([[0.0], np.cumsum(rises)])[: len(score)]
    return np.where(np.isnan(score), np.nan, ranks)


@dataclass
class Concordance:
    """Concordance with its counts; NaN where no pair is comparable."""

    c: float
    se: float
    concordant: float
    discordant: float
    tied: float
    low: float = float("nan")
    high: float = float("nan")


def _blocks(
    time: FloatArray, event: npt.NDArray[np.bool_], entry: FloatArray | None, strata: IntArray | None
) -> Iterator[tuple[IntArray, npt.NDArray[np.bool_]]]:
    """Events by blocks, each with its ``(block, n)`` comparable partners."""
    rows = np.flatnonzero(event)
    step = max(1, BLOCK // max(len(time), 1))
    for first in range(0, len(rows), step):
        i = rows[first : first + step]
        pairs = (time > time[i, None]) | ((time == time[i, None]) & ~event)
        if entry is not None:
            pairs &= entry < time[i, None]
        if strata is not None:
            pairs &= strata == strata[i, None]
        yield i, pairs


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
    gain_of, pairs_of = sums[0], sums[1]
    for i in range(n):
        if not event[i]:
            continue
        at, mine, stratum = time[i], score[i], strata[i]
        above, tied, total = np.int64(0), np.int64(0), np.int64(0)
        # Without a branch, so that several partners are compared at a time; these are whole numbers and halves.
        for j in range(n):
            partner = ((time[j] > at) | ((time[j] == at) & (not event[j]))) & (strata[j] == stratum) & (entry[j] < at)
            lower, same = partner & (mine > score[j]), partner & (mine == score[j])
            above += np.int64(lower)
            tied += np.int64(same)
            total += np.int64(partner)
            gain_of[j] += np.float64(lower) + 0.5 * np.float64(same)
            pairs_of[j] += np.float64(partner)
        counts[0] += above
        counts[2] += tied
        counts[1] += total - above - tied
        gain_of[i] += above + 0.5 * tied
        pairs_of[i] += total
    return counts, sums


def concordance(
    score: FloatArray,
    time: FloatArray,
    event: npt.NDArray[np.bool_],
    entry: FloatArray | None = None,
    strata: IntArray | None = None,
    *,
    clusters: IntArray | None = None,
    multiplicities: FloatArray | None = None,
    level: float = 0.95,
) -> Concordance:
    """Harrell's C of a score of which higher values should go with earlier events.

    Parameters
    ----------
    score, time, event, entry, strata
        ``(n,)`` each.
    clusters
        ``(n,)`` codes of observations that are alike: the error is then that of their sums.
    multiplicities
        ``(n_boot, n)`` how often each resample holds each observation: then the percentile interval is filled in.
    level
        Of the interval.

    Returns
    -------
    Concordance
        The standard error is the infinitesimal jackknife, as in R survival.
    """
    score, boot = ordered(score), None
    late = np.full(len(score), -np.inf) if entry is None else np.asarray(entry, dtype=np.float64)
    stratum = np.zeros(len(score), dtype=np.int64) if strata is None else np.asarray(strata, dtype=np.int64)
    counts, (gain, total) = pair_sums(
        score, np.asarray(time, dtype=np.float64), np.asarray(event, dtype=np.bool_), late, stratum
    )
    if multiplicities is not None:
        boot = _resampled(score, multiplicities, _blocks(time, event, entry, strata))
    comparable = counts.sum()
    if comparable == 0:
        return Concordance(float("nan"), float("nan"), 0.0, 0.0, 0.0)
    c = (counts[0] + 0.5 * counts[2]) / comparable
    influence = (gain - c * total) / comparable
    if clusters is not None:
        influence = np.bincount(clusters, weights=influence)
    out = Concordance(float(c), float(np.sqrt((influence**2).sum())), *(float(v) for v in counts))
    if boot is not None:
        values = boot[np.isfinite(boot)]
        if len(values):
            out.low, out.high = (float(q) for q in np.quantile(values, [0.5 - level / 2, 0.5 + level / 2]))
    return out


def _resampled(
    score: FloatArray, multiplicities: FloatArray, blocks: Iterator[tuple[IntArray, npt.NDArray[np.bool_]]]
) -> FloatArray:
    """``(n_boot,)`` concordance of each resample."""
    gains_of, total = np.zeros(len(multiplicities)), np.zeros(len(multiplicities))
    for i, pairs in blocks:
        gains = (pairs & (score[i, None] > score)) + 0.5 * (pairs & (score[i, None] == score))
        # Sums of multiples of 1/2 far below 2^24: single precision holds them exactly and is twice as fast.
        left = multiplicities[:, i].astype(np.float32)
        gains_of += np.einsum("bn,bn->b", left @ gains.astype(np.float32), multiplicities)
        total += np.einsum("bn,bn->b", left @ pairs.astype(np.float32), multiplicities)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: FloatArray = gains_of / total
    return out


@cache
def _t_quantile(level: float, df: int) -> float:
    return float(stats.t.ppf(0.5 + level / 2, df))


def with_interval(found: Concordance, events: int, level: float = 0.95) -> bool:
    """Fill in an interval in closed form; False where there is none (C of 0 or 1, or a single event).

    On the logit scale with the jackknife's error and Student's t on ``events - 1`` degrees of freedom: with few events
    the percentile bootstrap is too narrow (benchmarks/prognosis/calibration.py).
    """
    if not 0 < found.c < 1 or not found.se > 0 or events < 2:
        return False
    centre, spread = np.log(found.c / (1 - found.c)), found.se / (found.c * (1 - found.c))
    half = _t_quantile(level, events - 1) * spread
    found.low, found.high = float(expit(centre - half)), float(expit(centre + half))
    return True


def bootstrap_multiplicities(n: int, n_boot: int, seed: int | np.random.Generator = 0) -> FloatArray:
    """``(n_boot, n)`` multiplicities of resamples with replacement."""
    rng = np.random.default_rng(seed)
    out: FloatArray = rng.multinomial(n, np.full(n, 1.0 / n), size=n_boot).astype(np.float64)
    return out

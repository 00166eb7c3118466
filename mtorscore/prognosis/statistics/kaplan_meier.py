"""Product-limit estimate, Nelson-Aalen, log-rank, restricted mean: plain arrays in, plain arrays out.

References
----------
Royston and Parmar, Stat Med 2011;30:2409 (restricted mean); Andersen, Hansen and Klein, Lifetime Data Anal
2004;10:335 (its pseudo-observations).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]
BLOCK = 4_000_000
"""Numbers in the largest array of leave-one-out curves."""


@dataclass
class Curve:
    """A step function over distinct times.

    Attributes
    ----------
    time
        Distinct follow-up times, ascending.
    n_risk, n_event, n_censor
        Counts at each time.
    survival
        Just after each time.
    se
        Standard error of the log of `survival` (Greenwood); infinite once it reaches 0.
    """

    time: FloatArray
    n_risk: FloatArray
    n_event: FloatArray
    n_censor: FloatArray
    survival: FloatArray
    se: FloatArray


def product_limit(
    time: FloatArray,
    event: npt.NDArray[np.bool_],
    entry: FloatArray | None = None,
    weights: FloatArray | None = None,
) -> Curve:
    """Kaplan-Meier estimate with Greenwood's variance."""
    w: FloatArray = np.ones(len(time)) if weights is None else weights
    at, inverse = np.unique(time, return_inverse=True)
    deaths = np.bincount(inverse, weights=w * event, minlength=len(at))
    leaving = np.bincount(inverse, weights=w, minlength=len(at))
    risk = np.cumsum(leaving[::-1])[::-1]
    if entry is not None:
        order = np.argsort(entry, kind="stable")
        ahead = np.concatenate([[0.0], np.cumsum(w[order])])
        # Not yet under risk at t: entry >= t.
        risk = risk - (ahead[-1] - ahead[np.searchsorted(entry[order], at, side="left")])
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(risk > 0, 1.0 - deaths / np.maximum(risk, 1e-300), 1.0)
        variance = np.where(deaths > 0, deaths / (risk * (risk - deaths)), 0.0)
    counts = [np.asarray(c, dtype=np.float64) for c in (risk, deaths, leaving - deaths, np.cumprod(factor))]
    return Curve(at, counts[0], counts[1], counts[2], counts[3], np.sqrt(np.cumsum(variance)))


def loglog_interval(survival: FloatArray, se: FloatArray, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Interval of survival on the log(-log) scale; NaN where survival is 1 or 0."""
    z = stats.norm.ppf(0.5 + level / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(survival)
        theta = np.log(-log)
        width = z * se / log
        low, high = np.exp(-np.exp(theta - width)), np.exp(-np.exp(theta + width))
    bad = (survival <= 0) | (survival >= 1)
    return np.where(bad, np.nan, low), np.where(bad, np.nan, high)


def censoring_survival(
    time: FloatArray, event: npt.NDArray[np.bool_], at: FloatArray, *, before: bool = True
) -> FloatArray:
    """Kaplan-Meier probability of being uncensored until just before each time of `at`, or until just after it.

    Among those who leave at t events come first, so they are no longer at risk of being censored at t.
    """
    order, inverse = np.unique(time, return_inverse=True)
    leaving = np.bincount(inverse, minlength=len(order))
    censored = np.bincount(inverse, weights=~event, minlength=len(order))
    risk = np.cumsum(leaving[::-1])[::-1] - (leaving - censored)
    factor = np.where(risk > 0, 1 - censored / np.maximum(risk, 1), 1.0)
    survival = np.concatenate([[1.0], np.cumprod(factor)])
    out: FloatArray = survival[np.searchsorted(order, at, side="left" if before else "right")]
    return out


def inverse_weights(time: FloatArray, event: npt.NDArray[np.bool_], horizon: float) -> FloatArray:
    """``(n,)`` inverse Kaplan-Meier probability of being uncensored at the event or horizon; 0 where neither is known.

    G is taken just before the time: who is censored at t was still under observation when an event at t struck.
    """
    by = event & (time <= horizon)
    known = by | (time >= horizon)
    g = censoring_survival(time, event, np.where(by, time, horizon))
    return np.where(known, 1.0 / np.where(known, np.maximum(g, 1e-12), 1.0), 0.0)


def median_follow_up(time: FloatArray, event: npt.NDArray[np.bool_], entry: FloatArray | None = None) -> float:
    """Median follow-up by the reverse Kaplan-Meier estimate: events count as censored, censoring as the event.

    The longest time where the curve does not fall to one half. Schemper and Smith, Control Clin Trials 1996;17:343.
    """
    curve = product_limit(time, ~event, entry)
    below = curve.time[curve.survival <= 0.5 + 1e-12]
    return float(below[0]) if len(below) else float(time.max())


def km_at(time: FloatArray, event: npt.NDArray[np.bool_], at: float, weights: FloatArray | None = None) -> float:
    """Weighted Kaplan-Meier estimate at one time."""
    curve = product_limit(time, event, weights=weights)
    return float(np.concatenate([[1.0], curve.survival])[np.searchsorted(curve.time, at, side="right")])


def logrank_statistic(
    time: FloatArray,
    event: npt.NDArray[np.bool_],
    group: IntArray,
    entry: FloatArray | None = None,
    strata: IntArray | None = None,
    scores: FloatArray | None = None,
) -> tuple[float, int, float, FloatArray, FloatArray]:
    """Log-rank test of k groups, or its trend form.

    Parameters
    ----------
    time, event, entry
        The outcome.
    group
        ``(n,)`` codes ``0 .. k - 1``.
    strata
        ``(n,)`` codes; sums are taken within strata.
    scores
        ``(k,)`` scores of the groups: then the one-degree test for trend (Tarone).

    Returns
    -------
    chisq, df, p, observed, expected
        Observed and expected events have shape ``(k,)``.
    """
    k = int(group.max()) + 1
    observed, expected, variance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    for s in [None] if strata is None else np.unique(strata):
        keep = np.ones(len(time), dtype=bool) if s is None else strata == s
        t, d, g = time[keep], event[keep], group[keep]
        at = np.unique(t[d])
        risk = t >= at[:, None]
        if entry is not None:
            risk &= entry[keep] < at[:, None]
        member = np.eye(k)[g]
        n_group = risk.astype(np.float64) @ member
        d_group = ((t == at[:, None]) & d).astype(np.float64) @ member
        n, deaths = n_group.sum(axis=1), d_group.sum(axis=1)
        share = n_group / n[:, None]
        observed += d_group.sum(axis=0)
        expected += (share * deaths[:, None]).sum(axis=0)
        c = np.where(n > 1, deaths * (n - deaths) / np.maximum(n - 1, 1), 0.0)
        variance += np.diag((share * c[:, None]).sum(axis=0)) - (share * c[:, None]).T @ share
    difference = observed - expected
    if scores is not None:
        spread = float(scores @ variance @ scores)
        chisq, df = (float((scores @ difference) ** 2 / spread) if spread > 0 else float("nan")), 1
    else:
        df = int((expected > 0).sum()) - 1
        chisq = float(difference @ np.linalg.pinv(variance) @ difference) if df > 0 else float("nan")
    p = float(stats.chi2.sf(chisq, df)) if df > 0 else float("nan")
    return chisq, df, p, observed, expected


def restricted_mean_of(
    time: FloatArray, event: BoolArray, entry: FloatArray | None, horizon: float
) -> tuple[float, float]:
    """Area under the Kaplan-Meier curve up to `horizon`, and its standard error."""
    curve = product_limit(time, event, entry)
    inside = curve.time < horizon
    edges = np.concatenate([[0.0], curve.time[inside], [horizon]])
    survival = np.concatenate([[1.0], curve.survival[inside]])
    pieces = np.diff(edges) * survival
    area = float(pieces.sum())
    left = np.cumsum(pieces[::-1])[::-1][1:]
    n, d = curve.n_risk[inside], curve.n_event[inside]
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(n > d, left**2 * d / (n * (n - d)), 0.0)
    return area, float(np.sqrt(variance.sum()))


def restricted_mean_interval(
    area: float, se: float, horizon: float, events: int, level: float = 0.95
) -> tuple[float, float]:
    """Interval of a restricted mean by the logarithm of the time lost, Student's t on the events less one.

    On its own scale the interval of few events is too narrow, and may lie beyond the horizon
    (benchmarks/prognosis/coverage.tsv). NaN without two events.
    """
    lost = horizon - area
    if events < 2 or not lost > 0:
        return float("nan"), float("nan")
    half = float(stats.t.ppf(0.5 + level / 2, events - 1)) * se / lost
    return horizon - lost * float(np.exp(half)), horizon - lost * float(np.exp(-half))


def leave_one_out(time: FloatArray, event: BoolArray, entry: FloatArray | None, horizon: float) -> FloatArray:
    """``(n,)`` jackknife pseudo-observations: ``n`` restricted means of all less ``n - 1`` of all but one."""
    n, curve = len(time), product_limit(time, event, entry)
    inside = curve.time < horizon
    at, risk, deaths = curve.time[inside], curve.n_risk[inside], curve.n_event[inside]
    widths = np.diff(np.concatenate([[0.0], at, [horizon]]))
    whole = restricted_mean_of(time, event, entry, horizon)[0]
    out = np.empty(n)
    for rows in np.array_split(np.arange(n), max(1, -(-n * len(at) // BLOCK))):
        at_risk = time[rows, None] >= at
        if entry is not None:
            at_risk &= entry[rows, None] < at
        own = (time[rows, None] == at) & event[rows, None]
        left, gone = risk - at_risk, deaths - own
        survival = np.cumprod(np.where(left > 0, 1.0 - gone / np.maximum(left, 1e-300), 1.0), axis=1)
        out[rows] = n * whole - (n - 1) * (widths[0] + survival @ widths[1:])
    return out

"""Metrics of predictions, each for many weightings of the observations at once.

``weights`` is ``(R, n)``: row 0 the plain sample, the others bootstrap resamples. Every function returns ``(R,)``,
NaN where the metric is not defined.

References
----------
Uno et al., Stat Med 2011;30:1105; Uno et al., JASA 2007;102:527 and Hung and Chiang, Stat Med 2010;29:1180 (time-
dependent AUC); Graf et al., Stat Med 1999;18:2529 (Brier score under censoring); of several classes Hand and Till, Mach
Learn 2001;45:171 (polytomous AUC), Cohen, Educ Psychol Meas 1960;20:37 (kappa), Harrell, Regression Modeling
Strategies, 2nd ed. 2015, section 10.8 (concordance of ordered classes).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.integrate import trapezoid

from mtorscore.prognosis.statistics.concordance import ordered
from mtorscore.prognosis.statistics.kaplan_meier import censoring_survival, km_at
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

Bools = npt.NDArray[np.bool_]


def _ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        out: FloatArray = np.where(b > 0, a / np.where(b > 0, b, 1.0), np.nan)
    return out


def pair_gain(score_i: FloatArray, score_j: FloatArray) -> FloatArray:
    """``(i, j)``: 1 where i has the higher score, 1/2 where equal."""
    gain: FloatArray = (score_i[:, None] > score_j) + 0.5 * (score_i[:, None] == score_j)
    return gain


def roc_auc(y: IntArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Area under the ROC curve."""
    one, zero = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    prediction = ordered(prediction)
    gain = pair_gain(prediction[one], prediction[zero])
    left, right = weights[:, one], weights[:, zero]
    return _ratio(((left @ gain) * right).sum(axis=1), left.sum(axis=1) * right.sum(axis=1))


def average_precision(y: IntArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum over thresholds of precision times the step in recall; tied predictions are one threshold."""
    order = np.argsort(-prediction, kind="stable")
    sorted_prediction = prediction[order]
    ends = np.flatnonzero(np.append(np.diff(sorted_prediction) != 0, True))
    w = weights[:, order]
    hits = np.cumsum(w * (y[order] == 1), axis=1)[:, ends]
    called = np.cumsum(w, axis=1)[:, ends]
    steps = np.diff(hits, axis=1, prepend=0.0)
    precision = np.where(called > 0, hits / np.where(called > 0, called, 1.0), 0.0)
    return _ratio((precision * steps).sum(axis=1), hits[:, -1])


def brier(y: IntArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Mean squared difference between label and predicted probability."""
    return _ratio(weights @ (y - prediction) ** 2, weights.sum(axis=1))


def log_loss(y: IntArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Mean negative log-likelihood."""
    p = np.clip(prediction, 1e-12, 1 - 1e-12)
    loss = -(y * np.log(p) + (1 - y) * np.log1p(-p))
    return _ratio(weights @ loss, weights.sum(axis=1))


def harrell_c(time: FloatArray, event: Bools, risk: FloatArray, weights: FloatArray) -> FloatArray:
    """Harrell's concordance."""
    rows = np.flatnonzero(event)
    pairs = (time > time[rows, None]) | ((time == time[rows, None]) & ~event)
    return _pairs(rows, pairs.astype(np.float64), risk, weights)


def uno_c(
    time: FloatArray, event: Bools, risk: FloatArray, weights: FloatArray, g: FloatArray, tau: float | None = None
) -> FloatArray:
    """Uno's concordance; `g` is the probability of being uncensored until each time."""
    usable = event & (g > 0)
    if tau is not None:
        usable &= time < tau
    rows = np.flatnonzero(usable)
    pairs = (time > time[rows, None]) | ((time == time[rows, None]) & ~event)
    return _pairs(rows, pairs / g[rows, None] ** 2, risk, weights)


def _pairs(rows: IntArray, pairs: FloatArray, risk: FloatArray, weights: FloatArray) -> FloatArray:
    risk = ordered(risk)
    gain = pair_gain(risk[rows], risk) * pairs
    left = weights[:, rows]
    return _ratio(((left @ gain) * weights).sum(axis=1), ((left @ pairs) * weights).sum(axis=1))


def dynamic_auc(
    time: FloatArray, event: Bools, risk: FloatArray, weights: FloatArray, g: FloatArray, at: float
) -> FloatArray:
    """Cumulative cases (event by `at`) against dynamic controls (still under risk after `at`)."""
    case = np.flatnonzero(event & (time <= at) & (g > 0))
    control = np.flatnonzero(time > at)
    left, right = weights[:, case] / g[case], weights[:, control]
    risk = ordered(risk)
    gain = pair_gain(risk[case], risk[control])
    return _ratio(((left @ gain) * right).sum(axis=1), left.sum(axis=1) * right.sum(axis=1))


def survival_brier(
    time: FloatArray,
    event: Bools,
    survival: FloatArray,
    weights: FloatArray,
    g: FloatArray,
    g_at: float,
    at: float,
) -> FloatArray:
    """Brier score at one time, weighted by the inverse probability of censoring.

    Parameters
    ----------
    survival
        ``(n,)`` predicted survival at `at`.
    g, g_at
        Probability of being uncensored until each follow-up time, and until `at`.
    """
    died = event & (time <= at) & (g > 0)
    alive = time > at
    loss: FloatArray = np.where(died, survival**2 / np.where(g > 0, g, 1.0), 0.0)
    if g_at > 0:
        loss = loss + np.where(alive, (1 - survival) ** 2 / g_at, 0.0)
    return _ratio(weights @ loss, weights.sum(axis=1))


def scaled_brier(y: IntArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """One minus the Brier score over that of predicting everybody the prevalence (of each weighting)."""
    share = _ratio(weights @ y, weights.sum(axis=1))
    return 1.0 - _ratio(brier(y, prediction, weights), share * (1.0 - share))


def scaled_survival_brier(
    time: FloatArray,
    event: Bools,
    survival: FloatArray,
    weights: FloatArray,
    g: FloatArray,
    g_at: float,
    at: float,
) -> FloatArray:
    """One minus `survival_brier` over that of predicting everybody the Kaplan-Meier estimate (of each weighting).

    The index of prediction accuracy: Kattan and Gerds, Diagn Progn Res 2018;2:7. Arguments as in `survival_brier`.
    """
    same = np.array([km_at(time, event, at, w) for w in weights])
    died = np.where(event & (time <= at) & (g > 0), 1.0 / np.where(g > 0, g, 1.0), 0.0)
    alive = np.where(time > at, 1.0 / g_at if g_at > 0 else 0.0, 0.0)
    null = _ratio((weights @ died) * same**2 + (weights @ alive) * (1 - same) ** 2, weights.sum(axis=1))
    return 1.0 - _ratio(survival_brier(time, event, survival, weights, g, g_at, at), null)


def survival_briers(
    time: FloatArray,
    event: Bools,
    survival: FloatArray,
    weights: FloatArray,
    g: FloatArray,
    g_at: FloatArray,
    times: FloatArray,
) -> FloatArray:
    """Brier scores at several times, ``(T, R)``; `survival` is ``(n, T)``, `g_at` and `times` are ``(T,)``."""
    found = [
        survival_brier(time, event, survival[:, j], weights, g, float(g_at[j]), float(t)) for j, t in enumerate(times)
    ]
    return np.array(found)


def integrate(times: FloatArray, values: FloatArray) -> FloatArray:
    """Time-average by the trapezoid rule: ``(T,), (T, R) -> (R,)``."""
    if len(times) < 2:
        first: FloatArray = values[0]
        return first
    out: FloatArray = trapezoid(values, times, axis=0) / (times[-1] - times[0])
    return out


def censoring(train_time: FloatArray, train_event: Bools, at: FloatArray) -> FloatArray:
    """Kaplan-Meier probability, in the training data, of being uncensored until each time.

    Taken just after the time, as scikit-survival does; just before it where that would be 0 and the time is reached
    (events tied with the last censoring).
    """
    after = censoring_survival(train_time, train_event, at, before=False)
    out: FloatArray = np.where(after > 0, after, censoring_survival(train_time, train_event, at))
    return out


def _between(score: FloatArray, upper: IntArray, lower: IntArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gains and number of pairs of one observation of `upper` with one of `lower`."""
    left, right = weights[:, upper], weights[:, lower]
    gains = ((left @ pair_gain(score[upper], score[lower])) * right).sum(axis=1)
    return gains, left.sum(axis=1) * right.sum(axis=1)


def hand_till(y: IntArray, p: FloatArray, weights: FloatArray) -> FloatArray:
    """Return M: the mean over pairs of classes of the AUC by the one's and by the other's probability.

    Pairs of which a class is absent are left out of the mean.
    """
    ranks = [ordered(p[:, k]) for k in range(p.shape[1])]
    members = [np.flatnonzero(y == k) for k in range(p.shape[1])]
    found = []
    for i in range(len(members)):
        for j in range(i + 1, len(members)):
            one, pairs = _between(ranks[i], members[i], members[j], weights)
            other, _ = _between(ranks[j], members[j], members[i], weights)
            found.append(_ratio((one + other) / 2, pairs))
    stack = np.array(found)
    known = np.isfinite(stack)
    return _ratio(np.where(known, stack, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))


def ordinal_c(y: IntArray, score: FloatArray, weights: FloatArray) -> FloatArray:
    """Share of the pairs of two classes in which the higher class has the higher score; equal scores count half."""
    rank = ordered(score)
    gains, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    for k in range(1, int(y.max(initial=0)) + 1):
        more = _between(rank, np.flatnonzero(y == k), np.flatnonzero(y < k), weights)
        gains, pairs = gains + more[0], pairs + more[1]
    return _ratio(gains, pairs)


def class_log_loss(y: IntArray, p: FloatArray, weights: FloatArray) -> FloatArray:
    """Mean negative log-likelihood of ``(n, K)`` probabilities of classes."""
    own = np.clip(p[np.arange(len(y)), y], 1e-15, 1.0)
    return _ratio(weights @ -np.log(own), weights.sum(axis=1))


def class_brier(y: IntArray, p: FloatArray, weights: FloatArray) -> FloatArray:
    """Mean over observations of the squared differences summed over the classes (0 to 2)."""
    hot = y[:, None] == np.arange(p.shape[1])
    return _ratio(weights @ ((p - hot) ** 2).sum(axis=1), weights.sum(axis=1))


def recall(y: IntArray, called: IntArray, weights: FloatArray, k: int) -> FloatArray:
    """Share of a class that is called it; a call of -1 is none."""
    return _ratio(weights @ ((y == k) & (called == k)), weights @ (y == k))


def accuracy(y: IntArray, called: IntArray, weights: FloatArray) -> FloatArray:
    """Share that is called its own class; a call of -1 is none, hence wrong."""
    return _ratio(weights @ (y == called), weights.sum(axis=1))


def kappa(y: IntArray, called: IntArray, weights: FloatArray) -> FloatArray:
    """Cohen's kappa of calls with labels; a call of -1 (rejected) agrees with nothing."""
    total = weights.sum(axis=1)
    agreed = _ratio(weights @ (y == called), total)
    chance = np.zeros(len(weights))
    for k in range(int(max(y.max(initial=0), called.max(initial=0))) + 1):
        chance += _ratio(weights @ (y == k), total) * _ratio(weights @ (called == k), total)
    with np.errstate(divide="ignore", invalid="ignore"):
        out: FloatArray = np.where(chance < 1, (agreed - chance) / np.where(chance < 1, 1 - chance, 1.0), np.nan)
    return out

"""One simulated cohort of every closed-form test and interval; see coverage.py."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.prognosis.coverage_settings import EFFECT, EMPTY, Found, Setting, censor_limit, labels, pair, survival
from mtorscore._outcome_terms import MIN_EVENTS
from mtorscore.prognosis.association.effects import EVENTS_PER_GROUP, trend_test
from mtorscore.prognosis.association.meta_analysis import combine
from mtorscore.prognosis.endpoints.endpoints import LabelData, SurvivalData
from mtorscore.prognosis.prediction.calibration import likelihood_ratio
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.prognosis.statistics import cox
from mtorscore.prognosis.statistics.concordance import concordance, with_interval
from mtorscore.prognosis.statistics.incidence import aalen_johansen, incidence_interval
from mtorscore.prognosis.statistics.inference import wald
from mtorscore.prognosis.statistics.kaplan_meier import (
    leave_one_out,
    loglog_interval,
    product_limit,
    restricted_mean_interval,
    restricted_mean_of,
)
from mtorscore.prognosis.statistics.risk_sets import FloatArray, RiskSets
from mtorscore.prognosis.statistics.robust import robust_slope
from mtorscore.prognosis.statistics.smoothing import spline_basis

Z = float(stats.norm.ppf(0.975))
BOTH = EFFECT * np.sqrt(3)
"""SD of the sum of score and confounder, of correlation 0.5, times the effect."""


def ranking(setting: Setting, rng: np.random.Generator) -> Found:
    """Concordance of a score, and the area under the ROC curve."""
    score = rng.normal(size=setting.n)
    for truth, effect in (("null", 0.0), ("effect", EFFECT)):
        data = survival(effect * score, effect, setting.share, rng)
        c = concordance(score, data.time, data.event)
        good = data.n_events >= MIN_EVENTS and with_interval(c, data.n_events)
        target = true_concordance(setting.share) if effect else 0.5
        yield "coverage: Harrell's C (c_low, c_high)", truth, bool(c.low <= target <= c.high) if good else None
        y = labels(effect * score, setting.share, rng)
        events = int(min(y.sum(), setting.n - y.sum()))
        c = concordance(score, np.where(y == 1, 0.0, 1.0), y == 1)
        good = events >= MIN_EVENTS and with_interval(c, events)
        target = true_area(setting.share) if effect else 0.5
        inside = bool(c.low <= target <= c.high) if good else None
        yield "coverage: area under the ROC curve (c_low, c_high)", truth, inside


@cache
def true_concordance(share: float, n: int = 20_000) -> float:
    """Harrell's C of the score in a large cohort."""
    rng = np.random.default_rng(1)
    score = rng.normal(size=n)
    data = survival(EFFECT * score, EFFECT, share, rng)
    return concordance(score, data.time, data.event).c


def curves(setting: Setting, rng: np.random.Generator) -> Found:
    """Kaplan-Meier, cumulative incidence, restricted means, half-way through the censoring."""
    n, limit = setting.n, censor_limit(setting.share, 0.0)
    at = limit / 2
    data = survival(np.zeros(n), 0.0, setting.share, rng)
    curve = product_limit(data.time, data.event)
    k = int(np.searchsorted(curve.time, at, side="right")) - 1
    low, high = loglog_interval(curve.survival[[k]], curve.se[[k]])
    known = bool(np.isfinite(low[0]))
    yield "coverage: Kaplan-Meier", "null", bool(low[0] <= np.exp(-at) <= high[0]) if known else None
    status = np.where(data.event, 1 + (rng.random(n) < 0.5), 0).astype(np.int64)
    time, _, incidence, se = aalen_johansen(data.time, status, 1)
    k = int(np.searchsorted(time, at, side="right")) - 1
    low, high = incidence_interval(incidence[[k]], se[[k]])
    inside = bool(low[0] <= (1 - np.exp(-at)) / 2 <= high[0]) if np.isfinite(low[0]) else None
    yield "coverage: cumulative incidence", "null", inside
    half = np.arange(n) < n // 2
    means = [restricted_mean_of(data.time[g], data.event[g], None, at) for g in (half, ~half)]
    gap, error = means[1][0] - means[0][0], float(np.hypot(means[0][1], means[1][1]))
    yield "type I: difference of restricted means", "null", bool(abs(gap) > Z * error)


def courses(setting: Setting, rng: np.random.Generator) -> Found:
    """over_time and nonlinearity, on the functions that they call."""
    n = setting.n
    x = rng.normal(size=n)
    for truth, beta in (("null", 0.0), ("effect", EFFECT)):
        data = survival(beta * x, beta, setting.share, rng)
        if data.n_events < 2:
            continue
        yield from _early_and_late(data, x, beta, truth)
        enough = data.n_events >= 2 * MIN_EVENTS
        risk = RiskSets(data.time, data.event)
        basis = spline_basis(x, np.quantile(x, [0.1, 0.5, 0.9]))
        fits = [cox.newton(risk, (b / b.std(axis=0))[:, :, None]) for b in (x[:, None], basis)]
        p = stats.chi2.sf(2 * (fits[1].loglik[0] - fits[0].loglik[0]), 1)
        yield "type I: non-linearity", truth, bool(p < 0.05) if enough else None


def interactions(setting: Setting, rng: np.random.Generator) -> Found:
    """Hazard ratios of a score in two groups, and the test of their difference, as `interaction` gives them."""
    x = rng.normal(size=setting.n)
    for truth, beta in (("null", 0.0), ("effect", EFFECT)):
        data = survival(beta * x, beta, setting.share, rng)
        yield from _per_group(data, x, beta, truth, rng)


def _early_and_late(data: SurvivalData, x: FloatArray, beta: float, truth: str) -> Found:
    at = float(np.median(data.time[data.event]))
    early = RiskSets(np.minimum(data.time, at), data.event & (data.time <= at))
    later = data.time > at
    late = RiskSets(data.time[later], data.event[later], np.full(int(later.sum()), at))
    if min(early.n_events, late.n_events) < MIN_EVENTS:
        for name in ("coverage: early hazard ratio", "coverage: late hazard ratio", "type I: change of hazard ratio"):
            yield name, truth, None
    else:
        found = [wald(cox.newton(r, v[:, None, None])) for r, v in ((early, x), (late, x[later]))]
        for name, e in zip(("early", "late"), found, strict=True):
            yield f"coverage: {name} hazard ratio", truth, bool(e.low[0] <= beta <= e.high[0])
        gap = (found[0].coef[0] - found[1].coef[0]) / np.hypot(found[0].se[0], found[1].se[0])
        yield "type I: change of hazard ratio", truth, bool(abs(gap) > Z)


def _per_group(data: SurvivalData, x: FloatArray, beta: float, truth: str, rng: np.random.Generator) -> Found:
    group = rng.random(len(x)) < 0.5
    events = min(int(data.event[group].sum()), int(data.event[~group].sum()))
    if events < EVENTS_PER_GROUP:
        yield "type I: interaction", truth, None
        yield "coverage: hazard ratio of a subgroup", truth, None
        return
    risk, member = RiskSets(data.time, data.event), group.astype(np.float64)
    main = np.column_stack([x, member])
    full = np.column_stack([x * member, x * (1 - member), member])
    fits = [cox.newton(risk, m[:, :, None]) for m in (main, full)]
    p = stats.chi2.sf(2 * (fits[1].loglik[0] - fits[0].loglik[0]), 1)
    yield "type I: interaction", truth, bool(p < 0.05)
    e = wald(fits[1])
    yield "coverage: hazard ratio of a subgroup", truth, bool(e.low[0] <= beta <= e.high[0])


@cache
def true_area(share: float, n: int = 400_000) -> float:
    """Area under the ROC curve of the score in a large cohort."""
    rng = np.random.default_rng(1)
    score = rng.normal(size=n)
    y = labels(EFFECT * score, share, rng)
    positive = int(y.sum())
    ranks = stats.rankdata(score)
    return float((ranks[y == 1].sum() - positive * (positive + 1) / 2) / (positive * (n - positive)))


def calibration(setting: Setting, rng: np.random.Generator) -> Found:
    """Calibrate predictions that are true: groups of a curve, and observed against expected."""
    score = rng.normal(size=setting.n)
    data = survival(EFFECT * score, EFFECT, setting.share, rng)
    at = censor_limit(setting.share, round(EFFECT, 6)) / 2
    risk = 1 - np.exp(-at * np.exp(EFFECT * score))
    if data.n_events and data.time.max() > at:
        task = make_task(data)
        observed, expected, low, high = task.observed_expected(risk, at, 0.95)
        del observed
        known = np.isfinite(low)
        inside = bool(low <= expected <= high) if known else None
        yield "coverage: observed against expected, survival", "effect", inside
        row = task.observed_in_group(risk >= np.quantile(risk, 2 / 3), risk, at, 0.95) or {"low": np.nan}
        mean = risk[risk >= np.quantile(risk, 2 / 3)].mean()
        inside = bool(row["low"] <= mean <= row["high"]) if np.isfinite(row["low"]) else None
        yield "coverage: group of a calibration curve, survival", "effect", inside
    logit = np.log(setting.share / (1 - setting.share)) + EFFECT * score
    p = 1 / (1 + np.exp(-logit))
    y = (rng.random(setting.n) < p).astype(np.int64)
    if 0 < y.sum() < setting.n:
        ones = np.ones(setting.n)
        task = make_task(LabelData("y", pd.RangeIndex(setting.n), y, ("0", "1"), False, ones, EMPTY))
        row = task.observed_in_group(p >= np.quantile(p, 2 / 3), p, np.nan, 0.95) or {}
        inside = bool(row["low"] <= row["predicted"] <= row["high"])
        yield "coverage: group of a calibration curve, label", "effect", inside


def restricted(setting: Setting, rng: np.random.Generator) -> Found:
    """Restricted mean of a group, and per SD of a score."""
    n, limit = setting.n, censor_limit(setting.share, 0.0)
    at = limit / 2
    data = survival(np.zeros(n), 0.0, setting.share, rng)
    part = data.take(np.arange(n) < n // 2)
    by_then = int((part.event & (part.time <= at)).sum())
    low, high = restricted_mean_interval(*restricted_mean_of(part.time, part.event, None, at), at, by_then)
    yield "coverage: restricted mean", "null", bool(low <= 1 - np.exp(-at) <= high) if np.isfinite(low) else None
    if data.n_events < MIN_EVENTS:
        yield "type I: restricted mean per SD", "null", None
        return
    slope, se = robust_slope(
        rng.normal(size=n), leave_one_out(data.time, data.event, None, float(np.quantile(data.time, 0.9)))
    )
    yield "type I: restricted mean per SD", "null", bool(abs(slope) > stats.t.ppf(0.975, n - 2) * se)


def prevalence(setting: Setting, rng: np.random.Generator) -> Found:
    """Observed against expected share of a label."""
    score = rng.normal(size=setting.n)
    p = 1 / (1 + np.exp(-(np.log(setting.share / (1 - setting.share)) + EFFECT * score)))
    y = (rng.random(setting.n) < p).astype(np.int64)
    if not 0 < y.sum() < setting.n:
        return
    task = make_task(LabelData("y", pd.RangeIndex(setting.n), y, ("0", "1"), False, np.ones(setting.n), EMPTY))
    _, expected, low, high = task.observed_expected(p, np.nan, 0.95)
    yield "coverage: observed against expected, label", "effect", bool(low <= expected <= high)


def others(setting: Setting, rng: np.random.Generator) -> Found:
    """Likelihood ratios and trends over groups."""
    n = setting.n
    score, other = pair(n, rng)
    data = survival(EFFECT * other, EFFECT, setting.share, rng)
    if data.n_events:
        row = likelihood_ratio(data, pd.DataFrame({"s": score}), other[:, None], "m")
        found = bool(row["p"] < 0.05) if row["valid"] else None
        yield "type I: likelihood ratio beside the clinical model", "null", found
    groups = pd.Series(np.arange(n) % 4)
    p = trend_test(pd.DataFrame({"s": rng.normal(size=n)}), groups, [0, 1, 2, 3])["p"].iloc[0]
    yield "type I: trend over four groups", "null", bool(p < 0.05)


def pooled(setting: Setting, rng: np.random.Generator) -> Found:
    """Meta-analysis of five cohorts of this size, which differ by 0.15 on the log scale."""
    error, k, tau = 2 / np.sqrt(setting.n * setting.share), 5, 0.15
    for truth, mean in (("null", 0.0), ("effect", EFFECT)):
        y = mean + tau * rng.normal(size=k) + error * rng.normal(size=k)
        both = combine(y, np.full(k, error))
        yield "coverage: meta-analysis of five cohorts", truth, bool(both["hr_low"] <= np.exp(mean) <= both["hr_high"])
        new = np.exp(mean + tau * rng.normal())
        inside = bool(both["prediction_low"] <= new <= both["prediction_high"])
        yield "coverage: prediction interval of five cohorts", truth, inside


GROUPS = {
    f.__name__: f for f in (ranking, curves, courses, interactions, restricted, calibration, prevalence, others, pooled)
}

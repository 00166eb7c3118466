"""One simulated cohort of every closed-form test and interval; see coverage.py."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.prognosis.coverage_settings import EFFECT, EMPTY, Found, Setting, censor_limit, labels, pair, survival
from mtorscore._outcome_terms import EVENTS_PER_PARAMETER, MIN_EVENTS
from mtorscore.prognosis.association.effects import pseudo_values, restricted_mean_of, trend_test
from mtorscore.prognosis.association.meta_analysis import combine
from mtorscore.prognosis.endpoints.endpoints import LabelData, SurvivalData
from mtorscore.prognosis.endpoints.outcome_models import BinaryOutcome, Outcome, SurvivalOutcome
from mtorscore.prognosis.prediction.calibration import likelihood_ratio
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.prognosis.statistics import cox, fine_gray
from mtorscore.prognosis.statistics.concordance import concordance, with_interval
from mtorscore.prognosis.statistics.fine_gray import SubdistributionSets
from mtorscore.prognosis.statistics.incidence import aalen_johansen, incidence_interval
from mtorscore.prognosis.statistics.inference import profile, wald
from mtorscore.prognosis.statistics.kaplan_meier import loglog_interval, logrank_statistic, product_limit
from mtorscore.prognosis.statistics.risk_sets import FloatArray, RiskSets
from mtorscore.prognosis.statistics.smoothing import spline_basis

Z = float(stats.norm.ppf(0.975))
BOTH = EFFECT * np.sqrt(3)
"""SD of the sum of score and confounder, of correlation 0.5, times the effect."""


def effect_of(outcome: Outcome, columns: list[FloatArray], truth: float) -> tuple[bool, str] | None:
    """Whether `associate` finds another effect of the first column than the true one, and by which form."""
    x = np.column_stack(columns)
    sd = x.std(axis=0)
    x = ((x - x.mean(axis=0)) / sd)[:, :, None]
    if outcome.events < MIN_EVENTS:
        return None
    if outcome.events >= EVENTS_PER_PARAMETER * x.shape[1]:
        e = wald(outcome.fit(x))
        if not e.infinite.any():
            return bool(abs(e.coef[0] - truth * sd[0]) > Z * e.se[0]), "Wald"
    p = float(profile(outcome.fit, x, interval=False, null=truth * sd[0]).p[0])
    return (p < 0.05, "Firth") if np.isfinite(p) else None


def _ratio(name: str, truth: str, found: tuple[bool, str] | None, *, covers: bool) -> Found:
    kind = "coverage" if covers else "type I"
    if found is None:
        yield f"{kind}: {name}", truth, None
    else:
        yield f"{kind}: {name}", truth, found[0] != covers


def association(setting: Setting, rng: np.random.Generator) -> Found:
    """Cox models: unadjusted, adjusted, residual; proportional hazards; concordance."""
    score, other = pair(setting.n, rng)
    null = SurvivalOutcome(survival(np.zeros(setting.n), 0.0, setting.share, rng))
    yield from _ratio("hazard ratio", "null", effect_of(null, [score], 0.0), covers=False)
    yield from _null_tests(null, score)
    some = SurvivalOutcome(survival(EFFECT * score, EFFECT, setting.share, rng))
    yield from _ratio("hazard ratio", "effect", effect_of(some, [score], EFFECT), covers=True)
    both = SurvivalOutcome(survival(EFFECT * (score + other), BOTH, setting.share, rng))
    yield from _ratio("adjusted hazard ratio", "effect", effect_of(both, [score, other], EFFECT), covers=True)
    apart = SurvivalOutcome(survival(EFFECT * other, EFFECT, setting.share, rng))
    yield from _ratio("adjusted hazard ratio", "null", effect_of(apart, [score, other], 0.0), covers=False)
    design = np.column_stack([np.ones(setting.n), other])
    left = score - design @ np.linalg.lstsq(design, score, rcond=None)[0]
    yield from _ratio("hazard ratio of the residual score", "null", effect_of(apart, [left], 0.0), covers=False)
    for outcome, truth, target in ((null, "null", 0.5), (some, "effect", true_concordance(setting.share))):
        c = concordance(score, outcome.data.time, outcome.data.event)
        good = outcome.events >= MIN_EVENTS and with_interval(c, outcome.events)
        yield "coverage: Harrell's C (c_low, c_high)", truth, bool(c.low <= target <= c.high) if good else None


NULL_TESTS = (
    "type I: proportional hazards (ph_p)",
    "type I: score test of the random signatures",
    "type I: log-rank at the median",
    "type I: log-rank of thirds",
    "type I: log-rank, trend of thirds",
)


def _null_tests(outcome: SurvivalOutcome, score: FloatArray) -> Found:
    data, valid = outcome.data, outcome.events >= MIN_EVENTS
    if not valid:
        for name in NULL_TESTS:
            yield name, "null", None
        return
    x = ((score - score.mean()) / score.std())[:, None]
    fit = outcome.fit(x[:, :, None])
    ph = outcome.proportionality(x, fit.coef[:, 0])
    yield "type I: proportional hazards (ph_p)", "null", bool(ph < 0.05)
    z = outcome.score_test(None)(score[:, None])[0]
    yield "type I: score test of the random signatures", "null", bool(abs(z) > Z)
    groups = (score > np.median(score)).astype(np.int64)
    p = logrank_statistic(data.time, data.event, groups)[2]
    yield "type I: log-rank at the median", "null", bool(p < 0.05)
    thirds = np.searchsorted(np.quantile(score, [1 / 3, 2 / 3]), score).astype(np.int64)
    p = logrank_statistic(data.time, data.event, thirds)[2]
    yield "type I: log-rank of thirds", "null", bool(p < 0.05)
    p = logrank_statistic(data.time, data.event, thirds, scores=np.arange(1.0, 4))[2]
    yield "type I: log-rank, trend of thirds", "null", bool(p < 0.05)


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
    means = [restricted_mean_of(data.take(g), at) for g in (half, ~half)]
    covered = abs(means[0][0] - (1 - np.exp(-at))) <= Z * means[0][1]
    yield "coverage: restricted mean", "null", bool(covered)
    gap, error = means[1][0] - means[0][0], float(np.hypot(means[0][1], means[1][1]))
    yield "type I: difference of restricted means", "null", bool(abs(gap) > Z * error)


def courses(setting: Setting, rng: np.random.Generator) -> Found:
    """over_time, interaction and nonlinearity, on the functions that they call."""
    n = setting.n
    x = rng.normal(size=n)
    for truth, beta in (("null", 0.0), ("effect", EFFECT)):
        data = survival(beta * x, beta, setting.share, rng)
        if data.n_events < 2:
            continue
        yield from _early_and_late(data, x, beta, truth)
        yield from _per_group(data, x, beta, truth, rng)
        enough = data.n_events >= 2 * MIN_EVENTS
        risk = RiskSets(data.time, data.event)
        basis = spline_basis(x, np.quantile(x, [0.1, 0.5, 0.9]))
        fits = [cox.newton(risk, (b / b.std(axis=0))[:, :, None]) for b in (x[:, None], basis)]
        p = stats.chi2.sf(2 * (fits[1].loglik[0] - fits[0].loglik[0]), 1)
        yield "type I: non-linearity", truth, bool(p < 0.05) if enough else None


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
    tau = float(np.quantile(data.time, 0.9))
    if beta == 0:
        y, centred = pseudo_values(data, tau), x - x.mean()
        slope = centred @ y / (centred @ centred)
        rest = y - y.mean() - slope * centred
        variance = (centred**2 * rest**2).sum() / (centred @ centred) ** 2 * len(x) / (len(x) - 2)
        enough = data.n_events >= MIN_EVENTS
        yield "type I: restricted mean per SD", truth, bool(abs(slope) > Z * np.sqrt(variance)) if enough else None


def _per_group(data: SurvivalData, x: FloatArray, beta: float, truth: str, rng: np.random.Generator) -> Found:
    group = rng.random(len(x)) < 0.5
    events = min(int(data.event[group].sum()), int(data.event[~group].sum()))
    if events < MIN_EVENTS:
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


def label(setting: Setting, rng: np.random.Generator) -> Found:
    """Logistic models and areas under the ROC curve."""
    score, other = pair(setting.n, rng)

    def drawn(risk: FloatArray) -> BinaryOutcome | None:
        y = labels(risk, setting.share, rng)
        ones = np.ones(setting.n)
        data = LabelData("y", pd.RangeIndex(setting.n), y, ("0", "1"), False, ones, EMPTY)
        return BinaryOutcome(data) if 0 < y.sum() < setting.n else None

    for name, columns, risk, truth, beta in (
        ("odds ratio", [score], 0 * score, "null", 0.0),
        ("odds ratio", [score], EFFECT * score, "effect", EFFECT),
        ("adjusted odds ratio", [score, other], EFFECT * other, "null", 0.0),
        ("adjusted odds ratio", [score, other], EFFECT * (score + other), "effect", EFFECT),
    ):
        outcome = drawn(risk)
        found = None if outcome is None else effect_of(outcome, columns, beta)
        yield from _ratio(name, truth, found, covers=beta > 0)
        if name == "odds ratio":
            c = None if outcome is None else outcome.discrimination(score, np.ones((2, setting.n)))
            known = outcome is not None and outcome.events >= MIN_EVENTS and c is not None
            target = 0.5 if beta == 0 else true_area(setting.share)
            inside = bool(c.low <= target <= c.high) if known and c is not None else None
            yield "coverage: area under the ROC curve (c_low, c_high)", truth, inside


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
        _, expected, low, high = task.observed_expected(p, np.nan, 0.95)
        yield "coverage: observed against expected, label", "effect", bool(low <= expected <= high)
        row = task.observed_in_group(p >= np.quantile(p, 2 / 3), p, np.nan, 0.95) or {}
        inside = bool(row["low"] <= row["predicted"] <= row["high"])
        yield "coverage: group of a calibration curve, label", "effect", inside


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


def competing(setting: Setting, rng: np.random.Generator) -> Found:
    """Subdistribution hazards of an event whose competitor takes three tenths."""
    n = setting.n
    score = rng.normal(size=n)
    data = survival(np.zeros(n), 0.0, setting.share, rng)
    status = np.where(data.event, 1 + (rng.random(n) < 0.3), 0).astype(np.int64)
    if (status == 1).sum() < MIN_EVENTS:
        yield "type I: subdistribution hazard ratio", "null", None
        return
    x = ((score - score.mean()) / score.std())[:, None, None]
    e = wald(fine_gray.fit(SubdistributionSets(data.time, status), x))
    yield "type I: subdistribution hazard ratio", "null", bool(e.p[0] < 0.05)


GROUPS = {f.__name__: f for f in (association, curves, courses, label, calibration, others, pooled, competing)}

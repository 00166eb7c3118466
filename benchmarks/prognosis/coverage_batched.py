"""Closed forms of hundreds of simulated cohorts at once; see coverage.py.

The Newton steps are the package's own (`cox.moments`, `logistic.newton`, `score_test`). Cohorts with an effect differ
in their risk sets, which `RiskSets` holds one at a time. In `Sorted` every observation has a row: that of an event is
its risk set, that of another the observation alone, whose part in likelihood, score and information is exactly 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.prognosis.coverage_settings import EFFECT, Setting, censor_limit
from mtorscore._outcome_terms import EVENTS_PER_PARAMETER, MIN_EVENTS
from mtorscore.prognosis.statistics import cox, logistic, score_test
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets

COHORTS = 250
"""Cohorts at a time."""
Z, CHI = float(stats.norm.ppf(0.975)), float(stats.chi2.ppf(0.95, 1))
Bools = npt.NDArray[np.bool_]
Many = Iterator[tuple[str, str, Bools, Bools]]
"""Statistic, truth, whether each cohort's test erred or interval covered, and which cohorts are valid."""


class Sorted:
    """Risk sets of B cohorts whose observations are in the order of their times, ``(n, B)`` events."""

    def __init__(self, event: Bools) -> None:
        self.event, self.rows = event, np.arange(len(event))

    def _where(self, ndim: int) -> Bools:
        return self.event if ndim == 2 else self.event[:, None, :]

    def sum(self, values: FloatArray) -> FloatArray:
        """Sum over those at risk."""
        out: FloatArray = np.where(self._where(values.ndim), np.cumsum(values[::-1], axis=0)[::-1], values)
        return out

    def adjoint(self, values: FloatArray) -> FloatArray:
        """Transpose of `sum`."""
        event = self._where(values.ndim)
        out: FloatArray = np.cumsum(np.where(event, values, 0.0), axis=0) + np.where(event, 0.0, values)
        return out


def drawn(risk: FloatArray, spread: float, setting: Setting, rng: np.random.Generator) -> tuple[IntArray, Bools]:
    """Order of ``(n, B)`` observations by time, and their events in that order."""
    t = rng.exponential(np.exp(-risk))
    c = rng.random(risk.shape) * censor_limit(setting.share, round(float(spread), 6))
    order = np.argsort(np.minimum(t, c), axis=0)
    return order.astype(np.int64), np.take_along_axis(t <= c, order, axis=0)


def maximum(
    sets: Sorted, x: FloatArray, free: Bools, start: FloatArray, *, firth: bool
) -> tuple[FloatArray, cox.Moments]:
    """Newton's method with halved steps; coefficients that are not free stay."""
    coef, at = start.copy(), cox.moments(sets, x, start, firth=firth)  # type: ignore[arg-type]
    for _ in range(25):
        step = np.zeros_like(coef)
        inverse = cox.invert(at.information[free][:, free])
        step[free] = np.nan_to_num(np.einsum("jkb,kb->jb", inverse, at.score[free]))
        longest = np.abs(step).max(axis=0)
        step *= np.where(longest > 2, 2 / np.maximum(longest, 1e-300), 1.0)
        for _ in range(10):
            fresh = cox.moments(sets, x, coef + step, firth=firth)  # type: ignore[arg-type]
            worse = ~(fresh.loglik >= at.loglik - 1e-9)
            if not worse.any():
                break
            step[:, worse] /= 2
        coef, at = coef + step, fresh
        if np.abs(step).max() < 1e-7:
            break
    return coef, at


def found_other(sets: Sorted, x: FloatArray, truth: float) -> tuple[Bools, Bools]:
    """Whether `associate` finds another effect of the first column than the true one; and which cohorts are valid.

    Wald's test with ten events per parameter, else Firth's penalised likelihood ratio; the scores are not rescaled,
    which changes neither.
    """
    p, b = x.shape[1], x.shape[2]
    events = sets.event.sum(axis=0)
    valid, out = events >= MIN_EVENTS, np.zeros(b, dtype=bool)
    for which, firth in (
        (valid & (events >= EVENTS_PER_PARAMETER * p), False),
        (valid & (events < EVENTS_PER_PARAMETER * p), True),
    ):
        if not which.any():
            continue
        part, mine = Sorted(sets.event[:, which]), x[:, :, which]
        free, start = np.ones(p, dtype=bool), np.zeros((p, int(which.sum())))
        coef, at = maximum(part, mine, free, start, firth=firth)
        if firth:
            held = coef.copy()
            held[0], free[0] = truth, False
            other = (
                maximum(part, mine, free, held, firth=True)[1] if p > 1 else cox.moments(part, mine, held, firth=True)
            )  # type: ignore[arg-type]
            out[which] = 2 * (at.loglik - other.loglik) > CHI
        else:
            se = np.sqrt(cox.invert(at.information)[0, 0])
            out[which] = ~(np.abs(coef[0] - truth) <= Z * se)
    return out, valid


def effects(setting: Setting, rng: np.random.Generator) -> Many:
    """Unadjusted and adjusted hazard ratios, of the score and of the residual score."""
    shape = (setting.n, COHORTS)
    shared = rng.normal(size=shape)
    score, other = (np.sqrt(0.5) * (shared + rng.normal(size=shape)) for _ in range(2))
    both = EFFECT * np.sqrt(3)
    for name, risk, spread, columns, truth in (
        ("hazard ratio", 0 * score, 0.0, (score,), 0.0),
        ("hazard ratio", EFFECT * score, EFFECT, (score,), EFFECT),
        ("adjusted hazard ratio", EFFECT * other, EFFECT, (score, other), 0.0),
        ("adjusted hazard ratio", EFFECT * (score + other), both, (score, other), EFFECT),
        ("hazard ratio of the residual score", EFFECT * other, EFFECT, (_residual(score, other),), 0.0),
    ):
        order, event = drawn(risk, spread, setting, rng)
        x = np.stack([np.take_along_axis(c, order, axis=0) for c in columns], axis=1)
        wrong, valid = found_other(Sorted(event), x, truth)
        kind, which = ("coverage", "effect") if truth else ("type I", "null")
        yield f"{kind}: {name}", which, wrong != (truth > 0), valid


def _residual(score: FloatArray, other: FloatArray) -> FloatArray:
    a, b = score - score.mean(axis=0), other - other.mean(axis=0)
    out: FloatArray = a - b * ((a * b).sum(axis=0) / (b * b).sum(axis=0))
    return out


def nulls(setting: Setting, rng: np.random.Generator) -> Many:
    """Test scores that have nothing to do with the outcome, many on each simulated outcome."""
    n = setting.n
    t, c = rng.exponential(size=n), rng.random(n) * censor_limit(setting.share, 0.0)
    risk = RiskSets(np.minimum(t, c), t <= c)
    valid = np.full(COHORTS, risk.n_events >= MIN_EVENTS)
    x = rng.normal(size=(n, COHORTS))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    names = ("proportional hazards (ph_p)", "score test of the random signatures", "log-rank at the median",
             "log-rank, trend of thirds")  # fmt: skip
    if not valid.any():
        for name in names:
            yield f"type I: {name}", "null", ~valid, valid
        return
    fit = cox.newton(risk, x[:, None, :])
    yield f"type I: {names[0]}", "null", cox.proportionality(risk, x[:, None, :], fit.coef) < 0.05, valid
    # Without tied times the log-rank test and its trend are the score tests of the groups' numbers.
    ranks = np.argsort(np.argsort(x, axis=0), axis=0)
    test = score_test.cox(risk, np.zeros(n), None)
    for name, v in zip(names[1:], (x, 1.0 * (ranks >= n / 2), np.floor(3 * ranks / n)), strict=True):
        yield f"type I: {name}", "null", np.abs(test(v)) > Z, valid


def label_effects(setting: Setting, rng: np.random.Generator) -> Many:
    """Unadjusted and adjusted odds ratios."""
    shape = (setting.n, COHORTS)
    shared = rng.normal(size=shape)
    score, other = (np.sqrt(0.5) * (shared + rng.normal(size=shape)) for _ in range(2))
    base = np.log(setting.share / (1 - setting.share))
    for name, risk, columns, truth in (
        ("odds ratio", 0 * score, (score,), 0.0),
        ("odds ratio", EFFECT * score, (score,), EFFECT),
        ("adjusted odds ratio", EFFECT * other, (score, other), 0.0),
        ("adjusted odds ratio", EFFECT * (score + other), (score, other), EFFECT),
    ):
        y = (rng.random(shape) < 1 / (1 + np.exp(-base - risk))).astype(np.float64)
        x = np.stack(columns, axis=1)
        wrong, valid = _other_odds(x, y, truth)
        kind, which = ("coverage", "effect") if truth else ("type I", "null")
        yield f"{kind}: {name}", which, wrong != (truth > 0), valid


def _other_odds(x: FloatArray, y: FloatArray, truth: float) -> tuple[Bools, Bools]:
    n, p, b = x.shape
    events = np.minimum(y.sum(axis=0), n - y.sum(axis=0))
    valid, out = events >= MIN_EVENTS, np.zeros(b, dtype=bool)
    few = events < EVENTS_PER_PARAMETER * p
    for which, firth in ((valid & ~few, False), (valid & few, True)):
        if not which.any():
            continue
        mine, target = x[:, :, which], y[:, which]
        fit = logistic.newton(mine, target, firth=firth)
        if firth:
            held, fixed = fit.coef.copy(), np.zeros(p + 1, dtype=bool)
            held[0], fixed[0] = truth, True
            other = logistic.newton(mine, target, firth=True, fixed=fixed, start=held)
            out[which] = 2 * (fit.loglik - other.loglik) > CHI
        else:
            out[which] = ~(np.abs(fit.coef[0] - truth) <= Z * fit.se[0])
    return out, valid


GROUPS = {f.__name__: f for f in (effects, nulls, label_effects)}

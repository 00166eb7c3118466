"""Coverage of robust and clustered hazard ratios, calibration bands and follow-up; error of the test on ranks.

Run as ``python -m benchmarks.prognosis.coverage_calibration [REPETITIONS] [OUT.tsv]``; 10,000 of each by default, into
``coverage_calibration.tsv`` beside this file. Settings and verdicts are those of `coverage`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.prognosis.coverage import head, simulate
from benchmarks.prognosis.coverage_settings import (
    EFFECT,
    SETTINGS,
    Found,
    Setting,
    censor_limit,
    labels,
    survival,
    table,
)
from mtorscore._outcome_terms import MIN_EVENTS
from mtorscore.prognosis.association.design import FEW_CLUSTERS
from mtorscore.prognosis.endpoints.endpoints import LabelData
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.prognosis.statistics import cox, robust
from mtorscore.prognosis.statistics.kaplan_meier import loglog_interval, product_limit
from mtorscore.prognosis.statistics.risk_sets import FloatArray, RiskSets
from mtorscore.prognosis.statistics.smoothing import KNOTS

Z = float(stats.norm.ppf(0.975))
PER_CLUSTER = 4
WANTED = 10_000
"""With fewer cohorts nothing is shown."""


def _fit(time_: FloatArray, event: FloatArray, x: FloatArray, clusters: FloatArray | None) -> tuple[float, float]:
    """Log ratio per unit with its robust error."""
    sets = RiskSets(time_, event)
    z = ((x - x.mean()) / x.std())[:, None, None]
    fit = cox.newton(sets, z)
    covariance = robust.sandwich(robust.cox_residuals(sets, z, fit.coef), fit.covariance, clusters)
    return float(fit.coef[0, 0] / x.std()), float(np.sqrt(covariance[0, 0, 0]) / x.std())


def ratios(setting: Setting, rng: np.random.Generator) -> Found:
    """Robust errors of independent patients; errors clustered by groups of four that share a part of the score."""
    n = setting.n
    for truth, effect in (("null", 0.0), ("effect", EFFECT)):
        score = rng.normal(size=n)
        data = survival(effect * score, effect, setting.share, rng)
        kind = "type I" if truth == "null" else "coverage"
        hit = None
        if data.n_events >= MIN_EVENTS:
            coef, se = _fit(data.time, data.event, score, None)
            hit = bool(abs(coef - effect) > stats.t.ppf(0.975, data.n_events - 1) * se) is (truth == "null")
        yield f"{kind}: robust hazard ratio", truth, hit
        groups = np.arange(n) // PER_CLUSTER
        shared = rng.normal(size=groups.max() + 1)[groups]
        score = np.sqrt(0.5) * (shared + rng.normal(size=n))
        # Members of a group have nearly the same residual time: the errors of independent patients would be too small.
        common = rng.exponential(size=groups.max() + 1)[groups]
        base = 0.7 * common + 0.3 * rng.exponential(size=n)
        late = rng.random(n) * censor_limit(setting.share, effect)
        when = stats.expon.ppf(np.clip(_uniform(base), 1e-12, 1 - 1e-12)) * np.exp(-effect * score)
        event = when <= late
        hit = None
        if min(groups.max() + 1, event.sum()) >= FEW_CLUSTERS:
            coef, se = _fit(np.minimum(when, late), event, score, groups)
            wide = stats.t.ppf(0.975, len(np.unique(groups[event])) - 1) * se
            hit = bool(abs(coef - effect) > wide) is (truth == "null")
        yield f"{kind}: hazard ratio with clustered errors", truth, hit


def _uniform(mixture: FloatArray) -> FloatArray:
    """Distribution function of 0.7 E1 + 0.3 E2 for independent unit exponentials."""
    a, b = 0.7, 0.3
    out: FloatArray = 1 - (a * np.exp(-mixture / a) - b * np.exp(-mixture / b)) / (a - b)
    return out


def ranks(setting: Setting, rng: np.random.Generator) -> Found:
    """Test the ranks of a skewed score."""
    data = survival(np.zeros(setting.n), 0.0, setting.share, rng)
    if data.n_events < MIN_EVENTS:
        yield "type I: score on ranks (rank_p)", "null", None
        return
    x = stats.rankdata(np.exp(rng.normal(size=setting.n)))
    z = ((x - x.mean()) / x.std())[:, None, None]
    fit = cox.newton(RiskSets(data.time, data.event), z)
    yield "type I: score on ranks (rank_p)", "null", bool(abs(fit.coef[0, 0] / fit.se[0, 0]) > Z)


def bands(setting: Setting, rng: np.random.Generator) -> Found:
    """Smooth calibration bands at the quartiles of the predicted risk; predictions are right, or too extreme."""
    n = setting.n
    score = rng.normal(size=n)
    data = survival(2 * EFFECT * score, 2 * EFFECT, setting.share, rng)
    y = labels(2 * EFFECT * score, setting.share, rng)
    at = float(np.quantile(data.time[data.event], 0.9)) if data.n_events else 1.0
    label = LabelData("y", data.index, y, ("0", "1"), False, np.ones(n), data.excluded)
    for truth, slope in (("null", 1.0), ("effect", 1.6)):
        risk = -np.expm1(-at * np.exp(slope * 2 * EFFECT * score))
        yield from _band("survival", truth, make_task(data), risk, -np.expm1(-at * np.exp(2 * EFFECT * score)), at)
        odds = np.log(setting.share / (1 - setting.share))
        right = 1 / (1 + np.exp(-(odds + 2 * EFFECT * score)))
        given = 1 / (1 + np.exp(-(odds + slope * 2 * EFFECT * score)))
        yield from _band("label", truth, make_task(label), given, right, 0.0)


def _band(what: str, truth: str, task: object, risk: FloatArray, right: FloatArray, at: float) -> Found:
    name = f"coverage: calibration band, {what}"
    events = task.events_by(at)  # type: ignore[attr-defined]
    knots = max(2, min(3, 1 + events // MIN_EVENTS))
    if events < MIN_EVENTS:
        for _ in range(3):
            yield name, truth, None
        return
    order = np.argsort(risk)
    where = order[[len(risk) // 4, len(risk) // 2, 3 * len(risk) // 4]]
    inside = np.clip(risk, 1e-9, 1 - 1e-9)
    options = {"smoother": "spline", "knots": knots if knots in KNOTS else 2, "level": 0.95}
    found = task.smooth(inside, inside[where], at, **options)[0]  # type: ignore[attr-defined]
    for low, high, true in zip(found.low, found.high, right[where], strict=True):
        yield name, truth, bool(low <= true <= high) if np.isfinite(low) else None


def followed(setting: Setting, rng: np.random.Generator) -> Found:
    """Median follow-up: uniform censoring has its median at half of its limit."""
    data = survival(np.zeros(setting.n), 0.0, setting.share, rng)
    curve = product_limit(data.time, ~data.event)
    low, high = loglog_interval(curve.survival, curve.se)
    first = [curve.time[np.flatnonzero(v <= 0.5)[:1]] for v in (low, high)]
    true = censor_limit(setting.share, 0.0) / 2
    if not len(first[0]) or not len(first[1]):
        yield "coverage: median follow-up", "null", None
    else:
        yield "coverage: median follow-up", "null", bool(first[0][0] <= true <= first[1][0])


GROUPS: dict[str, Callable[[Setting, np.random.Generator], Found]] = {
    "robust": ratios, "ranks": ranks, "bands": bands, "follow-up": followed,
}  # fmt: skip


def main() -> None:
    """Simulate everything and write the table."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else WANTED
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent / "coverage_calibration.tsv"
    counts = {}
    for number, setting in enumerate(SETTINGS):
        for k, group in enumerate(GROUPS.values()):
            began = time.monotonic()
            counts |= simulate(group, setting, repetitions, np.random.default_rng((20, number, k)))
            print(setting, list(GROUPS)[k], f"{time.monotonic() - began:.0f} s", flush=True)
        found = table(counts, {name: WANTED for name, *_ in counts})
        line = head().replace("prognosis.coverage;", f"prognosis.coverage_calibration {repetitions};")
        out.write_text(f"# {line}\n" + found.to_csv(sep="\t", index=False), encoding="utf-8")
    print(found.to_string())


if __name__ == "__main__":
    main()

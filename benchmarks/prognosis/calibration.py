"""Type-I error and coverage of the statistics that `mtorscore.prognosis` reports, on simulated cohorts.

Run as ``python benchmarks/prognosis/calibration.py [REPETITIONS] [OUT.tsv]`` (default 10,000 closed-form and a tenth of
that for resampled statistics; about a quarter of an hour). Every combination of 100, 160 and 360 patients with 10% and
40% events. Score, confounder and an idle score share a factor (pairwise correlation 0.5). Times are exponential,
censoring uniform. `rates` is also what the small version in the tests calls.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore.prognosis import _scoretest
from mtorscore.prognosis._concordance import concordance, with_interval
from mtorscore.prognosis._inference import profile, wald
from mtorscore.prognosis._kaplan import loglog_interval, logrank_statistic, product_limit
from mtorscore.prognosis._outcome import SurvivalOutcome
from mtorscore.prognosis._risksets import FloatArray, RiskSets
from mtorscore.prognosis.association import MIN_EVENTS, PER_PARAMETER
from mtorscore.prognosis.endpoints import SurvivalData

SIZES, SHARES = (100, 160, 360), (0.1, 0.4)
EFFECT = 0.4
EMPTY = pd.DataFrame(columns=["observation", "endpoint", "rule", "reason"])


def censor_limit(share: float, spread: float) -> float:
    """Upper end of the uniform censoring that leaves this share of events."""
    rng = np.random.default_rng(0)
    t = rng.exponential(np.exp(-spread * rng.normal(size=200_000)))
    u = rng.random(200_000)
    low, high = 1e-3, 1e4
    for _ in range(60):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if (t < u * middle).mean() < share else (low, middle)
    return float(low)


def cohort(risk: FloatArray, limit: float, rng: np.random.Generator) -> SurvivalData:
    """Draw an outcome."""
    n = len(risk)
    t, c = rng.exponential(np.exp(-risk)), rng.random(n) * limit
    event = t <= c
    seen = np.minimum(t, c)
    return SurvivalData("OS", "days", pd.RangeIndex(n), seen, event, None, event.astype(np.int64), EMPTY, ())


def p_value(data: SurvivalData, columns: list[FloatArray], null: float = 0.0) -> float:
    """Test the first column as `associate` does, penalty and all; NaN without an event.

    With `null` the true coefficient: the interval covers it where the p-value is above 5%.
    """
    if data.n_events == 0:
        return float("nan")
    x = np.column_stack(columns)
    sd = x.std(axis=0)
    x = ((x - x.mean(axis=0)) / sd)[:, :, None]
    outcome = SurvivalOutcome(data)
    e = None
    if data.n_events >= PER_PARAMETER * x.shape[1]:
        e = wald(outcome.fit(x))
        if not e.infinite.any():
            return float(2 * stats.norm.sf(abs((e.coef[0] - null * sd[0]) / e.se[0])))
    return float(profile(outcome.fit, x, interval=False, null=null * sd[0]).p[0])


def rates(n: int, share: float, repetitions: int, resampled: int, seed: int = 0) -> pd.DataFrame:
    """Return one row per statistic: what it should be, what it is, its Monte-Carlo error, over valid results.

    Parameters
    ----------
    n, share
        Patients and expected share of events.
    repetitions, resampled
        Of closed-form and of resampled statistics.
    seed
        Of the simulation.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    dropped = 0

    def note(name: str, value: float) -> None:
        if np.isfinite(value):
            found.setdefault(name, []).append(value)

    limits = {s: censor_limit(share, s) for s in (0.0, EFFECT, EFFECT * np.sqrt(3))}
    for _ in range(repetitions):
        shared = rng.normal(size=n)
        score, confounder = (np.sqrt(0.5) * (shared + rng.normal(size=n)) for _ in range(2))
        null = cohort(np.zeros(n), limits[0.0], rng)
        if null.n_events < MIN_EVENTS:
            dropped += 1
        else:
            _null(note, null, score)
        data = cohort(EFFECT * score, limits[EFFECT], rng)
        if data.n_events >= MIN_EVENTS:
            note("coverage: unadjusted hazard ratio", p_value(data, [score], EFFECT) > 0.05)
        data = cohort(EFFECT * (score + confounder), limits[EFFECT * np.sqrt(3)], rng)
        if data.n_events >= MIN_EVENTS:
            label = "Firth" if data.n_events < 2 * PER_PARAMETER else "Wald"
            note(f"coverage: adjusted hazard ratio, {label}", p_value(data, [score, confounder], EFFECT) > 0.05)
        data = cohort(EFFECT * confounder, limits[EFFECT], rng)
        if data.n_events >= MIN_EVENTS:
            label = "Firth" if data.n_events < 2 * PER_PARAMETER else "Wald"
            note(f"type I: adjusted hazard ratio, {label}", p_value(data, [score, confounder]) < 0.05)
    _resampled(note, n, limits[EFFECT], resampled, rng)
    return _table(found, n, share, dropped)


def _null(note, data: SurvivalData, score: FloatArray) -> None:  # type: ignore[no-untyped-def]
    outcome = SurvivalOutcome(data)
    note("type I: unadjusted hazard ratio", p_value(data, [score]) < 0.05)
    scaled = ((score - score.mean()) / score.std())[:, None]
    coef = outcome.fit(scaled[:, :, None]).coef[:, 0]
    note("type I: proportional hazards", outcome.proportionality(scaled, coef) < 0.05)
    z = _scoretest.cox(RiskSets(data.time, data.event), np.zeros(data.n), None)(score[:, None])[0]
    note("type I: score test", float(abs(z) > 1.959964))
    p = logrank_statistic(data.time, data.event, (score > np.median(score)).astype(np.int64))[2]
    note("type I: log-rank at the median", float(p < 0.05))
    at = 0.5 * float(np.median(data.time))
    curve = product_limit(data.time, data.event)
    k = int(np.searchsorted(curve.time, at, side="right")) - 1
    low, high = loglog_interval(curve.survival[[k]], curve.se[[k]])
    if np.isfinite(low[0]) and curve.survival[k] < 1:
        note("coverage: Kaplan-Meier, log-log", float(low[0] <= np.exp(-at) <= high[0]))


def _resampled(note, n: int, limit: float, resampled: int, rng: np.random.Generator) -> None:  # type: ignore[no-untyped-def]
    big = rng.normal(size=6000)
    data = cohort(EFFECT * big, limit, rng)
    truth = concordance(big, data.time, data.event).c
    for _ in range(resampled):
        score = rng.normal(size=n)
        data = cohort(EFFECT * score, limit, rng)
        if data.n_events < MIN_EVENTS:
            continue
        c = concordance(score, data.time, data.event)
        if with_interval(c, data.n_events):
            note("coverage: Harrell's C", float(c.low <= truth <= c.high))
        # A signature that is one of the random ones: its place among 199 others is uniform.
        others = rng.normal(size=(n, 200)) + 0.7 * rng.normal(size=(n, 1))
        null = cohort(np.zeros(n), limit, rng)
        if null.n_events:
            z = np.abs(_scoretest.cox(RiskSets(null.time, null.event), np.zeros(n), None)(others))
            note("type I: random-signature p", float((1 + (z[1:] >= z[0]).sum()) / 200 <= 0.05))


def _table(found: dict[str, list[float]], n: int, share: float, dropped: int) -> pd.DataFrame:
    rows = []
    for name, values in found.items():
        k, rate = len(values), float(np.mean(values))
        target, tolerance = (0.05, 0.015) if name.startswith("type I") else (0.95, 0.02)
        error = float(np.sqrt(target * (1 - target) / k))
        rows.append(
            {
                "n": n, "events": share, "statistic": name, "repetitions": k, "target": target, "rate": round(rate, 4),
                "mc_error": round(error, 4), "within": abs(rate - target) <= tolerance + 3 * error,
                "not_valid": dropped,
            }
        )  # fmt: skip
    return pd.DataFrame(rows).sort_values("statistic")


def main() -> None:
    """Print and write the table."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    parts = []
    for n in SIZES:
        for share in SHARES:
            start = time.perf_counter()
            parts.append(rates(n, share, repetitions, max(1, repetitions // 10), seed=n))
            print(parts[-1].to_string(index=False), f"\n{time.perf_counter() - start:.0f} s", flush=True)
            if out is not None:
                pd.concat(parts).to_csv(out, sep="\t", index=False)


if __name__ == "__main__":
    main()

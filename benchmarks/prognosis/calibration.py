"""Type-I error and coverage of the statistics that `mtorscore.prognosis` reports, on simulated cohorts.

Run as ``python benchmarks/prognosis/calibration.py [REPETITIONS] [OUT.tsv] [PAGE.md]``: by default 10,000 for
closed-form and a tenth of that for resampled statistics, into ``calibration.tsv`` beside this file and
``docs/evidence/prognosis_calibration.md``; about half an hour on one core. Every combination of 100, 160 and 360
patients with 10% and 40% events. Score, confounder and the genes of random signatures share factors (pairwise
correlation 0.5 and more). Times are exponential, censoring uniform. `rates` is also what the small version in the tests
calls.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore._outcome_terms import EVENTS_PER_PARAMETER, MIN_EVENTS
from mtorscore.prognosis import Endpoint, evaluate
from mtorscore.prognosis.association.cutpoints import best_cut, logrank_scores
from mtorscore.prognosis.endpoints.endpoints import SurvivalData
from mtorscore.prognosis.endpoints.outcome_models import SurvivalOutcome
from mtorscore.prognosis.statistics import score_test
from mtorscore.prognosis.statistics.concordance import concordance, with_interval
from mtorscore.prognosis.statistics.inference import profile, wald
from mtorscore.prognosis.statistics.kaplan_meier import loglog_interval, logrank_statistic, product_limit
from mtorscore.prognosis.statistics.risk_sets import FloatArray, RiskSets

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
    if data.n_events >= EVENTS_PER_PARAMETER * x.shape[1]:
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
            label = "Firth" if data.n_events < 2 * EVENTS_PER_PARAMETER else "Wald"
            note(f"coverage: adjusted hazard ratio, {label}", p_value(data, [score, confounder], EFFECT) > 0.05)
        data = cohort(EFFECT * confounder, limits[EFFECT], rng)
        if data.n_events >= MIN_EVENTS:
            label = "Firth" if data.n_events < 2 * EVENTS_PER_PARAMETER else "Wald"
            note(f"type I: adjusted hazard ratio, {label}", p_value(data, [score, confounder]) < 0.05)
    _resampled(note, n, limits[EFFECT], resampled, rng)
    return _table(found, n, share, dropped)


def _null(note, data: SurvivalData, score: FloatArray) -> None:  # type: ignore[no-untyped-def]
    outcome = SurvivalOutcome(data)
    note("type I: unadjusted hazard ratio", p_value(data, [score]) < 0.05)
    scaled = ((score - score.mean()) / score.std())[:, None]
    coef = outcome.fit(scaled[:, :, None]).coef[:, 0]
    note("type I: proportional hazards", outcome.proportionality(scaled, coef) < 0.05)
    z = score_test.cox(RiskSets(data.time, data.event), np.zeros(data.n), None)(score[:, None])[0]
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
            z = np.abs(score_test.cox(RiskSets(null.time, null.event), np.zeros(n), None)(others))
            note("type I: random-signature p", float((1 + (z[1:] >= z[0]).sum()) / 200 <= 0.05))


def few(repetitions: int, seed: int = 0) -> pd.DataFrame:
    """Show what results below ten events would be worth without ``valid=False``: 100 patients, 2 to 9 events."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    n, share = 100, 0.05
    limits = {s: censor_limit(share, s) for s in (0.0, EFFECT)}
    dropped = 0
    for _ in range(repetitions):
        score = rng.normal(size=n)
        data = cohort(EFFECT * score, limits[EFFECT], rng)
        null = cohort(np.zeros(n), limits[0.0], rng)
        if not 2 <= null.n_events < MIN_EVENTS or not 2 <= data.n_events < MIN_EVENTS:
            dropped += 1
            continue
        scaled = ((score - score.mean()) / score.std())[:, None]
        for name, outcome, truth in (("type I", null, 0.0), ("coverage", data, EFFECT * float(score.std()))):
            e = wald(SurvivalOutcome(outcome).fit(scaled[:, :, None]))
            inside = np.isfinite(e.coef[0]) and abs(e.coef[0] - truth) <= 1.959964 * e.se[0]
            found.setdefault(f"{name}: unadjusted hazard ratio, Wald", []).append(inside == (name == "coverage"))
        fit = SurvivalOutcome(null).fit(scaled[:, :, None])
        if fit.converged[0]:
            p = SurvivalOutcome(null).proportionality(scaled, fit.coef[:, 0])
            found.setdefault("type I: proportional hazards", []).append(p < 0.05)
        curve = product_limit(null.time, null.event)
        at = 0.5 * float(np.median(null.time))
        k = int(np.searchsorted(curve.time, at, side="right")) - 1
        low, high = loglog_interval(curve.survival[[k]], curve.se[[k]])
        inside = bool(low[0] <= np.exp(-at) <= high[0])
        found.setdefault("coverage: Kaplan-Meier, log-log", []).append(float(inside))
    return _table(found, n, share, dropped)


def selection(cohorts: int, permutations: int, seed: int = 0) -> pd.DataFrame:
    """Cut-points and cross-validation under a true null: what fools, and what does not.

    Parameters
    ----------
    cohorts
        Simulated cohorts of 100 patients with half of them events, for the cut-points.
    permutations
        Permuted outcomes for the nested cross-validation (100 patients, 40% events).
    seed
        Of the simulation.
    """
    rng = np.random.default_rng(seed)
    naive, corrected = [], []
    limit = censor_limit(0.5, 0.0)
    for _ in range(cohorts):
        data = cohort(np.zeros(100), limit, rng)
        x = np.sort(rng.normal(size=100))
        a = logrank_scores(data.time, data.event)
        statistic, position = best_cut(x, a[:, None], 0.1)
        shuffled = rng.permuted(np.tile(a[:, None], (1, 199)), axis=0)
        corrected.append((1 + (best_cut(x, shuffled, 0.1)[0] >= statistic[0] - 1e-9).sum()) / 200)
        group = (np.arange(100) >= position[0]).astype(np.int64)
        naive.append(logrank_statistic(data.time, data.event, group)[2])
    rows: list[dict[str, Any]] = [
        {"what": "optimal cut-point, naive p below 5%", "wanted": "0.05", "found": np.mean(np.array(naive) < 0.05)},
        {
            "what": "optimal cut-point, corrected p at most 5%",
            "wanted": "0.05",
            "found": np.mean(np.array(corrected) <= 0.05),
        },
    ]
    x_all = pd.DataFrame(rng.normal(size=(100, 300)), columns=[f"G{i}" for i in range(300)])
    data = cohort(np.zeros(100), censor_limit(0.4, 0.0), rng)
    honest, leaky, unscored = [], [], 0
    for _ in range(permutations):
        order = rng.permutation(100)
        clinical = pd.DataFrame({"time": data.time[order], "event": data.event[order].astype(int)})
        z = score_test.cox(RiskSets(data.time[order], data.event[order]), np.zeros(100), None)(x_all.to_numpy())
        best = list(x_all.columns[np.argsort(-np.abs(z))[:5]])
        for columns, into in ((list(x_all.columns[:5]), honest), (best, leaky)):
            got = evaluate(
                None, x_all[columns], clinical, Endpoint.survival("time", "event"), n_repeats=1, n_boot=0,
                times=[float(np.median(data.time))],
            ).summary  # fmt: skip
            row = got[(got["model"] == "score") & (got["metric"] == "harrell_c")].iloc[0]
            into.append(row["value"])
            unscored += int(row["folds"] - row["folds_scored"])
    rows += [
        {"what": "mean C per fold, nested cross-validation", "wanted": "0.46 to 0.515", "found": np.mean(honest)},
        {"what": "mean C per fold, genes chosen outside the folds", "wanted": "above 0.6", "found": np.mean(leaky)},
        {"what": "folds without comparable pairs, not scored", "wanted": "reported", "found": float(unscored)},
    ]
    return pd.DataFrame(rows).assign(repetitions=[cohorts, cohorts, permutations, permutations, permutations])


def page(calibrated: pd.DataFrame, below: pd.DataFrame, chosen: pd.DataFrame, command: str) -> str:
    """Return the page of the manual."""
    head = ["n", "events", "statistic", "repetitions", "target", "rate", "mc_error", "within", "not_valid"]
    bad = int((~calibrated["within"]).sum())
    parts = [
        "# Type-I error and coverage of the prognosis functions", "",
        (f"Written by `{command}`; no figure is typed by hand. Simulated cohorts of 100, 160 and 360 patients with 10% "
        "and 40% events; score, confounder and the genes of random signatures share factors. Allowed: a type-I error "
        "within 5% +- 1.5 points and a coverage within 95% +- 2 points, each +- 3 Monte-Carlo errors. `not_valid` "
        "counts cohorts with fewer than ten events, whose results carry `valid=False`; they are not in the rates."), "",
        f"{len(calibrated) - bad} of {len(calibrated)} rows are within.", "", _markdown(calibrated[head]), "",
        "## Below ten events", "",
        ("The same statistics where `associate` says `valid=False` (100 patients, 2 to 9 events, no penalty): what the "
        "flag protects from."), "", _markdown(below[head[2:-1]]), "",
        "## Selection", "",
        ("Under a true null: a cut-point chosen by its p-value against the corrected p-value, and nested "
        "cross-validation on permuted outcomes against the same with genes chosen on all patients."), "",
        _markdown(chosen[["what", "repetitions", "wanted", "found"]].round(4)),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _markdown(table: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(table.columns) + " |", "| " + " | ".join(["---"] * table.shape[1]) + " |"]
    lines += ["| " + " | ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in r) + " |"
              for r in table.itertuples(index=False)]  # fmt: skip
    return "\n".join(lines)


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
    """Print and write the table and the page."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_suffix(".tsv")
    manual = Path(__file__).parents[2] / "docs" / "evidence" / "prognosis_calibration.md"
    manual = Path(sys.argv[3]) if len(sys.argv) > 3 else manual
    parts = []
    for n in SIZES:
        for share in SHARES:
            start = time.perf_counter()
            parts.append(rates(n, share, repetitions, max(1, repetitions // 10), seed=n))
            print(parts[-1].to_string(index=False), f"\n{time.perf_counter() - start:.0f} s", flush=True)
            pd.concat(parts).to_csv(out, sep="\t", index=False)
    below, chosen = few(repetitions), selection(max(100, repetitions // 10), max(20, repetitions // 50))
    print(below.to_string(index=False), chosen.to_string(index=False), sep="\n")
    command = f"python benchmarks/prognosis/calibration.py {repetitions}"
    manual.write_text(page(pd.concat(parts), below, chosen, command))


if __name__ == "__main__":
    main()

"""Settings, cohorts and verdicts of the simulations in coverage.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from mtorscore.prognosis.endpoints.endpoints import SurvivalData
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

EFFECT = 0.4
"""Log hazard or odds ratio per SD, where there is an effect."""
EMPTY = pd.DataFrame(columns=["observation", "endpoint", "rule", "reason"])
Found = Iterator[tuple[str, str, bool | None]]
"""Statistic, ``"null"`` or ``"effect"``, and whether the test erred or the interval covered; None: not valid."""


@dataclass(frozen=True)
class Setting:
    """One cohort size and expected share of events."""

    n: int
    share: float


SETTINGS = (Setting(60, 0.4), Setting(160, 0.1), Setting(360, 0.4), Setting(360, 0.1), Setting(60, 0.1))


@cache
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


def survival(risk: FloatArray, spread: float, share: float, rng: np.random.Generator) -> SurvivalData:
    """Exponential times of mean 1 at a risk of 0, uniform censoring."""
    n = len(risk)
    t, c = rng.exponential(np.exp(-risk)), rng.random(n) * censor_limit(share, round(float(spread), 6))
    event = t <= c
    status: IntArray = event.astype(np.int64)
    return SurvivalData("OS", "days", pd.RangeIndex(n), np.minimum(t, c), event, None, status, EMPTY, ())


def labels(risk: FloatArray, share: float, rng: np.random.Generator) -> IntArray:
    """Labels whose log odds are `risk` around those of `share`."""
    p = 1 / (1 + np.exp(-(np.log(share / (1 - share)) + risk)))
    y: IntArray = (rng.random(len(risk)) < p).astype(np.int64)
    return y


def pair(n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Score and confounder of variance 1 and correlation 0.5."""
    shared = rng.normal(size=n)
    return tuple(np.sqrt(0.5) * (shared + rng.normal(size=n)) for _ in range(2))  # type: ignore[return-value]


def verdict(kind: str, rate: float, repetitions: int, invalid: int, wanted: int) -> str:
    """Say whether a statistic passes.

    A test passes with a type-I error of at most 6.5%, an interval with a coverage of at least 93%; it fails beyond that
    by more than 2 Monte-Carlo errors. In between, with a Monte-Carlo error above 1.1 points, or with fewer cohorts
    (valid or not) than wanted, it is not shown. Where more than half of the cohorts came back not valid, it is not
    offered.
    """
    if invalid > repetitions:
        return "not offered"
    if error_of(rate, repetitions) > 0.011 or repetitions + invalid < wanted:
        return "not shown"
    beyond = rate - 0.065 if kind.startswith("type I") else 0.93 - rate
    if beyond <= 0:
        return "passes"
    return "fails" if beyond > 2 * error_of(rate, repetitions) else "not shown"


def error_of(rate: float, repetitions: int) -> float:
    """Monte-Carlo error; of a rate of 0 or 1 as if there were one more hit and one more miss."""
    if not repetitions:
        return 1.0
    inside = (rate * repetitions + 1) / (repetitions + 2)
    return float(np.sqrt(inside * (1 - inside) / repetitions))


def table(counts: dict[tuple[str, int, float, str], Any], wanted: dict[str, int]) -> pd.DataFrame:
    """Return one row with its verdict per (hits, repetitions, cohorts that were not valid).

    `wanted` holds how many cohorts were set for each statistic.
    """
    rows = []
    for (name, n, share, truth), (hits, repetitions, invalid) in counts.items():
        kind = name.split(":")[0]
        rate = hits / repetitions if repetitions else float("nan")
        rows.append(
            {
                "statistic": name, "n": n, "events": share, "truth": truth,
                "target": 0.05 if kind.startswith("type I") else 0.95,
                "rate": round(rate, 4), "mc_error": round(error_of(rate, repetitions), 4),
                "repetitions": repetitions, "not_valid": invalid,
                "verdict": verdict(kind, rate, repetitions, invalid, wanted.get(name, 0)),
            }
        )  # fmt: skip
    return pd.DataFrame(rows).sort_values(["statistic", "truth", "n", "events"], ignore_index=True)

"""Whether an association hangs on few patients: leverage (dfbetas), and the same test on ranks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from mtorscore.prognosis.endpoints.outcome_models import Outcome, has_leverage, leverage
from mtorscore.prognosis.statistics.inference import Effects
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["Outliers", "outliers_of"]

FAR_APART = 5.0
"""A p-value this many times that on ranks (or the other way round), one of them below 0.05, is mentioned."""
STEEP = 0.8
"""One patient who moves the log ratio by more than this many of its standard errors is mentioned."""


@dataclass(frozen=True)
class Outliers:
    """Of B unadjusted models: p on ranks, and the largest dfbetas with the position of its observation."""

    rank_p: FloatArray
    largest: FloatArray
    where: Any

    def told(self, j: int, p: float, outcome: Outcome) -> tuple[dict[str, float], list[str]]:
        """Return the columns of one row, and its notes."""
        notes = []
        rank_p, largest = float(self.rank_p[j]), float(self.largest[j])
        low, high = min(p, rank_p), max(p, rank_p)
        if low < 0.05 <= high and high > FAR_APART * low:
            notes.append(f"p is {p:.2g} per SD and {rank_p:.2g} on ranks: outliers, or no straight line")
        if abs(largest) > STEEP:
            name = outcome.index[int(self.where[j])]
            notes.append(f"{name} alone moves the log ratio by {abs(largest):.1f} of its standard errors")
        return {"rank_p": rank_p, "largest_dfbeta": largest}, notes


def outliers_of(
    outcome: Outcome, x: FloatArray, effects: Effects, estimate: Callable[[FloatArray], Effects]
) -> Outliers:
    """Look for outliers of unadjusted models.

    Parameters
    ----------
    outcome
        The outcome.
    x
        ``(n, B)`` standardised scores.
    effects
        Their estimates.
    estimate
        Fits ``(n, 1, B)`` covariates as the scores were.
    """
    nothing = np.full(x.shape[1], np.nan)
    where = np.zeros(x.shape[1], dtype=np.int64)
    if not has_leverage(outcome) or not x.shape[1]:
        return Outliers(nothing, nothing, where)
    ranks = stats.rankdata(x, axis=0)
    ranks = ranks - ranks.mean(axis=0)
    sd = ranks.std(axis=0, ddof=1)
    ranked = estimate((ranks / np.where(sd > 0, sd, 1.0))[:, None, :])
    good = np.isfinite(effects.coef) & ~effects.infinite & (not effects.firth)
    largest = nothing.copy()
    if good.any():
        moved = leverage(outcome, x[:, None, good])
        where[good] = np.abs(moved).argmax(axis=0)
        largest[good] = moved[where[good], np.arange(moved.shape[1])]
    return Outliers(np.where(sd > 0, ranked.p, np.nan), largest, where)

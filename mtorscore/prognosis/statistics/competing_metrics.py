"""Time-dependent AUC and Brier score of a predicted cumulative incidence, under competing risks.

Cases had the event of interest by the time. Controls are by two definitions: everybody else (``"others"``: those free
of any event and those who had a competing event by then, for whom the prediction should be low as well; this is the
AUC of riskRegression::Score), or only those free of any event (``"event-free"``). Each observation counts by the
inverse probability of being uncensored just before its event, or at the time.

``weights`` is ``(R, n)``: row 0 the plain sample, the others bootstrap resamples. Numbers are those of
riskRegression::Score with ``cens.model = "km"``.

References
----------
Blanche, Dartigues and Jacqmin-Gadda, Stat Med 2013;32:5381 (AUC); Gerds and Schumacher, Biom J 2006;48:1029 and
Schoop et al., Biom J 2011;53:88 (Brier score).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtorscore.prognosis.statistics.concordance import ordered
from mtorscore.prognosis.statistics.kaplan_meier import censoring_survival
from mtorscore.prognosis.statistics.metrics import pair_gain
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

CONTROLS = ("others", "event-free")


@dataclass(frozen=True)
class Censoring:
    """Probability of being uncensored: until just before each follow-up time, and until each evaluation time."""

    before: FloatArray
    at: FloatArray

    @classmethod
    def learned(cls, time: FloatArray, status: IntArray, follow_up: FloatArray, times: FloatArray) -> Censoring:
        """Learn it from `time` and `status` for observations with these follow-up times, and for these times."""
        any_event = status > 0
        before = censoring_survival(time, any_event, follow_up)
        return cls(before, censoring_survival(time, any_event, times, before=False))


def known_by(time: FloatArray, status: IntArray, at: float, free: Censoring, k: int) -> FloatArray:
    """``(n,)`` inverse-probability weights at one evaluation time (the k-th); 0 where the outcome is not known."""
    happened = (time <= at) & (status > 0)
    g = np.where(happened, free.before, free.at[k])
    known: npt.NDArray[np.bool_] = (happened | (time > at)) & (g > 0)
    return np.where(known, 1.0 / np.where(known, g, 1.0), 0.0)


def incidence_auc(
    time: FloatArray,
    status: IntArray,
    risk: FloatArray,
    weights: FloatArray,
    inverse: FloatArray,
    at: float,
    controls: str = "others",
) -> FloatArray:
    """``(R,)`` AUC at one time, ``inverse`` from `known_by`; NaN without a case or a control."""
    by = time <= at
    case = np.flatnonzero(by & (status == 1) & (inverse > 0))
    other = ~by if controls == "event-free" else ~(by & (status == 1))
    control = np.flatnonzero(other & (inverse > 0))
    left, right = weights[:, case] * inverse[case], weights[:, control] * inverse[control]
    risk = ordered(risk)
    gain = ((left @ pair_gain(risk[case], risk[control])) * right).sum(axis=1)
    pairs = left.sum(axis=1) * right.sum(axis=1)
    return np.where(pairs > 0, gain / np.where(pairs > 0, pairs, 1.0), np.nan)


def incidence_brier(
    time: FloatArray, status: IntArray, risk: FloatArray, weights: FloatArray, inverse: FloatArray, at: float
) -> FloatArray:
    """``(R,)`` Brier score of a predicted risk ``(n,)`` by one time."""
    loss = inverse * (((time <= at) & (status == 1)) - risk) ** 2
    out: FloatArray = (weights @ loss) / weights.sum(axis=1)
    return out

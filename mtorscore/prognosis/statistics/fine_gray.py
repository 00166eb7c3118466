"""Subdistribution hazards (Fine and Gray): risk sets that keep those with a competing event, and robust variance.

Who had a competing event at ``T`` stays in the risk set of a later event at ``t`` with weight ``G(t-) / G(T-)``, where
``G`` is the Kaplan-Meier estimate of being uncensored: the share of such patients that would still be followed. The
weighted risk sums are linear like those of `RiskSets`, so `cox.newton` fits the model; ties as Breslow. The variance
is that of Fine and Gray, which counts the estimation of ``G``. Numbers are those of cmprsk::crr.

References
----------
Fine and Gray, J Am Stat Assoc 1999;94:496.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.errors import EndpointError
from mtorscore.prognosis.statistics import cox
from mtorscore.prognosis.statistics.cox import Fits
from mtorscore.prognosis.statistics.kaplan_meier import product_limit
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets


class SubdistributionSets(RiskSets):
    """Risk sets of the subdistribution hazard of the event of interest.

    Parameters
    ----------
    time
        ``(n,)`` follow-up.
    status
        ``(n,)`` 0 censored, 1 event of interest, 2 competing event.
    strata
        ``(n,)`` integer codes; risk sets do not cross them, the censoring distribution is common.
    dense
        As in `RiskSets`.
    """

    def __init__(
        self, time: FloatArray, status: IntArray, strata: IntArray | None = None, *, dense: bool | None = None
    ) -> None:
        super().__init__(time, np.asarray(status) == 1, None, strata, ties="breslow", dense=dense)
        self.status: IntArray = np.asarray(status, dtype=np.int64)
        self.free = self._uncensored(self.times)
        others = np.flatnonzero(self.status == 2)
        self.others: IntArray = others[np.lexsort((self.time[others], self.strata[others]))]
        self.share: FloatArray = 1.0 / self._uncensored(self.time[self.others])
        stratum = self.strata[self.rows]
        # Per stratum: its events, its competing events, and how many of these fell before each of the events.
        self._parts = []
        for s in np.unique(stratum):
            events = np.flatnonzero(stratum == s)
            inside = np.flatnonzero(self.strata[self.others] == s)
            before = np.searchsorted(self.time[self.others[inside]], self.times[events], side="left")
            self._parts.append((events, inside, before))
        if self.matrix is not None:
            for events, inside, before in self._parts:
                late = np.arange(len(inside)) < before[:, None]
                block = late * self.free[events, None] * self.share[inside]
                self.matrix[np.ix_(events, self.others[inside])] += block

    def within(self, rows: npt.NDArray[Any], *, dense: bool | None = None) -> RiskSets:
        """Return those of some observations, whose censoring is learned from them alone."""
        return risk_sets(self.time[rows], self.status[rows], strata=self.strata[rows], dense=dense)

    def _uncensored(self, at: FloatArray) -> FloatArray:
        """Probability of being uncensored until just before each time; as crr, events at a time are at risk there."""
        curve = product_limit(self.time, self.status == 0)
        out: FloatArray = np.concatenate([[1.0], curve.survival])[np.searchsorted(curve.time, at, side="left")]
        return out

    def sum(self, values: FloatArray) -> FloatArray:
        """Weighted sum over risk sets, ``(n, ...)`` to ``(E, ...)``."""
        out = super().sum(values)
        if self.matrix is not None:
            return out
        for events, inside, before in self._parts:
            kept = values[self.others[inside]] * _column(self.share[inside], values.ndim)
            total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(kept, axis=0)])
            out[events] += total[before] * _column(self.free[events], values.ndim)
        return out

    def adjoint(self, values: FloatArray) -> FloatArray:
        """Transpose of `sum`: ``(E, ...)`` to ``(n, ...)``."""
        out = super().adjoint(values)
        if self.matrix is not None:
            return out
        for events, inside, before in self._parts:
            weighted = values[events] * _column(self.free[events], values.ndim)
            total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(weighted[::-1], axis=0)])
            after = len(events) - np.searchsorted(before, np.arange(len(inside)), side="right")
            out[self.others[inside]] += total[after] * _column(self.share[inside], values.ndim)
        return out


def _column(values: FloatArray, ndim: int) -> FloatArray:
    return values.reshape(-1, *([1] * (ndim - 1)))


def risk_sets(
    time: FloatArray,
    status: IntArray,
    entry: FloatArray | None = None,
    strata: IntArray | None = None,
    *,
    dense: bool | None = None,
) -> RiskSets:
    """Return risk sets of the subdistribution hazard where there is a competing event, else those of the hazard."""
    if (np.asarray(status) == 2).any():
        if entry is not None:
            raise EndpointError("Subdistribution hazards with entry times are not defined here; leave `entry` out.")
        return SubdistributionSets(time, status, strata, dense=dense)
    return RiskSets(time, np.asarray(status) == 1, entry, strata, dense=dense)


def fit(risk: SubdistributionSets, x: FloatArray) -> Fits:
    """Fit B models on ``(n, p, B)`` covariates; their covariance is the robust one of Fine and Gray."""
    found = cox.newton(risk, x)
    found.covariance = robust(risk, x, found)
    return found


def robust(risk: SubdistributionSets, x: FloatArray, found: Fits) -> FloatArray:
    """``(p, p, B)`` sandwich variance, with the part that comes from estimating the censoring distribution."""
    out = np.full_like(found.covariance, np.nan)
    good = np.isfinite(found.coef).all(axis=0) & np.isfinite(found.covariance).all(axis=(0, 1))
    for b in np.flatnonzero(good):
        influence = _influence(risk, x[:, :, b], found.coef[:, b])
        bread = found.covariance[:, :, b]
        out[:, :, b] = bread @ (influence.T @ influence) @ bread
    return out


def _influence(risk: SubdistributionSets, x: FloatArray, coef: FloatArray) -> FloatArray:
    """``(n, p)`` eta + psi: the parts of each observation in the score, and in the estimate of the censoring."""
    eta = x @ coef
    w = np.exp(eta - eta.max())[:, None]
    s0 = risk.sum(w)
    mean = risk.sum(w * x) / s0
    score: FloatArray = -w * (x * risk.adjoint(1 / s0) - risk.adjoint(mean / s0))
    score[risk.rows] += x[risk.rows] - mean
    return score + _from_censoring(risk, x, w, s0, mean)


def _from_censoring(
    risk: SubdistributionSets, x: FloatArray, w: FloatArray, s0: FloatArray, mean: FloatArray
) -> FloatArray:
    """``(n, p)`` psi: what each observation does to the score through the weights of competing events."""
    censored: npt.NDArray[np.bool_] = risk.status == 0
    u, count = np.unique(risk.time[censored], return_counts=True)
    order = np.argsort(risk.times, kind="stable")
    times, step = risk.times[order], (risk.free[:, None] / s0)[order]
    # s >= u > T, as in the paper; where times tie this decides.
    after = np.searchsorted(times, u, side="left")
    later0, later1 = (_from_the_end(v)[after] for v in (step, step * mean[order]))
    kept = risk.others[np.argsort(risk.time[risk.others], kind="stable")]
    share = w[kept] / risk._uncensored(risk.time[kept])[:, None]
    before = np.searchsorted(risk.time[kept], u, side="left")
    gone0, gone1 = (np.concatenate([np.zeros((1, v.shape[1])), np.cumsum(v, axis=0)])[before]
                    for v in (share, share * x[kept]))  # fmt: skip
    at_risk = (len(risk.time) - np.searchsorted(np.sort(risk.time), u, side="left"))[:, None]
    q = (gone1 * later0 - gone0 * later1) / at_risk
    compensator = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(q * count[:, None] / at_risk, axis=0)])
    out: FloatArray = -compensator[np.searchsorted(u, risk.time, side="right")]
    out[censored] += q[np.searchsorted(u, risk.time[censored])]
    return out


def _from_the_end(values: FloatArray) -> FloatArray:
    """``(E + 1, ...)`` sums of the rows from each place on."""
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values[::-1], axis=0)])
    return total[::-1]

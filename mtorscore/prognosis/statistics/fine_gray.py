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
from mtorscore.prognosis.statistics.robust import cox_residuals, sandwich


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
        self.parts = []
        for s in np.unique(stratum):
            events = np.flatnonzero(stratum == s)
            inside = np.flatnonzero(self.strata[self.others] == s)
            before = np.searchsorted(self.time[self.others[inside]], self.times[events], side="left")
            self.parts.append((events, inside, before))
        if self.matrix is not None:
            for events, inside, before in self.parts:
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
        for events, inside, before in self.parts:
            kept = values[self.others[inside]] * column(self.share[inside], values.ndim)
            total = _from_the_start(kept)
            out[events] += total[before] * column(self.free[events], values.ndim)
        return out

    def adjoint(self, values: FloatArray) -> FloatArray:
        """Transpose of `sum`: ``(E, ...)`` to ``(n, ...)``."""
        out = super().adjoint(values)
        if self.matrix is not None:
            return out
        for events, inside, before in self.parts:
            weighted = values[events] * column(self.free[events], values.ndim)
            total = _from_the_start(weighted[::-1])
            after = len(events) - np.searchsorted(before, np.arange(len(inside)), side="right")
            out[self.others[inside]] += total[after] * column(self.share[inside], values.ndim)
        return out


def column(values: FloatArray, ndim: int) -> FloatArray:
    """Return values along the first of several axes."""
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


def fit(risk: SubdistributionSets, x: FloatArray, clusters: IntArray | None = None) -> Fits:
    """Fit B models on ``(n, p, B)`` covariates; their covariance is the robust one of Fine and Gray.

    Codes of clusters ``0 .. k - 1`` are patients that are alike, over which the parts of the score are summed.
    """
    found = cox.newton(risk, x)
    if x.shape[1]:
        with np.errstate(all="ignore"):
            found.covariance = sandwich(influences(risk, x, found.coef), found.covariance, clusters)
    return found


def influences(risk: SubdistributionSets, x: FloatArray, coef: FloatArray) -> FloatArray:
    """``(n, p, B)`` eta + psi: what each observation does to the score, and through the censoring distribution."""
    eta = np.einsum("npb,pb->nb", x, coef)
    w = np.exp(eta - eta.max(axis=0))[:, None, :]
    s0 = risk.sum(w)
    mean = risk.sum(w * x) / s0
    return cox_residuals(risk, x, coef) + _from_censoring(risk, x, w, s0, mean)


def _from_censoring(
    risk: SubdistributionSets, x: FloatArray, w: FloatArray, s0: FloatArray, mean: FloatArray
) -> FloatArray:
    """``(n, p, B)`` psi: what each observation does to the score through the weights of competing events."""
    censored: npt.NDArray[np.bool_] = risk.status == 0
    u, count = np.unique(risk.time[censored], return_counts=True)
    at_risk = (len(risk.time) - np.searchsorted(np.sort(risk.time), u, side="left")).astype(np.float64)
    q = np.zeros((len(u), *x.shape[1:]))
    for events, inside, _ in risk.parts:
        # s >= u > T, as in the paper; where times tie this decides.
        after = np.searchsorted(risk.times[events], u, side="left")
        step = column(risk.free[events], 3) / s0[events]
        later0, later1 = (_from_the_end(v)[after] for v in (step, step * mean[events]))
        kept = risk.others[inside]
        before = np.searchsorted(risk.time[kept], u, side="left")
        share = w[kept] * column(risk.share[inside], 3)
        gone0, gone1 = (_from_the_start(v)[before] for v in (share, share * x[kept]))
        q += gone1 * later0 - gone0 * later1
    q /= column(at_risk, 3)
    compensator = _from_the_start(q * column(count / at_risk, 3))
    out: FloatArray = -compensator[np.searchsorted(u, risk.time, side="right")]
    out[censored] += q[np.searchsorted(u, risk.time[censored])]
    return out


def _from_the_start(values: FloatArray) -> FloatArray:
    """``(E + 1, ...)`` sums of the rows up to each place."""
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])


def _from_the_end(values: FloatArray) -> FloatArray:
    """``(E + 1, ...)`` sums of the rows from each place on."""
    return _from_the_start(values[::-1])[::-1]

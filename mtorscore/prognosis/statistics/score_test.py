"""Score tests of one covariate beside others, for thousands of covariates at once.

With the residuals ``r`` of the model without the covariate ``x``, the score is ``U = x'r``; its variance is the
information of ``x`` less what the nuisance covariates explain of it. Both are matrix products over all ``x``.

References
----------
Rao 1948; for Cox's model the residuals are the martingale residuals (Therneau, Grambsch and Fleming, Biometrika
1990;77:147), so the score test without nuisance covariates is the log-rank test for a continuous covariate.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets
from mtorscore.tl.kernels.jit import jit

ScoreTest = Callable[[FloatArray], FloatArray]
"""``(n, B)`` covariates to ``(B,)`` statistics, standard normal under the null."""


LEAST_LEFT = 1e-10
"""Share of a covariate's information that others must leave."""
LEAST_EIGENVALUE = 1e-15
"""Of the largest; nuisance covariates that others determine are left out."""
COLUMNS = 128
"""Covariates at a time: their running sums stay in the first-level cache."""


@jit
def information(
    x: FloatArray,
    order: IntArray,
    group_ptr: IntArray,
    first: IntArray,
    event_ptr: IntArray,
    tied_ptr: IntArray,
    tied: IntArray,
    per_row: FloatArray,
    per_event: FloatArray,
    own: FloatArray,
) -> None:
    """Write the information of each covariate, nuisance covariates left aside, in one pass down the risk sets.

    Parameters
    ----------
    x
        ``(n, B)`` covariates.
    order, group_ptr
        Observations by stratum and descending time, and where each distinct time begins among them.
    first
        ``(G,)`` 1 where a stratum begins.
    event_ptr
        Where the events of each distinct time begin in `per_event`.
    tied_ptr, tied
        Observations whose event is tied, by distinct time; none without Efron's rule.
    per_row
        ``(n, 2)`` relative risk, and its sum over risk sets (the weight).
    per_event
        ``(E, 2)`` one over the sum of the risk set, and Efron's fraction.
    own
        ``(B,)``, which is filled.
    """
    # What one pass needs stays in the first-level cache; rooms are made outside of the loops over times.
    rooms = np.empty((2, COLUMNS))
    for start in range(0, x.shape[1], COLUMNS):
        stop = min(start + COLUMNS, x.shape[1])
        running, ties, found = rooms[0, : stop - start], rooms[1, : stop - start], own[start:stop]
        found[:] = 0.0
        for g in range(first.size):
            if first[g] == 1:
                running[:] = 0.0
            for place in range(group_ptr[g], group_ptr[g + 1]):
                i = order[place]
                w, weight, row = per_row[i, 0], per_row[i, 1], x[i, start:stop]
                for b in range(row.size):
                    running[b] += w * row[b]
                    found[b] += weight * row[b] * row[b]
            if event_ptr[g] == event_ptr[g + 1]:
                continue
            several = tied_ptr[g + 1] > tied_ptr[g]
            if several:
                ties[:] = 0.0
            for place in range(tied_ptr[g], tied_ptr[g + 1]):
                i = tied[place]
                w, row = per_row[i, 0], x[i, start:stop]
                for b in range(row.size):
                    ties[b] += w * row[b]
            for e in range(event_ptr[g], event_ptr[g + 1]):
                inverse, fraction = per_event[e, 0], per_event[e, 1]
                if several:
                    for b in range(found.size):
                        mean = (running[b] - fraction * ties[b]) * inverse
                        found[b] -= mean * mean
                else:
                    for b in range(found.size):
                        mean = running[b] * inverse
                        found[b] -= mean * mean


def cox(risk: RiskSets, eta: FloatArray, z: FloatArray | None) -> ScoreTest:
    """Score test in Cox's model.

    Parameters
    ----------
    risk
        Risk sets.
    eta
        ``(n,)`` linear predictor of the nuisance covariates at their estimate.
    z
        ``(n, q)`` nuisance covariates.
    """
    w = np.exp(eta - eta.max())
    s0 = risk.sum(w)
    weight = w * risk.adjoint(1.0 / s0)
    residual = risk.event - weight
    z = np.zeros((risk.n, 0)) if z is None else z
    mean_z = risk.sum(w[:, None] * z) / s0[:, None]
    block = (z * weight[:, None]).T @ z - mean_z.T @ mean_z

    if type(risk) is RiskSets and risk.entry is None:
        # Cross products are sums over risk sets, hence linear in the covariate: a row for each nuisance covariate,
        # turned so that the sum of their squares is what these explain.
        cross = z * weight[:, None] - w[:, None] * risk.adjoint(mean_z / s0[:, None])
        values, vectors = np.linalg.eigh(block)
        known = values > LEAST_EIGENVALUE * values.max(initial=0.0)
        turned = cross @ (vectors[:, known] / np.sqrt(values[known]))
        linear = np.ascontiguousarray(np.column_stack([residual, turned]).T)
        return _CoxTest(risk, np.column_stack([w, weight]), linear, s0)

    inverse: FloatArray = np.asarray(np.linalg.pinv(block), dtype=np.float64)

    def test(x: FloatArray) -> FloatArray:
        x = x - x.mean(axis=0)
        mean = risk.sum(w[:, None] * x) / s0[:, None]
        own = weight @ (x * x) - (mean * mean).sum(axis=0)
        cross = (z * weight[:, None]).T @ x - mean_z.T @ mean
        return statistic(residual @ x, own, cross, inverse)

    return test


class _CoxTest:
    """Score test of covariates: a matrix product, and one pass down the risk sets."""

    def __init__(self, risk: RiskSets, per_row: FloatArray, linear: FloatArray, s0: FloatArray) -> None:
        self.path = risk.descent
        self.per_row, self.linear = per_row, linear
        self.per_event = np.column_stack([1.0 / s0, risk.fraction])[self.path.events]

    def __call__(self, x: FloatArray) -> FloatArray:
        """Test covariates ``(n, B)``."""
        return self.of_centred(x - x.mean(axis=0))

    def of_centred(self, x: FloatArray) -> FloatArray:
        """Test covariates of about mean 0; what is added to a covariate changes its test by rounding alone."""
        p, out = self.path, np.empty(x.shape[1])
        x = np.ascontiguousarray(x)
        information(
            x, p.order, p.group_ptr, p.first, p.event_ptr, p.tied_ptr, p.tied, self.per_row, self.per_event, out
        )
        _over_own(self.linear @ x, out)
        return out


@jit
def _over_own(sums: FloatArray, out: FloatArray) -> None:
    """Turn informations into statistics; rows of `sums` after the first, squared, are what nuisance covariates take."""
    for b in range(out.size):
        own = out[b]
        left = own
        for j in range(1, sums.shape[0]):
            left -= sums[j, b] * sums[j, b]
        out[b] = sums[0, b] / np.sqrt(left) if left > LEAST_LEFT * max(own, 1e-300) else np.nan


def of_centred(test: ScoreTest, x: FloatArray) -> FloatArray:
    """Test covariates of about mean 0."""
    return test.of_centred(x) if isinstance(test, _CoxTest) else test(x)


def residual_statistics(test: ScoreTest, x: FloatArray, design: FloatArray, onto: FloatArray) -> FloatArray:
    """Test what is left of covariates once they are regressed on a design that holds a constant."""
    return of_centred(test, x - design @ (onto @ x))


def logistic(y: IntArray, weights: FloatArray, eta: FloatArray, z: FloatArray) -> ScoreTest:
    """Score test in a logistic model with intercept; arguments as in `cox`.

    Unequal case weights are inverse probabilities, so the variance is then the empirical one of the efficient score.
    """
    mu = expit(eta)
    variance = weights * mu * (1 - mu)
    residual = weights * (y - mu)
    robust = bool(((weights != 0) & (weights != 1)).any())
    design = np.concatenate([z, np.ones((len(z), 1))], axis=1)
    inverse: FloatArray = np.linalg.pinv((design * variance[:, None]).T @ design)

    def test(x: FloatArray) -> FloatArray:
        x = x - x.mean(axis=0)
        cross = (design * variance[:, None]).T @ x
        if robust:
            rest = x - design @ inverse @ cross
            with np.errstate(divide="ignore", invalid="ignore"):
                out: FloatArray = (residual @ rest) / np.sqrt((residual * residual) @ (rest * rest))
            return out
        return statistic(residual @ x, variance @ (x * x), cross, inverse)

    return test


def statistic(score: FloatArray, own: FloatArray, cross: FloatArray, inverse: FloatArray) -> FloatArray:
    """Return ``score / sqrt(own - cross' block^-1 cross)``; NaN where nothing of the covariate is left."""
    left = own - (cross * (inverse @ cross)).sum(axis=0) if len(inverse) else own
    with np.errstate(divide="ignore", invalid="ignore"):
        out: FloatArray = np.where(left > LEAST_LEFT * np.maximum(own, 1e-300), score / np.sqrt(left), np.nan)
    return out

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


COLUMNS = 128
"""Covariates at a time: their running sums stay in the first-level cache."""


@jit
def _add(to: FloatArray, factor: float, values: FloatArray) -> None:
    for b in range(to.size):
        to[b] += factor * values[b]


@jit
def _left_over(x: FloatArray, design: FloatArray, fitted: FloatArray, out: FloatArray) -> None:
    """Write one observation's covariates less what the design explains of them."""
    factor, values = design[0], fitted[0]
    for b in range(x.size):
        out[b] = x[b] - factor * values[b]
    for j in range(1, design.size):
        _add(out, -design[j], fitted[j])


@jit
def score_sums(
    x: FloatArray,
    design: FloatArray,
    fitted: FloatArray,
    order: IntArray,
    group_ptr: IntArray,
    first: IntArray,
    event_ptr: IntArray,
    tied_ptr: IntArray,
    tied: IntArray,
    per_row: FloatArray,
    nuisance: FloatArray,
    per_event: FloatArray,
    mean_z: FloatArray,
) -> FloatArray:
    """Add up score, information and cross products of each covariate less what a design explains of it.

    Parameters
    ----------
    x
        ``(n, B)`` covariates.
    design, fitted
        ``(n, k)`` and ``(k, B)``; the covariates are ``x - design @ fitted``.
    order, group_ptr
        Observations by stratum and descending time, and where each distinct time begins among them.
    first
        ``(G,)`` 1 where a stratum begins.
    event_ptr
        Where the events of each distinct time begin in `per_event` and `mean_z`.
    tied_ptr, tied
        Observations whose event is tied, by distinct time; none without Efron's rule.
    per_row
        ``(n, 3)`` relative risk, its sum over risk sets (the weight), martingale residual.
    nuisance
        ``(n, q)`` nuisance covariates times the weight.
    per_event
        ``(E, 2)`` one over the sum of the risk set, and Efron's fraction.
    mean_z
        ``(E, q)`` means of the nuisance covariates.

    Returns
    -------
    numpy.ndarray
        ``(2 + q, B)``: score, information, cross products.
    """
    n_columns, q = x.shape[1], nuisance.shape[1]
    out = np.zeros((2 + q, n_columns))
    running, ties, v = np.empty(COLUMNS), np.empty(COLUMNS), np.empty(COLUMNS)
    score, own, cross = np.empty(COLUMNS), np.empty(COLUMNS), np.empty((q, COLUMNS))
    for start in range(0, n_columns, COLUMNS):
        width = min(COLUMNS, n_columns - start)
        score[:], own[:], cross[:] = 0.0, 0.0, 0.0
        for g in range(first.size):
            if first[g] == 1:
                running[:] = 0.0
            for place in range(group_ptr[g], group_ptr[g + 1]):
                i = order[place]
                w, weight, residual = per_row[i, 0], per_row[i, 1], per_row[i, 2]
                _left_over(x[i, start : start + width], design[i], fitted[:, start : start + width], v[:width])
                for b in range(width):
                    left = v[b]
                    running[b] += w * left
                    score[b] += residual * left
                    own[b] += weight * left * left
                for j in range(q):
                    _add(cross[j, :width], nuisance[i, j], v[:width])
            ties[:] = 0.0
            for place in range(tied_ptr[g], tied_ptr[g + 1]):
                i = tied[place]
                _left_over(x[i, start : start + width], design[i], fitted[:, start : start + width], v[:width])
                _add(ties[:width], per_row[i, 0], v[:width])
            for e in range(event_ptr[g], event_ptr[g + 1]):
                inverse, fraction = per_event[e, 0], per_event[e, 1]
                for b in range(width):
                    mean = (running[b] - fraction * ties[b]) * inverse
                    v[b] = mean
                    own[b] -= mean * mean
                for j in range(q):
                    _add(cross[j, :width], -mean_z[e, j], v[:width])
        out[0, start : start + width], out[1, start : start + width] = score[:width], own[:width]
        out[2:, start : start + width] = cross[:, :width]
    return out


class Descent:
    """Order in which `score_sums` goes down the risk sets; those without entry times only."""

    def __init__(self, risk: RiskSets) -> None:
        self.order: IntArray = np.lexsort((-risk.time, risk.strata)).astype(np.int64)
        time, stratum = risk.time[self.order], risk.strata[self.order]
        begins = np.ones(risk.n, dtype=bool)
        begins[1:] = (np.diff(time) != 0) | (np.diff(stratum) != 0)
        starts = np.flatnonzero(begins)
        self.group_ptr: IntArray = np.append(starts, risk.n).astype(np.int64)
        self.first: IntArray = np.append(1, np.diff(stratum[starts]) != 0).astype(np.int64)[: len(starts)]
        group = np.empty(risk.n, dtype=np.int64)
        group[self.order] = np.cumsum(begins) - 1
        of_event = group[risk.rows]
        self.events: IntArray = np.argsort(of_event, kind="stable").astype(np.int64)
        counts = np.bincount(of_event, minlength=len(starts))
        self.event_ptr: IntArray = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        several = risk.rows[self.events][counts[of_event[self.events]] > 1] if risk.fraction.any() else risk.rows[:0]
        self.tied: IntArray = several.astype(np.int64)
        tied = np.bincount(group[self.tied], minlength=len(starts))
        self.tied_ptr: IntArray = np.concatenate([[0], np.cumsum(tied)]).astype(np.int64)


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
        return _CoxTest(risk, np.column_stack([w, weight, residual]), z * weight[:, None], s0, mean_z, block)

    inverse: FloatArray = np.asarray(np.linalg.pinv(block), dtype=np.float64)

    def test(x: FloatArray) -> FloatArray:
        x = x - x.mean(axis=0)
        mean = risk.sum(w[:, None] * x) / s0[:, None]
        own = weight @ (x * x) - (mean * mean).sum(axis=0)
        cross = (z * weight[:, None]).T @ x - mean_z.T @ mean
        return statistic(residual @ x, own, cross, inverse)

    return test


class _CoxTest:
    """Score test of covariates, or of what a design leaves of them, by one pass down the risk sets."""

    def __init__(
        self,
        risk: RiskSets,
        per_row: FloatArray,
        nuisance: FloatArray,
        s0: FloatArray,
        mean_z: FloatArray,
        block: FloatArray,
    ) -> None:
        self.path = Descent(risk)
        self.per_row, self.nuisance = per_row, np.ascontiguousarray(nuisance)
        self.inverse: FloatArray = np.asarray(np.linalg.pinv(block), dtype=np.float64)
        self.per_event = np.column_stack([1.0 / s0, risk.fraction])[self.path.events]
        self.mean_z = np.ascontiguousarray(mean_z[self.path.events])

    def __call__(self, x: FloatArray) -> FloatArray:
        """Test covariates ``(n, B)``."""
        return self._of(x, np.ones((len(x), 1)), x.mean(axis=0)[None])

    def of_centred(self, x: FloatArray) -> FloatArray:
        """Test covariates of about mean 0; what is added to a covariate changes its test by rounding alone."""
        return self._of(x, np.zeros((len(x), 1)), np.zeros((1, x.shape[1])))

    def of_residuals(self, x: FloatArray, design: FloatArray, onto: FloatArray) -> FloatArray:
        """Test ``x - design @ onto @ x``; the design holds a constant, so that the residuals are centred."""
        return self._of(x, np.ascontiguousarray(design), onto @ x)

    def _of(self, x: FloatArray, design: FloatArray, fitted: FloatArray) -> FloatArray:
        p = self.path
        sums = score_sums(
            np.ascontiguousarray(x), design, fitted, p.order, p.group_ptr, p.first, p.event_ptr, p.tied_ptr, p.tied,
            self.per_row, self.nuisance, self.per_event, self.mean_z,
        )  # fmt: skip
        return statistic(sums[0], sums[1], sums[2:], self.inverse)


def of_centred(test: ScoreTest, x: FloatArray) -> FloatArray:
    """Test covariates of about mean 0."""
    return test.of_centred(x) if isinstance(test, _CoxTest) else test(x)


def residual_statistics(test: ScoreTest, x: FloatArray, design: FloatArray, onto: FloatArray) -> FloatArray:
    """Test what is left of covariates once they are regressed on a design that holds a constant."""
    if isinstance(test, _CoxTest):
        return test.of_residuals(x, design, onto)
    return test(x - design @ (onto @ x))


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
        out: FloatArray = np.where(left > 1e-10 * np.maximum(own, 1e-300), score / np.sqrt(left), np.nan)
    return out

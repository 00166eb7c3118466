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
from mtorscore.prognosis.statistics.score_sums import Descent, score_sums

ScoreTest = Callable[[FloatArray], FloatArray]
"""``(n, B)`` covariates to ``(B,)`` statistics, standard normal under the null."""


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

    def test(x: FloatArray) -> FloatArray:
        x = x - x.mean(axis=0)
        mean = risk.sum(w[:, None] * x) / s0[:, None]
        own = weight @ (x * x) - (mean * mean).sum(axis=0)
        cross = (z * weight[:, None]).T @ x - mean_z.T @ mean
        return statistic(residual @ x, own, cross, block)

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
        self.per_row, self.nuisance, self.block = per_row, np.ascontiguousarray(nuisance), block
        self.per_event = np.column_stack([1.0 / s0, risk.fraction])[self.path.events]
        self.mean_z = np.ascontiguousarray(mean_z[self.path.events])

    def __call__(self, x: FloatArray) -> FloatArray:
        """Test covariates ``(n, B)``."""
        return self._of(x, np.ones((len(x), 1)), x.mean(axis=0)[None])

    def of_residuals(self, x: FloatArray, design: FloatArray, onto: FloatArray) -> FloatArray:
        """Test ``x - design @ onto @ x``; the design holds a constant, so that the residuals are centred."""
        return self._of(x, np.ascontiguousarray(design), onto @ x)

    def _of(self, x: FloatArray, design: FloatArray, fitted: FloatArray) -> FloatArray:
        p = self.path
        sums = score_sums(
            np.ascontiguousarray(x), design, fitted, p.order, p.group_ptr, p.first, p.event_ptr, p.tied_ptr, p.tied,
            self.per_row, self.nuisance, self.per_event, self.mean_z,
        )  # fmt: skip
        return statistic(sums[0], sums[1], sums[2:], self.block)


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
    block = (design * variance[:, None]).T @ design

    def test(x: FloatArray) -> FloatArray:
        x = x - x.mean(axis=0)
        cross = (design * variance[:, None]).T @ x
        if robust:
            rest = x - design @ np.linalg.pinv(block) @ cross
            with np.errstate(divide="ignore", invalid="ignore"):
                out: FloatArray = (residual @ rest) / np.sqrt((residual * residual) @ (rest * rest))
            return out
        return statistic(residual @ x, variance @ (x * x), cross, block)

    return test


def statistic(score: FloatArray, own: FloatArray, cross: FloatArray, block: FloatArray) -> FloatArray:
    """Return ``score / sqrt(own - cross' block^-1 cross)``; NaN where nothing of the covariate is left."""
    left = own.copy()
    if len(block):
        left -= (cross * (np.linalg.pinv(block) @ cross)).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        out: FloatArray = np.where(left > 1e-10 * np.maximum(own, 1e-300), score / np.sqrt(left), np.nan)
    return out

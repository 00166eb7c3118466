"""Missing covariates predicted from those that are known, by a joint normal distribution learned from other patients.

The same means and covariances fill new patients, so that a frozen model imputes as its training did, without looking at
the outcome.

References
----------
Dempster, Laird and Rubin, J R Stat Soc B 1977;39:1 (the algorithm); Sisk et al., Stat Methods Med Res 2023;32:1461
(regression imputation without the outcome is what a prediction model needs when it is used).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.prognosis.endpoints.coding import Coding
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

__all__ = ["JointNormal", "coded_with_gaps"]

Bools = npt.NDArray[np.bool_]

_STEADY = 1e-8
_MOST = 200
_RIDGE = 1e-3
"""Share of a column's variance that is added to its own, so that few patients give a usable covariance."""


def coded_with_gaps(codings: Iterable[Coding], table: pd.DataFrame) -> FloatArray:
    """``(n, q)`` coded columns of a clinical table, NaN where its value is missing."""
    parts = []
    for coding in codings:
        values = coding.apply(table[coding.column])
        parts.append(np.where(table[coding.column].isna().to_numpy()[:, None], np.nan, values))
    return np.column_stack(parts) if parts else np.zeros((len(table), 0))


@dataclass(frozen=True)
class JointNormal:
    """Means ``(q,)`` and covariance ``(q, q)`` of coded covariates."""

    mean: FloatArray
    covariance: FloatArray

    @classmethod
    def learn(cls, x: FloatArray) -> JointNormal:
        """Learn from ``(n, q)`` covariates, NaN where missing, by expectation and maximisation."""
        known = np.isfinite(x)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, x, 0.0).sum(axis=0) / count
        variance = np.where(known, (x - mean) ** 2, 0.0).sum(axis=0) / count
        covariance = np.diag(np.maximum(variance, 1e-12))
        patterns = _patterns(known)
        for _ in range(_MOST):
            filled, extra = x.copy(), np.zeros_like(covariance)
            for pattern, rows in patterns:
                slope, rest = _regression(covariance, pattern)
                part = filled[rows]
                part[:, ~pattern] = mean[~pattern] + (part[:, pattern] - mean[pattern]) @ slope
                filled[rows] = part
                extra[np.ix_(~pattern, ~pattern)] += len(rows) * rest
            new_mean = filled.mean(axis=0)
            centred = filled - new_mean
            new = (centred.T @ centred + extra) / len(x)
            new[np.diag_indices(len(new))] += _RIDGE * np.maximum(variance, 1e-12)
            change = np.abs(new - covariance).max() + np.abs(new_mean - mean).max()
            mean, covariance = new_mean, new
            if change < _STEADY * max(float(np.abs(covariance).max()), 1.0):
                break
        return cls(mean, covariance)

    def fill(self, x: FloatArray) -> FloatArray:
        """Return ``(n, q)`` covariates with the expectation of what is missing given what is known."""
        out = x.copy()
        for pattern, rows in _patterns(np.isfinite(x)):
            slope, _ = _regression(self.covariance, pattern)
            part = out[rows]
            part[:, ~pattern] = self.mean[~pattern] + (part[:, pattern] - self.mean[pattern]) @ slope
            out[rows] = part
        return out


def _patterns(known: Bools) -> list[tuple[Bools, IntArray]]:
    """Distinct patterns of known columns with their rows; complete rows are left out."""
    patterns, inverse = np.unique(known, axis=0, return_inverse=True)
    found = [(p, np.flatnonzero(inverse.ravel() == i)) for i, p in enumerate(patterns)]
    return [(p, rows) for p, rows in found if not p.all()]


def _regression(covariance: FloatArray, known: Bools) -> tuple[FloatArray, FloatArray]:
    """Slopes of the missing columns on the known ones ``(known, missing)``, and the residual covariance."""
    inside, across = covariance[np.ix_(known, known)], covariance[np.ix_(known, ~known)]
    slope: FloatArray = np.asarray(np.linalg.solve(inside, across), dtype=np.float64) if known.any() else across
    return slope, covariance[np.ix_(~known, ~known)] - across.T @ slope

"""Ridge-penalised logistic and Cox models that tune their penalty inside the training data, for scikit-learn.

The penalty is chosen by inner cross-validation among models that are fitted all at once by batched Newton steps, so
that a nested cross-validation costs seconds.

References
----------
le Cessie and van Houwelingen, Appl Stat 1992;41:191; Verweij and van Houwelingen, Stat Med 1993;12:2305 (the
cross-validated partial likelihood); Breslow 1972 (the baseline hazard).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, log_expit
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin

from mtorscore.errors import DataError, EndpointError, examples
from mtorscore.prognosis.prediction.folds import assign_folds
from mtorscore.prognosis.statistics import cox, logistic
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets

__all__ = ["ClinicalEncoder", "RidgeCox", "RidgeLogistic", "survival_target"]

PENALTIES: tuple[float, ...] = tuple(float(v) for v in np.logspace(-3, 1.5, 10))
"""Penalty per observation (labels) or per event (survival), for standardised covariates."""


def survival_target(time: FloatArray, event: Any) -> Any:
    """Structured array with fields ``event`` and ``time``, as scikit-survival expects it."""
    out = np.empty(len(time), dtype=[("event", bool), ("time", np.float64)])
    out["event"], out["time"] = event, time
    return out


def _matrix(x: Any) -> FloatArray:
    values: FloatArray = np.asarray(x, dtype=np.float64)
    if values.ndim != 2:
        raise DataError(f"Covariates must be two-dimensional, not of shape {values.shape}.")
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).any(axis=1).sum())
        raise DataError(f"{bad} observation(s) have a missing or infinite covariate; impute them in the pipeline.")
    return values


class _Standardised(BaseEstimator):  # type: ignore[misc]
    """Learns mean and SD; constant columns stay at 0."""

    def _learn_scale(self, x: FloatArray) -> FloatArray:
        self.mean_ = x.mean(axis=0)
        sd = x.std(axis=0)
        self.scale_ = np.where(sd > 1e-12 * np.maximum(np.abs(x).max(axis=0, initial=0.0), 1e-300), sd, np.inf)
        self.n_features_in_ = x.shape[1]
        return self._scaled(x)

    def _scaled(self, x: FloatArray) -> FloatArray:
        if x.shape[1] != self.n_features_in_:
            raise DataError(f"The model was fitted on {self.n_features_in_} covariates, not {x.shape[1]}.")
        out: FloatArray = (x - self.mean_) / self.scale_
        return out


class RidgeLogistic(ClassifierMixin, _Standardised):  # type: ignore[misc]
    """Ridge logistic regression of two classes; the penalty is tuned by inner cross-validated log-likelihood.

    Parameters
    ----------
    penalties
        Candidates, per observation, for standardised covariates. One candidate means no tuning.
    inner
        Folds of the inner cross-validation.
    seed
        Of the inner folds.
    """

    def __init__(self, penalties: Sequence[float] = PENALTIES, inner: int = 5, seed: int = 0) -> None:
        self.penalties = penalties
        self.inner = inner
        self.seed = seed

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> RidgeLogistic:
        """Fit on ``(n, p)`` covariates and ``(n,)`` labels of two classes; `groups` keep patients together."""
        x = self._learn_scale(_matrix(X))
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        if len(self.classes_) != 2:
            raise EndpointError(f"Two classes are needed to fit; there is {len(self.classes_)}.")
        target = codes.astype(np.float64)
        w = np.ones(len(x)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        grid = np.asarray(self.penalties, dtype=np.float64)
        self.penalty_ = float(grid[0])
        k = min(self.inner, int(np.bincount(codes[w > 0], minlength=2).min()))
        if len(grid) > 1 and k >= 2:
            self.penalty_ = float(grid[np.argmax(self._held_out(x, target, w, grid, k, groups))])
        elif len(grid) > 1:
            self.penalty_ = float(grid[-1])
        ridge = np.full((x.shape[1], 1), self.penalty_ * w.sum())
        fit = logistic.newton(x[:, :, None], target, w, ridge=ridge)
        self.coef_ = fit.coef[:-1, 0][None, :]
        self.intercept_ = fit.coef[-1:, 0]
        return self

    def _held_out(
        self, x: FloatArray, y: FloatArray, w: FloatArray, grid: FloatArray, k: int, groups: Any
    ) -> FloatArray:
        """Log-likelihood of the held-out folds per penalty; all folds and penalties are fitted together."""
        rng = np.random.default_rng(self.seed)
        fold = assign_folds(y, None if groups is None else np.asarray(groups), k, rng)
        train = w[:, None] * (fold[:, None] != np.arange(k))
        weights = np.repeat(train, len(grid), axis=1)
        ridge = np.tile(grid, k) * weights.sum(axis=0)
        stacked = np.broadcast_to(x[:, :, None], (*x.shape, k * len(grid)))
        fit = logistic.newton(stacked, y, weights, ridge=np.broadcast_to(ridge, (x.shape[1], len(ridge))), tol=1e-6)
        eta = (x @ fit.coef[:-1] + fit.coef[-1]).reshape(len(x), k, len(grid))
        loglik = y[:, None, None] * log_expit(eta) + (1 - y)[:, None, None] * log_expit(-eta)
        out: FloatArray = np.einsum("n,nk,nkg->g", w, fold[:, None] == np.arange(k), loglik)
        return out

    def decision_function(self, X: Any) -> FloatArray:
        """Log odds of the second class."""
        out: FloatArray = self._scaled(_matrix(X)) @ self.coef_[0] + self.intercept_[0]
        return out

    def predict_proba(self, X: Any) -> FloatArray:
        """``(n, 2)`` probabilities."""
        p = expit(self.decision_function(X))
        return np.column_stack([1 - p, p])

    def predict(self, X: Any) -> Any:
        """Return the more probable class."""
        return self.classes_[(self.decision_function(X) > 0).astype(int)]


class RidgeCox(_Standardised):
    """Ridge Cox regression; the penalty is tuned by the cross-validated partial likelihood.

    Parameters
    ----------
    penalties
        Candidates, per event, for standardised covariates. One candidate means no tuning.
    inner
        Folds of the inner cross-validation.
    seed
        Of the inner folds.
    """

    def __init__(self, penalties: Sequence[float] = PENALTIES, inner: int = 5, seed: int = 0) -> None:
        self.penalties = penalties
        self.inner = inner
        self.seed = seed

    def fit(self, X: Any, y: Any, groups: Any = None) -> RidgeCox:
        """Fit on ``(n, p)`` covariates and a structured array with fields event and time (see `survival_target`)."""
        x = self._learn_scale(_matrix(X))
        event, time = np.asarray(y["event"], dtype=bool), np.asarray(y["time"], dtype=np.float64)
        if not event.any():
            raise EndpointError("A Cox model needs at least one event to be fitted.")
        grid = np.asarray(self.penalties, dtype=np.float64)
        self.penalty_ = float(grid[0])
        k = min(self.inner, int(event.sum()))
        if len(grid) > 1 and k >= 2:
            self.penalty_ = float(grid[np.argmax(self._held_out(x, time, event, grid, k, groups))])
        elif len(grid) > 1:
            self.penalty_ = float(grid[-1])
        risk = RiskSets(time, event)
        self.coef_ = _path(risk, x, np.array([self.penalty_]))[:, 0]
        eta = x @ self.coef_
        self.offset_ = float(eta.max())
        hazard = 1.0 / risk.sum(np.exp(eta - self.offset_))
        self.baseline_times_, at = np.unique(risk.times, return_inverse=True)
        self.baseline_hazard_ = np.cumsum(np.bincount(at, weights=hazard), dtype=np.float64)
        return self

    def _held_out(
        self, x: FloatArray, time: FloatArray, event: Any, grid: FloatArray, k: int, groups: Any
    ) -> FloatArray:
        """Cross-validated partial likelihood per penalty: that of all less that of the training part."""
        rng = np.random.default_rng(self.seed)
        fold = assign_folds(event, None if groups is None else np.asarray(groups), k, rng)
        everybody = RiskSets(time, event)
        total = np.zeros(len(grid))
        stacked = np.broadcast_to(x[:, :, None], (*x.shape, len(grid)))
        for f in range(k):
            train = fold != f
            if not event[train].any():
                continue
            risk = RiskSets(time[train], event[train])
            coef = _path(risk, x[train], grid)
            total += cox.moments(everybody, stacked, coef).loglik
            total -= cox.moments(risk, stacked[train], coef).loglik
        return total

    def predict(self, X: Any) -> FloatArray:
        """Linear predictor: higher means an earlier event."""
        out: FloatArray = self._scaled(_matrix(X)) @ self.coef_
        return out

    def predict_survival(self, X: Any, times: Any) -> FloatArray:
        """``(n, T)`` probability of being free of the event at each time (Breslow's baseline)."""
        at = np.searchsorted(self.baseline_times_, np.asarray(times, dtype=np.float64), side="right")
        hazard = np.concatenate([[0.0], self.baseline_hazard_])[at]
        # Features far outside the training range have no finite hazard ratio; their survival is 0 all the same.
        out: FloatArray = np.exp(-np.outer(np.exp(np.minimum(self.predict(X) - self.offset_, 500.0)), hazard))
        return out


def _path(risk: RiskSets, x: FloatArray, grid: FloatArray) -> FloatArray:
    """``(p, len(grid))`` ridge estimates; penalties are per event."""
    stacked = np.broadcast_to(x[:, :, None], (*x.shape, len(grid)))
    ridge = np.broadcast_to(grid * risk.n_events, (x.shape[1], len(grid)))
    coef: FloatArray = cox.newton(risk, stacked, ridge=ridge, tol=1e-8).coef
    return coef


class ClinicalEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Code a clinical table as numbers, learning levels and medians from the training part only.

    Numbers and ordered categories become one column (missing: the training median), other categories one 0/1 column
    per training level but the most frequent (missing or unseen: the most frequent).
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> ClinicalEncoder:  # noqa: ARG002
        """Learn levels and medians."""
        self.columns_ = list(X.columns)
        self.n_features_in_ = X.shape[1]
        self.levels_: dict[Any, list[Any]] = {}
        self.medians_: dict[Any, float] = {}
        for name in X.columns:
            numbers = _as_numbers(X[name])
            if numbers is not None:
                known = numbers[np.isfinite(numbers)]
                self.medians_[name] = float(np.median(known)) if len(known) else 0.0
            else:
                counts = X[name].value_counts()
                self.levels_[name] = sorted(
                    (v for v in counts.index if counts[v] > 0), key=lambda v: (-counts[v], str(v))
                )
        return self

    def transform(self, X: pd.DataFrame) -> FloatArray:
        """``(n, p)`` numbers."""
        missing = [c for c in self.columns_ if c not in X.columns]
        if missing:
            raise DataError(f"{len(missing)} clinical column(s) of the model are missing ({examples(missing)}).")
        parts: list[FloatArray] = []
        for name in self.columns_:
            if name in self.medians_:
                numbers = _as_numbers(X[name])
                values = np.full(len(X), np.nan) if numbers is None else numbers
                parts.append(np.where(np.isfinite(values), values, self.medians_[name]))
            else:
                parts += [
                    (X[name] == level).to_numpy(dtype=np.float64, na_value=0.0) for level in self.levels_[name][1:]
                ]
        return np.column_stack(parts) if parts else np.zeros((len(X), 0))

    def get_feature_names_out(self, input_features: Any = None) -> Any:  # noqa: ARG002
        """Names of the columns that `transform` returns."""
        names: list[str] = []
        for name in self.columns_:
            names += [str(name)] if name in self.medians_ else [f"{name}={v}" for v in self.levels_[name][1:]]
        return np.asarray(names, dtype=object)


def _as_numbers(column: pd.Series) -> FloatArray | None:
    """Values of a numeric, boolean or ordered column, else None."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        if not column.cat.ordered:
            return None
        codes: IntArray = column.cat.codes.to_numpy(dtype=np.int64)
        return np.where(codes < 0, np.nan, codes + 1.0)
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        values: FloatArray = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return values
    numbers = pd.to_numeric(column, errors="coerce")
    if bool((numbers.notna() | column.isna()).all()):
        converted: FloatArray = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
        return converted
    return None

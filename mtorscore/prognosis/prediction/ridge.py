"""Ridge-penalised logistic and Cox models that tune their penalty inside the training data, for scikit-learn.

The penalty is chosen by inner cross-validation among models that are fitted all at once by batched Newton steps, so
that a nested cross-validation costs seconds.

References
----------
le Cessie and van Houwelingen, Appl Stat 1992;41:191; Verweij and van Houwelingen, Stat Med 1993;12:2305 (the
cross-validated partial likelihood); Breslow 1972 (the baseline hazard).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, log_expit
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data

from mtorscore.errors import DataError, EndpointError, examples
from mtorscore.prognosis.endpoints.coding import Coding, learn
from mtorscore.prognosis.endpoints.imputation_model import JointNormal, coded_with_gaps
from mtorscore.prognosis.prediction.folds import assign_folds
from mtorscore.prognosis.statistics import cox, logistic, ridge_paths
from mtorscore.prognosis.statistics.fine_gray import risk_sets
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets

__all__ = ["ClinicalEncoder", "Ridge", "RidgeCox", "RidgeLogistic", "survival_target"]

PENALTIES: tuple[float, ...] = tuple(float(v) for v in np.logspace(-3, 1.5, 10))
"""Penalty per observation (labels) or per event (survival), for standardised covariates."""


IMPUTE = ("median", "regression")
"""How missing clinical values are filled."""


def survival_target(time: FloatArray, event: Any) -> Any:
    """Structured array with fields ``event`` and ``time``, as scikit-survival expects it."""
    out = np.empty(len(time), dtype=[("event", bool), ("time", np.float64)])
    out["event"], out["time"] = event, time
    return out


class Ridge(BaseEstimator):  # type: ignore[misc]
    """Standardised covariates and a penalty tuned by inner cross-validation; constant columns stay at 0."""

    def __init__(self, penalties: Sequence[float] = PENALTIES, inner: int = 5, seed: int = 0) -> None:
        self.penalties = penalties
        self.inner = inner
        self.seed = seed

    def __sklearn_tags__(self) -> Any:
        """Declare that `fit` needs an outcome."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _matrix(self, x: Any, *, reset: bool) -> FloatArray:
        """Return covariates as numbers; names and number of columns are those of the fit."""
        if self._is_plain(x, reset):
            self.n_features_in_ = x.shape[1]
            return np.asarray(x, dtype=np.float64)
        # Names that are not all text cannot be compared, and are not.
        plain = isinstance(x, pd.DataFrame) and not all(isinstance(c, str) for c in x.columns)
        try:
            values: FloatArray = validate_data(
                self, x.to_numpy() if plain else x, dtype=np.float64, ensure_all_finite=False, reset=reset
            )
        except ValueError as error:
            raise DataError(f"These covariates cannot be used: {error}") from error
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).any(axis=1).sum())
            raise DataError(f"{bad} observation(s) have a missing or infinite covariate; impute them in the pipeline.")
        return values

    def _is_plain(self, x: Any, reset: bool) -> bool:
        """Whether covariates are finite numbers in an array of the right shape: nothing that has to be looked at."""
        if type(x) is not np.ndarray or x.dtype != np.float64 or x.ndim != 2 or not x.size:
            return False
        known = reset or x.shape[1] == getattr(self, "n_features_in_", -1)
        return bool(known and not hasattr(self, "feature_names_in_") and np.isfinite(x).all())

    def _learn_scale(self, x: Any) -> FloatArray:
        """Learn mean and SD; return standardised covariates."""
        values = self._matrix(x, reset=True)
        self.mean_ = values.mean(axis=0)
        sd = values.std(axis=0)
        self.scale_ = np.where(sd > 1e-12 * np.maximum(np.abs(values).max(axis=0, initial=0.0), 1e-300), sd, np.inf)
        return self._standardise(values)

    def _standardise(self, values: FloatArray) -> FloatArray:
        out: FloatArray = (values - self.mean_) / self.scale_
        return out

    def _scaled(self, x: Any) -> FloatArray:
        """Standardise new covariates."""
        check_is_fitted(self)
        return self._standardise(self._matrix(x, reset=False))

    def _tune(self, smallest: int, held_out: Callable[[FloatArray, int], FloatArray]) -> float:
        """Return the penalty with the best held-out log-likelihood; the largest where nothing can be held out."""
        grid = np.asarray(self.penalties, dtype=np.float64)
        k = min(self.inner, smallest)
        if len(grid) == 1:
            return float(grid[0])
        return float(grid[np.argmax(held_out(grid, k))]) if k >= 2 else float(grid[-1])

    def _folds(self, labels: Any, groups: Any, k: int) -> IntArray:
        """Return the inner fold of each observation."""
        rng = np.random.default_rng(self.seed)
        return assign_folds(labels, None if groups is None else np.asarray(groups), k, rng)


class RidgeLogistic(ClassifierMixin, Ridge):  # type: ignore[misc]
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

    def __sklearn_tags__(self) -> Any:
        """Declare a classifier of two classes."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> RidgeLogistic:
        """Fit on ``(n, p)`` covariates and ``(n,)`` labels of two classes; `groups` keep patients together.

        Raises
        ------
        DataError
            If covariates, labels or weights cannot be used.
        EndpointError
            If there are other than two classes.
        """
        x = self._learn_scale(X)
        self.classes_, codes = _two_classes(y, len(x))
        target, w = codes.astype(np.float64), case_weights(sample_weight, len(x))

        def held_out(grid: FloatArray, k: int) -> FloatArray:
            """Log-likelihood of the held-out folds per penalty."""
            fold = self._folds(target, groups, k)
            if grid.min() > 0 and len(x) * (x.shape[1] + 2) ** 2 <= ridge_paths.LARGEST:
                return ridge_paths.held_out_logistic(x, target, w, fold, grid)
            train = w[:, None] * (fold[:, None] != np.arange(k))
            weights = np.repeat(train, len(grid), axis=1)
            ridge = np.tile(grid, k) * weights.sum(axis=0)
            stacked = np.broadcast_to(x[:, :, None], (*x.shape, k * len(grid)))
            shape = (x.shape[1], len(ridge))
            fit = logistic.newton(stacked, target, weights, ridge=np.broadcast_to(ridge, shape), tol=1e-6)
            eta = (x @ fit.coef[:-1] + fit.coef[-1]).reshape(len(x), k, len(grid))
            own = eta[np.arange(len(x)), fold]
            loglik = target[:, None] * log_expit(own) + (1 - target)[:, None] * log_expit(-own)
            out: FloatArray = w @ loglik
            return out

        self.penalty_ = self._tune(int(np.bincount(codes[w > 0], minlength=2).min()), held_out)
        ridge = np.full((x.shape[1], 1), self.penalty_ * w.sum())
        fit = logistic.newton(x[:, :, None], target, w, ridge=ridge)
        self.coef_ = fit.coef[:-1, 0][None, :]
        self.intercept_ = fit.coef[-1:, 0]
        return self

    def decision_function(self, X: Any) -> FloatArray:
        """Log odds of the second class."""
        x = self._scaled(X)
        out: FloatArray = x @ self.coef_[0] + self.intercept_[0]
        return out

    def predict_proba(self, X: Any) -> FloatArray:
        """``(n, 2)`` probabilities."""
        p = expit(self.decision_function(X))
        return np.column_stack([1 - p, p])

    def predict(self, X: Any) -> Any:
        """Return the more probable class."""
        second = self.decision_function(X) > 0
        return self.classes_[second.astype(int)]


def _two_classes(y: Any, n: int) -> tuple[Any, IntArray]:
    """Return the two classes of `n` labels and the code of each label."""
    labels = y
    # Whole numbers in a row are labels; the checks take longer than the models of an inner fold.
    if not (isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "biu"):
        try:
            labels = column_or_1d(y, warn=True)
            assert_all_finite(labels, input_name="y")
            check_classification_targets(labels)
        except ValueError as error:
            raise DataError(f"These labels cannot be used: {error}") from error
    if len(labels) != n:
        raise DataError(f"There are {len(labels)} labels for {n} observations; hand over one each.")
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) > 2:
        raise EndpointError(
            f"Two classes are needed to fit; there are {len(classes)} ({examples(classes.tolist(), 5)}). Only binary "
            "classification is supported. The type of the target is multiclass."
        )
    if len(classes) < 2:
        raise EndpointError(f"Two classes are needed to fit; there is {len(classes)} class.")
    return classes, codes


def case_weights(weights: Any, n: int) -> FloatArray:
    """Return one weight per observation, 1 by default; not all may be 0."""
    if weights is None:
        return np.ones(n)
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != (n,):
        raise DataError(f"sample_weight has shape {w.shape}; one weight for each of {n} observations is needed.")
    if not (np.isfinite(w).all() and (w >= 0).all() and w.any()):
        raise DataError("sample_weight must hold numbers from 0 upwards, and not all of them zero.")
    return w


class RidgeCox(Ridge):
    """Ridge Cox regression; the penalty is tuned by the cross-validated partial likelihood.

    With competing events the hazard is that of the subdistribution (Fine and Gray), and one minus "survival" is the
    cumulative incidence of the event.

    Parameters
    ----------
    penalties
        Candidates, per event, for standardised covariates. One candidate means no tuning.
    inner
        Folds of the inner cross-validation.
    seed
        Of the inner folds.
    """

    def fit(self, X: Any, y: Any, groups: Any = None, competing: Any = None) -> RidgeCox:
        """Fit on ``(n, p)`` covariates and a structured array with fields event and time (see `survival_target`).

        `competing`, ``(n,)`` bool, marks those whose follow-up a competing event ended.

        Raises
        ------
        DataError
            If covariates or target cannot be used.
        EndpointError
            If there is no event.
        """
        x = self._learn_scale(X)
        event, time = _event_and_time(y, len(x))
        status = _status(event, competing)

        def held_out(grid: FloatArray, k: int) -> FloatArray:
            """Cross-validated partial likelihood per penalty."""
            return ridge_paths.held_out(risk, x, self._folds(event, groups, k), grid)

        risk = risk_sets(time, status)
        self.penalty_ = self._tune(int(event.sum()), held_out)
        self.coef_ = _path(risk, x, np.array([self.penalty_]))[:, 0]
        eta = x @ self.coef_
        self.offset_ = float(eta.max())
        hazard = 1.0 / risk.sum(np.exp(eta - self.offset_))
        self.baseline_times_, at = np.unique(risk.times, return_inverse=True)
        self.baseline_hazard_ = np.cumsum(np.bincount(at, weights=hazard), dtype=np.float64)
        return self

    def predict(self, X: Any) -> FloatArray:
        """Linear predictor: higher means an earlier event."""
        x = self._scaled(X)
        out: FloatArray = x @ self.coef_
        return out

    def predict_survival(self, X: Any, times: Any) -> FloatArray:
        """``(n, T)`` probability of being free of the event at each time (Breslow's baseline)."""
        linear = self.predict(X)
        at = np.searchsorted(self.baseline_times_, np.asarray(times, dtype=np.float64), side="right")
        hazard = np.concatenate([[0.0], self.baseline_hazard_])[at]
        # Features far outside the training range have no finite hazard ratio; their survival is 0 all the same.
        out: FloatArray = np.exp(-np.outer(np.exp(np.minimum(linear - self.offset_, 500.0)), hazard))
        return out


def _event_and_time(y: Any, n: int) -> tuple[npt.NDArray[np.bool_], FloatArray]:
    """Return the two fields of a survival target of `n` observations."""
    if y is None:
        raise DataError("This RidgeCox estimator requires y to be passed, but the target y is None.")
    names = getattr(getattr(y, "dtype", None), "names", None) or ()
    if not {"event", "time"} <= set(names):
        raise DataError("A survival model needs a structured array with fields event and time: see survival_target.")
    event, time = np.asarray(y["event"], dtype=bool), np.asarray(y["time"], dtype=np.float64)
    if len(event) != n:
        raise DataError(f"There are {len(event)} outcomes for {n} observations; hand over one each.")
    if not event.any():
        raise EndpointError("A Cox model needs at least one event to be fitted.")
    return event, time


def _status(event: npt.NDArray[np.bool_], competing: Any) -> IntArray:
    """Return 1 for the event, 2 for a competing one, 0 for censored."""
    if competing is None:
        return event.astype(np.int64)
    other = np.asarray(competing, dtype=bool)
    if other.shape != event.shape:
        raise DataError(f"competing has shape {other.shape}; one value for each of {len(event)} observations, please.")
    return np.where(event, 1, np.where(other, 2, 0))


def _path(risk: RiskSets, x: FloatArray, grid: FloatArray) -> FloatArray:
    """``(p, len(grid))`` ridge estimates; penalties are per event."""
    stacked = np.broadcast_to(x[:, :, None], (*x.shape, len(grid)))
    ridge = np.broadcast_to(grid * risk.n_events, (x.shape[1], len(grid)))
    coef: FloatArray = cox.newton(risk, stacked, ridge=ridge, tol=1e-8).coef
    return coef


class ClinicalEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Code a clinical table as numbers, learning levels and medians from the training part only.

    Numbers and ordered categories become one column (missing: the training median), other categories one 0/1 column
    per training level but the most frequent (missing or unseen: the most frequent). Levels are found by name. Words
    among numbers, and ordered levels that the training part does not declare, are errors.

    Parameters
    ----------
    impute
        ``"median"`` as above; ``"regression"``: what is missing is predicted from the other columns of the table, by a
        joint normal distribution learned from the training part; without the outcome.
    """

    def __init__(self, impute: str = "median") -> None:
        self.impute = impute

    def __sklearn_tags__(self) -> Any:
        """Declare that missing values and text are accepted."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags

    def fit(self, X: Any, y: Any = None) -> ClinicalEncoder:  # noqa: ARG002
        """Learn levels and medians from a table ``(n, p)``; the columns of an array are numbered."""
        X = _table(X)
        self.columns_ = list(X.columns)
        self.n_features_in_ = X.shape[1]
        if all(isinstance(c, str) for c in X.columns):
            self.feature_names_in_ = np.asarray(self.columns_, dtype=object)
        self.codings_: dict[Any, Coding] = {name: learn(X[name]) for name in X.columns}
        if self.impute not in IMPUTE:
            raise DataError(f"Unknown imputation {self.impute!r}; use {' or '.join(map(repr, IMPUTE))}.")
        self.normal_ = None
        if self.impute == "regression":
            self.normal_ = JointNormal.learn(coded_with_gaps(self.codings_.values(), X))
        return self

    def transform(self, X: Any) -> FloatArray:
        """``(n, q)`` numbers; columns of a table are found by name, in any order."""
        check_is_fitted(self)
        if not isinstance(X, pd.DataFrame):
            X = _table(X)
            if X.shape[1] != len(self.columns_):
                n = len(self.columns_)
                raise DataError(f"X has {X.shape[1]} features, but ClinicalEncoder is expecting {n} features as input.")
            X.columns = self.columns_
        missing = [c for c in self.columns_ if c not in X.columns]
        if missing:
            raise DataError(f"{len(missing)} clinical column(s) of the model are missing ({examples(missing)}).")
        if self.normal_ is not None:
            return self.normal_.fill(coded_with_gaps(self.codings_.values(), X))
        parts = [coding.apply(X[name]) for name, coding in self.codings_.items()]
        return np.column_stack(parts) if parts else np.zeros((len(X), 0))

    def get_feature_names_out(self, input_features: Any = None) -> Any:  # noqa: ARG002
        """Names of the columns that `transform` returns."""
        names = [name for coding in self.codings_.values() for name in coding.names]
        return np.asarray(names, dtype=object)


def _table(x: Any) -> pd.DataFrame:
    """Return a clinical table; an array gets numbers for names."""
    if isinstance(x, pd.DataFrame):
        return x
    try:
        return pd.DataFrame(check_array(x, dtype=None, ensure_all_finite="allow-nan"))
    except (TypeError, ValueError) as error:
        raise DataError(f"This clinical table cannot be used: {error}") from error

"""Ridge-penalised multinomial and proportional-odds models, for scikit-learn; the penalty is tuned as in `ridge`.

References
----------
le Cessie and van Houwelingen, Appl Stat 1992;41:191; Zhu and Hastie, Biostatistics 2004;5:427 (penalised multinomial
models, and that only the rank of the covariates matters).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from mtorscore.errors import DataError, EndpointError
from mtorscore.prognosis.prediction.ridge import Ridge, case_weights
from mtorscore.prognosis.statistics import logistic, ordinal
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

__all__ = ["RidgeMultinomial", "RidgeOrdinal"]


class _Classes(ClassifierMixin, Ridge):  # type: ignore[misc]
    """What both models share: labels, tuning by held-out log-likelihood, rotation of many covariates."""

    def _prepare(self, X: Any, y: Any, sample_weight: Any) -> tuple[FloatArray, FloatArray, IntArray, FloatArray]:
        """Return rotated covariates ``(n, r)``, the rotation ``(p, r)``, codes and weights."""
        x = self._learn_scale(X)
        self.classes_, codes = _codes(y, len(x))
        rotation = np.eye(x.shape[1])
        if x.shape[1] > len(x):
            # A ridge penalty knows only the space that the observations span.
            _, size, back = np.linalg.svd(x, full_matrices=False)
            rotation = back[size > 1e-10 * size.max(initial=0.0)].T
        return x @ rotation, rotation, codes, case_weights(sample_weight, len(x))

    def _choose(
        self,
        codes: IntArray,
        w: FloatArray,
        groups: Any,
        logs: Callable[[FloatArray, FloatArray], FloatArray],
    ) -> None:
        """Choose the penalty; `logs` gives ``(n, B)`` log-probabilities of the own class for weights and penalties."""

        def held_out(grid: FloatArray, k: int) -> FloatArray:
            fold = self._folds(codes, groups, k)
            train = w[:, None] * (fold[:, None] != np.arange(k))
            weights = np.repeat(train, len(grid), axis=1)
            found = logs(weights, np.tile(grid, k) * weights.sum(axis=0)).reshape(len(w), k, len(grid))
            out: FloatArray = np.einsum("n,nk,nkg->g", w, fold[:, None] == np.arange(k), found)
            return out

        counts = np.bincount(codes[w > 0], minlength=len(self.classes_))
        self.penalty_ = self._tune(int(counts.min()), held_out)

    def predict(self, X: Any) -> Any:
        """Return the most probable class."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Any) -> FloatArray:
        """``(n, K)`` probabilities, in the order of ``classes_``."""
        raise NotImplementedError


class RidgeMultinomial(_Classes):
    """Ridge multinomial regression of unordered classes.

    Parameters
    ----------
    penalties
        Candidates, per observation, for standardised covariates. One candidate means no tuning.
    inner
        Folds of the inner cross-validation.
    seed
        Of the inner folds.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> RidgeMultinomial:
        """Fit on ``(n, p)`` covariates and ``(n,)`` labels.

        Raises
        ------
        DataError
            If covariates or weights cannot be used.
        EndpointError
            If there are fewer than two classes.
        """
        x, rotation, codes, w = self._prepare(X, y, sample_weight)
        k, rows = len(self.classes_), np.arange(len(codes))

        def logs(weights: FloatArray, penalty: FloatArray) -> FloatArray:
            coef, intercept = logistic.multinomial_ridge(x, codes, k, weights, penalty)
            eta = np.einsum("np,kpb->nkb", x, coef) + intercept
            own: FloatArray = np.log(np.clip(softmax(eta, axis=1)[rows, codes], 1e-15, 1))
            return own

        self._choose(codes, w, groups, logs)
        coef, intercept = logistic.multinomial_ridge(x, codes, k, w[:, None], np.array([self.penalty_ * w.sum()]))
        self.coef_ = coef[:, :, 0] @ rotation.T
        self.intercept_ = intercept[:, 0]
        return self

    def decision_function(self, X: Any) -> FloatArray:
        """``(n, K)`` log-probabilities up to a constant per row."""
        x = self._scaled(X)
        out: FloatArray = x @ self.coef_.T + self.intercept_
        return out

    def predict_proba(self, X: Any) -> FloatArray:
        """``(n, K)`` probabilities, in the order of ``classes_``."""
        out: FloatArray = softmax(self.decision_function(X), axis=1)
        return out


class RidgeOrdinal(_Classes):
    """Ridge proportional-odds regression of ordered classes (codes, ascending); parameters as `RidgeMultinomial`."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> RidgeOrdinal:
        """Fit on ``(n, p)`` covariates and ``(n,)`` ascending labels; errors as `RidgeMultinomial.fit`."""
        x, rotation, codes, w = self._prepare(X, y, sample_weight)
        k, rows = len(self.classes_), np.arange(len(codes))

        def fitted(weights: FloatArray, penalty: FloatArray) -> FloatArray:
            stacked = np.broadcast_to(x[:, :, None], (*x.shape, len(penalty)))
            shape = (x.shape[1], len(penalty))
            return ordinal.newton(stacked, codes, k, weights, ridge=np.broadcast_to(penalty, shape), tol=1e-8).coef

        def logs(weights: FloatArray, penalty: FloatArray) -> FloatArray:
            coef, p = fitted(weights, penalty), x.shape[1]
            own = [ordinal.probabilities(x @ c[:p], c[p:])[rows, codes] for c in coef.T]
            out: FloatArray = np.log(np.clip(np.column_stack(own), 1e-15, 1))
            return out

        self._choose(codes, w, groups, logs)
        coef = fitted(w[:, None], np.array([self.penalty_ * w.sum()]))[:, 0]
        self.coef_ = rotation @ coef[: x.shape[1]]
        self.thresholds_ = coef[x.shape[1] :]
        return self

    def decision_function(self, X: Any) -> FloatArray:
        """``(n,)`` linear predictor; higher means a higher class."""
        x = self._scaled(X)
        out: FloatArray = x @ self.coef_
        return out

    def predict_proba(self, X: Any) -> FloatArray:
        """``(n, K)`` probabilities, in the order of ``classes_``."""
        return ordinal.probabilities(self.decision_function(X), self.thresholds_)


def _codes(y: Any, n: int) -> tuple[Any, IntArray]:
    """Return the classes of `n` labels, ascending, and the code of each label."""
    try:
        labels = column_or_1d(y, warn=True)
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
    except ValueError as error:
        raise DataError(f"These labels cannot be used: {error}") from error
    if len(labels) != n:
        raise DataError(f"There are {len(labels)} labels for {n} observations; hand over one each.")
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise EndpointError(f"Two classes are needed to fit; there is {len(classes)} class.")
    return classes, codes.astype(np.int64)

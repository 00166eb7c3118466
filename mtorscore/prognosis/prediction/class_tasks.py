# ruff: noqa: ARG002 (one signature for all kinds of outcome, of which each uses a part)
"""Labels of more than two classes as prediction tasks, and ridge-penalised models of them for scikit-learn.

References
----------
le Cessie and van Houwelingen, Appl Stat 1992;41:191; Zhu and Hastie, Biostatistics 2004;5:427 (penalised multinomial
models, and that only the rank of the covariates matters).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from mtorscore.errors import DataError, EndpointError
from mtorscore.prognosis.endpoints.labels import LabelData, class_weights
from mtorscore.prognosis.prediction.prediction_task import Predicted, PredictionTask
from mtorscore.prognosis.prediction.ridge import Ridge, case_weights
from mtorscore.prognosis.statistics import logistic, metrics, ordinal
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

__all__ = ["ClassTask", "OrderedTask", "RidgeMultinomial", "RidgeOrdinal", "class_metrics_of"]


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


def class_metrics_of(
    y: IntArray, p: FloatArray, weights: FloatArray, classes: tuple[str, ...], *, ordered: bool
) -> dict[str, FloatArray]:
    """Return every metric of predicted classes by name, ``(R,)`` each.

    Parameters
    ----------
    y
        ``(n,)`` codes.
    p
        ``(n, K)`` predicted probabilities.
    weights
        ``(R, n)``: the sample, then resamples.
    classes
        Names, for the metrics of one class.
    ordered
        Whether they ascend.
    """
    called = p.argmax(axis=1)
    found = {"hand_till": metrics.hand_till(y, p, weights)}
    if ordered:
        found["ordinal_c"] = metrics.ordinal_c(y, p @ np.arange(len(classes)), weights)
    found |= {"log_loss": metrics.class_log_loss(y, p, weights), "brier": metrics.class_brier(y, p, weights)}
    found |= {"accuracy": metrics.accuracy(y, called, weights), "kappa": metrics.kappa(y, called, weights)}
    for k, name in enumerate(classes):
        found[f"roc_auc of {name}"] = metrics.roc_auc((y == k).astype(np.int64), p[:, k], weights)
        found[f"recall of {name}"] = metrics.recall(y, called, weights, k)
    return found


class ClassTask(PredictionTask[LabelData]):
    """A label of several unordered classes."""

    ordered = False

    def __init__(self, data: LabelData, against_rest: Callable[[LabelData], PredictionTask[Any]]) -> None:
        """Keep the label, and what makes the task of one class against the rest."""
        super().__init__(data)
        self.against_rest = against_rest

    def check(self) -> None:
        """Refuse a class that nobody has, or a single observation."""
        data = self.data
        rare = [f"{c} ({n})" for c, n in zip(data.classes, data.counts, strict=True) if n < 2]
        if rare:
            raise EndpointError(
                f"Endpoint {data.name}: {', '.join(rare)} of {data.n} observations; two at least of every class are "
                "needed. Leave such classes out, or join them with a neighbour."
            )

    @property
    def weights(self) -> FloatArray:
        """``(n,)`` weights by which every class counts the same, where the endpoint asks for it; 1 otherwise."""
        return class_weights(self.data.y) if self.data.balanced else np.ones(self.data.n)

    @property
    def stratum(self) -> npt.NDArray[Any]:
        """``(n,)`` the class."""
        return self.data.y

    @property
    def smallest(self) -> int:
        """Size of the smallest class."""
        return int(self.data.counts.min())

    @property
    def events(self) -> int:
        """Size of the smallest class."""
        return self.smallest

    def learnable(self, rows: IntArray) -> bool:
        """Whether every class is there."""
        return len(np.unique(self.data.y[rows])) == len(self.data.classes)

    def default_model(self, seed: int = 0) -> Any:
        """Return ridge multinomial regression."""
        return RidgeMultinomial(seed=seed)

    def named_model(self, name: str, seed: int) -> Any:
        """Return a forest or boosted trees of scikit-learn."""
        from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

        if name == "forest":
            return RandomForestClassifier(300, min_samples_leaf=5, random_state=seed)
        return GradientBoostingClassifier(n_estimators=50, max_depth=2, subsample=0.7, random_state=seed)

    def target(self, rows: IntArray) -> Any:
        """Return the code of the class of each row."""
        return self.data.y[rows]

    def fit_options(self, rows: IntArray) -> dict[str, Any]:
        """Return the weights that these rows have without the others."""
        return {"sample_weight": class_weights(self.data.y[rows])} if self.data.balanced else {}

    def constant(self, train: IntArray, m: int, times: FloatArray) -> Predicted:
        """Predict everybody by the shares of the classes among the training rows."""
        w = class_weights(self.data.y[train]) if self.data.balanced else np.ones(len(train))
        share = np.bincount(self.data.y[train], weights=w, minlength=len(self.data.classes)) / w.sum()
        return self._predicted(np.tile(share, (m, 1)))

    def predict(self, model: Any, x: Any, times: FloatArray) -> Predicted:
        """Return the probability of each class; 0 for one that the training rows did not have."""
        if not hasattr(model, "predict_proba"):
            raise DataError(f"{type(model).__name__} has no predict_proba; calibrate it inside the pipeline.")
        p = np.zeros((len(np.asarray(x)) if not hasattr(x, "n_obs") else x.n_obs, len(self.data.classes)))
        p[:, np.asarray(model.classes_, dtype=np.int64)] = np.asarray(model.predict_proba(x), dtype=np.float64)
        return self._predicted(p)

    def _predicted(self, p: FloatArray) -> Predicted:
        """Return predictions whose plain number is the probability of the class called."""
        return Predicted(p.max(axis=1), classes=p)

    def metrics(
        self, predicted: Predicted, weights: FloatArray, train: IntArray, test: IntArray, times: FloatArray
    ) -> dict[str, FloatArray]:
        """Hand and Till's M, log-loss, Brier score, accuracy, kappa; AUC against the rest and recall per class."""
        if predicted.classes is None:
            raise DataError("Predictions of a label of several classes hold no probabilities.")
        y, names = self.data.y[test], self.data.classes
        return class_metrics_of(y, predicted.classes, weights, names, ordered=self.ordered)

    def positive_of(self, metric: str) -> str:
        """Class that a metric is of; empty for those of all classes."""
        return next((c for c in self.data.classes if metric.endswith(f" of {c}")), "")

    def further(self, predicted: Predicted) -> dict[str, Any]:
        """Return the class called, and the probability of each."""
        if predicted.classes is None:
            return {}
        names = np.asarray(self.data.classes, dtype=object)
        found: dict[str, Any] = {"called": names[predicted.classes.argmax(axis=1)]}
        return found | {f"p_{c}": predicted.classes[:, k] for k, c in enumerate(names)}

    def views(self, predictions: pd.DataFrame) -> list[tuple[PredictionTask[Any], pd.DataFrame]]:
        """Return each class against the rest, with its probabilities."""
        found = []
        for k, name in enumerate(self.data.classes):
            label = replace(self.data.against(k), weights=self.weights)
            found.append((self.against_rest(label), predictions.assign(prediction=predictions[f"p_{name}"])))
        return found

    def notes(self) -> list[str]:
        """Say how large the classes are, and how they are weighted."""
        data = self.data
        sizes = ", ".join(f"{c} {n}" for c, n in zip(data.classes, data.counts, strict=True))
        notes = [f"observations per class: {sizes}"]
        if data.balanced:
            notes.append(
                "classes are weighted so that each counts the same, in models and metrics: probabilities are those of "
                "classes equally common"
            )
        return notes


class OrderedTask(ClassTask):
    """A label of ascending classes."""

    ordered = True

    def default_model(self, seed: int = 0) -> Any:
        """Return ridge proportional-odds regression."""
        return RidgeOrdinal(seed=seed)

    def _predicted(self, p: FloatArray) -> Predicted:
        """Return predictions whose plain number is the expected place among the classes, from 0."""
        return Predicted(p @ np.arange(p.shape[1]), classes=p)

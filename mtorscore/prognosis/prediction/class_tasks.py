# ruff: noqa: ARG002 (one signature for all kinds of outcome, of which each uses a part)
"""Labels of more than two classes as prediction tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, EndpointError
from mtorscore.prognosis.endpoints.labels import LabelData, class_weights
from mtorscore.prognosis.prediction.prediction_task import Predicted, PredictionTask
from mtorscore.prognosis.prediction.ridge_classes import RidgeMultinomial, RidgeOrdinal
from mtorscore.prognosis.statistics import metrics
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

__all__ = ["ClassTask", "OrderedTask", "class_metrics_of"]


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

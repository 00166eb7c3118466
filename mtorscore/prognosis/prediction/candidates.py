"""The models that `evaluate` compares, behind one interface: fit on training rows, predict test rows."""

from __future__ import annotations

import inspect
from typing import Any, Protocol

import numpy as np
import pandas as pd

from mtorscore.errors import DataError
from mtorscore.prognosis.prediction.prediction_task import Predicted, PredictionTask
from mtorscore.prognosis.prediction.ridge import ClinicalEncoder
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

Task = PredictionTask[Any]

ON_REQUEST = ("forest", "boosting")


NAMES = {
    "RidgeCox": "ridge Cox regression, penalty tuned in inner folds",
    "RidgeLogistic": "ridge logistic regression, penalty tuned in inner folds",
    "RidgeMultinomial": "ridge multinomial regression, penalty tuned in inner folds",
    "RidgeOrdinal": "ridge proportional-odds regression, penalty tuned in inner folds",
    "RandomForestClassifier": "random forest",
    "GradientBoostingClassifier": "gradient-boosted trees",
    "RandomSurvivalForest": "random survival forest",
    "GradientBoostingSurvivalAnalysis": "gradient-boosted survival trees",
}
"""Models in words; another is named by its class."""


class Candidate(Protocol):
    """A model under evaluation."""

    @property
    def described(self) -> str:
        """What is fitted, in words."""
        ...

    def fit_predict(self, train: IntArray, test: IntArray, task: Task, times: FloatArray, groups: Any) -> Predicted:
        """Fit on `train` rows only, predict `test` rows."""
        ...


class Dummy:
    """Prediction from the outcome of the training rows alone: the prevalence, or one Kaplan-Meier curve."""

    described = "no predictor"

    def fit_predict(
        self,
        train: IntArray,
        test: IntArray,
        task: Task,
        times: FloatArray,
        groups: Any,  # noqa: ARG002
    ) -> Predicted:
        """Fit on `train` rows only, predict `test` rows."""
        return task.constant(train, len(test), times)


class ClinicalColumns:
    """Clinical columns, coded once for all models of a fold.

    Parameters
    ----------
    table
        The columns, one row per observation.
    impute
        As of `ClinicalEncoder`.
    """

    def __init__(self, table: pd.DataFrame, impute: str = "median") -> None:
        self.table = table
        self.impute = impute
        self._last: tuple[IntArray, IntArray, FloatArray, FloatArray] | None = None

    def coded(self, train: IntArray, test: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return training and test rows as numbers; levels and medians are learned on `train`."""
        last = self._last
        if last is None or last[0] is not train or last[1] is not test:
            encoder = ClinicalEncoder(self.impute).fit(self.table.iloc[train])
            transform = encoder.transform
            last = (train, test, transform(self.table.iloc[train]), transform(self.table.iloc[test]))
            self._last = last
        return last[2], last[3]


class Fitted:
    """A scikit-learn estimator on a table, alone or beside coded clinical columns."""

    def __init__(self, estimator: Any, table: Any, clinical: ClinicalColumns | None = None) -> None:
        self.estimator = estimator
        self.table = table
        self.clinical = clinical

    @property
    def described(self) -> str:
        """What is fitted, in words."""
        steps = [step for _, step in self.estimator.steps] if hasattr(self.estimator, "steps") else [self.estimator]
        return ", then ".join(NAMES.get(type(s).__name__, type(s).__name__) for s in steps)

    def fit_predict(self, train: IntArray, test: IntArray, task: Task, times: FloatArray, groups: Any) -> Predicted:
        """Fit on `train` rows only, predict `test` rows."""
        from sklearn.base import clone

        model = clone(self.estimator)
        x_train, x_test, model = self._features(model, train, test, task)
        fit(model, x_train, task, train, None if groups is None else groups[train])
        return task.predict(model, x_test, times)

    def _features(self, model: Any, train: IntArray, test: IntArray, task: Task) -> tuple[Any, Any, Any]:
        """Training and test features; what a pipeline learns before its last step is learned on `train`."""
        x_train, x_test = rows(self.table, train), rows(self.table, test)
        if self.clinical is None:
            return x_train, x_test, model
        coded = self.clinical.coded(train, test)
        parts = [coded[0]], [coded[1]]
        if x_train is not None:
            if hasattr(model, "steps") and len(model.steps) > 1:
                front, model = model[:-1], model[-1]
                x_train, x_test = front.fit_transform(x_train, task.target(train)), front.transform(x_test)
            parts[0].append(np.asarray(x_train, dtype=np.float64))
            parts[1].append(np.asarray(x_test, dtype=np.float64))
        return np.column_stack(parts[0]), np.column_stack(parts[1]), model


def on_request(name: str, task: Task, seed: int) -> Any:
    """Return a forest or boosted trees for the kind of outcome."""
    if name not in ON_REQUEST:
        raise DataError(f"Unknown model {name!r}; use 'ridge', 'forest', 'boosting', or a scikit-learn estimator.")
    return task.named_model(name, seed)


def rows(table: Any, at: IntArray) -> Any:
    """Rows of a DataFrame, AnnData or array; None stays None."""
    if table is None:
        return None
    if isinstance(table, pd.DataFrame):
        return table.iloc[at]
    return table[at]


def fit(model: Any, x: Any, task: Task, train: IntArray, groups: Any = None) -> Any:
    """Fit a model, or a pipeline by its last step, on some observations of an endpoint.

    Parameters
    ----------
    model
        Estimator or pipeline.
    x
        Features of the observations `train`.
    task, train
        The endpoint, and which observations to learn from; inverse-probability weights are those of `train` alone.
    groups
        ``(len(train),)`` patient of each; handed on where the model can keep them together in its own folds.
    """
    options: dict[str, Any] = ({} if groups is None else {"groups": groups}) | task.fit_options(train)
    last, prefix = (model[-1], f"{model.steps[-1][0]}__") if hasattr(model, "steps") else (model, "")
    accepted = set(inspect.signature(last.fit).parameters)
    if "sample_weight" not in accepted and bool((np.asarray(options.get("sample_weight", 1.0)) != 1).any()):
        raise DataError(
            f"This endpoint weights its observations and {type(last).__name__} takes no sample_weight; use the default "
            "model, or one that does (in a pipeline: as the last step)."
        )
    return model.fit(x, task.target(train), **{prefix + k: v for k, v in options.items() if k in accepted})

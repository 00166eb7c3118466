"""The models that `evaluate` compares, behind one interface: fit on training rows, predict test rows."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import numpy as np
import pandas as pd

from mtorscore.errors import DataError
from mtorscore.prognosis.prediction.prediction_task import Predicted, PredictionTask
from mtorscore.prognosis.prediction.ridge import ClinicalEncoder, Ridge
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

    @property
    def without_scores(self) -> bool:
        """Whether it looks at no score."""
        ...

    def fit_predict(self, train: IntArray, test: IntArray, task: Task, times: FloatArray, groups: Any) -> Predicted:
        """Fit on `train` rows only, predict `test` rows."""
        ...


class Dummy:
    """Prediction from the outcome of the training rows alone: the prevalence, or one Kaplan-Meier curve."""

    described = "no predictor"
    without_scores = True

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
    kept
        Whether every fold is kept, or the last one only.
    """

    def __init__(self, table: pd.DataFrame, impute: str = "median", *, kept: bool = False) -> None:
        self.table = table
        self.impute = impute
        self.kept = kept
        self._coded: dict[tuple[bytes, bytes], tuple[FloatArray, FloatArray]] = {}

    def coded(self, train: IntArray, test: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return training and test rows as numbers; levels and medians are learned on `train`."""
        key = train.tobytes(), test.tobytes()
        if key not in self._coded:
            if not self.kept:
                self._coded.clear()
            transform = ClinicalEncoder(self.impute).fit(self.table.iloc[train]).transform
            self._coded[key] = transform(self.table.iloc[train]), transform(self.table.iloc[test])
        return self._coded[key]


class Fitted:
    """A scikit-learn estimator on a table, alone or beside coded clinical columns."""

    def __init__(self, estimator: Any, table: Any, clinical: ClinicalColumns | None = None) -> None:
        self.estimator = estimator
        self.table = _numbers(table) if isinstance(estimator, Ridge) else table
        self.clinical = clinical

    @property
    def described(self) -> str:
        """What is fitted, in words."""
        steps = [step for _, step in self.estimator.steps] if hasattr(self.estimator, "steps") else [self.estimator]
        return ", then ".join(NAMES.get(type(s).__name__, type(s).__name__) for s in steps)

    @property
    def without_scores(self) -> bool:
        """Whether it looks at no score."""
        return self.table is None

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


def _numbers(table: Any) -> Any:
    """Return numbers without the names of their columns, which the models of this package would check in every fold."""
    plain = isinstance(table, pd.DataFrame) and all(map(pd.api.types.is_numeric_dtype, table.dtypes))
    return table.to_numpy(dtype=np.float64) if plain else table


@dataclass
class SameFolds:
    """What the models without scores gave in the folds, for evaluations that differ in their scores only.

    Attributes
    ----------
    kept
        Whether there is another evaluation to keep it for.
    clinical
        Observations -> the clinical columns.
    folds
        Observations, model, repeat and fold -> predictions and metrics.
    """

    kept: bool = True
    clinical: dict[tuple[str, ...], ClinicalColumns] = field(default_factory=dict)
    folds: dict[tuple[tuple[str, ...], str, int, int], tuple[Any, dict[str, FloatArray]]] = field(default_factory=dict)

    def columns(self, observations: tuple[str, ...], table: pd.DataFrame, impute: str) -> ClinicalColumns:
        """Return the clinical columns of observations, those of an earlier evaluation where there was one."""
        if observations not in self.clinical:
            self.clinical[observations] = ClinicalColumns(table, impute, kept=self.kept)
        return self.clinical[observations]


def candidates_of(
    model: Any, table: Any, columns: ClinicalColumns | None, task: Task, seed: int
) -> dict[str, Candidate]:
    """Return the models to compare by name: a dummy, the baseline, the given models, and both together."""
    default = task.default_model(seed)
    if model is None or isinstance(model, str):
        named = {"score": default if model in (None, "ridge") else on_request(str(model), task, seed)}
    else:
        named = dict(model) if isinstance(model, dict) else {"score": model}
    odd = [one for one in named.values() if not hasattr(one, "get_params")]
    if odd or not named:
        what = f"{odd[0]!r:.60} is not a model" if odd else "There is no model"
        raise DataError(f"{what}: use 'ridge', 'forest', 'boosting', a scikit-learn estimator, or a mapping to such.")
    out: dict[str, Candidate] = {"dummy": Dummy()}
    if columns is not None:
        out["clinical"] = Fitted(default, None, columns)
    for name, estimator in named.items():
        out[name] = Fitted(estimator, table)
        if columns is not None:
            out[f"clinical + {name}"] = Fitted(estimator, table, columns)
    return out


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


@cache
def _accepted(model: type) -> frozenset[str]:
    """Return the arguments of a model's `fit`."""
    return frozenset(inspect.signature(model.fit).parameters)  # type: ignore[attr-defined]


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
    accepted = _accepted(type(last))  # type: ignore[arg-type]
    if "sample_weight" not in accepted and bool((np.asarray(options.get("sample_weight", 1.0)) != 1).any()):
        raise DataError(
            f"This endpoint weights its observations and {type(last).__name__} takes no sample_weight; use the default "
            "model, or one that does (in a pipeline: as the last step)."
        )
    return model.fit(x, task.target(train), **{prefix + k: v for k, v in options.items() if k in accepted})

"""The models that `evaluate` compares, behind one face: fit on training rows, predict test rows."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from mtorscore.errors import DataError
from mtorscore.prognosis.endpoints.endpoints import LabelData, SurvivalData
from mtorscore.prognosis.statistics.kaplan_meier import product_limit
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

Data = LabelData | SurvivalData


@dataclass
class Predicted:
    """Predictions for test rows.

    Attributes
    ----------
    risk
        ``(m,)`` higher means the event; for labels the probability.
    survival
        ``(m, T)`` predicted survival at the evaluation times; None for labels and for models without it.
    linear
        ``(m,)`` linear predictor, where calibration can use one.
    """

    risk: FloatArray
    survival: FloatArray | None = None
    linear: FloatArray | None = None


class Candidate(Protocol):
    """A model under evaluation."""

    def fit_predict(self, train: IntArray, test: IntArray, data: Data, times: FloatArray, groups: Any) -> Predicted:
        """Fit on `train` rows only, predict `test` rows."""
        ...


class Dummy:
    """Knows nothing but the outcome of the training rows: the prevalence, or one Kaplan-Meier curve."""

    def fit_predict(
        self,
        train: IntArray,
        test: IntArray,
        data: Data,
        times: FloatArray,
        groups: Any,  # noqa: ARG002
    ) -> Predicted:
        """Fit on `train` rows only, predict `test` rows."""
        if isinstance(data, LabelData):
            y, w = data.y[train], data.weights_within(train)
            return Predicted(np.full(len(test), float((y * w).sum() / w.sum())))
        curve = product_limit(data.time[train], data.event[train], None if data.entry is None else data.entry[train])
        steps = np.concatenate([[1.0], curve.survival])
        survival = steps[np.searchsorted(curve.time, times, side="right")]
        return Predicted(np.zeros(len(test)), np.tile(survival, (len(test), 1)))


class Fitted:
    """A scikit-learn estimator on a table, alone or beside coded clinical columns."""

    def __init__(self, estimator: Any, table: Any, clinical: pd.DataFrame | None = None) -> None:
        self.estimator = estimator
        self.table = table
        self.clinical = clinical

    def fit_predict(self, train: IntArray, test: IntArray, data: Data, times: FloatArray, groups: Any) -> Predicted:
        """Fit on `train` rows only, predict `test` rows."""
        from sklearn.base import clone

        model = clone(self.estimator)
        x_train, x_test, model = self._features(model, train, test, data)
        fit(model, x_train, data, train, None if groups is None else groups[train])
        if isinstance(data, LabelData):
            return _probability(model, x_test)
        risk = np.asarray(model.predict(x_test), dtype=np.float64)
        return Predicted(risk, predicted_survival(model, x_test, times), risk)

    def _features(self, model: Any, train: IntArray, test: IntArray, data: Data) -> tuple[Any, Any, Any]:
        """Training and test features; what a pipeline learns before its last step is learned on `train`."""
        x_train, x_test = rows(self.table, train), rows(self.table, test)
        if self.clinical is None:
            return x_train, x_test, model
        from mtorscore.prognosis.prediction.ridge import ClinicalEncoder, survival_target

        encoder = ClinicalEncoder().fit(self.clinical.iloc[train])
        parts = [encoder.transform(self.clinical.iloc[train])], [encoder.transform(self.clinical.iloc[test])]
        if x_train is not None:
            if hasattr(model, "steps") and len(model.steps) > 1:
                y = (
                    data.y[train]
                    if isinstance(data, LabelData)
                    else survival_target(data.time[train], data.event[train])
                )
                front, model = model[:-1], model[-1]
                x_train, x_test = front.fit_transform(x_train, y), front.transform(x_test)
            parts[0].append(np.asarray(x_train, dtype=np.float64))
            parts[1].append(np.asarray(x_test, dtype=np.float64))
        return np.column_stack(parts[0]), np.column_stack(parts[1]), model


def on_request(name: str, data: Data, seed: int) -> Any:
    """Return a forest or boosted trees; for survival those of scikit-survival (GPL), imported only here."""
    if name not in ("forest", "boosting"):
        raise DataError(f"Unknown model {name!r}; use 'ridge', 'forest', 'boosting', or a scikit-learn estimator.")
    if isinstance(data, LabelData):
        from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

        if name == "forest":
            return RandomForestClassifier(300, min_samples_leaf=5, random_state=seed)
        return GradientBoostingClassifier(n_estimators=50, max_depth=2, subsample=0.7, random_state=seed)
    try:
        from sksurv.ensemble import GradientBoostingSurvivalAnalysis, RandomSurvivalForest
    except ImportError as error:
        raise DataError(
            f"Model {name!r} for survival needs scikit-survival (GPL): pip install 'mtorscore[prognosis]'."
        ) from error
    if name == "forest":
        return RandomSurvivalForest(300, min_samples_leaf=8, random_state=seed)
    return GradientBoostingSurvivalAnalysis(n_estimators=50, max_depth=2, subsample=0.7, random_state=seed)


def rows(table: Any, at: IntArray) -> Any:
    """Rows of a DataFrame, AnnData or array; None stays None."""
    if table is None:
        return None
    if isinstance(table, pd.DataFrame):
        return table.iloc[at]
    return table[at]


def fit(model: Any, x: Any, data: Data, train: IntArray, groups: Any = None) -> Any:
    """Fit a model, or a pipeline by its last step, on some observations of an endpoint.

    Parameters
    ----------
    model
        Estimator or pipeline.
    x
        Features of the observations `train`.
    data, train
        The endpoint, and which observations to learn from; inverse-probability weights are those of `train` alone.
    groups
        ``(len(train),)`` patient of each; handed on where the model can keep them together in its own folds.
    """
    options: dict[str, Any] = {} if groups is None else {"groups": groups}
    if isinstance(data, SurvivalData):
        from mtorscore.prognosis.prediction.ridge import survival_target

        target: Any = survival_target(data.time[train], data.event[train])
    else:
        target, options["sample_weight"] = data.y[train], data.weights_within(train)
    last, prefix = (model[-1], f"{model.steps[-1][0]}__") if hasattr(model, "steps") else (model, "")
    accepted = set(inspect.signature(last.fit).parameters)
    if "sample_weight" not in accepted and bool((np.asarray(options.get("sample_weight", 1.0)) != 1).any()):
        raise DataError(
            f"This endpoint weights its observations and {type(last).__name__} takes no sample_weight; use the default "
            "model, or one that does (in a pipeline: as the last step)."
        )
    return model.fit(x, target, **{prefix + k: v for k, v in options.items() if k in accepted})


def _probability(model: Any, x: Any) -> Predicted:
    if hasattr(model, "predict_proba"):
        p = np.asarray(model.predict_proba(x), dtype=np.float64)[:, 1]
        return Predicted(p, None, np.log(np.clip(p, 1e-9, 1) / np.clip(1 - p, 1e-9, 1)))
    if hasattr(model, "decision_function"):
        raise DataError("The classifier gives no probabilities (predict_proba); calibrate it inside the pipeline.")
    raise DataError(f"{type(model).__name__} has no predict_proba; hand over a classifier.")


def predicted_survival(model: Any, x: Any, times: FloatArray) -> FloatArray | None:
    """``(m, T)`` predicted survival, by our own models or by those of scikit-survival; None without any."""
    last = model
    if hasattr(model, "steps"):
        last = model[-1]
        if len(model.steps) > 1:
            x = model[:-1].transform(x)
    if hasattr(last, "predict_survival"):
        own: FloatArray = last.predict_survival(x, times)
        return own
    if hasattr(last, "predict_survival_function"):
        curves = last.predict_survival_function(x)
        out = np.ones((len(curves), len(times)))
        for i, curve in enumerate(curves):
            at = np.searchsorted(curve.x, times, side="right")
            out[i] = np.concatenate([[1.0], curve.y])[at]
        return out
    return None

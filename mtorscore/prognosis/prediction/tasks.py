# ruff: noqa: ARG002 (one signature for all kinds of outcome, of which each uses a part)
"""Endpoints as prediction tasks: folds, models, metrics, calibration, net benefit of each; labels of two classes.

A new kind of outcome is a class that follows `PredictionTask` and a line of `make_task`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import logit

from mtorscore.errors import DataError, EndpointError
from mtorscore.prognosis.endpoints.endpoints import LabelData, SurvivalData
from mtorscore.prognosis.endpoints.labels import undeclared
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData
from mtorscore.prognosis.prediction.class_tasks import ClassTask, OrderedTask
from mtorscore.prognosis.prediction.prediction_task import Predicted, PredictionTask
from mtorscore.prognosis.prediction.ridge import RidgeLogistic
from mtorscore.prognosis.prediction.survival_tasks import CompetingTask, SurvivalTask, slope_of
from mtorscore.prognosis.statistics import logistic, metrics
from mtorscore.prognosis.statistics.inference import wilson_interval
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray
from mtorscore.prognosis.statistics.smoothing import Smooth, loess_risk, logistic_risk, shape_of

LABEL_METRICS = ("roc_auc", "average_precision", "brier", "log_loss")


def make_task(data: OutcomeData) -> PredictionTask[Any]:
    """Return a resolved endpoint as a prediction task.

    Raises
    ------
    EndpointError
        If nothing predicts data of this kind.
    """
    if isinstance(data, SurvivalData):
        return CompetingTask(data) if data.n_competing else SurvivalTask(data)
    if isinstance(data, LabelData):
        if not data.many:
            return BinaryTask(data)
        return OrderedTask(data, BinaryTask) if data.ordered else ClassTask(data, BinaryTask)
    raise EndpointError(f"Endpoint {data.name}: there is no prediction of {type(data).__name__}.")


class BinaryTask(PredictionTask[LabelData]):
    """A label of two classes; the last one is positive."""

    def check(self) -> None:
        """Refuse other than two classes, and a class with a single observation."""
        data = self.data
        if len(data.classes) != 2:
            raise EndpointError(undeclared(data.name, data.name, data.classes))
        if self.smallest < 2:
            raise EndpointError(
                f"Endpoint {data.name}: the smaller class has {self.smallest} observation(s); two at least."
            )

    @property
    def weights(self) -> FloatArray:
        """``(n,)`` inverse-probability weights of a derived label; 1 otherwise."""
        return self.data.weights

    @property
    def stratum(self) -> npt.NDArray[Any]:
        """``(n,)`` the class."""
        return self.data.y

    @property
    def smallest(self) -> int:
        """Size of the smaller class among observations with a weight."""
        return int(np.bincount(self.data.y[self.data.weights > 0], minlength=2).min())

    @property
    def events(self) -> int:
        """Size of the smaller class."""
        events = self.data.n_events
        return int(min(events, (self.data.weights > 0).sum() - events))

    def learnable(self, rows: IntArray) -> bool:
        """Whether both classes are there."""
        return len(np.unique(self.data.y[rows][self.data.weights[rows] > 0])) == 2

    def default_model(self, seed: int = 0) -> Any:
        """Return ridge logistic regression."""
        return RidgeLogistic(seed=seed)

    def named_model(self, name: str, seed: int) -> Any:
        """Return a forest or boosted trees of scikit-learn."""
        from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

        if name == "forest":
            return RandomForestClassifier(300, min_samples_leaf=5, random_state=seed)
        return GradientBoostingClassifier(n_estimators=50, max_depth=2, subsample=0.7, random_state=seed)

    def target(self, rows: IntArray) -> Any:
        """Return the class of each row."""
        return self.data.y[rows]

    def fit_options(self, rows: IntArray) -> dict[str, Any]:
        """Return the weights that these rows have without the others."""
        return {"sample_weight": self.data.weights_within(rows)}

    def constant(self, train: IntArray, m: int, times: FloatArray) -> Predicted:
        """Predict everybody by the prevalence of the training rows."""
        y, w = self.data.y[train], self.data.weights_within(train)
        return Predicted(np.full(m, float((y * w).sum() / w.sum())))

    def predict(self, model: Any, x: Any, times: FloatArray) -> Predicted:
        """Return the probability of the positive class."""
        if hasattr(model, "predict_proba"):
            p = np.asarray(model.predict_proba(x), dtype=np.float64)[:, 1]
            return Predicted(p, None, np.log(np.clip(p, 1e-9, 1) / np.clip(1 - p, 1e-9, 1)))
        if hasattr(model, "decision_function"):
            raise DataError("The classifier gives no probabilities (predict_proba); calibrate it inside the pipeline.")
        raise DataError(f"{type(model).__name__} has no predict_proba; hand over a classifier.")

    def metrics(
        self,
        predicted: Predicted,
        weights: FloatArray,
        train: IntArray,
        test: IntArray,
        times: FloatArray,
    ) -> dict[str, FloatArray]:
        """ROC AUC, average precision, Brier score, log loss."""
        y = self.data.y[test]
        return {m: getattr(metrics, m)(y, predicted.risk, weights) for m in LABEL_METRICS}

    def apparent(self, ranking: FloatArray, risk: FloatArray, rows: IntArray, horizon: float) -> dict[str, float]:
        """ROC AUC and Brier score."""
        y, w = self.data.y[rows], self.data.weights[None, rows]
        return {
            "roc_auc": float(metrics.roc_auc(y, ranking, w)[0]),
            "brier": float(metrics.brier(y, risk, w)[0]),
        }

    def risk(self, table: pd.DataFrame, horizon: float) -> FloatArray | None:
        """Return the predicted probability."""
        out: FloatArray = table["prediction"].to_numpy(dtype=np.float64)
        return out

    def slope(self, prediction: FloatArray, fold: IntArray) -> tuple[float, float]:
        """Slope of a logistic model on the log odds."""
        linear: FloatArray = logit(np.clip(prediction, 1e-9, 1 - 1e-9))
        spread = float(linear.std())
        z = ((linear - linear.mean()) / spread)[:, None, None]
        return slope_of(logistic.newton(z, self.data.y.astype(np.float64), self.data.weights), spread)

    def smooth(
        self, risk: FloatArray, where: FloatArray, horizon: float, *, smoother: str, knots: int, level: float
    ) -> tuple[Smooth, str]:
        """Logistic model on a restricted cubic spline of the log odds, or loess."""
        y, w = self.data.y.astype(np.float64), self.data.weights
        if smoother == "loess":
            return loess_risk(y, risk, where, weights=w, level=level), "loess"
        found = logistic_risk(y, logit(risk), logit(where), weights=w, knots=knots, level=level)
        return found, f"logistic model on the log odds ({shape_of(knots)})"

    def scaled_brier(self, risk: FloatArray, horizon: float) -> float:
        """Weighted scaled Brier score."""
        return float(metrics.scaled_brier(self.data.y, risk, self.data.weights[None])[0])

    def observed_expected(self, risk: FloatArray, horizon: float, level: float) -> tuple[float, float, float, float]:
        """Weighted prevalence with Wilson's interval, and the weighted mean probability."""
        w = self.data.weights
        # With weights the interval is that of as many observations as they are worth (Kish).
        n = float(w.sum() ** 2 / (w**2).sum())
        observed, expected = float((w * self.data.y).sum() / w.sum()), float((w * risk).sum() / w.sum())
        low, high = wilson_interval(n * observed, n, level)
        return observed, expected, low, high

    def observed_in_group(
        self, at: npt.NDArray[np.bool_], risk: FloatArray, horizon: float, level: float
    ) -> dict[str, Any] | None:
        """Weighted prevalence with Wilson's interval."""
        w, y = self.data.weights[at], self.data.y[at]
        if not w.any():
            return None
        # With weights the interval is that of as many observations as they are worth (Kish).
        n = float(w.sum() ** 2 / (w**2).sum())
        k = n * float((w * y).sum() / w.sum())
        low, high = wilson_interval(k, n, level)
        row = {"predicted": float((w * risk[at]).sum() / w.sum()), "events": int(y[w > 0].sum())}
        return row | {"observed": k / n, "low": low, "high": high}

    def acted_on(self, act: npt.NDArray[np.bool_], horizon: float) -> tuple[float, float]:
        """Weighted share acted on, and their prevalence."""
        w = self.data.weights
        return float((w * act).sum() / w.sum()), float((w * act * self.data.y).sum() / (w * act).sum())

    def riley(self) -> dict[str, float] | None:
        """Weighted prevalence."""
        known = self.data.weights > 0
        positive = self.data.y[known] == len(self.data.classes) - 1
        return {"prevalence": float(np.average(positive, weights=self.data.weights[known]))}

    def notes(self) -> list[str]:
        """Note how competing events of a derived label count."""
        other = self.data.n_competing
        return [f"{other} competing event(s) by the horizon stand for no event"] if other else []

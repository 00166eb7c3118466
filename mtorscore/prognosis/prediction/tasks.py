# ruff: noqa: ARG002 (one signature for all kinds of outcome, of which each uses a part)
"""Survival and two-class labels as prediction tasks: folds, models, metrics, calibration, net benefit of each.

A new kind of outcome is a class that follows `PredictionTask` and a line of `make_task`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from scipy.special import logit

from mtorscore.errors import DataError, EndpointError, examples
from mtorscore.prognosis.endpoints.checks import evaluation_times
from mtorscore.prognosis.endpoints.endpoints import LabelData, SurvivalData
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData
from mtorscore.prognosis.prediction.prediction_task import Predicted, PredictionTask
from mtorscore.prognosis.prediction.ridge import RidgeCox, RidgeLogistic, survival_target
from mtorscore.prognosis.statistics import cox, logistic, metrics
from mtorscore.prognosis.statistics.inference import wilson_interval
from mtorscore.prognosis.statistics.kaplan_meier import km_at, loglog_interval, product_limit
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets

LABEL_METRICS = ("roc_auc", "average_precision", "brier", "log_loss")


def make_task(data: OutcomeData) -> PredictionTask[Any]:
    """Return a resolved endpoint as a prediction task.

    Raises
    ------
    EndpointError
        If nothing predicts data of this kind.
    """
    if isinstance(data, SurvivalData):
        return SurvivalTask(data)
    if isinstance(data, LabelData):
        return BinaryTask(data)
    raise EndpointError(f"Endpoint {data.name}: there is no prediction of {type(data).__name__}.")


class SurvivalTask(PredictionTask[SurvivalData]):
    """Time to an event; competing events count as censored."""

    needs_horizon = True

    def check(self) -> None:
        """Refuse entry times and fewer than two events."""
        data = self.data
        if data.entry is not None:
            raise EndpointError(
                f"Endpoint {data.name} has entry times, which the metrics of prediction do not know; leave `entry` "
                "out, or use associate and cox, which honour it."
            )
        if data.n_events < 2:
            raise EndpointError(f"Endpoint {data.name} has {data.n_events} event(s); two at least are needed to split.")

    @property
    def stratum(self) -> npt.NDArray[Any]:
        """``(n,)`` the event."""
        return self.data.event

    @property
    def smallest(self) -> int:
        """Number of events."""
        return self.data.n_events

    def learnable(self, rows: IntArray) -> bool:
        """Whether there are two events."""
        return int(self.data.event[rows].sum()) >= 2

    def evaluation_times(self, times: Sequence[float] | None) -> FloatArray:
        """Return times within follow-up; by default nine from the 10th to the 80th percentile of event times."""
        data = self.data
        if times is not None:
            return evaluation_times(times, float(data.time.max()))
        grid: FloatArray = np.unique(np.quantile(data.time[data.event], np.linspace(0.1, 0.8, 9)))
        return grid

    @property
    def default_horizon(self) -> float:
        """Median event time."""
        return float(np.median(self.data.time[self.data.event]))

    def default_model(self, seed: int = 0) -> Any:
        """Return ridge Cox regression."""
        return RidgeCox(seed=seed)

    def named_model(self, name: str, seed: int) -> Any:
        """Return a forest or boosted trees of scikit-survival (GPL), imported only here."""
        try:
            from sksurv.ensemble import GradientBoostingSurvivalAnalysis, RandomSurvivalForest
        except ImportError as error:
            raise DataError(
                f"Model {name!r} for survival needs scikit-survival (GPL): pip install 'mtorscore[prognosis]'."
            ) from error
        if name == "forest":
            return RandomSurvivalForest(300, min_samples_leaf=8, random_state=seed)
        return GradientBoostingSurvivalAnalysis(n_estimators=50, max_depth=2, subsample=0.7, random_state=seed)

    def target(self, rows: IntArray) -> Any:
        """Return a structured array of event and time."""
        return survival_target(self.data.time[rows], self.data.event[rows])

    def constant(self, train: IntArray, m: int, times: FloatArray) -> Predicted:
        """Predict everybody by the Kaplan-Meier curve of the training rows."""
        data = self.data
        entry = None if data.entry is None else data.entry[train]
        curve = product_limit(data.time[train], data.event[train], entry)
        survival = np.concatenate([[1.0], curve.survival])[np.searchsorted(curve.time, times, side="right")]
        return Predicted(np.zeros(m), np.tile(survival, (m, 1)))

    def predict(self, model: Any, x: Any, times: FloatArray) -> Predicted:
        """Return the linear predictor, and survival where the model gives it."""
        risk = np.asarray(model.predict(x), dtype=np.float64)
        return Predicted(risk, predicted_survival(model, x, times), risk)

    def metrics(
        self, predicted: Predicted, weights: FloatArray, train: IntArray, test: IntArray, times: FloatArray
    ) -> dict[str, FloatArray]:
        """Harrell's and Uno's C, mean time-dependent AUC, integrated Brier score."""
        data, w, risk = self.data, weights, predicted.risk
        time, event = data.time[test], data.event[test]
        g = metrics.censoring(data.time[train], data.event[train], time)
        g_at = metrics.censoring(data.time[train], data.event[train], times)
        out = {
            "harrell_c": metrics.harrell_c(time, event, risk, w),
            "uno_c": metrics.uno_c(time, event, risk, w, g, float(times[-1]) if len(times) else None),
        }
        aucs = np.array([metrics.dynamic_auc(time, event, risk, w, g, t) for t in times])
        known = np.isfinite(aucs)
        count = known.sum(axis=0)
        out["mean_auc"] = np.where(count > 0, np.where(known, aucs, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
        if predicted.survival is not None:
            briers = metrics.survival_briers(time, event, predicted.survival, w, g, g_at, times)
            out["integrated_brier"] = metrics.integrate(times, briers)
        return out

    def apparent(self, ranking: FloatArray, risk: FloatArray, rows: IntArray, horizon: float) -> dict[str, float]:
        """Harrell's C, and the Brier score at the horizon."""
        one, time, event = np.ones((1, len(rows))), self.data.time[rows], self.data.event[rows]
        g = metrics.censoring(time, event, time)
        g_at = float(metrics.censoring(time, event, np.array([horizon]))[0])
        return {
            "harrell_c": float(metrics.harrell_c(time, event, ranking, one)[0]),
            "brier_at_horizon": float(metrics.survival_brier(time, event, 1 - risk, one, g, g_at, horizon)[0]),
        }

    def risk(self, table: pd.DataFrame, horizon: float) -> FloatArray | None:
        """Return the predicted risk by the horizon."""
        column = f"survival_{horizon:g}"
        if column not in table or table[column].isna().any():
            return None
        out: FloatArray = 1 - table[column].to_numpy(dtype=np.float64)
        return out

    def slope(self, prediction: FloatArray, fold: IntArray) -> tuple[float, float]:
        """Slope of a Cox model on the linear predictor; folds have their own baseline."""
        spread = float(prediction.std())
        z = ((prediction - prediction.mean()) / spread)[:, None, None]
        return _slope_of(cox.newton(RiskSets(self.data.time, self.data.event, None, fold), z), spread)

    def scaled_brier(self, risk: FloatArray, horizon: float) -> float:
        """Index of prediction accuracy at the horizon."""
        time, event = self.data.time, self.data.event
        g = metrics.censoring(time, event, time)
        g_at = float(metrics.censoring(time, event, np.array([horizon]))[0])
        one = np.ones((1, self.data.n))
        return float(metrics.scaled_survival_brier(time, event, 1 - risk, one, g, g_at, horizon)[0])

    def observed_expected(self, risk: FloatArray, horizon: float, level: float) -> tuple[float, float, float, float]:
        """Kaplan-Meier risk at the horizon with a log-log interval, and the mean predicted risk."""
        curve = product_limit(self.data.time, self.data.event)
        at = int(np.searchsorted(curve.time, horizon, side="right")) - 1
        survival = float(curve.survival[at]) if at >= 0 else 1.0
        lows, highs = loglog_interval(curve.survival[[at]], curve.se[[at]], level)
        low, high = (1 - float(highs[0]), 1 - float(lows[0])) if at >= 0 else (np.nan, np.nan)
        return 1 - survival, float(risk.mean()), low, high

    def observed_in_group(
        self, at: npt.NDArray[np.bool_], risk: FloatArray, horizon: float, level: float
    ) -> dict[str, Any] | None:
        """Kaplan-Meier risk with a log-log interval."""
        part = self.data.take(at)
        curve = product_limit(part.time, part.event, part.entry)
        low, high = loglog_interval(curve.survival, curve.se, level)
        i = int(np.searchsorted(curve.time, horizon, side="right")) - 1
        s = curve.survival[i] if i >= 0 else 1.0
        row = {"events": int((part.event & (part.time <= horizon)).sum()), "observed": float(1 - s)}
        return row | {"low": float(1 - high[i]) if i >= 0 else np.nan, "high": float(1 - low[i]) if i >= 0 else np.nan}

    def acted_on(self, act: npt.NDArray[np.bool_], horizon: float) -> tuple[float, float]:
        """Share acted on, and their Kaplan-Meier risk by the horizon."""
        return float(act.mean()), 1 - km_at(self.data.time[act], self.data.event[act], horizon)

    def riley(self) -> dict[str, float] | None:
        """Event rate, mean follow-up and median follow-up."""
        time, total = self.data.time, float(self.data.time.sum())
        if total <= 0:
            return None
        horizon = float(np.median(time[time > 0]))
        return {"rate": self.data.n_events / total, "mean_follow_up": float(time.mean()), "horizon": horizon}

    def notes(self) -> list[str]:
        """Note how competing events count."""
        other = int((self.data.status == 2).sum())
        text = f"{other} competing event(s) count as censored: predicted risks are those of a world without them"
        return [text] if other else []


class BinaryTask(PredictionTask[LabelData]):
    """A label of two classes; the last one is positive."""

    def check(self) -> None:
        """Refuse other than two classes, and a class with a single observation."""
        data = self.data
        if len(data.classes) != 2:
            raise EndpointError(
                f"Endpoint {data.name} has {len(data.classes)} classes ({examples(data.classes, 5)}); evaluate() takes "
                "two. Name one against the rest, or keep two."
            )
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
        return _slope_of(logistic.newton(z, self.data.y.astype(np.float64), self.data.weights), spread)

    def scaled_brier(self, risk: FloatArray, horizon: float) -> float:
        """Weighted scaled Brier score."""
        return float(metrics.scaled_brier(self.data.y, risk, self.data.weights[None])[0])

    def observed_expected(self, risk: FloatArray, horizon: float, level: float) -> tuple[float, float, float, float]:
        """Weighted prevalence with a Wald interval, and the weighted mean probability."""
        w = self.data.weights
        observed, expected, n = (
            float((w * self.data.y).sum() / w.sum()),
            float((w * risk).sum() / w.sum()),
            (w > 0).sum(),
        )
        half = stats.norm.ppf(0.5 + level / 2) * np.sqrt(observed * (1 - observed) / n)
        return observed, expected, max(observed - half, 0.0), min(observed + half, 1.0)

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


def _slope_of(fit: cox.Fits, spread: float) -> tuple[float, float]:
    """Return slope and error of a model fitted on a standardised linear predictor."""
    if not fit.converged[0]:
        return float("nan"), float("nan")
    return float(fit.coef[0, 0]) / spread, float(fit.se[0, 0]) / spread


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

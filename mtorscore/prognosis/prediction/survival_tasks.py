# ruff: noqa: ARG002 (one signature for all kinds of outcome, of which each uses a part)
"""Survival as a prediction task, without and with competing events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, EndpointError
from mtorscore.prognosis.endpoints.checks import evaluation_times
from mtorscore.prognosis.endpoints.endpoints import SurvivalData
from mtorscore.prognosis.endpoints.outcome_data import competing_text
from mtorscore.prognosis.prediction.prediction_task import Predicted, PredictionTask
from mtorscore.prognosis.prediction.ridge import RidgeCox, survival_target
from mtorscore.prognosis.statistics import competing_metrics, cox, fine_gray, metrics
from mtorscore.prognosis.statistics.incidence import aalen_johansen, incidence_at, incidences_at
from mtorscore.prognosis.statistics.kaplan_meier import km_at, loglog_interval, product_limit
from mtorscore.prognosis.statistics.pseudo_values import pseudo_risk
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets
from mtorscore.prognosis.statistics.smoothing import Smooth, cox_risk, shape_of


class SurvivalTask(PredictionTask[SurvivalData]):
    """Time to an event."""

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
        out["mean_auc"] = _mean_of_known(np.array([metrics.dynamic_auc(time, event, risk, w, g, t) for t in times]))
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

    def external(
        self, predicted: Predicted, risk: FloatArray, weights: FloatArray, times: FloatArray, horizon: float
    ) -> dict[str, FloatArray]:
        """Harrell's and Uno's C, AUC at the horizon, integrated and scaled Brier score."""
        time, event, rank = self.data.time, self.data.event, predicted.risk
        g = metrics.censoring(time, event, time)
        out = {
            "harrell_c": metrics.harrell_c(time, event, rank, weights),
            "uno_c": metrics.uno_c(time, event, rank, weights, g, float(times[-1])),
            "auc_at_horizon": metrics.dynamic_auc(time, event, rank, weights, g, horizon),
        }
        if predicted.survival is not None:
            g_at = metrics.censoring(time, event, times)
            briers = metrics.survival_briers(time, event, predicted.survival, weights, g, g_at, times)
            out["integrated_brier"] = metrics.integrate(times, briers)
        return out | {"scaled_brier": self._scaled(risk, weights, horizon)}

    def scaled_brier(self, risk: FloatArray, horizon: float) -> float:
        """Index of prediction accuracy at the horizon."""
        return float(self._scaled(risk, np.ones((1, self.data.n)), horizon)[0])

    def _scaled(self, risk: FloatArray, weights: FloatArray, horizon: float) -> FloatArray:
        """``(R,)`` index of prediction accuracy."""
        time, event = self.data.time, self.data.event
        g = metrics.censoring(time, event, time)
        g_at = float(metrics.censoring(time, event, np.array([horizon]))[0])
        return metrics.scaled_survival_brier(time, event, 1 - risk, weights, g, g_at, horizon)

    def events_by(self, horizon: float) -> int:
        """Count the events by the horizon."""
        return int((self.data.event & (self.data.time <= horizon)).sum())

    def smooth(
        self, risk: FloatArray, where: FloatArray, horizon: float, *, smoother: str, knots: int, level: float
    ) -> tuple[Smooth, str]:
        """Cox model on a restricted cubic spline of log(-log(1 - risk))."""
        _splines_only(smoother)
        x, at = (np.log(-np.log1p(-v)) for v in (risk, where))
        d = self.data
        found = cox_risk(d.time, d.event, x, at, horizon, entry=d.entry, knots=knots, level=level)
        return found, f"Cox model on log(-log(1 - risk)) ({shape_of(knots)})"

    def observed_in_resamples(self, weights: FloatArray, horizon: float) -> FloatArray:
        """Kaplan-Meier risk by the horizon in each resample."""
        return np.array([1 - km_at(self.data.time, self.data.event, horizon, w) for w in weights])

    def slope(self, prediction: FloatArray, fold: IntArray) -> tuple[float, float]:
        """Slope of a Cox model on the linear predictor; folds have their own baseline."""
        spread = float(prediction.std())
        z = ((prediction - prediction.mean()) / spread)[:, None, None]
        return slope_of(cox.newton(RiskSets(self.data.time, self.data.event, None, fold), z), spread)

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


_COUNT_AS = {
    "harrell_c": "count as censored",
    "uno_c": "count as censored",
    "wolbers_c": "stay at risk, without the event",
    "auc_event_free_at_horizon": "are no controls",
    "auc_event_free": "are no controls",
    "calibration_slope": "stay at risk (subdistribution hazard)",
    "observed_expected": "the observed risk is the cumulative incidence",
}


class CompetingTask(SurvivalTask):
    """Time to an event beside competing events: what is predicted is the cumulative incidence of the event.

    "Survival" is freedom from the event of interest, one minus its cumulative incidence.
    """

    @property
    def ever(self) -> FloatArray:
        """``(n,)`` follow-up in which those with a competing event are followed for ever: they stay without the event.

        Concordance on it is that of Wolbers et al., Epidemiology 2009;20:555.
        """
        return np.where(self.data.status == 2, np.inf, self.data.time)

    def fit_options(self, rows: IntArray) -> dict[str, Any]:
        """Return which competing events there are, for models that know of them."""
        return {"competing": self.data.status[rows] == 2}

    def constant(self, train: IntArray, m: int, times: FloatArray) -> Predicted:
        """Predict everybody by the cumulative incidence in the training rows."""
        at, _, incidence, _ = aalen_johansen(self.data.time[train], self.data.status[train], 1)
        known = np.concatenate([[0.0], incidence])[np.searchsorted(at, times, side="right")]
        return Predicted(np.zeros(m), np.tile(1 - known, (m, 1)))

    def metrics(
        self, predicted: Predicted, weights: FloatArray, train: IntArray, test: IntArray, times: FloatArray
    ) -> dict[str, FloatArray]:
        """Concordance by three definitions, mean time-dependent AUC, integrated Brier score of the incidence."""
        data, w, risk = self.data, weights, predicted.risk
        time, status = data.time[test], data.status[test]
        free = competing_metrics.Censoring.learned(data.time[train], data.status[train], time, times)
        g = metrics.censoring(data.time[train], data.event[train], time)
        out = {
            "harrell_c": metrics.harrell_c(time, status == 1, risk, w),
            "uno_c": metrics.uno_c(time, status == 1, risk, w, g, float(times[-1]) if len(times) else None),
            "wolbers_c": metrics.harrell_c(self.ever[test], status == 1, risk, w),
        }
        inverse = [competing_metrics.known_by(time, status, t, free, k) for k, t in enumerate(times)]
        aucs = [
            competing_metrics.incidence_auc(time, status, risk, w, i, t) for i, t in zip(inverse, times, strict=True)
        ]
        out["mean_auc"] = _mean_of_known(np.array(aucs))
        if predicted.survival is not None:
            briers = [
                competing_metrics.incidence_brier(time, status, 1 - predicted.survival[:, k], w, i, times[k])
                for k, i in enumerate(inverse)
            ]
            out["integrated_brier"] = metrics.integrate(times, np.array(briers))
        return out

    def apparent(self, ranking: FloatArray, risk: FloatArray, rows: IntArray, horizon: float) -> dict[str, float]:
        """Concordance that keeps competing events at risk, and the Brier score of the incidence at the horizon."""
        one, time, status = np.ones((1, len(rows))), self.data.time[rows], self.data.status[rows]
        free = competing_metrics.Censoring.learned(time, status, time, np.array([horizon]))
        inverse = competing_metrics.known_by(time, status, horizon, free, 0)
        return {
            "wolbers_c": float(metrics.harrell_c(self.ever[rows], status == 1, ranking, one)[0]),
            "brier_at_horizon": float(competing_metrics.incidence_brier(time, status, risk, one, inverse, horizon)[0]),
        }

    def external(
        self, predicted: Predicted, risk: FloatArray, weights: FloatArray, times: FloatArray, horizon: float
    ) -> dict[str, FloatArray]:
        """Concordance by three definitions, AUC at the horizon by both kinds of controls, Brier scores of incidence."""
        data, rank, everybody = self.data, predicted.risk, np.arange(self.data.n)
        free = competing_metrics.Censoring.learned(data.time, data.status, data.time, np.array([horizon]))
        inverse = competing_metrics.known_by(data.time, data.status, horizon, free, 0)
        found = self.metrics(predicted, weights, everybody, everybody, times)
        aucs = {
            name: competing_metrics.incidence_auc(data.time, data.status, rank, weights, inverse, horizon, controls)
            for name, controls in (("auc_at_horizon", "others"), ("auc_event_free_at_horizon", "event-free"))
        }
        first = {k: found[k] for k in ("harrell_c", "uno_c", "wolbers_c")}
        rest = {k: v for k, v in found.items() if k == "integrated_brier"}
        return first | aucs | rest | {"scaled_brier": self._scaled(risk, weights, horizon)}

    def _scaled(self, risk: FloatArray, weights: FloatArray, horizon: float) -> FloatArray:
        """``(R,)`` one minus the Brier score over that of predicting everybody the cumulative incidence."""
        time, status = self.data.time, self.data.status
        free = competing_metrics.Censoring.learned(time, status, time, np.array([horizon]))
        inverse = competing_metrics.known_by(time, status, horizon, free, 0)
        same = self.observed_in_resamples(weights, horizon)
        by = (inverse > 0) & (status == 1) & (time <= horizon)
        null = (weights @ (inverse * by)) * (1 - same) ** 2 + (weights @ (inverse * ~by)) * same**2
        null /= weights.sum(axis=1)
        brier = competing_metrics.incidence_brier(time, status, risk, weights, inverse, horizon)
        return 1 - np.where(null > 0, brier / np.where(null > 0, null, 1), np.nan)

    def smooth(
        self, risk: FloatArray, where: FloatArray, horizon: float, *, smoother: str, knots: int, level: float
    ) -> tuple[Smooth, str]:
        """Regression of pseudo-observations of the cumulative incidence on a spline of log(-log(1 - risk))."""
        _splines_only(smoother)
        x, at = (np.log(-np.log1p(-v)) for v in (risk, where))
        found = pseudo_risk(self.data.time, self.data.status, x, at, horizon, knots=knots, level=level)
        return found, f"pseudo-observations of the cumulative incidence on log(-log(1 - risk)) ({shape_of(knots)})"

    def observed_in_resamples(self, weights: FloatArray, horizon: float) -> FloatArray:
        """Aalen-Johansen incidence by the horizon in each resample."""
        return incidences_at(self.data.time, self.data.status, horizon, weights)

    def slope(self, prediction: FloatArray, fold: IntArray) -> tuple[float, float]:
        """Slope of a model of the subdistribution hazard on the linear predictor, with its robust error."""
        spread = float(prediction.std())
        z = ((prediction - prediction.mean()) / spread)[:, None, None]
        risk = fine_gray.SubdistributionSets(self.data.time, self.data.status, fold)
        return slope_of(fine_gray.fit(risk, z), spread)

    def observed_expected(self, risk: FloatArray, horizon: float, level: float) -> tuple[float, float, float, float]:
        """Aalen-Johansen incidence at the horizon with a log-log interval, and the mean predicted risk."""
        observed, low, high = incidence_at(self.data.time, self.data.status, horizon, level=level)
        return observed, float(risk.mean()), low, high

    def observed_in_group(
        self, at: npt.NDArray[np.bool_], risk: FloatArray, horizon: float, level: float
    ) -> dict[str, Any] | None:
        """Aalen-Johansen incidence with a log-log interval."""
        part = self.data.take(at)
        observed, low, high = incidence_at(part.time, part.status, horizon, level=level)
        events = int((part.event & (part.time <= horizon)).sum())
        return {"events": events, "observed": observed, "low": low, "high": high}

    def acted_on(self, act: npt.NDArray[np.bool_], horizon: float) -> tuple[float, float]:
        """Share acted on, and their Aalen-Johansen incidence by the horizon."""
        return float(act.mean()), incidence_at(self.data.time[act], self.data.status[act], horizon)[0]

    def competing_in(self, metric: str) -> str:
        """Say how competing events count in a metric."""
        return competing_text(self.data, _COUNT_AS.get(metric, "stand for no event"))

    def notes(self) -> list[str]:
        """Note how competing events count."""
        text = (
            f"{self.data.n_competing} competing event(s): ridge models are of the subdistribution hazard and predict "
            "the cumulative incidence (other models count them as censored); observed risks are Aalen-Johansen; in the "
            "AUC, the Brier score and wolbers_c they stand for no event, in harrell_c and uno_c they count as censored"
        )
        return [text]


def _splines_only(smoother: str) -> None:
    if smoother != "spline":
        raise DataError("Loess is for labels; the smoother of a survival endpoint is 'spline'.")


def _mean_of_known(values: FloatArray) -> FloatArray:
    """``(T, R)`` to ``(R,)``, over the times at which a value is defined."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def slope_of(fit: cox.Fits, spread: float) -> tuple[float, float]:
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

# ruff: noqa: ARG002 (one signature for all kinds of outcome, of which each uses a part)
"""Common interface of prediction tasks, for evaluation, calibration and decision curves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData, competing_text
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray
from mtorscore.prognosis.statistics.smoothing import Smooth

D = TypeVar("D", bound=OutcomeData)


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
    classes
        ``(m, K)`` probability of each of several classes; None for other outcomes.
    """

    risk: FloatArray
    survival: FloatArray | None = None
    linear: FloatArray | None = None
    classes: FloatArray | None = None

    @property
    def risk_at_first_time(self) -> FloatArray:
        """``(m,)`` predicted risk: by the first evaluation time where there is a survival curve."""
        return self.risk if self.survival is None else 1 - self.survival[:, 0]


class PredictionTask(ABC, Generic[D]):
    """A resolved endpoint as something to predict.

    What a subclass leaves out is left out of an evaluation: without `risk` there are no calibration and no decision
    curves, without `riley` no criteria of sample size.
    """

    needs_horizon: ClassVar[bool] = False
    """Whether a risk is one by a time."""

    def __init__(self, data: D) -> None:
        self.data = data

    @abstractmethod
    def check(self) -> None:
        """Refuse an outcome that cannot be learned or split, with an `EndpointError`."""

    @property
    def weights(self) -> FloatArray:
        """``(n,)`` weights of the observations in metrics."""
        return np.ones(self.data.n)

    @property
    @abstractmethod
    def stratum(self) -> npt.NDArray[Any]:
        """``(n,)`` class that folds keep in proportion."""

    @property
    @abstractmethod
    def smallest(self) -> int:
        """Observations of the rarest class, or events: no more folds than that."""

    @property
    def events(self) -> int:
        """Events that decide whether a metric is valid."""
        return self.data.n_events

    def learnable(self, rows: IntArray) -> bool:
        """Whether a model can be fitted on these rows."""
        return len(np.unique(self.stratum[rows])) > 1

    def evaluation_times(self, times: Sequence[float] | None) -> FloatArray:
        """Return the times at which predictions are evaluated; none by default."""
        return np.zeros(0)

    @property
    def default_horizon(self) -> float:
        """Time by which a risk is predicted unless said otherwise; 0 where there is none."""
        return 0.0

    @abstractmethod
    def default_model(self, seed: int = 0) -> Any:
        """Return the estimator that is fitted unless another is named."""

    def named_model(self, name: str, seed: int) -> Any:
        """Return a forest or boosted trees."""
        raise DataError(f"There is no model {name!r} for {type(self.data).__name__}; use 'ridge' or an estimator.")

    @abstractmethod
    def target(self, rows: IntArray) -> Any:
        """Return the outcome of some rows as an estimator's `fit` takes it."""

    def fit_options(self, rows: IntArray) -> dict[str, Any]:
        """Return further arguments of `fit`, learned from these rows alone."""
        return {}

    @abstractmethod
    def constant(self, train: IntArray, m: int, times: FloatArray) -> Predicted:
        """Predict `m` observations from the outcome of the training rows alone."""

    @abstractmethod
    def predict(self, model: Any, x: Any, times: FloatArray) -> Predicted:
        """Predict by a fitted model."""

    @abstractmethod
    def metrics(
        self, predicted: Predicted, weights: FloatArray, train: IntArray, test: IntArray, times: FloatArray
    ) -> dict[str, FloatArray]:
        """Return each metric of predicted test rows, ``(R,)`` for ``(R, m)`` weights."""

    def apparent(self, ranking: FloatArray, risk: FloatArray, rows: IntArray, horizon: float) -> dict[str, float]:
        """Return discrimination and Brier score of predictions for some rows, for the correction of optimism."""
        raise DataError(f"Optimism is not defined for {type(self.data).__name__} ({len(rows)} rows).")

    def positive_of(self, metric: str) -> str:
        """Return what a metric calls positive."""
        return self.data.positive

    def further(self, predicted: Predicted) -> dict[str, Any]:
        """Return further columns of a table of predictions."""
        return {}

    def views(self, predictions: pd.DataFrame) -> list[tuple[PredictionTask[Any], pd.DataFrame]]:
        """Return tasks of two classes with their predictions, which an outcome of several is calibrated by."""
        return []

    def risk(self, table: pd.DataFrame, horizon: float) -> FloatArray | None:
        """Return the predicted risk in a table of out-of-fold predictions; None where there is none."""
        return None

    def slope(self, prediction: FloatArray, fold: IntArray) -> tuple[float, float]:
        """Return the calibration slope of out-of-fold predictions and its error; NaN where it is not defined."""
        return float("nan"), float("nan")

    def events_by(self, horizon: float) -> int:
        """Return the events that a calibration curve at `horizon` rests on."""
        return self.events

    def smooth(
        self, risk: FloatArray, where: FloatArray, horizon: float, *, smoother: str, knots: int, level: float
    ) -> tuple[Smooth, str]:
        """Return the smoothed observed risk at the predicted risks `where` ``(m,)``, and what was fitted, in words.

        Parameters
        ----------
        risk
            ``(n,)`` predicted risk, above 0 and below 1.
        where
            ``(m,)``.
        horizon
            For survival.
        smoother
            ``"spline"`` or ``"loess"``.
        knots
            3, 4 or 5; 2 for a straight line.
        level
            Of the band.
        """
        raise DataError(f"There is no smooth calibration of {type(self.data).__name__} by {smoother}.")

    def scaled_brier(self, risk: FloatArray, horizon: float) -> float:
        """Return one minus the Brier score over that of predicting everybody the same; NaN where it is not defined."""
        return float("nan")

    def observed_expected(self, risk: FloatArray, horizon: float, level: float) -> tuple[float, float, float, float]:
        """Return observed and expected risk, and the interval of the observed one."""
        raise DataError(f"Calibration is not defined for {type(self.data).__name__}.")

    def external(
        self, predicted: Predicted, risk: FloatArray, weights: FloatArray, times: FloatArray, horizon: float
    ) -> dict[str, FloatArray]:
        """Return the metrics of a frozen model, ``(R,)`` for ``(R, n)`` weights; `risk` is that by the horizon."""
        raise DataError(f"External validation is not defined for {type(self.data).__name__}.")

    def observed_in_resamples(self, weights: FloatArray, horizon: float) -> FloatArray:
        """Return the observed risk by the horizon in each resample, ``(R,)`` for ``(R, n)`` weights."""
        raise DataError(f"Calibration is not defined for {type(self.data).__name__}.")

    def observed_in_group(
        self, at: npt.NDArray[np.bool_], risk: FloatArray, horizon: float, level: float
    ) -> dict[str, Any] | None:
        """Return events, observed, low, high of one group of a calibration curve; None where nothing is known."""
        raise DataError(f"Calibration is not defined for {type(self.data).__name__}.")

    def acted_on(self, act: npt.NDArray[np.bool_], horizon: float) -> tuple[float, float]:
        """Return the share that is acted on, and the risk observed among them."""
        raise DataError(f"Decision curves are not defined for {type(self.data).__name__}.")

    def riley(self) -> dict[str, float] | None:
        """Return the arguments of `minimum_sample_size` that describe these data; None where it does not apply."""
        return None

    def competing_in(self, metric: str) -> str:
        """Say how competing events count in a metric; empty where there is none."""
        return competing_text(self.data, "stand for no event")

    def notes(self) -> list[str]:
        """Return notes on an evaluation."""
        return []

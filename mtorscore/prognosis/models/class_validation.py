"""Validation of a frozen model of several classes, and its recalibration: one slope, new intercepts or thresholds.

References
----------
Van Hoorde et al., J Biomed Inform 2015;54:283 (calibration of multinomial models).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import log_softmax, logit

from mtorscore.prognosis.endpoints.labels import LabelData
from mtorscore.prognosis.models.fitted import FittedModel, recalibrated
from mtorscore.prognosis.models.model_kinds import ModelKind
from mtorscore.prognosis.prediction.calibration import calibration_curve
from mtorscore.prognosis.prediction.class_tasks import class_metrics_of
from mtorscore.prognosis.prediction.smooth_calibration import SmoothCalibration, smooth_calibration
from mtorscore.prognosis.statistics import logistic, ordinal
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

__all__ = ["validate_classes"]

RESAMPLED = 201
"""Resamples at most in which slopes are fitted."""


def validate_classes(
    fitted: FittedModel,
    kind: type[ModelKind],
    data: LabelData,
    linear: FloatArray,
    weights: FloatArray,
    level: float,
) -> tuple[dict[str, FloatArray], pd.DataFrame, SmoothCalibration, FittedModel]:
    """Return metrics by name, calibration curves of each class against the rest, and the recalibrated model.

    Parameters
    ----------
    fitted, kind
        The model.
    data
        The label here, with the codes of the model.
    linear
        ``(n,)`` or ``(n, K)`` linear predictor.
    weights
        ``(R, n)``: the cohort, then resamples.
    level
        Of the intervals of the curves.
    """
    p = kind.prediction(linear, fitted.intercepts)
    rows = class_metrics_of(data.y, p, weights, data.classes, ordered=kind.ascending)
    curves, smooth, slopes = [], [], {}
    for k, name in enumerate(data.classes):
        label = replace(data.against(k), weights=weights[0])
        rows[f"observed_expected of {name}"] = weights @ label.y / np.maximum(weights @ p[:, k], 1e-300)
        if 0 < label.y.sum() < data.n:
            slopes[f"calibration_slope of {name}"] = _slopes(label.y, p[:, k], weights)
            curves.append(calibration_curve(p[:, k], label, level=level))
            found = smooth_calibration(p[:, k], label, level=level)
            slopes[f"ici of {name}"] = np.array([found.ici])
            smooth.append(found.curve)
    curve, smoothed = (pd.concat(c, ignore_index=True) if c else pd.DataFrame() for c in (curves, smooth))
    return rows | slopes, curve, SmoothCalibration(smoothed), _recalibrated(fitted, kind, data, linear, weights[0])


def _slopes(y: IntArray, p: FloatArray, weights: FloatArray) -> FloatArray:
    """Slope of a class against the rest on the log odds of its probability, in the cohort and in each resample."""
    odds = logit(np.clip(p, 1e-9, 1 - 1e-9))
    out = np.full(len(weights), np.nan)
    if odds.std() == 0:
        return out
    many = min(len(weights), RESAMPLED)
    stacked = np.repeat(odds[:, None, None], many, axis=2)
    fit = logistic.newton(stacked, y.astype(np.float64), weights[:many].T)
    out[:many] = np.where(fit.converged, fit.coef[0], np.nan)
    return out


def _recalibrated(
    fitted: FittedModel, kind: type[ModelKind], data: LabelData, linear: FloatArray, weights: FloatArray
) -> FittedModel:
    """Return the model with slope and intercepts of this cohort; as it is where a class is absent or nothing fits."""
    if not data.counts.all():
        return fitted
    slope, intercepts = (_thresholds if kind.ascending else _intercepts)(data, linear, weights, fitted.intercepts)
    if not np.isfinite(slope):
        return fitted
    return recalibrated(fitted, slope, data.n, intercepts=intercepts, name=f"{fitted.name} recalibrated")


def _thresholds(data: LabelData, linear: FloatArray, weights: FloatArray, _: FloatArray) -> tuple[float, FloatArray]:
    spread = float(linear.std())
    if spread == 0:
        return float("nan"), np.zeros(0)
    fit = ordinal.newton((linear / spread)[:, None, None], data.y, len(data.classes), weights)
    return (float(fit.coef[0, 0]) / spread, fit.coef[1:, 0]) if fit.converged[0] else (float("nan"), np.zeros(0))


def _intercepts(
    data: LabelData, linear: FloatArray, weights: FloatArray, frozen: FloatArray
) -> tuple[float, FloatArray]:
    """Maximise the likelihood over one slope of the covariates' part and one intercept per class."""
    part, rows = linear - frozen, np.arange(data.n)

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        logs = log_softmax(theta[0] * part + theta[1:], axis=1)
        gap = weights[:, None] * (np.exp(logs) - (data.y[:, None] == np.arange(part.shape[1])))
        return -float(weights @ logs[rows, data.y]), np.append((gap * part).sum(), gap.sum(axis=0))

    found = minimize(loss, np.append(1.0, frozen), jac=True, method="BFGS")
    return float(found.x[0]), found.x[1:] - found.x[1:].mean()

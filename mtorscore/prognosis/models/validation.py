"""External validation: discrimination, calibration, case mix, recalibration.

References
----------
van Houwelingen, Stat Med 2000;19:3401 and Steyerberg 2019 (validation and recalibration); Debray et al., J Clin
Epidemiol 2015;68:279 (case mix).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from mtorscore._outcome_terms import MIN_EVENTS
from mtorscore.errors import DataError, EndpointError, examples
from mtorscore.prognosis.endpoints.checks import check_counts, check_horizon, check_level, within_follow_up
from mtorscore.prognosis.endpoints.columns import nearly_same
from mtorscore.prognosis.endpoints.covariates import check_observations, check_table, pick_columns
from mtorscore.prognosis.endpoints.endpoints import Endpoint, SurvivalData
from mtorscore.prognosis.endpoints.inputs import is_anndata
from mtorscore.prognosis.endpoints.labels import LabelData
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData
from mtorscore.prognosis.endpoints.scoring_record import other_reference, scoring_of
from mtorscore.prognosis.models.class_validation import validate_classes
from mtorscore.prognosis.models.fitted import FittedModel, fit_model, recalibrated, value_quantiles
from mtorscore.prognosis.models.model_kinds import KINDS
from mtorscore.prognosis.models.same_outcome import (
    as_the_model,
    classes_by_name,
    competing_notes,
    same_classes,
    same_outcome,
)
from mtorscore.prognosis.models.training_cohort import known_again, patients_in
from mtorscore.prognosis.models.transportability import (
    case_mix,
    other_scale,
    replaced_values,
    turned_round,
    validation_notes,
)
from mtorscore.prognosis.prediction.calibration import calibration_curve
from mtorscore.prognosis.prediction.folds import group_multiplicities
from mtorscore.prognosis.prediction.prediction_task import Predicted
from mtorscore.prognosis.prediction.smooth_calibration import (
    ERRORS,
    NO_INTERVAL,
    SmoothCalibration,
    smooth_calibration,
)
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.prognosis.statistics import cox, logistic, metrics
from mtorscore.prognosis.statistics.fine_gray import risk_sets
from mtorscore.prognosis.statistics.inference import log_interval, logit_interval, spread_interval
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

SHARES = (
    *("auc_at_horizon", "auc_event_free_at_horizon", "roc_auc", "average_precision"),
    *("harrell_c", "uno_c", "wolbers_c"),
)
"""Metrics that are shares: of pairs, or of those called."""

__all__ = ["Validation", "leave_one_cohort_out", "validate"]


@dataclass(frozen=True, eq=False)
class Validation:
    """Result of `validate`.

    Attributes
    ----------
    summary
        One row per metric: value, low, high (by bootstrap over patients, see `interval_of`), n, events, valid, reason,
        and the horizon, positive class and level of the intervals that they hold for; `competing` says how such events
        count.
    calibration
        Groups by predicted risk: n, predicted, observed, low, high.
    smooth
        Smooth calibration curve with band, ICI, E50 and E90; see `smooth_calibration`.
    case_mix
        Per column of the model: mean and SD in training and here, standardised difference, share outside the training
        range.
    recalibrated
        The model with slope and baseline (or intercept) of this cohort; it must be validated anew.
    notes
        What should be said with the result.
    """

    summary: pd.DataFrame
    calibration: pd.DataFrame
    case_mix: pd.DataFrame
    recalibrated: FittedModel
    notes: tuple[str, ...]
    smooth: SmoothCalibration = field(default_factory=lambda: SmoothCalibration(pd.DataFrame()))


def validate(
    fitted: FittedModel,
    X: Any,
    clinical: pd.DataFrame,
    endpoint: Endpoint | None = None,
    *,
    horizon: float | None = None,
    n_boot: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Validation:
    """Apply a frozen model to another cohort.

    Parameters
    ----------
    fitted
        From `fit_model` or `load_model`.
    X
        Scores, or expression when the model holds a reference.
    clinical, endpoint
        The outcome there; the model's own endpoint definition by default. Units must agree.
    horizon
        Time by which risks are predicted, within the follow-up of this cohort; by default the median event time of
        the training cohort.
    n_boot, level, seed
        Of the bootstrap intervals.

    Returns
    -------
    Validation
        Nothing of the model is changed; a recalibrated one is returned beside.

    Raises
    ------
    EndpointError
        If kind, unit, positive class or early horizon of the endpoints differ, the horizon lies beyond follow-up, or
        there is no event.
    ReferenceMismatchError
        If the scores were made by another method than the model's.
    DataError
        If columns are missing, or hold words or levels that the model does not know.
    """
    endpoint = as_the_model(fitted, fitted.endpoint if endpoint is None else endpoint)
    check_level(level)
    check_horizon(horizon)
    check_counts(n_boot=n_boot, seed=seed)
    said = same_outcome(fitted, endpoint)
    X, lost = _in_clinical(X, clinical, endpoint)
    features = fitted.features(X, clinical)
    linear = fitted.linear_predictor(X, clinical)
    data = endpoint.resolve(clinical, features.index)
    if KINDS[fitted.kind].several:
        data, absent = classes_by_name(fitted, cast("LabelData", data))
        said += absent
    else:
        said += same_classes(fitted, endpoint, data)
    features, linear = features.loc[data.index], linear.loc[data.index]
    known = np.isfinite(linear.to_numpy().reshape(len(linear), -1)).all(axis=1)
    if not known.any():
        gaps = features.columns[features.isna().all()]
        raise EndpointError(
            f"Endpoint {data.name}: none of the {len(known)} observations has a prediction; "
            + (f"{examples(gaps)} is missing for all of them." if len(gaps) else "each lacks a score of the model.")
        )
    data, features, values = data.take(known), features[known], linear.to_numpy()[known]
    if data.n == 0 or (data.n_events == 0 and not KINDS[fitted.kind].several):
        raise EndpointError(f"Endpoint {data.name}: no event among the {data.n} observations with a prediction.")
    task = make_task(data)
    at = _horizon(fitted, data, horizon)
    patients, repeated = _patients(clinical, data.index)
    weights = group_multiplicities(data.n, patients, n_boot, np.random.default_rng(seed)) * task.weights
    found = _VALIDATIONS[fitted.kind](fitted, data, values, weights, at, level)
    summary = _summary(fitted, data, found, at, level)
    mix = case_mix(fitted, features)
    notes = [*validation_notes(mix, data, known, values), *found.notes, *turned_round(summary)]
    notes += replaced_values(fitted, clinical.loc[data.index])
    notes += [*said, *repeated, *known_again(fitted.training, features[list(fitted.scores)], clinical)]
    if fitted.takes_expression(X):
        notes += other_scale(fitted.training.get("expression"), value_quantiles(X))
    else:
        notes += other_reference(fitted.scoring, scoring_of(X))
    if lost:
        notes.insert(0, f"{lost} observation(s) without a clinical row were left out")
    return Validation(summary, found.curve, mix, found.updated, tuple(notes), found.smooth)


def _horizon(fitted: FittedModel, data: OutcomeData, horizon: float | None) -> float:
    """Return the time by which risks are predicted: the one asked for, or that of the training cohort.

    Raises
    ------
    EndpointError
        If it lies beyond the follow-up of this cohort.
    """
    if not KINDS[fitted.kind].has_survival:
        return data.horizon
    at = fitted.horizon if horizon is None else float(horizon)
    whose = "training cohort's median event time" if horizon is None else "horizon"
    if at is not None:
        fitted.check_within_training(np.array([at]))
    return within_follow_up(float("nan") if at is None else at, data, f"The {whose}")


def _patients(clinical: pd.DataFrame, index: pd.Index) -> tuple[IntArray | None, list[str]]:
    """Return the patient of each observation where some have several, for the resamples, and a note."""
    names = patients_in(clinical, index)
    several = int(names[names.duplicated()].nunique())
    if not several:
        return None, []
    text = f"{several} patient(s) have several observations: the intervals resample patients, not observations"
    return pd.factorize(names)[0].astype(np.int64), [text]


def _summary(fitted: FittedModel, data: OutcomeData, found: _Found, at: float, level: float) -> pd.DataFrame:
    """Return one row per metric."""
    task = make_task(data)
    summary = pd.DataFrame([_interval(name, v, level) for name, v in found.metrics.items()])
    summary.insert(0, "model", fitted.name)
    summary["n"], summary["events"] = data.n, data.n_events
    few = task.events < MIN_EVENTS
    summary["valid"] = ~summary["value"].isna() & (not few)
    distance = summary["metric"].isin(ERRORS)
    summary["reason"] = np.where(summary["value"].isna(), "not defined here", np.where(distance, NO_INTERVAL, ""))
    if found.smooth.reason:
        summary.loc[distance, "reason"] = found.smooth.reason
    if few:
        summary["reason"] = f"only {task.events} event(s); at least {MIN_EVENTS} are asked for"
    summary["competing"] = summary["metric"].map(task.competing_in)
    return summary.assign(horizon=at, positive=[task.positive_of(m) for m in summary["metric"]], level=level)


def _in_clinical(x: Any, clinical: pd.DataFrame, endpoint: Endpoint) -> tuple[Any, int]:
    """Leave out the observations that the clinical table does not hold; return how many there were."""
    if not (isinstance(x, pd.DataFrame) or is_anndata(x)):
        return x, 0
    index = x.index if isinstance(x, pd.DataFrame) else x.obs_names
    check_observations(index, "features")
    if not isinstance(clinical, pd.DataFrame):
        raise DataError(f"The clinical table must be a DataFrame indexed by observation, not {type(clinical)}.")
    known = index.isin(clinical.index)
    if not known.any():
        raise EndpointError(
            f"Endpoint {endpoint.name}: none of the {len(index)} observations ({examples(index)}) is in the clinical "
            f"table ({examples(clinical.index)}); "
            f"{nearly_same(index, clinical.index) or 'join both on the same identifier'}."
        )
    return (x if known.all() else x[known]), int((~known).sum())


def interval_of(name: str, values: FloatArray, level: float) -> tuple[float, float]:
    """Interval of a metric by its resamples: those of a share on the logit, of a ratio on the logarithm's scale.

    Percentiles of resamples are too narrow with few events (benchmarks/prognosis/coverage.tsv).
    """
    value, resamples = float(values[0]), values[1:]
    # Of several classes each metric is "of" its class.
    name = name.split(" of ")[0]
    if name in SHARES:
        return logit_interval(value, resamples, level)
    if name == "observed_expected":
        return log_interval(value, resamples, level)
    if name.startswith("calibration_"):
        return spread_interval(value, resamples, level)
    known = resamples[np.isfinite(resamples)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def _interval(name: str, values: FloatArray, level: float) -> dict[str, Any]:
    low, high = interval_of(name, values, level)
    return {"metric": name, "value": float(values[0]), "low": low, "high": high}


@dataclass(frozen=True)
class _Found:
    """Metrics with their resamples, calibration curve, recalibrated model, and notes of one kind of model."""

    metrics: dict[str, FloatArray]
    curve: pd.DataFrame
    smooth: SmoothCalibration
    updated: FittedModel
    notes: tuple[str, ...] = ()


def _survival(
    fitted: FittedModel, data: Any, linear: FloatArray, weights: FloatArray, at: float, level: float
) -> _Found:
    """Validate a survival model at a horizon."""
    grid = np.unique(np.quantile(data.time[data.event], np.linspace(0.1, 0.8, 9)))
    survival = fitted.survival_at(linear, grid)
    predicted = 1 - fitted.survival_at(linear, np.array([at]))[:, 0]
    slope = _slopes(data, linear, weights)
    task = make_task(data)
    observed = task.observed_in_resamples(weights, at)
    expected = weights @ predicted / weights.sum(axis=1)
    rows = task.external(Predicted(linear, survival, linear), predicted, weights, grid, at) | {
        "calibration_slope": slope,
        "observed_expected": np.where(expected > 0, observed / np.where(expected > 0, expected, 1), np.nan),
    }
    smooth = smooth_calibration(predicted, data, at, level=level)
    updated = _recalibrate(fitted, data, linear, float(slope[0]))
    notes = (*_followed_beyond(fitted, data), *competing_notes(fitted, data))
    curve = calibration_curve(predicted, data, at, level=level)
    return _Found(rows | _distances(smooth), curve, smooth, updated, notes)


def _distances(smooth: SmoothCalibration) -> dict[str, FloatArray]:
    """Return ICI, E50 and E90 as metrics without resamples."""
    return {name: np.array([getattr(smooth, name)]) for name in ERRORS}


def _followed_beyond(fitted: FittedModel, data: SurvivalData) -> tuple[str, ...]:
    """Say how many were followed for longer than the training cohort can say anything about."""
    if not len(fitted.times):
        return ()
    beyond = float((data.time > fitted.times[-1]).mean())
    return (f"{beyond:.0%} were followed beyond the last event of the training cohort",) if beyond > 0.2 else ()


def _slopes(data: SurvivalData, linear: FloatArray, weights: FloatArray) -> FloatArray:
    """Calibration slope in the cohort (first) and in each resample, by repeating rows."""
    out = np.full(len(weights), np.nan)
    spread = float(linear.std())
    if spread == 0:
        return out
    for b, w in enumerate(weights[:201]):
        rows = np.repeat(np.arange(data.n), w.astype(int))
        if not data.event[rows].any():
            continue
        entry = None if data.entry is None else data.entry[rows]
        risk = risk_sets(data.time[rows], data.status[rows], entry)
        fit = cox.newton(risk, ((linear[rows] - linear.mean()) / spread)[:, None, None], tol=1e-8)
        out[b] = fit.coef[0, 0] / spread if fit.converged[0] else np.nan
    return out


def _recalibrate(fitted: FittedModel, data: SurvivalData, linear: FloatArray, slope: float) -> FittedModel:
    if not np.isfinite(slope):
        return fitted
    eta = linear * slope
    offset = float(eta.max())
    risk = risk_sets(data.time, data.status, data.entry)
    hazard = 1.0 / risk.sum(np.exp(eta - offset))
    times, at = np.unique(risk.times, return_inverse=True)
    cumulative = np.cumsum(np.bincount(at, weights=hazard))
    return recalibrated(
        fitted, slope, data.n, times=times, hazard=cumulative, offset=offset, name=f"{fitted.name} recalibrated"
    )


def _label(
    fitted: FittedModel,
    data: Any,
    linear: FloatArray,
    weights: FloatArray,
    at: float,  # noqa: ARG001
    level: float,
) -> _Found:
    """Validate a model of a label."""
    p = KINDS[fitted.kind].prediction(linear, fitted.intercepts)
    y = data.y
    total = weights.sum(axis=1)
    spread = float(linear.std())
    fit = logistic.newton(linear[:, None, None], y.astype(np.float64), weights[0])
    slope, intercept = float(fit.coef[0, 0]), float(fit.coef[1, 0])
    many = min(len(weights), 201)
    slopes = np.full(len(weights), np.nan)
    if spread > 0:
        boot = logistic.newton(np.repeat(linear[:, None, None], many, axis=2), y.astype(np.float64), weights[:many].T)
        slopes[:many] = np.where(boot.converged, boot.coef[0], np.nan)
    rows = {
        "roc_auc": metrics.roc_auc(y, linear, weights),
        "average_precision": metrics.average_precision(y, linear, weights),
        "brier": metrics.brier(y, p, weights),
        "scaled_brier": metrics.scaled_brier(y, p, weights),
        "calibration_slope": slopes,
        "calibration_in_the_large": np.array([_in_the_large(y, linear, w) for w in weights]),
        "observed_expected": (weights @ y) / np.maximum(weights @ p, 1e-300) * (total / total),
    }
    good = np.isfinite(slope) and bool(fit.converged[0])
    updated = fitted
    if good:
        updated = recalibrated(
            fitted, slope, data.n, intercept=fitted.intercept * slope + intercept, name=f"{fitted.name} recalibrated"
        )
    smooth = smooth_calibration(p, data, level=level)
    return _Found(rows | _distances(smooth), calibration_curve(p, data, level=level), smooth, updated)


def _in_the_large(y: IntArray, linear: FloatArray, w: FloatArray) -> float:
    """Shift of the linear predictor that makes the mean prediction equal the mean outcome."""
    target = float(w @ y)
    if not 0 < target < w.sum():
        return float("nan")
    return float(brentq(lambda a: float(w @ expit(linear + a)) - target, -50, 50))


def _classes(
    fitted: FittedModel,
    data: Any,
    linear: FloatArray,
    weights: FloatArray,
    at: float,  # noqa: ARG001
    level: float,
) -> _Found:
    """Validate a model of several classes."""
    return _Found(*validate_classes(fitted, KINDS[fitted.kind], data, linear, weights, level))


_VALIDATIONS: dict[str, Callable[[FittedModel, Any, FloatArray, FloatArray, float, float], _Found]] = {
    "survival": _survival,
    "label": _label,
    "classes": _classes,
    "ordered": _classes,
}


def leave_one_cohort_out(
    X: pd.DataFrame,
    clinical: pd.DataFrame,
    endpoint: Endpoint,
    cohort: str,
    baseline: Sequence[str] = (),
    *,
    standardise: bool = False,
    horizon: float | None = None,
    n_boot: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Fit on all cohorts but one, validate on that one, in turn.

    Parameters
    ----------
    X
        Scores of all cohorts.
    clinical
        With the column `cohort`.
    standardise
        Standardise scores within each cohort first: needed where platforms differ, but then a single new patient
        cannot be scored.
    horizon
        As in `validate`, for every cohort; by default the median event time of the others.
    n_boot, level, seed
        Of the bootstrap intervals.

    Returns
    -------
    pandas.DataFrame
        The rows of `Validation.summary`, with the held-out cohort and notes.
    """
    check_table(X, "features")
    check_observations(clinical.index, "clinical table")
    pick_columns(clinical, [cohort], "cohort column(s)")
    names = clinical[cohort].reindex(X.index).dropna()
    if names.empty:
        raise DataError(f"No observation of X has a value of {cohort!r} in the clinical table; join both on one id.")
    X = X.loc[names.index]
    if names.nunique() < 2:
        raise DataError(f"Column {cohort!r} holds {names.nunique()} cohort(s); two at least are needed.")
    if standardise:
        X = X.groupby(names).transform(lambda v: (v - v.mean()) / v.std(ddof=1))
    parts = []
    for held in sorted(names.unique()):
        inside = (names != held).to_numpy()
        model = fit_model(X[inside], clinical, endpoint, baseline, name=f"without {held}", seed=seed)
        result = validate(model, X[~inside], clinical, endpoint, horizon=horizon, n_boot=n_boot, level=level, seed=seed)
        parts.append(result.summary.assign(cohort=held, notes="; ".join(result.notes)))
    return pd.concat(parts, ignore_index=True)

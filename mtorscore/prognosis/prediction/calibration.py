"""Calibration of predicted risks, and of cross-validated predictions with decision curves and likelihood ratios.

References
----------
van Houwelingen, Stat Med 2000;19:3401 (slope, observed against expected); Vickers et al., BMC Med Inform Decis Mak
2008;8:53 (decision curves under censoring).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from mtorscore._outcome_terms import EVENTS_PER_PARAMETER
from mtorscore.errors import DataError, StatisticsWarning, warn
from mtorscore.prognosis.endpoints.checks import within_follow_up
from mtorscore.prognosis.endpoints.covariates import rare_levels
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData
from mtorscore.prognosis.endpoints.outcome_models import make_outcomes
from mtorscore.prognosis.prediction.decision_curves import net_benefit
from mtorscore.prognosis.prediction.prediction_task import PredictionTask
from mtorscore.prognosis.prediction.smooth_calibration import ERRORS, smooth_calibration
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

Task = PredictionTask[Any]

THRESHOLDS = tuple(float(t) for t in np.round(np.arange(0.05, 0.65, 0.05), 2))
CALIBRATION = ["model", "calibration_slope", "slope_conditional_low", "slope_conditional_high"]
CALIBRATION += ["observed", "expected", "observed_expected"]
CALIBRATION += ["oe_low", "oe_high", "ici", "e50", "e90", "scaled_brier", "horizon", "positive", "competing"]
CALIBRATION += ["reason"]


def calibration_curve(
    predicted: npt.ArrayLike,
    data: OutcomeData,
    horizon: float | None = None,
    groups: int = 5,
    *,
    level: float = 0.95,
) -> pd.DataFrame:
    """Observed against predicted risk in groups of equal size.

    Parameters
    ----------
    predicted
        ``(n,)`` predicted risk (by `horizon`, for survival).
    data
        Resolved endpoint.
    horizon
        For survival.
    groups
        Quantile groups; fewer where predictions tie.
    level
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        group, n, events, predicted, observed, low, high, horizon, positive, competing. Kaplan-Meier with log-log
        interval (with competing events Aalen-Johansen), or Wilson's interval.

    Raises
    ------
    DataError
        If a survival endpoint comes without a horizon.
    EndpointError
        If the horizon lies beyond follow-up.
    """
    values, task = np.asarray(predicted, dtype=np.float64), make_task(data)
    if task.needs_horizon and horizon is None:
        raise DataError("Calibration of a survival endpoint needs a horizon.")
    at_time = within_follow_up(float(horizon), data) if task.needs_horizon and horizon is not None else data.horizon
    cuts = np.unique(np.quantile(values, np.linspace(0, 1, groups + 1)[1:-1]))
    code = np.searchsorted(cuts, values, side="left")
    rows = []
    for g in np.unique(code):
        at = code == g
        observed = task.observed_in_group(at, values, at_time, level)
        if observed is not None:
            row: dict[str, Any] = {"group": int(g) + 1, "n": int(at.sum()), "predicted": float(values[at].mean())}
            rows.append(row | observed)
    table = pd.DataFrame(rows)[["group", "n", "events", "predicted", "observed", "low", "high"]]
    return table.assign(horizon=at_time, positive=data.positive, competing=task.competing_in("observed_expected"))


def assess_calibration(
    task: Task, predictions: pd.DataFrame, times: FloatArray, level: float
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return calibration per model, calibration curves, decision curves and smooth curves of out-of-fold predictions.

    Parameters
    ----------
    task
        The endpoint, ``n`` observations.
    predictions
        As in `Evaluation.predictions`.
    times
        Evaluation times (survival); the middle one is the horizon.
    level
        Of the intervals.
    """
    views = task.views(predictions)
    if views:
        parts = [assess_calibration(one, own, times, level) for one, own in views]
        columns = zip(*parts, strict=True)
        return tuple(pd.concat([t for t in c if len(t)] or [c[0]], ignore_index=True) for c in columns)
    data = task.data
    horizon = float(times[len(times) // 2]) if len(times) else data.horizon
    rows, curves, decisions, smooth = [], [], [], []
    place = pd.Index(data.index.astype(str))
    for name, own in predictions.groupby("model", sort=False):
        risk, slopes = np.zeros(data.n), []
        repeats = own["repeat"].nunique()
        for _, one in own.groupby("repeat", sort=False):
            at = place.get_indexer(one["observation"])
            slopes.append(_slope(make_task(data.take(at)), one, name == "dummy"))
            predicted = task.risk(one, horizon)
            risk[at] += np.nan if predicted is None else predicted / repeats
        row: dict[str, Any] = {"model": name, "horizon": horizon, "positive": data.positive}
        row["competing"] = task.competing_in("observed_expected")
        row |= _pooled(np.array(slopes), level)
        if np.isfinite(risk).all():
            row |= _observed_expected(task, risk, horizon, level)
            found = smooth_calibration(risk, data, horizon if task.needs_horizon else None, level=level)
            row |= {e: getattr(found, e) for e in ERRORS} | {"reason": found.reason}
            row["scaled_brier"] = task.scaled_brier(risk, horizon)
            smooth.append(found.curve.assign(model=name))
            curves.append(calibration_curve(risk, data, horizon, level=level).assign(model=name))
            decisions.append(net_benefit(task, risk, THRESHOLDS, horizon).replace({"strategy": {"model": name}}))
        rows.append(row)
    calibration = pd.DataFrame(rows).reindex(columns=CALIBRATION)
    if not curves:
        return calibration, pd.DataFrame(), pd.DataFrame(), pd.DataFrame()
    decision = pd.concat(decisions, ignore_index=True).drop_duplicates(["strategy", "threshold"])
    drawn = [s for s in smooth if len(s)]
    smoothed = pd.concat(drawn, ignore_index=True) if drawn else smooth[0]
    return calibration, pd.concat(curves, ignore_index=True), decision.reset_index(drop=True), smoothed


def _slope(task: Task, one: pd.DataFrame, constant: bool) -> tuple[float, float]:
    """Slope of the outcome on the out-of-fold linear predictor, and its error; folds have their own baseline."""
    prediction = one["prediction"].to_numpy(dtype=np.float64)
    if constant or prediction.std() < 1e-12:
        return float("nan"), float("nan")
    fold: IntArray = one["fold"].to_numpy(dtype=np.int64)
    return task.slope(prediction, fold)


def _pooled(slopes: FloatArray, level: float) -> dict[str, float]:
    """Mean over repeats; they share their patients, so the error is the mean error of one repeat."""
    known = slopes[np.isfinite(slopes).all(axis=1)]
    if not len(known):
        return {}
    mean, error = known.mean(axis=0)
    half = stats.norm.ppf(0.5 + level / 2) * error
    return {"calibration_slope": mean, "slope_conditional_low": mean - half, "slope_conditional_high": mean + half}


def _observed_expected(task: Task, risk: FloatArray, horizon: float, level: float) -> dict[str, float]:
    observed, expected, low, high = task.observed_expected(risk, horizon, level)
    out = {"observed": observed, "expected": expected}
    if expected > 0:
        out |= {"observed_expected": observed / expected, "oe_low": low / expected, "oe_high": high / expected}
    return out


def likelihood_ratio(data: OutcomeData, score: pd.DataFrame, clinical: FloatArray, name: str) -> dict[str, Any]:
    """Test all scores of a model beside the clinical columns, without penalty and in sample.

    Not valid with fewer than ten events per parameter.
    """
    outcomes = make_outcomes(data)
    # Those of several classes share one multinomial likelihood, with a coefficient per class but the reference.
    outcome, times = outcomes[0], len(outcomes)
    events = min(o.events for o in outcomes)
    parts = []
    for block in (clinical, score.to_numpy(dtype=np.float64)):
        sd = block.std(axis=0)
        parts.append((block[:, sd > 0] - block[:, sd > 0].mean(axis=0)) / sd[sd > 0])
    both = np.concatenate(parts, axis=1)
    row: dict[str, Any] = {"model": name, "df": times * parts[1].shape[1], "parameters": times * both.shape[1]}
    row |= {"chisq": np.nan, "p": np.nan, "valid": False}
    if not 0 < both.shape[1] < events:
        return row | {"reason": f"{row['parameters']} parameters for {events} events: not fitted"}
    fits = [outcome.fit(m[:, :, None]) for m in (parts[0], both)]
    if not all(f.converged[0] for f in fits):
        return row | {"reason": "a model did not converge"}
    chisq = max(0.0, 2 * float(fits[1].loglik[0] - fits[0].loglik[0]))
    if outcome.fractional_weights:
        return row | {"reason": "observations are weighted: a likelihood ratio has no chi-squared distribution"}
    enough = events >= EVENTS_PER_PARAMETER * both.shape[1]
    row |= {"chisq": chisq, "p": float(stats.chi2.sf(chisq, row["df"])), "valid": enough}
    return row | {"reason": "" if enough else f"{row['parameters']} parameters for {events} events"}


def evaluation_notes(
    task: Task, model: Any, clinical: pd.DataFrame, left_out: int, folds: int, wanted: int, impute: str = "median"
) -> tuple[str, ...]:
    """Return what should be said with an evaluation: exclusions, imputed values, analytic flexibility.

    Parameters
    ----------
    task, model
        As evaluated.
    clinical
        Baseline columns of the evaluated observations.
    left_out
        Observations with a missing feature.
    folds, wanted
        Outer folds, used and asked for.
    impute
        How missing clinical values are filled.
    """
    notes = []
    if left_out:
        notes.append(f"{left_out} observation(s) with a missing feature were left out")
    if folds < wanted:
        notes.append(f"{folds} folds instead of {wanted}: the smaller class, or the events, are too few")
    filled = [f"{c} ({n} of {len(clinical)})" for c, n in clinical.isna().sum().items() if n]
    if filled:
        become = {
            "median": "become the training folds' median or commonest level",
            "regression": "are predicted from the other clinical columns, as learned in the training folds",
        }[impute]
        notes.append(f"missing clinical values {become}: {', '.join(filled)}")
    rare = rare_levels(clinical)
    if rare:
        notes.append(f"{rare}: the ridge penalty shrinks them towards the commonest level")
    notes += task.notes()
    if isinstance(model, dict) and len(model) > 1:
        text = "several models were compared on the same data: the best of them looks better than it is"
        notes.append(text)
        warn(f"{text} (a forking path).", StatisticsWarning)
    return tuple(notes)

"""What cross-validated predictions are worth beyond ranking: calibration, decision curves, likelihood-ratio test.

References
----------
van Houwelingen, Stat Med 2000;19:3401 (slope, observed against expected); Vickers et al., BMC Med Inform Decis Mak
2008;8:53 (decision curves under censoring).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import logit

from mtorscore._outcome_terms import EVENTS_PER_PARAMETER
from mtorscore.errors import StatisticsWarning, warn
from mtorscore.prognosis.endpoints.endpoints import LabelData, SurvivalData
from mtorscore.prognosis.endpoints.outcome_models import make_outcome
from mtorscore.prognosis.models.validation import calibration_curve
from mtorscore.prognosis.prediction.candidates import Data
from mtorscore.prognosis.prediction.decision_curves import net_benefit
from mtorscore.prognosis.statistics import cox, logistic
from mtorscore.prognosis.statistics.kaplan_meier import loglog_interval, product_limit
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets

THRESHOLDS = tuple(float(t) for t in np.round(np.arange(0.05, 0.65, 0.05), 2))
CALIBRATION = ["model", "calibration_slope", "slope_low", "slope_high", "observed", "expected", "observed_expected"]
CALIBRATION += ["oe_low", "oe_high", "horizon"]


def judge(
    data: Data, predictions: pd.DataFrame, times: FloatArray, level: float
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return calibration per model, calibration curves, and decision curves, of out-of-fold predictions.

    Parameters
    ----------
    data
        Resolved endpoint, ``n`` observations.
    predictions
        As in `Evaluation.predictions`.
    times
        Evaluation times (survival); the middle one is the horizon.
    level
        Of the intervals.
    """
    horizon = float(times[len(times) // 2]) if len(times) else float("nan")
    rows, curves, decisions = [], [], []
    place = pd.Index(data.index.astype(str))
    for name, own in predictions.groupby("model", sort=False):
        risk, slopes = np.zeros(data.n), []
        repeats = own["repeat"].nunique()
        for _, one in own.groupby("repeat", sort=False):
            at = place.get_indexer(one["observation"])
            slopes.append(_slope(data.take(at), one, name == "dummy"))
            predicted = _risk(one, data, horizon)
            risk[at] += np.nan if predicted is None else predicted / repeats
        row: dict[str, Any] = {"model": name, "horizon": horizon}
        row |= _pooled(np.array(slopes), level)
        if np.isfinite(risk).all():
            row |= _observed_expected(data, risk, horizon, level)
            at_horizon = None if isinstance(data, LabelData) else horizon
            curves.append(calibration_curve(risk, data, at_horizon).assign(model=name))
            decisions.append(net_benefit(data, risk, THRESHOLDS, at_horizon).replace({"strategy": {"model": name}}))
        rows.append(row)
    calibration = pd.DataFrame(rows).reindex(columns=CALIBRATION)
    curve = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()
    decision = pd.concat(decisions, ignore_index=True).drop_duplicates(["strategy", "threshold"])
    return calibration, curve, decision.reset_index(drop=True)


def _risk(one: pd.DataFrame, data: Data, horizon: float) -> FloatArray | None:
    if isinstance(data, LabelData):
        labels: FloatArray = one["prediction"].to_numpy(dtype=np.float64)
        return labels
    column = f"survival_{horizon:g}"
    if column not in one or one[column].isna().any():
        return None
    out: FloatArray = 1 - one[column].to_numpy(dtype=np.float64)
    return out


def _slope(data: Data, one: pd.DataFrame, constant: bool) -> tuple[float, float]:
    """Slope of the outcome on the out-of-fold linear predictor, and its error; folds have their own baseline."""
    prediction = one["prediction"].to_numpy(dtype=np.float64)
    if constant or prediction.std() < 1e-12:
        return float("nan"), float("nan")
    if isinstance(data, LabelData):
        linear: FloatArray = logit(np.clip(prediction, 1e-9, 1 - 1e-9))
        spread = float(linear.std())
        z = ((linear - linear.mean()) / spread)[:, None, None]
        fit = logistic.newton(z, data.y.astype(np.float64), data.weights)
    else:
        fold: IntArray = one["fold"].to_numpy(dtype=np.int64)
        spread = float(prediction.std())
        z = ((prediction - prediction.mean()) / spread)[:, None, None]
        fit = cox.newton(RiskSets(data.time, data.event, None, fold), z)
    if not fit.converged[0]:
        return float("nan"), float("nan")
    return float(fit.coef[0, 0]) / spread, float(fit.se[0, 0]) / spread


def _pooled(slopes: FloatArray, level: float) -> dict[str, float]:
    """Mean over repeats; they share their patients, so the error is the mean error of one repeat."""
    known = slopes[np.isfinite(slopes).all(axis=1)]
    if not len(known):
        return {}
    mean, error = known.mean(axis=0)
    half = stats.norm.ppf(0.5 + level / 2) * error
    return {"calibration_slope": mean, "slope_low": mean - half, "slope_high": mean + half}


def _observed_expected(data: Data, risk: FloatArray, horizon: float, level: float) -> dict[str, float]:
    if isinstance(data, LabelData):
        w = data.weights
        observed, expected, n = float((w * data.y).sum() / w.sum()), float((w * risk).sum() / w.sum()), (w > 0).sum()
        half = stats.norm.ppf(0.5 + level / 2) * np.sqrt(observed * (1 - observed) / n)
        low, high = max(observed - half, 0.0), min(observed + half, 1.0)
    else:
        curve = product_limit(data.time, data.event)
        at = int(np.searchsorted(curve.time, horizon, side="right")) - 1
        survival = float(curve.survival[at]) if at >= 0 else 1.0
        lows, highs = loglog_interval(curve.survival[[at]], curve.se[[at]], level)
        observed, expected = 1 - survival, float(risk.mean())
        low, high = (1 - float(highs[0]), 1 - float(lows[0])) if at >= 0 else (np.nan, np.nan)
    out = {"observed": observed, "expected": expected}
    if expected > 0:
        out |= {"observed_expected": observed / expected, "oe_low": low / expected, "oe_high": high / expected}
    return out


def likelihood_ratio(
    data: LabelData | SurvivalData, score: pd.DataFrame, clinical: FloatArray, name: str
) -> dict[str, Any]:
    """Test all scores of a model beside the clinical columns, without penalty and in sample.

    Not valid with fewer than ten events per parameter.
    """
    outcome = make_outcome(data)
    parts = []
    for block in (clinical, score.to_numpy(dtype=np.float64)):
        sd = block.std(axis=0)
        parts.append((block[:, sd > 0] - block[:, sd > 0].mean(axis=0)) / sd[sd > 0])
    both = np.concatenate(parts, axis=1)
    row: dict[str, Any] = {"model": name, "df": parts[1].shape[1], "parameters": both.shape[1]}
    row |= {"chisq": np.nan, "p": np.nan, "valid": False}
    if not 0 < both.shape[1] < outcome.events:
        return row | {"reason": f"{both.shape[1]} parameters for {outcome.events} events: not fitted"}
    fits = [outcome.fit(m[:, :, None]) for m in (parts[0], both)]
    if not all(f.converged[0] for f in fits):
        return row | {"reason": "a model did not converge"}
    chisq = max(0.0, 2 * float(fits[1].loglik[0] - fits[0].loglik[0]))
    if isinstance(data, LabelData) and bool((data.weights % 1 != 0).any()):
        return row | {"reason": "observations are weighted: a likelihood ratio has no chi-squared distribution"}
    enough = outcome.events >= EVENTS_PER_PARAMETER * both.shape[1]
    row |= {"chisq": chisq, "p": float(stats.chi2.sf(chisq, parts[1].shape[1])), "valid": enough}
    return row | {"reason": "" if enough else f"{both.shape[1]} parameters for {outcome.events} events"}


def notes_of(data: Data, model: Any, clinical: pd.DataFrame, left_out: int, folds: int, wanted: int) -> tuple[str, ...]:
    """Return what should be said with an evaluation: who was left out, what was filled in, which path was forked.

    Parameters
    ----------
    data, model
        As evaluated.
    clinical
        Baseline columns of the evaluated observations.
    left_out
        Observations with a missing feature.
    folds, wanted
        Outer folds, used and asked for.
    """
    notes = []
    if left_out:
        notes.append(f"{left_out} observation(s) with a missing feature were left out")
    if folds < wanted:
        notes.append(f"{folds} folds instead of {wanted}: the smaller class, or the events, are too few")
    filled = [f"{c} ({n} of {len(clinical)})" for c, n in clinical.isna().sum().items() if n]
    if filled:
        notes.append(
            f"missing clinical values become the training folds' median or commonest level: {', '.join(filled)}"
        )
    other = 0 if isinstance(data, LabelData) else int((data.status == 2).sum())
    if other:
        notes.append(f"{other} competing event(s) count as censored: predicted risks are those of a world without them")
    if isinstance(model, dict) and len(model) > 1:
        text = "several models were compared on the same data: the best of them looks better than it is"
        notes.append(text)
        warn(f"{text} (a forking path).", StatisticsWarning)
    elif model not in (None, "ridge") and data.n < 300:
        notes.append(f"choosing a model by its result on {data.n} patients is a forking path; name it beforehand")
    return tuple(notes)

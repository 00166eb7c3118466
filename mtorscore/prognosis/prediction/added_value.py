"""Added value beside clinical variables, optimism of a model, instability of its predictions.

References
----------
Harrell, Lee and Mark, Stat Med 1996;15:361 (optimism by bootstrap); Riley and Collins, Biom J 2023;65:2200302
(instability of predictions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore._multiple_testing import adjust_p
from mtorscore._outcome_terms import EVENTS_PER_PARAMETER
from mtorscore.errors import DataError, EndpointError, examples
from mtorscore.prognosis.endpoints.checks import check_level, check_not_outcome, names_of, within_follow_up
from mtorscore.prognosis.endpoints.covariates import check_numbers, check_table, encode, pick_columns
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.endpoints.inputs import read_inputs
from mtorscore.prognosis.endpoints.outcome_models import Outcome, make_outcome
from mtorscore.prognosis.prediction.candidates import Task, fit
from mtorscore.prognosis.prediction.folds import group_multiplicities
from mtorscore.prognosis.prediction.prediction_task import Predicted
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

__all__ = ["Optimism", "added_value", "optimism"]


def added_value(
    scores: Any,
    clinical: pd.DataFrame | None,
    endpoint: Endpoint,
    baseline: Sequence[str],
    *,
    method: str | None = None,
    n_boot: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Likelihood-ratio test of each score beside the baseline columns, and the gain in concordance.

    Parameters
    ----------
    scores, clinical, endpoint, method
        As in `associate`.
    baseline
        Clinical columns; observations without them are left out.
    n_boot, level, seed
        Of the bootstrap interval of the gain (models fitted once, in sample: an honest gain comes from `evaluate`).

    Returns
    -------
    pandas.DataFrame
        signature, endpoint, positive, horizon, n, events, parameters, lr_chisq, p, q, c_baseline, c_both, gain,
        gain_conditional_low, gain_conditional_high (of the two models as they are: they do not know that other patients
        would have given other models, and covered the gain in new patients in 90%), valid, reason. Not valid with fewer
        than ten events per parameter.
    """
    baseline = names_of(baseline)
    check_not_outcome(baseline, endpoint, "part of the baseline")
    if not len(baseline):
        raise DataError("Name at least one clinical column as the baseline.")
    inputs = read_inputs(scores, clinical, None, None, method)
    z_table = encode(pick_columns(inputs.clinical, list(baseline), "baseline column(s)"))
    if z_table.shape[1] == 0:
        raise DataError(f"No baseline column varies among the {len(z_table)} observations ({examples(baseline)}).")
    rows = []
    for name in inputs.scores.columns:
        known = inputs.scores[name].notna()
        index = inputs.scores.index[known].intersection(z_table.dropna().index, sort=False)
        if not len(index):
            row: dict[str, Any] = {"n": 0, "events": 0, "valid": False}
            row["reason"] = "no observation has a score and the baseline columns"
        else:
            outcome = make_outcome(endpoint.resolve(inputs.clinical, index))
            z = _scaled(z_table.loc[outcome.index].to_numpy(dtype=np.float64))
            x = _scaled(inputs.scores.loc[outcome.index, [name]].to_numpy(dtype=np.float64))
            row = _added(outcome, x, z, n_boot, level, seed)
            row |= {"positive": outcome.positive, "horizon": outcome.horizon}
        head = {"signature": str(name), "endpoint": endpoint.name, "positive": row.pop("positive", "")}
        head["horizon"] = row.pop("horizon", np.nan)
        rows.append(head | row)
    table = pd.DataFrame(rows)
    if "p" in table:
        table.insert(int(table.columns.get_loc("p")) + 1, "q", adjust_p(table["p"]))
    return table


def _added(outcome: Outcome, x: FloatArray, z: FloatArray, n_boot: int, level: float, seed: int) -> dict[str, Any]:
    """Test one standardised score beside standardised baseline columns."""
    row: dict[str, Any] = {"n": outcome.n, "events": outcome.events, "parameters": z.shape[1] + x.shape[1]}
    designs = (z, np.concatenate([x, z], axis=1))
    fits = [outcome.fit(m[:, :, None]) for m in designs]
    if x.shape[1] and all(f.converged[0] for f in fits):
        chisq = 2 * float(fits[1].loglik[0] - fits[0].loglik[0])
        row |= {"lr_chisq": chisq, "p": float(stats.chi2.sf(chisq, 1))}
        eta = [m @ f.coef[: m.shape[1], 0] for m, f in zip(designs, fits, strict=True)]
        weights = group_multiplicities(len(outcome.index), None, n_boot, np.random.default_rng(seed))
        before, after = (outcome.discrimination_of_resamples(e, weights) for e in eta)
        row |= _gain(before, after, level)
    enough = outcome.events >= EVENTS_PER_PARAMETER * row["parameters"]
    row["valid"] = bool(enough and not outcome.fractional_weights and "p" in row)
    row["reason"] = "" if enough else f"{row['parameters']} parameters for {outcome.events} events"
    if outcome.fractional_weights:
        row["reason"] = "observations are weighted: a likelihood ratio has no chi-squared distribution"
    return row


def _gain(before: FloatArray, after: FloatArray, level: float) -> dict[str, float]:
    """Return the gain in concordance (resamples after the plain sample) with its percentile interval."""
    gain = after - before
    out = {"c_baseline": float(before[0]), "c_both": float(after[0]), "gain": float(gain[0])}
    boot = gain[1:][np.isfinite(gain[1:])]
    if len(boot):
        low, high = np.quantile(boot, [0.5 - level / 2, 0.5 + level / 2])
        out |= {"gain_conditional_low": float(low), "gain_conditional_high": float(high)}
    return out


def _scaled(values: FloatArray) -> FloatArray:
    sd = values.std(axis=0)
    keep = sd > 0
    out: FloatArray = (values[:, keep] - values[:, keep].mean(axis=0)) / sd[keep]
    return out


@dataclass(frozen=True, eq=False)
class Optimism:
    """Apparent and corrected performance, and how much predictions move when the sample does.

    Attributes
    ----------
    summary
        metric, apparent, optimism, corrected, horizon, positive.
    instability
        Per observation: the prediction, and SD and interval (quantiles) of the predictions by bootstrap models.
    mean_instability
        Mean absolute difference between original and bootstrap predictions.
    """

    summary: pd.DataFrame
    instability: pd.DataFrame
    mean_instability: float


def optimism(
    X: pd.DataFrame,
    clinical: pd.DataFrame,
    endpoint: Endpoint,
    model: Any = None,
    *,
    n_boot: int = 200,
    horizon: float | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Optimism:
    """Correct apparent performance for optimism: refit on bootstrap samples, tuning included.

    Parameters
    ----------
    X
        Scores, without missing values.
    clinical, endpoint
        The outcome.
    model
        Estimator; the default ridge model when None.
    n_boot
        Bootstrap samples.
    horizon
        Time of the predicted risk (survival), within follow-up; the median event time by default.
    level
        Of the interval of each prediction.
    seed
        Of the samples.

    Returns
    -------
    Optimism
        Corrected values and instability of the predicted risks.
    """
    from sklearn.base import clone

    check_table(X, "scores")
    check_numbers(X, "scores")
    data = endpoint.resolve(clinical, X.index)
    table = X.loc[data.index]
    if table.isna().any(axis=None):
        raise DataError("Some observations miss a score; drop or impute them first.")
    if data.n_events < 2:
        raise EndpointError(f"Endpoint {data.name} has {data.n_events} event(s); two at least are needed.")
    task = make_task(data)
    estimator = task.default_model() if model is None else model
    check_level(level)
    at = task.default_horizon if horizon is None else float(horizon)
    if task.needs_horizon:
        within_follow_up(at, data)
    rng = np.random.default_rng(seed)
    everyone = np.arange(data.n)
    original = fit(clone(estimator), table, task, everyone, everyone)
    base = task.predict(original, table, np.array([at]))
    apparent = _apparent(task, base, everyone, at)
    gaps, predictions = [], []
    for _ in range(n_boot):
        drawn = rng.integers(0, data.n, data.n)
        if not task.learnable(drawn):
            continue
        # Copies of one observation stay in one inner fold: apart, they would tell each other's outcome to the tuning.
        refit = fit(clone(estimator), table.iloc[drawn], task, drawn, drawn)
        predicted = task.predict(refit, table, np.array([at]))
        inside = _apparent(task, predicted, drawn, at)
        outside = _apparent(task, predicted, everyone, at)
        gaps.append({k: inside[k] - outside[k] for k in apparent})
        predictions.append(predicted.risk_at_first_time)
    mean = pd.DataFrame(gaps).mean()
    summary = pd.DataFrame(
        [
            {"metric": k, "apparent": v, "optimism": float(mean[k]), "corrected": v - float(mean[k])}
            for k, v in apparent.items()
        ]
    ).assign(horizon=at if task.needs_horizon else data.horizon, positive=data.positive)
    stack = np.array(predictions)
    spread = pd.DataFrame(
        {
            "prediction": base.risk_at_first_time,
            "sd": stack.std(axis=0),
            "low": np.quantile(stack, 0.5 - level / 2, axis=0),
            "high": np.quantile(stack, 0.5 + level / 2, axis=0),
        },
        index=data.index,
    )
    return Optimism(summary, spread, float(np.abs(stack - base.risk_at_first_time).mean()))


def _apparent(task: Task, predicted: Predicted, rows: IntArray, at: float) -> dict[str, float]:
    """Discrimination and Brier score of the predictions for some rows."""
    return task.apparent(predicted.risk[rows], predicted.risk_at_first_time[rows], rows, at)

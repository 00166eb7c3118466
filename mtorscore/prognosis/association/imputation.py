"""Multiple imputation of missing covariates, as an alternative to complete-case analysis.

References
----------
White and Royston, Stat Med 2009;28:1982 (the imputation model of a Cox model holds the event and the Nelson-Aalen
cumulative hazard); Rubin, Multiple Imputation for Nonresponse in Surveys, 1987; Barnard and Rubin, Biometrika
1999;86:948 (degrees of freedom).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore._multiple_testing import adjust_p
from mtorscore._outcome_terms import EVENTS_PER_PARAMETER
from mtorscore.errors import DataError
from mtorscore.prognosis.association.cutpoints import logrank_scores
from mtorscore.prognosis.endpoints.checks import check_level, check_not_outcome, names_of
from mtorscore.prognosis.endpoints.covariates import encode, pick_columns
from mtorscore.prognosis.endpoints.endpoints import Endpoint, SurvivalData
from mtorscore.prognosis.endpoints.inputs import read_inputs
from mtorscore.prognosis.statistics import cox
from mtorscore.prognosis.statistics.inference import ratio
from mtorscore.prognosis.statistics.risk_sets import FloatArray, RiskSets

__all__ = ["associate_imputed", "pool"]


def associate_imputed(
    scores: Any,
    clinical: pd.DataFrame | None,
    endpoint: Endpoint,
    adjust: Sequence[str],
    *,
    method: str | None = None,
    n_imputations: int = 20,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Adjust each score for clinical columns together, with their missing values imputed several times.

    Assumes that values are missing at random given score, outcome and the other columns. Categories are imputed on
    their 0/1 columns, which is enough to adjust for them and no guess of a patient's category.

    Parameters
    ----------
    scores, clinical, method
        As in `associate`.
    endpoint
        A survival endpoint.
    adjust
        Clinical columns, adjusted for jointly.
    n_imputations
        Completed tables.
    level
        Of the intervals.
    seed
        Of the imputations.

    Returns
    -------
    pandas.DataFrame
        signature, endpoint, model, adjusted_for, n, events, parameters, hr (per SD), hr_low, hr_high, p, q, missing
        (patients with a missing covariate), fraction_missing (of information), valid, reason.

    Raises
    ------
    DataError
        If fewer than two imputations are asked for, a column is missing, or a column is missing for everybody.
    """
    from mtorscore.prognosis.endpoints.outcome_models import make_outcome

    if n_imputations < 2:
        raise DataError(f"Multiple imputation needs two imputations at least, not {n_imputations}.")
    check_level(level)
    adjust = names_of(adjust)
    check_not_outcome(adjust, endpoint, "adjusted for")
    inputs = read_inputs(scores, clinical, None, None, method)
    coded = encode(pick_columns(inputs.clinical, list(adjust), "column(s) to adjust for"))
    if not coded.shape[1]:
        raise DataError(f"None of the columns to adjust for varies ({', '.join(map(str, adjust))}).")
    rows, label = [], " + ".join(map(str, adjust))
    for number, name in enumerate(inputs.scores.columns):
        if inputs.scores[name].isna().all():
            rows.append(_blank(str(name), endpoint.name, label) | {"reason": "no score"})
            continue
        data = endpoint.resolve_survival(inputs.clinical, inputs.scores[name].dropna().index)
        make_outcome(data)
        x = inputs.scores.loc[data.index, name].to_numpy(dtype=np.float64)
        z = coded.loc[data.index].to_numpy(dtype=np.float64)
        if not np.isfinite(z).any(axis=0).all():
            raise DataError("A column to adjust for is missing for every patient of the endpoint.")
        rows.append(_one(str(name), data, x, z, label, n_imputations, level, seed + number))
    table = pd.DataFrame(rows)
    table.insert(int(table.columns.get_loc("p")) + 1, "q", adjust_p(table["p"]))
    return table


def _blank(name: str, endpoint: str, label: str) -> dict[str, Any]:
    row: dict[str, Any] = {"signature": name, "endpoint": endpoint, "model": "adjusted", "adjusted_for": label}
    row |= {"n": 0, "events": 0, "parameters": 0, "hr": np.nan, "hr_low": np.nan, "hr_high": np.nan, "p": np.nan}
    return row | {"missing": 0, "fraction_missing": np.nan, "valid": False, "reason": ""}


def _one(
    name: str, data: SurvivalData, x: FloatArray, z: FloatArray, label: str, m: int, level: float, seed: int
) -> dict[str, Any]:
    missing = ~np.isfinite(z).all(axis=1)
    row = _blank(name, data.name, label)
    row |= {"n": data.n, "events": data.n_events, "parameters": 1 + z.shape[1], "missing": int(missing.sum())}
    if x.std() <= 1e-12 * np.abs(x).max(initial=0.0):
        return row | {"reason": "the score is constant"}
    x = (x - x.mean()) / x.std(ddof=1)
    risk = RiskSets(data.time, data.event, data.entry)
    found = []
    for full in _completed(x, z, data, m, seed):
        design = np.column_stack([x, full])
        spread = design.std(axis=0)
        design = (design - design.mean(axis=0))[:, spread > 0] / spread[spread > 0]
        fit = cox.newton(risk, design[:, :, None])
        if fit.converged[0]:
            found.append((fit.coef[0, 0] / spread[0], fit.se[0, 0] / spread[0]))
    if len(found) < 2:
        return row | {"reason": "the model did not converge"}
    coef, se = np.array(found).T
    # Without missing values a Cox model is tested by Wald's normal test; then the pooled test is the same.
    mean, error, df, share = pool(coef, se, np.inf)
    half = float(stats.t.ppf(0.5 + level / 2, df)) * error
    row |= {"hr": float(ratio(mean)), "hr_low": float(ratio(mean - half)), "hr_high": float(ratio(mean + half))}
    row |= {"p": float(2 * stats.t.sf(abs(mean / error), df)), "fraction_missing": share}
    enough = data.n_events >= EVENTS_PER_PARAMETER * row["parameters"]
    reason = "" if enough else f"{row['parameters']} parameters for {data.n_events} events"
    return row | {"valid": enough, "reason": reason}


def _completed(x: FloatArray, z: FloatArray, data: SurvivalData, m: int, seed: int) -> list[FloatArray]:
    """Draw the missing covariates from their posterior, given score, event and cumulative hazard."""
    if np.isfinite(z).all():
        return [z] * m
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    hazard = data.event - logrank_scores(data.time, data.event, data.entry)
    table = np.column_stack([z, x, data.event, hazard])
    out = []
    for k in range(m):
        imputer = IterativeImputer(sample_posterior=True, max_iter=10, random_state=seed * 1000 + k)
        with warnings.catch_warnings():
            # Draws do not settle on one value, and are not meant to.
            warnings.simplefilter("ignore", ConvergenceWarning)
            out.append(imputer.fit_transform(table)[:, : z.shape[1]])
    return out


def pool(coef: FloatArray, se: FloatArray, df_complete: float) -> tuple[float, float, float, float]:
    """Combine estimates of completed tables by Rubin's rules.

    Parameters
    ----------
    coef, se
        ``(m,)`` estimates and standard errors.
    df_complete
        Degrees of freedom without missing values; infinite for a test that is normal then.

    Returns
    -------
    mean, error, df, fraction
        Estimate, standard error, degrees of freedom (Barnard and Rubin), and the fraction of missing information.
    """
    m = len(coef)
    within, between = float((se**2).mean()), float(coef.var(ddof=1))
    total = within + (1 + 1 / m) * between
    share = (1 + 1 / m) * between / total
    complete = max(float(df_complete), 1.0)
    shrink = 1.0 if np.isinf(complete) else (complete + 1) / (complete + 3)
    observed = shrink * complete * (1 - share)
    df = observed if share < 1e-12 else 1 / (share**2 / (m - 1) + 1 / observed)
    return float(coef.mean()), float(np.sqrt(total)), float(df), float(share)

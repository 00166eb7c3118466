"""Transportability of a frozen model to another cohort: scale, case mix, unseen values.

References
----------
Debray et al., J Clin Epidemiol 2015;68:279 (case mix).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import examples
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData
from mtorscore.prognosis.models.fitted import FittedModel
from mtorscore.prognosis.statistics.risk_sets import FloatArray


def case_mix(fitted: FittedModel, features: pd.DataFrame) -> pd.DataFrame:
    """Return mean, SD and spread of each column beside those of the training cohort."""
    described = fitted.training.get("columns", {})
    rows = []
    for column in fitted.columns:
        there = described.get(column, {})
        here = features[column].to_numpy(dtype=np.float64)
        quantiles = there.get("quantiles", [np.nan] * 5)
        mean, sd = there.get("mean", np.nan), there.get("sd", np.nan)
        gap = (here.mean() - mean) / sd if sd and sd > 0 else np.nan
        ratio = here.std(ddof=1) / sd if sd and sd > 0 and len(here) > 1 else np.nan
        outside = float(((here < quantiles[0]) | (here > quantiles[4])).mean()) if len(here) else np.nan
        rows.append(
            {
                "column": column, "mean_training": mean, "sd_training": sd, "mean": float(here.mean()),
                "sd": float(here.std(ddof=1)) if len(here) > 1 else np.nan, "standardised_difference": gap,
                "sd_ratio": ratio, "outside_90": outside,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def validation_notes(
    mix: pd.DataFrame, data: OutcomeData, known: npt.NDArray[np.bool_], linear: FloatArray
) -> tuple[str, ...]:
    """Return the limits of the validation: scale, spread, missing predictions, few events."""
    notes = []
    far = mix[mix["standardised_difference"].abs() > 1]["column"]
    if len(far):
        notes.append(
            f"{len(far)} column(s) lie more than one SD off the training cohort ({examples(far)}): another scale, "
            "platform or case mix"
        )
    odd = mix[(mix["sd_ratio"] > 2) | (mix["sd_ratio"] < 0.5)]["column"]
    if len(odd):
        notes.append(f"{len(odd)} column(s) vary more than twice or less than half as much ({examples(odd)})")
    if not known.all():
        notes.append(f"{int((~known).sum())} observation(s) without a prediction were left out")
    if data.n_events < 100:
        notes.append(f"{data.n_events} events: calibration is imprecise below about 100")
    if linear.std() == 0:
        notes.append("the model predicts the same for everybody")
    return tuple(notes)


def turned_round(summary: pd.DataFrame) -> list[str]:
    """Note where a model ranks patients the other way round, so that even the interval lies below chance."""
    rows = summary[summary["metric"].isin(["harrell_c", "wolbers_c", "roc_auc"]) & (summary["high"] < 0.5)]
    if rows.empty:
        return []
    first = rows.iloc[0]
    how = "look for scores with the other sign, or an event or class that is coded the other way"
    return [f"the model ranks these patients the other way round ({first['metric']} {first['value']:.2f}): {how}"]


def other_scale(there: list[float] | None, here: list[float]) -> list[str]:
    """Note where expression is on another scale than the training cohort's (log against counts, for example)."""
    if there is None:
        return []
    spread, own = there[4] - there[0], here[4] - here[0]
    if spread > 0 and 0.5 <= own / spread <= 2 and abs(here[2] - there[2]) <= spread / 2:
        return []
    text = f"expression is on another scale: 90% of the values lie from {here[0]:.3g} to {here[4]:.3g}"
    return [f"{text}, in the training cohort from {there[0]:.3g} to {there[4]:.3g}"]


def replaced_values(fitted: FittedModel, clinical: pd.DataFrame) -> list[str]:
    """Note clinical values that are replaced by the training median or commonest level: missing or unseen ones."""
    notes = []
    for coding in fitted.codings:
        column, values = coding.column, clinical[coding.column]
        gone = int(values.isna().sum())
        if gone:
            how = "predicted from the other clinical columns, as learned in the training cohort"
            how = how if "imputation" in fitted.training else "the training median or commonest level"
            notes.append(f"{column} is missing for {gone} of {len(values)}: {how}")
        if coding.other_order(values):
            notes.append(
                f"the levels of {column} are declared in another order here; they are read by name, in the order of "
                f"the model ({', '.join(coding.levels)})"
            )
        new = coding.unseen(values)
        if len(new):
            notes.append(
                f"{len(new)} observation(s) have a {column} that the model never saw ({examples(new.unique())}): "
                "they count as its commonest level"
            )
    return notes

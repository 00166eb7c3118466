"""Performance of a frozen model in subgroups of patients, as TRIPOD+AI (item 23) asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mtorscore._outcome_terms import MIN_EVENTS
from mtorscore.errors import DataError, EndpointError
from mtorscore.prognosis.endpoints.checks import names_of
from mtorscore.prognosis.endpoints.coding import MOST_LEVELS, drop_empty_levels, kind_of_column, names_in
from mtorscore.prognosis.endpoints.covariates import pick_columns
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.models.fitted import FittedModel
from mtorscore.prognosis.models.model_kinds import KINDS
from mtorscore.prognosis.models.validation import validate

__all__ = ["subgroup_performance"]

METRICS = (
    *("harrell_c", "wolbers_c", "roc_auc", "auc_at_horizon", "observed_expected", "calibration_slope"),
    *("brier", "scaled_brier"),
)
"""What is told of a subgroup, where the kind of model has it."""
_COLUMNS = [
    *("model", "column", "group", "n", "events", "metric", "value", "low", "high"),
    *("horizon", "positive", "level", "valid", "reason"),
]


def subgroup_performance(
    fitted: FittedModel,
    X: pd.DataFrame,
    clinical: pd.DataFrame,
    endpoint: Endpoint | None = None,
    subgroups: Sequence[str] = (),
    *,
    horizon: float | None = None,
    n_boot: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Validate a frozen model in each level of some clinical columns, such as sex, aetiology and stage.

    Parameters
    ----------
    fitted, X, clinical, endpoint, horizon, n_boot, level, seed
        As in `validate`; the horizon is the same in all subgroups.
    subgroups
        Clinical columns of categories; numbers with more than ten values have to be cut before.

    Returns
    -------
    pandas.DataFrame
        model, column, group, n, events, metric, value, low, high, horizon, positive, level, valid, reason. The first
        rows (column ``""``, group ``all``) are of everybody; patients without a value of a column are its group
        ``missing``. A subgroup with fewer than ten events is there with its numbers and ``valid`` False; one in which
        nothing can be said has a row with the reason.

    Raises
    ------
    DataError
        If a column is missing or holds too many values, and as `validate`.
    EndpointError
        As `validate`.
    """
    names = names_of(subgroups)
    table = drop_empty_levels(pick_columns(clinical, names, "column(s) of subgroups"))
    for name in names:
        if kind_of_column(table[name]) == "number" and table[name].nunique() > MOST_LEVELS:
            raise DataError(f"{name!r} has {table[name].nunique()} values; cut it into groups first (pandas.cut).")
    options: dict[str, Any] = {"n_boot": n_boot, "level": level, "seed": seed}
    whole = validate(fitted, X, clinical, endpoint, horizon=horizon, **options).summary
    at = float(whole["horizon"].iloc[0])
    parts = [_told(whole, "", "all")]
    chosen = (endpoint or fitted.endpoint).resolve(clinical, X.index[X.index.isin(clinical.index)])
    for name in names:
        values = names_in(table[name]).reindex(chosen.index).astype(object).fillna("missing")
        order = [str(v) for v in table[name].cat.categories] if hasattr(table[name], "cat") else sorted(set(values))
        for group in [g for g in [*order, "missing"] if (values == g).any()]:
            member = values.index[values == group]
            parts.append(_one(fitted, X.loc[member], clinical, endpoint, name, group, at, options))
    found = pd.concat(parts, ignore_index=True).reindex(columns=_COLUMNS)
    return found.drop_duplicates(["column", "group", "metric"]).reset_index(drop=True)


def _one(
    fitted: FittedModel, X: pd.DataFrame, clinical: pd.DataFrame, endpoint: Endpoint | None, column: str, group: str,
    at: float, options: dict[str, Any],
) -> pd.DataFrame:  # fmt: skip
    """Validate in one subgroup; a row with the reason where that cannot be done."""
    try:
        horizon = at if KINDS[fitted.kind].has_survival else None
        return _told(validate(fitted, X, clinical, endpoint, horizon=horizon, **options).summary, column, group)
    except EndpointError as error:
        data = (endpoint or fitted.endpoint).resolve(clinical, X.index)
        few = data.n_events < MIN_EVENTS
        reason = f"only {data.n_events} event(s); at least {MIN_EVENTS} are asked for" if few else str(error)
        row = {"model": fitted.name, "column": column, "group": group, "n": data.n, "events": data.n_events}
        row |= {"metric": "", "value": np.nan, "low": np.nan, "high": np.nan, "horizon": at, "level": options["level"]}
        return pd.DataFrame([row | {"positive": data.positive, "valid": False, "reason": reason}])


def _told(summary: pd.DataFrame, column: str, group: str) -> pd.DataFrame:
    return summary[summary["metric"].isin(METRICS)].assign(column=column, group=group)

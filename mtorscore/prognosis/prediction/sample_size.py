"""Minimum sample size of a prediction model.

References
----------
Riley et al., Stat Med 2019;38:1276 (binary and time-to-event); Riley et al., BMJ 2020;368:m441.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError
from mtorscore.prognosis.prediction.prediction_task import PredictionTask

__all__ = ["adequacy", "minimum_sample_size"]


def minimum_sample_size(
    parameters: int,
    *,
    r2_cs: float | None = None,
    prevalence: float | None = None,
    rate: float | None = None,
    mean_follow_up: float | None = None,
    horizon: float | None = None,
    shrinkage: float = 0.9,
    margin: float = 0.05,
) -> pd.DataFrame:
    """Riley's criteria for a binary (`prevalence`) or survival (`rate`, `mean_follow_up`, `horizon`) outcome.

    Parameters
    ----------
    parameters
        Candidate parameters of the model.
    r2_cs
        Cox-Snell R2 that the model is expected to reach; by default 15% of its maximum, Riley's advice without
        earlier evidence.
    prevalence
        Share of positives.
    rate, mean_follow_up, horizon
        Events per unit of person-time, mean follow-up, and the time at which risk is predicted.
    shrinkage
        Smallest acceptable uniform shrinkage (criterion 1).
    margin
        Greatest acceptable optimism in R2 (criterion 2) and half-width of the overall risk (criterion 3).

    Returns
    -------
    pandas.DataFrame
        Per criterion: needed n and what it secures; the last row is the largest.

    Raises
    ------
    DataError
        If neither or both outcomes are described, or a number is out of range.
    """
    if parameters < 1:
        raise DataError(f"A model needs at least one parameter, not {parameters}.")
    if not (0 < shrinkage < 1 and 0 < margin < 1):
        raise DataError(f"Shrinkage and margin lie between 0 and 1; got {shrinkage} and {margin}.")
    if (prevalence is None) == (rate is None):
        raise DataError("Give either the prevalence (binary) or rate, mean_follow_up and horizon (survival).")
    if prevalence is not None:
        if not 0 < prevalence < 1:
            raise DataError(f"The prevalence must lie between 0 and 1, not {prevalence}.")
        null = prevalence * np.log(prevalence) + (1 - prevalence) * np.log1p(-prevalence)
    else:
        if rate is None or mean_follow_up is None or horizon is None or min(rate, mean_follow_up, horizon) <= 0:
            raise DataError("rate, mean_follow_up and horizon must all be positive.")
        share = min(rate * mean_follow_up, 1 - 1e-9)
        # Log-likelihood per person of an exponential model without covariates.
        null = share * np.log(share) - share
    r2_max = 1 - np.exp(2 * null)
    r2 = 0.15 * r2_max if r2_cs is None else float(r2_cs)
    if not 0 < r2 < r2_max:
        raise DataError(f"Cox-Snell R2 must lie between 0 and its maximum here, {r2_max:.3f}.")
    first = parameters / ((shrinkage - 1) * np.log1p(-r2 / shrinkage))
    target = r2 / (r2 + margin * r2_max)
    second = parameters / ((target - 1) * np.log1p(-r2 / target))
    if prevalence is not None:
        third = (1.96 / margin) ** 2 * prevalence * (1 - prevalence)
        what = f"overall risk to within {margin:g}"
    else:
        third = _survival_precision(float(rate or 0), float(mean_follow_up or 1), float(horizon or 1), margin)
        what = f"risk at {horizon:g} to within {margin:g}"
    rows: list[dict[str, str | int]] = [
        {"criterion": "1", "secures": f"shrinkage of at least {shrinkage:g}", "n_needed": int(np.ceil(first))},
        {"criterion": "2", "secures": f"optimism in R2 below {margin:g}", "n_needed": int(np.ceil(second))},
        {"criterion": "3", "secures": what, "n_needed": int(np.ceil(third))},
    ]
    rows.append({"criterion": "all", "secures": "all of these", "n_needed": int(np.ceil(max(first, second, third)))})
    return pd.DataFrame(rows).assign(r2_cs=r2, r2_max=r2_max)


def _survival_precision(rate: float, mean_follow_up: float, horizon: float, margin: float) -> float:
    """Smallest n whose 95% interval of the exponential risk at the horizon stays within the margin."""
    risk = 1 - np.exp(-rate * horizon)

    def width(n: float) -> float:
        half = 1.96 * np.sqrt(rate / (n * mean_follow_up))
        low = 1 - np.exp(-max(rate - half, 0.0) * horizon)
        high = 1 - np.exp(-(rate + half) * horizon)
        return float(max(high - risk, risk - low))

    low, high = 1.0, 1e9
    for _ in range(200):
        middle = np.sqrt(low * high)
        if width(middle) > margin:
            low = middle
        else:
            high = middle
        if high - low < 0.5:
            break
    return float(high)


def adequacy(task: PredictionTask[Any], parameters: int, *, label: str = "model") -> pd.DataFrame:
    """Compare the data at hand with Riley's criteria.

    Returns
    -------
    pandas.DataFrame
        model, parameters, n, events, criterion, secures, n_needed, adequate; empty where there are no criteria.
    """
    described = task.riley()
    if described is None:
        return pd.DataFrame()
    data, table = task.data, minimum_sample_size(parameters, **described)
    table["adequate"] = data.n >= table["n_needed"]
    for at, (name, value) in enumerate(
        (("model", label), ("parameters", parameters), ("n", data.n), ("events", data.n_events))
    ):
        table.insert(at, name, value)
    return table

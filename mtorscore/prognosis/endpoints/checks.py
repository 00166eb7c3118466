"""Checks of common options: confidence levels, counts, seeds, evaluation times, covariates."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from mtorscore.errors import DataError, EndpointError, examples
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData
from mtorscore.prognosis.statistics.risk_sets import FloatArray


def check_level(level: Any) -> None:
    """Refuse a confidence level outside 0 to 1, such as 95."""
    if not (isinstance(level, int | float) and 0 < level < 1):
        raise DataError(f"The level of intervals lies between 0 and 1, such as 0.95; got {level!r}.")


def check_counts(least: int = 0, **counts: Any) -> None:
    """Refuse numbers of resamples, folds and the like that are not whole numbers, or too small."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise DataError(f"{name} must be a whole number, {least} at least; got {value!r}.")


def names_of(columns: Any) -> list[Any]:
    """Return a list of one name, or of several."""
    return [columns] if isinstance(columns, str) else list(columns)


def check_not_outcome(columns: Iterable[Hashable], endpoint: Endpoint, what: str) -> None:
    """Refuse the endpoint's own columns as covariates: they would leak the outcome into the model."""
    own = [c for c in columns if isinstance(c, str) and c in endpoint.columns]
    if own:
        raise DataError(f"{examples(own)} belong(s) to the endpoint {endpoint.name} itself and cannot be {what}.")


def evaluation_times(times: Any, longest: float) -> FloatArray:
    """Return times of evaluation, ascending.

    Parameters
    ----------
    times
        One or several.
    longest
        Longest follow-up; nothing is known beyond it.
    """
    try:
        found = np.atleast_1d(np.asarray(times, dtype=np.float64))
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.ndim != 1 or not found.size or not np.isfinite(found).all():
        raise DataError(f"The times of evaluation must be numbers, one at least; got {times!r:.60}.")
    if (found <= 0).any() or (found > longest).any():
        raise DataError(
            f"The times of evaluation must lie above 0 and not beyond the longest follow-up ({longest:g}); "
            f"got {examples(found.tolist())}."
        )
    return np.unique(found)


def check_horizon(horizon: Any) -> None:
    """Refuse a horizon that is not a positive number."""
    if horizon is None:
        return
    if isinstance(horizon, bool) or not isinstance(horizon, int | float | np.number):
        raise DataError(f"The horizon must be a number, in the unit of the endpoint, not {horizon!r}.")
    if not horizon > 0:
        raise DataError(f"The horizon must be positive, not {horizon}.")


def within_follow_up(horizon: float, data: OutcomeData, what: str = "The horizon") -> float:
    """Return a horizon, or refuse one that lies beyond the longest follow-up, where nothing is known.

    Parameters
    ----------
    horizon
        In the unit of the endpoint.
    data
        Resolved endpoint.
    what
        How the message begins.

    Raises
    ------
    EndpointError
        If nobody was followed for so long.
    """
    if not 0 < horizon <= data.longest:
        raise EndpointError(
            f"{what} ({horizon:g}) lies beyond the longest follow-up of {data.name} here ({data.longest:g}), where "
            "nothing is known; name an earlier one (horizon=)."
        )
    return float(horizon)

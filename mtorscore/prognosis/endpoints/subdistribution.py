"""Subdistribution hazard ratios (Fine and Gray) beside the cause-specific ones of a table of associations."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtorscore.prognosis.endpoints.outcome_data import competing_text
from mtorscore.prognosis.endpoints.outcome_models import Outcome, SurvivalOutcome
from mtorscore.prognosis.statistics import fine_gray
from mtorscore.prognosis.statistics.inference import Effects, ratio, wald
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["COLUMNS", "how_competing", "put_subdistribution", "subdistribution"]

COLUMNS = ("subdistribution_hr", "subdistribution_low", "subdistribution_high", "subdistribution_p")


def how_competing(outcome: Outcome) -> str:
    """Say how competing events count in a row of associations; nothing where there is none."""
    if isinstance(outcome, SurvivalOutcome):
        return competing_text(
            outcome.data, "censored in hr, p and c_index, kept at risk in the subdistribution columns (Fine and Gray)"
        )
    data = getattr(outcome, "data", None)
    return "" if data is None else competing_text(data, "stand for no event")


def subdistribution(outcome: Outcome, x: FloatArray, level: float, *, few: bool) -> Effects | str:
    """Fit B models of the subdistribution hazard on ``(n, p, B)`` standardised covariates.

    Parameters
    ----------
    outcome
        With its strata and clusters.
    x
        Covariates; the effect is that of the first one.
    level
        Of the interval.
    few
        Whether there are so few events that the cause-specific model is penalised: no such penalty is defined here.

    Returns
    -------
    Effects or str
        Or why there are none; empty without competing events.
    """
    if not isinstance(outcome, SurvivalOutcome) or not outcome.data.n_competing:
        return ""
    data = outcome.data
    if few or data.entry is not None:
        return f"no subdistribution hazard ratio ({'too few events' if few else 'entry times'})"
    risk = fine_gray.SubdistributionSets(data.time, data.status, outcome.strata)
    return wald(fine_gray.fit(risk, x, outcome.clusters), level)


def put_subdistribution(row: dict[str, Any], found: Effects | str, j: int) -> None:
    """Fill in the columns of the j-th model where the row has an estimate, or say why they stay empty."""
    if not np.isfinite(row["coef"]):
        return
    if isinstance(found, str):
        row["reason"] += [found] if found else []
    elif not np.isfinite(found.coef[j]):
        row["reason"].append("the model of the subdistribution hazard did not converge")
    else:
        values = [float(ratio(v[j])) for v in (found.coef, found.low, found.high)]
        row |= dict(zip(COLUMNS, [*values, float(found.p[j])], strict=True))

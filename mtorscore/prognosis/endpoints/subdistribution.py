"""Subdistribution hazard ratios (Fine and Gray) beside the cause-specific ones of a table of associations.

Coefficient and robust error are those of cmprsk::crr. With few events its normal test exceeds its level (7% for 5%
at 14 events, benchmarks/prognosis/competing.tsv): test and interval are by Student's t on ``events - 1`` degrees of
freedom, and the normal p-value stands beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from mtorscore.prognosis.endpoints.outcome_data import competing_text
from mtorscore.prognosis.endpoints.outcome_models import Outcome, SurvivalOutcome
from mtorscore.prognosis.statistics import fine_gray
from mtorscore.prognosis.statistics.inference import Effects, ratio, wald
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["COLUMNS", "Subdistribution", "how_competing", "put_subdistribution", "subdistribution"]

COLUMNS = ("hr", "low", "high", "se", "p", "normal_p")
"""Columns of the table, each after ``subdistribution_``."""


@dataclass(frozen=True)
class Subdistribution:
    """Effects by Student's t, and the p-values of the normal distribution ``(B,)``."""

    effects: Effects
    normal_p: FloatArray


def _follows_time(outcome: Outcome) -> bool:
    """Whether the outcome has times, which competing events end; each kind of outcome says so itself."""
    return getattr(outcome, "has_subdistribution", False)


def how_competing(outcome: Outcome) -> str:
    """Say how competing events count in a row of associations; nothing where there is none."""
    if _follows_time(outcome):
        return competing_text(
            cast(SurvivalOutcome, outcome).data,
            "censored in hr, p and c_index, kept at risk in the subdistribution columns (Fine and Gray)",
        )
    data = getattr(outcome, "data", None)
    return "" if data is None else competing_text(data, "stand for no event")


def subdistribution(outcome: Outcome, x: FloatArray, level: float, *, few: bool) -> Subdistribution | str:
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
    Subdistribution or str
        Or why there are none; empty without competing events.
    """
    if not _follows_time(outcome):
        return ""
    outcome = cast(SurvivalOutcome, outcome)
    data = outcome.data
    if not data.n_competing:
        return ""
    if few or data.entry is not None:
        return f"no subdistribution hazard ratio ({'too few events' if few else 'entry times'})"
    risk = fine_gray.SubdistributionSets(data.time, data.status, outcome.strata)
    fit = fine_gray.fit(risk, x, outcome.clusters)
    return Subdistribution(wald(fit, level, df=data.n_events - 1), wald(fit).p)


def put_subdistribution(row: dict[str, Any], found: Subdistribution | str, j: int) -> None:
    """Fill in the columns of the j-th model where the row has an estimate, or say why they stay empty."""
    if not np.isfinite(row["coef"]):
        return
    if isinstance(found, str):
        row["reason"] += [found] if found else []
        return
    e = found.effects
    if not np.isfinite(e.coef[j]):
        row["reason"].append("the model of the subdistribution hazard did not converge")
        return
    values = [*(ratio(v[j]) for v in (e.coef, e.low, e.high)), e.se[j], e.p[j], found.normal_p[j]]
    row |= {f"subdistribution_{name}": float(v) for name, v in zip(COLUMNS, values, strict=True)}

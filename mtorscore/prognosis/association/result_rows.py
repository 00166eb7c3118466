"""Rows of a table of associations: columns, validity with reasons, adjusted p-values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from mtorscore._multiple_testing import adjust_p
from mtorscore._outcome_terms import MIN_EVENTS
from mtorscore.errors import StatisticsWarning, examples, warn
from mtorscore.prognosis.endpoints.outcome_data import HAZARD_RATIO
from mtorscore.prognosis.endpoints.outcome_models import Outcome
from mtorscore.prognosis.endpoints.subdistribution import how_competing
from mtorscore.prognosis.statistics.inference import Effects, ratio
from mtorscore.prognosis.statistics.risk_sets import FloatArray
from mtorscore.results import ASSOCIATIONS, BESIDE

NOT_PROPORTIONAL = 0.01
"""A smaller p-value of the proportional-hazards test is mentioned in the reason; the ratio is then an average."""

# The scoring method is added by whoever scored.
COLUMNS = [name for name in ASSOCIATIONS.names[1:] if name not in BESIDE]
CLASS_COLUMNS = ("against", "overall_p", "proportional_p")
"""Further columns where a label has more than two classes."""


def blank_row(
    signature: str,
    endpoint: str,
    model: str,
    adjusted_for: str,
    outcome: Outcome,
    parameters: int,
    effects: Effects | None,
    j: int,
    sd: float,
) -> dict[str, Any]:
    """Return one row with what is known before any estimate; the rest is NaN."""
    reason: list[str] = []
    bad = False
    row: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan) | {
        "signature": signature,
        "endpoint": endpoint,
        "model": model,
        "adjusted_for": adjusted_for,
        "effect": outcome.effect,
        "positive": outcome.positive,
        "horizon": outcome.horizon,
        "competing": how_competing(outcome),
        "ratio_columns": outcome.ratio_columns,
        "n": outcome.n,
        "events": outcome.events,
        "parameters": parameters,
        "sd": sd if sd > 0 else (0.0 if outcome.n else np.nan),
        "coef": np.nan,
        "firth": False,
        "index": outcome.index,
    }
    if outcome.n == 0:
        reason, bad = ["no score"], True
    elif sd == 0:
        reason, bad = ["the score is constant"], True
    elif effects is not None:
        infinite = bool(effects.infinite[j])
        row["firth"] = effects.firth or (infinite and outcome.has_firth)
        row["coef"], row["p"] = float(effects.coef[j]), float(effects.p[j])
        row["low"], row["high"] = float(effects.low[j]), float(effects.high[j])
        if infinite:
            how = "Firth penalty" if outcome.has_firth else "no estimate"
            reason.append(f"the groups separate (no finite maximum): {how}")
        elif effects.firth and parameters > 1:
            reason.append(f"{parameters} parameters for {outcome.events} events: Firth penalty")
        if not np.isfinite(row["coef"]):
            reason.append("the model did not converge")
            bad = True
    else:
        bad = True
    if outcome.n and outcome.events < MIN_EVENTS:
        reason.append(f"only {outcome.events} event(s); at least {MIN_EVENTS} are asked for")
        bad = True
    return row | {"valid": not bad, "reason": reason}


def detail(row: dict[str, Any], outcome: Outcome, x: FloatArray, coef: FloatArray) -> None:
    """Fill in what one kind of outcome alone has, with its notes, for one model ``(n, p)``."""
    found = outcome.details(x, coef)
    row["reason"] += found.pop("notes", [])
    row |= found


def concordance_of(
    outcome: Outcome, predictor: FloatArray, multiplicities: FloatArray, level: float
) -> dict[str, float]:
    """Return the concordance of one predictor with its interval, as columns."""
    c = outcome.discrimination(predictor, multiplicities if len(multiplicities) else None, level)
    return {"c_index": c.c, "c_low": c.low, "c_high": c.high}


def finish(rows: Iterable[dict[str, Any]], family: str) -> pd.DataFrame:
    """Return the table: ratios in the columns of their kind, adjusted p-values, joined reasons, column order."""
    table = pd.DataFrame(list(rows))
    for name in ("coef", "low", "high"):
        if name not in table:
            table[name] = np.nan
    extra: list[str] = []
    for names in dict.fromkeys([HAZARD_RATIO, *table["ratio_columns"]]):
        rows_of = np.array([own == names for own in table["ratio_columns"]], dtype=bool)
        for column, source in zip(names, ("coef", "low", "high"), strict=True):
            table[column] = np.where(rows_of, ratio(table[source].astype(float)), np.nan)
        extra += [c for c in names if c not in COLUMNS]
    extra += [c for c in CLASS_COLUMNS if c in table]
    table["reason"] = ["; ".join(dict.fromkeys(r)) for r in table["reason"]]
    keys = ["endpoint", "model", "adjusted_for"]
    for adjusted, p in (("q", "p"), ("subdistribution_q", "subdistribution_p")):
        if family == "all":
            table[adjusted] = adjust_p(table[p])
        else:
            table[adjusted] = table.groupby(keys, sort=False)[p].transform(lambda p: adjust_p(p.to_numpy()))
    # Confounders that are hardly in the matrix are many where a matrix is small; their rows say so themselves.
    quiet = table["lacking"].eq(True) if "lacking" in table else False
    doubtful = table.loc[~table["valid"] & table["p"].notna() & ~np.asarray(quiet, dtype=bool), "signature"].unique()
    if len(doubtful):
        warn(
            f"{len(doubtful)} signature(s) have results that should not be trusted ({examples(doubtful)}); "
            "see the columns `valid` and `reason`.",
            StatisticsWarning,
        )
    return table[COLUMNS + extra].reset_index(drop=True)

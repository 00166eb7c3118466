"""Random-effects meta-analysis of log ratios over cohorts, with prediction interval and heterogeneity.

References
----------
Viechtbauer, J Educ Behav Stat 2005;30:261 (REML); DerSimonian and Laird, Control Clin Trials 1986;7:177; IntHout,
Ioannidis and Borm, BMC Med Res Methodol 2014;14:25 (Hartung-Knapp); Higgins, Thompson and Spiegelhalter, J R Stat Soc
A 2009;172:137 (prediction interval).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq

from mtorscore._multiple_testing import adjust_p
from mtorscore.errors import DataError
from mtorscore.prognosis.endpoints.checks import check_level
from mtorscore.prognosis.statistics.inference import ratio
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["meta_analyse"]


def meta_analyse(
    tables: Mapping[str, pd.DataFrame] | Sequence[pd.DataFrame],
    *,
    tau2: str = "reml",
    hartung_knapp: bool = True,
    level: float = 0.95,
) -> pd.DataFrame:
    """Combine tables of `associate` over cohorts, per signature, endpoint and model.

    Parameters
    ----------
    tables
        Cohort name -> table, or tables (named cohort1, cohort2, ...), as they are or read back from a file: the level
        of their intervals is a column. Rows with ``valid=False`` take no part. Scores
        must mean the same everywhere: the ratios are per SD within each cohort.
    tau2
        ``"reml"``, ``"pm"`` (Paule-Mandel) or ``"dl"`` (DerSimonian-Laird).
    hartung_knapp
        t-based interval, never narrower than the Wald one.
    level
        Of intervals.

    Returns
    -------
    pandas.DataFrame
        signature, endpoint, model, adjusted_for, cohorts, n, events, hr, hr_low, hr_high, p, q, prediction_low,
        prediction_high (from three cohorts on), tau2, i2, cochran_q, cochran_p, weights (cohort=share), level,
        positive, horizon, valid, reason.

    Raises
    ------
    DataError
        If there is no table, or a table lacks the columns of `associate`.
    """
    check_level(level)
    named = dict(tables) if isinstance(tables, Mapping) else {f"cohort{i + 1}": t for i, t in enumerate(tables)}
    if not named:
        raise DataError("Nothing to combine: hand over at least one table of prognosis.associate.")
    if tau2 not in ("reml", "pm", "dl"):
        raise DataError(f"Unknown estimator {tau2!r} of the variance between cohorts; use 'reml', 'pm' or 'dl'.")
    keys = ["signature", "endpoint", "model", "adjusted_for"]
    stacked = []
    for cohort, table in named.items():
        missing = [c for c in [*keys, "hr", "hr_low", "hr_high", "n", "events"] if c not in table.columns]
        if missing:
            raise DataError(f"The table of {cohort} lacks {', '.join(missing)}; it must come from prognosis.associate.")
        z = stats.norm.ppf(0.5 + _levels(table, level, cohort) / 2)
        stacked.append(table.assign(cohort=cohort, width=2 * z))
    everything = pd.concat(stacked, ignore_index=True)
    everything["adjusted_for"] = everything["adjusted_for"].astype(object).fillna("")
    everything["log"] = np.log(everything["hr"].astype(float))
    everything["se"] = (np.log(everything["hr_high"]) - np.log(everything["hr_low"])) / everything["width"]
    usable = np.isfinite(everything["log"]) & np.isfinite(everything["se"]) & (everything["se"] > 0)
    if "valid" in everything:
        usable &= everything["valid"].astype(bool)
    rows = []
    for key, part in everything.groupby(keys, sort=False):
        good = part[usable.loc[part.index]]
        row: dict[str, Any] = dict(zip(keys, key, strict=True)) | {"cohorts": len(good)}
        row |= {"n": int(good["n"].sum()), "events": int(good["events"].sum())}
        if len(good):
            combined = combine(good["log"].to_numpy(), good["se"].to_numpy(), tau2, hartung_knapp, level)
            shares = combined.pop("weights")
            row |= combined
            row["weights"] = ", ".join(f"{c}={w:.3f}" for c, w in zip(good["cohort"], shares, strict=True))
        row["valid"] = len(good) >= 2
        row["reason"] = "" if len(good) >= 2 else f"{len(good)} cohort(s) with a usable estimate"
        if "effect" in part and (part["effect"] == "odds ratio").any():
            row["reason"] = "odds ratios of a label; hazard ratios are combined here"
        row |= {"level": level, "positive": _one_of(part, "positive", ""), "horizon": _one_of(part, "horizon", np.nan)}
        rows.append(row)
    table = pd.DataFrame(rows).reindex(columns=_COLUMNS)
    table["q"] = table.groupby(keys[1:], sort=False)["p"].transform(lambda p: adjust_p(p.to_numpy()))
    return table


_COLUMNS = [
    *("signature", "endpoint", "model", "adjusted_for", "cohorts", "n", "events", "hr", "hr_low", "hr_high", "p", "q"),
    *("prediction_low", "prediction_high", "tau2", "i2", "cochran_q", "cochran_p", "weights", "level"),
    *("positive", "horizon", "valid", "reason"),
]


def _levels(table: pd.DataFrame, level: float, cohort: str) -> Any:
    """Return the level of each row's interval, from which its error is read: the table's own, also out of a file.

    Raises
    ------
    DataError
        If the table holds levels that are none.
    """
    if "level" not in table.columns:
        return float(table.attrs.get("level", level))
    known = pd.to_numeric(table["level"], errors="coerce").fillna(level)
    if not known.between(0, 1, inclusive="neither").all():
        raise DataError(f"The table of {cohort} has intervals whose level does not lie between 0 and 1.")
    return known.to_numpy(dtype=np.float64)


def _one_of(part: pd.DataFrame, column: str, missing: Any) -> Any:
    """Return the value that all cohorts have in a column; `missing` where they have none or several."""
    found = list(part[column].dropna().unique()) if column in part else []
    return found[0] if len(found) == 1 else missing


def combine(
    y: FloatArray, se: FloatArray, tau2: str = "reml", knapp: bool = True, level: float = 0.95
) -> dict[str, Any]:
    """Random-effects estimate of log ratios `y` with standard errors `se`."""
    k, v = len(y), se**2
    t2 = {"reml": _reml, "pm": _paule_mandel, "dl": _dersimonian_laird}[tau2](y, v) if k > 1 else 0.0
    w = 1 / (v + t2)
    mean = float(w @ y / w.sum())
    spread = float(np.sqrt(1 / w.sum()))
    z = stats.norm.ppf(0.5 + level / 2)
    half, p = z * spread, float(2 * stats.norm.sf(abs(mean / spread)))
    if knapp and k > 1:
        knapp_se = float(np.sqrt((w * (y - mean) ** 2).sum() / ((k - 1) * w.sum())))
        # Few homogeneous cohorts can make the Hartung-Knapp error smaller than the Wald one; then the latter stays.
        error = max(knapp_se, spread)
        half = float(stats.t.ppf(0.5 + level / 2, k - 1)) * error
        p = float(2 * stats.t.sf(abs(mean / error), k - 1))
        spread = error
    w0 = 1 / v
    fixed = w0 @ y / w0.sum()
    q = float((w0 * (y - fixed) ** 2).sum())
    out = {
        "hr": float(ratio(mean)),
        "hr_low": float(ratio(mean - half)),
        "hr_high": float(ratio(mean + half)),
        "p": p,
        "prediction_low": np.nan,
        "prediction_high": np.nan,
        "tau2": float(t2),
        "i2": max(0.0, (q - (k - 1)) / q) if k > 1 and q > 0 else 0.0,
        "cochran_q": q if k > 1 else np.nan,
        "cochran_p": float(stats.chi2.sf(q, k - 1)) if k > 1 else np.nan,
        "weights": w / w.sum(),
    }
    if k >= 3:
        wide = float(stats.t.ppf(0.5 + level / 2, k - 2)) * np.sqrt(t2 + spread**2)
        out |= {"prediction_low": float(ratio(mean - wide)), "prediction_high": float(ratio(mean + wide))}
    return out


def _dersimonian_laird(y: FloatArray, v: FloatArray) -> float:
    w = 1 / v
    mean = w @ y / w.sum()
    q = (w * (y - mean) ** 2).sum()
    return max(0.0, float((q - (len(y) - 1)) / (w.sum() - (w**2).sum() / w.sum())))


def _paule_mandel(y: FloatArray, v: FloatArray) -> float:
    def excess(t2: float) -> float:
        w = 1 / (v + t2)
        return float((w * (y - w @ y / w.sum()) ** 2).sum() - (len(y) - 1))

    return _root(excess, y, v)


def _reml(y: FloatArray, v: FloatArray) -> float:
    def slope(t2: float) -> float:
        w = 1 / (v + t2)
        mean = w @ y / w.sum()
        return float((w**2 * (y - mean) ** 2).sum() - w.sum() + (w**2).sum() / w.sum())

    return _root(slope, y, v)


def _root(decreasing: Any, y: FloatArray, v: FloatArray) -> float:
    """Root of a function that is positive left of it; 0 where it is negative throughout."""
    if decreasing(0.0) <= 0:
        return 0.0
    high = float(np.var(y) + v.max()) * 10 + 1e-6
    while decreasing(high) > 0:
        high *= 4
    return float(brentq(decreasing, 0.0, high, xtol=1e-14))

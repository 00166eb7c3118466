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
from mtorscore.errors import DataError, examples
from mtorscore.prognosis.association.cohort_overlap import overlap_notes
from mtorscore.prognosis.endpoints.checks import check_level
from mtorscore.prognosis.endpoints.outcome_data import HAZARD_RATIO, ODDS_RATIO
from mtorscore.prognosis.statistics.inference import ratio
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["combine", "meta_analyse", "pooled"]

KEYS = ("signature", "endpoint", "model", "adjusted_for")
MEANS = ("mean", "mean_low", "mean_high")
HAZARD = "hazard ratio"


def meta_analyse(
    tables: Mapping[str, pd.DataFrame] | Sequence[pd.DataFrame],
    *,
    tau2: str = "reml",
    hartung_knapp: bool = True,
    level: float = 0.95,
) -> pd.DataFrame:
    """Combine tables of `associate` over cohorts, per signature, endpoint and model: hazard ratios, or odds ratios.

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
        signature, endpoint, model, adjusted_for, effect, cohorts, n, events, hr, hr_low, hr_high, p, q, prediction_low,
        prediction_high (from three cohorts on), tau2, i2, cochran_q, cochran_p, weights (cohort=share), level,
        positive, horizon, valid, reason; with labels also odds_ratio, or_low, or_high. ``reason`` names cohorts whose
        patients have the same names, by the column ``patients`` of their tables; exactly the same estimates of the same
        patients are not valid.

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
    odd = [c for c, t in named.items() if not isinstance(t, pd.DataFrame)]
    if odd:
        raise DataError(
            f"{len(odd)} of {len(named)} things to combine are no tables ({examples(odd)}); hand over DataFrames of "
            "prognosis.associate, read from files with pandas where they are there."
        )
    everything = _stacked(named, level)
    split = list(KEYS)
    if (everything["effect"] != HAZARD).any() and "positive" in everything:
        # Several classes of one label are effects of their own.
        split.append("positive")
    everything = _marked_twins(everything, split)
    rows = [
        _one(part, dict(zip(split, key, strict=True)), tau2, hartung_knapp, level)
        for key, part in everything.groupby(split, sort=False, dropna=False)
    ]
    table = pd.DataFrame(rows)
    extra = [c for c in ODDS_RATIO if (everything["effect"] != HAZARD).any()]
    for columns in (HAZARD_RATIO, ODDS_RATIO):
        own = (table["effect"] == HAZARD) == (columns == HAZARD_RATIO)
        for column, source in zip(columns, MEANS, strict=True):
            table[column] = np.where(own, table[source], np.nan)
    table = table.reindex(columns=[*_COLUMNS, *extra])
    table["q"] = table.groupby(list(KEYS[1:]), sort=False)["p"].transform(lambda p: adjust_p(p.to_numpy()))
    return table


def _stacked(named: Mapping[str, pd.DataFrame], level: float) -> pd.DataFrame:
    """Return the rows of all cohorts with log ratio, its error, and whether they take part."""
    stacked = []
    for cohort, table in named.items():
        odds = [c for c in ODDS_RATIO if c in table.columns]
        ratios = [] if len(odds) == len(ODDS_RATIO) else list(HAZARD_RATIO)
        missing = [c for c in [*KEYS, *ratios, "n", "events"] if c not in table.columns]
        if missing:
            raise DataError(f"The table of {cohort} lacks {', '.join(missing)}; it must come from prognosis.associate.")
        effect = table["effect"].astype(object).fillna(HAZARD) if "effect" in table else pd.Series(HAZARD, table.index)
        new: dict[str, Any] = {"cohort": cohort, "effect": effect}
        for columns, names in ((HAZARD_RATIO, effect == HAZARD), (ODDS_RATIO, effect != HAZARD)):
            for column, short in zip(columns, ("ratio", "ratio_low", "ratio_high"), strict=True):
                known = _numbers(table[column], cohort) if column in table else np.nan
                new[short] = np.where(names, known, new.get(short, np.nan))
        z = stats.norm.ppf(0.5 + _levels(table, level, cohort) / 2)
        stacked.append(table.assign(width=2 * z, **new))
        _refuse_impossible(stacked[-1], cohort)
    everything = pd.concat(stacked, ignore_index=True)
    everything["adjusted_for"] = everything["adjusted_for"].astype(object).fillna("")
    with np.errstate(divide="ignore", invalid="ignore"):
        everything["log"] = np.log(everything["ratio"])
        everything["se"] = (np.log(everything["ratio_high"]) - np.log(everything["ratio_low"])) / everything["width"]
    usable = np.isfinite(everything["log"]) & np.isfinite(everything["se"]) & (everything["se"] > 0)
    if "valid" in everything:
        # Read back from a file, a truth value may be text.
        usable &= everything["valid"].astype(str).str.strip().str.lower().isin(["true", "1", "1.0"])
    return everything.assign(usable=usable)


def _numbers(column: pd.Series, cohort: str) -> pd.Series:
    found = pd.to_numeric(column, errors="coerce").astype(float)
    words = column[found.isna() & column.notna()]
    if len(words):
        raise DataError(
            f"The column {column.name} of {cohort} holds {len(words)} value(s) that are no number "
            f"({examples(map(repr, words.unique()))}); write plain numbers with decimal points."
        )
    return found


def _refuse_impossible(table: pd.DataFrame, cohort: str) -> None:
    """Refuse ratios that are not positive, or lie outside their interval."""
    ratio, low, high = (table[c].to_numpy(dtype=np.float64) for c in ("ratio", "ratio_low", "ratio_high"))
    slack = 1 + 1e-6
    with np.errstate(invalid="ignore"):
        wrong = (ratio <= 0) | (low < 0) | (low > ratio * slack) | (high * slack < ratio)
    if wrong.any():
        shown = (
            f"{s}: {r:.3g} ({a:.3g} to {b:.3g})"
            for s, r, a, b in zip(table.loc[wrong, "signature"], ratio[wrong], low[wrong], high[wrong], strict=True)
        )
        raise DataError(
            f"{int(wrong.sum())} ratio(s) of {cohort} are not positive or lie outside their interval "
            f"({examples(shown)}); are they logarithms, or are the bounds exchanged? Give ratios and their bounds."
        )


def _one(part: pd.DataFrame, key: dict[str, Any], tau2: str, knapp: bool, level: float) -> dict[str, Any]:
    """Combine the rows of one signature, endpoint and model."""
    good = part[part["usable"]]
    row: dict[str, Any] = key | {"cohorts": len(good), "n": int(good["n"].sum()), "events": int(good["events"].sum())}
    row |= {"effect": str(part["effect"].iloc[0]), "level": level}
    row |= dict.fromkeys(MEANS, np.nan)
    if len(good):
        combined = combine(good["log"].to_numpy(), good["se"].to_numpy(), tau2, knapp, level)
        shares = combined.pop("weights")
        means = {short: combined.pop(c) for c, short in zip(HAZARD_RATIO, MEANS, strict=True)}
        row |= means | combined
        row["weights"] = ", ".join(f"{c}={w:.3f}" for c, w in zip(good["cohort"], shares, strict=True))
    row |= {"positive": _one_of(part, "positive", ""), "horizon": _one_of(part, "horizon", np.nan)}
    reasons = [] if len(good) >= 2 else [f"{len(good)} cohort(s) with a usable estimate"]
    kinds = good["effect"].nunique() > 1
    if kinds:
        reasons.append("hazard ratios and odds ratios are not combined")
    row["valid"] = len(good) >= 2 and not kinds
    twice = ", ".join(map(str, good.loc[good["twin"], "cohort"]))
    if twice:
        reasons.append(f"{twice} hold the same estimates: one cohort twice")
        row["valid"] = False
    return row | {"reason": "; ".join([*reasons, *_overlap(good)])}


def _marked_twins(everything: pd.DataFrame, split: Sequence[str]) -> pd.DataFrame:
    """Mark cohorts that have exactly the same numbers of the same patients, or of patients not told, within an effect.

    Only the columns that are read further on are kept.
    """
    numbers = ["n", "events", "ratio", "ratio_low", "ratio_high"]
    kept = [c for c in ("patients", "positive", "horizon") if c in everything and c not in split]
    good = everything.loc[everything["usable"], [*split, *numbers, *[c for c in kept if c == "patients"]]]
    twins = good.assign(**{c: good[c].astype(float).round(9) for c in numbers}).duplicated(keep=False)
    columns = [*split, "effect", "cohort", "log", "se", "usable", "n", "events", *kept]
    return everything[columns].assign(twin=twins.reindex(everything.index, fill_value=False))


def _overlap(good: pd.DataFrame) -> list[str]:
    """Say which cohorts share patients, where the tables tell who is in them."""
    if "patients" not in good:
        return []
    digests: dict[Any, str] = {}
    sizes: dict[Any, int] = {}
    for cohort, patients, n in zip(good["cohort"], good["patients"], good["n"], strict=True):
        if isinstance(patients, str) and cohort not in digests:
            digests[cohort], sizes[cohort] = patients, int(n)
    return overlap_notes(digests, sizes)


_COLUMNS = [
    *KEYS,
    "effect",
    *("cohorts", "n", "events", "hr", "hr_low", "hr_high", "p", "q"),
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
    """Random-effects estimate of log ratios `y` with standard errors `se`, as ratios."""
    found = pooled(y, se, tau2, knapp, level)
    names = {"mean": "hr", "mean_low": "hr_low", "mean_high": "hr_high"}
    bounds = (*names, "prediction_low", "prediction_high")
    return {names.get(k, k): float(ratio(v)) if k in bounds and np.isfinite(v) else v for k, v in found.items()}


def pooled(
    y: FloatArray, se: FloatArray, tau2: str = "reml", knapp: bool = True, level: float = 0.95
) -> dict[str, Any]:
    """Random-effects estimate of `y` with standard errors `se`, on their own scale."""
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
        "mean": mean,
        "mean_low": mean - half,
        "mean_high": mean + half,
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
        out |= {"prediction_low": mean - wide, "prediction_high": mean + wide}
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

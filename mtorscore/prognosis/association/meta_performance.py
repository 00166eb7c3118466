"""Random-effects meta-analysis of a model's performance over cohorts.

References
----------
Debray et al., BMJ 2017;356:i6460, and Snell, Ensor, Debray, Moons and Riley, Stat Methods Med Res 2018;27:3505 (C on
the logit scale, observed over expected on the log scale, the calibration slope as it is; prediction intervals).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, logit

from mtorscore.errors import DataError, examples
from mtorscore.prognosis.association.meta_analysis import pooled
from mtorscore.prognosis.endpoints.checks import check_level
from mtorscore.prognosis.statistics.inference import ratio
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["meta_analyse_performance"]

Scale = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


_LOGIT: tuple[str, Scale, Scale] = ("logit", logit, expit)
SCALES: dict[str, tuple[str, Scale, Scale]] = {
    **dict.fromkeys(("harrell_c", "uno_c", "roc_auc", "auc_at_horizon"), _LOGIT),
    "observed_expected": ("log", np.log, ratio),
    "calibration_slope": ("identity", _same, _same),
}
"""Metric -> the scale that it is combined on, the way there, and the way back."""
_COLUMNS = [
    *("metric", "scale", "cohorts", "n", "events", "value", "low", "high", "prediction_low", "prediction_high"),
    *("tau2", "i2", "cochran_q", "cochran_p", "weights", "level", "valid", "reason"),
]


def meta_analyse_performance(
    validations: Mapping[str, Any],
    *,
    tau2: str = "reml",
    hartung_knapp: bool = True,
    level: float = 0.95,
) -> pd.DataFrame:
    """Combine concordance, calibration slope and observed over expected of one model over cohorts.

    Parameters
    ----------
    validations
        Cohort name -> result of `validate`, or its summary (also read back from a file): metric, value, low, high, n,
        events, and level and valid where there. The error of a value is read from its interval.
    tau2, hartung_knapp, level
        As in `meta_analyse`.

    Returns
    -------
    pandas.DataFrame
        metric, scale (logit for concordances, log for observed over expected), cohorts, n, events, value with its
        interval and, from three cohorts on, the interval in which a further cohort's value is expected; tau2 (on the
        scale), i2, cochran_q, cochran_p, weights, level, valid, reason.

    Raises
    ------
    DataError
        If there is nothing to combine, or a table has other columns.
    """
    check_level(level)
    if not validations:
        raise DataError("Nothing to combine: hand over results of prognosis.validate by cohort.")
    if tau2 not in ("reml", "pm", "dl"):
        raise DataError(f"Unknown estimator {tau2!r} of the variance between cohorts; use 'reml', 'pm' or 'dl'.")
    parts = [_summary(str(name), found, level) for name, found in validations.items()]
    everything = pd.concat(parts, ignore_index=True)
    rows = [
        _one(metric, everything[everything["metric"] == metric], tau2, hartung_knapp, level)
        for metric in SCALES
        if (everything["metric"] == metric).any()
    ]
    if not rows:
        raise DataError(f"None of the metrics ({examples(everything['metric'].unique())}) is combined over cohorts.")
    return pd.DataFrame(rows).reindex(columns=_COLUMNS)


def _summary(cohort: str, found: Any, level: float) -> pd.DataFrame:
    table = found if isinstance(found, pd.DataFrame) else getattr(found, "summary", None)
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"{cohort}: hand over a result of prognosis.validate or its summary, not {type(found)}.")
    missing = [c for c in ("metric", "value", "low", "high", "n", "events") if c not in table.columns]
    if missing:
        raise DataError(f"The summary of {cohort} lacks {', '.join(missing)}; it must come from prognosis.validate.")
    if table["metric"].duplicated().any():
        raise DataError(f"The summary of {cohort} holds several models; hand over the rows of one.")
    own = {"level": table.get("level", level), "valid": table.get("valid", True)}
    return table.assign(cohort=cohort, **own)


def _one(metric: str, part: pd.DataFrame, tau2: str, knapp: bool, level: float) -> dict[str, Any]:
    """Combine one metric on its scale."""
    scale, to, back = SCALES[metric]
    with np.errstate(divide="ignore", invalid="ignore"):
        values: FloatArray = np.asarray(to(part[["value", "low", "high"]].to_numpy(dtype=np.float64)))
    width = 2 * stats.norm.ppf(0.5 + part["level"].to_numpy(dtype=np.float64) / 2)
    with np.errstate(invalid="ignore"):
        se = (values[:, 2] - values[:, 1]) / width
    good = np.isfinite(values[:, 0]) & np.isfinite(se) & (se > 0) & part["valid"].astype(bool).to_numpy()
    row: dict[str, Any] = {"metric": metric, "scale": scale, "cohorts": int(good.sum()), "level": level}
    row |= {"n": int(part.loc[good, "n"].sum()), "events": int(part.loc[good, "events"].sum())}
    if good.any():
        found = pooled(values[good, 0], se[good], tau2, knapp, level)
        shares = found.pop("weights")
        row["weights"] = ", ".join(f"{c}={w:.3f}" for c, w in zip(part.loc[good, "cohort"], shares, strict=True))
        bounds = {"mean": "value", "mean_low": "low", "mean_high": "high"}
        bounds |= {b: b for b in ("prediction_low", "prediction_high")}
        row |= {bounds.get(k, k): float(back(v)) if k in bounds else v for k, v in found.items() if k != "p"}
    left_out = ", ".join(map(str, part.loc[~good, "cohort"]))
    reasons = [] if good.sum() >= 2 else [f"{int(good.sum())} cohort(s) with a usable estimate"]
    reasons += [f"without {left_out}: not defined or not to be trusted there"] if left_out else []
    return row | {"valid": bool(good.sum() >= 2), "reason": "; ".join(reasons)}

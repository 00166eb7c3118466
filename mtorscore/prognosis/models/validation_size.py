"""Minimum sample size of an external validation, for labels (closed forms) and survival (simulation).

References
----------
Archer et al., Stat Med 2021;40:133; Riley et al., Stat Med 2021;40:4230 (labels); Riley et al., Stat Med 2022;41:1280
(survival: the calibration slope of pseudo-observations); Riley et al., BMJ 2024;384:e074821; Newcombe, Stat Med
2006;25:559 (error of C).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit

from mtorscore.errors import DataError
from mtorscore.prognosis.endpoints.checks import check_counts, check_level
from mtorscore.prognosis.statistics.concordance import concordance
from mtorscore.prognosis.statistics.kaplan_meier import product_limit
from mtorscore.prognosis.statistics.pseudo_values import fit_cloglog, pseudo_values
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["validation_sample_size"]

POINTS = 20_001
"""Quantiles that stand for a normal distribution of the linear predictor."""


def validation_sample_size(
    linear_predictor: npt.ArrayLike,
    *,
    risk: float | None = None,
    horizon: float | None = None,
    lost: float = 0.0,
    c: float | None = None,
    oe_width: float = 0.2,
    slope_width: float = 0.2,
    c_width: float = 0.1,
    threshold: float | None = None,
    sensitivity: float | None = None,
    specificity: float | None = None,
    net_benefit_width: float = 0.2,
    level: float = 0.95,
    n_simulated: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Patients that a validation needs, so that each measure is known to within an interval of stated width.

    Parameters
    ----------
    linear_predictor
        That of the model in the patients to come, by example: mean and SD of a normal distribution, or many values
        (log odds for a label; for survival log hazard up to a constant).
    risk
        Share of positives; for survival the risk by `horizon`, which is then needed. For a label the mean predicted
        risk by default.
    horizon
        Time of prediction: makes it a survival outcome, of constant hazards.
    lost
        Survival: share of the patients whose follow-up ends before the horizon if nothing happens.
    c
        Concordance to expect (labels); by default that of the linear predictor if it is right.
    oe_width, slope_width, c_width, net_benefit_width
        Width of the intervals of observed over expected (around 1), calibration slope, concordance, and standardised
        net benefit.
    threshold
        Risk above which one would act: adds net benefit.
    sensitivity, specificity
        At that threshold (labels); by default those of the linear predictor if it is right.
    level
        Of the intervals.
    n_simulated, seed
        Of the simulation for survival, whose errors are scaled to the widths.

    Returns
    -------
    pandas.DataFrame
        criterion, secures, n_needed, events_needed; the last row is the largest.

    Raises
    ------
    DataError
        If a number is out of range, or something is missing.
    """
    check_level(level)
    check_counts(1000, n_simulated=n_simulated)
    widths = {"oe": oe_width, "slope": slope_width, "c": c_width, "nb": net_benefit_width}
    if not all(w > 0 for w in widths.values()):
        raise DataError(f"Widths of intervals are positive; got {widths}.")
    for name, value in (("risk", risk), ("c", c), ("threshold", threshold)):
        if value is not None and not 0 < value < 1:
            raise DataError(f"{name} must lie between 0 and 1, not {value}.")
    lp = _predictor(linear_predictor)
    z = float(stats.norm.ppf(0.5 + level / 2))
    # The interval of observed over expected is made on the log scale, around 1.
    se = {"oe": float(np.arcsinh(oe_width / 2)) / z} | {k: w / 2 / z for k, w in widths.items() if k != "oe"}
    if horizon is None:
        needed, share = _label(lp, risk, c, threshold, sensitivity, specificity, se)
    else:
        if risk is None or not (0 <= lost < 1 and horizon > 0):
            raise DataError("Survival needs risk=, a positive horizon=, and lost= from 0 to below 1.")
        needed, share = _survival(lp, risk, horizon, lost, threshold, se, n_simulated, seed), risk
    secures = {
        "observed/expected": f"interval of width {oe_width:g} around 1",
        "calibration slope": f"interval of width {slope_width:g}",
        "concordance": f"interval of width {c_width:g}",
        "net benefit": f"interval of width {net_benefit_width:g} of the standardised net benefit",
    }
    rows = [(k, secures[k], int(np.ceil(v))) for k, v in needed.items()]
    rows.append(("all", "all of these", max(r[2] for r in rows)))
    table = pd.DataFrame(rows, columns=["criterion", "secures", "n_needed"])
    return table.assign(events_needed=np.ceil(table["n_needed"] * share).astype(int))


def _predictor(given: npt.ArrayLike) -> FloatArray:
    values = np.asarray(given, dtype=np.float64).ravel()
    if len(values) == 2:
        if not values[1] > 0:
            raise DataError(f"The SD of the linear predictor must be positive, not {values[1]:g}.")
        quantiles: FloatArray = stats.norm.ppf((np.arange(POINTS) + 0.5) / POINTS) * values[1] + values[0]
        return quantiles
    if len(values) < 100 or not np.isfinite(values).all() or np.ptp(values) == 0:
        raise DataError("The linear predictor is (mean, SD), or at least 100 numbers that vary, none missing.")
    return values


def _label(
    lp: FloatArray, risk: float | None, c: float | None, threshold: float | None, sensitivity: float | None,
    specificity: float | None, se: dict[str, float],
) -> tuple[dict[str, float], float]:  # fmt: skip
    """Apply the closed forms of Riley et al. 2021."""
    p = expit(lp)
    share = float(p.mean()) if risk is None else risk
    v = p * (1 - p)
    i00, i01, i11 = float(v.mean()), float((v * lp).mean()), float((v * lp**2).mean())
    c = _concordance_of(lp, p) if c is None else c
    needed = {
        "observed/expected": (1 - share) / share / se["oe"] ** 2,
        "calibration slope": i00 / (i00 * i11 - i01**2) / se["slope"] ** 2,
        "concordance": _newcombe(c, share, se["c"]),
    }
    if threshold is not None:
        acts = p >= threshold
        sens = float(p[acts].sum() / p.sum()) if sensitivity is None else sensitivity
        spec = float((1 - p)[~acts].sum() / (1 - p).sum()) if specificity is None else specificity
        w = (1 - share) / share * threshold / (1 - threshold)
        parts = sens * (1 - sens) / share + w**2 * spec * (1 - spec) / (1 - share)
        needed["net benefit"] = (parts + w**2 * (1 - spec) ** 2 / (share * (1 - share))) / se["nb"] ** 2
    return needed, share


def _concordance_of(lp: FloatArray, p: FloatArray) -> float:
    """Concordance of a linear predictor whose risks are right."""
    order = np.argsort(lp, kind="stable")
    one, zero = p[order], 1 - p[order]
    below = np.cumsum(zero) - zero
    return float((one * (below + zero / 2)).sum() / (one.sum() * zero.sum()))


def _newcombe(c: float, share: float, se: float) -> float:
    """Patients whose concordance has this error, by Newcombe's fourth form."""
    a = (1 - c) / (2 - c) + c / (1 + c)
    square, linear, rest = share * (1 - share) * se**2, -c * (1 - c) * a / 2, -c * (1 - c) * (1 - a)
    return float((-linear + np.sqrt(linear**2 - 4 * square * rest)) / (2 * square))


def _survival(
    lp: FloatArray, risk: float, horizon: float, lost: float, threshold: float | None, se: dict[str, float], n: int,
    seed: int,
) -> dict[str, float]:  # fmt: skip
    """Errors in one large simulated validation, scaled to the widths (Riley et al. 2022)."""
    rng = np.random.default_rng(seed)
    x = rng.choice(lp, n) if len(lp) != POINTS else np.interp(rng.random(n), np.linspace(0, 1, POINTS), lp)

    def excess(log_rate: float) -> float:
        return float((-np.expm1(-np.exp(log_rate + lp) * horizon)).mean()) - risk

    rate = brentq(excess, -60 - lp.max() - np.log(horizon), 60 - lp.min() - np.log(horizon))
    time = rng.exponential(size=n) * np.exp(-rate - x)
    out = rng.exponential(size=n) * horizon / -np.log1p(-lost) if lost else np.full(n, np.inf)
    seen = np.minimum(np.minimum(time, out), horizon)
    event = (time <= out) & (time <= horizon)
    predicted = -np.expm1(-np.exp(rate + x) * horizon)
    link = rate + x + np.log(horizon)
    design = np.column_stack([np.ones(n), link - link.mean()])
    start = np.array([float(np.log(-np.log1p(-risk))), 1.0])
    _, covariance, good = fit_cloglog(pseudo_values(seen, event.astype(np.int64), horizon), design, start)
    if not good:
        raise DataError(f"The simulated validation holds too few events ({int(event.sum())}); raise n_simulated.")
    errors = {
        "observed/expected": (_error_of_risk(seen, event) / risk, se["oe"]),
        "calibration slope": (float(np.sqrt(covariance[1, 1])), se["slope"]),
        "concordance": (concordance(x, seen, event).se, se["c"]),
    }
    if threshold is not None:
        errors["net benefit"] = (_error_of_net_benefit(seen, event, predicted >= threshold, threshold, risk), se["nb"])
    return {k: n * (found / wanted) ** 2 for k, (found, wanted) in errors.items()}


def _error_of_risk(time: FloatArray, event: Any) -> float:
    """Greenwood's error of the risk at the last time."""
    curve = product_limit(time, event)
    return float(curve.survival[-1] * curve.se[-1])


def _error_of_net_benefit(time: FloatArray, event: Any, acts: Any, threshold: float, risk: float) -> float:
    """Error of the net benefit over the risk: that of the share acted on, and of the risk among these."""
    share = float(acts.mean())
    if not share > 0:
        raise DataError(f"Nobody has a predicted risk of {threshold:g} or more: net benefit is 0 for certain.")
    weight = 1 + threshold / (1 - threshold)
    survival = float(product_limit(time[acts], event[acts]).survival[-1])
    gain, error = 1 - survival * weight, _error_of_risk(time[acts], event[acts])
    variance = gain**2 * share * (1 - share) / len(time) + (share * weight * error) ** 2
    return float(np.sqrt(variance)) / risk

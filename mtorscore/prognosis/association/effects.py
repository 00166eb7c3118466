"""Effects beyond one proportional hazard ratio: time-dependent, by subgroup, trend, non-linear.

References
----------
Royston and Parmar, Stat Med 2011;30:2409 (restricted mean); Andersen, Hansen and Klein, Lifetime Data Anal
2004;10:335 (pseudo-observations); Jonckheere, Biometrika 1954;41:133; Harrell, Regression Modeling Strategies, 2015
(restricted cubic splines).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore._multiple_testing import adjust_p
from mtorscore._outcome_terms import MIN_EVENTS
from mtorscore.errors import DataError, EndpointError, examples
from mtorscore.prognosis.endpoints.checks import within_follow_up
from mtorscore.prognosis.endpoints.covariates import check_column, check_groups, check_numbers, check_table, encode
from mtorscore.prognosis.endpoints.endpoints import Endpoint, SurvivalData
from mtorscore.prognosis.endpoints.inputs import read_inputs
from mtorscore.prognosis.statistics import cox
from mtorscore.prognosis.statistics.inference import ratio, wald
from mtorscore.prognosis.statistics.kaplan_meier import (
    leave_one_out,
    restricted_mean_interval,
    restricted_mean_of,
)
from mtorscore.prognosis.statistics.risk_sets import FloatArray, RiskSets
from mtorscore.prognosis.statistics.robust import robust_slope
from mtorscore.prognosis.statistics.smoothing import spline_basis

__all__ = ["interaction", "nonlinearity", "over_time", "residual_scores", "restricted_mean", "trend_test"]

EVENTS_PER_GROUP = 15
"""With ten to fourteen events in a group the likelihood ratio test of an interaction erred in 6.5% instead of 5%."""


def restricted_mean(
    groups: pd.Series, clinical: pd.DataFrame, endpoint: Endpoint, horizon: float | None = None, *, level: float = 0.95
) -> pd.DataFrame:
    """Restricted mean survival time per group, and differences from the first group.

    Parameters
    ----------
    groups
        Group of each observation.
    clinical, endpoint
        The outcome.
    horizon
        In the endpoint's unit; by default the shortest of the groups' longest follow-ups.

    Returns
    -------
    pandas.DataFrame
        group, n, events, horizon, rmst, se, low, high (by the logarithm of the time lost before the horizon; NaN with
        fewer than two events by then), difference, difference_low, difference_high, p.
    """
    check_groups(groups)
    data = endpoint.resolve_survival(clinical, groups.dropna().index)
    chosen = groups.loc[data.index].astype(str)
    levels = sorted(chosen.unique())
    longest = min(float(data.time[(chosen == g).to_numpy()].max()) for g in levels)
    tau = longest if horizon is None else float(horizon)
    if not 0 < tau <= longest:
        raise DataError(
            f"The horizon {tau:g} lies beyond the follow-up of a group ({longest:g}); choose a shorter one."
        )
    z = stats.norm.ppf(0.5 + level / 2)
    rows: list[dict[str, Any]] = []
    for g in levels:
        part = data.take((chosen == g).to_numpy())
        area, se = restricted_mean_of(part.time, part.event, part.entry, tau)
        row = {"group": g, "n": part.n, "events": part.n_events, "horizon": tau, "rmst": area, "se": se}
        by_then = int((part.event & (part.time <= tau)).sum())
        row["low"], row["high"] = restricted_mean_interval(area, se, tau, by_then, level)
        if rows:
            gap, spread = area - rows[0]["rmst"], float(np.hypot(se, rows[0]["se"]))
            row |= {"difference": gap, "difference_low": gap - z * spread, "difference_high": gap + z * spread}
            row["p"] = float(2 * stats.norm.sf(abs(gap / spread))) if spread > 0 else np.nan
        rows.append(row)
    return pd.DataFrame(rows).reindex(columns=[*rows[0], "difference", "difference_low", "difference_high", "p"])


def _each_score(
    scores: Any, clinical: pd.DataFrame | None, endpoint: Endpoint, method: str | None
) -> Iterator[tuple[dict[str, Any], SurvivalData | None, FloatArray]]:
    """Yield the head of each score's row, the outcome of the observations that have it, and its values there."""
    inputs = read_inputs(scores, clinical, None, None, method)
    for name in inputs.scores.columns:
        known = inputs.scores[name].dropna()
        row: dict[str, Any] = {"signature": str(name), "endpoint": endpoint.name, "n": 0, "events": 0}
        if known.empty:
            yield row, None, np.zeros(0)
            continue
        data = endpoint.resolve_survival(inputs.clinical, known.index)
        row |= {"n": data.n, "events": data.n_events, "horizon": data.horizon}
        yield row, data, known.loc[data.index].to_numpy(dtype=np.float64)


def over_time(
    scores: Any,
    clinical: pd.DataFrame | None,
    endpoint: Endpoint,
    *,
    cut: float | None = None,
    horizon: float | None = None,
    method: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Describe an effect without proportional hazards: early and late hazard ratio, restricted mean.

    Parameters
    ----------
    scores, clinical, endpoint, method
        As in `associate`.
    cut
        Time between early and late; the median event time by default.
    horizon
        Of the restricted mean; the 90th percentile of follow-up by default.

    Returns
    -------
    pandas.DataFrame
        Per score: cut, hr_early and hr_late with intervals and events, p_change (whether they differ), horizon,
        rmst_per_sd (change of the restricted mean per SD, regression on pseudo-observations with robust errors) with
        interval and p, valid, reason. All ratios per SD.
    """
    rows = []
    for row, data, x in _each_score(scores, clinical, endpoint, method):
        rows.append(row)
        if data is None or data.n_events < 2 or x.std() == 0:
            continue
        x = (x - x.mean()) / x.std(ddof=1)
        at = float(np.median(data.time[data.event])) if cut is None else within_follow_up(float(cut), data, "The cut")
        row["cut"] = at
        early = RiskSets(np.minimum(data.time, at), data.event & (data.time <= at), data.entry)
        later = data.time > at
        start = np.full(int(later.sum()), at) if data.entry is None else np.maximum(data.entry[later], at)
        late = RiskSets(data.time[later], data.event[later], start)
        found = []
        for label, risk, values in (("early", early, x), ("late", late, x[later])):
            row[f"events_{label}"] = risk.n_events
            if risk.n_events == 0 or len(values) < 2:
                continue
            e = wald(cox.newton(risk, values[:, None, None]), level)
            found.append((e.coef[0], e.se[0]))
            row |= {f"hr_{label}": float(ratio(e.coef[0])), f"hr_{label}_low": float(ratio(e.low[0]))}
            row[f"hr_{label}_high"] = float(ratio(e.high[0]))
        if len(found) == 2:
            gap = (found[0][0] - found[1][0]) / np.hypot(found[0][1], found[1][1])
            row["p_change"] = float(2 * stats.norm.sf(abs(gap)))
        tau = float(np.quantile(data.time, 0.9)) if horizon is None else within_follow_up(float(horizon), data)
        slope, se = robust_slope(x, leave_one_out(data.time, data.event, data.entry, tau))
        law = stats.t(data.n - 2)
        half = law.ppf(0.5 + level / 2) * se
        row |= {"horizon": tau, "rmst_per_sd": slope, "rmst_low": slope - half, "rmst_high": slope + half}
        row["rmst_p"] = float(2 * law.sf(abs(slope / se))) if se > 0 else np.nan
    table = pd.DataFrame(rows)
    halves = table.reindex(columns=["events_early", "events_late"]).fillna(0).min(axis=1).astype(int)
    return _with_validity(table, halves, MIN_EVENTS, "event(s) before or after the cut")


def _with_validity(table: pd.DataFrame, events: pd.Series, least: int, what: str) -> pd.DataFrame:
    """Add the columns `valid` and `reason`: rows with too few events are not valid."""
    table["valid"] = events >= least
    table["reason"] = [f"{n} {what}; {least} are asked for" if n < least else "" for n in events]
    return table


def interaction(
    scores: Any,
    clinical: pd.DataFrame | None,
    endpoint: Endpoint,
    by: str,
    *,
    method: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Test of interaction: differences of a score's hazard ratio between groups (sex, aetiology, location).

    Parameters
    ----------
    scores, clinical, endpoint, method
        As in `associate`.
    by
        Clinical column of the groups.

    Returns
    -------
    pandas.DataFrame
        One row per score and group: hr per SD (of all patients) with interval, n, events; p_interaction (likelihood
        ratio, main effects of the groups in both models), q over scores, valid, reason. Groups with fewer than 15
        events make the row not valid.
    """
    inputs = read_inputs(scores, clinical, None, None, method)
    if by not in inputs.clinical.columns:
        raise DataError(f"No clinical column is called {by!r}; there are {examples(inputs.clinical.columns, 6)}.")
    rows = []
    for name in inputs.scores.columns:
        known = inputs.scores[name].notna() & inputs.clinical[by].reindex(inputs.scores.index).notna()
        if not known.any():
            why = f"no observation has a score and a value of {by}"
            rows.append(_no_interaction(str(name), endpoint.name, by, why))
            continue
        data = endpoint.resolve_survival(inputs.clinical, inputs.scores.index[known])
        if data.n_events == 0:
            raise EndpointError(f"Endpoint {data.name}: none of the {data.n} observations has an event.")
        groups = inputs.clinical.loc[data.index, by].astype(str).to_numpy()
        levels = sorted(set(groups))
        if len(levels) < 2:
            raise DataError(f"Column {by!r} holds one group only ({levels[0]}); an interaction needs two.")
        x = inputs.scores.loc[data.index, name].to_numpy(dtype=np.float64)
        spread = x.std(ddof=1)
        if not spread > 1e-12 * np.abs(x).max():
            rows.append(_no_interaction(str(name), endpoint.name, by, "the score is constant"))
            continue
        x = (x - x.mean()) / spread
        member = (groups[:, None] == np.array(levels)).astype(np.float64)
        risk = RiskSets(data.time, data.event, data.entry)
        main = np.column_stack([x, member[:, 1:]])
        full = np.column_stack([member * x[:, None], member[:, 1:]])
        events = np.array([int(data.event[groups == g].sum()) for g in levels])
        fits = [cox.newton(risk, m[:, :, None]) for m in (main, full)]
        p = np.nan
        if all(f.converged[0] for f in fits):
            p = float(stats.chi2.sf(2 * (fits[1].loglik[0] - fits[0].loglik[0]), len(levels) - 1))
        enough = bool(events.min() >= EVENTS_PER_GROUP)
        few = "" if enough else f"a group has {events.min()} event(s); {EVENTS_PER_GROUP} are asked for"
        for k, g in enumerate(levels):
            e = wald(fits[1], level, term=k)
            rows.append(
                {
                    "signature": str(name), "endpoint": data.name, "by": by, "group": g, "n": int(member[:, k].sum()),
                    "events": int(events[k]), "hr": float(ratio(e.coef[0])), "hr_low": float(ratio(e.low[0])),
                    "hr_high": float(ratio(e.high[0])), "p_interaction": p, "valid": enough,
                    "reason": few, "horizon": data.horizon,
                }
            )  # fmt: skip
    table = pd.DataFrame(rows)
    first = table.drop_duplicates("signature").set_index("signature")["p_interaction"]
    table["q"] = table["signature"].map(dict(zip(first.index, adjust_p(first.to_numpy()), strict=True)))
    return table


def _no_interaction(name: str, endpoint: str, by: str, reason: str) -> dict[str, Any]:
    row: dict[str, Any] = {"signature": name, "endpoint": endpoint, "by": by, "group": "", "n": 0, "events": 0}
    row |= dict.fromkeys(("horizon", "hr", "hr_low", "hr_high", "p_interaction"), np.nan)
    return row | {"valid": False, "reason": reason}


def trend_test(scores: Any, groups: pd.Series, order: Sequence[Any], *, method: str | None = None) -> pd.DataFrame:
    """Jonckheere-Terpstra test of scores along ordered groups, such as normal, NASH, cirrhosis, HCC.

    Parameters
    ----------
    scores
        DataFrame or scored AnnData.
    groups
        Group of each observation.
    order
        The groups from first to last; others are left out.

    Returns
    -------
    pandas.DataFrame
        Per score: n, statistic, z, p (normal approximation with ties), q, effect (share of pairs from different
        groups that rise; 0.5 means none), and the medians of the groups.

    References
    ----------
    The variance with ties is that of Hollander and Wolfe, Nonparametric Statistical Methods, 1999.
    """
    check_column(groups, "groups")
    inputs = read_inputs(scores, groups.to_frame("__group"), None, None, method)
    missing = [g for g in order if not (groups == g).any()]
    if missing or len(order) < 2:
        raise DataError(f"A trend needs two groups with observations; none is in {examples(missing) or 'the order'}.")
    rows = []
    for name in inputs.scores.columns:
        column = inputs.scores[name].dropna()
        label = groups.reindex(column.index)
        parts = [column[label == g].to_numpy(dtype=np.float64) for g in order]
        rows.append({"signature": str(name)} | _jonckheere(parts, [str(g) for g in order]))
    table = pd.DataFrame(rows)
    table.insert(5, "q", adjust_p(table["p"]))
    return table


def _jonckheere(parts: list[FloatArray], names: list[str]) -> dict[str, Any]:
    statistic, pairs = 0.0, 0
    for i, low in enumerate(parts):
        for high in parts[i + 1 :]:
            statistic += float((high[:, None] > low).sum() + 0.5 * (high[:, None] == low).sum())
            pairs += len(low) * len(high)
    sizes = np.array([len(p) for p in parts], dtype=np.float64)
    n = sizes.sum()
    ties = np.unique(np.concatenate(parts), return_counts=True)[1].astype(np.float64)

    def cubic(v: FloatArray) -> float:
        return float((v * (v - 1) * (2 * v + 5)).sum())

    total = n * (n - 1) * (2 * n + 5)
    variance = (total - cubic(sizes) - cubic(ties)) / 72
    if n > 2:
        triple = ((sizes * (sizes - 1) * (sizes - 2)).sum()) * ((ties * (ties - 1) * (ties - 2)).sum())
        variance += triple / (36 * n * (n - 1) * (n - 2))
    variance += (sizes * (sizes - 1)).sum() * (ties * (ties - 1)).sum() / (8 * n * (n - 1))
    mean = (n**2 - (sizes**2).sum()) / 4
    z = (statistic - mean) / np.sqrt(variance) if variance > 0 else np.nan
    out: dict[str, Any] = {"n": int(n), "statistic": statistic, "z": float(z), "p": float(2 * stats.norm.sf(abs(z)))}
    out["effect"] = statistic / pairs if pairs else np.nan
    return out | {f"median_{g}": float(np.median(p)) if len(p) else np.nan for g, p in zip(names, parts, strict=True)}


def nonlinearity(
    scores: Any, clinical: pd.DataFrame | None, endpoint: Endpoint, *, knots: int = 3, method: str | None = None
) -> pd.DataFrame:
    """Test of non-linearity of the log hazard: restricted cubic spline against linear.

    Parameters
    ----------
    scores, clinical, endpoint, method
        As in `associate`.
    knots
        3 to 5, at Harrell's quantiles.

    Returns
    -------
    pandas.DataFrame
        Per score: n, events, p_linear, p_nonlinear (likelihood ratio, ``knots - 2`` degrees of freedom), q_nonlinear
        and the log hazard ratio against the median at the 5th, 25th, 75th and 95th percentile, valid, reason.
    """
    places = {3: [0.1, 0.5, 0.9], 4: [0.05, 0.35, 0.65, 0.95], 5: [0.05, 0.275, 0.5, 0.725, 0.95]}
    if knots not in places:
        raise DataError(f"Use 3, 4 or 5 knots, not {knots}.")
    rows = []
    for row, data, x in _each_score(scores, clinical, endpoint, method):
        rows.append(row)
        if data is not None and len(np.unique(np.quantile(x, places[knots]))) == knots and data.n_events >= 2:
            x = (x - x.mean()) / x.std()
            at = np.quantile(x, places[knots])
            risk = RiskSets(data.time, data.event, data.entry)
            basis = spline_basis(x, at)
            scale = basis.std(axis=0)
            straight, curved = (cox.newton(risk, (b / s)[:, :, None]) for b, s in ((x[:, None], 1.0), (basis, scale)))
            gain = 2 * (straight.loglik[0] - straight.loglik_null[0])
            row["p_linear"] = float(stats.chi2.sf(gain, 1))
            row["p_nonlinear"] = float(stats.chi2.sf(2 * (curved.loglik[0] - straight.loglik[0]), knots - 2))
            points = np.quantile(x, [0.05, 0.25, 0.75, 0.95, 0.5])
            value = spline_basis(points, at) / scale @ curved.coef[:, 0]
            row |= {f"log_hr_{q}": float(v - value[-1]) for q, v in zip((5, 25, 75, 95), value, strict=False)}
    table = pd.DataFrame(rows)
    if "p_nonlinear" in table:
        table["q_nonlinear"] = adjust_p(table["p_nonlinear"])
    return _with_validity(table, table["events"], MIN_EVENTS * (knots - 1), "event(s) for the spline")


def residual_scores(scores: pd.DataFrame, confounders: pd.DataFrame) -> pd.DataFrame:
    """Return the residuals of each score after regression on confounders such as proliferation.

    A picture of the information beyond the confounder, for plots. To test it, adjust the outcome model instead
    (``associate(adjust=...)``): a residual treats the regression as known.

    Parameters
    ----------
    scores
        Observations x signatures.
    confounders
        Observations x confounders; categories are coded as in the models.

    Returns
    -------
    pandas.DataFrame
        Like `scores`; NaN where a score or a confounder is missing.

    Raises
    ------
    DataError
        If the two share fewer than three observations.
    """
    check_table(scores, "scores")
    check_numbers(scores, "scores")
    check_table(confounders, "confounders")
    coded = encode(confounders).dropna().reindex(scores.index)
    design = np.column_stack([np.ones(len(coded)), coded.to_numpy(dtype=np.float64)])
    out = pd.DataFrame(np.nan, index=scores.index, columns=scores.columns)
    if np.isfinite(design).all(axis=1).sum() < 3:
        raise DataError("Scores and confounders share fewer than three observations; check their indices.")
    for name in scores.columns:
        y = scores[name].to_numpy(dtype=np.float64)
        keep = np.isfinite(design).all(axis=1) & np.isfinite(y)
        if keep.sum() > design.shape[1]:
            fitted = design[keep] @ np.linalg.lstsq(design[keep], y[keep], rcond=None)[0]
            out.loc[keep, name] = y[keep] - fitted
    return out

"""Cox models, Kaplan-Meier curves, log-rank tests and concordance on labelled tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from mtorscore.errors import DataError, DataWarning, EndpointError, StatisticsWarning, examples, warn
from mtorscore.prognosis.endpoints.checks import check_level, names_of
from mtorscore.prognosis.endpoints.columns import warn_repeated_patients
from mtorscore.prognosis.endpoints.covariates import check_column, check_table, encode
from mtorscore.prognosis.endpoints.endpoints import Endpoint, SurvivalData
from mtorscore.prognosis.endpoints.inputs import as_endpoints, read_inputs
from mtorscore.prognosis.statistics import cox as _cox
from mtorscore.prognosis.statistics.concordance import Concordance, bootstrap_multiplicities, concordance, with_interval
from mtorscore.prognosis.statistics.cox import Fits
from mtorscore.prognosis.statistics.inference import profile, ratio, wald
from mtorscore.prognosis.statistics.kaplan_meier import loglog_interval, logrank_statistic, product_limit
from mtorscore.prognosis.statistics.risk_sets import FloatArray, RiskSets
from mtorscore.results import KAPLAN_MEIER

__all__ = ["CoxFit", "concordance_index", "cox", "kaplan_meier", "logrank"]


@dataclass(frozen=True, eq=False)
class CoxFit:
    """A fitted Cox model.

    Attributes
    ----------
    table
        Per covariate: coef, se, hr, hr_low, hr_high, z, p, ph_chisq, ph_p.
    loglik, loglik_null
        Log partial likelihood (penalised with Firth's penalty).
    ph_global_p
        Global proportional-hazards test.
    concordance
        Harrell's C of the linear predictor, in sample.
    """

    table: pd.DataFrame
    covariance: FloatArray
    means: pd.Series
    loglik: float
    loglik_null: float
    n: int
    events: int
    converged: bool
    firth: bool
    ph_global_p: float
    concordance: Concordance

    @property
    def likelihood_ratio_p(self) -> float:
        """P-value of the likelihood-ratio test against the model without covariates."""
        chisq = 2 * (self.loglik - self.loglik_null)
        return float(stats.chi2.sf(chisq, len(self.table)))

    def linear_predictor(self, covariates: pd.DataFrame) -> pd.Series:
        """Centred linear predictor of new observations, from the coded columns of the fit."""
        missing = [c for c in self.table.index if c not in covariates.columns]
        if missing:
            raise DataError(f"{len(missing)} covariate(s) of the model are missing ({examples(missing)}).")
        x = covariates[list(self.table.index)] - self.means
        return x @ self.table["coef"]


def cox(
    covariates: pd.DataFrame,
    clinical: pd.DataFrame,
    endpoint: Endpoint,
    *,
    strata: pd.Series | None = None,
    ties: str = "efron",
    firth: bool = False,
    level: float = 0.95,
) -> CoxFit:
    """Fit one Cox model.

    Parameters
    ----------
    covariates
        ``(n_obs, p)``; categories are coded as in `encode`. Observations with a missing covariate or stratum are left
        out.
    clinical
        Table that holds the endpoint.
    endpoint
        A survival endpoint; entry times are honoured.
    strata
        Strata with their own baseline hazard.
    ties
        ``"efron"`` or ``"breslow"``.
    firth
        Firth's penalty; p-values and intervals are then from the penalised profile likelihood.
    level
        Of the intervals.

    Returns
    -------
    CoxFit
        Agrees with R's ``coxph`` and ``cox.zph``.

    Raises
    ------
    EndpointError
        If there is no event.
    DataError
        If no covariate varies, or the covariates determine one another.
    """
    check_table(covariates, "covariates")
    data = endpoint.resolve_survival(clinical, covariates.index)
    design = encode(covariates.loc[data.index])
    if design.shape[1] == 0:
        raise DataError("No covariate varies among the observations of this endpoint.")
    keep = design.notna().all(axis=1).to_numpy() & _known(strata, data.index)
    data, design = data.take(keep), design[keep]
    if data.n_events == 0:
        raise EndpointError(f"Endpoint {data.name}: none of the {data.n} observations has an event.")
    warn_repeated_patients(clinical, data.index)
    codes = None if strata is None else pd.factorize(strata.loc[data.index])[0].astype(np.int64)
    risk = RiskSets(data.time, data.event, data.entry, codes, ties=ties)
    raw = design.to_numpy(dtype=np.float64)
    mean, sd = raw.mean(axis=0), raw.std(axis=0)
    if (sd == 0).any():
        raise DataError(f"Covariate {design.columns[int(np.argmin(sd))]!r} is constant where all are known.")
    x = ((raw - mean) / sd)[:, :, None]
    rank = int(np.linalg.matrix_rank(x[:, :, 0]))
    if rank < x.shape[1]:
        raise DataError(
            f"The {x.shape[1]} columns of the {covariates.shape[1]} covariate(s) determine one another among the "
            f"{data.n} observations: only {rank} of them are free ({examples(design.columns)}). Leave the others out."
        )
    fit = _cox.newton(risk, x, firth=firth)
    _warn_of_model(covariates, design, fit, data)
    scaled = fit.coef[:, 0]
    chisq, ph_p = _cox.zph(risk, x[:, :, 0], scaled)
    rows = []
    for j in range(raw.shape[1]):
        e = profile(lambda x, **k: _cox.newton(risk, x, **k), x, level, term=j) if firth else wald(fit, level, term=j)
        coef, se = e.coef[0] / sd[j], e.se[0] / sd[j]
        rows.append(
            {
                "coef": coef,
                "se": se,
                "hr": ratio(coef),
                "hr_low": ratio(e.low[0] / sd[j]),
                "hr_high": ratio(e.high[0] / sd[j]),
                "z": coef / se,
                "p": e.p[0],
                "ph_chisq": chisq[j],
                "ph_p": ph_p[j],
            }
        )
    c = concordance(x[:, :, 0] @ scaled, data.time, data.event, data.entry, codes)
    table = pd.DataFrame(rows, index=design.columns)
    return CoxFit(
        table,
        fit.covariance[:, :, 0] / np.outer(sd, sd),
        pd.Series(mean, index=design.columns),
        float(fit.loglik[0]),
        float(fit.loglik_null[0]),
        data.n,
        data.n_events,
        bool(fit.converged[0]),
        firth,
        float(ph_p[-1]),
        c,
    )


def _warn_of_model(covariates: pd.DataFrame, design: pd.DataFrame, fit: Fits, data: SurvivalData) -> None:
    """Warn about covariates left out of the model, and about a model without a finite estimate."""
    gone = [c for c in covariates.columns if not any(str(d) == str(c) or d.startswith(f"{c}=") for d in design)]
    if gone:
        text = f"{len(gone)} covariate(s) do not vary and are no part of the model ({examples(gone)})."
        warn(text, DataWarning)
    if not fit.converged[0]:
        warn(
            f"The Cox model has no finite estimate ({design.shape[1]} parameters, {data.n_events} events): the groups "
            "separate, or there are too few events. Use firth=True, or fewer covariates.",
            StatisticsWarning,
        )


def _known(strata: pd.Series | None, index: pd.Index) -> npt.NDArray[np.bool_]:
    """Which observations have a stratum; all of them without strata."""
    if strata is None:
        return np.ones(len(index), dtype=bool)
    check_column(strata, "strata")
    known: npt.NDArray[np.bool_] = strata.reindex(index).notna().to_numpy()
    return known


def concordance_index(
    score: pd.Series,
    clinical: pd.DataFrame,
    endpoint: Endpoint,
    *,
    n_boot: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Concordance:
    """Harrell's C of a score, with an interval on the logit scale (jackknife error, Student's t).

    Parameters
    ----------
    score
        Higher should go with earlier events.
    clinical, endpoint
        The outcome.
    n_boot
        Resamples of observations for the percentile interval where that has no closed form (a C of 0 or 1); 0 for no
        interval.

    Returns
    -------
    Concordance
        Estimate, jackknife standard error, pair counts and interval; equal to R's ``concordance(reverse=TRUE)``.
    """
    check_column(score, "score", numeric=True)
    data = endpoint.resolve_survival(clinical, score.dropna().index)
    values = score.loc[data.index].to_numpy(dtype=np.float64)
    found = concordance(values, data.time, data.event, data.entry)
    if not n_boot or with_interval(found, data.n_events, level):
        return found
    resample = bootstrap_multiplicities(data.n, n_boot, seed)
    return concordance(values, data.time, data.event, data.entry, multiplicities=resample, level=level)


def logrank(
    groups: pd.Series,
    clinical: pd.DataFrame,
    endpoint: Endpoint,
    *,
    strata: pd.Series | None = None,
    trend: bool = False,
) -> pd.DataFrame:
    """Log-rank test between groups.

    Parameters
    ----------
    groups
        Group of each observation; missing ones are left out.
    clinical, endpoint
        The outcome.
    strata
        Test within strata; observations without one are left out.
    trend
        One-degree test for trend over ordered groups (in category order, scores 1, 2, 3, ...).

    Returns
    -------
    pandas.DataFrame
        One row: endpoint, n, events, groups, chisq, df, p.
    """
    check_column(groups, "groups")
    index = groups.dropna().index
    data = endpoint.resolve_survival(clinical, index[_known(strata, index)])
    chosen = groups.loc[data.index]
    if isinstance(chosen.dtype, pd.CategoricalDtype):
        chosen = chosen.cat.remove_unused_categories()
        codes, levels = chosen.cat.codes.to_numpy(dtype=np.int64), list(chosen.cat.categories)
    else:
        codes, levels = pd.factorize(chosen, sort=True)
    if len(levels) < 2:
        raise DataError(f"The log-rank test needs two groups; there is {len(levels)} ({examples(levels)}).")
    by = None if strata is None else pd.factorize(strata.loc[data.index])[0].astype(np.int64)
    scores = np.arange(1.0, len(levels) + 1) if trend else None
    chisq, df, p, _, _ = logrank_statistic(data.time, data.event, codes.astype(np.int64), data.entry, by, scores)
    row = {"endpoint": data.name, "n": data.n, "events": data.n_events, "groups": len(levels)}
    return pd.DataFrame([row | {"chisq": chisq, "df": df, "p": p}])


def kaplan_meier(
    scores: Any,
    clinical: pd.DataFrame | None = None,
    endpoint: Endpoint | Sequence[Endpoint] = (),
    *,
    quantiles: float | Sequence[float] = (0.5,),
    optimal: bool = False,
    method: str | None = None,
    signatures: Sequence[str] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Kaplan-Meier curves of groups cut at pre-set quantiles of each score, with the log-rank test.

    Parameters
    ----------
    scores
        DataFrame of scores, a scored AnnData, or a Series of ready-made groups (categories).
    clinical, endpoint
        The outcome; one endpoint or several.
    quantiles
        Cut-points as quantiles of the score among the patients of the endpoint; ``(0.5,)`` is the median split. They
        are set before looking.
    optimal
        Groups by cross-validated optimal cut-points instead (see `optimal_cutpoint`); the table then carries
        ``corrected_p`` and ``cv_p``, and the log-rank columns, which do not pay for the search, are NaN.
    method
        Which scores of an AnnData.
    signatures
        Columns to draw; all by default.
    level
        Of the log-log interval.

    Returns
    -------
    pandas.DataFrame
        Tidy: signature, endpoint, unit, group, n, events, cut, time, n_risk, n_event, n_censor, survival, low, high,
        median, logrank_chisq, logrank_df, logrank_p, reason. One row per group and distinct time, beginning at 0.
        Observations at the cut belong to the lower group. A score of two values is cut between them, whatever the
        quantiles. A score that cannot be cut into groups gives one row without a group and a time, and the reason;
        ready-made groups may be one group, the curve of everybody, whose log-rank columns are NaN.

    Raises
    ------
    EndpointError
        If an endpoint has no event.
    """
    if isinstance(scores, pd.Series):
        if clinical is None:
            raise DataError("No clinical table: hand over a DataFrame indexed by observation.")
        table, numeric = scores.to_frame(name=scores.name or "group"), False
    else:
        inputs = read_inputs(scores, clinical, None, None, method)
        table, clinical, numeric = inputs.scores, inputs.clinical, True
    check_level(level)
    cuts = sorted({float(q) for q in np.atleast_1d(np.asarray(quantiles, dtype=np.float64))})
    if numeric and not (cuts and cuts[0] > 0 and cuts[-1] < 1):
        raise DataError(f"Quantiles must lie between 0 and 1; got {quantiles}.")
    names = list(table.columns) if signatures is None else names_of(signatures)
    absent = [n for n in names if n not in table.columns]
    if absent:
        raise DataError(f"{len(absent)} score(s) are not in the table ({examples(absent)}).")
    parts = []
    for one in as_endpoints(endpoint):
        data = one.resolve_survival(clinical, table.index)
        if data.n_events == 0:
            raise EndpointError(f"Endpoint {data.name}: none of the {data.n} observations has an event.")
        warn_repeated_patients(clinical, data.index)
        for name in names:
            column = table.loc[data.index, name]
            if optimal and numeric:
                parts += _optimal_curves(str(name), column, clinical, one, data, level)
            else:
                parts += _curves(str(name), column, data, cuts if numeric else None, level)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_KM)


_KM = list(KAPLAN_MEIER.names[1:])


def cut_groups(values: FloatArray, quantiles: Sequence[float]) -> tuple[npt.NDArray[np.int64], list[str], list[float]]:
    """Codes, names and cut-points of groups at quantiles; values at a cut fall below it."""
    points = [float(v) for v in np.quantile(values, quantiles)]
    codes = np.searchsorted(np.array(points), values, side="left").astype(np.int64)
    k = len(points) + 1
    names = {2: ["low", "high"], 3: ["low", "middle", "high"]}.get(k, [f"Q{i + 1}" for i in range(k)])
    return codes, names, points


def _curves(
    name: str, column: pd.Series, data: SurvivalData, quantiles: list[float] | None, level: float
) -> list[pd.DataFrame]:
    keep = column.notna().to_numpy()
    data, column = data.take(keep), column[keep]
    if data.n < 2:
        return [_no_curve(name, data, f"{data.n} observation(s) have a score")] if quantiles is not None else []
    if quantiles is not None:
        values = column.to_numpy(dtype=np.float64)
        two = np.unique(values)
        codes, levels, points = cut_groups(values, quantiles)
        if len(two) == 2:
            codes, levels, points = (values > two[0]).astype(np.int64), ["low", "high"], [float(two[0])]
    else:
        groups = column.astype("category").cat.remove_unused_categories()
        codes, levels, points = groups.cat.codes.to_numpy(dtype=np.int64), [str(v) for v in groups.cat.categories], []
    present = np.unique(codes)
    if len(present) < 2 and quantiles is not None:
        share = float((column == column.mode().iloc[0]).mean())
        return [_no_curve(name, data, f"{share:.0%} of the scores are one value: the quantiles cut no groups")]
    codes = np.searchsorted(present, codes).astype(np.int64)
    levels = [levels[i] for i in present]
    chisq, df, p, _, _ = logrank_statistic(data.time, data.event, codes, data.entry)
    out = []
    for g, label in enumerate(levels):
        part = data.take(codes == g)
        curve = product_limit(part.time, part.event, part.entry)
        low, high = loglog_interval(curve.survival, curve.se, level)
        first = 0.0 if part.entry is None else float(part.entry.min())
        at_start = part.n if part.entry is None else int((part.entry <= first).sum())
        body = pd.DataFrame(
            {
                "time": np.r_[first, curve.time],
                "n_risk": np.r_[at_start, curve.n_risk],
                "n_event": np.r_[0, curve.n_event],
                "n_censor": np.r_[0, curve.n_censor],
                "survival": np.r_[1.0, curve.survival],
                "low": np.r_[np.nan, low],
                "high": np.r_[np.nan, high],
            }
        )
        if part.time.min() == 0:
            body = body.iloc[1:]
        # A product of fractions that is one half may come out a rounding error above it.
        below = curve.time[curve.survival <= 0.5 + 1e-12]
        head = {
            "signature": name,
            "endpoint": data.name,
            "unit": data.unit,
            "group": label,
            "n": part.n,
            "events": part.n_events,
            "cut": ", ".join(f"{v:.6g}" for v in points),
            "median": float(below[0]) if len(below) else np.nan,
            "logrank_chisq": chisq,
            "logrank_df": df,
            "logrank_p": p,
            "reason": "",
        }
        out.append(body.assign(**head)[_KM])
    return out


def _no_curve(name: str, data: SurvivalData, reason: str) -> pd.DataFrame:
    """Return the row of a score that no curve can be drawn of."""
    row: dict[str, Any] = dict.fromkeys(_KM, np.nan) | {"signature": name, "endpoint": data.name, "unit": data.unit}
    return pd.DataFrame([row | {"group": "", "cut": "", "n": data.n, "events": data.n_events, "reason": reason}])


def _optimal_curves(
    name: str, column: pd.Series, clinical: pd.DataFrame, endpoint: Endpoint, data: SurvivalData, level: float
) -> list[pd.DataFrame]:
    """Curves of cross-validated groups; the uncorrected log-rank test is not shown."""
    from mtorscore.prognosis.association.cutpoints import optimal_cutpoint

    found = optimal_cutpoint(column, clinical, endpoint)
    parts = _curves(name, found.groups.reindex(data.index), data, None, level)
    extra = {"corrected_p": found.p, "cv_p": found.cv_p, "cut_rule": "optimal, cross-validated groups"}
    blank = {"cut": f"{found.cut:.6g}", "logrank_chisq": np.nan, "logrank_df": np.nan, "logrank_p": np.nan}
    return [part.assign(**blank, **extra) for part in parts]

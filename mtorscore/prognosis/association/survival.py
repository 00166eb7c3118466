"""Cox models, cause-specific ones side by side, log-rank tests and concordance on labelled tables.

References
----------
Prentice et al., Biometrics 1978;34:541 (cause-specific hazards).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from mtorscore.errors import DataError, DataWarning, EndpointError, StatisticsWarning, examples, warn
from mtorscore.prognosis.endpoints.columns import warn_repeated_patients
from mtorscore.prognosis.endpoints.covariates import check_column, check_groups, check_table, encode
from mtorscore.prognosis.endpoints.endpoints import Endpoint, SurvivalData
from mtorscore.prognosis.statistics import cox as _cox
from mtorscore.prognosis.statistics.concordance import Concordance, bootstrap_multiplicities, concordance, with_interval
from mtorscore.prognosis.statistics.cox import Fits
from mtorscore.prognosis.statistics.inference import profile, ratio, wald
from mtorscore.prognosis.statistics.kaplan_meier import logrank_statistic
from mtorscore.prognosis.statistics.risk_sets import FloatArray, RiskSets

__all__ = ["CoxFit", "cause_specific", "concordance_index", "cox", "logrank"]


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
        One row: endpoint, n, events, groups, chisq, df, p, horizon (where follow-up was cut).
    """
    check_groups(groups)
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
    return pd.DataFrame([row | {"chisq": chisq, "df": df, "p": p, "horizon": data.horizon}])


def cause_specific(
    scores: Any, clinical: pd.DataFrame, endpoint: Endpoint, adjust: Sequence[Any] = (), **options: Any
) -> pd.DataFrame:
    """Cause-specific Cox models of the event and of the competing event, side by side.

    A score that lowers the incidence of an event may do so by raising its competitor; only both hazards show it.

    Parameters
    ----------
    scores, clinical, adjust, **options
        As in `associate`.
    endpoint
        With `competing`.

    Returns
    -------
    pandas.DataFrame
        As from `associate`, with a column `cause` in front.

    Raises
    ------
    EndpointError
        If the endpoint names no competing event.
    """
    from mtorscore.prognosis.association.associate import associate

    if endpoint.competing is None:
        raise EndpointError(f"Endpoint {endpoint.name} names no competing event; use Endpoint.survival(competing=...).")
    index = clinical.index if not isinstance(scores, pd.DataFrame) else scores.index
    data = endpoint.resolve_survival(clinical, index)
    parts = []
    for code, cause in ((1, "event"), (2, "competing")):
        table, plain = _as_columns(clinical, data, endpoint, code)
        part = associate(scores, table, plain, adjust, **options)
        part["horizon"] = data.horizon
        part.insert(0, "cause", cause)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _as_columns(
    clinical: pd.DataFrame, data: SurvivalData, endpoint: Endpoint, code: int
) -> tuple[pd.DataFrame, Endpoint]:
    """Write one cause as an ordinary event column; the other cause counts as censored."""
    table = clinical.loc[data.index].copy()
    table["__time"], table["__event"] = data.time, (data.status == code).astype(int)
    columns = {"time": "__time", "event": "__event", "competing": None, "event_value": None, "horizon": None}
    return table, replace(endpoint, **columns)  # type: ignore[arg-type]

"""Kaplan-Meier and Aalen-Johansen curves of groups.

References
----------
Kaplan and Meier, JASA 1958;53:457; Aalen and Johansen, Scand J Stat 1978;5:141.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, EndpointError, examples
from mtorscore.prognosis.endpoints.checks import check_level, names_of
from mtorscore.prognosis.endpoints.columns import warn_repeated_patients
from mtorscore.prognosis.endpoints.covariates import check_groups
from mtorscore.prognosis.endpoints.endpoints import Endpoint, SurvivalData
from mtorscore.prognosis.endpoints.inputs import as_endpoints, read_inputs
from mtorscore.prognosis.endpoints.outcome_data import competing_text
from mtorscore.prognosis.statistics.incidence import aalen_johansen, incidence_interval
from mtorscore.prognosis.statistics.kaplan_meier import loglog_interval, logrank_statistic, product_limit
from mtorscore.prognosis.statistics.risk_sets import FloatArray
from mtorscore.results import KAPLAN_MEIER

__all__ = ["cumulative_incidence", "kaplan_meier"]


def cumulative_incidence(
    clinical: pd.DataFrame, endpoint: Endpoint, groups: pd.Series | None = None, *, level: float = 0.95
) -> pd.DataFrame:
    """Aalen-Johansen cumulative incidence of the event and of the competing event.

    Parameters
    ----------
    clinical
        Table that holds the endpoint.
    endpoint
        A survival endpoint, usually with `competing`.
    groups
        Optional groups, each with its own curves.
    level
        Of the interval, on the log(-log) scale.

    Returns
    -------
    pandas.DataFrame
        group, cause (``"event"`` or ``"competing"``), time, n_risk, incidence, se, low, high, horizon (where follow-up
        was cut).
    """
    if groups is not None:
        check_groups(groups)
    index = None if groups is None else groups.dropna().index
    data = endpoint.resolve_survival(clinical, index)
    labels = pd.Series("all", index=data.index) if groups is None else groups.loc[data.index].astype(str)
    parts = []
    for label in sorted(labels.unique()):
        part = data.take((labels == label).to_numpy())
        for code, cause in ((1, "event"), (2, "competing")):
            if code == 2 and not (data.status == 2).any():
                continue
            at, risk, incidence, se = aalen_johansen(part.time, part.status, code, part.entry)
            low, high = incidence_interval(incidence, se, level)
            columns = {"time": at, "n_risk": risk, "incidence": incidence, "se": se, "low": low, "high": high}
            parts.append(pd.DataFrame({"group": label, "cause": cause} | columns).assign(horizon=data.horizon))
    return pd.concat(parts, ignore_index=True)


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

    Where the endpoint has competing events, the curve is the cumulative incidence (Aalen-Johansen) in the column
    `incidence` and `survival` is missing; the log-rank test is then of the cause-specific hazards.

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
        Tidy: signature, endpoint, unit, group, n, events, cut, time, n_risk, n_event, n_competing, n_censor, survival,
        incidence, low, high (of whichever is there), median (time at which the curve reaches one half), logrank_chisq,
        logrank_df, logrank_p, horizon (where follow-up was cut), competing (how such events count), reason. One row
        per group and distinct time, beginning at 0.
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
        check_groups(scores)
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
    return _table(parts)


_KM = list(KAPLAN_MEIER.names[1:])
Part = tuple[dict[str, Any], dict[str, FloatArray]]
"""One curve: what is said of it, and its columns."""


def _table(parts: Sequence[Part]) -> pd.DataFrame:
    """Return the table of all curves, what is said of a curve in each of its rows."""
    if not parts:
        return pd.DataFrame(columns=_KM)
    sizes = [len(body["time"]) for _, body in parts]
    said = {name: np.repeat([head[name] for head, _ in parts], sizes) for name in parts[0][0]}
    columns = said | {name: np.concatenate([body[name] for _, body in parts]) for name in parts[0][1]}
    return pd.DataFrame({name: columns[name] for name in [*_KM, *(c for c in columns if c not in _KM)]})


def cut_groups(values: FloatArray, quantiles: Sequence[float]) -> tuple[npt.NDArray[np.int64], list[str], list[float]]:
    """Codes, names and cut-points of groups at quantiles; values at a cut fall below it."""
    points = [float(v) for v in np.quantile(values, quantiles)]
    codes = np.searchsorted(np.array(points), values, side="left").astype(np.int64)
    k = len(points) + 1
    names = {2: ["low", "high"], 3: ["low", "middle", "high"]}.get(k, [f"Q{i + 1}" for i in range(k)])
    return codes, names, points


def _curves(
    name: str, column: pd.Series, data: SurvivalData, quantiles: list[float] | None, level: float
) -> list[Part]:
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
        others = np.bincount(np.searchsorted(curve.time, part.time), weights=part.status == 2)
        survival, low, high = _estimated(part, bool(data.n_competing), level)
        blank = np.full(len(survival), np.nan)
        first = 0.0 if part.entry is None else float(part.entry.min())
        at_start = part.n if part.entry is None else int((part.entry <= first).sum())
        body = {
            "time": np.r_[first, curve.time],
            "n_risk": np.r_[at_start, curve.n_risk],
            "n_event": np.r_[0, curve.n_event],
            "n_competing": np.r_[0, others],
            "n_censor": np.r_[0, curve.n_censor - others],
            "survival": blank if data.n_competing else survival,
            "incidence": 1 - survival if data.n_competing else blank,
            "low": np.r_[np.nan, low],
            "high": np.r_[np.nan, high],
        }
        if part.time.min() == 0:
            body = {key: values[1:] for key, values in body.items()}
        # A product of fractions that is one half may come out a rounding error above it.
        below = curve.time[survival[1:] <= 0.5 + 1e-12]
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
            "horizon": data.horizon,
            "competing": competing_text(data, "cumulative incidence; the log-rank test is of cause-specific hazards"),
            "reason": "",
        }
        out.append((head, body))
    return out


def _estimated(part: SurvivalData, competing: bool, level: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Probability of being free of the event from the start on, and the interval of survival or of the incidence."""
    if competing:
        _, _, incidence, se = aalen_johansen(part.time, part.status, 1, part.entry)
        return np.r_[1.0, 1 - incidence], *incidence_interval(incidence, se, level)
    curve = product_limit(part.time, part.event, part.entry)
    return np.r_[1.0, curve.survival], *loglog_interval(curve.survival, curve.se, level)


def _no_curve(name: str, data: SurvivalData, reason: str) -> Part:
    """Return the row of a score that no curve can be drawn of."""
    head = {
        "signature": name,
        "endpoint": data.name,
        "unit": data.unit,
        "group": "",
        "n": data.n,
        "events": data.n_events,
        "cut": "",
        "median": np.nan,
        "logrank_chisq": np.nan,
        "logrank_df": np.nan,
        "logrank_p": np.nan,
        "horizon": np.nan,
        "competing": "",
        "reason": reason,
    }
    return head, {key: np.array([np.nan]) for key in _KM if key not in head}


def _optimal_curves(
    name: str, column: pd.Series, clinical: pd.DataFrame, endpoint: Endpoint, data: SurvivalData, level: float
) -> list[Part]:
    """Curves of cross-validated groups; the uncorrected log-rank test is not shown."""
    from mtorscore.prognosis.association.cutpoints import optimal_cutpoint

    found = optimal_cutpoint(column, clinical, endpoint)
    parts = _curves(name, found.groups.reindex(data.index), data, None, level)
    extra = {"corrected_p": found.p, "cv_p": found.cv_p, "cut_rule": "optimal, cross-validated groups"}
    blank = {"cut": f"{found.cut:.6g}", "logrank_chisq": np.nan, "logrank_df": np.nan, "logrank_p": np.nan}
    return [(head | blank | extra, body) for head, body in parts]

"""Evaluation of external survival predictions: concordance, time-dependent AUC, Brier score.

References
----------
Uno et al., Stat Med 2011;30:1105; Uno et al., JASA 2007;102:527; Graf et al., Stat Med 1999;18:2529.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, EndpointError
from mtorscore.prognosis.endpoints.checks import evaluation_times
from mtorscore.prognosis.endpoints.covariates import check_column, check_numbers, check_table
from mtorscore.prognosis.endpoints.endpoints import Endpoint, SurvivalData
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.prognosis.statistics import competing_metrics, metrics
from mtorscore.prognosis.statistics.incidence import incidence_at
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["survival_performance"]


def survival_performance(
    risk: pd.Series,
    clinical: pd.DataFrame,
    endpoint: Endpoint,
    times: npt.ArrayLike,
    *,
    survival: pd.DataFrame | None = None,
    training: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Evaluate predictions of a survival endpoint.

    Parameters
    ----------
    risk
        Higher should go with earlier events; missing ones are left out.
    clinical, endpoint
        The outcome of these observations, which the model must not have seen.
    times
        Times of evaluation, in the endpoint's unit; Uno's C looks at events before the last of them.
    survival
        Observations x times: predicted probability of being free of the event at each of `times` (with competing events
        one minus its predicted cumulative incidence), for the Brier score.
    training
        Clinical table whose censoring weights the observations; that of these observations themselves by default.

    Returns
    -------
    pandas.DataFrame
        metric, time (missing where there is none), value: ``harrell_c``, ``uno_c``, ``auc`` per time, and with
        `survival` ``brier`` and ``scaled_brier`` (1 - Brier score over that of the Kaplan-Meier estimate for everybody)
        per time and ``integrated_brier`` (time-average). Equal to scikit-survival. NaN where a metric is not defined.
        `horizon` is the last time that a row looks at (missing: all of follow-up). With competing events `competing`
        says how they count: ``auc`` (they are controls) and ``brier`` are those of riskRegression's Score,
        ``auc_event_free`` compares with those free of any event, ``wolbers_c`` keeps them at risk.

    Raises
    ------
    EndpointError
        If there is no event, or entry times.
    DataError
        If `survival` does not fit to the observations or times.
    """
    check_column(risk, "risk", numeric=True)
    data = endpoint.resolve_survival(clinical, risk.dropna().index)
    if data.entry is not None:
        raise EndpointError(
            f"Endpoint {data.name} has entry times, which these metrics do not know; leave `entry` out."
        )
    if data.n_events == 0:
        raise EndpointError(f"Endpoint {data.name}: none of the {data.n} observations has an event.")
    grid = evaluation_times(times, float(data.time.max()))
    source = data if training is None else endpoint.resolve_survival(training)
    values = risk.loc[data.index].to_numpy(dtype=np.float64)
    curves = None if survival is None else _curves(survival, data.index, len(grid), times)
    task = make_task(data)
    found = (_beside_competing if data.n_competing else _alone)(data, source, values, curves, grid)
    table = pd.DataFrame(found, columns=["metric", "time", "value"])
    table["horizon"] = table["time"].where(~table["metric"].isin(["uno_c", "integrated_brier"]), float(grid[-1]))
    return table.assign(competing=table["metric"].map(task.competing_in))


def _alone(
    data: SurvivalData, source: SurvivalData, values: FloatArray, curves: FloatArray | None, grid: FloatArray
) -> list[tuple[str, float, float]]:
    """Return metric, time and value of each row where there is no competing event."""
    one = np.ones((1, data.n))
    g = metrics.censoring(source.time, source.event, data.time)
    rows: list[tuple[str, float, float]] = [
        ("harrell_c", np.nan, float(metrics.harrell_c(data.time, data.event, values, one)[0])),
        ("uno_c", np.nan, float(metrics.uno_c(data.time, data.event, values, one, g, float(grid[-1]))[0])),
    ]
    rows += [("auc", float(t), float(metrics.dynamic_auc(data.time, data.event, values, one, g, t)[0])) for t in grid]
    if curves is not None:
        g_grid = metrics.censoring(source.time, source.event, grid)
        found = metrics.survival_briers(data.time, data.event, curves, one, g, g_grid, grid)
        rows += [("brier", float(t), float(b[0])) for t, b in zip(grid, found, strict=True)]
        for j, (t, g_at) in enumerate(zip(grid, g_grid, strict=True)):
            scaled = metrics.scaled_survival_brier(data.time, data.event, curves[:, j], one, g, float(g_at), float(t))
            rows.append(("scaled_brier", float(t), float(scaled[0])))
        rows.append(("integrated_brier", np.nan, float(metrics.integrate(grid, found)[0])))
    return rows


def _beside_competing(
    data: SurvivalData, source: SurvivalData, values: FloatArray, curves: FloatArray | None, grid: FloatArray
) -> list[tuple[str, float, float]]:
    """Return metric, time and value of each row where there are competing events."""
    one, time, status = np.ones((1, data.n)), data.time, data.status
    free = competing_metrics.Censoring.learned(source.time, source.status, time, grid)
    inverse = [competing_metrics.known_by(time, status, t, free, k) for k, t in enumerate(grid)]
    g = metrics.censoring(source.time, source.event, time)
    ever = np.where(status == 2, np.inf, time)
    found: list[tuple[str, float, FloatArray]] = [
        ("harrell_c", np.nan, metrics.harrell_c(time, data.event, values, one)),
        ("uno_c", np.nan, metrics.uno_c(time, data.event, values, one, g, float(grid[-1]))),
        ("wolbers_c", np.nan, metrics.harrell_c(ever, data.event, values, one)),
    ]
    for name, controls in (("auc", "others"), ("auc_event_free", "event-free")):
        found += [
            (name, t, competing_metrics.incidence_auc(time, status, values, one, i, t, controls))
            for i, t in zip(inverse, grid, strict=True)
        ]
    if curves is not None:
        briers, nulls = [], []
        for k, (i, t) in enumerate(zip(inverse, grid, strict=True)):
            same = np.full(data.n, incidence_at(time, status, t)[0])
            briers.append(competing_metrics.incidence_brier(time, status, 1 - curves[:, k], one, i, t))
            nulls.append(competing_metrics.incidence_brier(time, status, same, one, i, t))
        found += [("brier", t, b) for t, b in zip(grid, briers, strict=True)]
        found += [("scaled_brier", t, 1 - b / n) for t, b, n in zip(grid, briers, nulls, strict=True)]
        found.append(("integrated_brier", np.nan, metrics.integrate(grid, np.array(briers))))
    return [(name, float(t), float(value[0])) for name, t, value in found]


def _curves(survival: pd.DataFrame, index: pd.Index, n_times: int, times: npt.ArrayLike) -> FloatArray:
    """Predicted survival of the observations, columns in the order of ascending times."""
    check_table(survival, "predicted survival")
    check_numbers(survival, "predicted survival")
    order = np.argsort(np.atleast_1d(np.asarray(times, dtype=np.float64)), kind="stable")
    if survival.shape[1] != n_times or len(order) != n_times:
        raise DataError(f"The predicted survival has {survival.shape[1]} columns for {n_times} distinct times.")
    values: FloatArray = survival.reindex(index).to_numpy(dtype=np.float64)[:, order]
    if not ((values >= 0) & (values <= 1)).all():
        raise DataError("Predicted survival must lie between 0 and 1 for every observation with a risk.")
    return values

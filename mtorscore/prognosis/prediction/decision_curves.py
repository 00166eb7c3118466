"""Decision curves: the net benefit of acting on a predicted risk.

References
----------
Vickers and Elkin, Med Decis Making 2006;26:565; Vickers et al., BMC Med Inform Decis Mak 2008;8:53 (with censoring).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError
from mtorscore.prognosis.endpoints.checks import within_follow_up
from mtorscore.prognosis.endpoints.covariates import check_column
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.prediction.prediction_task import PredictionTask
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["decision_curve"]


def decision_curve(
    predicted: pd.Series,
    clinical: pd.DataFrame,
    endpoint: Endpoint,
    *,
    thresholds: Sequence[float] = tuple(np.round(np.arange(0.05, 0.65, 0.05), 2)),
    horizon: float | None = None,
) -> pd.DataFrame:
    """Net benefit of acting on a predicted risk, beside acting on all and on none.

    Parameters
    ----------
    predicted
        Predicted risk (by `horizon`, for survival), out of sample.
    clinical, endpoint
        The outcome.
    thresholds
        Risks above which one would act.
    horizon
        For survival.

    Returns
    -------
    pandas.DataFrame
        strategy (``"model"``, ``"all"``, ``"none"``), threshold, net_benefit, acted (share), horizon, positive,
        competing (how such events count; with them the risk among those acted on is Aalen-Johansen).

    Raises
    ------
    DataError
        If a survival endpoint comes without a horizon, or the predictions are no risks.
    EndpointError
        If the horizon lies beyond follow-up.
    """
    check_column(predicted, "predicted risk", numeric=True)
    data = endpoint.resolve(clinical, predicted.dropna().index)
    risk = predicted.loc[data.index].to_numpy(dtype=np.float64)
    task = make_task(data)
    if task.needs_horizon and horizon is None:
        raise DataError("A decision curve of a survival endpoint needs a horizon.")
    if task.needs_horizon and horizon is not None:
        within_follow_up(float(horizon), data)
    if ((risk < 0) | (risk > 1)).any():
        raise DataError(
            f"Predicted risks lie between 0 and 1; these reach from {risk.min():.3g} to {risk.max():.3g}. A score or "
            "linear predictor is not a risk: take predictions of evaluate or FittedModel.predict_survival."
        )
    return net_benefit(task, risk, thresholds, horizon)


def net_benefit(
    task: PredictionTask[Any], risk: FloatArray, thresholds: Sequence[float], horizon: float | None
) -> pd.DataFrame:
    """Return the decision curve of a resolved endpoint; see `decision_curve`."""

    def benefit(act: npt.NDArray[np.bool_], t: float) -> float:
        if not act.any():
            return 0.0
        share, event = task.acted_on(act, float(horizon or 0))
        return float(share * event - share * (1 - event) * t / (1 - t))

    rows = []
    for t in thresholds:
        if not 0 < t < 1:
            raise DataError(f"Thresholds lie between 0 and 1; got {t}.")
        act = risk >= t
        everyone = np.ones(task.data.n, dtype=bool)
        rows += [
            {"strategy": "model", "threshold": t, "net_benefit": benefit(act, t), "acted": float(act.mean())},
            {"strategy": "all", "threshold": t, "net_benefit": benefit(everyone, t), "acted": 1.0},
            {"strategy": "none", "threshold": t, "net_benefit": 0.0, "acted": 0.0},
        ]
    at = task.data.horizon if horizon is None else float(horizon)
    competing = task.competing_in("observed_expected")
    return pd.DataFrame(rows).assign(horizon=at, positive=task.data.positive, competing=competing)

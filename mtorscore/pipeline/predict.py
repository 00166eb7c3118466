"""Out-of-fold predictions, with their calibration and decision curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore import results
from mtorscore._outcome_terms import DAYS, MIN_EVENTS

if TYPE_CHECKING:
    import pandas as pd

    from mtorscore.prognosis import Endpoint
    from mtorscore.prognosis.prediction.candidates import SameFolds

__all__ = ["PREDICTED", "Predictions", "horizon_of"]

_DAYS = DAYS["years"]
_HORIZONS = (5.0, 3.0, 2.0, 1.0)
_THRESHOLDS = tuple(np.round(np.arange(0.05, 0.95, 0.05), 2))
_SHARES = (0.25, 0.5, 0.75, 1.0)
PREDICTED = (
    *(results.CLASSIFIERS, results.SURVIVAL_MODELS, results.PREDICTIONS, results.CALIBRATION),
    *(results.SMOOTH_CALIBRATION, results.DECISION),
)
"""Tables that `Predictions` collects."""


@dataclass
class Predictions:
    """Evaluate models of one cohort by cross-validation and keep their out-of-fold predictions.

    Parameters
    ----------
    n_splits, n_repeats, n_boot, seed
        See `mtorscore.prognosis.evaluate`.
    parts
        Name of a table of `PREDICTED` -> parts of it.
    same
        Endpoint, and whether it is survival -> what models without scores predicted, the same for all methods.
    """

    n_splits: int
    n_repeats: int
    n_boot: int
    seed: int
    parts: dict[str, list[pd.DataFrame]] = field(default_factory=lambda: {table.name: [] for table in PREDICTED})
    same: dict[tuple[str, bool], SameFolds] = field(default_factory=dict)

    def add(
        self,
        method: str,
        scores: pd.DataFrame,
        clinical: pd.DataFrame,
        endpoint: Endpoint,
        baseline: Sequence[str],
        *,
        horizon: float | None = None,
        curves: bool = True,
    ) -> None:
        """Evaluate on one endpoint; for survival with a horizon, in days, and two repeats at the most.

        An endpoint has one clinical table and one baseline, whatever made the scores.

        Parameters
        ----------
        method
            What made the scores.
        scores
            Observations x signatures.
        clinical
            Rows with the endpoint and the baseline's columns.
        endpoint
            A label or a survival endpoint.
        baseline
            Columns of the clinical model.
        horizon
            For survival: the time by which risks are predicted, see `horizon_of`.
        curves
            Whether to keep the predictions, with their calibration and decision curves.
        """
        from mtorscore.prognosis.prediction.candidates import SameFolds
        from mtorscore.prognosis.prediction.cross_validation import evaluate_beside

        survival = horizon is not None
        result = evaluate_beside(
            self.same.setdefault((endpoint.name, survival), SameFolds()),
            None,
            scores.loc[clinical.index],
            clinical,
            endpoint,
            tuple(baseline),
            "patient" if "patient" in clinical else None,
            n_splits=self.n_splits,
            n_repeats=min(self.n_repeats, 2) if survival else self.n_repeats,
            n_boot=self.n_boot,
            times=[share * horizon for share in _SHARES] if horizon is not None else None,
            seed=self.seed,
        )
        self._keep("survival_models" if survival else "classifiers", result.summary, method)
        if not curves:
            return
        risks = _risks(result.predictions, endpoint.name, horizon)
        self._keep("predictions", risks, method)
        self._curves(method, risks, clinical, endpoint, horizon)

    def _curves(
        self, method: str, risks: pd.DataFrame, clinical: pd.DataFrame, endpoint: Endpoint, horizon: float | None
    ) -> None:
        from mtorscore.prognosis import calibration_curve, decision_curve, smooth_calibration

        models = risks[risks["model"] != "dummy"].groupby("model", sort=False)
        for k, (model, rows) in enumerate(models):
            values = rows.set_index("observation")["risk"]
            data = endpoint.resolve(clinical, values.index)
            columns = {"endpoint": endpoint.name, "model": model, "horizon": np.nan if horizon is None else horizon}
            risk = values.loc[data.index].to_numpy()
            self._keep("calibration", calibration_curve(risk, data, horizon).assign(**columns), method)
            smooth = smooth_calibration(risk, data, horizon, points=50)
            errors = {"ici": smooth.ici, "e50": smooth.e50, "e90": smooth.e90, "smoother": smooth.smoother}
            self._keep("smooth_calibration", smooth.curve.assign(**(columns | errors)), method)
            net = decision_curve(values, clinical, endpoint, horizon=horizon, thresholds=_THRESHOLDS)
            # Acting on all or on none does not depend on the model: once is enough.
            net = net if k == 0 else net[net["strategy"] == "model"]
            named = net["strategy"].where(net["strategy"] != "model", str(model))
            self._keep("decision", net.drop(columns="strategy").assign(**(columns | {"model": named})), method)

    def _keep(self, name: str, table: pd.DataFrame, method: str) -> None:
        self.parts[name].append(table.assign(method=method))


def horizon_of(time: Any, event: Any) -> float | None:
    """Choose the time by which survival is predicted, from the follow-up alone.

    Parameters
    ----------
    time
        ``(n,)`` days.
    event
        ``(n,)`` 1 where the event happened.

    Returns
    -------
    float or None
        Days: the longest of 5, 3, 2 and 1 years that 10 patients are followed beyond and by which 10 events happened.
    """
    time, event = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=np.float64) == 1
    for years in _HORIZONS:
        at = years * _DAYS
        if (time > at).sum() >= MIN_EVENTS and (event & (time <= at)).sum() >= MIN_EVENTS:
            return at
    return None


def _risks(predictions: pd.DataFrame, endpoint: str, horizon: float | None) -> pd.DataFrame:
    """Average the repeats: one out-of-fold risk per patient and model."""
    risk = predictions["prediction"] if horizon is None else 1 - predictions[f"survival_{horizon:g}"]
    table = predictions.assign(risk=risk).groupby(["model", "observation"], sort=False)["risk"].mean().reset_index()
    return table.assign(endpoint=endpoint, horizon=np.nan if horizon is None else horizon)

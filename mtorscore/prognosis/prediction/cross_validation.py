"""Evaluate predictions by repeated, stratified, nested cross-validation with everything that learns inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._blas_threads import one_blas_thread
from mtorscore._outcome_terms import MIN_EVENTS
from mtorscore.errors import DataError, EndpointError, examples
from mtorscore.prognosis.endpoints.checks import check_counts, check_level, evaluation_times, names_of, not_the_outcome
from mtorscore.prognosis.endpoints.columns import say_repeated
from mtorscore.prognosis.endpoints.covariates import check_numbers, check_observations, check_table, pick_columns
from mtorscore.prognosis.endpoints.endpoints import Endpoint, LabelData, SurvivalData
from mtorscore.prognosis.endpoints.inputs import is_anndata
from mtorscore.prognosis.prediction.candidates import Candidate, Data, Dummy, Fitted, Predicted, on_request, rows
from mtorscore.prognosis.prediction.folds import assign_folds, group_multiplicities, patients_of
from mtorscore.prognosis.statistics import metrics
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

__all__ = ["Evaluation", "evaluate"]

LABEL_METRICS = ("roc_auc", "average_precision", "brier", "log_loss")
HIGHER_IS_BETTER = {"roc_auc", "average_precision", "harrell_c", "uno_c", "mean_auc"}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Result of `evaluate`.

    Attributes
    ----------
    summary
        One row per model and metric: endpoint, model, metric, value, low, high (bootstrap over patients of the
        cross-validated value), difference to the baseline model with its interval, folds and folds_scored, n,
        events, valid, reason.
    folds
        One row per repeat, fold, model and metric.
    predictions
        One row per repeat, test observation and model: the prediction, and for survival the predicted survival at
        the evaluation times.
    adequacy
        Sample-size criteria, computed before fitting, per model.
    calibration
        Of the out-of-fold predictions, per model: calibration slope with interval (folds as strata), observed and
        expected risk at the horizon (the middle evaluation time) and their ratio with interval.
    calibration_curves
        Groups by predicted risk (mean over repeats) per model; see `calibration_curve`.
    decision
        Decision curve per model, beside acting on all and on none; see `decision_curve`.
    likelihood_ratio
        With a baseline: test of all scores beside it, without penalty and in sample; chisq, df, p, valid, reason.
    times
        Evaluation times of a survival endpoint.
    notes
        What else should be said with the result.
    """

    summary: pd.DataFrame
    folds: pd.DataFrame
    predictions: pd.DataFrame
    adequacy: pd.DataFrame
    times: FloatArray
    notes: tuple[str, ...] = ()
    calibration: pd.DataFrame = field(default_factory=pd.DataFrame)
    calibration_curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    decision: pd.DataFrame = field(default_factory=pd.DataFrame)
    likelihood_ratio: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __str__(self) -> str:
        """Return the results as text; whether the sample is large enough stands first."""
        lines = []
        for name, part in self.adequacy.groupby("model", sort=False) if len(self.adequacy) else ():
            last = part.iloc[-1]
            verdict = "enough" if bool(last["adequate"]) else "NOT enough"
            lines.append(
                f"{name}: {int(last['n'])} patients, {int(last['events'])} events; Riley's criteria ask for "
                f"{int(last['n_needed'])} for {int(last['parameters'])} parameter(s): {verdict}"
            )
        columns = ["model", "metric", "value", "low", "high", "difference", "valid"]
        lines.append(self.summary[columns].to_string(index=False, float_format=lambda v: f"{v:.3f}"))
        return "\n".join([*lines, *self.notes])


@dataclass
class _Run:
    data: Data
    weights: FloatArray
    times: FloatArray
    values: dict[tuple[str, str], list[FloatArray]] = field(default_factory=dict)
    folds: list[dict[str, Any]] = field(default_factory=list)
    predictions: list[pd.DataFrame] = field(default_factory=list)


def evaluate(
    model: Any = None,
    X: Any = None,
    clinical: pd.DataFrame | None = None,
    endpoint: Endpoint | None = None,
    baseline: Sequence[str] = (),
    groups: Any = None,
    *,
    n_splits: int = 5,
    n_repeats: int = 10,
    n_boot: int = 500,
    times: Sequence[float] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Evaluation:
    """Estimate how well a model predicts new patients of the same kind.

    Models compared on the same folds: a dummy, the clinical columns of `baseline` (if any), `model` on `X`, and both
    together. Each is fitted anew, with its own tuning, on the training part of every fold.

    Parameters
    ----------
    model
        ``"ridge"`` (the default, `RidgeLogistic` or `RidgeCox`); ``"forest"`` or ``"boosting"``, with a note that
        choosing among models on few patients is a forking path; a scikit-learn estimator or pipeline (for survival
        one that is fitted on a structured array with fields event and time, such as those of scikit-survival); or a
        mapping of names to such.
    X
        DataFrame of scores (or expression, when the model is a pipeline that scores it), an AnnData or an array with
        the rows of `clinical`.
    clinical
        Clinical table that holds the endpoint.
    endpoint
        What to predict.
    baseline
        Clinical columns of the baseline model; missing values are imputed inside the folds.
    groups
        Patient of each row of `X` where patients have several rows: a column of `clinical` or a Series.
    n_splits, n_repeats
        Outer folds and repeats; folds are stratified by class or event. Fewer folds where the smaller class is small.
    n_boot
        Resamples of patients for the intervals; the predictions are kept, so intervals do not hold the variance of
        refitting.
    times
        Evaluation times of a survival endpoint; by default nine from the 10th to the 80th percentile of event times.
    level
        Of the intervals.
    seed
        Of folds and resamples.

    Returns
    -------
    Evaluation
        Labels: ROC AUC, average precision, Brier score, log loss. Survival: Harrell's and Uno's C, time-dependent
        AUC, Brier score, integrated Brier score. Both: calibration slope, observed against expected, calibration and
        decision curves of the out-of-fold predictions. Per-fold values are averaged; folds where a metric is not
        defined (one class only, no comparable pair) are counted and not scored. ``print`` shows first whether the
        sample is large enough. For optimism-corrected apparent performance and the instability of predictions see
        `optimism`.

    Raises
    ------
    EndpointError
        If a class or the event is too rare to be split.
    DataError
        If `X` and `clinical` share no observation.
    """
    if not isinstance(endpoint, Endpoint) or X is None:
        raise DataError("Hand over X and an endpoint (prognosis.Endpoint.survival(...) or .label(...)).")
    baseline = names_of(baseline)
    check_level(level)
    check_counts(n_boot=n_boot, seed=seed)
    check_counts(1, n_repeats=n_repeats)
    check_counts(2, n_splits=n_splits)
    not_the_outcome(baseline, endpoint, "part of the baseline")
    table, clinical = _tables(X, clinical)
    index = table.obs_names if is_anndata(table) else table.index
    if isinstance(table, pd.DataFrame) and (model is None or isinstance(model, str)):
        check_numbers(table, "features")
    data = endpoint.resolve(clinical, index)
    at = index.get_indexer(data.index)
    table, patients = rows(table, at), patients_of(groups, clinical, data.index)
    known = _complete(table)
    if data.n and not known.any():
        empty = [c for c in table.columns if table[c].isna().all()]
        raise DataError(
            f"Every one of the {data.n} observations misses a feature ({examples(empty or table.columns)}); leave "
            "those columns out, or impute them in a pipeline on an array."
        )
    if not known.all():
        data, table = data.take(known), rows(table, np.flatnonzero(known))
        patients = None if patients is None else patients[known]
    _check(data)
    if patients is None:
        say_repeated(clinical, data.index)
    k = _splits(data, n_splits)
    grid = _times(data, times)
    candidates = _candidates(model, table, clinical.loc[data.index], baseline, data, seed)
    needed = _needed(data, table, clinical.loc[data.index], baseline)
    rng = np.random.default_rng(seed)
    base = data.weights if isinstance(data, LabelData) else np.ones(data.n)
    run = _Run(data, group_multiplicities(data.n, patients, n_boot, rng) * base, grid)
    stratum = data.y if isinstance(data, LabelData) else data.event
    with one_blas_thread():
        for repeat in range(n_repeats):
            fold = assign_folds(stratum, patients, k, rng)
            for f in range(k):
                _one_fold(run, candidates, np.flatnonzero(fold != f), np.flatnonzero(fold == f), patients, (repeat, f))
    summary = _summarise(run, candidates, level, k * n_repeats)
    from mtorscore.prognosis.prediction.calibration import judge, notes_of

    used = clinical.loc[data.index, list(baseline)]
    notes = notes_of(data, model, used, int((~known).sum()), k, n_splits)
    predictions = pd.concat(run.predictions, ignore_index=True)
    judged = judge(data, predictions, grid, level)
    tested = _tested(data, table, clinical.loc[data.index], baseline)
    return Evaluation(summary, pd.DataFrame(run.folds), predictions, needed, grid, notes, *judged, tested)


def _needed(data: Data, table: Any, clinical: pd.DataFrame, baseline: Sequence[str]) -> pd.DataFrame:
    """Riley's criteria for the models, before anything is fitted."""
    from mtorscore.prognosis.prediction.ridge import ClinicalEncoder
    from mtorscore.prognosis.prediction.sample_size import adequacy

    sizes = {"score": int(table.shape[1])}
    if len(baseline):
        columns = pick_columns(clinical, list(baseline), "baseline column(s)")
        sizes["clinical"] = ClinicalEncoder().fit(columns).transform(columns).shape[1]
        sizes["clinical + score"] = sizes["score"] + sizes["clinical"]
    parts = [adequacy(data, max(1, p), label=name) for name, p in sizes.items()]
    return pd.concat(parts, ignore_index=True)


def _tested(data: Data, table: Any, clinical: pd.DataFrame, baseline: Sequence[str]) -> pd.DataFrame:
    from mtorscore.prognosis.prediction.calibration import likelihood_ratio
    from mtorscore.prognosis.prediction.ridge import ClinicalEncoder

    numeric = isinstance(table, pd.DataFrame) and all(map(pd.api.types.is_numeric_dtype, table.dtypes))
    if not len(baseline) or not numeric:
        return pd.DataFrame()
    coded = ClinicalEncoder().fit(clinical[list(baseline)]).transform(clinical[list(baseline)])
    return pd.DataFrame([likelihood_ratio(data, table, coded, "clinical + score")])


def _tables(x: Any, clinical: pd.DataFrame | None) -> tuple[Any, pd.DataFrame]:
    if is_anndata(x):
        check_observations(x.obs_names, "AnnData")
        return x, (x.obs if clinical is None else clinical)
    if clinical is None:
        raise DataError("No clinical table: hand over a DataFrame indexed by observation.")
    if isinstance(x, pd.Series):
        x = x.to_frame()
    if isinstance(x, pd.DataFrame):
        check_table(x, "features")
    else:
        values = np.asarray(x)
        if values.ndim != 2 or len(values) != len(clinical):
            raise DataError(f"X is an array of shape {values.shape}; it needs one row per row of `clinical`.")
        x = pd.DataFrame(values, index=clinical.index)
    return x, clinical


def _complete(table: Any) -> npt.NDArray[np.bool_]:
    """Rows without any missing number; pipelines may impute, but the default models do not."""
    if isinstance(table, pd.DataFrame):
        known: npt.NDArray[np.bool_] = table.notna().all(axis=1).to_numpy()
        return known
    return np.ones(len(table), dtype=bool)


def _check(data: Data) -> None:
    if isinstance(data, LabelData):
        if len(data.classes) != 2:
            raise EndpointError(
                f"Endpoint {data.name} has {len(data.classes)} classes ({examples(data.classes, 5)}); evaluate() takes "
                "two. Name one against the rest, or keep two."
            )
        smallest = int(np.bincount(data.y[data.weights > 0], minlength=2).min())
        if smallest < 2:
            raise EndpointError(f"Endpoint {data.name}: the smaller class has {smallest} observation(s); two at least.")
    elif data.entry is not None:
        raise EndpointError(
            f"Endpoint {data.name} has entry times, which the metrics of prediction do not know; leave `entry` out, or "
            "use associate and cox, which honour it."
        )
    elif data.n_events < 2:
        raise EndpointError(f"Endpoint {data.name} has {data.n_events} event(s); two at least are needed to split.")


def _splits(data: Data, n_splits: int) -> int:
    if isinstance(data, LabelData):
        smallest = int(np.bincount(data.y[data.weights > 0], minlength=2).min())
    else:
        smallest = data.n_events
    return max(2, min(n_splits, smallest))


def _times(data: Data, times: Sequence[float] | None) -> FloatArray:
    if isinstance(data, LabelData):
        return np.zeros(0)
    if times is not None:
        return evaluation_times(times, float(data.time.max()))
    grid: FloatArray = np.unique(np.quantile(data.time[data.event], np.linspace(0.1, 0.8, 9)))
    return grid


def _candidates(
    model: Any, table: Any, clinical: pd.DataFrame, baseline: Sequence[str], data: Data, seed: int
) -> dict[str, Candidate]:
    from mtorscore.prognosis.prediction.ridge import RidgeCox, RidgeLogistic

    default: Any = RidgeLogistic(seed=seed) if isinstance(data, LabelData) else RidgeCox(seed=seed)
    if model is None or isinstance(model, str):
        named = {"score": default if model in (None, "ridge") else on_request(str(model), data, seed)}
    else:
        named = dict(model) if isinstance(model, dict) else {"score": model}
    odd = [one for one in named.values() if not hasattr(one, "get_params")]
    if odd or not named:
        what = f"{odd[0]!r:.60} is no model" if odd else "There is no model"
        raise DataError(f"{what}: use 'ridge', 'forest', 'boosting', a scikit-learn estimator, or a mapping to such.")
    out: dict[str, Candidate] = {"dummy": Dummy()}
    columns = pick_columns(clinical, list(baseline), "baseline column(s)") if len(baseline) else None
    if columns is not None:
        out["clinical"] = Fitted(default, None, columns)
    for name, estimator in named.items():
        out[name] = Fitted(estimator, table)
        if columns is not None:
            out[f"clinical + {name}"] = Fitted(estimator, table, columns)
    return out


def _one_fold(
    run: _Run,
    candidates: dict[str, Candidate],
    train: IntArray,
    test: IntArray,
    patients: npt.NDArray[Any] | None,
    where: tuple[int, int],
) -> None:
    for name, candidate in candidates.items():
        predicted = candidate.fit_predict(train, test, run.data, run.times, patients)
        values = _score(run, predicted, train, test)
        for metric, value in values.items():
            run.values.setdefault((name, metric), []).append(value)
            run.folds.append({"repeat": where[0], "fold": where[1], "model": name, "metric": metric, "value": value[0]})
        frame = pd.DataFrame(
            {"repeat": where[0], "fold": where[1], "model": name, "observation": run.data.index[test].astype(str)}
        )
        frame["prediction"] = predicted.risk
        if predicted.survival is not None:
            for j, t in enumerate(run.times):
                frame[f"survival_{t:g}"] = predicted.survival[:, j]
        run.predictions.append(frame)


def _score(run: _Run, predicted: Predicted, train: IntArray, test: IntArray) -> dict[str, FloatArray]:
    data, w = run.data, run.weights[:, test]
    if isinstance(data, LabelData):
        y = data.y[test]
        return {m: getattr(metrics, m)(y, predicted.risk, w) for m in LABEL_METRICS}
    return _score_survival(data, predicted, w, train, test, run.times)


def _score_survival(
    data: SurvivalData, predicted: Predicted, w: FloatArray, train: IntArray, test: IntArray, times: FloatArray
) -> dict[str, FloatArray]:
    time, event, risk = data.time[test], data.event[test], predicted.risk
    g = metrics.censoring(data.time[train], data.event[train], time)
    g_at = metrics.censoring(data.time[train], data.event[train], times)
    out = {
        "harrell_c": metrics.harrell_c(time, event, risk, w),
        "uno_c": metrics.uno_c(time, event, risk, w, g, float(times[-1]) if len(times) else None),
    }
    aucs = np.array([metrics.dynamic_auc(time, event, risk, w, g, t) for t in times])
    known = np.isfinite(aucs)
    count = known.sum(axis=0)
    out["mean_auc"] = np.where(count > 0, np.where(known, aucs, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
    if predicted.survival is not None:
        briers = np.array(
            [
                metrics.survival_brier(time, event, predicted.survival[:, j], w, g, float(g_at[j]), float(t))
                for j, t in enumerate(times)
            ]
        )
        out["integrated_brier"] = metrics.integrate(times, briers)
    return out


def _summarise(run: _Run, candidates: dict[str, Candidate], level: float, n_folds: int) -> pd.DataFrame:
    reference = "clinical" if "clinical" in candidates else "dummy"
    data = run.data
    events = data.n_events
    if isinstance(data, LabelData):
        events = int(min(events, (data.weights > 0).sum() - events))
    few = events < MIN_EVENTS
    out = []
    for (name, metric), values in run.values.items():
        stack = np.array(values)
        value, low, high, scored = _average(stack, level)
        row = {
            "endpoint": data.name,
            "model": name,
            "metric": metric,
            "value": value,
            "low": low,
            "high": high,
            "reference": "",
            "difference": np.nan,
            "difference_low": np.nan,
            "difference_high": np.nan,
            "folds": n_folds,
            "folds_scored": scored,
            "n": data.n,
            "events": events,
            "valid": not few and scored > 0,
            "reason": f"only {events} events" if few else ("" if scored else "not defined in any fold"),
        }
        base = run.values.get((reference, metric))
        if base is not None and name != reference and name != "dummy":
            d, d_low, d_high, _ = _average(stack - np.array(base), level)
            row |= {"reference": reference, "difference": d, "difference_low": d_low, "difference_high": d_high}
        out.append(row)
    return pd.DataFrame(out)


def _average(stack: FloatArray, level: float) -> tuple[float, float, float, int]:
    """Mean over folds of the plain value, percentile interval over resamples, number of folds with a value."""
    known = np.isfinite(stack)
    count = known.sum(axis=0)
    total = np.where(known, stack, 0.0).sum(axis=0)
    means = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    boot = means[1:][np.isfinite(means[1:])]
    if not len(boot):
        return float(means[0]), float("nan"), float("nan"), int(count[0])
    low, high = np.quantile(boot, [0.5 - level / 2, 0.5 + level / 2])
    return float(means[0]), float(low), float(high), int(count[0])

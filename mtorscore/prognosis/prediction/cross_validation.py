"""Evaluate predictions by repeated, stratified, nested cross-validation with everything that learns inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._blas_threads import one_blas_thread
from mtorscore._outcome_terms import MIN_EVENTS
from mtorscore.errors import DataError, examples
from mtorscore.prognosis.endpoints.checks import check_counts, check_level, check_not_outcome, names_of
from mtorscore.prognosis.endpoints.coding import drop_empty_levels
from mtorscore.prognosis.endpoints.columns import refuse_repeated_patients
from mtorscore.prognosis.endpoints.covariates import check_numbers, check_observations, check_table, pick_columns
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.endpoints.inputs import is_anndata
from mtorscore.prognosis.endpoints.scoring_record import scoring_of
from mtorscore.prognosis.prediction.calibration import assess_calibration, evaluation_notes, likelihood_ratio
from mtorscore.prognosis.prediction.candidates import Candidate, SameFolds, Task, candidates_of, rows
from mtorscore.prognosis.prediction.corrected_intervals import LEAST_IN_FOLD, average, bounded, half_width, has_interval
from mtorscore.prognosis.prediction.folds import assign_folds, group_multiplicities, patients_of
from mtorscore.prognosis.prediction.leaks import UNSEEN, leak_notes
from mtorscore.prognosis.prediction.ridge import ClinicalEncoder
from mtorscore.prognosis.prediction.sample_size import adequacy
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

__all__ = ["Evaluation", "evaluate", "evaluate_beside"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Result of `evaluate`.

    Attributes
    ----------
    summary
        One row per model and metric: endpoint, model, metric, value, low, high (for the procedure, refitting and
        tuning included: the bootstrap's variance, corrected as `n_boot` says), difference to the baseline model with
        its interval, folds and folds_scored, n, events, horizon (last time that the metric looks at), positive (what
        is predicted), level (of the intervals), valid, reason.
    folds
        One row per repeat, fold, model and metric.
    predictions
        One row per repeat, test observation and model: the prediction, and for survival the predicted survival at
        the evaluation times.
    adequacy
        Sample-size criteria, computed before fitting, per model.
    calibration
        Of the out-of-fold predictions, per model: calibration slope (folds as strata) with
        ``slope_conditional_low`` and ``_high``, an interval for these predictions held fixed (the refitting is left out
        of it); observed and expected risk at the horizon (the middle evaluation time) and their ratio with interval;
        ICI, E50, E90 and scaled Brier score.
    calibration_curves
        Groups by predicted risk (mean over repeats) per model; see `calibration_curve`.
    decision
        Decision curve per model, beside acting on all and on none; see `decision_curve`.
    likelihood_ratio
        With a baseline: test of all scores beside it, without penalty and in sample; chisq, df, p, valid, reason.
    times
        Evaluation times of a survival endpoint.
    smooth_curves
        Smooth calibration curves with their bands, per model; see `smooth_calibration`.
    models
        Model -> what was fitted, in words.
    notes
        What else should be said with the result.
    record
        What was done, for `reporting_table`: stratified_by, grouped, weighted, baseline, missing (clinical column ->
        patients), impute, n_boot, seed.
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
    smooth_curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    likelihood_ratio: pd.DataFrame = field(default_factory=pd.DataFrame)
    models: Mapping[str, str] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the results as text; first whether the sample is large enough."""
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
        predicted = ", ".join(dict.fromkeys(p for p in self.summary["positive"] if p))
        lines.append(f"Predicted: {predicted} ({self.summary['endpoint'].iloc[0]})")
        lines.append(UNSEEN)
        return "\n".join([*lines, *self.notes])


@dataclass
class _Run:
    task: Task
    weights: FloatArray
    times: FloatArray
    same: SameFolds
    observations: tuple[str, ...]
    values: dict[tuple[str, str], list[FloatArray]] = field(default_factory=dict)
    folds: list[dict[str, Any]] = field(default_factory=list)
    predictions: list[dict[str, Any]] = field(default_factory=list)


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
    method: str | None = None,
    impute: str = "median",
    seed: int = 0,
) -> Evaluation:
    """Estimate how well a model predicts new patients of the same kind.

    Models compared on the same folds: a dummy, the clinical columns of `baseline` (if any), `model` on `X`, and both
    together. Each is fitted anew, with its own tuning, on the training part of every fold.

    Parameters
    ----------
    model
        ``"ridge"`` (the default, `RidgeLogistic`, `RidgeCox`, for several classes `RidgeMultinomial` or, if they are
        ordered, `RidgeOrdinal`); ``"forest"`` or ``"boosting"``; a scikit-learn
        estimator or pipeline (for survival one that is fitted on a structured array with fields event and time, such as
        those of scikit-survival); or a mapping of names to such (several of them bring a note: choosing among models
        is a forking path).
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
        Resamples of patients for the intervals. Their variance within a repeat of ``k`` folds, which holds the
        predictions fixed, is multiplied by ``1 + k / (k - 1)`` for the models that other patients would have given
        (Nadeau and Bengio), plus half of it over the repeats for the split; Student's t on the events less one.
        Average precision has an interval in folds of 30 observations or more.
    times
        Evaluation times of a survival endpoint; by default nine from the 10th to the 80th percentile of event times.
    level
        Of the intervals.
    method
        Scoring method of a table of scores; by default what `tl.score` wrote into it.
    impute
        How missing clinical values are filled, learned in the training part of each fold: ``"median"`` (the commonest
        level of a category), or ``"regression"`` on the other clinical columns.
    seed
        Of folds and resamples.

    Returns
    -------
    Evaluation
        Labels: ROC AUC, average precision, Brier score, log loss; of several classes Hand and Till's M (polytomous
        AUC), the concordance of ordered ones, log-loss, Brier score, accuracy, kappa, per class the AUC against the
        rest and the recall, and calibration and decision curves of each class against the rest. Survival: Harrell's
        and Uno's C, time-dependent AUC, Brier score, integrated Brier score. Both: calibration slope, observed against
        expected, calibration and
        decision curves of the out-of-fold predictions. Per-fold values are averaged; folds where a metric is not
        defined (one class only, no comparable pair) are counted and not scored. ``print`` shows first whether the
        sample is large enough. For optimism-corrected apparent performance and the instability of predictions see
        `optimism`. Leaks that can be seen are said in the notes: scores of a method that depends on the cohort, made on
        all observations; equal rows of features; predictions that are too good. Genes, signatures or cut-points that
        were chosen by the outcome before, outside the folds, cannot be seen here: choose them in a pipeline.

    Raises
    ------
    EndpointError
        If a class or the event is too rare to be split.
    DataError
        If `X` and `clinical` share no observation, or patients (column ``patient``) have several rows and no `groups`
        are given.
    """
    return evaluate_beside(
        SameFolds(kept=False), model, X, clinical, endpoint, baseline, groups, n_splits=n_splits, n_repeats=n_repeats,
        n_boot=n_boot, times=times, level=level, method=method, impute=impute, seed=seed,
    )  # fmt: skip


def evaluate_beside(
    same: SameFolds,
    model: Any,
    X: Any,
    clinical: pd.DataFrame | None,
    endpoint: Endpoint | None,
    baseline: Sequence[str] = (),
    groups: Any = None,
    *,
    n_splits: int,
    n_repeats: int,
    n_boot: int,
    times: Sequence[float] | None = None,
    level: float = 0.95,
    method: str | None = None,
    impute: str = "median",
    seed: int,
) -> Evaluation:
    """Evaluate as `evaluate` does, beside evaluations of other scores of the same patients.

    Parameters
    ----------
    same
        Shared by calls that differ in `X` and `method` only: models without scores are fitted by the first of them.
    model, X, clinical, endpoint, baseline, groups, n_splits, n_repeats, n_boot, times, level, method, impute, seed
        As of `evaluate`.
    """
    if not isinstance(endpoint, Endpoint) or X is None:
        raise DataError("Hand over X and an endpoint (prognosis.Endpoint.survival(...) or .label(...)).")
    baseline = names_of(baseline)
    check_level(level)
    check_counts(n_boot=n_boot, seed=seed)
    check_counts(1, n_repeats=n_repeats)
    check_counts(2, n_splits=n_splits)
    check_not_outcome(baseline, endpoint, "part of the baseline")
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
    task = make_task(data)
    task.check()
    if patients is None:
        refuse_repeated_patients(clinical, data.index)
    k = max(2, min(n_splits, task.smallest))
    grid = task.evaluation_times(times)
    used = _with_baseline(clinical.loc[data.index], baseline)
    observations = tuple(data.index.astype(str))
    columns = same.columns(observations, used[list(baseline)], impute) if len(baseline) else None
    candidates = candidates_of(model, table, columns, task, seed)
    needed = _needed(task, table, used, baseline)
    rng = np.random.default_rng(seed)
    weights = group_multiplicities(data.n, patients, n_boot, rng) * task.weights
    run = _Run(task, weights, grid, same, observations)
    with one_blas_thread():
        for repeat in range(n_repeats):
            fold = assign_folds(task.stratum, patients, k, rng)
            for f in range(k):
                _one_fold(run, candidates, np.flatnonzero(fold != f), np.flatnonzero(fold == f), patients, (repeat, f))
    summary = _summarise(run, candidates, level, k * n_repeats, n_repeats)
    notes = evaluation_notes(task, model, used[list(baseline)], int((~known).sum()), k, n_splits, impute)
    notes += _without_interval(summary, data.n, k)
    notes += leak_notes(table, patients, scoring_of(X, method), summary)
    predictions = _joined(run.predictions)
    calibrated = assess_calibration(task, predictions, grid, level)
    tested = _tested(task, table, used, baseline)
    described = {name: candidate.described for name, candidate in candidates.items()}
    record = {
        "stratified_by": "class" if data.classes else "event", "grouped": patients is not None,
        "weighted": bool((task.weights != 1).any()), "baseline": list(baseline), "impute": impute,
        "missing": {str(c): int(v) for c, v in used[list(baseline)].isna().sum().items() if v},
        "n_boot": n_boot, "seed": seed,
    }  # fmt: skip
    return Evaluation(
        summary, pd.DataFrame(run.folds), predictions, needed, grid, notes, *calibrated, tested, described, record
    )


def _with_baseline(clinical: pd.DataFrame, baseline: Sequence[str]) -> pd.DataFrame:
    """Return the clinical rows; the baseline columns without levels that nobody here has."""
    pick_columns(clinical, list(baseline), "baseline column(s)")
    return clinical.assign(**drop_empty_levels(clinical[list(baseline)])) if len(baseline) else clinical


def _needed(task: Task, table: Any, clinical: pd.DataFrame, baseline: Sequence[str]) -> pd.DataFrame:
    """Riley's criteria for the models, before anything is fitted."""
    sizes = {"score": int(table.shape[1])}
    if len(baseline):
        columns = pick_columns(clinical, list(baseline), "baseline column(s)")
        sizes["clinical"] = ClinicalEncoder().fit(columns).transform(columns).shape[1]
        sizes["clinical + score"] = sizes["score"] + sizes["clinical"]
    parts = [adequacy(task, max(1, p), label=name) for name, p in sizes.items()]
    return pd.concat(parts, ignore_index=True)


def _tested(task: Task, table: Any, clinical: pd.DataFrame, baseline: Sequence[str]) -> pd.DataFrame:
    """Likelihood-ratio test of the scores beside the baseline; nothing where there is none."""
    numeric = isinstance(table, pd.DataFrame) and all(map(pd.api.types.is_numeric_dtype, table.dtypes))
    if not len(baseline) or not numeric:
        return pd.DataFrame()
    coded = ClinicalEncoder().fit(clinical[list(baseline)]).transform(clinical[list(baseline)])
    return pd.DataFrame([likelihood_ratio(task.data, table, coded, "clinical + score")])


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


def _one_fold(
    run: _Run,
    candidates: dict[str, Candidate],
    train: IntArray,
    test: IntArray,
    patients: npt.NDArray[Any] | None,
    where: tuple[int, int],
) -> None:
    names = run.task.data.index.astype(str)
    for name, candidate in candidates.items():
        key = (run.observations, name, *where)
        earlier = run.same.folds.get(key) if candidate.without_scores else None
        predicted = candidate.fit_predict(train, test, run.task, run.times, patients) if earlier is None else earlier[0]
        weights = run.weights[:, test]
        values = run.task.metrics(predicted, weights, train, test, run.times) if earlier is None else earlier[1]
        if candidate.without_scores and run.same.kept:
            run.same.folds[key] = (predicted, values)
        for metric, value in values.items():
            run.values.setdefault((name, metric), []).append(value)
            run.folds.append({"repeat": where[0], "fold": where[1], "model": name, "metric": metric, "value": value[0]})
        columns: dict[str, Any] = {"repeat": where[0], "fold": where[1], "model": name, "observation": names[test]}
        columns["prediction"] = predicted.risk
        columns |= run.task.further(predicted)
        if predicted.survival is not None:
            columns |= {f"survival_{t:g}": predicted.survival[:, j] for j, t in enumerate(run.times)}
        run.predictions.append(columns)


def _joined(parts: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return the predictions of all folds as one table; what is said of a fold stands in each of its rows."""
    if any(part.keys() != parts[0].keys() for part in parts):
        return pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)
    sizes = [len(part["prediction"]) for part in parts]
    columns = {}
    for name, first in parts[0].items():
        values = [part[name] for part in parts]
        said = np.ndim(first) == 0
        columns[name] = (
            np.repeat(np.array(values, dtype=object if isinstance(first, str) else None), sizes) if said
            else np.concatenate(values)
        )  # fmt: skip
    return pd.DataFrame(columns)


def _summarise(run: _Run, candidates: dict[str, Candidate], level: float, n_folds: int, repeats: int) -> pd.DataFrame:
    reference = "clinical" if "clinical" in candidates else "dummy"
    data, events = run.task.data, run.task.events
    few = events < MIN_EVENTS
    out = []
    for (name, metric), values in run.values.items():
        stack = np.array(values)
        means, scored = average(stack)
        value, half = float(means[0]), half_width(stack, repeats, events, level)
        offered = has_interval(metric, data.n, n_folds // repeats)
        half = half if offered else np.nan
        low, high = bounded(value, half, metric)
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
            "horizon": _horizon_of(metric, run.times, data.horizon),
            "positive": run.task.positive_of(metric),
            "competing": run.task.competing_in(metric),
            "level": level,
            "valid": not few and scored > 0,
            "reason": f"only {events} events" if few else ("" if scored else "not defined in any fold"),
        }
        base = run.values.get((reference, metric))
        if base is not None and name != reference and name != "dummy":
            gain = stack - np.array(base)
            d, half = float(average(gain)[0][0]), half_width(gain, repeats, events, level) if offered else np.nan
            row |= {"reference": reference, "difference": d, "difference_low": d - half, "difference_high": d + half}
        out.append(row)
    return pd.DataFrame(out)


def _without_interval(summary: pd.DataFrame, n: int, k: int) -> tuple[str, ...]:
    """Say which metrics have no interval, because the folds are too small for one."""
    bare = [m for m in summary["metric"].unique() if not has_interval(m, n, k)]
    if not bare:
        return ()
    need = f"in folds of {n // k} observations none was seen to hold; {LEAST_IN_FOLD} in each are needed"
    return (f"no interval for {', '.join(bare)}: {need}",)


def _horizon_of(metric: str, times: FloatArray, own: float) -> float:
    """Return the last time that a metric looks at; NaN for one that looks at all of follow-up."""
    return float(times[-1]) if len(times) and metric in ("uno_c", "mean_auc", "integrated_brier") else own

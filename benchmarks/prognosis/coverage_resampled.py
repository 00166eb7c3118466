"""One simulated cohort of every resampled test and interval; see coverage.py."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from scipy.special import expit

from benchmarks.prognosis.coverage_settings import EFFECT, EMPTY, Found, Setting, censor_limit, labels, survival
from mtorscore._outcome_terms import EVENTS_PER_PARAMETER, MIN_EVENTS
from mtorscore.prognosis.association.activation import MIN_REFERENCE, activation
from mtorscore.prognosis.association.cutpoints import best_cut, logrank_scores
from mtorscore.prognosis.association.random_null import compare_with_null
from mtorscore.prognosis.endpoints.endpoints import LabelData, SurvivalData
from mtorscore.prognosis.endpoints.outcome_models import SurvivalOutcome
from mtorscore.prognosis.models.validation import interval_of
from mtorscore.prognosis.prediction.corrected_intervals import average, bounded, half_width, has_interval
from mtorscore.prognosis.prediction.folds import assign_folds, group_multiplicities
from mtorscore.prognosis.prediction.prediction_task import Predicted
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.prognosis.statistics import cox, logistic, metrics, ridge_paths, score_test
from mtorscore.prognosis.statistics.kaplan_meier import km_at
from mtorscore.prognosis.statistics.risk_sets import FloatArray, RiskSets

FOLDS, PENALTY, RESAMPLES = 5, 0.05, 60
COLUMNS = {
    "clinical": [0],
    "score without effect": [1, 2, 3],
    "clinical + score without effect": [0, 1, 2, 3],
    "score with effect": [4, 5, 6],
    "clinical + score with effect": [0, 4, 5, 6],
}
"""Of one clinical variable and six scores; the first of the last three has an effect, as the clinical one."""
SD = EFFECT * np.sqrt(2)
NEW = 2000


def _linear(x: FloatArray) -> FloatArray:
    out: FloatArray = EFFECT * (x[:, 0] + x[:, 4])
    return out


Data = SurvivalData | LabelData
Draw = Callable[[FloatArray, Setting, np.random.Generator], Data]
Mask = npt.NDArray[np.bool_]
Fit = Callable[[Data, FloatArray, list[Mask]], FloatArray]


def _times(x: FloatArray, setting: Setting, rng: np.random.Generator) -> Data:
    return survival(_linear(x), SD, setting.share, rng)


def _classes(x: FloatArray, setting: Setting, rng: np.random.Generator) -> Data:
    y, n = labels(_linear(x), setting.share, rng), len(x)
    return LabelData("y", pd.RangeIndex(n), y, ("0", "1"), False, np.ones(n), EMPTY)


def cross_validated(setting: Setting, rng: np.random.Generator) -> Found:
    """Ridge Cox models of one penalty: five folds, judged as `evaluate` does."""
    yield from _nested(setting, rng, _times, _cox, ("harrell_c", "uno_c", "mean_auc"), "integrated_brier")


def cross_validated_labels(setting: Setting, rng: np.random.Generator) -> Found:
    """Ridge logistic models of one penalty: five folds, judged as `evaluate` does."""
    yield from _nested(setting, rng, _classes, _logistic, ("roc_auc", "average_precision"), "brier")


def _nested(
    setting: Setting, rng: np.random.Generator, draw: Draw, fit: Fit, ranking: tuple[str, ...], loss: str
) -> Found:
    x = rng.normal(size=(setting.n, 7))
    data = draw(x, setting, rng)
    task = make_task(data)
    if task.events < MIN_EVENTS:
        for name in (*ranking, loss):
            yield f"coverage: cross-validated {name}", "null", None
            yield f"coverage: cross-validated {name}", "effect", None
        return
    grid = task.evaluation_times(None)[::4]
    weights = group_multiplicities(setting.n, None, RESAMPLES, rng)
    fold = assign_folds(task.stratum, None, FOLDS, rng)
    trains = [*(fold != f for f in range(FOLDS)), np.ones(setting.n, dtype=bool)]
    found: dict[tuple[str, str], list[FloatArray]] = {}
    truth: dict[str, dict[str, float]] = {}
    for name, columns in COLUMNS.items():
        models = fit(data, x[:, columns], trains)
        for f, train in enumerate(trains[:-1]):
            test = ~train
            predicted = _predict(data, models[f], x[:, columns], train, x[test][:, columns], grid)
            rows = np.flatnonzero(train), np.flatnonzero(test)
            for metric, v in task.metrics(predicted, weights[:, test], *rows, grid).items():
                found.setdefault((name, metric), []).append(v)
        truth[name] = _truth(setting, draw, data, models[-1], x, columns, grid, ranking)
    yield from _judged(found, truth, task.events, setting.n)


def _cox(data: Data, x: FloatArray, trains: list[Mask]) -> FloatArray:
    """``(folds + 1, 1 + p)`` coefficients without intercept."""
    risk = RiskSets(data.time, data.event)  # type: ignore[union-attr]
    coef = ridge_paths.coefficients(risk, x, trains, np.array([PENALTY]))[:, 0]
    return np.column_stack([np.zeros(len(coef)), coef])


def _logistic(data: Data, x: FloatArray, trains: list[Mask]) -> FloatArray:
    """``(folds + 1, 1 + p)`` coefficients, the intercept first."""
    w = np.column_stack(trains).astype(np.float64)
    stacked = np.broadcast_to(x[:, :, None], (*x.shape, len(trains)))
    ridge = np.broadcast_to(PENALTY * w.sum(axis=0), (x.shape[1], len(trains)))
    coef = logistic.newton(stacked, data.y.astype(np.float64), w, ridge=ridge, tol=1e-8).coef  # type: ignore[union-attr]
    return np.column_stack([coef[-1], coef[:-1].T])


def _predict(data: Data, coef: FloatArray, x: FloatArray, train: Mask, new: FloatArray, grid: FloatArray) -> Predicted:
    linear = coef[0] + new @ coef[1:]
    if isinstance(data, LabelData):
        return Predicted(expit(linear), None, linear)
    risk = RiskSets(data.time[train], data.event[train])
    hazard = np.cumsum(1.0 / risk.sum(np.exp(x[train] @ coef[1:])))
    at = np.concatenate([[0.0], hazard])[np.searchsorted(risk.times, grid, side="right")]
    return Predicted(linear, np.exp(-np.outer(np.exp(linear), at)), linear)


def _judged(
    found: dict[tuple[str, str], list[FloatArray]], truth: dict[str, dict[str, float]], events: int, n: int
) -> Found:
    for (name, metric), values in found.items():
        stack, target = np.array(values), truth[name].get(metric)
        which = "null" if "without" in name or name == "clinical" else "effect"
        if target is None or name == "clinical":
            continue
        means, _ = average(stack)
        half = half_width(stack, 1, events) if has_interval(metric, n, FOLDS) else np.nan
        low, high = bounded(float(means[0]), half, metric)
        if not name.startswith("clinical"):
            inside = bool(low <= target <= high) if np.isfinite(half) else None
            yield f"coverage: cross-validated {metric}", which, inside
        else:
            gain = stack - np.array(found["clinical", metric])
            mean = float(average(gain)[0][0])
            half = half_width(gain, 1, events) if np.isfinite(half) else np.nan
            true = target - truth["clinical"][metric]
            inside = bool(abs(mean - true) <= half) if np.isfinite(half) else None
            yield f"coverage: gain in cross-validated {metric}", which, inside
            if which == "null":
                outside = bool(abs(mean) > half) if np.isfinite(half) else None
                yield f"type I: gain in cross-validated {metric} excludes 0", which, outside


def _truth(
    setting: Setting, draw: Draw, data: Data, coef: FloatArray, x: FloatArray, columns: list[int], grid: FloatArray,
    ranking: tuple[str, ...],
) -> dict[str, float]:  # fmt: skip
    """Return what the model that all of these patients give achieves in new patients."""
    new, outcome, g = _new(setting.share, draw)
    everybody = np.ones(len(x), dtype=bool)
    predicted = _predict(data, coef, x[:, columns], everybody, new[:, columns], grid)
    length = float(np.linalg.norm(coef[1:]))
    beta = np.zeros(7)
    beta[columns] = coef[1:]
    rho = float((beta[0] + beta[4]) / np.sqrt(2) / length) if length > 1e-12 else 0.0
    out = {m: curve(rho) for m, curve in _by_correlation(setting.share, draw, ranking).items()}
    one = np.ones((1, len(new)))
    if isinstance(outcome, SurvivalData) and predicted.survival is not None:
        g_at = metrics.censoring(outcome.time, outcome.event, grid)
        found = metrics.survival_briers(outcome.time, outcome.event, predicted.survival, one, g, g_at, grid)
        out["integrated_brier"] = float(metrics.integrate(grid, found)[0])
    elif isinstance(outcome, LabelData):
        out["brier"] = float(metrics.brier(outcome.y, predicted.risk, one)[0])
        out["log_loss"] = float(metrics.log_loss(outcome.y, predicted.risk, one)[0])
    return out


@cache
def _new(share: float, draw: Draw) -> tuple[FloatArray, Data, FloatArray]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(NEW, 7))
    data = draw(x, Setting(NEW, share), rng)
    g = metrics.censoring(data.time, data.event, data.time) if isinstance(data, SurvivalData) else np.ones(NEW)
    return x, data, g


@cache
def _by_correlation(
    share: float, draw: Draw, ranking: tuple[str, ...], n: int = 6000
) -> dict[str, Callable[[float], float]]:
    """Measures of ranking as functions of the correlation of a normal predictor with the true one."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(n, 7))
    data = draw(x, Setting(n, share), rng)
    lp, noise = _linear(x), rng.normal(size=n)
    at = np.linspace(-1, 1, 9)
    rows: dict[str, list[float]] = {m: [] for m in ranking}
    one, y = np.ones((1, n)), lp / lp.std()
    noise = noise - (noise @ y) / (y @ y) * y
    noise /= noise.std()
    for rho in at:
        score = rho * y + np.sqrt(1 - rho**2) * noise
        if isinstance(data, SurvivalData):
            grid = np.unique(np.quantile(data.time[data.event], np.linspace(0.1, 0.8, 9)))[::4]
            g = metrics.censoring(data.time, data.event, data.time)
            rows["harrell_c"].append(float(metrics.harrell_c(data.time, data.event, score, one)[0]))
            rows["uno_c"].append(float(metrics.uno_c(data.time, data.event, score, one, g, float(grid[-1]))[0]))
            aucs = [metrics.dynamic_auc(data.time, data.event, score, one, g, float(t))[0] for t in grid]
            rows["mean_auc"].append(float(np.mean(aucs)))
        else:
            rows["roc_auc"].append(float(metrics.roc_auc(data.y, score, one)[0]))
            rows["average_precision"].append(float(metrics.average_precision(data.y, score, one)[0]))
    fits = {m: np.polyfit(at, v, 4) for m, v in rows.items()}
    return {m: (lambda r, c=c: float(np.polyval(c, r))) for m, c in fits.items()}


def refitting(setting: Setting, rng: np.random.Generator) -> Found:
    """Other intervals of a cross-validated area: predictions held fixed, folds as they are, the whole resampled.

    Ridge logistic models of one penalty, so that the cross-validations of all resamples are one batch of fits.
    """
    n, resamples, ridge = setting.n, 30, 0.05
    x = rng.normal(size=(n, 4))
    y = labels(EFFECT * x[:, 0], setting.share, rng)
    if min(y.sum(), n - y.sum()) < MIN_EVENTS:
        yield "coverage (not shipped): gain in area, whole procedure resampled", "null", None
        return
    drawn = group_multiplicities(n, None, resamples, rng)
    fold = assign_folds(y, None, FOLDS, rng)
    held: dict[str, FloatArray] = {}
    whole: dict[str, FloatArray] = {}
    truth: dict[str, float] = {}
    for name, columns in (("clinical", [0]), ("both", [0, 1, 2, 3])):
        z = x[:, columns]
        train = (drawn.T[:, :, None] * (fold[:, None, None] != np.arange(FOLDS))).reshape(n, -1)
        stacked = np.broadcast_to(z[:, :, None], (*z.shape, train.shape[1]))
        penalty = np.broadcast_to(ridge * train.sum(axis=0), (len(columns), train.shape[1]))
        fit = logistic.newton(stacked, y.astype(np.float64), train, ridge=penalty, tol=1e-6)
        eta = (z @ fit.coef[:-1] + fit.coef[-1]).reshape(n, resamples + 1, FOLDS)
        of_fold = [np.flatnonzero(fold == f) for f in range(FOLDS)]
        held[name] = np.array([metrics.roc_auc(y[r], eta[r, 0, f], drawn[:, r]) for f, r in enumerate(of_fold)])
        redone = [
            [metrics.roc_auc(y[r], eta[r, b, f], drawn[[b]][:, r])[0] for f, r in enumerate(of_fold)]
            for b in range(resamples + 1)
        ]
        whole[name] = np.nanmean(np.array(redone), axis=1)
        everyone = logistic.newton(
            z[:, :, None], y.astype(np.float64), np.ones(n), ridge=np.full((len(columns), 1), ridge * n)
        )
        beta = everyone.coef[:-1, 0]
        rho = float(beta[0] / np.linalg.norm(beta)) if beta.any() else 0.0
        truth[name] = _area(setting.share, rho)
    yield from _compared(held["both"], whole["both"], truth["both"], "area", int(y.sum()))
    gain = truth["both"] - truth["clinical"]
    yield from _compared(
        held["both"] - held["clinical"], whole["both"] - whole["clinical"], gain, "gain in area", int(y.sum())
    )


def _compared(held: FloatArray, whole: FloatArray, target: float, name: str, events: int) -> Found:
    means, folds = average(held)[0], held[:, 0][np.isfinite(held[:, 0])]
    value, boot, z = float(means[0]), means[1:], stats.norm.ppf(0.975)
    half_t = stats.t.ppf(0.975, max(events - 1, 1))
    corrected = np.sqrt(folds.var(ddof=1) * (1 / len(folds) + 1 / (FOLDS - 1)))
    for label, half in (
        ("predictions held fixed", z * np.nanstd(boot, ddof=1)),
        ("Nadeau and Bengio over the folds", stats.t.ppf(0.975, len(folds) - 1) * corrected),
        ("whole procedure resampled", half_t * whole[1:].std(ddof=1)),
        ("shipped", half_width(held, 1, events)),
    ):
        prefix = "" if label == "shipped" else " (not shipped)"
        yield f"coverage{prefix}: {name}, {label}", "null", bool(abs(value - target) <= half)
        if name.startswith("gain"):
            yield f"type I{prefix}: {name} excludes 0, {label}", "null", bool(abs(value) > half)


@cache
def _curve(share: float, n: int = 200_000) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(7)
    true, noise = rng.normal(size=(2, n))
    y = labels(EFFECT * true, share, rng)
    at, positive = np.linspace(-1, 1, 9), int(y.sum())
    areas = []
    for rho in at:
        ranks = stats.rankdata(rho * true + np.sqrt(1 - rho**2) * noise)
        areas.append((ranks[y == 1].sum() - positive * (positive + 1) / 2) / (positive * (n - positive)))
    return at, np.array(areas)


def _area(share: float, rho: float) -> float:
    return float(np.polyval(np.polyfit(*_curve(share), 3), rho))


def tissue(setting: Setting, rng: np.random.Generator) -> Found:
    """Activation against a reference tissue of a quarter of the tumours, twenty at least."""
    n, m = setting.n, max(MIN_REFERENCE, setting.n // 4)
    index = pd.RangeIndex(n + m)
    tumour = np.arange(n + m) < n
    for truth, shift in (("null", 0.0), ("effect", 1.0)):
        values = np.r_[rng.normal(size=n) + shift, rng.normal(size=m)]
        row = activation(pd.DataFrame({"s": values}, index), tumour, ~tumour).iloc[0]
        inside = bool(row["difference_low"] <= shift <= row["difference_high"])
        yield "coverage: difference of tumour and reference", truth, inside
        share = stats.norm.sf(stats.norm.ppf(0.95) - shift)
        yield "coverage: share of active tumours", truth, bool(row["active_low"] <= share <= row["active_high"])
        if shift == 0:
            yield "type I: Mann-Whitney test of tumour and reference", truth, bool(row["p"] < 0.05)
            yield "type I: call of a tumour like the reference", truth, bool(rng.random() < row["active"])


def selection(setting: Setting, rng: np.random.Generator) -> Found:
    """Place among random signatures; optimal cut-point, corrected for the search."""
    n = setting.n
    data = survival(np.zeros(n), 0.0, setting.share, rng)
    valid = data.n_events >= MIN_EVENTS
    if not valid:
        yield "type I: random signatures (null_p)", "null", None
        yield "type I: optimal cut-point, corrected p", "null", None
        return
    # A signature that is one of the random ones.
    scores = rng.normal(size=(n, 200)) + 0.7 * rng.normal(size=(n, 1))
    z = np.abs(score_test.cox(RiskSets(data.time, data.event), np.zeros(n), None)(scores))
    yield "type I: random signatures (null_p)", "null", bool(compare_with_null(np.sort(z[1:]), float(z[0]))[1] <= 0.05)
    a, x = logrank_scores(data.time, data.event), np.sort(rng.normal(size=n))
    best = best_cut(x, a[:, None], 0.1)[0][0]
    shuffled = rng.permuted(np.tile(a[:, None], (1, 199)), axis=0)
    p = (1 + (best_cut(x, shuffled, 0.1)[0] >= best - 1e-9).sum()) / 200
    yield "type I: optimal cut-point, corrected p", "null", bool(p <= 0.05)


def added(setting: Setting, rng: np.random.Generator) -> Found:
    """Gain in concordance of a score beside a clinical variable, in sample, as `added_value` prints it."""
    n = setting.n
    x = rng.normal(size=(n, 7))
    data = survival(_linear(x), SD, setting.share, rng)
    outcome = SurvivalOutcome(data)
    name = "coverage (not shipped): gain in concordance in sample, models held fixed"
    for truth, column in (("null", 1), ("effect", 4)):
        if data.n_events < 2 * EVENTS_PER_PARAMETER:
            yield name, truth, None
            continue
        weights = group_multiplicities(n, None, 200, rng)
        designs = (x[:, [0]], x[:, [column, 0]])
        before, after = (
            outcome.discrimination_of_resamples(d @ outcome.fit(d[:, :, None]).coef[:, 0], weights) for d in designs
        )
        low, high = np.quantile((after - before)[1:], [0.025, 0.975])
        curve = _by_correlation(setting.share, _times, ("harrell_c", "uno_c", "mean_auc"))["harrell_c"]
        target = 0.0 if truth == "null" else curve(1.0) - curve(np.sqrt(0.5))
        yield name, truth, bool(low <= target <= high)


def external(setting: Setting, rng: np.random.Generator) -> Found:
    """Bootstrap intervals of `validate`, of a frozen model that is right."""
    n = setting.n
    x = rng.normal(size=n)
    data = survival(EFFECT * x, EFFECT, setting.share, rng)
    names = ("harrell_c", "auc_at_horizon", "observed_expected", "calibration_slope")
    at = censor_limit(setting.share, round(EFFECT, 6)) / 2
    if data.n_events < MIN_EVENTS or not (data.time > at).any():
        for name in names:
            yield f"coverage: validation, {name}", "effect", None
        return
    w = group_multiplicities(n, None, 100, rng)
    g = metrics.censoring(data.time, data.event, data.time)
    risk = 1 - np.exp(-at * np.exp(EFFECT * x))
    slopes = np.full(len(w), np.nan)
    for b, m in enumerate(w):
        rows = np.repeat(np.arange(n), m.astype(int))
        if data.event[rows].any():
            fit = cox.newton(RiskSets(data.time[rows], data.event[rows]), x[rows][:, None, None], tol=1e-8)
            slopes[b] = fit.coef[0, 0] / EFFECT if fit.converged[0] else np.nan
    observed = np.array([1 - km_at(data.time, data.event, at, m) for m in w])
    c, auc = _right(setting.share)
    for name, values, target in zip(
        names,
        (
            metrics.harrell_c(data.time, data.event, x, w), metrics.dynamic_auc(data.time, data.event, x, w, g, at),
            observed / (w @ risk / w.sum(axis=1)), slopes,
        ),
        (c, auc, 1.0, 1.0), strict=True,
    ):  # fmt: skip
        low, high = interval_of(name, values, 0.95)
        yield f"coverage: validation, {name}", "effect", bool(low <= target <= high)


@cache
def _right(share: float, n: int = 12_000) -> tuple[float, float]:
    rng = np.random.default_rng(8)
    x, one = rng.normal(size=n), np.ones((1, n))
    data = survival(EFFECT * x, EFFECT, share, rng)
    at = censor_limit(share, round(EFFECT, 6)) / 2
    g = metrics.censoring(data.time, data.event, data.time)
    c = metrics.harrell_c(data.time, data.event, x, one)[0]
    return float(c), float(metrics.dynamic_auc(data.time, data.event, x, one, g, at)[0])


GROUPS = {
    f.__name__: f for f in (cross_validated, cross_validated_labels, refitting, tissue, selection, added, external)
}

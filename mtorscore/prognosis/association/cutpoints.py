"""Optimal cut-point with a p-value corrected for the search, and cross-validated groups.

References
----------
Lausen and Schumacher, Biometrics 1992;48:73; Hothorn and Lausen, Comput Stat Data Anal 2003;43:121 (maximally
selected rank statistics); Altman et al., J Natl Cancer Inst 1994;86:829.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from mtorscore.errors import DataError, EndpointError
from mtorscore.prognosis.endpoints.checks import check_counts
from mtorscore.prognosis.endpoints.covariates import check_column
from mtorscore.prognosis.endpoints.endpoints import Endpoint, SurvivalData
from mtorscore.prognosis.prediction.folds import assign_folds
from mtorscore.prognosis.statistics.kaplan_meier import logrank_statistic
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets

__all__ = ["Cutpoint", "optimal_cutpoint"]


@dataclass(frozen=True, eq=False)
class Cutpoint:
    """An optimal cut-point with corrected p-value and cross-validated groups.

    Attributes
    ----------
    cut
        Scores above it are the high group.
    statistic
        Largest absolute standardised log-rank statistic over the cut-points searched.
    p_naive
        What a log-rank test at this cut would claim. Never report it; it is given to show the difference.
    p
        Corrected: share of permutations whose best cut-point is at least as good.
    groups
        ``"high"`` or ``"low"``, each observation by the cut-point found without its fold.
    cv_p
        Permutation p-value of the log-rank statistic between the cross-validated groups.
    """

    cut: float
    statistic: float
    p_naive: float
    p: float
    groups: pd.Series
    cv_p: float
    n: int
    events: int


def logrank_scores(time: FloatArray, event: npt.NDArray[np.bool_], entry: FloatArray | None = None) -> FloatArray:
    """Event minus Nelson-Aalen cumulative hazard: the residuals that the log-rank test sums."""
    risk = RiskSets(time, event, entry, ties="breslow")
    out: FloatArray = event - risk.adjoint(1.0 / risk.sum(np.ones(len(time))))
    return out


def _places(x: FloatArray, margin: float) -> IntArray:
    """Return where an ascending score may be cut: the numbers of observations below."""
    m = np.arange(1, len(x))
    least = np.ceil(margin * len(x))
    out: IntArray = m[(m >= least) & (len(x) - m >= least) & (np.diff(x) > 0)]
    return out


def best_cut(x: FloatArray, a: FloatArray, margin: float) -> tuple[FloatArray, FloatArray]:
    """Best standardised statistic over cut-points, for each column of residuals.

    Parameters
    ----------
    x
        ``(n,)`` score, ascending.
    a
        ``(n, B)`` residuals in the order of `x`.
    margin
        Share of observations that must lie on either side.

    Returns
    -------
    statistic, position
        ``(B,)`` largest absolute value and the number of observations at or below the cut.
    """
    n = len(x)
    places = _places(x, margin)
    centred = a - a.mean(axis=0)
    sums = np.cumsum(centred, axis=0)[places - 1]
    spread = (centred**2).sum(axis=0) / (n - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(sums) / np.sqrt((places * (n - places) / n)[:, None] * spread)
    z = np.where(np.isfinite(z), z, 0.0)
    top = z.argmax(axis=0)
    return z[top, np.arange(z.shape[1])], places[top]


def optimal_cutpoint(
    score: pd.Series,
    clinical: pd.DataFrame,
    endpoint: Endpoint,
    *,
    margin: float = 0.1,
    n_permutations: int = 9999,
    folds: int = 10,
    seed: int = 0,
) -> Cutpoint:
    """Find the cut-point with the largest log-rank statistic, and correct its p-value for the search.

    Parameters
    ----------
    score
        Continuous score.
    clinical, endpoint
        The outcome.
    margin
        Share of patients that each group must hold.
    n_permutations
        Permutations of the residuals over the scores.
    folds
        Of the cross-validated groups.
    seed
        Of permutations and folds.

    Returns
    -------
    Cutpoint
        With corrected p-value and cross-validated groups.

    Raises
    ------
    EndpointError
        If there is no event.
    DataError
        If the score leaves no cut-point, or the margin is not between 0 and 0.5.
    """
    if not 0 < margin < 0.5:
        raise DataError(f"The margin must lie between 0 and 0.5, not {margin}.")
    check_counts(1, n_permutations=n_permutations)
    check_counts(2, folds=folds)
    check_column(score, "score", numeric=True)
    data = endpoint.resolve_survival(clinical, score.dropna().index)
    if data.n_events == 0:
        raise EndpointError(f"Endpoint {data.name}: none of the {data.n} observations has an event.")
    x = score.loc[data.index].to_numpy(dtype=np.float64)
    order = np.argsort(x, kind="stable")
    sorted_x = x[order]
    if not len(_places(sorted_x, margin)):
        raise DataError("The score leaves no cut-point with enough patients on either side.")
    rng = np.random.default_rng(seed)
    a = logrank_scores(data.time, data.event, data.entry)
    statistic, position = best_cut(sorted_x, a[order][:, None], margin)
    cut = _between(sorted_x, int(position[0]))
    exceed = 0
    for first in range(0, n_permutations, 1000):
        width = min(1000, n_permutations - first)
        shuffled = rng.permuted(np.tile(a[:, None], (1, width)), axis=0)
        exceed += int((best_cut(sorted_x, shuffled, margin)[0] >= statistic[0] - 1e-9).sum())
    high = _cross_validated(x, data, margin, folds, rng)
    naive = logrank_statistic(data.time, data.event, (x > cut).astype(np.int64), data.entry)[2]
    groups = pd.Series(np.where(high, "high", "low"), index=data.index, name=score.name)
    cv_p = _cv_p(x, data, margin, folds, rng, high)
    return Cutpoint(
        cut, float(statistic[0]), naive, (1 + exceed) / (1 + n_permutations), groups, cv_p, data.n, data.n_events
    )


def _between(x: FloatArray, position: int) -> float:
    return float((x[position - 1] + x[position]) / 2)


def _cross_validated(
    x: FloatArray, data: SurvivalData, margin: float, folds: int, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Group of each observation by the cut-point of the other folds; high always means above the cut."""
    time, event, entry = data.time, data.event, data.entry
    fold = assign_folds(event, None, min(folds, len(x)), rng)
    high = np.zeros(len(x), dtype=bool)
    for f in np.unique(fold):
        train = fold != f
        if not event[train].any():
            continue
        a = logrank_scores(time[train], event[train], None if entry is None else entry[train])
        order = np.argsort(x[train], kind="stable")
        ordered = x[train][order]
        if not len(_places(ordered, margin)):
            continue
        _, position = best_cut(ordered, a[order][:, None], margin)
        high[~train] = x[~train] > _between(ordered, int(position[0]))
    return high


def _cv_p(
    x: FloatArray,
    data: SurvivalData,
    margin: float,
    folds: int,
    rng: np.random.Generator,
    high: npt.NDArray[np.bool_],
    n_permutations: int = 199,
) -> float:
    """Repeat the whole cross-validation on permuted scores: its log-rank statistic has no chi-squared null."""

    def statistic(group: npt.NDArray[np.bool_]) -> float:
        if group.all() or not group.any():
            return 0.0
        return logrank_statistic(data.time, data.event, group.astype(np.int64), data.entry)[0]

    observed = statistic(high)
    beaten = 0
    for _ in range(n_permutations):
        shuffled = rng.permutation(x)
        beaten += statistic(_cross_validated(shuffled, data, margin, folds, rng)) >= observed - 1e-9
    return float((1 + beaten) / (1 + n_permutations))


def lausen_schumacher(statistic: float, margin: float) -> float:
    """Asymptotic corrected p-value of the largest statistic (Lausen and Schumacher 1992); good for small p."""
    if statistic <= 1:
        return 1.0
    density = stats.norm.pdf(statistic)
    span = np.log((1 - margin) ** 2 / margin**2)
    return float(min(1.0, 4 * density / statistic + density * (statistic - 1 / statistic) * span))

"""Score tests of one covariate beside others, for thousands of covariates at once.

With the residuals ``r`` of the model without the covariate ``x``, the score is ``U = x'r``; its variance is the
information of ``x`` less what the nuisance covariates explain of it. Both are matrix products over all ``x``.

References
----------
Rao 1948; for Cox's model the residuals are the martingale residuals (Therneau, Grambsch and Fleming, Biometrika
1990;77:147), so the score test without nuisance covariates is the log-rank test for a continuous covariate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import expit

from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets
from mtorscore.tl.kernels.jit import jit

ScoreTest = Callable[[FloatArray], FloatArray]
"""``(n, B)`` covariates to ``(B,)`` statistics, standard normal under the null."""


LEAST_LEFT = 1e-10
"""Share of a covariate's information that others must leave."""
LEAST_EIGENVALUE = 1e-15
"""Of the largest; nuisance covariates that others determine are left out."""
COLUMNS = 128
"""Covariates at a time: their running sums stay in the first-level cache."""


@jit
def _pass(
    x: FloatArray, start: int, stop: int, order: IntArray, group_ptr: IntArray, first: IntArray, event_ptr: IntArray,
    tied_ptr: IntArray, tied: IntArray, per_row: FloatArray, per_event: FloatArray,
    running: FloatArray, ties: FloatArray, found: FloatArray,
) -> None:  # fmt: skip
    found[:] = 0.0
    for g in range(first.size):
        if first[g] == 1:
            running[:] = 0.0
        for place in range(group_ptr[g], group_ptr[g + 1]):
            i = order[place]
            w, weight, row = per_row[i, 0], per_row[i, 1], x[i, start:stop]
            for b in range(row.size):
                running[b] += w * row[b]
                found[b] += weight * row[b] * row[b]
        if event_ptr[g] == event_ptr[g + 1]:
            continue
        several = tied_ptr[g + 1] > tied_ptr[g]
        if several:
            ties[:] = 0.0
        for place in range(tied_ptr[g], tied_ptr[g + 1]):
            i = tied[place]
            w, row = per_row[i, 0], x[i, start:stop]
            for b in range(row.size):
                ties[b] += w * row[b]
        for e in range(event_ptr[g], event_ptr[g + 1]):
            inverse, fraction = per_event[e, 0], per_event[e, 1]
            if several:
                for b in range(found.size):
                    mean = (running[b] - fraction * ties[b]) * inverse
                    found[b] -= mean * mean
            else:
                for b in range(found.size):
                    mean = running[b] * inverse
                    found[b] -= mean * mean


@jit
def information(
    x: FloatArray,
    order: IntArray,
    group_ptr: IntArray,
    first: IntArray,
    event_ptr: IntArray,
    tied_ptr: IntArray,
    tied: IntArray,
    per_row: FloatArray,
    per_event: FloatArray,
    own: FloatArray,
) -> None:
    """Write the information of each covariate in several models, nuisance covariates left aside.

    Each model takes one pass down the risk sets, which all of them share.

    Parameters
    ----------
    x
        ``(n, B)`` covariates.
    order, group_ptr
        Observations by stratum and descending time, and where each distinct time begins among them.
    first
        ``(G,)`` 1 where a stratum begins.
    event_ptr
        Where the events of each distinct time begin in `per_event`.
    tied_ptr, tied
        Observations whose event is tied, by distinct time; none without Efron's rule.
    per_row
        ``(R, n, 2)`` by model, relative risk, and its sum over risk sets (the weight).
    per_event
        ``(R, E, 2)`` by model, one over the sum of the risk set, and Efron's fraction.
    own
        ``(R, B)``, which is filled.
    """
    # What the passes over some covariates need stays in the nearer caches.
    rooms = np.empty((2, COLUMNS))
    for start in range(0, x.shape[1], COLUMNS):
        stop = min(start + COLUMNS, x.shape[1])
        for model in range(own.shape[0]):
            _pass(
                x, start, stop, order, group_ptr, first, event_ptr, tied_ptr, tied, per_row[model], per_event[model],
                rooms[0, : stop - start], rooms[1, : stop - start], own[model, start:stop],
            )  # fmt: skip


def cox(risk: RiskSets, eta: FloatArray, z: FloatArray | None) -> ScoreTest:
    """Score test in Cox's model.

    Parameters
    ----------
    risk
        Risk sets.
    eta
        ``(n,)`` linear predictor of the nuisance covariates at their estimate.
    z
        ``(n, q)`` nuisance covariates.
    """
    w = np.exp(eta - eta.max())
    s0 = risk.sum(w)
    weight = w * risk.adjoint(1.0 / s0)
    residual = risk.event - weight
    z = np.zeros((risk.n, 0)) if z is None else z
    mean_z = risk.sum(w[:, None] * z) / s0[:, None]
    block = (z * weight[:, None]).T @ z - mean_z.T @ mean_z

    if type(risk) is RiskSets and risk.entry is None:
        # Cross products are sums over risk sets, hence linear in the covariate: a row for each nuisance covariate,
        # turned so that the sum of their squares is what these explain.
        cross = z * weight[:, None] - w[:, None] * risk.adjoint(mean_z / s0[:, None])
        values, vectors = np.linalg.eigh(block)
        known = values > LEAST_EIGENVALUE * values.max(initial=0.0)
        turned = cross @ (vectors[:, known] / np.sqrt(values[known]))
        linear = np.ascontiguousarray(np.column_stack([residual, turned]).T)
        return _CoxTest(risk, np.column_stack([w, weight]), linear, s0)

    inverse: FloatArray = np.asarray(np.linalg.pinv(block), dtype=np.float64)

    def test(x: FloatArray) -> FloatArray:
        x = x - x.mean(axis=0)
        mean = risk.sum(w[:, None] * x) / s0[:, None]
        own = weight @ (x * x) - (mean * mean).sum(axis=0)
        cross = (z * weight[:, None]).T @ x - mean_z.T @ mean
        return statistic(residual @ x, own, cross, inverse)

    return test


class _CoxTest:
    """Score test of covariates: a matrix product, and one pass down the risk sets."""

    def __init__(self, risk: RiskSets, per_row: FloatArray, linear: FloatArray, s0: FloatArray) -> None:
        self.path = risk.descent
        self.per_row, self.linear = per_row, linear
        self.per_event = np.column_stack([1.0 / s0, risk.fraction])[self.path.events]

    def __call__(self, x: FloatArray) -> FloatArray:
        """Test covariates ``(n, B)``."""
        return self.of_centred(x - x.mean(axis=0))

    def of_centred(self, x: FloatArray) -> FloatArray:
        """Test covariates of about mean 0; what is added to a covariate changes its test by rounding alone."""
        return _down_the_same([self], x)[0]


def _down_the_same(tests: Sequence[_CoxTest], x: FloatArray) -> list[FloatArray]:
    """Test covariates in models with the same risk sets: one matrix product, and passes over what the caches hold."""
    p, x, out = tests[0].path, np.ascontiguousarray(x), np.empty((len(tests), x.shape[1]))
    per_row, per_event = (np.stack([getattr(t, name) for t in tests]) for name in ("per_row", "per_event"))
    information(x, p.order, p.group_ptr, p.first, p.event_ptr, p.tied_ptr, p.tied, per_row, per_event, out)
    ends = np.cumsum([0, *(len(t.linear) for t in tests)])
    _over_own(np.concatenate([t.linear for t in tests]) @ x, ends, out)
    return list(out)


@jit
def _over_own(sums: FloatArray, ends: IntArray, out: FloatArray) -> None:
    """Turn the informations of each model into statistics.

    Of the rows of `sums` from ``ends[r]`` to ``ends[r + 1]`` the first is the score; the others, squared, are what
    nuisance covariates take.
    """
    for model in range(out.shape[0]):
        first, last = ends[model], ends[model + 1]
        for b in range(out.shape[1]):
            own = out[model, b]
            left = own
            for j in range(first + 1, last):
                left -= sums[j, b] * sums[j, b]
            told = left > LEAST_LEFT * max(own, 1e-300)
            out[model, b] = sums[first, b] / np.sqrt(left) if told else np.nan


def of_centred(test: ScoreTest, x: FloatArray) -> FloatArray:
    """Test covariates of about mean 0."""
    return test.of_centred(x) if isinstance(test, _CoxTest) else test(x)


def each_of_centred(tests: Sequence[ScoreTest], x: FloatArray) -> list[FloatArray]:
    """Test the same covariates of about mean 0 by each test; those with the same risk sets go down them together."""
    together: dict[int, list[int]] = {}
    for k, test in enumerate(tests):
        together.setdefault(id(test.path) if isinstance(test, _CoxTest) else -1 - k, []).append(k)
    found: dict[int, FloatArray] = {}
    for places in together.values():
        same = [t for t in (tests[k] for k in places) if isinstance(t, _CoxTest)]
        statistics = _down_the_same(same, x) if same else [of_centred(tests[places[0]], x)]
        found |= dict(zip(places, statistics, strict=True))
    return [found[k] for k in range(len(tests))]


def residual_statistics(test: ScoreTest, x: FloatArray, design: FloatArray, onto: FloatArray) -> FloatArray:
    """Test what is left of covariates once they are regressed on a design that holds a constant."""
    return of_centred(test, x - design @ (onto @ x))


def logistic(y: IntArray, weights: FloatArray, eta: FloatArray, z: FloatArray) -> ScoreTest:
    """Score test in a logistic model with intercept; arguments as in `cox`.

    Unequal case weights are inverse probabilities, so the variance is then the empirical one of the efficient score.
    """
    mu = expit(eta)
    variance = weights * mu * (1 - mu)
    residual = weights * (y - mu)
    robust = bool(((weights != 0) & (weights != 1)).any())
    design = np.concatenate([z, np.ones((len(z), 1))], axis=1)
    inverse: FloatArray = np.linalg.pinv((design * variance[:, None]).T @ design)

    def test(x: FloatArray) -> FloatArray:
        x = x - x.mean(axis=0)
        cross = (design * variance[:, None]).T @ x
        if robust:
            rest = x - design @ inverse @ cross
            with np.errstate(divide="ignore", invalid="ignore"):
                out: FloatArray = (residual @ rest) / np.sqrt((residual * residual) @ (rest * rest))
            return out
        return statistic(residual @ x, variance @ (x * x), cross, inverse)

    return test


def statistic(score: FloatArray, own: FloatArray, cross: FloatArray, inverse: FloatArray) -> FloatArray:
    """Return ``score / sqrt(own - cross' block^-1 cross)``; NaN where nothing of the covariate is left."""
    left = own - (cross * (inverse @ cross)).sum(axis=0) if len(inverse) else own
    with np.errstate(divide="ignore", invalid="ignore"):
        out: FloatArray = np.where(left > LEAST_LEFT * np.maximum(own, 1e-300), score / np.sqrt(left), np.nan)
    return out

"""Sums of Cox's score test for thousands of covariates in one pass down the risk sets (compiled)."""

from __future__ import annotations

import numpy as np

from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets
from mtorscore.tl.kernels.jit import jit

COLUMNS = 128
"""Covariates at a time: their running sums stay in the first-level cache."""


@jit
def _add(to: FloatArray, factor: float, values: FloatArray) -> None:
    for b in range(to.size):
        to[b] += factor * values[b]


@jit
def _left_over(x: FloatArray, design: FloatArray, fitted: FloatArray, out: FloatArray) -> None:
    """Write one observation's covariates less what the design explains of them."""
    out[:] = x
    for j in range(design.size):
        _add(out, -design[j], fitted[j])


@jit
def score_sums(
    x: FloatArray,
    design: FloatArray,
    fitted: FloatArray,
    order: IntArray,
    group_ptr: IntArray,
    first: IntArray,
    event_ptr: IntArray,
    tied_ptr: IntArray,
    tied: IntArray,
    per_row: FloatArray,
    nuisance: FloatArray,
    per_event: FloatArray,
    mean_z: FloatArray,
) -> FloatArray:
    """Add up score, information and cross products of each covariate less what a design explains of it.

    Parameters
    ----------
    x
        ``(n, B)`` covariates.
    design, fitted
        ``(n, k)`` and ``(k, B)``; the covariates are ``x - design @ fitted``.
    order, group_ptr
        Observations by stratum and descending time, and where each distinct time begins among them.
    first
        ``(G,)`` 1 where a stratum begins.
    event_ptr
        Where the events of each distinct time begin in `per_event` and `mean_z`.
    tied_ptr, tied
        Observations whose event is tied, by distinct time; none without Efron's rule.
    per_row
        ``(n, 3)`` relative risk, its sum over risk sets (the weight), martingale residual.
    nuisance
        ``(n, q)`` nuisance covariates times the weight.
    per_event
        ``(E, 2)`` one over the sum of the risk set, and Efron's fraction.
    mean_z
        ``(E, q)`` means of the nuisance covariates.

    Returns
    -------
    numpy.ndarray
        ``(2 + q, B)``: score, information, cross products.
    """
    n_columns, q = x.shape[1], nuisance.shape[1]
    out = np.zeros((2 + q, n_columns))
    running, ties, v = np.empty(COLUMNS), np.empty(COLUMNS), np.empty(COLUMNS)
    score, own, cross = np.empty(COLUMNS), np.empty(COLUMNS), np.empty((q, COLUMNS))
    for start in range(0, n_columns, COLUMNS):
        width = min(COLUMNS, n_columns - start)
        score[:], own[:], cross[:] = 0.0, 0.0, 0.0
        for g in range(first.size):
            if first[g] == 1:
                running[:] = 0.0
            for place in range(group_ptr[g], group_ptr[g + 1]):
                i = order[place]
                w, weight, residual = per_row[i, 0], per_row[i, 1], per_row[i, 2]
                _left_over(x[i, start : start + width], design[i], fitted[:, start : start + width], v[:width])
                for b in range(width):
                    running[b] += w * v[b]
                for b in range(width):
                    score[b] += residual * v[b]
                for b in range(width):
                    own[b] += weight * v[b] * v[b]
                for j in range(q):
                    _add(cross[j, :width], nuisance[i, j], v[:width])
            ties[:] = 0.0
            for place in range(tied_ptr[g], tied_ptr[g + 1]):
                i = tied[place]
                _left_over(x[i, start : start + width], design[i], fitted[:, start : start + width], v[:width])
                _add(ties[:width], per_row[i, 0], v[:width])
            for e in range(event_ptr[g], event_ptr[g + 1]):
                inverse, fraction = per_event[e, 0], per_event[e, 1]
                for b in range(width):
                    v[b] = (running[b] - fraction * ties[b]) * inverse
                for b in range(width):
                    own[b] -= v[b] * v[b]
                for j in range(q):
                    _add(cross[j, :width], -mean_z[e, j], v[:width])
        out[0, start : start + width], out[1, start : start + width] = score[:width], own[:width]
        out[2:, start : start + width] = cross[:, :width]
    return out


class Descent:
    """Order in which `score_sums` goes down the risk sets; those without entry times only."""

    def __init__(self, risk: RiskSets) -> None:
        self.order: IntArray = np.lexsort((-risk.time, risk.strata)).astype(np.int64)
        time, stratum = risk.time[self.order], risk.strata[self.order]
        begins = np.ones(risk.n, dtype=bool)
        begins[1:] = (np.diff(time) != 0) | (np.diff(stratum) != 0)
        starts = np.flatnonzero(begins)
        self.group_ptr: IntArray = np.append(starts, risk.n).astype(np.int64)
        self.first: IntArray = np.append(1, np.diff(stratum[starts]) != 0).astype(np.int64)[: len(starts)]
        group = np.empty(risk.n, dtype=np.int64)
        group[self.order] = np.cumsum(begins) - 1
        of_event = group[risk.rows]
        self.events: IntArray = np.argsort(of_event, kind="stable").astype(np.int64)
        counts = np.bincount(of_event, minlength=len(starts))
        self.event_ptr: IntArray = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        several = risk.rows[self.events][counts[of_event[self.events]] > 1] if risk.fraction.any() else risk.rows[:0]
        self.tied: IntArray = several.astype(np.int64)
        tied = np.bincount(group[self.tied], minlength=len(starts))
        self.tied_ptr: IntArray = np.concatenate([[0], np.cumsum(tied)]).astype(np.int64)

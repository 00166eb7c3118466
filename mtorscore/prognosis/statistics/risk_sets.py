"""Sums over risk sets, the building block of every Cox computation here.

For each event ``e`` at time ``t`` and each array ``v`` over observations, ``RiskSets.sum(v)[e]`` is the sum of ``v``
over those at risk at ``t``, less, with Efron's rule, the fraction ``l / d`` of the sum over the ``d`` events tied at
``t`` (``l = 0 .. d - 1``). It is linear in ``v``; ``RiskSets.adjoint`` is its transpose. Small problems use a dense
matrix (a matrix product over thousands of scores at once), large ones cumulative sums; both give the same numbers.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.errors import EndpointError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DENSE_LIMIT = 4_000_000


class RiskSets:
    """Risk sets of a survival outcome.

    Parameters
    ----------
    time, event
        ``(n,)`` follow-up and event.
    entry
        ``(n,)`` entry times; at risk at ``t`` means ``entry < t <= time``.
    strata
        ``(n,)`` integer codes; risk sets do not cross them.
    ties
        ``"efron"`` or ``"breslow"``.
    dense
        Force one of the two backends; by size when None.

    Attributes
    ----------
    rows
        ``(E,)`` observation that has the event, sorted by stratum, then time.
    group
        ``(E,)`` number of the group of tied events.
    fraction
        ``(E,)`` ``l / d`` with Efron's rule, 0 with Breslow's.
    """

    def __init__(
        self,
        time: FloatArray,
        event: npt.NDArray[np.bool_],
        entry: FloatArray | None = None,
        strata: IntArray | None = None,
        *,
        ties: str = "efron",
        dense: bool | None = None,
    ) -> None:
        if ties not in ("efron", "breslow"):
            raise EndpointError(f"Unknown rule for ties {ties!r}; use 'efron' or 'breslow'.")
        self.time = np.asarray(time, dtype=np.float64)
        self.event = np.asarray(event, dtype=bool)
        self.entry = None if entry is None else np.asarray(entry, dtype=np.float64)
        n = len(self.time)
        self.strata = np.zeros(n, dtype=np.int64) if strata is None else np.asarray(strata, dtype=np.int64)
        self.ties = ties
        rows = np.flatnonzero(self.event)
        self.rows: IntArray = rows[np.lexsort((self.time[rows], self.strata[rows]))]
        self.times: FloatArray = self.time[self.rows]
        stratum = self.strata[self.rows]
        new = np.ones(len(self.rows), dtype=bool)
        new[1:] = (np.diff(self.times) != 0) | (np.diff(stratum) != 0)
        self.group: IntArray = np.cumsum(new) - 1
        self.starts: IntArray = np.flatnonzero(new)
        size = np.bincount(self.group) if len(self.rows) else np.zeros(0, dtype=np.int64)
        rank = np.arange(len(self.rows)) - self.starts[self.group] if len(self.rows) else self.rows
        self.fraction: FloatArray = (
            rank / size[self.group] if ties == "efron" and len(self.rows) else np.zeros(len(self.rows))
        )
        self.matrix: FloatArray | None = None
        if dense if dense is not None else len(self.rows) * n <= DENSE_LIMIT:
            self.matrix = self._dense(stratum)
        else:
            self._index(stratum)

    def within(self, rows: npt.NDArray[Any], *, dense: bool | None = None) -> RiskSets:
        """Return the risk sets of some observations (positions, or a mask) as if there were no others."""
        entry = None if self.entry is None else self.entry[rows]
        return RiskSets(self.time[rows], self.event[rows], entry, self.strata[rows], ties=self.ties, dense=dense)

    @cached_property
    def descent(self) -> Descent:
        """Order in which to go down the risk sets, where nobody enters late."""
        return Descent(self)

    @property
    def n(self) -> int:
        """Number of observations."""
        return len(self.time)

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.rows)

    def _dense(self, stratum: IntArray) -> FloatArray:
        risk = (self.time >= self.times[:, None]) & (self.strata == stratum[:, None])
        if self.entry is not None:
            risk &= self.entry < self.times[:, None]
        matrix: FloatArray = risk.astype(np.float64)
        if self.fraction.any():
            tied = risk & self.event & (self.time == self.times[:, None])
            matrix -= self.fraction[:, None] * tied
        return matrix

    def _index(self, stratum: IntArray) -> None:
        """Positions in cumulative sums: time descending for `sum`, event time ascending for `adjoint`."""
        self._down = np.lexsort((-self.time, self.strata))
        self._entry_down = None if self.entry is None else np.lexsort((-self.entry, self.strata))
        e = len(self.rows)
        self._end, self._begin = np.zeros(e, dtype=np.int64), np.zeros(e, dtype=np.int64)
        self._entry_end = np.zeros(e, dtype=np.int64)
        self._low, self._high = np.zeros(self.n, dtype=np.int64), np.zeros(self.n, dtype=np.int64)
        for s in np.unique(self.strata):
            member, events = self.strata == s, stratum == s
            first = int((self.strata < s).sum())
            ascending = np.sort(self.time[member])
            at = self.times[events]
            self._begin[events] = first
            self._end[events] = first + len(ascending) - np.searchsorted(ascending, at, side="left")
            offset = int((stratum < s).sum())
            self._low[member] = offset
            self._high[member] = offset + np.searchsorted(at, self.time[member], side="right")
            if self.entry is not None:
                entries = np.sort(self.entry[member])
                self._entry_end[events] = first + len(entries) - np.searchsorted(entries, at, side="left")
                # (-inf, entry] holds the events before this observation came under risk.
                before = np.searchsorted(at, self.entry[member], side="right")
                self._low[member] = offset + np.minimum(before, self._high[member] - offset)

    def sum(self, values: FloatArray) -> FloatArray:
        """Sum over risk sets.

        Parameters
        ----------
        values
            ``(n, ...)``.

        Returns
        -------
        numpy.ndarray
            ``(E, ...)``.
        """
        if self.matrix is not None:
            flat = values.reshape(self.n, -1)
            product: FloatArray = self.matrix @ flat
            return product.reshape(self.n_events, *values.shape[1:])
        total = _cumulative(values[self._down])
        out = total[self._end] - total[self._begin]
        if self._entry_down is not None:
            late = _cumulative(values[self._entry_down])
            out -= late[self._entry_end] - late[self._begin]
        if self.fraction.any():
            tied = np.add.reduceat(values[self.rows], self.starts, axis=0)[self.group]
            out -= _column(self.fraction, values.ndim) * tied
        return out

    def adjoint(self, values: FloatArray) -> FloatArray:
        """Transpose of `sum`: ``(E, ...)`` to ``(n, ...)``."""
        if self.matrix is not None:
            flat = values.reshape(self.n_events, -1)
            product: FloatArray = self.matrix.T @ flat
            return product.reshape(self.n, *values.shape[1:])
        total = _cumulative(values)
        out = total[self._high] - total[self._low]
        if self.fraction.any():
            share = _column(self.fraction, values.ndim) * values
            out[self.rows] -= np.add.reduceat(share, self.starts, axis=0)[self.group]
        return out


class Descent:
    """Observations and events by stratum and descending time: risk sets grow as one goes on; without entry times."""

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


def _cumulative(values: FloatArray) -> FloatArray:
    out = np.zeros((len(values) + 1, *values.shape[1:]))
    np.cumsum(values, axis=0, out=out[1:])
    return out


def _column(values: FloatArray, ndim: int) -> FloatArray:
    return values.reshape(-1, *([1] * (ndim - 1)))

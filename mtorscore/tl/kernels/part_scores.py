"""Scores from sums over the parts of sets, in one pass without temporary arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.tl.kernels.jit import jit, jit_within

__all__ = ["area_scores", "mean_rank_scores", "running_sum_scores", "top_rank_scores"]

_Array = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@jit_within
def _join(part: _Array, up_of: _Ints, down_of: _Ints, sign: float, out: _Array) -> None:
    """Add down parts to up parts, or take them off; a set with one direction present has that one only."""
    for s in range(up_of.size):
        u, d = up_of[s], down_of[s]
        up = part[u] if u >= 0 else 0.0
        down = part[d] if d >= 0 else 0.0
        out[s] = up + sign * down if u >= 0 or d >= 0 else np.nan


# Arrays are made outside compiled code: numba compiles each kind of np.empty anew, a tenth of a second each.


def top_rank_scores(
    sums: npt.NDArray[Any],
    unit: float,
    counts: _Ints,
    absent: _Array,
    up_of: _Ints,
    down_of: _Ints,
    limit: float,
    w_neg: float,
    out: _Array,
) -> None:
    """Write UCell scores.

    Parameters
    ----------
    sums, unit, counts
        Ranks cut at `limit`, what the sums of them are multiples of, and genes, per part; `counts` may have one row for
        all.
    absent
        ``(n_parts,)`` genes that the matrix lacks and that count as ranked at `limit`.
    up_of, down_of
        ``(n_sets,)`` the parts of each set, -1 where it has none.
    limit, w_neg
        Largest rank, and the weight of the down part.
    out
        ``(n_obs, n_sets)``, which is filled.
    """
    rooms = np.empty((3, sums.shape[1]))
    _top_rank_scores(sums, unit, counts, absent, absent * limit, up_of, down_of, limit, w_neg, rooms, out)


@jit
def _top_rank_scores(
    sums: npt.NDArray[Any],
    unit: float,
    counts: _Ints,
    absent: _Array,
    extra: _Array,
    up_of: _Ints,
    down_of: _Ints,
    limit: float,
    w_neg: float,
    rooms: _Array,
    out: _Array,
) -> None:
    n_obs, n_parts = sums.shape
    plain = up_of.size == n_parts
    for s in range(up_of.size):
        plain = plain and up_of[s] == s and down_of[s] < 0
    joined, low, room = rooms[0], rooms[1], rooms[2]
    for i in range(n_obs):
        if i < counts.shape[0]:
            for p in range(n_parts):
                n = counts[i, p] + absent[p]
                low[p] = n * (n + 1.0) / 2.0
                room[p] = n * limit - low[p]
        # Where each set is one up part, as is the rule with thousands of sets, nothing has to be joined.
        part, row = out[i] if plain else joined, sums[i]
        for p in range(n_parts):
            # A set too long for the ranking has no room to vary.
            part[p] = 1.0 - (unit * row[p] + extra[p] - low[p]) / room[p] if room[p] > 0.0 else np.nan
        for s in range(0 if plain else up_of.size):
            u, d = up_of[s], down_of[s]
            if d < 0:
                out[i, s] = part[u] if u >= 0 else np.nan
            elif u < 0:
                out[i, s] = -w_neg * part[d]
            else:
                total = part[u] - w_neg * part[d]
                out[i, s] = 0.0 if total < 0.0 else total


def area_scores(sums: _Array, counts: _Ints, up_of: _Ints, down_of: _Ints, limit: float) -> _Array:
    """Return AUCell scores: the share of the area that the genes would have if they stood first, up minus down."""
    out = np.empty((sums.shape[0], up_of.size))
    _area_scores(sums, counts, up_of, down_of, limit, np.empty((2, sums.shape[1])), out)
    return out


@jit
def _area_scores(
    sums: _Array, counts: _Ints, up_of: _Ints, down_of: _Ints, limit: float, rooms: _Array, out: _Array
) -> None:
    n_obs, n_parts = sums.shape
    part, largest = rooms[0], rooms[1]
    for i in range(n_obs):
        if i < counts.shape[0]:
            for p in range(n_parts):
                steps = min(np.float64(counts[i, p]), limit - 1.0)
                largest[p] = steps * limit - steps * (steps + 1.0) / 2.0
        for p in range(n_parts):
            part[p] = sums[i, p] / largest[p] if largest[p] > 0.0 else np.nan
        _join(part, up_of, down_of, -1.0, out[i])


def mean_rank_scores(
    sums: npt.NDArray[Any],
    unit: float,
    counts: _Ints,
    n_valid: _Ints,
    up_of: _Ints,
    down_of: _Ints,
    unknown: bool,
    centre: float,
) -> _Array:
    """Return singscores.

    Parameters
    ----------
    sums, unit, counts
        Ranks from below, or their distances from the middle, and genes, per part; see `top_rank_scores`.
    n_valid
        ``(n_obs,)`` ranks in the row.
    up_of, down_of
        The parts of each set.
    unknown
        Whether the sums are of distances.
    centre
        What is taken off each part.
    """
    out = np.empty((sums.shape[0], up_of.size))
    is_down = np.zeros(sums.shape[1], np.bool_)
    is_down[down_of[down_of >= 0]] = True
    part = np.empty(sums.shape[1])
    _mean_rank_scores(sums, unit, counts, n_valid, up_of, down_of, unknown, centre, is_down, part, out)
    return out


@jit
def _mean_rank_scores(
    sums: npt.NDArray[Any],
    unit: float,
    counts: _Ints,
    n_valid: _Ints,
    up_of: _Ints,
    down_of: _Ints,
    unknown: bool,
    centre: float,
    is_down: npt.NDArray[np.bool_],
    part: _Array,
    out: _Array,
) -> None:
    n_obs, n_parts = sums.shape
    for i in range(n_obs):
        n = np.float64(n_valid[i])
        c = counts[i if counts.shape[0] > 1 else 0]
        for p in range(n_parts):
            k = np.float64(c[p])
            low, high = (k + 1.0) / 2.0, (2.0 * n - k + 1.0) / 2.0
            total = unit * sums[i, p]
            if is_down[p]:
                total = k * (n + 1.0) - total
            elif unknown:
                # Each distance from the middle occurs twice, so that there are half as many of them, rounded up.
                half = np.floor(k / 2.0)
                low, high = (half + 1.0) / 2.0, (2.0 * np.ceil(n / 2.0) - half + 1.0) / 2.0
            # A set that fills the matrix has one possible mean rank, so it says nothing.
            part[p] = (total / k - low) / (high - low) - centre if high > low and k > 0 else np.nan
        _join(part, up_of, down_of, 1.0, out[i])


def running_sum_scores(
    weights: _Array, moved: _Array, places: _Array, counts: _Ints, n: _Ints, up_of: _Ints, down_of: _Ints
) -> _Array:
    """Return ssGSEA scores from the three `running_sums`, ``(n_obs,)`` steps of each running sum, up minus down."""
    out = np.empty((weights.shape[0], up_of.size))
    _running_sum_scores(weights, moved, places, counts, n, up_of, down_of, np.empty(weights.shape[1]), out)
    return out


@jit
def _running_sum_scores(
    weights: _Array,
    moved: _Array,
    places: _Array,
    counts: _Ints,
    n: _Ints,
    up_of: _Ints,
    down_of: _Ints,
    part: _Array,
    out: _Array,
) -> None:
    n_obs, n_parts = weights.shape
    for i in range(n_obs):
        steps = np.float64(n[i])
        everything = steps * (steps + 1.0) / 2.0
        c = counts[i if counts.shape[0] > 1 else 0]
        for p in range(n_parts):
            k = np.float64(c[p])
            # Without a gene inside, or without one outside, there is nothing to compare.
            if k == 0.0 or k >= steps:
                part[p] = np.nan
            else:
                part[p] = moved[i, p] / weights[i, p] - (everything - places[i, p]) / (steps - k)
        _join(part, up_of, down_of, -1.0, out[i])

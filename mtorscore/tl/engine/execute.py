"""Score all rows by all methods in one pass over the matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.errors import MethodError
from mtorscore.tl.engine.plan import Plan
from mtorscore.tl.engine.source import Source, Tiling
from mtorscore.tl.engine.spec import Scored
from mtorscore.tl.engine.tiles import Tile

__all__ = ["execute", "score_tile"]


def execute(source: Source, plans: Sequence[Plan], *, threads: int | None = None) -> list[Scored]:
    """Score all rows by all methods; the rows are read, and ranked, once.

    Parameters
    ----------
    source
        The matrix.
    plans
        One per method.
    threads
        Tiles worked on at the same time; no result depends on it.

    Returns
    -------
    list of Scored
        One per plan, over all rows.
    """
    for plan in plans:
        if plan.spec.fit is not None and plan.spec.learns(plan.params) and not plan.state:
            raise MethodError(
                f"{plan.spec.name} depends on the cohort and has no reference here. Fit a SignatureScorer on the "
                "training cohort, or hand over reference=."
            )
    _share_genes(plans)
    width = sum(2 * len(plan.sets) for plan in plans)
    tables = any(plan.spec.holds_cohort for plan in plans)
    # Results of remote workers have to be copied anyway.
    rooms = None if source.remote else [np.empty((source.n_obs, len(plan.sets))) for plan in plans]
    score = partial(score_tile, plans=plans, rooms=rooms, first=source.offset)
    return _gather(source.each(score, threads, Tiling(width, tables)), source.n_obs, rooms)


def score_tile(
    tile: Tile, plans: Sequence[Plan], rooms: Sequence[npt.NDArray[np.float64]] | None = None, first: int = 0
) -> list[Scored]:
    """Score one tile by all methods, if possible directly into the preallocated `rooms` for rows from `first` on."""
    out = []
    for k, plan in enumerate(plans):
        at = tile.start - first
        tile.target = None if rooms is None else rooms[k][at : at + tile.n_obs]
        if plan.sets.slots.size == 0:
            out.append(_nothing(tile.n_obs, plan))
            continue
        scored = plan.spec.score(tile, plan.sets, plan.params, plan.state, plan.pvalues and plan.spec.null_closed)
        scored.scores[:, plan.sets.sizes == 0] = np.nan
        if scored.pvalues is not None:
            scored.pvalues[np.isnan(scored.scores)] = np.nan
        out.append(scored)
    return out


def _gather(parts: Iterable[list[Scored]], n_obs: int, rooms: Sequence[npt.NDArray[np.float64]] | None) -> list[Scored]:
    """Put the results of tiles together in preallocated arrays; scores may be there already."""
    out: list[Scored] = []
    at = 0
    for part in parts:
        if not out:
            out = [_room_for(s, n_obs, room) for s, room in zip(part, rooms or repeat(None), strict=False)]
        here = slice(at, at + part[0].scores.shape[0])
        for whole, piece in zip(out, part, strict=True):
            if not np.may_share_memory(whole.scores, piece.scores):
                whole.scores[here] = piece.scores
            if whole.pvalues is not None:
                whole.pvalues[here] = piece.pvalues
            for key, values in piece.extras.items():
                whole.extras[key][here] = values
        at = here.stop
    return out


def _room_for(like: Scored, n_obs: int, scores: npt.NDArray[np.float64] | None) -> Scored:
    def room(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.empty((n_obs, *values.shape[1:]), dtype=values.dtype)

    extras = {key: room(values) for key, values in like.extras.items()}
    found = room(like.scores) if scores is None else scores
    return Scored(found, None if like.pvalues is None else room(like.pvalues), extras)


def _nothing(n_obs: int, plan: Plan) -> Scored:
    empty = np.full((n_obs, len(plan.sets)), np.nan)
    return Scored(empty, empty.copy() if plan.pvalues and plan.spec.null_closed else None)


def _share_genes(plans: Sequence[Plan]) -> None:
    """Let plans over the same genes share one array, so that ranks are cached for all of them."""
    from dataclasses import replace

    for plan in plans[1:]:
        shared = plans[0].sets.genes
        if plan.sets.genes is not shared and np.array_equal(plan.sets.genes, shared):
            plan.sets = replace(plan.sets, genes=shared)

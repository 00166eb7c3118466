"""The scoring engine: reads what a method's spec says, walks the matrix once, and fills the score tables.

It knows no method by name. A method that depends on the cohort is first shown the cohort (`learn`), then scores every
tile against what it learned, so that no score depends on how the rows are cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.collection import Resolved, SignatureCollection
from mtorscore.errors import CoverageWarning, DataError, IgnoredWarning, MethodError, examples, warn
from mtorscore.tl.engine.source import Source
from mtorscore.tl.engine.spec import MethodSpec, Scored, Sets, State
from mtorscore.tl.engine.tiles import Tile

__all__ = [
    "Plan",
    "columns_of_genes",
    "execute",
    "learn",
    "make_plan",
    "to_sets",
    "warn_coverage",
    "warn_other_names",
]

HELD_BYTES = 1 << 30
NO_GENE = "none of its genes is in the matrix"


@dataclass
class Plan:
    """One method with all that it needs to score: parameters, sets over this matrix, and what it learned."""

    spec: MethodSpec
    params: dict[str, Any]
    sets: Sets
    reasons: list[str]
    coverage: dict[str, list[Any]]
    state: State = field(default_factory=dict)
    pvalues: bool = False


def make_plan(
    spec: MethodSpec,
    params: Mapping[str, Any],
    collection: SignatureCollection,
    universe: Sequence[str],
    *,
    min_coverage: float = 0.0,
    pvalues: bool = False,
    resolved: Resolved | None = None,
) -> Plan:
    """Lay signatures over a gene universe for one method.

    Parameters
    ----------
    spec, params
        The method and its checked parameters.
    collection
        The signatures; entries of other kinds are left out.
    universe
        Gene names of the matrix, in column order.
    min_coverage
        Signatures with a smaller share of genes present get NaN.
    pvalues
        Whether p-values are wanted.
    resolved
        The collection over the universe, if it has been resolved already.

    Returns
    -------
    Plan
        Ready for `learn` and `execute`.
    """
    laid = collection.resolve(universe) if resolved is None else resolved
    coverage = laid.coverage()
    share = np.array(coverage["coverage"], dtype=np.float64)
    sets = to_sets(laid)
    reasons = [NO_GENE if n == 0 else "" for n in sets.sizes]
    low = [i for i, s in enumerate(share) if s < min_coverage and not reasons[i]]
    for i in low:
        reasons[i] = f"coverage {share[i]:.2f} is below min_coverage {min_coverage:g}"
    if low:
        sets = _empty(sets, low)
    return Plan(
        spec, columns_of_genes(spec, dict(params), universe), _use(spec, sets), reasons, coverage, pvalues=pvalues
    )


def to_sets(resolved: Resolved) -> Sets:
    """Turn a resolved collection into sets over the union of their genes."""
    present = np.zeros(resolved.n_vars, dtype=np.bool_)
    present[resolved.indices] = True
    genes = np.flatnonzero(present)
    slots = (np.cumsum(present) - 1)[resolved.indices]
    matched_up = np.bincount(_owner(resolved)[resolved.weights > 0], minlength=len(resolved))
    matched_down = np.bincount(_owner(resolved)[resolved.weights < 0], minlength=len(resolved))
    return Sets(
        names=resolved.names,
        indptr=resolved.indptr,
        slots=slots.astype(np.int64),
        weights=resolved.weights,
        genes=genes.astype(np.int64),
        missing_up=resolved.n_up - matched_up,
        missing_down=resolved.n_down - matched_down,
        n_vars=resolved.n_vars,
    )


def learn(plan: Plan, source: Source) -> Plan:
    """Show the cohort to a method that depends on it; others are left as they are."""
    if plan.spec.fit is not None and plan.spec.learns(plan.params):
        if source.n_obs < 2:
            raise MethodError(
                f"{plan.spec.name} learns from a cohort and cannot learn from {source.n_obs} sample. "
                "Hand over a saved reference, or use a single-sample method such as singscore."
            )
        if plan.spec.holds_cohort and source.remote and source.n_obs * source.n_vars * 8 > HELD_BYTES:
            raise MethodError(
                f"{plan.spec.name} needs the whole cohort in memory to learn from it, and this Dask array would take "
                f"{source.n_obs * source.n_vars * 8 / 2**30:.1f} GB. Fit a SignatureScorer on a cohort that fits "
                "(pseudobulk, or a sample of the observations) and hand it over as reference=, or use a single-sample "
                "method such as singscore or ucell."
            )
        plan.state = plan.spec.fit(source, plan.sets, plan.params)
    return plan


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
    # What is worked out elsewhere has to be sent anyway.
    rooms = None if source.remote else [np.empty((source.n_obs, len(plan.sets))) for plan in plans]
    score = partial(score_tile, plans=plans, rooms=rooms, first=source.offset)
    return _gather(source.each(score, threads, width=width, tables=tables), source.n_obs, rooms)


def score_tile(
    tile: Tile, plans: Sequence[Plan], rooms: Sequence[npt.NDArray[np.float64]] | None = None, first: int = 0
) -> list[Scored]:
    """Score one tile by all methods, if possible at once into the `rooms` for all rows from `first` on."""
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


def warn_coverage(plan: Plan, collection: SignatureCollection, universe: Sequence[str]) -> None:
    """Warn once about signatures with less than half of their genes present."""
    wanted = [g for e in collection.signatures for g in e.genes] if not plan.sets.genes.size else []
    if wanted and not any(plan.coverage["coverage"]):
        warn(
            f"None of the genes of {len(plan.reasons)} signature(s) is in this matrix, so that every score is NaN. "
            f"They are called {examples(wanted)}; the matrix has {examples(universe)}. If these are the same genes "
            "under other identifiers, run pp.harmonise_genes(adata) first.",
            CoverageWarning,
        )
        return
    low = [
        f"{name} ({round(100 * share)}%)"
        for name, share in zip(plan.coverage["signature"], plan.coverage["coverage"], strict=True)
        if share < 0.5
    ]
    if low:
        warn(
            f"{len(low)} of {len(plan.reasons)} signature(s) have less than half of their genes in the matrix "
            f"({examples(low)}). The coverage table says which are missing; if the identifiers differ, run "
            "pp.harmonise_genes(adata) first.",
            CoverageWarning,
        )


def warn_other_names(plan: Plan, collection: SignatureCollection, universe: Sequence[str]) -> None:
    """Warn once about genes that the matrix holds under an earlier or later name: they count as missing."""
    from mtorscore.genes.symbols import other_names

    complete = {
        n for n, missing in zip(plan.coverage["signature"], plan.coverage["missing"], strict=True) if not missing
    }
    entries = [e for e in collection if e.id not in complete]
    absent = set().union(*(e.genes for e in entries)).difference(universe) if entries else set()
    found = other_names((g for e in entries for g in e.genes if g in absent), universe) if absent else {}
    if found:
        warn(
            f"{len(found)} gene(s) of the signatures count as missing, although the matrix holds them under another "
            f"name ({examples(f'{gene} as {name}' for gene, name in found.items())}). Bring both to current symbols: "
            "pp.harmonise_genes(adata) and signatures.rename_genes().",
            CoverageWarning,
        )


def warn_ignored(spec: MethodSpec, collection: SignatureCollection) -> None:
    """Warn once about signs or weights that a method cannot use."""
    signed = [s.id for s in collection.signatures if s.is_signed and not spec.signed]
    weighted = [s.id for s in collection.signatures if s.is_weighted and not spec.weighted]
    for what, names in (("down genes as such", signed), ("weights", weighted)):
        if names:
            warn(
                f"{spec.name} does not use {what}; they are ignored in {len(names)} signature(s) ({examples(names)}).",
                IgnoredWarning,
            )


def _gather(parts: Iterable[list[Scored]], n_obs: int, rooms: Sequence[npt.NDArray[np.float64]] | None) -> list[Scored]:
    """Put tiles together as they come, into arrays that are made once; scores may stand there already."""
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


def _owner(resolved: Resolved) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(len(resolved)), np.diff(resolved.indptr))


def _empty(sets: Sets, which: list[int]) -> Sets:
    """Return the sets with some of them emptied."""
    from dataclasses import replace

    keep = ~np.isin(sets.owner, which)
    counts = np.bincount(sets.owner[keep], minlength=len(sets))
    return replace(
        sets,
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        slots=sets.slots[keep],
        weights=sets.weights[keep],
    )


def _use(spec: MethodSpec, sets: Sets) -> Sets:
    """Take away what the method cannot use: signs, weights."""
    from dataclasses import replace

    weights = sets.weights if spec.signed else np.abs(sets.weights)
    return replace(sets, weights=weights if spec.weighted else np.sign(weights))


def _share_genes(plans: Sequence[Plan]) -> None:
    """Let plans over the same genes share one array, so that ranks are cached for all of them."""
    from dataclasses import replace

    for plan in plans[1:]:
        shared = plans[0].sets.genes
        if plan.sets.genes is not shared and np.array_equal(plan.sets.genes, shared):
            plan.sets = replace(plan.sets, genes=shared)


def columns_of_genes(spec: MethodSpec, params: dict[str, Any], universe: Sequence[str]) -> dict[str, Any]:
    """Turn parameters that name genes into columns."""
    for param in spec.params:
        if param.kind == "genes" and params[param.name] is not None:
            place = {str(g): i for i, g in enumerate(universe)}
            absent = [g for g in params[param.name] if g not in place]
            if absent:
                raise DataError(
                    f"{len(absent)} of {len(params[param.name])} gene(s) of {param.name} are not in the matrix "
                    f"({examples(absent)})."
                )
            params[param.name] = [place[g] for g in params[param.name]]
    return params

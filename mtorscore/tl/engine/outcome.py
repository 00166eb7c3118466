"""What `tl.score` and `SignatureScorer` have in common: fit a reference, score against it, add composites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtorscore._multiple_testing import adjust_p
from mtorscore._version import __version__
from mtorscore.collection import Composite, Signature, SignatureCollection
from mtorscore.errors import SignatureError
from mtorscore.tl.engine.gene_sets import Array
from mtorscore.tl.engine.plan import Plan
from mtorscore.tl.engine.reference import Reference
from mtorscore.tl.engine.spec import Scored

__all__ = ["Outcome", "finish", "freeze", "reasons", "score_columns", "tables_of"]


@dataclass
class Outcome:
    """Scores of one method: column names, values, what came with them, and the coverage table's columns."""

    names: list[str]
    scores: Array
    pvalues: Array | None
    extras: dict[str, Array]
    coverage: dict[str, list[Any]]


def tables_of(key: str, outcome: Outcome) -> dict[str, Array]:
    """Return the tables that a method's scores are written as, by their key in ``.obsm``."""
    tail = key.removeprefix("score_")
    tables = {key: outcome.scores} | {f"{what}_{tail}": values for what, values in outcome.extras.items()}
    if outcome.pvalues is not None:
        tables |= {f"pval_{tail}": outcome.pvalues, f"padj_{tail}": adjust_p(outcome.pvalues)}
    return tables


def score_columns(collection: SignatureCollection) -> list[str]:
    """Return the entries that get a column in a score table, in the collection's order."""
    return [e.id for e in collection if isinstance(e, Signature | Composite)]


def freeze(
    plan: Plan,
    collection: SignatureCollection,
    universe: Sequence[str],
    n_obs: int,
    scores: Array | None = None,
) -> Reference:
    """Make a reference of what a plan learned and, if scores are given, of their mean and SD."""
    named = {s.id: s.signed_weights() for s in collection.signatures}
    known = scores is not None
    mean, sd = _moments(scores) if scores is not None else (np.zeros(0), np.zeros(0))
    return Reference(
        method=plan.spec.name,
        params=plan.params,
        genes=tuple(str(g) for g in universe),
        signatures=named,
        signature_hash=collection.hash,
        state=plan.state,
        score_names=plan.sets.names if known else (),
        score_mean=mean,
        score_sd=sd,
        n_obs=n_obs,
        version=__version__,
    )


def finish(plan: Plan, scored: Scored, collection: SignatureCollection, reference: Reference | None) -> Outcome:
    """Put signatures and composites in the collection's order and complete the coverage table."""
    coverage = {k: list(v) for k, v in plan.coverage.items()}
    coverage["reason"] = reasons(plan, scored.scores)
    names = score_columns(collection)
    if names == list(plan.sets.names):
        return Outcome(names, scored.scores, scored.pvalues, scored.extras, coverage)
    place = {name: i for i, name in enumerate(plan.sets.names)}
    pick = [place.get(n, -1) for n in names]
    scores = _picked(scored.scores, pick)
    column = {name: scores[:, i] for i, name in enumerate(names)}
    for name in names:
        entry = collection[name]
        if isinstance(entry, Composite):
            column[name][:], why = _composite(entry, column, collection, reference, scores.shape[0])
            _add_row(coverage, name, why)
    return Outcome(
        names,
        scores,
        None if scored.pvalues is None else _picked(scored.pvalues, pick),
        {key: _picked(values, pick) for key, values in scored.extras.items()},
        coverage,
    )


def reasons(plan: Plan, scores: Array) -> list[str]:
    """Return why signatures have no score; "" for those that have one in any observation."""
    found = list(plan.reasons)
    # Thousands of columns of a long table are slow to scan, so only those that begin with NaN are.
    for i in np.flatnonzero(np.isnan(scores[:1]).all(axis=0)):
        if not found[i] and np.isnan(scores[:, i]).all():
            found[i] = _reason(plan, int(i))
    return found


def _reason(plan: Plan, i: int) -> str:
    if plan.spec.competitive and plan.sets.sizes[i] >= plan.sets.n_vars:
        return "it holds every gene of the matrix, so there is nothing to compare with"
    why = "constant, missing, without others to compare with, or too few or too many for its parameters"
    return f"{plan.spec.name} is not defined for its genes here ({why})"


def _composite(
    entry: Composite,
    column: Mapping[str, Array],
    collection: SignatureCollection,
    reference: Reference | None,
    n_obs: int,
) -> tuple[Array, str]:
    """Return the signed weighted sum of frozen z-scores of the parts, or NaN and the reason."""
    unknown = [p for p in entry.parts if p not in column]
    if unknown:
        where = "in the collection" if unknown[0] not in collection else "a signature"
        raise SignatureError(f"{entry.id}: its part {unknown[0]} is not {where}; add it, or leave {entry.id} out.")
    if reference is None or not reference.score_names:
        why = "a composite is standardised by a frozen reference and none was given"
        return np.full(n_obs, np.nan), why
    total = np.zeros(n_obs)
    for part, weight in entry.parts.items():
        j = reference.score_names.index(part)
        if not reference.score_sd[j] > 0:
            return np.full(n_obs, np.nan), f"its part {part} does not vary in the reference"
        total += weight * (column[part] - reference.score_mean[j]) / reference.score_sd[j]
    return total, ""


def _moments(scores: Array) -> tuple[Array, Array]:
    n = np.sum(~np.isnan(scores), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(scores, axis=0) / n
        sd = np.sqrt(np.nansum((scores - mean) ** 2, axis=0) / (n - 1))
    return mean, sd


def _add_row(coverage: dict[str, list[Any]], name: str, why: str) -> None:
    blank = {"signature": name, "coverage": float("nan"), "one_direction": False, "missing": "", "reason": why}
    for key, values in coverage.items():
        values.append(blank.get(key, 0))


def _picked(values: Array, pick: list[int]) -> Array:
    out = np.full((values.shape[0], len(pick)), np.nan)
    chosen = np.array(pick)
    out[:, chosen >= 0] = values[:, chosen[chosen >= 0]]
    return out

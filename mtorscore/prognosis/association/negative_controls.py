"""Negative controls of an association: random signatures, proliferation, tumour composition."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from mtorscore._workers import workers
from mtorscore.collection import CONFOUNDER, Entry, Signature, SignatureCollection, library
from mtorscore.errors import DataError, examples
from mtorscore.prognosis.association.quality import lacking_genes
from mtorscore.prognosis.association.random_null import compare_with_null, nulls_of
from mtorscore.prognosis.endpoints.covariates import encode, pool_rare_levels
from mtorscore.prognosis.endpoints.inputs import Expression, Inputs
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray
from mtorscore.prognosis.statistics.score_test import ScoreTest
from mtorscore.tl.engine import registry

Request = tuple[dict[str, Any], pd.Index, ScoreTest, float, bool]

PROLIFERATION = "proliferation"
ALL = ("random", PROLIFERATION, "purity")
ROLES: dict[str, tuple[str, ...]] = {
    PROLIFERATION: ("META_PCNA", "PCNA", "PROLIFERATION"),
    "stroma": ("ESTIMATE_STROMAL", "STROMA"),
    "immune": ("ESTIMATE_IMMUNE", "IMMUNE"),
    "hepatocyte": ("HEPATOCYTE_IDENTITY", "HEPATOCYTE"),
}
"""How the confounder signatures of a collection are recognised: by a part of their id, the first that fits."""
PURITY = ("stroma", "immune", "hepatocyte")
MOST_REFITTED = 200
"""Random signatures at most of a method that scores each set from the whole cohort (`MethodSpec.holds_cohort`)."""
N_BINS = 10
N_QUANTILES = 41


@dataclass
class Confounder:
    """Confounder that an adjusted model holds beside a score.

    Attributes
    ----------
    label
        What the table calls it.
    table
        Observations x columns, the same for every signature unless `variants` says otherwise; None: not available.
    variants
        Per signature another table: the confounder without the genes that it shares with the signature.
    notes
        Notes per signature.
    lacking
        Whether it is hardly in the matrix, so that nothing is shown beside it.
    """

    label: str
    table: pd.DataFrame | None
    variants: dict[str, pd.DataFrame | None] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    note: str = ""
    lacking: bool = False

    def per_signature(self, names: Sequence[str]) -> Iterator[tuple[pd.DataFrame | None, list[int]]]:
        """Yield a table with the positions of the signatures that it goes with."""
        groups: dict[int, tuple[pd.DataFrame | None, list[int]]] = {}
        for j, name in enumerate(names):
            table = self.variants.get(name, self.table)
            groups.setdefault(id(table), (table, []))[1].append(j)
        yield from groups.values()

    def notes_of(self, name: str) -> list[str]:
        """Return the notes on one signature."""
        return ([self.note] if self.note else []) + self.notes.get(name, [])


def find_confounder(inputs: Inputs, name: str) -> Confounder | None:
    """Resolve a name to a confounder: a role such as "proliferation", a signature, or another score.

    The confounder is scored anew without the genes that it shares with each signature, where expression, method and
    definitions allow it; otherwise its column among the scores is used as it is, and the row says so.
    """
    signature = _definition(inputs.signatures, name)
    column = _column(inputs.scores, name, signature)
    if signature is None and column is None:
        return None
    if signature is not None and inputs.expression is not None and inputs.method is not None:
        return _rescored(inputs, name, signature)
    if column is None:
        missing = "expression" if inputs.expression is None else "method"
        return Confounder(name, None, note=f"{name}: no {missing} to score it from")
    found = Confounder(name, inputs.scores[[column]], note="genes shared with the confounder are not removed")
    _not_itself(found, inputs.scores, str(column))
    return found


def confounder_of(inputs: Inputs, item: Any) -> Confounder:
    """Resolve one entry of `adjust`."""
    if isinstance(item, pd.Series):
        pooled, note = pool_rare_levels(item.to_frame(name=item.name or "series"))
        return Confounder(str(item.name or "series"), encode(pooled), note=note)
    names: list[Hashable] = list(item) if isinstance(item, tuple | list) else [item]
    parts, notes = [], []
    for name in names:
        if name in inputs.clinical.columns:
            # Levels that no scored observation has must not move the codes of the others.
            scored = inputs.clinical.index.isin(inputs.scores.index)
            table, note = pool_rare_levels(inputs.clinical.loc[scored, [name]])
            parts.append(encode(table))
            notes += [note] if note else []
        elif name in inputs.scores.columns and len(names) > 1:
            parts.append(inputs.scores[[name]])
        else:
            found = find_confounder(inputs, str(name))
            if found is None:
                known = [*inputs.clinical.columns, *inputs.scores.columns]
                raise DataError(
                    f"Nothing to adjust for is called {name!r}: no clinical column, no score, no confounder signature. "
                    f"There are {examples(known, 6)}."
                )
            if len(names) == 1:
                return found
            parts.append(found.table)
    return Confounder(" + ".join(str(n) for n in names), pd.concat(parts, axis=1), note="; ".join(notes))


def _definition(collection: SignatureCollection | None, name: str) -> Signature | None:
    """Find a confounder in the collection; a role such as "proliferation" also in the shipped library."""
    if collection is None:
        return None
    if name in collection:
        entry = collection[name]
        return entry if isinstance(entry, Signature) else None
    if name not in ROLES:
        return None
    return _of_role(collection, name) or _of_role(library(), name)


def _of_role(collection: SignatureCollection, role: str) -> Signature | None:
    confounders = [s for s in collection.signatures if s.branch == CONFOUNDER]
    return next((s for p in ROLES[role] for s in confounders if p in s.id.upper()), None)


def _entry(collection: SignatureCollection, name: str) -> Entry | None:
    if name not in collection:
        return None
    return collection[name]


def _column(scores: pd.DataFrame, name: str, signature: Signature | None) -> Any:
    if name in scores.columns:
        return name
    if signature is not None and signature.id in scores.columns:
        return signature.id
    return next((c for p in ROLES.get(name, ()) for c in scores.columns if p in str(c).upper()), None)


def _not_itself(found: Confounder, scores: pd.DataFrame, column: str) -> None:
    for name in map(str, scores.columns):
        if name == column:
            found.variants[name] = None
            found.notes[name] = [f"this is the confounder ({found.label})"]


def _rescored(inputs: Inputs, label: str, signature: Signature) -> Confounder:
    """Score the confounder once as it is, and once per distinct set of genes shared with a signature."""
    collection, expression, method = inputs.signatures, inputs.matrix, inputs.method
    if collection is None or expression is None or method is None:
        raise DataError(f"{label}: expression, signatures and method are needed to score it.")
    if not len(expression.columns(signature)[0]):
        return Confounder(label, None, note=f"{label}: none of the genes of {signature.id} is in the matrix")
    shared: dict[str, frozenset[str]] = {}
    for name in map(str, inputs.scores.columns):
        entry = _entry(collection, name)
        genes = frozenset(entry.genes) if entry is not None else frozenset()
        shared[name] = genes & frozenset(signature.genes)
    variants: dict[frozenset[str], Signature] = {frozenset(): replace(signature, id="0")}
    for common in shared.values():
        if common and common not in variants:
            left = _without(signature, common, str(len(variants)))
            if left is not None:
                variants[common] = left
    scored = score_signatures(expression, list(variants.values()), method, inputs.params)
    base = scored[["0"]].set_axis([label], axis=1)
    why = lacking_genes(signature, expression)
    found = Confounder(label, base, note=f"{label}: {why}" if why else "", lacking=bool(why))
    values, columns = scored.to_numpy(), list(scored.columns)
    tables = {
        common: pd.DataFrame(values[:, [columns.index(v.id)]], index=scored.index, columns=[label])
        for common, v in variants.items() if common
    }  # fmt: skip
    for name, common in shared.items():
        if name == signature.id:
            found.variants[name] = None
            found.notes[name] = [f"this is the confounder ({label})"]
        elif common and common in tables:
            found.variants[name] = tables[common]
            found.notes[name] = [f"{len(common)} shared gene(s) removed from {label}"]
        elif common:
            found.variants[name] = None
            found.notes[name] = [f"{label} has no gene of its own beside this signature"]
    return found


def _without(signature: Signature, common: frozenset[str], name: str) -> Signature | None:
    up = tuple(g for g in signature.up if g not in common)
    down = tuple(g for g in signature.down if g not in common)
    if not up and not down:
        return None
    weights = {g: w for g, w in signature.weights.items() if g not in common}
    return replace(signature, id=name, up=up, down=down, weights=weights, evidence={}, gene_sources={})


def score_signatures(
    expression: Expression, signatures: Sequence[Signature], method: str, params: dict[str, Any]
) -> pd.DataFrame:
    """Score signatures on expression with a method of `tl`; observations x ids."""
    from mtorscore.tl.engine.random_signatures import score_columns

    columns = [expression.columns(s) for s in signatures]
    scores = score_columns(expression.held, columns, method=method, params=params)
    return pd.DataFrame(scores, index=expression.index, columns=[s.id for s in signatures])


class NegativeControls:
    """Negative controls of one call of `associate`."""

    def __init__(self, inputs: Inputs, wanted: Sequence[str], n_random: int, seed: int) -> None:
        unknown = [w for w in wanted if w not in ALL]
        if unknown:
            raise DataError(f"Unknown negative control {unknown[0]!r}; there are {', '.join(ALL)}.")
        self.inputs = inputs
        self.wanted = tuple(wanted)
        self.n_random = n_random
        self.seed = seed
        self.nulls: list[dict[str, Any]] = []
        self._requests: dict[str, list[Request]] = {}
        self._beside: list[Confounder] | None = None

    def confounders(self) -> list[Confounder]:
        """Return the confounders that are adjusted for by default, one at a time."""
        roles = ((PROLIFERATION,) if PROLIFERATION in self.wanted else ()) + (PURITY if "purity" in self.wanted else ())
        out = []
        for role in roles:
            found = find_confounder(self.inputs, role)
            if found is None:
                why = "no expression to score it from" if self.inputs.expression is None else "no such signature"
                found = Confounder(role, None, note=f"{role}: {why}")
            out.append(found)
        return out

    def beside(self, adjust: Sequence[Any]) -> list[Confounder]:
        """Return what scores are adjusted for, one at a time: the items of `adjust`, then the default confounders.

        They are scored once and serve all endpoints.
        """
        if self._beside is None:
            found = [confounder_of(self.inputs, item) for item in adjust]
            known = {c.label for c in found}
            self._beside = found + [c for c in self.confounders() if c.label not in known]
        return self._beside

    @property
    def why_not(self) -> str | None:
        """Reason for having no random signatures; empty where they were turned off, None where they are drawn."""
        if "random" not in self.wanted:
            return ""
        if self.inputs.expression is None:
            return "no expression: no random signatures"
        if self.inputs.method is None:
            return "no method: no random signatures"
        return None

    def request(
        self,
        row: dict[str, Any],
        name: str,
        index: pd.Index,
        test: ScoreTest,
        observed: float,
        *,
        residual: bool = False,
    ) -> None:
        """Ask for the null of one row, or of its residual score; `run` fills it in."""
        reason = self.why_not
        if reason and not residual:
            row["reason"].append(reason)
        if reason is None and np.isfinite(observed):
            self._requests.setdefault(name, []).append((row, index, test, float(abs(observed)), residual))

    def run(self) -> None:
        """Score random signatures once and compare every requested row with them."""
        if self._requests:
            self._fill()

    def _fill(self) -> None:
        inputs, expression = self.inputs, self.inputs.matrix
        if expression is None or inputs.signatures is None or inputs.method is None:
            raise DataError("Random signatures need expression, signatures and method.")
        templates, names, streams = [], [], []
        for name, requests in self._requests.items():
            entry = _entry(inputs.signatures, name)
            found = expression.columns(entry) if isinstance(entry, Signature) else None
            if found is not None and len(found[0]):
                templates.append(found)
                names.append(name)
                streams.append("" if entry is None else entry.hash)
            else:
                why = "no gene list of its own" if not isinstance(entry, Signature) else "no gene in the matrix"
                for row, *_ in requests:
                    row["reason"].append(f"{why}: no random signatures")
        if not templates:
            return
        n_sets = min(self.n_random, MOST_REFITTED) if registry.get(inputs.method).holds_cohort else self.n_random
        rows = inputs.scores.index
        drawn = _random_scores(expression, templates, streams, n_sets, inputs.method, self.seed, inputs.params)
        threads = workers()
        if threads == 1:
            for k, scores in drawn:
                requests = self._requests[names[k]]
                self._compare_all(requests, _tested(requests, scores, rows), n_sets)
            return
        waiting: deque[tuple[list[Request], Future[list[FloatArray]]]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            for k, scores in drawn:
                requests = self._requests[names[k]]
                waiting.append((requests, pool.submit(_tested, requests, scores, rows)))
                # Few tables of scores at a time; the next one is made while these are tested.
                if len(waiting) > threads:
                    requests, tested = waiting.popleft()
                    self._compare_all(requests, tested.result(), n_sets)
            for requests, tested in waiting:
                self._compare_all(requests, tested.result(), n_sets)

    def _compare_all(self, requests: list[Request], nulls: list[FloatArray], n_sets: int) -> None:
        for request, null in zip(requests, nulls, strict=True):
            self._compare(request, null, n_sets)

    def _compare(self, request: Request, null: FloatArray, n_sets: int) -> None:
        """Fill in one row."""
        row, _, _, observed, residual = request
        if residual:
            row["residual_null_p"] = compare_with_null(null, observed)[1]
            return
        row["null_percentile"], row["null_p"], row["n_null"] = compare_with_null(null, observed)
        self._record(row, null, observed)
        if n_sets < self.n_random:
            row["reason"].append(f"{n_sets} random signatures ({self.inputs.method} is refitted for each)")

    def _record(self, row: dict[str, Any], null: FloatArray, observed: float) -> None:
        """Keep quantiles of the null as text, since pandas copies the attributes of a table at every step."""
        if len(null):
            below, above, share = _between(len(null))
            quantiles = null[below] + share * (null[above] - null[below])
            named = {k: row[k] for k in ("signature", "endpoint", "model", "adjusted_for")}
            text = (" %.5g" * N_QUANTILES % tuple(quantiles))[1:]
            self.nulls.append(named | {"statistic": observed, "n_null": len(null), "quantiles": text})


def _tested(requests: list[Request], scores: FloatArray, have: pd.Index) -> list[FloatArray]:
    """Return the null of each request; models of the same patients, as most are, are tested together."""
    scores -= scores.mean(axis=0)
    same: dict[int, list[int]] = {}
    for k, (_, index, *_) in enumerate(requests):
        same.setdefault(id(index), []).append(k)
    found: dict[int, FloatArray] = {}
    for places in same.values():
        picked = _rows(scores, have, requests[places[0]][1])
        found |= dict(zip(places, nulls_of([requests[k][2] for k in places], picked), strict=True))
    return [found[k] for k in range(len(requests))]


@cache
def _between(n: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the places of quantiles among n sorted numbers: those below and above, and how far from the one below."""
    at = np.linspace(0, n - 1, N_QUANTILES)
    below = np.floor(at).astype(np.int64)
    return below, np.minimum(below + 1, n - 1), at - below


def _rows(scores: FloatArray, have: pd.Index, wanted: pd.Index) -> FloatArray:
    return scores if wanted.equals(have) else scores[have.get_indexer(wanted)]


def _random_scores(
    expression: Expression,
    templates: list[tuple[IntArray, FloatArray]],
    streams: list[str],
    n_sets: int,
    method: str,
    seed: int,
    params: dict[str, Any],
) -> Iterator[tuple[int, FloatArray]]:
    """Yield random scores, computed by the scoring method itself; each draw follows the signature's hash."""
    from mtorscore import tl

    yield from tl.random_scores(
        expression.held, templates, n_sets, method=method, bins=N_BINS, seed=seed, streams=streams, params=params
    )

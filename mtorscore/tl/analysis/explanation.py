"""Which genes make up the score of one observation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.collection import (
    Composite,
    Entry,
    Signature,
    SignatureCollection,
    SignaturesLike,
    as_collection,
)
from mtorscore.errors import DataError, MethodError, SignatureError, examples
from mtorscore.tl.engine.coverage_warnings import warn_scale
from mtorscore.tl.engine.execute import execute, score_tile
from mtorscore.tl.engine.gene_sets import Array, Ints
from mtorscore.tl.engine.open_source import open_source
from mtorscore.tl.engine.plan import Plan
from mtorscore.tl.engine.prepare import ScoreOptions, prepare, score_source
from mtorscore.tl.engine.registry import get
from mtorscore.tl.engine.source import Source
from mtorscore.tl.engine.spec import MethodSpec

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["EXPLANATION_COLUMNS", "explain"]

EXPLANATION_COLUMNS = (
    "gene",
    "direction",
    "weight",
    "present",
    "value",
    "contribution",
    "cohort_mean",
    "score_without",
    "score_without_top",
    "observation",
    "signature",
    "method",
    "score",
    "baseline",
    "adds_up_to",
    "total",
)
# Scores of signatures without one gene that are computed for the cohort's mean at most: rows times genes.
MOST_SCORES = 4_000_000
LEAVE_ONE_OUT = "nothing: score minus the score without the gene"


def explain(
    adata: AnnData,
    signature: str | Signature,
    observation: str | int,
    *,
    method: str = "singscore",
    signatures: SignaturesLike = None,
    layer: str | None = None,
    reference: Any = None,
    n_top: int = 10,
    **params: Any,
) -> pd.DataFrame:
    """Say what each gene contributes to the score of one observation.

    Where a score is a sum over genes (mean, wmean, zscore, plage, singscore, ucell, aucell, module_score, and the slope
    of ulm), the contributions and a baseline add up to it exactly. For the other methods a contribution is the score
    minus the score of the signature without that gene; these do not add up.

    Parameters
    ----------
    adata
        Observations x genes, on the scale that would be scored; methods that depend on the cohort learn from it.
    signature
        Id in `signatures`, or a `Signature`. A composite is explained by its parts and needs a `reference`.
    observation
        Name, or number of the row.
    method, layer, reference, **params
        As for `mtorscore.tl.score`.
    signatures
        Collection, mapping or path; the shipped library by default.
    n_top
        Genes at the head of the table for which `score_without_top` is computed; 0 leaves out all rescoring that
        the contributions do not need.

    Returns
    -------
    pandas.DataFrame
        One row per gene, those first whose contribution differs most from its mean over the cohort (or from 0, where
        there is one observation), genes that the matrix lacks last. ``gene``, ``direction`` (up or down), ``weight``,
        ``present``, ``value``, ``contribution``, ``cohort_mean`` (mean contribution over all observations),
        ``score_without`` (score of the signature without this gene), ``score_without_top`` (without this gene and all
        above it), and, the same in all rows, ``observation``, ``signature``, ``method``, ``score``, ``baseline``,
        ``adds_up_to`` (``score``, ``score before clipping``, ``slope``, or that the contributions do not add up) and
        ``total``, the sum of baseline and contributions. Of a composite the rows are its parts.

    Raises
    ------
    SignatureError
        If there is no such signature, or it is a ratio or a panel.
    DataError
        If there is no such observation, or the matrix holds none of the genes.
    MethodError
        If a composite is to be explained without a reference.
    """
    collection = as_collection(signatures) if isinstance(signature, str) else SignatureCollection([signature])
    entry = _entry(collection, signature if isinstance(signature, str) else signature.id)
    row = _row_of(adata, observation)
    options = ScoreOptions.checked(method, params, reference=reference, layer=layer)
    matrix = adata.X if layer is None else adata.layers[layer]
    case = _Case(matrix, [str(g) for g in adata.var_names], row, options)
    table = _table(case, entry, collection, n_top)
    table = table.assign(observation=str(adata.obs_names[row]), signature=entry.id, method=method)
    return table[list(EXPLANATION_COLUMNS)]


@dataclass(frozen=True)
class _Case:
    """The matrix, its genes, the row that is explained, and how it is scored."""

    matrix: Any
    names: list[str]
    row: int
    options: ScoreOptions
    columns: Ints | None = None

    @property
    def method(self) -> str:
        return self.options.methods[0]

    @property
    def frozen(self) -> bool:
        return self.options.references[self.method] is not None

    def planned(self, collection: SignatureCollection, *, only_row: bool = False) -> tuple[Source, Plan]:
        """Return the matrix, or the one row of it, and the plan of the method for a collection."""
        rows = np.array([self.row], dtype=np.int64) if only_row else None
        source = open_source(self.matrix, rows=rows, columns=self.columns)
        over, plans = prepare(source, self.names, collection, self.options, say=False)
        return over, plans[0]

    def without_reference(self) -> _Case:
        """Return the case over the reference's genes, for methods that learn nothing from it."""
        reference = self.options.references[self.method]
        if reference is None:
            return self
        return _Case(
            self.matrix,
            list(reference.genes),
            self.row,
            replace(self.options, references={self.method: None}),
            reference.columns_in(self.names, policy=self.options.universe),
        )


def _entry(collection: SignatureCollection, name: str) -> Signature | Composite:
    if name not in collection:
        raise SignatureError(f"There is no signature {name!r} in the collection ({examples(collection.names)}).")
    entry: Entry = collection[name]
    if isinstance(entry, Signature | Composite):
        return entry
    raise SignatureError(f"{name} is a {entry.kind}; signatures and composites can be explained.")


def _row_of(adata: AnnData, observation: str | int) -> int:
    if isinstance(observation, str):
        places = np.flatnonzero(np.asarray(adata.obs_names == observation))
        if places.size != 1:
            found = "no observation" if not places.size else f"{places.size} observations"
            raise DataError(f"There is {found} named {observation!r}; there are {examples(adata.obs_names)}.")
        return int(places[0])
    if not -adata.n_obs <= observation < adata.n_obs:
        raise DataError(f"There is no observation {observation}; there are {adata.n_obs}.")
    return int(observation) % int(adata.n_obs)


def _table(case: _Case, entry: Signature | Composite, collection: SignatureCollection, n_top: int) -> pd.DataFrame:
    if isinstance(entry, Composite):
        return _parts(case, entry, collection)
    return _genes(case, entry, collection, n_top)


def _genes(case: _Case, entry: Signature, collection: SignatureCollection, n_top: int) -> pd.DataFrame:
    """Explain a signature by its genes."""
    spec = get(case.method)
    over, plan = case.planned(collection if spec.joint or case.frozen else SignatureCollection([entry]))
    warn_scale([plan], over)
    i = plan.sets.names.index(entry.id)
    if plan.sets.sizes[i] == 0:
        raise DataError(f"None of the {len(entry.genes)} gene(s) of {entry.id} is in the matrix.")
    reference = case.options.references[case.method]
    names = case.names if reference is None else list(reference.genes)
    part = slice(int(plan.sets.indptr[i]), int(plan.sets.indptr[i + 1]))
    present = [names[c] for c in plan.sets.columns()[part]]
    table = pd.DataFrame({"gene": present, "weight": plan.sets.weights[part], "present": True})
    found = _added(over, plan, i, case.row)
    without = _Without(case, entry, collection, plan)
    if found is None:
        scores = without.each(present)
        found = _Added.left_out(over, plan, i, case.row, scores)
        table["score_without"] = scores[0 if scores.shape[0] == 1 else case.row]
    else:
        table["score_without"] = without.each(present, only_row=True)[-1] if n_top else np.nan
    table["value"], table["contribution"], table["cohort_mean"] = found.value, found.contribution, found.mean
    apart = found.contribution - found.mean if np.isfinite(found.mean).any() and over.n_obs > 1 else found.contribution
    table = table.iloc[np.argsort(-np.abs(apart), kind="stable")].reset_index(drop=True)
    table["score_without_top"] = without.top(list(table["gene"]), n_top)
    table = _with_missing(table, entry, spec)
    return table.assign(score=found.score, baseline=found.baseline, adds_up_to=found.adds_up_to, total=found.total)


def _with_missing(table: pd.DataFrame, entry: Signature, spec: MethodSpec) -> pd.DataFrame:
    """Return the table with the genes that the matrix lacks at its end, and each gene's direction."""
    stated = entry.signed_weights()
    lacking = [g for g in entry.genes if g not in set(table["gene"])]
    if lacking:
        sizes = [abs(stated[g]) if spec.weighted else 1.0 for g in lacking]
        used = [w * np.sign(stated[g]) if spec.signed else w for g, w in zip(lacking, sizes, strict=True)]
        table = pd.concat([table, pd.DataFrame({"gene": lacking, "weight": used, "present": False})], ignore_index=True)
    return table.assign(direction=["down" if stated[g] < 0 else "up" for g in table["gene"]])


@dataclass(frozen=True)
class _Added:
    """Values, contributions and their means over the cohort, of one set; score, baseline and total of one row."""

    value: Array
    contribution: Array
    mean: Array
    score: float
    baseline: float
    adds_up_to: str

    @property
    def total(self) -> float:
        return float(self.contribution.sum() + self.baseline)

    @classmethod
    def left_out(cls, over: Source, plan: Plan, i: int, row: int, without: Array) -> _Added:
        """Make contributions of scores without each gene, ``(1 or n_obs, n_members)``."""
        columns, values, scores = plan.sets.columns()[plan.sets.owner == i], np.zeros(0), []
        for tile in over.tiles():
            scores.append(score_tile(tile, [plan])[0].scores[:, i])
            if tile.start <= row < tile.start + tile.n_obs:
                values = tile.columns(columns)[row - tile.start]
        score = np.concatenate(scores)
        every = score[:, None] - without if without.shape[0] == score.size else score[[row], None] - without
        mean = every.mean(axis=0) if every.shape[0] == score.size else np.full(every.shape[1], np.nan)
        own = every[row if every.shape[0] == score.size else 0]
        return cls(values, own, mean, float(score[row]), np.nan, LEAVE_ONE_OUT)


def _added(over: Source, plan: Plan, i: int, row: int) -> _Added | None:
    """Return the contributions to the row's score and their means over all rows; None where no sum makes the score."""
    if plan.spec.contributions is None:
        return None
    total, here = None, None
    columns = plan.sets.columns()[plan.sets.owner == i]
    for tile in over.tiles():
        found = plan.spec.contributions(tile, plan.sets, i, plan.params, plan.state)
        if found is None:
            return None
        sums = found.values.sum(axis=0)
        total = sums if total is None else total + sums
        if tile.start <= row < tile.start + tile.n_obs:
            k = row - tile.start
            score = float(score_tile(tile, [plan])[0].scores[k, i])
            here = (tile.columns(columns)[k], found.values[k], score, float(found.baseline[k]), found.total)
    if total is None or here is None:
        raise DataError("The matrix holds no observation.")
    value, contribution, score, baseline, adds_up_to = here
    return _Added(value, contribution, total / over.n_obs, score, baseline, adds_up_to)


@dataclass(frozen=True)
class _Without:
    """Scores of a signature that lacks some of its genes."""

    case: _Case
    entry: Signature
    collection: SignatureCollection
    plan: Plan

    def each(self, genes: Sequence[str], *, only_row: bool = False) -> Array:
        """Return the scores without each gene: of the row, or of all rows where that costs little."""
        few = self.case.matrix.shape[0] * len(genes) <= MOST_SCORES
        return self._scores([[g] for g in genes], only_row=only_row or not few or self.plan.spec.joint)

    def top(self, genes: Sequence[str], n: int) -> Array:
        """Return the row's scores without the first gene, the first two, ...; NaN after `n` of them."""
        out = np.full(len(genes), np.nan)
        n = min(n, len(genes))
        out[:n] = self._scores([genes[: j + 1] for j in range(n)], only_row=True)[-1]
        return out

    def _scores(self, leave: list[Sequence[str]], *, only_row: bool) -> Array:
        """Return scores without each group of genes, ``(n, len(leave))``; one row, the one explained, or all."""
        learns = self.plan.spec.learns(self.plan.params)
        if not leave or (learns and self.case.frozen):
            # What a reference knows of a signature does not tell what it would know without a gene.
            return np.full((1, len(leave)), np.nan)
        if self.plan.spec.joint:
            return np.array([[self._beside_others(genes) for genes in leave]])
        shorter = [_shorter(self.entry, genes, str(j)) for j, genes in enumerate(leave)]
        out = np.full((1 if only_row else self.case.matrix.shape[0], len(leave)), np.nan)
        kept = [j for j, s in enumerate(shorter) if s is not None]
        if not kept:
            return out
        some = SignatureCollection([s for s in shorter if s is not None])
        over, plan = self.case.without_reference().planned(some, only_row=only_row and not learns)
        scores = execute(over, [plan])[0].scores
        out[:, kept] = scores[[self.case.row]] if only_row and scores.shape[0] > 1 else scores
        return out

    def _beside_others(self, genes: Sequence[str]) -> float:
        """Return the row's score without some genes, where other signatures share in it."""
        shorter = _shorter(self.entry, genes, self.entry.id)
        if shorter is None:
            return float("nan")
        others = [shorter if e.id == self.entry.id else e for e in self.collection.signatures]
        over, plan = self.case.without_reference().planned(SignatureCollection(others), only_row=True)
        return float(execute(over, [plan])[0].scores[0, plan.sets.names.index(self.entry.id)])


def _shorter(entry: Signature, genes: Sequence[str], name: str) -> Signature | None:
    """Return the signature without some genes under another name; None where nothing is left."""
    gone = set(genes)
    up, down = (tuple(g for g in side if g not in gone) for side in (entry.up, entry.down))
    if not up and not down:
        return None
    weights = {g: w for g, w in entry.weights.items() if g not in gone}
    return Signature(id=name, up=up, down=down, weights=weights)


def _parts(case: _Case, entry: Composite, collection: SignatureCollection) -> pd.DataFrame:
    """Explain a composite by its parts."""
    reference = case.options.references[case.method]
    if reference is None or not reference.score_names:
        raise MethodError(
            f"{entry.id} is a composite, standardised by a frozen reference: hand one over as reference=, such as that "
            "of a SignatureScorer fitted on a cohort."
        )
    source = open_source(case.matrix, rows=np.array([case.row], dtype=np.int64))
    outcome = score_source(source, case.names, collection, case.options)[case.method].outcome
    scores = dict(zip(outcome.names, outcome.scores[0], strict=True))
    place = {name: j for j, name in enumerate(reference.score_names)}
    rows = []
    for part, weight in entry.parts.items():
        mean, sd = reference.score_mean[place[part]], reference.score_sd[place[part]]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = float(weight * (scores[part] - mean) / sd) if sd > 0 else np.nan
        rows.append({"gene": part, "weight": weight, "value": scores[part], "contribution": share})
    table = pd.DataFrame(rows)
    table = table.iloc[np.argsort(-np.abs(table["contribution"].to_numpy()), kind="stable")].reset_index(drop=True)
    total = float(table["contribution"].sum(skipna=False))
    table["direction"] = np.where(table["weight"] < 0, "down", "up")
    unknown = dict.fromkeys(("cohort_mean", "score_without", "score_without_top"), np.nan)
    return table.assign(present=True, score=total, baseline=0.0, adds_up_to="score", total=total, **unknown)

"""The one way of scoring: options are checked, signatures resolved, cohorts learned from, methods run together.

`tl.score`, scoring from disk, `SignatureScorer` and the workflow's score step all come through here, so that a
parameter, a reference or a warning means the same at each of them.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore._version import __version__
from mtorscore.collection import Composite, SignatureCollection
from mtorscore.errors import DataError, MethodError, SignatureError, examples
from mtorscore.pp.observation_values import in_order_of
from mtorscore.tl.engine import registry
from mtorscore.tl.engine.coverage_warnings import warn_coverage, warn_ignored, warn_other_names, warn_scale
from mtorscore.tl.engine.execute import execute
from mtorscore.tl.engine.outcome import Outcome, finish, freeze
from mtorscore.tl.engine.plan import Plan, learn, make_plan, restore
from mtorscore.tl.engine.random_signatures import random_pvalues
from mtorscore.tl.engine.reference import Reference

__all__ = [
    "MATCHED",
    "MethodScores",
    "ScoreOptions",
    "check_collection",
    "masked_rows",
    "null_for",
    "prepare",
    "record",
    "score_source",
    "scored_by",
]

MATCHED = "matched"
NULLS = ("auto", "closed", MATCHED)
DRAWN = "random signatures matched in size, direction, weight and expression"
PANEL_KINDS = frozenset({"xenium"})


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """Options of scoring beside the matrix and the signatures.

    Attributes
    ----------
    methods
        Names, each once.
    params
        Per method the parameters given for it.
    references
        Per method the frozen reference, or None.
    layer, min_coverage, pvalues, n_random, null, key_added, universe, threads
        See `mtorscore.tl.score`.
    """

    methods: tuple[str, ...]
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    references: Mapping[str, Reference | None] = field(default_factory=dict)
    layer: str | None = None
    min_coverage: float = 0.0
    pvalues: bool = False
    n_random: int = 200
    null: str = "auto"
    key_added: str | None = None
    universe: str = "refuse"
    threads: int | None = None

    @classmethod
    def checked(
        cls, method: str | Sequence[str], params: Mapping[str, Any], *, reference: Any = None, **rest: Any
    ) -> ScoreOptions:
        """Return the options with methods known, parameters given to the methods that know them, references loaded.

        Parameters
        ----------
        method
            One name or several.
        params
            Parameters of the methods; see `mtorscore.tl.score`.
        reference
            A `Reference`, a path, a fitted scorer, or a mapping of method to these.
        **rest
            The other attributes.

        Raises
        ------
        MethodError
            If a method or parameter is unknown, or a reference is for another method.
        """
        if rest.get("null", "auto") not in NULLS:
            raise MethodError(f"null={rest['null']!r} is not known; choose one of {examples(map(repr, NULLS))}.")
        chosen = _known(method)
        references = {name: _reference_for(reference, name) for name in chosen}
        return cls(methods=chosen, params=_split(chosen, params), references=references, **rest)

    def key(self, method: str) -> str:
        """Return the key in ``.obsm`` of a method's scores."""
        if self.key_added is None:
            return f"score_{method}"
        return self.key_added if len(self.methods) == 1 else f"{self.key_added}_{method}"

    @property
    def keys(self) -> list[str]:
        """Keys in ``.obsm``, one per method."""
        return [self.key(name) for name in self.methods]


@dataclass
class MethodScores:
    """What one method gave: how it was planned, its scores, and the reference that they rest on."""

    plan: Plan
    outcome: Outcome
    reference: Reference | None


def check_collection(collection: SignatureCollection) -> SignatureCollection:
    """Return the collection; an empty one is refused."""
    if len(collection) == 0:
        raise SignatureError("The collection holds no signature.")
    return collection


def prepare(
    source: Any,
    names: Sequence[str],
    collection: SignatureCollection,
    options: ScoreOptions,
    *,
    learn: Callable[[Plan, Any], Plan] = learn,
    say: bool = True,
) -> tuple[Any, list[Plan]]:
    """Resolve the signatures against the matrix and let cohort-dependent methods learn.

    Parameters
    ----------
    source
        The matrix, from `open_source`.
    names
        Its genes.
    collection, options
        What is to be scored, and how.
    learn
        Lets a plan learn from the source, where there is no reference.
    say
        Whether missing genes and ignored signs or weights are warned of.

    Returns
    -------
    source, plans
        The matrix with the columns that the references ask for, and one plan per method.
    """
    frozen = [r for r in options.references.values() if r is not None]
    genes = list(names)
    if frozen:
        if any(r.genes != frozen[0].genes for r in frozen):
            raise MethodError("The references of several methods must be of the same cohort, genes in one order.")
        source, genes = source_over(source, frozen[0], names, options.universe), list(frozen[0].genes)
    resolved = collection.resolve(genes)
    plans: list[Plan] = []
    for name in options.methods:
        spec = registry.get(name)
        params = registry.check_params(spec, options.params.get(name, {}))
        plan = make_plan(spec, params, genes, resolved, min_coverage=options.min_coverage, pvalues=options.pvalues)
        if say:
            if not plans:
                warn_coverage(plan, collection, genes)
                warn_other_names(plan, collection, genes)
            warn_ignored(spec, collection)
        plans.append(_informed(plan, collection, source, options.references.get(name), learn))
    return source, plans


def _informed(
    plan: Plan,
    collection: SignatureCollection,
    source: Any,
    reference: Reference | None,
    learn: Callable[[Plan, Any], Plan],
) -> Plan:
    """Give a plan what its reference holds, or let it learn from the cohort."""
    if reference is None:
        return learn(plan, source)
    reference.check_signatures(collection.hash)
    return restore(plan, reference)


def score_source(
    source: Any,
    names: Sequence[str],
    collection: SignatureCollection,
    options: ScoreOptions,
    *,
    standardise_by: npt.NDArray[np.bool_] | None = None,
) -> dict[str, MethodScores]:
    """Score an open matrix by several methods in one pass; the rows are ranked once.

    Parameters
    ----------
    source, names, collection, options
        See `prepare`.
    standardise_by
        ``(n_obs,)``: composites are standardised by the scores of these observations, and the references returned
        hold what the methods learned from the whole matrix. All False: composites are not standardised. By default
        composites use the references given.

    Returns
    -------
    dict
        Method to what it gave.
    """
    over, plans = prepare(source, names, collection, options)
    warn_scale(plans, source)
    scored = execute(over, plans, threads=options.threads)
    found = {}
    for name, plan, result in zip(options.methods, plans, scored, strict=True):
        reference = options.references.get(name)
        if plan.pvalues and (options.null == MATCHED or not plan.spec.null_closed):
            _check_random_null(plan, reference)
            result.pvalues = random_pvalues(
                over, plan.spec, plan.params, plan.sets, plan.state, result.scores, n_random=options.n_random
            )
        if standardise_by is not None:
            rows = result.scores[standardise_by] if standardise_by.any() else None
            reference = freeze(plan, collection, names, source.n_obs, rows)
        found[name] = MethodScores(plan, finish(plan, result, collection, reference), reference)
    return found


def _check_random_null(plan: Plan, reference: Reference | None) -> None:
    if reference is not None and (plan.spec.state_per_gene or plan.spec.state_per_set):
        raise MethodError(
            f"A frozen reference of {plan.spec.name} knows the signatures' genes only, so random signatures cannot be "
            "scored against it. Ask for p-values when scoring the reference cohort itself."
        )


def source_over(source: Any, reference: Reference, universe: Sequence[str], policy: str) -> Any:
    """Return the source with its columns brought into the reference's order."""
    columns = reference.columns_in(universe, policy=policy)
    if columns is None:
        return source
    stored = columns if source.columns is None else source.columns[columns]
    return replace(source, columns=stored, n_vars=len(columns))


def masked_rows(mask: npt.ArrayLike | str | None, n_obs: int, obs: Callable[[], Any]) -> npt.NDArray[np.int64] | None:
    """Return the rows that a mask turns on.

    Parameters
    ----------
    mask
        ``(n_obs,)`` booleans, the name of a boolean column of `obs`, or None for all rows.
    n_obs
        Rows of the matrix.
    obs
        Returns the table of observations; asked for only where `mask` names a column or its observations.

    Raises
    ------
    DataError
        If there is no such column, it is not boolean, or nothing is turned on.
    """
    if mask is None:
        return None
    if isinstance(mask, str):
        table = obs()
        if mask not in table:
            raise DataError(f"mask_obs={mask!r} is not a column of obs.")
        mask = np.asarray(table[mask])
    if hasattr(mask, "reindex"):
        # A Series may be in another order than the matrix.
        mask = in_order_of(mask, obs().index, "mask_obs")
    values = np.asarray(mask)
    if values.dtype != bool or values.shape != (n_obs,):
        raise DataError(f"mask_obs must be {n_obs} booleans, not {values.dtype} of shape {values.shape}.")
    if not values.any():
        raise DataError("mask_obs leaves no observation to score.")
    return np.flatnonzero(values)


def null_for(null: str, source: Any) -> str:
    """Return which null p-values rest on: of a panel of few genes, random signatures matched in expression.

    Random genes of a panel differ from a signature in expression, and with depth all of them rise and fall; the closed
    form takes that for a score. Signatures that are matched in expression meet the same depth, cell by cell.

    Parameters
    ----------
    null
        ``"auto"``, ``"closed"`` or ``"matched"``; only the first is decided here.
    source
        What is known of the file: a panel says so by its kind or by ``panel_name``.
    """
    known = source if isinstance(source, Mapping) else {}
    panel = str(known.get("kind", "")) in PANEL_KINDS or bool(known.get("panel_name"))
    return MATCHED if null == "auto" and panel else null


def _null(plan: Plan, null: str) -> str:
    return DRAWN if null == MATCHED and plan.spec.null_closed else plan.spec.null


def record(
    scores: MethodScores, collection: SignatureCollection, genes_hash: str, layer: str | None, null: str = "auto"
) -> dict[str, Any]:
    """Return what is needed to know how scores came about, in types that an h5ad can hold."""
    import pandas as pd

    plan, reference = scores.plan, scores.reference
    return {
        "method": plan.spec.name,
        "params": {k: ("none" if v is None else v) for k, v in plan.params.items()},
        "cohort_dependent": bool(plan.spec.learns(plan.params)),
        "reference": "this cohort" if reference is None else f"{reference.n_obs} observations, frozen",
        "layer": layer or "X",
        "input_scale": plan.spec.input_scale,
        "coverage": pd.DataFrame(scores.outcome.coverage).set_index("signature"),
        "signature_hash": collection.hash,
        "universe_hash": genes_hash,
        "versions": versions(),
        "null": _null(plan, null) if plan.pvalues else "none",
        "composites": [e.id for e in collection if isinstance(e, Composite)],
    }


def scored_by(scores: MethodScores) -> dict[str, Any]:
    """Return what a table of scores says of itself in ``.attrs["scored_by"]``: method, parameters, reference."""
    plan, reference = scores.plan, scores.reference
    return {
        "method": plan.spec.name,
        "params": {k: ("none" if v is None else v) for k, v in plan.params.items()},
        "cohort_dependent": bool(plan.spec.learns(plan.params)),
        "reference": "" if reference is None else reference.digest,
    }


def versions() -> dict[str, str]:
    """Return the versions of what a score depends on."""
    return {"mtorscore": __version__, "python": platform.python_version()} | _installed()


@lru_cache(maxsize=1)
def _installed() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "scipy", "numba", "anndata")}


def _known(method: str | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(method, str | Sequence):
        raise MethodError(f"method={method!r} is not a name or a list of names; see mtorscore.tl.methods().")
    chosen = (method,) if isinstance(method, str) else tuple(method)
    if not chosen:
        raise MethodError("No method is named; see mtorscore.tl.methods().")
    for name in chosen:
        registry.get(name)
    if len(set(chosen)) < len(chosen):
        raise MethodError(f"A method is named twice ({examples(chosen)}); score twice, with key_added= for the second.")
    return chosen


def _split(chosen: Sequence[str], params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give each method the parameters that it knows; one that no method knows is an error."""
    _explain_words_of_scanpy(params)
    own: dict[str, dict[str, Any]] = {name: dict(params[name]) for name in chosen if isinstance(params.get(name), dict)}
    shared = {k: v for k, v in params.items() if k not in own}
    out = {}
    for name in chosen:
        known = {p.name for p in registry.get(name).params}
        mine = shared if len(chosen) == 1 else {k: v for k, v in shared.items() if k in known}
        out[name] = dict(mine) | own.get(name, {})
    used = {k for o in out.values() for k in o}
    lost = [k for k in shared if k not in used]
    if lost:
        raise MethodError(f"None of {', '.join(chosen)} has a parameter {examples(repr(k) for k in lost)}.")
    return out


def _explain_words_of_scanpy(params: Mapping[str, Any]) -> None:
    if "gene_symbols" in params:
        column = params["gene_symbols"]
        raise MethodError(
            f"gene_symbols= is scanpy's word; here genes go by var_names. Call "
            f"pp.harmonise_genes(adata, ids={column!r}) first, or read the file with "
            f"mtorscore.read(path, ids={column!r}); `mtorscore score` has --ids."
        )
    if "use_raw" in params:
        raise MethodError(
            "use_raw= is scanpy's word; here .raw is never read without being asked. Score adata.raw.to_adata(), or a "
            "layer with layer=; where genes go by a column of var, pp.harmonise_genes(adata, ids=...) takes it."
        )


def _reference_for(reference: Any, method: str) -> Reference | None:
    if isinstance(reference, Mapping):
        reference = reference.get(method)
    if reference is None or isinstance(reference, Reference):
        found: Reference | None = reference
    elif isinstance(reference, str | Path):
        found = Reference.load(reference)
    elif hasattr(reference, "reference_"):
        found = reference.reference_
    else:
        raise MethodError(f"reference= must be a Reference, a path or a fitted SignatureScorer, not {type(reference)}.")
    if found is not None and found.method != method:
        raise MethodError(f"The reference is for {found.method}, not for {method}; hand over one per method.")
    return found

"""`tl.score`: score an AnnData, one obsm per method."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from mtorscore._version import __version__
from mtorscore.collection import Composite, SignatureCollection, SignaturesLike, as_collection
from mtorscore.errors import DataError, MethodError, SignatureError, examples
from mtorscore.tl.engine import outcome as _run
from mtorscore.tl.engine import plan as engine
from mtorscore.tl.engine import registry
from mtorscore.tl.engine.random_signatures import random_pvalues
from mtorscore.tl.engine.reference import Reference, universe_hash
from mtorscore.tl.engine.source import open_source

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["score"]


@overload
def score(adata: str | Path, signatures: SignaturesLike = ..., **options: Any) -> Any: ...
@overload
def score(adata: AnnData, signatures: SignaturesLike = ..., **options: Any) -> AnnData: ...
def score(
    adata: AnnData | str | Path,
    signatures: SignaturesLike = None,
    *,
    method: str | Sequence[str] = "singscore",
    layer: str | None = None,
    mask_obs: npt.ArrayLike | str | None = None,
    reference: Any = None,
    min_coverage: float = 0.0,
    pvalues: bool = False,
    n_random: int = 200,
    key_added: str | None = None,
    copy: bool = False,
    universe: str = "refuse",
    threads: int | None = None,
    block: int | None = None,
    memory: str | int = "1GB",
    out: str | Path | None = None,
    progress: bool = False,
    resume: bool = True,
    **params: Any,
) -> AnnData | Path:
    """Score observations by one method or several.

    Parameters
    ----------
    adata
        Observations x genes. The values are taken as they are: ``.raw`` is never used, nothing is logged. A path to an
        ``.h5ad`` file or ``.zarr`` folder is scored from disk, in blocks.
    signatures
        A collection, a mapping of names to genes, a path, or None for the shipped library.
    method
        One name or several of `methods`; several share one walk over the matrix and one ranking.
    layer
        Layer instead of ``.X``.
    mask_obs
        Boolean mask, or the name of a boolean column of ``.obs``: score these observations only, and let
        cohort-dependent methods learn from these only. The others get NaN.
    reference
        What cohort-dependent methods (and composites) are standardised by: a `Reference`, a path to a saved one, a
        fitted `SignatureScorer`, or a mapping of method to these. Without one, the observations scored are the
        cohort.
    min_coverage
        Signatures with a smaller share of their genes in the matrix get NaN with a reason.
    pvalues
        Also write ``.obsm["pval_<method>"]`` and its Benjamini-Hochberg adjustment over the signatures of an
        observation, ``.obsm["padj_<method>"]``: a gene-sampling null, which ignores the correlation of genes, so
        that coherent signatures are called far too often. It comes in closed form where the method's spec says so,
        else from `n_random` random signatures matched in size, direction, weight and expression.
    n_random
        Random signatures per signature, for methods without a closed form.
    key_added
        Key in ``.obsm`` instead of ``score_<method>``; with several methods a prefix.
    copy
        Work on a copy.
    universe
        ``"refuse"`` or ``"align"``: what to do about genes that a reference has never seen, see
        `Reference.columns_in`.
    threads
        Row blocks worked on at the same time, all cores by default.
    block
        Rows per block. Neither changes any result.
    memory, out, progress, resume
        For a path: memory for the blocks, a file to write instead of handing back an AnnData, a progress bar, and
        whether to go on with an unfinished run. See the page on scaling out.
    **params
        Parameters of the methods. With several methods a parameter goes to those that know it, and
        ``ucell={"max_rank": 1000}`` to that one.

    Returns
    -------
    AnnData or Path
        The object handed in, or its copy, with ``.obsm["score_<method>"]`` (DataFrame, observations x signatures) and
        ``.uns["mtorscore"]``. Entries of kind ratio and panel go to ``.obsm["ratio"]`` and ``.obsm["panel"]``.
        Signatures without a gene in the matrix are NaN; ``.uns["mtorscore"][<method>]["coverage"]`` has the reason.

    Warns
    -----
    CoverageWarning
        Once, if less than half of a signature's genes are in the matrix.
    IgnoredWarning
        Once, if the method cannot use the direction or the weights of a signature.

    Raises
    ------
    MethodError
        If a method or parameter is unknown, or is asked for what its assumptions forbid.
    DataError
        If the matrix cannot be scored.
    ReferenceMismatchError
        If a reference was learned on other genes or signatures.
    """
    if isinstance(adata, str | Path):
        from mtorscore.tl.streaming.score_file import score_file

        return score_file(
            adata,
            signatures,
            method=method,
            layer=layer,
            mask_obs=mask_obs,
            reference=reference,
            min_coverage=min_coverage,
            pvalues=pvalues,
            key_added=key_added,
            universe=universe,
            threads=threads,
            block=block,
            memory=memory,
            out=out,
            progress=progress,
            resume=resume,
            params=params,
        )
    if out is not None:
        raise MethodError("out= is for scoring a file from disk; an AnnData is scored in place, write it yourself.")
    if not (hasattr(adata, "obs_names") and hasattr(adata, "var_names") and hasattr(adata, "obsm")):
        kind = f"{type(adata).__module__}.{type(adata).__qualname__}"
        raise DataError(
            f"A {kind} cannot be scored in place; give an AnnData, or a path to one. Arrays and DataFrames go through "
            "SignatureScorer(...).fit_transform(X), or anndata.AnnData(X)."
        )
    chosen = _methods(method)
    options = split_params(chosen, params)
    collection = as_collection(signatures)
    if len(collection) == 0:
        raise SignatureError("The collection holds no signature.")
    target = adata.copy() if copy else adata
    rows = _rows(adata, mask_obs)
    names = [str(g) for g in adata.var_names]
    source = open_source(_matrix(adata, layer), rows=rows, block=block)
    source.threads = threads
    references = {name: _reference_for(reference, name) for name in chosen}

    outcomes = run_methods(
        source,
        names,
        collection,
        chosen,
        options,
        references=references,
        min_coverage=min_coverage,
        pvalues=pvalues,
        n_random=n_random,
        universe=universe,
        threads=threads,
    )
    genes_hash = universe_hash(names)
    for name, (plan, outcome, used) in outcomes.items():
        key = _key(name, key_added, len(chosen))
        _write(target, key, outcome, rows)
        record = _record(plan, outcome, collection, genes_hash, used, layer)
        target.uns.setdefault("mtorscore", {})[key.removeprefix("score_")] = record
    _write_linear(target, collection, layer, rows, source, names)
    return target


def run_methods(
    source: Any,
    names: Sequence[str],
    collection: SignatureCollection,
    chosen: Sequence[str],
    options: Mapping[str, Mapping[str, Any]],
    *,
    references: Mapping[str, Reference | None],
    min_coverage: float = 0.0,
    pvalues: bool = False,
    n_random: int = 200,
    universe: str = "refuse",
    threads: int | None = None,
) -> dict[str, tuple[engine.Plan, _run.Outcome, Reference | None]]:
    """Score an open matrix by several methods; see `score`."""
    source, plans = prepare(
        source,
        names,
        collection,
        chosen,
        options,
        references=references,
        min_coverage=min_coverage,
        pvalues=pvalues,
        universe=universe,
    )
    scored = engine.execute(source, plans, threads=threads)
    for plan, result in zip(plans, scored, strict=True):
        if plan.pvalues and not plan.spec.null_closed:
            if references[plan.spec.name] is not None and (plan.spec.state_per_gene or plan.spec.state_per_set):
                raise MethodError(
                    f"A frozen reference of {plan.spec.name} knows the signatures' genes only, so random signatures "
                    "cannot be scored against it. Ask for p-values when scoring the reference cohort itself."
                )
            result.pvalues = random_pvalues(
                source, plan.spec, plan.params, plan.sets, plan.state, result.scores, n_random=n_random
            )
    return {
        name: (plan, _run.finish(plan, result, collection, references[name]), references[name])
        for name, plan, result in zip(chosen, plans, scored, strict=True)
    }


def prepare(
    source: Any,
    names: Sequence[str],
    collection: SignatureCollection,
    chosen: Sequence[str],
    options: Mapping[str, Mapping[str, Any]],
    *,
    references: Mapping[str, Reference | None],
    min_coverage: float = 0.0,
    pvalues: bool = False,
    universe: str = "refuse",
    learn: Callable[[engine.Plan, Any], engine.Plan] = engine.learn,
) -> tuple[Any, list[engine.Plan]]:
    """Lay the signatures over the matrix and let cohort-dependent methods learn; return the source and the plans."""
    found = [r for r in references.values() if r is not None]
    genes = names
    if found:
        source = _run.source_over(source, found[0], names, universe)
        genes = list(found[0].genes)
        for other in found[1:]:
            if other.genes != found[0].genes:
                raise MethodError("The references of several methods must be of the same cohort, genes in one order.")
    resolved = collection.resolve(genes)
    plans = []
    for i, name in enumerate(chosen):
        spec = registry.get(name)
        plan = engine.make_plan(
            spec,
            registry.check_params(spec, options[name]),
            collection,
            genes,
            min_coverage=min_coverage,
            pvalues=pvalues,
            resolved=resolved,
        )
        if i == 0:
            engine.warn_coverage(plan, collection, genes)
            engine.warn_other_names(plan, collection, genes)
        engine.warn_ignored(spec, collection)
        frozen = references[name]
        if frozen is not None:
            frozen.check_signatures(collection.hash)
            _run.restore(plan, frozen)
        else:
            learn(plan, source)
        plans.append(plan)
    return source, plans


def split_params(chosen: Sequence[str], params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give each method the parameters that it knows; one that no method knows is an error."""
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


def _methods(method: str | Sequence[str]) -> list[str]:
    if not isinstance(method, str | Sequence):
        raise MethodError(f"method={method!r} is not a name or a list of names; see mtorscore.tl.methods().")
    chosen = [method] if isinstance(method, str) else list(method)
    if not chosen:
        raise MethodError("No method is named; see mtorscore.tl.methods().")
    for name in chosen:
        registry.get(name)
    if len(set(chosen)) < len(chosen):
        raise MethodError(f"A method is named twice ({examples(chosen)}); score twice, with key_added= for the second.")
    return chosen


def _matrix(adata: AnnData, layer: str | None) -> Any:
    if layer is None:
        if adata.X is None:
            raise DataError("This AnnData has no X; name a layer.")
        return adata.X
    if layer not in adata.layers:
        known = ", ".join(filter(None, adata.layers)) or "none"
        raise DataError(f"There is no layer {layer!r}; there are: {known}.")
    return adata.layers[layer]


def _rows(adata: AnnData, mask: npt.ArrayLike | str | None) -> npt.NDArray[np.int64] | None:
    if mask is None:
        return None
    if isinstance(mask, str):
        if mask not in adata.obs:
            raise DataError(f"mask_obs={mask!r} is not a column of obs.")
        values = np.asarray(adata.obs[mask])
    else:
        values = np.asarray(mask)
    if values.dtype != bool or values.shape != (adata.n_obs,):
        raise DataError(f"mask_obs must be {adata.n_obs} booleans, not {values.dtype} of shape {values.shape}.")
    if not values.any():
        raise DataError("mask_obs leaves no observation to score.")
    return np.flatnonzero(values)


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


def _key(method: str, key_added: str | None, n_methods: int) -> str:
    if key_added is None:
        return f"score_{method}"
    return key_added if n_methods == 1 else f"{key_added}_{method}"


def _write(adata: AnnData, key: str, outcome: _run.Outcome, rows: npt.NDArray[np.int64] | None) -> None:
    tail = key.removeprefix("score_")
    tables = {key: outcome.scores} | {f"{what}_{tail}": values for what, values in outcome.extras.items()}
    if outcome.pvalues is not None:
        from mtorscore._multiple_testing import adjust_p

        tables[f"pval_{tail}"] = outcome.pvalues
        tables[f"padj_{tail}"] = adjust_p(outcome.pvalues)
    for name, values in tables.items():
        adata.obsm[name] = _frame(adata, values, outcome.names, rows)


def _frame(adata: AnnData, values: Any, columns: Sequence[str], rows: npt.NDArray[np.int64] | None) -> Any:
    import pandas as pd

    if rows is not None:
        full = np.full((adata.n_obs, values.shape[1]), np.nan)
        full[rows] = values
        values = full
    return pd.DataFrame(values, index=adata.obs_names, columns=list(columns))


def _record(
    plan: engine.Plan,
    outcome: _run.Outcome,
    collection: SignatureCollection,
    genes_hash: str,
    reference: Reference | None,
    layer: str | None,
) -> dict[str, Any]:
    """Return what is needed to know how the scores came about, in types that an h5ad can hold."""
    import pandas as pd

    return {
        "method": plan.spec.name,
        "params": {k: ("none" if v is None else v) for k, v in plan.params.items()},
        "cohort_dependent": bool(plan.spec.learns(plan.params)),
        "reference": "this cohort" if reference is None else f"{reference.n_obs} observations, frozen",
        "layer": layer or "X",
        "input_scale": plan.spec.input_scale,
        "coverage": pd.DataFrame(outcome.coverage).set_index("signature"),
        "signature_hash": collection.hash,
        "universe_hash": genes_hash,
        "versions": versions(),
        "null": plan.spec.null if plan.pvalues else "none",
        "composites": [e.id for e in collection if isinstance(e, Composite)],
    }


def versions() -> dict[str, str]:
    """Return the versions of what a score depends on."""
    return {"mtorscore": __version__, "python": platform.python_version()} | _installed()


@lru_cache(maxsize=1)
def _installed() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "scipy", "numba", "anndata")}


def _write_linear(
    adata: AnnData,
    collection: SignatureCollection,
    layer: str | None,
    rows: npt.NDArray[np.int64] | None,
    source: Any,
    names: Sequence[str],
) -> None:
    from mtorscore.tl.engine.ratios_panels import ratios_and_panels

    tables = ratios_and_panels(adata, collection, layer, source, names)
    for key, (columns, values) in tables.items():
        adata.obsm[key] = _frame(adata, values, columns, rows)

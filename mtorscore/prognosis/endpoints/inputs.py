"""Inputs accepted by `associate` and related functions: a DataFrame of scores, or a scored AnnData."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.collection import Signature, SignatureCollection, as_collection
from mtorscore.errors import DataError, SignatureError, examples
from mtorscore.prognosis.endpoints.covariates import check_numbers, check_observations, check_table
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.endpoints.scoring_record import scoring_of
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray

if TYPE_CHECKING:
    from mtorscore.tl.engine.random_signatures import Held

PREFIX = "score_"


@dataclass
class Expression:
    """Expression as plain arrays: ``values`` is ``(n, genes)`` in the order of `index`."""

    values: FloatArray
    genes: list[str]
    index: pd.Index

    @cached_property
    def held(self) -> Held:
        """Matrix with cached ranks, for repeated scoring by the negative controls."""
        from mtorscore.tl.engine.random_signatures import hold

        return hold(self.values, self.genes)

    @cached_property
    def column_of(self) -> dict[str, int]:
        """Column of each gene."""
        return {g: i for i, g in enumerate(self.genes)}

    @cached_property
    def duplicated(self) -> frozenset[str]:
        """Genes with several columns."""
        if len(self.column_of) == len(self.genes):
            return frozenset()
        return frozenset(g for g, n in Counter(self.genes).items() if n > 1)

    def columns(self, signature: Signature) -> tuple[IntArray, FloatArray]:
        """Columns, ascending, and signed weights of a signature's genes in the matrix.

        Raises
        ------
        SignatureError
            If one of the genes has several columns.
        """
        weights = signature.signed_weights()
        if self.duplicated and not self.duplicated.isdisjoint(weights):
            bad = sorted(self.duplicated & set(weights))
            raise SignatureError(
                f"{len(bad)} gene(s) of {signature.id} are duplicated in the matrix ({examples(bad)}). "
                "Collapse them first, for example with pp.harmonise_genes(adata)."
            )
        at = self.column_of
        found = sorted((at[g], w) for g, w in weights.items() if g in at)
        return np.array([c for c, _ in found], dtype=np.int64), np.array([w for _, w in found], dtype=np.float64)

    def at(self, index: pd.Index) -> Expression:
        """Return some observations, in their order; itself where they are all of them."""
        return self if index.equals(self.index) else Expression(self.rows(index), self.genes, index)

    def rows(self, index: pd.Index) -> FloatArray:
        """Values of some observations, in their order."""
        at = self.index.get_indexer(index)
        if (at < 0).any():
            raise DataError(
                f"{int((at < 0).sum())} scored observation(s) are not in the expression matrix "
                f"({examples(index[at < 0])})."
            )
        rows: FloatArray = self.values[at]
        return rows


@dataclass
class Inputs:
    """Scores with their clinical table, expression, signatures and method."""

    scores: pd.DataFrame
    clinical: pd.DataFrame
    expression: Expression | None
    signatures: SignatureCollection | None
    method: str | None
    params: dict[str, Any]
    coverage: pd.DataFrame | None = None

    @cached_property
    def matrix(self) -> Expression | None:
        """Expression of the scored observations: what confounders and random signatures are scored on."""
        return None if self.expression is None else self.expression.at(self.scores.index)


def is_anndata(thing: object) -> bool:
    """Whether `thing` has the attributes of an AnnData (which is not imported)."""
    return hasattr(thing, "obsm") and hasattr(thing, "var_names")


def read_inputs(
    scores: Any,
    clinical: pd.DataFrame | None,
    expression: Any = None,
    signatures: Any = None,
    method: str | None = None,
    params: dict[str, Any] | None = None,
) -> Inputs:
    """Read scores and what belongs to them from the arguments of `associate`.

    Raises
    ------
    DataError
        If scores are missing, not numeric, or an observation is duplicated.
    """
    coverage = None
    if is_anndata(scores):
        adata = scores
        method = method or _only_method(adata)
        key = method if method in adata.obsm else PREFIX + method
        if key not in adata.obsm:
            raise DataError(
                f"The AnnData has no scores by {method!r}; it has {examples(_methods(adata), 6) or 'none'}. "
                "Run tl.score(adata, method=...) first."
            )
        table = adata.obsm[key]
        found = _record(adata, key, method).get("coverage")
        coverage = found if isinstance(found, pd.DataFrame) else None
        method = key.removeprefix(PREFIX)
        clinical = adata.obs if clinical is None else clinical
        expression = _scored_from(adata, key, method) if expression is None else expression
        if params is None:
            params = _recorded(adata, key, method)
        scores = table
    if not isinstance(scores, pd.DataFrame):
        raise DataError(f"Scores must be a DataFrame (observations x signatures) or an AnnData, not {type(scores)}.")
    if clinical is None:
        raise DataError("No clinical table: hand over a DataFrame indexed by observation.")
    if not isinstance(clinical, pd.DataFrame):
        raise DataError(f"The clinical table must be a DataFrame indexed by observation, not {type(clinical)}.")
    check_table(scores, "scores")
    check_observations(clinical.index, "clinical table")
    check_numbers(scores, "scores")
    collection = None if signatures is None and expression is None else _collection(signatures)
    method = method or scoring_of(scores).get("method")
    matrix = read_expression(expression)
    return Inputs(scores, clinical, matrix, collection, method, dict(params or {}), coverage)


def _collection(signatures: Any) -> SignatureCollection:
    return as_collection(signatures)


def _methods(adata: Any) -> list[str]:
    return [str(k).removeprefix(PREFIX) for k in adata.obsm if str(k).startswith(PREFIX)]


def _only_method(adata: Any) -> str:
    methods = _methods(adata)
    if len(methods) == 1:
        return methods[0]
    if not methods:
        raise DataError("The AnnData has no scores; run tl.score(adata, method=...) first.")
    raise DataError(f"The AnnData has scores by {len(methods)} methods ({examples(methods, 6)}); name one as method=.")


def _recorded(adata: Any, key: str, method: str) -> dict[str, Any]:
    """Parameters that tl.score recorded for these scores."""
    # tl.score writes None as text, since h5ad files cannot hold it.
    found = dict(_record(adata, key, method).get("params", {}))
    return {str(k): v for k, v in found.items() if not (isinstance(v, str) and v == "none")}


def _record(adata: Any, key: str, method: str) -> dict[str, Any]:
    """Return what tl.score recorded about these scores."""
    notes = adata.uns.get("mtorscore", {})
    found = (notes.get(name) for name in (key, method))
    return next((dict(entry) for entry in found if isinstance(entry, dict)), {})


def _scored_from(adata: Any, key: str, method: str) -> Any:
    """Return the matrix that the scores were made from: X, or the layer that tl.score recorded."""
    layer = str(_record(adata, key, method).get("layer", "X"))
    if layer == "X":
        return adata
    if layer not in adata.layers:
        raise DataError(f"The scores by {method} were made from layer {layer!r}, which is gone; hand over expression=.")
    x = adata.layers[layer]
    values = np.asarray(x.toarray() if hasattr(x, "toarray") else x, dtype=np.float64)
    return Expression(values, [str(g) for g in adata.var_names], adata.obs_names)


def read_expression(expression: Any) -> Expression | None:
    """Turn an AnnData or DataFrame (observations x genes) into plain arrays."""
    if expression is None or isinstance(expression, Expression):
        return expression
    if is_anndata(expression):
        x = expression.X
        values = np.asarray(x.toarray() if hasattr(x, "toarray") else x, dtype=np.float64)
        return Expression(values, [str(g) for g in expression.var_names], expression.obs_names)
    if isinstance(expression, pd.DataFrame):
        values = expression.to_numpy(dtype=np.float64)
        return Expression(values, [str(g) for g in expression.columns], expression.index)
    raise DataError(f"Expression must be a DataFrame (observations x genes) or an AnnData, not {type(expression)}.")


def as_endpoints(value: Any) -> list[Endpoint]:
    """Return the endpoints handed over, one or several.

    Raises
    ------
    DataError
        If there is none, or something else than an endpoint.
    """
    found = as_list(value)
    odd = [v for v in found if not isinstance(v, Endpoint)]
    if not found or odd:
        what = f"{odd[0]!r:.60} is not an endpoint" if odd else "No endpoint"
        raise DataError(f"{what}: hand over prognosis.Endpoint.survival(...), .label(...) or .early(...).")
    return found


def as_list(value: Any) -> list[Any]:
    """Return a list of one, or the list."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return [value]
    return list(value)

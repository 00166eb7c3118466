r"""Multivariate linear model: within one observation, expression regressed on the weights of all signatures at once.

With design A = [1, w_1, ..., w_p] over the N genes, b = (A'A)^-1 A'y, and residual variance s^2 with N - p - 1 degrees
of freedom, the score of signature j is

    t_j = b_j / (s sqrt((A'A)^-1_jj))

or b_j with `statistic="slope"`. Signatures that are linear combinations of others cannot be told apart and are NaN;
the remaining ones are not affected. An observation that the model fits without remainder has no t values. The score of
a signature depends on which others are scored beside it.

Badia-i-Mompel P, Velez Santiago J, Braunger J, et al. decoupleR: ensemble of computational methods to infer biological
activities from omics data. Bioinform Adv 2022;2:vbac016.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mtorscore.tl.algorithms._linear_models import STATISTIC, centred_products, residuals, t_or_slope
from mtorscore.tl.engine.gene_sets import Array, Sets, State
from mtorscore.tl.engine.spec import MethodSpec, Scored
from mtorscore.tl.engine.tiles import Tile

__all__ = ["SPEC", "mlm"]


def mlm(tile: Tile, sets: Sets, params: Mapping[str, Any], state: State | None = None, pvalues: bool = False) -> Scored:
    """Score a tile.

    Parameters
    ----------
    tile
        Rows to score; a NaN makes the whole observation NaN, since every gene takes part.
    sets
        Signed, weighted sets, all of them in one model.
    params
        `statistic`.
    state
        Not used: the method is single-sample.
    pvalues
        Whether to return two-sided p-values.

    Returns
    -------
    Scored
        Scores; NaN for signatures that cannot be told apart, and where the fit leaves no residual.
    """
    del state
    n = float(sets.n_vars)
    inverse, identified, rank = sets.once(_inverse)
    cross, squares, _ = centred_products(tile, sets)
    slopes = cross @ inverse
    df = n - rank - 1
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        residual = residuals(squares, np.sum(cross * slopes, axis=1)) / max(df, 1.0)
        t = slopes / np.sqrt(residual[:, None] * np.diag(inverse)[None, :])
    t[~(squares > 0)] = np.nan
    if df <= 0:
        t[:] = np.nan
    t[:, ~identified] = slopes[:, ~identified] = np.nan
    return t_or_slope(t, slopes, df, params, pvalues)


def _inverse(sets: Sets) -> tuple[Array, np.ndarray[Any, np.dtype[np.bool_]], int]:
    """Return the inverse of the centred cross-product of the weights, which sets it tells apart, and its rank."""
    from scipy import sparse

    w = sparse.csc_array((sets.weights, sets.slots, sets.indptr), shape=(sets.genes.size, len(sets)))
    total = np.asarray(w.sum(axis=0)).ravel()
    gram = (w.T @ w).toarray() - np.outer(total, total) / sets.n_vars
    scale = np.sqrt(np.maximum(np.diag(gram), 0.0))
    usable = scale > 1e-9
    unit = gram / np.where(usable, scale, 1.0)[:, None] / np.where(usable, scale, 1.0)[None, :]
    values, vectors = np.linalg.eigh(unit)
    kept = values > 1e-10
    inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    identified = usable & (np.sum(vectors[:, ~kept] ** 2, axis=1) < 1e-10)
    inverse = inverse / np.where(usable, scale, 1.0)[:, None] / np.where(usable, scale, 1.0)[None, :]
    return inverse, identified, int(kept.sum())


SPEC = MethodSpec(
    name="mlm",
    title="Multivariate linear model",
    score=mlm,
    cohort_dependent=False,
    signed=True,
    weighted=True,
    basis="regression",
    competitive=True,
    joint=True,
    input_scale="log, or log fold changes",
    sparse_exact=True,
    null="Student's t with N - p - 1 degrees of freedom",
    range="unbounded (a t value)",
    reference="decoupler 2.3.1, mlm, genes that are 0 in every observation dropped",
    citation="Badia-i-Mompel et al., Bioinform Adv 2022;2:vbac016",
    formula="t of each slope of expression on the weights of all signatures over all genes",
    params=(STATISTIC,),
)

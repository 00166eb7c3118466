"""Distribution functions of genes over a cohort: the first step of GSVA."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.errors import MethodError
from mtorscore.tl.algorithms._moments import check_squares
from mtorscore.tl.engine.gene_sets import Array, State
from mtorscore.tl.engine.spec import TileSource, is_vector

__all__ = ["densities_at", "densities_within", "learn_values", "starts_within"]

BANDWIDTH_PER_SD = 0.25
TABLE_SD = 10
SMALL_COUNT = 2000
SMALL_RATE = 5000.0


@lru_cache(maxsize=1)
def normal_table() -> Array:
    """Return the normal distribution function at 0, 0.001, ..., 10."""
    from scipy.special import ndtr

    table: Array = ndtr(np.arange(TABLE_SD * 1000 + 1) / 1000.0)
    return table


def learn_values(source: TileSource, params: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Return the sorted values of each gene that varies.

    Returns
    -------
    dict
        `kept` (columns), `values` ``(n_kept, n_obs)`` sorted with NaN last, `n_valid`, `bandwidth`.
    """
    # Genes in contiguous rows: sorting and scanning go along them.
    x = np.hstack([np.ascontiguousarray(tile.dense().T) for tile in source.tiles()])
    if params["zeros"] == "ignored":
        x = np.where(x == 0, np.nan, x)
    elif params["na"] == "everything":
        x[np.flatnonzero(np.isnan(x).sum(axis=1))] = np.nan
    if params["kcdf"] == "poisson" and (x < 0).any():
        raise MethodError(
            f"gsva with Poisson kernels is for counts; the matrix holds {int((x < 0).sum())} negative values. "
            "Use kcdf='gaussian' for logarithms."
        )
    n_valid = np.sum(~np.isnan(x), axis=1)
    if params["ties"] == "first":
        # Terms are added up in the order of the observations, as the reference does: its ties depend on the last bit.
        values = np.take_along_axis(x, np.argsort(np.isnan(x), axis=1, kind="stable"), axis=1)
    else:
        values = np.sort(x, axis=1)
    low, high = _extremes(x, values, n_valid, params)
    varies: npt.NDArray[np.bool_] = np.asarray(high > low, dtype=np.bool_)
    # A gene with a NaN keeps its place in the random walk, as in the reference.
    has_nan = (n_valid == 0) & (params["zeros"] == "values") & (params["na"] == "everything")
    kept = np.flatnonzero(varies | has_nan)
    values, n_valid = (values if kept.size == len(values) else values[kept]), n_valid[kept].astype(np.int64)
    if params["kcdf"] != "gaussian":
        return {"kept": kept, "values": values, "n_valid": n_valid, "bandwidth": np.full(kept.size, np.nan)}
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        centre = np.nansum(values, axis=1) / n_valid
        squares = np.nansum((values - centre[:, None]) ** 2, axis=1)
        check_squares(squares, (n_valid > 1) & varies[kept])
        sd = np.sqrt(squares / (n_valid - 1))
    return {"kept": kept, "values": values, "n_valid": n_valid, "bandwidth": sd * BANDWIDTH_PER_SD}


def _extremes(
    x: Array, values: Array, n_valid: npt.NDArray[np.int64], params: Mapping[str, Any]
) -> tuple[Array, Array]:
    """Return the smallest and largest value of each gene that decide whether it varies; NaN where it has none."""
    if params["constant"] == "nonzero" or params["ties"] == "first":
        counted = np.where(x == 0, np.nan, x) if params["constant"] == "nonzero" else x
        return np.fmin.reduce(counted, axis=1), np.fmax.reduce(counted, axis=1)
    return values[:, 0], np.take_along_axis(values, np.maximum(n_valid - 1, 0)[:, None], axis=1)[:, 0]


def densities_within(state: State, params: Mapping[str, Any]) -> Array:
    """Return the distribution functions at the cohort's own values, ``(n_kept, n_obs)``."""
    values, n_valid = state["values"], state["n_valid"]
    if params["ties"] == "first":
        return np.zeros((0, 0))
    if params["kcdf"] == "gaussian":
        from mtorscore.tl.kernels.gsva_walk import gaussian_cdf_within

        found: Array = gaussian_cdf_within(values, n_valid, state["bandwidth"], normal_table())
        return found
    if params["kcdf"] == "none":
        from mtorscore.tl.kernels.gsva_walk import empirical_cdf

        shares: Array = empirical_cdf(values, n_valid)
        return shares
    out = np.full(values.shape, np.nan)
    for g in range(values.shape[0]):
        x = values[g, : n_valid[g]]
        out[g, : x.size] = _one_gene(x, x, params["kcdf"])
    return out


def starts_within(state: State, params: Mapping[str, Any]) -> npt.NDArray[np.int32]:
    """Return where to start searching for a value among the cohort's, see `search_starts`."""
    if params["ties"] == "first":
        return np.zeros((0, 0), np.int32)
    from mtorscore.tl.kernels.gsva_walk import search_starts

    found: npt.NDArray[np.int32] = search_starts(state["values"], state["n_valid"])
    return found


def densities_at(x: Array, state: State, params: Mapping[str, Any]) -> Array:
    """Return the distribution functions at new values, ``(n_obs, n_kept)``; NaN where the gene does not count."""
    from mtorscore.tl.kernels.gsva_walk import cdf_at_known_values, gaussian_cdf_at

    values, n_valid = state["values"], state["n_valid"]
    if params["zeros"] == "ignored":
        x = np.where(x == 0, np.nan, x)
    if params["ties"] == "first":
        return _in_order(x, state, params["kcdf"])
    density: Array = cdf_at_known_values(x, values, n_valid, state["density"], state["starts"])
    density[:, n_valid == 0] = np.nan
    rows, genes = np.nonzero(density == -1.0)
    if rows.size and params["kcdf"] == "gaussian":
        density[rows, genes] = gaussian_cdf_at(
            x[rows, genes], genes, values, n_valid, state["bandwidth"], normal_table()
        )
    elif rows.size:
        for g in np.unique(genes):
            here = rows[genes == g]
            density[here, g] = _one_gene(x[here, g], values[g, : n_valid[g]], params["kcdf"])
    return density


def _in_order(x: Array, state: State, kcdf: str) -> Array:
    """Return what the reference ranks by: log odds of the distribution function, terms added up in cohort order."""
    from mtorscore.tl.kernels.gsva_walk import gaussian_cdf_at

    values, n_valid = state["values"], state["n_valid"]
    density = np.full(x.shape, np.nan)
    rows, genes = np.nonzero(~np.isnan(x) & (n_valid > 0))
    if kcdf == "gaussian":
        density[rows, genes] = gaussian_cdf_at(
            x[rows, genes], genes, values, n_valid, state["bandwidth"], normal_table()
        )
    else:
        for g in np.flatnonzero(n_valid):
            here = ~np.isnan(x[:, g])
            cohort = values[g, : n_valid[g]]
            if kcdf == "none":
                density[here, g] = np.searchsorted(np.sort(cohort), x[here, g], side="right") / cohort.size
            else:
                density[here, g] = _poisson(x[here, g], cohort)
    if kcdf == "none":
        return density
    with np.errstate(divide="ignore"):
        odds: Array = -np.log((1.0 - density) / density)
    return odds


def _poisson(x: Array, cohort: Array) -> Array:
    points, back = np.unique(x, return_inverse=True)
    kernels = _poisson_cdf(np.floor(points + 1e-7)[:, None], cohort[None, :] + 0.5)
    total = np.add.accumulate(kernels, axis=1)[:, -1]
    mean: Array = (total / cohort.size)[back]
    return mean


def _poisson_cdf(k: Array, rate: Array) -> Array:
    """Return P(X <= k), correctly rounded where counts are small: the reference's ties depend on the last bit."""
    from scipy.special import pdtr

    found: Array = pdtr(k, rate)
    small = k.ravel() <= SMALL_COUNT
    low = rate[:, rate.ravel() <= SMALL_RATE].astype(np.longdouble)
    if not small.any() or not low.size:
        return found
    points = k.ravel()[small].astype(np.int64)
    terms = np.ones((int(points.max()) + 1, low.size), dtype=np.longdouble)
    terms[1:] = low / np.arange(1, terms.shape[0], dtype=np.longdouble)[:, None]
    terms[0] = np.exp(-low[0])
    total = np.add.accumulate(np.multiply.accumulate(terms, axis=0), axis=0)
    found[np.ix_(small, rate.ravel() <= SMALL_RATE)] = total[points].astype(np.float64)
    return found


def _one_gene(x: Array, cohort: Array, kcdf: str) -> Array:
    """Return the distribution function of one gene: Poisson kernels, or the share of values not above."""
    if kcdf == "none":
        found: Array = np.searchsorted(cohort, x, side="right") / cohort.size
        return found
    from scipy.special import pdtr

    rates, count = np.unique(cohort, return_counts=True)
    points, back = np.unique(x, return_inverse=True)
    kernels = pdtr(np.floor(points + 1e-7)[:, None], rates[None, :] + 0.5)
    mean: Array = (kernels @ count / cohort.size)[back]
    return mean


def distributions_are_sound(state: State, n_vars: int, params: Mapping[str, Any]) -> bool:
    """Whether frozen distributions have the shapes, the order and the finite values that the kernels rely on."""
    if not {"kept", "values", "n_valid", "bandwidth", "density", "starts"} <= state.keys():
        return False
    kept, values, n_valid = state["kept"], state["values"], state["n_valid"]
    if values.ndim != 2 or values.dtype != np.float64:
        return False
    n_genes, n_obs = values.shape
    if not (is_vector(kept, n_genes, np.int64) and is_vector(n_valid, n_genes, np.int64)):
        return False
    if not is_vector(state["bandwidth"], n_genes, np.float64):
        return False
    inside = n_genes == 0 or (kept.min() >= 0 and kept.max() < n_vars and bool((np.diff(kept) > 0).all()))
    if not inside or ((n_valid < 0) | (n_valid > n_obs)).any():
        return False
    known = np.arange(n_obs) < n_valid[:, None]
    if not np.isfinite(values[known]).all() or not np.isnan(values[~known]).all():
        return False
    width = state["bandwidth"][n_valid > 0]
    if params["kcdf"] == "gaussian" and not (np.isfinite(width) & (width > 0)).all():
        return False
    first = params["ties"] == "first"
    ordered = first or bool((np.diff(values, axis=1)[known[:, 1:]] >= 0).all())
    shape = (0, 0) if first else values.shape
    if not ordered or state["density"].dtype != np.float64 or state["density"].shape != shape:
        return False
    return np.array_equal(state["starts"], starts_within(state, params))

"""Orders that break ties by position, for references that do so."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["first_positions", "shuffled_positions"]


def first_positions(x: npt.NDArray[np.float64], genes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the positions of genes when each row is sorted from its highest value, ties in column order.

    Parameters
    ----------
    x
        ``(n_obs, n_vars)`` values; NaN come last.
    genes
        Columns wanted.

    Returns
    -------
    numpy.ndarray
        ``(n_obs, n_genes)``: the number of valid values for the first gene of the order, 1 for the last; NaN for NaN.
    """
    n_obs, n_vars = x.shape
    out = np.full((n_obs, genes.size), np.nan)
    for i in range(n_obs):
        row = x[i]
        order = np.argsort(-row, kind="stable")
        place = np.empty(n_vars, dtype=np.int64)
        place[order] = np.arange(n_vars)
        n_valid = n_vars - int(np.isnan(row).sum())
        here = (n_valid - place[genes]).astype(np.float64)
        here[np.isnan(row[genes])] = np.nan
        out[i] = here
    return out


def shuffled_positions(
    x: npt.NDArray[np.float64], genes: npt.NDArray[np.int64], seed: int, start: int
) -> npt.NDArray[np.float64]:
    """Return ranks from 1 for the highest value, ties in an order drawn for each row.

    Parameters
    ----------
    x
        ``(n_obs, n_vars)`` values; NaN come last.
    genes
        Columns wanted.
    seed, start
        The order of row i comes from the pair of seed and ``start + i``, so blocks do not matter.

    Returns
    -------
    numpy.ndarray
        ``(n_obs, n_genes)``; NaN for NaN.
    """
    n_obs, n_vars = x.shape
    out = np.full((n_obs, genes.size), np.nan)
    for i in range(n_obs):
        keys = np.random.default_rng([abs(int(seed)), start + i]).random(n_vars)
        rank = np.empty(n_vars)
        rank[np.lexsort((keys, -x[i]))] = np.arange(1, n_vars + 1)
        out[i] = np.where(np.isnan(x[i, genes]), np.nan, rank[genes])
    return out

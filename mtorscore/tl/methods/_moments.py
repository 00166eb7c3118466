"""Mean and standard deviation of genes over a cohort that is read in blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtorscore.tl._types import Array, Ints, TileSource

__all__ = ["Moments", "gene_moments", "standardise"]


@dataclass(frozen=True)
class Moments:
    """Per gene: how many values count, their mean, and their standard deviation (n - 1); 0 for constant genes."""

    n: Array
    mean: Array
    sd: Array


def gene_moments(source: TileSource, genes: Ints, *, ignore_zeros: bool = False) -> Moments:
    """Learn moments in two passes, so that they are as exact as on the whole matrix at once.

    Parameters
    ----------
    source
        The cohort.
    genes
        Columns.
    ignore_zeros
        Whether only non-zero values count.
    """
    n = np.zeros(genes.size)
    total = np.zeros(genes.size)
    low = np.full(genes.size, np.inf)
    high = np.full(genes.size, -np.inf)
    for tile in source.tiles():
        values = tile.columns(genes)
        counted = _counted(values, ignore_zeros)
        n += counted.sum(axis=0)
        total = _add_rows(total, np.where(counted, values, 0.0))
        low = np.minimum(low, np.where(counted, values, np.inf).min(axis=0))
        high = np.maximum(high, np.where(counted, values, -np.inf).max(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
    squares = np.zeros(genes.size)
    for tile in source.tiles():
        values = tile.columns(genes)
        squares = _add_rows(squares, np.where(_counted(values, ignore_zeros), (values - mean) ** 2, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(squares / (n - 1))
    # Rounding can leave a constant gene with an SD of 1e-17; it is constant all the same.
    sd[(n < 2) | ~(high > low)] = 0.0
    return Moments(n, mean, sd)


def standardise(values: Array, mean: Array, sd: Array, *, ignore_zeros: bool = False) -> Array:
    """Return z-scores; constant genes become 0, and ignored zeros stay 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (values - mean) / sd
    z[:, ~(sd > 0)] = 0.0
    if ignore_zeros:
        z[values == 0] = 0.0
    return z


def _add_rows(total: Array, values: Array) -> Array:
    """Add rows to a running total one after the other, so that its bits do not depend on how rows are cut."""
    found: Array = np.add.accumulate(np.vstack([total[None, :], values]), axis=0)[-1]
    return found


def _counted(values: Array, ignore_zeros: bool) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    counted = ~np.isnan(values)
    return counted & (values != 0) if ignore_zeros else counted

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
    n, total = np.zeros(genes.size), np.zeros(genes.size)
    n_zero = np.zeros(genes.size)
    low, high = np.full(genes.size, np.inf), np.full(genes.size, -np.inf)
    for tile in source.tiles():
        sums, nonzero, missing, least, most = tile.gene_sums(genes)
        total += sums
        n += nonzero
        n_zero += tile.n_obs - nonzero - missing
        low, high = np.minimum(low, least), np.maximum(high, most)
    if not ignore_zeros:
        n += n_zero
        low = np.where(n_zero > 0, np.minimum(low, 0.0), low)
        high = np.where(n_zero > 0, np.maximum(high, 0.0), high)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
    squares = np.zeros(genes.size) if ignore_zeros else n_zero * mean**2
    for tile in source.tiles():
        squares = squares + tile.gene_squares(genes, mean)
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

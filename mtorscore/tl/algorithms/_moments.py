"""Mean and standard deviation of genes over a cohort that is read in blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from mtorscore.errors import DataError
from mtorscore.tl.engine.gene_sets import Array, Ints
from mtorscore.tl.engine.spec import TileSource
from mtorscore.tl.engine.tiles import Tile

__all__ = ["LEAST_SQUARES", "Moments", "check_squares", "gene_moments", "standardise"]

# Below it a sum of squares has lost digits: numbers under 2.2e-308 are held with fewer.
LEAST_SQUARES = 1e-300


@dataclass(frozen=True)
class Moments:
    """Per gene: values that count, mean, standard deviation (n - 1): 0 for constant genes, NaN without a value."""

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
    total, n, n_zero, low, high = source.reduce(partial(_sums, genes=genes), _join_sums)
    if not ignore_zeros:
        n += n_zero
        low = np.where(n_zero > 0, np.minimum(low, 0.0), low)
        high = np.where(n_zero > 0, np.maximum(high, 0.0), high)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
    squares = source.reduce(partial(_squares, genes=genes, mean=mean), np.add)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        if not ignore_zeros:
            squares = squares + n_zero * mean**2
        sd = np.sqrt(squares / (n - 1))
    check_squares(squares, (n > 1) & (high > low))
    # Rounding can leave a constant gene with an SD of 1e-17; it is constant all the same.
    sd[(n < 2) | ~(high > low)] = 0.0
    # A gene of which no value is known is not constant but unknown.
    sd[n + (n_zero if ignore_zeros else 0.0) == 0] = np.nan
    return Moments(n, mean, sd)


def check_squares(squares: Array, varies: npt.NDArray[np.bool_]) -> None:
    """Refuse genes that vary, but whose squared deviations are too small for full precision, or beyond its range."""
    lost = np.flatnonzero(varies & ~((squares > LEAST_SQUARES) & np.isfinite(squares)))
    if lost.size:
        raise DataError(
            f"{lost.size} gene(s) hold values so large, or so small, that their squares are beyond double precision "
            f"(the first in place {lost[0] + 1}); divide the matrix by a suitable constant."
        )


def _sums(tile: Tile, genes: Ints) -> tuple[Array, ...]:
    """Return per gene the sum, the non-zero values, the zeros, and the extremes of the non-zero values."""
    sums, nonzero, missing, least, most = tile.gene_sums(genes)
    return sums, nonzero, tile.n_obs - nonzero - missing, least, most


def _join_sums(a: tuple[Array, ...], b: tuple[Array, ...]) -> tuple[Array, ...]:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], np.minimum(a[3], b[3]), np.maximum(a[4], b[4])


def _squares(tile: Tile, genes: Ints, mean: Array) -> Array:
    found: Array = tile.gene_squares(genes, mean)
    return found


def standardise(values: Array, mean: Array, sd: Array, *, ignore_zeros: bool = False) -> Array:
    """Return z-scores; constant genes become 0, unknown ones NaN, and ignored zeros stay 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (values - mean) / sd
    z[:, sd == 0] = 0.0
    if ignore_zeros:
        z[values == 0] = 0.0
    return z

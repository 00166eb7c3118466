"""Size factors: median of ratios, and trimmed mean of M values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mtorscore.errors import DataError

__all__ = ["median_of_ratios", "tmm"]

Vector = npt.NDArray[np.float64]


def _dense(x: Any) -> npt.NDArray[np.float64]:
    return np.asarray(x.toarray() if sparse.issparse(x) else x, dtype=np.float64)


def median_of_ratios(x: Any) -> Vector:
    """Return size factors per observation: median ratio to the geometric mean over genes above 0 everywhere.

    Anders & Huber, Genome Biol 2010;11:R106.

    Parameters
    ----------
    x
        Observations x genes, counts.
    """
    dense = _dense(x)
    used = (dense > 0).all(axis=0)
    if not used.any():
        raise DataError("median of ratios needs genes that are above 0 in every observation; there are none.")
    logs = np.log(dense[:, used])
    return np.asarray(np.exp(np.median(logs - logs.mean(axis=0), axis=1)))


def tmm(x: Any, trim_ratio: float = 0.3, trim_abundance: float = 0.05) -> Vector:
    """Return TMM factors per observation, with a geometric mean of 1; library size times factor is the effective size.

    The reference is the observation whose upper quartile (of counts over library size) is nearest to the mean one.
    M is the log2 ratio to the reference and A the mean log2 abundance; 30% of M and 5% of A are trimmed at either end,
    and the rest is averaged with inverse asymptotic variances. Robinson & Oshlack, Genome Biol 2010;11:R25.

    Parameters
    ----------
    x
        Observations x genes, counts.
    trim_ratio, trim_abundance
        Shares trimmed.
    """
    dense = _dense(x)
    dense = dense[:, (dense > 0).any(axis=0)]
    size = dense.sum(axis=1)
    if dense.shape[1] == 0 or (size == 0).any():
        raise DataError(f"TMM needs counts in every observation; {int((size == 0).sum())} have none.")
    quartile = np.quantile(dense, 0.75, axis=1) / size
    if np.median(quartile) < 1e-20:
        at = int(np.argmax(np.sqrt(dense).sum(axis=1)))
    else:
        at = int(np.argmin(np.abs(quartile - quartile.mean())))
    factors = np.array([_tmm_pair(row, dense[at], trim_ratio, trim_abundance) for row in dense])
    return np.asarray(factors / np.exp(np.log(factors).mean()))


def _tmm_pair(row: Vector, reference: Vector, trim_ratio: float, trim_abundance: float) -> float:
    from scipy.stats import rankdata

    n_row, n_ref = row.sum(), reference.sum()
    both = (row > 0) & (reference > 0)
    if not both.any():
        return 1.0
    a, b = row[both], reference[both]
    ratio = np.log2((a / n_row) / (b / n_ref))
    abundance = (np.log2(a / n_row) + np.log2(b / n_ref)) / 2
    variance = (n_row - a) / n_row / a + (n_ref - b) / n_ref / b
    if np.abs(ratio).max() < 1e-6:
        return 1.0
    n = len(ratio)
    low_m, low_a = np.floor(n * trim_ratio) + 1, np.floor(n * trim_abundance) + 1
    rank_m, rank_a = rankdata(ratio), rankdata(abundance)
    keep = (rank_m >= low_m) & (rank_m <= n + 1 - low_m) & (rank_a >= low_a) & (rank_a <= n + 1 - low_a)
    weights = 1 / variance[keep]
    total = float(weights.sum())
    return float(2.0 ** (float((ratio[keep] * weights).sum()) / total)) if total > 0 and np.isfinite(total) else 1.0

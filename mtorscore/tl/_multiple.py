"""Multiple testing over the signatures of an observation."""

from __future__ import annotations

import numpy as np

from mtorscore.tl._types import Array

__all__ = ["benjamini_hochberg"]


def benjamini_hochberg(p: Array) -> Array:
    """Adjust p-values row by row; NaN are not counted and stay NaN.

    Parameters
    ----------
    p
        ``(n_obs, n_sets)``.

    Returns
    -------
    numpy.ndarray
        The smallest false discovery rate at which each would be called, same shape.
    """
    order = np.argsort(p, axis=1)  # NaN last
    ranked = np.take_along_axis(p, order, axis=1)
    m = np.sum(~np.isnan(p), axis=1)[:, None]
    place = np.arange(1, p.shape[1] + 1)[None, :]
    scaled = ranked * m / place
    filled = np.where(np.isnan(scaled), np.inf, scaled)
    lowest = np.minimum.accumulate(filled[:, ::-1], axis=1)[:, ::-1]
    adjusted = np.where(np.isnan(ranked), np.nan, np.minimum(lowest, 1.0))
    out = np.empty_like(p)
    np.put_along_axis(out, order, adjusted, axis=1)
    return out

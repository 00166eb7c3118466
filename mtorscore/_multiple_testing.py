"""Multiple testing: the one Benjamini-Hochberg adjustment of the package."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["adjust_p"]


def adjust_p(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Benjamini-Hochberg adjusted p-values.

    Parameters
    ----------
    p
        P-values, any shape; what lies along the last axis is one family. NaN takes no part.

    Returns
    -------
    numpy.ndarray
        The smallest false discovery rate at which each would be called, same shape; for one family equal to R's
        ``p.adjust(p, "BH")``.

    References
    ----------
    Benjamini and Hochberg, J R Stat Soc B 1995;57:289.
    """
    values = np.asarray(p, dtype=np.float64)
    if values.size == 0:
        return np.full(values.shape, np.nan)
    order = np.argsort(values, axis=-1)  # NaN last
    ranked = np.take_along_axis(values, order, axis=-1)
    m = np.sum(~np.isnan(values), axis=-1, keepdims=True)
    scaled = ranked * m / np.arange(1, values.shape[-1] + 1)
    filled = np.where(np.isnan(scaled), np.inf, scaled)
    lowest = np.minimum.accumulate(filled[..., ::-1], axis=-1)[..., ::-1]
    out = np.empty_like(values)
    np.put_along_axis(out, order, np.where(np.isnan(ranked), np.nan, np.minimum(lowest, 1.0)), axis=-1)
    return out

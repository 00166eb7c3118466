"""Values that contradict the rest of a matrix: codes of missing values, and observations on another scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mtorscore.errors import DataError, examples

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["check_codes", "check_one_scale", "codes_among", "off_scale"]

CODES = (9.0, 99.0, 999.0, 9999.0, 99999.0)
"""Numbers that stand for "missing" in some programs, with either sign."""
MOST_CODED = 0.2
"""A value that more of a matrix holds is its floor rather than a code."""
_LOG_LIKE, _LINEAR_LIKE = 30.0, 1000.0


def codes_among(values: npt.NDArray[Any]) -> float | None:
    """Return a number that looks like a code of missing values; None where none does.

    It is -9, -99, ... where nothing else is negative, or 999, 9999, ... where nothing else is above 50.

    Parameters
    ----------
    values
        Of any shape.
    """
    low, high = float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))
    found: float | None = None
    if -low in CODES and not ((values < 0) & (values != low)).any():
        found = low
    elif high in CODES[2:]:
        rest = values[values != high]
        found = high if rest.size and np.fmax.reduce(rest, axis=None) <= 50 else None
    if found is None or float(np.mean(values == found)) > MOST_CODED:
        return None
    return found


def check_codes(adata: AnnData) -> None:
    """Refuse a matrix in which some values are a code of missing values.

    Parameters
    ----------
    adata
        Observations x genes.

    Raises
    ------
    DataError
        With the code, how many values have it, and where the first stand.
    """
    x: Any = adata.X
    held = x.data if sparse.issparse(x) else np.asarray(x)
    code = codes_among(held) if held.size else None
    if code is None:
        return
    rows, columns = (x == code).nonzero()
    where = (f"{adata.obs_names[r]} x {adata.var_names[c]}" for r, c in zip(rows, columns, strict=True))
    raise DataError(
        f"{len(rows)} value(s) are {code:g} ({examples(where)}), which looks like a code of missing values beside all "
        "others. Leave those cells blank (or adata.X[adata.X == code] = nan)."
    )


def off_scale(x: Any) -> npt.NDArray[np.int64]:
    """Return the observations on a linear scale among others that hold logarithms, or the other way round.

    Parameters
    ----------
    x
        Observations x genes, dense or sparse.

    Returns
    -------
    numpy.ndarray
        Their rows, those of the rarer scale; empty where all are alike.
    """
    dense = x if sparse.issparse(x) else np.asarray(x)
    if dense.shape[0] < 2 or dense.shape[1] < 20:
        return np.zeros(0, dtype=np.int64)
    high = np.asarray(dense.max(axis=1).todense()).ravel() if sparse.issparse(dense) else np.fmax.reduce(dense, axis=1)
    small, large = np.flatnonzero(high <= _LOG_LIKE), np.flatnonzero(high > _LINEAR_LIKE)
    if not len(large) or not len(small):
        return np.zeros(0, dtype=np.int64)
    # Shallow cells and empty samples have small counts: logarithms have decimals in most of their values.
    logs = np.array([i for i in small if _decimals(dense[i])], dtype=np.int64)
    if not len(logs):
        return logs
    return logs if len(logs) <= len(large) else large


def _decimals(row: Any) -> bool:
    values = row.data if sparse.issparse(row) else np.asarray(row)
    known = values[np.isfinite(values) & (values != 0)]
    return bool(len(known) >= 20 and np.mean(known != np.round(known)) > 0.8)


def check_one_scale(adata: AnnData, layer: str | None = None) -> None:
    """Refuse a matrix in which some observations hold logarithms and others do not.

    Parameters
    ----------
    adata
        Observations x genes.
    layer
        Layer to look at instead of ``X``.

    Raises
    ------
    DataError
        With the observations of the rarer scale.
    """
    odd = off_scale(adata.X if layer is None else adata.layers[layer])
    if len(odd):
        raise DataError(
            f"{len(odd)} of {adata.n_obs} observations are on another scale than the others "
            f"({examples(adata.obs_names[odd])}): some reach beyond {_LINEAR_LIKE:g}, as linear values do, and others "
            f"stay below {_LOG_LIKE:g}, as logarithms do. Bring them to one scale, or leave them out."
        )

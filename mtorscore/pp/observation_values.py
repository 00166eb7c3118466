"""One value per observation, handed over beside a table: matched by name where it has names."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, examples

__all__ = ["in_order_of"]


def in_order_of(given: Any, index: pd.Index, what: str) -> npt.NDArray[Any]:
    """Return the values in the order of the observations.

    Parameters
    ----------
    given
        A Series that names its observations, in any order and with further ones; or one value per observation, in
        their order (a list, an array, a Series with the index that pandas gives by default).
    index
        The observations.
    what
        What the message calls it, such as ``"groups"``.

    Returns
    -------
    numpy.ndarray
        ``(n_obs,)``.

    Raises
    ------
    DataError
        If observations are missing or named twice, or there are more or fewer values than observations.
    """
    if isinstance(given, pd.Series) and not given.index.equals(index) and not _unnamed(given.index):
        if given.index.has_duplicates:
            twice = given.index[given.index.duplicated()].unique()
            raise DataError(f"`{what}` names {len(twice)} observation(s) twice ({examples(twice)}); keep one each.")
        missing = index[~index.isin(given.index)]
        if len(missing):
            raise DataError(
                f"`{what}` lacks {len(missing)} of {len(index)} observations ({examples(missing)}); it names "
                f"{examples(given.index)}. Name them alike, or hand over a list in the order of the observations."
            )
        given = given.reindex(index)
    values = given.to_numpy() if isinstance(given, pd.Series) else np.asarray(given)
    if values.shape != (len(index),):
        n = len(values) if values.ndim else 1
        raise DataError(f"`{what}` has {n} values for {len(index)} observations.")
    return values


def _unnamed(index: pd.Index) -> bool:
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1

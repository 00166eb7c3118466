"""Folds that keep patients together and classes in proportion."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, examples
from mtorscore.prognosis.endpoints.covariates import pick_columns
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray


def assign_folds(
    labels: npt.NDArray[np.generic], groups: npt.NDArray[np.generic] | None, k: int, rng: np.random.Generator
) -> IntArray:
    """Deal observations into ``k`` folds.

    Parameters
    ----------
    labels
        ``(n,)`` class to stratify by (for survival: the event).
    groups
        ``(n,)`` patient of each observation; a patient never stands in two folds. A patient with several labels is
        stratified by the largest.
    k
        Number of folds.
    rng
        Shuffles within classes.

    Returns
    -------
    numpy.ndarray
        ``(n,)`` fold of each observation.
    """
    n = len(labels)
    member = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(member.max()) + 1 if n else 0
    codes = np.unique(labels, return_inverse=True)[1]
    top = np.zeros(count, dtype=np.int64)
    np.maximum.at(top, member, codes)
    order = np.concatenate([rng.permutation(np.flatnonzero(top == c)) for c in range(int(codes.max(initial=-1)) + 1)])
    fold = np.zeros(count, dtype=np.int64)
    fold[order] = np.arange(count) % k
    shuffled: IntArray = rng.permutation(k)[fold[member]]
    return shuffled


def group_multiplicities(
    n: int, groups: npt.NDArray[np.generic] | None, n_boot: int, rng: np.random.Generator
) -> FloatArray:
    """``(1 + n_boot, n)`` weights: a row of ones, then resamples of patients with replacement."""
    member = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(member.max()) + 1
    drawn = rng.multinomial(count, np.full(count, 1.0 / count), size=n_boot).astype(np.float64)
    return np.concatenate([np.ones((1, n)), drawn[:, member]])


def patients_of(groups: Any, clinical: pd.DataFrame, index: pd.Index) -> IntArray | None:
    """Return the number of the patient of each observation; None without groups.

    Parameters
    ----------
    groups
        A column of `clinical`, a Series, or one value per row of `clinical`.
    clinical
        Clinical table.
    index
        Observations.

    Raises
    ------
    DataError
        If an observation has no patient, or there are more or fewer values than rows.
    """
    if groups is None:
        return None
    if isinstance(groups, str):
        column = pick_columns(clinical, [groups], "column(s) of groups")[groups]
    elif isinstance(groups, pd.Series):
        column = groups
    else:
        values = list(groups)
        if len(values) != len(clinical):
            raise DataError(
                f"groups holds {len(values)} values for {len(clinical)} rows; hand over a column's name or a Series."
            )
        column = pd.Series(values)
    if column.index.equals(pd.RangeIndex(len(clinical))) and not clinical.index.equals(column.index):
        column = column.set_axis(clinical.index)
    chosen = column.reindex(index)
    if chosen.isna().any():
        raise DataError(f"{int(chosen.isna().sum())} observation(s) have no group ({examples(index[chosen.isna()])}).")
    codes: IntArray = pd.factorize(chosen)[0].astype(np.int64)
    return codes

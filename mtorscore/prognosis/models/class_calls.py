"""Calls of classes from predicted probabilities, with rejection."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mtorscore.errors import DataError

__all__ = ["calls_of"]


def calls_of(probabilities: pd.DataFrame, reject: float) -> pd.DataFrame:
    """Return the class of each observation, with the columns of `mtorscore.tl.classify` that a model has.

    Parameters
    ----------
    probabilities
        Observations x classes.
    reject
        A class that is less probable than this is not called.

    Raises
    ------
    DataError
        If `reject` is no probability.
    """
    if not 0 <= reject < 1:
        raise DataError(f"reject is a probability from 0 to below 1, not {reject}.")
    values = probabilities.to_numpy(dtype=np.float64)
    names = np.asarray(probabilities.columns, dtype=object)
    known = np.isfinite(values).all(axis=1)
    order = np.argsort(-np.where(np.isfinite(values), values, -1.0), axis=1, kind="stable")
    rows = np.arange(len(values))
    top, second = values[rows, order[:, 0]], values[rows, order[:, 1]]
    reasons = [
        "a score is missing" if not k else f"probability {p:.2f} is below {reject:g}" if p < reject else ""
        for k, p in zip(known, top, strict=True)
    ]
    nearest = pd.Series(names[order[:, 0]], dtype=object).where(known, None)
    rejected = np.array([bool(r) for r in reasons], dtype=bool)
    table = pd.DataFrame(
        {
            "class": nearest.where(~rejected, None).to_numpy(), "p": np.nan, "q": np.nan, "margin": top - second,
            "rejected": rejected, "reason": reasons, "nearest": nearest.to_numpy(),
            "second": pd.Series(names[order[:, 1]], dtype=object).where(known, None).to_numpy(), "probability": top,
        },
        index=probabilities.index,
    )  # fmt: skip
    return table.assign(**{f"probability_{c}": values[:, k] for k, c in enumerate(names)})

"""Calls of classes from predicted probabilities, with rejection, and the scores of expression that a model calls by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mtorscore.collection import Signature, SignatureCollection
from mtorscore.errors import DataError, examples

__all__ = ["calls_of", "scored_anew"]


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


def scored_anew(
    name: str,
    scores: Sequence[str],
    signatures: Mapping[str, Mapping[str, Any]],
    scoring: Mapping[str, Any],
    adata: Any,
) -> pd.DataFrame:
    """Return the scores of a model for expression, by the definitions and the single-sample method that it holds.

    Genes may be fewer or others than in training, as on another platform; `mtorscore.tl.score` says what is missing.

    Raises
    ------
    DataError
        If the model does not hold the definitions, or its method needs a reference.
    """
    from mtorscore import tl

    weights = {i: signatures.get(i, {}).get("content", {}).get("weights") for i in scores}
    lacking = [i for i, w in weights.items() if not w]
    if lacking or not scoring.get("method") or scoring.get("cohort_dependent") or scoring.get("reference"):
        why = (
            f"it does not hold the definition of {examples(lacking)}" if lacking else "its method is not single-sample"
        )
        raise DataError(
            f"Model {name} was fitted on scores, and {why}: hand over adata.obsm['score_...'], or fit it with "
            "signatures= of a single-sample method (method='singscore')."
        )
    entries = [
        Signature(
            id=i,
            branch="user",
            up=tuple(g for g, v in w.items() if v > 0),
            down=tuple(g for g, v in w.items() if v < 0),
            weights={g: abs(v) for g, v in w.items() if abs(v) != 1},
        )
        for i, w in weights.items()
        if w
    ]
    params = {k: v for k, v in dict(scoring.get("params", {})).items() if v != "none"}
    held = tl.score(adata, SignatureCollection(entries), method=scoring["method"], copy=True, **params)
    found: pd.DataFrame = held.obsm[f"score_{scoring['method']}"]
    return found[list(scores)]

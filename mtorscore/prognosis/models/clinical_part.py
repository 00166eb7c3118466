"""The clinical columns of a frozen model: how they are coded, and how gaps are filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError, examples
from mtorscore.prognosis.endpoints.coding import Coding, drop_empty_levels
from mtorscore.prognosis.endpoints.imputation_model import JointNormal, coded_with_gaps
from mtorscore.prognosis.prediction.ridge import ClinicalEncoder
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["coded_baseline", "encoded"]

FEW = 5
"""Fewer patients may all have levels that the training cohort lacked; a cohort of one other level is noted."""


def coded_baseline(
    baseline: pd.DataFrame, impute: str
) -> tuple[list[str], FloatArray, dict[str, dict[str, Any]], dict[str, Any]]:
    """Return names and values of the coded baseline columns, the coding by column, and how gaps are filled."""
    encoder = ClinicalEncoder(impute).fit(drop_empty_levels(baseline))
    coded = {
        str(c): {"kind": v.kind, "levels": list(v.levels), "median": v.median} for c, v in encoder.codings_.items()
    }
    normal = encoder.normal_
    filling = {} if normal is None else {"imputation": [normal.mean.tolist(), *normal.covariance.tolist()]}
    return [str(c) for c in encoder.get_feature_names_out()], encoder.transform(baseline), coded, filling


def encoded(codings: Sequence[Coding], training: Mapping[str, Any], clinical: pd.DataFrame) -> pd.DataFrame:
    """Return the coded columns of new patients, with gaps filled as in the training cohort.

    Raises
    ------
    DataError
        If no value of a category is a level that the model knows.
    """
    for coding in codings:
        _refuse_other_levels(coding, clinical[coding.column])
    learned = training.get("imputation")
    if learned is not None:
        normal = JointNormal(np.array(learned[0]), np.array(learned[1:]))
        return pd.DataFrame(normal.fill(coded_with_gaps(codings, clinical)), index=clinical.index)
    return pd.DataFrame(np.column_stack([c.apply(clinical[c.column]) for c in codings]), index=clinical.index)


def _refuse_other_levels(coding: Coding, column: pd.Series) -> None:
    """Refuse a category written in other words (``Stage I`` for ``I``): everybody would count as its first level."""
    new = coding.unseen(column)
    if len(new) >= FEW and new.nunique() > 1 and len(new) == column.notna().sum():
        raise DataError(
            f"None of the {len(new)} values of {coding.column!r} ({examples(map(repr, new.unique()))}) is a level that "
            f"the model knows ({', '.join(coding.levels)}); rename the values, or set them to missing."
        )

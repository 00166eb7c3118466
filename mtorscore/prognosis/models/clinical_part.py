"""The clinical columns of a frozen model: how they are coded, and how gaps are filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mtorscore.prognosis.endpoints.coding import Coding, drop_empty_levels
from mtorscore.prognosis.endpoints.imputation_model import JointNormal, coded_with_gaps
from mtorscore.prognosis.prediction.ridge import ClinicalEncoder
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["coded_baseline", "encoded"]


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
    """Return the coded columns of new patients, with gaps filled as in the training cohort."""
    learned = training.get("imputation")
    if learned is not None:
        normal = JointNormal(np.array(learned[0]), np.array(learned[1:]))
        return pd.DataFrame(normal.fill(coded_with_gaps(codings, clinical)), index=clinical.index)
    return pd.DataFrame(np.column_stack([c.apply(clinical[c.column]) for c in codings]), index=clinical.index)

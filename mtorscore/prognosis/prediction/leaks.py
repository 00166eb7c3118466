"""Leaks that can be seen from the data of an evaluation, said in its notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.prognosis.endpoints.scoring_record import depends_on_cohort
from mtorscore.prognosis.statistics.risk_sets import IntArray

__all__ = ["UNSEEN", "leak_notes"]

UNSEEN = "Not visible here: genes, signatures or cut-points that were chosen by the outcome outside the folds."
"""The limit of these checks, in every print of an evaluation."""
TOO_GOOD = 0.97


def leak_notes(
    table: Any, patients: IntArray | None, scoring: Mapping[str, Any], summary: pd.DataFrame
) -> tuple[str, ...]:
    """Return notes on what looks like a leak.

    Parameters
    ----------
    table
        Features of the evaluated observations.
    patients
        ``(n,)`` patient of each, where some have several rows; None otherwise.
    scoring
        How the scores were made.
    summary
        As in `Evaluation.summary`.
    """
    notes = []
    if depends_on_cohort(scoring):
        notes.append(
            f"the scores are by {scoring['method']}, which depends on the cohort, and were made on all observations: "
            "those of test patients reached the training folds. Evaluate a pipeline with SignatureScorer on expression"
        )
    equal = _equal_rows(table, patients)
    if equal:
        notes.append(
            f"{equal} observation(s) have exactly the features of another one: one patient twice? Name patients by "
            "groups=, since copies in different folds tell each other's outcome"
        )
    shown = summary[summary["metric"].isin(("harrell_c", "roc_auc")) & (summary["model"] != "dummy")]
    good = shown[(shown["value"] - 0.5).abs() > TOO_GOOD - 0.5]
    if len(good):
        first = good.iloc[0]
        notes.append(
            f"{first['model']}: {first['metric']} of {first['value']:.3f} is seldom biology: is the outcome, or "
            "something that follows from it, among the predictors?"
        )
    return tuple(notes)


def _equal_rows(table: Any, patients: IntArray | None) -> int:
    """Count observations with the features of another patient's; 0 where features take few values."""
    if not isinstance(table, pd.DataFrame) or not table.shape[1]:
        return 0
    numeric: npt.NDArray[np.float64] = table.select_dtypes("number").to_numpy(dtype=np.float64)
    if not numeric.shape[1]:
        return 0
    _, code, count = np.unique(numeric, axis=0, return_inverse=True, return_counts=True)
    # A call, a grade, or a count of mutations is equal for many patients.
    if len(count) < max(10, len(numeric) // 4):
        return 0
    if patients is None:
        return int((count[code.ravel()] > 1).sum())
    owners = pd.DataFrame({"row": code.ravel(), "patient": patients}).drop_duplicates()
    shared = owners["row"].value_counts()
    return int((shared.reindex(code.ravel()).to_numpy() > 1).sum())

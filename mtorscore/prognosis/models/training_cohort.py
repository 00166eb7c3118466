"""What a frozen model knows of the observations that it was trained on, to recognise them elsewhere.

Only digests are kept: a model file tells nobody who took part, but a patient or a row of scores that is met again is
recognised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from mtorscore.prognosis.endpoints.columns import patient_of

__all__ = ["MOST_KEPT", "fingerprints", "known_again", "patients_in", "training_digests"]

MOST_KEPT = 50_000
"""Larger cohorts leave no digests: the model file would be mostly that."""


def fingerprints(texts: Iterable[object]) -> list[str]:
    """Return a short digest of each text."""
    return [hashlib.sha256(str(t).encode()).hexdigest()[:12] for t in texts]


def patients_in(clinical: pd.DataFrame | None, index: pd.Index) -> pd.Series:
    """Return the patient of each observation: by a column that names patients, by barcode, or the observation."""
    return patient_of(clinical, index)[0]


def _rows(scores: pd.DataFrame) -> list[str]:
    """Return each row of scores as text, to six digits."""
    return ["|".join(f"{v:.6g}" for v in row) for row in scores.to_numpy(dtype=float)]


def training_digests(scores: pd.DataFrame, clinical: pd.DataFrame | None) -> dict[str, list[str]]:
    """Return digests of the patients and of their scores; nothing of a very large cohort."""
    if len(scores) > MOST_KEPT:
        return {}
    patients = patients_in(clinical, scores.index).unique()
    return {"patients": sorted(fingerprints(patients)), "rows": sorted(set(fingerprints(_rows(scores))))}


def known_again(training: Mapping[str, Any], scores: pd.DataFrame, clinical: pd.DataFrame | None) -> list[str]:
    """Note observations that the model was trained on: by the patient's name, and by equal scores."""
    notes = []
    names = patients_in(clinical, scores.index).unique()
    # Models written earlier kept whole barcodes.
    met = set(training.get("patients", ()))
    again = max(len(set(fingerprints(n)) & met) for n in (names, scores.index.astype(str)))
    if again:
        notes.append(
            f"{again} of {len(names)} patient(s) have the names of patients that the model was trained on: if they are "
            "the same, this is no external validation"
        )
    equal = sum(f in set(training.get("rows", ())) for f in fingerprints(_rows(scores)))
    if equal and scores.shape[1] and scores.nunique().max() > 10:
        notes.append(
            f"{equal} of {len(scores)} observation(s) have exactly the scores of a training observation: the training "
            "cohort, or part of it, is validated on"
        )
    return notes

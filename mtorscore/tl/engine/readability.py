"""Whether a score can say anything of its pathway here: genes in the matrix, grade of the entry in the tissue.

The one rule of which coverage is too little; warnings, associations, the board and the passport read it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mtorscore.collection import Composite, Entry, SignatureCollection
from mtorscore.collection.grades import OPPOSED, context_named

__all__ = [
    "LEAST_COVERAGE",
    "counts_of",
    "grade_in",
    "graded_words",
    "lacking",
    "lacking_in",
    "opposed_in",
]

LEAST_COVERAGE = 0.5
"""Share of a signature's genes in the matrix below which nothing may rest on its score."""


def lacking(up: int, all_up: int, down: int, all_down: int) -> str:
    """Say that less than half of a signature's genes were found, or none of one direction; else nothing.

    Parameters
    ----------
    up, all_up, down, all_down
        Genes found and genes of the signature, per direction.
    """
    total = all_up + all_down
    if total and (up + down) / total < LEAST_COVERAGE:
        return f"{up + down} of {total} genes are in the matrix, less than half"
    for side, found, wanted in (("up", up, all_up), ("down", down, all_down)):
        if wanted and not found:
            return f"none of the {wanted} {side} genes is in the matrix: one direction is absent"
    return ""


def lacking_in(coverage: pd.DataFrame, entry: Entry) -> str:
    """Say by a coverage table what an entry lacks; of a composite, the first part that lacks something.

    Parameters
    ----------
    coverage
        Coverage table of the scores, signatures as index.
    entry
        Of the collection that was scored.
    """
    if not isinstance(entry, Composite):
        return lacking(*counts_of(coverage.loc[entry.id])) if entry.id in coverage.index else ""
    found = {p: lacking(*counts_of(coverage.loc[p])) for p in entry.parts if p in coverage.index}
    return next((f"of its part {part}, {why}" for part, why in found.items() if why), "")


def counts_of(row: pd.Series | Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Return matched and total genes per direction of one row of a coverage table."""
    found = [row.get(c) for c in ("matched_up", "n_up", "matched_down", "n_down")]
    return tuple(0 if v is None or not np.isfinite(v) else int(v) for v in found)  # type: ignore[return-value]


def grade_in(entry: Any, tissue: str | None) -> str | None:
    """Return the grade of an entry in a tissue; None where there is none.

    Parameters
    ----------
    entry
        An entry, or anything with a mapping ``grades`` from tissue to grade.
    tissue
        A context of the library's grades in any case, such as ``"hcc"``, or a key of ``grades``.
    """
    grades = getattr(entry, "grades", None)
    if tissue is None or not grades:
        return None
    grade = grades.get(tissue) or grades.get(context_named(tissue))
    return None if grade is None else str(grade)


def graded_words(entry: Any, tissue: str | None) -> list[str]:
    """Return the grade of an entry in a tissue as a sentence with its numbers."""
    if isinstance(entry, Entry) and context_named(tissue) is not None:
        return entry.graded(tissue)
    grade = grade_in(entry, tissue)
    return [] if grade is None else [f"this entry is graded {grade} in {tissue}"]


def opposed_in(signatures: SignatureCollection, name: str, tissue: str | None) -> list[str]:
    """Return why nothing may be called from a score in a tissue: that it is opposed there; empty where it is not.

    Where the tissue is not known, one in which the entry is opposed is enough.
    """
    if name not in signatures:
        return []
    entry = signatures[name]
    if tissue is None:
        return [f"{w}, and the disease is not stated" for w in entry.graded() if w.startswith(f"{OPPOSED} ")]
    return graded_words(entry, tissue) if grade_in(entry, tissue) == OPPOSED else []

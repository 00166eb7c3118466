"""Whether a score can say anything of its pathway here: genes in the matrix, grade of the entry in the tissue.

What is found here sets ``valid`` and ``reason`` of a row of associations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mtorscore._outcome_terms import MIN_EVENTS
from mtorscore.collection import Entry, Signature, SignatureCollection
from mtorscore.collection.grades import OPPOSED, context_named
from mtorscore.prognosis.endpoints.inputs import Expression, Inputs

__all__ = [
    "OPPOSED",
    "counts_of",
    "grade_in",
    "graded_words",
    "lacking",
    "lacking_genes",
    "opposed_in",
    "the_outcome_itself",
    "why_not_valid",
]

TOO_GOOD = 0.97
"""A concordance or AUC beyond this (or below 1 less this) is seldom biology."""


def why_not_valid(inputs: Inputs, tissue: str | None = None) -> dict[str, str]:
    """Return, per score that no association may rest on, the reason."""
    out: dict[str, str] = {}
    for name in map(str, inputs.scores.columns):
        entry = None
        if inputs.signatures is not None and name in inputs.signatures:
            entry = inputs.signatures[name]
        why = ""
        if isinstance(entry, Signature) and inputs.expression is not None:
            why = lacking_genes(entry, inputs.expression)
        elif inputs.coverage is not None and name in inputs.coverage.index:
            why = lacking(*counts_of(inputs.coverage.loc[name]))
        if grade_in(entry, tissue) == OPPOSED:
            why = "; ".join(filter(None, [why, *graded_words(entry, tissue)]))
        if why:
            out[name] = why
    return out


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


def lacking_genes(signature: Signature, expression: Expression) -> str:
    """Say that less than half of a signature's genes are in the matrix, or none of one direction; else nothing."""
    present = expression.column_of
    found = [sum(g in present for g in set(side)) for side in (signature.up, signature.down)]
    return lacking(found[0], len(set(signature.up)), found[1], len(set(signature.down)))


def counts_of(row: pd.Series) -> tuple[int, int, int, int]:
    """Return matched and total genes per direction of one row of a coverage table."""
    found = [row.get(c) for c in ("matched_up", "n_up", "matched_down", "n_down")]
    return tuple(0 if v is None or not np.isfinite(v) else int(v) for v in found)  # type: ignore[return-value]


def lacking(up: int, all_up: int, down: int, all_down: int) -> str:
    """Say that less than half of a signature's genes were found, or none of one direction; else nothing.

    Parameters
    ----------
    up, all_up, down, all_down
        Genes found and genes of the signature, per direction.
    """
    total = all_up + all_down
    if total and 2 * (up + down) < total:
        return f"{up + down} of {total} genes are in the matrix, less than half"
    for side, found, wanted in (("up", up, all_up), ("down", down, all_down)):
        if wanted and not found:
            return f"none of the {wanted} {side} genes is in the matrix: one direction is absent"
    return ""


def the_outcome_itself(concordance: float, events: int) -> list[str]:
    """Note a score that orders the outcome almost without error."""
    if events < MIN_EVENTS or not abs(concordance - 0.5) > TOO_GOOD - 0.5:
        return []
    return [f"a concordance of {concordance:.3f}: is the outcome, or something that follows from it, in the score?"]

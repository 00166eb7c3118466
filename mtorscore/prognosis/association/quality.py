"""Which scores no association may rest on, by `mtorscore.tl.engine.readability`.

What is found here sets ``valid`` and ``reason`` of a row of associations.
"""

from __future__ import annotations

from mtorscore._outcome_terms import MIN_EVENTS
from mtorscore.collection import Signature
from mtorscore.collection.grades import OPPOSED
from mtorscore.prognosis.endpoints.inputs import Expression, Inputs
from mtorscore.tl.engine.readability import counts_of, grade_in, graded_words, lacking

__all__ = ["lacking_genes", "the_outcome_itself", "why_not_valid"]

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


def lacking_genes(signature: Signature, expression: Expression) -> str:
    """Say that less than half of a signature's genes are in the matrix, or none of one direction; else nothing."""
    present = expression.column_of
    found = [sum(g in present for g in set(side)) for side in (signature.up, signature.down)]
    return lacking(found[0], len(set(signature.up)), found[1], len(set(signature.down)))


def the_outcome_itself(concordance: float, events: int) -> list[str]:
    """Note a score that orders the outcome almost without error."""
    if events < MIN_EVENTS or not abs(concordance - 0.5) > TOO_GOOD - 0.5:
        return []
    return [f"a concordance of {concordance:.3f}: is the outcome, or something that follows from it, in the score?"]

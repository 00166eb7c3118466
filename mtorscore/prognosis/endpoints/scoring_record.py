"""How a table of scores was made: read from the table, kept with a model, compared wherever both meet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mtorscore.errors import ReferenceMismatchError
from mtorscore.tl.engine import registry

if TYPE_CHECKING:
    from mtorscore.tl import Reference

__all__ = ["check_same_scoring", "depends_on_cohort", "described", "other_reference", "scoring_by", "scoring_of"]


def scoring_of(scores: Any, method: str | None = None) -> dict[str, Any]:
    """Return what a table of scores says of itself; `method` where it says nothing (`tl.score` writes it)."""
    said = dict(getattr(scores, "attrs", {}).get("scored_by", {}))
    if method is None or said.get("method") == method:
        return said
    if said:
        raise ReferenceMismatchError(f"The scores were made by {said['method']}, and method={method!r} is said.")
    spec = registry.get(method)
    return {"method": method, "cohort_dependent": bool(spec.cohort_dependent)}


def scoring_by(reference: Reference) -> dict[str, Any]:
    """Return the record of scores that a frozen reference gives."""
    spec = registry.get(reference.method)
    params = {k: ("none" if v is None else v) for k, v in reference.params.items()}
    learns = bool(spec.learns(dict(reference.params)))
    return {"method": reference.method, "params": params, "cohort_dependent": learns, "reference": reference.digest}


def described(scoring: Mapping[str, Any]) -> str:
    """Return a record in words."""
    if not scoring:
        return "scoring method not stated"
    frozen = f", reference {scoring['reference']}" if scoring.get("reference") else ""
    return f"by {scoring.get('method', 'an unnamed method')}{frozen}"


def depends_on_cohort(scoring: Mapping[str, Any]) -> bool:
    """Whether each score holds the other observations that were scored with it, rather than a frozen reference."""
    return bool(scoring.get("cohort_dependent")) and not scoring.get("reference")


def check_same_scoring(model: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse scores of another method or with other parameters than a model's; what is not stated is not compared.

    Raises
    ------
    ReferenceMismatchError
        If method or parameters differ.
    """
    if not there or not here:
        return
    if there.get("method") != here.get("method"):
        raise ReferenceMismatchError(
            f"Model {model} was fitted on scores by {there.get('method')}, and these are by {here.get('method')}: they "
            "do not mean the same. Score by the model's method."
        )
    # As a file holds them: a tuple comes back as a list.
    mine, theirs = (json.loads(json.dumps(s.get("params", {}), default=str)) for s in (there, here))
    if mine and theirs and mine != theirs:
        other = sorted(k for k in {*mine, *theirs} if mine.get(k) != theirs.get(k))
        raise ReferenceMismatchError(
            f"Model {model} was fitted on scores by {there.get('method')} with other parameters ({', '.join(other)}); "
            "score with those of the model."
        )


def other_reference(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Note scores of a cohort-dependent method that were not made against the reference of the model's scores."""
    if not there or not here:
        return []
    if not there.get("cohort_dependent") or (there.get("reference") and there["reference"] == here.get("reference")):
        return []
    text = (
        f"scores by {there.get('method')} depend on the cohort that they were made in, and these were not made against "
    )
    return [f"{text}the reference of the training scores: fit the model on expression with scorer=, which freezes it"]

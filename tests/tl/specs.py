"""What tests know of scoring methods, from their specs: a new method is tested without any of them being edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mtorscore.tl.engine.registry import specs
from mtorscore.tl.engine.spec import MethodSpec

__all__ = [
    "BLOCKWISE", "CLOSED", "COHORT", "HOLDING", "LEARNING", "METHODS", "RANKED", "REGRESSIONS", "SINGLE", "SPECS",
    "learning_options", "names",
]  # fmt: skip

SPECS = {spec.name: spec for spec in specs()}
METHODS = list(SPECS)


def names(condition: Callable[[MethodSpec], bool]) -> list[str]:
    """Return the methods whose spec meets a condition."""
    return [name for name, spec in SPECS.items() if condition(spec)]


COHORT = names(lambda spec: spec.cohort_dependent)
SINGLE = names(lambda spec: not spec.cohort_dependent)
LEARNING = names(lambda spec: spec.fit is not None)
HOLDING = names(lambda spec: spec.holds_cohort)
BLOCKWISE = names(lambda spec: not spec.holds_cohort)
RANKED = names(lambda spec: spec.uses_ranks)
REGRESSIONS = names(lambda spec: spec.basis == "regression")
CLOSED = names(lambda spec: spec.null_closed)


def learning_options(method: str) -> dict[str, Any]:
    """Return the parameters with which a method that can learn from a cohort does."""
    return dict.fromkeys(SPECS[method].cohort_options, True)

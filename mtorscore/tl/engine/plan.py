"""Plans of scoring: one per method, from what its spec declares.

It knows no method by name. A method that depends on the cohort is first shown the cohort (`learn`), then scores every
tile against what it learned, so that no score depends on how the rows are cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mtorscore._blas_threads import one_blas_thread
from mtorscore.collection import Resolved
from mtorscore.errors import DataError, MethodError, examples
from mtorscore.tl.engine.gene_sets import Sets, State
from mtorscore.tl.engine.reference import Reference
from mtorscore.tl.engine.source import Source
from mtorscore.tl.engine.spec import MethodSpec

__all__ = ["Plan", "columns_of_genes", "learn", "make_plan", "restore"]

HELD_BYTES = 1 << 30
NO_GENE = "none of its genes is in the matrix"


@dataclass
class Plan:
    """One method with all that it needs to score: parameters, sets over this matrix, and what it learned."""

    spec: MethodSpec
    params: dict[str, Any]
    sets: Sets
    reasons: list[str]
    coverage: dict[str, list[Any]]
    state: State = field(default_factory=dict)
    pvalues: bool = False


def make_plan(
    spec: MethodSpec,
    params: Mapping[str, Any],
    universe: Sequence[str],
    resolved: Resolved,
    *,
    min_coverage: float = 0.0,
    pvalues: bool = False,
) -> Plan:
    """Resolve signatures against a gene universe for one method.

    Parameters
    ----------
    spec, params
        The method and its checked parameters.
    universe
        Gene names of the matrix, in column order.
    resolved
        The collection over the universe.
    min_coverage
        Signatures with a smaller share of genes present get NaN.
    pvalues
        Whether p-values are wanted.

    Returns
    -------
    Plan
        Ready for `learn` and `execute`.
    """
    coverage = resolved.coverage()
    share = np.array(coverage["coverage"], dtype=np.float64)
    sets = Sets.of(resolved)
    reasons = [NO_GENE if n == 0 else "" for n in sets.sizes]
    low = [i for i, s in enumerate(share) if s < min_coverage and not reasons[i]]
    for i in low:
        reasons[i] = f"coverage {share[i]:.2f} is below min_coverage {min_coverage:g}"
    if low:
        sets = sets.without(low)
    used = sets.as_used(signed=spec.signed, weighted=spec.weighted)
    return Plan(spec, columns_of_genes(spec, dict(params), universe), used, reasons, coverage, pvalues=pvalues)


def learn(plan: Plan, source: Source) -> Plan:
    """Let a cohort-dependent method learn from the cohort; others are returned unchanged."""
    if plan.spec.fit is not None and plan.spec.learns(plan.params):
        if source.n_obs < 2:
            raise MethodError(
                f"{plan.spec.name} learns from a cohort and cannot learn from {source.n_obs} sample. "
                "Hand over a saved reference, or use a single-sample method such as singscore."
            )
        if plan.spec.holds_cohort and source.remote and source.n_obs * source.n_vars * 8 > HELD_BYTES:
            raise MethodError(
                f"{plan.spec.name} needs the whole cohort in memory to learn from it, and this Dask array would take "
                f"{source.n_obs * source.n_vars * 8 / 2**30:.1f} GB. Fit a SignatureScorer on a cohort that fits "
                "(pseudobulk, or a sample of the observations) and hand it over as reference=, or use a single-sample "
                "method such as singscore or ucell."
            )
        with one_blas_thread():
            plan.state = plan.spec.fit(source, plan.sets, plan.params)
    return plan


def columns_of_genes(spec: MethodSpec, params: dict[str, Any], universe: Sequence[str]) -> dict[str, Any]:
    """Turn parameters that name genes into columns."""
    for param in spec.params:
        if param.kind == "genes" and params[param.name] is not None:
            place = {str(g): i for i, g in enumerate(universe)}
            absent = [g for g in params[param.name] if g not in place]
            if absent:
                raise DataError(
                    f"{len(absent)} of {len(params[param.name])} gene(s) of {param.name} are not in the matrix "
                    f"({examples(absent)})."
                )
            params[param.name] = [place[g] for g in params[param.name]]
    return params


def restore(plan: Plan, reference: Reference) -> Plan:
    """Give a plan what a reference holds; method and parameters must be the same."""
    if reference.method != plan.spec.name:
        raise MethodError(f"The reference is for {reference.method}, not for {plan.spec.name}.")
    different = [k for k, v in plan.params.items() if reference.params.get(k) != v]
    if different and plan.spec.learns(plan.params):
        raise MethodError(
            f"The reference for {plan.spec.name} was learned with other parameters: "
            + ", ".join(f"{k}={reference.params.get(k)!r}, here {plan.params[k]!r}" for k in different)
            + "."
        )
    plan.state = reference.state
    return plan

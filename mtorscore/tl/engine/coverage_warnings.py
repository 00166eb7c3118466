"""What a user is warned of before scores are computed: missing genes, other names, ignored signs and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtorscore._doors import COMMAND_LINE, PYTHON, RECIPE, door, option
from mtorscore.collection import Composite, SignatureCollection
from mtorscore.errors import CoverageWarning, DataWarning, IgnoredWarning, examples, warn
from mtorscore.pp.odd_values import codes_among, off_scale
from mtorscore.pp.scale import LARGEST_LOG
from mtorscore.tl.engine.plan import Plan
from mtorscore.tl.engine.readability import LEAST_COVERAGE
from mtorscore.tl.engine.spec import MethodSpec

__all__ = ["warn_composites", "warn_coverage", "warn_ignored", "warn_other_names", "warn_scale"]


def warn_composites(collection: SignatureCollection, methods: Sequence[str], references: Mapping[str, Any]) -> None:
    """Warn once of composites that stay without a score, since no reference standardises their parts."""
    names = [e.id for e in collection if isinstance(e, Composite)]
    without = [m for m in methods if references.get(m) is None]
    if names and without:
        warn(
            f"{len(names)} composite(s) are NaN ({', '.join(names)}): a composite is standardised by a frozen "
            f"reference, and none was given for {', '.join(without)}. Fit one: SignatureScorer(signatures, "
            "method=...).fit(reference_cohort), then score(..., reference=it); or leave the composites out.",
            IgnoredWarning,
        )


def warn_coverage(plan: Plan, collection: SignatureCollection, universe: Sequence[str]) -> None:
    """Warn once about signatures with less than half of their genes present, or with one of their directions absent."""
    wanted = [g for e in collection.signatures for g in e.genes] if not plan.sets.genes.size else []
    if wanted and not any(plan.coverage["coverage"]):
        warn(
            f"None of the genes of {len(plan.reasons)} signature(s) is in this matrix, so that every score is NaN. "
            f"They are called {examples(wanted)}; the matrix has {examples(universe)}. If these are the same genes "
            f"under other identifiers, {_harmonise()}.",
            CoverageWarning,
        )
        return
    low = [
        f"{name} ({round(100 * share)}%)"
        for name, share in zip(plan.coverage["signature"], plan.coverage["coverage"], strict=True)
        if share < LEAST_COVERAGE
    ]
    found = []
    if low:
        found.append(
            f"{len(low)} of {len(plan.reasons)} signature(s) have less than half of their genes in the matrix "
            f"({examples(low)})"
        )
    names = np.array(plan.coverage["signature"], dtype=object)
    if one_sided := names[np.array(plan.coverage["one_direction"], dtype=bool)].tolist():
        found.append(
            f"{len(one_sided)} signature(s) have genes of one direction only in the matrix ({examples(one_sided)}), so "
            "that their scores rest on that direction and no association with them is valid"
        )
    if found:
        warn(
            f"{'; '.join(found)}. The coverage table says which are missing; if the identifiers differ, "
            f"{_harmonise()}.",
            CoverageWarning,
        )


def _harmonise() -> str:
    """Say how identifiers become current symbols at the door of the user; a run has done so already."""
    if door() == RECIPE:
        return "say what they are in the recipe (organism, genes: platform or mapping)"
    return "use --harmonise" if door() == COMMAND_LINE else "run pp.harmonise_genes(adata) first"


def warn_other_names(plan: Plan, collection: SignatureCollection, universe: Sequence[str]) -> None:
    """Warn once about genes that the matrix holds under an earlier or later name: they count as missing."""
    from mtorscore.genes.symbols import other_names

    complete = {
        n for n, missing in zip(plan.coverage["signature"], plan.coverage["missing"], strict=True) if not missing
    }
    entries = [e for e in collection if e.id not in complete]
    absent = set().union(*(e.genes for e in entries)).difference(universe) if entries else set()
    found = other_names((g for e in entries for g in e.genes if g in absent), universe) if absent else {}
    if found:
        warn(
            f"{len(found)} gene(s) of the signatures count as missing, although the matrix holds them under another "
            f"name ({examples(f'{gene} as {name}' for gene, name in found.items())}). Bring both to current symbols: "
            + ("--harmonise." if door() != PYTHON else "pp.harmonise_genes(adata) and signatures.rename_genes()."),
            CoverageWarning,
        )


def warn_scale(plans: Sequence[Plan], source: Any) -> None:
    """Warn once where methods that want logarithms are given counts or linear values.

    Parameters
    ----------
    plans
        The methods, each with its parameters.
    source
        The matrix; the first observations are looked at.
    """
    wanting = [plan.spec.name for plan in plans if _wants_logs(plan.spec, plan.params)]
    if not wanting or source is None or source.remote or not source.n_obs:
        return
    tile = source.tile(0, min(source.n_obs, 20))
    values = tile.x if tile.x is not None else tile.csr()[0]
    if values is None or not values.size:
        return
    high = float(np.fmax.reduce(values, axis=None))
    code = codes_among(values)
    if code is not None:
        warn(
            f"Some values are {code:g}, which looks like a code of missing values beside all others: they are scored "
            "as expression. Set them to missing (nan).",
            DataWarning,
        )
    odd = off_scale(values) if tile.x is not None else ()
    if len(odd):
        warn(
            f"{', '.join(wanting)}: {len(odd)} of the first {len(values)} observations are on another scale than the "
            "others, some linear and some logarithms; bring them to one scale.",
            DataWarning,
        )
    elif high > LARGEST_LOG:
        warn(
            f"{', '.join(wanting)}: made for logarithms, and the values reach {high:.4g}: counts or a linear scale. "
            f"Score the logarithms instead: {option('log')}.",
            DataWarning,
        )


def _wants_logs(spec: MethodSpec, params: Mapping[str, Any]) -> bool:
    if spec.input_scale.startswith("log for"):
        return bool(params.get("kcdf", "gaussian") == "gaussian")
    return spec.input_scale.startswith("log")


def warn_ignored(spec: MethodSpec, collection: SignatureCollection) -> None:
    """Warn once about signs or weights that a method cannot use."""
    signed = [s.id for s in collection.signatures if s.is_signed and not spec.signed]
    weighted = [s.id for s in collection.signatures if s.is_weighted and not spec.weighted]
    for what, names in (("down genes as such", signed), ("weights", weighted)):
        if names:
            warn(
                f"{spec.name} does not use {what}; they are ignored in {len(names)} signature(s) ({examples(names)}).",
                IgnoredWarning,
            )

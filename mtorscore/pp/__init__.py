"""Genes, scales, samples and patients: from what was published to what can be analysed.

Everything is imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "Recipe": "_recipes",
    "Scale": "scale",
    "add_log_layer": "cohort",
    "attach_clinical": "clinical",
    "check_signs": "scale",
    "check_values": "scale",
    "compare_clinical": "clinical",
    "detect_scale": "scale",
    "harmonise_genes": "identifiers",
    "load_recipe": "_recipes",
    "map_identifiers": "identifiers",
    "normalise": "scale",
    "prepare_cohort": "cohort",
    "read_cohort": "cohort",
    "pseudobulk": "_pseudobulk",
    "recipe_files": "cohort",
    "recipes": "_recipes",
    "resolve_patients": "patients",
}

__all__ = [
    "Recipe",
    "Scale",
    "add_log_layer",
    "attach_clinical",
    "check_signs",
    "check_values",
    "compare_clinical",
    "detect_scale",
    "harmonise_genes",
    "load_recipe",
    "map_identifiers",
    "normalise",
    "prepare_cohort",
    "pseudobulk",
    "read_cohort",
    "recipe_files",
    "recipes",
    "resolve_patients",
]

if TYPE_CHECKING:
    from mtorscore.pp._recipes import Recipe, load_recipe, recipes
    from mtorscore.pp.clinical import attach_clinical, compare_clinical
    from mtorscore.pp.cohort import add_log_layer, prepare_cohort, read_cohort, recipe_files
    from mtorscore.pp.identifiers import harmonise_genes, map_identifiers
    from mtorscore.pp.patients import resolve_patients
    from mtorscore.pp.scale import Scale, check_signs, check_values, detect_scale, normalise


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"mtorscore.pp.{_HOME[name]}"), name)
    raise AttributeError(f"module 'mtorscore.pp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

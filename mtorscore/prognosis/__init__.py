"""Relate scores to prognosis without fooling oneself: endpoints, association, prediction, validation.

Names are loaded when first used; scikit-survival (GPL) only where an optional model or metric asks for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_NAMES = {
    "ClinicalEncoder": "estimators",
    "Endpoint": "endpoints",
    "Evaluation": "evaluation",
    "LabelData": "endpoints",
    "SurvivalData": "endpoints",
    "adjust_p": "_design",
    "ajcc_stage": "_design",
    "associate": "association",
    "concordance_index": "survival",
    "RidgeCox": "estimators",
    "RidgeLogistic": "estimators",
    "cox": "survival",
    "evaluate": "evaluation",
    "kaplan_meier": "survival",
    "logrank": "survival",
    "minimum_sample_size": "sample_size",
    "survival_target": "estimators",
    "tcga_advice": "endpoints",
}

__all__ = [
    "ClinicalEncoder",
    "Endpoint",
    "Evaluation",
    "LabelData",
    "RidgeCox",
    "RidgeLogistic",
    "SurvivalData",
    "adjust_p",
    "ajcc_stage",
    "associate",
    "concordance_index",
    "cox",
    "evaluate",
    "kaplan_meier",
    "logrank",
    "minimum_sample_size",
    "survival_target",
    "tcga_advice",
]

if TYPE_CHECKING:
    from mtorscore.prognosis._design import adjust_p, ajcc_stage
    from mtorscore.prognosis.association import associate
    from mtorscore.prognosis.endpoints import Endpoint, LabelData, SurvivalData, tcga_advice
    from mtorscore.prognosis.estimators import ClinicalEncoder, RidgeCox, RidgeLogistic, survival_target
    from mtorscore.prognosis.evaluation import Evaluation, evaluate
    from mtorscore.prognosis.sample_size import minimum_sample_size
    from mtorscore.prognosis.survival import concordance_index, cox, kaplan_meier, logrank


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"mtorscore.prognosis.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'mtorscore.prognosis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

"""Relate scores to prognosis without fooling oneself: endpoints, association, prediction, validation.

Names are loaded when first used; scikit-survival (GPL) only where an optional model or metric asks for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_NAMES = {
    "ClinicalEncoder": "estimators",
    "CoxFit": "survival",
    "Cutpoint": "cutpoints",
    "Endpoint": "endpoints",
    "Evaluation": "evaluation",
    "FittedModel": "fitted",
    "LabelData": "endpoints",
    "Optimism": "added",
    "RidgeCox": "estimators",
    "RidgeLogistic": "estimators",
    "SurvivalData": "endpoints",
    "Validation": "validation",
    "activation": "calls",
    "added_value": "added",
    "adjust_p": "_design",
    "ajcc_stage": "_design",
    "associate": "association",
    "associate_imputed": "imputation",
    "calibration_curve": "validation",
    "cause_specific": "competing",
    "concordance_index": "survival",
    "cox": "survival",
    "cumulative_incidence": "competing",
    "decision_curve": "decisions",
    "evaluate": "evaluation",
    "fit_model": "fitted",
    "interaction": "effects",
    "kaplan_meier": "survival",
    "leave_one_cohort_out": "validation",
    "load_model": "fitted",
    "logrank": "survival",
    "meta_analyse": "meta",
    "minimum_sample_size": "sample_size",
    "nonlinearity": "effects",
    "optimal_cutpoint": "cutpoints",
    "optimism": "added",
    "over_time": "effects",
    "reporting_table": "reporting",
    "residual_scores": "effects",
    "restricted_mean": "effects",
    "survival_performance": "performance",
    "survival_target": "estimators",
    "tcga_advice": "advice",
    "trend_test": "effects",
    "validate": "validation",
}

__all__ = [
    "ClinicalEncoder",
    "CoxFit",
    "Cutpoint",
    "Endpoint",
    "Evaluation",
    "FittedModel",
    "LabelData",
    "Optimism",
    "RidgeCox",
    "RidgeLogistic",
    "SurvivalData",
    "Validation",
    "activation",
    "added_value",
    "adjust_p",
    "ajcc_stage",
    "associate",
    "associate_imputed",
    "calibration_curve",
    "cause_specific",
    "concordance_index",
    "cox",
    "cumulative_incidence",
    "decision_curve",
    "evaluate",
    "fit_model",
    "interaction",
    "kaplan_meier",
    "leave_one_cohort_out",
    "load_model",
    "logrank",
    "meta_analyse",
    "minimum_sample_size",
    "nonlinearity",
    "optimal_cutpoint",
    "optimism",
    "over_time",
    "reporting_table",
    "residual_scores",
    "restricted_mean",
    "survival_performance",
    "survival_target",
    "tcga_advice",
    "trend_test",
    "validate",
]

if TYPE_CHECKING:
    from mtorscore.prognosis._design import adjust_p, ajcc_stage
    from mtorscore.prognosis.added import Optimism, added_value, optimism
    from mtorscore.prognosis.advice import tcga_advice
    from mtorscore.prognosis.association import associate
    from mtorscore.prognosis.calls import activation
    from mtorscore.prognosis.competing import cause_specific, cumulative_incidence
    from mtorscore.prognosis.cutpoints import Cutpoint, optimal_cutpoint
    from mtorscore.prognosis.decisions import decision_curve
    from mtorscore.prognosis.effects import (
        interaction,
        nonlinearity,
        over_time,
        residual_scores,
        restricted_mean,
        trend_test,
    )
    from mtorscore.prognosis.endpoints import Endpoint, LabelData, SurvivalData
    from mtorscore.prognosis.estimators import ClinicalEncoder, RidgeCox, RidgeLogistic, survival_target
    from mtorscore.prognosis.evaluation import Evaluation, evaluate
    from mtorscore.prognosis.fitted import FittedModel, fit_model, load_model
    from mtorscore.prognosis.imputation import associate_imputed
    from mtorscore.prognosis.meta import meta_analyse
    from mtorscore.prognosis.performance import survival_performance
    from mtorscore.prognosis.reporting import reporting_table
    from mtorscore.prognosis.sample_size import minimum_sample_size
    from mtorscore.prognosis.survival import CoxFit, concordance_index, cox, kaplan_meier, logrank
    from mtorscore.prognosis.validation import (
        Validation,
        calibration_curve,
        leave_one_cohort_out,
        validate,
    )


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"mtorscore.prognosis.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'mtorscore.prognosis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

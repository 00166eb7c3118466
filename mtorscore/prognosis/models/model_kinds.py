"""Kinds of model that can be frozen: ridge Cox regression, ridge logistic regression.

A kind is what a model file names (``"survival"``, ``"label"``). A new one is a class here, its validation in
`validation` and its arrays in `model_header`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit

from mtorscore.errors import EndpointError
from mtorscore.prognosis.endpoints.endpoints import LabelData, SurvivalData
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData
from mtorscore.prognosis.prediction.ridge import RidgeCox, RidgeLogistic, survival_target
from mtorscore.prognosis.statistics.incidence import incidence_at
from mtorscore.prognosis.statistics.kaplan_meier import median_follow_up
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["KINDS", "SUBDISTRIBUTION", "ModelKind", "kind_of"]

SUBDISTRIBUTION = "subdistribution"
"""What the summary of a training cohort calls the hazard of models that predict a cumulative incidence."""


class ModelKind(ABC):
    """One kind of frozen model."""

    name: ClassVar[str]
    title: ClassVar[str]
    """As a model card names it."""
    output: ClassVar[str]
    """What the model returns, for reporting checklists."""
    has_survival: ClassVar[bool]
    """Whether the model has a baseline hazard, and so a survival curve."""
    has_classes: ClassVar[bool]
    """Whether it tells classes apart, the last of which is positive."""

    @staticmethod
    @abstractmethod
    def fit(x: FloatArray, data: Any, seed: int) -> dict[str, Any]:
        """Fit on ``(n, p)`` features; return the numeric fields of a `FittedModel`."""

    @staticmethod
    @abstractmethod
    def prediction(linear: FloatArray) -> FloatArray:
        """Return what `predict` gives for a linear predictor."""

    @staticmethod
    @abstractmethod
    def described(data: Any) -> dict[str, Any]:
        """Return what the summary of the training cohort holds for this kind alone."""


class SurvivalModel(ModelKind):
    """Ridge Cox regression with Breslow's baseline hazard."""

    name, title = "survival", "Ridge Cox regression."
    output, has_survival, has_classes = "Linear predictor and survival probability", True, False

    @staticmethod
    def fit(x: FloatArray, data: SurvivalData, seed: int) -> dict[str, Any]:
        """Fit coefficients and baseline hazard."""
        model = RidgeCox(seed=seed).fit(x, survival_target(data.time, data.event), competing=data.status == 2)
        return {
            "coef": model.coef_, "mean": model.mean_, "scale": model.scale_, "penalty": model.penalty_,
            "times": model.baseline_times_, "hazard": model.baseline_hazard_, "offset": model.offset_,
        }  # fmt: skip

    @staticmethod
    def prediction(linear: FloatArray) -> FloatArray:
        """Return the linear predictor itself."""
        return linear

    @staticmethod
    def described(data: SurvivalData) -> dict[str, Any]:
        """Median follow-up (reverse Kaplan-Meier), and the median event time as the horizon of validations.

        With competing events also their number, which hazard is modelled, and the cumulative incidence by the horizon.
        """
        out: dict[str, Any] = {
            "median_follow_up": median_follow_up(data.time, data.status > 0, data.entry),
            "horizon": float(np.median(data.time[data.event])),
        }
        if data.n_competing:
            incidence = incidence_at(data.time, data.status, out["horizon"])[0]
            out |= {"competing": data.n_competing, "hazard": SUBDISTRIBUTION, "incidence": incidence}
        return out


class LabelModel(ModelKind):
    """Ridge logistic regression of a two-class label."""

    name, title = "label", "Ridge logistic regression."
    output, has_survival, has_classes = "Probability", False, True

    @staticmethod
    def fit(x: FloatArray, data: LabelData, seed: int) -> dict[str, Any]:
        """Fit coefficients and intercept."""
        model = RidgeLogistic(seed=seed).fit(x, data.y, sample_weight=data.weights)
        return {
            "coef": model.coef_[0], "mean": model.mean_, "scale": model.scale_, "penalty": model.penalty_,
            "intercept": float(model.intercept_[0]),
        }  # fmt: skip

    @staticmethod
    def prediction(linear: FloatArray) -> FloatArray:
        """Return the probability of the positive class."""
        out: FloatArray = expit(linear)
        return out

    @staticmethod
    def described(data: LabelData) -> dict[str, Any]:
        """Classes, the positive one last; the horizon of a derived label."""
        early = {"horizon": data.horizon} if np.isfinite(data.horizon) else {}
        return {"classes": list(data.classes)} | early


KINDS: dict[str, type[ModelKind]] = {kind.name: kind for kind in (SurvivalModel, LabelModel)}


def kind_of(data: OutcomeData) -> type[ModelKind]:
    """Return the kind of model that is fitted to a resolved endpoint.

    Raises
    ------
    EndpointError
        If no model of these data can be frozen.
    """
    if isinstance(data, SurvivalData):
        return SurvivalModel
    if isinstance(data, LabelData):
        return LabelModel
    raise EndpointError(f"Endpoint {data.name}: there is no model of {type(data).__name__} that can be kept.")

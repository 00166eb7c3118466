"""Kinds of model that can be frozen: ridge Cox, logistic, multinomial and proportional-odds regression.

A kind is what a model file names (``"survival"``, ``"label"``, ``"classes"``, ``"ordered"``).
 A new one is a class here, its validation in
`validation` and its arrays in `model_header`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, softmax

from mtorscore.errors import EndpointError
from mtorscore.prognosis.endpoints.endpoints import LabelData, SurvivalData
from mtorscore.prognosis.endpoints.labels import class_weights
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData
from mtorscore.prognosis.prediction.class_tasks import RidgeMultinomial, RidgeOrdinal
from mtorscore.prognosis.prediction.ridge import RidgeCox, RidgeLogistic, survival_target
from mtorscore.prognosis.statistics import ordinal
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
    """Whether it tells classes apart."""
    several: ClassVar[bool] = False
    """Whether these may be more than two; of two, the last is positive."""
    ascending: ClassVar[bool] = False
    """Whether they are ordered, and the intercepts are their thresholds."""

    @staticmethod
    @abstractmethod
    def fit(x: FloatArray, data: Any, seed: int) -> dict[str, Any]:
        """Fit on ``(n, p)`` features; return the numeric fields of a `FittedModel`."""

    @staticmethod
    @abstractmethod
    def prediction(linear: FloatArray, intercepts: FloatArray) -> FloatArray:
        """Return what `predict` gives for a linear predictor: ``(n,)``, or ``(n, K)`` probabilities of classes."""

    @staticmethod
    @abstractmethod
    def described(data: Any) -> dict[str, Any]:
        """Return what the summary of the training cohort holds for this kind alone."""

    @staticmethod
    def linear(z: FloatArray, coef: FloatArray, intercept: float, intercepts: FloatArray) -> FloatArray:  # noqa: ARG004
        """Return the linear predictor of ``(n, p)`` standardised columns: ``(n,)``, or ``(n, K)``."""
        out: FloatArray = z @ coef + intercept
        return out

    @staticmethod
    def sizes(p: int, classes: int) -> tuple[int, int]:  # noqa: ARG004
        """Return how many coefficients and intercepts a model of `p` columns has."""
        return p, 0

    @classmethod
    def fits(cls, classes: object) -> bool:
        """Whether a list of classes is one of this kind."""
        size = len(classes) if isinstance(classes, list) else 0
        return size > 2 and len(set(map(str, classes))) == size if cls.several else size == 2  # type: ignore[call-overload]


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
    def prediction(linear: FloatArray, intercepts: FloatArray) -> FloatArray:  # noqa: ARG004
        """Return the linear predictor itself."""
        return linear

    @staticmethod
    def described(data: SurvivalData) -> dict[str, Any]:
        """Median (reverse Kaplan-Meier) and longest follow-up, the median event time as the horizon of validations.

        With competing events also their number, which hazard is modelled, and the cumulative incidence by the horizon.
        """
        out: dict[str, Any] = {
            "median_follow_up": median_follow_up(data.time, data.status > 0, data.entry),
            "horizon": float(np.median(data.time[data.event])),
            "longest": data.longest,
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
    def prediction(linear: FloatArray, intercepts: FloatArray) -> FloatArray:  # noqa: ARG004
        """Return the probability of the positive class."""
        out: FloatArray = expit(linear)
        return out

    @staticmethod
    def described(data: LabelData) -> dict[str, Any]:
        """Classes, the positive one last; the horizon of a derived label."""
        early = {"horizon": data.horizon} if np.isfinite(data.horizon) else {}
        return {"classes": list(data.classes)} | early


class ClassModel(ModelKind):
    """Ridge multinomial regression of several unordered classes; `coef` holds one row after another per class."""

    name, title = "classes", "Ridge multinomial regression."
    output, has_survival, has_classes, several = "Probability of each class", False, True, True

    @staticmethod
    def fit(x: FloatArray, data: LabelData, seed: int) -> dict[str, Any]:
        """Fit coefficients and intercepts of every class."""
        weights = class_weights(data.y) if data.balanced else None
        model = RidgeMultinomial(seed=seed).fit(x, data.y, sample_weight=weights)
        return {
            "coef": model.coef_.ravel(), "mean": model.mean_, "scale": model.scale_, "penalty": model.penalty_,
            "intercepts": model.intercept_,
        }  # fmt: skip

    @staticmethod
    def linear(z: FloatArray, coef: FloatArray, intercept: float, intercepts: FloatArray) -> FloatArray:  # noqa: ARG004
        """Return ``(n, K)`` log-probabilities up to a constant per row."""
        out: FloatArray = z @ coef.reshape(len(intercepts), -1).T + intercepts
        return out

    @staticmethod
    def prediction(linear: FloatArray, intercepts: FloatArray) -> FloatArray:  # noqa: ARG004
        """Return the probability of each class."""
        out: FloatArray = softmax(linear, axis=1)
        return out

    @staticmethod
    def sizes(p: int, classes: int) -> tuple[int, int]:
        """Return coefficients and intercepts: of every class."""
        return p * classes, classes

    @staticmethod
    def described(data: LabelData) -> dict[str, Any]:
        """Classes in the order of the coefficients."""
        return {"classes": list(data.classes)}


class OrderedModel(ModelKind):
    """Ridge proportional-odds regression of ascending classes; the intercepts are the thresholds."""

    name, title = "ordered", "Ridge proportional-odds regression."
    output, has_survival, has_classes, several, ascending = "Probability of each class", False, True, True, True

    @staticmethod
    def fit(x: FloatArray, data: LabelData, seed: int) -> dict[str, Any]:
        """Fit coefficients and thresholds."""
        weights = class_weights(data.y) if data.balanced else None
        model = RidgeOrdinal(seed=seed).fit(x, data.y, sample_weight=weights)
        return {
            "coef": model.coef_, "mean": model.mean_, "scale": model.scale_, "penalty": model.penalty_,
            "intercepts": model.thresholds_,
        }  # fmt: skip

    @staticmethod
    def prediction(linear: FloatArray, intercepts: FloatArray) -> FloatArray:
        """Return the probability of each class."""
        return ordinal.probabilities(linear, intercepts)

    @staticmethod
    def sizes(p: int, classes: int) -> tuple[int, int]:
        """Return coefficients, and a threshold between each two classes."""
        return p, classes - 1

    @staticmethod
    def described(data: LabelData) -> dict[str, Any]:
        """Classes, ascending."""
        return {"classes": list(data.classes)}


KINDS: dict[str, type[ModelKind]] = {kind.name: kind for kind in (SurvivalModel, LabelModel, ClassModel, OrderedModel)}


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
        return LabelModel if not data.many else OrderedModel if data.ordered else ClassModel
    raise EndpointError(f"Endpoint {data.name}: there is no model of {type(data).__name__} that can be kept.")

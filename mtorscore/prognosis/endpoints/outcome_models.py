"""Common interface for outcome models, so that association, negative controls and adjustment are written once.

A new kind of outcome is a class that follows `Outcome` and a line of `make_outcome`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, EndpointError, examples
from mtorscore.prognosis.endpoints.class_outcomes import contrasts_of
from mtorscore.prognosis.endpoints.endpoints import LabelData, SurvivalData
from mtorscore.prognosis.endpoints.labels import undeclared
from mtorscore.prognosis.endpoints.outcome_data import HAZARD_RATIO, ODDS_RATIO, OutcomeData, RatioColumns, reasons
from mtorscore.prognosis.statistics import cox, logistic, metrics, robust
from mtorscore.prognosis.statistics import score_test as _scoretest
from mtorscore.prognosis.statistics.concordance import Concordance, concordance, with_interval
from mtorscore.prognosis.statistics.cox import Fits
from mtorscore.prognosis.statistics.inference import Effects, profile, wald
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray, RiskSets
from mtorscore.prognosis.statistics.score_test import ScoreTest

Mask = npt.NDArray[Any]


class Outcome(Protocol):
    """Interface of an outcome for `associate`."""

    @property
    def effect(self) -> str:
        """What the exponentiated coefficient is."""
        ...

    @property
    def ratio_columns(self) -> RatioColumns:
        """Columns of a table of associations that hold the ratio and its interval."""
        ...

    @property
    def positive(self) -> str:
        """What a ratio above 1 means more of."""
        ...

    @property
    def horizon(self) -> float:
        """Horizon that the outcome was cut at; NaN where there is none."""
        ...

    @property
    def index(self) -> pd.Index:
        """Observations."""
        ...

    @property
    def n(self) -> int:
        """Number of observations."""
        ...

    @property
    def events(self) -> int:
        """Events, or the size of the smaller class."""
        ...

    @property
    def fractional_weights(self) -> bool:
        """Whether observations carry weights other than whole numbers, which leave likelihood ratios no chi-squared."""
        ...

    @property
    def one_time(self) -> bool:
        """Whether several events all fall on one time."""
        ...

    @property
    def has_firth(self) -> bool:
        """Whether `fit` knows Firth's penalty."""
        ...

    def details(self, x: FloatArray, coef: FloatArray) -> dict[str, Any]:
        """Further columns of the first covariate of one model ``(n, p)``, and ``notes``; empty for most kinds."""
        ...

    def take(self, keep: Mask) -> Outcome:
        """Return the observations under a mask."""
        ...

    def fit(self, x: FloatArray, **options: Any) -> Fits:
        """Fit B models on ``(n, p, B)`` covariates."""
        ...

    def proportionality(self, x: FloatArray, coef: FloatArray) -> float:
        """P-value of the proportional-hazards test of the first covariate; NaN where it does not apply."""
        ...

    def score_test(self, z: FloatArray | None, *, firth: bool = False) -> ScoreTest:
        """Return the score test of one covariate beside `z` ``(n, q)``."""
        ...

    def discrimination(
        self, predictor: FloatArray, multiplicities: FloatArray | None, level: float = 0.95
    ) -> Concordance:
        """Concordance of a linear predictor (the area under the ROC curve for a binary label)."""
        ...

    def discrimination_of_resamples(self, predictor: FloatArray, multiplicities: FloatArray) -> FloatArray:
        """``(R,)`` concordance in each of ``(R, n)`` resamples."""
        ...


@dataclass(frozen=True, eq=False)
class SurvivalOutcome:
    """Cox's model; optional strata, and clusters of observations for robust errors."""

    data: SurvivalData
    ties: str = "efron"
    strata: IntArray | None = None
    clusters: IntArray | None = None
    effect: str = "hazard ratio"
    ratio_columns: RatioColumns = HAZARD_RATIO
    fractional_weights: bool = False
    has_firth: bool = True
    has_subdistribution: bool = True

    @cached_property
    def risk(self) -> RiskSets:
        """Risk sets."""
        return RiskSets(self.data.time, self.data.event, self.data.entry, self.strata, ties=self.ties)

    @property
    def positive(self) -> str:
        """What a ratio above 1 means more of."""
        return self.data.positive

    @property
    def horizon(self) -> float:
        """Horizon that the outcome was cut at; NaN where there is none."""
        return self.data.horizon

    @property
    def index(self) -> pd.Index:
        """Observations."""
        return self.data.index

    @property
    def n(self) -> int:
        """Number of observations."""
        return self.data.n

    @property
    def events(self) -> int:
        """Number of events."""
        return self.data.n_events

    @property
    def one_time(self) -> bool:
        """Whether several events all fall on one time."""
        return self.events > 1 and len(np.unique(self.data.time[self.data.event])) == 1

    def take(self, keep: Mask) -> SurvivalOutcome:
        """Return the observations under a mask."""
        strata, clusters = (None if codes is None else codes[keep] for codes in (self.strata, self.clusters))
        return SurvivalOutcome(self.data.take(keep), self.ties, strata, clusters)

    @property
    def model_based(self) -> SurvivalOutcome:
        """The same with the errors of the model."""
        return self if self.clusters is None else replace(self, clusters=None)

    def fit(self, x: FloatArray, **options: Any) -> Fits:
        """Fit B models on ``(n, p, B)`` covariates; errors are robust where there are clusters, but with a penalty."""
        fit = cox.newton(self.risk, x, **options)
        if self.clusters is not None and x.shape[1] and not options.get("firth"):
            with np.errstate(all="ignore"):
                residuals = robust.cox_residuals(self.risk, x, fit.coef)
                fit.covariance = robust.sandwich(residuals, fit.covariance, self.clusters)
        return fit

    def proportionality(self, x: FloatArray, coef: FloatArray) -> float:
        """P-value of the score test of ``x * g(t)`` for the first covariate."""
        if self.events < 2:
            return float("nan")
        return float(cox.zph(self.risk, x, coef)[1][0])

    def details(self, x: FloatArray, coef: FloatArray) -> dict[str, Any]:  # noqa: ARG002
        """Return nothing further."""
        return {}

    def score_test(self, z: FloatArray | None, *, firth: bool = False) -> ScoreTest:
        """Return the score test of one covariate beside `z`."""
        eta = np.zeros(self.n)
        if z is not None:
            eta = z @ cox.newton(self.risk, z[:, :, None], firth=firth).coef[:, 0]
        return _scoretest.cox(self.risk, eta, z)

    def discrimination(
        self, predictor: FloatArray, multiplicities: FloatArray | None, level: float = 0.95
    ) -> Concordance:
        """Harrell's C."""
        d = self.data
        plain = concordance(predictor, d.time, d.event, d.entry, self.strata, clusters=self.clusters)
        if multiplicities is None or with_interval(plain, self.events, level):
            return plain
        return concordance(predictor, d.time, d.event, d.entry, self.strata, multiplicities=multiplicities, level=level)

    def discrimination_of_resamples(self, predictor: FloatArray, multiplicities: FloatArray) -> FloatArray:
        """``(R,)`` Harrell's C in each resample; entry times and strata are not looked at."""
        return metrics.harrell_c(self.data.time, self.data.event, predictor, multiplicities)


@dataclass(frozen=True, eq=False)
class BinaryOutcome:
    """Logistic model of a two-class label; optional clusters of observations for robust errors."""

    data: LabelData
    effect: str = "odds ratio"
    ratio_columns: RatioColumns = ODDS_RATIO
    clusters: IntArray | None = None
    has_firth: bool = True

    @property
    def positive(self) -> str:
        """What a ratio above 1 means more of."""
        return self.data.positive

    @property
    def horizon(self) -> float:
        """Horizon that the outcome was cut at; NaN where there is none."""
        return self.data.horizon

    @property
    def index(self) -> pd.Index:
        """Observations."""
        return self.data.index

    @property
    def n(self) -> int:
        """Number of observations with a weight above 0."""
        return int((self.data.weights > 0).sum())

    @property
    def events(self) -> int:
        """Size of the smaller class, among observations with a weight."""
        known = self.data.y[self.data.weights > 0]
        positive = int(known.sum())
        return min(positive, len(known) - positive)

    @property
    def fractional_weights(self) -> bool:
        """Whether observations carry weights other than whole numbers."""
        return bool((self.data.weights % 1 != 0).any())

    @property
    def one_time(self) -> bool:
        """Does not apply to labels."""
        return False

    def take(self, keep: Mask) -> BinaryOutcome:
        """Return the observations under a mask."""
        return replace(self, data=self.data.take(keep), clusters=None if self.clusters is None else self.clusters[keep])

    @property
    def model_based(self) -> BinaryOutcome:
        """The same with the errors of the model."""
        return self if self.clusters is None else replace(self, clusters=None)

    def fit(self, x: FloatArray, **options: Any) -> Fits:
        """Fit B models on ``(n, p, B)`` covariates; the intercept is the last coefficient."""
        if options.get("fixed") is not None:
            options["fixed"] = np.append(options["fixed"][: x.shape[1]], False)
        fit = logistic.newton(x, self.data.y.astype(np.float64), self.data.weights, **options)
        weights = self.data.weights
        weighted = bool(((weights != 0) & (weights != 1)).any())
        if (weighted or self.clusters is not None) and not options.get("firth"):
            # With inverse-probability weights the inverse information is not a variance; the sandwich estimator is.
            residuals = robust.logistic_residuals(x, self.data.y.astype(np.float64), weights, fit.coef)
            fit.covariance = robust.sandwich(residuals, fit.covariance, self.clusters)
        return fit

    def proportionality(self, x: FloatArray, coef: FloatArray) -> float:  # noqa: ARG002
        """Return NaN: the test does not apply to labels."""
        return float("nan")

    def details(self, x: FloatArray, coef: FloatArray) -> dict[str, Any]:  # noqa: ARG002
        """Return nothing further."""
        return {}

    def score_test(self, z: FloatArray | None, *, firth: bool = False) -> ScoreTest:
        """Return the score test of one covariate beside `z` and the intercept."""
        q = np.zeros((len(self.data.y), 0)) if z is None else z
        fit = logistic.newton(q[:, :, None], self.data.y.astype(np.float64), self.data.weights, firth=firth)
        eta = q @ fit.coef[:-1, 0] + fit.coef[-1, 0]
        return _scoretest.logistic(self.data.y, self.data.weights, eta, q)

    def discrimination(
        self, predictor: FloatArray, multiplicities: FloatArray | None, level: float = 0.95
    ) -> Concordance:
        """Area under the ROC curve, over observations with a weight (weighted pairs where weights differ)."""
        y, w = self.data.y, self.data.weights
        keep = w > 0
        # A positive is an event at time 0, a negative is censored at time 1: the pairs are the same.
        time = np.where(y == 1, 0.0, 1.0)
        if len(np.unique(w[keep])) == 1:
            clusters = None if self.clusters is None else self.clusters[keep]
            plain = concordance(predictor[keep], time[keep], y[keep] == 1, clusters=clusters)
            if multiplicities is None or with_interval(plain, self.events, level):
                return plain
        resample = None if multiplicities is None else multiplicities[:, keep] * w[keep]
        out = concordance(predictor[keep], time[keep], y[keep] == 1, multiplicities=resample, level=level)
        if len(np.unique(w[keep])) > 1:
            out.c = float(metrics.roc_auc(y[keep], predictor[keep], w[None, keep])[0])
        return out

    def discrimination_of_resamples(self, predictor: FloatArray, multiplicities: FloatArray) -> FloatArray:
        """``(R,)`` area under the ROC curve in each resample."""
        return metrics.roc_auc(self.data.y, predictor, multiplicities * self.data.weights)


def make_outcome(data: OutcomeData, ties: str = "efron", strata: IntArray | None = None) -> Outcome:
    """Return the outcome model of a resolved endpoint, refusing what holds nothing to learn from.

    Raises
    ------
    EndpointError
        If nobody is left, no event happened, or a label has not exactly two classes.
    """
    if data.n == 0:
        why = reasons(data, "the table is empty")
        raise EndpointError(f"Endpoint {data.name}: no observation is left ({why}).")
    if isinstance(data, SurvivalData):
        if data.n_events == 0:
            raise EndpointError(
                f"Endpoint {data.name}: none of the {data.n} observations has an event, so nothing can be related to "
                "it; check how events are coded, or leave the endpoint out."
            )
        return SurvivalOutcome(data, ties, strata)
    if not isinstance(data, LabelData):
        raise EndpointError(f"Endpoint {data.name}: there is no model of association for {type(data).__name__}.")
    present = [data.classes[i] for i in np.unique(data.y)]
    if data.many:
        raise EndpointError(
            f"Endpoint {data.name} has {len(data.classes)} classes ({examples(data.classes, 5)}), and this takes two; "
            "associate, evaluate, fit_model and validate take more. Otherwise name one class against the rest."
        )
    if len(data.classes) > 2 and len(present) > 2:
        raise EndpointError(undeclared(data.name, data.name, data.classes))
    if len(data.classes) != 2 or len(present) != 2:
        raise EndpointError(
            f"Endpoint {data.name}: a binary label is needed, and {len(present)} class(es) were found "
            f"({examples(present, 5)})."
        )
    return BinaryOutcome(data)


def make_outcomes(data: OutcomeData, ties: str = "efron") -> list[Outcome]:
    """Return the outcome models of a resolved endpoint: one, or (unordered classes) one per class but the reference.

    Raises
    ------
    EndpointError
        As `make_outcome`, or if fewer than two of several classes occur.
    """
    if isinstance(data, LabelData) and data.many and data.n:
        return list(contrasts_of(data))
    return [make_outcome(data, ties)]


def proportionalities(outcome: Outcome, x: FloatArray, coef: FloatArray) -> FloatArray:
    """P-values of `Outcome.proportionality` in B models, ``(n, p, B)`` and ``(p, B)``; NaN without an estimate."""
    if isinstance(outcome, SurvivalOutcome) and outcome.events >= 2:
        return cox.proportionality(outcome.risk, x, coef)
    known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(coef).all(axis=0))
    found = [outcome.proportionality(x[:, :, b], coef[:, b]) if known[b] else np.nan for b in range(x.shape[2])]
    return np.array(found, dtype=np.float64)


def score_tests(outcome: Outcome, beside: list[FloatArray], *, firth: bool) -> list[ScoreTest]:
    """Score tests of one covariate beside each of several ``(n, q)`` sets of covariates, fitted together."""
    if not isinstance(outcome, SurvivalOutcome):
        return [outcome.score_test(z, firth=firth) for z in beside]
    coef = cox.newton(outcome.risk, np.stack(beside, axis=2), firth=firth).coef
    return [_scoretest.cox(outcome.risk, z @ coef[:, b], z) for b, z in enumerate(beside)]


def estimate(outcome: Outcome, x: FloatArray, *, firth: bool, level: float = 0.95) -> Effects:
    """Effect of the first covariate in B models, Wald or (with Firth's penalty) profile likelihood.

    Models whose likelihood runs to infinity (separation) are returned as not usable by the Wald form.
    """
    if not firth or not outcome.has_firth:
        return wald(outcome.fit(x), level, df=_degrees(outcome))
    return profile(outcome.fit, x, level)


def _degrees(outcome: Outcome) -> float:
    """Degrees of freedom of a robust error: the clusters that hold an event, less one; infinite for model-based ones.

    With few of them a normal test errs too often (benchmarks/prognosis/coverage_calibration.py).
    """
    clusters: IntArray | None = getattr(outcome, "clusters", None)
    if clusters is None:
        return np.inf
    event = np.zeros(len(clusters), dtype=bool)
    if isinstance(outcome, SurvivalOutcome):
        event = outcome.data.event
    elif isinstance(outcome, BinaryOutcome):
        known = outcome.data.weights > 0
        event = known & (outcome.data.y == int(2 * outcome.data.y[known].mean() < 1))
    return max(float(len(np.unique(clusters[event])) - 1), 1.0)


def with_design(outcome: Outcome, strata: IntArray | None, clusters: IntArray | None) -> Outcome:
    """Return the outcome with ``(n,)`` codes of strata and of clusters for robust errors; None leaves it as it is.

    Raises
    ------
    DataError
        If this kind of outcome knows none.
    """
    if isinstance(outcome, SurvivalOutcome):
        return replace(outcome, strata=outcome.strata if strata is None else strata, clusters=clusters)
    if strata is not None:
        raise DataError("strata= is for survival; for a label adjust for the columns instead.")
    if isinstance(outcome, BinaryOutcome):
        return replace(outcome, clusters=clusters)
    raise DataError("Robust and clustered errors are for survival and for labels of two classes.")


def has_leverage(outcome: Outcome) -> bool:
    """Whether `leverage` is defined."""
    return isinstance(outcome, SurvivalOutcome | BinaryOutcome)


def leverage(outcome: Outcome, x: FloatArray) -> FloatArray:
    """``(n, B)`` dfbetas of the first covariate of B models ``(n, p, B)``, in standard errors of the model."""
    with np.errstate(all="ignore"):
        if isinstance(outcome, SurvivalOutcome):
            fit = outcome.model_based.fit(x)
            return robust.influence(robust.cox_residuals(outcome.risk, x, fit.coef), fit.covariance)
        if isinstance(outcome, BinaryOutcome):
            fit = outcome.model_based.fit(x)
            y, w = outcome.data.y.astype(np.float64), outcome.data.weights
            return robust.influence(robust.logistic_residuals(x, y, w, fit.coef), fit.covariance)
    return np.full((len(x), x.shape[2]), np.nan)

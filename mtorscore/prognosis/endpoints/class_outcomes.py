"""Outcome models of labels with more than two classes: proportional odds, and each class against the reference."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from mtorscore.errors import EndpointError, examples
from mtorscore.prognosis.endpoints.labels import LabelData
from mtorscore.prognosis.endpoints.outcome_data import ODDS_RATIO, RatioColumns
from mtorscore.prognosis.statistics import logistic, metrics, ordinal
from mtorscore.prognosis.statistics import score_test as _scoretest
from mtorscore.prognosis.statistics.concordance import Concordance, concordance, with_interval
from mtorscore.prognosis.statistics.cox import Fits
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray
from mtorscore.prognosis.statistics.score_test import ScoreTest

__all__ = ["ClassOutcome", "OrdinalOutcome", "contrasts_of"]

NOT_PROPORTIONAL = 0.01
"""A smaller p-value of the test of proportional odds is mentioned: the ratio is then an average over the cuts."""


@dataclass(frozen=True, eq=False)
class OrdinalOutcome:
    """Proportional-odds model of an ordered label; classes that nobody has are passed over."""

    data: LabelData
    effect: str = "proportional odds ratio"
    ratio_columns: RatioColumns = ODDS_RATIO
    fractional_weights: bool = False
    one_time: bool = False
    has_firth: bool = False
    horizon: float = float("nan")

    @cached_property
    def y(self) -> IntArray:
        """``(n,)`` codes over the classes that occur."""
        return np.unique(self.data.y, return_inverse=True)[1].astype(np.int64)

    @property
    def classes(self) -> int:
        """Classes that occur."""
        return int(self.y.max(initial=0)) + 1

    @property
    def positive(self) -> str:
        """What a ratio above 1 means more of."""
        return f"a higher class ({' < '.join(self.data.classes)})"

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
        """Observations outside of the commonest class."""
        return int(self.n - self.data.counts.max(initial=0))

    def take(self, keep: npt.NDArray[Any]) -> OrdinalOutcome:
        """Return the observations under a mask."""
        return OrdinalOutcome(self.data.take(keep))

    def fit(self, x: FloatArray, **options: Any) -> Fits:  # noqa: ARG002 (there is no Firth penalty here)
        """Fit B models on ``(n, p, B)`` covariates; thresholds are the last coefficients."""
        return ordinal.newton(x, self.y, self.classes)

    def proportionality(self, x: FloatArray, coef: FloatArray) -> float:  # noqa: ARG002
        """Return NaN: there are no hazards."""
        return float("nan")

    def details(self, x: FloatArray, coef: FloatArray) -> dict[str, Any]:  # noqa: ARG002
        """Test whether the odds ratio of the first covariate is one over the cuts."""
        fit = self.fit(x[:, :, None])
        p = ordinal.proportionality(x, self.y, fit.coef[:, 0]) if fit.converged[0] else float("nan")
        notes = ["odds are not proportional: the ratio is an average over the cuts"] if p < NOT_PROPORTIONAL else []
        return {"proportional_p": p, "notes": notes}

    def score_test(self, z: FloatArray | None, *, firth: bool = False) -> ScoreTest:  # noqa: ARG002
        """Return the score test of one covariate beside `z` and the thresholds."""
        q = np.zeros((self.n, 0)) if z is None else z
        return ordinal.score_test(self.y, self.fit(q[:, :, None]).coef[:, 0], q)

    def discrimination(
        self, predictor: FloatArray, multiplicities: FloatArray | None, level: float = 0.95
    ) -> Concordance:
        """Share of pairs of two classes put in the right order."""
        # A higher class is an earlier event, and everybody beyond the lowest has one: the pairs are the same.
        time = (self.data.y.max(initial=0) - self.data.y).astype(np.float64)
        event = self.data.y > self.data.y.min(initial=0)
        plain = concordance(predictor, time, event)
        if multiplicities is None or with_interval(plain, self.events, level):
            return plain
        values = self.discrimination_of_resamples(predictor, multiplicities)
        values = values[np.isfinite(values)]
        if len(values):
            plain.low, plain.high = (float(q) for q in np.quantile(values, [0.5 - level / 2, 0.5 + level / 2]))
        return plain

    def discrimination_of_resamples(self, predictor: FloatArray, multiplicities: FloatArray) -> FloatArray:
        """``(R,)`` concordance in each resample."""
        return metrics.ordinal_c(self.data.y, predictor, multiplicities)


@dataclass(frozen=True, eq=False)
class ClassOutcome:
    """One class against the reference in a multinomial model of all classes.

    Few observations ask for Firth's penalty, which is that of the logistic model of the two classes alone (Begg and
    Gray); so are the score test of random signatures, and the concordance.
    """

    data: LabelData
    k: int
    ratio_columns: RatioColumns = ODDS_RATIO
    fractional_weights: bool = False
    one_time: bool = False
    has_firth: bool = True
    horizon: float = float("nan")

    @property
    def reference(self) -> str:
        """Class that all others are compared with."""
        return self.data.classes[0]

    @property
    def effect(self) -> str:
        """What the exponentiated coefficient is."""
        return f"odds ratio against {self.reference}"

    @property
    def positive(self) -> str:
        """What a ratio above 1 means more of."""
        return self.data.classes[self.k]

    @property
    def index(self) -> pd.Index:
        """Observations."""
        return self.data.index

    @property
    def n(self) -> int:
        """Number of observations of all classes."""
        return self.data.n

    @property
    def events(self) -> int:
        """Size of the smaller of the two classes."""
        counts = self.data.counts
        return int(min(counts[self.k], counts[0]))

    @cached_property
    def pair(self) -> tuple[FloatArray, FloatArray]:
        """``(n,)`` whether of the class, and weights that are 1 for the two classes alone."""
        y = self.data.y
        return (y == self.k).astype(np.float64), ((y == self.k) | (y == 0)).astype(np.float64)

    def take(self, keep: npt.NDArray[Any]) -> ClassOutcome:
        """Return the observations under a mask."""
        return ClassOutcome(self.data.take(keep), self.k)

    def fit(self, x: FloatArray, **options: Any) -> Fits:
        """Fit B models on ``(n, p, B)`` covariates; the intercept is the last coefficient."""
        if options.get("firth"):
            if options.get("fixed") is not None:
                options["fixed"] = np.append(options["fixed"][: x.shape[1]], False)
            target, weights = self.pair
            return logistic.newton(x, target, weights, **options)
        present, y = np.unique(self.data.y, return_inverse=True)
        fit = logistic.multinomial(x, y.astype(np.int64), len(present))
        return logistic.block_of(fit, int(np.flatnonzero(present == self.k)[0]), x.shape[1])

    def proportionality(self, x: FloatArray, coef: FloatArray) -> float:  # noqa: ARG002
        """Return NaN: there are no hazards."""
        return float("nan")

    def details(self, x: FloatArray, coef: FloatArray) -> dict[str, Any]:  # noqa: ARG002
        """Test the first covariate for all classes together, by likelihood ratio."""
        present, y = np.unique(self.data.y, return_inverse=True)
        fits = [logistic.multinomial(m[:, :, None], y.astype(np.int64), len(present)) for m in (x, x[:, 1:])]
        p = float("nan")
        if all(f.converged[0] for f in fits):
            p = float(stats.chi2.sf(2 * float(fits[0].loglik[0] - fits[1].loglik[0]), len(present) - 1))
        return {"against": self.reference, "overall_p": p, "notes": []}

    def score_test(self, z: FloatArray | None, *, firth: bool = False) -> ScoreTest:
        """Return the score test of one covariate beside `z`, between the two classes."""
        target, weights = self.pair
        q = np.zeros((self.n, 0)) if z is None else z
        fit = logistic.newton(q[:, :, None], target, weights, firth=firth)
        return _scoretest.logistic(target.astype(np.int64), weights, q @ fit.coef[:-1, 0] + fit.coef[-1, 0], q)

    def discrimination(
        self, predictor: FloatArray, multiplicities: FloatArray | None, level: float = 0.95
    ) -> Concordance:
        """Area under the ROC curve of the class against the reference."""
        target, weights = self.pair
        keep = weights > 0
        time, event = np.where(target[keep] == 1, 0.0, 1.0), target[keep] == 1
        plain = concordance(predictor[keep], time, event)
        if multiplicities is None or with_interval(plain, self.events, level):
            return plain
        return concordance(predictor[keep], time, event, multiplicities=multiplicities[:, keep], level=level)

    def discrimination_of_resamples(self, predictor: FloatArray, multiplicities: FloatArray) -> FloatArray:
        """``(R,)`` area under the ROC curve in each resample."""
        target, weights = self.pair
        return metrics.roc_auc(target.astype(np.int64), predictor, multiplicities * weights)


def contrasts_of(data: LabelData) -> list[ClassOutcome] | list[OrdinalOutcome]:
    """Return the outcome models of a label with more than two classes.

    Raises
    ------
    EndpointError
        If fewer than two classes occur, or the reference class does not.
    """
    present = [k for k, count in enumerate(data.counts) if count]
    named = [data.classes[k] for k in present]
    if len(present) < 2:
        raise EndpointError(
            f"Endpoint {data.name}: {len(present)} of its {len(data.classes)} classes occur(s) ({examples(named)}) "
            f"among {data.n} observations; two at least are needed."
        )
    if data.ordered:
        return [OrdinalOutcome(data)]
    if present[0] != 0:
        raise EndpointError(
            f"Endpoint {data.name}: nobody is of the reference class {data.classes[0]} ({examples(named)} occur); name "
            "another one first in classes=."
        )
    return [ClassOutcome(data, k) for k in present[1:]]

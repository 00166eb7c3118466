"""The public estimators keep scikit-learn's contract; what cannot be kept is listed with its reason."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from mtorscore.errors import DataError, EndpointError
from mtorscore.prognosis import ClinicalEncoder, RidgeCox, RidgeLogistic, survival_target


class CoxOnNumbers(RidgeCox):
    """scikit-learn's checks hand over numbers; they become times, and those that are not the least become events."""

    def fit(self, X: Any, y: Any, groups: Any = None, competing: Any = None) -> RidgeCox:
        if y is None:
            return super().fit(X, y, groups, competing)
        numbers = pd.factorize(np.asarray(y).ravel(), sort=True)[0].astype(np.float64)
        return super().fit(X, survival_target(numbers + 1, numbers == numbers), groups, competing)


def cannot_pass(estimator: Any) -> dict[str, str]:
    """Return the checks that an estimator does not pass, each with the reason."""
    if isinstance(estimator, RidgeLogistic):
        why = "covariates are standardised without the weights, and inner folds deal out rows, whatever they weigh"
        return {"check_sample_weight_equivalence_on_dense_data": why}
    return {}


ESTIMATORS = [RidgeLogistic(), CoxOnNumbers(), ClinicalEncoder()]


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=cannot_pass)
def test_estimators_keep_the_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def test_two_classes_are_the_most_and_the_tags_say_so() -> None:
    tags = get_tags(RidgeLogistic())
    assert tags.estimator_type == "classifier"
    assert not tags.classifier_tags.multi_class
    assert tags.target_tags.required
    assert get_tags(RidgeCox()).target_tags.required
    assert get_tags(ClinicalEncoder()).input_tags.allow_nan
    x = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(EndpointError, match="there are 3 "):
        RidgeLogistic().fit(x, np.arange(30) % 3)


def test_parameters_are_the_same_for_both_ridge_models() -> None:
    assert inspect.signature(RidgeCox) == inspect.signature(RidgeLogistic)


@pytest.mark.parametrize("target", [np.arange(30), np.zeros(30, dtype=[("time", float)]), [1] * 30])
def test_a_survival_model_asks_for_event_and_time(target: Any) -> None:
    x = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(DataError, match="fields event and time"):
        RidgeCox().fit(x, target)
    with pytest.raises(DataError, match="29 outcomes for 30 observations"):
        RidgeCox().fit(x, survival_target(np.arange(29.0) + 1, np.ones(29, dtype=bool)))


@pytest.mark.parametrize("weights", [np.zeros(30), np.ones(29), np.full(30, -1.0), np.full(30, np.nan)])
def test_weights_that_weigh_nothing_are_refused(weights: Any) -> None:
    x = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(DataError, match="sample_weight"):
        RidgeLogistic().fit(x, np.arange(30) % 2, sample_weight=weights)


def test_columns_are_compared_by_name() -> None:
    rng = np.random.default_rng(1)
    x = pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])
    model = RidgeCox().fit(x, survival_target(rng.exponential(size=40), np.ones(40, dtype=bool)))
    with pytest.raises(DataError, match="feature names"):
        model.predict(x[["b", "a"]])
    mixed = x.set_axis(["a", 1], axis=1)
    same = RidgeCox().fit(mixed, survival_target(rng.exponential(size=40), np.ones(40, dtype=bool)))
    assert np.isfinite(same.predict(mixed)).all()
    table = pd.DataFrame({"age": [50.0, 60.0, np.nan], "sex": ["f", "m", "f"]})
    encoder = ClinicalEncoder().fit(table)
    assert (encoder.transform(table[["sex", "age"]]) == encoder.transform(table)).all()

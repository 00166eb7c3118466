"""Imputation by regression, inside the folds and in the frozen model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from mtorscore.errors import DataError, FormatError
from mtorscore.prognosis import ClinicalEncoder, Endpoint, evaluate, fit_model, load_model, validate
from mtorscore.prognosis.endpoints.imputation_model import JointNormal
from mtorscore.prognosis.models.model_file import ARRAYS, FURTHER
from mtorscore.prognosis.models.model_header import checked_fields, header_of

ENDPOINT = Endpoint.survival("t", "e", unit="years")


def cohort(seed: int, n: int = 200, share: float = 0.4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Size tells most of the hazard, is often missing, and is known from weight."""
    rng = np.random.default_rng(seed)
    size = rng.normal(50, 10, n)
    weight = 0.5 * size + rng.normal(0, 1.5, n)
    t, c = rng.exponential(np.exp(-0.12 * (size - 50))), rng.exponential(2, n)
    clinical = pd.DataFrame({"t": np.minimum(t, c), "e": (t <= c).astype(int), "size": size, "weight": weight}).assign(
        sex=rng.choice(["f", "m"], n)
    )
    clinical["size"] = clinical["size"].where(rng.random(n) > share)
    clinical.index = [f"P{seed}_{i}" for i in range(n)]
    return pd.DataFrame({"A": rng.normal(size=n)}, clinical.index), clinical


def test_the_joint_normal_is_the_maximum_of_the_observed_likelihood() -> None:
    rng = np.random.default_rng(0)
    x = rng.multivariate_normal([1.0, 2.0], [[1.0, 0.8], [0.8, 2.0]], 300)
    x[rng.random(300) < 0.4, 1] = np.nan
    found = JointNormal.learn(x)

    def minus(theta: np.ndarray) -> float:
        mean, root = theta[:2], np.array([[np.exp(theta[2]), 0.0], [theta[3], np.exp(theta[4])]])
        covariance = root @ root.T
        both = np.isfinite(x[:, 1])
        z = x[both] - mean
        out = 0.5 * np.einsum("ni,ij,nj->", z, np.linalg.inv(covariance), z) + 0.5 * both.sum() * np.log(np.linalg.det(covariance))  # fmt: skip  # noqa: E501
        alone = x[~both, 0] - mean[0]
        return float(out + 0.5 * (alone**2).sum() / covariance[0, 0] + 0.5 * len(alone) * np.log(covariance[0, 0]))

    best = minimize(minus, np.array([1.0, 2.0, 0.0, 0.5, 0.0]), method="BFGS").x
    assert_allclose(found.mean, best[:2], atol=5e-3)
    # What is missing is the regression on what is known.
    row = np.array([[2.0, np.nan]])
    slope = found.covariance[0, 1] / found.covariance[0, 0]
    assert_allclose(found.fill(row)[0, 1], found.mean[1] + slope * (2.0 - found.mean[0]))
    assert_allclose(found.fill(np.array([[np.nan, np.nan]]))[0], found.mean)


def test_regression_recovers_what_the_median_cannot() -> None:
    x, clinical = cohort(0, 400)
    truth = cohort(0, 400, share=0.0)[1]["size"]
    gone = clinical["size"].isna().to_numpy()
    columns = clinical[["size", "weight", "sex"]]
    by_median = ClinicalEncoder().fit(columns).transform(columns)[:, 0]
    by_regression = ClinicalEncoder("regression").fit(columns).transform(columns)[:, 0]
    errors = [np.abs(v[gone] - truth[gone]).mean() for v in (by_median, by_regression)]
    assert errors[1] < 0.5 * errors[0]
    assert_allclose(by_regression[~gone], truth[~gone])
    with pytest.raises(DataError, match="Unknown imputation"):
        ClinicalEncoder("mean").fit(columns)
    assert len(x) == 400


def test_imputation_is_learned_in_the_training_part_alone() -> None:
    x, clinical = cohort(1)
    encoder = ClinicalEncoder("regression").fit(clinical[["size", "weight"]].iloc[:100])
    other = clinical[["size", "weight"]].iloc[100:].copy()
    first = encoder.transform(other.iloc[:1])
    changed = other.copy()
    changed.iloc[1:, 0] = 900.0
    assert_allclose(encoder.transform(changed.iloc[:1]), first)
    results = [
        evaluate(None, x, clinical, ENDPOINT, ["size", "weight"], n_splits=3, n_repeats=1, n_boot=0, impute=how)
        for how in ("median", "regression")
    ]
    c = [r.summary.set_index(["model", "metric"]).loc[("clinical", "harrell_c"), "value"] for r in results]
    assert c[0] != c[1]
    assert any("predicted from the other clinical columns" in n for n in results[1].notes)
    assert any("training folds' median" in n for n in results[0].notes)


def test_a_frozen_model_imputes_as_its_training_did(tmp_path: Path) -> None:
    x, clinical = cohort(2)
    model = fit_model(x, clinical, ENDPOINT, ["size", "weight", "sex"], impute="regression")
    path = model.save(tmp_path / "m.mtorscore")
    again = load_model(path)
    other, new = cohort(3)
    assert_allclose(again.linear_predictor(other, new), model.linear_predictor(other, new))
    one = new.iloc[[int(np.flatnonzero(new["size"].isna())[0])]]
    heavy, light = (one.assign(weight=w) for w in (35.0, 15.0))
    features = [again.features(other.loc[one.index], c)["size"].iloc[0] for c in (heavy, light)]
    assert features[0] > features[1] + 10
    notes = validate(again, other, new, n_boot=5).notes
    assert any("size is missing" in n and "as learned in the training cohort" in n for n in notes)
    plain = fit_model(x, clinical, ENDPOINT, ["size", "weight", "sex"])
    assert "imputation" not in plain.training


def test_a_broken_imputation_in_a_file_is_refused() -> None:
    x, clinical = cohort(2)
    model = fit_model(x, clinical, ENDPOINT, ["size", "weight"], impute="regression")
    header = header_of(model, asdict(model.endpoint))
    arrays = {k: getattr(model, k) for k in (*ARRAYS, *FURTHER)}
    checked_fields(header, arrays, Path("m"))
    header["training"]["imputation"][1] = [1.0, 5.0]
    with pytest.raises(FormatError, match="imputation"):
        checked_fields(header, arrays, Path("m"))


def test_rare_levels_are_named_where_ridge_shrinks_them() -> None:
    x, clinical = cohort(4)
    clinical["site"] = ["a"] * 120 + ["b"] * 77 + ["c"] * 3
    result = evaluate(None, x, clinical, ENDPOINT, ["site"], n_splits=2, n_repeats=1, n_boot=0)
    assert any(
        "1 level(s) of site have fewer than 5 patients (c): the ridge penalty shrinks" in n for n in result.notes
    )

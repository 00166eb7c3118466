"""Multiple imputation: Rubin's rules, and an adjusted ratio that complete cases get wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore.errors import DataError
from mtorscore.prognosis import Endpoint, associate, associate_imputed
from mtorscore.prognosis.association.imputation import pool
from tests.prognosis.simulate import survival_table

ENDPOINT = Endpoint.survival("time", "event")


def cohort(seed: int, n: int = 300) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    x = 0.6 * z + 0.8 * rng.normal(size=n)
    clinical = survival_table(0.5 * x + 0.8 * z, rng, events=0.6).assign(grade=z)
    return pd.DataFrame({"A": x}, index=clinical.index), clinical


def test_rubins_rules_by_hand() -> None:
    coef, se = np.array([0.4, 0.6, 0.5]), np.array([0.2, 0.2, 0.2])
    mean, error, df, share = pool(coef, se, 1e9)
    assert_allclose([mean, error], [0.5, np.sqrt(0.04 + 4 / 3 * 0.01)])
    assert_allclose(share, (4 / 3 * 0.01) / (0.04 + 4 / 3 * 0.01))
    assert_allclose(df, 2 / share**2, rtol=1e-6)


def test_nothing_missing_is_the_plain_model() -> None:
    scores, clinical = cohort(1)
    plain = associate(scores, clinical, ENDPOINT, adjust=["grade"], negative_controls=(), n_boot=0).iloc[1]
    imputed = associate_imputed(scores, clinical, ENDPOINT, ["grade"], n_imputations=3).iloc[0]
    assert imputed["missing"] == 0
    assert imputed["fraction_missing"] == 0
    for column in ("hr", "hr_low", "hr_high", "p"):
        assert imputed[column] == pytest.approx(plain[column], rel=1e-8), column
    assert imputed["valid"]


@pytest.mark.slow
def test_imputation_is_nearer_the_whole_data_than_complete_cases() -> None:
    """The covariate is missing more often with a high score and an event: complete cases are a biased sample."""
    worse, better, widths = [], [], []
    for seed in range(6):
        scores, clinical = cohort(seed)
        whole = np.log(associate_imputed(scores, clinical, ENDPOINT, ["grade"], n_imputations=2)["hr"][0])
        rng = np.random.default_rng(100 + seed)
        gone = rng.random(len(clinical)) < np.where((scores["A"] > 0) & (clinical["event"] == 1), 0.75, 0.05)
        clinical.loc[gone, "grade"] = np.nan
        complete = associate(scores, clinical, ENDPOINT, adjust=["grade"], negative_controls=(), n_boot=0).iloc[1]
        imputed = associate_imputed(scores, clinical, ENDPOINT, ["grade"], n_imputations=10, seed=seed).iloc[0]
        assert imputed["n"] == 300
        assert imputed["missing"] == gone.sum()
        worse.append(np.log(complete["hr"]) - whole)
        better.append(np.log(imputed["hr"]) - whole)
        widths.append(imputed["fraction_missing"])
    assert abs(np.mean(better)) < 0.5 * abs(np.mean(worse))
    assert min(widths) > 0.02


def test_unusable_input() -> None:
    scores, clinical = cohort(2, 60)
    with pytest.raises(DataError, match="two imputations"):
        associate_imputed(scores, clinical, ENDPOINT, ["grade"], n_imputations=1)
    with pytest.raises(DataError, match="None of the columns"):
        associate_imputed(scores, clinical.assign(grade=np.nan), ENDPOINT, ["grade"])
    row = associate_imputed(scores.assign(A=1.0), clinical, ENDPOINT, ["grade"]).iloc[0]
    assert row["reason"] == "the score is constant"
    assert not row["valid"]

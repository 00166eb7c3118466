"""Measured signalling beside transcripts, and what follows for the grades of the library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.readout.rppa import AXES, COHORTS, axes, measured


@pytest.mark.parametrize(("cohort", "tumours"), [("CHOL", 30), ("STAD", 32), ("UVM", 12), ("DLBC", 12)])
def test_both_layers_are_of_the_same_tumours(shared: Path, cohort: str, tumours: int) -> None:
    one = next(measured(shared, {cohort: COHORTS[cohort]}))
    assert one.rna.n_obs == len(one.protein) == tumours
    assert list(one.rna.obs_names) == list(one.protein.index)
    assert one.rna.obs_names.is_unique
    assert {"FASN", "SCD", "RPS6"} <= set(one.rna.var_names)
    assert {site for sites in AXES.values() for site in sites} <= set(one.protein.columns)
    rho = stats.spearmanr(one.rna[:, "EIF4EBP1"].X.ravel(), one.protein["4E-BP1"]).statistic
    assert rho > 0.2  # a check of the pairing


def test_the_liver_tumours_and_their_axes(shared: Path) -> None:
    one = next(measured(shared, {"LIHC": "HCC"}))
    assert one.protein.shape == (71, 219)
    for gene, antibody, known in (("EIF4EBP1", "4E-BP1", 0.70), ("ACACA", "ACC1", 0.64), ("FASN", "FASN", 0.59)):
        rho = stats.spearmanr(one.rna[:, gene].X.ravel(), one.protein[antibody]).statistic
        assert abs(rho - known) < 0.015, gene
    two = one.protein[list(AXES["pS6"])]
    assert abs(stats.spearmanr(two).statistic - 0.40) < 0.01
    assert np.allclose(axes(one.protein)["pS6"], two.mean(axis=1))

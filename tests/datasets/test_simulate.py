from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import anndata
import numpy as np
import pandas as pd
import pytest

from mtorscore.collection import SignatureCollection
from mtorscore.datasets import draw_outcomes, simulate_cohort
from mtorscore.datasets._outcomes import expected_residual
from mtorscore.errors import DataError
from tests.conftest import peer


@pytest.fixture(scope="module")
def cohort(branches: SignatureCollection) -> anndata.AnnData:
    return simulate_cohort(300, 40, seed=1, signatures=branches, n_genes=2500)


def mean_log_z(adata: anndata.AnnData, genes: tuple[str, ...]) -> np.ndarray:
    counts = adata.to_df()
    logged = np.log2(counts.div(counts.sum(axis=1), axis=0) * 1e6 + 1)[list(genes)]
    return np.asarray(((logged - logged.mean()) / logged.std()).mean(axis=1))


def log_rank_statistics(x: np.ndarray, time: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Cox score statistic of x for each row of outcomes, chi-squared with one degree of freedom under the null."""
    out = np.empty(len(time))
    for k in range(len(time)):
        order = np.lexsort((-event[k], time[k]))[::-1]
        xs, died = x[order], event[k][order] == 1
        at_risk = np.arange(1, len(x) + 1)
        mean = np.cumsum(xs) / at_risk
        variance = np.cumsum(xs * xs) / at_risk - mean * mean
        out[k] = ((xs - mean)[died].sum()) ** 2 / variance[died].sum()
    return out


def test_shape_and_columns(cohort: anndata.AnnData, branches: SignatureCollection) -> None:
    assert cohort.shape == (340, 2500)
    assert cohort.X.dtype == np.int32
    assert cohort.X.min() >= 0
    assert {g for s in branches for g in s.genes} <= set(cohort.var_names)
    assert cohort.var_names.is_unique
    wanted = ["patient", "sample_type", "OS", "OS.time", "PFI", "PFI.time", "recurrence_24m", "age", "sex", "stage"]
    assert list(cohort.obs.columns)[:10] == wanted
    assert cohort.obs["sample_type"].value_counts().to_dict() == {"tumour": 300, "normal": 40}
    assert cohort.obs.loc[cohort.obs["sample_type"] == "normal", "OS"].isna().all()


def test_is_labelled_as_simulated(cohort: anndata.AnnData) -> None:
    assert cohort.uns["source"]["kind"] == "simulated"
    assert "SIMULATED" in cohort.uns["source"]["description"]
    assert cohort.obs["simulated"].all()
    assert cohort.obs_names.str.startswith("SIM-").all()


def test_same_seed_same_cohort_other_seed_same_biology(branches: SignatureCollection) -> None:
    first, again, other = (
        simulate_cohort(60, 5, seed=s, signatures=branches, n_genes=600) for s in (3, 3, 4)
    )  # fmt: skip
    assert np.array_equal(first.X, again.X)
    pd.testing.assert_frame_equal(first.obs, again.obs)
    assert not np.array_equal(first.X, other.X)
    pd.testing.assert_frame_equal(first.uns["truth"]["loadings"], other.uns["truth"]["loadings"])


def test_counts_look_like_bulk_rna_seq(cohort: anndata.AnnData) -> None:
    counts = cohort.to_df()
    libraries = counts.sum(axis=1)
    assert 1.2e7 < libraries.median() < 1.8e7
    assert 0.25 < np.log(libraries).std() < 0.45
    assert counts.mean().idxmax() == "ALB"
    tumours = counts[cohort.obs["sample_type"] == "tumour"]
    scaled = tumours.div(tumours.sum(axis=1), axis=0) * libraries.median()
    mean, variance = scaled.mean(), scaled.var()
    seen = mean > 5
    dispersion = (variance - mean)[seen] / mean[seen] ** 2
    low, high = dispersion[mean[seen] < 50].median(), dispersion[mean[seen] > 5000].median()
    assert low > 1.3 * high
    assert 0.05 < high < 0.5


def test_activities_reach_the_genes_in_the_direction_of_the_sign(
    cohort: anndata.AnnData, branches: SignatureCollection
) -> None:
    tumours = cohort[cohort.obs["sample_type"] == "tumour"]
    latent = cohort.uns["truth"]["latent"].loc[tumours.obs_names]
    for name, factor, sign in (
        ("LIPOGENIC", "srebp1", 1), ("LYSOSOME", "autophagy_tfeb", -1), ("PROLIFERATION", "proliferation", 1),
        ("STROMA", "purity", -1), ("HEPATOCYTE_IDENTITY", "maturity", 1),
    ):  # fmt: skip
        r = np.corrcoef(mean_log_z(tumours, branches[name].genes), latent[factor])[0, 1]
        assert sign * r > 0.7, (name, r)


def test_stated_correlations(branches: SignatureCollection) -> None:
    cohort = simulate_cohort(400, 0, confounding=0.5, signatures=branches, n_genes=400)
    latent = cohort.uns["truth"]["latent"]
    correlation = latent[["proliferation", "purity", "srebp1", "autophagy_tfeb"]].corr()
    assert np.allclose(correlation.loc["proliferation"].drop("proliferation"), 0.5, atol=0.06)
    assert np.allclose(correlation.loc["purity", ["srebp1", "autophagy_tfeb"]], 0.25, atol=0.08)
    free = simulate_cohort(400, 0, confounding=0.0, signatures=branches, n_genes=400).uns["truth"]
    r = free["latent"][["proliferation", "purity", "stage_number", "srebp1", "srebp2", "autophagy_tfeb", "s6k"]].corr()
    assert np.abs(r.loc["proliferation", ["purity", "srebp1", "srebp2", "autophagy_tfeb", "s6k"]]).max() < 1e-10
    assert np.abs(r.loc["stage_number", ["srebp1", "srebp2", "autophagy_tfeb", "s6k"]]).max() < 1e-10
    assert np.allclose(np.abs(r.loc["srebp1", ["srebp2", "autophagy_tfeb", "s6k"]]), 1 / np.sqrt(400), rtol=0.4)
    moved = expected_residual(free["hazard"]["log_hazard_ratio"].to_numpy(), free["parameters"])
    chance = [abs(np.corrcoef(free["latent"][b], moved)[0, 1]) for b in ("srebp2", "autophagy_tfeb", "s6k")]
    assert np.allclose(chance, 1.1 / np.sqrt(400), rtol=0.1)
    both = simulate_cohort(400, 0, confounding={"purity": 0.6}, signatures=branches, n_genes=400)
    assert abs(both.uns["truth"]["latent"][["purity", "s6k"]].corr().iloc[0, 1] - 0.6) < 0.06


def test_hazard_is_the_stated_one(branches: SignatureCollection) -> None:
    CoxPHFitter = peer("lifelines").CoxPHFitter

    cohort = simulate_cohort(
        3000, 0, seed=2, log_hazard=0.7, confounder_hazard=0.3, stage_hazard=0.2, signatures=branches, n_genes=200
    )
    latent = cohort.uns["truth"]["latent"][["srebp1", "proliferation", "stage_number", "autophagy_tfeb"]]
    table = latent.join(cohort.obs[["OS", "OS.time"]])
    fit = CoxPHFitter().fit(table, "OS.time", "OS")
    truth = pd.Series({"srebp1": 0.7, "proliferation": 0.3, "stage_number": 0.2, "autophagy_tfeb": 0.0})
    assert (np.abs(fit.params_ - truth) < 3.5 * fit.standard_errors_).all()
    assert fit.standard_errors_.max() < 0.05
    hazard = cohort.uns["truth"]["hazard"]["log_hazard_ratio"]
    assert np.allclose(hazard, latent.to_numpy() @ truth.to_numpy() - 0.4)


def test_outcomes_are_consistent(cohort: anndata.AnnData) -> None:
    obs = cohort.obs[cohort.obs["sample_type"] == "tumour"]
    assert (obs["OS.time"] >= 1).all()
    assert (obs["PFI.time"] <= obs["OS.time"]).all()
    assert (obs.loc[obs["OS"] == 1, "PFI"] == 1).all()
    assert 0.25 < obs["OS"].mean() < 0.6
    early = (obs["PFI"] == 1) & (obs["PFI.time"] <= 730)
    assert (obs.loc[early, "recurrence_24m"] == 1).all()
    assert (obs.loc[obs["PFI.time"] > 730.5, "recurrence_24m"] == 0).all()
    assert obs.loc[(obs["PFI"] == 0) & (obs["PFI.time"] <= 730), "recurrence_24m"].isna().all()


def test_redrawn_outcomes(cohort: anndata.AnnData) -> None:
    draws = draw_outcomes(cohort, 50, seed=5)
    assert len(draws) == 50
    assert draws.os.shape == (50, 300)
    again = draw_outcomes(cohort, 50, seed=5)
    assert np.array_equal(draws.os_time, again.os_time)
    frame = draws.frame(7)
    assert list(frame.index) == [n for n in cohort.obs_names if n.endswith("-T")]
    assert np.array_equal(frame["OS.time"], draws.os_time[7])
    strong = draw_outcomes(cohort, 50, seed=5, log_hazard=1.5, hazard_branch="s6k")
    z = cohort.uns["truth"]["latent"]["s6k"].iloc[:300].to_numpy()
    assert strong.os[:, z > 1].mean() > draws.os[:, z > 1].mean() + 0.1
    half = cohort[cohort.obs_names[:100]]
    assert draw_outcomes(half, 3).os.shape == (3, 100)


def test_the_expected_residual_is_that_of_the_draws(cohort: anndata.AnnData) -> None:
    """Mean martingale residual of a model without covariates over 3,000 draws."""
    draws = draw_outcomes(cohort, 3000, seed=9)
    residual = np.zeros(300)
    for time, event in zip(draws.os_time, draws.os, strict=True):
        order = np.lexsort((-event, time))
        cumulative = np.cumsum(event[order] / np.arange(300, 0, -1))
        residual[order] += event[order] - cumulative
    expected = expected_residual(
        cohort.uns["truth"]["hazard"]["log_hazard_ratio"].to_numpy(), cohort.uns["truth"]["parameters"]
    )
    assert np.corrcoef(residual, expected)[0, 1] > 0.99
    assert np.abs(residual / 3000 - expected).max() < 0.05


def test_null_branch_rejects_at_the_nominal_rate_whatever_the_seed(branches: SignatureCollection) -> None:
    """Score test of fixed scores, 2,000 outcome draws of each of six cohorts; no confounding, disjoint signatures."""
    rates = []
    cohorts: tuple[tuple[int, int, Literal["hcc", "cca", "hb"]], ...] = (
        (0, 300, "hcc"), (1, 300, "hcc"), (2, 300, "hcc"), (3, 120, "cca"), (4, 300, "hb"), (5, 600, "hcc"),
    )  # fmt: skip
    for seed, n, disease in cohorts:
        cohort = simulate_cohort(n, 0, seed=seed, disease=disease, confounding=0.0, signatures=branches, n_genes=2000)
        draws = draw_outcomes(cohort, 2000, seed=seed + 11)
        x = mean_log_z(cohort, branches["LYSOSOME"].genes)
        rates.append(float((log_rank_statistics(x, draws.os_time, draws.os) > 3.8415).mean()))
    print("null branch, no confounding, by cohort:", rates)
    assert 0.04 <= np.mean(rates) <= 0.062
    # The Monte Carlo error of one cohort's rate is 0.005.
    assert min(rates) > 0.035
    assert max(rates) < 0.067


def test_confounding_inflates_and_the_latent_confounder_restores(branches: SignatureCollection) -> None:
    cohort = simulate_cohort(300, 0, seed=0, confounding=0.6, signatures=branches, n_genes=2000)
    draws = draw_outcomes(cohort, 2000, seed=11)
    score = mean_log_z(cohort, branches["LYSOSOME"].genes)
    growth = cohort.uns["truth"]["latent"]["proliferation"].to_numpy()
    apart = score - np.polyval(np.polyfit(growth, score, 1), growth)
    plain, adjusted = ((log_rank_statistics(x, draws.os_time, draws.os) > 3.8415).mean() for x in (score, apart))
    print(f"unadjusted {plain:.4f}, without the latent confounder {adjusted:.4f}")
    assert plain > 0.2
    assert adjusted <= 0.062


def test_lineage_of_each_disease(branches: SignatureCollection) -> None:
    medians = {}
    diseases: tuple[Literal["hcc", "cca", "hb"], ...] = ("hcc", "cca", "hb")
    for disease in diseases:
        cohort = simulate_cohort(60, 30, disease=disease, signatures=branches, n_genes=2500)
        counts = cohort.to_df()
        shares = counts.div(counts.sum(axis=1), axis=0) * 1e6
        medians[disease] = shares.groupby(cohort.obs["sample_type"], observed=True).median()
    assert medians["cca"].loc["tumour", "ALB"] < 0.2 * medians["cca"].loc["normal", "ALB"]
    assert medians["cca"].loc["tumour", "KRT19"] > 5 * medians["cca"].loc["normal", "KRT19"]
    assert medians["hb"].loc["tumour", "AFP"] > 5 * medians["hb"].loc["normal", "AFP"]
    assert medians["hcc"].loc["tumour", "ALB"] > 0.4 * medians["hcc"].loc["normal", "ALB"]


def test_hepatoblastoma_differs_by_maturity_not_by_activation(branches: SignatureCollection) -> None:
    cohort = simulate_cohort(150, 80, disease="hb", signatures=branches, n_genes=5000)
    parameters = cohort.uns["truth"]["parameters"]
    assert parameters["named_confounder"] == "maturity"
    assert parameters["activation"] == 0
    tumour = (cohort.obs["sample_type"] == "tumour").to_numpy()
    latent = cohort.uns["truth"]["latent"]
    assert abs(latent.loc[tumour, "srebp1"].mean() - latent.loc[~tumour, "srebp1"].mean()) < 0.25
    assert latent.loc[tumour, "maturity"].mean() < latent.loc[~tumour, "maturity"].mean() - 2
    score = mean_log_z(cohort, branches["LIPOGENIC"].genes)
    spread = score[tumour].std()
    naive = score[tumour].mean() - score[~tumour].mean()
    assert naive > 0.7 * spread, "naively it looks activated"
    maturity = latent["maturity"].to_numpy()
    design = np.column_stack([np.ones(len(score)), maturity, tumour.astype(float)])
    coefficient = np.linalg.lstsq(design, score, rcond=None)[0][2]
    assert abs(coefficient) < 0.3 * naive, "maturity accounts for most of it"


def test_survives_a_file(cohort: anndata.AnnData, tmp_path: Path) -> None:
    cohort.write_h5ad(tmp_path / "cohort.h5ad")
    again = anndata.read_h5ad(tmp_path / "cohort.h5ad")
    assert np.array_equal(draw_outcomes(again, 3).os_time, draw_outcomes(cohort, 3).os_time)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"disease": "flu"}, "disease"),
        ({"hazard_branch": "nonsense"}, "no branch"),
        ({"hazard_branch": "s6k", "null_branch": "s6k"}, "another null_branch"),
        ({"confounding": 1.0}, "less than 1"),
        ({"confounding": {"age": 0.1}}, "may name"),
        ({"n_tumours": 1, "n_normals": 0}, "at least 2"),
        ({"n_tumours": 5, "n_normals": 6}, "paired"),
        ({"dropout": -1.0}, "dropout"),
        ({"effect": 0.0}, "positive"),
    ],
)
def test_refuses_what_it_cannot_do(branches: SignatureCollection, arguments: dict[str, Any], word: str) -> None:
    few: dict[str, Any] = {"n_tumours": 20, "n_normals": 2, "signatures": branches, "n_genes": 300}
    with pytest.raises(DataError, match=word):
        simulate_cohort(**(few | arguments))


def test_redrawing_needs_the_truth(cohort: anndata.AnnData) -> None:
    with pytest.raises(DataError, match="truth"):
        draw_outcomes(anndata.AnnData(np.ones((2, 2))), 1)
    with pytest.raises(DataError, match="No simulated branch"):
        draw_outcomes(cohort, 1, hazard_branch="nonsense")


def test_the_library_is_simulated_branch_by_branch() -> None:
    import warnings

    import mtorscore as mt
    from mtorscore.errors import IgnoredWarning

    cohort = simulate_cohort(200, 20, seed=0)
    library = mt.library()
    assert {g for e in library for g in e.genes} <= set(cohort.var_names)
    cohort.layers["log"] = np.log2(cohort.X + 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IgnoredWarning)
        mt.tl.score(cohort, library, method="singscore", layer="log")
    tumours = cohort[cohort.obs["sample_type"] == "tumour"]
    latent = cohort.uns["truth"]["latent"].loc[tumours.obs_names]
    scores = tumours.obsm["score_singscore"]
    followed = [s for s in library.signatures if s.branch in latent.columns and s.level == "transcriptional"]
    r = pd.Series({s.id: (s.sign or 1) * np.corrcoef(scores[s.id], latent[s.branch])[0, 1] for s in followed})
    assert len(r) > 40
    assert r.median() > 0.85
    assert r.min() > 0.5, r.nsmallest(3)
    null = [s.id for s in library.signatures if s.branch == "autophagy_tfeb"]
    assert all(abs(np.corrcoef(scores[n], latent["srebp1"])[0, 1]) < 0.3 for n in null)

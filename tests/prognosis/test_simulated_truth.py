"""Simulated cohorts with a known truth: the hazard's branch is found, the null branch is not, confounding is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtorscore import tl
from mtorscore.collection import Signature, SignatureCollection
from mtorscore.datasets import draw_outcomes, simulate_cohort
from mtorscore.prognosis import Endpoint, associate
from mtorscore.prognosis.endpoints.endpoints import SurvivalData
from mtorscore.prognosis.endpoints.outcome_models import SurvivalOutcome, estimate
from mtorscore.prognosis.statistics.risk_sets import FloatArray

ENDPOINT = Endpoint.survival("OS.time", "OS")
DRAWS = 2000
# Enough genes that rank scores of one set hardly give way when those of another rise.
N_GENES = 8000
LIMIT = (0.04, 0.062)


def disjoint() -> SignatureCollection:
    """Give each branch 15 genes of its own."""
    names = ("srebp1", "autophagy_tfeb", "mtorc1")
    sets = [Signature(id=b, branch=b, up=tuple(f"{b.upper()}{i}" for i in range(15)), sign=1) for b in names]
    pcna = Signature(id="META_PCNA", branch="confounder", up=tuple(f"PROLIF{i}" for i in range(30)), sign=1)
    return SignatureCollection([*sets, pcna])


def scored(confounding: float, seed: int = 3, n_genes: int = N_GENES) -> tuple[Any, pd.DataFrame]:
    adata = simulate_cohort(
        300, 0, seed=seed, confounding=confounding, signatures=disjoint(), n_genes=N_GENES, effect=0.5
    )
    total = np.asarray(adata.X).sum(axis=1, keepdims=True)
    adata.layers["log"] = np.log2(np.asarray(adata.X) / total * 1e6 + 1)
    tl.score(adata, disjoint(), method="singscore", layer="log")
    return adata, adata.obsm["score_singscore"]


def rejection(draws: Any, score: FloatArray, confounders: FloatArray | None) -> float:
    """Share of outcome draws in which Cox's Wald test of the score is below 5%."""
    columns = [score[:, None]] + ([] if confounders is None else [confounders])
    x = np.concatenate(columns, axis=1)
    x = ((x - x.mean(axis=0)) / x.std(axis=0))[:, :, None]
    index = pd.Index(draws.observations)
    hits = []
    for k in range(len(draws)):
        event = draws.os[k] == 1
        none = pd.DataFrame(columns=["observation", "endpoint", "rule", "reason"])
        data = SurvivalData("OS", "days", index, draws.os_time[k], event, None, event.astype(np.int64), none, ())
        hits.append(float(estimate(SurvivalOutcome(data), x, firth=False).p[0]) < 0.05)
    return float(np.mean(hits))


def test_the_hazard_branch_is_found_and_the_null_branch_is_not() -> None:
    adata, scores = scored(0.3, n_genes=1500)
    obs = adata.obs.assign(OS=adata.obs["OS"].astype(float))
    table = associate(
        scores, obs, ENDPOINT, expression=pd.DataFrame(adata.layers["log"], adata.obs_names, adata.var_names),
        signatures=disjoint(), method="singscore", n_random=200, n_boot=50,
    )  # fmt: skip
    plain = table[table["model"] == "unadjusted"].set_index("signature")
    adjusted = table[table["adjusted_for"] == "proliferation"].set_index("signature")
    assert plain["p"].idxmin() == "srebp1"
    assert adjusted.loc["srebp1", "q"] < 0.001
    assert adjusted.loc["srebp1", "hr_low"] > 1.2
    assert plain.loc["srebp1", "null_p"] < 0.01
    assert adjusted.loc["autophagy_tfeb", "p"] > 0.05


@pytest.mark.slow
def test_the_null_branch_rejects_at_the_nominal_rate_without_confounding() -> None:
    """2,000 outcome draws in all, on the fixed scores of 8 cohorts; and as many in which nothing has a hazard."""
    rates, exact = [], []
    for seed in range(8):
        adata, scores = scored(0.0, seed=seed)
        null = scores["autophagy_tfeb"].to_numpy()
        rates.append(rejection(draw_outcomes(adata, DRAWS // 8, seed=1), null, None))
        free = draw_outcomes(adata, DRAWS // 8, seed=2, log_hazard=0.0, confounder_hazard=0.0, stage_hazard=0.0)
        exact.append(rejection(free, null, None))
    print(f"null branch, no confounding: {np.mean(rates):.4f} ({min(rates):.2f} to {max(rates):.2f} by cohort)")
    print(f"nothing has a hazard: {np.mean(exact):.4f}")
    assert LIMIT[0] <= np.mean(rates) <= LIMIT[1]
    assert LIMIT[0] <= np.mean(exact) <= LIMIT[1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_the_null_branch_rejects_at_the_nominal_rate_on_the_default_cohort(seed: int) -> None:
    """2,000 outcome draws on the fixed scores of one cohort of the default size, with disjoint signatures."""
    adata = simulate_cohort(seed=seed, confounding=0.0, signatures=disjoint())
    adata = adata[(adata.obs["sample_type"] == "tumour").to_numpy()].copy()
    total = np.asarray(adata.X).sum(axis=1, keepdims=True)
    adata.layers["log"] = np.log2(np.asarray(adata.X) / total * 1e6 + 1)
    tl.score(adata, disjoint(), method="singscore", layer="log")
    null = adata.obsm["score_singscore"]["autophagy_tfeb"].to_numpy()
    rate = rejection(draw_outcomes(adata, DRAWS, seed=1), null, None)
    print(f"null branch of the default cohort, seed {seed}, no confounding: {rate:.4f}")
    assert LIMIT[0] <= rate <= LIMIT[1]


@pytest.mark.slow
def test_confounding_inflates_and_the_latent_confounder_restores() -> None:
    adata, scores = scored(0.6)
    draws = draw_outcomes(adata, DRAWS, seed=1, confounder_hazard=0.5)
    latent = adata.uns["truth"]["latent"]
    null = scores["autophagy_tfeb"].to_numpy()
    growth = latent[["proliferation"]].to_numpy(float)
    # Everything with a hazard: the causal branch, proliferation and stage, as they truly are.
    causes = latent[["srebp1", "proliferation", "stage_number"]].to_numpy(float)
    apart = rejection(draws, null, growth)
    plain, adjusted = rejection(draws, null, None), rejection(draws, null, causes)
    print(f"null branch, confounded: unadjusted {plain:.4f}, adjusted for the latent confounder {apart:.4f}, ")
    print(f"for all latent causes {adjusted:.4f}")
    assert plain > 0.3
    assert LIMIT[0] <= apart <= LIMIT[1]
    assert LIMIT[0] <= adjusted <= LIMIT[1]

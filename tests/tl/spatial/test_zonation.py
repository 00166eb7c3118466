"""A planted gradient is found, and after zonation a planted zonal effect is not; a lost axis is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore.errors import DataError, StatisticsWarning
from mtorscore.tl.spatial.lobules import landmark_genes

EFFECTS = {"GRADIENT": {"gradient": 0.15}, "ZONAL": {"zonal": 0.3}}


@pytest.fixture(scope="module")
def tissue() -> Any:
    adata = mt.datasets.simulate_sections(4, side=24, effects=EFFECTS, seed=5)
    mt.tl.score(adata, adata.uns["truth"]["genes"], method="singscore")
    mt.tl.spatial.neighbours(adata, "grid", section_key="section")
    return mt.tl.spatial.zonation(adata)


def test_the_coordinate_follows_the_truth(tissue: Any) -> None:
    obs = tissue.obs
    for _, part in obs.groupby("section"):
        assert np.corrcoef(part["zonation"], part["central"])[0, 1] > 0.9
    about = tissue.uns["mtorscore"]["zonation"]
    assert set(about["central"]) | set(about["portal"]) == set(landmark_genes())
    assert min(about["reliability"].values()) > 0.9


def test_a_gradient_is_found_and_after_zonation_a_zonal_effect_is_not(tissue: Any) -> None:
    plain = mt.tl.spatial.autocorrelation(tissue, statistic="moran", n_permutations=199)
    after = mt.tl.spatial.autocorrelation(
        tissue, statistic="moran", n_permutations=199, zonation="zonation"
    )  # fmt: skip
    plain, after = (t[t["section"] == "all sections"].set_index("signature") for t in (plain, after))
    assert (plain["p"] <= 0.005).all()
    assert after.loc["GRADIENT", "p"] <= 0.005
    # That 5% of sections without anything else have p below 0.05 is in tests/tl/spatial/test_calibration.py.
    assert after.loc["ZONAL", "p"] > 0.01
    assert abs(after.loc["ZONAL", "estimate"]) < 0.05 < 0.5 < plain.loc["ZONAL", "estimate"]


def test_an_ordinary_regression_would_leave_zonation_behind() -> None:
    """With few counts the landmarks are noisy, and their noise is what the halves cancel out."""
    adata = mt.datasets.simulate_sections(
        4, side=24, effects={"ZONAL": {"zonal": 0.3}}, seed=6, median_counts=3000, landmark_share=0.01
    )
    mt.tl.score(adata, adata.uns["truth"]["genes"], method="singscore")
    mt.tl.spatial.neighbours(adata, "grid", section_key="section")
    mt.tl.spatial.zonation(adata)
    assert max(adata.uns["mtorscore"]["zonation"]["reliability"].values()) < 0.9
    y, z = adata.obsm["score_singscore"]["ZONAL"].to_numpy(), adata.obs["zonation"].to_numpy()
    adata.obsm["score_ordinary"] = pd.DataFrame({"ZONAL": y - np.polyfit(z, y, 1)[0] * z}, index=adata.obs_names)
    words: dict[str, Any] = {"statistic": "moran", "n_permutations": 199}
    ordinary = mt.tl.spatial.autocorrelation(adata, method="ordinary", **words)["p"].iloc[0]
    ours = mt.tl.spatial.autocorrelation(adata, method="singscore", zonation="zonation", **words)["p"].iloc[0]
    assert ordinary <= 0.01 < 0.05 < ours


def test_sections_without_lobules_are_named_and_left_out() -> None:
    adata = mt.datasets.simulate_sections(2, side=14, effects=EFFECTS, seed=7)
    mt.tl.score(adata, adata.uns["truth"]["genes"], method="singscore")
    mt.tl.spatial.neighbours(adata, "grid", section_key="section")
    rng, rows = np.random.default_rng(0), np.flatnonzero(adata.obs["section"] == "S2")
    x = adata.X.toarray()
    for gene in landmark_genes():
        column = adata.var_names.get_loc(gene)
        x[rows, column] = rng.permutation(x[rows, column])
    adata.X = x
    with pytest.warns(StatisticsWarning, match="hardly agree in 1 section"):
        mt.tl.spatial.zonation(adata)
    out = mt.tl.spatial.adjusted(adata)
    assert out[adata.obs["section"] == "S1"].notna().all().all()
    assert out[adata.obs["section"] == "S2"].isna().all().all()
    found = mt.tl.spatial.autocorrelation(adata, statistic="moran", zonation="zonation", n_permutations=19)
    assert found["reason"].str.contains("zonation cannot be told in S2").all()


def test_regions_are_compared_at_the_same_place_on_the_axis() -> None:
    """A region whose spots are more central is not called higher for that, and a true difference stays."""
    adata = mt.datasets.simulate_sections(
        6, side=20, effects={"ZONAL": {"zonal": 0.3}, "BOTH": {"zonal": 0.3, "region": 0.15}}, seed=8
    )
    mt.tl.score(adata, adata.uns["truth"]["genes"], method="singscore")
    rng = np.random.default_rng(1)
    right = (adata.obs["region"] == "right").to_numpy()
    # The right half loses portal spots.
    kept = ~right | (adata.obs["central"].to_numpy() > rng.uniform(0.2, 0.8, adata.n_obs))
    adata = adata[kept].copy()
    mt.tl.spatial.zonation(adata, section_key="section")
    words: dict[str, Any] = {"treated": "right", "control": "left", "section_key": "section"}
    plain = mt.tl.spatial.contrast(adata, "region", **words).set_index("signature")
    after = mt.tl.spatial.contrast(adata, "region", zonation="zonation", **words).set_index("signature")
    assert plain.loc["ZONAL", "p_t"] < 0.001
    assert abs(after.loc["ZONAL", "difference"]) < 0.1 * abs(plain.loc["ZONAL", "difference"])
    assert after.loc["BOTH", "p_t"] < 0.01


def test_landmarks_that_are_not_there_are_named() -> None:
    adata = mt.datasets.simulate_sections(1, side=10, seed=9)
    with pytest.raises(DataError, match="1 and 4 can be used"):
        mt.tl.spatial.zonation(adata[:, [g for g in adata.var_names if g not in ("GLUL", "CYP2E1", "CYP3A4")]].copy())
    with pytest.raises(DataError, match="another direction"):
        mt.tl.spatial.zonation(adata, landmarks={"GLUL": 2})
    mt.tl.spatial.zonation(adata, landmarks={"GLUL": 1, "CYP2E1": 1, "ASS1": -1, "ALB": -1}, key_added="mine")
    assert "mine" in adata.obs

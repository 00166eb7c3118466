"""Expected values are exact, permutations respect sections, errors of the first kind are what they should be."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import mtorscore as mt
from mtorscore.datasets._sections import autocorrelated, hexagonal
from mtorscore.errors import DataError, DataWarning, MethodError
from mtorscore.tl.spatial.statistics import STATISTICS, Part


def field(scores: pd.DataFrame, sections: int = 1, side: int = 10) -> ad.AnnData:
    """Scores on sections of a hexagonal grid, with its graph."""
    xy = hexagonal(side)
    obs = pd.DataFrame({"section": np.repeat([f"S{i}" for i in range(sections)], len(xy))}, index=scores.index)
    adata = ad.AnnData(np.zeros((len(scores), 1)), obs=obs)
    adata.obsm["spatial"] = np.tile(xy, (sections, 1))
    adata.obsm["score_made"] = scores
    return mt.tl.spatial.neighbours(adata, "grid", section_key="section")


def drawn(rng: np.random.Generator, n: int, columns: int) -> pd.DataFrame:
    return pd.DataFrame(
        rng.normal(size=(n, columns)), index=[f"o{i}" for i in range(n)], columns=[f"N{i}" for i in range(columns)]
    )


@pytest.mark.parametrize("name", STATISTICS)
def test_the_expected_value_is_the_mean_over_all_permutations_within_sections(name: str) -> None:
    rng = np.random.default_rng(0)
    x, codes = rng.gamma(2.0, size=(7, 2)), np.array([0, 0, 0, 0, 1, 1, 1])
    near = sparse.csr_matrix(np.where(codes[:, None] == codes, rng.uniform(size=(7, 7)), 0.0))
    part = Part(x, near, codes)
    every = []
    for first in permutations(range(4)):
        for second in permutations((4, 5, 6)):
            moved = Part(x[[*first, *second]], near, codes)
            every.append([moved.statistic(name, moved.sums(), pooled=p) for p in (True, False)])
    for k, pooled in enumerate((True, False)):
        mean = np.mean([e[k] for e in every], axis=0)
        np.testing.assert_allclose(part.statistic(name, part.expected(), pooled=pooled), mean, rtol=1e-10)


def test_a_difference_between_sections_is_no_pattern() -> None:
    rng = np.random.default_rng(1)
    scores = drawn(rng, 400, 3)
    scores += np.repeat([0.0, 3.0, 6.0, 9.0], 100)[:, None]
    found = mt.tl.spatial.autocorrelation(field(scores, 4), statistic=["moran", "geary"], n_permutations=199)
    whole = found[found["section"] == "all sections"].set_index(["statistic", "signature"])
    assert (whole.loc["moran", "estimate"] > 0.8).all()
    assert (whole.loc["moran", "expected"] > 0.8).all()
    assert (whole["p"] > 0.01).all()
    assert (whole["sections"] == 4).all()


def test_errors_of_the_first_kind_of_moran_geary_and_g() -> None:
    """4,000 fields of exchangeable scores that are skewed and differ between sections: 5% of p are below 0.05."""
    for seed in (0, int(np.random.default_rng().integers(1 << 31))):
        print("seed", seed)
        rng = np.random.default_rng(seed)
        x = rng.gamma(1.5, size=(200, 2000)) + np.repeat([0.0, 2.0], 100)[:, None]
        scores = pd.DataFrame(x, index=[f"o{i}" for i in range(200)], columns=[f"N{i}" for i in range(2000)])
        found = mt.tl.spatial.autocorrelation(field(scores, 2), n_permutations=99, seed=seed)
        whole = found[found["section"] == "all sections"]
        # Permutations are shared by the fields of one call, so rates vary more than binomial ones would.
        for _, p in whole.groupby("statistic")["p"]:
            assert 0.025 <= float((p <= 0.05).mean()) <= 0.085


def test_a_hot_spot_is_found_where_it_is_and_noise_is_not() -> None:
    rng = np.random.default_rng(3)
    scores = drawn(rng, 400, 2)
    adata = field(scores, 1, side=20)
    warm = np.hypot(*(adata.obsm["spatial"] - [10, 9]).T) < 3
    adata.obsm["score_made"]["N0"] += 3.0 * warm
    found = mt.tl.spatial.hotspots(adata, n_permutations=499)
    hot = found[(found["signature"] == "N0") & (found["q"] < 0.1)]
    assert set(hot["kind"]) >= {"high among high"}
    inside = pd.Series(warm, index=adata.obs_names)[hot["observation"]]
    assert len(hot) >= 10
    assert inside.mean() > 0.7
    assert (found.loc[found["signature"] == "N1", "q"] > 0.05).all()
    assert 0.02 < float((found.loc[found["signature"] == "N1", "p"] <= 0.05).mean()) < 0.09


def test_regions_are_compared_on_sections_and_not_on_spots() -> None:
    """Autocorrelated noise: a test on spots finds regions different most of the time, sections do not."""
    from scipy import stats

    rng = np.random.default_rng(4)
    xy = hexagonal(12)
    noise = np.concatenate([np.column_stack([autocorrelated(xy, 4.0, rng) for _ in range(200)]) for _ in range(6)])
    scores = pd.DataFrame(noise, index=[f"o{i}" for i in range(len(noise))], columns=[f"N{i}" for i in range(200)])
    adata = field(scores, 6, side=12)
    left = np.tile(xy[:, 0] < xy[:, 0].mean(), 6)
    adata.obs["region"] = np.where(left, "left", "right")
    found = mt.tl.spatial.contrast(adata, "region", treated="left", control="right", section_key="section")
    assert (found["n_blocks"] == 6).all()
    assert (found["n_observations"] == 864).all()
    assert 0.01 <= float((found["p_t"] <= 0.05).mean()) <= 0.10
    naive = stats.ttest_ind(noise[left], noise[~left], axis=0).pvalue
    assert float((naive <= 0.05).mean()) > 0.4
    assert (found["left_out"] == 0).all()
    adata.obs["section"] = adata.obs["section"].astype(object)
    adata.obs.iloc[:2, list(adata.obs.columns).index("section")] = [None, " "]
    with pytest.warns(DataWarning, match="2 of 864 observations lack") as caught:
        found = mt.tl.spatial.contrast(adata, "region", treated="left", control="right", section_key="section")
    assert len(caught) == 1
    assert set(zip(found["left_out"], found["n_observations"], strict=True)) == {(2, 862)}


def test_patients_and_not_their_sections_are_the_replicates() -> None:
    rng = np.random.default_rng(5)
    adata = field(drawn(rng, 800, 1), 8)
    adata.obs["patient"] = adata.obs["section"].map({f"S{i}": f"P{i // 2}" for i in range(8)})
    adata.obs["region"] = np.where(adata.obsm["spatial"][:, 0] < 5, "tumour", "margin")
    words: dict[str, Any] = {"treated": "tumour", "control": "margin", "section_key": "section"}
    assert mt.tl.spatial.contrast(adata, "region", replicate_key="patient", **words)["n_blocks"].item() == 4
    adata.obs["group"] = np.where(adata.obs["patient"].isin(["P0", "P1"]), "a", "b")
    between = mt.tl.spatial.contrast(
        adata, "group", treated="a", control="b", section_key="section", replicate_key="patient"
    )
    assert (between["n_treated"].item(), between["n_control"].item(), between["sections"].item()) == (2, 2, 8)
    with pytest.raises(DataError, match="a section belongs to one replicate"):
        mt.tl.spatial.contrast(adata, "region", replicate_key="region", **words)


def test_what_cannot_be_said_is_nan_with_a_reason() -> None:
    scores = drawn(np.random.default_rng(6), 120, 3)
    scores["N1"] = 1.0
    scores.loc[scores.index[10:], "N2"] = np.nan
    found = mt.tl.spatial.autocorrelation(field(scores.iloc[:100]), n_permutations=19).set_index(
        ["signature", "statistic"]
    )
    assert found.loc[("N1", "moran"), "reason"] == "all scores are equal"
    assert "fewer than 30" in found.loc[("N2", "moran"), "reason"]
    assert "not negative" in found.loc[("N0", "getis_ord"), "reason"]
    assert found["p"].notna().sum() == 2
    assert (found.loc[found["p"].isna(), "reason"] != "").all()
    local = mt.tl.spatial.hotspots(field(scores.iloc[:100]), n_permutations=19)
    assert (local["reason"] != "").eq(local["p"].isna()).all()


def test_a_graph_across_sections_is_refused_and_so_are_unknown_words() -> None:
    adata = field(drawn(np.random.default_rng(7), 200, 1), 2)
    refused: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"statistic": "ripley"}, MethodError, "No statistic"),
        ({"alternative": "up"}, MethodError, "alternative"),
        ({"n_permutations": 9}, MethodError, "19 at least"),
        ({"weights": "spectral"}, MethodError, "weights"),
        ({"graph": "other"}, DataError, "neighbours"),
        ({"zonation": "zonation"}, DataError, "There is no zonation"),
        ({"section_key": "slide"}, DataError, "no column 'slide'"),
        ({"signatures": "X"}, DataError, "no score"),
    ]
    for words, error, match in refused:
        with pytest.raises(error, match=match):
            mt.tl.spatial.autocorrelation(adata, **words)
    unknown: list[tuple[dict[str, Any], str]] = [
        ({"kind": "hexagonal"}, "not known"),
        ({"kind": "radius"}, "radius="),
        ({"kind": "grid", "radius": 3.0}, "radius="),
        ({"kind": "radius", "radius": -1.0}, "above 0"),
        ({"kind": "nearest", "n": 0}, "at least 1"),
    ]
    for words, match in unknown:
        with pytest.raises(MethodError, match=match):
            mt.tl.spatial.neighbours(adata, **words)
    # Both sections have the same coordinates, so that without a key their spots are neighbours.
    del adata.uns["spatial_neighbors"]
    mt.tl.spatial.neighbours(adata, "nearest")
    with pytest.raises(DataError, match="lead from one section to another"):
        mt.tl.spatial.autocorrelation(adata, section_key="section")
    with pytest.raises(DataError, match="too few for 120 neighbours"):
        mt.tl.spatial.neighbours(adata, "nearest", n=120, section_key="section")


def test_observations_without_a_section_are_counted_and_left_out() -> None:
    scores = drawn(np.random.default_rng(8), 200, 1)
    adata = field(scores, 2)
    adata.obs.loc[adata.obs_names[:5], "section"] = None
    with pytest.warns(DataWarning, match="5 of 200 observations name no section"):
        mt.tl.spatial.neighbours(adata, "nearest", section_key="section")
    with pytest.warns(DataWarning, match="5 of 200"):
        found = mt.tl.spatial.autocorrelation(adata, statistic="moran", n_permutations=19)
    assert found["n"].iloc[0] == 195


def test_smoothing_stays_within_sections_and_says_its_kernel() -> None:
    scores = pd.DataFrame({"a": np.repeat([0.0, 1.0], 100)}, index=[f"o{i}" for i in range(200)])
    scores.iloc[3, 0] = np.nan
    adata = mt.tl.spatial.smooth(field(scores, 2), 2.0)
    out = adata.obsm["score_made_smoothed"]["a"]
    assert (out[:100] == 0).all()
    np.testing.assert_allclose(out[100:], 1.0)
    assert adata.uns["mtorscore"]["made_smoothed"] == {"from": "score_made", "kernel": "gaussian", "bandwidth": 2.0}
    point = field(pd.DataFrame({"a": np.eye(100)[44]}, index=[f"o{i}" for i in range(100)]))
    uniform = mt.tl.spatial.smooth(point, 1.01, kernel="uniform").obsm["score_made_smoothed"]["a"]
    assert uniform.iloc[44] == pytest.approx(1 / 7)
    for bad in (0, np.nan):
        with pytest.raises(MethodError, match="not above 0"):
            mt.tl.spatial.smooth(point, bad)

"""A scored AnnData as an AnnData of scores: what it keeps, and that scanpy works on it."""

from __future__ import annotations

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore.errors import DataError, DataWarning


def scored() -> ad.AnnData:
    effects = {"UP": {"region": 0.4}, "SAME": {}}
    adata = mt.datasets.simulate_sections(2, side=12, effects=effects, seed=2)
    mt.tl.score(adata, adata.uns["truth"]["genes"], method="singscore")
    mt.tl.spatial.neighbours(adata, "grid", section_key="section")
    adata.uns["log1p"] = {"base": None}
    return adata


def test_scores_are_the_matrix_and_the_rest_comes_along() -> None:
    adata = scored()
    found = mt.tl.as_anndata(adata)
    assert (adata.obsm["score_singscore"].to_numpy() == found.X).all()
    assert list(found.var_names) == ["UP", "SAME"]
    assert found.var.loc["UP", "matched_up"] == 20
    assert found.obs.equals(adata.obs)
    assert set(found.obsm) == {"spatial"}
    assert set(found.obsp) == {"spatial_connectivities", "spatial_distances"}
    assert "log1p" not in found.uns
    assert found.uns["scores"] == {"method": "singscore", "left_out": []}
    found.X[:] = 0
    found.obs["section"] = "none"
    assert adata.obsm["score_singscore"].to_numpy().any()
    assert adata.obs["section"].nunique() == 2
    assert list(mt.tl.as_anndata(adata, signatures="SAME").var_names) == ["SAME"]


def test_scanpy_ranks_signatures_and_it_survives_a_file(tmp_path: object) -> None:
    import scanpy as sc

    found = mt.tl.as_anndata(scored())
    found.obs["region"] = found.obs["region"].astype("category")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sc.tl.rank_genes_groups(found, "region", method="t-test")
        table = sc.get.rank_genes_groups_df(found, "right")
        assert table.iloc[0]["names"] == "UP"
        assert np.isfinite(table["scores"]).all()
        sc.pl.matrixplot(found, list(found.var_names), "region", show=False)
    path = f"{tmp_path}/scores.h5ad"
    found.write_h5ad(path)
    assert ad.read_h5ad(path).shape == found.shape


def test_what_has_no_value_is_said_once() -> None:
    adata = scored()
    adata.obsm["score_singscore"]["EMPTY"] = np.nan
    adata.obsm["score_singscore"].iloc[:3, 1] = np.nan
    with pytest.warns(DataWarning, match=r"1 signature\(s\) without any value are left out \(EMPTY\); 3 values of 1"):
        found = mt.tl.as_anndata(adata)
    assert found.uns["scores"]["left_out"] == ["EMPTY"]
    with pytest.raises(DataError, match="NONE"):
        mt.tl.as_anndata(adata, signatures=["NONE"])
    adata.obsm["score_other"] = pd.DataFrame({"A": 1.0}, index=adata.obs_names)
    with pytest.raises(DataError, match="method="):
        mt.tl.as_anndata(adata)
    assert mt.tl.as_anndata(adata, method="other").var.shape == (1, 0)

"""Graphs and statistics are those of squidpy and esda, to 1e-6: kept numbers, and squidpy itself where it is."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import mtorscore as mt

HERE = Path(__file__).parent
GRAPHS: dict[str, dict[str, Any]] = {
    "grid": {"kind": "grid"},
    "rings": {"kind": "grid", "rings": 2},
    "nearest": {"kind": "nearest", "n": 5},
    "radius": {"kind": "radius", "radius": 1.4},
}
NAMES = ["patterned", "noise"]


def two_sections() -> ad.AnnData:
    table = pd.read_csv(HERE / "sections.tsv", sep="\t")
    table.index = table.index.astype(str)
    adata = ad.AnnData(np.zeros((len(table), 1)), obs=table[["section"]])
    adata.obsm["spatial"] = table[["x", "y"]].to_numpy()
    adata.obsm["score_kept"] = table[NAMES]
    return adata


def linked(graph: str) -> ad.AnnData:
    return mt.tl.spatial.neighbours(two_sections(), section_key="section", **GRAPHS[graph])


@pytest.mark.parametrize("graph", GRAPHS)
def test_graphs_have_the_neighbours_of_squidpy(graph: str) -> None:
    expected = pd.read_csv(HERE / "squidpy_degrees.tsv", sep="\t")[graph].to_numpy()
    found = linked(graph).obsp["spatial_connectivities"]
    assert (np.diff(found.indptr) == expected).all()


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("statistic", ["moran", "geary", "getis_ord"])
def test_global_statistics_are_those_of_squidpy_and_esda(graph: str, statistic: str) -> None:
    peer = pd.read_csv(HERE / "squidpy.tsv", sep="\t").set_index(["graph", "statistic", "signature"])["value"]
    binary = statistic == "getis_ord"
    found = mt.tl.spatial.autocorrelation(
        linked(graph), statistic=statistic, weights="binary" if binary else "rows", n_permutations=19
    )
    whole = found[found["section"] == "all sections"].set_index("signature")["estimate"]
    for name in NAMES:
        assert whole[name] == pytest.approx(
            peer[(graph, statistic + "_binary" * binary, name)], abs=1e-6 if not binary else 1e-9
        )


def test_local_statistics_are_those_of_esda() -> None:
    peer = pd.read_csv(HERE / "esda_local.tsv", sep="\t")
    found = mt.tl.spatial.hotspots(linked("grid"), n_permutations=19).set_index(["signature", "observation"])
    rows = list(zip(peer["signature"], peer["row"].astype(str), strict=True))
    for ours in ("g_star", "local_moran"):
        np.testing.assert_allclose(found.loc[rows, ours], peer[ours], atol=1e-6)


@pytest.mark.parametrize("graph", GRAPHS)
def test_squidpy_itself_agrees(graph: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sq = pytest.importorskip("squidpy", reason="squidpy is not installed; kept numbers are compared instead")
        theirs = two_sections()
        theirs.obs["section"] = theirs.obs["section"].astype("category")
        known: dict[str, dict[str, Any]] = {
            "grid": {"coord_type": "grid"}, "rings": {"coord_type": "grid", "n_rings": 2},
            "nearest": {"coord_type": "generic", "n_neighs": 5}, "radius": {"coord_type": "generic", "radius": 1.4},
        }  # fmt: skip
        sq.gr.spatial_neighbors(theirs, library_key="section", **known[graph])
        ours = linked(graph)
        for key in ("spatial_connectivities", "spatial_distances"):
            assert abs(theirs.obsp[key] - ours.obsp[key]).max() < 1e-6
        values = ad.AnnData(
            ours.obsm["score_kept"].to_numpy(), obsp={"spatial_connectivities": ours.obsp["spatial_connectivities"]}
        )
        values.var_names = NAMES
        for statistic, column in (("moran", "I"), ("geary", "C")):
            peer = sq.gr.spatial_autocorr(values, mode=statistic, copy=True)[column]
            # The graph that squidpy made is read as it is.
            found = mt.tl.spatial.autocorrelation(theirs, statistic=statistic, section_key="section", n_permutations=19)
            whole = found[found["section"] == "all sections"].set_index("signature")["estimate"]
            np.testing.assert_allclose(whole[NAMES], peer[NAMES], atol=1e-6)

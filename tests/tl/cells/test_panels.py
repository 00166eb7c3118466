"""Panels of few genes: what they can say of signatures, and p-values that depth does not make."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mtorscore import tl
from mtorscore.errors import DataError, MethodError

SETS = {
    "WHOLE": [f"g{i}" for i in range(10)],
    "HALF": {"up": ["g20", "g21", "x1"], "down": ["g22", "x2"]},
    "UP_ONLY": {"up": ["g30", "g31", "g32"], "down": ["x3"]},
    "PAIR": ["g40", "g41"],
    "NONE": ["x4", "x5"],
}


def test_coverage_and_ranks_per_platform() -> None:
    names = [f"g{i}" for i in range(300)]
    counts = np.zeros((50, 300))
    counts[:, :40] = 1
    found = tl.panel_coverage(
        {
            "list": names,
            "counts": ad.AnnData(sparse.csr_matrix(counts), var=pd.DataFrame(index=names)),
            "small": names[:40],
        },
        SETS,
    ).set_index(["platform", "signature"])
    assert list(found.loc["list"].index) == list(SETS)
    assert set(found.loc["list", "max_rank"]) == {300}
    assert found["detected"].groupby("platform").first().dropna().to_dict() == {"counts": 40.0}
    assert set(found.loc["counts", "max_rank"]) == {40}
    whole = found.loc[("small", "WHOLE")]
    assert (whole["n_found"], whole["coverage"], whole["share_of_panel"], whole["top"]) == (10, 1.0, 0.25, 0.25)
    assert "25% of the panel" in whole["reason"]
    assert whole["usable"]
    half = found.loc[("list", "HALF")]
    assert (half["coverage"], half["coverage_up"], half["coverage_down"]) == (0.6, 2 / 3, 0.5)
    assert half["usable"]
    assert not found.loc[("list", "UP_ONLY"), "usable"]
    assert "direction is absent" in found.loc[("list", "UP_ONLY"), "reason"]
    assert "2 gene(s) in the panel" in found.loc[("list", "PAIR"), "reason"]
    assert not found.loc[("list", "NONE"), "usable"]
    large = tl.panel_coverage([f"g{i}" for i in range(18_000)], SETS)
    assert set(large["max_rank"]) == {1500}


def test_panels_that_are_none_are_refused() -> None:
    for panel, message in (([], "has no gene"), (["a", "a"], "more than once"), ("xenium", "is a str")):
        with pytest.raises(DataError, match=message):
            tl.panel_coverage(panel, SETS)


def panel(n_obs: int = 120) -> ad.AnnData:
    """Make counts of 300 genes at depths that vary tenfold."""
    rng = np.random.default_rng(3)
    rate = np.sort(rng.lognormal(-1.5, 1.5, 300))
    depth = np.exp(rng.normal(0, 1.0, n_obs))
    counts = rng.poisson(depth[:, None] * rate).astype(np.float32)
    return ad.AnnData(np.log1p(counts), var=pd.DataFrame(index=[f"g{i}" for i in range(300)]))


def test_the_null_of_a_panel_meets_the_same_depth(tmp_path: Path) -> None:
    adata = panel()
    rng = np.random.default_rng(9)
    loud = {f"LOUD{k}": [f"g{i}" for i in rng.choice(np.arange(200, 300), 15, replace=False)] for k in range(8)}
    closed = tl.score(adata, loud, method="ulm", pvalues=True, copy=True)
    assert (closed.obsm["pval_ulm"] < 0.05).to_numpy().mean() > 0.5
    assert "random" not in closed.uns["mtorscore"]["ulm"]["null"]
    adata.uns["source"] = {"kind": "xenium"}
    matched = tl.score(adata, loud, method="ulm", pvalues=True, copy=True)
    assert (matched.obsm["pval_ulm"] < 0.05).to_numpy().mean() < 0.12
    assert matched.uns["mtorscore"]["ulm"]["null"].startswith("random signatures matched")
    pd.testing.assert_frame_equal(matched.obsm["score_ulm"], closed.obsm["score_ulm"])
    asked = tl.score(adata, loud, method="ulm", pvalues=True, null="closed", copy=True)
    pd.testing.assert_frame_equal(asked.obsm["pval_ulm"], closed.obsm["pval_ulm"])
    named = panel()
    named.uns["source"] = {"panel_name": "CosMx 1k"}
    pd.testing.assert_frame_equal(
        tl.score(named, loud, method="ulm", pvalues=True).obsm["pval_ulm"], matched.obsm["pval_ulm"]
    )
    with pytest.raises(MethodError, match="null='depth' is not known"):
        tl.score(adata, loud, null="depth")
    adata.write_h5ad(tmp_path / "panel.h5ad")
    with pytest.raises(MethodError, match='null="closed" for a panel'):
        tl.score(tmp_path / "panel.h5ad", loud, method="ulm", pvalues=True)
    streamed = tl.score(tmp_path / "panel.h5ad", loud, method="ulm", pvalues=True, null="closed")
    np.testing.assert_allclose(streamed.obsm["pval_ulm"], closed.obsm["pval_ulm"])

"""Set tests: signed and weighted, their nulls, and what they refuse. Agreement with limma stands elsewhere."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore.errors import DataError, DataWarning, MethodError, StatisticsWarning
from mtorscore.tl import set_test

HOW = {"groups": "arm", "treated": "drug", "control": "vehicle"}


def data(n: int = 3, shift: float = 0.0, seed: int = 0, correlated: float = 0.6) -> ad.AnnData:
    rng = np.random.default_rng(seed)
    y = 6 + rng.normal(size=(2 * n, 300))
    y[:, :20] += correlated * rng.normal(size=(2 * n, 1))
    y[:n, :10] += shift
    y[:n, 10:20] -= shift
    obs = pd.DataFrame({"arm": ["drug"] * n + ["vehicle"] * n, "mouse": [*range(n), *range(n)]})
    obs.index = [f"s{i}" for i in range(2 * n)]
    return ad.AnnData(y, obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(300)]))


SIGNED = mt.Signature(id="moved", up=tuple(f"G{i}" for i in range(10)), down=tuple(f"G{i}" for i in range(10, 20)))
STILL = mt.Signature(id="still", up=tuple(f"G{i}" for i in range(100, 120)))


@pytest.mark.parametrize("method", ["camera", "rotation", "permutation"])
def test_a_signed_change_is_found_that_cancels_without_signs(method: str) -> None:
    plain = mt.Signature(id="plain", up=SIGNED.genes)
    table = set_test(data(shift=2.0), [SIGNED, STILL, plain], HOW, method=method, correlation="estimated", n=999)
    rows = table.set_index("signature")
    assert rows.loc["moved", "p"] <= (0.11 if method == "permutation" else 0.01)
    assert rows.loc["moved", "direction"] == "up"
    assert rows.loc[["still", "plain"], "p"].min() > 0.05
    assert list(table["q"]) == pytest.approx(list(mt.tl.set_test(data(shift=2.0), [SIGNED, STILL, plain], HOW,
        method=method, correlation="estimated", n=999)["q"]))  # fmt: skip
    if method == "permutation":
        assert set(table["n_arrangements"]) == {20}
        assert set(table["least_p"]) == {0.1}


def test_weights_weigh() -> None:
    heavy = mt.Signature(id="w", up=("G0", "G100"), weights={"G0": 100.0})
    light = mt.Signature(id="w", up=("G0", "G100"), weights={"G100": 100.0})
    first, second = (set_test(data(8, shift=3.0), [s], HOW, method="rotation", n=499)["p"][0] for s in (heavy, light))
    assert first < 0.01 < second


def test_every_design_of_contrasts_is_tested() -> None:
    adata = data(4, shift=2.0)
    adata.obs["age"] = np.arange(8.0)
    base: list[dict[str, Any]] = [
        HOW | {"pair": "mouse"},
        HOW | {"covariates": ["age"]},
        HOW | {"block": "mouse", "block_effect": "consensus"},
        HOW | {"block": "mouse", "block_effect": "consensus", "correlation": 0.3},
        {"groups": "arm", "order": ["vehicle", "drug"]},
        {"continuous": "age"},
    ]
    for how in base:
        table = set_test(adata, [SIGNED, STILL], how, method="rotation", n=199)
        assert table["p"].between(0, 1).all()
    paired = set_test(adata, [SIGNED], HOW | {"pair": "mouse"}, method="permutation")
    assert set(paired["n_arrangements"]) == {16}
    drawn = set_test(adata, [SIGNED], HOW | {"covariates": ["age"]}, method="permutation", n=200)
    assert (drawn["n_arrangements"][0], drawn["least_p"][0]) == (200, 1 / 201)


def test_no_gene_no_number() -> None:
    none = mt.Signature(id="none", up=("X1", "X2"))
    for method in ("camera", "rotation", "permutation"):
        row = set_test(data(), [none, STILL], HOW, method=method, n=99).set_index("signature").loc["none"]
        assert np.isnan(row["p"])
        assert row["reason"] == "none of its genes is in the matrix"
        assert row["n_missing"] == 2
    ranked = set_test(data(), [SIGNED], HOW, ranks=True)
    assert "ranks cannot carry" in ranked["reason"][0]


def test_refusals_and_warnings() -> None:
    adata = data()
    with pytest.raises(DataError, match="Say what is compared"):
        set_test(adata, [STILL])
    with pytest.raises(DataError, match="no keyword 'groupby'"):
        set_test(adata, [STILL], {"groupby": "arm"})
    with pytest.raises(MethodError, match="none of camera, rotation, permutation"):
        set_test(adata, [STILL], HOW, method="gsea")
    with pytest.raises(DataError, match="neither a number nor"):
        set_test(adata, [STILL], HOW, correlation="auto")
    with pytest.raises(DataError, match="no residual degree of freedom"):
        set_test(adata[[0, 3]].copy(), [STILL], HOW)
    with pytest.raises(DataError, match="not fitted by mixed models"):
        set_test(adata, [STILL], HOW | {"block": "mouse", "block_effect": "mixed"})
    how = HOW | {"block": "mouse", "block_effect": "consensus", "correlation": 0.2}
    with pytest.raises(MethodError, match="cannot be permuted"):
        set_test(adata, [STILL], how, method="permutation")
    cells = adata.copy()
    cells.obs["sample_type"] = "cell"
    with pytest.raises(MethodError, match="Cells of one sample are not independent"):
        set_test(cells, [STILL], HOW)
    adata.X[:, 5] = 1.0
    adata.X[0, 6] = np.nan
    with pytest.warns(DataWarning, match="1 gene") as seen:
        set_test(adata, [STILL], HOW)
    assert len(seen) == 2
    counts = data()
    counts.X = np.round(np.exp2(counts.X))
    with pytest.warns(StatisticsWarning, match="look like counts"):
        set_test(counts, [STILL], HOW)

"""Comparison of methods, diagnostics, and GSEA on groups."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from mtorscore import SignatureCollection, tl
from mtorscore.collection import Signature
from mtorscore.errors import DataError, MethodError


def tumours(n_obs: int = 40, n_vars: int = 300) -> ad.AnnData:
    """Let 20 genes move together and be higher in the second half; depth differs between observations."""
    rng = np.random.default_rng(11)
    x = rng.normal(6, 1, (n_obs, n_vars)) + rng.normal(0, 0.5, (n_obs, 1))
    activity = rng.normal(0, 1, n_obs) + np.repeat([0.0, 2.0], n_obs // 2)
    x[:, :20] += activity[:, None]
    x[:, 20:30] -= activity[:, None]
    obs = pd.DataFrame({"group": np.repeat(["normal", "tumour"], n_obs // 2), "activity": activity})
    obs.index = [f"o{i}" for i in range(n_obs)]
    return ad.AnnData(x, obs, pd.DataFrame(index=[f"g{i}" for i in range(n_vars)]))


def signatures() -> SignatureCollection:
    return SignatureCollection(
        [
            Signature(id="moving", up=tuple(f"g{i}" for i in range(15)), down=tuple(f"g{i}" for i in range(20, 28))),
            Signature(id="PROLIFERATION_CORE", up=tuple(f"g{i}" for i in range(10, 22)), branch="confounder"),
            Signature(id="quiet", up=tuple(f"g{i}" for i in range(100, 130))),
        ]
    )


def test_compare_methods() -> None:
    adata = tumours()
    found = tl.compare_methods(adata, signatures(), ["singscore", "zscore", "mean"], n_disagreements=7)
    assert not adata.obsm
    assert len(found.correlations) == 9
    moving = found.correlations[found.correlations["signature"] == "moving"]
    assert (moving["spearman"] > 0.9).all()
    row = moving.iloc[0]
    expected = found.scores["singscore"]["moving"].corr(found.scores["zscore"]["moving"], method="spearman")
    assert row["spearman"] == pytest.approx(expected)
    assert found.correlations["top_overlap"].between(0, 1).all()
    assert len(found.disagreements) == 7
    assert found.disagreements["gap"].is_monotonic_decreasing
    with pytest.raises(MethodError, match="at least two"):
        tl.compare_methods(adata, signatures(), ["mean"])


def test_diagnose() -> None:
    adata = tumours()
    with pytest.raises(DataError, match="score_singscore"):
        tl.diagnose(adata, signatures())
    tl.score(adata, signatures(), method="mean")
    found = tl.diagnose(adata, signatures(), method="mean", n_random=60)
    depth = np.asarray(adata.X).sum(axis=1)
    expected = adata.obsm["score_mean"]["quiet"].corr(pd.Series(depth, index=adata.obs_names), method="spearman")
    assert found.technical.loc["quiet", "depth"] == pytest.approx(expected)
    assert np.isnan(found.technical.loc["PROLIFERATION_CORE", "proliferation"])
    assert found.technical.loc["moving", "proliferation"] > 0.8
    assert found.overlap.loc[0, ["signature_a", "signature_b", "shared"]].tolist() == [
        "moving",
        "PROLIFERATION_CORE",
        7,
    ]
    x = adata.to_df()
    signed = x[[f"g{i}" for i in range(15)] + [f"g{i}" for i in range(20, 28)]].corr().to_numpy()
    sign = np.r_[np.ones(15), -np.ones(8)]
    signed = signed * sign * sign[:, None]
    assert found.coherence.loc["moving", "coherence"] == pytest.approx((signed.sum() - 23) / (23 * 22))
    assert found.coherence.loc["moving", "percentile"] > 99
    assert found.coherence.loc["quiet", "percentile"] < 99


@pytest.mark.parametrize(("n_obs", "permutation"), [(40, "sample"), (12, "gene")])
def test_prerank_of_groups(n_obs: int, permutation: str) -> None:
    adata = tumours(n_obs)
    table = tl.prerank(adata, signatures(), groupby="group", permutations=200).set_index(["signature", "direction"])
    assert set(table["permutation"]) == {permutation}
    assert table["contrast"].iloc[0] == "tumour against normal"
    assert table.loc[("moving", "up"), "nes"] > 1.3
    assert table.loc[("moving", "down"), "nes"] < -1.3
    assert table.loc[("moving", "up"), "n_genes"] == 15
    # 200 permutations cannot show less.
    assert table[["p", "q"]].min().tolist() == [1 / 201, 1 / 201]
    turned = tl.prerank(adata, signatures(), groupby="group", groups=("normal", "tumour"), permutations=50)
    assert turned.set_index(["signature", "direction"]).loc[("moving", "up"), "es"] < 0
    again = tl.prerank(adata, signatures(), groupby="group", permutations=200).set_index(["signature", "direction"])
    pd.testing.assert_frame_equal(again, table)


def test_multilevel_p_go_below_what_permutations_can_show() -> None:
    pytest.importorskip("gseapy", minversion="1.3")
    adata = tumours(40)
    options: dict[str, Any] = {"groupby": "group", "permutations": 100}
    table = tl.prerank(adata, signatures(), p_values="multilevel", **options).set_index(["signature", "direction"])
    plain = tl.prerank(adata, signatures(), **options).set_index(["signature", "direction"])
    assert set(table["permutation"]) == {"gene, multilevel"}
    assert table.loc[("moving", "up"), "p"] < 1 / 101 <= plain.loc[("moving", "up"), "p"]
    assert table.loc[("moving", "up"), "es"] == pytest.approx(plain.loc[("moving", "up"), "es"], abs=1e-3)
    with pytest.raises(DataError, match="neither 'permutation' nor 'multilevel'"):
        tl.prerank(adata, signatures(), p_values="exact", **options)


def test_prerank_along_a_score() -> None:
    adata = tumours()
    options: dict[str, Any] = {"permutations": 100, "min_size": 9}
    table = tl.prerank(adata, signatures(), score="activity", **options).set_index(["signature", "direction"])
    assert set(table["permutation"]) == {"gene"}
    assert table.loc[("moving", "up"), "nes"] > 1.3
    assert "9 to 2000 are wanted" in table.loc[("moving", "down"), "reason"]
    for wrong in (
        {},
        {"groupby": "group", "score": "activity"},
        {"groupby": "sex"},
        {"score": "age"},
        {"score": [1.0]},
    ):
        with pytest.raises(DataError):
            tl.prerank(adata, signatures(), **wrong)
    with pytest.raises(DataError, match="does not fit"):
        tl.prerank(adata, signatures(), groupby="group", groups=("tumour", "metastasis"))


def test_prerank_does_not_depend_on_the_order_of_genes() -> None:
    rng = np.random.default_rng(5)
    x = np.round(rng.normal(8, 1, (9, 300)), 1)  # nine observations: many genes have the same rank correlation
    names = pd.DataFrame(index=[f"g{i}" for i in range(300)])
    sets = {f"s{k}": [f"g{i}" for i in rng.permutation(300)[:15]] for k in range(5)}
    adata = ad.AnnData(x, var=names, obs=pd.DataFrame({"v": rng.normal(size=9)}, index=[f"o{i}" for i in range(9)]))
    found = [tl.prerank(a, sets, score="v", permutations=50) for a in (adata, adata[:, rng.permutation(300)].copy())]
    pd.testing.assert_frame_equal(*found)

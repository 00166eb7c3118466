"""`tl.explain`: contributions add up to the score, and removing genes is a rescoring without them."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import mtorscore as mt
from mtorscore.collection import Composite, Signature, SignatureCollection
from mtorscore.errors import DataError, MethodError, SignatureError

ADDS_UP = ["mean", "wmean", "zscore", "plage", "singscore", "ucell", "aucell", "module_score", "ulm"]
LEFT_OUT = ["ssgsea", "gsva", "mlm"]
GENES = [f"G{i}" for i in range(300)]


def cohort(seed: int = 0, *, sparse_like: bool = False, nan: bool = False) -> ad.AnnData:
    random = np.random.default_rng(seed)
    x = random.gamma(2.0, 2.0, (25, 300))
    if sparse_like:
        x[random.random(x.shape) < 0.6] = 0.0
    if nan:
        x[3, 5] = np.nan
    made: Any = sparse.csr_matrix(x) if sparse_like else x
    return ad.AnnData(
        made, obs=pd.DataFrame(index=[f"S{i}" for i in range(25)]), var=pd.DataFrame(index=pd.Index(GENES))
    )


def signatures() -> SignatureCollection:
    both = Signature(
        id="BOTH",
        up=("G1", "G5", "G9", "G100", "ABSENT1"),
        down=("G20", "G21", "ABSENT2"),
        weights={"G1": 3.0, "G20": 0.5, "ABSENT1": 2.0},
    )
    up = Signature(id="UP", up=tuple(GENES[40:70]))
    down = Signature(id="DOWN", down=("G7", "G8", "G200"))
    return SignatureCollection([both, up, down])


def rescored(adata: ad.AnnData, entry: Signature, method: str, gone: set[str], **params: Any) -> float:
    """Score the whole cohort with a signature that never held the genes."""
    kept = Signature(
        id="KEPT",
        up=tuple(g for g in entry.up if g not in gone),
        down=tuple(g for g in entry.down if g not in gone),
        weights={g: w for g, w in entry.weights.items() if g not in gone},
    )
    copy = adata.copy()
    others = [s for s in signatures() if s.id != entry.id] if method == "mlm" else []
    mt.tl.score(copy, SignatureCollection([kept, *others]), method=method, **params)
    return float(copy.obsm[f"score_{method}"].loc["S3", "KEPT"])


@pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")
@pytest.mark.parametrize("sparse_like", [False, True])
@pytest.mark.parametrize("name", ["BOTH", "UP", "DOWN"])
@pytest.mark.parametrize("method", ADDS_UP)
def test_contributions_and_baseline_add_up(method: str, name: str, sparse_like: bool) -> None:
    adata = cohort(sparse_like=sparse_like)
    found = mt.tl.explain(adata, name, "S3", method=method, signatures=signatures())
    mt.tl.score(adata, signatures(), method=method)
    score = adata.obsm[f"score_{method}"].loc["S3", name]
    assert found["score"].unique() == pytest.approx([score], abs=1e-12)
    total = found["contribution"].sum() + found["baseline"].iloc[0]
    assert total == pytest.approx(found["total"].iloc[0], abs=1e-12)
    if method == "ulm":
        mt.tl.score(adata, signatures(), method="ulm", statistic="slope")
        score = adata.obsm["score_ulm"].loc["S3", name]
        assert set(found["adds_up_to"]) == {"slope"}
    if method == "ucell" and name == "BOTH":
        assert set(found["adds_up_to"]) == {"score before clipping"}
        total = max(total, 0.0)
    assert total == pytest.approx(score, abs=1e-9)
    assert set(found.loc[~found["present"], "gene"]) == {g for g in signatures()[name].genes if "ABSENT" in g}


@pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("mean", {"na": "omit"}),
        ("wmean", {"na": "omit", "standardise": True}),
        ("wmean", {"standardise": True}),
        ("zscore", {"na": "omit"}),
        ("zscore", {"zeros": "ignored"}),
        ("plage", {"na": "omit"}),
        ("singscore", {"na": "omit", "ties": "average"}),
        ("singscore", {"centre": False}),
        ("singscore", {"stable_genes": ["G2", "G3", "G60", "G80"]}),
        ("ucell", {"max_rank": 40, "na": "omit", "missing": "skip"}),
        ("ucell", {"max_rank": 100, "w_neg": 0.5, "ties": "first"}),
        ("aucell", {"top": 60, "ties": "random", "seed": 4}),
        ("aucell", {"top": 0.3, "na": "omit"}),
        ("module_score", {"flavour": "scanpy"}),
        ("module_score", {"controls": "sampled", "n_controls": 5}),
        ("ulm", {"statistic": "slope"}),
    ],
)
def test_parameters_keep_the_sum(method: str, params: dict[str, Any]) -> None:
    adata = cohort(1, nan=params.get("na") == "omit")
    for name in ("BOTH", "UP", "DOWN"):
        found = mt.tl.explain(adata, name, 3, method=method, signatures=signatures(), **params)
        total = found["contribution"].sum() + found["baseline"].iloc[0]
        if set(found["adds_up_to"]) == {"score before clipping"}:
            total = max(total, 0.0)
        assert total == pytest.approx(found["score"].iloc[0], abs=1e-9)


@pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")
@pytest.mark.parametrize("method", ADDS_UP + LEFT_OUT)
def test_removing_genes_is_a_rescoring_without_them(method: str) -> None:
    adata, entry = cohort(2), signatures()["BOTH"]
    assert isinstance(entry, Signature)
    found = mt.tl.explain(adata, "BOTH", "S3", method=method, signatures=signatures(), n_top=3)
    first = found.iloc[0]
    assert first["score_without"] == pytest.approx(rescored(adata, entry, method, {first["gene"]}), abs=1e-9)
    three = rescored(adata, entry, method, set(found["gene"][:3]))
    assert found["score_without_top"].iloc[2] == pytest.approx(three, abs=1e-9)
    assert found["score_without_top"].iloc[3:].isna().all()
    if method in LEFT_OUT:
        present = found[found["present"]]
        np.testing.assert_allclose(present["contribution"], present["score"] - present["score_without"], atol=1e-12)
        assert found["baseline"].isna().all()
        assert not found["adds_up_to"].iloc[0].startswith("score")


def test_every_method_is_looked_at() -> None:
    assert sorted(ADDS_UP + LEFT_OUT) == sorted(mt.tl.methods().index)


def test_the_gene_that_was_planted_comes_first() -> None:
    adata = cohort(3)
    adata.X[3, 50] = 45.0
    found = mt.tl.explain(adata, "UP", "S3", method="wmean", signatures=signatures())
    assert found["gene"].iloc[0] == "G50"
    assert (found["contribution"] - found["cohort_mean"]).abs().is_monotonic_decreasing
    assert found["value"].iloc[0] == 45.0


def test_cohort_means_are_the_mean_of_every_observation() -> None:
    adata = cohort(4)
    each = [mt.tl.explain(adata, "UP", i, method="zscore", signatures=signatures()) for i in range(adata.n_obs)]
    mean = pd.concat([t.set_index("gene")["contribution"] for t in each], axis=1).mean(axis=1)
    found = each[0].set_index("gene")["cohort_mean"]
    np.testing.assert_allclose(found, mean.loc[found.index], atol=1e-12)


def test_a_composite_is_explained_by_its_parts() -> None:
    adata = cohort(5)
    collection = signatures() | SignatureCollection([Composite(id="SUM", parts={"UP": 1.0, "DOWN": -2.0})])
    scorer = mt.SignatureScorer(signatures=collection, method="mean").fit(adata)
    found = mt.tl.explain(adata, "SUM", "S3", method="mean", signatures=collection, reference=scorer)
    mt.tl.score(adata, collection, method="mean", reference=scorer)
    assert found["contribution"].sum() == pytest.approx(adata.obsm["score_mean"].loc["S3", "SUM"], abs=1e-12)
    assert set(found["gene"]) == {"UP", "DOWN"}
    with pytest.raises(MethodError, match="reference="):
        mt.tl.explain(adata, "SUM", "S3", method="mean", signatures=collection)


@pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")
@pytest.mark.parametrize("method", ["zscore", "singscore"])
def test_a_frozen_reference_explains_a_new_patient(method: str) -> None:
    adata, new = cohort(6), cohort(7)[:1].copy()
    scorer = mt.SignatureScorer(signatures=signatures(), method=method).fit(adata)
    found = mt.tl.explain(new, "BOTH", 0, method=method, signatures=signatures(), reference=scorer)
    mt.tl.score(new, signatures(), method=method, reference=scorer)
    assert found["contribution"].sum() == pytest.approx(new.obsm[f"score_{method}"].iloc[0]["BOTH"], abs=1e-12)
    # What the reference learned belongs to the whole signature, so a shorter one has no score against it.
    assert found.loc[found["present"], "score_without"].isna().all() == (method == "zscore")


def test_what_cannot_be_explained_is_refused() -> None:
    adata = cohort()
    with pytest.raises(SignatureError, match="no signature 'NONE'"):
        mt.tl.explain(adata, "NONE", "S3", signatures=signatures())
    with pytest.raises(DataError, match="no observation named 'X'"):
        mt.tl.explain(adata, "UP", "X", signatures=signatures())
    with pytest.raises(DataError, match="no observation 25"):
        mt.tl.explain(adata, "UP", 25, signatures=signatures())
    with pytest.raises(DataError, match="is in the matrix"):
        mt.tl.explain(adata, Signature(id="AWAY", up=("Q1", "Q2")), 0)

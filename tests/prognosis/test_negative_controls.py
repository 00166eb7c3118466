"""The mirrors: the same scores as the scoring methods give, in the time that lets them be on by default."""

from __future__ import annotations

import time
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore import library, tl
from mtorscore.collection import Signature, SignatureCollection
from mtorscore.errors import SignatureError
from mtorscore.prognosis import Endpoint, associate
from mtorscore.tl.engine.random_signatures import hold, score_columns
from tests.prognosis.simulate import survival_table

ENDPOINT = Endpoint.survival("time", "event")


def expression(n: int, genes: list[str], seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = np.maximum(rng.normal(rng.normal(3, 3, len(genes)), 1.5, (n, len(genes))), 0)
    return pd.DataFrame(values, columns=genes, index=[f"P{i:04d}" for i in range(n)])


def library_genes(n: int) -> list[str]:
    own = sorted({g for s in library().signatures for g in s.genes})
    return (own + [f"G{i}" for i in range(n)])[:n]


@pytest.mark.filterwarnings("ignore::mtorscore.errors.IgnoredWarning")
@pytest.mark.parametrize("method", ["singscore", "ssgsea", "ucell", "zscore", "gsva", "aucell"])
def test_held_scores_are_those_of_the_method(method: str) -> None:
    x = expression(30, [f"G{i}" for i in range(700)])
    sigs = [
        Signature(id="A", up=tuple(x.columns[10:40]), down=tuple(x.columns[50:60])),
        Signature(id="B", up=tuple(x.columns[35:90]), weights={"G40": 2.5}),
    ]
    adata = ad.AnnData(x)
    tl.score(adata, SignatureCollection(sigs), method=method)
    place = {g: i for i, g in enumerate(x.columns)}
    columns = []
    for s in sigs:
        pairs = sorted((place[g], w) for g, w in s.signed_weights().items())
        columns.append((np.array([c for c, _ in pairs]), np.array([w for _, w in pairs])))
    held = hold(x.to_numpy())
    # Ranks that random signatures left behind must not change anything.
    list(tl.random_scores(held, columns, 3, method=method, bins=5))
    assert_allclose(score_columns(held, columns, method=method), adata.obsm[f"score_{method}"], rtol=1e-12, atol=1e-12)


def test_a_users_own_signatures_look_into_the_librarys_mirrors() -> None:
    x = expression(60, library_genes(4000))
    rng = np.random.default_rng(1)
    clinical = survival_table(rng.normal(size=60), rng, events=0.7)
    own = SignatureCollection([Signature(id="OWN", up=tuple(x.columns[::150]))])
    adata = ad.AnnData(x, obs=clinical)
    tl.score(adata, own, method="singscore")
    table = associate(adata, endpoint=ENDPOINT, signatures=own, n_random=20, n_boot=0).set_index("adjusted_for")
    assert list(table.index) == ["", "proliferation", "stroma", "immune", "hepatocyte"]
    assert table["hr"].notna().all()
    assert table["n_null"].eq(20).all()
    off = associate(adata, endpoint=ENDPOINT, signatures=own, n_boot=0, mirrors=())
    assert list(off["model"]) == ["unadjusted"]


def test_the_mirrors_look_at_the_scored_observations_only() -> None:
    """Other observations of the expression table must not reach the confounder of a cohort-dependent method."""
    x = expression(80, library_genes(3000))
    rng = np.random.default_rng(2)
    clinical = survival_table(rng.normal(size=80), rng, events=0.7)
    own = SignatureCollection([Signature(id="OWN", up=tuple(x.columns[::100]))])
    scores = pd.DataFrame({"OWN": rng.normal(size=50)}, index=x.index[:50])
    options: dict[str, Any] = {"signatures": own, "method": "zscore", "n_random": 10, "n_boot": 0}
    whole = associate(scores, clinical, ENDPOINT, expression=x, **options)
    part = associate(scores, clinical, ENDPOINT, expression=x.iloc[:50], **options)
    pd.testing.assert_frame_equal(whole, part)


def test_a_gene_in_two_columns_is_refused() -> None:
    x = expression(40, ["A", "B", "B", "C", *(f"G{i}" for i in range(300))])
    rng = np.random.default_rng(3)
    clinical = survival_table(rng.normal(size=40), rng, events=0.7)
    own = SignatureCollection([Signature(id="OWN", up=("A", "B"))])
    scores = pd.DataFrame({"OWN": rng.normal(size=40)}, index=x.index)
    with pytest.raises(SignatureError, match=r"1 gene\(s\) of OWN stand more than once in the matrix \(B\)"):
        associate(scores, clinical, ENDPOINT, expression=x, signatures=own, method="singscore", n_boot=0)


def seconds(n_random: int, repeats: int) -> float:
    """CPU seconds of the quickest of some default calls on a cohort of TCGA-LIHC's size."""
    x = expression(156, library_genes(20_000))
    rng = np.random.default_rng(4)
    adata = ad.AnnData(x, obs=survival_table(rng.normal(size=156), rng, events=0.35))
    sigs = library().select(["SREBP1_LIPOGENIC_CORE"])
    tl.score(adata, sigs, method="singscore")
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        table = associate(adata, endpoint=ENDPOINT, n_random=n_random)
        taken.append(time.process_time() - start)
    assert table["n_null"].eq(n_random).all()
    return min(taken)


def test_a_thousand_random_signatures_take_less_than_a_second() -> None:
    assert seconds(1000, 3) < 1.0


@pytest.mark.slow
def test_ten_thousand_random_signatures_take_less_than_five_seconds() -> None:
    assert seconds(10_000, 3) < 5.0

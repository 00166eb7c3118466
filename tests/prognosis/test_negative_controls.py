"""Negative controls: the scores that the scoring methods give, in one pass over the matrix."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore import library, tl
from mtorscore.collection import Signature, SignatureCollection
from mtorscore.errors import DataError, RenamedWarning, SignatureError
from mtorscore.prognosis import Endpoint, associate, cause_specific
from mtorscore.tl.engine import registry
from mtorscore.tl.engine.random_signatures import hold, score_columns
from mtorscore.tl.kernels import ranks
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
@pytest.mark.parametrize("method", registry.NAMES)
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


def test_a_users_own_signatures_get_the_librarys_negative_controls() -> None:
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
    off = associate(adata, endpoint=ENDPOINT, signatures=own, n_boot=0, negative_controls=())
    assert list(off["model"]) == ["unadjusted"]


def test_the_negative_controls_look_at_the_scored_observations_only() -> None:
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
    with pytest.raises(SignatureError, match=r"1 gene\(s\) of OWN are duplicated in the matrix \(B\)"):
        associate(scores, clinical, ENDPOINT, expression=x, signatures=own, method="singscore", n_boot=0)


def test_random_signatures_are_scored_in_one_pass_however_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes them cheap enough to be on by default: the matrix is ranked once, whatever the number of sets."""
    x = expression(60, library_genes(3000))
    rng = np.random.default_rng(4)
    adata = ad.AnnData(x, obs=survival_table(rng.normal(size=60), rng, events=0.5))
    tl.score(adata, library().select(["SREBP1_LIPOGENIC_CORE"]), method="singscore")
    ranked: list[int] = []
    plain = ranks.rank_dense

    def counted(*args: Any) -> Any:
        ranked.append(1)
        return plain(*args)

    monkeypatch.setattr(ranks, "rank_dense", counted)
    counts = []
    for n_random in (100, 5000):
        ranked.clear()
        table = associate(adata, endpoint=ENDPOINT, n_random=n_random)
        assert table["n_null"].eq(n_random).all()
        counts.append(len(ranked))
    assert counts[0] == counts[1] > 0


def test_the_old_name_of_the_argument_works_with_a_warning_at_the_caller() -> None:
    rng = np.random.default_rng(5)
    clinical = survival_table(rng.normal(size=60), rng, events=0.6)
    scores = pd.DataFrame({"A": rng.normal(size=60)}, index=clinical.index)
    for names in ((), ("proliferation",), "random"):
        new = associate(scores, clinical, ENDPOINT, negative_controls=names, n_boot=0)
        with pytest.warns(RenamedWarning, match="negative_controls=") as seen:
            old = associate(scores, clinical, ENDPOINT, mirrors=names, n_boot=0)
        assert [w.filename for w in seen] == [__file__]
        pd.testing.assert_frame_equal(old, new)
    with pytest.raises(DataError, match="old name"):
        associate(scores, clinical, ENDPOINT, mirrors=(), negative_controls=("random",))


def test_the_old_name_works_for_causes_too() -> None:
    rng = np.random.default_rng(6)
    clinical = survival_table(rng.normal(size=80), rng, events=0.8)
    clinical["cause"] = np.where(np.arange(80) % 3 == 0, 2, 1) * clinical["event"]
    scores = pd.DataFrame({"A": rng.normal(size=80)}, index=clinical.index)
    endpoint = Endpoint.survival("time", "cause", competing=2)
    new = cause_specific(scores, clinical, endpoint, negative_controls=(), n_boot=0)
    with pytest.warns(RenamedWarning) as seen:
        old = cause_specific(scores, clinical, endpoint, mirrors=(), n_boot=0)
    assert {w.filename for w in seen} == {__file__}
    pd.testing.assert_frame_equal(old, new)


@pytest.mark.filterwarnings("ignore::mtorscore.errors.IgnoredWarning")
@pytest.mark.parametrize("method", registry.NAMES)
def test_methods_that_hold_the_cohort_get_fewer_random_signatures(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtorscore.prognosis.association.negative_controls.MOST_REFITTED", 3)
    x = expression(40, [f"G{i}" for i in range(400)])
    rng = np.random.default_rng(7)
    sigs = SignatureCollection([Signature(id="OWN", up=tuple(x.columns[:20]))])
    adata = ad.AnnData(x, obs=survival_table(rng.normal(size=40), rng, events=0.6))
    tl.score(adata, sigs, method=method)
    options: dict[str, Any] = {"negative_controls": "random", "n_random": 5, "n_boot": 0}
    row = associate(adata, endpoint=ENDPOINT, signatures=sigs, method=method, **options).iloc[0]
    fewer = registry.get(method).holds_cohort
    assert row["n_null"] == (3 if fewer else 5)
    assert ("3 random signatures" in row["reason"]) == fewer


def test_the_random_signatures_of_a_signature_do_not_depend_on_the_others() -> None:
    """Alone, among others and in another order: the draw follows the signature's own hash."""
    genes = [f"G{i}" for i in range(400)]
    x = expression(60, genes)
    rng = np.random.default_rng(6)
    clinical = survival_table(rng.normal(size=60), rng, events=0.6)
    own = SignatureCollection([Signature(id=n, up=tuple(genes[i::40])) for i, n in enumerate("ABC")])
    scores = pd.DataFrame(rng.normal(size=(60, 3)), x.index, list("ABC"))
    options: dict[str, Any] = {"signatures": own, "method": "singscore", "n_random": 100, "n_boot": 0}
    whole, turned, alone = (
        associate(
            scores[list(names)], clinical, ENDPOINT, expression=x, negative_controls=["random"], **options
        ).set_index("signature")["null_p"]
        for names in ("ABC", "CBA", "B")
    )
    pd.testing.assert_series_equal(whole, turned.loc[whole.index])
    assert alone["B"] == whole["B"]
    other = associate(
        scores, clinical, ENDPOINT, expression=x, negative_controls=["random"], **options, seed=1
    ).set_index("signature")["null_p"]
    assert not other.equals(whole)

"""Alterations against scores: exact tests by enumeration, planted effects found, few altered said to be few."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore import prognosis
from mtorscore._multiple_testing import adjust_p
from mtorscore.collection.lead_signatures import lead_of
from mtorscore.errors import DataError, DataWarning, MtorscoreWarning
from mtorscore.io.alterations.declared import declared_genes
from mtorscore.prognosis.genomics import exact_test
from mtorscore.prognosis.genomics.altered import Altered, matched
from mtorscore.prognosis.genomics.exact_test import cramers_v, rank_sum_p

pytestmark = pytest.mark.filterwarnings("ignore::mtorscore.errors.StatisticsWarning")


def enumerated(values: np.ndarray[Any, Any], first: np.ndarray[Any, Any]) -> float:
    """Return the p-value by listing every arrangement."""
    ranks = pd.Series(values).rank().to_numpy()
    centre = first.sum() * ranks.mean()
    sums = np.array([ranks[list(c)].sum() for c in combinations(range(len(values)), int(first.sum()))])
    return float((np.abs(sums - centre) >= abs(ranks[first].sum() - centre) - 1e-9).mean())


def test_the_permutation_test_is_exact() -> None:
    rng = np.random.default_rng(int(np.random.default_rng().integers(10**6)))
    for n in (6, 9, 12):
        for ties in (False, True):
            values = rng.integers(0, 4, n).astype(float) if ties else rng.normal(size=n)
            first = np.zeros(n, dtype=bool)
            first[rng.permutation(n)[: int(rng.integers(1, n))]] = True
            p, how = rank_sum_p(values, first)
            assert how == "exact"
            assert_allclose(p, enumerated(values, first), atol=1e-12)


def test_many_arrangements_are_sampled_and_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_test, "SAMPLED", 4999)
    rng = np.random.default_rng(4)
    values, first = np.round(rng.normal(size=3000), 2), np.arange(3000) < 1200
    values[first] += 0.06
    p, how = rank_sum_p(values, first)
    assert how == "sampled"
    from scipy import stats

    assert_allclose(p, stats.mannwhitneyu(values[first], values[~first]).pvalue, atol=0.02)
    assert np.isnan(rank_sum_p(values[:3], np.zeros(3, dtype=bool))[0])


def test_cramers_v_is_one_where_labels_agree_and_near_none_by_chance() -> None:
    labels = np.repeat([0, 1, 2], 20)
    v, p = cramers_v(labels, labels, 999)
    assert_allclose(v, 1.0)
    assert p == 1 / 1000
    rng = np.random.default_rng(0)
    found = [cramers_v(labels, rng.permutation(labels), 99, seed) for seed in range(40)]
    assert np.mean([v for v, _ in found]) < 0.1
    assert 0.3 < np.mean([p for _, p in found]) < 0.7
    assert np.isnan(cramers_v(labels, np.zeros(60, dtype=np.int64))[0])


def cohort(rng: np.random.Generator, n: int = 80) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores of leads, and alterations that raise the mTORC1 lead by two SD where PTEN is lost."""
    index = [f"T{i}" for i in range(n)]
    names = [lead_of(b, "HCC") for b in ("mtorc1", "s6k", "pi3k", "ras_mnk", "insulin_igf", "hypoxia_vegf", "pten")]
    scores = pd.DataFrame(rng.normal(size=(n, len(names))), index, [str(s) for s in names])
    calls = pd.DataFrame((rng.random((n, 4)) < 0.3).astype(float), index, ["PTEN", "TSC1", "TERT", "MYC"])
    calls["NPRL2"] = (np.arange(n) < 3).astype(float)
    calls.iloc[:10, :] = np.nan
    scores[names[0]] += 2 * calls["PTEN"].fillna(0)
    return scores, calls


def test_a_planted_effect_is_found_and_nothing_else_is() -> None:
    rng = np.random.default_rng(7)
    scores, calls = cohort(rng)
    table = prognosis.alterations(scores, calls, negative_controls=())
    first = table[table["model"] == "unadjusted"]
    lead = str(lead_of("mtorc1", "HCC"))
    found = first[first["declared"].astype(bool)].set_index(["signature", "gene"])["finding"]
    assert found[lead, "PTEN"] == "as expected"
    assert found[lead, "TERT"] == "nothing found"
    assert found[lead, "NPRL2"] == "cannot be said"
    row = first[(first["signature"] == lead) & (first["gene"] == "PTEN")].iloc[0]
    assert row["n"] == 70
    assert row["altered"] == calls["PTEN"].sum()
    known = calls["PTEN"].notna()
    x, y = scores.loc[known, lead], calls.loc[known, "PTEN"] == 1
    assert_allclose(row["difference"], (x[y].mean() - x[~y].mean()) / x.std())
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert_allclose(row["permutation_p"], rank_sum_p(x.to_numpy(), y.to_numpy())[0])
    assert row["odds_ratio"] > 1
    opposite = prognosis.alterations(scores, calls, pairs=[(lead, "PTEN", -1)], negative_controls=())
    assert opposite["finding"].iloc[0] == "against expectation"


def test_the_family_of_q_is_the_declared_pairs() -> None:
    scores, calls = cohort(np.random.default_rng(int(np.random.default_rng().integers(10**6))))
    table = prognosis.alterations(scores, calls, negative_controls=())
    first = table[(table["model"] == "unadjusted")]
    for _, part in first.groupby("declared"):
        told = part[part["q"].notna()]
        assert_allclose(told["q"], adjust_p(told["permutation_p"].to_numpy()))
        assert (told["altered"] >= 10).all()
        assert part.loc[part["q"].isna(), "finding"].eq("cannot be said").all()


def test_a_branch_without_a_readable_score_is_said() -> None:
    scores, calls = cohort(np.random.default_rng(1))
    table = prognosis.alterations(scores, calls, negative_controls=(), exploratory=False)
    akt = table[table["branch"] == "mtorc2_akt"]
    assert len(akt)
    assert akt["finding"].eq("cannot be said").all()
    assert akt["reason"].str.contains("opposed").all()


def test_controls_stand_beside_the_declared_pairs() -> None:
    scores, calls = cohort(np.random.default_rng(3))
    rng = np.random.default_rng(5)
    clinical = pd.DataFrame({"subclass": rng.choice(["S1", "S2", "S3"], len(scores))}, index=scores.index)
    clinical["aetiology"] = np.where(calls["PTEN"].fillna(0) == 1, rng.normal(1, 1, len(scores)), 0.0)
    table = prognosis.alterations(scores, calls, clinical, adjust=["subclass", "aetiology"], negative_controls=())
    lead = str(lead_of("mtorc1", "HCC"))
    rows = table[(table["signature"] == lead) & (table["gene"] == "PTEN")]
    assert list(rows["adjusted_for"]) == ["", "subclass", "aetiology"]
    assert rows["beside"].iloc[0].startswith("subclass: yes")
    undeclared = table[~table["declared"].astype(bool)]
    assert set(undeclared["model"]) == {"unadjusted"}


def test_a_cohort_without_effect_gives_few_findings() -> None:
    """Of the declared families of null cohorts, one in twenty may hold a finding."""
    seed = int(np.random.default_rng().integers(10**6))
    print("seed", seed)
    found = 0
    for i in range(20):
        rng = np.random.default_rng([seed, i])
        scores, calls = cohort(rng, 60)
        scores.iloc[:, 0] = rng.normal(size=len(scores))
        table = prognosis.alterations(scores, calls, negative_controls=(), exploratory=False)
        found += bool(table["finding"].isin(["as expected", "against expectation", "higher", "lower"]).any())
    assert found <= 5


def test_names_are_matched_by_sample_then_patient() -> None:
    samples = ["TCGA-DD-A001-01A-11D-A12Z-10", "TCGA-DD-A002-01A-11D-A12Z-10"]
    assert matched(samples, pd.Index(["TCGA-DD-A002-01B-11R-A1XX-07", "TCGA-DD-A009-01A-11R-A1XX-07"])) == [1, -1]
    assert matched(samples, pd.Index(["TCGA-DD-A001"])) == [0]
    with pytest.raises(DataError, match="names must agree"):
        matched(samples, pd.Index(["x"]))
    calls = pd.DataFrame({"TP53": [1.0, 0.0]}, index=["a", "b"])
    with pytest.warns(DataWarning, match="1 of 3 observations"):
        Altered.of(calls, pd.Index(["a", "y", "z"]))
    with pytest.raises(DataError, match="must be 1"):
        Altered.of(calls * 3, pd.Index(["a"]))


def kinds(**cells: dict[str, str | None]) -> Any:
    """Return what the reader returns, from kinds per gene and sample; ``None`` is not profiled for mutations."""
    import anndata as ad

    table = pd.DataFrame(cells)
    seen = table.notna()
    text = table.where(seen, "").astype(object)
    x = np.where(seen, (~text.isin(["", "gain"])).astype(np.float32), np.nan).astype(np.float32)
    adata = ad.AnnData(x, obs=pd.DataFrame(index=table.index), var=pd.DataFrame(index=table.columns))
    adata.layers["kind"], adata.layers["profiled"] = text.to_numpy(dtype=object), seen.to_numpy()
    adata.layers["profiled_mutations"] = seen.to_numpy()
    return adata


def test_only_alterations_that_act_count_and_others_are_neither() -> None:
    adata = kinds(
        PIK3CA={"a": "missense hotspot", "b": "missense", "c": "", "d": "gain", "e": None},
        PTEN={"a": "truncating", "b": "amplification", "c": "", "d": "", "e": None},
    )
    found = Altered.of(adata, adata.obs_names)
    calls, other = found.of_gene("PIK3CA", declared_genes()["PIK3CA"].kinds)
    assert_allclose(calls, [1, np.nan, 0, 0, np.nan])
    assert other == 1
    lost, other = found.of_gene("PTEN", declared_genes()["PTEN"].kinds)
    assert_allclose(lost, [1, np.nan, 0, 0, np.nan])
    assert other == 1


def test_without_copy_number_of_a_sample_nothing_is_said_of_it() -> None:
    adata = kinds(PTEN={"a": "", "b": "", "c": "deep deletion"})
    adata.layers["profiled_copy_number"] = np.array([[True], [False], [True]])
    calls, _ = Altered.of(adata, adata.obs_names).of_gene("PTEN", declared_genes()["PTEN"].kinds)
    assert_allclose(calls, [0, np.nan, 1])


def test_a_share_is_of_tumours_that_everything_looked_at() -> None:
    """Copy number of half the tumours, or of other genes alone, does not raise shares."""
    rng = np.random.default_rng(7)
    n = 400
    mutated, lost = rng.random(n) < 0.2, rng.random(n) < 0.1
    covered = np.arange(n) < 200
    words: dict[str, str | None] = {f"t{i}": "truncating" * bool(m) or "deep deletion" * bool(d and c)
             for i, (m, d, c) in enumerate(zip(mutated, lost, covered, strict=True))}  # fmt: skip
    adata = kinds(PTEN=words, TSC1={f"t{i}": "truncating" if m else "" for i, m in enumerate(mutated)})
    adata.layers["profiled_copy_number"] = np.column_stack([covered, np.zeros(n, dtype=bool)])
    shares = prognosis.alteration_shares(adata).set_index("name")
    assert shares.loc["PTEN", ["n", "altered"]].tolist() == [200, int((mutated | lost)[covered].sum())]
    assert shares.loc["TSC1", ["n", "altered"]].tolist() == [n, int(mutated.sum())]
    found = Altered.of(adata, adata.obs_names)
    calls, _ = found.of_gene("PTEN", declared_genes()["PTEN"].kinds)
    assert calls.eq(1).sum() == (mutated | (lost & covered)).sum()


def test_a_gene_nobody_was_looked_at_for_is_none_of_its_branch() -> None:
    adata = kinds(
        PTEN={"a": "truncating", "b": "", "c": "", "d": "amplification"},
        PIK3CA=dict.fromkeys("abcd"),
        PIK3R1={"a": "", "b": "truncating", "c": "", "d": "truncating"},
    )
    table = prognosis.alteration_shares(adata).set_index("name")
    assert "PIK3CA" not in table.loc["pi3k", "genes"]
    # d has a gene altered in another way: it is neither, whatever its other genes are.
    assert table.loc["pi3k", ["n", "altered"]].tolist() == [3, 2]


def test_shares_are_of_the_profiled_and_a_branch_needs_all_its_genes() -> None:
    adata = kinds(
        PTEN={"a": "truncating", "b": "", "c": "", "d": None},
        PIK3CA={"a": "", "b": "missense hotspot", "c": "", "d": ""},
    )
    table = prognosis.alteration_shares(adata).set_index("name")
    assert table.loc["PTEN", ["n", "altered"]].tolist() == [3, 1]
    assert table.loc["PIK3CA", ["n", "altered"]].tolist() == [4, 1]
    assert table.loc["pi3k", ["n", "altered"]].tolist() == [3, 2]
    assert table.loc["pten", "n"] == 3
    assert (table["low"] <= table["share"]).all()
    assert (table["share"] <= table["high"]).all()
    assert table.loc["PTEN", "kinds"] == "truncating 1"


def test_what_is_not_there_is_refused() -> None:
    scores, calls = cohort(np.random.default_rng(0))
    with pytest.raises(DataError, match="are not there"):
        prognosis.alterations(scores, calls, pairs=[("NOPE", "PTEN", 1)])
    with pytest.raises(DataError, match="no pair"):
        prognosis.alterations(scores, calls[["MYC"]].rename(columns={"MYC": "GENE"}))
    with pytest.raises(DataError, match="read_alterations returns"):
        prognosis.alterations(scores, [1, 2])
    assert issubclass(DataWarning, MtorscoreWarning)


def test_barcodes_are_matched_by_sample_and_normal_tissue_is_no_tumour() -> None:
    """Whatever the order: the same vial, then the primary tumour; a normal sample has nothing of its patient."""
    listed = ["TCGA-DD-A001-02A-11D", "TCGA-DD-A001-01B-11D", "TCGA-DD-A001-01A-11D", "TCGA-DD-A002-11A-11D"]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        names = [listed[i] for i in order]
        by_patient = matched(names, pd.Index(["TCGA-DD-A001", "TCGA-DD-A002"]))
        assert [names[i] if i >= 0 else "" for i in by_patient] == ["TCGA-DD-A001-01A-11D", ""]
        by_vial = matched(names, pd.Index(["TCGA-DD-A001-01B-11R-A12Z"]))
        assert names[by_vial[0]] == "TCGA-DD-A001-01B-11D"
    patients = matched(["TCGA-DD-A001"], pd.Index(["TCGA.DD.A001.01A.11R", "TCGA.DD.A001.11A.11R"]))
    assert patients == [0, -1]

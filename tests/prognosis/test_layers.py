"""Layers of evidence: each called by its own rule, disagreement counted, nothing pooled; classes beside labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore import prognosis
from mtorscore.collection.lead_signatures import lead_of
from mtorscore.errors import DataError
from mtorscore.prognosis.genomics.layers import ACTIVE, NOT_SHOWN, RELATIVE, UNSAID
from mtorscore.prognosis.statistics.quantiles import predictive_quantile

LEAD = str(lead_of("mtorc1", "HCC"))


def measured(n: int = 30, normals: int = 40) -> tuple[pd.DataFrame, pd.Index, pd.Index]:
    rng = np.random.default_rng(0)
    index = [*(f"T{i}" for i in range(n)), *(f"N{i}" for i in range(normals))]
    scores = pd.DataFrame({LEAD: rng.normal(size=n + normals)}, index=index)
    scores.iloc[: n // 2] += 6
    return scores, scores.index[:n], scores.index[n:]


def test_transcripts_are_called_against_normal_tissue() -> None:
    scores, tumours, normal = measured()
    table = prognosis.layers(scores, tumours, normal)
    rows = table[(table["branch"] == "mtorc1") & (table["layer"] == "transcript")].set_index("observation")
    threshold = predictive_quantile(scores.loc[normal, LEAD].to_numpy(), 0.95)
    assert_allclose(rows["threshold"], threshold)
    assert (rows["call"] == np.where(scores.loc[rows.index, LEAD] > threshold, ACTIVE, NOT_SHOWN)).all()
    assert rows["grade"].str.len().gt(0).all()
    share = prognosis.layer_shares(table, scores, normal).set_index(["branch", "layer"]).loc[("mtorc1", "transcript")]
    assert_allclose(share["share"], (rows["call"] == ACTIVE).mean())
    assert share["low"] <= share["share"] <= share["high"]


def test_without_normal_tissue_transcripts_call_nothing() -> None:
    scores, tumours, normal = measured(normals=5)
    rows = prognosis.layers(scores, tumours, normal)
    rows = rows[rows["branch"] == "mtorc1"]
    assert rows["call"].eq(UNSAID).all()
    assert rows["reason"].str.contains("20 are needed").all()


def test_a_branch_whose_score_is_opposed_is_not_called() -> None:
    scores, tumours, normal = measured()
    scores["FOXO_TARGETS_AKT_OFF"] = scores[LEAD]
    table = prognosis.layers(scores, tumours, normal)
    rows = table[table["branch"] == "mtorc2_akt"]
    assert rows["call"].eq(UNSAID).all()
    assert rows["reason"].str.contains("opposed").all()


def test_layers_disagree_in_the_open() -> None:
    """DNA and transcript may each say active alone; of a tumour that was not profiled nothing is said."""
    scores, tumours, normal = measured()
    calls = pd.DataFrame(0.0, index=tumours, columns=["MTOR", "TSC1", "TP53"])
    calls.loc["T0", "MTOR"] = calls.loc["T20", "TSC1"] = calls.loc["T25", "TP53"] = 1
    calls.loc["T1"] = np.nan
    table = prognosis.layers(scores, tumours, normal, alterations=calls)
    rows = table[table["branch"] == "mtorc1"].set_index(["observation", "layer"])
    assert rows.loc[("T0", "DNA"), "call"] == ACTIVE
    assert rows.loc[("T0", "DNA"), "agreement"] == "agree"
    assert rows.loc[("T20", "DNA"), "reason"] == "TSC1"
    assert rows.loc[("T20", "transcript"), "agreement"] == "disagree"
    assert rows.loc[("T1", "DNA"), "call"] == UNSAID
    assert rows.loc[("T1", "transcript"), "agreement"] == "one layer"
    # TP53 acts beside the pathway.
    assert rows.loc[("T25", "DNA"), "call"] == NOT_SHOWN
    shares = prognosis.layer_shares(table, scores, normal).set_index(["branch", "layer"])
    assert shares.loc[("mtorc1", "DNA"), ["n", "active"]].tolist() == [29, 2]
    assert shares.loc[("mtorc1", "DNA"), "disagree"] == shares.loc[("mtorc1", "transcript"), "disagree"]
    assert "pooled" not in table


def test_the_share_of_dna_is_of_tumours_whose_genes_can_all_be_said() -> None:
    """An altered tumour of which another gene is not known is called active; in the share it would not be alone."""
    scores, tumours, normal = measured()
    calls = pd.DataFrame(0.0, index=tumours, columns=["MTOR", "TSC1"])
    calls.loc[["T0", "T1", "T2"], "MTOR"] = 1
    calls.loc[["T0", "T10", "T11"], "TSC1"] = np.nan
    table = prognosis.layers(scores, tumours, normal, alterations=calls)
    rows = table[(table["branch"] == "mtorc1") & (table["layer"] == "DNA")].set_index("observation")
    assert rows.loc["T0", "call"] == ACTIVE
    assert np.isnan(rows.loc["T0", "value"])
    shares = prognosis.layer_shares(table, scores, normal).set_index(["branch", "layer"])
    assert shares.loc[("mtorc1", "DNA"), ["n", "active"]].tolist() == [27, 2]


def test_proteins_without_normal_tissue_have_calls_and_no_share() -> None:
    scores, tumours, normal = measured()
    proteins = pd.DataFrame({"S6_pS235/S236": np.arange(30.0), "other": 1.0}, index=tumours)
    table = prognosis.layers(scores, tumours, normal, proteins=proteins)
    rows = table[table["layer"] == "protein"]
    assert set(rows["branch"]) == {"mtorc1"}
    assert (rows["call"] == ACTIVE).sum() == 10
    shares = prognosis.layer_shares(table, scores, normal, proteins=proteins).set_index("layer")
    assert np.isnan(shares.loc["protein", "share"])
    assert shares.loc["protein", "reason"] == RELATIVE
    both = pd.concat([proteins, pd.DataFrame({"S6_pS235/S236": np.linspace(0, 5, 40)}, index=normal)])
    table = prognosis.layers(scores, tumours, normal, proteins=both)
    found = prognosis.layer_shares(table, scores, normal, proteins=both).set_index("layer").loc["protein"]
    assert found["share"] > 0.7
    assert found["low"] <= found["share"] <= found["high"]


def test_no_tumour_is_refused() -> None:
    scores, _, normal = measured()
    with pytest.raises(DataError, match="no tumour"):
        prognosis.layers(scores, scores.index[:0], normal)


def test_classes_stand_beside_scores_labels_and_outcome() -> None:
    rng = np.random.default_rng(2)
    index = pd.Index([f"T{i}" for i in range(60)])
    classes = pd.Series(np.repeat(["S1", "S2", "S3"], 20), index).astype(object)
    classes.iloc[-3:] = None
    scores = pd.DataFrame({LEAD: rng.normal(size=60), "RIBI_CORE": rng.normal(size=60)}, index=index)
    scores.loc[index[:20], LEAD] += 2
    table = prognosis.class_contrasts(scores, classes, scheme="hoshida", n_permutations=500)
    found = table.set_index(["class", "signature"])
    assert found.loc[("S1", LEAD), "hedges_g"] > 1
    assert found.loc[("S1", LEAD), "q"] < 0.05
    assert found.loc[("S3", LEAD), ["n_class", "n_others"]].tolist() == [17, 40]
    clinical = pd.DataFrame({"t": rng.exponential(900, 60), "e": rng.integers(0, 2, 60)}, index=index)
    endpoint = prognosis.Endpoint.survival("t", "e", unit="days", name="OS")
    labels = {"TP53": pd.Series(np.repeat([1.0, 0.0, 0.0], 20), index)}
    beside = prognosis.class_labels(classes, labels, clinical, [endpoint], scheme="hoshida").set_index(
        ["beside", "class"]
    )
    assert_allclose(beside.loc[("TP53", "S1"), "share"], 1)
    assert beside.loc[("TP53", "S1"), "statistic"] > 0.9
    assert beside.loc[("OS", "S3"), "n"] == 17
    assert beside.loc["OS", "p"].nunique() == 1
    beyond = prognosis.beyond_class(scores, classes, clinical, [endpoint], scheme="hoshida")
    assert set(beyond["adjusted_for"]) == {"", "class (hoshida)"}
    assert beyond.loc[beyond["model"] == "adjusted", "n"].eq(57).all()
    none = pd.Series([None] * 60, index, dtype=object)
    assert not len(prognosis.class_contrasts(scores, none, scheme="x"))
    assert not len(prognosis.class_labels(none, labels, clinical, [endpoint], scheme="x"))
    assert not len(prognosis.beyond_class(scores, none, clinical, [endpoint], scheme="x"))

"""Measured signalling beside transcripts, and what follows for the grades of the library."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mtorscore as mt
from benchmarks.readout import anchor, evidence
from benchmarks.readout.anchor_page import page
from benchmarks.readout.anchor_plan import ANTIBODIES, claim
from benchmarks.readout.rppa import AXES, COHORTS, Measured, axes, measured
from mtorscore.collection import CONFOUNDER
from tests.conftest import ROOT

TABLES = ROOT / "benchmarks" / "readout" / "tables"


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    return pd.read_csv(TABLES / "tissue_anchor.tsv", sep="\t", comment="#")


@pytest.mark.parametrize(("cohort", "tumours"), [("CHOL", 30), ("STAD", 32), ("UVM", 12), ("DLBC", 12)])
def test_both_layers_are_of_the_same_tumours(shared: Path, cohort: str, tumours: int) -> None:
    one = next(measured(shared, {cohort: COHORTS[cohort]}))
    assert one.rna.n_obs == len(one.protein) == tumours
    assert list(one.rna.obs_names) == list(one.protein.index)
    assert one.rna.obs_names.is_unique
    assert {"FASN", "SCD", "RPS6"} <= set(one.rna.var_names)
    assert {site for sites in AXES.values() for site in sites} <= set(one.protein.columns)
    rho = stats.spearmanr(one.rna[:, "EIF4EBP1"].X.ravel(), one.protein["4E-BP1"]).statistic
    assert rho > 0.2  # a check of the pairing


def test_the_liver_tumours_and_their_axes(shared: Path) -> None:
    one = next(measured(shared, {"LIHC": "HCC"}))
    assert one.protein.shape == (71, 219)
    for gene, antibody, known in (("EIF4EBP1", "4E-BP1", 0.70), ("ACACA", "ACC1", 0.64), ("FASN", "FASN", 0.59)):
        rho = stats.spearmanr(one.rna[:, gene].X.ravel(), one.protein[antibody]).statistic
        assert abs(rho - known) < 0.015, gene
    two = one.protein[list(AXES["pS6"])]
    assert abs(stats.spearmanr(two).statistic - 0.40) < 0.01
    assert np.allclose(axes(one.protein)["pS6"], two.mean(axis=1))


def test_the_statistics_are_those_of_scipy_and_of_regression() -> None:
    rng = np.random.default_rng(0)
    x, y, z = rng.normal(size=(3, 40))
    y = y + 0.5 * x + z
    rho = anchor.ranks(x[:, None]).T @ anchor.ranks(y[:, None])
    known = stats.spearmanr(x, y)
    assert rho[0, 0] == pytest.approx(known.statistic)
    low, high, p = anchor.spearman_interval(rho, 40)
    assert p[0, 0] == pytest.approx(known.pvalue)
    assert np.arctanh(high) - np.arctanh(rho) == pytest.approx(1.959964 * np.sqrt((1 + rho**2 / 2) / 37))
    assert low < rho < high
    given = anchor.ranks(z[:, None])
    design = np.column_stack([np.ones(40), given])
    left, right = (v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (anchor.ranks(x), anchor.ranks(y)))
    found = anchor.partial(anchor.ranks(x[:, None]), anchor.ranks(y[:, None]), given)
    assert found[0, 0] == pytest.approx(np.corrcoef(left, right)[0, 1])
    assert np.isnan(anchor.partial(given, anchor.ranks(y[:, None]), given)).all()  # given itself, nothing is left


def test_intervals_cover_and_random_signatures_are_the_middle() -> None:
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(300):
        x, noise = rng.normal(size=(2, 50))
        rho = np.array([stats.spearmanr(x, 0.5 * x + noise).statistic])
        low, high, _ = anchor.spearman_interval(rho, 50)
        covered.append(low[0] < 6 / np.pi * np.arcsin(0.5 / np.sqrt(1.25) / 2) < high[0])
    assert 0.91 < np.mean(covered) < 0.985


def test_published_page_and_evidence_follow_from_the_tables(published: pd.DataFrame) -> None:
    text = (TABLES / "tissue_anchor.tsv").read_text(encoding="utf-8")
    header = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    assert {"# command:", "# commit:", "# date:", "# library:"} <= {
        " ".join(h.split()[:2]) for h in header.splitlines()
    }
    pairs = pd.read_csv(TABLES / "pairing.tsv", sep="\t", comment="#")
    assert (ROOT / "docs" / "evidence" / "tissue_anchor.md").read_text(encoding="utf-8") == page(
        published, pairs, header
    )
    results = pd.read_csv(TABLES / "results.tsv", sep="\t")
    rows = evidence.build(mt.library(experimental=True), published, results)
    again = evidence.text_of(rows)
    assert (ROOT / "signatures" / "evidence.tsv").read_text(encoding="utf-8") == again
    assert (TABLES / "tissue_anchor.tsv").stat().st_size < 2_000_000


def test_every_score_is_held_against_every_antibody_in_every_cohort(published: pd.DataFrame) -> None:
    library = mt.library(experimental=True)
    scored = {e.id for e in library if e.kind in {"signature", "composite"}}
    for cohort, rows in published.groupby("cohort"):
        assert scored <= set(rows["signature"]), cohort
        assert rows.groupby("signature")["antibody"].nunique().eq(len(ANTIBODIES)).all()
    claims = published[published["claim"] != 0].groupby("signature")[["antibody", "claim"]].first()
    for name, row in claims.iterrows():
        assert claim(library[str(name)]) == (row["antibody"], row["claim"])
    seen = published[published["seen"] == 1]
    assert len(seen) == 18
    known = seen.set_index(["signature", "antibody"])["rho"]
    assert known["AKT_AXIS", "pAKT"] < -0.5
    assert known["SREBP1_LIPOGENIC_CORE", "pS6"] == pytest.approx(0.36, abs=0.02)
    tested = published[(published["cohort"] == "LIHC") & (published["claim"] == 0)]
    assert tested["percentile"].median() == pytest.approx(50, abs=20)


def test_evidence_names_every_entry_that_can_be_graded_once_per_context() -> None:
    text = (ROOT / "signatures" / "evidence.tsv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text.split("\n", 1)[1]), delimiter="\t"))
    library = mt.library(experimental=True)
    graded = {e.id for e in library if e.kind in {"signature", "composite"} and e.branch not in {CONFOUNDER, "context"}}
    assert {(r["signature"], r["context"]) for r in rows} == {(n, c) for n in graded for c in mt.collection.CONTEXTS}
    assert all(r["hash"] == library[r["signature"]].hash for r in rows)  # measured as it is shipped


@pytest.mark.slow
def test_measuring_a_cohort_again_gives_the_published_numbers(shared: Path, published: pd.DataFrame) -> None:
    one: Measured = next(measured(shared, {"CHOL": "CCA"}))
    again = anchor.of_cohort(one, anchor.entries_of(mt.library(experimental=True)))
    merged = again.merge(published[published["cohort"] == "CHOL"], on=["signature", "antibody"], suffixes=("", "_old"))
    assert len(merged) == len(again)
    for column in ("rho", "low", "percentile", "given_site"):
        np.testing.assert_allclose(merged[column], merged[f"{column}_old"], rtol=0.006, atol=1e-3)

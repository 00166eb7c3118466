"""Learned estimators: what a planted axis gives, which genes are taken, and that the page says what the tables say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mtorscore as mt
from benchmarks.readout import estimator_weights
from benchmarks.readout.estimator import Block, deviates, learn, library_arms, weights_of
from benchmarks.readout.estimator_entries import FIGURE, document, file_of
from benchmarks.readout.estimator_figures import draw
from benchmarks.readout.estimator_judge import OWN
from benchmarks.readout.estimator_plan import LEAST_LANDMARKS, N_GENES, TARGETS, Target
from benchmarks.readout.estimator_run import PAGE, TABLES, explained, page, published, verdict
from benchmarks.readout.rppa import AXES, COHORTS, axes, measured
from benchmarks.readout.run import learned_here
from mtorscore.collection.grades import evidence
from mtorscore.collection.yaml_text import dump

CORE = list(mt.library()["SREBP1_LIPOGENIC_CORE"].genes)
OTHERS = [g for g in mt.library()["HALLMARK_MTORC1_SIGNALING"].genes if g not in CORE]


def cohort(name: str, rng: np.random.Generator, n: int = 40) -> Block:
    """Return tumours in which the lipogenic core follows the target and the other genes do not."""
    genes = [*CORE, *OTHERS, *(f"ZZ{i}" for i in range(200))]
    y = rng.normal(size=n)
    values = rng.normal(8, 1, (n, len(genes)))
    values[:, : len(CORE)] += y[:, None]
    raw = pd.DataFrame(values, columns=genes)
    ones, none = np.ones(n), np.full(n, "", dtype=object)
    return Block(name, True, deviates(raw), y - y.mean(), ones, raw - raw.mean(axis=0), none, raw.mean(axis=0))


@pytest.mark.parametrize("fixed", [True, False])
def test_a_planted_axis_is_learned_and_holds_in_a_cohort_not_seen(fixed: bool) -> None:
    seed = 0 if fixed else int(np.random.default_rng().integers(2**31))
    print("seed", seed)
    rng = np.random.default_rng(seed)
    found = []
    # About one draw in twelve puts another set first, or fails in the unseen cohort; more than half of nine never.
    for _ in range(1 if fixed else 9):
        blocks = [cohort(name, rng) for name in "ABCD"]
        fitted = learn(blocks[:3], frozenset(OTHERS))
        unseen = blocks[3]
        score = unseen.raw[fitted.weights.index].to_numpy() @ fitted.weights.to_numpy()
        first = fitted.arms.idxmax() in {"SREBP1_LIPOGENIC_CORE", "SREBP1_TUMOUR_CORE", "SREBP1_LIPOGENIC_EXTENDED"}
        found.append(first and stats.spearmanr(score, unseen.y).statistic > 0.5)
        assert (fitted.arms >= 0).all()
        assert len(fitted.weights) == N_GENES
        assert len(set(fitted.weights.index) & set(OTHERS)) >= LEAST_LANDMARKS
    assert np.mean(found) > 0.5


def test_landmarks_take_the_place_of_the_smallest_others() -> None:
    genes = [f"G{i}" for i in range(300)]
    weights = pd.Series(np.linspace(3, 0.01, 300), index=genes)
    raw = pd.DataFrame(np.random.default_rng(0).normal(size=(5, 300)), columns=genes)
    block = Block("A", True, raw, np.zeros(5), np.ones(5), raw, np.full(5, "", dtype=object), raw.mean(axis=0))
    found = weights_of(weights, [block], frozenset(genes[-50:]))
    assert set(found.index) == {*genes[: N_GENES - LEAST_LANDMARKS], *genes[250:280]}


@pytest.mark.parametrize(("low", "high", "said"), [(0.4, 0.6, "met"), (0.1, 0.3, "missed"), (0.3, 0.4, "not decided")])
def test_verdicts(low: float, high: float, said: str) -> None:
    assert verdict(low, high, 0.35) == said


def test_the_page_says_what_the_tables_say() -> None:
    pooled = pd.read_csv(Path(TABLES) / "estimator_pooled.tsv", sep="\t", comment="#")
    text = PAGE.read_text(encoding="utf-8")
    for row in pooled[pooled["score"] == "the entry"].itertuples():
        assert f"## {row.estimator}" in text
        assert f"{row.rho:.2f} ({row.low:.2f} to {row.high:.2f}): **{verdict(row.low, row.high, 0.35)}**" in text


def test_the_page_is_made_from_the_tables_on_file() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(*published())


@pytest.mark.parametrize("of", TARGETS, ids=lambda of: of.entry)
def test_an_entry_is_what_its_training_gave(of: Target) -> None:
    tables = published()[0][of.entry]
    assert file_of(of).read_text(encoding="utf-8") == dump(document(of, tables))
    entry = mt.library(experimental=True)[of.entry]
    assert isinstance(entry, mt.Signature)
    trained = pd.read_csv(TABLES / "estimator_weights.tsv", sep="\t", comment="#")
    trained = trained[(trained["estimator"] == of.entry) & (trained["without"] == "nothing")].set_index("gene")
    assert entry.signed_weights() == trained["weight"].to_dict()
    assert len(entry.genes) == N_GENES
    assert trained["landmark"].sum() >= LEAST_LANDMARKS
    assert entry.sign == 1
    assert learned_here(entry)


@pytest.mark.parametrize("of", TARGETS, ids=lambda of: of.entry)
def test_an_entry_says_in_numbers_what_was_measured(of: Target) -> None:
    tables = published()[0][of.entry]
    entry = mt.library(experimental=True)[of.entry]
    own = tables["pooled"].set_index("score").loc[OWN]
    for column in ("rho", "low", "high"):
        assert f"{own[column]:.2f}" in entry.caveat
    share, least, most = explained(own)
    said = f"explains about {share:.0f}% ({least:.0f}% to {most:.0f}%) of the variance of the rank of {of.axis}"
    assert said in entry.caveat
    on_page = f"{share:.0f}% of the variance of the rank of {of.axis} in an unseen cohort ({least:.0f}% to {most:.0f}%)"
    assert on_page in PAGE.read_text(encoding="utf-8")
    licences = (file_of(of).parents[1] / "LICENSES.md").read_text(encoding="utf-8")
    assert f"`{of.entry}`" in licences
    # Experimental unless it earned more, by the plan: above 0, and above the published sets, by interval.
    better = tables["differences"].set_index("comparator")["low"]
    earned = own["low"] > 0 and (better[["SREBP1_LIPOGENIC_CORE", "HALLMARK_MTORC1_SIGNALING"]] > 0).all()
    assert entry.experimental != earned


def test_what_was_learned_here_is_no_arm_and_is_graded_where_it_was_left_out() -> None:
    library = mt.library(experimental=True)
    names = {of.entry for of in TARGETS}
    assert not names & set(library_arms(sorted({g for n in names for g in library[n].genes})).names)
    table = estimator_weights.read()
    for of in TARGETS:
        for cohort in COHORTS:
            held = estimator_weights.without(library, cohort, table)[of.entry]
            assert isinstance(held, mt.Signature)
            assert held.signed_weights() == estimator_weights.signed(table, of.entry, cohort).to_dict()
            assert held.hash != library[of.entry].hash
        found = evidence()[of.entry]
        assert "left out of the training" in found["HCC"].source
        own = published()[0][of.entry]["cohorts"].set_index(["cohort", "score"])["rho"]
        assert found["HCC"].estimate == pytest.approx(own["LIHC", OWN], abs=1e-3)
        assert found["CCA"].estimate == pytest.approx(own["CHOL", OWN], abs=1e-3)
        assert found["cell lines"].grade == "not tested"  # it has seen them
    assert estimator_weights.without(mt.library(), "LIHC", table).names == []


def test_scoring_as_the_entry_says_gives_the_published_correlation(shared: Path) -> None:
    one = next(measured(shared, {"CHOL": "CCA"}))
    held = estimator_weights.without(mt.library(experimental=True), "CHOL", estimator_weights.read())
    fitted = mt.SignatureScorer(signatures=held, method="wmean").fit(one.rna)
    scores, protein = fitted.transform(one.rna), axes(one.protein)
    assert set(AXES) == {of.axis for of in TARGETS}
    for of in TARGETS:
        own = published()[0][of.entry]["cohorts"].set_index(["cohort", "score"])["rho"]
        rho = stats.spearmanr(np.asarray(scores[of.entry]), protein[of.axis]).statistic
        assert rho == pytest.approx(own["CHOL", OWN], abs=1e-3)


def test_the_figure_is_drawn_from_the_tables(tmp_path: Path) -> None:
    found, _ = published()
    draw(found, tmp_path / "again.svg")
    text = (tmp_path / "again.svg").read_text(encoding="utf-8")
    assert all(of.entry in text for of in TARGETS)
    assert FIGURE.exists()
    assert FIGURE.stat().st_size < 150_000

"""Learned estimators: what a planted axis gives, which genes are taken, and that the page says what the tables say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mtorscore as mt
from benchmarks.readout.estimator import Block, deviates, learn, weights_of
from benchmarks.readout.estimator_plan import LEAST_LANDMARKS, N_GENES
from benchmarks.readout.estimator_run import PAGE, TABLES, verdict

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
    blocks = [cohort(name, rng) for name in "ABCD"]
    fitted = learn(blocks[:3], frozenset(OTHERS))
    unseen = blocks[3]
    score = unseen.raw[fitted.weights.index].to_numpy() @ fitted.weights.to_numpy()
    assert stats.spearmanr(score, unseen.y).statistic > 0.5
    assert fitted.arms.idxmax() in {"SREBP1_LIPOGENIC_CORE", "SREBP1_TUMOUR_CORE", "SREBP1_LIPOGENIC_EXTENDED"}
    assert (fitted.arms >= 0).all()
    assert len(fitted.weights) == N_GENES
    assert len(set(fitted.weights.index) & set(OTHERS)) >= LEAST_LANDMARKS


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

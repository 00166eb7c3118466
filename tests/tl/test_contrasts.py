"""Contrasts: against closed forms, scipy, and their own null."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mtorscore.errors import DataError
from mtorscore.tl import contrast


def test_without_blocks_it_is_students_t_test() -> None:
    rng = np.random.default_rng(0)
    scores = pd.DataFrame(rng.normal(size=(11, 3)), columns=["a", "b", "c"])
    groups = ["t"] * 5 + ["c"] * 6
    table = contrast(scores, groups, treated="t", control="c", n_permutations=500)
    for row in table.itertuples():
        reference = stats.ttest_ind(scores[row.signature][:5], scores[row.signature][5:])
        interval = reference.confidence_interval(0.95)
        assert row.t == pytest.approx(reference.statistic, abs=1e-12)
        assert (row.low, row.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
        rank = stats.mannwhitneyu(scores[row.signature][:5], scores[row.signature][5:])
        assert row.auroc == pytest.approx(rank.statistic / 30)
    assert set(table["n_arrangements"]) == {462}


def test_pairs_as_blocks_give_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=(7, 2)), rng.normal(size=(7, 2)) + 0.7
    scores = pd.DataFrame(np.vstack([before, after]), columns=["a", "b"])
    table = contrast(scores, [0] * 7 + [1] * 7, treated=1, control=0, block=list(range(7)) * 2)
    for i, row in enumerate(table.itertuples()):
        reference = stats.ttest_rel(after[:, i], before[:, i])
        assert row.t == pytest.approx(reference.statistic, abs=1e-12)
        assert row.n_arrangements == 2**7
        flips = np.array([[1 - 2 * ((k >> b) & 1) for b in range(7)] for k in range(128)])
        d = (after - before)[:, i]
        means = np.abs((flips * d).mean(axis=1))
        assert row.p == pytest.approx((means >= abs(d.mean()) - 1e-12).mean())


def test_blocks_remove_a_batch_effect_and_one_sided_blocks() -> None:
    rng = np.random.default_rng(2)
    block = np.repeat([0, 1, 2, 3], 4)
    x = np.tile([1, 1, 0, 0], 4)
    scores = pd.DataFrame({"s": x * 1.0 + block * 50 + rng.normal(scale=0.2, size=16)})
    alone = contrast(scores, x, treated=1, control=0)
    within = contrast(scores, x, treated=1, control=0, block=block)
    assert alone["p"][0] > 0.3
    assert within["p"][0] < 0.01
    assert within["difference"][0] == pytest.approx(1.0, abs=0.3)
    assert within["auroc"][0] == 1
    extra = pd.concat([scores, pd.DataFrame({"s": [1e6]})], ignore_index=True)
    same = contrast(extra, [*x, 1], treated=1, control=0, block=[*block, 9])
    pd.testing.assert_frame_equal(same, within)


def test_the_null_is_kept() -> None:
    rng = np.random.default_rng(3)
    scores = pd.DataFrame(rng.normal(size=(12, 400)))
    table = contrast(scores, [1, 0] * 6, treated=1, control=0, block=[0] * 6 + [1] * 6)
    assert 0.01 < (table["p"] <= 0.05).mean() < 0.09
    covered = (table["low"] < 0) & (table["high"] > 0)
    assert 0.92 < covered.mean() < 0.98
    g_covered = (table["g_low"] < 0) & (table["g_high"] > 0)
    assert 0.92 < g_covered.mean() < 0.99


def test_refusals() -> None:
    scores = pd.DataFrame({"s": [1.0, 2, 3, 4]})
    with pytest.raises(DataError, match="No observation is in group 'x'"):
        contrast(scores, list("aabb"), treated="x", control="a")
    with pytest.raises(DataError, match="No block holds both groups"):
        contrast(scores, list("aabb"), treated="a", control="b", block=[0, 0, 1, 1])
    with pytest.raises(DataError, match="3 values for 4 observations"):
        contrast(scores, list("aab"), treated="a", control="b")

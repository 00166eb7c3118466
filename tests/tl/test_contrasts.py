"""Contrasts: against closed forms, scipy, and their own null."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mtorscore.errors import DataError, DataWarning, MethodError
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
    left = r"1 of 5 blocks hold one group only \(9\) and are left out, with 1 observation"
    with pytest.warns(DataWarning, match=left):
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


def test_too_few_degrees_of_freedom_give_nan_with_the_reason() -> None:
    rng = np.random.default_rng(4)
    scores = pd.DataFrame(rng.normal(size=(4, 2)), columns=["a", "b"])
    two = contrast(scores, ["t", "c", "t", "c"], treated="t", control="c", block=[0, 0, 1, 1])
    assert two[["hedges_g", "g_low", "g_high"]].isna().all(axis=None)
    assert two["reason"].str.contains("1 residual degree of freedom: Hedges' g needs 2").all()
    assert two[["difference", "low", "high", "p_t"]].notna().all(axis=None)
    assert set(two["df"]) == {1}
    one = contrast(scores[:2], ["t", "c"], treated="t", control="c")
    assert one[["low", "high", "hedges_g", "t", "p", "p_t", "p_robust", "q"]].isna().all(axis=None)
    assert one["reason"].str.contains("no residual degree of freedom").all()
    three = contrast(scores, ["t", "c", "t", "c"], treated="t", control="c")
    assert three["hedges_g"].notna().all()
    assert three["g_low"].isna().all()
    flat = contrast(pd.DataFrame({"s": [1.0, 1, 1, 1]}), list("aabb"), treated="a", control="b").iloc[0]
    assert np.isnan(flat["p"])
    assert "residuals are all 0" in flat["reason"]


def test_moderation_needs_ten_signatures() -> None:
    rng = np.random.default_rng(5)
    scores = pd.DataFrame(rng.normal(size=(8, 10)), columns=list("abcdefghij"))
    ten = contrast(scores, [1, 0] * 4, treated=1, control=0)
    nine = contrast(scores.iloc[:, :9], [1, 0] * 4, treated=1, control=0)
    assert ten["p_moderated"].notna().all()
    assert nine[["t_moderated", "p_moderated", "prior_df"]].isna().all(axis=None)
    assert nine["reason"].str.contains("fewer than 10 signatures").all()
    np.testing.assert_allclose(ten["q"], stats.false_discovery_control(ten["p_moderated"]))
    np.testing.assert_allclose(nine["q"], stats.false_discovery_control(nine["p_t"]))


def test_unequal_variances_are_allowed_for() -> None:
    rng = np.random.default_rng(6)
    scores = pd.DataFrame(rng.normal(size=(12, 2)) * np.array([3.0] * 4 + [0.5] * 8)[:, None], columns=["a", "b"])
    groups = ["t"] * 4 + ["c"] * 8
    table = contrast(scores, groups, treated="t", control="c")
    for row in table.itertuples():
        reference = stats.ttest_ind(scores[row.signature][:4], scores[row.signature][4:], equal_var=False)
        assert (row.robust, row.t_robust) == ("welch", pytest.approx(reference.statistic))
        assert (row.df_robust, row.p_robust) == (pytest.approx(reference.df), pytest.approx(reference.pvalue))
    dose = pd.Series(rng.gamma(2, 1, 12))
    line = contrast(scores, continuous=dose)
    design = np.column_stack([np.ones(12), dose])
    hat = np.linalg.inv(design.T @ design) @ design.T
    for row in line.itertuples():
        y = scores[row.signature].to_numpy()
        residual = (y - design @ (hat @ y)) / (1 - np.einsum("nk,kn->n", design, hat))
        error = np.sqrt(np.diag((hat * residual**2) @ hat.T)[1])
        assert (row.robust, row.t_robust) == ("hc3", pytest.approx((hat @ y)[1] / error))
    paired = contrast(scores, [1, 0] * 6, treated=1, control=0, pair=np.repeat(range(6), 2))
    assert set(paired["robust"]) == {"paired"}


def test_groups_of_one_model_share_their_variance_and_permute_two_by_two() -> None:
    rng = np.random.default_rng(7)
    scores = pd.DataFrame({"s": np.r_[rng.normal(0, 1, 4), rng.normal(3, 1, 4), rng.normal(0, 1, 4)]})
    groups = ["control"] * 4 + ["drug"] * 4 + ["other"] * 4
    table = contrast(scores, groups, control="control").set_index("contrast")
    assert list(table.index) == ["drug - control", "other - control"]
    assert set(table["df"]) == {9}
    assert table.loc["drug - control", "n_arrangements"] == 70
    assert table.loc["drug - control", "least_p"] == pytest.approx(2 / 70)
    assert table.loc["drug - control", "p"] < 0.06
    assert table.loc["drug - control", "auroc"] > 0.9
    reference = stats.tukey_hsd(scores["s"][:4], scores["s"][4:8], scores["s"][8:])
    difference = table.loc["drug - control", "difference"]
    assert difference == pytest.approx(-reference.statistic[0, 1])


def test_trend_interaction_and_covariates() -> None:
    rng = np.random.default_rng(8)
    stage = np.repeat(["normal", "cirrhosis", "early", "advanced"], 5)
    step = np.repeat([0, 1, 2, 3], 5)
    arm = pd.Series(np.tile(["ko", "wt"], 10))
    age = rng.normal(60, 8, 20)
    scores = pd.DataFrame({"s": 0.5 * step + 0.2 * age + rng.normal(scale=0.1, size=20)})
    order = ["normal", "cirrhosis", "early", "advanced"]
    plain = contrast(scores, stage, order=order, n_permutations=200).iloc[0]
    aged = contrast(scores, stage, order=order, covariates=pd.DataFrame({"age": age}), n_permutations=200).iloc[0]
    assert plain["contrast"] == "per step of normal < cirrhosis < early < advanced"
    assert aged["difference"] == pytest.approx(0.5, abs=0.1)
    assert aged["error"] < 0.1 * plain["error"]
    assert "permutes residuals" in aged["reason"]
    assert (aged["p"], aged["n_arrangements"]) == (pytest.approx(1 / 201), 200)
    drug = np.tile(["drug", "drug", "vehicle", "vehicle"], 5)
    both = pd.DataFrame({"s": 2.0 * (drug == "drug") * (arm == "wt") + rng.normal(scale=0.1, size=20)})
    row = contrast(both, drug, treated="drug", control="vehicle", interaction=arm, n_permutations=200).iloc[0]
    assert row["contrast"] == "(drug - vehicle): wt - ko"
    assert row["difference"] == pytest.approx(2.0, abs=0.2)
    design: dict[str, Any] = {"treated": "drug", "control": "vehicle", "n_permutations": 200}
    turned = contrast(both, drug, **design, interaction=arm, interaction_control="wt").iloc[0]
    assert turned["contrast"] == "(drug - vehicle): ko - wt"
    assert turned["difference"] == pytest.approx(-row["difference"])
    numbers = (arm == "ko").astype(int)
    coded = contrast(both, drug, **design, interaction=numbers, interaction_control=0).iloc[0]
    assert (coded["contrast"], coded["t"]) == ("(drug - vehicle): 1 - 0", pytest.approx(turned["t"]))


def arms(seed: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return three treatments in two genotypes, four of each; `a` lowers the score in the wild type alone."""
    rng = np.random.default_rng(seed)
    about = pd.DataFrame(
        {"drug": np.tile(np.repeat(["vehicle", "a", "b"], 4), 2), "genotype": np.repeat(["wt", "ko"], 12)}
    )
    scores = pd.DataFrame(rng.normal(size=(24, 12)), columns=[f"s{i}" for i in range(12)])
    scores["s0"] -= 4.0 * ((about["drug"] == "a") & (about["genotype"] == "wt"))
    scores["s1"] += 6.0 * (about["genotype"] == "ko")
    return scores, about


def test_the_difference_within_each_value_of_a_factor() -> None:
    scores, about = arms()
    table = contrast(scores, about["drug"], control="vehicle", within=about["genotype"])
    named = ["a - vehicle in ko", "b - vehicle in ko", "a - vehicle in wt", "b - vehicle in wt"]
    assert table["contrast"].unique().tolist() == named
    rows = table[table["signature"] == "s0"].set_index("contrast")
    means = scores["s0"].groupby([about["drug"], about["genotype"]]).mean()
    for name in named:
        drug, genotype = name[0], name[-2:]
        assert rows.loc[name, "difference"] == pytest.approx(means[drug, genotype] - means["vehicle", genotype])
    # One model of six arms: 24 - 6 degrees of freedom, and the SD within an arm.
    residual = scores["s0"] - scores["s0"].groupby([about["drug"], about["genotype"]]).transform("mean")
    assert rows["df"].tolist() == [18.0] * 4
    np.testing.assert_allclose(rows["residual_sd"], np.sqrt((residual**2).sum() / 18))
    np.testing.assert_allclose(rows["sd"], rows["residual_sd"])
    # Groups change places within the genotype: 70 arrangements of four and four.
    assert rows["n_arrangements"].tolist() == [70] * 4
    assert rows["least_p"].tolist() == pytest.approx([2 / 70] * 4)
    assert rows.loc["a - vehicle in wt", "p"] < 0.06
    assert rows[["n_treated", "n_control"]].to_numpy().tolist() == [[4, 4]] * 4
    between = contrast(
        scores, about["drug"], control="vehicle", interaction=about["genotype"], interaction_control="wt"
    )
    assert between["contrast"].unique().tolist() == ["(a - vehicle): ko - wt", "(b - vehicle): ko - wt"]
    both = between[between["signature"] == "s0"].set_index("contrast")
    inside = rows.loc["a - vehicle in ko", "difference"] - rows.loc["a - vehicle in wt", "difference"]
    assert both.loc["(a - vehicle): ko - wt", "difference"] == pytest.approx(inside)
    assert both.loc["(a - vehicle): ko - wt", "residual_sd"] == pytest.approx(rows["residual_sd"].iloc[0])


def test_the_difference_within_a_factor_beside_pairs_trends_and_gaps() -> None:
    scores, about = arms()
    mice = pd.Series([f"{g}{i % 4}" for i, g in enumerate(about["genotype"])])
    table = contrast(scores, about["drug"], control="vehicle", within=about["genotype"], pair=mice)
    row = table[(table["signature"] == "s0") & (table["contrast"] == "a - vehicle in wt")].iloc[0]
    assert (row["n_blocks"], row["df"]) == (8, 24 - 8 - 4)
    trend = contrast(scores, about["drug"], order=["vehicle", "b", "a"], within=about["genotype"], n_permutations=200)
    inside = trend[(trend["signature"] == "s0") & trend["contrast"].str.endswith("in wt")].iloc[0]
    wild = (about["genotype"] == "wt").to_numpy()
    steps = about["drug"][wild].map({"vehicle": 0, "b": 1, "a": 2})
    assert inside["difference"] == pytest.approx(np.polyfit(steps, scores["s0"][wild], 1)[0])
    assert "permutes residuals" in inside["reason"]
    some = (about["drug"] == "vehicle") | ((about["drug"] == "a") & wild)
    gap = contrast(scores[some], about["drug"][some], control="vehicle", within=about["genotype"][some])
    assert (
        gap.groupby("contrast")["reason"]
        .first()
        .to_dict()["a - vehicle in ko"]
        .startswith("one of the two groups has no sample here")
    )
    known = gap[gap["contrast"] == "a - vehicle in wt"]
    assert known["difference"].notna().all()
    with pytest.raises(DataError, match="ask twice"):
        contrast(scores, about["drug"], control="vehicle", within=about["genotype"], interaction=about["genotype"])


def test_a_missing_score_costs_its_observation_alone() -> None:
    rng = np.random.default_rng(9)
    scores = pd.DataFrame(rng.normal(size=(10, 3)), columns=list("abc"))
    groups = np.array(["t", "c"] * 5)
    whole = contrast(scores, groups, treated="t", control="c").set_index("signature")
    scores.loc[0, "b"], scores["c"] = np.nan, np.nan
    some = contrast(scores, groups, treated="t", control="c").set_index("signature")
    pd.testing.assert_series_equal(some.loc["a"], whole.loc["a"], check_exact=False)
    assert (some.loc["b", "n"], some.loc["b", "n_treated"]) == (9, 4)
    reference = stats.ttest_ind(scores["b"][groups == "t"][1:], scores["b"][groups == "c"])
    assert some.loc["b", "t"] == pytest.approx(reference.statistic)
    assert np.isnan(some.loc["c", "difference"])
    assert "too few of its scores" in some.loc["c", "reason"]


def test_incomplete_pairs_are_left_out_and_said() -> None:
    rng = np.random.default_rng(10)
    scores = pd.DataFrame(rng.normal(size=(7, 2)), columns=["a", "b"])
    with pytest.warns(DataWarning, match=r"1 of 4 pairs are not complete \(p4\)"):
        table = contrast(
            scores, list("tctctct"), treated="t", control="c", pair=["p1", "p1", "p2", "p2", "p3", "p3", "p4"]
        )
    assert set(table["n"]) == {6}
    with pytest.warns(DataWarning, match="1 observation"):
        contrast(
            scores,
            list("tctctct"),
            treated="t",
            control="c",
            covariates=pd.DataFrame({"x": [1.0, 2, 3, 2, 5, 6, np.nan]}),
        )


def test_random_blocks_use_what_differs_between_them() -> None:
    rng = np.random.default_rng(11)
    donor = np.repeat(range(8), 3)
    x = np.repeat([1, 0] * 4, 3)
    scores = pd.DataFrame(rng.normal(size=(24, 12)) + rng.normal(scale=2, size=(8, 12))[donor])
    naive = contrast(scores, x, treated=1, control=0)
    mixed = contrast(scores, x, treated=1, control=0, block=donor, block_effect="mixed")
    common = contrast(scores, x, treated=1, control=0, block=donor, block_effect="consensus")
    assert (mixed["error"] > naive["error"]).mean() > 0.7
    assert 0.5 < common["correlation"].iloc[0] < 0.95
    assert common["p"].isna().all()
    assert common["reason"].str.contains("groups are not permuted").all()
    means = scores.groupby(donor).mean()
    for i, row in mixed.iterrows():
        # Of balanced data the mixed model is the t test of the donors' means.
        if row["df"] < 10:
            reference = stats.ttest_ind(means[i][::2], means[i][1::2])
            assert (row["t"], row["df"]) == (pytest.approx(reference.statistic, rel=1e-6), pytest.approx(6, rel=1e-6))
    with pytest.raises(DataError, match="No block holds both groups"):
        contrast(scores, x, treated=1, control=0, block=donor)


def test_cells_are_refused_without_their_sample() -> None:
    import anndata as ad

    from mtorscore.tl import compare_samples

    rng = np.random.default_rng(12)
    obs = pd.DataFrame({"sample": np.repeat([f"s{i}" for i in range(6)], 20), "group": np.repeat(["t", "c"] * 3, 20)})
    obs.index = ["".join(rng.choice(list("ACGT"), 16)) + "-1" for _ in range(120)]
    cells = ad.AnnData(np.ones((120, 3), dtype=np.float32), obs=obs.assign(cell=obs.index))
    cells.obsm["score_mean"] = pd.DataFrame(rng.normal(size=(120, 2)), index=obs.index, columns=["a", "b"])
    with pytest.raises(MethodError, match="Cells of one sample are not independent"):
        contrast(cells, "group", treated="t", control="c")
    for compare in (contrast, compare_samples):
        with pytest.raises(DataError, match="it names cells, not samples"):
            compare(cells, "group", treated="t", control="c", sample_key="cell")
    by_sample = contrast(cells, "group", treated="t", control="c", sample_key="sample")
    assert set(by_sample["n"]) == {6}
    np.testing.assert_allclose(
        by_sample["p"], compare_samples(cells, "group", treated="t", control="c", sample_key="sample")["p"]
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Name the group that others are compared with in `control` \\(--reference\\); there are a, b"),
        ({"order": ["a", "b"], "treated": "a"}, "`order` names all groups"),
        ({"order": ["a"]}, "two groups or more"),
        ({"continuous": [1, 2, 3, 4], "control": "a"}, "stands instead of groups"),
        ({"continuous": ["x", 2, 3, 4]}, r"must be numeric; 1 values are not \(x\)"),
        ({"control": "a", "block_effect": "random"}, "is none of fixed, consensus, mixed"),
        ({"control": "a", "block_effect": "mixed"}, "needs `block`"),
        ({"control": "a", "covariates": "age"}, "`covariates` names 'age'"),
        ({"control": "a", "interaction": list("xxxx")}, "has one value"),
        ({"control": "a", "interaction": list("xyxy"), "interaction_control": "z"}, "'z' in the interaction's factor"),
        ({"control": "a", "interaction_control": "z"}, "a value of `interaction`"),
        ({"control": "a", "sample_key": "s"}, "which a table does not have"),
    ],
)
def test_what_does_not_fit_is_said(given: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        contrast(pd.DataFrame({"s": [1.0, 2, 3, 4]}), list("aabb"), **given)  # type: ignore[arg-type]

"""Groups of a user's own: their names, meanings and comparisons, from the options to the table and the sentence."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml

import mtorscore as mt
from mtorscore._doors import COMMAND_LINE, at_door
from mtorscore.errors import ConfigError, DataWarning
from mtorscore.pipeline import compare_groups, enrich, export, load_cohort, prepare, read_table, score
from mtorscore.pipeline.config import check_recipe_groups
from mtorscore.pipeline.own_data import OwnData, write_inputs
from mtorscore.report.data.run_files import read_run
from mtorscore.report.group_text import group_counts, group_words
from mtorscore.report.page import boards

STAGES = ("normal", "cirrhosis", "LGDN", "HGDN", "HCC")
SIGNATURES = mt.library().select(["SREBP1_LIPOGENIC_CORE", "RIBI_CORE", "META_PCNA", "CLEAR_TFEB"])
RISING = "SREBP1_LIPOGENIC_CORE"
SAMPLES = [f"s{i:02d}" for i in range(30)]


def clinical() -> pd.DataFrame:
    """Return five stages of six donors, whose fifth stage rises most, in two batches."""
    donors = [f"d{i % 6}" for i in range(30)]
    return pd.DataFrame({"sample": SAMPLES, "stage": np.repeat(STAGES, 6), "donor": donors, "batch": ["a", "b"] * 15})


def matrix() -> pd.DataFrame:
    genes = list(dict.fromkeys(g for s in SIGNATURES.signatures for g in s.genes))
    values = np.random.default_rng(0).normal(8, 0.5, (len(genes), 30))
    values[[g in set(SIGNATURES[RISING].genes) for g in genes]] += 0.3 * np.repeat(np.arange(5), 6)
    return pd.DataFrame(values.round(4), pd.Index(genes, name="gene"), SAMPLES)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    matrix().to_csv(tmp_path / "m.tsv", sep="\t")
    clinical().to_csv(tmp_path / "c.csv", index=False)
    return tmp_path


def inputs(folder: Path, **options: Any) -> Path:
    own: dict[str, Any] = {
        "name": "own",
        "expression": folder / "m.tsv",
        "clinical": folder / "c.csv",
        "units": "log2",
    } | options
    return write_inputs(OwnData(**own), folder / "results")


def compared(folder: Path, methods: Any = ("zscore",), **options: Any) -> pd.DataFrame:
    """Return the contrasts that a run writes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs(folder, **options)
        prepare(str(folder / "results/own/inputs/recipe.yaml"), folder / "run/own", data=folder)
        score(folder / "run/own", SIGNATURES, methods)
        path = compare_groups(folder / "run/own", methods)
    return read_table(path)


def said(folder: Path) -> list[str]:
    return group_words(read_run(folder / "run").cohorts[0], [])


def test_an_ordered_series_has_a_trend_under_its_own_names(files: Path) -> None:
    table = compared(files, group="stage", order=STAGES)
    trend = table[table["design"] == "trend"].set_index("signature")
    assert trend["contrast"].unique().tolist() == ["per step of normal < cirrhosis < LGDN < HGDN < HCC"]
    scores = (
        load_cohort(files / "run/own")
        .obs[[]]
        .join(read_table(files / "run/own/scores/zscore.tsv", index="observation"))
    )
    slope = np.polyfit(np.repeat(np.arange(5), 6), scores.loc[SAMPLES, RISING], 1)[0]
    np.testing.assert_allclose(trend.loc[RISING, "difference"], slope)
    assert trend.loc[RISING, "q"] < 1e-6
    assert table["contrast"].tolist()[4::4] == [f"{s} against normal" for s in STAGES[1:]]
    first = said(files)[0]
    assert first.startswith("Along normal < cirrhosis < LGDN < HGDN < HCC, 30 samples (zscore): of 4 mTOR signatures")
    assert "(1 rise, 0 fall). Largest, as Hedges' g per step: SREBP1_LIPOGENIC_CORE (+" in first
    assert group_counts(read_run(files / "run").cohorts[0]).to_dict() == dict.fromkeys(STAGES, 6)


def test_claims_are_made_where_methods_agree_or_name_theirs(files: Path) -> None:
    table = compared(files, ("zscore", "singscore"), group="stage", order=STAGES)
    rising = table[(table["signature"] == RISING) & (table["design"] == "trend")]
    assert rising["claim"].tolist() == ["above: all 2 methods"] * 2
    assert rising["methods_agree"].tolist() == [True, True]
    by_sign = table.groupby(["contrast", "signature"])["difference"].agg(lambda v: np.sign(v).nunique() == 1)
    agree = table.groupby(["contrast", "signature"])["methods_agree"].first()
    assert not (agree.astype(bool) & ~by_sign).any()
    assert "1 change along the order with q < 0.05 by every method (1 rise, 0 fall)." in said(files)[0]
    alone = compared(files, group="stage", order=STAGES)
    assert alone["methods_agree"].isna().all()
    assert alone.loc[alone["signature"] == RISING, "claim"].iloc[0] == "above: zscore alone"
    assert "by every method" not in said(files)[0]


def test_a_difference_within_the_noise_of_counts_is_marked(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(2.0 ** (matrix() - 4))
    pd.DataFrame(counts, matrix().index, SAMPLES).to_csv(tmp_path / "m.tsv", sep="\t")
    clinical().to_csv(tmp_path / "c.csv", index=False)
    table = compared(tmp_path, group="stage", order=STAGES, units="counts")
    assert (table["technical_sd"] > 0).all()
    near = table["difference"].abs() < table["smallest_difference"]
    assert near.equals(table["below_smallest"].astype(bool))
    # The report takes every table of scores/ for a method; this one is none.
    assert said(tmp_path)[0].startswith("Along normal < cirrhosis")


def test_pairs_are_compared_within_the_donor(files: Path) -> None:
    options = {"group": "stage", "reference": "cirrhosis", "leave_out": ("normal", "LGDN", "HGDN"), "pair": "donor"}
    table = compared(files, **options).set_index("signature")
    assert table.loc[RISING, ["contrast", "design", "adjusted_for", "n_blocks"]].tolist() == [
        "HCC against cirrhosis", "pairs", "donor", 6,
    ]  # fmt: skip
    scores = read_table(files / "run/own/scores/zscore.tsv", index="observation")[RISING]
    right = (scores.loc[SAMPLES[24:]].to_numpy() - scores.loc[SAMPLES[6:12]].to_numpy()).mean()
    np.testing.assert_allclose(table.loc[RISING, "difference"], right)
    assert "HCC (n 6) against cirrhosis (n 6), in 6 pairs by donor (zscore)" in said(files)[0]
    left = read_table(files / "run/own/exclusions.tsv")
    assert left["rule"].value_counts().to_dict() == {"left_out": 18}


def four_arms(folder: Path) -> None:
    """Write a drug in two genotypes, five mice each, which lowers RISING in the wild type alone."""
    samples = SAMPLES[:20]
    about = pd.DataFrame(
        {"sample": samples, "drug": ["vehicle", "rapamycin"] * 10, "line": np.repeat(["wt", "ko"], 10)}
    )
    about["arm"] = about["line"] + "_" + about["drug"]
    falls = ((about["drug"] == "rapamycin") & (about["line"] == "wt")).to_numpy()
    inside = [g in set(SIGNATURES[RISING].genes) for g in matrix().index]
    values = np.random.default_rng(1).normal(8, 0.5, (len(inside), 20)) - 1.5 * np.outer(inside, falls)
    pd.DataFrame(values.round(4), matrix().index, samples).to_csv(folder / "m.tsv", sep="\t")
    about.to_csv(folder / "c.csv", index=False)


def test_a_drug_in_two_genotypes_is_answered_in_each_and_between_them(tmp_path: Path) -> None:
    four_arms(tmp_path)
    table = compared(tmp_path, ("zscore", "singscore"), group="drug", reference="vehicle", interaction="line")
    names = [
        "rapamycin against vehicle in wt",
        "rapamycin against vehicle in ko",
        "rapamycin against vehicle: ko against wt",
    ]
    assert table["contrast"].unique().tolist() == names
    assert table.groupby("contrast", sort=False)["design"].first().tolist() == ["within", "within", "interaction"]
    rows = table[(table["signature"] == RISING) & (table["method"] == "zscore")].set_index("contrast")
    scores = read_table(tmp_path / "run/own/scores/zscore.tsv", index="observation")[RISING]
    about = pd.read_csv(tmp_path / "c.csv", index_col=0)
    means = scores.groupby([about["line"], about["drug"]]).mean()
    inside = {v: means[v, "rapamycin"] - means[v, "vehicle"] for v in ("wt", "ko")}
    np.testing.assert_allclose(rows["difference"], [inside["wt"], inside["ko"], inside["ko"] - inside["wt"]])
    assert set(rows["df"]) == {16.0}
    words = said(tmp_path)
    assert words[0].startswith(
        "rapamycin (n 5) against vehicle in wt (n 5) (zscore and singscore): of 4 mTOR signatures"
    )
    assert "1 differ with q < 0.05 by every method (0 higher in the first, 1 lower). Largest" in words[0]
    assert "none differs with q < 0.05" in words[1]
    assert words[2].startswith(
        "rapamycin against vehicle, ko compared with wt, 20 samples (zscore and singscore): of 4"
    )
    assert (
        "1 respond differently with q < 0.05 by every method (1 a higher response in the first, 0 a lower" in words[2]
    )
    told = boards(tmp_path / "run")[0][1]
    assert "SREBP-1 lipogenesis falls (rapamycin against vehicle in wt, the first of 3 comparisons)" in told[0]
    assert told[1:] == [
        "rapamycin against vehicle in ko: no shift was shown.",
        "rapamycin against vehicle, ko compared with wt: SREBP-1 lipogenesis has a higher response in ko.",
    ]
    arms = ["vehicle in wt", "rapamycin in wt", "vehicle in ko", "rapamycin in ko"]
    assert list(group_counts(read_run(tmp_path / "run").cohorts[0]).index) == arms
    found = read_table(enrich(tmp_path / "run/own", SIGNATURES, permutations=10))
    assert set(found["comparison"]) == {f"rapamycin in {v} against vehicle in {v}" for v in ("wt", "ko")}


def test_tumour_and_normal_in_each_cause_and_samples_without_one(files: Path) -> None:
    table = clinical()
    table["cause"] = ["HBV", "Alcohol"] * 14 + ["HBV", None]
    table.to_csv(files / "c.csv", index=False)
    options = {"tumour": ("HGDN", "HCC"), "normal": ("normal",), "leave_out": ("LGDN", "cirrhosis")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs(files, group="stage", interaction="cause", interaction_reference="hbv", **options)
        prepare(str(files / "results/own/inputs/recipe.yaml"), files / "run/own", data=files)
        score(files / "run/own", SIGNATURES, ["zscore"])
    with pytest.warns(DataWarning, match=r"1 sample\(s\) have no cause \(s29\) and are not compared"):
        found = read_table(compare_groups(files / "run/own", ["zscore"]))
    assert found["contrast"].unique().tolist() == [
        "tumour (HGDN, HCC) against normal in HBV",
        "tumour (HGDN, HCC) against normal in Alcohol",
        "tumour (HGDN, HCC) against normal: Alcohol against HBV",
    ]
    assert set(found["n"]) == {17}


def test_a_value_without_a_reference_is_said_and_the_others_stand(files: Path) -> None:
    table = clinical()
    table["line"] = np.repeat(["Huh7", "HepG2", "SNU"], 10)
    table["drug"] = np.tile(["drug", "vehicle"], 15)
    table.loc[table["line"] == "SNU", "drug"] = "drug"
    table["passage"] = [None, None, *np.repeat(np.arange(1, 15), 2)]
    table.to_csv(files / "c.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs(files, group="drug", reference="vehicle", interaction="line", pair="passage")
        prepare(str(files / "results/own/inputs/recipe.yaml"), files / "run/own", data=files)
        score(files / "run/own", SIGNATURES, ["zscore"])
    with pytest.warns(DataWarning) as warned:
        found = read_table(compare_groups(files / "run/own", ["zscore"]))
    assert any("5 of 14 pairs are not complete (10, 11, 12, ...)" in str(w.message) for w in warned)
    gone = found[found["contrast"].isin(["drug against vehicle in SNU", "drug against vehicle: SNU against HepG2"])]
    assert gone["difference"].isna().all()
    assert gone["reason"].notna().all()
    assert found.loc[~found.index.isin(gone.index), "difference"].notna().all()
    words = said(files)
    assert len(words) == 5
    assert sum("whether a signature differs cannot be said: " in w for w in words) == 2
    told = boards(files / "run")[0][1]
    assert "drug against vehicle in SNU: whether a branch shifts cannot be said." in told


def test_four_arms_in_one_column_say_how_to_ask_for_two_factors(tmp_path: Path) -> None:
    four_arms(tmp_path)
    compared(tmp_path, group="arm", reference="wt_vehicle")
    with at_door(COMMAND_LINE):
        told = boards(tmp_path / "run")[0][1]
    assert "(wt_rapamycin against wt_vehicle, the first of 3 comparisons)" in told[0]
    assert [t.partition(":")[0] for t in told[1:3]] == [
        "ko_vehicle against wt_vehicle",
        "ko_rapamycin against wt_vehicle",
    ]
    assert told[3].startswith(
        "These groups are all combinations of drug and line: --group drug with --interaction line"
    )


def test_names_of_groups_may_hold_commas(files: Path) -> None:
    renamed = clinical().replace({"LGDN": "nodule, low grade", "HGDN": "nodule, high grade"})
    renamed.to_csv(files / "c.csv", index=False)
    order = ("normal,cirrhosis,nodule, low grade", "HCC")
    table = compared(files, group="stage", order=order, leave_out=("nodule, high grade",), covariates=("batch,donor",))
    assert table["contrast"].iloc[0] == "per step of normal < cirrhosis < nodule, low grade < HCC"
    assert set(table["adjusted_for"]) == {"batch, donor"}
    assert set(table["n"]) == {24}


@pytest.mark.parametrize(
    "words",
    [
        ("Stage I", "Stage II", "Stage III", "Stage IV", "Stage 0"),
        ("very early HCC", "early HCC", "intermediate HCC", "advanced HCC", "terminal HCC"),
    ],
)
def test_stages_in_words_keep_their_words(files: Path, words: tuple[str, ...]) -> None:
    """A column called stage also becomes numerals, which are no groups of the user's; GSEA's files take no blanks."""
    clinical().replace(dict(zip(STAGES, words, strict=True))).to_csv(files / "c.csv", index=False)
    table = compared(files, group="stage", order=words)
    assert table["contrast"].iloc[0] == f"per step of {' < '.join(words)}"
    assert table.loc[table["signature"] == RISING, "q"].iloc[0] < 1e-6
    assert load_cohort(files / "run/own").obs["stage_raw"].astype(str).tolist() == [w for w in words for _ in range(6)]
    export(files / "run/own", SIGNATURES)
    names = (files / "run/own/export/phenotype.cls").read_text().splitlines()[1].split()
    assert names[1:] == [w.replace(" ", "_") for w in reversed(words)]


def test_blocks_of_one_group_are_said_or_refused(files: Path) -> None:
    table = clinical()
    table["lot"] = np.where(table["stage"] == "HCC", "x", "y")
    table["own"] = table["stage"]
    table.to_csv(files / "c.csv", index=False)
    two = {"group": "stage", "reference": "cirrhosis", "leave_out": ("normal", "LGDN", "HGDN")}
    with pytest.raises(
        ConfigError, match=r"No value of lot \(--block\) holds samples of two groups.*leave --block out"
    ):
        inputs(files, **two, block="lot")
    with pytest.raises(ConfigError, match=r"No value of own \(--pair\) holds samples of two groups"):
        inputs(files, **two, pair="own")
    table.loc[table["donor"].isin(["d0", "d1"]) & (table["stage"] == "HCC"), "donor"] = "d9"
    table.to_csv(files / "c.csv", index=False)
    inputs(files, **two, block="donor")
    with pytest.warns(DataWarning, match="18 by the rule left_out"):
        prepare(str(files / "results/own/inputs/recipe.yaml"), files / "run/own", data=files)
    score(files / "run/own", SIGNATURES, ["zscore"])
    left = r"3 of 7 blocks hold one group only \(d0, d1, d9\) and are left out, with 4 observation"
    with pytest.warns(DataWarning, match=left):
        found = read_table(compare_groups(files / "run/own", ["zscore"]))
    assert set(found["n"]) == {8}


def test_two_against_two_in_two_blocks_say_why_nothing_can_be_said(files: Path) -> None:
    chosen = [6, 7, 24, 25]
    matrix().iloc[:, chosen].to_csv(files / "m.tsv", sep="\t")
    clinical().iloc[chosen].to_csv(files / "c.csv", index=False)
    table = compared(files, group="stage", reference="cirrhosis", block="batch")
    assert table["hedges_g"].isna().all()
    assert table["reason"].str.startswith("1 residual degree of freedom: Hedges' g needs 2").all()
    told = boards(files / "run")[0][1][0]
    assert "whether one shifts cannot be said (HCC against cirrhosis; see Groups for the reason)" in told


def test_an_interaction_is_checked_before_the_run(files: Path) -> None:
    plain = {"group": "stage", "order": STAGES}
    for options, said_of_it in (
        ({"interaction": "stage"}, "--interaction names another column than --group"),
        ({"interaction": "lot"}, "There is no column lot"),
        ({"interaction": "sample"}, r"sample \(--interaction\) has 30 values .* 2 to 8 are used"),
        ({"interaction_reference": "a"}, "--interaction-reference is a value of the column given with --interaction"),
        ({"interaction": "batch", "interaction_reference": "c"}, r"batch = 'c' \(--interaction-reference\); .* a, b"),
    ):
        with pytest.raises(ConfigError, match=said_of_it):
            inputs(files, **plain, **options)
    table = compared(files, **plain, interaction="batch", interaction_reference="b")
    assert table["contrast"].unique()[:3].tolist() == [
        "per step of normal < cirrhosis < LGDN < HGDN < HCC in b",
        "per step of normal < cirrhosis < LGDN < HGDN < HCC in a",
        "per step of normal < cirrhosis < LGDN < HGDN < HCC: a against b",
    ]
    assert said(files)[0].startswith("Along normal < cirrhosis < LGDN < HGDN < HCC in b, 30 samples (zscore)")


def test_several_values_mean_tumour_and_covariates_are_adjusted_for(files: Path) -> None:
    options = {"tumour": ("HGDN", "HCC"), "normal": ("normal",), "leave_out": ("LGDN", "cirrhosis")}
    table = compared(files, group="stage", covariates=("batch",), **options)
    assert table["contrast"].unique().tolist() == ["tumour (HGDN, HCC) against normal"]
    assert table["adjusted_for"].unique().tolist() == ["batch"]
    assert set(table["n_treated"]) == {12}
    assert set(table["n_control"]) == {6}


def test_the_reference_is_a_name_that_says_so_and_is_said(files: Path) -> None:
    with pytest.warns(DataWarning, match="compared with normal, as its name says; --reference names another"):
        path = inputs(files, group="stage")
    recipe = yaml.safe_load((path.parent / "recipe.yaml").read_text())
    assert recipe["group"] == {"column": "stage", "reference": "normal"}
    with pytest.raises(ConfigError, match=r"which of the groups of batch \(a, b\) is the reference: --reference a, or"):
        inputs(files, group="batch")


def test_all_that_has_no_meaning_is_listed_at_once_with_its_option(files: Path) -> None:
    options = {"tumour": ("HCCC", "HCC"), "normal": ("normal",), "leave_out": ("x",), "pair": "who"}
    with pytest.raises(ConfigError) as raised:
        inputs(files, group="stage", **options)
    text = str(raised.value)
    assert "3 value(s) of 'stage' have no meaning: cirrhosis (6 samples), LGDN (6 samples), HGDN (6 samples)" in text
    assert "--tumour, --normal or --leave-out" in text
    assert "No sample has stage = 'x' (--leave-out)" in text
    assert "There is no column who; there are sample, stage, donor, batch" in text
    with pytest.raises(ConfigError, match=r"HGDN \(6 samples\), HCC .* Give each one: --order or --leave-out"):
        inputs(files, group="stage", order=STAGES[:3])
    with pytest.raises(ConfigError, match="--order: these are about groups; name their column with --group"):
        inputs(files, order=STAGES)


def test_the_group_may_stand_in_the_matrix_file(files: Path) -> None:
    table = matrix().T
    adata = ad.AnnData(table.to_numpy(), clinical().set_index("sample"), pd.DataFrame(index=table.columns))
    adata.write_h5ad(files / "m.h5ad")
    options = {"expression": files / "m.h5ad", "clinical": None, "group": "stage", "order": STAGES}
    table = compared(files, **options)
    assert len(table) == 4 * 5
    with pytest.raises(
        ConfigError, match=r"no column stages .--group.; there are stage, donor, batch.* Did you mean 'st"
    ):
        inputs(files, **(options | {"group": "stages"}))
    with pytest.raises(ConfigError, match=r"m.tsv says nothing of its samples.*--clinical"):
        inputs(files, clinical=None, group="stage")


def test_a_missing_group_is_left_out_and_listed(files: Path) -> None:
    table = clinical()
    table.loc[3, "stage"] = "NA"
    table.to_csv(files / "c.csv", index=False)
    found = compared(files, group="stage", order=STAGES)
    assert set(found["n"]) == {29}
    left = read_table(files / "run/own/exclusions.tsv").set_index("sample")
    assert left.loc["s03", ["rule", "effect"]].tolist() == ["no_group", "dropped"]


def test_barcodes_tell_tumour_and_normal_without_a_group(files: Path) -> None:
    names = [f"TCGA-ZZ-{i:04d}-{code}A" for i in range(15) for code in ("01", "11")]
    matrix().set_axis(names, axis=1).to_csv(files / "m.tsv", sep="\t")
    table = compared(files, clinical=None)
    assert table["contrast"].unique().tolist() == ["tumour against normal"]
    assert set(table["n_treated"]) == {15}
    words = said(files)
    assert words[0].startswith("tumour (n 15) against normal (n 15) (zscore): of 4 mTOR signatures, ")


def test_one_group_is_compared_with_nothing(files: Path) -> None:
    table = compared(files)
    assert not len(table)
    assert "contrasts" in read_run(files / "run").cohorts[0].missing


def test_a_recipe_is_checked_in_the_dry_run(files: Path) -> None:
    group = {"column": "stage", "order": ["normal", "cirrhosis"], "leave_out": ["HGDN"]}
    recipe = {"id": "r", "expression": {"file": "m.tsv"}, "clinical": [{"file": "c.csv"}], "group": group}
    (files / "r.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.raises(ConfigError, match=r"LGDN \(6 samples\), HCC .* Give each one: group.order: in the recipe or"):
        check_recipe_groups(str(files / "r.yaml"), None)
    recipe["group"] = group | {"leave_out": ["HGDN", "LGDN", "HCC"]}
    (files / "r.yaml").write_text(yaml.safe_dump(recipe))
    check_recipe_groups(str(files / "r.yaml"), None)


def test_files_for_gsea_and_enrichment_bear_the_names_of_the_groups(files: Path) -> None:
    compared(files, group="stage", order=STAGES, leave_out=())
    folder = files / "run/own"
    written = {p.name for p in export(folder, SIGNATURES)}
    assert {"phenotype.cls", "HCC_vs_normal.rnk", "LGDN_vs_normal.rnk"} <= written
    assert (folder / "export/phenotype.cls").read_text().splitlines()[1] == "# HCC HGDN LGDN cirrhosis normal"
    found = read_table(enrich(folder, SIGNATURES, permutations=10))
    assert list(dict.fromkeys(found["comparison"])) == [f"{s} against normal" for s in reversed(STAGES[1:])]

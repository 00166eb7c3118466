"""What associate returns, and that its negative controls tell a branch from its confounders."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from mtorscore.collection import Signature, SignatureCollection
from mtorscore.errors import DataError, EndpointError, StatisticsWarning
from mtorscore.prognosis import Endpoint, associate, residual_scores
from mtorscore.prognosis.association.associate import COLUMNS
from tests.prognosis.simulate import survival_table

ENDPOINT = Endpoint.survival("time", "event")
N, GENES = 160, 1200


class Cohort:
    """Expression with a branch and a proliferation factor, and outcomes caused by either."""

    def __init__(self, *, correlation: float, branch_hazard: float, proliferation_hazard: float, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        shared = rng.normal(size=(N, 2))
        self.proliferation = shared[:, 0]
        self.branch = correlation * shared[:, 0] + np.sqrt(1 - correlation**2) * shared[:, 1]
        x = rng.normal(size=(N, GENES)) + rng.normal(8, 2, GENES)
        x[:, :20] += 1.5 * self.branch[:, None]
        x[:, 20:50] += 1.5 * self.proliferation[:, None]
        genes = [f"G{i}" for i in range(GENES)]
        self.expression = pd.DataFrame(x, columns=genes, index=[f"P{i:04d}" for i in range(N)])
        self.signatures = SignatureCollection(
            [
                # Five genes of the branch signature are proliferation genes too.
                Signature(id="BRANCH", branch="mtorc1", up=tuple(genes[:25])),
                Signature(id="NULL", branch="s6k", up=tuple(genes[60:80]), down=tuple(genes[80:90])),
                Signature(id="META_PCNA", branch="confounder", up=tuple(genes[20:50])),
            ]
        )
        hazard = branch_hazard * self.branch + proliferation_hazard * self.proliferation
        self.clinical = survival_table(hazard, rng, events=0.6)
        self.clinical["stage"] = pd.Categorical(
            np.array(["I", "II", "III"])[np.digitize(shared[:, 0] + rng.normal(size=N), [-0.5, 0.8])],
            ["I", "II", "III"],
            ordered=True,
        )
        self.scores = self.rank_scores()

    def rank_scores(self) -> pd.DataFrame:
        ranks = self.expression.rank(axis=1)
        columns = {}
        for s in self.signatures.signatures:
            up = ranks[list(s.up)].mean(axis=1)
            columns[s.id] = up - (ranks[list(s.down)].mean(axis=1) if s.down else 0)
        return pd.DataFrame(columns)

    def associate(self, **options: Any) -> pd.DataFrame:
        return associate(
            self.scores, self.clinical, ENDPOINT, expression=self.expression, signatures=self.signatures,
            method="singscore", n_boot=50, **options,
        )  # fmt: skip


def row(table: pd.DataFrame, signature: str, model: str, adjusted_for: str = "") -> Any:
    found = table[
        (table["signature"] == signature) & (table["model"] == model) & (table["adjusted_for"] == adjusted_for)
    ]
    assert len(found) == 1
    return found.iloc[0]


@pytest.fixture(scope="module")
def true_branch() -> pd.DataFrame:
    return Cohort(correlation=0.6, branch_hazard=0.7, proliferation_hazard=0.4).associate(adjust=["stage"])


def test_columns_and_rows(true_branch: pd.DataFrame) -> None:
    assert list(true_branch.columns) == COLUMNS
    assert len(true_branch) == 3 * 6
    assert set(true_branch["adjusted_for"]) == {"", "stage", "proliferation", "stroma", "immune", "hepatocyte"}
    assert (true_branch["n"] == N).all()
    assert_allclose(true_branch.loc[true_branch["model"] == "unadjusted", "n_null"], 1000)


def test_a_true_branch_effect_stands_beside_proliferation(true_branch: pd.DataFrame) -> None:
    plain, adjusted = row(true_branch, "BRANCH", "unadjusted"), row(true_branch, "BRANCH", "adjusted", "proliferation")
    assert plain["q"] < 0.001
    assert plain["null_p"] < 0.01
    assert adjusted["p"] < 0.001
    assert 1 < adjusted["hr"] < plain["hr"]
    assert adjusted["null_percentile"] > 95
    assert adjusted["unadjusted_same_n"] == pytest.approx(plain["hr"])
    assert "5 shared gene(s) removed" in adjusted["reason"]
    assert plain["c_low"] < plain["c_index"] < plain["c_high"]


def test_the_residual_score_stands_beside_the_adjusted_one() -> None:
    """What is left after proliferation, by hand; random signatures are treated alike, so its null p is no smaller."""
    cohort = Cohort(correlation=0.6, branch_hazard=0.7, proliferation_hazard=0.4)
    table = cohort.associate(n_random=200)
    assert table.loc[table["adjusted_for"] != "proliferation", "residual_ratio"].isna().all()
    own, pcna = cohort.signatures["BRANCH"].genes, cohort.signatures["META_PCNA"].genes
    confounder = cohort.expression.rank(axis=1)[[g for g in pcna if g not in own]].mean(axis=1).to_frame("P")
    left = residual_scores(cohort.scores[["BRANCH"]], confounder)
    alone = associate(left, cohort.clinical, ENDPOINT, negative_controls=(), n_boot=0).iloc[0]
    beside = row(table, "BRANCH", "adjusted", "proliferation")
    for column, plain in (("residual_ratio", "hr"), ("residual_low", "hr_low"), ("residual_p", "p")):
        assert beside[column] == pytest.approx(alone[plain], rel=1e-9)
    assert beside["residual_null_p"] < 0.05
    assert np.isnan(row(table, "META_PCNA", "adjusted", "proliferation")["residual_ratio"])


def test_proliferation_alone_is_reported_as_such() -> None:
    table = Cohort(correlation=0.7, branch_hazard=0.0, proliferation_hazard=0.9, seed=4).associate()
    plain, adjusted = row(table, "BRANCH", "unadjusted"), row(table, "BRANCH", "adjusted", "proliferation")
    assert plain["p"] < 0.001
    assert adjusted["p"] > 0.05
    assert adjusted["hr_low"] < 1 < adjusted["hr_high"]
    assert adjusted["null_percentile"] < 95
    itself = row(table, "META_PCNA", "adjusted", "proliferation")
    assert np.isnan(itself["hr"])
    assert "this is the confounder" in itself["reason"]


@pytest.mark.parametrize("seed", range(10, 14))
def test_cause_and_confounder_are_told_apart_whatever_the_seed(seed: int) -> None:
    true = Cohort(correlation=0.6, branch_hazard=0.7, proliferation_hazard=0.4, seed=seed)
    table = true.associate(n_random=200, negative_controls=("random", "proliferation"))
    beside = row(table, "BRANCH", "adjusted", "proliferation")
    assert row(table, "BRANCH", "unadjusted")["q"] < 0.001
    assert beside["p"] < 0.001
    assert beside["null_percentile"] > 95
    only = Cohort(correlation=0.7, branch_hazard=0.0, proliferation_hazard=0.9, seed=seed)
    table = only.associate(n_random=200, negative_controls=("random", "proliferation"))
    beside = row(table, "BRANCH", "adjusted", "proliferation")
    assert row(table, "BRANCH", "unadjusted")["p"] < 0.01
    assert beside["p"] > 0.01
    assert beside["hr"] < row(table, "BRANCH", "unadjusted")["hr"]


def test_observations_may_be_numbered() -> None:
    cohort = Cohort(correlation=0.6, branch_hazard=0.7, proliferation_hazard=0.4)
    named = cohort.associate(n_random=20)
    for frame in ("scores", "clinical", "expression"):
        setattr(cohort, frame, getattr(cohort, frame).reset_index(drop=True))
    numbered = cohort.associate(n_random=20)
    # The digest of who is in a model is one of their names.
    assert (numbered["patients"] != named["patients"]).all()
    pd.testing.assert_frame_equal(numbered.drop(columns="patients"), named.drop(columns="patients"))


def test_null_p_counts_random_sets_at_least_as_extreme() -> None:
    cohort = Cohort(correlation=0.3, branch_hazard=0.5, proliferation_hazard=0.3, seed=3)
    few, many = (cohort.associate(n_random=k, negative_controls=("random",)) for k in (19, 400))
    for name in ("BRANCH", "NULL"):
        one = row(few, name, "unadjusted")
        assert one["n_null"] == 19
        assert one["null_p"] * 20 == pytest.approx(round(one["null_p"] * 20))
        assert row(many, name, "unadjusted")["null_p"] >= 1 / 401
    assert row(many, "BRANCH", "unadjusted")["null_p"] == pytest.approx(1 / 401)
    assert row(many, "NULL", "unadjusted")["null_p"] > 0.05


def test_random_percentile_is_uniform_for_a_random_signature() -> None:
    """Signatures drawn like the null have uniform null p-values."""
    cohort = Cohort(correlation=0.3, branch_hazard=0.5, proliferation_hazard=0.3, seed=5)
    rng = np.random.default_rng(9)
    genes = cohort.expression.columns[100:]
    cohort.signatures = SignatureCollection(
        [Signature(id=f"R{i}", up=tuple(rng.choice(genes, 12, replace=False))) for i in range(30)]
    )
    cohort.scores = cohort.rank_scores()
    p = cohort.associate(negative_controls=("random",), n_random=60)["null_p"]
    from scipy.stats import kstest

    assert kstest(p, "uniform").pvalue > 0.001


def test_without_expression_the_negative_controls_say_why() -> None:
    cohort = Cohort(correlation=0.3, branch_hazard=0.5, proliferation_hazard=0.3)
    table = associate(cohort.scores[["BRANCH"]], cohort.clinical, ENDPOINT)
    plain, adjusted = table.iloc[0], table.iloc[1]
    assert np.isnan(plain["null_percentile"])
    assert "no expression" in plain["reason"]
    assert plain["valid"]
    assert adjusted["adjusted_for"] == "proliferation"
    assert np.isnan(adjusted["hr"])
    assert "no expression" in adjusted["reason"]


def test_a_scored_anndata_carries_everything() -> None:
    import anndata as ad

    from mtorscore import tl

    cohort = Cohort(correlation=0.3, branch_hazard=0.5, proliferation_hazard=0.3)
    adata = ad.AnnData(cohort.expression, obs=cohort.clinical)
    tl.score(adata, cohort.signatures, method="singscore")
    whole = associate(adata, endpoint=ENDPOINT, signatures=cohort.signatures, n_random=50, n_boot=20)
    by_hand = associate(
        adata.obsm["score_singscore"], cohort.clinical, ENDPOINT, expression=adata, signatures=cohort.signatures,
        method="singscore", n_random=50, n_boot=20,
    )  # fmt: skip
    pd.testing.assert_frame_equal(whole, by_hand)


def test_the_negative_controls_read_the_layer_that_was_scored() -> None:
    import anndata as ad

    from mtorscore import tl

    cohort = Cohort(correlation=0.5, branch_hazard=0.8, proliferation_hazard=0.0, seed=8)
    adata = ad.AnnData(2.0**cohort.expression, obs=cohort.clinical)
    adata.layers["log"] = cohort.expression.to_numpy()
    tl.score(adata, cohort.signatures, method="mean", layer="log")
    options: dict[str, Any] = {"signatures": cohort.signatures, "n_random": 50, "n_boot": 0}
    found = associate(adata, None, ENDPOINT, **options)
    scores = adata.obsm["score_mean"]
    wanted = associate(scores, cohort.clinical, ENDPOINT, expression=cohort.expression, method="mean", **options)
    pd.testing.assert_frame_equal(found, wanted)
    del adata.layers["log"]
    with pytest.raises(DataError, match="layer 'log'"):
        associate(adata, None, ENDPOINT, **options)


def test_families_of_the_adjustment() -> None:
    cohort = Cohort(correlation=0.3, branch_hazard=0.5, proliferation_hazard=0.3)
    by_model, together = (
        associate(cohort.scores, cohort.clinical, ENDPOINT, ["stage"], negative_controls=(), n_boot=0, family=f)
        for f in ("model", "all")
    )
    from mtorscore.prognosis import adjust_p

    assert_allclose(together["q"], adjust_p(together["p"]))
    for _, part in by_model.groupby("adjusted_for"):
        assert_allclose(part["q"], adjust_p(part["p"]))


def test_label_endpoint_gives_odds_ratios() -> None:
    cohort = Cohort(correlation=0.0, branch_hazard=0.0, proliferation_hazard=0.0)
    rng = np.random.default_rng(1)
    cohort.clinical["response"] = np.where(cohort.branch + rng.normal(size=N) > 0, "yes", "no")
    table = associate(
        cohort.scores, cohort.clinical, Endpoint.label("response", positive="yes"), expression=cohort.expression,
        signatures=cohort.signatures, method="singscore", n_random=99, n_boot=50,
    )  # fmt: skip
    plain = row(table, "BRANCH", "unadjusted")
    assert plain["effect"] == "odds ratio"
    assert np.isnan(plain["hr"])
    assert plain["or_low"] > 1
    assert plain["c_index"] > 0.75
    assert plain["null_p"] == 0.01
    from sklearn.metrics import roc_auc_score

    assert_allclose(plain["c_index"], roc_auc_score(cohort.clinical["response"], cohort.scores["BRANCH"]))


def test_early_recurrence_is_weighted_and_nobody_is_dropped_silently() -> None:
    cohort = Cohort(correlation=0.0, branch_hazard=1.0, proliferation_hazard=0.0)
    early = Endpoint.early("time", "event", float(cohort.clinical["time"].median()), unit="days")
    table = associate(cohort.scores, cohort.clinical, early, negative_controls=(), n_boot=20)
    branch = row(table, "BRANCH", "unadjusted")
    assert branch["or_low"] > 1
    censored = (cohort.clinical["time"] < cohort.clinical["time"].median()) & (cohort.clinical["event"] == 0)
    assert branch["n"] == N - censored.sum()
    from mtorscore.prognosis import evaluate

    found = evaluate(None, cohort.scores, cohort.clinical, early, n_repeats=1, n_boot=0).summary
    auc = found[(found["model"] == "score") & (found["metric"] == "roc_auc")]["value"].iloc[0]
    assert auc > 0.65


def degenerate(**columns: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    n = 40
    clinical = pd.DataFrame({"time": rng.exponential(100, n), "event": (rng.random(n) < 0.5).astype(int)})
    clinical = clinical.assign(**{k: v(rng, clinical) for k, v in columns.items()})
    return pd.DataFrame({"S": rng.normal(size=n)}), clinical


Draw = npt.NDArray[np.float64]


def test_no_event_is_an_error() -> None:
    scores, clinical = degenerate(event=lambda _r, c: c["event"] * 0)
    with pytest.raises(EndpointError, match="none of the 40 observations has an event"):
        associate(scores, clinical, ENDPOINT)


def test_one_event_is_not_valid() -> None:
    scores, clinical = degenerate(event=lambda _r, c: (c.index == 3).astype(int))
    with pytest.warns(StatisticsWarning, match="should not be trusted"):
        table = associate(scores, clinical, ENDPOINT, negative_controls=())
    assert not table["valid"][0]
    assert "only 1 event(s)" in table["reason"][0]
    assert table["firth"][0]
    assert np.isfinite(table["hr"][0])


def test_all_events_at_one_time() -> None:
    scores, clinical = degenerate(time=lambda _r, c: np.where(c["event"] == 1, 50.0, c["time"]))
    table = associate(scores, clinical, ENDPOINT, negative_controls=())
    assert np.isfinite(table["hr"][0])
    assert np.isnan(table["ph_p"][0])


def test_times_of_zero_count_and_negative_times_do_not() -> None:
    scores, clinical = degenerate()
    clinical.loc[0, "time"], clinical.loc[1, "time"] = 0.0, -3.0
    table = associate(scores, clinical, ENDPOINT, negative_controls=())
    assert table["n"][0] == 39
    assert [row["rule"] for row in table.attrs["excluded"]] == ["time negative"]
    assert len(pd.concat([table, table])) == 2


def test_more_covariates_than_events_allow_are_penalised_and_flagged() -> None:
    scores, clinical = degenerate(
        event=lambda _r, c: (c.index < 12).astype(int), site=lambda r, _c: r.choice(list("abcd"), 40)
    )
    table = associate(scores, clinical, ENDPOINT, ["site"], negative_controls=())
    adjusted = table.iloc[1]
    assert adjusted["firth"]
    assert adjusted["parameters"] == 4
    assert "4 parameters for 12 events: Firth penalty" in adjusted["reason"]
    assert not table["firth"][0]


def test_separation_falls_back_to_firth() -> None:
    scores, clinical = degenerate(event=lambda _r, c: (c.index < 12).astype(int), time=lambda _r, c: c.index + 1.0)
    scores["S"] = (scores.index < 12).astype(float)
    table = associate(scores, clinical, ENDPOINT, negative_controls=())
    assert table["firth"][0]
    assert "separate" in table["reason"][0]
    assert np.isfinite(table["hr"][0])
    assert table["hr_low"][0] > 1


def test_constant_and_missing_scores() -> None:
    scores, clinical = degenerate()
    scores["constant"], scores["absent"] = 3.0, np.nan
    scores["partly"] = scores["S"].where(scores.index < 30)
    table = associate(scores, clinical, ENDPOINT, negative_controls=()).set_index("signature")
    assert "constant" in table["reason"]["constant"]
    assert "no score" in table["reason"]["absent"]
    assert not table["valid"][["constant", "absent"]].any()
    assert table["n"].to_dict() == {"S": 40, "constant": 40, "absent": 0, "partly": 30}


def test_missing_covariates_are_left_out_and_counted() -> None:
    scores, clinical = degenerate(age=lambda r, _c: np.where(r.random(40) < 0.2, np.nan, r.normal(60, 9, 40)))
    table = associate(scores, clinical, ENDPOINT, ["age"], negative_controls=())
    missing = int(clinical["age"].isna().sum())
    assert table["n"].tolist() == [40, 40 - missing]
    assert f"{missing} without age left out" in table["reason"][1]


def test_duplicated_patients_are_refused() -> None:
    scores, clinical = degenerate()
    twice = pd.concat([scores, scores.iloc[:2]])
    with pytest.raises(DataError, match="2 observation"):
        associate(twice, clinical, ENDPOINT)
    with pytest.raises(DataError, match=r"2 observation.*are duplicated in the clinical table"):
        associate(scores, pd.concat([clinical, clinical.iloc[:2]]), ENDPOINT)


def test_wrong_arguments() -> None:
    scores, clinical = degenerate()
    with pytest.raises(DataError, match="Nothing to adjust for is called 'agee'"):
        associate(scores, clinical, ENDPOINT, ["agee"])
    with pytest.raises(DataError, match="Unknown negative control"):
        associate(scores, clinical, ENDPOINT, negative_controls=("magic",))
    with pytest.raises(DataError, match="No endpoint"):
        associate(scores, clinical)
    with pytest.raises(DataError, match="not numeric"):
        associate(scores.astype(str), clinical, ENDPOINT)
    with pytest.raises(EndpointError, match="None of the 40"):
        associate(scores.set_axis([f"x{i}" for i in range(len(scores))]), clinical, ENDPOINT)

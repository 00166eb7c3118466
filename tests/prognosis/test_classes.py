"""Labels of several classes: models against statsmodels, metrics against scikit-learn, classes by name everywhere."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import optimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from mtorscore.errors import EndpointError, FormatError
from mtorscore.prognosis import (
    Endpoint,
    RidgeMultinomial,
    RidgeOrdinal,
    added_value,
    associate,
    evaluate,
    fit_model,
    load_model,
    validate,
)
from mtorscore.prognosis.statistics import logistic, metrics, ordinal

GRADES = ("G1", "G2", "G3", "G4")
ORDERED = Endpoint.label("grade", order=GRADES)
CLASSES = Endpoint.label("subclass", classes=("S3", "S2", "S1"))
QUICK: dict[str, Any] = {"negative_controls": (), "n_boot": 0}


def cohort(n: int = 160, seed: int = 0, prefix: str = "p") -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    index = [f"{prefix}{i}" for i in range(n)]
    x = pd.DataFrame(rng.normal(size=(n, 3)), index, ["A", "B", "C"])
    latent = 1.2 * x["A"] - 0.4 * x["B"] + rng.logistic(size=n)
    clinical = pd.DataFrame({"grade": np.array(GRADES)[np.digitize(latent, [-1.0, 0.5, 2.0])]}, index)
    eta = np.column_stack([np.zeros(n), 0.9 * x["A"], 1.4 * x["B"] - 0.8])
    chosen = (eta + rng.gumbel(size=(n, 3))).argmax(axis=1)
    clinical["subclass"] = np.array(["S3", "S2", "S1"])[chosen]
    clinical["age"] = rng.normal(60, 9, n)
    return x, clinical


def standardised(x: pd.DataFrame) -> np.ndarray[Any, Any]:
    values: np.ndarray[Any, Any] = ((x - x.mean()) / x.std(ddof=1)).to_numpy()
    return values


def test_proportional_odds_are_those_of_statsmodels() -> None:
    models = pytest.importorskip("statsmodels.miscmodels.ordinal_model")
    x, clinical = cohort()
    codes = np.array([GRADES.index(g) for g in clinical["grade"]])
    table = associate(x, clinical, ORDERED, adjust=["age"], **QUICK)
    age = standardised(clinical[["age"]])
    for name in x:
        for adjusted in (False, True):
            design = np.column_stack([standardised(x[[name]]), age][: 1 + adjusted])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                peer = models.OrderedModel(codes, design, distr="logit").fit(method="newton", maxiter=200, disp=0)
            row = table[(table["signature"] == name) & ((table["model"] == "adjusted") == adjusted)].iloc[0]
            assert_allclose(np.log(row["odds_ratio"]), peer.params[0], atol=1e-6)
            half = 1.959963984540054 * peer.bse[0]
            assert_allclose(np.log(row["or_high"]) - np.log(row["or_low"]), 2 * half, atol=4e-6)
            assert_allclose(row["p"], peer.pvalues[0], atol=1e-6)
    fit = ordinal.newton(standardised(x)[:, :, None], codes, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = models.OrderedModel(codes, standardised(x), distr="logit").fit(method="newton", maxiter=200, disp=0)
    assert_allclose(fit.se[:3, 0], peer.bse[:3], atol=1e-6)
    assert_allclose(fit.coef[3:, 0], peer.model.transform_threshold_params(peer.params)[1:-1], atol=1e-6)


def test_multinomial_effects_are_those_of_statsmodels() -> None:
    api = pytest.importorskip("statsmodels.api")
    x, clinical = cohort(seed=1)
    codes = np.array([("S3", "S2", "S1").index(s) for s in clinical["subclass"]])
    table = associate(x, clinical, CLASSES, **QUICK)
    assert set(table["effect"]) == {"odds ratio against S3"}
    for name in x:
        design = np.column_stack([standardised(x[[name]]), np.ones(len(x))])
        peer = api.MNLogit(codes, design).fit(method="newton", maxiter=100, disp=0)
        null = api.MNLogit(codes, design[:, 1:]).fit(method="newton", maxiter=100, disp=0)
        rows = table[table["signature"] == name].set_index("positive")
        for k, label in enumerate(("S2", "S1")):
            assert_allclose(np.log(rows.loc[label, "odds_ratio"]), peer.params[0, k], atol=1e-6)
            assert_allclose(rows.loc[label, "p"], peer.pvalues[0, k], atol=1e-6)
            half = 1.959963984540054 * peer.bse[0, k]
            assert_allclose(
                np.log(rows.loc[label, ["or_low", "or_high"]].astype(float)).diff().iloc[1], 2 * half, atol=4e-6
            )
        assert rows["against"].eq("S3").all()
        from scipy.stats import chi2

        assert_allclose(rows["overall_p"], chi2.sf(2 * (peer.llf - null.llf), 2), atol=1e-6)


def test_the_test_of_proportional_odds_is_the_score_test_of_a_coefficient_per_cut() -> None:
    x, clinical = cohort(n=300, seed=2)
    y = np.array([GRADES.index(g) for g in clinical["grade"]])
    values = standardised(x[["A", "B"]])
    fit = ordinal.newton(values[:, :, None], y, 4).coef[:, 0]

    def loglik(theta: np.ndarray[Any, Any]) -> float:
        # Three coefficients of the first covariate, one of the second, three thresholds.
        below = expit(theta[4:] - values[:, :1] * theta[:3] - values[:, 1:] * theta[3])
        edges = np.column_stack([np.zeros(len(y)), below, np.ones(len(y))])
        return float(np.log(np.maximum(edges[np.arange(len(y)), y + 1] - edges[np.arange(len(y)), y], 1e-300)).sum())

    start = np.concatenate([np.repeat(fit[0], 3), fit[1:2], fit[2:]])
    free = optimize.minimize(lambda t: -loglik(t), start, method="BFGS", options={"gtol": 1e-6})
    chisq = 2 * (-free.fun - loglik(start))
    from scipy.stats import chi2

    # The likelihood ratio of the same alternative; both are close with 300 observations.
    assert abs(chi2.isf(ordinal.proportionality(values, y, fit), 2) - chisq) < 0.15 * max(chisq, 1.0)
    two = ordinal.newton(values[:, :, None], np.minimum(y, 1), 2).coef[:, 0]
    assert np.isnan(ordinal.proportionality(values, np.minimum(y, 1), two))


@pytest.mark.parametrize("seed", [0, None], ids=["fixed", "random"])
def test_the_test_of_proportional_odds_holds_its_level_and_finds_what_is_not(seed: int | None) -> None:
    seed = int(np.random.default_rng().integers(1_000_000)) if seed is None else seed
    print("seed", seed)
    rng = np.random.default_rng(seed)
    null: list[float] = []
    other: list[float] = []
    for _ in range(150):
        z = rng.normal(size=(150, 1))
        for found, cut in ((null, 0.0), (other, 1.5)):
            u = rng.logistic(size=150)
            # With a cut the covariate moves the first threshold alone.
            y = (z[:, 0] + u > -0.5).astype(int) + ((1 - cut / 1.5) * z[:, 0] + u > 1.0) * (z[:, 0] + u > -0.5)
            found.append(ordinal.proportionality(z, y, ordinal.newton(z[:, :, None], y, 3).coef[:, 0]))
    assert np.mean(np.array(null) < 0.05) < 0.13
    assert np.mean(np.array(other) < 0.05) > 0.6


def test_the_score_test_is_the_likelihood_ratio_up_to_higher_order() -> None:
    x, clinical = cohort(n=400, seed=3)
    y = np.array([GRADES.index(g) for g in clinical["grade"]])
    values = standardised(x)
    base = ordinal.newton(values[:, 1:, None], y, 4)
    test = ordinal.score_test(y, base.coef[:, 0], values[:, 1:])
    weak = 0.1 * values[:, :1] + np.random.default_rng(0).normal(size=(400, 1))
    both = ordinal.newton(np.column_stack([weak, values[:, 1:]])[:, :, None], y, 4)
    assert_allclose(test(weak)[0] ** 2, 2 * (both.loglik[0] - base.loglik[0]), rtol=0.03, atol=0.02)


def test_metrics_are_those_of_scikit_learn_and_of_repeated_rows() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 120)
    p = rng.dirichlet(np.ones(4), 120) + 0.3 * (y[:, None] == np.arange(4))
    p /= p.sum(axis=1, keepdims=True)
    one = np.ones((1, 120))
    assert_allclose(metrics.hand_till(y, p, one)[0], roc_auc_score(y, p, multi_class="ovo"), rtol=1e-12)
    assert_allclose(metrics.kappa(y, p.argmax(axis=1), one)[0], cohen_kappa_score(y, p.argmax(axis=1)))
    w = rng.multinomial(120, np.full(120, 1 / 120), size=3).astype(float)
    again = np.repeat(np.arange(120), w[1].astype(int))
    some = np.ones((1, len(again)))
    assert_allclose(metrics.hand_till(y, p, w)[1], roc_auc_score(y[again], p[again], multi_class="ovo"))
    for metric in (metrics.class_log_loss, metrics.class_brier):
        assert_allclose(metric(y, p, w)[1], metric(y[again], p[again], some)[0])
    score = p @ np.arange(4)
    pairs = [(i, j) for i in range(120) for j in range(120) if y[i] > y[j]]
    expected = np.mean([(score[i] > score[j]) + 0.5 * (score[i] == score[j]) for i, j in pairs])
    assert_allclose(metrics.ordinal_c(y, score, one)[0], expected)
    # Two classes: Hand and Till's M is the plain AUC, and a rejected call agrees with nothing.
    two = np.column_stack([1 - p[:, 0], p[:, 0]])
    assert_allclose(metrics.hand_till((y == 0) * 1, two, one)[0], roc_auc_score(y == 0, p[:, 0]))
    assert metrics.kappa(np.array([0, 1]), np.array([-1, 1]), np.ones((1, 2)))[0] < 0.5


def test_ridge_multinomial_is_that_of_scikit_learn_and_many_columns_are_rotated() -> None:
    x, clinical = cohort(seed=4)
    rng = np.random.default_rng(0)
    for values in (standardised(x), rng.normal(size=(len(x), 300))):
        model = RidgeMultinomial(penalties=(0.05,)).fit(values, clinical["subclass"])
        scaled = (values - values.mean(axis=0)) / values.std(axis=0)
        peer = LogisticRegression(C=1 / (0.05 * len(x)), tol=1e-10, max_iter=5000).fit(scaled, clinical["subclass"])
        assert_allclose(model.predict_proba(values), peer.predict_proba(scaled), atol=1e-5)
    assert list(model.classes_) == ["S1", "S2", "S3"]


def test_ridge_ordinal_with_a_vanishing_penalty_is_the_maximum_likelihood() -> None:
    x, clinical = cohort(seed=5)
    y = np.array([GRADES.index(g) for g in clinical["grade"]])
    model = RidgeOrdinal(penalties=(1e-9,)).fit(x, y)
    scaled = ((x - x.mean()) / x.std(ddof=0)).to_numpy()
    fit = ordinal.newton(scaled[:, :, None], y, 4)
    assert_allclose(model.predict_proba(x), ordinal.probabilities(scaled @ fit.coef[:3, 0], fit.coef[3:, 0]), atol=1e-5)
    wide = np.random.default_rng(0).normal(size=(len(x), 200))
    assert_allclose(RidgeOrdinal(penalties=(0.5,)).fit(wide, y).predict_proba(wide).sum(axis=1), 1)


@pytest.mark.parametrize("endpoint", [CLASSES, ORDERED], ids=["classes", "ordered"])
def test_evaluation_has_the_metrics_of_classes_and_calibrates_each(endpoint: Endpoint) -> None:
    x, clinical = cohort()
    found = evaluate(None, x, clinical, endpoint, baseline=["age"], n_repeats=1, n_boot=50)
    score = found.summary[found.summary["model"] == "score"].set_index("metric")
    assert score.loc["hand_till", "value"] > 0.7
    assert ("ordinal_c" in score.index) == (endpoint is ORDERED)
    names = [str(c) for c in endpoint.classes or endpoint.order]
    assert score.loc[[f"roc_auc of {c}" for c in names], "positive"].tolist() == names
    assert score.loc["hand_till", "low"] < score.loc["hand_till", "value"] < score.loc["hand_till", "high"]
    assert set(found.calibration["positive"]) == set(found.calibration_curves["positive"]) == set(names)
    dummy = found.calibration[found.calibration["model"] == "dummy"]
    assert_allclose(dummy["observed_expected"], 1, atol=0.1)
    probabilities = found.predictions[[f"p_{c}" for c in names]]
    assert_allclose(probabilities.sum(axis=1), 1)
    assert set(found.predictions["called"]) <= set(names)
    assert any(note.startswith("observations per class") for note in found.notes)
    assert found.likelihood_ratio.loc[0, "df"] == (6 if endpoint is CLASSES else 3)
    assert found.likelihood_ratio.loc[0, "p"] < 1e-6
    assert str(found)


@pytest.mark.parametrize("endpoint", [CLASSES, ORDERED], ids=["classes", "ordered"])
def test_a_frozen_model_of_classes_goes_through_its_file_and_is_validated_by_name(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    x, clinical = cohort()
    model = fit_model(x, clinical, endpoint, ["age"], name="classes")
    again = load_model(model.save(tmp_path / "model.zip"))
    there_x, there = cohort(seed=9, prefix="q")
    assert_allclose(again.predict(there_x, there), model.predict(there_x, there), rtol=1e-12)
    assert (
        list(again.predict(there_x, there))
        == list(again.classes)
        == [str(c) for c in endpoint.classes or endpoint.order]
    )
    assert "Classes: " in again.card
    result = validate(again, there_x, there, n_boot=20)
    summary = result.summary.set_index("metric")
    assert summary.loc["hand_till", "value"] > 0.65
    assert {f"observed_expected of {c}" for c in again.classes} <= set(summary.index)
    # The codes follow names, not the order of the declaration or the storage of the column.
    other = there.assign(**{str(endpoint.column): there[str(endpoint.column)].astype("category")})
    turned = Endpoint.label("subclass", classes=("S1", "S2", "S3")) if endpoint is CLASSES else ORDERED
    assert_allclose(
        validate(again, there_x, other, turned, n_boot=0).summary["value"], result.summary["value"], rtol=1e-12
    )
    assert_allclose(
        validate(again, there_x, there, Endpoint.label(str(endpoint.column)), n_boot=0).summary["value"],
        result.summary["value"],
    )
    fresh = validate(result.recalibrated, there_x, there, n_boot=0).summary.set_index("metric")
    assert fresh.loc["log_loss", "value"] <= summary.loc["log_loss", "value"] + 1e-9
    # A part without one class: its metrics are not defined, the others are.
    last = again.classes[-1]
    part = validate(again, there_x, there[there[str(endpoint.column)] != last], n_boot=0)
    assert not part.summary.set_index("metric").loc[f"roc_auc of {last}", "valid"]
    assert any(last in note for note in part.notes)


def test_contradictions_are_refused(tmp_path: Path) -> None:
    x, clinical = cohort()
    with pytest.raises(EndpointError, match="name its classes once"):
        Endpoint.label("grade", order=GRADES, classes=GRADES)
    with pytest.raises(EndpointError, match="each named once"):
        Endpoint.label("grade", order=["G1", "G1", "G2"])
    with pytest.raises(EndpointError, match="two classes without"):
        Endpoint.label("grade", order=GRADES, positive="G1")
    with pytest.raises(EndpointError, match="three classes or more"):
        Endpoint.label("grade", balanced=True)
    for door in (
        lambda e: associate(x, clinical, e, **QUICK),
        lambda e: evaluate(None, x, clinical, e, n_repeats=1, n_boot=0),
        lambda e: fit_model(x, clinical, e),
    ):
        with pytest.raises(EndpointError, match=r"3 classes .*whether they are ordered is not said"):
            door(Endpoint.label("subclass"))
    with pytest.raises(EndpointError, match="takes two"):
        added_value(x, clinical, CLASSES, ["age"], n_boot=0)
    with pytest.raises(EndpointError, match="nobody is of the reference"):
        associate(x, clinical, Endpoint.label("subclass", classes=("S0", "S1", "S2", "S3")), **QUICK)
    with pytest.raises(EndpointError, match=r"S9 \(0\)"):
        fit_model(x, clinical, Endpoint.label("subclass", classes=("S1", "S2", "S3", "S9")))
    model = fit_model(x, clinical, CLASSES)
    strange = clinical.assign(subclass=clinical["subclass"].replace("S1", "iCluster1"))
    with pytest.raises(EndpointError, match="iCluster1"):
        validate(model, x, strange, Endpoint.label("subclass", classes=("S3", "S2", "iCluster1")))
    graded = fit_model(x, clinical, ORDERED)
    with pytest.raises(EndpointError, match="declares the order"):
        validate(graded, x, clinical, Endpoint.label("grade", order=GRADES[::-1]))
    with pytest.raises(EndpointError, match="predicts a"):
        validate(graded, x, clinical, Endpoint.label("grade", classes=GRADES))


def test_values_that_are_no_declared_class_are_excluded_and_counted() -> None:
    x, clinical = cohort()
    clinical.loc["p0", "subclass"] = "unclear"
    data = CLASSES.resolve_label(clinical)
    assert data.n == len(clinical) - 1
    assert data.excluded["rule"].tolist() == ["label not among the declared classes"]
    table = associate(x, clinical, CLASSES, **QUICK)
    assert table["n"].eq(len(clinical) - 1).all()
    numbers = pd.DataFrame({"g": [1.0, 2.0, 3.0, 3.0]})
    assert Endpoint.label("g", order=["1", "2", "3"]).resolve_label(numbers).y.tolist() == [0, 1, 2, 2]
    declared = pd.DataFrame({"g": pd.Categorical(["b", "a", "c"], ["c", "b", "a"], ordered=True)})
    found = Endpoint.label("g").resolve_label(declared)
    assert (found.classes, found.y.tolist(), found.ordered) == (("c", "b", "a"), [1, 2, 0], True)


def test_balanced_classes_are_said_and_find_more_of_a_rare_one() -> None:
    x, clinical = cohort(n=240, seed=6)
    rare = clinical[(clinical["subclass"] != "S1") | (np.arange(240) % 3 == 0)]
    balanced = Endpoint.label("subclass", classes=("S3", "S2", "S1"), balanced=True)
    plain, weighted = (evaluate(None, x.loc[rare.index], rare, e, n_repeats=1, n_boot=0) for e in (CLASSES, balanced))
    recall = [
        f.summary.set_index(["model", "metric"]).loc[("score", "recall of S1"), "value"] for f in (plain, weighted)
    ]
    assert recall[1] > recall[0]
    assert any("each counts the same" in note for note in weighted.notes)
    assert not any("each counts the same" in note for note in plain.notes)
    assert "weighted so that each counts the same" in fit_model(x.loc[rare.index], rare, balanced).card


def test_few_of_a_class_and_separation_are_said() -> None:
    x, clinical = cohort(seed=7)
    few = clinical[(clinical["subclass"] != "S1") | (clinical.groupby("subclass").cumcount() < 4)]
    with pytest.warns(UserWarning, match="should not be trusted"):
        rows = associate(x, few, CLASSES, **QUICK)
    first = rows[(rows["signature"] == "A")].set_index("positive")
    assert first["valid"].to_dict() == {"S2": True, "S1": False}
    assert first["firth"].to_dict() == {"S2": False, "S1": True}
    assert np.isfinite(first["odds_ratio"]).all()
    x["split"] = np.where(clinical["grade"] == "G4", 1.0, 0.0) + clinical["grade"].map(
        dict(zip(GRADES, range(4), strict=True))
    )
    row = associate(x[["split"]], clinical, ORDERED, **QUICK).iloc[0]
    assert not row["valid"]
    assert "no estimate" in row["reason"]


def test_a_tampered_file_of_classes_is_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    x, clinical = cohort()
    model = fit_model(x, clinical, CLASSES)
    for broken in (
        replace(model, intercepts=model.intercepts[:2]),
        replace(model, coef=model.coef[:3]),
        replace(model, training=dict(model.training) | {"classes": ["S1", "S2"]}),
        replace(fit_model(x, clinical, ORDERED), intercepts=np.array([1.0, 0.0, 2.0])),
    ):
        with pytest.raises(FormatError):
            load_model(broken.save(tmp_path / "broken.zip"))


def test_two_classes_are_the_logistic_model() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 2, 1)), rng.integers(0, 2, 80)
    one, other = logistic.multinomial(x, y, 2), logistic.newton(x, y.astype(float))
    assert_allclose(one.coef, other.coef, atol=1e-8)
    assert_allclose(ordinal.newton(x, y, 2).coef[:2], other.coef[:2], atol=1e-8)

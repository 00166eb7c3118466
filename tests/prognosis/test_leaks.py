"""Leaks that can be seen are said, and what was not chosen brings no note on choosing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import SelectKBest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from mtorscore import SignatureScorer, datasets, library, pp, tl
from mtorscore.errors import DataError
from mtorscore.prognosis import Endpoint, RidgeCox, RidgeLogistic, associate, evaluate, reporting_table

LABEL = Endpoint.label("y")
QUICK: dict[str, Any] = {"n_repeats": 1, "n_boot": 0}


def labelled(n: int = 120) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("ABC"), index=[f"p{i}" for i in range(n)])
    return x, pd.DataFrame({"y": (rng.random(n) < 1 / (1 + np.exp(-x["A"]))).astype(int)}, index=x.index)


def test_scores_of_a_cohort_dependent_method_are_said() -> None:
    names = ["SREBP1_LIPOGENIC_CORE", "CLEAR_TFEB", "RIBI_CORE", "META_PCNA"]
    signatures = library().select(names)
    adata = datasets.simulate_cohort(
        seed=3, n_tumours=60, n_normals=0, n_genes=1200, signatures=signatures, hazard_branch="srebp1",
        null_branch="autophagy_tfeb", confounding=0.4,
    )  # fmt: skip
    pp.normalise(adata, "log2_cpm")
    tl.score(adata, signatures, method=["zscore", "singscore"], layer="log")
    endpoint = Endpoint.survival("OS.time", "OS")
    found = {m: evaluate(None, adata.obsm[f"score_{m}"], adata.obs, endpoint, **QUICK) for m in ("zscore", "singscore")}
    assert any("by zscore, which depends on the cohort, and were made on all" in n for n in found["zscore"].notes)
    assert not any("depends on the cohort" in n for n in found["singscore"].notes)
    plain = pd.DataFrame(adata.obsm["score_zscore"].to_numpy(), adata.obs_names, names)
    assert not any("depends" in n for n in evaluate(None, plain, adata.obs, endpoint, **QUICK).notes)
    assert any("depends" in n for n in evaluate(None, plain, adata.obs, endpoint, method="zscore", **QUICK).notes)
    expression = pd.DataFrame(np.asarray(adata.layers["log"]), adata.obs_names, adata.var_names)
    inside = evaluate(
        make_pipeline(SignatureScorer(signatures, "zscore"), RidgeCox()), expression, adata.obs, endpoint, **QUICK
    )
    assert not any("depends" in n for n in inside.notes)


def test_a_predictor_that_is_the_outcome_is_said() -> None:
    x, clinical = labelled()
    leak = clinical["y"] + np.random.default_rng(1).normal(size=len(x)) * 1e-3
    found = evaluate(None, x.assign(out=leak), clinical, LABEL, **QUICK)
    assert any("roc_auc of 1.000 is seldom biology" in n for n in found.notes)
    table = evaluate(None, x, clinical.assign(twin=clinical["y"]), LABEL, ["twin"], **QUICK)
    assert any(n.startswith("clinical: roc_auc") for n in table.notes)
    assert not any("seldom biology" in n for n in evaluate(None, x, clinical, LABEL, **QUICK).notes)
    rows = associate(x.assign(out=leak), clinical, LABEL, negative_controls=(), n_boot=0).set_index("signature")
    assert "is the outcome" in rows.loc["out", "reason"]
    assert rows.loc["A", "reason"] == ""


def test_equal_rows_are_said_and_repeated_patients_refused() -> None:
    x, clinical = labelled()
    both = pd.concat([x, x.rename(index=lambda i: f"{i}b")])
    twice = pd.concat([clinical, clinical.rename(index=lambda i: f"{i}b")])
    knn = KNeighborsClassifier(1)
    notes = evaluate(knn, both, twice, LABEL, **QUICK).notes
    assert any("240 observation(s) have exactly the features of another one" in n for n in notes)
    named = twice.assign(patient=[i.rstrip("b") for i in twice.index])
    with pytest.raises(DataError, match=r"120 patient\(s\) have several observations .*groups='patient'"):
        evaluate(knn, both, named, LABEL, **QUICK)
    assert evaluate(knn, both, named, LABEL, groups="patient", **QUICK).notes == ()
    calls = (x > 0).astype(int)
    assert not any("exactly the features" in n for n in evaluate(None, calls, clinical, LABEL, **QUICK).notes)


@pytest.mark.filterwarnings("ignore:several models:mtorscore.errors.StatisticsWarning")
def test_choosing_among_models_is_noted_where_models_were_chosen() -> None:
    x, clinical = labelled()
    one = make_pipeline(SelectKBest(k=2), RidgeLogistic())
    assert not any("several models" in n or "forking" in n for n in evaluate(one, x, clinical, LABEL, **QUICK).notes)
    two = {"a": RidgeLogistic(), "b": RidgeLogistic(penalties=(1.0,))}
    assert any("several models were compared" in n for n in evaluate(two, x, clinical, LABEL, **QUICK).notes)


def test_what_cannot_be_seen_is_named() -> None:
    """Genes chosen by the outcome outside the folds leave no trace in the scores."""
    x, clinical = labelled()
    found = evaluate(None, x, clinical, LABEL, **QUICK)
    assert "chosen by the outcome outside the folds" in str(found)
    answers = reporting_table("tripod+ai", {"evaluation": found}).set_index("item")["answer"]
    assert "chosen by the outcome outside the folds" in answers["26"]


def test_reports_name_the_model_that_was_fitted() -> None:
    x, clinical = labelled()
    clinical["time"], clinical["event"] = np.arange(1.0, 121), clinical["y"]
    survival = Endpoint.survival("time", "event")
    for endpoint, ties, words in (
        (LABEL, "efron", "logistic models (of 1)"),
        (survival, "efron", "Cox models (ties: Efron)"),
        (survival, "breslow", "Cox models (ties: Breslow)"),
    ):
        table = associate(x, clinical, endpoint, negative_controls=(), n_boot=0, ties=ties)
        answers = reporting_table("remark", {"associations": table}).set_index("item")["answer"]
        assert answers["10"].startswith(words)
        assert ("Proportional hazards" in answers["18"]) == (endpoint is survival)
    found = evaluate("boosting", x, clinical, LABEL, n_splits=2, **QUICK)
    answers = reporting_table("tripod+ai", {"evaluation": found}).set_index("item")["answer"]
    assert "score: gradient-boosted trees" in answers["12"]
    assert "ridge" not in answers["12"]

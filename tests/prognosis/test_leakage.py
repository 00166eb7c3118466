"""Canaries: nothing of the test rows but their own features reaches their predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline

from mtorscore import SignatureScorer
from mtorscore.collection import Signature, SignatureCollection
from mtorscore.prognosis import Endpoint, RidgeCox, RidgeLogistic, evaluate
from mtorscore.prognosis.prediction.candidates import ClinicalColumns, candidates_of
from mtorscore.prognosis.prediction.prediction_task import Predicted
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.tl.engine import registry

N = 120
SURVIVAL = Endpoint.survival("time", "event")
LABEL = Endpoint.label("y")
EARLY = Endpoint.early("time", "event", 300, "days")
GENES = [f"g{i}" for i in range(40)]
SIGNATURES = SignatureCollection(
    [Signature(id="A", up=tuple(GENES[:8])), Signature(id="B", up=tuple(GENES[10:20]), down=tuple(GENES[30:32]))]
)
TEST = np.arange(N) % 3 == 0


def cohort() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    index = [f"P{i:04d}" for i in range(N)]
    x = pd.DataFrame(np.exp(rng.normal(size=(N, len(GENES)))), index, GENES)
    died, left = rng.exponential(500 * np.exp(-0.3 * x["g0"])), rng.exponential(600, N)
    clinical = pd.DataFrame({"time": np.minimum(died, left), "event": (died <= left).astype(int)}, index)
    clinical["age"] = np.where(np.arange(N) % 7 == 0, np.nan, rng.normal(60, 9, N))
    clinical["sex"], clinical["y"] = rng.choice(["f", "m"], N), rng.integers(0, 2, N)
    return x, clinical


def predictions(model: Any, x: pd.DataFrame, clinical: pd.DataFrame, endpoint: Endpoint) -> dict[str, Predicted]:
    task = make_task(endpoint.resolve(clinical, x.index))
    times = np.array([200.0, 400.0]) if task.needs_horizon else np.zeros(0)
    train, test = np.flatnonzero(~TEST), np.flatnonzero(TEST)
    found = candidates_of(model, x, ClinicalColumns(clinical[["age", "sex"]]), task, 0)
    return {name: one.fit_predict(train, test, task, times, None) for name, one in found.items()}


def agree(a: dict[str, Predicted], b: dict[str, Predicted], rows: slice = slice(None)) -> None:
    assert set(a) == {"dummy", "clinical", "score", "clinical + score"}
    for name, one in a.items():
        assert_allclose(one.risk[rows], b[name].risk[rows], rtol=1e-12, atol=1e-14, err_msg=name)
        if one.survival is not None:
            other = b[name].survival
            assert other is not None
            assert_allclose(one.survival[rows], other[rows], rtol=1e-12, err_msg=name)


def model(kind: str, endpoint: Endpoint) -> Any:
    """Frozen references, scaling, selection by outcome and tuning, all inside a pipeline."""
    last = RidgeCox() if endpoint.kind == "survival" else RidgeLogistic()
    if kind == "ridge":
        return last
    if kind == "selection":
        return make_pipeline(SelectKBest(k=3), last)
    return make_pipeline(SignatureScorer(SIGNATURES, method=kind), last)


LEARNING = [spec.name for spec in registry.specs() if spec.cohort_dependent]
CASES = [(kind, endpoint) for kind in ("ridge", *LEARNING) for endpoint in (SURVIVAL, LABEL, EARLY)]
CASES += [("selection", LABEL), ("selection", EARLY)]


@pytest.mark.parametrize(("kind", "endpoint"), CASES, ids=[f"{kind} {e.name}" for kind, e in CASES])
def test_predictions_know_nothing_of_the_test_rows(kind: str, endpoint: Endpoint) -> None:
    rng = np.random.default_rng(1)
    x, clinical = cohort()
    x = x.iloc[:, :6] if kind == "ridge" else x
    plain = predictions(model(kind, endpoint), x, clinical, endpoint)

    shuffled = clinical.copy()
    order = np.flatnonzero(TEST)
    shuffled.loc[TEST, ["time", "event", "y"]] = clinical[["time", "event", "y"]].to_numpy()[rng.permutation(order)]
    agree(plain, predictions(model(kind, endpoint), x, shuffled, endpoint))

    rubbish, others = x.copy(), order[1:]
    rubbish.iloc[others] = rubbish.iloc[others].to_numpy() * 1e3 + 7
    strange = clinical.copy()
    strange.iloc[others, strange.columns.get_loc("age")] = 1e6
    strange.iloc[others, strange.columns.get_loc("sex")] = "?"
    agree(plain, predictions(model(kind, endpoint), rubbish, strange, endpoint), slice(0, 1))


def test_a_feature_that_names_the_fold_is_worth_nothing() -> None:
    """Folds differ in their outcomes by chance; a metric pooled over folds would reward a feature that names them."""
    x, clinical = cohort()
    for endpoint, metric in ((SURVIVAL, "harrell_c"), (LABEL, "roc_auc")):
        first = evaluate(None, x[["g0"]], clinical, endpoint, n_repeats=1, n_boot=0)
        fold = first.predictions.query("model == 'score'").set_index("observation")["fold"]
        spy = fold.loc[x.index].astype(float).to_frame("fold")
        found = evaluate(None, spy, clinical, endpoint, n_repeats=1, n_boot=0)
        again = found.predictions.query("model == 'score'").set_index("observation")["fold"]
        assert (again.loc[x.index] == fold.loc[x.index]).all()
        value = found.summary.query("model == 'score'").set_index("metric")["value"][metric]
        assert value == pytest.approx(0.5)


def test_weights_of_a_derived_label_are_learned_from_the_training_rows() -> None:
    _, clinical = cohort()
    data = EARLY.resolve_label(clinical)
    rows = np.flatnonzero(~TEST)
    alone = EARLY.resolve_label(clinical[~TEST])
    assert_allclose(data.weights_within(rows), alone.weights)
    assert np.abs(data.weights[rows] - alone.weights).max() > 1e-3
    assert_allclose(data.take(rows).weights_within(np.arange(len(rows))), alone.weights)


def test_patients_reach_the_tuning_inside_a_pipeline() -> None:
    seen: list[bool] = []

    class Spy(RidgeCox):
        def fit(self, X: Any, y: Any, groups: Any = None, competing: Any = None) -> RidgeCox:
            seen.append(groups is not None)
            return super().fit(X, y, groups, competing)

    x, clinical = cohort()
    clinical["patient"] = np.arange(N) // 2
    pipeline = make_pipeline(SignatureScorer(SIGNATURES, method="zscore"), Spy())
    evaluate(pipeline, x, clinical, SURVIVAL, groups="patient", n_repeats=1, n_boot=0)
    assert seen
    assert all(seen)

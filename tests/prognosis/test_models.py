"""Kept models: prediction, persistence, hostile files, external validation, decision curves, added value."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mtorscore.collection import Signature, SignatureCollection
from mtorscore.errors import DataError, DataWarning, EndpointError, FormatError, ReferenceMismatchError
from mtorscore.prognosis import (
    Endpoint,
    FittedModel,
    added_value,
    calibration_curve,
    decision_curve,
    fit_model,
    leave_one_cohort_out,
    load_model,
    optimism,
    validate,
)
from mtorscore.prognosis.models.model_file import digest_of
from tests.conftest import peer
from tests.prognosis.simulate import survival_table

ENDPOINT = Endpoint.survival("time", "event", unit="days")
LABEL = Endpoint.label("y")
SIGNATURES = SignatureCollection([Signature(id="a", up=("G1", "G2")), Signature(id="b", up=("G3",), down=("G4",))])


def cohort(seed: int, n: int = 250, shift: float = 0.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(rng.normal(size=(n, 2)), columns=["a", "b"], index=[f"P{i:04d}" for i in range(n)])
    clinical = survival_table(0.8 * x["a"].to_numpy(), rng, events=0.6)
    clinical["y"] = (rng.random(n) < 1 / (1 + np.exp(-x["a"]))).astype(int)
    clinical["stage"] = rng.choice(["I", "II", "III"], n)
    clinical["age"] = rng.normal(60, 10, n)
    return x + shift, clinical


@pytest.fixture(scope="module")
def survival_model() -> FittedModel:
    return fit_model(*cohort(0), ENDPOINT, ["stage", "age"], signatures=SIGNATURES, name="demo")


@pytest.fixture(scope="module")
def label_model() -> FittedModel:
    return fit_model(*cohort(0), LABEL, name="demo label")


def test_prediction_is_that_of_the_ridge_model(survival_model: FittedModel) -> None:
    from mtorscore.prognosis import ClinicalEncoder, RidgeCox, survival_target

    x, clinical = cohort(0)
    coded = ClinicalEncoder().fit(clinical[["stage", "age"]]).transform(clinical[["stage", "age"]])
    both = np.column_stack([x.to_numpy(), coded])
    direct = RidgeCox().fit(both, survival_target(clinical["time"].to_numpy(), clinical["event"]))
    assert_allclose(survival_model.predict(x, clinical), direct.predict(both), rtol=1e-10)
    times = [100.0, 500.0]
    assert_allclose(
        survival_model.predict_survival(x, times, clinical), direct.predict_survival(both, times), rtol=1e-10
    )


def test_a_saved_model_is_the_same_model(survival_model: FittedModel, label_model: FittedModel, tmp_path: Path) -> None:
    x, clinical = cohort(5)
    for model in (survival_model, label_model):
        path = model.save(tmp_path / "m.mtor")
        again = load_model(path)
        assert_allclose(again.predict(x, clinical), model.predict(x, clinical), rtol=0, atol=0)
        assert again.card == model.card
        assert again.endpoint == model.endpoint
        assert list(tmp_path.iterdir()) == [path]
    assert "Research use" in survival_model.card
    assert "250 observations" in survival_model.card


def test_a_model_on_expression_carries_its_reference(tmp_path: Path) -> None:
    from mtorscore import SignatureScorer

    rng = np.random.default_rng(0)
    genes = pd.DataFrame(rng.normal(5, 1, (80, 12)), columns=[f"G{i}" for i in range(12)])
    genes.index = [f"P{i:04d}" for i in range(80)]
    clinical = survival_table(genes["G1"].to_numpy() - 5, rng, events=0.6)
    model = fit_model(genes, clinical, ENDPOINT, scorer=SignatureScorer(SIGNATURES, "zscore"))
    again = load_model(model.save(tmp_path / "m.mtor"), SIGNATURES)
    # One new patient alone: a cohort-dependent method scores it against the frozen cohort.
    assert_allclose(again.predict(genes.iloc[[3]]), model.predict(genes).iloc[[3]], rtol=1e-10)
    with pytest.raises(ReferenceMismatchError, match="lacks"):
        again.predict(genes.rename(columns={"G1": "G1b"}))


def test_expression_on_another_scale_is_said() -> None:
    """A rank method's scores do not show that a matrix is on another scale; the values do."""
    from mtorscore import SignatureScorer

    x, clinical = cohort(0, 80)
    rng = np.random.default_rng(0)
    genes = pd.DataFrame(rng.normal(6, 1, (80, 20)), x.index, [f"G{i}" for i in range(20)])
    for method in ("zscore", "singscore"):
        model = fit_model(genes, clinical, ENDPOINT, scorer=SignatureScorer(SIGNATURES, method=method))
        assert not any("another scale" in n for n in validate(model, genes, clinical, n_boot=0).notes)
        assert any("expression is on another scale" in n for n in validate(model, 2**genes, clinical, n_boot=0).notes)


def test_other_signatures_are_refused(survival_model: FittedModel, tmp_path: Path) -> None:
    path = survival_model.save(tmp_path / "m.mtor")
    load_model(path, SIGNATURES)
    changed = SIGNATURES.replace(Signature(id="a", up=("G1", "G9")))
    with pytest.raises(ReferenceMismatchError, match=r"1 signature\(s\) of the model are defined otherwise"):
        load_model(path, changed)


def test_a_changed_library_is_explained(tmp_path: Path) -> None:
    from mtorscore import library

    name = library().signatures[0].id
    x, clinical = cohort(0)
    mine = SignatureCollection([Signature(id=name, up=("G1",))])
    model = fit_model(x.rename(columns={"a": name}), clinical, ENDPOINT, signatures=mine)
    path = model.save(tmp_path / "m.mtor")
    with pytest.warns(DataWarning, match="have changed in the library"):
        load_model(path)


class Payload:
    """Pickles to a call: a loader that unpickles would create the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None], *, seal: bool = True) -> None:
    """Change the parts of a model; sealed again, so that each check is met and not the digest alone."""
    with zipfile.ZipFile(path) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    change(parts)
    if seal and "digest.txt" in parts:
        parts["digest.txt"] = digest_of(parts).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def header(**changes: Any) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        table = json.loads(parts["model.json"]) | changes
        parts["model.json"] = json.dumps(table).encode()

    return change


def array(name: str, values: Any) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        buffer = io.BytesIO()
        np.save(buffer, values, allow_pickle=True)
        parts[name] = buffer.getvalue()

    return change


def huge(parts: dict[str, bytes]) -> None:
    """Claim an array of a petabyte."""
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (140737488355328,), }"
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    parts["coef.npy"] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + b"\x00" * 64


def unfinished() -> bytes:
    """Break off the header of an array inside its bracket."""
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (4L,"
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + b"\x00" * 32


def falling(parts: dict[str, bytes]) -> None:
    array("times.npy", np.array([1.0, 2.0]))(parts)
    array("hazard.npy", np.array([2.0, 1.0]))(parts)


HOSTILE: dict[str, Callable[[dict[str, bytes]], None]] = {
    "not json": lambda p: p.update({"model.json": b"{"}),
    "deep json": lambda p: p.update({"model.json": b"[" * 200_000}),
    "a list": lambda p: p.update({"model.json": b"[]"}),
    "another format": header(format="pickle"),
    "unknown kind": header(kind="exec"),
    "columns are no names": header(columns=[1, 2]),
    "too many columns": header(columns=list("abcdefgh")),
    "penalty is text": header(penalty="__import__('os')"),
    "penalty is not finite": header(penalty=float("nan")),
    "endpoint is no endpoint": header(endpoint={"kind": "survival", "evil": 1}),
    "endpoint of another kind": header(endpoint={"kind": "magic", "name": "x"}),
    "clinical without levels": header(clinical={"stage": {}}),
    "signatures without hash": header(signatures={"a": {}}),
    "missing array": lambda p: p.pop("coef.npy"),  # type: ignore[dict-item]
    "foreign part": lambda p: p.update({"../../evil.py": b"print()"}),
    "object array": array("coef.npy", np.array([{"a": 1}], dtype=object)),
    "matrix": array("coef.npy", np.zeros((2, 2))),
    "wrong length": array("coef.npy", np.zeros(99)),
    "not finite": array("coef.npy", np.full(5, np.nan)),
    "falling hazard": falling,
    "zero scale": array("scale.npy", np.zeros(5)),
    "huge claim": huge,
    "unfinished array header": lambda p: p.update({"coef.npy": unfinished()}),
    "empty array": lambda p: p.update({"coef.npy": b""}),
    "damaged reference": lambda p: p.update({"reference.npz": b"PK\x03\x04 nothing"}),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_give_a_clear_error(case: str, survival_model: FittedModel, tmp_path: Path) -> None:
    path = survival_model.save(tmp_path / "m.mtor")
    rewrite(path, HOSTILE[case])
    with pytest.raises(FormatError, match=r"m\.mtor"):
        load_model(path)
    assert list(tmp_path.iterdir()) == [path]


def test_pickles_are_not_executed(survival_model: FittedModel, tmp_path: Path) -> None:
    evil = tmp_path / "executed"
    path = tmp_path / "m.mtor"
    path.write_bytes(pickle.dumps(Payload(evil)))
    with pytest.raises(FormatError):
        load_model(path)
    survival_model.save(path)
    rewrite(path, array("coef.npy", np.array([Payload(evil)], dtype=object)))
    with pytest.raises(FormatError):
        load_model(path)
    rewrite(path, lambda p: p.update({"model.json": pickle.dumps(Payload(evil))}))
    with pytest.raises(FormatError):
        load_model(path)
    assert not evil.exists()


def test_zip_bombs_are_refused(survival_model: FittedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mtorscore.prognosis.models import model_file

    path = survival_model.save(tmp_path / "m.mtor")
    monkeypatch.setitem(model_file.LARGEST_OF, "CARD.md", 100_000)
    rewrite(path, lambda p: p.update({"CARD.md": b"0" * 200_000}))
    with pytest.raises(FormatError, match="refused"):
        load_model(path)


WEIRD: list[Any] = [None, True, -1, 1e308, 10**400, "x", [], {}, [1], {"a": {"median": None}}, [[]], "../../passwd"]


def places(tree: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree[:2]) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*here, key)
        yield from places(value, (*here, key))


def test_whatever_stands_in_the_header_is_refused_or_harmless(
    survival_model: FittedModel, label_model: FittedModel, tmp_path: Path
) -> None:
    """Each value of the header in turn is another than it should be; a model that loads can be used."""
    rng = np.random.default_rng(0)
    refused = 0
    for model in (survival_model, label_model):
        path = model.save(tmp_path / "m.mtor")
        with zipfile.ZipFile(path) as archive:
            original = json.loads(archive.read("model.json"))
        for place in places(original):
            changed = json.loads(json.dumps(original))
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = WEIRD[rng.integers(len(WEIRD))]
            rewrite(path, header(**changed))
            try:
                loaded = load_model(path)
            except FormatError:
                refused += 1
                continue
            assert loaded.card
            table = pd.DataFrame(0.5, index=["a"], columns=list(loaded.scores))
            clinical = pd.DataFrame({c: [60 if c == "age" else "I"] for c in loaded.clinical}, index=["a"])
            assert np.isfinite(loaded.predict(table, clinical)).all()
    assert refused > 60


def test_a_large_header_is_refused_before_it_is_parsed(survival_model: FittedModel, tmp_path: Path) -> None:
    path = survival_model.save(tmp_path / "m.mtor")
    rewrite(path, lambda p: p.update({"model.json": b"[" + b"[]," * (4 << 20) + b"[]]"}))
    with pytest.raises(FormatError, match=r"model\.json would unpack to more than 8 MiB"):
        load_model(path)


def test_another_versions_model_says_so(survival_model: FittedModel, tmp_path: Path) -> None:
    path = survival_model.save(tmp_path / "m.mtor")
    rewrite(path, header(format="mtorscore-model/3"))
    with pytest.raises(FormatError, match="update mtorscore"):
        load_model(path)


def test_a_score_named_like_a_clinical_column_is_refused() -> None:
    x, clinical = cohort(0)
    with pytest.raises(DataError, match="have one name"):
        fit_model(x, clinical.assign(a=1.0), ENDPOINT, ["a"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_fuzzed_files_never_do_anything_else(data: st.DataObject, survival_model: FittedModel, tmp_path: Path) -> None:
    path = survival_model.save(tmp_path / "m.mtor")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    path.write_bytes(bytes(content))
    try:
        load_model(path)
    except FormatError:
        return


def test_external_validation_of_a_good_model(survival_model: FittedModel) -> None:
    result = validate(survival_model, *cohort(7), n_boot=100)
    table = result.summary.set_index("metric")
    assert table.loc["harrell_c", "low"] > 0.6
    assert table.loc["calibration_slope", "low"] < 1.1 < table.loc["calibration_slope", "high"] + 0.4
    assert 0.8 < table.loc["observed_expected", "value"] < 1.25
    assert result.case_mix["standardised_difference"].abs().max() < 0.3
    curve = result.calibration
    assert curve["predicted"].is_monotonic_increasing
    assert (curve["low"] <= curve["observed"]).all()


def test_another_scale_is_noticed_and_recalibrated(survival_model: FittedModel) -> None:
    x, clinical = cohort(8)
    slow = clinical.assign(time=clinical["time"] * 3)
    shifted = validate(survival_model, x + 5, clinical, n_boot=20)
    assert any("more than one SD off" in n for n in shifted.notes)
    result = validate(survival_model, x, slow, n_boot=20)
    before = result.summary.set_index("metric").loc["observed_expected", "value"]
    again = validate(result.recalibrated, x, slow, n_boot=20).summary.set_index("metric")
    assert abs(before - 1) > 0.2
    assert_allclose(again.loc["observed_expected", "value"], 1, atol=0.05)
    assert_allclose(again.loc["calibration_slope", "value"], 1, atol=0.02)


def test_validation_of_a_label_model(label_model: FittedModel) -> None:
    x, clinical = cohort(9)
    result = validate(label_model, x, clinical, n_boot=100)
    table = result.summary.set_index("metric")
    assert table.loc["roc_auc", "low"] > 0.6
    assert abs(table.loc["calibration_in_the_large", "value"]) < 0.5
    again = validate(result.recalibrated, x, clinical, n_boot=10).summary.set_index("metric")
    assert_allclose(again.loc["calibration_slope", "value"], 1, atol=1e-6)
    assert_allclose(again.loc["calibration_in_the_large", "value"], 0, atol=1e-6)
    assert_allclose(again.loc["observed_expected", "value"], 1, atol=1e-6)


def test_validation_refuses_what_does_not_fit(survival_model: FittedModel) -> None:
    x, clinical = cohort(1)
    with pytest.raises(EndpointError, match="counts time in days"):
        validate(survival_model, x, clinical, Endpoint.survival("time", "event", unit="months"))
    with pytest.raises(DataError, match=r"1 of 2 score\(s\) of model demo are missing"):
        validate(survival_model, x[["a"]], clinical)
    with pytest.raises(EndpointError, match="predicts a survival endpoint"):
        validate(survival_model, x, clinical, LABEL)
    with pytest.raises(EndpointError, match="no event"):
        validate(survival_model, x, clinical.assign(event=0))


def test_leave_one_cohort_out() -> None:
    parts = [cohort(s, 120) for s in (1, 2, 3)]
    x = pd.concat([p[0].set_axis([f"c{i}-{o}" for o in p[0].index]) for i, p in enumerate(parts)])
    clinical = pd.concat([p[1].assign(cohort=f"c{i}") for i, p in enumerate(parts)]).set_axis(x.index)
    table = leave_one_cohort_out(x, clinical, ENDPOINT, "cohort")
    assert set(table["cohort"]) == {"c0", "c1", "c2"}
    assert (table.loc[table["metric"] == "harrell_c", "value"] > 0.6).all()
    with pytest.raises(DataError, match="holds 1 cohort"):
        leave_one_cohort_out(x[:120], clinical, ENDPOINT, "cohort")


def test_decision_curve_agrees_with_dcurves() -> None:
    dcurves = peer("dcurves")
    x, clinical = cohort(3)
    risk = 1 / (1 + np.exp(-x["a"]))
    thresholds = [0.1, 0.3, 0.5]
    ours = decision_curve(risk, clinical, LABEL, thresholds=thresholds)
    theirs = dcurves.dca(clinical.assign(risk=risk), "y", ["risk"], thresholds=np.array(thresholds))
    for name, label in (("model", "risk"), ("all", "all")):
        a = ours[ours["strategy"] == name]["net_benefit"].to_numpy()
        assert_allclose(a, theirs[theirs["model"] == label].sort_values("threshold")["net_benefit"], atol=1e-8)
    survival = decision_curve(risk, clinical, ENDPOINT, thresholds=thresholds, horizon=400.0)
    other = dcurves.dca(
        clinical.assign(risk=risk), "event", ["risk"], thresholds=np.array(thresholds), time=400.0,
        time_to_outcome_col="time",
    )  # fmt: skip
    a = survival[survival["strategy"] == "model"]["net_benefit"].to_numpy()
    assert_allclose(a, other[other["model"] == "risk"].sort_values("threshold")["net_benefit"], atol=1e-6)


def test_added_value_is_the_likelihood_ratio() -> None:
    x, clinical = cohort(4)
    table = added_value(x, clinical, ENDPOINT, ["age"]).set_index("signature")
    CoxPHFitter = peer("lifelines").CoxPHFitter

    joined = clinical[["time", "event", "age"]].join(x)
    fits = [
        CoxPHFitter().fit(joined[["time", "event", *c]], "time", "event").log_likelihood_
        for c in (["age"], ["age", "a"])
    ]
    assert_allclose(table.loc["a", "lr_chisq"], 2 * (fits[1] - fits[0]), atol=1e-4)
    assert table.loc["a", "q"] < 0.001 < table.loc["b", "q"]
    assert table.loc["a", "gain_conditional_low"] > 0


def test_optimism_is_larger_for_noise_than_for_one_strong_score() -> None:
    rng = np.random.default_rng(0)
    x, clinical = cohort(4, 120)
    from mtorscore.prognosis import RidgeLogistic

    strong = optimism(x[["a"]], clinical, LABEL, n_boot=30)
    noise = pd.DataFrame(rng.normal(size=(120, 15)), index=x.index)
    weak = optimism(noise, clinical, LABEL, RidgeLogistic(penalties=(1e-4,)), n_boot=30)
    gaps = [o.summary.set_index("metric").loc["roc_auc", "optimism"] for o in (strong, weak)]
    assert gaps[1] > gaps[0] + 0.05
    assert weak.mean_instability > strong.mean_instability
    corrected = weak.summary.set_index("metric").loc["roc_auc", "corrected"]
    assert 0.35 < corrected < 0.62


def test_optimism_honours_the_weights_of_a_derived_label() -> None:
    """Those censored before the horizon are neither class: they must not be learned as free of the event."""
    rng = np.random.default_rng(4)
    x = pd.DataFrame({"A": rng.normal(size=150)}, index=[f"P{i}" for i in range(150)])
    clinical = pd.DataFrame({"time": rng.exponential(np.exp(-x["A"])), "event": rng.integers(0, 2, 150)})
    clinical.index = x.index
    early = Endpoint.early("time", "event", 0.7, "years")
    data = early.resolve_label(clinical)
    assert (data.weights == 0).any()
    flipped = clinical.assign(event=np.where(data.weights == 0, 0, clinical["event"]))
    moved = x.assign(A=np.where(data.weights == 0, 50.0, x["A"]))
    first, second = (optimism(t, flipped, early, n_boot=3).summary.set_index("metric") for t in (x, moved))
    # Features of observations without weight reach the scale of the columns only, never the metrics.
    assert first.loc["roc_auc", "apparent"] == pytest.approx(second.loc["roc_auc", "apparent"])
    curve = calibration_curve(np.full(150, 0.4), data)
    observed = (data.weights * data.y).sum() / data.weights.sum()
    assert curve["observed"].iloc[0] == pytest.approx(observed)

"""Small version of benchmarks/prognosis/coverage.py, and what holds between its table and the code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import mtorscore
from benchmarks.prognosis import coverage, coverage_batched, coverage_resampled
from benchmarks.prognosis.coverage_settings import EFFECT, Setting, verdict
from mtorscore.prognosis import Endpoint, associate
from mtorscore.prognosis.statistics import cox
from mtorscore.prognosis.statistics.risk_sets import RiskSets
from tests.conftest import ROOT

TABLE = ROOT / "benchmarks" / "prognosis" / "coverage.tsv"
SMALL = Setting(60, 0.4)


def published() -> pd.DataFrame:
    return pd.read_csv(TABLE, sep="\t", comment="#", keep_default_na=False, na_values=[""])


@pytest.mark.parametrize("firth", [False, True])
def test_sorted_cohorts_have_the_risk_sets_of_the_package(firth: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 2, 3))
    order, event = coverage_batched.drawn(0 * x[:, 0], 0.0, Setting(80, 0.3), rng)
    sets = coverage_batched.Sorted(event)
    coef, at = coverage_batched.maximum(sets, x, np.ones(2, dtype=bool), np.zeros((2, 3)), firth=firth)
    assert order.shape == (80, 3)
    for b in range(3):
        fit = cox.newton(RiskSets(np.arange(80.0), event[:, b]), x[:, :, [b]], firth=firth)
        assert_allclose(coef[:, b], fit.coef[:, 0], atol=1e-7)
        assert_allclose(cox.invert(at.information)[:, :, b], fit.covariance[:, :, 0], rtol=1e-5)


@pytest.mark.parametrize("n_events", [12, 30])
def test_batched_decisions_are_those_of_associate(n_events: int) -> None:
    """Wald and Firth's test of a score beside a confounder, cohort by cohort."""
    rng = np.random.default_rng(n_events)
    n, b = 60, 12
    x = rng.normal(size=(n, 2, b)) + 0.8 * rng.normal(size=(n, 1, b))
    event = np.zeros((n, b), dtype=bool)
    for j in range(b):
        event[rng.choice(n, n_events, replace=False), j] = True
    wrong, valid = coverage_batched.found_other(coverage_batched.Sorted(event), x, 0.0)
    for j in range(b):
        clinical = pd.DataFrame({"time": np.arange(n) + 1.0, "event": event[:, j].astype(int), "z": x[:, 1, j]})
        scores = pd.DataFrame({"s": x[:, 0, j]})
        endpoint = Endpoint.survival("time", "event")
        table = associate(scores, clinical, endpoint, adjust=["z"], negative_controls=(), n_boot=0)
        row = table[table["model"] == "adjusted"].iloc[0]
        assert valid[j]
        assert wrong[j] == (row["p"] < 0.05)


@pytest.mark.parametrize("given", [4, pytest.param(None, id="random")])
def test_small_version(given: int | None) -> None:
    seed = int(np.random.default_rng().integers(1_000_000)) if given is None else given
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    for group in (coverage_batched.effects, coverage_batched.nulls, coverage_batched.label_effects):
        for (name, *_), (hits, repetitions, invalid) in coverage.simulate(group, SMALL, 1000, rng).items():
            assert repetitions + invalid == 1000
            target = 0.05 if name.startswith("type I") else 0.95
            # The scores of one outcome share it, so that 1,000 of them are worth fewer.
            assert abs(hits / repetitions - target) < 0.045, (name, hits, repetitions)


@pytest.mark.slow
@pytest.mark.parametrize("given", [5, pytest.param(None, id="random")])
def test_small_version_of_resampled_intervals(given: int | None) -> None:
    seed = int(np.random.default_rng().integers(1_000_000)) if given is None else given
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    for group in (coverage_resampled.refitting, coverage_resampled.cross_validated):
        for (name, *_), (hits, repetitions, _) in coverage.simulate(group, SMALL, 60, rng).items():
            if name.startswith("coverage:"):
                assert hits / repetitions > 0.8, (name, hits)
            elif name.startswith("type I:"):
                assert hits / repetitions < 0.2, (name, hits)


def test_the_verdict_can_fail() -> None:
    assert verdict("type I", 0.05, 10_000, 0, 10_000) == "passes"
    assert verdict("type I", 0.066, 10_000, 0, 10_000) == "not shown"
    assert verdict("type I", 0.08, 10_000, 0, 10_000) == "fails"
    assert verdict("coverage", 0.93, 1000, 0, 1000) == "passes"
    assert verdict("coverage", 0.925, 1000, 0, 1000) == "not shown"
    assert verdict("coverage", 0.90, 1000, 0, 1000) == "fails"
    assert verdict("coverage", 0.95, 300, 0, 1000) == "not shown"
    assert verdict("coverage", 0.95, 400, 600, 1000) == "not offered"
    assert verdict("coverage", 1.0, 1, 0, 1) == "not shown"


def test_the_published_table_is_that_of_this_version() -> None:
    head = TABLE.read_text(encoding="utf-8").splitlines()[0]
    assert head.endswith(f"mtorscore {mtorscore.__version__}")
    page = coverage.PAGE.read_text(encoding="utf-8")
    assert head.removeprefix("# ") in page
    found = published()
    assert not found.duplicated(["statistic", "truth", "n", "events"]).any()
    for row in found.itertuples():
        assert f"| {row.statistic} | {row.n} | {row.events:g} | {row.truth} |" in page


def test_verdicts_of_the_published_table_follow_the_rules() -> None:
    closed: dict[str, Any] = {}
    for name, (_, wanted) in coverage.groups().items():
        closed[name] = wanted
    assert set(closed.values()) == {coverage.CLOSED, coverage.RESAMPLED}
    for row in published().itertuples():
        kind = str(row.statistic).split(":")[0]
        rate = float(row.rate) if pd.notna(row.rate) else float("nan")
        strict = verdict(kind, rate, int(row.repetitions), int(row.not_valid), 0)
        assert row.verdict in (strict, "not shown"), row


def test_an_effect_is_seen() -> None:
    """A simulation in which the truth is moved is caught: coverage of the wrong value is low."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 250))
    order, event = coverage_batched.drawn(EFFECT * x, EFFECT, Setting(200, 0.4), rng)
    arranged = np.take_along_axis(x, order, axis=0)[:, None, :]
    wrong, _ = coverage_batched.found_other(coverage_batched.Sorted(event), arranged, 0.0)
    right, _ = coverage_batched.found_other(coverage_batched.Sorted(event), arranged, EFFECT)
    assert wrong.mean() > 0.8
    assert right.mean() < 0.12

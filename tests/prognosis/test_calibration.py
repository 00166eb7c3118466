"""Small version of benchmarks/prognosis/calibration.py: type-I error and coverage of what is reported."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtorscore.errors import StatisticsWarning
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def benchmark() -> Any:
    path = ROOT / "benchmarks" / "prognosis" / "calibration.py"
    spec = importlib.util.spec_from_file_location("calibration_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def show(table: pd.DataFrame) -> str:
    return str(table.to_string(index=False))


def test_errors_and_coverage_with_many_events(benchmark: Any) -> None:
    table = benchmark.rates(120, 0.4, 100, 30, seed=1)
    assert len(table) == 10
    assert table["within"].all(), show(table)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "share"), [(100, 0.1), (160, 0.4)])
def test_errors_and_coverage(benchmark: Any, n: int, share: float) -> None:
    table = benchmark.rates(n, share, 600, 100, seed=2)
    print(show(table))
    assert table["within"].all(), show(table)


def test_the_benchmark_sees_a_test_that_is_too_eager(benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With p-values cut in half the type-I error doubles, and the benchmark says so."""
    honest = benchmark.p_value
    monkeypatch.setattr(benchmark, "p_value", lambda *a, **k: honest(*a, **k) / 3)
    table = benchmark.rates(120, 0.4, 100, 1, seed=1).set_index("statistic")
    assert not table.loc["type I: unadjusted hazard ratio", "within"]
    assert np.isfinite(table["rate"]).all()


def test_below_ten_events_the_statistics_fail_and_are_marked(benchmark: Any) -> None:
    """The mark is needed: without it some statistic is off; and it is set, with the reason."""
    from mtorscore.prognosis import Endpoint, associate

    table = benchmark.few(400, seed=3)
    assert not table["within"].all(), show(table)
    rng = np.random.default_rng(1)
    clinical = pd.DataFrame({"time": rng.exponential(9, 100), "event": (np.arange(100) < 9).astype(int)})
    with pytest.warns(StatisticsWarning, match="should not be trusted"):
        row = associate(
            pd.DataFrame({"A": rng.normal(size=100)}),
            clinical,
            Endpoint.survival("time", "event"),
            negative_controls=(),
        ).iloc[0]
    assert not row["valid"]
    assert "only 9 event(s); at least 10 are asked for" in row["reason"]


@pytest.mark.slow
def test_selection_is_seen_through(benchmark: Any) -> None:
    found = benchmark.selection(150, 40, seed=5)["found"].to_numpy()
    assert found[0] > 0.2
    assert found[1] <= 0.05 + 0.015 + 3 * np.sqrt(0.05 * 0.95 / 150)
    assert 0.44 <= found[2] <= 0.53
    assert found[3] > 0.6

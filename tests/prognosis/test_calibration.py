"""Small version of benchmarks/prognosis/calibration.py: type-I error and coverage of what is reported."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

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

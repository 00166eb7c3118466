"""Sample size of external validations: a published worked example, closed forms, and simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from numpy.testing import assert_allclose

from mtorscore.errors import DataError
from mtorscore.prognosis import validation_sample_size
from mtorscore.prognosis.statistics import cox, logistic
from mtorscore.prognosis.statistics.concordance import concordance
from mtorscore.prognosis.statistics.risk_sets import RiskSets


def heart_valves() -> npt.NDArray[np.float64]:
    """Linear predictor of the worked example: Pearson's curve of mean -5.8, variance 5, skewness -0.5, kurtosis 4."""
    var, skew, kurt = 5.0, -0.5, 4.0
    d = 10 * kurt - 12 * skew**2 - 18
    c0, c1 = (4 * kurt - 3 * skew**2) * var / d, np.sqrt(var) * skew * (kurt + 3) / d
    c2 = (2 * kurt - 3 * skew**2 - 6) / d
    x = np.linspace(-60, 40, 400_001)
    slope = -(c1 + x) / (c0 + c1 * x + c2 * x**2)
    log = np.concatenate([[0.0], np.cumsum((slope[1:] + slope[:-1]) / 2 * np.diff(x))])
    density = np.exp(log - log.max())
    density /= density.sum()
    mean = (density * x).sum()
    assert_allclose([mean, (density * (x - mean) ** 2).sum()], [0, var], atol=0.01)
    cumulative = np.cumsum(density)
    quantiles: npt.NDArray[np.float64] = np.interp((np.arange(50_000) + 0.5) / 50_000, cumulative, x) - 5.8
    return quantiles


def test_the_worked_example_of_riley_2021() -> None:
    """Mechanical heart valve failure, an event proportion of 0.018: "at least 9835 participants (177 events)".

    Riley et al., Stat Med 2021;40:4230. The moments of the linear predictor are published to one digit: the figure is
    met to within 8%, and lies between those of a variance of 5.0 and of 5.49.
    """
    table = validation_sample_size(heart_valves(), risk=0.018, c=0.8, oe_width=1.0).set_index("criterion")
    assert_allclose(table.loc["calibration slope", "n_needed"], 9835, rtol=0.08)
    assert_allclose(table.loc["calibration slope", "events_needed"], 177, rtol=0.08)
    assert table.loc["all", "n_needed"] == table.loc["calibration slope", "n_needed"]
    wider = (heart_valves() + 5.8) * np.sqrt(5.49 / 5) - 5.8
    assert validation_sample_size(wider, risk=0.018).iloc[1]["n_needed"] < 9835 < table.loc["all", "n_needed"]


@pytest.mark.parametrize(("share", "error", "n"), [(0.5, 0.051, 384), (0.1, 0.051, 3460), (0.1, 0.175, 294)])
def test_observed_over_expected_as_in_riley_2021(share: float, error: float, n: int) -> None:
    """Their section 3.1.1 states the error of the logarithm."""
    width = 2 * np.sinh(1.959963984540054 * error)
    found = validation_sample_size((0, 1), risk=share, oe_width=width).set_index("criterion")["n_needed"]
    assert abs(found["observed/expected"] - n) <= 1


def test_the_closed_forms() -> None:
    z = 1.959963984540054
    lp = (-1.75, 1.47)
    table = validation_sample_size(lp, risk=0.2, c=0.7, threshold=0.3, sensitivity=0.6, specificity=0.88)
    n = table.set_index("criterion")["n_needed"]
    se = np.arcsinh(0.1) / z
    assert n["observed/expected"] == np.ceil(0.8 / 0.2 / se**2)
    # The interval that this n gives has the width that was asked for.
    half = z * np.sqrt(0.8 / 0.2 / n["observed/expected"])
    assert_allclose(np.exp(half) - np.exp(-half), 0.2, rtol=1e-3)
    m = n["concordance"]
    variance = 0.7 * 0.3 * (1 + (m / 2 - 1) * 0.3 / 1.3 + (m / 2 - 1) * 0.7 / 1.7) / (m**2 * 0.2 * 0.8)
    assert_allclose(2 * z * np.sqrt(variance), 0.1, rtol=1e-3)
    w = 0.8 / 0.2 * 0.3 / 0.7
    sum_ = 0.6 * 0.4 / 0.2 + w**2 * 0.88 * 0.12 / 0.8 + w**2 * 0.12**2 / (0.2 * 0.8)
    assert n["net benefit"] == np.ceil(sum_ / (0.1 / z) ** 2)


def test_as_many_patients_give_an_interval_of_that_width() -> None:
    """The slope of logistic models in simulated validations of the size that is asked for has the error promised."""
    table = validation_sample_size((-1.0, 1.2), slope_width=0.6, c_width=0.15).set_index("criterion")
    rng = np.random.default_rng(0)
    n = int(table.loc["calibration slope", "n_needed"])
    lp = rng.normal(-1.0, 1.2, (n, 300))
    y = (rng.random(lp.shape) < 1 / (1 + np.exp(-lp))).astype(float)
    slopes = logistic.newton(lp[:, None, :], y).coef[0]
    assert_allclose(2 * 1.96 * slopes.std(), 0.6, rtol=0.12)
    m = int(table.loc["concordance", "n_needed"])
    lp = rng.normal(-1.0, 1.2, (m, 200))
    y = rng.random(lp.shape) < 1 / (1 + np.exp(-lp))
    found = [concordance(a, np.where(b, 0.0, 1.0), b).c for a, b in zip(lp.T, y.T, strict=True)]
    assert_allclose(2 * 1.96 * np.std(found), 0.15, rtol=0.2)


@pytest.mark.slow
def test_survival_has_the_errors_promised() -> None:
    from mtorscore.prognosis.statistics.pseudo_values import fit_cloglog, pseudo_values

    table = validation_sample_size(
        (0.0, 0.8), risk=0.3, horizon=5, lost=0.2, slope_width=0.7, oe_width=0.4, c_width=0.12
    ).set_index("criterion")
    rng = np.random.default_rng(1)
    n = int(table.loc["calibration slope", "n_needed"])
    slopes, ratios, concordances = [], [], []
    for _ in range(300):
        lp = rng.normal(0, 0.8, n)
        rate = 0.0547
        time = rng.exponential(size=n) * np.exp(-lp) / rate
        out = rng.exponential(size=n) * 5 / -np.log(0.8)
        seen, event = np.minimum(np.minimum(time, out), 5), (time <= out) & (time <= 5)
        design = np.column_stack([np.ones(n), lp])
        slopes.append(fit_cloglog(pseudo_values(seen, event.astype(int), 5), design, np.array([-1.0, 1.0]))[0][1])
        ratios.append(1 + np.log(pseudo_values(seen, event.astype(int), 5).mean() / 0.3))
        concordances.append(concordance(lp, seen, event).c)
    for found, criterion, width in (
        (slopes, "calibration slope", 0.7),
        (ratios, "observed/expected", 0.4),
        (concordances, "concordance", 0.12),
    ):
        scaled = np.sqrt(n / table.loc[criterion, "n_needed"])
        assert_allclose(2 * 1.96 * np.std(found) * scaled, width, rtol=0.15)


def test_survival_asks_for_more_where_patients_are_lost() -> None:
    options: dict[str, Any] = {"risk": 0.3, "horizon": 5.0, "threshold": 0.3, "n_simulated": 3000}
    whole, lost = (
        validation_sample_size((0.0, 0.8), lost=share, **options).set_index("criterion")["n_needed"]
        for share in (0.0, 0.5)
    )
    assert (lost >= whole).all()
    assert set(whole.index) == {"observed/expected", "calibration slope", "concordance", "net benefit", "all"}
    # Without losses the overall risk is a share: its closed form.
    se = np.arcsinh(0.1) / 1.959963984540054
    assert_allclose(whole["observed/expected"], 0.7 / 0.3 / se**2, rtol=0.06)
    # Steeper predictors need fewer patients; the Cox slope of a large cohort has about the same error.
    rng = np.random.default_rng(2)
    lp = rng.normal(0, 0.8, 4000)
    time = rng.exponential(size=4000) * np.exp(-lp) / 0.0547
    fit = cox.newton(RiskSets(np.minimum(time, 5), time <= 5), lp[:, None, None])
    assert_allclose(whole["calibration slope"], 4000 * (float(fit.se[0, 0]) / (0.1 / 1.96)) ** 2, rtol=0.35)


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="Survival needs risk="):
        validation_sample_size((0, 1), horizon=3)
    with pytest.raises(DataError, match="mean, SD"):
        validation_sample_size([1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="must be positive"):
        validation_sample_size((0, 0))
    with pytest.raises(DataError, match="risk must lie"):
        validation_sample_size((0, 1), risk=1.2)
    with pytest.raises(DataError, match="Widths"):
        validation_sample_size((0, 1), c_width=0)

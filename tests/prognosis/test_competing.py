"""Competing risks against R: cmprsk::crr, survival::survfit, riskRegression::Score (``competing/reference.R``).

Two simulated cohorts (continuous times, and the same in steps of three with many ties), and death of liver cancer
beside other death in TCGA-LIHC.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import mtorscore as mt
from benchmarks.prognosis import competing as simulation
from mtorscore.prognosis import (
    Endpoint,
    RidgeCox,
    associate,
    cumulative_incidence,
    decision_curve,
    evaluate,
    fit_model,
    kaplan_meier,
    load_model,
    optimism,
    survival_performance,
    survival_target,
    validate,
)
from mtorscore.prognosis import calibration_curve as curve_of
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.prognosis.statistics import competing_metrics, cox, fine_gray, ridge_paths
from mtorscore.prognosis.statistics.incidence import aalen_johansen, incidence_at, incidence_interval, incidences_at

HERE = Path(__file__).parent / "competing"
ENDPOINT = Endpoint.survival("time", "status", "months", competing=2)


@dataclass
class Cohort:
    table: pd.DataFrame
    expected: pd.DataFrame

    @property
    def time(self) -> Any:
        return self.table["time"].to_numpy(np.float64)

    @property
    def status(self) -> Any:
        return self.table["status"].to_numpy(np.int64)

    @property
    def times(self) -> list[float]:
        return sorted(self.expected["time"].dropna().unique())

    def want(self, what: str, time: float | None = None) -> Any:
        rows = self.expected[self.expected["what"] == what]
        found = rows[rows["time"] == time] if time is not None else rows
        assert len(found)
        return found["value"].to_numpy()


def read(name: str, table: pd.DataFrame | None = None) -> Cohort:
    own = pd.read_csv(HERE / f"{name}.tsv", sep="\t", index_col="id") if table is None else table
    return Cohort(own, pd.read_csv(HERE / f"{name}_expected.tsv", sep="\t"))


def disease_specific(shared: Path) -> pd.DataFrame:
    """TCGA-LIHC: months to death of the disease (1) or other death (2), age, sex, and a risk made from age."""
    cdr = mt.io.read_clinical(shared / "data" / "tcga-cdr" / "Liu2018_survivalData.xlsx", where={"type": ["LIHC"]})
    age = pd.to_numeric(cdr["age"], errors="coerce")
    table = pd.DataFrame({"time": cdr["DSS.time"], "dss": cdr["DSS"], "os": cdr["OS"], "x1": age}, index=cdr.index)
    table["x2"] = cdr["sex"].map({"male": 1.0, "female": 0.0})
    table = table.dropna().astype(float)
    table["status"] = np.where(table["dss"] == 1, 1, np.where(table["os"] == 1, 2, 0))
    table["time"] = (table["time"] / 30.4375).round(4)
    table["risk"] = (1 / (1 + np.exp(-(-1 + 0.03 * (table["x1"] - 60) + 0.4 * table["x2"])))).round(6)
    return table.sort_index()[["time", "status", "x1", "x2", "risk"]].rename_axis("id")


@pytest.fixture(scope="module", params=["simulated", "tied", "lihc"])
def cohort(request: pytest.FixtureRequest) -> Cohort:
    if request.param == "lihc":
        return read("lihc", disease_specific(request.getfixturevalue("shared")))
    return read(request.param)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("terms", [["x1"], ["x1", "x2"]], ids="+".join)
@pytest.mark.parametrize("cause", [1, 2])
def test_fine_gray_agrees_with_crr(cohort: Cohort, cause: int, terms: list[str], dense: bool) -> None:
    status = np.where(cohort.status == cause, 1, np.where(cohort.status == 0, 0, 2))
    risk = fine_gray.SubdistributionSets(cohort.time, status, dense=dense)
    x = cohort.table[terms].to_numpy(np.float64)
    sd = x.std(axis=0)
    fit = fine_gray.fit(risk, ((x - x.mean(axis=0)) / sd)[:, :, None])
    tag = f"crr{cause}_{len(terms)}"
    assert fit.converged[0]
    assert_allclose(fit.coef[:, 0] / sd, cohort.want(f"{tag}_coef"), rtol=1e-6)
    assert_allclose(fit.se[:, 0] / sd, cohort.want(f"{tag}_se"), rtol=1e-6)


def test_cumulative_incidence_agrees_with_survfit(cohort: Cohort) -> None:
    table = cumulative_incidence(cohort.table, ENDPOINT)
    for code, cause in ((1, "event"), (2, "competing")):
        own = table[table["cause"] == cause].set_index("time")
        for time in cohort.times:
            row = own.loc[:time].iloc[-1]
            assert_allclose(row["incidence"], cohort.want(f"cif{code}_cmprsk", time)[0], rtol=1e-8)
            for column, suffix in (("incidence", ""), ("se", "_se"), ("low", "_low"), ("high", "_high")):
                assert_allclose(row[column], cohort.want(f"cif{code}{suffix}", time)[0], rtol=1e-7)
    for time in cohort.times:
        found = incidence_at(cohort.time, cohort.status, time)
        assert_allclose(found, [cohort.want(f"cif1{s}", time)[0] for s in ("", "_low", "_high")], rtol=1e-7)


def test_incidences_of_resamples_are_those_of_the_repeated_rows(cohort: Cohort) -> None:
    rng = np.random.default_rng(1)
    weights = rng.multinomial(len(cohort.time), np.full(len(cohort.time), 1 / len(cohort.time)), size=5).astype(float)
    at = cohort.times[1]
    found = incidences_at(cohort.time, cohort.status, at, weights)
    for w, value in zip(weights, found, strict=True):
        rows = np.repeat(np.arange(len(w)), w.astype(int))
        times, _, incidence, _ = aalen_johansen(cohort.time[rows], cohort.status[rows], 1)
        assert_allclose(value, incidence[times <= at][-1], rtol=1e-12)
        assert_allclose(value, incidence_at(cohort.time, cohort.status, at, weights=w)[0], rtol=1e-12)


def test_auc_and_brier_agree_with_score(cohort: Cohort) -> None:
    times = np.array(cohort.times)
    free = competing_metrics.Censoring.learned(cohort.time, cohort.status, cohort.time, times)
    one, risk = np.ones((1, len(cohort.time))), cohort.table["risk"].to_numpy()
    for k, at in enumerate(times):
        inverse = competing_metrics.known_by(cohort.time, cohort.status, at, free, k)
        auc = competing_metrics.incidence_auc(cohort.time, cohort.status, risk, one, inverse, at)
        brier = competing_metrics.incidence_brier(cohort.time, cohort.status, risk, one, inverse, at)
        assert_allclose(auc[0], cohort.want("auc", at)[0], rtol=1e-7)
        assert_allclose(brier[0], cohort.want("brier", at)[0], rtol=1e-7)
        overall = np.full(len(risk), cohort.want("cif1", at)[0])
        null = competing_metrics.incidence_brier(cohort.time, cohort.status, overall, one, inverse, at)
        assert_allclose(null[0], cohort.want("brier_null", at)[0], rtol=1e-6)


def test_survival_performance_agrees_with_score(cohort: Cohort) -> None:
    risk = cohort.table["risk"]
    curves = pd.DataFrame(dict.fromkeys(cohort.times, 1 - risk))
    found = survival_performance(risk, cohort.table, ENDPOINT, cohort.times, survival=curves)
    value = found.set_index(["metric", "time"])["value"]
    for at in cohort.times:
        assert_allclose(value["auc", at], cohort.want("auc", at)[0], rtol=1e-7)
        assert_allclose(value["brier", at], cohort.want("brier", at)[0], rtol=1e-7)
        scaled = 1 - cohort.want("brier", at)[0] / cohort.want("brier_null", at)[0]
        assert_allclose(value["scaled_brier", at], scaled, rtol=1e-4, atol=1e-9)
    by_metric = found.drop_duplicates("metric").set_index("metric")
    assert "count as censored" in by_metric.loc["harrell_c", "competing"]
    assert "are no controls" in by_metric.loc["auc_event_free", "competing"]
    assert "stand for no event" in by_metric.loc["auc", "competing"]
    assert by_metric.loc["uno_c", "horizon"] == cohort.times[-1]
    assert found["competing"].ne("").all()


def test_event_free_controls_by_hand() -> None:
    # No censoring: cases a and b; c had a competing event; d and e are free of any.
    time, status = np.array([1.0, 2.0, 1.5, 9.0, 9.0]), np.array([1, 1, 2, 0, 0])
    risk, one = np.array([0.9, 0.3, 0.8, 0.2, 0.4]), np.ones((1, 5))
    inverse = np.ones(5)
    both = competing_metrics.incidence_auc(time, status, risk, one, inverse, 5.0)[0]
    free = competing_metrics.incidence_auc(time, status, risk, one, inverse, 5.0, "event-free")[0]
    assert_allclose([both, free], [(3 + 1) / 6, (2 + 1) / 4])


def test_an_early_endpoint_weighs_to_the_cumulative_incidence(cohort: Cohort) -> None:
    for at in cohort.times[:-1]:
        early = Endpoint.early("time", "status", at, "months", competing=2).resolve_label(cohort.table)
        assert_allclose(np.average(early.y, weights=early.weights), cohort.want("cif1", at)[0], rtol=1e-9)
        assert_allclose(early.weights.sum(), early.n, rtol=1e-9)
        by = (cohort.status == 2) & (cohort.time <= at)
        assert (early.weights[by] > 0).all()
        assert (early.y[by] == 0).all()
        rows = np.arange(0, early.n, 2)
        assert_allclose(early.weights_within(rows), early.take(rows).weights_within(np.arange(len(rows))))


def test_a_competing_column_beside_the_event() -> None:
    table = pd.DataFrame({"t": [1.0, 2, 3, 4], "dss": [1, 0, 0, 0], "os": [1, 1, 0, np.nan]}, index=list("abcd"))
    data = Endpoint.survival("t", "dss", competing="os").resolve_survival(table)
    # Any death stands beside death of the disease, which counts where both happened.
    assert list(data.index) == ["a", "b", "c"]
    assert data.status.tolist() == [1, 2, 0]
    assert data.n_competing == 1
    assert data.excluded["rule"].tolist() == ["competing event missing"]
    assert data.take(np.array([1])).status.tolist() == [2]


def test_ridge_cox_without_penalty_is_crr_and_predicts_its_incidence(cohort: Cohort) -> None:
    x = cohort.table[["x1", "x2"]]
    target = survival_target(cohort.time, cohort.status == 1)
    model = RidgeCox(penalties=[1e-12]).fit(x, target, competing=cohort.status == 2)
    assert_allclose(model.coef_ / model.scale_, cohort.want("crr1_2_coef"), rtol=1e-5)
    zero = pd.DataFrame({"x1": [0.0], "x2": [0.0]})
    for at in cohort.times:
        survival = model.predict_survival(zero, [at])[0, 0]
        assert_allclose(-np.log(survival), cohort.want("crr1_2_baseline", at)[0], rtol=1e-4)
    plain = RidgeCox(penalties=[1e-12]).fit(x, target)
    assert not np.allclose(plain.coef_, model.coef_, atol=1e-3)


def test_calibration_and_net_benefit_are_aalen_johansen(cohort: Cohort) -> None:
    data = ENDPOINT.resolve_survival(cohort.table)
    risk = cohort.table["risk"]
    for at in cohort.times:
        found = curve_of(risk.loc[data.index], data, at)
        assert_allclose(found["observed"], cohort.want("observed", at), rtol=1e-7)
        assert_allclose(found["predicted"], cohort.want("predicted", at), rtol=1e-7)
        scaled = make_task(data).scaled_brier(risk.loc[data.index].to_numpy(), at)
        assert_allclose(scaled, 1 - cohort.want("brier", at)[0] / cohort.want("brier_null", at)[0], rtol=1e-4)
        assert found["competing"].str.endswith("the observed risk is the cumulative incidence").all()
        overall = cohort.want("cif1", at)[0]
        decided = decision_curve(risk, cohort.table, ENDPOINT, thresholds=[0.2], horizon=at)
        everybody = decided[decided["strategy"] == "all"]["net_benefit"].iloc[0]
        assert_allclose(everybody, overall - (1 - overall) * 0.25, rtol=1e-7)


@pytest.fixture(scope="module")
def simulated() -> Cohort:
    return read("simulated")


def test_a_frozen_model_predicts_incidence_and_is_compared_with_it(simulated: Cohort, tmp_path: Path) -> None:
    x, table = simulated.table[["x1", "x2"]], simulated.table
    model = load_model(fit_model(x, table, ENDPOINT).save(tmp_path / "m.mtorscore"))
    assert model.predicts_incidence
    assert model.training["competing"] == 92
    assert "Competing events: 92, by subdistribution hazards" in model.card
    at = 10.0
    result = validate(model, x, table, horizon=at, n_boot=20)
    value = result.summary.set_index("metric")["value"]
    predicted = 1 - model.predict_survival(x, [at]).iloc[:, 0].to_numpy()
    assert_allclose(value["observed_expected"], simulated.want("cif1", at)[0] / predicted.mean(), rtol=1e-9)
    # In its own training cohort a calibrated model of the incidence is right on average.
    assert 0.95 < value["observed_expected"] < 1.05
    assert any("92 competing event(s): observed risks are cumulative incidences" in note for note in result.notes)
    linear, ever = model.linear_predictor(x), np.where(simulated.status == 2, np.inf, simulated.time)
    pairs = (simulated.status == 1)[:, None] & (ever > simulated.time[:, None])
    gain = (linear.to_numpy()[:, None] > linear.to_numpy()) + 0.5 * (linear.to_numpy()[:, None] == linear.to_numpy())
    assert_allclose(value["wolbers_c"], gain[pairs].mean(), rtol=1e-9)
    assert value["auc_at_horizon"] != value["auc_event_free_at_horizon"]
    again = validate(result.recalibrated, x, table, horizon=at, n_boot=0).summary.set_index("metric")["value"]
    assert_allclose(again["calibration_slope"], 1, atol=1e-6)


def test_a_model_without_competing_events_says_so(simulated: Cohort) -> None:
    x, table = simulated.table[["x1", "x2"]], simulated.table.assign(event=lambda d: (d["status"] == 1).astype(int))
    plain = Endpoint.survival("time", "event", "months", name="status")
    model = fit_model(x, table, plain)
    assert not model.predicts_incidence
    result = validate(model, x, table, ENDPOINT, horizon=10, n_boot=0)
    assert any("its risks are those of a world without them" in note for note in result.notes)
    # Predicted risks of a world without the competitor are too high for this one.
    assert result.summary.set_index("metric")["value"]["observed_expected"] < 0.9
    other = validate(fit_model(x, table, ENDPOINT), x, table, plain, horizon=10, n_boot=0)
    assert any("beside competing events, and status holds none" in note for note in other.notes)


def test_evaluation_and_optimism_with_competing_events(simulated: Cohort) -> None:
    x, table = simulated.table[["x1", "x2"]], simulated.table
    found = evaluate(None, x, table, ENDPOINT, n_repeats=1, n_boot=10)
    score = found.summary[found.summary["model"] == "score"].set_index("metric")["value"]
    assert {"harrell_c", "uno_c", "wolbers_c", "mean_auc", "integrated_brier"} == set(score.index)
    assert score["wolbers_c"] > 0.55
    row = found.calibration.set_index("model").loc["score"]
    at = row["horizon"]
    assert_allclose(row["observed"], incidence_at(simulated.time, simulated.status, at)[0])
    assert 0.9 < row["observed_expected"] < 1.1
    dummy = found.calibration.set_index("model").loc["dummy"]
    assert_allclose(dummy["observed_expected"], 1, atol=0.02)
    assert any("stand for no event" in note for note in found.notes)
    assert set(optimism(x, table, ENDPOINT, n_boot=3).summary["metric"]) == {"wolbers_c", "brier_at_horizon"}
    early = Endpoint.early("time", "status", 10, "months", competing=2)
    label = evaluate(None, x, table, early, n_repeats=1, n_boot=5)
    assert any("competing event(s) by the horizon stand for no event" in note for note in label.notes)


def test_inner_folds_keep_competing_events_at_risk(simulated: Cohort) -> None:
    x = simulated.table[["x1", "x2"]].to_numpy(np.float64)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    fold, grid = np.arange(len(x)) % 4, np.array([0.01, 0.3])
    risk = fine_gray.SubdistributionSets(simulated.time, simulated.status)
    found = ridge_paths.held_out(risk, x, fold, grid)
    stacked = np.broadcast_to(x[:, :, None], (*x.shape, 2))
    want = np.zeros(2)
    for f in range(4):
        train = fold != f
        inside = fine_gray.SubdistributionSets(simulated.time[train], simulated.status[train])
        coef = cox.newton(inside, stacked[train], ridge=np.tile(grid * inside.n_events, (2, 1))).coef
        want += cox.moments(risk, stacked, coef).loglik - cox.moments(inside, stacked[train], coef).loglik
    assert_allclose(found, want, rtol=1e-6)


def test_curves_of_groups_are_cumulative_incidence(simulated: Cohort) -> None:
    found = kaplan_meier(simulated.table[["x1"]], simulated.table, ENDPOINT)
    high = (simulated.table["x1"] > simulated.table["x1"].median()).to_numpy()
    assert found["survival"].isna().all()
    for group, members in (("low", ~high), ("high", high)):
        own = found[found["group"] == group]
        times, _, incidence, se = aalen_johansen(simulated.time[members], simulated.status[members], 1)
        assert_allclose(own["time"], np.r_[0, times])
        assert_allclose(own["incidence"], np.r_[0, incidence])
        assert_allclose(own["low"].iloc[1:], incidence_interval(incidence, se)[0])
        leaving = own["n_event"] + own["n_competing"] + own["n_censor"]
        assert leaving.sum() == members.sum()
        assert own["n_competing"].sum() == (simulated.status[members] == 2).sum()
        reached = times[incidence >= 0.5]
        assert_allclose(own["median"].iloc[0], reached[0] if len(reached) else np.nan)
    assert found["competing"].unique().tolist() == [
        "92 competing event(s): cumulative incidence; the log-rank test is of cause-specific hazards"
    ]
    alone = Endpoint.survival("time", "event", "months")
    table = simulated.table.assign(event=(simulated.status == 1).astype(int))
    plain = kaplan_meier(table[["x1"]], table, alone)
    assert plain["incidence"].isna().all()
    assert plain["survival"].notna().all()
    assert (plain["competing"] == "").all()
    figure = mt.pl.km(found)
    axes = figure.axes[0]
    assert axes.get_ylabel() == "cumulative incidence"
    assert np.asarray(axes.get_lines()[0].get_ydata())[0] == 0


def test_associations_hold_both_hazard_ratios(cohort: Cohort) -> None:
    table = cohort.table
    found = associate(table[["x1"]], table, ENDPOINT, adjust=["x2"], negative_controls=())
    sd = table["x1"].std()
    for row, terms in ((0, 1), (1, 2)):
        own = found.iloc[row]
        coef, se, p = (cohort.want(f"crr1_{terms}_{v}")[0] for v in ("coef", "se", "p"))
        assert_allclose(np.log(own["subdistribution_hr"]) / sd, coef, rtol=1e-6)
        assert_allclose(own["subdistribution_se"] / sd, se, rtol=1e-6)
        assert_allclose(own["subdistribution_normal_p"], p, rtol=1e-4, atol=1e-12)
        law = stats.t((cohort.status == 1).sum() - 1)
        assert_allclose(np.log(own["subdistribution_low"]) / sd, coef - law.ppf(0.975) * se, rtol=1e-5)
        assert_allclose(np.log(own["subdistribution_high"]) / sd, coef + law.ppf(0.975) * se, rtol=1e-5)
        assert_allclose(own["subdistribution_p"], 2 * law.sf(abs(coef / se)), rtol=1e-4, atol=1e-12)
        assert_allclose(own["subdistribution_q"], own["subdistribution_p"])
        assert own["competing"].startswith(f"{(cohort.status == 2).sum()} competing event(s): censored in hr")
    causes = table.assign(event=(cohort.status == 1).astype(int))
    plain = associate(causes[["x1"]], causes, Endpoint.survival("time", "event"), adjust=["x2"], negative_controls=())
    assert_allclose(found["hr"], plain["hr"], rtol=1e-12)
    assert plain["subdistribution_hr"].isna().all()
    assert (plain["competing"] == "").all()


def test_no_subdistribution_ratio_says_why(simulated: Cohort) -> None:
    few = simulated.table.copy()
    few.loc[few.index[few["status"] == 1][12:], "status"] = 0
    found = associate(few[["x1"]], few, ENDPOINT, adjust=["x2"], negative_controls=())
    assert found["subdistribution_hr"].notna().tolist() == [True, False]
    assert "no subdistribution hazard ratio (too few events)" in found["reason"].iloc[1]
    late = simulated.table.assign(entry=0.0)
    late["entry"] = np.minimum(1.0, late["time"] / 2)
    entry = Endpoint.survival("time", "status", "months", entry="entry", competing=2)
    assert "(entry times)" in associate(late[["x1"]], late, entry, negative_controls=())["reason"].iloc[0]
    early = Endpoint.early("time", "status", 10, "months", competing=2)
    label = associate(simulated.table[["x1"]], simulated.table, early, negative_controls=())
    assert "competing event(s): stand for no event" in label["competing"].iloc[0]
    assert label["subdistribution_hr"].isna().all()


@pytest.mark.parametrize("seed", [1, None], ids=["fixed", "random"])
def test_level_and_coverage_of_the_simulation(seed: int | None) -> None:
    chosen = int(np.random.SeedSequence().entropy % 2**31) if seed is None else seed  # type: ignore[operator]
    print(f"seed {chosen}")
    found = simulation.rates(60, 0.4, 0.0, 300, 0, chosen).set_index("statistic")["rate"]
    # Four Monte-Carlo errors around the nominal rates.
    assert found["type I: subdistribution hazard ratio"] < 0.05 + 4 * 0.0126
    assert found["coverage: subdistribution hazard ratio"] > 0.95 - 4 * 0.0126
    assert found["coverage: cumulative incidence, log-log"] > 0.95 - 4 * 0.0126

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

import mtorscore as mt
from mtorscore.prognosis import Endpoint, cumulative_incidence
from mtorscore.prognosis.statistics import competing_metrics, fine_gray
from mtorscore.prognosis.statistics.incidence import aalen_johansen, incidence_at, incidences_at

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

"""`tl.passport`: one patient beside a frozen cohort."""

from __future__ import annotations

import json
import secrets
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from benchmarks.passport import depth
from mtorscore.collection import Composite, Signature, SignatureCollection
from mtorscore.errors import DataError
from mtorscore.tl.analysis.count_depth import (
    SHALLOWEST,
    DepthCalibration,
    GeneRates,
    ThinnedCohort,
    repeat_library,
    thin,
)

GENES = [f"G{i}" for i in range(800)]
pytestmark = pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")


def cohort(n: int = 30, seed: int = 0, depth: float = 60_000) -> ad.AnnData:
    """Return counts whose genes G0 to G29 rise together from patient to patient."""
    random = np.random.default_rng(seed)
    base = np.random.default_rng(1).gamma(0.5, 1.0, 800) + 0.01
    level = random.normal(0, 0.7, n)
    rates = base * random.lognormal(0, 0.4, (n, 800))
    rates[:, :30] *= np.exp(level)[:, None]
    counts = random.poisson(rates / rates.sum(axis=1, keepdims=True) * depth * random.uniform(0.7, 1.3, (n, 1)))
    obs = pd.DataFrame({"level": level}, index=[f"P{i}" for i in range(n)])
    return ad.AnnData(counts.astype(float), obs=obs, var=pd.DataFrame(index=pd.Index(GENES)))


def signatures() -> SignatureCollection:
    return SignatureCollection(
        [
            Signature(id="RISING", up=tuple(GENES[:30]), branch="srebp1", title="what rises"),
            Signature(id="SIGNED", up=tuple(GENES[100:120]), down=tuple(GENES[200:215])),
            Signature(id="ABSENT", up=("G1", "X1", "X2", "X3")),
            Composite(id="BOTH", parts={"RISING": 1.0, "SIGNED": -1.0}),
        ]
    )


def read(reference: ad.AnnData, patient: ad.AnnData, **options: Any) -> mt.tl.Passport:
    return mt.tl.passport(patient, 0, reference, signatures=signatures(), **options)


def test_a_patient_is_placed_among_the_cohort() -> None:
    reference = cohort()
    high = reference[[int(np.argmax(reference.obs["level"]))]].copy()
    high.obs_names = ["NEW"]
    found = read(reference, high)
    row = found.branches.set_index("signature").loc["RISING"]
    assert row["percentile"] > 90
    assert row["percentile_low"] < row["percentile"] <= 100
    assert row["low"] < row["score"] < row["high"]
    assert bool(row["can_be_said"])
    assert row["branch"] == "srebp1"
    assert set(row["carrying_genes"].split(", ")) <= set(GENES[:30])
    mt.tl.score(high, signatures(), method="singscore")
    assert row["score"] == pytest.approx(high.obsm["score_singscore"].iloc[0]["RISING"], abs=1e-12)


def test_its_own_library_in_the_cohort_is_left_out_and_gives_the_full_depth() -> None:
    reference = cohort()
    patient = reference[["P3"]].copy()
    patient.X = thin(np.asarray(patient.X), 0.5, np.random.default_rng(0))
    found = mt.tl.passport(patient, "P3", reference, signatures=signatures())
    assert found.n_reference == reference.n_obs - 1
    assert found.full_depth == pytest.approx(np.asarray(reference["P3"].X).sum(), rel=1e-9)
    assert found.share == pytest.approx(0.5, abs=0.02)
    assert any("left out of it" in n for n in found.notes)


def test_what_cannot_be_said_says_why() -> None:
    reference = cohort()
    shallow = reference[["P3"]].copy()
    shallow.X = thin(np.asarray(shallow.X), 0.05, np.random.default_rng(0))
    found = mt.tl.passport(shallow, "P3", reference, signatures=signatures())
    assert not found.branches["can_be_said"].any()
    assert found.branches["low"].isna().all()
    assert "less than 10% of full depth" in found.branches["reason"].iloc[1]
    few = read(reference[:8].copy(), reference[["P20"]].copy())
    assert not few.branches["can_be_said"].any()
    assert "fewer than 10" in " ".join(few.notes)
    coverage = read(reference, reference[["P20"]].copy()).branches.set_index("signature").loc["ABSENT"]
    assert not coverage["can_be_said"]
    assert coverage["reason"] == "1 of 4 genes are in the matrix, less than half"


def test_an_absent_direction_and_a_part_that_lacks_genes_cannot_be_said() -> None:
    reference = cohort()
    one_side = Signature(id="ONE_SIDE", up=tuple(GENES[:20]), down=("X1", "X2", "X3"))
    few = Signature(id="FEW", up=("G1", "X1", "X2", "X3"))
    asked = SignatureCollection([one_side, few, Composite(id="SUM", parts={"ONE_SIDE": 1.0, "FEW": 1.0})])
    patient = reference[["P20"]].copy()
    found = mt.tl.passport(patient, 0, reference, signatures=asked).branches.set_index("signature")
    assert not found["can_be_said"].any()
    assert found.loc["ONE_SIDE", "reason"] == "none of the 3 down genes is in the matrix: one direction is absent"
    assert found.loc["SUM", "reason"].startswith("of its part ONE_SIDE, none of the 3 down genes")


def test_the_tissue_is_read_in_any_case() -> None:
    reference = cohort()
    entry = next(e for e in mt.library() if isinstance(e, Signature) and e.grades.get("HCC") == "as expected")
    renamed = ad.AnnData(reference.X, obs=reference.obs, var=pd.DataFrame(index=[*entry.genes, *GENES][:800]))
    asked = SignatureCollection([entry])
    found = mt.tl.passport(renamed[["P3"]].copy(), 0, renamed, signatures=asked, tissue="hcc")
    assert found.branches["grade"].tolist() == ["as expected"]
    assert found.tissue == "HCC"


def test_values_that_are_no_counts_have_a_place_but_no_interval_of_counts() -> None:
    reference = cohort()
    logged = ad.AnnData(np.log2(np.asarray(reference.X) + 1), obs=reference.obs, var=reference.var)
    found = mt.tl.passport(logged, "P3", logged, signatures=signatures())
    row = found.branches.set_index("signature").loc["RISING"]
    assert np.isfinite(row["percentile_low"])
    assert np.isnan(row["low"])
    assert row["can_be_said"]
    assert any("not counts" in n for n in found.notes)
    with pytest.raises(DataError, match="hand over both as counts"):
        mt.tl.passport(reference, "P3", logged, signatures=signatures())


def test_a_matrix_of_other_genes_is_refused() -> None:
    reference = cohort()
    with pytest.raises(DataError, match="identifiers"):
        read(reference, reference[["P3"], :400].copy())
    with pytest.raises(DataError, match="0 observations are named 'Q'"):
        mt.tl.passport(reference, "Q", reference, signatures=signatures())


def test_the_record_is_plain_json_and_the_same_for_one_seed() -> None:
    reference = cohort()
    patient = reference[["P3"]].copy()
    patient.X = thin(np.asarray(patient.X), 0.3, np.random.default_rng(0))
    one, two = (mt.tl.passport(patient, "P3", reference, signatures=signatures(), seed=5) for _ in range(2))
    assert json.dumps(one.to_dict(), allow_nan=False) == json.dumps(two.to_dict(), allow_nan=False)
    assert one.to_dict()["branches"][0]["signature"] == "RISING"


@pytest.mark.parametrize("seed", [0, None], ids=["fixed", "random"])
def test_intervals_cover_the_full_depth(seed: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small version of benchmarks/passport/depth.py."""
    chosen = secrets.randbelow(2**31) if seed is None else seed
    print(f"seed {chosen}")
    monkeypatch.setattr(depth, "THINNINGS", 40)
    x = np.asarray(cohort(24, seed=chosen).X)
    some = SignatureCollection(signatures().signatures[:2])
    rows = pd.DataFrame(depth.cell(x, GENES, some, 0.3, 3, np.random.default_rng(chosen)))
    for method, part in rows.groupby("method"):
        covered = part.groupby("library")["covered"].mean()
        # Of the mean over libraries, whose own shares scatter.
        room = 4 * max(covered.std(ddof=1), 0.1) / np.sqrt(len(covered))
        assert abs(covered.mean() - 0.95) < 0.02 + room, (method, chosen)
        assert part["width"].median() < 1.5, (method, chosen)
        drawn = part[part["spread"] > 0].groupby("signature")
        assert (drawn["bias_after"].mean().abs() < 0.3 * drawn["spread"].median()).all(), (method, chosen)


def test_bias_with_depth_is_corrected() -> None:
    """Genes that are not read tie at 0, which moves singscore at a tenth of the depth; the estimate is not moved."""
    random = np.random.default_rng(0)
    x = np.asarray(cohort(30).X)
    some = SignatureCollection(signatures().signatures[:2])
    rows = pd.DataFrame(depth.cell(x, GENES, some, 0.1, 2, random))
    part = rows[(rows["method"] == "singscore") & (rows["signature"] == "RISING")]
    before, after = part["bias_before"].mean(), part["bias_after"].mean()
    assert abs(before) > 0.3 * part["spread"].median()
    assert abs(after) < 0.25 * abs(before)


def test_a_library_at_full_depth_has_the_range_of_a_second_one() -> None:
    random = np.random.default_rng(3)
    rates = np.random.default_rng(4).gamma(0.5, 1.0, 800) + 0.01
    rates *= 60_000 / rates.sum()
    var = pd.DataFrame(index=pd.Index(GENES))

    def score(counts: Any) -> Any:
        adata = ad.AnnData(counts, var=var)
        mt.tl.score(adata, SignatureCollection(signatures().signatures[:1]), method="singscore")
        return adata.obsm["score_singscore"].to_numpy()

    libraries = score(random.poisson(rates, (400, 800)).astype(float))
    found = repeat_library(random.poisson(rates).astype(float), score, 0.95, random)
    assert 0.6 < float(found.se[0] / libraries.std()) < 1.6


def test_a_library_whose_draws_all_score_alike_keeps_its_score() -> None:
    """Ranks of UCell are clipped: most libraries score 0 at any depth; the intercept is no error of theirs."""
    random = np.random.default_rng(0)
    drawn, spread = np.zeros((1, 60, 1)), np.zeros((1, 60, 1))
    errors = np.zeros((1, 60, 1))
    drawn[0, :20, 0], spread[0, :20, 0] = random.normal(0, 0.02, 20), 4e-4
    errors[0, :20, 0] = drawn[0, :20, 0] + random.normal(0, 0.02, 20)
    rates = GeneRates.of(np.asarray(cohort(12).X))
    calibration = DepthCalibration.fit(0.5, rates, ThinnedCohort(errors, drawn, spread))
    found = calibration.predict(np.asarray(cohort(1).X)[0], lambda counts: np.zeros((len(counts), 1)), 0.95, random)
    assert found.low[0] <= 0.0 <= found.high[0]
    assert 0 < found.high[0] - found.low[0] < 0.02


def test_the_published_table_is_that_of_this_version_and_passes() -> None:
    head = depth.TABLE.read_text(encoding="utf-8").splitlines()[0]
    assert head.startswith("# python -m benchmarks.passport.depth depth.tsv ")
    assert head.endswith(f"mtorscore {mt.__version__}")
    table = pd.read_csv(depth.TABLE, sep="\t", comment="#")
    assert depth.PAGE.read_text(encoding="utf-8") == depth.page(table)
    assert set(table["share"]) == set(depth.SHARES)
    assert {table["share"].min(), table["share"].max()} == {SHALLOWEST, 0.9}
    fails = table[(table["covered"] < 0.93) | (table["covered"] > 0.97) | (table["width"] > 1.3)]
    assert (table["verdict"] == "fails").sum() == len(fails)
    assert not len(fails)

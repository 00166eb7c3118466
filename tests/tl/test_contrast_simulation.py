"""Level of contrasts and set tests in simulations: a small version here, the published table beside it."""

from __future__ import annotations

import secrets
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.contrast.run import PAGE, TABLES, measure, page, verdicts
from benchmarks.contrast.simulate import DESIGNS, Experiment


@pytest.fixture(params=["fixed", "random"])
def seed(request: pytest.FixtureRequest) -> int:
    chosen = 7 if request.param == "fixed" else secrets.randbelow(2**31)
    print(f"seed {chosen}")
    return chosen


@pytest.mark.parametrize("design", DESIGNS)
def test_levels_are_kept_and_the_naive_test_fails(design: str, seed: int) -> None:
    table = measure(Experiment(design, 4), 60, seed, with_r=False).set_index("test")
    allowed = 5 * table["mc_error"].clip(lower=np.sqrt(0.05 * 0.95 / (60 * 12)))
    kept = ["contrast, mixed model"] if design == "donors" else ["contrast, moderated", "contrast, t", "rotation"]
    for name in kept:
        assert abs(table.loc[name, "rate"] - 0.05) < 0.01 + allowed[name], (name, seed)
    for name in table.index[table.index.str.startswith("permutation")]:
        assert table.loc[name, "rate"] < 0.06 + allowed[name], (name, seed)
    if design != "donors":
        assert table.loc["naive rank test", "rate"] > 0.2, seed


def test_a_shift_is_found_more_often_with_pairs_and_moderation() -> None:
    groups = measure(Experiment("groups", 4), 60, 1, shift=1.0, with_r=False).set_index("test")["rate"]
    pairs = measure(Experiment("pairs", 4), 60, 1, shift=1.0, with_r=False).set_index("test")["rate"]
    assert groups["contrast, moderated"] > 0.3
    assert pairs["contrast, moderated"] > pairs["contrast, t"]
    assert groups["permutation"] > 0


@pytest.fixture
def published() -> tuple[pd.DataFrame, pd.DataFrame]:
    first, second = (pd.read_csv(TABLES / f"{n}.tsv", sep="\t", comment="#") for n in ("type_one", "power"))
    return first, second


def test_the_published_verdicts_follow_from_the_published_rates(published: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table = published[0]
    again = verdicts(table.drop(columns=["least_p", "asked", "holds"]))
    assert list(again["holds"]) == list(table["holds"].fillna(""))
    assert set(table.loc[table["asked"].notna(), "holds"]) == {"yes"}
    assert set(table["repetitions"]) == {5000}
    assert {(d, n) for d, n in zip(table["design"], table["n"], strict=True)} == {
        (d, n) for d in DESIGNS for n in (3, 5, 10, 20)
    }
    assert table.loc[table["test"].str.startswith("permutation"), "least_p"].notna().all()
    exact = table.loc[table["test"] != "rotation", "most_apart"]
    assert exact.max() < 1e-6
    assert (TABLES / "type_one.tsv").read_text().startswith("# python -m benchmarks.contrast.run 5000; commit ")


def test_the_page_is_current(published: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    assert Path(PAGE).read_text(encoding="utf-8") == page(*published)

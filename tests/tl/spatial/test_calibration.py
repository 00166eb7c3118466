"""A small version of benchmarks/space/calibration.py, with a fixed seed and a random one, and what the table says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.space.calibration import CASES, PAGE, TABLE, measure, page


@pytest.mark.parametrize("case", [c for c in CASES if c not in ("patches, 12 sections", "zonal, shallow")])
def test_five_in_a_hundred(case: str) -> None:
    for seed in (0, int(np.random.default_rng().integers(1 << 31))):
        print("seed", seed)
        found = measure(case, 6, seed).set_index(["test", "planted"])
        for (test, planted), row in found.iterrows():
            if "not ours" in test or (test == "moran" and planted != "none"):
                continue
            if planted == "zonal and a gradient":
                assert row["rate"] > 0.8, (seed, test)
            else:
                # 150 scores, those of one tissue permuted alike.
                assert row["rate"] <= 0.05 + 4 * np.hypot(np.sqrt(0.0475 / 150), row["mc_error"]), (seed, test)
    if case == "patches, 6 sections":
        assert found.loc[("t test on spots of 6 sections (not ours)", "none"), "rate"] > 0.5
    if case == "zonal, deep":
        assert found.loc[("moran", "zonal"), "rate"] == 1


def test_the_published_table_keeps_the_level() -> None:
    text = TABLE.read_text(encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page(text)
    assert text.startswith("# python -m benchmarks.space.calibration ")
    assert all(word in text.splitlines()[0] for word in ("commit", "mtorscore"))
    table = pd.read_csv(TABLE, sep="\t", comment="#")
    assert set(table["case"]) == set(CASES)
    ours = table[~table["test"].str.contains("not ours")]
    few = ours["test"] == "contrast of regions, 6 sections, permutation"
    level = ours[(ours["planted"] == "none") & ~few]
    assert len(level) == 8
    assert level["rate"].between(0.04, 0.06).all()
    # Six pairs have 64 arrangements: 2 in 64 is the highest two-sided p below 0.05.
    assert ours.loc[few, "rate"].item() == pytest.approx(2 / 64, abs=3 * ours.loc[few, "mc_error"].item())
    # Residuals of a smooth fit are a little less alike than scores without a place, so the test is conservative.
    after = ours[ours["test"].str.contains("zonation") & (ours["planted"] == "zonal")]
    assert len(after) == 2
    assert after["rate"].between(0.02, 0.06).all()
    assert (ours.loc[ours["planted"] == "zonal and a gradient", "rate"] > 0.9).all()
    before = table[(table["test"] == "moran") & (table["planted"] != "none")]
    assert (before["rate"] > 0.99).all()

"""A small version of benchmarks/space/calibration.py, with a fixed seed and a random one, and what the table says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.space.calibration import CASES, TABLE, measure


@pytest.mark.parametrize("case", [c for c in CASES if c not in ("patches, 12 sections", "zonal, shallow")])
def test_five_in_a_hundred(case: str) -> None:
    for seed in (0, int(np.random.default_rng().integers(1 << 31))):
        print("seed", seed)
        found = measure(case, 6, seed).set_index(["test", "planted"])
        for (test, planted), row in found.iterrows():
            if "not ours" in test or test == "moran":
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
    assert text.startswith("# python -m benchmarks.space.calibration ")
    assert all(word in text.splitlines()[0] for word in ("commit", "mtorscore"))
    table = pd.read_csv(TABLE, sep="\t", comment="#")
    assert set(table["case"]) == set(CASES)
    ours = table[~table["test"].str.contains("not ours")]
    level = ours[(ours["planted"] == "none") | (ours["test"].str.contains("zonation") & (ours["planted"] == "zonal"))]
    assert len(level) >= 11
    assert level["rate"].between(0.04, 0.06).all()
    assert (ours.loc[ours["planted"] == "zonal and a gradient", "rate"] > 0.9).all()
    assert (table.loc[table["test"] == "moran", "rate"] > 0.99).all()

"""Agreement of methods: a claim where they agree, or one that names its method."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtorscore.errors import DataError, MethodError
from mtorscore.tl import agreement, contrast


def table(**effects: tuple[float, float]) -> pd.DataFrame:
    rows = [{"signature": s, "contrast": "t - c", "hedges_g": g, "g_low": g - w, "g_high": g + w}
            for s, (g, w) in effects.items()]  # fmt: skip
    return pd.DataFrame(rows)


def test_claims() -> None:
    nan = (np.nan, np.nan)
    found = agreement(
        {
            "a": table(all=(1.0, 0.5), one=(1.0, 0.5), fight=(1.0, 0.5), none=(0.1, 0.5), void=nan, far=(5.0, 0.5)),
            "b": table(all=(1.2, 0.5), one=(0.2, 0.9), fight=(-1.0, 0.5), none=(-0.1, 0.5), void=nan, far=(1.0, 0.5)),
            "c": table(all=(0.8, 0.5), one=(0.3, 0.9), fight=(1.1, 0.5), none=(0.2, 0.5), void=nan, far=(1.1, 0.5)),
        }
    ).set_index("signature")
    assert found["claim"].to_dict() == {
        "all": "above: all 3 methods", "one": "above: a alone", "fight": "methods disagree",
        "none": "no method finds it",
        "void": "cannot be said", "far": "above: all 3 methods",
    }  # fmt: skip
    assert found["methods_agree"].to_dict() == {
        "all": True, "one": True, "fight": False, "none": False, "void": False, "far": False,
    }  # fmt: skip
    assert found.loc["far", "differ"] == "a"
    assert found.loc["fight", "differ"] == "b"
    assert found.loc["all", ["least", "most", "n_above", "n_below"]].tolist() == [0.8, 1.2, 3, 0]


def test_ratios_and_shares_have_their_own_null() -> None:
    one = pd.DataFrame({"signature": ["s"], "hr": [1.5], "hr_low": [1.1], "hr_high": [2.0]})
    two = one.assign(hr=0.6, hr_low=0.4, hr_high=0.9)
    how: dict[str, Any] = {"by": "signature", "effect": "hr", "low": "hr_low", "high": "hr_high", "null": 1.0}
    assert agreement({"a": one, "b": two}, **how)["claim"][0] == "methods disagree"
    assert agreement({"a": one, "b": one}, **how)["claim"][0] == "above: all 2 methods"


def test_of_contrasts_and_refusals() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat([1, 0], 8)
    scores = pd.DataFrame({"s": 2 * x + rng.normal(size=16)})
    tables = {m: contrast(scores * k, x, treated=1, control=0) for m, k in (("a", 1.0), ("b", 7.0))}
    row = agreement(tables).iloc[0]
    assert (row["claim"], row["most"]) == ("above: all 2 methods", pytest.approx(row["least"]))
    with pytest.raises(MethodError, match="two methods or more"):
        agreement({"a": tables["a"]})
    with pytest.raises(DataError, match="no column 'hr'"):
        agreement(tables, effect="hr")

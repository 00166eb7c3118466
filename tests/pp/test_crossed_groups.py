"""Groups that are combinations of two factors are told from others."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from mtorscore._doors import COMMAND_LINE, at_door
from mtorscore.pp.crossed_groups import factorial_hint


def hint(labels: list[str], **columns: Any) -> str:
    with at_door(COMMAND_LINE):
        return factorial_hint(pd.Series(labels), pd.DataFrame(columns, index=range(len(labels))))


@pytest.mark.parametrize(
    ("labels", "factors"),
    [
        (["WT_veh", "WT_rapa", "KO_veh", "KO_rapa"], "(KO, WT; and rapa, veh)"),
        (["WT", "KO", "WT + drug", "KO + drug"], "(KO, WT; and nothing, drug)"),
        (["Pten KO-veh", "Pten WT-veh", "Pten KO-rapa", "Pten WT-rapa"], "(Pten KO, Pten WT; and rapa, veh)"),
    ],
)
def test_names_of_two_parts(labels: list[str], factors: str) -> None:
    said = hint(labels * 3)
    assert factors in said
    assert "--group (the treatment) with --interaction (the other)" in said


@pytest.mark.parametrize(
    "labels",
    [
        ["normal", "cirrhosis", "dysplasia", "HCC"],
        ["stage I", "stage II", "stage III", "stage IV"],
        ["WT_veh", "WT_rapa", "KO_veh"],
        ["a", "b", "c", "d", "e"],
    ],
)
def test_other_groups_are_left_alone(labels: list[str]) -> None:
    assert hint(labels * 2, sex=["m", "f"] * len(labels)) == ""


def test_columns_that_make_the_groups_are_named() -> None:
    labels = ["A", "B", "C", "D"] * 3
    columns: dict[str, Any] = {"line": ["x", "x", "y", "y"] * 3, "n": [None, 1] * 6}
    columns["sex"] = ["m", "f", "f", "m", "m"] * 2 + ["f", "f"]
    said = hint(labels, **columns, treatment=["DMSO", "drug"] * 6)
    assert said.startswith("These groups are all combinations of treatment and line: --group treatment with --interact")

"""Figures that a page of evidence quotes by hand are those of the table beside the benchmark."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SHOWN = ("kappa_all", "kappa_accepted", "accepted", "recall_S1", "recall_S2", "recall_S3")


@pytest.mark.parametrize("caller", ["template:", "rank:", "arg-max of the three scores |", "trained (", "trained, "])
def test_classes_are_those_of_the_table(docs: Path, caller: str) -> None:
    text = (docs / "evidence" / "classes.md").read_text(encoding="utf-8")
    table = pd.read_csv(BENCHMARKS / "classes" / "hoshida.tsv", sep="\t", comment="#").set_index("caller")
    line = next(row for row in text.splitlines() if row.startswith(f"| {caller}"))
    name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
    row = table.loc[name]
    for column, cell in zip(SHOWN, cells, strict=True):
        names = [column] if cell.endswith("%") else [column, f"{column}_low", f"{column}_high"]
        unit = 100 if cell.endswith("%") else 1
        quoted = [float(number) / unit for number in re.findall(r"[\d.]+", cell)]
        assert quoted == pytest.approx(row[names].tolist(), abs=0.0056), (name, column)

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


def test_the_page_of_costs_is_made_of_its_table(docs: Path) -> None:
    from benchmarks.scoring import cost_model, cost_page

    assert (docs / "evidence" / "cost_of_scoring.md").read_text(encoding="utf-8") == cost_page.page()
    text = cost_model.TABLE.read_text()
    runs = pd.read_csv(cost_model.TABLE, sep="\t", comment="#")
    for method, of in cost_page.coefficients(text).items():
        own = runs[runs["method"] == method]
        predicted = [
            cost_page.seconds(of, *row) for row in own[["cells", "signatures", "read GB"]].itertuples(index=False)
        ]
        assert predicted == pytest.approx(own["predicted s"].tolist(), rel=2e-3)

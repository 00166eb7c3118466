"""The parts that only some runs have: predictions, drug classes, single cells, endpoints of other names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from mtorscore import report
from mtorscore.errors import ConfigError, DataError
from mtorscore.pipeline import prepare, read_table
from mtorscore.report.data.run_files import read_run, thinned
from mtorscore.report.figures.drug_templates import template_values, templates
from mtorscore.report.figures.prediction import _compared
from mtorscore.report.tables import meanings
from mtorscore.report.text import scored_by
from mtorscore.results import TABLES, Table
from mtorscore.tl.engine import registry
from mtorscore.tl.engine.spec import NO_ORIGIN
from tests.report.runs import cells_run
from tests.report.test_report import Page


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cells_run(tmp_path_factory.getbasetemp())


def test_prediction_is_drawn_and_said(results: Path) -> None:
    page = Page(results / "report.html")
    views = {a.get("data-view") for _, a in page.elements}
    assert {"calibration", "decision", "null", "forest", "km", "gsea", "correlation", "meta", "heatmap"} <= views
    assert "by 2 years: observed against predicted risk" in page.words
    assert "Predicting OS in held-out patients, Harrell's C: clinical 0.55 (0.50 to 0.63)" in page.words
    assert "research use only" in page.words


def test_figures_for_papers_are_vectors_with_captions(results: Path, cells: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(results, tmp_path / "two")
    written = report.write_figures(copy, ["svg"])
    kinds = {p.stem.partition("-")[0] for p in written if p.suffix == ".svg"}
    wanted = {"board", "map", "calibration", "decision", "nulls", "forest", "km", "combined", "heatmap", "landscape"}
    assert wanted <= kinds
    captions = pd.read_csv(copy / "figures" / "captions.tsv", sep="\t")
    assert len(captions) == len(written) - 1
    assert captions["caption"].str.len().min() > 10
    assert all("<text" in p.read_text(encoding="utf-8") for p in written[:3])
    one = shutil.copytree(cells, tmp_path / "cells")
    assert {"umap", "dotplot", "ridge"} <= {p.stem for p in report.write_figures(one, ["svg"])}
    with pytest.raises(DataError, match="not as 'tiff'"):
        report.write_figures(copy, ["tiff"])


def test_the_page_draws_nothing_with_matplotlib(results: Path, tmp_path: Path) -> None:
    code = "import sys; from mtorscore import report; report.write(sys.argv[1]); assert 'matplotlib' not in sys.modules"
    copy = shutil.copytree(results, tmp_path / "two")
    done = subprocess.run([sys.executable, "-c", code, str(copy)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_columns_dates_and_the_command_are_in_words(results: Path) -> None:
    page = Page(results / "report.html")
    assert "2 January 2026, 03:04 UTC" in page.words
    assert "mtorscore run --config own.yaml" in page.words
    assert "hazard ratio per standard deviation of the score; above 1, a worse outcome" in page.words


@pytest.mark.parametrize("declared", [t for t in TABLES.values() if t.script], ids=lambda t: t.name)
def test_every_column_of_a_run_is_explained(declared: Table) -> None:
    table = pd.DataFrame({n: ["x"] for n in declared.names})
    assert [c for c, _ in meanings(declared.name, table)] == list(declared.names)


def test_a_predicted_loss_is_no_zero() -> None:
    rows = pd.DataFrame({"value": 0.6, "low": 0.5, "high": 0.7}, index=["clinical", "score", "clinical + score"])
    rows = rows.assign(difference=-0.1, difference_low=-0.2, difference_high=-0.05)
    assert "whole interval is below 0" in _compared("OS", rows, "C")[0]
    assert "whole interval is above 0" in _compared("OS", rows.assign(difference_low=0.01), "C")[0]
    assert "includes 0" in _compared("OS", rows.assign(difference_high=0.05), "C")[0]


def test_drug_templates_stand_on_the_scale_of_normals(results: Path) -> None:
    cohort = read_run(results).cohorts[0]
    values, why = template_values(cohort, "singscore")
    assert not why
    normal = cohort.obs["sample_type"] == "normal"
    assert np.allclose(values[normal.to_numpy()].mean(), 0, atol=1e-9)
    metformin = values["TEMPLATE_METFORMIN"]
    parts = cohort.scores["singscore"][["HALLMARK_MTORC1_SIGNALING", "SREBP1_LIPOGENIC_CORE"]]
    z = (parts - parts[normal].mean()) / parts[normal].std()
    assert np.allclose(metformin, -z.mean(axis=1))
    assert {t.id for t in templates(cohort, values)} == set(values.columns)


def test_without_normals_the_templates_say_why(cells: Path) -> None:
    values, why = template_values(read_run(cells).cohorts[0], "singscore")
    assert values.empty
    assert "takes 10" in why or "not scored" in why


def test_cells_have_their_section(cells: Path) -> None:
    page = Page(cells / "report.html")
    assert "cells" in [a["id"] for t, a in page.elements if t == "section"]
    assert {"umap", "celltypes"} <= {a.get("data-view") for _, a in page.elements}
    assert "150 single cells of 3 sample(s) and 2 cell type(s), without outcome" in page.words
    raw = (cells / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="payload">(.*?)</script>', raw, re.DOTALL)
    assert found is not None
    cohort = json.loads(found[1])["cohorts"][0]
    assert (cohort["unit"], cohort["group"], len(cohort["embedding"]["x"])) == ("cell", "cell_type", 150)


def test_cells_are_summarised_by_sample_and_type(cells: Path) -> None:
    table = read_table(cells / "cells" / "relate" / "cells.tsv")
    scores = read_table(cells / "cells" / "scores" / "singscore.tsv", index="observation")
    obs = anndata.read_h5ad(cells / "cells" / "cohort.h5ad").obs
    at = (obs["sample"] == "P1") & (obs["cell_type"] == "type 0")
    row = table[
        (table["method"] == "singscore") & (table["sample"] == "P1") & (table["cell_type"] == "type 0")
    ].set_index("signature")
    assert row.loc["RIBI_CORE", "n_cells"] == at.sum()
    assert row.loc["RIBI_CORE", "mean"] == pytest.approx(scores.loc[obs.index[at], "RIBI_CORE"].mean())
    assert (cells / "cells" / "export" / "pseudobulk.gct").read_text().splitlines()[1].split("\t")[1] == "6"


def test_a_missing_column_of_cells_is_named(cells: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "wrong.yaml"
    text = (cells.parent / "cells-data" / "cells.yaml").read_text().replace("cell_type: type", "cell_type: celltype")
    recipe.write_text(text)
    with pytest.raises(ConfigError, match=r"cells.cell_type names 'celltype'.*donor"):
        prepare(str(recipe), tmp_path / "out", data=cells.parent / "cells-data")


def test_many_cells_are_thinned_by_sample_and_type() -> None:
    obs = pd.DataFrame({"sample": ["a"] * 9000 + ["b"] * 1000, "cell_type": (["x"] * 9990) + ["rare"] * 10})
    at = thinned(obs, 1000)
    kept = obs.iloc[at].value_counts()
    assert kept["a", "x"] == 900
    assert kept["b", "rare"] == 10
    assert np.array_equal(at, thinned(obs, 1000))


def test_every_method_is_cited_as_its_spec_says() -> None:
    text = scored_by([*registry.NAMES, "newer"])
    for spec in registry.specs():
        assert spec.title in text
        assert spec.citation == NO_ORIGIN or text.count(spec.citation) == 1
    assert "newer" in text
    assert NO_ORIGIN not in text
    assert scored_by(["mean"]) == "Mean difference"

"""What was guessed of a matrix is marked as guessed wherever it is shown."""

from __future__ import annotations

import shutil
from pathlib import Path

import anndata
import pandas as pd
import pytest

from mtorscore import report
from mtorscore.report.data.run_files import read_run
from mtorscore.report.text import plain

NOTE = "Guessed, not declared: units fpkm (sums differ between observations)"


@pytest.fixture
def run(results: Path, tmp_path: Path) -> Path:
    copy = shutil.copytree(results, tmp_path / "run")
    shutil.rmtree(copy / "sim-cca")
    return copy


def scaled(run: Path, **scale: object) -> Path:
    path = run / "sim-hcc" / "cohort.h5ad"
    adata = anndata.read_h5ad(path)
    adata.uns["scale"] = {"kind": "fpkm", "evidence": ["whole", "sums differ between observations"]} | scale
    adata.uns["source"]["guessed"] = {"orientation": {"is": "genes in rows", "evidence": "names", "sure": True}}
    adata.write_h5ad(path)
    return path


@pytest.mark.parametrize(
    ("scale", "guessed"),
    [
        ({"certain": False, "declared": ""}, True),
        ({"certain": False, "declared": "fpkm"}, False),
        ({"certain": True, "declared": ""}, False),
    ],
)
def test_units_are_a_guess_unless_declared_or_certain(run: Path, scale: dict[str, object], guessed: bool) -> None:
    scaled(run, **scale)
    page = report.write(run).read_text(encoding="utf-8")
    # Beside the board, in the facts, and in the data from which every figure is captioned.
    assert (NOTE in page) == guessed
    assert ("<dt>Guessed, not declared</dt>" in page) == guessed
    assert ('"guessed":"units fpkm (sums differ between observations)"' in page) == guessed
    assert (", a guess)" in page) == guessed
    assert "orientation genes in rows" not in page


def test_captions_of_figures_for_papers_say_it_too(run: Path) -> None:
    scaled(run, certain=False, declared="")
    report.write_figures(run, ["svg"])
    captions = pd.read_csv(run / "figures" / "captions.tsv", sep="\t")
    own = captions[captions["file"].str.startswith("sim-hcc/")]
    assert len(own) > 5
    assert own["caption"].str.contains(NOTE, regex=False).all()


def test_an_unsure_orientation_is_a_guess(run: Path) -> None:
    path = scaled(run, certain=True, declared="")
    adata = anndata.read_h5ad(path)
    adata.uns["source"]["guessed"] = {"orientation": {"is": "genes in rows", "evidence": "names", "sure": False}}
    adata.write_h5ad(path)
    assert read_run(run).cohorts[0].guesses == ["orientation genes in rows (names)"]


def test_unseen_characters_do_not_turn_text() -> None:
    assert plain("a\u202eb\u2066c\x1bd\ne") == "a b c d\ne"
    assert plain(3) == 3

"""The page of the passport: its command and its example run as they stand, and its table names what there is."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore.cli import main
from mtorscore.tl.analysis.single_patient import PASSPORT_COLUMNS
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "howto" / "passport.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("passport")
    adata = mt.datasets.simulate_cohort(n_tumours=13, n_normals=0, n_genes=2500, seed=1)
    counts = pd.DataFrame(np.asarray(adata.X).astype(int).T, adata.var_names, adata.obs_names)
    counts.iloc[:, 1:].to_csv(folder / "cohort.tsv", sep="\t", index_label="gene")
    half = np.random.default_rng(0).binomial(counts.iloc[:, :1], 0.5)
    pd.DataFrame(half, counts.index, ["patient"]).to_csv(folder / "patient.tsv", sep="\t", index_label="gene")
    return folder


@pytest.mark.slow
def test_the_command_writes_page_and_record(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    command = re.findall(r"^mtorscore .+$", PAGE, re.M)[0]
    with pytest.raises(SystemExit) as done:
        main(shlex.split(command)[1:])
    assert done.value.code in (0, None)
    record = json.loads((study / "patient.json").read_text(encoding="utf-8"))
    assert record["tissue"] == "HCC"
    assert record["n_reference"] == 12
    assert "research use only" in (study / "patient.html").read_text(encoding="utf-8").lower()


def test_the_example_runs(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    (study / "patient.html").unlink(missing_ok=True)
    names: dict[str, object] = {"mt": mt}
    exec(re.findall(r"```python\n(.+?)```", PAGE, re.S)[0], names)  # noqa: S102  # the manual's own example
    readable = names["readable"]
    assert isinstance(readable, pd.DataFrame)
    assert len(readable) > 3
    assert (readable["low"] < readable["high"]).all()
    assert (study / "patient.html").exists()


def test_the_table_names_columns_of_the_record() -> None:
    named = {c for row in re.findall(r"^\| (`.+?) \|", PAGE, re.M) for c in re.findall(r"`(\w+)`", row)}
    assert named <= set(PASSPORT_COLUMNS)
    assert set(PASSPORT_COLUMNS) - named == {"branch", "signature", "title", "level"}

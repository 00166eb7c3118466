"""`mtorscore passport`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import mtorscore as mt
from mtorscore.cli.app import app

pytestmark = pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write counts of 14 libraries, genes in rows."""
    adata = mt.datasets.simulate_cohort(n_tumours=14, n_normals=0, n_genes=3000, seed=1)
    table = pd.DataFrame(np.rint(np.asarray(adata.X)).astype(int).T, index=adata.var_names, columns=adata.obs_names)
    path = tmp_path_factory.mktemp("counts") / "cohort.tsv"
    table.rename_axis("gene").to_csv(path, sep="\t")
    return path


def test_a_sample_of_the_cohort_and_a_file_of_one(counts: Path, tmp_path: Path) -> None:
    table = pd.read_csv(counts, sep="\t", index_col=0)
    name = table.columns[2]
    out = tmp_path / "p.html"
    ran = CliRunner().invoke(app, ["passport", name, "--reference", str(counts), "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    assert "research use only" in ran.output
    first = json.loads(out.with_suffix(".json").read_text())
    assert first["observation"] == name
    assert first["n_reference"] == 13
    one = tmp_path / "one.tsv"
    table[[name]].to_csv(one, sep="\t")
    ran = CliRunner().invoke(app, ["passport", str(one), "--reference", str(counts), "--out", str(tmp_path / "q.html")])
    assert ran.exit_code == 0, ran.output
    second = json.loads((tmp_path / "q.json").read_text())
    assert second["branches"] == first["branches"]


def test_what_is_not_there_is_named(counts: Path) -> None:
    ran = CliRunner().invoke(app, ["passport", "NOBODY", "--reference", str(counts)])
    assert ran.exit_code != 0
    assert "neither a file nor a sample" in str(ran.exception)
    ran = CliRunner().invoke(app, ["passport", str(counts), "--reference", str(counts)])
    assert "choose one by --observation" in str(ran.exception)

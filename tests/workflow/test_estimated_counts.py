"""Estimated counts through a whole run: every z-score is that of log2(CPM + 1)."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import mtorscore as mt
from mtorscore.cli import main
from mtorscore.errors import IgnoredWarning

pytestmark = pytest.mark.slow

QUICK = [
    *("--set", "methods=[zscore]", "--set", "null_sets=0", "--set", "gsea_permutations=0"),
    *("--set", "bootstraps=0", "--set", "cv_repeats=1"),
]


@pytest.fixture(scope="module")
def counts(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Like RSEM's expected counts: library sizes of 20 to 70 million, decimals."""
    source = shared / "data" / "tcga-chol" / "CHOL.rnaseqv2_rsem_normalized.tsv.gz"
    table = pd.read_csv(source, sep="\t", index_col=0)
    sizes = np.random.default_rng(0).uniform(20e6, 70e6, table.shape[1])
    return (table / table.sum() * sizes).round(2)


@pytest.fixture(scope="module")
def right(counts: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("logs") / "logs.tsv"
    np.log2(counts / counts.sum() * 1e6 + 1).to_csv(path, sep="\t")
    adata = mt.pp.harmonise_genes(mt.read(path))
    with warnings.catch_warnings():
        # Composites have no reference here; only signatures are compared.
        warnings.simplefilter("ignore", IgnoredWarning)
        mt.tl.score(adata, mt.library(), method="zscore")
    scores = adata.obsm["score_zscore"]
    return scores[[s.id for s in mt.library().signatures]]


@pytest.mark.parametrize("how", ["detected", "option", "recipe"])
def test_scores_are_those_of_log_cpm(
    counts: pd.DataFrame, right: pd.DataFrame, how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts.to_csv(tmp_path / "rsem.tsv", sep="\t")
    arguments = ["run", str(tmp_path / "rsem.tsv"), "--name", "own", "--results", str(tmp_path / "out")]
    if how == "option":
        arguments += ["--units", "counts"]
    if how == "recipe":
        recipe = {"id": "own", "expression": {"file": "rsem.tsv", "units": "counts"}}
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(recipe))
        (tmp_path / "cohorts.tsv").write_text("cohort\trecipe\nown\town.yaml\n")
        (tmp_path / "run.yaml").write_text("run: own\ncohorts: cohorts.tsv\nresults: out\n")
        arguments = ["run", "--config", str(tmp_path / "run.yaml")]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, *QUICK])
    said = capsys.readouterr().err
    assert stop.value.code == 0, said
    # What is a guess is said, with the option that declares it.
    assert ("--units counts" in said) == (how == "detected")
    found = pd.read_csv(tmp_path / "out/own/own/scores/zscore.tsv", sep="\t", index_col=0)
    tumours = [n for n in right.index if n in found.index]
    assert len(tumours) >= 36
    np.testing.assert_allclose(found.loc[tumours, right.columns], right.loc[tumours], atol=1e-9, rtol=0)
    assert json.loads((tmp_path / "out/own/run.json").read_text())["name"] == "own"

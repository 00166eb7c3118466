"""The genes that carry a signature in one sample, against the same numbers by pandas."""

from __future__ import annotations

import base64
import shutil
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from mtorscore.collection import library
from mtorscore.report.data import sample_genes as module
from mtorscore.report.data.run_files import Cohort, read_run
from mtorscore.report.data.sample_genes import SHOWN, sample_genes

NAME = "SREBP1_LIPOGENIC_CORE"


@pytest.fixture
def prepared(results: Path, tmp_path: Path) -> tuple[Path, Cohort]:
    run = shutil.copytree(results, tmp_path / "run")
    path = run / "sim-hcc" / "cohort.h5ad"
    adata = anndata.read_h5ad(path)
    adata.layers["log"] = np.log2(np.asarray(adata.X, dtype=np.float64) + 1)
    adata.write_h5ad(path)
    return path, next(c for c in read_run(run).cohorts if c.name == "sim-hcc")


def test_the_furthest_genes_with_their_distance(prepared: tuple[Path, Cohort]) -> None:
    path, cohort = prepared
    assert cohort.n_vars == anndata.read_h5ad(path).n_vars
    found = sample_genes(path, cohort, [NAME, "NOT_OF_THE_LIBRARY"])
    assert list(found) == [NAME]
    packed = found[NAME]
    at = np.frombuffer(base64.b64decode(packed["at"]), "<u2").reshape(-1, SHOWN)
    sd = np.frombuffer(base64.b64decode(packed["sd"]), np.int8).reshape(-1, SHOWN) / 10
    log = pd.DataFrame(anndata.read_h5ad(path).layers["log"], cohort.obs.index, anndata.read_h5ad(path).var_names)
    own = [g for g in library()[NAME].genes if g in log]
    tumours = log.loc[cohort.tumours, own]
    z = (log[own] - tumours.mean()) / tumours.std()
    for i in (0, 7, len(z) - 1):
        furthest = z.iloc[i].abs().sort_values(ascending=False).index[:SHOWN]
        assert [packed["genes"][k].rstrip("-") for k in at[i]] == list(furthest)
        assert np.allclose(sd[i], z.iloc[i][furthest], atol=0.051)


def test_nothing_is_read_where_there_is_no_such_layer_or_it_is_large(
    prepared: tuple[Path, Cohort], results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cohort = prepared
    assert sample_genes(results / "sim-hcc" / "cohort.h5ad", cohort, [NAME]) == {}
    cells = replace(cohort, obs=cohort.obs.assign(sample_type="cell"))
    assert sample_genes(path, cells, [NAME]) == {}
    monkeypatch.setattr(module, "MOST_VALUES", 100)
    assert sample_genes(path, cohort, [NAME]) == {}

"""The tables of outcomes do not depend on the cores that they were made on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mtorscore.collection import Signature, SignatureCollection
from mtorscore.datasets import simulate_cohort
from mtorscore.pipeline import prepare, relate, score


@pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")
def test_the_same_tables_on_one_core_and_on_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = simulate_cohort(n_tumours=60, n_normals=0, n_genes=600)
    names = [str(g) for g in cohort.var_names[:20]]
    signatures = SignatureCollection(
        [Signature(id="A", up=tuple(names[:8]), down=tuple(names[8:12])), Signature(id="B", up=tuple(names[12:]))]
    )
    cohort.write_h5ad(tmp_path / "simulated.h5ad")
    prepare("simulated", tmp_path / "run", simulated=tmp_path / "simulated.h5ad")
    score(tmp_path / "run", signatures, ["singscore", "zscore"])
    few: dict[str, Any] = {"null_sets": 20, "bootstraps": 5, "cv_folds": 2, "cv_repeats": 1, "adjust": ["stage"]}
    tables = []
    for cores in (1, 3):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        made = relate(tmp_path / "run", signatures, methods=["singscore", "zscore"], **few)
        tables.append({path.name: path.read_bytes() for path in made})
    assert tables[0] == tables[1]
    assert tables[0]["associations.tsv"].count(b"\n") > 10

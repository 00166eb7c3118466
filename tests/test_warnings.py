"""Warnings point at the line of the caller, whatever lies between."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore.errors import MtorscoreWarning
from tests.conftest import ROOT

rng = np.random.default_rng(0)
ADATA = ad.AnnData(
    rng.normal(5, 1, (30, 200)),
    pd.DataFrame(index=[f"s{i}" for i in range(30)]),
    pd.DataFrame(index=[f"G{i}" for i in range(200)]),
)
SETS: Any = {"A": ["G1", "G2", "x1", "x2", "x3"], "B": {"up": ["G5", "G6"], "down": ["G7"]}}
SCORES = pd.DataFrame({"A": rng.normal(size=30)}, index=ADATA.obs_names)
CLINICAL = pd.DataFrame(
    {"t": rng.exponential(10, 30), "e": np.r_[np.ones(6), np.zeros(24)], "patient": ["p"] * 30}, index=ADATA.obs_names
)
ENDPOINT = mt.prognosis.Endpoint.survival("t", "e")


def from_file(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def scored_file(folder: Path) -> Any:
    ADATA.write_h5ad(folder / "x.h5ad")
    return mt.tl.score(folder / "x.h5ad", SETS, method="ucell")


CALLS: dict[str, Callable[[Path], Any]] = {
    "score": lambda _: mt.tl.score(ADATA, SETS, method="ucell", copy=True),
    "score several": lambda _: mt.tl.score(ADATA, SETS, method=["ucell", "aucell"], copy=True),
    "score a file": scored_file,
    "fit": lambda _: mt.SignatureScorer(SETS, "zscore").fit(ADATA),
    "fit_transform": lambda _: mt.SignatureScorer(SETS, "ucell").fit_transform(ADATA),
    "compare_methods": lambda _: mt.tl.compare_methods(ADATA, SETS, methods=["ucell", "singscore"]),
    "read gene sets": lambda d: mt.SignatureCollection.read(from_file(d, "x.gmt", "S1\tna\tA\tA\tB\nS2\tna\tC,D\tE\n")),
    "score with a file": lambda d: mt.tl.score(
        ADATA, str(from_file(d, "x.gmt", "S1\tna\tG1\tG1\tG2\n")), method="ucell", copy=True
    ),
    "write gene sets": lambda d: mt.SignatureCollection(
        [mt.Signature(id="W", up=("A", "B"), weights={"A": 2.0})]
    ).write(d / "y.gmt"),
    "associate": lambda _: mt.prognosis.associate(SCORES, CLINICAL, ENDPOINT),
    "evaluate": lambda _: mt.prognosis.evaluate(
        {"a": mt.prognosis.RidgeCox(), "b": mt.prognosis.RidgeCox(seed=1)},
        SCORES,
        CLINICAL.drop(columns="patient"),
        ENDPOINT,
        n_repeats=1,
        n_boot=5,
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_warnings_point_here(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        CALLS[name](tmp_path)
    ours = [w for w in seen if issubclass(w.category, MtorscoreWarning)]
    assert ours
    assert {w.filename for w in ours} == {__file__}


def test_no_file_counts_frames_by_hand() -> None:
    counting = [p for p in (ROOT / "mtorscore").rglob("*.py") if "stacklevel" in p.read_text(encoding="utf-8")]
    assert [p.name for p in counting] == ["errors.py"]

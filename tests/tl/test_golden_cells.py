"""UCell, AUCell and module scores against their originals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtorscore import tl
from tests.tl.reference_files import compare, expected, gene_sets, matrix

pytestmark = pytest.mark.filterwarnings("ignore::mtorscore.errors.CoverageWarning")


def test_ucell(golden: Path) -> None:
    files = sorted((golden / "expected" / "R-UCell-2.17.0").glob("*.tsv"))
    assert len(files) == 15
    for file in files:
        name = file.stem.split("__")[1]
        options: dict[str, Any] = {"max_rank": int(re.findall(r"maxRank-(\d+)", file.name)[0])}
        for key, pattern in (
            ("missing", r"missing-(\w+?)__"),
            ("ties", r"ties-(\w+?)__"),
            ("w_neg", r"wneg-([\d.]+)__"),
        ):
            found = re.search(pattern, file.name)
            if found:
                options[key] = float(found.group(1)) if key == "w_neg" else found.group(1)
        scored = tl.score(matrix(golden, name), gene_sets(golden, name), method="ucell", copy=True, **options)
        where = f"R-UCell-2.17.0/{file.name}"
        compare("ucell", where, scored.obsm["score_ucell"], expected(golden, where))


@pytest.mark.parametrize("top", ["0.05", "0.10", "0.20"])
def test_aucell_without_ties(golden: Path, top: str) -> None:
    where = f"R-AUCell-1.25.2/aucell_top-{top}__tiefree.tsv"
    sets = gene_sets(golden, "tiefree", joined=False)
    for ties in ("expected", "random"):
        scored = tl.score(matrix(golden, "tiefree"), sets, method="aucell", top=float(top), ties=ties, copy=True)
        compare("aucell", where, scored.obsm["score_aucell"], expected(golden, where))


def test_aucell_expectation_over_ties(golden: Path) -> None:
    sets = gene_sets(golden, "sc_counts", joined=False)
    scored = tl.score(matrix(golden, "sc_counts"), sets, method="aucell", copy=True).obsm["score_aucell"]
    where = "R-AUCell-1.25.2/aucell_top-0.05_mean-of-100-seeds__sc_counts.tsv"
    theirs = expected(golden, where)
    note = "mean of 100 random tie breaks there"
    compare("aucell", where, scored, theirs, tolerance=0.06, note=note)
    gap = scored.loc[theirs.index, theirs.columns].to_numpy() - theirs.to_numpy()
    assert abs(gap.mean()) < 3e-4
    assert np.abs(gap).mean() < 3e-3


def test_aucell_sampled_ties_have_the_expectation_as_mean(golden: Path) -> None:
    adata = matrix(golden, "sc_counts")[:40]
    sets = {k: v for k, v in gene_sets(golden, "sc_counts", joined=False).items() if k in ("SIZE15", "SIZE50")}
    exact = tl.score(adata, sets, method="aucell", copy=True).obsm["score_aucell"].to_numpy()
    draws = [
        tl.score(adata, sets, method="aucell", ties="random", seed=s, copy=True).obsm["score_aucell"].to_numpy()
        for s in range(40)
    ]
    error = np.std(draws, axis=0, ddof=1) / np.sqrt(40)
    assert np.abs((np.mean(draws, axis=0) - exact) / np.maximum(error, 1e-12))[error > 0].max() < 4.5

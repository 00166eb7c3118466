"""UCell, AUCell and module scores against their originals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtorscore import tl
from tests.tl.agreement import Compare
from tests.tl.reference_files import expected, gene_sets, matrix

pytestmark = pytest.mark.filterwarnings("ignore::mtorscore.errors.CoverageWarning")


def test_ucell(golden: Path, compare: Compare) -> None:
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
def test_aucell_without_ties(golden: Path, compare: Compare, top: str) -> None:
    where = f"R-AUCell-1.25.2/aucell_top-{top}__tiefree.tsv"
    sets = gene_sets(golden, "tiefree", joined=False)
    for ties in ("expected", "random"):
        scored = tl.score(matrix(golden, "tiefree"), sets, method="aucell", top=float(top), ties=ties, copy=True)
        compare("aucell", where, scored.obsm["score_aucell"], expected(golden, where))


def test_aucell_expectation_over_ties(golden: Path, compare: Compare) -> None:
    sets = gene_sets(golden, "sc_counts", joined=False)
    scored = tl.score(matrix(golden, "sc_counts"), sets, method="aucell", copy=True).obsm["score_aucell"]
    where = "R-AUCell-1.25.2/aucell_top-0.05_mean-of-100-seeds__sc_counts.tsv"
    theirs = expected(golden, where)
    note = "mean of 100 random tie breaks there"
    compare("aucell", where, scored, theirs, tolerance=0.06, note=note)
    gap = scored.loc[theirs.index, theirs.columns].to_numpy() - theirs.to_numpy()
    assert abs(gap.mean()) < 3e-4
    assert np.abs(gap).mean() < 3e-3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_aucell_single_draws_are_around_the_expectation(golden: Path, compare: Compare, seed: int) -> None:
    adata, sets = matrix(golden, "sc_counts"), gene_sets(golden, "sc_counts", joined=False)
    where = f"R-AUCell-1.25.2/aucell_top-0.05_seed-{seed}__sc_counts.tsv"
    theirs = expected(golden, where)
    ours = tl.score(adata, sets, method="aucell", copy=True).obsm["score_aucell"]
    compare("aucell", where, ours, theirs, tolerance=0.25, note="one random tie break there")
    draws = [
        tl.score(adata, sets, method="aucell", ties="random", seed=s, copy=True).obsm["score_aucell"][theirs.columns]
        for s in range(8)
    ]
    used = np.std(draws, axis=0, ddof=1) > 0
    gaps = [(d - ours[theirs.columns]).to_numpy()[used] for d in draws]
    # Their draw lies as far from our expectation as our own draws do.
    assert (
        0.9 < np.sqrt(np.mean((theirs - ours[theirs.columns]).to_numpy()[used] ** 2) / np.mean(np.square(gaps))) < 1.1
    )


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


def test_scanpy_module_scores(golden: Path, compare: Compare) -> None:
    files = sorted((golden / "expected" / "scanpy-1.12.4").glob("score_genes*.tsv"))
    assert len(files) == 9
    for file in files:
        numbers = re.findall(r"ctrl-(\d+)_nbins-(\d+)_ctrl_as_ref-(\w+?)_seed", file.name)[0]
        options: dict[str, Any] = {
            "n_controls": int(numbers[0]),
            "n_bins": int(numbers[1]),
            "set_in_pool": numbers[2] == "True",
        }
        adata, sets = matrix(golden, "sc_lognorm"), gene_sets(golden, "sc_lognorm", joined=False)
        where = f"scanpy-1.12.4/{file.name}"
        single = "float32" in file.name
        for controls in ("sampled", "expected") if numbers[0] == "10000" else ("sampled",):
            scored = tl.score(
                adata, sets, method="module_score", flavour="scanpy", controls=controls, seed=0, copy=True, **options
            )
            compare(
                "module_score",
                where,
                scored.obsm["score_module_score"],
                expected(golden, where),
                tolerance=1e-6 if single else 1e-9,
                note="float32 there" if single else "",
            )


def test_seurat_module_scores_in_distribution(golden: Path, compare: Compare) -> None:
    adata, sets = matrix(golden, "sc_lognorm"), gene_sets(golden, "sc_lognorm", joined=False)
    for n_bins, n_controls in ((10, 100), (10, 50), (24, 20), (24, 50)):
        where = f"R-Seurat-4.3.0/AddModuleScore_nbin-{n_bins}_ctrl-{n_controls}_seed-1__sc_lognorm.tsv"
        theirs = expected(golden, where)
        options: dict[str, Any] = {"n_bins": n_bins, "n_controls": n_controls}
        exact = tl.score(adata, sets, method="module_score", copy=True, **options).obsm["score_module_score"]
        exact = exact[theirs.columns]
        compare("module_score", where, exact, theirs, tolerance=0.8, note="one random draw there")
        if (n_bins, n_controls) not in ((10, 50), (24, 20)):
            continue
        draws = [
            tl.score(adata, sets, method="module_score", controls="sampled", seed=s, copy=True, **options)
            .obsm["score_module_score"][theirs.columns]
            .to_numpy()
            for s in range(20)
        ]
        spread = np.std(draws, axis=0, ddof=1)
        used = spread > 0
        # Their draw deviates from our expectation as much as draws do, and our draws average to it.
        assert 0.7 < np.sqrt(np.mean(((theirs - exact).to_numpy()[used] / spread[used]) ** 2)) < 1.4
        error = (np.mean(draws, axis=0) - exact.to_numpy())[used] / spread[used] * np.sqrt(20)
        assert np.sqrt(np.mean(error**2)) < 2.0

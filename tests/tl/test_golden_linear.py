"""ulm, mlm and wmean against decoupler, on the genes that it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from mtorscore import tl
from tests.tl.agreement import Compare
from tests.tl.reference_files import expected, gene_sets, matrix, network

NAMES = ("bulk_cont", "bulk_ties", "sc_lognorm", "tiefree")
FOLDER = "decoupler-2.3.1"
CASES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("ulm", "ulm_net", {}),
    ("ulm", "ulm_sets", {}),
    ("ulm", "ulm_tval-False_net", {"statistic": "slope"}),
    ("ulm", "ulm_tval-False_sets", {"statistic": "slope"}),
    ("mlm", "mlm_net", {}),
    ("mlm", "mlm_tval-False_net", {"statistic": "slope"}),
    ("wmean", "waggr_wmean_times-0_net", {}),
)


def kept(adata: ad.AnnData) -> ad.AnnData:
    """Decoupler drops genes that are 0 everywhere and observations that are."""
    x = adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X
    return adata[(x != 0).any(axis=1), (x != 0).any(axis=0)].copy()


@pytest.mark.filterwarnings("ignore:.*made for logarithms:mtorscore.errors.DataWarning")  # decoupler's own input
@pytest.mark.filterwarnings("ignore::mtorscore.errors.CoverageWarning")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("method", "stem", "options"), CASES, ids=[c[1] for c in CASES])
def test_decoupler(golden: Path, compare: Compare, name: str, method: str, stem: str, options: dict[str, Any]) -> None:
    adata = kept(matrix(golden, name))
    if stem.endswith("_net"):
        sets: dict[str, Any] = network(golden, name)
    else:
        sets = gene_sets(golden, name, joined=False)
    theirs = expected(golden, f"{FOLDER}/{stem}__{name}.tsv")
    sets = {k: v for k, v in sets.items() if k in theirs.columns}
    tl.score(adata, sets, method=method, pvalues=True, **options)
    compare(method, f"{FOLDER}/{stem}__{name}.tsv", adata.obsm[f"score_{method}"], theirs)
    adjusted = f"{FOLDER}/{stem}_PADJ__{name}.tsv"
    if method != "wmean":  # without permutations its p-values are not a number
        # Those of ulm are float32; those of mlm are not adjusted: the p of t = -0.0655 with 990 df is 0.9478 there too.
        key, note = (
            ("pval", "p-values, not adjusted there")
            if method == "mlm"
            else ("padj", "adjusted p-values, float32 there")
        )
        ours = adata.obsm[f"{key}_{method}"]
        compare(method, adjusted, ours, expected(golden, adjusted), tolerance=1e-7, note=note)


@pytest.mark.filterwarnings("ignore:.*made for logarithms:mtorscore.errors.DataWarning")  # decoupler's own input
@pytest.mark.parametrize("name", ["bulk_cont", "tiefree"])
def test_standardised_wmean_agrees_with_permutations(golden: Path, name: str) -> None:
    adata = kept(matrix(golden, name))
    tl.score(adata, network(golden, name), method="wmean", standardise=True)
    theirs = expected(golden, f"{FOLDER}/waggr_wmean_times-100_seed-42_net__{name}.tsv")
    ours = adata.obsm["score_wmean"][theirs.columns]
    # 100 permutations: the SD of their standard deviation is 7%, that of their mean 0.1.
    assert np.corrcoef(ours.to_numpy().ravel(), theirs.to_numpy().ravel())[0, 1] > 0.98
    gap = pd.DataFrame(ours.to_numpy() - theirs.to_numpy())
    assert abs(gap.to_numpy().mean()) < 0.05

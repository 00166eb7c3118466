"""The enrichment step of a run: which groups it compares, and that it finds what was put in."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from mtorscore.collection import as_collection
from mtorscore.pipeline import enrich, read_table
from mtorscore.results import GSEA

SETS = as_collection({"moved": [f"g{i}" for i in range(12)], "quiet": [f"g{i}" for i in range(100, 115)]})


def cohort(folder: Path, n_tumours: int, n_normals: int, *, labelled: bool = False) -> Path:
    rng = np.random.default_rng(0)
    n = n_tumours + n_normals
    x = rng.normal(5, 1, (n, 300))
    tumour = np.arange(n) < n_tumours
    x[tumour, :12] += 1.5
    obs = pd.DataFrame({"sample_type": np.where(tumour, "tumour", "normal")}, index=[f"s{i}" for i in range(n)])
    if labelled:
        relapse = tumour & (np.arange(n) % 2 == 0)
        x[relapse, :12] += 1.5
        obs["recurrence_24m"] = np.where(tumour, relapse.astype(float), np.nan)
    adata = ad.AnnData(2**x, obs, pd.DataFrame(index=[f"g{i}" for i in range(300)]), layers={"log": x})
    adata.write_h5ad(folder / "cohort.h5ad")
    return folder


def test_groups_and_labels_are_compared(tmp_path: Path) -> None:
    path = enrich(cohort(tmp_path, 24, 7, labelled=True), SETS, permutations=60)
    assert path == tmp_path / "relate" / "gsea.tsv"
    table = read_table(path)
    assert tuple(table.columns) == GSEA.names
    both = table.set_index(["comparison", "signature"])
    assert set(table["comparison"]) == {"tumour_vs_normal", "recurrence_24m"}
    assert both.loc[("tumour_vs_normal", "moved"), ["contrast", "n_first", "n_second"]].tolist() == [
        "tumour against normal", 24, 7,
    ]  # fmt: skip
    assert both.loc[("recurrence_24m", "moved"), "contrast"] == "recurrence_24m=1 against recurrence_24m=0"
    assert set(table["permutation"]) == {"sample"}
    assert (both.xs("moved", level=1)["nes"] > 1.3).all()
    assert (both.xs("moved", level=1)["p"] <= 2 / 61).all()
    assert both["p"].min() >= 1 / 61  # so many permutations cannot show less
    first = path.read_bytes()
    assert enrich(tmp_path, SETS, permutations=60).read_bytes() == first


def test_few_samples_are_said_to_permute_genes_and_fewer_give_a_header(tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    table = read_table(enrich(cohort(few, 20, 6), SETS, permutations=50))
    assert set(table["permutation"]) == {"gene"}
    none = tmp_path / "none"
    none.mkdir()
    for options, n_normals in (({"permutations": 50}, 2), ({"permutations": 0}, 8)):
        table = read_table(enrich(cohort(none, 20, n_normals), SETS, **options))
        assert tuple(table.columns) == GSEA.names
        assert not len(table)

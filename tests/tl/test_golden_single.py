"""Singscore, ssGSEA and the combined z-score against the R originals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from mtorscore import tl
from tests.tl.agreement import Compare
from tests.tl.reference_files import expected, gene_sets, matrix

BULK = ("bulk_cont", "bulk_ties", "bulk_counts", "tiefree")


@pytest.mark.parametrize("name", BULK)
def test_singscore(golden: Path, compare: Compare, name: str) -> None:
    adata = matrix(golden, name)
    files = sorted((golden / "expected" / "R-singscore-1.29.1").glob(f"*__{name}.tsv"))
    assert len(files) >= 9
    for file in files:
        ties = re.search(r"ties-(\w+?)__", file.name)
        options: dict[str, Any]
        if "stable" in file.name:
            options = {"stable_genes": [adata.var_names[i - 1] for i in (5, 100, 200, 350, 500)]}
        else:
            options = {
                "known_direction": "known-TRUE" in file.name,
                "centre": "center-TRUE" in file.name,
                "ties": ties.group(1) if ties else "min",
            }
        scored = tl.score(adata, gene_sets(golden, name), method="singscore", dispersion=True, copy=True, **options)
        table = expected(golden, f"R-singscore-1.29.1/{file.name}")
        found = {"Score": scored.obsm["score_singscore"], "Dispersion": scored.obsm["dispersion_singscore"]}
        columns = {}
        for column in table.columns:
            signature, what = column.split(".")
            if what.startswith("Total"):
                columns[column] = found[what.removeprefix("Total")][signature]
            else:  # the up or the down part alone
                direction = "up" if what.startswith("Up") else "down"
                alone = {signature: {direction: gene_sets(golden, name)[signature][direction]}}
                part = tl.score(adata, alone, method="singscore", dispersion=True, copy=True, **options)
                key = "score" if what.endswith("Score") else "dispersion"
                columns[column] = part.obsm[f"{key}_singscore"][signature]
        assert set(columns) == set(table.columns)
        compare("singscore", f"R-singscore-1.29.1/{file.name}", pd.DataFrame(columns), table)


@pytest.mark.parametrize("name", [*BULK[:3], "sc_lognorm"])
@pytest.mark.parametrize("version", ["1.53.31", "1.46.0"])
def test_ssgsea(golden: Path, compare: Compare, name: str, version: str) -> None:
    files = sorted((golden / "expected" / f"R-GSVA-{version}").glob(f"ssgsea_alpha*__{name}.tsv"))
    assert files or (version, name) == ("1.46.0", "sc_lognorm")
    for file in files:
        alpha = re.search(r"alpha-([\d.]+)_", file.name)
        assert alpha is not None
        scored = tl.score(
            matrix(golden, name),
            gene_sets(golden, name, joined=False),
            method="ssgsea",
            alpha=float(alpha.group(1)),
            normalise="norm-TRUE" in file.name,
            ties="first",
            copy=True,
        )
        where = f"R-GSVA-{version}/{file.name}"
        compare("ssgsea", where, scored.obsm["score_ssgsea"], expected(golden, where))


@pytest.mark.parametrize("name", ["bulk_cont", "tiefree"])
def test_ties_make_no_difference_without_ties(golden: Path, name: str) -> None:
    adata, sets = matrix(golden, name), gene_sets(golden, name)
    first = tl.score(adata, sets, method="ssgsea", ties="first", copy=True).obsm["score_ssgsea"]
    average = tl.score(adata, sets, method="ssgsea", copy=True).obsm["score_ssgsea"]
    np.testing.assert_allclose(first, average, rtol=1e-12, atol=1e-10)  # sums of thousands, whose order differs


@pytest.mark.parametrize("use", ["everything", "na.rm"])
def test_ssgsea_with_missing_values(golden: Path, compare: Compare, use: str) -> None:
    adata, sets = with_missing(golden)
    scored = tl.score(adata, sets, method="ssgsea", ties="first", na="everything" if use == "everything" else "omit")
    where = f"R-GSVA-1.53.31/ssgsea_use-{use}__bulk_cont_NA.tsv"
    compare("ssgsea", where, scored.obsm["score_ssgsea"], expected(golden, where))


@pytest.mark.parametrize("name", ["bulk_cont", "bulk_ties", "sc_lognorm"])
@pytest.mark.parametrize("version", ["1.53.31", "1.46.0"])
def test_zscore(golden: Path, compare: Compare, name: str, version: str) -> None:
    where = f"R-GSVA-{version}/zscore__{name}.tsv"
    if not (golden / "expected" / where).exists():
        assert (version, name) == ("1.46.0", "sc_lognorm")
        return
    scored = tl.score(
        matrix(golden, name),
        gene_sets(golden, name, joined=False),
        method="zscore",
        zeros="ignored" if name.startswith("sc") else "values",
        copy=True,
    )
    compare("zscore", where, scored.obsm["score_zscore"], expected(golden, where))


def with_missing(golden: Path) -> tuple[ad.AnnData, dict[str, list[str]]]:
    """bulk_cont with the three values missing that the reference was given."""
    adata = matrix(golden, "bulk_cont").copy()
    sets = gene_sets(golden, "bulk_cont", joined=False)
    for signature, gene, sample in (("SIZE15", 2, 3), ("SIZE50", 7, 3), ("SIZE15", 5, 9)):
        adata.X[sample - 1, adata.var_names.get_loc(sets[signature][gene - 1])] = np.nan
    return adata, sets

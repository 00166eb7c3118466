"""PLAGE and GSVA against the R originals."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mtorscore import tl
from mtorscore.tl import SignatureScorer
from tests.tl.agreement import Compare
from tests.tl.reference_files import expected, gene_sets, matrix
from tests.tl.test_golden_single import with_missing

pytestmark = pytest.mark.filterwarnings("ignore::mtorscore.errors.CoverageWarning")


@pytest.mark.parametrize("name", ["bulk_cont", "bulk_ties", "sc_lognorm"])
@pytest.mark.parametrize("version", ["1.53.31", "1.46.0"])
def test_plage(golden: Path, compare: Compare, name: str, version: str) -> None:
    where = f"R-GSVA-{version}/plage__{name}.tsv"
    if not (golden / "expected" / where).exists():
        assert (version, name) == ("1.46.0", "sc_lognorm")
        return
    scored = tl.score(
        matrix(golden, name),
        gene_sets(golden, name, joined=False),
        method="plage",
        zeros="ignored" if name.startswith("sc") else "values",
        copy=True,
    )
    # The sign of a singular vector is arbitrary there and fixed here. For a set of one gene the original decomposes a
    # column instead of a row and returns 1 for every sample; the definition gives that gene, scaled to unit length.
    theirs = expected(golden, where).abs()
    if "SIZE1" in theirs:
        assert (theirs["SIZE1"] == 1).all()
        assert np.isclose((scored.obsm["score_plage"]["SIZE1"] ** 2).sum(), 1)
    compare("plage", where, scored.obsm["score_plage"].abs(), theirs.drop(columns="SIZE1", errors="ignore"))


@pytest.mark.parametrize("version", ["1.53.31", "1.46.0"])
@pytest.mark.parametrize("name", ["bulk_cont", "bulk_ties", "bulk_counts", "sc_lognorm"])
def test_gsva(golden: Path, compare: Compare, name: str, version: str) -> None:
    files = sorted((golden / "expected" / f"R-GSVA-{version}").glob(f"gsva_kcdf*__{name}.tsv"))
    assert files or (version, name) == ("1.46.0", "sc_lognorm")
    for file in files:
        kcdf = re.findall(r"kcdf-(\w+?)_", file.name)[0].lower()
        scored = tl.score(
            matrix(golden, name),
            gene_sets(golden, name, joined=False),
            method="gsva",
            kcdf=kcdf,
            tau=0.25 if "tau-0.25" in file.name else 1.0,
            max_diff="mxdiff-FALSE" not in file.name,
            abs_ranking="absranking-TRUE" in file.name,
            ties="first",
            zeros="ignored" if "sparse-TRUE" in file.name else "values",
            constant="nonzero" if name.startswith("sc") else "values",
            copy=True,
        )
        where = f"R-GSVA-{version}/{file.name}"
        ours, theirs = scored.obsm["score_gsva"], expected(golden, where)
        compare("gsva", where, ours, theirs)


@pytest.mark.parametrize("use", ["everything", "na.rm"])
def test_gsva_with_missing_values(golden: Path, compare: Compare, use: str) -> None:
    adata, sets = with_missing(golden)
    scored = tl.score(adata, sets, method="gsva", ties="first", na="everything" if use == "everything" else "omit")
    where = f"R-GSVA-1.53.31/gsva_use-{use}__bulk_cont_NA.tsv"
    compare("gsva", where, scored.obsm["score_gsva"], expected(golden, where))


@pytest.mark.parametrize("kcdf", ["gaussian", "none"])
@pytest.mark.parametrize("max_diff", [True, False])
def test_gsva_tie_handling_agrees_without_ties(golden: Path, kcdf: str, max_diff: bool) -> None:
    adata, sets = matrix(golden, "bulk_cont"), gene_sets(golden, "bulk_cont")
    both = [
        tl.score(adata, sets, method="gsva", kcdf=kcdf, ties=ties, max_diff=max_diff, copy=True).obsm["score_gsva"]
        for ties in ("first", "average")
    ]
    if kcdf == "gaussian":  # without a kernel, distribution functions are multiples of 1 / n, so genes are tied
        # The kernel is read from a table, so that outliers of several genes share one distribution function.
        gap = np.abs(both[0] - both[1]).to_numpy()
        assert (gap > 1e-12).mean() < 0.01
        assert gap.max() < 1e-4
    else:
        assert np.abs(both[0] - both[1]).to_numpy().max() > 0.01


def test_gsva_new_observations_against_the_cohort(golden: Path) -> None:
    sets = gene_sets(golden, "bulk_cont")
    for ties in ("first", "average"):
        for kcdf, name in (("gaussian", "bulk_cont"), ("poisson", "bulk_counts"), ("none", "bulk_cont")):
            adata = matrix(golden, name)
            scorer = SignatureScorer(sets, "gsva", params={"ties": ties, "kcdf": kcdf}).fit(adata)
            together = scorer.transform(adata)
            np.testing.assert_allclose(scorer.transform(adata[[7, 3]]), together.iloc[[7, 3]], atol=1e-12)
            nudged = adata[[7]].copy()
            nudged.X = nudged.X + 1e-9  # not values of the cohort: the distribution function is evaluated anew
            gap = np.abs(scorer.transform(nudged).to_numpy() - together.iloc[[7]].to_numpy()).max()
            assert gap < 0.05

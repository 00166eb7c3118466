"""Scores of a run: the same as by hand, composites by a frozen reference, and what stands behind them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import mtorscore as mt
from mtorscore import tl
from mtorscore.collection import Composite, Panel, Ratio, Signature, SignatureCollection
from mtorscore.errors import DataError, DataWarning, IgnoredWarning
from mtorscore.pipeline import read_table, score
from mtorscore.pipeline.score import N_SPLITS, reference_rows, technical_of

# The name `mtorscore.pipeline.score` is the function.
module = sys.modules["mtorscore.pipeline.score"]

SIGNATURES = SignatureCollection(
    [
        Signature(id="A", branch="srebp1", up=("G0", "G1", "G2"), down=("G3",)),
        Signature(id="B", branch="s6k", up=("G10", "G11", "G12")),
        Composite(id="A_MINUS_B", branch="mtorc1", parts={"A": 1.0, "B": -2.0}),
        Ratio(id="R", branch="eif4e", numerator=("G4",), denominator=("G5", "G6")),
        Panel(id="P", branch="tsc", members={"G7": -1, "G8": -1}),
    ]
)
METHODS = ["zscore", "singscore"]


def cohort(folder: Path, n_tumours: int = 30, n_normals: int = 22) -> ad.AnnData:
    n = n_tumours + n_normals
    values = np.random.default_rng(0).gamma(2.0, 2.0, size=(n, 40))
    adata = ad.AnnData(
        np.expm1(values),
        obs=pd.DataFrame(
            {"sample_type": ["tumour"] * n_tumours + ["normal"] * n_normals}, index=[f"s{i}" for i in range(n)]
        ),
        var=pd.DataFrame(index=[f"G{i}" for i in range(40)]),
        layers={"log": values},
    )
    folder.mkdir(exist_ok=True)
    adata.write_h5ad(folder / "cohort.h5ad")
    return adata


def test_signatures_score_as_without_a_reference(tmp_path: Path) -> None:
    adata = cohort(tmp_path)
    score(tmp_path, SIGNATURES, METHODS)
    for method in METHODS:
        with pytest.warns(IgnoredWarning, match="A_MINUS_B"):
            plain = tl.score(adata.copy(), SIGNATURES, method=method, layer="log").obsm[f"score_{method}"]
        written = read_table(tmp_path / "scores" / f"{method}.tsv", index="observation")
        assert list(written.columns) == ["A", "B", "A_MINUS_B"]
        np.testing.assert_array_equal(written[["A", "B"]].to_numpy(), plain[["A", "B"]].to_numpy())


def test_composites_are_standardised_by_the_normals_and_the_table_says_so(tmp_path: Path) -> None:
    adata = cohort(tmp_path)
    score(tmp_path, SIGNATURES, METHODS)
    written = read_table(tmp_path / "scores" / "singscore.tsv", index="observation")
    normals = written.loc[(adata.obs["sample_type"] == "normal").to_numpy(), ["A", "B"]]
    z = (written[["A", "B"]] - normals.mean()) / normals.std()
    np.testing.assert_allclose(written["A_MINUS_B"], z["A"] - 2 * z["B"], rtol=1e-12)
    coverage = read_table(tmp_path / "scores" / "coverage.tsv", index="signature")
    assert "22 normals" in coverage.loc["A_MINUS_B", "standardised_by"]
    assert coverage.loc[["A", "B"], "standardised_by"].isna().all()


@pytest.mark.parametrize("method", METHODS)
def test_the_reference_on_disk_scores_new_samples_alike(tmp_path: Path, method: str) -> None:
    adata = cohort(tmp_path)
    score(tmp_path, SIGNATURES, [method])
    few = adata[[3, 40, 7]].copy()
    tl.score(few, SIGNATURES, method=method, layer="log", reference=tmp_path / "scores" / "reference" / f"{method}.npz")
    written = read_table(tmp_path / "scores" / f"{method}.tsv", index="observation").loc[few.obs_names]
    np.testing.assert_allclose(few.obsm[f"score_{method}"], written, rtol=1e-12)


def test_ratios_and_panels_are_written_on_linear_scale(tmp_path: Path) -> None:
    adata = cohort(tmp_path)
    score(tmp_path, SIGNATURES, METHODS)
    linear = pd.DataFrame(np.exp2(adata.layers["log"]) - 1, adata.obs_names, adata.var_names)
    panel = read_table(tmp_path / "linear" / "panel.tsv", index="observation")
    np.testing.assert_allclose(panel, linear[["G7", "G8"]])
    ratio = read_table(tmp_path / "linear" / "ratio.tsv", index="observation")
    np.testing.assert_allclose(ratio["R"], np.log2(linear["G4"] / linear[["G5", "G6"]].mean(axis=1)))


def test_few_normals_give_way_to_tumours(tmp_path: Path) -> None:
    adata = cohort(tmp_path, n_normals=19)
    rows, standard = reference_rows(adata)
    assert rows.sum() == 30
    assert "30 tumours" in standard
    assert "not on the scale of other cohorts" in standard
    assert reference_rows(adata, "normals")[0].sum() == 19


def test_without_a_reference_composites_have_a_reason(tmp_path: Path) -> None:
    cohort(tmp_path)
    score(tmp_path, SIGNATURES, METHODS, reference="none")
    assert read_table(tmp_path / "scores" / "zscore.tsv", index="observation")["A_MINUS_B"].isna().all()
    coverage = read_table(tmp_path / "scores" / "coverage.tsv", index="signature")
    assert "frozen reference" in coverage.loc["A_MINUS_B", "reason"]


def test_refuses_a_reference_that_is_not_there(tmp_path: Path) -> None:
    adata = cohort(tmp_path, n_normals=1)
    with pytest.raises(DataError, match="1 of them"):
        reference_rows(adata, "normals")
    with pytest.raises(DataError, match="must be one of"):
        reference_rows(adata, "normal")


def test_the_step_ranks_once_for_all_methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many passes as `tl.score` with the same methods: references come from the same pass as the scores.

    Halves of the reads are other matrices: one pass for each half of each split, whatever the number of methods.
    """
    import collections

    from mtorscore.tl.engine import prepare as engine
    from mtorscore.tl.engine.execute import execute
    from mtorscore.tl.kernels import ranks

    calls: collections.Counter[str] = collections.Counter()

    def counted(name: str, function: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            calls[name] += 1
            return function(*args, **options)

        return call

    monkeypatch.setattr(engine, "execute", counted("execute", execute))
    for kernel in ("rank_dense", "rank_csr"):
        monkeypatch.setattr(ranks, kernel, counted("ranked tile", getattr(ranks, kernel)))
    adata = mt.datasets.simulate_cohort(n_tumours=100, seed=0)
    mt.pp.add_log_layer(adata, scale="counts")
    (tmp_path / "c").mkdir()
    adata.write_h5ad(tmp_path / "c" / "cohort.h5ad")
    methods = ["singscore", "ssgsea", "ucell", "aucell"]
    library = SignatureCollection([s for s in mt.library() if isinstance(s, Signature) and not s.is_weighted])
    mt.tl.score(adata, library, method=methods, layer="log", copy=True)
    once = dict(calls)
    calls.clear()
    score(tmp_path / "c", library, methods)
    assert {name: n - 2 * N_SPLITS for name, n in calls.items()} == once
    assert once["execute"] == 1


def test_the_noise_of_counts_stands_beside_the_scores(tmp_path: Path) -> None:
    adata = cohort(tmp_path)
    adata.X = np.random.default_rng(1).poisson(np.asarray(adata.X)).astype(float)
    mt.pp.add_log_layer(adata, scale="counts")
    adata.write_h5ad(tmp_path / "cohort.h5ad")
    score(tmp_path, SIGNATURES, METHODS)
    for method in METHODS:
        told = technical_of(tmp_path, method)
        spread = read_table(tmp_path / "scores" / f"{method}.tsv", index="observation").std()
        assert (told[["A", "B"]] > 0).all()
        assert (told[["A", "B"]] < spread[["A", "B"]]).all()
    cohort(tmp_path)  # logs of no counts
    score(tmp_path, SIGNATURES, METHODS)
    assert technical_of(tmp_path, "singscore").empty


def cells_cohort(folder: Path) -> None:
    """Write a prepared cohort of cells, sparse."""
    folder.mkdir()
    adata = cohort(folder)
    adata.obs = adata.obs.assign(sample_type="cell", sample="one", cell_type="t")
    values = np.where(np.random.default_rng(1).random(adata.shape) < 0.5, 0.0, adata.layers["log"])
    adata.X, adata.layers["log"] = sparse.csr_matrix(np.expm1(values)), sparse.csr_matrix(values)
    adata.uns["context"] = "HCC"
    adata.write_h5ad(folder / "cohort.h5ad", compression="lzf")


def written(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.suffix == ".tsv"}


def test_cells_are_scored_from_disk_with_the_files_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    methods = ["singscore", "zscore", "ucell"]
    disk, memory = tmp_path / "disk", tmp_path / "memory"
    for folder in (disk, memory):
        cells_cohort(folder)

    def never(*_: object) -> None:
        raise AssertionError("the matrix was loaded")

    with monkeypatch.context() as patch:
        patch.setattr(module, "load_cohort", never)
        paths = score(disk, SIGNATURES, methods, {"ucell": {"max_rank": 20}})
    with monkeypatch.context() as patch:
        patch.setattr(module, "works_from_disk", lambda *_: False)
        expected = score(memory, SIGNATURES, methods, {"ucell": {"max_rank": 20}})
    assert [p.relative_to(disk) for p in paths] == [p.relative_to(memory) for p in expected]
    found, wanted = written(disk), written(memory)
    summed = "scores/zscore.tsv"
    assert {k: v for k, v in found.items() if k != summed} == {k: v for k, v in wanted.items() if k != summed}
    one, other = (read_table(f / summed, index="observation") for f in (disk, memory))
    pd.testing.assert_frame_equal(one, other, rtol=1e-12, atol=1e-12)
    for method in methods:
        one, other = (tl.Reference.load(f / "scores" / "reference" / f"{method}.npz") for f in (disk, memory))
        assert (one.genes, one.signatures, one.params) == (other.genes, other.signatures, other.params)
        for key, values in one.state.items():
            np.testing.assert_allclose(values, other.state[key], rtol=1e-12)
    assert not list(disk.rglob(".*"))
    score(disk, SIGNATURES, ["gsva"])
    assert read_table(disk / "scores" / "gsva.tsv", index="observation")["A"].notna().all()


def test_a_step_that_was_killed_goes_on_and_one_with_other_methods_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells_cohort(tmp_path / "c")

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mtorscore.tl.streaming.score_file._assemble", stopped)
        with pytest.raises(KeyboardInterrupt):
            score(tmp_path / "c", SIGNATURES, ["zscore"])
    parts = tmp_path / "c" / "scores" / ".cells.parquet.parts"
    assert (parts / "block-000000.npz").exists()
    with pytest.warns(DataWarning, match=r"unfinished run that differs in methods, keys.* It is given up"):
        score(tmp_path / "c", SIGNATURES, ["singscore"])
    assert not parts.exists()

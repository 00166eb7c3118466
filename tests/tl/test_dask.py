"""Dask-backed AnnData are scored where their chunks are, with the numbers of the matrix in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mtorscore import tl
from mtorscore.errors import DataError, MethodError
from mtorscore.tl.engine.dask_source import DaskSource
from mtorscore.tl.engine.open_source import open_source
from tests.containers import ARRAY_TYPES, ArrayType
from tests.tl.specs import BLOCKWISE, HOLDING

N_OBS, N_VARS = 230, 120
SETS: dict[str, Any] = {
    "plain": [f"g{i}" for i in range(0, 60, 3)],
    "signed": {"up": [f"g{i}" for i in range(5, 30)], "down": [f"g{i}" for i in range(60, 75)]},
}


def values() -> np.ndarray:
    rng = np.random.default_rng(8)
    return np.log1p(rng.poisson(rng.gamma(0.5, 2.0, N_VARS), (N_OBS, N_VARS)).astype(np.float64))


def wrapped(matrix: Any) -> ad.AnnData:
    rng = np.random.default_rng(1)
    obs = pd.DataFrame({"kept": rng.random(N_OBS) < 0.6}, index=[f"c{i}" for i in range(N_OBS)])
    return ad.AnnData(matrix, obs, pd.DataFrame(index=[f"g{i}" for i in range(N_VARS)]))


def lazy(chunks: tuple[Any, Any] = (50, -1), *, block: ArrayType = ARRAY_TYPES["csr_matrix"]) -> Any:
    return da.from_array(values(), chunks=chunks).map_blocks(block)


def assert_same(found: ad.AnnData, wanted: ad.AnnData, methods: list[str]) -> None:
    for m in methods:
        key = f"score_{m}"
        np.testing.assert_allclose(found.obsm[key], wanted.obsm[key], rtol=1e-12, atol=1e-12, err_msg=m)


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
@pytest.mark.parametrize(
    ("chunks", "array_type"),
    [((50, -1), "csr_matrix"), ((33, 40), "numpy-c"), ((N_OBS, -1), "csr_array")],
    indirect=["array_type"],
)
def test_scores_are_those_of_memory(scheduler: str, chunks: Any, array_type: ArrayType) -> None:
    memory = tl.score(wrapped(sparse.csr_matrix(values())), SETS, method=BLOCKWISE)
    with dask.config.set(scheduler=scheduler):
        found = tl.score(wrapped(lazy(chunks, block=array_type)), SETS, method=BLOCKWISE)
    assert_same(found, memory, BLOCKWISE)
    assert isinstance(found.X, da.Array)


def test_masks_pvalues_and_unknown_chunks_work() -> None:
    memory = tl.score(wrapped(sparse.csr_matrix(values())), SETS, method=["ulm", "zscore"], mask_obs="kept")
    assert_same(tl.score(wrapped(lazy()), SETS, method=["ulm", "zscore"], mask_obs="kept"), memory, ["ulm", "zscore"])
    memory = tl.score(wrapped(values()), SETS, method="ulm", pvalues=True)
    found = tl.score(wrapped(lazy()), SETS, method="ulm", pvalues=True)
    np.testing.assert_allclose(found.obsm["pval_ulm"], memory.obsm["pval_ulm"], rtol=1e-9)
    array = da.from_array(values(), chunks=(50, -1))
    unknown = array[da.from_array(np.ones(N_OBS, dtype=bool), chunks=50)]
    source = open_source(unknown)
    assert isinstance(source, DaskSource)
    assert (source.n_obs, source.n_vars) == (N_OBS, N_VARS)


def test_each_chunk_is_computed_once_per_pass() -> None:
    seen: list[int] = []

    def block(x: np.ndarray) -> np.ndarray:
        seen.append(x.shape[0])
        return x

    array = da.from_array(values(), chunks=(50, -1)).map_blocks(block, dtype=float, meta=np.zeros((0, 0)))
    with dask.config.set(scheduler="synchronous"):
        tl.score(wrapped(array), SETS, method=["ucell", "singscore"])
        assert sorted(seen) == [30, 50, 50, 50, 50]
        # Sums, squares, scores; means, scores; range, scores: as docs/scaling_out.md says.
        for method, passes in (("mean", 1), ("zscore", 3), ("module_score", 2), ("ssgsea", 2)):
            seen.clear()
            tl.score(wrapped(array), SETS, method=method, **({"normalise": True} if method == "ssgsea" else {}))
            assert len(seen) == 5 * passes, method


@pytest.mark.parametrize("method", HOLDING)
def test_large_cohorts_are_refused_where_the_method_must_hold_them(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtorscore.tl.engine.plan.HELD_BYTES", 1000)
    with pytest.raises(MethodError, match=r"whole cohort in memory.*reference="):
        tl.score(wrapped(lazy()), SETS, method=method)


def test_infinite_values_are_refused() -> None:
    x = values()
    x[120, 4] = np.inf
    with pytest.raises(DataError, match="infinite"):
        tl.score(wrapped(da.from_array(x, chunks=(50, -1))), SETS, method="ucell")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_of_processes_gives_the_same(tmp_path: Path) -> None:
    from dask.distributed import Client, LocalCluster

    memory = tl.score(wrapped(sparse.csr_matrix(values())), SETS, method=BLOCKWISE)
    path = tmp_path / "cells.h5ad"
    wrapped(sparse.csr_matrix(values())).write_h5ad(path)
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    with cluster, Client(cluster):
        assert_same(tl.score(wrapped(lazy()), SETS, method=BLOCKWISE), memory, BLOCKWISE)
        read_elem_lazy = pytest.importorskip("anndata.experimental").read_elem_lazy
        import h5py

        with h5py.File(path) as file:
            adata = wrapped(read_elem_lazy(file["X"], chunks=(64, N_VARS)))
            assert_same(tl.score(adata, SETS, method=BLOCKWISE), memory, BLOCKWISE)
    stream = tl.score(path, SETS, method=BLOCKWISE)
    assert_same(stream, memory, BLOCKWISE)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_five_thousand_cells_the_bits_of_memory(tmp_path: Path) -> None:
    """Single-sample methods alone: sums over chunks, which zscore learns from, are added up in another order."""
    import h5py
    from anndata.experimental import read_elem_lazy
    from dask.distributed import Client, LocalCluster

    rng = np.random.default_rng(12)
    names = [f"g{i}" for i in range(2000)]
    x = sparse.csr_matrix(rng.poisson(rng.gamma(0.3, 1.0, 2000), (5000, 2000)).astype(np.float32))
    cells, genes = pd.DataFrame(index=[f"c{i}" for i in range(5000)]), pd.DataFrame(index=names)
    sets = {f"S{k}": list(rng.choice(names, 40, replace=False)) for k in range(12)}
    methods = ["singscore", "ucell", "aucell", "ssgsea", "mean", "ulm"]
    memory = tl.score(ad.AnnData(x, cells, genes), sets, method=[*methods, "zscore"])
    ad.AnnData(x, cells, genes).write_h5ad(tmp_path / "cells.h5ad")
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster), h5py.File(tmp_path / "cells.h5ad") as file:
        lazy_matrix = read_elem_lazy(file["X"], chunks=(700, 2000))
        found = tl.score(ad.AnnData(lazy_matrix, cells, genes), sets, method=[*methods, "zscore"])
    for method in methods:
        np.testing.assert_array_equal(found.obsm[f"score_{method}"], memory.obsm[f"score_{method}"], err_msg=method)
    assert_same(found, memory, ["zscore"])

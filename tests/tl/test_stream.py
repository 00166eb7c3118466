"""Scoring from disk gives the same bits as in memory, whatever the layout, the blocks, or a kill half-way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from mtorscore import tl
from mtorscore.errors import DataError, FormatError, MethodError
from mtorscore.tl import SignatureScorer
from mtorscore.tl.streaming.checkpoints import read_scores
from mtorscore.tl.streaming.open_file import open_file
from mtorscore.tl.streaming.scratch import panel_edges
from mtorscore.tl.streaming.stream_source import StreamSource, parse_memory
from tests.containers import ARRAY_TYPES
from tests.tl.specs import BLOCKWISE, COHORT, HOLDING

N_OBS, N_VARS = 700, 300
SETS: dict[str, Any] = {
    "plain": [f"g{i}" for i in range(0, 60, 3)],
    "signed": {"up": [f"g{i}" for i in range(5, 30)], "down": [f"g{i}" for i in range(60, 75)]},
    "gone": ["nowhere"],
}


LAYOUTS = {"csr": "csr_matrix", "csc": "csc_matrix", "dense": "numpy-c"}


def cells(layout: str = "csr") -> ad.AnnData:
    rng = np.random.default_rng(4)
    x = np.log1p(rng.poisson(rng.gamma(0.4, 1.0, N_VARS), (N_OBS, N_VARS))).astype(np.float32)
    x[5] = 0
    obs = pd.DataFrame({"kept": rng.random(N_OBS) < 0.7}, index=[f"cell{i}" for i in range(N_OBS)])
    return ad.AnnData(ARRAY_TYPES[LAYOUTS[layout]](x), obs, pd.DataFrame(index=[f"g{i}" for i in range(N_VARS)]))


def write(folder: Path, layout: str, container: str, compression: Any = None) -> Path:
    path = folder / f"cells.{container}"
    if container == "zarr":
        cells(layout).write_zarr(path)
    else:
        cells(layout).write_h5ad(path, compression=compression)
    return path


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the small file into many blocks of small tiles."""
    monkeypatch.setattr("mtorscore.tl.streaming.score_file.block_bytes", lambda _: 40_000)
    monkeypatch.setattr("mtorscore.tl.engine.source.TILE_BYTES", 40_000)
    monkeypatch.setattr("mtorscore.tl.streaming.checkpoints.ROW_GROUP_BYTES", 9_000)


def assert_same(found: Any, wanted: ad.AnnData, keys: list[str]) -> None:
    for key in keys:
        # What is learned from the cohort is added up block by block, so its last bits may differ; nothing else may.
        learned = key.removeprefix("score_") in COHORT
        gap: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-12} if learned else {"rtol": 0, "atol": 0}
        np.testing.assert_allclose(found[key].to_numpy(), wanted.obsm[key].to_numpy(), err_msg=key, **gap)
        assert list(found[key].columns) == list(wanted.obsm[key].columns)


@pytest.mark.filterwarnings("ignore::mtorscore.errors.CoverageWarning")
@pytest.mark.filterwarnings("ignore:Writing zarr v2")
@pytest.mark.parametrize(
    ("layout", "container", "compression"),
    [
        ("csr", "h5ad", None),
        ("csr", "h5ad", "gzip"),
        ("csc", "h5ad", "lzf"),
        ("dense", "h5ad", "gzip"),
        ("csr", "zarr", None),
        ("csc", "zarr", None),
        ("dense", "zarr", None),
    ],
)
def test_a_file_scores_like_memory(tmp_path: Path, layout: str, container: str, compression: Any) -> None:
    path = write(tmp_path, layout, container, compression)
    memory = tl.score(cells("dense" if layout == "dense" else "csr"), SETS, method=BLOCKWISE)
    found = tl.score(path, SETS, method=BLOCKWISE, memory="100MB")
    keys = [f"score_{m}" for m in BLOCKWISE]
    assert_same(found.obsm, memory, keys)
    assert found.X is None
    assert list(found.obs_names) == list(memory.obs_names)
    mine, theirs = found.uns["mtorscore"]["ucell"], memory.uns["mtorscore"]["ucell"]
    pd.testing.assert_frame_equal(mine["coverage"], theirs["coverage"])
    assert mine["universe_hash"] == theirs["universe_hash"]
    assert not list(tmp_path.glob(".mtorscore-rows-*"))


@pytest.mark.filterwarnings("ignore::mtorscore.errors.CoverageWarning")
def test_masks_pvalues_and_references_work_from_disk(tmp_path: Path) -> None:
    path = write(tmp_path, "csr", "h5ad")
    memory = tl.score(cells(), SETS, method=["ucell", "zscore"], mask_obs="kept")
    assert_same(tl.score(path, SETS, method=["ucell", "zscore"], mask_obs="kept").obsm, memory, ["score_zscore"])
    memory = tl.score(cells(), SETS, method="ulm", pvalues=True)
    assert_same(tl.score(path, SETS, method="ulm", pvalues=True).obsm, memory, ["pval_ulm", "padj_ulm"])
    scorer = SignatureScorer(signatures=SETS, method="gsva").fit(cells()[:40].copy())
    memory = tl.score(cells(), SETS, method="gsva", reference=scorer)
    assert_same(tl.score(path, SETS, method="gsva", reference=scorer).obsm, memory, ["score_gsva"])


@pytest.mark.filterwarnings("ignore::mtorscore.errors.CoverageWarning")
@pytest.mark.filterwarnings("ignore:Writing zarr v2")
@pytest.mark.parametrize("suffix", [".parquet", ".h5ad", ".zarr"])
def test_scores_go_to_a_file(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, "csr", "zarr" if suffix == ".zarr" else "h5ad")
    memory = tl.score(cells(), SETS, method=["ucell", "zscore"], mask_obs="kept")
    out = tl.score(path, SETS, method=["ucell", "zscore"], mask_obs="kept", out=tmp_path / f"scored{suffix}")
    keys = ["score_ucell", "score_zscore"]
    if suffix == ".parquet":
        assert 1 < pq.ParquetFile(out).num_row_groups < len(range(0, N_OBS, 50))
        tables, record = read_scores(out)
        kept = memory[memory.obs["kept"].to_numpy()]
        assert_same(tables, kept, keys)
        assert list(tables["score_ucell"].index) == list(kept.obs_names)
    else:
        copy = ad.read_h5ad(out) if suffix == ".h5ad" else ad.read_zarr(out)
        assert_same(copy.obsm, memory, keys)
        np.testing.assert_array_equal(copy.X.toarray(), memory.X.toarray())
        record = copy.uns["mtorscore"]
    assert record["ucell"]["signature_hash"] == memory.uns["mtorscore"]["ucell"]["signature_hash"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, f"scored{suffix}"])


@pytest.mark.filterwarnings("ignore::mtorscore.errors.CoverageWarning")
def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mtorscore.tl.streaming.checkpoints import Parts

    path, out = write(tmp_path, "csr", "h5ad"), tmp_path / "scores.parquet"
    write_block = Parts.write
    blocks: list[int] = []

    def failing(self: Parts, i: int, tables: Any) -> None:
        if len(blocks) == 3:
            raise KeyboardInterrupt
        blocks.append(i)
        write_block(self, i, tables)

    monkeypatch.setattr(Parts, "write", failing)
    with pytest.raises(KeyboardInterrupt):
        tl.score(path, SETS, method="zscore", out=out)
    assert not out.exists()
    monkeypatch.setattr(Parts, "write", write_block)
    with pytest.raises(DataError, match="differs in methods"):
        tl.score(path, SETS, method="ucell", out=out)
    monkeypatch.setattr("mtorscore.tl.engine.plan.learn", lambda *_: pytest.fail("learned again"))
    tl.score(path, SETS, method="zscore", out=out)
    monkeypatch.undo()
    assert_same(read_scores(out)[0], tl.score(cells(), SETS, method="zscore"), ["score_zscore"])


@pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")
@pytest.mark.parametrize("stop", ["in the first pass", "before the last pass"])
def test_what_need_not_learn_is_scored_while_others_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    from mtorscore.tl.engine.plan import learn
    from mtorscore.tl.streaming import score_file as module
    from mtorscore.tl.streaming.checkpoints import Parts

    path, out, whole = write(tmp_path, "csr", "h5ad"), tmp_path / "scores.parquet", tmp_path / "whole.parquet"
    options: dict[str, Any] = {"method": ["zscore", "ucell", "module_score", "singscore"], "pvalues": False}
    tl.score(path, SETS, out=whole, **options)
    assert list(read_scores(whole)[0]) == [f"score_{m}" for m in options["method"]]
    real_write, written, again = Parts.write, list[str](), list[str]()

    def write_some(self: Parts, i: int, tables: Any) -> None:
        if stop == "in the first pass" and len(written) == 3:
            raise KeyboardInterrupt
        written.append(self.path(i).name)
        real_write(self, i, tables)

    def learn_one(plan: Any, source: Any) -> None:
        learn(plan, source)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Parts, "write", write_some)
        patch.setattr(module, "learn", learn_one)
        with pytest.raises(KeyboardInterrupt):
            tl.score(path, SETS, out=out, **options)
    parts = tmp_path / "scores.parquet.parts"
    assert written[:3] == ["early-000000.npz", "early-000001.npz", "early-000002.npz"]
    assert {p.name for p in parts.glob("*.npz")} == set(written), "nothing was learned, and no other block scored"
    n_blocks = len(json.loads((parts / "run.json").read_text())["bounds"]) - 1
    assert len(written) == (3 if stop == "in the first pass" else n_blocks)

    def write_all(self: Parts, i: int, tables: Any) -> None:
        again.append(self.path(i).name)
        real_write(self, i, tables)

    with monkeypatch.context() as patch:
        patch.setattr(Parts, "write", write_all)
        tl.score(path, SETS, out=out, **options)
    assert not set(again) & set(written), "finished blocks are not scored again"
    assert len(again) == 2 * n_blocks - len(written)
    assert out.read_bytes() == whole.read_bytes()
    assert_same(read_scores(out)[0], tl.score(cells(), SETS, **options), [f"score_{m}" for m in options["method"]])


@pytest.mark.slow
def test_a_killed_run_resumes_bit_identically(tmp_path: Path) -> None:
    path, out = write(tmp_path, "csr", "h5ad", "gzip"), tmp_path / "scores.parquet"
    code = (
        "import sys, time, warnings; warnings.simplefilter('ignore')\n"
        "import mtorscore.tl.engine.source as s, mtorscore.tl.streaming.score_file as t\n"
        "from mtorscore import tl\n"
        "from mtorscore.tl.streaming.checkpoints import Parts\n"
        "s.TILE_BYTES = 40_000; t.block_bytes = lambda _: 40_000\n"
        "write = Parts.write\n"
        "def slow(self, i, tables):\n"
        "    write(self, i, tables); time.sleep(float(sys.argv[3]))\n"
        "Parts.write = slow\n"
        f"tl.score(sys.argv[1], {SETS!r}, method=['ucell', 'zscore'], out=sys.argv[2])\n"
    )
    run = [sys.executable, "-c", code, str(path), str(out)]
    child = subprocess.Popen([*run, "0.5"])
    parts = tmp_path / "scores.parquet.parts"
    deadline = time.monotonic() + 60
    while len(list(parts.glob("block-*.npz"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    done = {p.name: p.stat().st_mtime_ns for p in parts.glob("block-*.npz")}
    assert len(done) >= 4
    assert not out.exists()
    subprocess.run([*run, "0"], check=True)
    whole = [*run[:-1], str(tmp_path / "whole.parquet"), "0"]
    subprocess.run(whole, check=True)
    resumed, straight = read_scores(out)[0], read_scores(whole[-2])[0]
    for key in ("score_ucell", "score_zscore"):
        pd.testing.assert_frame_equal(resumed[key], straight[key], check_exact=True)
    with pytest.warns(match="less than half"):
        memory = tl.score(cells(), SETS, method=["ucell", "zscore"])
    assert_same(read_scores(out)[0], memory, ["score_ucell", "score_zscore"])
    assert not parts.exists()


def test_what_cannot_be_streamed_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "csr", "h5ad")
    sets = {"plain": SETS["plain"]}
    for method in HOLDING:
        with pytest.raises(MethodError, match=r"whole cohort in memory.*reference="):
            tl.score(path, sets, method=method)
    with pytest.raises(MethodError, match="many passes"):
        tl.score(path, sets, method="ssgsea", pvalues=True)
    with pytest.raises(DataError, match="must end in"):
        tl.score(path, sets, method="ucell", out=tmp_path / "scores.txt")
    with pytest.raises(DataError, match="being read"):
        tl.score(path, sets, method="ucell", out=path)
    with pytest.raises(DataError, match="amount of memory"):
        tl.score(path, sets, method="ucell", memory="lots")
    with pytest.raises(DataError, match="too little"):
        tl.score(path, sets, method="ucell", memory="1MB")
    with pytest.raises(FormatError, match="no such file"):
        tl.score(tmp_path / "none.h5ad", sets, method="ucell")
    with pytest.raises(FormatError, match="no layers/counts"):
        tl.score(path, sets, method="ucell", layer="counts")
    (tmp_path / "cut.h5ad").write_bytes(path.read_bytes()[:3000])
    with pytest.raises(FormatError, match="cut short"):
        tl.score(tmp_path / "cut.h5ad", sets, method="ucell")
    with pytest.raises(MethodError, match="scored in place"):
        tl.score(cells(), sets, method="ucell", out=tmp_path / "x.parquet")


def test_infinite_values_are_named_with_their_rows(tmp_path: Path) -> None:
    adata = cells("dense")
    adata.X[650, 3] = np.inf
    adata.write_h5ad(tmp_path / "x.h5ad")
    with pytest.raises(DataError, match=r"1 infinite value\(s\) among observations 6"):
        tl.score(tmp_path / "x.h5ad", {"plain": SETS["plain"]}, method="ucell")


def test_at_most_two_blocks_are_held(tmp_path: Path) -> None:
    file = open_file(write(tmp_path, "csr", "h5ad"), panel_bytes=40_000)
    source = StreamSource.over(file.matrix, None, block=None, most_bytes=40_000)
    read: list[int] = []
    plain = source._read
    source._read = lambda i: (read.append(i), plain(i))[1]  # type: ignore[method-assign, func-returns-value]
    for used, block in enumerate(source.blocks()):
        assert len(read) <= used + 2
        assert block.offset == source.bounds[used]
    assert read == list(range(source.bounds.size - 1))
    assert source.bounds.size > 5
    file.close()


@pytest.mark.parametrize(("most", "step"), [(10, 1), (25, 2), (1, 3), (1000, 4)])
def test_blocks_are_cut_by_entries_at_whole_tiles(most: int, step: int) -> None:
    sizes = np.array([3, 9, 0, 0, 14, 2, 2, 2, 30, 1, 1])
    pointer = np.concatenate([[0], np.cumsum(sizes)])
    edges = panel_edges(pointer, most, step)
    assert edges[0] == 0
    assert edges[-1] == sizes.size
    assert (np.diff(edges) > 0).all()
    for a, b in pairwise(edges):
        assert a % step == 0
        assert b - a <= step or pointer[b] - pointer[a] <= most


@pytest.mark.parametrize(("text", "size"), [("1GB", 10**9), ("512 MiB", 2**29), ("2g", 2 * 10**9), (3e8, 3 * 10**8)])
def test_memory_is_read_in_the_usual_ways(text: Any, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("out", [None, "scores.parquet"])
def test_progress_is_shown_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, out: str | None
) -> None:
    monkeypatch.setattr("mtorscore.tl.streaming.progress.EVERY", 0.0)
    target = None if out is None else tmp_path / out
    tl.score(write(tmp_path, "csr", "h5ad"), {"plain": SETS["plain"]}, method="zscore", progress=True, out=target)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"{N_OBS} cells" in shown.err
    assert "cells/s" in shown.err

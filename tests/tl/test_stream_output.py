"""Outputs of streaming: one writer at a time, and a resumed run over the same content only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mtorscore import tl
from mtorscore.errors import ConfigError, DataError
from mtorscore.tl.streaming import score_file as module
from mtorscore.tl.streaming.checkpoints import Parts, content_of, read_scores
from mtorscore.tl.streaming.output_lock import only_writer

SETS = {"a": [f"g{i}" for i in range(8)], "b": [f"g{i}" for i in range(5, 20)]}


@pytest.fixture(params=["h5ad", "zarr"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    x = sparse.random(300, 40, 0.3, "csr", dtype=np.float32, random_state=1)
    made = ad.AnnData(
        x, obs=pd.DataFrame(index=[f"c{i}" for i in range(300)]), var=pd.DataFrame(index=[f"g{i}" for i in range(40)])
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        getattr(made, f"write_{request.param}")(tmp_path / f"a.{request.param}")
    return tmp_path / f"a.{request.param}"


def overwrite_in_place(path: Path) -> None:
    """Change one value, and keep the size and times of the file or folder."""
    before = path.stat()
    if path.is_dir():
        import zarr

        zarr.open_group(str(path), mode="r+", use_consolidated=False)["X/data"][3] = 77.0
    else:
        import h5py

        with h5py.File(path, "r+") as file:
            file["X/data"][3] = 77.0
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def stopped(path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Score some blocks, then fail."""
    real = Parts.write
    done: list[int] = []

    def write(self: Parts, i: int, tables: Any) -> None:
        if len(done) == 2:
            raise OSError("no space")
        done.append(i)
        real(self, i, tables)

    with monkeypatch.context() as patched:
        patched.setattr(Parts, "write", write)
        patched.setattr(module, "block_bytes", lambda _: 5000)
        with pytest.raises(OSError, match="no space"):
            tl.score(path, SETS, method="ucell", out=out, block=20)
    assert done == [0, 1]


def test_a_run_is_not_resumed_over_changed_content(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.parquet"
    stopped(path, out, monkeypatch)
    overwrite_in_place(path)
    with pytest.raises(DataError, match="differs in content"):
        tl.score(path, SETS, method="ucell", out=out)
    tl.score(path, SETS, method="ucell", out=out, resume=False)
    truth: Any = tl.score(path, SETS, method="ucell")
    truth = truth.obsm["score_ucell"]
    np.testing.assert_array_equal(read_scores(out)[0]["score_ucell"].to_numpy(), truth.to_numpy())


def test_a_copy_goes_by_what_the_file_is(tmp_path: Path) -> None:
    import anndata as ad

    adata = ad.AnnData(np.ones((40, 60), dtype=np.float32) * np.arange(60, dtype=np.float32))
    adata.var_names = [f"G{i}" for i in range(60)]
    adata.write_h5ad(tmp_path / "a.h5")
    sets = {"A": ["G3", "G4", "G5"]}
    tl.score(tmp_path / "a.h5", sets, method="ucell", out=tmp_path / "b.h5ad")
    assert "score_ucell" in ad.read_h5ad(tmp_path / "b.h5ad").obsm
    with pytest.raises(DataError, match=r"so it must end in \.h5ad\."):
        tl.score(tmp_path / "a.h5", sets, method="ucell", out=tmp_path / "b.zarr")


def test_starting_again_deletes_nothing_but_blocks(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out.parquet.parts"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"holds what is none of them \(notes\.txt\); move it"):
        tl.score(path, SETS, method="ucell", out=tmp_path / "out.parquet", resume=False)
    assert (folder / "notes.txt").exists()


def test_a_run_is_resumed_over_the_same_content(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.parquet"
    stopped(path, out, monkeypatch)
    path.touch()
    tl.score(path, SETS, method="ucell", out=out)
    truth: Any = tl.score(path, SETS, method="ucell")
    truth = truth.obsm["score_ucell"]
    np.testing.assert_array_equal(read_scores(out)[0]["score_ucell"].to_numpy(), truth.to_numpy())
    assert not list(tmp_path.glob("*.parts"))


def test_a_file_that_changes_while_it_is_scored_is_no_result(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module._run_blocks

    def change(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        file = next(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else path
        os.utime(file, ns=(1, 1))

    monkeypatch.setattr(module, "_run_blocks", change)
    with pytest.raises(DataError, match="changed while"):
        tl.score(path, SETS, method="ucell", out=tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_a_second_run_with_the_same_output_is_refused(path: Path, tmp_path: Path) -> None:
    out = tmp_path / f"out{path.suffix}"
    with only_writer(out), pytest.raises(ConfigError, match=f"process {os.getpid()}.*another name"):
        tl.score(path, SETS, method="ucell", out=out)
    tl.score(path, SETS, method="ucell", out=out)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, out.name])


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    code = (
        "import os, sys; from pathlib import Path; from mtorscore.tl.streaming.output_lock import only_writer\n"
        "with only_writer(Path(sys.argv[1])): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(out)], check=False).returncode == 9
    assert (tmp_path / ".out.parquet.lock").exists()
    with only_writer(out):
        pass
    assert not list(tmp_path.iterdir())


def test_what_a_killed_zarr_writer_left_is_removed(path: Path, tmp_path: Path) -> None:
    if path.suffix != ".zarr":
        pytest.skip("h5ad is written by a temporary file")
    left = tmp_path / ".123-abc.tmp-out.zarr"
    shutil.copytree(path, left)
    tl.score(path, SETS, method="ucell", out=tmp_path / "out.zarr")
    tl.score(path, SETS, method="ucell", out=tmp_path / "out.zarr")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "out.zarr"]


def test_content_depends_on_names_and_bytes_only(path: Path) -> None:
    before = content_of(path)
    path.touch()
    assert content_of(path) == before
    overwrite_in_place(path)
    assert content_of(path) != before

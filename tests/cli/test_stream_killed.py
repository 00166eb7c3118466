"""`mtorscore score` on a file larger than memory, killed and called again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.test_stream_scores import write_atlas
from tests.tl.tenx_files import write_tenx

CODE = """
import sys, time, warnings
warnings.simplefilter("ignore")
import mtorscore.tl.engine.source as source, mtorscore.tl.streaming.score_file as streaming
from mtorscore.tl.streaming.checkpoints import Parts
source.TILE_BYTES = 40_000
streaming.block_bytes = lambda _: 20_000
write, pause = Parts.write, float(sys.argv.pop(1))
def slow(self, i, tables):
    write(self, i, tables)
    time.sleep(pause)
Parts.write = slow
from mtorscore import cli
cli.main(sys.argv[1:])
"""


def begin(pause: float, path: Path, out: Path) -> subprocess.Popen[str]:
    words = ["score", str(path), "--method", "ucell,zscore", "--out", str(out), "--threads", "1"]
    command = [sys.executable, "-c", CODE, str(pause), *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def stopped_at_half(path: Path, out: Path, parts: Path, how: signal.Signals) -> tuple[int, str]:
    """Start a run, stop it once some blocks are written, and return its exit status and what it said."""
    child = begin(0.3, path, out)
    deadline = time.monotonic() + 120
    while len(list(parts.glob("*-0*.npz"))) < 4 and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(child.pid, how)
    said = child.communicate()[1]
    return child.returncode, said


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["parquet", "tsv", "of a 10x folder.parquet"])
def test_a_killed_run_ends_with_the_same_bytes(tmp_path: Path, ending: str) -> None:
    path = write_tenx(tmp_path, "mtx") if "10x" in ending else write_atlas(tmp_path, "sparse", 800)
    out, whole = tmp_path / "there" / f"s.{ending}", tmp_path / "whole" / f"s.{ending}"
    for folder in (out.parent, whole.parent):
        folder.mkdir()
    parts = out.parent / (f"{out.name}.parts" if ending.endswith("parquet") else f".{out.name}.parquet.parts")
    assert stopped_at_half(path, out, parts, signal.SIGKILL)[0] == -signal.SIGKILL
    assert not out.exists()
    first = {p.name: p.stat().st_mtime_ns for p in parts.glob("*-0*.npz")}
    assert len(first) >= 4
    child = begin(0, path, out)
    said = child.communicate()[1]
    assert child.returncode == 0, said
    begin(0, path, whole).communicate()
    assert out.read_bytes() == whole.read_bytes()
    assert [p.name for p in out.parent.iterdir()] == [out.name]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sparse", "mtx"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_leaves_finished_blocks_and_nothing_else(
    tmp_path: Path, how: signal.Signals, kind: str
) -> None:
    path = write_tenx(tmp_path, kind) if kind == "mtx" else write_atlas(tmp_path, kind, 800)
    scores = tmp_path / "there"
    scores.mkdir()
    status, said = stopped_at_half(path, scores / "s.parquet", scores / "s.parquet.parts", how)
    assert status == 128 + how
    assert f"Finished blocks are kept in {scores / 's.parquet.parts'}; the same call goes on from there." in said
    assert [p.name for p in scores.iterdir()] == ["s.parquet.parts"]
    left = {p.name.partition("-")[0].partition(".")[0] for p in (scores / "s.parquet.parts").iterdir()}
    assert left <= {"early", "block", "learned", "run", "parts"}, left

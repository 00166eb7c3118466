"""Files are written whole or not at all, readable by whom the umask allows, with nothing left beside them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore._atomic import atomic, atomic_text, write_whole
from mtorscore.errors import ConfigError
from mtorscore.pipeline import write_table
from tests.conftest import ROOT


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_written_whole_under_its_name(tmp_path: Path) -> None:
    assert write_whole(tmp_path / "new" / "a.txt", "text\n").read_bytes() == b"text\n"
    with atomic_text(tmp_path / "b.txt.gz") as file:
        file.write("packed\n")
    with atomic_text(tmp_path / "c.txt.gz") as file:
        file.write("packed\n")
    assert (tmp_path / "b.txt.gz").read_bytes() == (tmp_path / "c.txt.gz").read_bytes()
    assert names(tmp_path) == ["b.txt.gz", "c.txt.gz", "new"]


def test_a_failure_keeps_the_old_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), atomic(tmp_path / "a.txt") as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_folders_and_forbidden_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        write_whole(tmp_path, "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_whole(tmp_path / "file" / "below.txt", "x")
    long = "n" * 200 + ".tsv"
    assert write_whole(tmp_path / long, "x").exists()


def test_writers_do_not_share_a_name(tmp_path: Path) -> None:
    def write(text: str) -> None:
        for _ in range(30):
            write_whole(tmp_path / "shared.txt", text * 1000)

    threads = [threading.Thread(target=write, args=(t,)) for t in "ab"]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert set((tmp_path / "shared.txt").read_text()) in ({"a"}, {"b"})
    assert names(tmp_path) == ["shared.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_the_umask_decides_who_may_read(tmp_path: Path, umask: int, mode: int) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 2)), columns=list("ab"), index=[f"p{i}" for i in range(60)])
    clinical = pd.DataFrame({"t": rng.exponential(9, 60), "e": rng.integers(0, 2, 60)}, index=table.index)
    genes = pd.DataFrame(rng.normal(size=(9, 5)), columns=[f"G{i}" for i in range(5)])
    before = os.umask(umask)
    try:
        written: list[Any] = [
            mt.SignatureScorer({"A": ["G1", "G2"]}, "zscore").fit(genes).reference_.save(tmp_path / "r.npz"),
            mt.prognosis.fit_model(table, clinical, mt.prognosis.Endpoint.survival("t", "e")).save(tmp_path / "m.zip"),
            write_table(table, tmp_path / "t.tsv"),
            mt.SignatureCollection([mt.Signature(id="A", up=("B",))]).write(tmp_path / "s.gmt"),
            mt.io.write_cls(["a", "b"], tmp_path / "c.cls"),
        ]
    finally:
        os.umask(before)
    assert {Path(p).name: oct(stat.S_IMODE(Path(p).stat().st_mode)) for p in written} == {
        n: oct(mode) for n in ("r.npz", "m.zip", "t.tsv", "s.gmt", "c.cls")
    }


TERMINATED = """
import sys, time
sys.path.insert(0, {root!r})
from mtorscore._atomic import atomic
with atomic({target!r}) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_the_process_is_ended(tmp_path: Path, number: int) -> None:
    code = TERMINATED.format(root=str(ROOT), target=str(tmp_path / "out.txt"))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(timeout=60) == -number
    assert names(tmp_path) == []

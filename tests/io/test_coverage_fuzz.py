"""Coverage-guided fuzzing of each group of readers for a bounded time; skipped where atheris has no wheel."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.io.fuzz.seeds import GROUPS

SECONDS = int(os.environ.get("MTORSCORE_FUZZ_SECONDS", "12"))


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed (no wheel here?)")
def test_readers_survive(group: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.io.fuzz.target", group, str(tmp_path / group), str(SECONDS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120 + 10 * SECONDS, check=False)
    findings = [f"{f.name}: {f.read_bytes()!r}" for f in tmp_path.glob(f"{group}-*-*")]
    assert not findings, done.stderr[-3000:]
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stderr.splitlines()[-1].removesuffix(" runs")) > 50


def test_every_reader_of_text_has_a_seed(tmp_path: Path) -> None:
    import mtorscore as mt
    from mtorscore.io.readers import BY_KIND

    kinds = set()
    for group, seeds in GROUPS.items():
        for name, text in seeds.items():
            path = tmp_path / f"{group}-{name}.txt"
            path.write_text(text)
            kinds.add(mt.io.describe(path).kind)
    binary = {"parquet", "feather", "archive", "excel", "h5ad", "zarr", "rdata", "loom", "10x-h5", "h5mu"}
    folders = {"10x-mtx", "per-sample", "geo-series", "cbioportal-study", "visium", "xenium", "spatialdata"}
    assert set(BY_KIND) - kinds == binary | folders

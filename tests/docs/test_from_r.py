"""The page on R: its code runs, and Bioconductor's GSVA gives the same numbers in the same session."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs/howto/from_r.md"


def has_gsva() -> bool:
    if shutil.which("Rscript") is None:
        return False
    asked = ["Rscript", "-e", 'quit(status = !requireNamespace("GSVA", quietly = TRUE))']
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_the_page_runs_and_agrees_with_gsva(tmp_path: Path) -> None:
    if not has_gsva():
        pytest.skip("R with Bioconductor's GSVA is not installed here")
    blocks = re.findall(r"```r\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 2
    (tmp_path / "page.R").write_text("\n".join(blocks), encoding="utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["Rscript", "page.R"],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = dict(re.findall(r"(\w+) +largest difference ([\d.e+-]+)", done.stdout))
    assert set(found) == {"ssgsea", "zscore", "plage", "gsva"}
    assert all(float(v) < 1e-9 for v in found.values()), found

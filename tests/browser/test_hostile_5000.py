"""A cohort of 5,000 samples whose every name and clinical value tries to break out of the page."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from mtorscore import report
from mtorscore.collection import library
from tests.browser.driver import Browser
from tests.report.runs import HOSTILE, write_record

pytestmark = pytest.mark.slow
N = 5000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    run = tmp_path_factory.mktemp("hostile5000") / "run"
    cohort = run / "evil"
    (cohort / "scores").mkdir(parents=True)
    (cohort / "relate").mkdir()
    names = [f"{HOSTILE[i % len(HOSTILE)]} {i}" for i in range(N)]
    values = np.array([f'{HOSTILE[i]} "{i}"' for i in range(6)])
    obs = pd.DataFrame(index=names)
    obs["patient"] = names
    obs["sample_type"] = np.where(np.arange(N) < 4500, "tumour", "normal")
    obs["stage"], obs["sex"] = values[rng.integers(0, 4, N)], values[rng.integers(0, 2, N)]
    obs["OS.time"] = np.where(np.arange(N) < 4500, np.ceil(rng.exponential(900, N)), np.nan)
    obs["OS"] = np.where(np.arange(N) < 4500, rng.integers(0, 2, N).astype(float), np.nan)
    adata = anndata.AnnData(np.zeros((N, 3), dtype=np.float32), obs=obs)
    adata.uns["source"] = {"kind": HOSTILE[0], "file": HOSTILE[3], "units": "counts"}
    adata.write_h5ad(cohort / "cohort.h5ad")
    scored = [s.id for s in library().signatures]
    for method in ("singscore", "ssgsea", "zscore"):
        table = pd.DataFrame(rng.normal(size=(N, len(scored))), index=names, columns=scored)
        table.rename_axis("observation").to_csv(cohort / "scores" / f"{method}.tsv", sep="\t", float_format="%.6g")
    exclusions = pd.DataFrame(dict.fromkeys(("sample", "patient", "rule", "reason"), HOSTILE * 100))
    exclusions.to_csv(cohort / "exclusions.tsv", sep="\t", index=False)
    write_record(run, ["evil"])
    return run


def test_renders_safely_and_quickly(folder: Path, browser: Browser) -> None:
    path = report.write(folder)
    assert path.stat().st_size < 12_000_000
    browser.console()
    browser.view(1280)
    browser.open(path)
    assert browser.js("return performance.getEntriesByType('navigation')[0].loadEventEnd") < 15000
    assert browser.js("return window.hacked") is None
    x, y = browser.centre("[data-view=heatmap] canvas")
    browser.mouse("mouseMoved", x, y)
    assert browser.wait("return !document.getElementById('tip').hidden")
    took = browser.js(
        "const t = performance.now(); change({signature: 'RIBI_CORE'}); paint(live[0]); return performance.now() - t;"
    )
    assert took < 5000
    assert browser.js("return window.hacked") is None
    assert browser.js("return document.documentElement.scrollWidth") <= 1280
    assert browser.console() == []

"""Errors of the first kind and power of `mt.tl.spatial` on simulated sections.

Usage: python -m benchmarks.space.calibration [TISSUES]
Writes benchmarks/space/calibration.tsv and docs/evidence/space.md. Each
case is measured in TISSUES sets of sections (400 by default), each with
scores of 25 signatures, and says how often p <= 0.05. `mc_error` is the Monte-Carlo standard error, by tissue.
"""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import anndata as ad
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

import mtorscore as mt
from mtorscore import __version__
from mtorscore.datasets._sections import autocorrelated, hexagonal
from mtorscore.tl.spatial.global_tests import ALL_SECTIONS

__all__ = ["CASES", "LEVEL", "PAGE", "TABLE", "measure", "page"]

Floats = npt.NDArray[np.float64]
TABLE = Path(__file__).parent / "calibration.tsv"
PAGE = Path(__file__).parents[2] / "docs" / "evidence" / "space.md"
LEVEL, COLUMNS, DRAWS = 0.05, 25, 199
_PAGE = """# Tissue sections: errors of the first kind and power

How often p is at most 0.05 on simulated sections, with scores of 25 signatures (of 2 in the case of single
observations) for each set of sections. Written by `{head}`; no figure is typed by hand. `mc_error` is the Monte-Carlo
standard error, by set of sections.

- *exchangeable*, *local*: skewed scores without a place, on sections of different levels. 5% should be found.
- *patches*: autocorrelated noise that follows no region. Regions compared over sections, as `tl.spatial.contrast` does,
  are called different in 5%; a t test on spots calls them different in most.
- *zonal*: scores that follow the lobule, and scores that follow a gradient too, at a median of 8,000 (deep) and 2,000
  counts (shallow). Once the axis is taken out, the zonal ones should be found in 5% and the gradient nearly always. An
  ordinary regression on the noisy coordinate leaves zonation behind where counts are few. Ours is conservative (below
  4% where counts are many): the residuals of a smooth fit are a little less alike than scores without a place.

Six pairs of regions have 64 arrangements, so that the permutation test of six sections cannot reject in more than 2 of
64 (3.1%) at 5%; the t test beside it can.

{table}

Moran's I, Geary's C, the local statistics and the graphs are those of squidpy 1.8.2 and esda 2.9 to 1e-6
(`tests/tl/spatial/test_peers.py`, which also runs against squidpy where it is installed). What the simulation does not
have: effects that bend more than a parabola along the axis, and landmarks that a tumour switches on.
"""
Found = Iterator[tuple[str, str, Floats]]


def _tissue(values: Floats, sections: int, side: int) -> ad.AnnData:
    """Scores on sections of a hexagonal grid, with its graph and two halves as regions."""
    xy = hexagonal(side)
    names = [f"o{i}" for i in range(len(values))]
    right = np.tile(xy[:, 0] > xy[:, 0].mean(), sections)
    obs = pd.DataFrame(
        {"section": np.repeat([f"S{i}" for i in range(sections)], len(xy)), "region": np.where(right, "right", "left")},
        index=names,
    )
    adata = ad.AnnData(np.zeros((len(values), 1)), obs=obs)
    adata.obsm["spatial"] = np.tile(xy, (sections, 1))
    adata.obsm["score_made"] = pd.DataFrame(values, index=names, columns=[f"N{i}" for i in range(values.shape[1])])
    return mt.tl.spatial.neighbours(adata, "grid", section_key="section")


def exchangeable(rng: np.random.Generator) -> Found:
    """Skewed scores without a place, three sections on levels of their own."""
    x = rng.gamma(1.5, size=(3 * 144, COLUMNS)) + np.repeat(rng.gamma(2, size=3), 144)[:, None]
    found = mt.tl.spatial.autocorrelation(_tissue(x, 3, 12), n_permutations=DRAWS, seed=int(rng.integers(1 << 31)))
    for name, part in found[found["section"] == ALL_SECTIONS].groupby("statistic"):
        yield str(name), "none", part["p"].to_numpy()
    one = found[(found["section"] == "S0") & (found["statistic"] == "moran")]
    yield "moran in one section", "none", one["p"].to_numpy()


def local(rng: np.random.Generator) -> Found:
    """Skewed scores without a place, tested at each observation."""
    x = rng.gamma(1.5, size=(144, 2))
    found = mt.tl.spatial.hotspots(_tissue(x, 1, 12), n_permutations=DRAWS, seed=int(rng.integers(1 << 31)))
    yield "local Moran and G*", "none", found["p"].to_numpy()


def patches(sections: int) -> Callable[[np.random.Generator], Found]:
    """Return the case of patches that follow no region, on so many sections."""

    def case(rng: np.random.Generator) -> Found:
        xy = hexagonal(14)
        kernel = [np.column_stack([autocorrelated(xy, 3.0, rng) for _ in range(COLUMNS)]) for _ in range(sections)]
        adata = _tissue(np.concatenate(kernel), sections, 14)
        found = mt.tl.spatial.contrast(
            adata, "region", treated="right", control="left", section_key="section", n_permutations=2000
        )
        yield f"contrast of regions, {sections} sections, t", "none", found["p_t"].to_numpy()
        yield f"contrast of regions, {sections} sections, permutation", "none", found["p"].to_numpy()
        x, right = adata.obsm["score_made"].to_numpy(), (adata.obs["region"] == "right").to_numpy()
        spots = stats.ttest_ind(x[right], x[~right], axis=0).pvalue
        yield f"t test on spots of {sections} sections (not ours)", "none", spots

    return case


def zonal(counts: float) -> Callable[[np.random.Generator], Found]:
    """Return the case of scores that follow the lobule, and of scores that also follow a gradient, at a depth."""

    def case(rng: np.random.Generator) -> Found:
        adata = mt.datasets.simulate_sections(
            4, side=18, n_genes=100, median_counts=counts, seed=int(rng.integers(1 << 31))
        )
        central = stats.zscore(adata.obs["central"].to_numpy())
        noise = rng.normal(size=(adata.n_obs, COLUMNS))
        across = stats.zscore(adata.obsm["spatial"][:, 0])[:, None]
        x = np.column_stack([central[:, None] + noise, central[:, None] + 0.3 * across + noise])
        names = [f"Z{i}" for i in range(COLUMNS)] + [f"G{i}" for i in range(COLUMNS)]
        adata.obsm["score_made"] = pd.DataFrame(x, index=adata.obs_names, columns=names)
        mt.tl.spatial.neighbours(adata, "grid", section_key="section")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", mt.errors.StatisticsWarning)
            mt.tl.spatial.zonation(adata)
        z = adata.obs["zonation"].to_numpy()
        slopes = (z @ (x - x.mean(axis=0))) / (z @ (z - z.mean()))
        adata.obsm["score_ordinary"] = pd.DataFrame(x - np.outer(z, slopes), index=adata.obs_names, columns=names)
        for label, words in (
            ("moran", {"method": "made"}),
            ("moran after zonation", {"method": "made", "zonation": "zonation"}),
            ("moran after ordinary regression (not ours)", {"method": "ordinary"}),
        ):
            found = mt.tl.spatial.autocorrelation(
                adata, statistic="moran", n_permutations=DRAWS, seed=int(rng.integers(1 << 31)), **words
            )
            whole = found[found["section"] == ALL_SECTIONS]
            for effect, first in (("zonal", "Z"), ("zonal and a gradient", "G")):
                yield label, effect, whole.loc[whole["signature"].str.startswith(first), "p"].to_numpy()

    return case


CASES: dict[str, Callable[[np.random.Generator], Found]] = {
    "exchangeable": exchangeable,
    "local": local,
    "patches, 6 sections": patches(6),
    "patches, 12 sections": patches(12),
    "zonal, deep": zonal(8000),
    "zonal, shallow": zonal(2000),
}


def measure(case: str, tissues: int, seed: int = 0) -> pd.DataFrame:
    """Return how often p is at most 0.05, per test and planted effect."""
    rng = np.random.default_rng([seed, list(CASES).index(case)])
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(tissues):
        for test, effect, p in CASES[case](rng):
            known = p[~np.isnan(p)]
            if known.size:
                rates.setdefault((test, effect), []).append(float((known <= LEVEL * (1 + 1e-9)).mean()))
    rows = []
    for (test, effect), found in rates.items():
        error = float(np.std(found, ddof=1) / np.sqrt(len(found))) if len(found) > 1 else np.nan
        row = {"case": case, "test": test, "planted": effect, "tissues": len(found)}
        rows.append(row | {"rate": float(np.mean(found)), "mc_error": error})
    return pd.DataFrame(rows)


def page(text: str) -> str:
    """Return the page of the manual that says what the table holds."""
    table = pd.read_csv(io.StringIO(text), sep="\t", comment="#", dtype=str).fillna("")
    rows = [" | ".join(row) for row in [table.columns, ["---"] * len(table.columns), *table.to_numpy()]]
    head = text.splitlines()[0].removeprefix("# ")
    return _PAGE.format(head=head, table="\n".join(f"| {r} |" for r in rows))


def main(tissues: int) -> None:
    """Measure every case and write the table."""
    found = pd.concat([measure(case, tissues) for case in CASES], ignore_index=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    head = f"# python -m benchmarks.space.calibration {tissues}; commit {commit.stdout.strip()}; {date.today()}; "
    TABLE.write_text(
        f"{head}mtorscore {__version__}\n" + found.to_csv(sep="\t", index=False, float_format="%.4g"), encoding="utf-8"
    )
    PAGE.write_text(page(TABLE.read_text(encoding="utf-8")), encoding="utf-8")
    print(found.to_string(index=False))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)

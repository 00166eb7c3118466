"""Coverage and width of the passport's intervals for the noise of counts, on thinned libraries whose truth is known.

Run as ``python -m benchmarks.passport.depth OUT.tsv [COUNTS.tsv.gz] [--repeats N]``. Cohorts: simulated ones of 60 and
30 libraries, and that of COUNTS. Each chosen library is left out of its cohort, thinned to a share of its depth, and
its score at full depth is compared with the interval that its thinned reads give. `width` is that of the interval over
the range that holds 95% of the scores of repeated thinnings. Verdict: coverage of 93% to 97% (as estimated) and a
median width of at most 1.3 pass.
"""

from __future__ import annotations

import argparse
import subprocess
import warnings
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mtorscore as mt
from mtorscore._atomic import write_whole
from mtorscore.collection import Signature, SignatureCollection, leads, library
from mtorscore.errors import MtorscoreWarning
from mtorscore.tl.analysis.count_depth import DepthCalibration, thin

SHARES = (0.1, 0.3, 0.6, 0.9)
METHODS = ("singscore", "ucell")
THINNINGS = 40
LIBRARIES = 10
LEVEL = 0.95


def signatures() -> SignatureCollection:
    """Return the leading signatures of the library."""
    every = library()
    return SignatureCollection([e for n in leads(every.names) if isinstance(e := every[n], Signature)])


def cohorts(counts: Path | None) -> Iterator[tuple[str, np.ndarray[Any, Any], list[str]]]:
    """Yield name, counts and genes of each cohort."""
    for seed, n in ((0, 60), (1, 30)):
        adata = mt.datasets.simulate_cohort(n_tumours=n, n_normals=0, seed=seed)
        yield f"simulated, {n} libraries", np.rint(np.asarray(adata.X, dtype=float)), list(map(str, adata.var_names))
    if counts is not None:
        adata = mt.read(counts)
        mt.pp.harmonise_genes(adata)
        x = adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X
        name = counts.name.split("_")[0]
        yield (
            f"{name}, {adata.n_obs} libraries",
            np.nan_to_num(np.asarray(x, dtype=float)),
            list(map(str, adata.var_names)),
        )


def rows(counts: Path | None, repeats: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield one row per cohort, method, share and signature."""
    chosen = signatures()
    for name, x, genes in cohorts(counts):
        present = SignatureCollection([s for s in chosen.signatures if set(s.genes) & set(genes)])
        for method in METHODS:
            for share in SHARES:
                random = np.random.default_rng([seed, int(share * 100)])
                print(f"{name}, {method}, {share}", flush=True)
                yield from _rows(name, x, genes, present, method, share, repeats, random)


def _rows(
    name: str,
    x: Any,
    genes: list[str],
    chosen: SignatureCollection,
    method: str,
    share: float,
    repeats: int,
    random: Any,
) -> Iterator[dict[str, Any]]:
    import anndata as ad

    var = pd.DataFrame(index=pd.Index(genes))

    def score(counts: Any) -> Any:
        adata = ad.AnnData(counts, var=var)
        mt.tl.score(adata, chosen, method=method)
        return adata.obsm[f"score_{method}"].to_numpy()

    covered, widths, shifts, left = [], [], [], []
    for i in np.linspace(0, len(x) - 1, min(len(x), LIBRARIES)).astype(int):
        calibration = DepthCalibration.learn(np.delete(x, i, axis=0), score, share, random)
        full = score(x[i : i + 1])[0]
        thinned = thin(np.repeat(x[i : i + 1], THINNINGS, axis=0), share, random)
        scores = score(thinned)
        spread = np.subtract(*np.quantile(scores, [0.975, 0.025], axis=0))
        for k in range(repeats):
            found = calibration.predict(thinned[k], score, LEVEL, random)
            covered.append((found.low <= full) & (full <= found.high))
            widths.append((found.high - found.low) / np.where(spread > 0, spread, np.nan))
            shifts.append(scores[k] - full)
            left.append(found.score - full)
    for k, signature in enumerate(chosen.names):
        yield {
            "cohort": name, "method": method, "share": share, "signature": signature, "n": len(covered),
            "covered": np.mean([c[k] for c in covered]), "width": np.nanmedian([w[k] for w in widths]),
            "bias_before": np.mean([s[k] for s in shifts]), "bias_after": np.mean([s[k] for s in left]),
        }  # fmt: skip


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return coverage and width per cohort, method and share, with the verdict."""
    found = table.groupby(["cohort", "method", "share"], sort=False, as_index=False).agg(
        n=("n", "sum"),
        covered=("covered", "mean"),
        least_covered=("covered", "min"),
        width=("width", "median"),
        bias_before=("bias_before", lambda v: np.abs(v).mean()),
        bias_after=("bias_after", lambda v: np.abs(v).mean()),
    )
    passes = found["covered"].between(0.93, 0.97) & (found["width"] <= 1.3)
    return found.assign(verdict=np.where(passes, "passes", "fails"))


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("counts", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=8)
    given = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MtorscoreWarning)
        table = summary(pd.DataFrame(rows(given.counts, given.repeats)))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    head = f"# python -m benchmarks.passport.depth --repeats {given.repeats}; commit {commit.strip()}; {date.today()}; "
    head += f"mtorscore {mt.__version__}\n"
    write_whole(given.out, head + table.to_csv(sep="\t", index=False, float_format="%.4g"))


if __name__ == "__main__":
    main()

"""Coverage and width of the passport's intervals for the noise of counts, on thinned libraries whose truth is known.

Run as ``python -m benchmarks.passport.depth OUT.tsv [COUNTS.tsv.gz] [--repeats N]``. Cohorts: simulated ones of 60, 30
and 15 libraries, and that of COUNTS. Each chosen library is left out of its cohort, thinned to a share of its depth,
and its score at full depth is compared with the interval that its thinned reads give. `width` is that of the interval
over the range that holds 95% of the scores of repeated thinnings. Verdict: coverage of 93% to 97% and a median width of
at most 1.3 pass, `covered_se` being the Monte-Carlo error of the coverage (over libraries).

A cohort is thinned and scored once for all chosen libraries, whose own rows are left out of the fit. Each finished cell
(cohort and share) is kept in ``OUT.tsv.cells.tsv``, and a run that was stopped goes on from there; each row of the
table names the commit at which it was computed.
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
from mtorscore.tl.analysis.count_depth import DepthCalibration, GeneRates, ThinnedCohort, thin, thin_cohort

ROOT = Path(__file__).parents[2]
TABLE, PAGE = Path(__file__).with_name("depth.tsv"), ROOT / "docs" / "evidence" / "passport.md"
SHARES = (0.1, 0.2, 0.4, 0.6, 0.9)
METHODS = ("singscore", "ucell")
SIMULATED = ((0, 60), (1, 30), (2, 15))
# Thinnings whose middle 95% is the width that an interval could have at best.
THINNINGS = 100
LIBRARIES = 30
LEVEL = 0.95


def signatures(genes: list[str]) -> SignatureCollection:
    """Return the leading signatures of the library that have a gene in the matrix."""
    every, known = library(), set(genes)
    found = [e for n in leads(every.names) if isinstance(e := every[n], Signature)]
    return SignatureCollection([s for s in found if set(s.genes) & known])


def cohorts(counts: Path | None) -> Iterator[tuple[str, np.ndarray[Any, Any], list[str]]]:
    """Yield name, counts and genes of each cohort."""
    if counts is not None:
        adata = mt.read(counts)
        mt.pp.harmonise_genes(adata)
        x = adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X
        name = f"{counts.name.split('_')[0]}, {adata.n_obs} libraries"
        yield name, np.nan_to_num(np.asarray(x, dtype=float)), list(map(str, adata.var_names))
    for seed, n in SIMULATED:
        adata = mt.datasets.simulate_cohort(n_tumours=n, n_normals=0, seed=seed)
        yield f"simulated, {n} libraries", np.rint(np.asarray(adata.X, dtype=float)), list(map(str, adata.var_names))


def cell(
    x: Any, genes: list[str], chosen: SignatureCollection, share: float, repeats: int, random: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Yield one row per method, signature and library, of one cohort at one share of its depth."""
    import anndata as ad

    var = pd.DataFrame(index=pd.Index(genes))

    def score(counts: Any) -> Any:
        adata = ad.AnnData(counts, var=var)
        mt.tl.score(adata, chosen, method=list(METHODS))
        return np.hstack([adata.obsm[f"score_{m}"].to_numpy() for m in METHODS])

    cohort = thin_cohort(x, score, share, random)
    for i in np.unique(np.linspace(0, len(x) - 1, min(len(x), LIBRARIES)).astype(int)):
        others = ThinnedCohort(*(np.delete(part, i, axis=1) for part in cohort))
        calibration = DepthCalibration.fit(share, GeneRates.of(np.rint(np.delete(x, i, axis=0))), others)
        full = score(x[i : i + 1])[0]
        thinned = thin(np.repeat(x[i : i + 1], THINNINGS, axis=0), share, random)
        scores = score(thinned)
        # The quantile that is right on average, whatever the distribution: the usual one is too narrow.
        low, high = np.quantile(scores, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=0, method="median_unbiased")
        spread = np.where(high > low, high - low, np.nan)
        found = [calibration.predict(thinned[k], score, LEVEL, random) for k in range(repeats)]
        covered = np.mean([(f.low <= full) & (full <= f.high) for f in found], axis=0)
        width = np.mean([f.high - f.low for f in found], axis=0) / spread
        after = np.mean([f.score for f in found], axis=0) - full
        before = scores.mean(axis=0) - full
        labels = [(m, n) for m in METHODS for n in chosen.names]
        for k, (method, signature) in enumerate(labels):
            yield {
                "method": method, "signature": signature, "library": i, "covered": covered[k], "width": width[k],
                "bias_before": before[k], "bias_after": after[k], "spread": spread[k],
            }  # fmt: skip


def cells(counts: Path | None, repeats: int, kept: Path, seed: int = 0) -> pd.DataFrame:
    """Return the rows of all cells; those that an earlier run left in `kept` are not computed again."""
    found = pd.read_csv(kept, sep="\t") if kept.exists() else pd.DataFrame()
    for number, (name, x, genes) in enumerate(cohorts(counts)):
        chosen = signatures(genes)
        for share in SHARES:
            if len(found) and (found["cohort"].eq(name) & found["share"].eq(share)).any():
                continue
            random = np.random.default_rng([seed, number, int(share * 100)])
            rows = pd.DataFrame(cell(x, genes, chosen, share, repeats, random))
            rows.insert(0, "cohort", name)
            rows.insert(1, "share", share)
            rows["commit"] = commit()
            found = pd.concat([found, rows], ignore_index=True)
            write_whole(kept, found.to_csv(sep="\t", index=False, float_format="%.6g"))
            print(
                f"{name}, {share}: {rows.groupby('method')[['covered', 'width']].mean().round(3).to_dict()}", flush=True
            )
    return found


def commit() -> str:
    """Return the commit that is checked out."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return coverage, width and bias per cohort, method and share, with the verdict.

    Bias is the root mean square, over signatures, of the mean error over libraries, as a share of the width of the
    range of thinnings.
    """
    rows = []
    for (cohort, method, share), part in table.groupby(["cohort", "method", "share"], sort=False):
        by_library = part.groupby("library")["covered"].mean()
        by_signature = part.groupby("signature")
        scale = by_signature["spread"].median()
        covered = by_library.mean()
        width = part["width"].median()
        rows.append(
            {
                "cohort": cohort,
                "method": method,
                "share": share,
                "n_libraries": len(by_library),
                "n_signatures": len(by_signature),
                "covered": covered,
                "covered_se": by_library.std(ddof=1) / np.sqrt(len(by_library)),
                "least_covered": by_signature["covered"].mean().min(),
                "width": width,
                **{
                    name: float(np.sqrt(np.nanmean((by_signature[name].mean() / scale) ** 2)))
                    for name in ("bias_before", "bias_after")
                },
                "commit": part["commit"].iloc[0],
                "verdict": "passes" if 0.93 <= covered <= 0.97 and width <= 1.3 else "fails",
            }
        )
    return pd.DataFrame(rows)


def page(table: pd.DataFrame) -> str:
    """Return the manual's page."""
    passed = int((table["verdict"] == "passes").sum())
    shown = table.rename(columns={"least_covered": "least, by signature", "n_libraries": "libraries"})
    columns = [c for c in shown if c != "n_signatures"]
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    for row in shown[columns].itertuples(index=False):
        lines.append(f"| {' | '.join(f'{v:.3g}' if isinstance(v, float) else str(v) for v in row)} |")
    return f"""# Intervals of the passport for the noise of counts

Written by `python -m benchmarks.passport.depth`; no figure is typed by hand. Libraries of a cohort are left out of it
one at a time, their reads are thinned to a share of the full depth, and the interval that `tl.passport` gives from the
thinned reads is held against the score at full depth, which is known. The scores are those of
{int(table["n_signatures"].max())} leading signatures of the library.

- `covered`: share of intervals of 95% that hold the score at full depth, with its Monte-Carlo error over libraries
  (`covered_se`) and the least among the signatures;
- `width`: median width of the interval over the range that holds 95% of the scores of {THINNINGS} thinnings of the same
  library: 1 would be the interval of a reader who knows what depth does to this library's score on average;
- `bias_before` and `bias_after`: error of the thinned score, and of the estimate of the full depth, averaged over
  libraries, as a share of that range (root mean square over signatures).

A row passes with a coverage of 93% to 97% and a width of at most 1.3. {passed} of {len(table)} pass.

{chr(10).join(lines)}

The full depth is drawn from the posterior of the counts, and the draws are calibrated on the cohort's other libraries
(see `mtorscore.tl.analysis.count_depth`). Ranks of genes that are hardly read tie at 0, which moves singscore: without
the correction (`bias_before`) the score of a thinned library would not be comparable with the cohort's. Below a tenth
of the full depth nothing was simulated, and the passport says that nothing can be said; so it does with fewer than ten
libraries. The noise of library preparation is not in these intervals. Each row names the commit at which it was
computed.
"""


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("counts", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=6)
    given = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MtorscoreWarning)
        rows = cells(given.counts, given.repeats, given.out.with_name(f"{given.out.name}.cells.tsv"))
    named = f" {given.counts.name}" if given.counts else ""
    head = f"# python -m benchmarks.passport.depth depth.tsv{named} --repeats {given.repeats}; commit {commit()}; "
    head += f"{date.today()}; mtorscore {mt.__version__}\n"
    write_whole(given.out, head + summary(rows).to_csv(sep="\t", index=False, float_format="%.4g"))
    if given.out.resolve() == TABLE:
        write_whole(PAGE, page(pd.read_csv(TABLE, sep="\t", comment="#")))


if __name__ == "__main__":
    main()

"""Learn the estimators, judge them on cohorts and studies left out, and write what was found.

Usage, from the repository's root: python -m benchmarks.readout.estimator_run --shared ../shared
Writes tables/estimator_*.tsv and docs/evidence/estimators.md; the procedure is `benchmarks.readout.estimator_plan`.
Then `benchmarks.readout.estimator_entries` writes the library's entries and the figure from these tables.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd

from benchmarks.readout import estimator_weights
from benchmarks.readout.estimator import DRUGS, Block, Fitted, blocks_of, learn
from benchmarks.readout.estimator_judge import (
    OWN,
    differences,
    in_cohorts,
    in_studies,
    left_out,
    pooled,
    pooled_studies,
)
from benchmarks.readout.estimator_plan import PLAN, TARGETS, Target
from mtorscore import __version__
from mtorscore.collection import library

__all__ = ["PAGE", "TABLES", "blocks_for", "explained", "judge", "page", "published", "verdict"]

TABLES = Path(__file__).parent / "tables"
KINDS = ("cohorts", "pooled", "differences", "studies", "pooled_studies", "weights", "arms")
"""Tables per estimator; with one more column, its name, they are on file."""
PAGE = Path(__file__).resolve().parents[2] / "docs" / "evidence" / "estimators.md"
AIM_RHO, AIM_AUROC, AIM_DRUGS, AIM_MORE = 0.35, 0.9, 0.85, 0.05
SOURCE = """
Sources: TCGA open-access tier (RNA-seq; RPPA by TCPA, MD Anderson, Li J et al., Nat Methods 2013;10:1046); LINCS L1000
consensus signatures (CC BY 4.0, dhimmel/lincs). Weights learned from open-access TCGA data are derived figures,
without data of any person; they are BSD-3-Clause like the rest of the library, with these sources named.
"""
LEAD = """
Nothing that was fixed beforehand beats what is published, in cohorts that it has not seen. The estimators are in the
library as the plan made them, experimental: `mt.library()` leaves them out, no composite, call or headline uses them.
`MTORC1_FOOTPRINT_LEARNED` is kept, experimental, as it was. Where a part of the ensemble does better than the
whole, that was seen after the fact: it is a lead for new cohorts, not a result.
"""
LEGEND = """
Diamonds with lines: all cohorts (left) or studies (right) with 95% intervals. Rings: single cohorts or studies. Grey
line: nothing is read; orange dashes: the aim. Dark blue: the estimator; light blue: its parts; grey: published sets.
"""
FIGURE = "../_static/estimators.svg"
LIMITS = """
`MTORC1_FOOTPRINT_LEARNED` was trained on these perturbations: its AUROC is of data that it has seen. Comparators
are weighted means of deviates; by singscore the tissue anchor has other numbers. Four studies of samples and
three rapalogs are few, and so are cohorts of 12 tumours. The penalty chosen was the least of the grid each time, so
that a wider grid would have been needed to say which is best.
"""


def blocks_for(of: Target, everything: Mapping[str, Mapping[str, Block]]) -> list[Block]:
    """Return the cohorts and studies of a target; rapalogs and drugs only where they count as inhibition."""
    studies = [b for n, b in everything[of.activity].items() if of.rapalogs or not n.startswith("rapamycin")]
    drugs = list(everything["drugs"].values()) if of.rapalogs else []
    return [*everything[of.axis].values(), *studies, *drugs]


def judge(
    blocks: list[Block], fitted: Mapping[str, Fitted], whole: Fitted, landmarks: frozenset[str]
) -> dict[str, pd.DataFrame]:
    """Return the tables of one target by name (`KINDS`)."""
    cohorts, studies = in_cohorts(blocks, fitted), in_studies(blocks, fitted)
    without = {b.name: fitted[b.name] for b in blocks if b.tumours}
    arms = whole.arms[whole.arms > 0].sort_values(ascending=False, kind="stable")
    return {
        "cohorts": cohorts, "pooled": pooled(cohorts), "differences": differences(blocks, fitted),
        "studies": studies, "pooled_studies": pooled_studies(studies),
        "weights": estimator_weights.of_fits(whole, without, landmarks),
        "arms": pd.DataFrame({"arm": arms.index, "coefficient": arms.to_numpy()}),
    }  # fmt: skip


def verdict(low: float, high: float, aim: float) -> str:
    """Return what an interval says of an aim."""
    return "met" if low >= aim else "missed" if high < aim else "not decided"


def explained(row: pd.Series) -> tuple[float, float, float]:
    """Return the share of the variance of the ranks that a correlation explains, in percent, with its interval.

    A bound on the wrong side of 0 explains nothing.
    """
    middle, low, high = (100 * max(float(row[k]), 0.0) ** 2 for k in ("rho", "low", "high"))
    return middle, low, high


def _rows(table: pd.DataFrame) -> list[str]:
    lines = ["| " + " | ".join(table.columns) + " |", "| --- " * table.shape[1] + "|"]
    for row in table.itertuples(index=False):
        cells = ["" if v != v else f"{v:.2f}" if isinstance(v, float) else str(v) for v in row]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _verdicts(of: Target, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    own = tables["pooled"].set_index("score").loc[OWN]
    auroc = tables["pooled_studies"].set_index("score").loc[OWN]
    share = explained(own)
    said = verdict(own["low"], own["high"], AIM_RHO)
    most = f"{share[0]:.0f}% of the variance of the rank of {of.axis} in an unseen cohort"
    lines = [
        f"- Correlation with {of.axis} in a cohort left out, aim {AIM_RHO}: {_interval(own, 'rho')}: **{said}**.",
        f"- It explains about {most} ({share[1]:.0f}% to {share[2]:.0f}%).",
    ]
    said = verdict(auroc["low"], auroc["high"], AIM_AUROC)
    held_out = f"{auroc['studies']:.0f} studies left out"
    lines.append(f"- AUROC in {held_out}, aim {AIM_AUROC}: {_interval(auroc, 'auroc')}: **{said}**.")
    for _, row in tables["differences"].iterrows():
        said = verdict(row["low"], row["high"], AIM_MORE)
        lines.append(f"- Less `{row['comparator']}`, aim {AIM_MORE}: {_interval(row, 'difference')}: **{said}**.")
    drugs = tables["studies"][(tables["studies"]["study"] == DRUGS) & (tables["studies"]["score"] == OWN)]
    for _, row in drugs.iterrows():
        said = verdict(row["low"], row["high"], AIM_DRUGS)
        lines.append(f"- Three rapalogs against other drugs, aim {AIM_DRUGS}: {_interval(row, 'auroc')}: **{said}**.")
    return lines


def _made_of(tables: Mapping[str, pd.DataFrame]) -> str:
    rows = tables["weights"]
    rows = rows[rows["without"] == estimator_weights.NOTHING]
    arms = ", ".join(f"`{r.arm}` {r.coefficient:.2f}" for r in tables["arms"].itertuples())
    landmarks = rows["landmark"].sum()
    return (
        f"- The entry holds {len(rows)} genes, {landmarks} of them among the 978 that L1000 measures: it needs no "
        f"variant for L1000. Arms with a coefficient: {arms or 'none'}."
    )


def _interval(row: pd.Series, column: str) -> str:
    return f"{row[column]:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def page(found: Mapping[str, Mapping[str, pd.DataFrame]], header: Mapping[str, str]) -> str:
    """Return docs/evidence/estimators.md."""
    lines = [
        "# Estimators of our own, judged where they had not looked", "",
        " ".join(LEAD.split()), "",
        f"![Correlations and AUROC of the estimators, their parts and published sets, left out]({FIGURE})", "",
        " ".join(LEGEND.split()), "",
        *(f"- {k}: {v}" for k, v in header.items()), "", "## Written down before anything was fitted", "",
        *(f"- {p}" for p in PLAN), "",
    ]  # fmt: skip
    for of in TARGETS:
        if of.entry not in found:
            lines += [f"## {of.entry}", "", "Not run.", ""]
            continue
        tables = found[of.entry]
        wide = tables["cohorts"].pivot(index="score", columns="cohort", values="rho").reset_index()
        lines += [
            f"## {of.entry}",
            "",
            *_verdicts(of, tables),
            _made_of(tables),
            "",
            f"Correlation with {of.axis}, cohort left out:",
            "",
        ]
        lines += [*_rows(wide), "", "Combined (random effects; by weights n - 3):", "", *_rows(tables["pooled"]), ""]
        lines += ["AUROC of active against inactive samples, study left out:", "", *_rows(tables["pooled_studies"]), ""]
        drugs = tables["studies"][tables["studies"]["study"] == DRUGS][["score", "auroc", "low", "high"]]
        if len(drugs):
            lines += ["Rapalogs against 1,167 other drugs (study left out):", "", *_rows(drugs), ""]
    lines += [" ".join(LIMITS.split()), "", " ".join(SOURCE.split()), ""]
    return "\n".join(lines)


def write(found: Mapping[str, Mapping[str, pd.DataFrame]]) -> None:
    """Write tables and page."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    header = {
        "command": "python -m benchmarks.readout.estimator_run --shared FOLDER", "commit": commit.stdout.strip(),
        "date": date.today().isoformat(), "mtorscore": __version__, "library": library().version,
    }  # fmt: skip
    text = "".join(f"# {k}: {v}\n" for k, v in header.items())
    for name in KINDS:
        table = pd.concat([t[name].assign(estimator=e) for e, t in found.items()])
        table.insert(0, "estimator", table.pop("estimator"))
        body = table.to_csv(
            sep="\t", index=False, float_format="%.4g" if name == "weights" else "%.4f", lineterminator="\n"
        )
        (TABLES / f"estimator_{name}.tsv").write_text(text + body, encoding="utf-8")
    # The page is made from the tables as written, so that it can be made again from them.
    PAGE.write_text(page(*published()), encoding="utf-8")


def published() -> tuple[dict[str, dict[str, pd.DataFrame]], dict[str, str]]:
    """Return the tables on file as `judge` gives them, by entry, and what their header says."""
    tables = {n: pd.read_csv(TABLES / f"estimator_{n}.tsv", sep="\t", comment="#") for n in KINDS}
    found = {
        of.entry: {n: t[t["estimator"] == of.entry].drop(columns="estimator") for n, t in tables.items()}
        for of in TARGETS
    }
    lines = (TABLES / "estimator_pooled.tsv").read_text(encoding="utf-8").splitlines()
    header = dict(line.removeprefix("# ").split(": ", 1) for line in lines if line.startswith("#"))
    return found, header


def main() -> None:
    """Learn, judge, write."""
    parser = argparse.ArgumentParser(description="Learn and judge the library's own estimators.")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with data/ and reference/")
    parser.add_argument("--page", action="store_true", help="only write the page again, from the tables on file")
    arguments = parser.parse_args()
    if arguments.page:
        PAGE.write_text(page(*published()), encoding="utf-8")
        return
    everything = blocks_of(arguments.shared)
    landmarks = frozenset(everything["drugs"][DRUGS].x.columns)
    found = {}
    for of in TARGETS:
        blocks = blocks_for(of, everything)
        found[of.entry] = judge(blocks, left_out(blocks, landmarks), learn(blocks, landmarks), landmarks)
    write(found)


if __name__ == "__main__":
    main()

"""Write signatures/evidence.tsv: what every entry was shown to read, by context.

Usage, from the repository's root: python -m benchmarks.readout.evidence

Reads tables/tissue_anchor.tsv (HCC, CCA, other tumours) and tables/results.tsv (cell lines); run after both. Nothing
was measured in hepatoblastoma. The grade that stands in the last column follows from the other columns by
`mtorscore.collection.grades.grade_of`, and is computed anew wherever it is used.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from scipy import stats

from benchmarks.readout import estimator_weights
from benchmarks.readout.anchor_plan import claim
from mtorscore._atomic import write_whole
from mtorscore._multiple_testing import adjust_p
from mtorscore.collection import CONFOUNDER, Entry, SignatureCollection, library
from mtorscore.collection.grades import COLUMNS, CONTEXTS, Evidence, as_table, evidence_file

TABLES = Path(__file__).parent / "tables"
COHORT_OF = {"HCC": "LIHC", "CCA": "CHOL", "other tumours": "other tumours"}
SOURCE_OF = {
    "HCC": "TCGA-LIHC, RPPA",
    "CCA": "TCGA-CHOL, RPPA",
    "HB": "nothing measured",
    "other tumours": "TCGA-STAD, UVM and DLBC, RPPA",
    "cell lines": "perturbation studies, benchmarks/readout",
}
LEFT_OUT = "; each cohort left out of the training"
# Studies of cells in culture; mouse muscle and mouse liver are shown on the page of readouts and grade nothing.
CELL_LINES = ("CRISPR", "MCF10A", "HMEC", "rapamycin proteome", "L1000")
HEADER = (
    "# What each entry was shown to read, by context. Written by `python -m benchmarks.readout.evidence`; the rule of "
    "the grades is mtorscore/collection/grades.py.\n"
)


def combined_by_study(results: pd.DataFrame) -> pd.DataFrame:
    """Return per signature the studies' deviates in the claimed direction, combined.

    The p values of a study's contrasts become normal deviates, positive where as claimed; their mean is the study's,
    since they share cells and controls. Studies are combined by Stouffer.

    Parameters
    ----------
    results
        As `benchmarks.readout.run` writes them.

    Returns
    -------
    pandas.DataFrame
        By signature: ``z``, ``studies`` and their ``names``.
    """
    claims = results[(results["expected"] != 0) & results["p"].notna()].copy()
    away = stats.norm.isf(claims["p"].clip(1e-300, 1) / 2)
    direction = claims["hedges_g"].map(lambda g: math.copysign(1.0, g)) * claims["expected"]
    means = claims.assign(z=away * direction).groupby(["signature", "study"], sort=False)["z"].mean()
    grouped = means.groupby("signature", sort=False)
    return pd.DataFrame(
        {
            "z": grouped.sum() / grouped.size() ** 0.5,
            "studies": grouped.size(),
            "names": grouped.apply(lambda z: ", ".join(z.index.get_level_values("study"))),
        }
    )


def in_tissue(entry: Entry, context: str, anchor: pd.DataFrame, learned: frozenset[str] = frozenset()) -> Evidence:
    """Return what the anchor says of an entry in a context; those in `learned` were tried where left out."""
    axis, direction = claim(entry)
    rows = anchor[(anchor["signature"] == entry.id) & (anchor["cohort"] == COHORT_OF[context])]
    rows = rows[rows["antibody"] == axis]
    if not direction or rows.empty or rows["rho"].isna().all():
        return untested(entry, context, axis, direction)
    row = rows.iloc[0]
    numbers = (float(row["rho"]), float(row["low"]), float(row["high"]))
    source = SOURCE_OF[context] + (LEFT_OUT if entry.id in learned else "")
    return Evidence(
        entry.id, entry.hash, context, axis, "rho", direction, *numbers, int(row["n"]), math.nan, source
    )  # fmt: skip


def in_cells(entry: Entry, combined: pd.DataFrame) -> Evidence:
    """Return what the perturbations of cell lines say of an entry."""
    if not entry.sign or entry.id not in combined.index:
        return untested(entry, "cell lines", "", entry.sign)
    row = combined.loc[entry.id]
    z, half = float(row["z"]) * entry.sign, float(stats.norm.ppf(0.975))
    return Evidence(
        entry.id, entry.hash, "cell lines", f"perturbations ({row['names']})", "z", entry.sign, z, z - half, z + half,
        int(row["studies"]), math.nan, SOURCE_OF["cell lines"],
    )  # fmt: skip


def untested(entry: Entry, context: str, measure: str, direction: int) -> Evidence:
    """Return the row of an entry that claims nothing there, or against which nothing was measured."""
    nothing = (math.nan, math.nan, math.nan)
    return Evidence(
        entry.id, entry.hash, context, measure, "rho", direction, *nothing, 0, math.nan, SOURCE_OF[context]
    )  # fmt: skip


def with_q(rows: list[Evidence]) -> Iterator[Evidence]:
    """Yield rows of one context with Benjamini and Hochberg's q over its claims."""
    from dataclasses import replace

    q = adjust_p([2 * stats.norm.sf(abs(e.deviate)) for e in rows])
    for one, value in zip(rows, q, strict=True):
        yield replace(one, q=float(value))


def build(collection: SignatureCollection, anchor: pd.DataFrame, results: pd.DataFrame) -> list[Evidence]:
    """Return the evidence of every entry that can be graded, one row per context.

    Parameters
    ----------
    collection
        The library with experimental entries.
    anchor, results
        Tables of the tissue anchor and of the perturbations.

    Returns
    -------
    list of Evidence
        By context, then in the library's order.
    """
    combined = combined_by_study(results[results["study"].isin(CELL_LINES)])
    learned = frozenset(estimator_weights.read()["estimator"])
    entries = [e for e in collection if e.kind in {"signature", "composite"}]
    entries = [e for e in entries if e.branch not in {CONFOUNDER, "context"}]
    out: list[Evidence] = []
    for context in CONTEXTS:
        if context in COHORT_OF:
            rows = [in_tissue(e, context, anchor, learned) for e in entries]
        elif context in SOURCE_OF and context != "cell lines":
            rows = [untested(e, context, claim(e)[0], claim(e)[1]) for e in entries]
        else:
            rows = [in_cells(e, combined) for e in entries]
        out += with_q(rows)
    return out


def text_of(rows: list[Evidence]) -> str:
    """Return the file's text."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(as_table(rows))
    return HEADER + buffer.getvalue()


def main() -> None:
    """Write the table."""
    anchor = pd.read_csv(TABLES / "tissue_anchor.tsv", sep="\t", comment="#")
    results = pd.read_csv(TABLES / "results.tsv", sep="\t")
    rows = build(library(experimental=True), anchor, results)
    write_whole(evidence_file(), text_of(rows))
    for context in CONTEXTS:
        grades = [r.grade for r in rows if r.context == context]
        print(context, {g: grades.count(g) for g in dict.fromkeys(grades)})


if __name__ == "__main__":
    main()

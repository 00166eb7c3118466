"""Write the library's entries of the estimators, and their figure, from the tables of their training.

Usage, from the repository's root: python -m benchmarks.readout.estimator_entries

Reads tables/estimator_*.tsv (`benchmarks.readout.estimator_run` writes them) and nothing else, so that the same tables
give the same files: signatures/<branch>/<ID>.yaml and docs/_static/estimators.svg.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.readout import estimator_weights
from benchmarks.readout.estimator import DRUGS
from benchmarks.readout.estimator_figures import draw
from benchmarks.readout.estimator_judge import OWN
from benchmarks.readout.estimator_plan import COMPARATORS, TARGETS, Target
from benchmarks.readout.estimator_run import PAGE, explained, published
from benchmarks.readout.run import LEARNED
from mtorscore._atomic import write_whole
from mtorscore.collection.library_files import library_folder, library_meta
from mtorscore.collection.yaml_text import dump

__all__ = ["FIGURE", "document", "file_of"]

FIGURE = PAGE.parents[1] / "_static" / "estimators.svg"
COHORTS = "five cohorts of TCGA (LIHC, CHOL, STAD, UVM, DLBC)"
LICENCE = "BSD-3-Clause for weights and selection; learned from open-access TCGA data (see LICENSES.md)"
EXPECTED: dict[str, dict[str, str]] = {
    "pS6": {"rapalog": "down", "active_site": "down", "tsc_loss": "up"},
    "pAKT": {"rapalog": "varies", "active_site": "down", "tsc_loss": "down"},
    "p4E-BP1": {"rapalog": "varies", "active_site": "down", "tsc_loss": "up"},
}
SEEDS: dict[str, list[str]] = {"pS6": ["S01"], "pAKT": ["S03"], "p4E-BP1": ["S05"]}
ADDED = "2.1.0"


@dataclass(frozen=True)
class _Judged:
    """What the tables say of one score."""

    rho: pd.Series
    auroc: pd.Series


def _judged(tables: Mapping[str, pd.DataFrame], score: str) -> _Judged:
    return _Judged(*(tables[n].set_index("score").loc[score] for n in ("pooled", "pooled_studies")))


def _numbers(row: pd.Series, column: str, text: str = "95% ") -> str:
    return f"{row[column]:.2f} ({text}{row['low']:.2f} to {row['high']:.2f})"


def _best(tables: Mapping[str, pd.DataFrame]) -> str:
    rows = tables["pooled"].set_index("score").loc[list(COMPARATORS)]
    name = str(rows["rho"].idxmax())
    return f"{name} has {_numbers(rows.loc[name], 'rho', '')} in the same tumours"


def caveat(of: Target, tables: Mapping[str, pd.DataFrame]) -> str:
    """Return what was measured where the procedure had not looked."""
    own = _judged(tables, OWN)
    share = explained(own.rho)
    drugs = tables["studies"]
    drugs = drugs[(drugs["study"] == DRUGS) & (drugs["score"] == OWN)]
    more = "".join(f", of rapalogs among other drugs {_numbers(row, 'auroc')}" for _, row in drugs.iterrows())
    return (
        f"Not shown to work: in cohorts left out its correlation with {of.axis} is {_numbers(own.rho, 'rho')}, "
        f"{own.rho['n']:.0f} tumours, so it explains about {share[0]:.0f}% ({share[1]:.0f}% to {share[2]:.0f}%) of the "
        f"variance of the rank of {of.axis} in an unseen cohort; {_best(tables)}. AUROC of active against inactive "
        f"samples in {own.auroc['studies']:.0f} studies left out is {_numbers(own.auroc, 'auroc')}{more}."
    )


def _remark(of: Target, rows: pd.DataFrame, arms: pd.DataFrame) -> str:
    used = ", ".join(arms["arm"])
    return (
        f"For method wmean on log values, compared within a cohort; higher is more {of.axis}. {len(rows)} genes, "
        f"{rows['landmark'].sum()} of them among the 978 measured by L1000. Arms with a weight: {used or 'none'}."
    )


def document(of: Target, tables: Mapping[str, pd.DataFrame]) -> dict[str, object]:
    """Return the library's file of an estimator.

    Parameters
    ----------
    of
        What it is to follow.
    tables
        As `benchmarks.readout.estimator_run.published` returns them for it.

    Returns
    -------
    dict
        The file's mapping; weights are those of the table.
    """
    rows = tables["weights"]
    rows = rows[rows["without"] == estimator_weights.NOTHING]
    weights = rows.set_index("gene")["weight"]
    genes = {
        direction: {"read": {g: float(abs(w)) for g, w in weights[np.sign(weights) == side].items()}}
        for direction, side in (("up", 1), ("down", -1))
    }
    learned = f"{LEARNED}readout/estimator_run.py on {of.axis} in {COHORTS} and on perturbation studies"
    return {
        "id": of.entry, "kind": "signature", "title": of.title, "branch": of.branch, "level": "transcriptional",
        "sign": 1, "experimental": True, "seeds": SEEDS[of.axis], **genes,
        "sources": [
            {"name": f"{learned} (docs/evidence/estimators.md)", "role": "list"},
            {"name": "RPPA: Li 2013 Nat Methods (TCPA, MD Anderson)", "role": "rationale", "doi": "10.1038/nmeth.2650"},
        ],
        "licence": LICENCE, "expected": EXPECTED[of.axis], "caveat": caveat(of, tables),
        "remark": _remark(of, rows, tables["arms"]), "added": ADDED,
    }  # fmt: skip


def file_of(of: Target) -> Path:
    """Return the file of an estimator's entry."""
    return library_folder() / of.branch / f"{of.entry}.yaml"


def main() -> None:
    """Write entries and figure."""
    found, _ = published()
    for of in TARGETS:
        write_whole(file_of(of), dump(document(of, found[of.entry])))
        print(file_of(of).name, "library", library_meta()["version"])
    draw(found, FIGURE)


if __name__ == "__main__":
    main()

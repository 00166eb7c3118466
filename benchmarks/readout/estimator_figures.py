"""Draw what the estimators and the published sets read, in cohorts and studies left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmarks.readout.estimator_judge import OWN, PARTS
from benchmarks.readout.estimator_plan import COMPARATORS, TARGETS, Target

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

AIM_RHO, AIM_AUROC = 0.35, 0.9
ORDER = (OWN, *PARTS, *COMPARATORS)
OURS, PART, PUBLISHED = "#0072B2", "#56B4E9", "#595959"


def _colour(score: str) -> str:
    return OURS if score == OWN else PART if score in PARTS else PUBLISHED


def _forest(axes: Axes, rows: pd.DataFrame, column: str, marks: Mapping[str, list[float]]) -> None:
    """Draw estimates with intervals, and single cohorts or studies as small rings."""
    for place, score in enumerate(ORDER):
        row = rows.loc[score]
        colour = _colour(score)
        axes.plot(
            marks.get(score, []), [place] * len(marks.get(score, [])), "o", ms=4, mfc="none", mec=colour, alpha=0.6
        )
        axes.plot([row["low"], row["high"]], [place, place], color=colour, lw=2)
        axes.plot([row[column]], [place], "D", ms=6, color=colour)
    axes.set_yticks(range(len(ORDER)))
    axes.set_ylim(len(ORDER) - 0.5, -0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _marks(table: pd.DataFrame, column: str) -> dict[str, list[float]]:
    return {str(name): list(part[column].dropna()) for name, part in table.groupby("score")}


def _row(of: Target, tables: Mapping[str, pd.DataFrame], left: Axes, right: Axes) -> None:
    samples = tables["studies"][tables["studies"]["study"] != "L1000"]
    by_study = samples.groupby(["score", "study"], as_index=False)["auroc"].mean()
    _forest(left, tables["pooled"].set_index("score"), "rho", _marks(tables["cohorts"], "rho"))
    _forest(right, tables["pooled_studies"].set_index("score"), "auroc", _marks(by_study, "auroc"))
    for axes, null, aim in ((left, 0.0, AIM_RHO), (right, 0.5, AIM_AUROC)):
        axes.axvline(null, color="#999999", lw=0.8)
        axes.axvline(aim, color="#D55E00", lw=1, ls="--")
    left.set_yticklabels([of.entry if s == OWN else s for s in ORDER], fontsize=8)
    right.set_yticklabels([])
    left.set_xlim(-0.85, 0.85)
    right.set_xlim(-0.03, 1.03)
    n, studies = int(tables["pooled"]["n"].iloc[0]), int(tables["pooled_studies"]["studies"].max())
    left.set_xlabel(f"Spearman's correlation with {of.axis}, {n} tumours of cohorts left out")
    right.set_xlabel(f"AUROC, active against inactive, {studies} studies left out")


def draw(found: Mapping[str, Mapping[str, pd.DataFrame]], path: Path) -> None:
    """Write the figure: one row per estimator, correlations on the left, perturbations on the right.

    Parameters
    ----------
    found
        As `benchmarks.readout.estimator_run.published` returns them.
    path
        The image file; its suffix says the format.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    # Text stays text, and ids do not change from one writing to the next.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "estimators"}):
        figure, axes = plt.subplots(len(TARGETS), 2, figsize=(11, 3.1 * len(TARGETS)), layout="constrained")
        for of, (left, right) in zip(TARGETS, axes, strict=True):
            _row(of, found[of.entry], left, right)
        kind = {"metadata": {"Date": None}} if path.suffix == ".svg" else {}
        saved: dict[str, Any] = {"dpi": 110, **kind}
        figure.savefig(path, **saved)
        plt.close(figure)

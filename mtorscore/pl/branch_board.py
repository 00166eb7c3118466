"""The board as a figure: one row a branch, whether it is up, how sure that is, and whether it matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.collection.grades import NONE, NOT_TESTED
from mtorscore.collection.library_files import reads_inversely
from mtorscore.errors import DataError
from mtorscore.pl import theme as st
from mtorscore.pl._tables import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MARKERS", "Branch", "board", "branches_of", "grade_words"]

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
"""One mark per scoring method, in the order of the board."""
MOST_SD, LEAST_RATIO, MOST_RATIO = 4.0, 0.4, 2.5
"""Ends of the axes; what lies beyond is drawn as an arrow at the end."""


@dataclass(frozen=True)
class Branch:
    """One branch of a cohort over all methods, as the board draws it.

    Attributes
    ----------
    branch, title, signature, grade, level
        Which, and what it was shown to read in this tissue.
    rows
        Its rows of the board, one per method.
    shift
        ``"up"``, ``"down"``, ``"not shown"``, ``"methods disagree"`` or "" where nothing is compared: up or down where
        every method's interval excludes 0 and its q is small (where the table has ``shift_shown``).
    holds, readable
        Under every method: whether the effect holds, whether the score may be read.
    reason
        Why it may not be read.
    """

    branch: str
    title: str
    signature: str
    grade: str
    level: str
    rows: list[dict[str, Any]]
    shift: str
    holds: bool
    readable: bool
    reason: str

    @property
    def inverse(self) -> bool:
        """Whether the score falls with the activity of the branch."""
        sign = self.rows[0].get("sign") if self.rows else None
        return sign is not None and np.isfinite(sign) and reads_inversely(self.branch, float(sign))

    @property
    def active(self) -> tuple[float, float] | None:
        """Smallest and largest share of active tumours over the methods; None where no call is allowed."""
        found = [r["active"] for r in self.rows if np.isfinite(r["active"])]
        return (min(found), max(found)) if found and self.readable else None


def branches_of(table: pd.DataFrame) -> list[Branch]:
    """Return the branches of one cohort's board, in its order."""
    out = []
    for _, part in table.groupby(["branch", "signature"], sort=False):
        rows = [{str(k): v for k, v in r.items()} for r in part.to_dict(orient="records")]
        first = rows[0]
        out.append(
            Branch(
                branch=str(first["branch"]),
                title=str(first["title"]),
                signature=str(first["signature"]),
                grade=str(first["grade"]),
                level=str(first["level_of_evidence"]),
                rows=rows,
                shift=_direction(rows),
                holds=all(bool(r["holds"]) for r in rows),
                readable=all(bool(r["readable"]) for r in rows),
                reason=next((str(r["reason"]) for r in rows if r["reason"]), ""),
            )
        )
    return out


def _direction(rows: list[dict[str, Any]]) -> str:
    """Say up or down where every method does, by its interval and q; that methods disagree where signs differ."""
    known = [r for r in rows if np.isfinite(r["shift"])]
    if not known:
        return ""
    signs = {np.sign(r["shift"]) for r in known}
    if len(signs - {0.0}) > 1:
        return "methods disagree"
    if not all(bool(r.get("shift_shown", True)) for r in known):
        return "not shown"
    if all(r["shift_low"] > 0 for r in known):
        return "up"
    return "down" if all(r["shift_high"] < 0 for r in known) else "not shown"


def board(
    table: pd.DataFrame,
    *,
    cohort: str | None = None,
    width: float = st.DOUBLE,
    title: str = "",
) -> Figure:
    """Draw the board of one cohort.

    Parameters
    ----------
    table
        As `mtorscore.report.board` returns it: one row per cohort, branch and scoring method.
    cohort
        Which cohort, where the table holds several.
    width
        Millimetres.
    title
        Above the figure; the cohort by default.

    Returns
    -------
    matplotlib.figure.Figure
        A row per branch: shift (one mark per method, grey where signs differ), share of active tumours where a call is
        allowed, effect on the endpoint, beside which controls it holds, and the evidence in tumours of this kind.

    Raises
    ------
    DataError
        If columns are missing, or the table holds no row or several cohorts and none is named.
    """
    need(table, ["cohort", "branch", "title", "signature", "method", "shift", "hr", "readable", "holds", "beside"])
    names = list(dict.fromkeys(table["cohort"]))
    if cohort is None and len(names) != 1:
        raise DataError(f"The board holds {len(names)} cohorts; name one by cohort=.")
    chosen = cohort if cohort is not None else names[0]
    branches = branches_of(table[table["cohort"] == chosen])
    if not branches:
        raise DataError(f"The board has no row of {chosen!r}.")
    methods = list(dict.fromkeys(table["method"]))
    with st.page(width, 26 + 6.2 * len(branches), title or str(chosen)) as fig:
        axes = fig.subplots(1, 5, sharey=True, gridspec_kw={"width_ratios": [3.0, 1.6, 2.2, 1.1, 2.6]})
        _shifts(axes[0], branches, methods)
        _shares(axes[1], branches)
        _effects(axes[2], branches, methods)
        _controls(axes[3], branches)
        _evidence(axes[4], branches)
        st.rows(axes[0], [st.shorten(b.title, 34) for b in branches])
        for ax in axes[1:]:
            ax.spines["left"].set_visible(False)
            ax.tick_params(axis="y", length=0, labelleft=False)
        _legend(fig, methods)
    return fig


def colour_of(branch: Branch, value: float) -> str:
    """Return red for up, blue for down, grey where it may not be read or methods disagree."""
    if not branch.readable or branch.shift in ("methods disagree", "not shown", ""):
        return st.GREY
    return st.VERMILLION if value > 0 else st.BLUE


def _shifts(ax: Axes, branches: Sequence[Branch], methods: Sequence[str]) -> None:
    for i, branch in enumerate(branches):
        for row in branch.rows:
            k = methods.index(row["method"])
            y = i + 0.16 * (k - (len(methods) - 1) / 2)
            colour = colour_of(branch, row["shift"])
            _mark(
                ax, y, (row["shift"], row["shift_low"], row["shift_high"]), (-MOST_SD, MOST_SD), MARKERS[k % 8], colour
            )
    ax.axvline(0, color=st.INK, linewidth=0.6)
    ax.set_xlim(-MOST_SD, MOST_SD)
    compared = next((r["compared"] for b in branches for r in b.rows if r["compared"]), "")
    ax.set_xlabel(st.wrap(compared, 28) if compared else "nothing to compare with")


def _mark(
    ax: Axes, y: float, values: tuple[float, float, float], ends: tuple[float, float], marker: str, colour: str
) -> None:
    """Draw an estimate and its interval; beyond the axis an arrow stands at its end."""
    value, low, high = values
    if not np.isfinite(value):
        return
    if np.isfinite(low) and np.isfinite(high):
        ax.plot(np.clip([low, high], *ends), [y, y], color=colour, linewidth=0.8)
    beyond = value < ends[0] or value > ends[1]
    shape = ("<" if value < ends[0] else ">") if beyond else marker
    ax.plot([float(np.clip(value, *ends))], [y], marker=shape, color=colour, markersize=3.2, linewidth=0, clip_on=False)


def _shares(ax: Axes, branches: Sequence[Branch]) -> None:
    for i, branch in enumerate(branches):
        share = branch.active
        if share is None:
            ax.text(0.0, i, "no call", va="center", fontsize=5.5, color=st.GREY)
            continue
        ax.plot([100 * s for s in share], [i, i], color=st.INK, linewidth=2.2, solid_capstyle="round")
    ax.set_xlim(0, 100)
    ax.set_xlabel("% active\n(methods)")


def _effects(ax: Axes, branches: Sequence[Branch], methods: Sequence[str]) -> None:
    known = [r for b in branches for r in b.rows if np.isfinite(_number(r["hr"]))]
    if not known:
        ax.set_axis_off()
        ax.text(0.5, 0.5, "no outcome", transform=ax.transAxes, ha="center", fontsize=6, color=st.GREY)
        return
    for i, branch in enumerate(branches):
        for row in branch.rows:
            k = methods.index(row["method"])
            y = i + 0.16 * (k - (len(methods) - 1) / 2)
            colour = st.INK if branch.holds and branch.readable else st.GREY
            value, low, high = (_log(row[c]) for c in ("hr", "hr_low", "hr_high"))
            ends = (np.log(LEAST_RATIO), np.log(MOST_RATIO))
            _mark(ax, y, (value, low, high), ends, MARKERS[k % 8], colour)
    ax.axvline(0, color=st.INK, linewidth=0.6)
    ax.set_xlim(np.log(LEAST_RATIO), np.log(MOST_RATIO))
    ticks = [0.5, 1.0, 2.0]
    ax.set_xticks(np.log(ticks), [f"{t:g}" for t in ticks])
    first = known[0]
    ax.set_xlabel(f"HR per SD, {first['endpoint']}\n({int(_number(first['events']))} events)")


def _controls(ax: Axes, branches: Sequence[Branch]) -> None:
    """Write how many negative controls the association holds beside, under every method."""
    for i, branch in enumerate(branches):
        marks = controls_of(branch)
        if not marks:
            continue
        held = sum(v == "yes" for v in marks.values())
        ax.text(0.02, i, f"{held} of {len(marks)}", va="center", fontsize=6, color=st.INK if branch.holds else st.GREY)
    ax.set_xlim(0, 1)
    ax.set_xticks([])
    ax.set_xlabel("holds beside\n(controls)")


def controls_of(branch: Branch) -> dict[str, str]:
    """Return control -> yes, no or cannot be said, under every method."""
    found: dict[str, list[str]] = {}
    for row in branch.rows:
        for part in filter(None, str(row["beside"] or "").split("; ")):
            name, _, word = part.partition(": ")
            found.setdefault(name, []).append(word)
    return {
        name: "yes" if set(words) == {"yes"} else "no" if "no" in words else "cannot be said"
        for name, words in found.items()
    }


def grade_words(grade: str) -> str:
    """Return what a signature was shown to read in a tissue: ``none shown``, as ``none`` alone could be no evidence."""
    return {"": NOT_TESTED, NONE: "none shown"}.get(grade, grade)


def _evidence(ax: Axes, branches: Sequence[Branch]) -> None:
    for i, branch in enumerate(branches):
        text = grade_words(branch.grade) if branch.readable else st.shorten(branch.reason, 36)
        ax.text(0.02, i, text, va="center", fontsize=5.5, color=st.INK if branch.readable else st.GREY)
    ax.set_xlim(0, 1)
    ax.set_xticks([])
    ax.set_xlabel("evidence in tumours\nof this kind")


def _legend(fig: Figure, methods: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker=MARKERS[k % 8], color=st.INK, linewidth=0, markersize=3.2, label=m)
        for k, m in enumerate(methods)
    ]
    fig.legend(handles=marks, loc="outside lower left", ncols=min(6, len(marks)), fontsize=6)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _log(value: Any) -> float:
    return float(np.log(_number(value))) if _number(value) > 0 else float("nan")

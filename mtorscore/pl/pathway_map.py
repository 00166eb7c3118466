"""The pathway as a figure: nodes coloured by what a board says of their branches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtorscore.collection.library_files import library_meta
from mtorscore.errors import DataError
from mtorscore.pl import theme as st
from mtorscore.pl._tables import need
from mtorscore.pl.branch_board import Branch, branches_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["EDGES", "HEIGHT", "NODES", "WIDTH", "Node", "pathway", "value_of"]


@dataclass(frozen=True)
class Node:
    """One node of the map: name, branch of the library ("" for none), and the place of its middle."""

    name: str
    branch: str
    x: float
    y: float


_MAP = library_meta()["map"]
WIDTH, HEIGHT = float(_MAP["width"]), float(_MAP["height"])
"""Size of the drawing, in the units of the places."""
NODES: dict[str, Node] = {
    branch: Node(str(node["name"]), branch, float(node["x"]), float(node["y"]))
    for branch, node in _MAP["nodes"].items()
}
# From, to, whether it activates.
EDGES: tuple[tuple[str, str, bool], ...] = tuple(
    (start, end, activates)
    for activates, kind in ((True, "activates"), (False, "inhibits"))
    for start, end in _MAP[kind]
)
HALF_WIDTH, HALF_HEIGHT = 49.0, 15.0


def value_of(branch: Branch, colour: str = "shift") -> float:
    """Return what a branch is coloured by: the median over the methods of its shift, or of its log hazard ratio.

    NaN where it may not be read, where methods disagree in sign, or where there is nothing.
    """
    if not branch.readable or (colour == "shift" and branch.shift == "methods disagree"):
        return float("nan")
    values = [r["shift"] if colour == "shift" else r["hr"] for r in branch.rows]
    known = np.array([v for v in (float("nan") if v is None else float(v) for v in values) if np.isfinite(v)])
    if not known.size:
        return float("nan")
    if colour == "shift":
        return float(np.median(known))
    logs = np.log(known)
    return float("nan") if len(set(np.sign(logs)) - {0.0}) > 1 else float(np.median(logs))


def pathway(
    table: pd.DataFrame,
    *,
    cohort: str | None = None,
    colour: str = "shift",
    values: Mapping[str, float] | None = None,
    ax: Axes | None = None,
    width: float = st.ONE_AND_A_HALF,
    height: float = 92.0,
    title: str = "",
) -> Figure:
    """Draw the pathway with its branches coloured.

    Parameters
    ----------
    table
        As `mtorscore.report.board` returns it.
    cohort
        Which cohort, where the table holds several.
    colour
        ``"shift"`` (against the reference group, in SD) or ``"effect"`` (log hazard ratio per SD).
    values
        Branch -> number to colour by instead, such as one sample's place in the cohort in SD.
    ax
        Axes of a figure of your own.
    width, height
        Millimetres.
    title
        Above the figure; the cohort by default.

    Returns
    -------
    matplotlib.figure.Figure
        Readouts have a full frame, proxies (controlled at translation) and components a dashed one; grey nodes have no
        readout here, may not be read, or are scored with different signs by different methods.

    Raises
    ------
    DataError
        If columns are missing, there is no such cohort, or `colour` is unknown.
    """
    need(table, ["cohort", "branch", "shift", "hr", "readable", "level_of_evidence"])
    if colour not in ("shift", "effect"):
        raise DataError(f'colour={colour!r} is not "shift" or "effect".')
    names = list(dict.fromkeys(table["cohort"]))
    if cohort is None and len(names) != 1:
        raise DataError(f"The board holds {len(names)} cohorts; name one by cohort=.")
    chosen = cohort if cohort is not None else names[0]
    found = {b.branch: b for b in branches_of(table[table["cohort"] == chosen])}
    with st.canvas(ax, width, height) as (fig, axes):
        axes.set_axis_off()
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(HEIGHT, 0)
        scale = st.diverging()
        for start, end, activates in EDGES:
            _edge(axes, NODES[start], NODES[end], activates)
        for node in NODES.values():
            branch = found.get(node.branch)
            value = float("nan") if branch is None else value_of(branch, colour)
            if values is not None:
                value = float(values.get(node.branch, float("nan")))
            # The ends of the scale are left out: dark text must stay readable on every node.
            fill = scale(0.5 + np.clip(value, -3, 3) / 9) if np.isfinite(value) else "#E4E6E9"
            _node(axes, node, branch, value, fill)
        axes.set_title(title or str(chosen))
    return fig


def _edge(ax: Axes, start: Node, end: Node, activates: bool) -> None:
    (x0, y0), (x1, y1) = border(start, end), border(end, start)
    style = "-|>" if activates else "|-|,widthA=0,widthB=0.6"
    arrow = {"arrowstyle": style, "color": st.GREY, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 1, "mutation_scale": 6}
    ax.annotate("", (x1, y1), (x0, y0), arrowprops=arrow)


def border(node: Node, towards: Node) -> tuple[float, float]:
    """Return where the line between the middles of two nodes leaves the first."""
    dx, dy = towards.x - node.x, towards.y - node.y
    scale = min(HALF_WIDTH / abs(dx) if dx else np.inf, HALF_HEIGHT / abs(dy) if dy else np.inf)
    return node.x + dx * scale, node.y + dy * scale


def _node(ax: Axes, node: Node, branch: Branch | None, value: float, fill: object) -> None:
    from matplotlib.patches import FancyBboxPatch

    dashed = branch is None or branch.level != "transcriptional"
    ax.add_patch(
        FancyBboxPatch(
            (node.x - HALF_WIDTH, node.y - HALF_HEIGHT),
            2 * HALF_WIDTH,
            2 * HALF_HEIGHT,
            boxstyle="round,pad=0,rounding_size=4",
            facecolor=fill,
            edgecolor=st.INK if branch else st.GREY,
            linewidth=0.6,
            linestyle="--" if dashed else "-",
        )
    )
    ax.text(node.x, node.y - 3, node.name, ha="center", va="center", fontsize=5.8, color=st.ON_LIGHT)
    ax.text(node.x, node.y + 8, node_words(branch, value), ha="center", va="center", fontsize=4.8, color=st.ON_LIGHT)


def node_words(branch: Branch | None, value: float) -> str:
    """Return the second line of a node."""
    if branch is None:
        return "no readout"
    if np.isfinite(value):
        return st.signed(value, 1)
    if not branch.readable:
        return "cannot be read"
    return branch.shift or "no value"

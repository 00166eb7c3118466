"""The pathway as a figure: nodes coloured by what a board says of their branches."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.collection.library_files import library_meta
from mtorscore.errors import DataError
from mtorscore.io.alterations.declared import declared_genes
from mtorscore.pl import theme as st
from mtorscore.pl._tables import need
from mtorscore.pl.branch_board import Branch, branches_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "EDGES", "HEIGHT", "NODES", "WIDTH", "Altered", "Node", "altered_of", "altered_words",
    "lines_of", "pathway", "sure_of", "value_of",
]  # fmt: skip


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
HALF_WIDTH, HALF_HEIGHT = 42.0, 22.0
LETTERS = 10
"""Of one line of a node's name."""
SIGNS = {"gain": "\N{BLACK UP-POINTING TRIANGLE}", "loss": "\N{BLACK DOWN-POINTING TRIANGLE}"}


@dataclass(frozen=True)
class Altered:
    """A gene that is altered in some tumours: what counts, its share of the tumours where it is known, their n."""

    gene: str
    effect: str
    share: float
    n: int

    @property
    def words(self) -> str:
        """The mark: gain points up, loss down."""
        return f"{SIGNS.get(self.effect, '')}{self.gene} {100 * self.share:.0f}%"


def altered_of(shares: pd.DataFrame | None) -> dict[str, list[Altered]]:
    """Return node -> its altered genes, the commonest first; "" holds the genes that act beside the pathway.

    Parameters
    ----------
    shares
        As `mtorscore.prognosis.alteration_shares` returns it; None or empty where no alteration is known.
    """
    out: dict[str, list[Altered]] = {}
    if shares is None or not len(shares):
        return out
    rows = shares[(shares["what"] == "gene") & (shares["altered"] > 0)].sort_values("share", ascending=False)
    for row in rows.to_dict(orient="records"):
        declared = declared_genes().get(str(row["name"]))
        mark = Altered(str(row["name"]), str(row["effect"]), float(row["share"]), int(row["n"]))
        out.setdefault(declared.node if declared else "", []).append(mark)
    return out


def altered_words(found: Sequence[Altered], most: int = 2) -> str:
    """Return the marks of a node: a few genes, and how many more."""
    more = f" +{len(found) - most}" if len(found) > most else ""
    return " ".join(a.words for a in found[:most]) + more


def lines_of(name: str) -> list[str]:
    """Return a node's name on one line or two."""
    return textwrap.wrap(name, LETTERS)


def value_of(branch: Branch, colour: str = "shift") -> float:
    """Return what a branch is coloured by: the median over the methods of its shift, or of its log hazard ratio.

    NaN where it may not be read, where methods disagree in sign, where a ratio is not valid, or where there is nothing.
    """
    if not branch.readable or (colour == "shift" and branch.shift == "methods disagree"):
        return float("nan")
    if colour == "effect" and not _valid(branch):
        return float("nan")
    values = [r["shift"] if colour == "shift" else r["hr"] for r in branch.rows]
    known = np.array([v for v in (float("nan") if v is None else float(v) for v in values) if np.isfinite(v)])
    if not known.size:
        return float("nan")
    if colour == "shift":
        return float(np.median(known))
    logs = np.log(known)
    return float("nan") if len(set(np.sign(logs)) - {0.0}) > 1 else float(np.median(logs))


def _valid(branch: Branch) -> bool:
    return all(str(r.get("valid", True)).lower() in ("true", "1", "1.0", "nan", "none") for r in branch.rows)


def sure_of(branch: Branch, colour: str = "shift") -> bool:
    """Whether what a branch is coloured by is shown under every method: its shift, or that its effect holds."""
    return branch.readable and (branch.shift in ("up", "down") if colour == "shift" else branch.holds)


def pathway(
    table: pd.DataFrame,
    *,
    cohort: str | None = None,
    colour: str = "shift",
    values: Mapping[str, float] | None = None,
    alterations: pd.DataFrame | None = None,
    ax: Axes | None = None,
    width: float = st.ONE_AND_A_HALF,
    height: float = 122.0,
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
    alterations
        Shares of altered tumours (`mtorscore.prognosis.alteration_shares`): genes stand below their node with the
        share, behind a triangle that points up for gain of function and down for loss.
    ax
        Axes of a figure of your own.
    width, height
        Millimetres.
    title
        Above the figure; the cohort by default.

    Returns
    -------
    matplotlib.figure.Figure
        Readouts have a full frame, proxies (controlled at translation) and components a dashed one; thick frames are
        shown under every method; grey nodes have no readout here, may not be read, or are scored with different signs
        by different methods.

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
    altered = altered_of(alterations)
    with st.canvas(ax, width, height) as (fig, axes):
        axes.set_axis_off()
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(HEIGHT, 0)
        for start, end, activates in EDGES:
            _edge(axes, NODES[start], NODES[end], activates)
        for node in NODES.values():
            branch = found.get(node.branch)
            value = float("nan") if branch is None else value_of(branch, colour)
            if values is not None:
                value = float(values.get(node.branch, float("nan")))
            sure = values is None and branch is not None and sure_of(branch, colour)
            _node(axes, node, branch, _fill(value, values is None and colour == "effect"), sure)
            words = node_words(branch, value, "shift" if values is not None else colour)
            _text(axes, node, words, altered_words(altered.get(node.branch, [])))
        if altered.get(""):
            beside = f"beside the pathway: {altered_words(altered[''], 4)}"
            axes.text(WIDTH, HEIGHT, beside, ha="right", va="top", fontsize=5.5, color=st.INK)
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


def _fill(value: float, effect: bool) -> object:
    """Return a node's colour; a logarithm of a ratio of 1 is as strong as a shift of 3 SD."""
    if not np.isfinite(value):
        return "#E4E6E9"
    # The ends of the scale are left out: dark text must stay readable on every node.
    return st.diverging()(0.5 + np.clip(3 * value if effect else value, -3, 3) / 9)


def _node(ax: Axes, node: Node, branch: Branch | None, fill: object, sure: bool) -> None:
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
            linewidth=1.5 if sure else 0.6,
            linestyle="--" if dashed else "-",
        )
    )


def _text(ax: Axes, node: Node, words: str, altered: str) -> None:
    """Write a node's name, its value, and below it the genes that are altered."""
    lines = lines_of(node.name)
    common: dict[str, Any] = {"ha": "center", "va": "center", "color": st.ON_LIGHT}
    for k, line in enumerate(lines):
        ax.text(node.x, node.y - 5 * len(lines) + 11 * k, line, fontsize=6.5, **common)
    ax.text(node.x, node.y + 12, words, fontsize=5.5, **common)
    if altered:
        ax.text(
            node.x - HALF_WIDTH, node.y + HALF_HEIGHT + 9, altered, ha="left", va="center", fontsize=5, color=st.INK
        )


def node_words(branch: Branch | None, value: float, colour: str = "shift") -> str:
    """Return the last line of a node: its shift in SD, or its hazard ratio, or why there is neither.

    ``inverse`` where the score falls with the branch's activity.
    """
    if branch is None:
        return "no readout"
    if np.isfinite(value):
        words = f"HR {np.exp(value):.2f}" if colour == "effect" else f"{st.signed(value, 1)} SD"
        return f"inverse {words}" if branch.inverse else words
    if not branch.readable:
        return "cannot be read"
    if colour == "effect" and not _valid(branch):
        return "not valid"
    if colour == "effect":
        known = any(np.isfinite(float("nan") if r["hr"] is None else float(r["hr"])) for r in branch.rows)
        return "methods disagree" if known else "no value"
    return branch.shift or "no value"

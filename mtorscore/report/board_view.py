"""The board and the map as parts of the page: places of marks, words, and what a screen reader hears."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mtorscore.collection import CONFOUNDER
from mtorscore.collection.grades import OPPOSED
from mtorscore.pl.branch_board import Branch, controls_of, grade_words
from mtorscore.pl.pathway_map import (
    EDGES,
    HALF_HEIGHT,
    HALF_WIDTH,
    HEIGHT,
    NODES,
    WIDTH,
    Altered,
    Node,
    altered_of,
    altered_words,
    border,
    lines_of,
    node_words,
    sure_of,
    value_of,
)  # fmt: skip
from mtorscore.report.quotes import folded, overview

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["board_view", "map_view", "overview_view"]

SPAN, RATIO = 4.0, 3.0
"""Ends of the axes: SD, and the hazard ratio and its inverse; what lies beyond is drawn as an arrow at the end."""
X, MIDDLE = 200.0, 100.0
SHAPES = ("circle", "square", "diamond", "triangle")
WORDS = {"up": "up", "down": "down", "not shown": "not shown", "methods disagree": "methods disagree", "": ""}


def board_view(branches: Sequence[Branch], methods: Sequence[str]) -> dict[str, Any]:
    """Return what the template draws of one cohort's board.

    Parameters
    ----------
    branches
        As `mtorscore.pl.branch_board.branches_of` returns them.
    methods
        Scoring methods, in their order.

    Returns
    -------
    dict
        ``rows``, whether there is anything compared, called or related to an outcome, and the axes' words.
    """
    rows = [_row(b, methods) for b in branches]
    seen: dict[str, int] = {}
    for row in rows:
        seen[row["branch"]] = seen.get(row["branch"], 0) + 1
        # Several signatures of a user stand in one branch; ids are unique all the same.
        row["key"] = row["branch"] if seen[row["branch"]] == 1 else f"{row['branch']}-{seen[row['branch']]}"
    first: dict[str, Any] = next((r for b in branches for r in b.rows if math.isfinite(_float(r["hr"]))), {})
    return {
        "rows": rows,
        "methods": [{"name": m, "shape": SHAPES[k % len(SHAPES)]} for k, m in enumerate(methods)],
        "compared": next((r["compared"] for b in branches for r in b.rows if r["compared"]), ""),
        "called": any(r["active"] or r["not_called"] for r in rows),
        "no_call": _no_call(rows),
        "controls": ", ".join(dict.fromkeys(n for b in branches for n in map(_spoken, controls_of(b)))),
        "stands": [(r["title"], r["signature"]) for r in rows if r["title"] != r["signature"]],
        "outcome": f"{first['endpoint']}, {_float(first['events']):.0f} events" if first else "",
    }


def _row(branch: Branch, methods: Sequence[str]) -> dict[str, Any]:
    tint = "muted" if not branch.readable or branch.shift not in ("up", "down") else branch.shift
    share = branch.active
    controls = controls_of(branch)
    return {
        "branch": branch.branch,
        "title": branch.title,
        "signature": branch.signature,
        "grade": grade_words(branch.grade),
        "readable": branch.readable,
        "reason": branch.reason,
        "holds": branch.holds and branch.readable,
        "shift": WORDS[branch.shift],
        "tint": tint,
        "shifts": [_mark(r, ("shift", "shift_low", "shift_high"), methods, SPAN, log=False) for r in branch.rows],
        "effects": [_mark(r, ("hr", "hr_low", "hr_high"), methods, math.log(RATIO), log=True) for r in branch.rows],
        "shift_range": _range([r["shift"] for r in branch.rows], "+.1f"),
        "effect_range": _range([r["hr"] for r in branch.rows], ".2f"),
        "effect_note": _effect_note(branch),
        "effect_short": _effect_short(branch),
        "active": _share(share) if share else "",
        "active_within": _widest(branch) if share else "",
        "bar": (share[0] * X, max((share[1] - share[0]) * X, 3)) if share else None,
        "not_called": _not_called(branch),
        "controls": _controls(controls),
        "coverage": _percent(branch.rows[0].get("coverage")),
        "short": _unread(branch),
    }


def _range(values: Sequence[Any], form: str) -> str:
    """Return the least and the largest of the methods' values."""
    known = [_float(v) for v in values if math.isfinite(_float(v))]
    if not known:
        return ""
    low, high = (format(v, form) for v in (min(known), max(known)))
    return low if low == high else f"{low} to {high}"


def _widest(branch: Branch) -> str:
    """Return the widest interval of the share of active tumours over the methods."""
    ends = [(_float(r.get("active_low")), _float(r.get("active_high"))) for r in branch.rows]
    known = [(low, high) for low, high in ends if math.isfinite(low) and math.isfinite(high)]
    if not known:
        return ""
    return f"{100 * min(low for low, _ in known):.0f} to {100 * max(high for _, high in known):.0f}"


def _not_called(branch: Branch) -> str:
    """Say why no share of active tumours is given."""
    why = next((str(r["not_called"]) for r in branch.rows if r.get("not_called")), "")
    # Of a confounder the reason is the caveat of every call, which says nothing of this one.
    return "a confounder has no direction with mTOR activity" if why and branch.branch == CONFOUNDER else why


def _no_call(rows: Sequence[dict[str, Any]]) -> str:
    """Return the reason why no branch at all is called, where it is one; a phone has no hover."""
    reasons = {r["not_called"] for r in rows if r["readable"] and r["branch"] != CONFOUNDER}
    return reasons.pop() if len(reasons) == 1 else ""


def _spoken(control: str) -> str:
    return control.replace("_", " ").lower()


def _unread(branch: Branch) -> str:
    """Say in two or three words why a row may not be read."""
    if branch.readable:
        return ""
    return "evidence against" if OPPOSED in branch.reason else "genes missing"


def overview_view(boards: Sequence[tuple[str, Sequence[Branch]]], across: pd.DataFrame, methods: Sequence[str]) -> Any:
    """Return what the template draws of several cohorts: their shifts on one scale, and the combined effect.

    Parameters
    ----------
    boards
        Cohort and its branches.
    across
        The meta-analysis; its first endpoint is drawn.
    methods
        Scoring methods, in their order.

    Returns
    -------
    dict
        ``cohorts``, ``rows``, ``methods`` and the words of the combined effect.
    """
    endpoint = str(across["endpoint"].iloc[0]) if len(across) else ""
    pooled = across[across["endpoint"].astype(str) == endpoint] if endpoint else across
    rows = []
    for row in overview(boards):
        cells = [_row(b, methods) if b else None for b in row["cells"]]
        found = pooled[pooled["signature"] == row["signature"]].to_dict(orient="records") if endpoint else []
        marks = [_mark(r, ("hr", "hr_low", "hr_high"), methods, math.log(RATIO), log=True) for r in found]
        beyond = [r for r in found if r["hr_low"] > 1 or r["hr_high"] < 1]
        sure = bool(found) and len(beyond) == len(found) and len({r["hr"] > 1 for r in found}) == 1
        rows.append(row | {"cells": cells, "pooled": marks, "sure": sure})
    return {
        "cohorts": [{"name": name, "compared": _compared(b), "events": _events(b)} for name, b in boards],
        "rows": rows, "pooled": endpoint,
        "called": any(c and (c["active"] or c["not_called"]) for r in rows for c in r["cells"]),
        "methods": [{"name": m, "shape": SHAPES[k % len(SHAPES)]} for k, m in enumerate(methods)],
    }  # fmt: skip


def _compared(branches: Sequence[Branch]) -> str:
    return next((str(r["compared"]) for b in branches for r in b.rows if r["compared"]), "nothing to compare with")


def _events(branches: Sequence[Branch]) -> str:
    first = next((r for b in branches for r in b.rows if math.isfinite(_float(r["hr"]))), None)
    return f"{first['endpoint']}: {_float(first['events']):.0f} events" if first else "no outcome"


def _controls(controls: Mapping[str, str]) -> dict[str, str]:
    """Return beside how many controls an association holds, beside which it does not, and all of them in words."""
    if not controls:
        return {"count": "", "lost": "", "every": ""}
    names = {k: _spoken(k) for k in controls}
    lost = [names[k] for k, v in controls.items() if v == "no"]
    return {
        "count": f"{sum(v == 'yes' for v in controls.values())} of {len(controls)}",
        "lost": f"not: {', '.join(lost)}" if 0 < len(lost) <= 2 else "",
        "every": "; ".join(f"{names[k]}: {v}" for k, v in controls.items()),
    }


def _mark(row: dict[str, Any], names: tuple[str, str, str], methods: Sequence[str], span: float, *, log: bool) -> Any:
    """Return the places of an estimate and its interval on an axis of 200 units; None where there is none."""
    value, low, high = (_float(row.get(n)) for n in names)
    if log:
        value, low, high = (math.log(v) if v > 0 else math.nan for v in (value, low, high))
    if not math.isfinite(value):
        return None
    k = list(methods).index(row["method"])
    shown = f"{math.exp(value) if log else value:.2f}"
    ends = ("", "") if not math.isfinite(low) else tuple(f"{math.exp(v) if log else v:.2f}" for v in (low, high))
    text = f"{row['method']} {shown}" + (f" ({ends[0]} to {ends[1]})" if ends[0] else "")
    return {
        "x": _place(value, span), "low": _place(low, span) if ends[0] else None,
        "high": _place(high, span) if ends[0] else None, "beyond": -1 if value < -span else 1 if value > span else 0,
        "shape": SHAPES[k % len(SHAPES)], "y": 8 + 10 * k, "text": text,
    }  # fmt: skip


def _place(value: float, span: float) -> float:
    return round(MIDDLE + MIDDLE * min(max(value, -span), span) / span, 1)


def _effect_note(branch: Branch) -> str:
    """Say why a ratio may not be read, or that it changes over time."""
    for row in branch.rows:
        if row.get("valid_reason"):
            return str(row["valid_reason"])
    if any(math.isfinite(_float(r["hr"])) and r.get("proportional") is False for r in branch.rows):
        return "the ratio changes over time"
    return ""


def _effect_short(branch: Branch) -> str:
    if any(r.get("valid_reason") for r in branch.rows):
        return "not to be trusted"
    return "changes over time" if _effect_note(branch) else ""


def _share(share: tuple[float, float]) -> str:
    low, high = (f"{100 * s:.0f}" for s in share)
    return f"{low}%" if low == high else f"{low} to {high}%"


def _percent(value: Any) -> str:
    return f"{_float(value):.0%}" if math.isfinite(_float(value)) else ""


MAP_NOTES = {
    "shift": "red up, blue down; thick frame: every method shows it.",
    "effect": "red: a higher score goes with a worse outcome, blue: with a better one; thick frame: holds beside the "
    "controls that a claim needs.",
}


def map_view(branches: Sequence[Branch], number: int, shares: pd.DataFrame | None = None) -> dict[str, Any]:
    """Return what the template draws of the map, in each way that it may be coloured.

    Parameters
    ----------
    branches
        Of one cohort.
    number
        Of the cohort on the page: nodes lead to the rows of its board, or to why a branch has none.
    shares
        Of altered tumours, where alterations were given.

    Returns
    -------
    dict
        Size, edges, nodes, ``ways`` (``"shift"`` and ``"effect"``, as far as there are any; the first is drawn) with
        what the colours mean, and ``beside``, the altered genes that act beside the pathway.
    """
    found = {b.branch: b for b in branches}
    ways = _ways(branches)
    altered = altered_of(shares)
    elsewhere = f"#unread-{number}" if folded(branches) else f"#board-{number}"
    nodes = [
        _map_node(node, found.get(node.branch), list(ways), altered.get(node.branch, []))
        | {"href": f"#branch-{number}-{node.branch}" if node.branch in found else elsewhere}
        for node in NODES.values()
    ]
    size = {"width": WIDTH, "height": HEIGHT, "node_width": 2 * HALF_WIDTH, "node_height": 2 * HALF_HEIGHT}
    beside = ", ".join(a.words for a in altered.get("", []))
    return size | {"edges": _edges(), "nodes": nodes, "ways": ways, "beside": beside, "altered": bool(altered)}


def _ways(branches: Sequence[Branch]) -> dict[str, str]:
    """Return what the map may be coloured by, and what its colours then mean; the shift where there is nothing."""
    compared = next((str(r["compared"]) for b in branches for r in b.rows if r["compared"]), "")
    related = next((r for b in branches for r in b.rows if math.isfinite(_float(r["hr"]))), None)
    out = {}
    turned = "; inverse: the score falls with the branch's activity" if any(b.inverse for b in branches) else ""
    if compared:
        out["shift"] = f"Shift: {compared}, median of the methods; {MAP_NOTES['shift']}{turned}"
    if related:
        events = f"{_float(related['events']):.0f} events"
        said = f"{related['endpoint']}, {events}, hazard ratio per SD, median of the methods"
        out["effect"] = f"Effect: {said}; {MAP_NOTES['effect']}{turned}"
    return out or {"shift": "No shift is known here."}


def _edges() -> list[dict[str, Any]]:
    out = []
    for start, end, activates in EDGES:
        (x0, y0), (x1, y1) = border(NODES[start], NODES[end]), border(NODES[end], NODES[start])
        out.append({"x0": round(x0, 1), "y0": round(y0, 1), "x1": round(x1, 1), "y1": round(y1, 1), "on": activates})
    return out


def _map_node(node: Node, branch: Branch | None, ways: Sequence[str], altered: Sequence[Altered]) -> dict[str, Any]:
    """Return one node: its place and name, and of each way to colour it fill, words and frame."""
    looks = {}
    for way in ways:
        value = value_of(branch, way) if branch else math.nan
        words = node_words(branch, value, way).replace("\N{MINUS SIGN}", "-")
        kind, strength = _fill(value if way == "shift" else 3 * value)
        looks[way] = {"kind": kind, "strength": strength, "words": words, "sure": bool(branch and sure_of(branch, way))}
    marks = "; ".join(
        f"{a.gene} {'lost' if a.effect == 'loss' else 'altered'} in {a.share:.0%} of {a.n} tumours" for a in altered
    )
    return {
        "name": node.name, "lines": lines_of(node.name), "x": node.x - HALF_WIDTH, "y": node.y - HALF_HEIGHT,
        "mx": node.x, "my": node.y, "looks": looks, "dashed": branch is None or branch.level != "transcriptional",
        "signature": branch.signature if branch else "", "altered": altered_words(altered), "altered_spoken": marks,
    }  # fmt: skip


def _fill(value: float) -> tuple[str, float]:
    """Return the class of a node's colour and its strength, 0 to 0.6."""
    if not math.isfinite(value):
        return ("unknown", 1.0)
    return ("up" if value > 0 else "down", round(0.6 * min(abs(value), 3.0) / 3.0, 2))


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)

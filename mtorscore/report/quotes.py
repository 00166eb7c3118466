"""Sentences of a board that may be quoted: true under every method that was asked for, or naming the one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtorscore.collection import USER_BRANCH
from mtorscore.collection.lead_signatures import why_no_lead
from mtorscore.pl.branch_board import Branch
from mtorscore.report.board import NOT_PATHWAY, named_endpoint, outcome_words
from mtorscore.report.data.described import branch_titles, without_readout
from mtorscore.report.data.run_files import Cohort

__all__ = ["folded", "holding_words", "of_cohort", "overview", "quotes"]

_MOST = 4
_ALPHA = 0.05
_NOT_SCORED = "no signature of it that reads its activity was scored"


def of_cohort(cohort: Cohort) -> tuple[str, str]:
    """Return what a sentence calls a cohort, and its tumours and their reference with their numbers.

    Parameters
    ----------
    cohort
        Its results.

    Returns
    -------
    tuple of str
        ``a simulated cohort`` stands behind the name of one; the second is "" where nothing was compared. The reference
        is adjacent liver where the table of calls says so.
    """
    name = f"{cohort.name}, a simulated cohort" if cohort.simulated else cohort.name
    table = cohort.table("activation")
    if not len(table) or not {"n_tumour", "n_reference"} <= set(table.columns):
        return name, ""
    counts = [int(table[c].max()) for c in ("n_tumour", "n_reference")]
    adjacent = "reason" in table and bool(table["reason"].astype(str).str.contains("adjacent liver").any())
    reference = "adjacent liver" if adjacent and not cohort.simulated else "normal tissue"
    return name, f"{counts[0]} tumours against {counts[1]} samples of {reference}"


def quotes(branches: Sequence[Branch], cohort: str, compared: str = "") -> list[str]:
    """Return at most four sentences for a paper, from the rows that may be read.

    Parameters
    ----------
    branches
        As `mtorscore.pl.branch_board.branches_of` returns them.
    cohort
        Its name.
    compared
        Its tumours and their reference with their numbers, where they are compared (`of_cohort`).

    Returns
    -------
    list of str
        Associations that hold first, or that none does, then the largest shifts, then what methods disagree on.
    """
    read = [b for b in branches if b.readable and b.branch not in NOT_PATHWAY]
    out = [holding_words(b, cohort) for b in read if b.holds and all(bool(r.get("valid")) for r in b.rows)]
    out = out or _none(read, cohort)
    moved = sorted((b for b in read if b.shift in ("up", "down")), key=lambda b: -_least(b))
    out = out[:2] + [_moved(b, cohort, compared) for b in moved[:2]]
    apart = [b for b in read if b.shift == "methods disagree" and any(bool(r.get("shift_shown", True)) for r in b.rows)]
    if apart:
        names = ", ".join(f"{b.title} ({_span(b, 'shift', '+.2f')} SD)" for b in apart)
        out.append(f"In {cohort}, scoring methods disagree on the direction of {names}; no claim is made.")
    return out[:_MOST]


def holding_words(branch: Branch, cohort: str) -> str:
    """State the association of a branch that holds, with what it was tested against."""
    largest = max(float(r["q"]) for r in branch.rows)
    text = (
        f"In {cohort}, {branch.title} ({branch.signature}) is associated with {named_endpoint(branch)}"
        f"{_patients(branch)}: unadjusted hazard ratio per SD {_span(branch, 'hr', '.2f')} by {_methods(branch)} "
        f"(q {_most(largest)}), "
        f"{_within([branch], 'hr', '.2f')}, also beside "
        "proliferation (p below 0.05) and beyond 95% of random signatures."
    )
    changing = not all(bool(r.get("proportional")) for r in branch.rows)
    return text + (" The ratio changes over time." if changing else "")


def _none(read: Sequence[Branch], cohort: str) -> list[str]:
    """Say that no branch is associated with the outcome, with the numbers; nothing where that cannot be said."""
    if not outcome_words(read).startswith("none is associated"):
        return []
    judged = [b for b in read if all(bool(r.get("valid")) and np.isfinite(float(r["hr"])) for r in b.rows)]
    ratios = [float(r["hr"]) for b in judged for r in b.rows]
    least = min(float(r["q"]) for b in judged for r in b.rows)
    # By the board's rule q may be small and the association no more than that of proliferation or of random genes.
    beside = "" if least > _ALPHA else " beside proliferation and beyond 95% of random signatures"
    said = f"every q above {_ALPHA:g}" if least > _ALPHA else f"smallest q {least:.2g}"
    text = (
        f"In {cohort}, none of the {len(judged)} branches that can be judged is associated with "
        f"{named_endpoint(judged[0])}{_patients(judged[0])}{beside}: unadjusted hazard ratios per SD {min(ratios):.2f} "
        f"to {max(ratios):.2f} by {_methods(judged[0])}, {_within(judged, 'hr', '.2f')}, {said}."
    )
    return [text]


def _patients(branch: Branch) -> str:
    n = branch.rows[0].get("n")
    return "" if n is None or not np.isfinite(float(n)) else f" in {float(n):.0f} patients"


def _within(branches: Sequence[Branch], column: str, form: str) -> str:
    """Return what the intervals of all rows lie within; of one row its interval, and of a row without one that."""
    rows = [r for b in branches for r in b.rows]
    ends = [(_number(r.get(f"{column}_low")), _number(r.get(f"{column}_high"))) for r in rows]
    if not np.isfinite(ends).all():
        return "without an interval by every method" if np.isfinite(ends).any() else "without an interval"
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    return f"95% interval{'s within' if len(rows) > 1 else ''} {format(low, form)} to {format(high, form)}"


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _moved(branch: Branch, cohort: str, compared: str = "") -> str:
    against, _, unit = str(branch.rows[0]["compared"]).rpartition(", in ")
    if compared and against == "tumours against normal tissue":
        against = compared
    words = ("rises", "falls") if against.startswith("per step of ") else ("is higher", "is lower")
    way = words[0] if branch.shift == "up" else words[1]
    return (
        f"In {cohort}, {branch.title} ({branch.signature}) {way} ({against}): {_span(branch, 'shift', '+.2f')} "
        f"{unit} by {_methods(branch)}, {_within([branch], 'shift', '+.2f')}, every q below 0.05."
    )


def _least(branch: Branch) -> float:
    return min(abs(float(r["shift"])) for r in branch.rows if np.isfinite(float(r["shift"])))


def _span(branch: Branch, column: str, form: str) -> str:
    values = [float(r[column]) for r in branch.rows if np.isfinite(float(r[column]))]
    low, high = (format(v, form) for v in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _methods(branch: Branch) -> str:
    names = [str(r["method"]) for r in branch.rows]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _most(q: float) -> str:
    return "below 0.001" if q < 0.001 else f"at most {q:.2g}"


def folded(branches: Sequence[Branch], context: str | None = None) -> list[dict[str, str]]:
    """Return the branches of the pathway that have no leading signature on this board, and why.

    Parameters
    ----------
    branches
        Of one cohort's board.
    context
        Of the library's grades, such as ``"HCC"``.

    Returns
    -------
    list of dict
        ``branch``, ``title`` and ``reason``.
    """
    shown = {b.branch for b in branches}
    if shown <= {*NOT_PATHWAY, USER_BRANCH}:
        return []
    never = without_readout()
    return [
        {"branch": b, "title": t, "reason": never.get(b) or why_no_lead(b, context) or _NOT_SCORED}
        for b, t in branch_titles().items()
        if b not in shown and b not in (*NOT_PATHWAY, USER_BRANCH)
    ]


def overview(boards: Sequence[tuple[str, Sequence[Branch]]]) -> list[dict[str, Any]]:
    """Return the branches over cohorts, in the order of the boards.

    Parameters
    ----------
    boards
        Cohort and its branches.

    Returns
    -------
    list of dict
        ``title``, ``signature`` (the first lead) and ``cells``: per cohort its branch, None where it has no such row.
    """
    keys = dict.fromkeys(_key(b) for _, branches in boards for b in branches)
    out = []
    for key in keys:
        found = [next((b for b in branches if _key(b) == key), None) for _, branches in boards]
        first = next(b for b in found if b)
        out.append({"branch": first.branch, "title": first.title, "signature": first.signature, "cells": found})
    return out


def _key(branch: Branch) -> tuple[str, str]:
    """Return what is one row: a branch, whatever its lead in a tissue; each of a user's signatures."""
    return (branch.branch, branch.signature if branch.branch in (*NOT_PATHWAY, USER_BRANCH) else "")

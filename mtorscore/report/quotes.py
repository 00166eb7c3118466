"""Sentences of a board that may be quoted: true under every method that was asked for, or naming the one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtorscore.collection import USER_BRANCH
from mtorscore.collection.lead_signatures import why_no_lead
from mtorscore.pl.branch_board import Branch
from mtorscore.report.board import NOT_PATHWAY, named_endpoint
from mtorscore.report.data.described import branch_titles, without_readout

__all__ = ["folded", "holding_words", "overview", "quotes"]

_MOST = 4
_NOT_SCORED = "no signature of it that reads its activity was scored"


def quotes(branches: Sequence[Branch], cohort: str) -> list[str]:
    """Return at most four sentences for a paper, from the rows that may be read.

    Parameters
    ----------
    branches
        As `mtorscore.pl.branch_board.branches_of` returns them.
    cohort
        Its name.

    Returns
    -------
    list of str
        Associations that hold first, then the largest shifts, then what methods disagree on.
    """
    read = [b for b in branches if b.readable and b.branch not in NOT_PATHWAY]
    out = [holding_words(b, cohort) for b in read if b.holds and all(bool(r.get("valid")) for r in b.rows)]
    moved = sorted((b for b in read if b.shift in ("up", "down")), key=lambda b: -_least(b))
    out = out[:2] + [_moved(b, cohort) for b in moved[:2]]
    apart = [b for b in read if b.shift == "methods disagree" and any(bool(r.get("shift_shown", True)) for r in b.rows)]
    if apart:
        names = ", ".join(f"{b.title} ({_span(b, 'shift', '+.2f')} SD)" for b in apart)
        out.append(f"In {cohort}, scoring methods disagree on the direction of {names}; no claim is made.")
    return out[:_MOST]


def holding_words(branch: Branch, cohort: str) -> str:
    """State the association of a branch that holds, with what it was tested against."""
    largest = max(float(r["q"]) for r in branch.rows)
    text = (
        f"In {cohort}, {branch.title} ({branch.signature}) is associated with {named_endpoint(branch)}: unadjusted "
        f"hazard ratio per SD {_span(branch, 'hr', '.2f')} by {_methods(branch)} (q {_most(largest)}), also beside "
        "proliferation (p below 0.05) and beyond 95% of random signatures."
    )
    changing = not all(bool(r.get("proportional")) for r in branch.rows)
    return text + (" The ratio changes over time." if changing else "")


def _moved(branch: Branch, cohort: str) -> str:
    against, _, unit = str(branch.rows[0]["compared"]).rpartition(", in ")
    words = ("rises", "falls") if against.startswith("per step of ") else ("is higher", "is lower")
    way = words[0] if branch.shift == "up" else words[1]
    return (
        f"In {cohort}, {branch.title} ({branch.signature}) {way} ({against}): {_span(branch, 'shift', '+.2f')} "
        f"{unit} by {_methods(branch)}, every 95% interval beyond 0 and every q below 0.05."
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

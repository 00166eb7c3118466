"""What each comparison of a design says of the branches, beside the one that the board shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from mtorscore.pl.branch_board import branches_of
from mtorscore.pp.crossed_groups import factorial_hint
from mtorscore.report.board import NOT_PATHWAY, board_rows, shift_words
from mtorscore.report.data.described import Described
from mtorscore.report.data.run_files import Cohort
from mtorscore.report.group_text import between

__all__ = ["comparison_words"]

MOST = 6
"""Comparisons that are told beside the board."""


def comparison_words(
    methods: Sequence[str], described: dict[str, Described], shown: Sequence[str], cohort: Cohort
) -> list[str]:
    """Say what the comparisons say that the board does not show, which shows the first; nothing of a single one.

    Parameters
    ----------
    methods
        Scoring methods of the run.
    described
        Signature -> description.
    shown
        The leading signatures in this cohort's tissue.
    cohort
        Its results.

    Returns
    -------
    list of str
        A sentence for each, by the board's rule. Of groups that are combinations of two factors, how to ask for both.
    """
    table = cohort.table("contrasts")
    names = list(dict.fromkeys(table["contrast"].astype(str))) if "contrast" in table else []
    if len(names) < 2:
        return []
    out = []
    for name in names[1 : MOST + 1]:
        part = table[table["contrast"].astype(str) == name]
        out.append(f"{_words(name, part, board_rows(methods, described, shown, _alone(cohort, part)))}.")
    if len(names) > MOST + 1:
        out.append(f"{len(names) - MOST - 1} more comparisons stand under Groups.")
    return [*out, *_hint(cohort, table)]


def _alone(cohort: Cohort, contrasts: pd.DataFrame) -> Cohort:
    """Return a cohort of which one comparison is known, and nothing else."""
    kept = {k: t for k, t in cohort.tables.items() if k not in ("activation", "associations")}
    return replace(cohort, tables=kept | {"contrasts": contrasts})


def _words(name: str, contrasts: pd.DataFrame, rows: pd.DataFrame) -> str:
    read = [b for b in branches_of(rows) if b.branch not in NOT_PATHWAY and b.readable]
    if str(contrasts["design"].iloc[0]) != "interaction":
        return f"{name}: {shift_words(read) or 'whether a branch shifts cannot be said'}"
    compared, one, other = between(name)
    verbs = tuple((f"has a {w} response in {one}", f"have a {w} response in {one}") for w in ("higher", "lower"))
    said = shift_words(read, verbs, "no branch was shown to respond differently")
    return f"{compared}, {one} compared with {other}: {said or 'whether a branch responds differently cannot be said'}"


def _hint(cohort: Cohort, contrasts: pd.DataFrame) -> list[str]:
    if "design" not in contrasts or set(contrasts["design"].astype(str)) - {"groups", "pairs"}:
        return []
    if "comparison_group" not in cohort.obs:
        return []
    others = [c for c in cohort.obs.columns if c not in ("comparison_group", "sample_type", "patient", "in_outcome")]
    said = factorial_hint(cohort.obs["comparison_group"], cohort.obs[others])
    return [said] if said else []

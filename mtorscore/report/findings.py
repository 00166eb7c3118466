"""Findings of a cohort in sentences: what the board's rule allows, for every endpoint and comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from mtorscore._outcome_terms import ENDPOINTS
from mtorscore.collection.grades import CONTEXTS, OPPOSED
from mtorscore.collection.lead_signatures import why_no_lead
from mtorscore.pl.branch_board import Branch, branches_of
from mtorscore.report.board import NOT_PATHWAY, against_reading, board_rows, outcome_words
from mtorscore.report.data.described import Described
from mtorscore.report.data.run_files import Cohort
from mtorscore.report.figures.prediction import prediction_words
from mtorscore.report.group_text import group_words
from mtorscore.report.quotes import holding_words
from mtorscore.report.text import cells_sentence
from mtorscore.results import ASSOCIATIONS

__all__ = ["findings", "groups", "unreadable"]


def findings(
    cohort: Cohort, methods: Sequence[str], described: dict[str, Described], shown: Sequence[str]
) -> list[str]:
    """Summarise what differs between the groups of a cohort, and what is associated with each endpoint.

    Parameters
    ----------
    cohort
        Results.
    methods
        Scoring methods of the run.
    described
        Signature -> description.
    shown
        The leading signatures in this cohort's tissue.

    Returns
    -------
    list of str
        Sentences. A signature is named only where the board's row of it holds, for that endpoint.
    """
    if cohort.cells:
        return [cells_sentence(cohort)]
    never = unreadable(cohort, described)
    out = [*group_words(cohort, never), *opposed_words(cohort, described)]
    table = cohort.table("associations")
    if not {"method", "endpoint", "signature", "model", "q", "p", "hr"} <= set(table.columns):
        said = [*out, *prediction_words(cohort)]
        return said or [cohort.missing.get("associations", ASSOCIATIONS.empty)]
    told = len(out)
    for endpoint in dict.fromkeys(table["endpoint"].astype(str)):
        part = table[table["endpoint"].astype(str) == endpoint]
        rows = board_rows(methods, described, shown, _only_outcome(cohort, part), endpoint)
        if text := _endpoint(branches_of(rows), cohort.name):
            out.append(text + _all_signatures(part, endpoint, never))
    out += prediction_words(cohort)
    return out if len(out) > told else [*out, "No signature was related to an outcome."]


def _endpoint(branches: Sequence[Branch], cohort: str) -> str:
    """Say what holds for one endpoint, in the words of the board; "" where it has no effect."""
    read = [b for b in branches if b.branch not in NOT_PATHWAY and b.readable]
    said = outcome_words(read)
    if not said:
        return ""
    details = [holding_words(b, cohort) for b in read if b.holds and all(bool(r.get("valid")) for r in b.rows)]
    head = (
        f"Of the {len(read)} branches that can be read, {said}." if len(read) > 1 else f"{said[0].upper()}{said[1:]}."
    )
    return " ".join([head, *details])


def _only_outcome(cohort: Cohort, associations: pd.DataFrame) -> Cohort:
    """Return a cohort without what its groups say, with the associations of one endpoint."""
    kept = {k: t for k, t in cohort.tables.items() if k not in ("activation", "contrasts")}
    return replace(cohort, tables=kept | {"associations": associations})


def _all_signatures(table: pd.DataFrame, endpoint: str, never: Sequence[str]) -> str:
    """Count, and do not name, the signatures whose q is small under every method."""
    rows = table[(table["model"] == "unadjusted") & ~table["signature"].isin(list(never))]
    if not len(rows):
        return ""
    # A row of an old run that does not say whether it is valid counts as valid.
    valid = rows["valid"].astype(str).str.lower().isin(["true", "1", "1.0"]) if "valid" in rows else rows["q"].notna()
    of = rows.assign(fit=valid, small=valid & (rows["q"] < 0.05)).groupby("signature")[["fit", "small"]].all().sum()
    name = ENDPOINTS[endpoint].title if endpoint in ENDPOINTS else endpoint
    return (
        f" Of all {int(of['fit'])} mTOR signatures with a valid model for {name}, {int(of['small'])} have q < 0.05 by "
        "every method, before any control."
    )


def groups(cohort: Cohort, described: dict[str, Described]) -> list[str]:
    """Return the sentences about groups: one for each comparison."""
    return group_words(cohort, unreadable(cohort, described))


def unreadable(cohort: Cohort, described: dict[str, Described]) -> list[str]:
    """Return the signatures that are never findings here: other branches, genes that are missing, opposed evidence."""
    return [n for n, d in described.items() if d.branch in NOT_PATHWAY or against_reading(cohort, d)]


def opposed(cohort: Cohort, described: dict[str, Described]) -> list[str]:
    """Return the scored signatures that move against what they are named after in tumours of a cohort's kind."""
    scored = {str(c) for table in cohort.scores.values() for c in table.columns}
    return [n for n, d in described.items() if n in scored and d.grades.get(cohort.context or "") == OPPOSED]


def opposed_words(cohort: Cohort, described: dict[str, Described]) -> list[str]:
    """Say which signatures give no finding here, and which branches have no lead."""
    names = opposed(cohort, described)
    if not names or cohort.context is None:
        return []
    where = CONTEXTS[cohort.context]
    held = [
        w for d in (described[n] for n in names) for w in d.graded.split("; ") if w.startswith(f"{OPPOSED} in {where}")
    ]
    listed = "; ".join(f"{n}: {w.partition(': ')[2]}" for n, w in zip(names, held, strict=True))
    branches = dict.fromkeys(described[n].branch for n in names)
    without = [b for b in branches if why_no_lead(b, cohort.context)]
    more = f" Without a lead here: {', '.join(without)}." if without else ""
    return [
        (
            f"{OPPOSED.capitalize()} in {where}, so no call and no finding is made from them: {listed}.{more} The "
            "evidence is protein that was measured in the same tumours as transcripts, in other patients than these."
        )
    ]

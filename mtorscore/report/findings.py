"""Findings of a cohort in sentences: what the board's rule allows, for every endpoint and comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from mtorscore._outcome_terms import ENDPOINTS
from mtorscore.collection.grades import CONTEXTS, OPPOSED
from mtorscore.collection.lead_signatures import why_no_lead
from mtorscore.pl.branch_board import branches_of
from mtorscore.report.board import NOT_PATHWAY, against_reading, board_rows, named_endpoint, outcome_words
from mtorscore.report.data.described import Described, branch_titles
from mtorscore.report.data.run_files import Cohort
from mtorscore.report.figures.prediction import prediction_words
from mtorscore.report.group_text import group_words
from mtorscore.report.quotes import holding_words
from mtorscore.report.text import cells_sentence
from mtorscore.results import ASSOCIATIONS

__all__ = ["MOST_WORDS", "findings", "groups", "opposed_rows", "told", "unreadable"]

MOST_WORDS = 150
"""Words that a reader meets of one cohort before anything is unfolded."""
_SLOT = "\0"


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
    between = group_words(cohort, never)
    against = opposed_words(cohort, described)
    table = cohort.table("associations")
    if not {"method", "endpoint", "signature", "model", "q", "p", "hr"} <= set(table.columns):
        said = [*between, *prediction_words(cohort), *against]
        return said or [cohort.missing.get("associations", ASSOCIATIONS.empty)]
    heads, rest = _outcomes(cohort, methods, described, shown, never)
    predicted = prediction_words(cohort)
    if not heads and not predicted:
        heads = ["No signature was related to an outcome."]
    return [*heads, *between, *predicted, *rest, *against]


def told(sentence: str, lines: Sequence[str], most: int = MOST_WORDS) -> tuple[list[str], list[str]]:
    """Split findings into those that are read at once and those that are folded.

    Parameters
    ----------
    sentence
        What the board says above them.
    lines
        As `findings` returns them.
    most
        Words of the sentence and of what is shown; the first finding is shown whatever its length.

    Returns
    -------
    tuple of list of str
        Shown and folded, in order.
    """
    used = len(sentence.split())
    shown: list[str] = []
    for line in lines:
        used += len(line.split())
        if shown and used > most:
            break
        shown.append(line)
    return shown, list(lines[len(shown) :])


def _outcomes(
    cohort: Cohort, methods: Sequence[str], described: dict[str, Described], shown: Sequence[str], never: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Say what holds for each endpoint, once for endpoints of which the same is true; and the numbers, one a line."""
    table = cohort.table("associations")
    heads: dict[str, list[str]] = {}
    counts: dict[str, list[str]] = {}
    details: list[str] = []
    for endpoint in dict.fromkeys(table["endpoint"].astype(str)):
        part = table[table["endpoint"].astype(str) == endpoint]
        branches = branches_of(board_rows(methods, described, shown, _only_outcome(cohort, part), endpoint))
        read = [b for b in branches if b.branch not in NOT_PATHWAY and b.readable]
        if not (text := outcome_words(read)):
            continue
        name = next(named_endpoint(b) for b in read if named_endpoint(b) in text)
        begins = f"Of the {len(read)} branches that can be read, " if len(read) > 1 else ""
        of = f"{begins}{text}." if begins else f"{text[0].upper()}{text[1:]}."
        heads.setdefault(of.replace(name, _SLOT), []).append(name)
        details += [
            holding_words(b, cohort.name) for b in read if b.holds and all(bool(r.get("valid")) for r in b.rows)
        ]
        if said := _all_signatures(part, never):
            counts.setdefault(said, []).append(ENDPOINTS[endpoint].title if endpoint in ENDPOINTS else endpoint)
    return _filled(heads), details + _filled(counts)


def _filled(sentences: dict[str, list[str]]) -> list[str]:
    return [text.replace(_SLOT, _listed(names)) for text, names in sentences.items()]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _only_outcome(cohort: Cohort, associations: pd.DataFrame) -> Cohort:
    """Return a cohort without what its groups say, with the associations of one endpoint."""
    kept = {k: t for k, t in cohort.tables.items() if k not in ("activation", "contrasts")}
    return replace(cohort, tables=kept | {"associations": associations})


def _all_signatures(table: pd.DataFrame, never: Sequence[str]) -> str:
    """Count, and do not name, the signatures whose q is small under every method."""
    rows = table[(table["model"] == "unadjusted") & ~table["signature"].isin(list(never))]
    if not len(rows):
        return ""
    # A row of an old run that does not say whether it is valid counts as valid.
    valid = rows["valid"].astype(str).str.lower().isin(["true", "1", "1.0"]) if "valid" in rows else rows["q"].notna()
    of = rows.assign(fit=valid, small=valid & (rows["q"] < 0.05)).groupby("signature")[["fit", "small"]].all().sum()
    return (
        f"Of all {int(of['fit'])} mTOR signatures with a valid model for {_SLOT}, {int(of['small'])} have q < 0.05 by "
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
    """Say how many signatures give no finding here, and which branches have no lead."""
    names = opposed(cohort, described)
    if not names or cohort.context is None:
        return []
    branches = dict.fromkeys(described[n].branch for n in names)
    without = [branch_titles()[b] for b in branches if why_no_lead(b, cohort.context)]
    more = f" Without a lead here: {'; '.join(without)}." if without else ""
    count = f"{len(names)} signature{'s' if len(names) > 1 else ''}"
    where = CONTEXTS[cohort.context]
    return [f"{OPPOSED.capitalize()} in {where}, so no call and no finding is made from them: {count}.{more}"]


def opposed_rows(cohort: Cohort, described: dict[str, Described]) -> list[tuple[str, str]]:
    """Return each signature that gives no finding here, with the evidence against it."""
    names = opposed(cohort, described)
    if not names or cohort.context is None:
        return []
    begins = f"{OPPOSED} in {CONTEXTS[cohort.context]}"
    found = {n: [w for w in described[n].graded.split("; ") if w.startswith(begins)] for n in names}
    return [(n, words[0].partition(": ")[2] if words else "") for n, words in found.items()]

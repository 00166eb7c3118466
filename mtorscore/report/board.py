"""The board: per cohort and branch, whether it is up, how sure that is, and whether it matters.

One row per branch and scoring method, read from the tables of a run. Nothing is judged here by a threshold of its own:
`valid`, `reason`, intervals, q values and grades come from the tables and the library, and a claim is what they say
under every method that was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mtorscore._outcome_terms import ENDPOINTS
from mtorscore.collection import CONFOUNDER, USER_BRANCH
from mtorscore.collection.grades import OPPOSED
from mtorscore.collection.library_files import reads_inversely
from mtorscore.pl.branch_board import Branch, controls_of
from mtorscore.report.data.described import Described, branch_titles
from mtorscore.report.data.run_files import Cohort
from mtorscore.results import BOARD
from mtorscore.tl.engine.readability import counts_of, lacking

__all__ = [
    "NOT_PATHWAY",
    "against_reading",
    "board_rows",
    "named_endpoint",
    "outcome_words",
    "sentence",
    "shift_words",
    "title_of",
]

NOT_PATHWAY = (CONFOUNDER, "context", "drug")
"""Branches that no claim on the pathway is made from."""
ALPHA = 0.05
"""One less the level of the intervals of shifts."""
RANDOM, PROLIFERATION = "random signatures", "proliferation"


def board_rows(
    methods: Sequence[str],
    described: dict[str, Described],
    shown: Sequence[str],
    cohort: Cohort,
    endpoint: str | None = None,
) -> pd.DataFrame:
    """Return the board of one cohort, one row per leading signature and method.

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
    endpoint
        Of which the effects are; the first by default.

    Returns
    -------
    pandas.DataFrame
        Columns of `mtorscore.results.BOARD`.
    """
    known = [n for n in shown if n in described and described[n].branch not in ("context", "drug")]
    cohort = _narrowed(cohort, known)
    # Of the confounders the first leads: proliferation.
    controls = [n for n in known if described[n].branch == CONFOUNDER]
    rows = [
        _row(cohort, described[name], method, endpoint)
        for name in known
        if name not in controls[1:]
        for method in methods
        if method in cohort.scores and name in cohort.scores[method].columns
    ]
    return BOARD.arrange(pd.DataFrame(rows))


def _narrowed(cohort: Cohort, names: Sequence[str]) -> Cohort:
    """Keep the rows of these signatures: each is looked up many times."""
    kept = {k: cohort.tables[k] for k in ("coverage", "activation", "contrasts", "associations") if k in cohort.tables}
    tables = {k: t[t["signature"].isin(list(names))] if "signature" in t else t for k, t in kept.items()}
    return replace(cohort, tables=cohort.tables | tables)


def _row(cohort: Cohort, entry: Described, method: str, endpoint: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "cohort": cohort.name, "branch": entry.branch, "title": title_of(entry),
        "signature": entry.id, "method": method, "sign": entry.sign, "level_of_evidence": entry.level,
        "grade": entry.grades.get(cohort.context or "", ""),
    }  # fmt: skip
    coverage = _first(cohort.table("coverage"), signature=entry.id)
    row |= {"coverage": coverage.get("coverage", np.nan)}
    row |= _shift(cohort, entry.id, method) | _effect(cohort, entry.id, method, endpoint)
    beyond = row["shift_low"] > 0 or row["shift_high"] < 0 if np.isfinite(row.get("shift", np.nan)) else False
    # TCGA-LIHC's tumours called normal at random: intervals alone named a branch in 10% of cohorts, with q in 1%.
    row["shift_shown"] = bool(beyond and _below(row.get("shift_q"), ALPHA) is not False)
    row["reason"] = against_reading(cohort, entry)
    row["readable"] = not row["reason"]
    return row


def against_reading(cohort: Cohort, entry: Described) -> str:
    """Say why a score may not be read here: genes that are missing, evidence against it in the tissue; else nothing."""
    coverage = _first(cohort.table("coverage"), signature=entry.id)
    against = [_text(coverage.get("reason"))]
    if coverage and not against[0]:
        against.append(lacking(*counts_of(pd.Series(coverage))))
    if entry.grades.get(cohort.context or "", "") == OPPOSED:
        against.append(f"{OPPOSED} in tumours of this kind ({cohort.context})")
    return "; ".join(filter(None, against))


def title_of(entry: Described) -> str:
    """Return the branch that a signature reads, in words.

    A confounder goes by its title, a signature of the user by its name; where the score falls with the activity of its
    branch, that is said.
    """
    if entry.branch == CONFOUNDER and entry.title:
        return entry.title
    if entry.branch == USER_BRANCH:
        return entry.id
    title = branch_titles().get(entry.branch, entry.branch)
    # The score is told as it is; what it means for the branch stands beside the branch's name, in every sentence.
    return f"{title} (score falls with activity)" if reads_inversely(entry.branch, entry.sign) else title


def _shift(cohort: Cohort, name: str, method: str) -> dict[str, Any]:
    """Return the shift of tumours from normal tissue, or where the design is another one its own contrast."""
    found = _first(cohort.table("activation"), signature=name, method=method)
    contrast = _contrast(cohort, name, method)
    design = _design(cohort) if contrast else ""
    if design == "several groups":
        # Shares of active tumours are of all groups but the reference together, which is nobody's question here.
        return dict.fromkeys(("active", "active_low", "active_high"), np.nan) | {"not_called": ""} | contrast
    columns = ("difference", "difference_low", "difference_high", "active", "active_low", "active_high")
    values = {c: float(found.get(c, np.nan)) for c in columns}
    called = bool(found.get("called", False))
    if not called:
        values |= dict.fromkeys(columns[3:], np.nan)
    out: dict[str, Any] = dict(zip(("shift", "shift_low", "shift_high"), [values[c] for c in columns[:3]], strict=True))
    out |= {c: values[c] for c in columns[3:]} | {"shift_q": found.get("q", np.nan)}
    out |= {"compared": "tumours against normal tissue, in SD of normal" if found else "", "not_called": ""}
    if found and not called:
        out["not_called"] = str(found.get("reason") or "")
    return out | contrast if design or not found else out


def _design(cohort: Cohort) -> str:
    """Say what the design has beside two groups: an order or several groups, or pairs and the like; "" for nothing."""
    table = cohort.table("contrasts")
    if not {"contrast", "design"} <= set(table.columns):
        return ""
    if table["contrast"].nunique() > 1:
        return "several groups"
    return ", ".join(sorted(set(table["design"].astype(str)) - {"groups"}))


def _contrast(cohort: Cohort, name: str, method: str) -> dict[str, Any]:
    found = _first(cohort.table("contrasts"), signature=name, method=method)
    if not found:
        return {}
    names = ("hedges_g", "g_low", "g_high")
    values = dict(zip(("shift", "shift_low", "shift_high"), (float(found.get(c, np.nan)) for c in names), strict=True))
    n = cohort.table("contrasts")["contrast"].nunique()
    which = f", the first of {n} comparisons" if n > 1 else ""
    compared = f"{found.get('contrast', '')}{which}, in residual SD (Hedges' g)"
    return values | {"shift_q": found.get("q", np.nan), "compared": compared}


def _effect(cohort: Cohort, name: str, method: str, endpoint: str | None) -> dict[str, Any]:
    """Return the effect on an endpoint, the first by default, and beside which negative controls it holds."""
    table = cohort.table("associations")
    if not len(table):
        return {"holds": False, "beside": ""}
    endpoint = endpoint or str(table["endpoint"].iloc[0])
    alone = _first(table, signature=name, method=method, endpoint=endpoint, model="unadjusted")
    if not alone:
        return {"endpoint": endpoint, "holds": False, "beside": ""}
    alpha = 1 - float(alone.get("level") or 0.95)
    marks = {RANDOM: _below(alone.get("null_p"), alpha)}
    adjusted = table[(table["signature"] == name) & (table["method"] == method) & (table["endpoint"] == endpoint)]
    for found in adjusted[adjusted["model"] == "adjusted"].to_dict(orient="records"):
        marks[str(found["adjusted_for"])] = _below(found["p"], alpha) if _true(found.get("valid", True)) else None
    significant, valid = _below(alone.get("q"), alpha), _true(alone.get("valid", True))
    proportional = not _below(alone.get("ph_p"), alpha)
    holds = bool(valid and significant and marks[RANDOM] and marks.get(PROLIFERATION))
    return {
        "endpoint": endpoint, "n": alone.get("n"), "events": alone.get("events"), "hr": alone.get("hr"),
        "hr_low": alone.get("hr_low"), "hr_high": alone.get("hr_high"), "p": alone.get("p"), "q": alone.get("q"),
        "valid": valid, "valid_reason": "" if valid else _text(alone.get("reason")), "proportional": proportional,
        "beside": "; ".join(f"{k}: {_word(v)}" for k, v in marks.items()), "holds": holds,
    }  # fmt: skip


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _word(mark: bool | None) -> str:
    return "cannot be said" if mark is None else "yes" if mark else "no"


def _below(value: Any, alpha: float) -> bool | None:
    if value is None or not np.isfinite(float(value)):
        return None
    return bool(float(value) < alpha)


def _true(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "1", "1.0")


def _first(table: pd.DataFrame, **where: Any) -> dict[str, Any]:
    """Return the first row in which the columns have the values; nothing where there is none."""
    if not len(table) or not set(where) <= set(table.columns):
        return {}
    keep = np.ones(len(table), dtype=np.bool_)
    for column, value in where.items():
        keep &= (table[column] == value).to_numpy(dtype=bool)
    rows = table[keep]
    return {str(k): v for k, v in rows.iloc[0].to_dict().items()} if len(rows) else {}


def sentence(branches: Sequence[Branch]) -> str:
    """Say in one sentence which branches hold, which are shifted, and how many cannot be judged.

    Parameters
    ----------
    branches
        As `branches_of` returns them.

    Returns
    -------
    str
        Names only rows that may be read, of branches of the pathway; a claim is true under every method of the board.
    """
    own = [b for b in branches if b.branch not in NOT_PATHWAY]
    read = [b for b in own if b.readable]
    if not own:
        return "No branch of the pathway was scored."
    if not read:
        return f"None of the {len(own)} branches can be read here: {_reasons(own)}."
    against = str(next((b.rows[0]["compared"] for b in read if b.shift), "")).rpartition(", in ")[0]
    shifts = shift_words(read)
    parts = [p for p in (outcome_words(read), shifts and f"{shifts} ({against})") if p]
    text = f"Of the {len(read)} branches that can be read, " + "; ".join(parts)
    if not parts:
        compared = next((str(r["compared"]) for b in read for r in b.rows if r["compared"]), "").rpartition(", in ")[0]
        why = f"whether one shifts cannot be said ({compared}; see Groups for the reason)"
        text = f"{len(read)} branches can be read; "
        text += why if compared else "there is nothing to compare them with, and no outcome"
    elif not outcome_words(read):
        text += "; no outcome was related"
    unread = len(own) - len(read)
    if unread:
        text += f"; {unread} cannot be judged ({_reasons([b for b in own if not b.readable])})"
    return text + "."


def outcome_words(read: Sequence[Branch]) -> str:
    """Say which branches hold for the endpoint of a board, or why that cannot be said; nothing without an endpoint.

    Parameters
    ----------
    read
        Branches of the pathway that can be read.
    """
    tested = [b for b in read if any(np.isfinite(_float(r.get("hr"))) for r in b.rows)]
    if not tested:
        return ""
    endpoint = named_endpoint(tested[0])
    judged = [b for b in tested if all(bool(r.get("valid")) for r in b.rows)]
    if not judged:
        return f"none can be judged for {endpoint}"
    holding = [b for b in judged if b.holds]
    without = _never_compared(judged)
    if not holding and without:
        return f"whether one holds for {endpoint} cannot be said: {without}"
    if not holding:
        return f"none is associated with {endpoint} beside proliferation and among random signatures"
    verb = "holds" if len(holding) == 1 else "hold"
    text = f"{_listed(holding)} {verb} for {endpoint} beside proliferation and among random signatures"
    changing = [b for b in holding if not all(bool(r.get("proportional")) for r in b.rows)]
    notes = [_ways(holding)] + ([f"the ratio of {_listed(changing)} changes over time"] if changing else [])
    return f"{text} ({'; '.join(notes)})"


def named_endpoint(branch: Branch) -> str:
    """Return the endpoint of a branch in words, with its events: ``overall survival (OS, 55 deaths)``."""
    name, events = str(branch.rows[0]["endpoint"]), _float(branch.rows[0].get("events"))
    known = ENDPOINTS.get(name)
    count = f"{events:.0f} {known.event if known else 'events'}" if np.isfinite(events) else ""
    inside = ", ".join(filter(None, [name if known else "", count]))
    return (known.title if known else name) + (f" ({inside})" if inside else "")


def _never_compared(judged: Sequence[Branch]) -> str:
    """Say which of the two controls that a claim needs no branch was compared with."""
    missing = []
    words = {RANDOM: "not compared with random signatures", PROLIFERATION: "not adjusted for proliferation"}
    for control, lacks in words.items():
        if all(controls_of(b).get(control, "cannot be said") == "cannot be said" for b in judged):
            missing.append(lacks)
    return " and ".join(missing)


def _ways(holding: Sequence[Branch]) -> str:
    """Say in which direction scores go with the outcome."""
    worse = [b for b in holding if all(_float(r.get("hr")) > 1 for r in b.rows)]
    better = [b for b in holding if b not in worse]
    if not better or not worse:
        return f"a higher score goes with a {'worse' if worse else 'better'} outcome"
    return f"a higher score goes with a worse outcome for {_listed(worse)}, a better one for {_listed(better)}"


def shift_words(
    read: Sequence[Branch],
    verbs: tuple[tuple[str, str], ...] = (("rises", "rise"), ("falls", "fall")),
    none: str = "no shift was shown",
) -> str:
    """Say which branches are up, which down, and where methods disagree; nothing where none is compared.

    Parameters
    ----------
    read
        Branches of the pathway that can be read.
    verbs
        What one and several branches do that are up, and that are down.
    none
        Where no branch does either.
    """
    compared = [b for b in read if b.shift]
    if not compared:
        return ""
    parts = []
    for direction, (one, several) in zip(("up", "down"), verbs, strict=True):
        moved = [b for b in compared if b.shift == direction]
        if moved:
            parts.append(f"{_some(moved, len(compared))} {several if len(moved) > 1 else one}")
    # A sign that differs where no method shows a shift is noise about 0, which the board's marks show.
    apart = [
        b for b in compared if b.shift == "methods disagree" and any(bool(r.get("shift_shown", True)) for r in b.rows)
    ]
    if apart:
        parts.append(f"methods disagree in sign on {_listed(apart)}")
    return ", ".join(parts) or none


def _some(moved: Sequence[Branch], total: int) -> str:
    """Name a few branches, count many."""
    if len(moved) <= 4:
        return _listed(moved)
    return f"all {total}" if len(moved) == total else f"{len(moved)} of {total}"


def _listed(branches: Sequence[Branch]) -> str:
    titles = [b.title for b in branches]
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"


def _reasons(branches: Sequence[Branch]) -> str:
    heads = pd.Series([_head(b.reason) for b in branches]).value_counts()
    return ", ".join(f"{head} {n}" for head, n in heads.items())


def _head(reason: str) -> str:
    return "evidence against" if OPPOSED in reason else "coverage"


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)

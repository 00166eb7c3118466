"""Groups that are combinations of two factors, such as a treatment in two genotypes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from mtorscore._doors import option
from mtorscore.pp.groups import values_of

__all__ = ["factorial_hint"]

_LEAST, _MOST = 4, 12
_TREATMENT = re.compile(r"vehicle|veh|dmso|mock|untreated|pbs|saline|placebo|control|ctrl|ctl|none|no", re.IGNORECASE)
_CUT = re.compile(r"[^A-Za-z0-9]+")


def factorial_hint(labels: pd.Series, obs: pd.DataFrame) -> str:
    """Say that groups are combinations of two factors, and how to ask for both; "" where they are not.

    Parameters
    ----------
    labels
        Group of each sample.
    obs
        Samples x columns, among which the two factors may stand.
    """
    groups = sorted({v for v in values_of(labels) if v})
    if not _LEAST <= len(groups) <= _MOST:
        return ""
    found = _columns(labels, obs)
    answer = "says what the one does in each value of the other, and whether the answers differ"
    if found:
        treatment, other = found
        asked = f"{option('group', treatment)} with {option('interaction', other)}"
        return f"These groups are all combinations of {treatment} and {other}: {asked} {answer}."
    parts = _parts(groups)
    if not parts:
        return ""
    first, second = (", ".join(v or "nothing" for v in part) for part in parts)
    asked = f"{option('group')} (the treatment) with {option('interaction')} (the other)"
    return (
        f"These groups look like combinations of two factors ({first}; and {second}): with a column for each, {asked} "
        f"{answer}."
    )


def _columns(labels: pd.Series, obs: pd.DataFrame) -> tuple[str, str] | None:
    """Return the two columns whose combinations the groups are, that of the treatment first."""
    groups = values_of(labels)
    known = {str(c): values_of(obs[c]) for c in obs.columns if obs[c].nunique() in range(2, _MOST // 2 + 1)}
    known = {c: v for c, v in known.items() if len(set(v)) < len(set(groups))}
    for (a, x), (b, y) in combinations(known.items(), 2):
        pairs = set(zip(x, y, groups, strict=True))
        crossed = len(set(x)) * len(set(y)) == len(pairs) == len(set(groups)) == len({p[:2] for p in pairs})
        if crossed:
            return (a, b) if any(_TREATMENT.fullmatch(v) for v in x) else (b, a)
    return None


def _parts(groups: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Return the values of two factors of which names are put together: WT, KO, WT+drug, KO+drug."""
    for at in (0, -1):
        pairs = [_halves(g, at) for g in groups]
        first, second = (list(dict.fromkeys(p[k] for p in pairs)) for k in (0, 1))
        if len(first) > 1 and len(second) > 1 and len(first) * len(second) == len(set(pairs)) == len(groups):
            return first, second
    return None


def _halves(name: str, at: int) -> tuple[str, str]:
    """Cut a name at its first or last mark that is no letter or digit."""
    cuts = list(_CUT.finditer(name.strip()))
    return (name[: cuts[at].start()], name[cuts[at].end() :]) if cuts else (name, "")

"""What outcome tables say, stated once: words of events, standard endpoints, units of time.

Every entry point that reads an event column asks `event_code`. An entry point may refuse what another one accepts
(a vital status of "yes" is refused), but no word means two things.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "AGE_NAMES",
    "DAYS",
    "ENDPOINTS",
    "EVENTS_PER_PARAMETER",
    "EVENT_NAMES",
    "MIN_EVENTS",
    "TIME_NAMES",
    "StandardEndpoint",
    "event_code",
    "event_codes",
    "is_unsaid",
    "unit_said",
    "word_of",
    "words_of",
]

DAYS: dict[str, float] = {"days": 1.0, "weeks": 7.0, "months": 365.25 / 12, "years": 365.25}
"""Units of time that users may name, in days."""

MIN_EVENTS = 10
"""With fewer events a result is returned with ``valid=False``; see the calibration benchmark."""

EVENTS_PER_PARAMETER = 10
"""Events asked for per parameter of a model; with fewer it is penalised (Firth) and flagged, or not valid."""


class StandardEndpoint(NamedTuple):
    """An endpoint that the field knows by its abbreviation.

    Attributes
    ----------
    title
        As it stands in sentences.
    event
        What happened, as a plural.
    about
        ``"death"`` or ``"recurrence"``: which words its status column may hold.
    """

    title: str
    event: str
    about: str


ENDPOINTS: dict[str, StandardEndpoint] = {
    "OS": StandardEndpoint("overall survival", "deaths", "death"),
    "DSS": StandardEndpoint("disease-specific survival", "deaths from the tumour", "death"),
    "PFI": StandardEndpoint("progression-free interval", "progressions", "recurrence"),
    "DFI": StandardEndpoint("disease-free interval", "recurrences", "recurrence"),
    "PFS": StandardEndpoint("progression-free survival", "progressions or deaths", "recurrence"),
    "DFS": StandardEndpoint("disease-free survival", "recurrences or deaths", "recurrence"),
    "RFS": StandardEndpoint("recurrence-free survival", "recurrences or deaths", "recurrence"),
    "EFS": StandardEndpoint("event-free survival", "events", "recurrence"),
}
"""In the order in which analyses are listed. The definitions of the first four: Liu et al., Cell 2018;173:400."""

# (code, what the word speaks of, pattern); compared in lower case with single blanks. "any" fits every status column.
_WORDS: tuple[tuple[float, str, re.Pattern[str]], ...] = tuple(
    (code, about, re.compile(f"(?:{pattern})"))
    for code, about, pattern in (
        (0.0, "any", r"0|false"),
        (1.0, "any", r"1|true"),
        (0.0, "death", r"alive( .*)?|living|not (dead|deceased|expired)"),
        (1.0, "death", r"dead( (of|with|from|due) .*)?|death( (from|due) .*)?|deceased|died( .*)?|expired"),
        (0.0, "recurrence", r"(disease|recurrence|relapse|progression|event|tumou?r|metastasis) ?free( .*)?"),
        (0.0, "recurrence", r"(no|not|non|without)( ?evidence of)? (recur|relaps|progress|metasta|disease|event)\w*"),
        (0.0, "recurrence", r"no|none|censored|no event"),
        (1.0, "recurrence", r"recurr(ed|ence|ent)( ?/ ?progressed)?|relapsed?|progress(ed|ion)( ?/ ?recurred)?"),
        (1.0, "recurrence", r"yes|event|distant metastas[ie]s|(local|distant|intrahepatic) (recurrence|relapse)"),
    )
)
# As None, NaN, pandas.NA and NaT are printed; the text "none" is an answer.
_MISSING = frozenset({"", "nan", "<na>", "nat"})
_CODED = re.compile(r"([01]) ?: ?(.+)")
# Named one by one: "not deceased" and "uncensored" say something.
_UNSAID = re.compile(
    r"unknown|unbekannt|pending|missing|\[.*\]|(?:not|un) ?(?:known|reported|available|applicable|recorded|evaluated|"
    r"evaluable|assessed|determined|done|stated|specified|provided|given|collected|confirmed|clear|certain|sure|tested|"
    r"documented|allowed to collect)"
)
# Of an endpoint's name: deaths of the disease alone, or recurrences.
_SPECIFIC = re.compile(r"\b(dss|css)\b|\b(disease|cancer|tumou?r) specific\b")
_RECURRENCE = re.compile(r"\b(pfi|dfi|pfs|dfs|rfs|efs|ttr|(recur|relaps|progress)\w*|(disease|event) free)\b")
# What a word says beyond death or life.
_CAUSE = re.compile(r"(?:dead|death|died|deceased) (?P<cause>.+)")
_OF_THE_DISEASE = re.compile(
    r"(?:of|from|with|due to) (?:the )?(?:(?:liver|hepatocellular|primary|underlying) )?"
    r"(?:disease|tumou?r|cancer|carcinoma|neoplasm|malignancy|hcc|cca|hepatoma|recurrence|relapse|progression|"
    r"metastas[ie]s)(?: .*)?"
)
_ALIVE_WITH = re.compile(r"alive (?!without|w/o|with no\b|no\b|and well|(.* )?free\b).+")


def word_of(value: object) -> str:
    """Return a cell as it is compared: whole numbers without decimals, lower case, single blanks."""
    if isinstance(value, float | np.floating) and math.isfinite(value) and float(value).is_integer():
        value = int(value)
    text = re.sub(r"[\s_-]+", " ", str(value).strip().lower())
    return re.sub(r"^([01])\.0+$", r"\1", text)


def is_unsaid(value: object) -> bool:
    """Whether a text says that nobody knows: unknown, not reported, [Not Available]."""
    return _UNSAID.fullmatch(word_of(value)) is not None


def words_of(column: str) -> set[str]:
    """Return the words of a column's name, in lower case: ``OS_MONTHS`` and ``osMonths`` are os and months."""
    return set(re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", column).lower())) - {""}


def unit_said(column: str) -> str | None:
    """Return the unit of time that a column's name speaks of, where it speaks of one."""
    words = words_of(column)
    found = [unit for unit in DAYS if {unit, unit[:-1]} & words or (unit == "months" and "mo" in words)]
    return found[0] if len(found) == 1 else None


TIME_NAMES = {*DAYS, *(unit[:-1] for unit in DAYS), "time", "follow", "followup"}
AGE_NAMES = {"age", "birth", "date", "diagnosis", "born"}
EVENT_NAMES = {
    *map(str.lower, ENDPOINTS), "status", "event", "vital", "dead", "death", "died", "deceased", "relapse",
    "recurrence", "recurred", "progression", "progressed",
}  # fmt: skip
"""Words of columns' names that speak of follow-up, of something else that is counted in years, and of events."""


def _says_more(word: str, endpoint: str) -> bool:
    """Whether a word of death or life leaves open whether this endpoint's event happened."""
    named = re.sub(r"[\W_]+", " ", endpoint.lower())
    if _SPECIFIC.search(named):
        cause = _CAUSE.fullmatch(word)
        return cause is not None and _OF_THE_DISEASE.fullmatch(cause["cause"]) is None
    return _RECURRENCE.search(named) is not None and _ALIVE_WITH.fullmatch(word) is not None


def event_code(value: object, about: str | None = None, endpoint: str = "") -> float | None:
    """Return what one cell of an event column means.

    Parameters
    ----------
    value
        A number, truth value or word such as ``"Deceased"`` or ``"0:DiseaseFree"``.
    about
        ``"death"`` or ``"recurrence"`` accepts the words of such a column only; None accepts both.
    endpoint
        Names of the endpoint and its column, where known: a death of another cause is no word of disease-specific
        survival, nor "alive with disease" of a recurrence.

    Returns
    -------
    float or None
        1 the event happened, 0 follow-up ended before it, NaN nobody knows; None for a word that may mean anything.
    """
    word = word_of(value)
    if value is None or word in _MISSING or _UNSAID.fullmatch(word):
        return math.nan
    if _says_more(word, endpoint):
        return None
    coded = _CODED.fullmatch(word)
    if coded:
        # The number decides; "1:alive" contradicts itself.
        inner = _meaning(coded[2], None)
        return float(coded[1]) if inner is None or inner == float(coded[1]) else None
    return _meaning(word, about)


def _meaning(word: str, about: str | None) -> float | None:
    for code, kind, pattern in _WORDS:
        if (about is None or kind in ("any", about)) and pattern.fullmatch(word):
            return code
    return None


def event_codes(
    values: Iterable[object], about: str | None = None, endpoint: str = ""
) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Return the codes of a column (NaN where unknown or unread), and the cells that could not be read.

    The name of a pandas column is looked at beside `endpoint`, see `event_code`.
    """
    cells: list[Any] = list(values)
    named = f"{endpoint} {getattr(values, 'name', '')}"
    codes = [event_code(v, about, named) for v in cells]
    unread = [str(v).strip() for v, c in zip(cells, codes, strict=True) if c is None]
    return np.array([math.nan if c is None else c for c in codes], dtype=np.float64), unread

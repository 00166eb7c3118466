"""What each entry was shown to read, by context: the evidence, and the one rule that grades it.

``signatures/evidence.tsv`` holds the numbers; a grade is computed from them whenever it is asked for, by `grade_of`.

An estimate has a direction: positive where the entry's value rises with what was measured or done. The claim of an
entry is a direction too. With the standard error from the 95% interval (of a correlation on Fisher's scale):

- as expected: the interval lies on the claimed side of 0;
- opposed: it lies on the other side;
- none: it holds 0;
- not tested: nothing was claimed, or nothing measured.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mtorscore.collection.library_files import library_folder
from mtorscore.errors import FormatError, SignatureError

__all__ = [
    "AS_EXPECTED",
    "COLUMNS",
    "CONTEXTS",
    "GRADES",
    "NONE",
    "NOT_TESTED",
    "OPPOSED",
    "Evidence",
    "as_table",
    "check_grades",
    "context_named",
    "evidence",
    "evidence_file",
    "grade_of",
    "graded_in_words",
    "grades_among",
    "grades_of",
    "read_evidence",
]

AS_EXPECTED, NONE, OPPOSED, NOT_TESTED = "as expected", "none", "opposed", "not tested"
GRADES: tuple[str, ...] = (AS_EXPECTED, NONE, OPPOSED, NOT_TESTED)
CONTEXTS: dict[str, str] = {
    "HCC": "liver tumours (HCC)",
    "CCA": "bile-duct tumours (CCA)",
    "HB": "hepatoblastoma (HB)",
    "other tumours": "other tumours",
    "cell lines": "cell lines",
}
"""Contexts of the grades, in words."""
CORRELATION, DEVIATE = "rho", "z"
COLUMNS: tuple[str, ...] = (
    *("signature", "hash", "context", "measure", "statistic", "claim", "estimate", "low", "high", "n", "q", "source"),
    "grade",
)
"""Columns of ``evidence.tsv``; the last is what the rule said when the file was written."""
_NORMAL = 1.959963984540054


@dataclass(frozen=True)
class Evidence:
    """What one entry was held against in one context.

    Parameters
    ----------
    signature, hash
        Id and content hash of the entry as it was measured; another content has no evidence.
    context
        One of `CONTEXTS`.
    measure
        Antibody or perturbations.
    statistic
        ``"rho"`` (a correlation) or ``"z"`` (a normal deviate).
    claim
        1 or -1, the direction that the entry claims; 0 for none.
    estimate, low, high
        With 95% interval; NaN where nothing was measured.
    n
        Tumours (``"rho"``) or studies (``"z"``).
    q
        Benjamini and Hochberg over the claims of the context.
    source
        Where the numbers come from.
    """

    signature: str
    hash: str
    context: str
    measure: str
    statistic: str
    claim: int
    estimate: float
    low: float
    high: float
    n: int
    q: float
    source: str

    @property
    def grade(self) -> str:
        """One of `GRADES`, by the rule."""
        return grade_of(self.claim, self.estimate, self.low, self.high, self.statistic)

    @property
    def deviate(self) -> float:
        """The estimate in standard errors, positive on the claimed side; NaN where it was not tested."""
        return deviate_of(self.claim, self.estimate, self.low, self.high, self.statistic)

    @property
    def words(self) -> str:
        """Such as ``"opposed in liver tumours (HCC): pAKT -0.57 (-0.72 to -0.38), n 71, q 6.3e-06"``."""
        text = f"{self.grade} in {CONTEXTS[self.context]}"
        if self.grade == NOT_TESTED:
            return text
        unit = "tumours" if self.statistic == CORRELATION else "studies"
        interval = f"{self.estimate:+.2f} ({self.low:+.2f} to {self.high:+.2f})"
        more = f", q {self.q:.2g}" if math.isfinite(self.q) else ""
        return f"{text}: {self.measure} {interval}, {self.n} {unit}{more}"


def deviate_of(claim: int, estimate: float, low: float, high: float, statistic: str) -> float:
    """Return an estimate in standard errors, positive on the claimed side."""
    numbers = (estimate, low, high)
    if not claim or not all(map(math.isfinite, numbers)):
        return math.nan
    middle, least, most = (math.atanh(v) for v in numbers) if statistic == CORRELATION else numbers
    return claim * middle * 2 * _NORMAL / (most - least)


def grade_of(claim: int, estimate: float, low: float, high: float, statistic: str) -> str:
    """Return the grade of a claim.

    Parameters
    ----------
    claim
        1, -1, or 0 for none.
    estimate, low, high
        Estimate with its 95% interval, whose width gives the standard error.
    statistic
        ``"rho"`` or ``"z"``.

    Returns
    -------
    str
        One of `GRADES`.
    """
    deviate = deviate_of(claim, estimate, low, high, statistic)
    if math.isnan(deviate):
        return NOT_TESTED
    return AS_EXPECTED if deviate > _NORMAL else OPPOSED if deviate < -_NORMAL else NONE


def evidence_file() -> Path:
    """Return the path of the shipped library's evidence."""
    return library_folder() / "evidence.tsv"


def read_evidence(path: Path) -> dict[str, dict[str, Evidence]]:
    """Return signature -> context -> evidence, as a file holds it.

    Raises
    ------
    FormatError
        If columns are missing, or a context, claim or number is not one.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t"))
    out: dict[str, dict[str, Evidence]] = {}
    for row in rows:
        missing = [c for c in COLUMNS[:-1] if row.get(c) is None]
        if missing:
            raise FormatError(f"The evidence lacks the column {missing[0]}.", path=path)
        if row["context"] not in CONTEXTS or row["claim"] not in {"1", "0", "-1"}:
            raise FormatError(
                f"{row['signature']}: the context is {row['context']!r} and the claim {row['claim']!r}; contexts are "
                f"{', '.join(CONTEXTS)} and claims 1, 0 and -1.",
                path=path,
            )
        out.setdefault(row["signature"], {})[row["context"]] = _from_row(row, path)
    return out


def _from_row(row: Mapping[str, str], path: Path) -> Evidence:
    try:
        estimate, low, high, q = (float(row[c] or "nan") for c in ("estimate", "low", "high", "q"))
        n, claim = int(row["n"] or 0), int(row["claim"])
    except ValueError as error:
        raise FormatError(f"{row['signature']}: a number of its evidence is not one ({error}).", path=path) from error
    return Evidence(
        row["signature"], row["hash"], row["context"], row["measure"], row["statistic"], claim, estimate, low, high, n,
        q, row["source"],
    )  # fmt: skip


@lru_cache(maxsize=4)
def _read(path: Path) -> dict[str, dict[str, Evidence]]:
    return read_evidence(path) if path.exists() else {}


def evidence() -> dict[str, dict[str, Evidence]]:
    """Return the library's evidence: signature -> context -> `Evidence`."""
    return _read(evidence_file())


def as_table(rows: Iterable[Evidence]) -> list[dict[str, str]]:
    """Return rows of text with `COLUMNS`, the grade by the rule last."""
    out = []
    for one in rows:
        values = {c: getattr(one, c) for c in COLUMNS}
        text = {c: "" if isinstance(v, float) and math.isnan(v) else v for c, v in values.items()}
        out.append({c: f"{v:.4g}" if isinstance(v, float) else str(v) for c, v in text.items()})
    return out


def grades_of(name: str, content: str) -> dict[str, str]:
    """Return context -> grade of an entry.

    Parameters
    ----------
    name, content
        Its id and content hash.

    Returns
    -------
    dict
        Every context; empty for an entry that the evidence does not know. An entry whose content differs from what
        was measured is not tested.
    """
    found = evidence().get(name)
    if found is None:
        return {}
    measured = {c: e.grade for c, e in found.items() if e.hash == content}
    return {c: measured.get(c, NOT_TESTED) for c in CONTEXTS}


def graded_in_words(name: str, content: str, context: str | None = None) -> list[str]:
    """Return an entry's grades as sentences, of one context or of all."""
    grades = grades_of(name, content)
    out = []
    for one in grades if context is None else [c for c in grades if c == context_named(context)]:
        found = evidence()[name].get(one)
        known = found is not None and found.hash == content
        out.append(found.words if found is not None and known else f"{NOT_TESTED} in {CONTEXTS[one]}")
    return out


def context_named(name: str | None) -> str | None:
    """Return the context that a disease or tissue names, in any case: ``"hcc"`` is ``"HCC"``; None for none."""
    return next((c for c in CONTEXTS if name is not None and c.casefold() == str(name).casefold()), None)


def grades_among(grades: Mapping[str, str], context: str | None) -> set[str]:
    """Return the grade in a context, or where that is None the grades in all."""
    where = context_named(context)
    return {g for c, g in grades.items() if context is None or c == where}


def check_grades(values: Iterable[str], context: str | None) -> set[str]:
    """Return grades as a set, checked; a context, where one is given, must be known.

    Raises
    ------
    SignatureError
        Naming what there is.
    """
    chosen = set(values)
    unknown = sorted(chosen - set(GRADES))
    if unknown:
        raise SignatureError(f"Unknown confidence: {unknown[0]!r}. Known: {', '.join(GRADES)}.")
    if context is not None and context_named(context) is None:
        raise SignatureError(f"Unknown context: {context!r}. Known: {', '.join(CONTEXTS)}.")
    return chosen

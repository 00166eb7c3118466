"""Cells of text tables: missing values, numbers, decimal marks and delimiters."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "COPY_NUMBER",
    "MISSING",
    "are_levels",
    "are_measurements",
    "grouped_by_points",
    "guess_delimiter",
    "holds_text",
    "is_missing",
    "is_missing_word",
    "is_number",
    "repair_decimals",
    "repair_spaces",
    "split",
    "twins",
    "typed",
]

MISSING = frozenset(
    {
        "", "NA", "N/A", "n/a", "na", "#N/A", "#NA", "NaN", "nan", "NAN", "null", "NULL", "Null", "None", "none", "--",
        "'--", "-", ".", "#VALUE!", "#NUM!", "#DIV/0!", "#REF!", "[Not Available]", "[Not Applicable]", "[Unknown]",
        "[Discrepancy]", "[Completed]", "[Not Evaluated]", "Not Available", "not available", "<NA>", "?",
        "N.A.", "n.a.", "N.D.", "n.d.", "missing", "Missing", "MISSING",
    }
)  # fmt: skip
COPY_NUMBER = ("-2", "-1.5", "-1", "0", "1", "2")
"""Levels of copy number of GISTIC and cBioPortal."""
_DELIMITERS = "\t,;|"
_DECIMAL_COMMA = re.compile(r"^[+-]?\d*,\d+(?:[eE][+-]?\d+)?$")
_GROUPED = re.compile(r"^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$")
_POINT_GROUPED = re.compile(r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})+$")
_SMALL_WHOLE = re.compile(r"^[+-]?\d{1,3}$")
# So many cells must look grouped, and none otherwise, before a table with three decimals is taken for one without.
ENOUGH_GROUPED = 8


def holds_text(column: Any) -> bool:
    """Whether a pandas column holds text: as objects, or as the strings that pandas 3 infers."""
    return column.dtype == object or str(column.dtype) in ("str", "string")


def is_missing(value: object) -> bool:
    """Whether a text stands for a missing value in any of the spellings that portals use."""
    return value is None or (isinstance(value, float) and value != value) or str(value).strip() in MISSING


_MISSING_WORD = re.compile(
    r"n ?/? ?[ad]|na[nt]?|nil|null|none|missing( values?| data)?|unknown|unk|unavailable|pending|undetermined|"
    r"no (data|value|info\w*)|lost( to follow ?up)?|indeterminate|empty|blank|x{2,}|not? ?(available|applicable|done|"
    r"determined|reported|recorded|known|measured|evaluated|assessed|tested|stated)"
)


def is_missing_word(value: object) -> bool:
    """Whether a word says in any spelling that a number is missing: ``n.d.``, ``N.A.``, ``not done``, ``unknown``."""
    words = re.sub(r"[\s._()\[\]-]+", " ", str(value).strip().lower().replace(".", "")).strip()
    return is_missing(value) or bool(_MISSING_WORD.fullmatch(words))


def is_number(value: object) -> bool:
    """Whether a text is a number."""
    text = str(value)
    try:
        float(text)
    except ValueError:
        return False
    # Python also takes underscores and the digits of other scripts.
    return "_" not in text and text.isascii()


_COMMA = re.compile(r"[+-]?\d+,\d+")
_MEASURED = re.compile(r"[<>≤≥~]?\s*[+-]?\d[\d.,]*(?:\s*[%+]|\s+[A-Za-zµ/]{1,8})?")
_PLAIN = re.compile(r"[+-]?\d+(?:\.\d*)?")
MOST_BINS = 4
"""More distinct texts of a number with a sign or unit (``<20``, ``10%``) than this are measurements, not bins."""


def are_measurements(levels: Sequence[str]) -> bool:
    """Whether texts are numbers with decimal commas, signs or units, and no names of classes.

    Examples
    --------
    >>> are_measurements(["38,5", "40,1"]), are_measurements(["<=60", ">60"]), are_measurements(["G1", "G2"])
    (True, False, False)
    """
    texts = [t.strip() for t in levels]
    commas = sum(_COMMA.fullmatch(t) is not None for t in texts)
    measured = sum(_MEASURED.fullmatch(t) is not None and not _PLAIN.fullmatch(t) for t in texts)
    return 2 * commas > len(texts) or (measured > MOST_BINS and 2 * measured > len(texts))


def twins(levels: Sequence[str]) -> tuple[str, str] | None:
    """Return the first two levels that differ in capitals or blanks only."""
    seen: dict[str, str] = {}
    for level in levels:
        twin = seen.setdefault(" ".join(level.casefold().split()), level)
        if twin != level:
            return twin, level
    return None


def split(line: str, delimiter: str) -> list[str]:
    """Split one line, honouring double quotes."""
    if '"' in line:
        return [f.strip() for f in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]
    return [f.strip() for f in line.split(delimiter)] if delimiter != " " else line.split()


def _n_fields(line: str, delimiter: str) -> int:
    """Return how many fields `split` finds, without making them where nothing is quoted."""
    return len(split(line, delimiter)) if '"' in line or delimiter == " " else line.count(delimiter) + 1


def guess_delimiter(lines: list[str]) -> str:
    """Return the delimiter that splits the lines most evenly into at least two fields; "" if none does."""
    best, best_score = "", (0.0, False, 0)
    body = [line for line in lines if line.strip()][:50]
    for delimiter in _DELIMITERS + " ":
        counts = [_n_fields(line, delimiter) for line in body]
        if not counts or max(counts) < 2:
            continue
        mode, times = Counter(counts[1:] or counts).most_common(1)[0]
        if mode < 2:
            continue
        # A header may lack the name of the first column; else it has as many fields as the rows.
        fits = counts[0] in (mode, mode - 1)
        score = (round(times / max(len(counts) - 1, 1), 2), fits, 0 if delimiter == " " else mode)
        # Text with spaces is common inside tab-separated files, so a space wins only where nothing else splits.
        if delimiter == " " and best:
            continue
        if score > best_score:
            best, best_score = delimiter, score
    return best


def typed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return text as float64 where every value that is not missing is a number, otherwise unchanged."""
    out = []
    for value in values.tolist():
        if value.__class__ is not str:
            if is_missing(value):
                out.append(np.nan)
                continue
            if not is_number(value):
                return values
            out.append(float(value))
            continue
        # As `is_missing` and `is_number`, written out: tables have millions of cells.
        if value.strip() in MISSING:
            out.append(np.nan)
            continue
        try:
            number = float(value)
        except ValueError:
            return values
        if "_" in value or not value.isascii():
            return values
        out.append(number)
    return np.array(out, dtype=np.float64)


def repair_spaces(columns: list[npt.NDArray[Any]], repairs: list[str]) -> None:
    """Read numbers that only had white space around them (a non-breaking space, a vertical tab)."""
    fixed = 0
    for i, column in enumerate(columns):
        if i and column.dtype == object and (number := typed(column)).dtype != object:
            columns[i], fixed = number, fixed + 1
    if fixed:
        repairs.append(f"white space around numbers removed in {fixed} columns")


def repair_decimals(columns: list[npt.NDArray[Any]], repairs: list[str], delimiter: str, *, text: bool = False) -> None:
    """Read decimal commas, where nothing else in the table says that commas or points group thousands.

    A column is repaired where every cell is a number once its comma is a point. Nothing is repaired where points occur
    in other numbers of the table: either mark may then be the decimal one.

    Parameters
    ----------
    columns
        Columns of the table, changed in place.
    repairs
        Receives what was done.
    delimiter
        Of the table; a comma cannot be both.
    text
        The table stays text (clinical tables, typed later): commas become points, and no more.
    """
    if delimiter == ",":
        return
    repaired: dict[int, npt.NDArray[Any]] = {}
    points = False
    # 5,5 or 0,123 anywhere says what the comma is everywhere; so does 1,234,567.
    texts = [c for c in columns[1:] if c.dtype == object]
    sure = _comma_is_decimal(texts)
    for i, column in enumerate(columns[1:], 1):
        if column.dtype != object:
            continue
        odd = [v for v in column if "," in v]
        dotted = any("." in v and is_number(v) for v in column)
        if not odd:
            points = points or (dotted and typed(column).dtype != object)
            continue
        # 1,234 may be a thousand or one and a bit; only another value can tell.
        if not all(_DECIMAL_COMMA.match(v) for v in odd) or (not sure and all(_GROUPED.match(v) for v in odd)):
            continue
        whole = np.array([v.replace(",", ".") for v in column], dtype=object)
        if (number := typed(whole)).dtype != object:
            points = points or dotted
            repaired[i] = whole if text else number
    numbers = [c[np.isfinite(c)] for c in columns[1:] if c.dtype != object] if repaired else []
    if repaired and not points and not any((n != np.floor(n)).any() for n in numbers):
        for i, column in repaired.items():
            columns[i] = column
        repairs.append(f"decimal commas read as points in {len(repaired)} columns")


def _comma_is_decimal(columns: list[npt.NDArray[Any]]) -> bool:
    """Whether a number with a comma can only have a decimal one, and none can only be grouped by commas."""
    found = False
    for column in columns:
        for value in column:
            if "," not in value:
                continue
            if value.count(",") > 1 and _GROUPED.match(value):
                return False
            if not found and _DECIMAL_COMMA.match(value):
                found = value.lstrip("+-").startswith("0,") or not _GROUPED.match(value)
    return found


def grouped_by_points(columns: list[npt.NDArray[Any]], lines: list[str], delimiter: str) -> tuple[int, int, str] | None:
    """Find numbers whose points group thousands: ``1.234`` beside ``987``, and nothing that has other decimals.

    Parameters
    ----------
    columns
        Columns as typed.
    lines
        The first rows as text.
    delimiter
        Of the table.

    Returns
    -------
    tuple or None
        Row, column (zero-based) and text of the first such cell.
    """
    found: list[tuple[int, int, str]] = []
    whole = 0
    for row, line in enumerate(lines):
        for i, cell in enumerate(split(line, delimiter)[1:], 1):
            if i >= len(columns) or columns[i].dtype == object or is_missing(cell):
                continue
            if _POINT_GROUPED.match(cell):
                found.append((row, i, cell))
            elif _SMALL_WHOLE.match(cell):
                whole += cell.strip("+-0") != ""
            else:
                return None
    if not whole or len(found) < ENOUGH_GROUPED:
        return None
    # Grouped by points, a count below a million reads as a whole number below 1000 or a number of thousandths.
    numbers = [c[np.isfinite(c)] for c in columns[1:] if c.dtype != object]
    plain = any((np.abs(n) >= 1000).any() or ((n != 0) & (np.abs(n) < 1)).any() for n in numbers)
    return None if plain else found[0]


def are_levels(values: npt.NDArray[Any]) -> bool:
    """Whether numbers (without missing ones) are levels of copy number, losses among them."""
    known = [float(level) for level in COPY_NUMBER]
    some = values.ravel()[:1000]
    return bool(some.size and np.isin(some, known).all() and np.isin(values, known).all() and values.min() < 0)

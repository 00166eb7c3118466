"""Coding of clinical columns as numbers, declared once: number, ordered levels or category, by name.

A coding is learned from one table and applied to others. Values are found by their names, whatever the storage
(numbers, text, categories in any order, with or without empty levels); what has no place is an error or is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.io.tables.cell_text import are_measurements, twins
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = [
    "KINDS",
    "Coding",
    "drop_empty_levels",
    "kind_of_column",
    "learn",
    "name_of",
    "names_in",
    "numbers_in",
    "warn_codes",
]

KINDS = ("number", "ordered", "category", "number or position")
"""The last one is of models written by 0.1.0, which did not say whether a column was a number or ordered levels."""
MOST_LEVELS = 10
"""With more distinct numbers than this a column that also holds words is one of numbers, however many words."""
_CODES_OF_MISSING = (9.0, 99.0, 999.0, 9999.0, 99999.0)


def name_of(value: object) -> str:
    """Return the name of a level: whole numbers without decimals, text without surrounding blanks."""
    if isinstance(value, float | np.floating) and np.isfinite(value) and float(value).is_integer():
        value = int(value)
    return str(value).strip()


def names_in(column: pd.Series) -> pd.Series:
    """Return the name of each value; missing where the value is."""
    known = column.dropna().astype(object)
    unique = {v: name_of(v) for v in known.unique()}
    return known.map(unique).reindex(column.index)


def drop_empty_levels(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the levels of categories that occur in it: an empty level must not move a code."""
    changed = {
        c: table[c].cat.remove_unused_categories()
        for c in table.columns
        if isinstance(table[c].dtype, pd.CategoricalDtype)
    }
    return table.assign(**changed) if changed else table


def kind_of_column(column: pd.Series) -> str:
    """Return ``"number"``, ``"ordered"`` or ``"category"``.

    Raises
    ------
    DataError
        If the column holds dates, or numbers with some words among them.
    """
    dtype = column.dtype
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        raise DataError(f"Covariate {column.name!r} holds dates or durations; turn them into numbers, such as years.")
    declared = isinstance(dtype, pd.CategoricalDtype)
    if declared and column.cat.ordered:
        return "ordered"
    if declared and pd.api.types.is_numeric_dtype(column.cat.categories.dtype):
        return "category"
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_numeric_dtype(dtype):
        return "number"
    known = column.dropna().astype(object)
    numbers = pd.to_numeric(known, errors="coerce")
    words = known[numbers.isna()]
    if not len(words):
        return "number"
    found = numbers.dropna()
    if len(found) >= len(words) or found.nunique() > MOST_LEVELS:
        raise DataError(words_among_numbers(column.name, words))
    _refuse_measurements(column.name, words)
    _refuse_twins(column.name, known)
    return "category"


def _refuse_measurements(name: object, words: pd.Series) -> None:
    """Refuse text that is numbers with decimal commas, signs or units: each would be a level of its own."""
    texts = [str(w).strip() for w in words.unique()]
    if are_measurements(texts):
        raise DataError(
            f"Column {name!r} holds numbers written as text ({examples(map(repr, texts))}), of which each would be a "
            "level of its own; write plain numbers with decimal points, without signs and units."
        )


def _refuse_twins(name: object, known: pd.Series) -> None:
    """Refuse levels that differ in capitals or blanks only: they would be different levels."""
    twin = twins(list(dict.fromkeys(name_of(v) for v in known.unique())))
    if twin:
        raise DataError(
            f"Column {name!r} holds levels that differ in capitals or blanks only ({twin[0]!r}, {twin[1]!r}), and "
            "would be counted as different ones; write them alike."
        )


def warn_codes(column: pd.Series, values: FloatArray) -> None:
    """Warn of numbers that look like codes of missing values, such as -9 among ages or 999 among far smaller ones.

    Parameters
    ----------
    column
        What is named.
    values
        Its numbers.
    """
    known = values[np.isfinite(values)]
    for code in _CODES_OF_MISSING:
        for value in (-code, code):
            rest = known[known != value]
            if len(rest) == len(known) or not len(rest):
                continue
            below = value < 0 <= rest.min()
            above = value >= 99 and rest.max() < value / 3 and rest.max() > 1
            if below or above:
                warn(
                    f"{len(known) - len(rest)} value(s) of {column.name!r} are {value:g}, and all others lie between "
                    f"{rest.min():g} and {rest.max():g}: where that is a code for missing, set it to missing.",
                    DataWarning,
                )


def words_among_numbers(name: object, words: pd.Series) -> str:
    """Return the message on a numeric column that also holds words."""
    quoted = examples(repr(str(w)) for w in words.unique())
    return (
        f"Column {name!r} holds numbers and {len(words)} value(s) that are none ({quoted}); set them to missing when "
        "the table is read. If its numbers are codes of classes, write them as words, such as 'grade 1'."
    )


def numbers_in(column: pd.Series) -> FloatArray:
    """Return a column as numbers, NaN where missing.

    Raises
    ------
    DataError
        If it holds words, which the message names, or infinite values.
    """
    if not isinstance(column.dtype, pd.CategoricalDtype) and pd.api.types.is_numeric_dtype(column.dtype):
        values: FloatArray = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return _finite(column, values)
    plain = column.astype(object)
    numbers = pd.to_numeric(plain, errors="coerce")
    words = plain[numbers.isna() & plain.notna()]
    if len(words):
        raise DataError(words_among_numbers(column.name, words))
    converted: FloatArray = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    return _finite(column, converted)


def _finite(column: pd.Series, values: FloatArray) -> FloatArray:
    infinite = np.isinf(values)
    if infinite.any():
        raise DataError(
            f"Column {column.name!r} holds {int(infinite.sum())} infinite value(s) "
            f"({examples(column.index[infinite])}); set them to missing."
        )
    return values


@dataclass(frozen=True)
class Coding:
    """How one clinical column becomes numbers.

    Attributes
    ----------
    column
        Its name.
    kind
        One of `KINDS`.
    levels
        Names of the levels: ascending for ordered ones (coded 1, 2, 3, ...), the commonest first for a category (one
        0/1 column for each of the others).
    median
        What a missing value becomes (numbers and ordered levels; a category's missing values are its first level).
    """

    column: Any
    kind: str
    levels: tuple[str, ...] = ()
    median: float = 0.0

    @property
    def names(self) -> list[str]:
        """Names of the coded columns."""
        if self.kind != "category":
            return [str(self.column)]
        return [f"{self.column}={level}" for level in self.levels[1:]]

    def apply(self, column: pd.Series) -> FloatArray:
        """Return ``(n, q)`` numbers without missing values.

        Raises
        ------
        DataError
            If a numeric column holds words, or ordered levels that the coding does not know.
        """
        if self.kind == "category":
            names = names_in(column)
            parts = [(names == level).to_numpy(dtype=np.float64, na_value=0.0) for level in self.levels[1:]]
            return np.column_stack(parts) if parts else np.zeros((len(column), 0))
        values = self._ranks(column) if self.kind == "ordered" else self._numbers(column)
        return np.where(np.isfinite(values), values, self.median)[:, None]

    def unseen(self, column: pd.Series) -> pd.Series:
        """Return the values of a category that the coding does not know; they count as its first level."""
        if self.kind != "category":
            return column.iloc[:0]
        names = names_in(column).dropna()
        return names[~names.isin(self.levels)]

    def other_order(self, column: pd.Series) -> bool:
        """Whether an ordered column declares the coding's levels in another order."""
        dtype = column.dtype
        if self.kind != "ordered" or not isinstance(dtype, pd.CategoricalDtype) or not dtype.ordered:
            return False
        shared = [n for n in map(name_of, dtype.categories) if n in self.levels]
        return shared != [n for n in self.levels if n in shared]

    def _numbers(self, column: pd.Series) -> FloatArray:
        dtype = column.dtype
        if self.kind == "number or position" and isinstance(dtype, pd.CategoricalDtype) and dtype.ordered:
            raise DataError(
                f"The model was written by 0.1.0, which did not keep the levels of column {self.column!r}; which code "
                f"its levels ({examples(map(str, dtype.categories))}) had is not known. Fit the model again."
            )
        return numbers_in(column)

    def _ranks(self, column: pd.Series) -> FloatArray:
        names = names_in(column)
        place = {level: i + 1.0 for i, level in enumerate(self.levels)}
        ranks: FloatArray = names.map(place).to_numpy(dtype=np.float64, na_value=np.nan)
        unknown = names[np.isnan(ranks) & names.notna().to_numpy()]
        if len(unknown):
            raise DataError(
                f"Column {self.column!r} holds {len(unknown)} value(s) that are no level of the model "
                f"({examples(repr(v) for v in unknown.unique())}); its levels are {', '.join(self.levels)}, in this "
                "order. Rename the values, or set them to missing."
            )
        return ranks


def learn(column: pd.Series) -> Coding:
    """Learn the coding of a column: its kind, levels and median.

    The levels of an ordered category are those that it declares: in a part of a table (a fold) some may be empty.
    """
    kind = kind_of_column(column)
    if kind == "category":
        counts = names_in(column).value_counts()
        levels = sorted((str(v) for v in counts.index), key=lambda v: (-counts[v], v))
        return Coding(column.name, kind, tuple(levels))
    levels = [name_of(v) for v in column.cat.categories] if kind == "ordered" else []
    known = Coding(column.name, kind, tuple(levels), float("nan")).apply(column)
    known = known[np.isfinite(known)]
    if kind == "number":
        warn_codes(column, known)
    return Coding(column.name, kind, tuple(levels), float(np.median(known)) if len(known) else 0.0)

"""Clinical covariates as model columns, and the Benjamini-Hochberg adjustment."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import cast

import numpy as np
import pandas as pd

from mtorscore._multiple_testing import adjust_p
from mtorscore.errors import DataError, examples, nearest
from mtorscore.io.portals.patient_fields import STAGES, simple_stage
from mtorscore.prognosis.endpoints.coding import (
    MOST_LEVELS,
    drop_empty_levels,
    kind_of_column,
    learn,
    names_in,
    numbers_in,
    warn_codes,
)
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = [
    "adjust_p",
    "ajcc_stage",
    "check_column",
    "check_groups",
    "check_numbers",
    "check_observations",
    "check_table",
    "encode",
    "pick_columns",
    "pool_rare_levels",
    "rare_levels",
    "refuse_infinite",
]

RARE = 5
"""A level of a category that fewer patients have is not adjusted for on its own."""


def check_table(table: pd.DataFrame, what: str) -> None:
    """Refuse a table without columns, with duplicated columns or observations, or with infinite numbers.

    Parameters
    ----------
    table
        Observations x columns.
    what
        What the message calls it, such as ``"scores"``.
    """
    if table.shape[1] == 0:
        raise DataError(f"The table of {what} has no column.")
    if table.columns.has_duplicates:
        twice = table.columns[table.columns.duplicated()].unique()
        raise DataError(f"{len(twice)} column(s) of the {what} are duplicated ({examples(twice)}); keep one each.")
    check_observations(table.index, what)
    refuse_infinite(table, what)


def refuse_infinite(table: pd.DataFrame, what: str) -> None:
    """Refuse columns of numbers that hold infinite ones."""
    numbers = table.select_dtypes(include="number")
    infinite = [c for c in numbers.columns if np.isinf(numbers[c].to_numpy(dtype=np.float64, na_value=np.nan)).any()]
    if infinite:
        raise DataError(
            f"{len(infinite)} column(s) of the {what} hold infinite values ({examples(infinite)}); set them to missing."
        )


def check_observations(index: pd.Index, what: str) -> None:
    """Refuse duplicated observations."""
    if index.has_duplicates:
        twice = index[index.duplicated()].unique()
        raise DataError(
            f"{len(twice)} observation(s) are duplicated in the {what} ({examples(twice)}); keep one row per "
            "patient (pp.resolve_patients does, and logs it)."
        )


def check_numbers(table: pd.DataFrame, what: str) -> None:
    """Refuse columns that hold anything but numbers."""
    text = [c for c in table.columns if not pd.api.types.is_numeric_dtype(table[c].dtype)]
    if text:
        raise DataError(f"{len(text)} column(s) of the {what} are not numeric ({examples(text)}); drop them.")


def check_column(values: object, what: str, *, numeric: bool = False) -> None:
    """Refuse what is not one named column with one value (a number, where asked for) per observation."""
    if not isinstance(values, pd.Series):
        raise DataError(f"{what[:1].upper()}{what[1:]} must be a Series, one column, not {type(values).__name__}.")
    check_observations(values.index, what)
    if numeric:
        check_numbers(values.to_frame(name=what if values.name is None else values.name), what)


def check_groups(groups: object) -> None:
    """Refuse groups of which each patient is one: a score that was handed over as groups, or nothing but gaps."""
    check_column(groups, "groups")
    known = cast("pd.Series", groups).dropna()
    if not len(known):
        raise DataError("No observation has a group: every value is missing.")
    if pd.api.types.is_float_dtype(known.dtype) and known.nunique() > MOST_LEVELS:
        raise DataError(
            f"The groups are {known.nunique()} different numbers ({examples(known.unique())}), so a score rather than "
            "groups: hand over a DataFrame of scores to kaplan_meier (which cuts at quantiles), or groups by name."
        )


def pick_columns(table: pd.DataFrame, columns: Sequence[Hashable], what: str) -> pd.DataFrame:
    """Return `columns` of a table, or say which are missing and what is near."""
    missing = [c for c in columns if c not in table.columns]
    if missing:
        near = nearest(missing[0], table.columns)
        hint = f" Near: {', '.join(near)}." if near else f" It has {examples(table.columns, 6)}."
        raise DataError(f"{len(missing)} {what} not in the clinical table ({examples(missing)}).{hint}")
    return table[list(columns)]


def encode(table: pd.DataFrame) -> pd.DataFrame:
    """Code covariates as numbers, NaN where missing.

    Parameters
    ----------
    table
        Observations x covariates.

    Returns
    -------
    pandas.DataFrame
        Numbers and booleans as they are; ordered categories as 1, 2, 3, ... over the levels that occur (one
        parameter, a trend); other categories as one 0/1 column per level but the most frequent. Columns that do not
        vary are left out.

    Raises
    ------
    DataError
        If a numeric column holds words, or a column holds dates.
    """
    if table.columns.has_duplicates:
        twice = table.columns[table.columns.duplicated()].unique()
        raise DataError(f"{len(twice)} covariate(s) are duplicated ({examples(twice)}); keep one each.")
    table = drop_empty_levels(table)
    parts: dict[str, FloatArray] = {}
    for name in table.columns:
        column = table[name]
        kind = kind_of_column(column)
        if kind == "number":
            parts[str(name)] = numbers_in(column)
            warn_codes(column, parts[str(name)])
            continue
        coding = learn(column)
        missing = column.isna().to_numpy()
        for label, values in zip(coding.names, coding.apply(column).T, strict=True):
            parts[label] = np.where(missing, np.nan, values)
    coded = pd.DataFrame(parts, index=table.index)
    varies = [c for c in coded.columns if coded[c].nunique(dropna=True) > 1]
    return coded[varies]


def pool_rare_levels(table: pd.DataFrame, least: int = RARE) -> tuple[pd.DataFrame, str]:
    """Pool the levels of categories that fewer than `least` observations have.

    Parameters
    ----------
    table
        Observations x covariates; numbers and ordered categories stay as they are.
    least
        Levels with fewer observations are one level together; with the commonest one where that is still rarer.

    Returns
    -------
    table, note
        The note names what was pooled; empty where nothing was.
    """
    table, notes = drop_empty_levels(table), []
    for name in table.columns:
        if kind_of_column(table[name]) != "category":
            continue
        values = names_in(table[name])
        counts = values.value_counts()
        rare = sorted(map(str, counts.index[counts < least]))
        if len(counts) < 3 or not rare:
            continue
        alone = counts[rare].sum() < least
        into = str(counts.index[0]) if alone else "rare levels"
        table = table.assign(**{str(name): values.where(~values.isin(rare), into).astype(object)})
        how = f"count as {into}" if alone else "are pooled"
        notes.append(f"{len(rare)} level(s) of {name} with fewer than {least} patients ({examples(rare)}) {how}")
    return table, "; ".join(notes)


def rare_levels(table: pd.DataFrame, least: int = RARE) -> str:
    """Name the levels of categories that fewer than `least` observations have; empty where there are none."""
    notes = []
    for name in table.columns:
        if kind_of_column(table[name]) == "category":
            counts = names_in(table[name]).value_counts()
            rare = sorted(map(str, counts.index[counts < least]))
            if len(counts) > 2 and rare:
                notes.append(f"{len(rare)} level(s) of {name} have fewer than {least} patients ({examples(rare)})")
    return "; ".join(notes)


def ajcc_stage(stages: pd.Series) -> pd.Series:
    """Collapse AJCC stages such as ``"Stage IIIA"`` to an ordered I < II < III < IV.

    Parameters
    ----------
    stages
        Text as cancer registries write it; any case, with or without the word stage.

    Returns
    -------
    pandas.Series
        Ordered category, missing where the text is not a stage (``"[Discrepancy]"``, ``"Not Available"``). As a
        covariate it is a trend with one parameter.
    """
    found = [simple_stage(v) or None for v in stages.astype(object)]
    return pd.Series(pd.Categorical(found, categories=list(STAGES), ordered=True), index=stages.index, name=stages.name)

"""Printed part of a result table, and the meanings of its columns."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mtorscore.results import TABLES

_MOST_ROWS = 40


def printed(key: str, table: pd.DataFrame, leads: Sequence[str], method: str | None) -> tuple[pd.DataFrame, str]:
    """Return the rows and columns of a table that are printed, and a note on what was left out.

    Parameters
    ----------
    key
        Which table.
    table
        It.
    leads
        Signatures of the overview figures, fixed before any result was seen.
    method
        The run's first method.

    Returns
    -------
    rows, note
        At most 40 rows: of the first method and, where the table is of signatures, of `leads`.
    """
    rows, kinds = table, []
    if "method" in rows and method in set(rows["method"]):
        rows = rows[rows["method"] == method]
        kinds.append(f"by {method}")
    if "signature" in rows and rows["signature"].isin(list(leads)).any():
        rows = rows[rows["signature"].isin(list(leads))]
        kinds.append("one signature per branch, fixed in advance, and confounders")
    if key == "associations" and {"adjusted_for", "endpoint"} <= set(rows.columns):
        rows = rows[rows["adjusted_for"].astype(object).fillna("").isin(["", "proliferation"])]
        rows = rows[rows["endpoint"] == rows["endpoint"].iloc[0]] if len(rows) else rows
        kinds.append("unadjusted and adjusted for proliferation")
    if key == "gsea" and "comparison" in rows and len(rows):
        rows = rows[rows["comparison"] == rows["comparison"].iloc[0]]
    wanted = TABLES[key].printed.split() or list(table.columns)
    rows = rows[[c for c in wanted if c in rows.columns and (rows[c].notna().any() or c in ("p", "q"))]].head(
        _MOST_ROWS
    )
    if len(rows) == len(table):
        return rows, ""
    what = f" ({', '.join(kinds)})" if kinds else ""
    return rows, f"{len(rows)} of {len(table)} rows{what}; the whole table is a file of the run."


def meanings(key: str, table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the meanings of a table's columns, in their order.

    Parameters
    ----------
    key
        Which table.
    table
        It.

    Returns
    -------
    list of tuple
        Column and meaning, of the columns that hold a value.
    """
    known = {c.name: c.meaning for c in TABLES[key].columns}
    return [(str(c), known[str(c)]) for c in table.columns if str(c) in known and table[c].notna().any()]

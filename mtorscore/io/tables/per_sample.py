"""Checks on tables of one sample each that become the rows of one matrix."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mtorscore.errors import DataError, FormatError, examples
from mtorscore.io.tables.delimited import Grid

__all__ = ["gene_order", "one_unit", "refuse_missing_or_negative"]


def gene_order(ids: list[str], genes: list[str], file: Path) -> list[int] | slice:
    """Return what takes the values of a file in the order of `genes`; a file with other genes is refused."""
    if ids == genes:
        return slice(None)
    if len(set(ids)) == len(ids) and set(ids) == set(genes):
        at = {g: i for i, g in enumerate(ids)}
        return [at[g] for g in genes]
    short, what = (ids, "its") if len(ids) < len(genes) else (genes, "the first file's")
    if len(ids) != len(genes) and ids[: len(short)] == genes[: len(short)]:
        raise DataError(
            f"{file}: {len(ids)} genes, and {len(genes)} in the files before it, equal as far as they go: {what} table "
            "is cut off. Download that file again."
        )
    odd = sorted(set(ids) ^ set(genes)) or [g for g in ids if ids.count(g) > 1]
    raise DataError(
        f"{file}: its {len(ids)} genes are not the {len(genes)} of the files before it ({examples(odd)}); the folder "
        "mixes annotations. Read them apart."
    )


def one_unit(units: Iterable[str], path: Path) -> str:
    """Return the unit that all files share; files with different ones are refused."""
    distinct = sorted(set(units))
    if len(distinct) > 1:
        raise DataError(f"{path}: files with different units ({', '.join(distinct)}) lie together; separate them.")
    return distinct[0]


def refuse_missing_or_negative(
    values: npt.NDArray[np.float64], rows: list[int], grid: Grid, column: int, units: str
) -> None:
    """Raise FormatError at the first gene without a value, or with a negative one where `units` are known.

    Parameters
    ----------
    values
        One per gene.
    rows
        The row of each gene in the table.
    grid, column
        The table, and the column that the values are from.
    units
        What they are, "" where that is unknown.
    """
    missing = np.isnan(values)
    if missing.any():
        line = grid.first_line + rows[int(np.argmax(missing))]
        raise FormatError("a gene without a value.", path=grid.path, line=line, column=column + 1)
    negative = values < 0
    if units and negative.any():
        at = int(np.argmax(negative))
        raise FormatError(
            f"a negative value ({values[at]:g}) where {units} are expected.",
            path=grid.path,
            line=grid.first_line + rows[at],
            column=column + 1,
        )

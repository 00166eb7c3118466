"""Clinical tables: one row per patient or sample, missing values as missing, outcomes under standard names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mtorscore.errors import FormatError, examples
from mtorscore.io import detect
from mtorscore.io.formats import binary
from mtorscore.io.portals.clinical_columns import clean, one_row_each, text_frame
from mtorscore.io.tables.cell_text import holds_text
from mtorscore.io.tables.name_evidence import weigh_names
from mtorscore.io.tables.orientation import SAMPLE_COLUMNS, SAMPLE_KEY

__all__ = ["read_clinical", "read_named_rows", "text_table"]


def text_table(path: Path, sheet: str | None = None) -> pd.DataFrame:
    """Read any table as it stands, one column per column: nothing becomes the index, no row is left out."""
    found = detect.detect(path)
    if found.kind == "excel":
        frame, _, _, _ = binary.sheet_frame(path, sheet)
        # The first column holds the names of the rows, whatever stands above it.
        frame.columns = pd.Index([c or ("column_1" if i == 0 else "") for i, c in enumerate(frame.columns)])
        return frame.loc[:, [bool(c) for c in frame.columns]]
    if found.kind == "parquet":
        return pd.read_parquet(path).reset_index()
    if found.kind == "rdata":
        from mtorscore.io.formats.r_objects import objects

        tables = objects(path)
        return tables[max(tables, key=lambda n: tables[n].size)]
    if found.kind == "table" or found.kind.startswith("clinical:"):
        return text_frame(path)
    from mtorscore.io.reading import read

    obs = read(path).obs
    return obs if "sample" in obs else obs.rename_axis("sample").reset_index()


def read_named_rows(path: str | Path) -> pd.DataFrame:
    """Read any table whose first column names its rows; nothing is added and no row is merged or left out.

    Parameters
    ----------
    path
        Any table that `read` takes: text with any delimiter, compressed or not, a workbook, Parquet.

    Returns
    -------
    pandas.DataFrame
        Index: the first column as text. Other columns: float64 where all that is not missing is a number, ``True``
        and ``False`` as numbers too, else text, missing as None.

    Raises
    ------
    FormatError
        If there is no such file, or it holds no table.
    """
    path = Path(path)
    frame = text_table(path)
    if not frame.shape[1]:
        raise FormatError("the table has no columns.", path=path)
    names = pd.Index([str(v).strip() for v in frame.iloc[:, 0]], name=str(frame.columns[0]))
    out = clean(frame.iloc[:, 1:])
    for column in out:
        known = out[column].dropna()
        if holds_text(out[column]) and known.astype(str).str.lower().isin(["true", "false"]).all():
            out[column] = [np.nan if v is None else float(str(v).lower() == "true") for v in out[column]]
    return out.set_axis(names)


def read_clinical(
    path: str | Path,
    *,
    key: str | None = None,
    sheet: str | None = None,
    where: Mapping[str, Collection[str]] | None = None,
    follow_up: Collection[str | Path] | None = None,
) -> pd.DataFrame:
    """Read a clinical table.

    Parameters
    ----------
    path
        Any table that `read` takes.
    key
        The column that names patients or samples; found by its name if None.
    sheet
        Sheet of a workbook.
    where
        Column -> values: only rows with one of them are kept, such as ``{"type": ["LIHC"]}``.
    follow_up
        Further forms of a legacy biotab, merged patient by patient; those beside the file are found if None.

    Returns
    -------
    pandas.DataFrame
        Index: upper-case TCGA barcodes, or the names as they are. The published columns, with missing values as
        missing and numbers as numbers, and the standard ones of `standardise`.

    Raises
    ------
    FormatError
        If the table cannot be read, has no key column, or repeats a key with differing rows.
    """
    path = Path(path)
    frame = _where(text_table(path, sheet), where or {}, path)
    if key is None:
        _refuse_genes(frame, path)
    forms = None if follow_up is None else [Path(f) for f in follow_up]
    return one_row_each(frame, path, key=key, forms=forms, read_form=text_table)


def _refuse_genes(frame: pd.DataFrame, path: Path) -> None:
    """Raise FormatError for a table whose columns name genes and nothing of patients (identifiers and symbols)."""
    names = [str(c) for c in frame.columns if str(c).lower() != "id"]
    if frame.shape[1] < 2 or any(SAMPLE_KEY.match(c) or SAMPLE_COLUMNS.match(c) for c in names):
        return
    told = {str(c): weigh_names([str(v) for v in frame[c] if v is not None]) for c in frame.columns}
    genes = [c for c, found in told.items() if found.genes >= 0.5 > found.samples]
    if len(genes) >= 2 and len(genes) > 0.5 * frame.shape[1]:
        raise FormatError(
            f"the columns {examples(genes)} name genes, so this is no clinical table but one of genes; name the column "
            "of patients or samples with key= if it is one.",
            path=path,
            line=1,
        )


def _where(frame: pd.DataFrame, where: Mapping[str, Collection[str]], path: Path) -> pd.DataFrame:
    for column, values in where.items():
        if column not in frame.columns:
            raise FormatError(f"there is no column {column!r}; there are {examples(frame.columns, 12)}.", path=path)
        frame = frame[[str(v) in values for v in frame[column]]]
        if not len(frame):
            raise FormatError(f"no row has {column} = {' or '.join(sorted(values))}.", path=path)
    return frame

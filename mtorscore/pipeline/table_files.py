"""Tables and JSON on disk, written atomically."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mtorscore._atomic import atomic, write_whole
from mtorscore.errors import ConfigError, DataError, FormatError

if TYPE_CHECKING:
    import pandas as pd

    from mtorscore.results import Table

__all__ = ["read_table", "separator_of", "write_json", "write_output", "write_result", "write_rows", "write_table"]


def write_result(
    table: pd.DataFrame | Sequence[pd.DataFrame],
    declared: Table,
    folder: str | Path,
    *,
    index: bool = False,
    **names: str,
) -> Path:
    """Write one of a run's tables with the columns that `mtorscore.results` declares, whatever its rows.

    Parameters
    ----------
    table
        Rows, or parts to be written one below the other; an empty sequence gives a header alone.
    declared
        The table's declaration.
    folder
        The cohort's results folder.
    index
        Whether the first declared column is the index of `table`.
    **names
        What the declared path leaves open, such as ``method="zscore"``.

    Returns
    -------
    pathlib.Path
        The file written.

    Warns
    -----
    DataWarning
        If a column is not declared.
    """
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        table = pd.concat(table, ignore_index=True) if len(table) else pd.DataFrame()
    path = Path(folder) / declared.path.format(**names)
    return write_table(declared.arrange(table, index=index), path, index=declared.names[0] if index else None)


def _exactly(pd: Any) -> dict[str, str]:
    """Ask pandas before version 3 for the numbers that were written; later versions read them so anyway."""
    return {"float_precision": "round_trip"} if int(pd.__version__.split(".")[0]) < 3 else {}


def write_table(table: pd.DataFrame, path: str | Path, *, index: str | None = None) -> Path:
    """Write a table as tab-separated text with 17 significant digits, so that it reads back to the same numbers.

    Parameters
    ----------
    table
        Any table; its index is written only where `index` names it.
    path
        The file, ``.gz`` and the like compress.
    index
        Name of the first column when the index is to be kept.

    Returns
    -------
    pathlib.Path
        The file written.
    """
    with atomic(path) as temporary:
        if Path(path).suffix in COMPRESSED:
            table.to_csv(temporary, sep="\t", index=index is not None, index_label=index, **NUMBERS)
        else:
            with temporary.open("w", encoding="utf-8", newline="") as stream:
                write_rows(table, stream, "\t", index=index)
    return Path(path)


NUMBERS: dict[str, Any] = {"float_format": "%.17g", "na_rep": "NA"}
"""How numbers are written; 17 significant digits read back to the same number."""


def write_rows(
    table: pd.DataFrame, stream: IO[str], separator: str, *, index: str | None = None, header: bool = True
) -> None:
    """Write a table as `pandas.DataFrame.to_csv` does with `NUMBERS`, byte by byte, in a third of the time.

    Parameters
    ----------
    table
        Any table; its index is written only where `index` names it.
    stream
        Open text, without translation of line ends.
    separator
        Between columns.
    index
        Name of the first column when the index is to be kept.
    header
        Whether the names of the columns are written.
    """
    columns = [table.iloc[:, i] for i in range(table.shape[1])]
    if not columns or table.index.nlevels > 1 or not all(map(_is_plain, columns)):
        # Dates and the like are written in pandas' own way.
        table.to_csv(stream, sep=separator, index=index is not None, index_label=index, header=header, **NUMBERS)
        return
    names, cells = [str(c) for c in table.columns], [_cells(column) for column in columns]
    if index is not None:
        names, cells = [index, *names], [_cells(table.index.to_series()), *cells]
    out = csv.writer(stream, delimiter=separator, lineterminator=os.linesep)
    if header:
        out.writerow(names)
    out.writerows(zip(*cells, strict=True))


def _is_plain(column: pd.Series) -> bool:
    """Whether a column holds text, or numbers or truth values as numpy has them."""
    import numpy as np
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return bool(pd.api.types.is_string_dtype(dtype.categories.dtype))
    return isinstance(dtype, pd.StringDtype) or (isinstance(dtype, np.dtype) and dtype.kind in "fiubO")


def _cells(column: pd.Series) -> list[Any]:
    """Return the values of a column as they are written; `csv` makes text of what is left."""
    import numpy as np
    import pandas as pd

    missing, digits = NUMBERS["na_rep"], NUMBERS["float_format"]
    if column.dtype == np.float64:
        # What is said of a group stands in each of its rows; by bits, since minus zero is written as such.
        at, bits = pd.factorize(column.to_numpy().view(np.int64))
        numbers = bits.view(np.float64).tolist()
        written = np.array([digits % v if v == v else missing for v in numbers], dtype=object)
        return list(written[at])
    if column.dtype.kind == "f":
        return [digits % v if v == v else missing for v in column.tolist()]
    if column.dtype.kind in "iub":
        return list(column.tolist())
    return list(column.astype(object).where(column.notna(), missing))


TEXT = {"": "\t", ".tsv": "\t", ".txt": "\t", ".tab": "\t", ".csv": ","}
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


def separator_of(out: str | Path, *, besides: Sequence[str] = ()) -> str:
    """Return what separates the columns of a table that a command writes, by the ending of its name.

    Parameters
    ----------
    out
        The file; ``-`` is standard output.
    besides
        Endings that the command knows beside those of text; "" is returned for them.

    Raises
    ------
    ConfigError
        If nothing is written by that ending.
    """
    path = Path(out)
    if str(out) == "-" or path.suffix in besides:
        return "" if path.suffix in besides else "\t"
    ending = Path(path.stem).suffix if path.suffix in COMPRESSED else path.suffix
    if ending not in TEXT:
        known = [*(e for e in TEXT if e), *besides]
        raise ConfigError(
            f"{out}: no table is written as {ending}; let the name end in {', '.join(known)} (text may be compressed: "
            f"{', '.join(COMPRESSED)})."
        )
    return TEXT[ending]


def write_output(table: pd.DataFrame, out: str | Path) -> None:
    """Write a command's table with 17 significant digits: tab-separated, a .csv by commas, ``-`` to standard output.

    Parameters
    ----------
    table
        Any table; its index is not written.
    out
        See `separator_of`.
    """
    how: dict[str, Any] = {"sep": separator_of(out), "index": False, **NUMBERS}
    if str(out) == "-":
        table.to_csv(sys.stdout, **how)
        return
    with atomic(out) as temporary:
        table.to_csv(temporary, **how)


def read_table(path: str | Path, *, index: str | None = None) -> pd.DataFrame:
    """Read a table that `write_table` wrote, or one like it.

    Parameters
    ----------
    path
        A tab-separated file with a header.
    index
        Column to be used as text row names.

    Returns
    -------
    pandas.DataFrame
        The table; text such as ``NA`` is missing.

    Raises
    ------
    DataError
        If the file does not exist.
    FormatError
        If it is empty or not a table, or lacks the index column.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no file {path}. Check the path.")
    try:
        table = pd.read_csv(path, sep="\t", dtype={index: str} if index else None, **_exactly(pd))
    except pd.errors.EmptyDataError:
        raise FormatError("the file is empty; expected a tab-separated table with a header.", path=path) from None
    except (pd.errors.ParserError, UnicodeDecodeError, EOFError, OSError) as error:
        raise FormatError(f"not a tab-separated table ({error}).", path=path) from error
    if index is None:
        return table
    if index not in table.columns:
        raise FormatError(f"no column {index!r}; the columns are {', '.join(map(str, table.columns[:6]))}.", path=path)
    return table.set_index(index)


def write_json(content: Any, path: str | Path) -> Path:
    """Write JSON with sorted keys, so that equal content gives equal bytes.

    Parameters
    ----------
    content
        Anything that `json` can write; paths become text.
    path
        The file.

    Returns
    -------
    pathlib.Path
        The file written.
    """
    return write_whole(path, json.dumps(content, indent=2, sort_keys=True, default=os.fspath) + "\n")

"""Where spots and cells lie: tables of positions, joined to a matrix, and what in a matrix is no gene."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataWarning, FormatError, examples, warn
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import repeated

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["COORDINATES", "first_there", "place", "positions", "set_apart"]

COORDINATES = "spatial"
GENES = "Gene Expression"
# Visium HD has 11 million bins of 2 micrometres.
MOST_ROWS = 50_000_000


def first_there(folders: Sequence[Path], names: Sequence[str], *, prefixed_too: bool = False) -> Path | None:
    """Return the first of some files that is there, plain or gz.

    Parameters
    ----------
    folders, names
        Where, and in which order.
    prefixed_too
        Also a file whose name has more in front, such as ``GSM1_tissue_positions_list.csv.gz``, as GEO's supplements.

    Raises
    ------
    FormatError
        If a folder has several such files.
    """
    for folder in folders:
        for name in names:
            for found in (folder / name, folder / f"{name}.gz"):
                if found.is_file():
                    return found
        endings = tuple(f"_{name}{gz}" for name in names for gz in ("", ".gz"))
        there = sorted(folder.iterdir()) if prefixed_too and folder.is_dir() else []
        prefixed = [f for f in there if f.name.endswith(endings) and f.is_file()]
        if len(prefixed) > 1:
            raise FormatError(
                f"{len(prefixed)} files of several sections lie together ({examples(f.name for f in prefixed)}); put "
                "each section into a folder of its own.",
                path=folder,
            )
        if prefixed:
            return prefixed[0]
    return None


def positions(path: Path, key: str, numbers: Sequence[str], *, headless: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table of positions.

    Parameters
    ----------
    path
        Comma-separated text (plain or gz), or Parquet.
    key
        Column that names the spot or cell.
    numbers
        Columns that must be there and hold a finite number in each row.
    headless
        The names of the columns, for a text without a header.

    Returns
    -------
    pandas.DataFrame
        Index: spot or cell. `numbers` are float64; other columns float64 where all they hold is numbers, else text.

    Raises
    ------
    FormatError
        If columns, numbers or names are missing, or a name occurs twice; line and column are named.
    """
    if path.name.endswith(".parquet"):
        table, first = _parquet(path), 1
    else:
        table, first = _text(path, key, headless)
    absent = [c for c in (key, *numbers) if c not in table]
    if absent:
        raise FormatError(
            f"there is no column {examples(map(repr, absent))}; there are {examples(table.columns, 8)}.", path=path
        )
    names = [_name(v) for v in table[key]]
    if twice := repeated(names):
        line = first + next(i for i, n in enumerate(names) if n == twice[0] and n in names[:i])
        raise FormatError(f"{len(twice)} name(s) occur twice ({examples(twice)}).", path=path, line=line)
    columns = {str(c): _column(table[c], path, first, at, c in numbers) for at, c in enumerate(table, 1) if c != key}
    return pd.DataFrame(columns, index=pd.Index(names, dtype=object))


def _text(path: Path, key: str, headless: Sequence[str]) -> tuple[pd.DataFrame, int]:
    """Return the cells as text, and the line of the first row."""
    content = file_bytes.load(path).data
    start = content[: content.find(b"\n")].decode().split(",")[0].strip().strip('"')
    header = not headless or start == key
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                io.BytesIO(content), dtype=str, keep_default_na=False, skipinitialspace=True, index_col=False,
                header=0 if header else None, names=None if header else list(headless),
            )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        line = re.search(r"line (\d+)", str(error))
        raise FormatError(
            f"rows differ in their number of columns ({str(error).strip()}); get the file again.",
            path=path,
            line=int(line[1]) if line else None,
        ) from error
    return table, 2 if header else 1


def _parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            if file.metadata.num_rows > MOST_ROWS:
                raise FormatError(f"{file.metadata.num_rows} rows are more places than a slide has.", path=path)
            return file.read().to_pandas()
    except FormatError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FormatError(f"the Parquet file is truncated or damaged ({error}); get it again.", path=path) from error


def _name(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _column(values: pd.Series[Any], path: Path, first: int, at: int, needed: bool) -> Any:
    """Return a column as numbers, or as text where it holds any and numbers are not needed."""
    if values.dtype.kind in "biuf" and not needed:
        return values.to_numpy()
    found = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    odd = ~np.isfinite(found)
    if not needed:
        text = [_name(v) for v in values.astype(object).where(values.notna(), "")]
        return text if any(t for t, o in zip(text, odd, strict=True) if o) or odd.all() else found
    if odd.any():
        row = int(np.flatnonzero(odd)[0])
        raise FormatError(
            f"{int(odd.sum())} value(s) of {values.name} are no finite number (first {str(values.iloc[row])[:40]!r}); "
            "the file is cut off or damaged. Get it again.",
            path=path,
            line=None if path.name.endswith(".parquet") else first + row,
            column=at,
        )
    return found


def place(adata: AnnData, table: pd.DataFrame, xy: tuple[str, str], path: Path) -> None:
    """Give each observation its row of a table of positions, in place: ``obs`` and ``obsm["spatial"]``.

    Parameters
    ----------
    adata
        Spots or cells.
    table
        As `positions` returns it; rows of others are passed over.
    xy
        Columns of the two coordinates.
    path
        Of the table, for the error.
    """
    lost = [n for n in adata.obs_names if n not in table.index]
    if lost:
        raise FormatError(
            f"{len(lost)} of {adata.n_obs} observations of the matrix have no position ({examples(lost)}); matrix and "
            "positions belong to different runs.",
            path=path,
        )
    own = table.loc[list(adata.obs_names)]
    adata.obsm[COORDINATES] = own[list(xy)].to_numpy(dtype=np.float64)
    for column in own.columns:
        if column not in xy:
            adata.obs[column] = own[column].to_numpy()


def set_apart(adata: AnnData, *, known: Mapping[str, str]) -> tuple[AnnData, dict[str, int]]:
    """Move what is no gene (control probes, antibodies) out of the matrix.

    Parameters
    ----------
    adata
        With ``var["feature_type"]``; without it, it is handed back as it is.
    known
        Types that are expected, and what they are in words; others are set apart with a warning.

    Returns
    -------
    AnnData
        Genes; ``obsm[<type>]``, such as ``obsm["negative_control_probe"]``, has the other features, by name.
    dict
        How many features of each type were set apart.
    """
    if "feature_type" not in adata.var:
        return adata, {}
    types = adata.var["feature_type"].astype(str)
    counts = {t: int((types == t).sum()) for t in sorted(set(types)) if t != GENES}
    if not counts:
        return adata, {}
    if odd := [t for t in counts if t not in known]:
        warn(f"Features of the type {examples(map(repr, odd))} are no genes, and are set apart in obsm.", DataWarning)
    genes = adata[:, (types == GENES).to_numpy()].copy()
    for kind in counts:
        part = adata[:, (types == kind).to_numpy()]
        values = part.X.toarray() if hasattr(part.X, "toarray") else np.asarray(part.X)
        names = part.var["symbol"] if "symbol" in part.var and part.var["symbol"].is_unique else part.var_names
        genes.obsm[kind.lower().replace(" ", "_")] = pd.DataFrame(
            values, index=genes.obs_names, columns=[str(n) for n in names]
        )
    return genes, counts

"""Tables that say which gene an identifier stands for: annotation of arrays, and what the user brings."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._doors import PYTHON, door, option
from mtorscore.errors import DataError, MtorscoreError, examples
from mtorscore.genes.identifier_kinds import kind_of
from mtorscore.io.clinical import text_table
from mtorscore.io.portals.geo import platform_symbols
from mtorscore.io.reading import read
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.cell_text import is_missing
from mtorscore.io.tables.delimited import parse

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["advice", "probe_symbols", "read_mapping", "read_platform", "share_out", "shared_genes"]


def probe_symbols(platform: pd.DataFrame) -> list[str]:
    """Return the symbol of each probe of a platform table, ``A /// B`` where it names several.

    The column is found by its name, as GEO's platforms and their manufacturers write it. Affymetrix gene and exon
    arrays pack everything into ``gene_assignment``: accession // symbol // title // position // Entrez id /// ...

    Raises
    ------
    DataError
        If no column holds symbols.
    """
    columns = list(map(str, platform.columns))
    name = "symbol" if "symbol" in columns else platform_symbols(columns)
    if name is not None:
        return [_clean(v) for v in platform[name]]
    packed = next((c for c in columns if c.lower().replace(" ", "_") == "gene_assignment"), None)
    if packed is None:
        raise DataError(
            f"the platform has no column of symbols by any usual name; it has {examples(columns, 12)}. Name the "
            f"columns of probes and symbols with {option('platform_columns', 'ID,SYMBOL')}."
        )
    return [_assigned(str(v)) for v in platform[packed]]


def read_platform(platform: AnnData | pd.DataFrame | str | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the annotation of an array: one row per probe, named by the column ``id`` or the index.

    Parameters
    ----------
    platform
        A path in any format, what `mtorscore.read` makes of it, or a table.
    columns
        The columns of probes and of symbols, where the headings do not tell; capitals do not matter.

    Raises
    ------
    DataError
        If one of the columns is not there.
    """
    if isinstance(platform, str | Path):
        platform = _platform_file(Path(platform), columns)
    var = platform if isinstance(platform, pd.DataFrame) else platform.var
    if columns is None:
        return var
    if len(columns) != 2:
        raise DataError(
            f"{option('platform_columns')} names two columns, those of probes and symbols, not {len(columns)}."
        )
    probes, symbols = (_column(var, str(name)) for name in columns)
    lost = [str(c) for c, found in zip(columns, (probes, symbols), strict=True) if found is None]
    if lost:
        raise DataError(f"the platform has no column {examples(lost)}; it has {examples(var.columns, 12)}.")
    return var.assign(id=[_clean(v) for v in var[probes]], symbol=[_clean(v) for v in var[symbols]])


def _column(frame: pd.DataFrame, name: str) -> str | None:
    """Return a column by its name, written in the same or in other capitals."""
    if name in frame:
        return name
    return next((c for c in map(str, frame.columns) if c.lower() == name.lower()), None)


def _platform_file(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    """Read a platform of GEO or a manufacturer; any other table as it stands, its first column the probe."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            var = read(path).var
    except MtorscoreError:
        var = pd.DataFrame()
    known = all(_column(var, c) for c in columns) if columns else platform_symbols(list(map(str, var.columns)))
    packed = any(str(c).lower().replace(" ", "_") == "gene_assignment" for c in var.columns)
    if len(var) and (known or packed):
        return var
    table = text_table(path)
    return table if columns else table.set_axis(pd.Index([_clean(v) for v in table.iloc[:, 0]]))


def _clean(value: object) -> str:
    return "" if is_missing(value) else str(value).strip()


def _assigned(text: str) -> str:
    """Return the different symbols of a ``gene_assignment``."""
    entries = [entry.split(" // ") for entry in text.split(" /// ")]
    return " /// ".join(dict.fromkeys(e[1].strip() for e in entries if len(e) > 1 and not is_missing(e[1])))


def read_mapping(mapping: Mapping[str, str] | pd.Series | pd.DataFrame | str | Path) -> dict[str, str]:
    """Return identifier -> gene from whatever says so; an identifier of several genes keeps them all (``A /// B``).

    Identifiers with a version are known without it too, unless that would be ambiguous.

    Raises
    ------
    DataError
        If there are not two columns, or nothing in them.
    """
    found: dict[str, list[str]] = {}
    for key, value in _pairs(mapping):
        if is_missing(key) or is_missing(value):
            continue
        genes = found.setdefault(str(key).strip(), [])
        if str(value).strip() not in genes:
            genes.append(str(value).strip())
    if not found:
        raise DataError("the mapping holds no pair of identifier and gene.")
    for key in list(found):
        base, point, version = key.rpartition(".")
        if point and version.isdigit():
            genes = found.setdefault(base, [])
            genes += [g for g in found[key] if g not in genes]
    return {k: " /// ".join(v) for k, v in found.items()}


def _pairs(mapping: Mapping[str, str] | pd.Series | pd.DataFrame | str | Path) -> Iterable[tuple[object, object]]:
    if isinstance(mapping, str | Path):
        grid = parse(file_bytes.load(Path(mapping)), text=True)
        if len(grid.columns) < 2:
            raise DataError(f"{mapping}: a mapping has two columns, identifier and gene; this has one.")
        # The first line may be names or the first pair; as a pair, names do no harm.
        return [(grid.names[0], grid.names[1]), *zip(grid.columns[0], grid.columns[1], strict=True)]
    if isinstance(mapping, pd.DataFrame):
        if len(mapping.columns) >= 2:
            return zip(mapping.iloc[:, 0], mapping.iloc[:, 1], strict=True)
        mapping = mapping.iloc[:, 0] if len(mapping.columns) else pd.Series(dtype=object)
    return list(mapping.items())


def shared_genes(
    table: pd.DataFrame, mark: str, look_up: Callable[[list[str]], pd.DataFrame]
) -> dict[int, pd.DataFrame]:
    """Return the genes of today that each row of several genes names, by the number of the row.

    Parameters
    ----------
    table
        ``note`` holds `mark`, a colon, and the names separated by ``///``.
    mark
        How such a note begins.
    look_up
        Names -> rows with ``symbol``, ``match``, ``hgnc``, ``entrez``, ``ensembl``.
    """
    rows = np.flatnonzero(table["note"].str.contains(f"{mark}: ", regex=False))
    parts = {int(i): [p.strip() for p in table.at[i, "note"].partition(f"{mark}: ")[2].split("///")] for i in rows}
    every = sorted({p for names in parts.values() for p in names})
    known = look_up(every).set_axis(pd.Index(every)) if every else pd.DataFrame()
    found = {i: known.loc[names] for i, names in parts.items()}
    return {i: f[f["hgnc"] != ""].drop_duplicates("symbol") for i, f in found.items()}


def share_out(
    table: pd.DataFrame, shared: dict[int, pd.DataFrame], how: str
) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    """Name rows of several genes by the first, or by each that has no row of its own (``how``).

    Returns
    -------
    pandas.DataFrame, numpy.ndarray
        The table, with the further rows at its end, and the row of the matrix that each of its rows is.
    """
    own = set(table.loc[table["hgnc"] != "", "symbol"])
    out, more = table.copy(), []
    for i, genes in shared.items():
        wanted = genes.iloc[:1] if how == "first" else genes[~genes["symbol"].isin(own)]
        for number, (_, gene) in enumerate(wanted.iterrows()):
            row = out.loc[i].copy()
            row[["symbol", "match", "hgnc", "entrez", "ensembl"]] = gene[
                ["symbol", "match", "hgnc", "entrez", "ensembl"]
            ]
            row["note"] = f"one of several: {', '.join(genes.index)}"
            if number:
                more.append((i, row))
            else:
                out.loc[i] = row
    rows = np.array([*range(len(table)), *(i for i, _ in more)], dtype=np.int64)
    return pd.concat([out, pd.DataFrame([r for _, r in more], columns=out.columns)], ignore_index=True), rows


def advice(table: pd.DataFrame) -> str:
    """Say how to fix it where most of the unmapped identifiers are of a kind that no table here translates."""
    kinds = Counter(kind_of(n) for n in table.loc[table["hgnc"] == "", "id"])
    kind, times = kinds.most_common(1)[0] if kinds else ("", 0)
    if times < 0.5 * max(sum(kinds.values()), 1):
        return ""
    if kind in ("refseq", "ensembl_transcript"):
        what = "RefSeq" if kind == "refseq" else "transcript"
        return (
            f"no table of {what} ids ships with mtorscore; give a table of two columns (transcript, gene) from the "
            f"annotation that was counted with {option('mapping')}"
            + (', and duplicates="sum" for linear values' if door() == PYTHON else "")
        )
    return f"give the annotation of the array with {option('platform')}" if kind == "probe" else ""

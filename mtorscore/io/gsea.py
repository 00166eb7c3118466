"""Read and write the files of GSEA: GMT gene sets, GCT expression, CLS phenotypes and RNK rankings.

The formats are described in the GSEA user guide (data formats, https://www.gsea-msigdb.org/gsea/doc). All are
tab- or blank-separated text; the headers hold counts, and names are unique.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from mtorscore._atomic import atomic_text
from mtorscore.errors import DataError, FormatError, examples
from mtorscore.io.formats.gsea_labels import check_names, numbers, read_cls, read_lines, read_rnk, write_cls, write_rnk
from mtorscore.io.tables.assembly import repeated

if TYPE_CHECKING:
    from anndata import AnnData

    from mtorscore.collection import SignatureCollection, SignaturesLike

__all__ = [
    "read_cls",
    "read_gct",
    "read_gmt",
    "read_rnk",
    "write_cls",
    "write_gct",
    "write_gmt",
    "write_rnk",
    "write_txt",
]

_ROWS_AT_ONCE = 2000


def read_gmt(path: str | Path, *, join_up_down: bool = False) -> SignatureCollection:
    """Read gene sets from a GMT file.

    Parameters
    ----------
    path
        The file: name, description and genes per line, separated by tabs.
    join_up_down
        Join pairs ``X_UP`` with ``X_DN`` or ``X_DOWN`` into one signed signature ``X``.

    Returns
    -------
    SignatureCollection
        One entry a line, or a pair.

    Raises
    ------
    FormatError
        If a line has fewer than three fields, or a name is duplicated.
    """
    from mtorscore.collection import SignatureCollection, files

    return SignatureCollection(files.read_gmt(Path(path), join_up_down=join_up_down))


def write_gmt(signatures: SignaturesLike, path: str | Path) -> Path:
    """Write gene sets as GMT; a signed signature becomes ``X_UP`` and ``X_DN``.

    Parameters
    ----------
    signatures
        Anything that `mtorscore.collection.as_collection` takes.
    path
        The file, whatever its ending.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    SignatureError
        If there is no gene list, or two sets would have one name.
    """
    from mtorscore.collection import as_collection, files

    return files.write_gmt(as_collection(signatures), Path(path))


def write_gct(
    data: AnnData | pd.DataFrame, path: str | Path, *, version: str = "1.2", layer: str | None = None
) -> Path:
    """Write an expression matrix as GCT, genes in rows and observations in columns.

    Parameters
    ----------
    data
        Observations x genes. Of an AnnData, `layer` or ``X``; version 1.3 also holds ``var`` and ``obs``.
    path
        The file; gzipped where it ends in ``.gz``.
    version
        ``"1.2"`` (what GSEA reads) or ``"1.3"`` (with annotation of rows and columns).
    layer
        Layer instead of ``X``.

    Returns
    -------
    pathlib.Path
        The file written. Values are written so that reading gives the same doubles; a missing value is blank.

    Raises
    ------
    DataError
        If a gene or observation name is duplicated, is empty, or holds a tab or line break.
    """
    if version not in {"1.2", "1.3"}:
        raise DataError(f"GCT version {version!r} is not known; use '1.2' or '1.3'.")
    values, genes, names, var, obs = _matrix(data, layer)
    check_names(genes, "gene")
    check_names(names, "observation")
    rows_meta = list(var.columns) if version == "1.3" else []
    cols_meta = list(obs.columns) if version == "1.3" else []
    with atomic_text(path) as file:
        if version == "1.2":
            file.write(f"#1.2\n{len(genes)}\t{len(names)}\n")
            file.write("\t".join(["NAME", "Description", *names]) + "\n")
        else:
            file.write(f"#1.3\n{len(genes)}\t{len(names)}\t{len(rows_meta)}\t{len(cols_meta)}\n")
            file.write("\t".join(["id", *map(_cell, rows_meta), *names]) + "\n")
            for column in cols_meta:
                file.write("\t".join([_cell(column), *["na"] * len(rows_meta), *map(_cell, obs[column])]) + "\n")
        for i, row in _gene_rows(values, len(genes)):
            described = ["na"] if version == "1.2" else [_cell(var.iloc[i, j]) for j in range(len(rows_meta))]
            file.write("\t".join([genes[i], *described, *row]) + "\n")
    return Path(path)


def write_txt(data: AnnData | pd.DataFrame, path: str | Path, *, layer: str | None = None) -> Path:
    """Write an expression matrix as GSEA's TXT: NAME, DESCRIPTION and one column per observation.

    gseapy (up to 1.3.1) takes the line of counts of any GCT file for its header and fails; it reads this format.

    Parameters
    ----------
    data
        Observations x genes. Of an AnnData, `layer` or ``X``.
    path
        The file; gzipped where it ends in ``.gz``.
    layer
        Layer instead of ``X``.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    DataError
        As for `write_gct`.
    """
    values, genes, names, *_ = _matrix(data, layer)
    check_names(genes, "gene")
    check_names(names, "observation")
    with atomic_text(path) as file:
        file.write("\t".join(["NAME", "DESCRIPTION", *names]) + "\n")
        for i, row in _gene_rows(values, len(genes)):
            file.write("\t".join([genes[i], "na", *row]) + "\n")
    return Path(path)


def read_gct(path: str | Path) -> AnnData:
    """Read a GCT file, version 1.2 or 1.3.

    Parameters
    ----------
    path
        The file, gzipped or not.

    Returns
    -------
    anndata.AnnData
        Observations x genes, float64; row annotation in ``var`` and column annotation in ``obs`` as text.

    Raises
    ------
    FormatError
        If the header's counts are not what the file holds, a name is duplicated, or a value is not a number.
    """
    from anndata import AnnData

    file = Path(path)
    lines = read_lines(file)
    version = lines[0].strip() if lines else ""
    if version not in {"#1.2", "#1.3"}:
        raise FormatError(f"A GCT file begins with #1.2 or #1.3, not {version[:20]!r}.", path=file, line=1)
    n_genes, n_obs, n_var, n_annotation = _gct_counts(lines, version, file)
    header = lines[2].split("\t") if len(lines) > 2 else []
    lead = 1 + n_var
    if len(header) != lead + n_obs:
        raise FormatError(
            f"The header promises {n_obs} observations, but its names are {max(len(header) - lead, 0)}.",
            path=file,
            line=3,
        )
    body = [line for line in lines[3:] if line.strip()]
    if len(body) != n_annotation + n_genes:
        raise FormatError(
            f"The header promises {n_genes} genes, but the file holds {len(body) - n_annotation}.", path=file, line=2
        )
    obs = pd.DataFrame(index=pd.Index(header[lead:], dtype=str))
    for number, line in enumerate(body[:n_annotation], start=4):
        fields = line.split("\t")
        if len(fields) != lead + n_obs:
            message = f"{max(len(fields) - lead, 0)} values of {fields[0]!r} where {n_obs} are promised."
            raise FormatError(message, path=file, line=number)
        obs[fields[0]] = fields[lead:]
    rows = [line.split("\t") for line in body[n_annotation:]]
    values = np.empty((n_obs, n_genes))
    for i, row in enumerate(rows):
        number = 4 + n_annotation + i
        if len(row) != lead + n_obs:
            raise FormatError(f"{len(row) - lead} values where {n_obs} are promised.", path=file, line=number)
        values[:, i] = numbers(row[lead:], file, number)
    genes = [row[0] for row in rows]
    _unique(genes, "gene", file)
    _unique(header[lead:], "observation", file)
    var = pd.DataFrame(index=pd.Index(genes, dtype=str))
    for j, column in enumerate(header[1:lead], start=1):
        var[column] = [row[j] for row in rows]
    return AnnData(values, obs=obs, var=var)


def _matrix(
    data: AnnData | pd.DataFrame, layer: str | None
) -> tuple[Any, list[str], list[str], pd.DataFrame, pd.DataFrame]:
    if isinstance(data, pd.DataFrame):
        empty = pd.DataFrame(index=data.columns)
        names = [str(o) for o in data.index]
        return data.to_numpy(dtype=np.float64), [str(c) for c in data], names, empty, pd.DataFrame(index=data.index)
    if layer is not None and layer not in data.layers:
        raise DataError(f"There is no layer {layer!r}; there are {examples(filter(None, data.layers)) or 'none'}.")
    values = data.X if layer is None else data.layers[layer]
    if sparse.issparse(values):
        values = values.tocsc()
    return values, list(map(str, data.var_names)), list(map(str, data.obs_names)), data.var, data.obs


def _gene_rows(values: Any, n_genes: int) -> Iterator[tuple[int, list[str]]]:
    """Yield each gene's position and its values as text, some genes at a time; a missing value is blank."""
    for start in range(0, n_genes, _ROWS_AT_ONCE):
        block = values[:, start : start + _ROWS_AT_ONCE]
        dense = np.asarray(block.todense() if sparse.issparse(block) else block, dtype=np.float64).T
        for i, row in enumerate(dense.tolist(), start=start):
            yield i, ["" if v != v else repr(v) for v in row]


def _unique(names: Sequence[str], what: str, path: Path) -> None:
    if twice := repeated(names):
        raise FormatError(f"{len(twice)} {what} name(s) are duplicated ({examples(twice)}).", path=path)


def _gct_counts(lines: list[str], version: str, path: Path) -> tuple[int, int, int, int]:
    wanted = 2 if version == "#1.2" else 4
    fields = lines[1].split() if len(lines) > 1 else []
    if len(fields) < wanted or not all(f.isdigit() for f in fields[:wanted]):
        raise FormatError(f"The second line of {version} holds {wanted} counts.", path=path, line=2)
    counts = [int(f) for f in fields[:wanted]]
    return (counts[0], counts[1], 1, 0) if wanted == 2 else (counts[0], counts[1], counts[2], counts[3])


def _cell(value: Any) -> str:
    text = "" if value is None or value != value else str(value)
    return " ".join(text.split())

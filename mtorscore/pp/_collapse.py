"""Rows of one gene into one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from mtorscore.errors import DataError, examples

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["DUPLICATES", "collapse"]

DUPLICATES = ("max_mean", "sum", "mean", "median", "error")


def collapse(adata: AnnData, table: pd.DataFrame, how: str) -> None:
    """Reduce `adata` to one column per symbol of `table`, in place, and write `fate` into the table.

    Parameters
    ----------
    adata
        Observations x rows of `table`.
    table
        ``id``, ``symbol``, ``fate``, ``match``, ``hgnc``, ``entrez``, ``ensembl`` per column; changed.
    how
        One of `DUPLICATES`.
    """
    alive = np.flatnonzero(table["fate"] == "kept")
    symbols = table["symbol"].to_numpy()
    rows_of: dict[str, list[int]] = {}
    for i in alive.tolist():
        rows_of.setdefault(symbols[i], []).append(i)
    repeated = {s: np.array(rows) for s, rows in rows_of.items() if len(rows) > 1}
    if repeated and how == "error":
        raise DataError(f"{len(repeated)} gene(s) are duplicated ({examples(sorted(repeated))}); choose a rule.")
    ids = table["id"].to_numpy(dtype=str)
    means = _means(adata.X) if repeated else np.zeros(0)
    winner = {}
    fates = table["fate"].to_numpy(dtype=object).copy()
    for symbol, rows in repeated.items():
        order = sorted(rows, key=lambda i: (-means[i], ids[i]))
        winner[symbol] = order[0]
        fates[order[1:]] = "collapsed" if how == "max_mean" else f"collapsed ({how})"
    table["fate"] = fates
    keep = np.flatnonzero(table["fate"] == "kept")
    combined = {}
    if how != "max_mean":
        for key in [None, *adata.layers]:
            source = adata.X if key is None else adata.layers[key]
            combined[key] = {i: _combine(source, repeated[s], how) for s, i in winner.items()}
    if keep.size < adata.n_vars:
        adata._inplace_subset_var(keep)
    place = {int(i): at for at, i in enumerate(keep)}
    for key, columns in combined.items():
        if columns:
            target = adata.X if key is None else adata.layers[key]
            changed = _replaced(target, {place[int(i)]: v for i, v in columns.items()})
            if key is None:
                adata.X = changed
            else:
                adata.layers[key] = changed
    chosen = table.loc[keep]
    var = adata.var.copy()
    for column in ("id", "match", "hgnc", "entrez", "ensembl"):
        var[column] = chosen[column].to_numpy(dtype=object)
    var["n_rows"] = np.array([len(rows_of[s]) for s in chosen["symbol"]], dtype=np.int64)
    var.index = pd.Index(chosen["symbol"].to_numpy(dtype=object))
    adata.var = var


def _means(x: Any) -> npt.NDArray[np.float64]:
    if x is None or x.shape[0] == 0:
        return np.zeros(0 if x is None else x.shape[1])
    if sparse.issparse(x):
        return np.asarray(x.mean(axis=0)).ravel()
    with np.errstate(invalid="ignore"):
        total = np.nansum(x, axis=0, dtype=np.float64)
        return np.asarray(total / np.maximum(np.sum(~np.isnan(x), axis=0), 1))


def _combine(x: Any, rows: npt.NDArray[np.int64], how: str) -> npt.NDArray[np.float64]:
    block = x[:, rows]
    block = np.asarray(block.todense() if sparse.issparse(block) else block, dtype=np.float64)
    missing = np.isnan(block).all(axis=1)
    with np.errstate(invalid="ignore"):
        if how == "sum":
            out = np.nansum(block, axis=1)
        elif how == "mean":
            out = np.nansum(block, axis=1) / np.maximum((~np.isnan(block)).sum(axis=1), 1)
        else:
            filled = block.copy()
            filled[missing] = 0
            out = np.nanmedian(filled, axis=1)
    out[missing] = np.nan
    return np.asarray(out)


def _replaced(x: Any, columns: dict[int, npt.NDArray[np.float64]]) -> Any:
    if sparse.issparse(x):
        out = x.tolil()
        for at, values in columns.items():
            out[:, at] = values[:, None]
        return out.asformat(x.format)
    if np.issubdtype(x.dtype, np.integer) and any((v != np.round(v)).any() for v in columns.values()):
        x = x.astype(np.float64)
    for at, values in columns.items():
        x[:, at] = values
    return x

"""Inputs of the plots: scores and clinical columns from an AnnData or from tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, examples

Floats = npt.NDArray[np.float64]


def scores_and_obs(
    data: Any, obs: pd.DataFrame | None, method: str | None, signatures: Sequence[str] | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores and the columns that describe the observations.

    Parameters
    ----------
    data
        A scored AnnData, or a DataFrame observations x signatures.
    obs
        Columns per observation, where `data` is a DataFrame.
    method
        Which scores of an AnnData that holds several.
    signatures
        Columns to keep, in this order; None for all that have a value.

    Returns
    -------
    scores, obs : pandas.DataFrame
        Same index.

    Raises
    ------
    DataError
        If there are no scores, or a signature has none.
    """
    if isinstance(data, pd.DataFrame):
        scores, columns = data, (pd.DataFrame(index=data.index) if obs is None else obs)
    elif hasattr(data, "obsm"):
        scores, columns = _of_anndata(data, method), data.obs
    else:
        raise DataError(f"Scores must be a scored AnnData or a DataFrame, not {type(data)}.")
    if signatures is not None:
        missing = [s for s in signatures if s not in scores.columns]
        if missing:
            raise DataError(f"{len(missing)} signature(s) have no score here ({examples(missing)}).")
        scores = scores[list(signatures)]
    else:
        scores = scores.dropna(axis=1, how="all")
    if scores.empty:
        raise DataError("There are no scores to draw: no observation, or no signature with a value.")
    absent = [n for n in scores.index if n not in columns.index]
    if absent:
        raise DataError(
            f"{len(absent)} scored observation(s) are not in the clinical table ({examples(absent)}); "
            "both must be indexed by the same names."
        )
    return scores.astype(np.float64), columns.loc[scores.index]


def _of_anndata(adata: Any, method: str | None) -> pd.DataFrame:
    known = [k.removeprefix("score_") for k in adata.obsm if k.startswith("score_")]
    if not known:
        raise DataError("This AnnData carries no scores; run mt.tl.score(adata, method=...) first.")
    if method is None and len(known) > 1:
        raise DataError(f"This AnnData carries scores of several methods ({', '.join(known)}); say which: method=...")
    chosen = method or known[0]
    if chosen not in known:
        raise DataError(f"This AnnData carries no scores of {chosen!r}; it has {', '.join(known)}.")
    table = adata.obsm[f"score_{chosen}"]
    if isinstance(table, pd.DataFrame):
        return table
    raise DataError(f'obsm["score_{chosen}"] is not a DataFrame; score again with mt.tl.score.')


def groups_of(obs: pd.DataFrame, column: str) -> tuple[pd.Series, list[str]]:
    """Return a column as text with its levels: tumour, normal, then as the category or the rows order them.

    Parameters
    ----------
    obs
        Columns per observation.
    column
        Name of a column.

    Returns
    -------
    values, levels
        Values as text, missing ones as NaN; only levels that occur.

    Raises
    ------
    DataError
        If there is no such column or it is empty.
    """
    need(obs, [column])
    values = obs[column]
    ordered = isinstance(values.dtype, pd.CategoricalDtype) and values.dtype.ordered
    if isinstance(values.dtype, pd.CategoricalDtype):
        levels = [str(c) for c in values.cat.remove_unused_categories().cat.categories]
    else:
        levels = [str(v) for v in pd.unique(values.dropna())]
    if not ordered:
        # Files sort the levels of a category; tumours still come first.
        levels.sort(key=lambda v: {"tumour": 0, "normal": 1}.get(v, 2))
    if not levels:
        raise DataError(f"Column {column!r} holds no value.")
    text = values.astype(object).where(values.notna(), np.nan)
    return text.map(lambda v: v if isinstance(v, float) and np.isnan(v) else str(v)), levels


def need(table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Refuse a table without the columns that a plot reads.

    Parameters
    ----------
    table
        Any table.
    columns
        What it must have.

    Raises
    ------
    DataError
        Naming what is missing and what is there.
    """
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise DataError(
            f"The table lacks column(s) {', '.join(missing)}; it has {examples(list(table.columns), 8) or 'none'}."
        )
    if not len(table):
        raise DataError("The table has no rows, so there is nothing to draw.")


def standardise(scores: pd.DataFrame) -> pd.DataFrame:
    """Return each column with mean 0 and SD 1; constant columns become 0."""
    spread = scores.std().replace(0, np.nan)
    return ((scores - scores.mean()) / spread).fillna(0.0).where(scores.notna())


def cluster_order(table: pd.DataFrame) -> list[int]:
    """Return the row order of a hierarchical clustering (Ward linkage on correlation).

    Parameters
    ----------
    table
        Rows to be ordered x features.

    Returns
    -------
    list of int
        Positions; the given order where there are fewer than three rows.
    """
    if len(table) < 3:
        return list(range(len(table)))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import pdist

    values = table.to_numpy(np.float64)
    values = np.where(np.isfinite(values), values, 0.0)
    values = values - values.mean(axis=1, keepdims=True)
    norm = np.sqrt((values**2).sum(axis=1, keepdims=True))
    values = values / np.where(norm > 0, norm, 1.0)
    # Between unit vectors the Euclidean distance orders as the correlation does, and Ward keeps clusters even.
    return [int(i) for i in leaves_list(linkage(pdist(values), method="ward"))]

"""From cells to samples: summaries per sample and cell type, smoothing over neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mtorscore.errors import DataError, MethodError, examples

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["count_cells", "one_value_per_sample", "score_key", "smooth", "summarise"]

STATISTICS = ("mean", "median", "sd", "fraction_above")


def summarise(
    adata: AnnData,
    by: str | Sequence[str],
    *,
    method: str | None = None,
    statistics: Sequence[str] = ("mean", "median"),
    threshold: float = 0.0,
    min_cells: int = 10,
) -> pd.DataFrame:
    """Summarise scores over the cells of each group.

    Parameters
    ----------
    adata
        Scored cells.
    by
        Columns of ``.obs``, such as ``["sample", "cell_type"]``.
    method
        Whose scores; by default the only ones there are.
    statistics
        Some of ``"mean"``, ``"median"``, ``"sd"`` (n - 1) and ``"fraction_above"`` (share of cells with a score above
        `threshold`).
    threshold
        For ``"fraction_above"``.
    min_cells
        Groups of fewer cells are left out.

    Returns
    -------
    pandas.DataFrame
        One row per group and signature: the columns of `by`, ``signature, n_cells`` (cells with a score) and one
        column per statistic.

    Raises
    ------
    DataError
        If a column or the scores are absent, or no group has enough cells.
    MethodError
        If a statistic is unknown.
    """
    import pandas as pd

    unknown = [s for s in statistics if s not in STATISTICS]
    if unknown:
        raise MethodError(
            f"No statistic is called {examples(repr(s) for s in unknown)}; there are {', '.join(STATISTICS)}."
        )
    names = [by] if isinstance(by, str) else list(by)
    table = _scores(adata, method)
    codes, keys = _groups(adata.obs, names)
    counts = np.bincount(codes[codes >= 0], minlength=len(keys))
    rows = []
    for g in np.flatnonzero(counts >= min_cells):
        values = table.to_numpy(dtype=np.float64)[codes == g]
        found = _statistics(values, statistics, threshold)
        for j, signature in enumerate(table.columns):
            key = {name: keys.iloc[g][name] for name in names}
            own = {s: float(found[s][j]) for s in statistics}
            rows.append(key | {"signature": signature, "n_cells": int((~np.isnan(values[:, j])).sum())} | own)
    if not rows:
        raise DataError(f"No group of {' x '.join(names)} has {min_cells} cells; the most are {counts.max(initial=0)}.")
    return pd.DataFrame(rows)


def smooth(
    adata: AnnData,
    *,
    method: str | None = None,
    connectivities: str = "connectivities",
    own: float = 0.5,
    key_added: str | None = None,
) -> AnnData:
    """Average scores over neighbours in a graph; an explicit step, since it makes neighbouring cells similar.

    s'_i = own s_i + (1 - own) sum_j a_ij s_j / sum_j a_ij, with a the weights of the graph. Neighbours without a score
    are left out; a cell without neighbours keeps its score. Smoothed scores are for looking at, not for testing.

    Parameters
    ----------
    adata
        Scored cells with a neighbour graph, as ``scanpy.pp.neighbors`` makes it.
    method
        Whose scores.
    connectivities
        Key of the graph in ``.obsp``.
    own
        Weight of the cell itself, between 0 and 1.
    key_added
        Key in ``.obsm``; by default that of the scores with ``_smoothed`` behind.

    Returns
    -------
    AnnData
        The object handed in.

    Raises
    ------
    DataError
        If there is no graph, or no scores.
    """
    import pandas as pd
    from scipy import sparse

    if connectivities not in adata.obsp:
        raise DataError(f"There is no graph obsp[{connectivities!r}]; run scanpy.pp.neighbors(adata) first.")
    if not 0 <= own <= 1:
        raise DataError(f"own={own!r} is outside [0, 1].")
    key = score_key(adata, method)
    table = adata.obsm[key]
    values = table.to_numpy(dtype=np.float64)
    graph = sparse.csr_matrix(adata.obsp[connectivities])
    known = ~np.isnan(values)
    weight = graph @ known.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        around = (graph @ np.where(known, values, 0.0)) / weight
    mixed = np.where(weight > 0, own * values + (1 - own) * around, values)
    name = key_added or f"{key}_smoothed"
    adata.obsm[name] = pd.DataFrame(mixed, index=adata.obs_names, columns=table.columns)
    about = {"from": key, "graph": connectivities, "own": float(own)}
    adata.uns.setdefault("mtorscore", {})[name.removeprefix("score_")] = about
    return adata


def _statistics(
    values: npt.NDArray[np.float64], statistics: Sequence[str], threshold: float
) -> dict[str, npt.NDArray[np.float64]]:
    """Return statistics of each column over its scores; NaN where there is none."""
    n = (~np.isnan(values)).sum(axis=0)
    empty = n == 0
    filled = np.where(empty, 0.0, values)
    found: dict[str, npt.NDArray[np.float64]] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for statistic in statistics:
            if statistic == "mean":
                result = np.nanmean(filled, axis=0)
            elif statistic == "median":
                result = np.nanmedian(filled, axis=0)
            elif statistic == "sd":
                result = np.sqrt(np.nansum((filled - np.nanmean(filled, axis=0)) ** 2, axis=0) / (n - 1))
            else:
                result = (values > threshold).sum(axis=0) / n
            found[statistic] = np.where(empty, np.nan, result)
    return found


def score_key(adata: AnnData, method: str | None) -> str:
    """Return the key of the scores in ``obsm``: those of a method, else the only ones that are not smoothed.

    Raises
    ------
    DataError
        If there are none, or those of several methods and none is named.
    """
    there = [k for k in adata.obsm if str(k).startswith("score_") and not str(k).endswith("_smoothed")]
    if method is not None:
        if f"score_{method}" not in adata.obsm:
            raise DataError(f"There are no scores of {method}; there are {examples(there) or 'none'}.")
        return f"score_{method}"
    if len(there) != 1:
        raise DataError(f"Say whose scores in method=; there are {examples(there) or 'none'}.")
    return str(there[0])


def _scores(adata: AnnData, method: str | None) -> pd.DataFrame:
    return adata.obsm[score_key(adata, method)]


def _groups(obs: pd.DataFrame, names: Sequence[str]) -> tuple[npt.NDArray[np.int64], pd.DataFrame]:
    from mtorscore.pp.cell_aggregation import groups_of

    return groups_of(obs, names)


def one_value_per_sample(obs: pd.DataFrame, sample_key: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return columns of cells as columns of their samples.

    Parameters
    ----------
    obs
        One row per cell.
    sample_key
        Column that names the sample of each cell.
    columns
        Columns that have one value per sample.

    Returns
    -------
    pandas.DataFrame
        Index: sample.

    Raises
    ------
    DataError
        If a column is absent, has two values within a sample, or every cell is a sample of its own.
    """
    absent = [c for c in (sample_key, *columns) if c not in obs]
    if absent:
        raise DataError(f"obs has no column {examples(repr(c) for c in absent)}; it has {examples(obs.columns)}.")
    from mtorscore.pp.cell_aggregation import without_blanks

    samples = without_blanks(obs[[sample_key]])[sample_key]
    sizes = samples.value_counts()
    if len(obs) > 1 and len(sizes) and sizes.max() == 1:
        raise DataError(
            f"{sample_key} has another value for each of {len(obs)} cells ({examples(sizes.index)}): it names cells, "
            "not samples. Name the column of the sample, or of the patient, that the cells come from."
        )
    table = obs[list(columns)].astype(object).groupby(samples, observed=True)
    for column, n in table.nunique().max().items():
        if n > 1:
            mixed = table[column].nunique()
            raise DataError(
                f"{column} has more than one value within {int((mixed > 1).sum())} sample(s) "
                f"({examples(mixed.index[mixed > 1])}); samples are compared, so it must be one for all their cells."
            )
    return table.first()


def count_cells(obs: pd.DataFrame, sample_key: str, compared: Sequence[object]) -> dict[str, int]:
    """Return how many cells the compared samples have, and how many cells no sample names.

    Parameters
    ----------
    obs
        One row per cell.
    sample_key
        Column that names the sample of each cell.
    compared
        The samples that were compared.
    """
    from mtorscore.pp.cell_aggregation import without_blanks

    samples = without_blanks(obs[[sample_key]])[sample_key]
    return {"n_cells": int(samples.isin(list(compared)).sum()), "cells_without_sample": int(samples.isna().sum())}

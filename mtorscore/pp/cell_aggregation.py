"""Pseudobulk: the cells of one sample (and type) added up into one observation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.errors import DataError, DataWarning, examples, warn

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["groups_of", "look_like_cells", "pseudobulk", "without_blanks"]

ROWS = 4096
_BARCODE = re.compile(r"(?:.*[^A-Za-z])?[ACGT]{10,}(?:[-_.].*)?")
# Bulk matrices of one assay have fewer zeros, and pseudobulk of this many samples too.
_CELLS, _ZEROS = 100, 0.7


def look_like_cells(adata: AnnData) -> bool:
    """Say whether the observations look like single cells.

    Parameters
    ----------
    adata
        Observations x genes; dense, sparse or backed.

    Returns
    -------
    bool
        Where ``obs["sample_type"]`` says so, half of the names are barcodes, or there are 100 observations or more and
        70% of the values are 0.
    """
    from scipy import sparse

    if "sample_type" in adata.obs and bool((adata.obs["sample_type"].astype(str) == "cell").any()):
        return True
    names = [str(n) for n in adata.obs_names[:1000]]
    if names and sum(bool(_BARCODE.fullmatch(n)) for n in names) >= 0.5 * len(names):
        return True
    if adata.n_obs < _CELLS or adata.n_vars == 0 or adata.X is None:
        return False
    some = adata.X[:_CELLS]
    values = some.data if sparse.issparse(some) else np.asarray(some)
    return bool(np.count_nonzero(values) <= (1 - _ZEROS) * _CELLS * adata.n_vars)


def pseudobulk(
    adata: AnnData,
    by: str | Sequence[str],
    *,
    layer: str | None = None,
    statistic: str = "sum",
    min_cells: int = 10,
) -> AnnData:
    """Add up, or average, the values of the cells of each group.

    Groups are compared on samples, since cells of one sample are not independent; see Squair et al., Nat Commun
    2021;12:5692. Counts should be added up and normalised afterwards; logarithms should be averaged.

    Parameters
    ----------
    adata
        Cells x genes; dense, sparse or backed.
    by
        Columns of ``.obs``, such as ``["sample", "cell_type"]``.
    layer
        Layer instead of ``.X``.
    statistic
        ``"sum"`` or ``"mean"``.
    min_cells
        Groups of fewer cells are left out; ``uns["pseudobulk"]["left_out"]`` lists them, and ``cells_without_group``
        there counts the cells that lack a value of `by`.

    Returns
    -------
    AnnData
        Groups x genes, named ``sample|cell_type``; ``obs`` has the columns of `by`, ``n_cells`` and those columns
        of the input that have one value in every group.

    Raises
    ------
    DataError
        If a column is absent, or no group has enough cells.
    """
    import pandas as pd
    from anndata import AnnData
    from scipy import sparse

    if statistic not in ("sum", "mean"):
        raise DataError(f"statistic={statistic!r} is not known; choose 'sum' or 'mean'.")
    names = [by] if isinstance(by, str) else list(by)
    codes, keys = groups_of(adata.obs, names)
    counts = np.bincount(codes[codes >= 0], minlength=len(keys))
    kept = counts >= min_cells
    if not kept.any():
        raise DataError(f"No group of {' x '.join(names)} has {min_cells} cells; the most are {counts.max(initial=0)}.")
    place = np.where(kept, np.cumsum(kept) - 1, -1)
    row = np.where(codes >= 0, place[codes], -1)
    matrix = adata.X if layer is None else adata.layers[layer]
    total = np.zeros((int(kept.sum()), adata.n_vars))
    for start in range(0, adata.n_obs, ROWS):
        here = row[start : start + ROWS]
        used = np.flatnonzero(here >= 0)
        if not used.size:
            continue
        part = matrix[start : start + ROWS]
        part = part.compute() if hasattr(part, "compute") else part
        sums = sparse.csr_matrix((np.ones(used.size), (here[used], used)), shape=(total.shape[0], len(here))) @ part
        total += sums.toarray() if sparse.issparse(sums) else np.asarray(sums)
    if statistic == "mean":
        total /= counts[kept][:, None]
    obs = keys[kept].copy()
    obs.index = pd.Index(["|".join(str(v) for v in values) for values in obs[names].itertuples(index=False)])
    obs["n_cells"] = counts[kept]
    obs = _constant_columns(adata.obs, row, obs)
    out = AnnData(total, obs, adata.var.copy())
    left = keys[~kept].assign(n_cells=counts[~kept]).astype(str)
    out.uns["pseudobulk"] = {
        "by": names, "statistic": statistic, "min_cells": min_cells, "left_out": left,
        "cells_without_group": int((codes < 0).sum()),
    }  # fmt: skip
    if "source" in adata.uns:
        out.uns["source"] = dict(adata.uns["source"])
    return out


def groups_of(obs: pd.DataFrame, names: Sequence[str]) -> tuple[Any, pd.DataFrame]:
    """Return the group of each row (-1 where a value is missing or blank) and the table of groups, sorted."""
    absent = [n for n in names if n not in obs]
    if absent:
        raise DataError(f"obs has no column {examples(repr(n) for n in absent)}; it has {examples(obs.columns)}.")
    grouped = without_blanks(obs[list(names)]).groupby(list(names), observed=True, sort=True, dropna=True)
    codes = grouped.ngroup().fillna(-1).to_numpy().astype(np.int64)
    if lost := int((codes < 0).sum()):
        warn(
            f"{lost} of {len(obs)} observations have no value in {' or '.join(names)} "
            f"({examples(obs.index[codes < 0])}) and are left out.",
            DataWarning,
        )
    keys = grouped.size().reset_index()[list(names)]
    return codes, keys


def without_blanks(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of names as objects, blank text as missing."""
    held = table.astype(object)
    blank = held.map(lambda v: isinstance(v, str) and not v.strip())
    return held.mask(blank, None)


def _constant_columns(obs: pd.DataFrame, row: Any, found: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that say the same of every cell of a group, such as the patient or the treatment."""
    used = obs[row >= 0]
    groups = row[row >= 0]
    for name in obs.columns:
        if name in found:
            continue
        values = used[name].astype(object).groupby(groups)
        if (values.nunique(dropna=False) == 1).all():
            found[name] = values.first().reindex(range(len(found))).to_numpy()
    return found

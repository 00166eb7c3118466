"""Comparison of cells between groups of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore._multiple_testing import adjust_p
from mtorscore.errors import MethodError
from mtorscore.tl.analysis.cell_summaries import count_cells, one_value_per_sample, summarise
from mtorscore.tl.analysis.contrasts import contrast

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["compare_samples"]


def compare_samples(
    adata: AnnData,
    groups: str,
    *,
    treated: Any,
    control: Any,
    sample_key: str | None = None,
    cell_type: str | None = None,
    block: str | None = None,
    method: str | None = None,
    statistic: str = "mean",
    min_cells: int = 10,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare scores of cells between groups of samples: one number per sample (and cell type), then `contrast`.

    Parameters
    ----------
    adata
        Scored cells.
    groups
        Column of ``.obs`` that is the same for all cells of a sample.
    treated, control
        The two groups.
    sample_key
        Column of ``.obs`` that names the sample; without it the comparison is refused.
    cell_type
        Column of ``.obs``; each cell type is compared by itself.
    block
        Column of ``.obs`` such as the patient or the batch, the same for all cells of a sample.
    method
        Whose scores.
    statistic, min_cells
        See `summarise`.
    n_permutations, seed
        See `contrast`.

    Returns
    -------
    pandas.DataFrame
        The table of `contrast`, with a column for the cell type in front where asked for, ``q`` of the permutation p
        (Benjamini-Hochberg over all rows), and behind it ``n_cells`` (of the compared samples, and the type) and
        ``cells_without_sample`` (of the type; left out).

    Warns
    -----
    DataWarning
        Once, if cells have no sample or type.

    Raises
    ------
    MethodError
        Without `sample_key`.
    DataError
        If a sample is in two groups, no sample has enough cells, or `sample_key` names cells.
    """
    import pandas as pd

    if sample_key is None:
        raise MethodError(
            "Cells of one sample are not independent, so a p-value over cells is far too small (it counts cells as if "
            "each came from another patient). Name the column of samples in sample_key=; the comparison is then made "
            "on samples."
        )
    types = [] if cell_type is None else [cell_type]
    design = [groups] + ([] if block is None else [block])
    sample_of = one_value_per_sample(adata.obs, sample_key, design)
    long = summarise(adata, [sample_key, *types], method=method, statistics=[statistic], min_cells=min_cells)
    tables = []
    for key, part in long.groupby(types, observed=True) if types else [((), long)]:
        wide = part.pivot(index=sample_key, columns="signature", values=statistic)
        wide = wide[list(dict.fromkeys(part["signature"]))]
        about = sample_of.loc[wide.index]
        found = contrast(
            wide,
            about[groups],
            treated=treated,
            control=control,
            block=None if block is None else about[block],
            n_permutations=n_permutations,
            seed=seed,
        )
        of_type = adata.obs
        for name, value in zip(types, key if isinstance(key, tuple) else (key,), strict=True):
            found.insert(0, name, value)
            of_type = of_type[of_type[name].astype(object) == value]
        compared = wide.index[about[groups].isin([treated, control])]
        found = found.assign(**count_cells(of_type, sample_key, compared))
        tables.append(found)
    joined = pd.concat(tables, ignore_index=True)
    joined["q"] = adjust_p(joined["p"].to_numpy(dtype=np.float64))
    return joined

"""Cohorts of single cells: annotation, embedding, scores by sample and cell type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.errors import ConfigError, DataError, DataWarning, examples, warn
from mtorscore.io.tables.cell_text import is_missing
from mtorscore.pipeline.table_files import read_table

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from mtorscore.pp import Recipe

__all__ = ["are_cells", "prepare_cells", "pseudobulk_of", "summarise_cells"]

_LEAST_CELLS = 10
_LEAST_GENES = 200
_SEED = 0


def are_cells(adata: AnnData) -> bool:
    """Return whether the observations of a prepared cohort are cells."""
    return "sample_type" in adata.obs and bool((adata.obs["sample_type"].astype(str) == "cell").any())


def prepare_cells(recipe: Recipe, data: str | Path | None) -> AnnData:
    """Read single cells as a recipe says.

    Parameters
    ----------
    recipe
        With ``cells: {sample: COLUMN, cell_type: COLUMN, embedding: KEY, min_genes: N}``; all optional. Without
        `sample` the file is one sample, without `cell_type` all cells are of one type.
    data
        The folder that the recipe's files are relative to.

    Returns
    -------
    anndata.AnnData
        Cells x current HGNC symbols: ``X`` as published, ``layers["log"]`` log2(CPM + 1) for counts, ``obs["sample"]``,
        ``obs["cell_type"]``, ``obs["sample_type"]`` (``cell``), ``obsm["X_umap"]`` or the embedding of the file.

    Raises
    ------
    ConfigError
        If a column or the embedding is not there.
    DataError
        If no cell is left.
    """
    from mtorscore.pp import add_log_layer, read_cohort

    adata = read_cohort(recipe, data)
    sample = _column(adata, recipe, "sample", recipe.id)
    cell_type = _column(adata, recipe, "cell_type", "all cells")
    adata.obs = adata.obs.assign(sample=sample, cell_type=cell_type, sample_type="cell", in_outcome=False)
    adata = _of_samples(adata, recipe)
    adata = _enough_genes(adata, int((recipe.cells or {}).get("min_genes", _LEAST_GENES)))
    add_log_layer(adata, method=recipe.expression.get("normalise"))
    _embed(adata, recipe)
    return adata


def _column(adata: AnnData, recipe: Recipe, key: str, instead: str) -> Any:
    name = (recipe.cells or {}).get(key)
    if name is None:
        return instead
    if name not in adata.obs:
        raise ConfigError(
            f"{recipe.id}: cells.{key} names {name!r}, but there is no such column; there are "
            f"{examples(adata.obs.columns, 40)}. Correct the recipe."
        )
    values = adata.obs[name].astype(object)
    return values.where(values.notna(), "not stated").astype(str).to_numpy()


def _of_samples(adata: AnnData, recipe: Recipe) -> AnnData:
    """Exclude cells of which nothing says the sample, list them, and warn how many they are."""
    import pandas as pd

    name = (recipe.cells or {}).get("sample")
    if name is None:
        return adata
    lost = np.array([is_missing(v) for v in adata.obs[name].astype(object)])
    if not lost.any():
        return adata
    if lost.all():
        raise DataError(f"No cell has a sample: the column {name} is empty.")
    warn(
        f"{int(lost.sum())} of {adata.n_obs} cells have no sample in the column {name} "
        f"({examples(adata.obs_names[lost])}) and are left out.",
        DataWarning,
    )
    kept = adata[~lost].copy()
    kept.uns["exclusions"] = pd.DataFrame(
        {
            "sample": adata.obs_names[lost].astype(str),
            "patient": "",
            "rule": "no_sample",
            "reason": f"nothing in {name} says whose cell it is",
            "effect": "dropped",
        }
    )
    return kept


def _enough_genes(adata: AnnData, least: int) -> AnnData:
    """Exclude cells with fewer detected genes than `least`, and log them."""
    import pandas as pd

    shown = np.asarray((adata.X != 0).sum(axis=1)).ravel()
    keep = shown >= least
    if not keep.any():
        raise DataError(
            f"No cell shows {least} genes (the most are {int(shown.max(initial=0))}). Is this a matrix of counts? A "
            "panel of few genes needs cells.min_genes in the recipe."
        )
    rows = pd.DataFrame(
        {
            "sample": adata.obs_names[~keep].astype(str),
            "patient": adata.obs["sample"].astype(str).to_numpy()[~keep],
            "rule": "few_genes",
            "reason": [f"{n} genes shown; at least {least} are asked for" for n in shown[~keep]],
            "effect": "dropped",
        }
    )
    steps = {"step": ["cells read", f"cells with {least} genes or more"], "samples": [adata.n_obs, int(keep.sum())]}
    kept = adata[keep].copy()
    kept.uns["exclusions"] = pd.concat([adata.uns.pop("exclusions", rows.iloc[:0]), rows], ignore_index=True)
    kept.uns["flow"] = pd.DataFrame(steps)
    return kept


def _embed(adata: AnnData, recipe: Recipe) -> None:
    """Keep the embedding of the file, or compute one: PCA of the varying genes, neighbours, UMAP, with a fixed seed."""
    asked = (recipe.cells or {}).get("embedding")
    if asked is not None and asked not in adata.obsm:
        there = ", ".join(map(str, adata.obsm)) or "none"
        raise ConfigError(f"{recipe.id}: cells.embedding names {asked!r}, and the file's embeddings are: {there}.")
    chosen = asked or next((k for k in ("X_umap", "X_tsne") if k in adata.obsm), None)
    if chosen is not None:
        adata.uns["embedding"] = {"key": chosen, "made": "as published"}
        return
    if adata.n_obs < 20:
        return
    import scanpy as sc

    work = adata.copy()
    work.X = work.layers["log"]
    sc.pp.highly_variable_genes(work, n_top_genes=min(2000, work.n_vars))
    work = work[:, work.var["highly_variable"].to_numpy()].copy()
    count = min(30, work.n_obs - 1, work.n_vars - 1)
    sc.pp.pca(work, n_comps=count, random_state=_SEED)
    sc.pp.neighbors(work, n_neighbors=min(15, work.n_obs - 1), random_state=_SEED)
    sc.tl.umap(work, random_state=_SEED)
    adata.obsm["X_umap"] = work.obsm["X_umap"]
    adata.uns["embedding"] = {"key": "X_umap", "made": f"UMAP of {count} principal components of {work.n_vars} genes"}


def summarise_cells(adata: AnnData, folder: Path, methods: Sequence[str]) -> list[pd.DataFrame]:
    """Summarise scores over the cells of each sample and cell type.

    Parameters
    ----------
    adata
        The prepared cohort.
    folder
        Its results folder, with ``scores/<method>.tsv``.
    methods
        Scoring methods.

    Returns
    -------
    list of pandas.DataFrame
        Per method a part of ``cells.tsv``; groups of fewer than 10 cells are left out. Empty where there are no cells.
    """
    from mtorscore.tl import summarise

    parts = []
    for method in methods if are_cells(adata) else ():
        scores = read_table(folder / "scores" / f"{method}.tsv", index="observation").dropna(axis=1, how="all")
        adata.obsm[f"score_{method}"] = scores.loc[adata.obs_names]
        sizes = adata.obs.groupby(["sample", "cell_type"], observed=True).size()
        if not len(sizes) or sizes.max() < _LEAST_CELLS:
            continue
        table = summarise(
            adata, ["sample", "cell_type"], method=method, statistics=("mean", "median", "sd"), min_cells=_LEAST_CELLS
        )
        parts.append(table.assign(method=method))
    return parts


def pseudobulk_of(adata: AnnData) -> AnnData | None:
    """Sum counts (or average logarithms) by sample and cell type; None where no group has ten cells."""
    from mtorscore.pp import add_log_layer, pseudobulk

    sizes = adata.obs.groupby(["sample", "cell_type"], observed=True).size()
    if not len(sizes) or sizes.max() < _LEAST_CELLS:
        return None
    counts = adata.uns.get("source", {}).get("units") == "counts"
    by = ["sample", "cell_type"]
    if counts:
        return add_log_layer(pseudobulk(adata, by, min_cells=_LEAST_CELLS), scale="counts")
    bulk = pseudobulk(adata, by, layer="log", statistic="mean", min_cells=_LEAST_CELLS)
    bulk.layers["log"] = bulk.X
    return bulk

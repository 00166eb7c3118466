"""The single-cell part: which cells the page shows, and the static figures of cells and cell types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtorscore import pl

if TYPE_CHECKING:
    from mtorscore.report.figures.overview import Drawer, Picture

MOST_CELLS = 4000
_PANELS = 5


def thinned(obs: pd.DataFrame, most: int = MOST_CELLS) -> np.ndarray:
    """Choose the cells that the page shows: all of a small cohort, else a part of every sample and type.

    Parameters
    ----------
    obs
        Cells with ``sample`` and ``cell_type``.
    most
        Cells to keep at most, roughly.

    Returns
    -------
    numpy.ndarray
        Positions in order. The same share of each group, at least 20 of it, by a fixed seed.
    """
    if len(obs) <= most:
        return np.arange(len(obs))
    rng = np.random.default_rng(0)
    share = most / len(obs)
    keys = [c for c in ("sample", "cell_type") if c in obs]
    chosen = []
    for at in obs.groupby(keys, observed=True, dropna=False).indices.values():
        size = min(len(at), max(20, round(share * len(at))))
        chosen.append(rng.choice(at, size, replace=False))
    return np.sort(np.concatenate(chosen))


def cell_pictures(draw: Drawer) -> list[Picture]:
    """Draw embedding, dot plot and ridges of a cohort of cells."""
    cohort = draw.cohort
    if not cohort.cells:
        return []
    shown = [n for n in draw.shown if draw.branches.get(n) != "confounder"]
    if not shown:
        return [draw.none("umap", cohort.missing.get("scores", "There are no scores to draw."))]
    out = [_embedding(draw, shown)]
    types = cohort.obs["cell_type"].astype(str)
    if types.nunique() > 1:
        out.append(
            draw.picture(
                "dotplot",
                lambda: pl.dotplot(draw.scores, "cell_type", cohort.obs, signatures=draw.shown),
                f"Dot plot of {len(draw.shown)} scores in {types.nunique()} cell types.",
                "Colour: mean score in SD over all cells shown. Size: share of cells above the overall mean.",
            )
        )
    lead = max(shown, key=lambda n: _between(draw.scores[n], types))
    out.append(
        draw.picture(
            "ridge",
            lambda: pl.ridge(draw.scores, lead, "cell_type", cohort.obs, width=120),
            f"Densities of {lead} in each cell type.",
            f"{lead}, the score that differs most between cell types here. Cells of one sample are not independent: "
            "compare samples, as in the table, not cells.",
        )
    )
    return out


def _embedding(draw: Drawer, shown: list[str]) -> Picture:
    import anndata as ad

    cohort = draw.cohort
    if cohort.embedding is None:
        return draw.none("umap", "There is no embedding: the file holds none, and fewer than 20 cells make none.")
    adata = ad.AnnData(obs=cohort.obs[["cell_type"]].assign(cell_type=cohort.obs["cell_type"].astype(str)))
    adata.obsm["X_umap"] = cohort.embedding
    adata.obsm["score_shown"] = draw.scores[shown[:_PANELS]]
    return draw.picture(
        "umap",
        lambda: pl.umap(adata, ["cell_type", *shown[:_PANELS]]),
        f"Embedding of {len(cohort.obs)} cells, coloured by cell type and by {min(len(shown), _PANELS)} scores.",
        f"{cohort.embedding_made}. Distances in such a picture mean little; it shows which cells are alike.",
    )


def _between(values: pd.Series, types: pd.Series) -> float:
    """Share of a score's variance that lies between cell types."""
    means = values.groupby(types).transform("mean")
    total = float(values.var())
    return float(means.var()) / total if total > 0 else 0.0

"""Figures of single cells: embedding, dot plot, densities by cell type."""

from __future__ import annotations

import pandas as pd

from mtorscore import pl
from mtorscore.report.figures.picture import Drawer, Picture

_PANELS = 5


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
        return draw.none(
            "umap", "There is no embedding: the file has none, and one is not computed for fewer than 20 cells."
        )
    adata = ad.AnnData(obs=cohort.obs[["cell_type"]].assign(cell_type=cohort.obs["cell_type"].astype(str)))
    adata.obsm["X_umap"] = cohort.embedding
    adata.obsm["score_shown"] = draw.scores[shown[:_PANELS]]
    return draw.picture(
        "umap",
        lambda: pl.umap(adata, ["cell_type", *shown[:_PANELS]]),
        f"Embedding of {len(cohort.obs)} cells, coloured by cell type and by {min(len(shown), _PANELS)} scores.",
        f"{cohort.embedding_made}. Distances in an embedding mean little; it shows which cells are similar.",
    )


def _between(values: pd.Series, types: pd.Series) -> float:
    """Share of a score's variance that lies between cell types."""
    means = values.groupby(types).transform("mean")
    total = float(values.var())
    return float(means.var()) / total if total > 0 else 0.0

"""Scores as the matrix of an AnnData, for tools that look at genes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.tl.analysis.cell_summaries import score_key

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["as_anndata"]


def as_anndata(adata: AnnData, *, method: str | None = None, signatures: str | Sequence[str] | None = None) -> AnnData:
    """Return the scores as an AnnData, so that tools for genes take signatures instead.

    ``scanpy.tl.rank_genes_groups``, ``scanpy.pl.matrixplot``, ``squidpy.gr.spatial_autocorr`` and plots of decoupler
    then work on signatures. What they call a log fold change is none: scores are no logarithms and may be negative; and
    a test over cells counts each cell as an independent patient, which `contrast` does not.

    Parameters
    ----------
    adata
        Scored observations.
    method
        Which scores; by default the only ones.
    signatures
        Some of them, in this order; all that have a value by default.

    Returns
    -------
    AnnData
        Observations x signatures, float64: ``X`` scores; ``obs``, embeddings and coordinates (``obsm``), graphs
        (``obsp``) and ``uns`` are copies of those of `adata`; ``var`` has the coverage of each signature. Other tables
        of scores and p-values stay behind. ``uns["scores"]`` says the method and which signatures were left out.

    Warns
    -----
    DataWarning
        Once, if signatures without any value are left out, or values are missing.

    Raises
    ------
    DataError
        If there are no scores, or a signature has none.
    """
    from anndata import AnnData

    key = score_key(adata, method)
    table = adata.obsm[key]
    if signatures is not None:
        wanted = [signatures] if isinstance(signatures, str) else list(signatures)
        absent = [s for s in wanted if s not in table.columns]
        if absent:
            raise DataError(f"{len(absent)} signature(s) have no score in obsm[{key!r}] ({examples(absent)}).")
        table = table[wanted]
    empty = [str(c) for c in table.columns if table[c].isna().all()]
    table = table.drop(columns=empty)
    if table.empty:
        raise DataError(f"No signature of obsm[{key!r}] has a value.")
    _warn(table, empty)
    name = key.removeprefix("score_")
    out = AnnData(
        table.to_numpy(dtype=np.float64, copy=True), obs=adata.obs.copy(), var=_about(adata, name, table.columns),
        obsm={k: _copy(v) for k, v in adata.obsm.items() if not _of_scores(str(k))},
        obsp={k: v.copy() for k, v in adata.obsp.items()},
    )  # fmt: skip
    # What was found out about genes would be read as found out about signatures.
    out.uns = {k: _copy(v) for k, v in adata.uns.items() if k not in ("log1p", "hvg", "rank_genes_groups", "mtorscore")}
    out.uns["scores"] = {"method": name, "left_out": empty}
    return out


def _warn(table: pd.DataFrame, empty: list[str]) -> None:
    missing = int(table.isna().to_numpy().sum())
    said = []
    if empty:
        said.append(f"{len(empty)} signature(s) without any value are left out ({examples(empty)})")
    if missing:
        columns = table.columns[table.isna().any()]
        said.append(f"{missing} values of {len(columns)} signature(s) are missing ({examples(columns)})")
    if said:
        warn("; ".join(said) + ".", DataWarning)


def _of_scores(key: str) -> bool:
    return key.startswith(("score_", "pval_", "padj_")) or key in ("ratio", "panel")


def _about(adata: AnnData, name: str, signatures: Any) -> pd.DataFrame:
    """Return the coverage of signatures, by name; without columns where it is not known."""
    import pandas as pd

    index = pd.Index([str(s) for s in signatures], dtype=object)
    coverage = dict(adata.uns.get("mtorscore", {}).get(name, {})).get("coverage")
    if not isinstance(coverage, pd.DataFrame):
        return pd.DataFrame(index=index)
    known = coverage.set_index("signature") if "signature" in coverage else coverage
    return known.reindex(index)


def _copy(value: Any) -> Any:
    from copy import deepcopy

    return deepcopy(value)

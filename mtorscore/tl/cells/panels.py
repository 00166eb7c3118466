"""What a panel of few genes can say of each signature: coverage, and the ranks that a method may count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.collection import SignaturesLike, as_collection
from mtorscore.errors import DataError
from mtorscore.tl.engine.readability import counts_of, lacking

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["panel_coverage"]

# UCell's default, made for whole transcriptomes.
WHOLE_RANK, TOP = 1500, 0.05
# Share of a panel from which on most random sets share genes with the signature.
LARGE_SHARE = 0.2
ROWS = 2000


def panel_coverage(panels: Any, signatures: SignaturesLike = None, *, layer: str | None = None) -> pd.DataFrame:
    """Say per signature and platform what the panel's genes can tell, and how many ranks to count.

    Parameters
    ----------
    panels
        A panel, or a mapping of platform to panel (``{"Xenium": ..., "CosMx": ...}``). A panel is a list of genes, or
        an AnnData of counts, which also tells how many genes a cell shows. Genes are compared by name: bring both to
        current symbols first (`mtorscore.pp.harmonise_genes`).
    signatures
        A collection, a mapping, a path, or None for the shipped library.
    layer
        Of the AnnData, instead of ``.X``.

    Returns
    -------
    pandas.DataFrame
        One row per platform and signature: ``platform, signature, n_panel, n_genes, n_found, coverage, coverage_up,
        coverage_down`` (NaN without genes of that direction), ``share_of_panel, detected`` (median genes shown by a
        cell; NaN for a list), ``max_rank`` (for `ucell`), ``top`` (for `aucell`), ``usable`` and ``reason``.

        ``max_rank`` is the smallest of 1,500, the size of the panel and, where counts are given, the median number of
        genes that a cell shows, but at least the genes found: beyond the genes shown all ranks are ties of zeros.
        ``top`` is 0.05 of the genes, or more where 0.05 would count fewer genes than were found. ``usable`` is False
        where the rule of coverage lets nothing rest on the score, or fewer than three genes were found.

    Raises
    ------
    DataError
        If a panel is empty, or names a gene twice.
    """
    import pandas as pd

    given = panels if isinstance(panels, Mapping) else {"panel": panels}
    collection = as_collection(signatures)
    rows: list[dict[str, Any]] = []
    for platform, panel in given.items():
        genes, detected = _genes(panel, str(platform), layer)
        rows += _rows(str(platform), genes, detected, collection)
    return pd.DataFrame(rows)


def _genes(panel: Any, platform: str, layer: str | None) -> tuple[list[str], float]:
    if hasattr(panel, "var_names"):
        matrix = panel.X if layer is None else panel.layers[layer]
        genes, detected = [str(g) for g in panel.var_names], _detected(matrix)
    elif isinstance(panel, str) or not isinstance(panel, Iterable):
        raise DataError(
            f"The panel of {platform} is a {type(panel).__name__}; give its genes as a list, or an AnnData."
        )
    else:
        genes, detected = [str(g) for g in panel], float("nan")
    if not genes:
        raise DataError(f"The panel of {platform} has no gene.")
    if len(set(genes)) != len(genes):
        twice = next(g for g in genes if genes.count(g) > 1)
        raise DataError(f"The panel of {platform} names {twice} more than once; list each gene once.")
    return genes, detected


def _detected(matrix: Any) -> float:
    """Return the median number of genes that an observation shows."""
    if matrix is None or 0 in matrix.shape:
        return float("nan")
    parts = [matrix[a : a + ROWS] for a in range(0, matrix.shape[0], ROWS)]
    shown = [np.asarray((p != 0).sum(axis=1)).ravel() for p in parts]
    return float(np.median(np.concatenate(shown)))


def _rows(platform: str, genes: list[str], detected: float, collection: Any) -> list[dict[str, Any]]:
    coverage = collection.resolve(genes).coverage()
    out = []
    for values in zip(*coverage.values(), strict=True):
        row = dict(zip(coverage, values, strict=True))
        up, all_up, down, all_down = counts_of(row)
        found, total, n_panel = up + down, all_up + all_down, len(genes)
        shown = n_panel if np.isnan(detected) else max(int(detected), 1)
        share = found / n_panel
        why = [w for w in (lacking(up, all_up, down, all_down),) if w]
        if found < 3 and not why:
            why.append(f"{found} gene(s) in the panel; the score is that of single genes")
        advice = f"it holds {share:.0%} of the panel, so that random sets share genes with it"
        out.append({
            "platform": platform, "signature": row["signature"], "n_panel": n_panel, "n_genes": total, "n_found": found,
            "coverage": found / total if total else np.nan,
            "coverage_up": up / all_up if all_up else np.nan, "coverage_down": down / all_down if all_down else np.nan,
            "share_of_panel": share, "detected": detected,
            "max_rank": min(n_panel, max(min(WHOLE_RANK, shown), found)), "top": min(1.0, max(TOP, share)),
            "usable": not why, "reason": "; ".join([*why, *([advice] if share > LARGE_SHARE else [])]),
        })  # fmt: skip
    return out

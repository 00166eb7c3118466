"""Ratios and panels: evaluated once, on linear scale, whatever the scoring method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.collection import Panel, Ratio, SignatureCollection
from mtorscore.tl.engine.gene_sets import Array
from mtorscore.tl.engine.source import Source

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["ratios_and_panels", "stated_scale", "to_linear"]

LINEAR = {"counts", "tpm", "fpkm", "rpkm", "cpm", "linear", "normalised", "normalized", "intensity"}
LOG_LIMIT = 50.0


def ratios_and_panels(
    adata: AnnData, collection: SignatureCollection, layer: str | None, source: Source, names: Sequence[str]
) -> dict[str, tuple[list[str], Array]]:
    """Evaluate the entries of kind ratio and panel, and describe them in ``.uns["mtorscore"]``.

    Returns
    -------
    dict
        ``"ratio"``: columns and log2 ratios of mean linear values, NaN where a side is absent or 0. ``"panel"``:
        columns ``<panel>:<gene>`` and linear values. A key is there only if the collection has such entries.
    """
    entries = [e for e in collection if isinstance(e, Ratio | Panel)]
    if not entries:
        return {}
    place = {g: i for i, g in enumerate(names)}
    wanted = np.array(sorted({place[g] for e in entries for g in e.genes if g in place}), dtype=np.int64)
    scale = stated_scale(adata, layer) or guess_scale(source)
    values = np.vstack([t.columns(wanted) for t in source.tiles()]) if wanted.size else np.zeros((source.n_obs, 0))
    linear = to_linear(values, scale)
    slot = {int(c): i for i, c in enumerate(wanted)}
    column = {g: linear[:, slot[place[g]]] for e in entries for g in e.genes if g in place}
    found: dict[str, tuple[list[str], Array]] = {}
    for key, kind in (("ratio", Ratio), ("panel", Panel)):
        pairs = [pair for e in entries if isinstance(e, kind) for pair in _evaluate(e, column, source.n_obs)]
        if pairs:
            found[key] = ([name for name, _ in pairs], np.column_stack([v for _, v in pairs]))
            adata.uns.setdefault("mtorscore", {})[key] = _describe(
                [e for e in entries if isinstance(e, kind)], column, scale
            )
    return found


def stated_scale(adata: AnnData, layer: str | None) -> str | None:
    """Return the value scale that ``uns["source"]`` states, in the words of `to_linear`, or None."""
    source = adata.uns.get("source", {})
    if layer is not None or not hasattr(source, "get"):
        return None
    text = str(source.get("scale") or source.get("units") or "").lower()
    if not text or text in {"unknown", "none"}:
        return None
    if "z-score" in text or "zscore" in text:
        return "z-score"
    if "log10" in text:
        return "log10"
    if "log1p" in text or "ln(" in text or "natural" in text:
        return "ln"
    if "log" in text:
        return "log2"
    return "linear" if any(word in text for word in LINEAR) else None


def guess_scale(source: Source) -> str:
    """Tell linear from log2 values by their range: no expression unit on a log scale exceeds 50."""
    low, high = np.inf, -np.inf
    for tile in source.tiles():
        values = tile.csr()[0] if tile.x is None else tile.x
        known = values[~np.isnan(values)]
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    return scale_of_range(low, high)


def scale_of_range(low: float, high: float) -> str:
    """Tell the scale from the smallest and largest value."""
    if low < 0:
        return "z-score"
    return "log2" if high <= LOG_LIMIT else "linear"


def to_linear(values: Array, scale: str) -> Array:
    """Undo ``log(x + 1)``; z-scores cannot be brought back and become NaN."""
    if scale == "log2":
        return np.exp2(values) - 1
    if scale == "log10":
        linear: Array = np.power(10.0, values) - 1
        return linear
    if scale == "ln":
        return np.expm1(values)
    return np.full_like(values, np.nan) if scale == "z-score" else values


def _evaluate(entry: Ratio | Panel, column: dict[str, Array], n_obs: int) -> list[tuple[str, Array]]:
    absent = np.full(n_obs, np.nan)
    if isinstance(entry, Panel):
        return [(f"{entry.id}:{g}", column.get(g, absent)) for g in entry.genes]
    above, below = (_mean(column, genes, absent) for genes in (entry.numerator, entry.denominator))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log2(above / below)
    ratio[~((above > 0) & (below > 0))] = np.nan
    return [(entry.id, ratio)]


def _mean(column: dict[str, Array], genes: Sequence[str], absent: Array) -> Array:
    present = [column[g] for g in genes if g in column]
    mean: Array = np.mean(present, axis=0) if present else absent
    return mean


def _describe(entries: Sequence[Ratio | Panel], column: dict[str, Array], scale: str) -> dict[str, Any]:
    import pandas as pd

    rows = [
        {
            "entry": e.id,
            "n_genes": len(e.genes),
            "matched": sum(g in column for g in e.genes),
            "missing": ",".join(g for g in e.genes if g not in column),
        }
        for e in entries
    ]
    return {"scale_taken": scale, "coverage": pd.DataFrame(rows).set_index("entry")}

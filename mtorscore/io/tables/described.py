"""What `describe` says of a matrix: orientation, sizes, identifiers and units, and how sure each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.io.tables.cell_text import are_levels
from mtorscore.io.tables.name_evidence import weigh_names

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["said"]


def said(adata: AnnData, made: dict[str, Any], rows: int = 0) -> dict[str, str]:
    """Return the details of a description.

    Parameters
    ----------
    adata, made
        The file, or its beginning, as read, and what its reader found out.
    rows
        Rows of the whole file; 0 where `adata` is whole.
    """
    if not adata.n_obs or not adata.n_vars:
        what = f"{adata.n_obs} rows" if adata.n_obs else f"{adata.n_vars} genes"
        return {"table": f"{made.get('table', '')}, no expression matrix ({made.get('evidence', '')})", "sizes": what}
    guessed = made.get("guessed", {})
    orientation = str(made.get("orientation", "")) or "as stored"
    samples, genes = adata.n_obs, adata.n_vars
    if rows and orientation == "genes in rows":
        genes = max(genes, rows)
    elif rows and orientation == "samples in rows":
        samples = max(samples, rows)
    found = guessed.get("orientation")
    how = _how(found) if found else "stated by the format or asked for"
    return {
        "orientation": f"{orientation}, {how}",
        "sizes": f"{samples} samples x {genes} genes" + (" (of rows counted, not read)" if rows else ""),
        "identifiers": _identifiers(adata, guessed.get("identifiers")),
        "units": _units(adata, str(made.get("units", "") or "")),
    }


def _how(found: dict[str, Any]) -> str:
    return f"{'sure' if found['sure'] else 'a guess'}: {found['evidence']}"


def _identifiers(adata: AnnData, found: dict[str, Any] | None) -> str:
    if found is None:
        names = weigh_names([str(n) for n in adata.var.get("id", adata.var_names)])
        found = {
            "is": names.kind or "unknown",
            "sure": names.genes >= 0.5,
            "evidence": f"{names.genes:.0%} of the names are such",
        }
    return f"{found['is']}, {_how(found)}"


def _units(adata: AnnData, stated: str) -> str:
    """Say what the values look like where no unit is stated."""
    x: Any = adata.X[:50]
    values = np.asarray(x.toarray() if hasattr(x, "toarray") else x, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return stated or "unknown: every value is missing"
    seen = f"values from {values.min():.4g} to {values.max():.4g}"
    if stated:
        return f"{stated}, stated; {seen}"
    whole = bool((values == np.round(values)).all())
    if are_levels(values):
        likely = "levels of copy number, not expression (io.read_alterations reads them)"
    elif whole and values.min() >= 0 and values.max() <= 1:
        likely = "calls of 0 and 1, such as of mutations (io.read_alterations reads them)"
    elif values.min() < 0:
        likely = "log ratios, z-scores or corrected intensities"
    elif whole:
        likely = "counts"
    else:
        likely = "logarithms" if values.max() <= 50 else "a linear scale"
    return f"not stated; {likely}, a guess: {seen}{', whole numbers' if whole else ''}"

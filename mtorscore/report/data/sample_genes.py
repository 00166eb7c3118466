"""Genes that carry a signature in one sample: those furthest from the cohort's mean, read from the prepared matrix."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtorscore.collection import Signature, library
from mtorscore.report.data.run_files import Cohort

__all__ = ["sample_genes"]

SHOWN = 4
MOST_VALUES = 30_000_000
"""Of the matrix; a larger one takes seconds to read."""
_BLOCK = 2_000_000
_TENTHS = 127


def sample_genes(path: Path, cohort: Cohort, names: Sequence[str]) -> dict[str, Any]:
    """Return, per signature and observation, the genes furthest from the mean of what is not normal tissue.

    Parameters
    ----------
    path
        The cohort's ``cohort.h5ad``; its layer ``log`` is read.
    cohort
        Its results.
    names
        Signatures; those that the library does not hold as gene lists are left out.

    Returns
    -------
    dict
        Signature -> ``genes`` (symbols; a gene that falls with the signature ends in a minus sign), ``at`` and ``sd``:
        base64 of positions (little-endian uint16) and of tenths of an SD (int8, clipped), four per observation, the
        furthest first. Empty for single cells, for large or sparse matrices, and where there is no such layer.
    """
    known = library(experimental=True)
    entries = [e for e in (known[n] for n in names if n in known) if isinstance(e, Signature)]
    wanted = dict.fromkeys(g for e in entries for g in e.genes)
    found = {} if cohort.cells or not entries else _columns(path, list(wanted))
    if not found:
        return {}
    genes = {g: k for k, g in enumerate(found["genes"])}
    z = _standardised(found["values"], cohort.obs.index.isin(cohort.tumours))
    return {e.id: packed for e in entries if (packed := _packed(e, genes, z)) is not None}


def _columns(path: Path, wanted: Sequence[str]) -> dict[str, Any]:
    """Read some genes of the layer on log scale, block by block of observations."""
    import h5py
    from anndata.io import read_elem

    with h5py.File(path, "r") as file:
        layer = file.get("layers/log")
        if not isinstance(layer, h5py.Dataset) or layer.size > MOST_VALUES:
            return {}
        names = read_elem(file["var"][file["var"].attrs["_index"]])
        place = {str(g): k for k, g in enumerate(names)}
        genes = [g for g in wanted if g in place]
        if not genes:
            return {}
        at = np.array([place[g] for g in genes])
        rows = max(1, _BLOCK // layer.shape[1])
        blocks = [layer[i : i + rows][:, at] for i in range(0, layer.shape[0], rows)]
    return {"genes": genes, "values": np.concatenate(blocks).astype(np.float64)}


def _standardised(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return SD from the mean of some rows; 0 for a gene that does not vary or has gaps there."""
    part = values[among] if among.sum() > 2 else values
    mean, sd = part.mean(axis=0), part.std(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (values - mean) / sd
    return np.where(np.isfinite(z), z, 0.0)


def _packed(entry: Signature, genes: dict[str, int], z: np.ndarray) -> dict[str, Any] | None:
    own = [g for g in entry.genes if g in genes]
    if not own:
        return None
    part = z[:, [genes[g] for g in own]]
    order = np.argsort(-np.abs(part), axis=1, kind="stable")[:, :SHOWN]
    tenths = np.clip(np.rint(10 * np.take_along_axis(part, order, axis=1)), -_TENTHS, _TENTHS)
    falling = set(entry.down)
    return {
        "genes": [f"{g}-" if g in falling else g for g in own],
        "each": order.shape[1],
        "at": base64.b64encode(order.astype("<u2").tobytes()).decode("ascii"),
        "sd": base64.b64encode(tenths.astype(np.int8).tobytes()).decode("ascii"),
    }

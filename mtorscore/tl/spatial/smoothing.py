"""Scores averaged over the tissue around them, with a kernel that is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mtorscore.errors import MethodError
from mtorscore.tl.analysis.cell_summaries import score_key
from mtorscore.tl.spatial.sections import coordinates, scores_of, sections

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["smooth"]

KERNELS = ("gaussian", "uniform")
_REACH = 3.0


def smooth(
    adata: AnnData,
    bandwidth: float,
    *,
    kernel: str = "gaussian",
    method: str | None = None,
    signatures: str | Sequence[str] | None = None,
    section_key: str | None = None,
    key_added: str | None = None,
) -> AnnData:
    """Average scores over distance, within sections; for looking at, not for testing, since neighbours become alike.

    s'_i = sum_j k(d_ij) s_j / sum_j k(d_ij), the observation itself included, over those with a score; k(d) is
    exp(-d^2 / (2 bandwidth^2)) up to three bandwidths (``"gaussian"``) or 1 up to one (``"uniform"``).

    Parameters
    ----------
    adata
        Scored observations with ``obsm["spatial"]``.
    bandwidth
        In the unit of the coordinates.
    kernel
        ``"gaussian"`` or ``"uniform"``.
    method, signatures
        Which scores.
    section_key
        Column of ``.obs`` that names the section; by default that of the graph.
    key_added
        Key in ``.obsm``; by default ``score_<method>_smoothed``.

    Returns
    -------
    AnnData
        The object handed in; ``uns["mtorscore"]`` says kernel and bandwidth.

    Raises
    ------
    MethodError
        If the kernel is unknown or the bandwidth is not above 0.
    DataError
        If scores or coordinates are absent.
    """
    import pandas as pd
    from scipy import sparse
    from sklearn.neighbors import NearestNeighbors

    if kernel not in KERNELS:
        raise MethodError(f"kernel={kernel!r} is not known; choose 'gaussian' or 'uniform'.")
    if not (np.isfinite(bandwidth) and bandwidth > 0):
        raise MethodError(f"bandwidth={bandwidth!r} is not above 0.")
    table, xy, where = scores_of(adata, method, signatures), coordinates(adata), sections(adata, section_key)
    values, out = table.to_numpy(dtype=np.float64), np.full(table.shape, np.nan)
    reach = bandwidth * (_REACH if kernel == "gaussian" else 1.0)
    for code in range(len(where.names)):
        rows = where.rows(code)
        near = NearestNeighbors(radius=reach).fit(xy[rows]).radius_neighbors_graph(xy[rows], mode="distance").tocsr()
        weights = np.exp(-0.5 * (near.data / bandwidth) ** 2) if kernel == "gaussian" else np.ones(near.nnz)
        # Distances of 0 are stored, the observation's own among them.
        k = sparse.csr_matrix((weights, near.indices, near.indptr), shape=near.shape)
        known = ~np.isnan(values[rows])
        with np.errstate(invalid="ignore", divide="ignore"):
            out[rows] = (k @ np.where(known, values[rows], 0.0)) / (k @ known.astype(np.float64))
    source = score_key(adata, method)
    name = key_added or f"{source}_smoothed"
    adata.obsm[name] = pd.DataFrame(out, index=table.index, columns=table.columns)
    about = {"from": source, "kernel": kernel, "bandwidth": float(bandwidth)}
    adata.uns.setdefault("mtorscore", {})[name.removeprefix("score_")] = about
    return adata

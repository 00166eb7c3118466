"""Which observations are neighbours: k nearest, all within a radius, or the rings of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.errors import DataError, MethodError, examples
from mtorscore.tl.spatial.sections import GRAPH, NEIGHBOURS, Floats, coordinates, key_of_sections, sections

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["neighbours"]

KINDS = ("nearest", "radius", "grid")
# A spot of a grid whose sixth nearest is farther away than this many medians stands at the edge.
_EDGE = 1.3


def neighbours(
    adata: AnnData,
    kind: str,
    *,
    section_key: str | None = None,
    n: int = 6,
    radius: float | None = None,
    rings: int = 1,
) -> AnnData:
    """Connect neighbouring observations, within sections, with the result of squidpy's ``spatial_neighbors``.

    Parameters
    ----------
    adata
        Observations with ``obsm["spatial"]``.
    kind
        ``"grid"`` for spots on a lattice (Visium: `n` 6, hexagonal; Visium HD: `n` 4): the `n` nearest, without those
        farther than 1.3 medians. ``"nearest"``: the `n` nearest, whatever their distance; not symmetric.
        ``"radius"``: all within `radius`.
    section_key
        Column of ``.obs`` that names the section (slide, capture area, field of view); no edge leads from one to
        another. By default the column that the file states (SpatialData's region); without one all observations are
        one section.
    n
        Neighbours, for ``"nearest"`` and ``"grid"``.
    radius
        In the unit of the coordinates.
    rings
        Of a grid: neighbours at up to so many steps.

    Returns
    -------
    AnnData
        The object handed in, with ``obsp["spatial_connectivities"]``, ``obsp["spatial_distances"]`` (for a grid,
        steps) and ``uns["spatial_neighbors"]``, where squidpy looks for them.

    Raises
    ------
    MethodError
        If the kind is unknown, or `radius` is missing or not positive.
    DataError
        If coordinates are absent or not finite, or a section has no more than `n` observations.
    """
    from scipy import sparse

    _check(kind, n, radius, rings)
    xy, where = coordinates(adata), sections(adata, section_key)
    parts: list[tuple[Any, Any, Any, Any]] = []
    for code, name in enumerate(where.names):
        rows = where.rows(code)
        if kind != "radius" and len(rows) <= n:
            here = f"Section {name}" if name else "The section"
            raise DataError(f"{here} has {len(rows)} observations, too few for {n} neighbours of each.")
        near, far = _of_section(xy[rows], kind, n, radius, rings)
        parts.append((rows[near.row], rows[near.col], near.data, far))
    row, col, weight, distance = (np.concatenate([p[i] for p in parts]) for i in range(4))
    shape = (adata.n_obs, adata.n_obs)
    adata.obsp[GRAPH] = sparse.csr_matrix((weight, (row, col)), shape=shape)
    adata.obsp["spatial_distances"] = sparse.csr_matrix((distance, (row, col)), shape=shape)
    key = key_of_sections(adata, section_key) or ""
    said = {"kind": kind, "section_key": key, "radius": float(radius or 0), "n_rings": int(rings)}
    adata.uns[NEIGHBOURS] = {
        "connectivities_key": GRAPH,
        "distances_key": "spatial_distances",
        "params": said | {"n_neighbors": int(n)},
    }
    return adata


def _check(kind: str, n: int, radius: float | None, rings: int) -> None:
    if kind not in KINDS:
        raise MethodError(f"kind={kind!r} is not known; choose one of {examples(map(repr, KINDS))}.")
    if (kind == "radius") != (radius is not None):
        raise MethodError("Give radius=, in the unit of the coordinates, with kind='radius' and with no other.")
    if radius is not None and not radius > 0:
        raise MethodError(f"radius={radius!r} is not above 0.")
    if n < 1 or rings < 1:
        raise MethodError(f"n={n} and rings={rings} must be at least 1.")


def _of_section(xy: Floats, kind: str, n: int, radius: float | None, rings: int) -> tuple[Any, Any]:
    """Return the edges of one section (COO) and their distances, in the same order."""
    from scipy import sparse
    from sklearn.neighbors import NearestNeighbors

    size = len(xy)
    if kind == "radius":
        at, to = NearestNeighbors(radius=radius).fit(xy).radius_neighbors()
        distance = np.concatenate(at) if size else np.empty(0)
        column = np.concatenate(to).astype(np.int64)
        row = np.repeat(np.arange(size), [len(t) for t in to])
    else:
        at, to = NearestNeighbors(n_neighbors=n).fit(xy).kneighbors()
        distance, column, row = at.ravel(), to.ravel(), np.repeat(np.arange(size), n)
    if kind == "grid":
        near = distance < np.median(distance) * _EDGE
        steps = _rings(sparse.csr_matrix((np.ones(near.sum()), (row[near], column[near])), shape=(size, size)), rings)
        edges = steps.tocoo()
        return sparse.coo_matrix((np.ones(edges.nnz, dtype=np.float32), (edges.row, edges.col)), shape=steps.shape), (
            edges.data
        )
    return sparse.coo_matrix((np.ones(len(row), dtype=np.float32), (row, column)), shape=(size, size)), distance


def _rings(near: Any, rings: int) -> Any:
    """Return steps between observations of a grid, up to a number of steps."""
    from scipy import sparse

    reached = near + sparse.identity(near.shape[0], format="csr")
    steps, walk = near.copy(), reached
    for ring in range(2, rings + 1):
        walk = ((walk @ reached) > 0).astype(np.float64)
        new = walk - walk.multiply(steps > 0)
        new.setdiag(0)
        new.eliminate_zeros()
        steps = steps + new * ring
    return steps

"""What every statistic in space needs: coordinates, sections, scores, and a graph that stays within sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.pp.cell_aggregation import without_blanks
from mtorscore.tl.analysis.cell_summaries import score_key

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["COORDINATES", "GRAPH", "NEIGHBOURS", "Floats", "Ints", "Sections", "coordinates", "graph_of",
           "key_of_sections", "scores_of", "sections"]  # fmt: skip

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

COORDINATES = "spatial"
"""Key of ``obsm`` where squidpy, SpatialData and Space Ranger's readers keep coordinates."""
GRAPH, NEIGHBOURS = "spatial_connectivities", "spatial_neighbors"
"""Keys of ``obsp`` and ``uns`` where squidpy keeps its graph, so that either package reads the other's."""


@dataclass(frozen=True)
class Sections:
    """Section of each observation: `codes` (-1 where none is named) and the `names` in sorted order."""

    codes: Ints
    names: tuple[str, ...]

    def rows(self, code: int) -> Ints:
        """Return the observations of one section."""
        return np.flatnonzero(self.codes == code).astype(np.int64)


def key_of_sections(adata: AnnData, section_key: str | None) -> str | None:
    """Return the column that names sections: the one asked for, that of the graph, or the one that the file states."""
    if section_key is not None:
        return section_key
    of_graph = dict(adata.uns.get(NEIGHBOURS, {}).get("params", {})).get("section_key")
    stated = dict(adata.uns.get("source", {})).get("section_key")
    return str(of_graph or stated or "") or None


def sections(adata: AnnData, section_key: str | None, *, say: bool = True) -> Sections:
    """Return the sections; without a key, those of the graph or of the file, else all observations are one section.

    Raises
    ------
    DataError
        If there is no such column, or no observation names a section.
    """
    key = key_of_sections(adata, section_key)
    if key is None:
        return Sections(np.zeros(adata.n_obs, dtype=np.int64), ("",))
    if key not in adata.obs:
        raise DataError(f"obs has no column {key!r} of sections; it has {examples(adata.obs.columns) or 'none'}.")
    values = without_blanks(adata.obs[[key]])[key]
    named = values.notna().to_numpy()
    if not named.any():
        raise DataError(f"No observation has a section in {key!r}.")
    if say and not named.all():
        warn(
            f"{int((~named).sum())} of {adata.n_obs} observations name no section in {key!r} "
            f"({examples(adata.obs_names[~named])}) and are left out.",
            DataWarning,
        )
    names = sorted(set(values[named].astype(str)))
    place = {name: i for i, name in enumerate(names)}
    codes = np.array([place[str(v)] if ok else -1 for v, ok in zip(values, named, strict=True)], dtype=np.int64)
    return Sections(codes, tuple(names))


def coordinates(adata: AnnData) -> Floats:
    """Return ``obsm["spatial"]``, ``(n_obs, 2)`` or ``(n_obs, 3)``.

    Raises
    ------
    DataError
        If there are none, or some are missing or infinite.
    """
    if COORDINATES not in adata.obsm:
        raise DataError(
            f"There are no coordinates in obsm[{COORDINATES!r}]; there are {examples(map(str, adata.obsm)) or 'none'}. "
            "Put the place of every observation there, one row each, in the order of the observations."
        )
    xy = np.asarray(adata.obsm[COORDINATES], dtype=np.float64)
    if xy.ndim != 2 or xy.shape[1] not in (2, 3):
        raise DataError(f"obsm[{COORDINATES!r}] has shape {xy.shape}; coordinates have 2 or 3 columns.")
    bad = ~np.isfinite(xy).all(axis=1)
    if bad.any():
        raise DataError(
            f"{int(bad.sum())} observations have no finite coordinates ({examples(adata.obs_names[bad])}); leave them "
            "out first."
        )
    return xy


def scores_of(adata: AnnData, method: str | None, signatures: str | Sequence[str] | None) -> pd.DataFrame:
    """Return the scores of a method, or some of them, as numbers.

    Raises
    ------
    DataError
        If there are none, several methods are there and none is named, or a signature has no score.
    """
    key = score_key(adata, method)
    table = adata.obsm[key]
    if signatures is not None:
        wanted = [signatures] if isinstance(signatures, str) else list(signatures)
        absent = [s for s in wanted if s not in table.columns]
        if absent:
            raise DataError(f"{len(absent)} signature(s) have no score in obsm[{key!r}] ({examples(absent)}).")
        table = table[wanted]
    return table.astype(np.float64)


def graph_of(adata: AnnData, graph: str, where: Sections, *, binary: bool = False) -> Any:
    """Return a graph of neighbours: rows with sum 1 (0 without neighbours), or 1 for each neighbour.

    Raises
    ------
    DataError
        If there is no such graph, weights are negative or not finite, or an edge leads to another section.
    """
    from scipy import sparse

    if graph not in adata.obsp:
        raise DataError(
            f"There is no graph obsp[{graph!r}]; run mt.tl.spatial.neighbours(adata) or squidpy's spatial_neighbors."
        )
    found = sparse.csr_matrix(adata.obsp[graph], dtype=np.float64, copy=True)
    found.eliminate_zeros()
    if not np.isfinite(found.data).all() or (found.data < 0).any():
        raise DataError(f"obsp[{graph!r}] has weights that are negative or not finite.")
    edges = found.tocoo()
    crossing = int((where.codes[edges.row] != where.codes[edges.col]).sum())
    if crossing:
        raise DataError(
            f"{crossing} of {found.nnz} edges of obsp[{graph!r}] lead from one section to another, where neighbours "
            "mean nothing; make the graph with section_key= (library_key= in squidpy)."
        )
    if binary:
        found.data[:] = 1.0
        return found
    total = np.asarray(found.sum(axis=1)).ravel()
    found.data /= np.repeat(total, np.diff(found.indptr))
    return found

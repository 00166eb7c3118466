"""Scores where they were measured: one panel per section and score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError, examples
from mtorscore.pl import theme as st
from mtorscore.pl._tables import groups_of, scores_and_obs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["spatial"]

_POINT = 72 / 25.4
"""Points per millimetre."""


def spatial(
    adata: Any,
    color: str | Sequence[str],
    *,
    method: str | None = None,
    section_key: str | None = None,
    sections: Sequence[str] | None = None,
    size: float = 1.0,
    panel: float = 44.0,
    labels: dict[str, str] | None = None,
    title: str = "",
) -> Figure:
    """Draw scores or columns of ``obs`` on tissue: scores in rows, sections in columns.

    Parameters
    ----------
    adata
        Scored observations with ``obsm["spatial"]``.
    color
        Signatures (of `method`, such as ``"singscore"`` or ``"singscore_smoothed"``) or columns of ``obs``.
    method
        Which scores.
    section_key
        Column of ``obs`` that names the section; without it all observations are one.
    sections
        Which sections, in this order; all by default.
    size
        Diameter of a point, in distances of a point to its nearest.
    panel
        Millimetres of a panel.
    labels
        Signature or column -> what is written.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        One colour scale per row, around the median of all sections drawn, to the 1st and 99th percentile; what is
        missing is grey. The y axis points down, as in images.

    Raises
    ------
    DataError
        If coordinates, a section or a name is absent.
    """
    if "spatial" not in adata.obsm:
        found = examples(map(str, adata.obsm)) or "none"
        raise DataError(f"There are no coordinates obsm['spatial']; there are {found}.")
    places = np.asarray(adata.obsm["spatial"], dtype=np.float64)[:, :2]
    parts = _sections(adata, section_key, sections)
    names = [color] if isinstance(color, str) else list(color)
    diameters = [size * _spacing(places[rows]) for rows in parts.values()]
    # One scale of lengths for all sections, so that spots are equally large.
    extent = max(float(np.ptp(places[rows], axis=0).max()) for rows in parts.values()) + max(diameters)
    area = (float(np.median(diameters)) / extent * panel * _POINT * 0.86) ** 2
    width, height = (panel + 2) * len(parts) + 20, (panel + 2) * len(names) + 8
    with st.page(width, height, title) as fig:
        axes = fig.subplots(len(names), len(parts), squeeze=False)
        for r, name in enumerate(names):
            values, levels = _values(adata, name, method)
            shown = np.concatenate(list(parts.values()))
            draw = _groups(values, levels) if levels else _numbers(values, shown)
            for ax, (section, rows) in zip(axes[r], parts.items(), strict=True):
                points = draw(ax, places[rows], rows, area)
                _frame(ax, places[rows], extent)
                if r == 0 and section:
                    ax.set_title(st.shorten(section, 18), fontsize=6.5)
            axes[r, 0].set_ylabel(st.wrap((labels or {}).get(name, name), 22), fontsize=6.5)
            if levels:
                axes[r, -1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=5.5)
            else:
                bar = fig.colorbar(points, ax=list(axes[r]), shrink=0.6, aspect=16, pad=0.01)
                bar.outline.set_visible(False)
    return fig


def _sections(adata: Any, key: str | None, wanted: Sequence[str] | None) -> dict[str, np.ndarray]:
    if key is None:
        if wanted is not None:
            raise DataError("Name the column of sections in section_key= to choose among them.")
        return {"": np.arange(adata.n_obs)}
    kinds, levels = groups_of(adata.obs, key)
    absent = [s for s in wanted or () if s not in levels]
    if absent:
        raise DataError(f"{key} has no section {examples(map(repr, absent))}; it has {examples(levels)}.")
    return {s: np.flatnonzero((kinds == s).to_numpy()) for s in wanted or sorted(levels)}


def _spacing(places: np.ndarray) -> float:
    """Return the median distance of a point to its nearest; 1 of a single point."""
    from scipy.spatial import cKDTree

    if len(places) < 2:
        return 1.0
    distance = float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))
    return distance or 1.0


def _values(adata: Any, name: str, method: str | None) -> tuple[pd.Series, list[str]]:
    """Return numbers, or text with its levels."""
    if name not in adata.obs:
        return scores_and_obs(adata, None, method, [name])[0][name], []
    if pd.api.types.is_numeric_dtype(adata.obs[name]) and not pd.api.types.is_bool_dtype(adata.obs[name]):
        return adata.obs[name].astype(np.float64), []
    return groups_of(adata.obs, name)


def _numbers(values: pd.Series, shown: np.ndarray) -> Any:
    x = values.to_numpy(dtype=np.float64)
    seen = x[shown][np.isfinite(x[shown])]
    if not seen.size:
        raise DataError(f"{values.name} has no value in the sections drawn.")
    middle = float(np.median(seen))
    reach = float(np.quantile(np.abs(seen - middle), 0.99)) or 1.0

    def draw(ax: Axes, places: np.ndarray, rows: np.ndarray, area: float) -> Any:
        return ax.scatter(
            places[:, 0], places[:, 1], s=area, c=x[rows], cmap=st.with_missing(st.diverging()), vmin=middle - reach,
            vmax=middle + reach, linewidths=0, rasterized=True, plotnonfinite=True,
        )  # fmt: skip

    return draw


def _groups(values: pd.Series, levels: list[str]) -> Any:
    tints = st.palette(levels)

    def draw(ax: Axes, places: np.ndarray, rows: np.ndarray, area: float) -> Any:
        kinds = values.to_numpy()[rows]
        for level in levels:
            at = kinds == level
            ax.scatter(
                places[at, 0], places[at, 1], s=area, color=tints[level], linewidths=0, rasterized=True,
                label=st.shorten(level, 20),
            )  # fmt: skip

    return draw


def _frame(ax: Axes, places: np.ndarray, extent: float) -> None:
    centre = (places.min(axis=0) + places.max(axis=0)) / 2
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.set_xlim(centre[0] - extent / 2, centre[0] + extent / 2)
    ax.set_ylim(centre[1] + extent / 2, centre[1] - extent / 2)
    ax.spines[:].set_visible(False)

"""Figures of scores in single cells and in groups: embedding, dot plot, ridges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError
from mtorscore.pl import theme as st
from mtorscore.pl._tables import groups_of, scores_and_obs, standardise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["dotplot", "ridge", "umap"]

_KEYS = 16
"""Lines of a legend before it gets another column."""


def umap(
    adata: Any,
    color: str | Sequence[str],
    *,
    method: str | None = None,
    basis: str = "X_umap",
    size: float | None = None,
    columns: int = 3,
    panel: float = 56.0,
    title: str = "",
) -> Figure:
    """Draw an embedding coloured by scores or by columns of ``obs``.

    Parameters
    ----------
    adata
        AnnData with the embedding in ``obsm``; this function computes none.
    color
        Signatures or columns of ``obs``, one panel each.
    method
        Which scores.
    basis
        Key of ``obsm``: ``"X_umap"``, ``"X_tsne"``, ``"X_pca"`` and the like; the first two columns are drawn.
    size
        Area of a point in square points; chosen by the number of cells by default.
    columns
        Panels side by side.
    panel
        Millimetres of a panel.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Cells with the largest absolute score are drawn last; points are raster, so that files stay small.

    Raises
    ------
    DataError
        If the embedding or a name is missing.
    """
    if basis not in adata.obsm:
        raise DataError(
            f"There is no embedding obsm[{basis!r}]; there are {', '.join(map(str, adata.obsm)) or 'none'}. "
            "Compute one first, for example with scanpy.tl.umap."
        )
    places = np.asarray(adata.obsm[basis], dtype=np.float64)[:, :2]
    names = [color] if isinstance(color, str) else list(color)
    area = size or float(np.clip(12000 / max(len(places), 1), 0.4, 14))
    side = min(columns, len(names))
    down = -(-len(names) // side)
    # A legend of many groups has columns of sixteen.
    keys = max(_keys(adata, n) for n in names)
    with st.page((panel + 22 * max(0, keys - 1)) * side + 8, panel * down + 4, title) as fig:
        axes = fig.subplots(down, side, squeeze=False)
        for ax in axes.flat[len(names) :]:
            ax.set_visible(False)
        for ax, name in zip(axes.flat, names, strict=False):
            _embed(fig, ax, adata, name, places, method, area)
            ax.set(xticks=[], yticks=[], aspect="equal")
            ax.set_title(st.wrap(name, 22), fontsize=6.5)
            ax.spines[:].set_visible(False)
        label = basis.removeprefix("X_").upper()
        axes[-1, 0].set_xlabel(f"{label} 1", loc="left")
        axes[-1, 0].set_ylabel(f"{label} 2", loc="bottom")
    return fig


def _keys(adata: Any, name: str) -> int:
    """Return the columns of the legend of one panel."""
    if name not in adata.obs or pd.api.types.is_numeric_dtype(adata.obs[name]):
        return 1
    return -(-int(adata.obs[name].nunique()) // _KEYS)


def _embed(fig: Figure, ax: Axes, adata: Any, name: str, places: np.ndarray, method: str | None, area: float) -> None:
    if name in adata.obs and not pd.api.types.is_numeric_dtype(adata.obs[name]):
        kinds, levels = groups_of(adata.obs, name)
        tints = st.palette(levels)
        for level in levels:
            at = (kinds == level).to_numpy()
            ax.scatter(
                places[at, 0], places[at, 1], s=area, color=tints[level], linewidths=0, rasterized=True,
                label=st.shorten(level, 20),
            )  # fmt: skip
        ax.legend(
            loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=max(1.0, 3 / area**0.5), fontsize=5.5,
            ncols=_keys(adata, name), columnspacing=0.8,
        )  # fmt: skip
        return
    if name in adata.obs:
        values = adata.obs[name].to_numpy(np.float64)
    else:
        values = scores_and_obs(adata, None, method, [name])[0][name].to_numpy()
    middle = float(np.nanmedian(values))
    reach = float(np.nanquantile(np.abs(values - middle), 0.99)) or 1.0
    order = np.argsort(np.abs(np.nan_to_num(values - middle)), kind="stable")
    points = ax.scatter(
        places[order, 0], places[order, 1], s=area, c=values[order], cmap=st.diverging(), vmin=middle - reach,
        vmax=middle + reach, linewidths=0, rasterized=True, plotnonfinite=True,
    )  # fmt: skip
    bar = fig.colorbar(points, ax=ax, shrink=0.55, aspect=16, pad=0.01)
    bar.outline.set_visible(False)


def dotplot(
    data: Any,
    groupby: str,
    obs: pd.DataFrame | None = None,
    *,
    method: str | None = None,
    signatures: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    threshold: float = 0.0,
    width: float = st.ONE_AND_A_HALF,
    title: str = "",
) -> Figure:
    """Draw mean scores of groups as colour and the share of members above a threshold as size.

    Parameters
    ----------
    data, obs, method, signatures, labels
        As in `heatmap`.
    groupby
        Column of `obs`, such as the cell type.
    threshold
        In SD from the mean of all observations: a member counts as high above it.
    width
        Millimetres.
    title
        Above the axes.

    Returns
    -------
    matplotlib.figure.Figure
        Groups in rows, signatures in columns; scores standardised over all observations.

    Raises
    ------
    DataError
        If there is nothing to draw.
    """
    scores, table = scores_and_obs(data, obs, method, signatures)
    kinds, levels = groups_of(table, groupby)
    z = standardise(scores)
    mean = z.groupby(kinds).mean().loc[levels]
    share = (z > threshold).astype(np.float64).where(z.notna()).groupby(kinds).mean().loc[levels]
    count = kinds.value_counts()
    names = [st.shorten((labels or {}).get(str(c), str(c)), 28) for c in mean.columns]
    # Names are vertical below the dots: the longest sets the height, their number the least width.
    size = (max(width, 62 + 2.6 * len(names)), 24 + 1.35 * max(map(len, names)) + 5.0 * len(levels))
    with st.canvas(None, *size) as (fig, ax):
        x, y = np.meshgrid(range(mean.shape[1]), range(len(levels)))
        reach = float(np.nanmax(np.abs(mean.to_numpy()))) or 1.0
        dots = ax.scatter(
            x.ravel(), y.ravel(), s=1 + 62 * share.to_numpy().ravel(), c=mean.to_numpy().ravel(), cmap=st.diverging(),
            vmin=-reach, vmax=reach, edgecolors=st.GREY, linewidths=0.3,
        )  # fmt: skip
        ax.set_xticks(range(len(names)), names, rotation=90)
        ax.set_yticks(range(len(levels)), [f"{st.shorten(v, 26)} ({count[v]})" for v in levels])
        ax.set_xlim(-0.6, len(names) - 0.4)
        ax.set_ylim(len(levels) - 0.4, -0.6)
        st.bare(ax)
        for part in (0.25, 0.5, 1.0):
            ax.scatter([], [], s=1 + 62 * part, color="#BBBBBB", label=f"{part:.0%}")
        ax.legend(title="above mean" if threshold == 0 else f"above {threshold:g} SD", title_fontsize=6,
                  loc="upper left", bbox_to_anchor=(1.02, 1.0), labelspacing=0.9)  # fmt: skip
        bar = fig.colorbar(dots, ax=ax, location="top", shrink=0.45, aspect=26, anchor=(0.0, 0.0))
        bar.set_label("mean score (SD)")
        bar.outline.set_visible(False)
        ax.set_title(title)
    return fig


def ridge(
    data: Any,
    signature: str,
    groupby: str,
    obs: pd.DataFrame | None = None,
    *,
    method: str | None = None,
    colours: Mapping[str, str] | None = None,
    width: float = st.SINGLE,
    title: str = "",
) -> Figure:
    """Draw the density of one score per group, group above group.

    Parameters
    ----------
    data, obs, method
        As in `heatmap`.
    signature
        Which score.
    groupby
        Column of `obs`; ordered categories keep their order, others are ordered by their median.
    colours
        Group -> colour.
    width
        Millimetres.
    title
        Above the axes; the signature by default.

    Returns
    -------
    matplotlib.figure.Figure
        Densities have one bandwidth (Silverman's rule on all observations) and one scale; groups of fewer than five
        are drawn as ticks.

    Raises
    ------
    DataError
        If there is nothing to draw.
    """
    scores, table = scores_and_obs(data, obs, method, [signature])
    kinds, levels = groups_of(table, groupby)
    values = scores[signature]
    if not values[kinds.notna()].notna().any():
        raise DataError(f"{signature} has no value in any group of {groupby!r}.")
    column = table[groupby]
    if not (isinstance(column.dtype, pd.CategoricalDtype) and column.dtype.ordered):
        medians = values.groupby(kinds).median()
        levels = sorted(levels, key=lambda v: -float(medians[v]))
    every = values.dropna().to_numpy()
    width_of = 0.9 * min(float(np.std(every)), float(np.subtract(*np.quantile(every, [0.75, 0.25]))) / 1.34)
    least = 1e-3 * (float(np.ptp(every)) or max(1.0, float(np.abs(every).max())))
    bandwidth = max(width_of * len(every) ** -0.2, least)
    grid = np.linspace(every.min() - 2 * bandwidth, every.max() + 2 * bandwidth, 240)
    parts = [values[(kinds == v).to_numpy()].dropna().to_numpy() for v in levels]
    curves = [_density(p, grid, bandwidth) if len(p) >= 5 else np.zeros_like(grid) for p in parts]
    top = max(float(np.max(curves)), 1e-12)
    tints = st.palette(levels, colours)
    with st.canvas(None, width, 22 + 7.5 * len(levels)) as (fig, ax):
        for k, (level, part, curve) in enumerate(zip(levels, parts, curves, strict=True)):
            ax.fill_between(grid, -k, -k + 1.5 * curve / top, color=tints[level], alpha=0.55, linewidth=0, zorder=k)
            ax.plot(grid, -k + 1.5 * curve / top, color=tints[level], linewidth=0.9, zorder=k)
            shown = part if len(part) < 5 else [float(np.median(part))]
            ax.vlines(shown, -k, -k + 0.16, color=st.INK, linewidth=0.9, zorder=k + len(levels))
        ax.set_yticks(
            [-k for k in range(len(levels))],
            [f"{st.shorten(v, 24)} ({len(p)})" for v, p in zip(levels, parts, strict=True)],
        )
        ax.set_ylim(-len(levels) + 0.7, 1.7)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.ticklabel_format(axis="x", useOffset=False)
        ax.locator_params(axis="x", nbins=5)
        ax.set_xlabel("score (ticks: medians)")
        ax.set_title(title or st.wrap(signature, 26))
    return fig


def _density(values: np.ndarray, grid: np.ndarray, bandwidth: float) -> np.ndarray:
    shown = values if len(values) <= 4000 else np.random.default_rng(0).choice(values, 4000, replace=False)
    z = (grid[:, None] - shown[None, :]) / bandwidth
    return np.asarray(np.exp(-0.5 * z * z).mean(axis=1) / (bandwidth * np.sqrt(2 * np.pi)))

"""Diagnostic figures of scores: technical confounding, coherence, overlap, agreement of methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, examples
from mtorscore.pl import theme as st
from mtorscore.pl._tables import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from mtorscore.tl.analysis.comparison import Comparison
    from mtorscore.tl.analysis.diagnosis import Diagnosis

__all__ = ["comparison", "diagnosis"]

_NAMED = 30
"""Most signatures whose names are printed below the columns too."""
_AGAINST = {"depth": "depth", "detected": "detected", "proliferation": "prolif."}


def diagnosis(
    result: Diagnosis,
    *,
    signatures: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    width: float = st.DOUBLE,
    title: str = "",
) -> Figure:
    """Draw technical confounding, coherence and gene overlap of each signature.

    Parameters
    ----------
    result
        What `mtorscore.tl.diagnose` returns.
    signatures
        Rows and their order; every scored one by default.
    labels
        Signature -> name to print.
    width
        Millimetres.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        One row per signature. Left, Spearman correlation of the score with depth (the sum of an observation's
        values), genes detected and proliferation; grey where there is none. Middle, the mean correlation between
        the signature's genes (point) beside matched random signatures (bar, mean and 2 SD), filled above the 95th
        percentile. Right, genes in common with each other signature (Jaccard index), rows and columns in one order.

    Raises
    ------
    DataError
        If a signature was not diagnosed.
    """
    need(result.technical, list(_AGAINST))
    # Composites have no genes of their own, and a signature without a score nothing to correlate.
    told = result.technical.notna().any(axis=1) | result.coherence["coherence"].reindex(result.technical.index).notna()
    names = _rows(result.technical.index[told], signatures, "diagnosed")
    shown = [st.shorten((labels or {}).get(n, n)) for n in names]
    few = len(names) <= _NAMED
    with st.page(width, 30 + 3.6 * len(names) + 0.95 * max(map(len, shown)) * few, title) as fig:
        fig.get_layout_engine().set(wspace=0.02, hspace=0.0)  # type: ignore[union-attr, call-arg]
        grid = fig.add_gridspec(2, 3, width_ratios=[25, 38, 58], height_ratios=[1.8, 3.6 * len(names)])
        left, middle, right = (fig.add_subplot(grid[1, k]) for k in range(3))
        image = _technical_panel(left, result.technical.loc[names])
        left.set_yticks(range(len(names)), shown)
        legend = fig.add_subplot(grid[0, 1])
        legend.set_axis_off()
        _coherence_panel(middle, result.coherence.reindex(names), legend)
        shares = _overlap_panel(right, result.overlap, names, shown if few else None)
        for ax in (left, middle, right):
            ax.set_ylim(len(names) - 0.5, -0.5)
            ax.tick_params(axis="y", length=0)
        for k, of, text in ((0, image, "Spearman correlation"), (2, shares, "genes shared (Jaccard index)")):
            bar = fig.colorbar(of, cax=fig.add_subplot(grid[0, k]), orientation="horizontal")
            bar.ax.xaxis.set_ticks_position("top")
            bar.ax.xaxis.set_label_position("top")
            bar.ax.tick_params(labelsize=5.5, length=1.5)
            _finish(bar, text)
    return fig


def _rows(known: pd.Index, signatures: Sequence[str] | None, what: str) -> list[str]:
    names = [str(n) for n in known] if signatures is None else list(signatures)
    missing = [n for n in names if n not in known]
    if missing:
        raise DataError(f"{len(missing)} signature(s) were not {what} ({examples(missing)}).")
    if not names:
        raise DataError(f"No signature was {what}, so there is nothing to draw.")
    return names


def _technical_panel(ax: Axes, table: pd.DataFrame) -> AxesImage:
    values = table[list(_AGAINST)].to_numpy(np.float64)
    ax.set_facecolor("#E4E4E4")
    image = ax.imshow(values, aspect="auto", cmap=st.diverging(), vmin=-1, vmax=1, interpolation="nearest")
    _write_values(ax, values, 1, 5)
    ax.set_xticks(range(len(_AGAINST)), list(_AGAINST.values()), fontsize=5.5)
    ax.tick_params(axis="x", length=0)
    ax.spines[:].set_visible(False)
    return image


def _coherence_panel(ax: Axes, table: pd.DataFrame, legend: Axes) -> None:
    mean, sd = table["random_mean"].to_numpy(np.float64), table["random_sd"].to_numpy(np.float64)
    own, rank = table["coherence"].to_numpy(np.float64), table["percentile"].to_numpy(np.float64)
    at = np.arange(len(table))
    ax.axvline(0, color=st.GREY, linewidth=0.6)
    ax.hlines(
        at, mean - 2 * sd, mean + 2 * sd, color="#BDBDBD", linewidth=3.2, label="random signatures, mean and 2 SD"
    )
    beyond, within = rank > 95, rank <= 95
    ax.plot(own[beyond], at[beyond], "o", color=st.BLUE, markersize=3.4, label="the signature, above 95% of them")
    ax.plot(
        own[within], at[within], "o", color="white", markeredgecolor=st.BLUE, markeredgewidth=0.8, markersize=3.2,
        label="the signature, not above 95%",
    )  # fmt: skip
    ax.set_yticks([])
    ax.set_xlabel("mean correlation between genes")
    ax.spines["left"].set_visible(False)
    legend.legend(
        handles=ax.get_legend_handles_labels()[0], loc="lower left", bbox_to_anchor=(0.0, 0.0), fontsize=5.5,
        handlelength=1.0, borderaxespad=0, labelspacing=0.25,
    )  # fmt: skip


def _overlap_panel(ax: Axes, pairs: pd.DataFrame, names: list[str], shown: list[str] | None) -> AxesImage:
    place = {n: i for i, n in enumerate(names)}
    matrix = np.zeros((len(names), len(names)))
    for a, b, jaccard in pairs[["signature_a", "signature_b", "jaccard"]].itertuples(index=False):
        if a in place and b in place:
            matrix[place[a], place[b]] = matrix[place[b], place[a]] = jaccard
    np.fill_diagonal(matrix, np.nan)
    ax.set_facecolor("#E4E4E4")
    top = max(float(np.nanmax(matrix, initial=0.0)), 0.05)
    image = ax.imshow(matrix, aspect="auto", cmap=st.sequential(), vmin=0, vmax=top, interpolation="nearest")
    ax.set_yticks([])
    ax.tick_params(axis="x", length=0)
    ax.spines[:].set_visible(False)
    if shown is not None:
        ax.set_xticks(range(len(names)), shown, rotation=90, fontsize=5.5)
    else:
        ax.set_xticks([])
        ax.set_xlabel("signatures, in the order of the rows")
    return image


def comparison(
    result: Comparison,
    *,
    signatures: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    statistic: str = "spearman",
    width: float = st.DOUBLE,
    title: str = "",
) -> Figure:
    """Draw the agreement of scoring methods, per pair of methods and per signature.

    Parameters
    ----------
    result
        What `mtorscore.tl.compare_methods` returns.
    signatures
        Signatures to show; all that have a correlation by default, the least agreed upon last.
    labels
        Signature -> name to print.
    statistic
        ``"spearman"``, ``"pearson"`` or ``"top_overlap"`` (share of the highest tenth that both methods name).
    width
        Millimetres.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Left, per pair of methods the median over signatures. Right, per signature one tick per pair of methods, the
        median as a point, and the pair that agrees least by name.

    Raises
    ------
    DataError
        If the statistic is unknown, a signature was not compared, or no score varies.
    """
    known = {"spearman": "Spearman correlation", "pearson": "Pearson correlation", "top_overlap": "top tenth in common"}
    if statistic not in known:
        raise DataError(f"Unknown statistic {statistic!r}; choose one of {', '.join(known)}.")
    table = result.correlations[np.isfinite(result.correlations[statistic].astype(np.float64))]
    if not len(table):
        raise DataError("No score varies over the observations, so there is no agreement to draw.")
    per = table.groupby("signature", sort=False)[statistic].median().sort_values(ascending=False, kind="stable")
    names = _rows(per.index, signatures, "compared by two methods")
    table = table[table["signature"].isin(names)]
    methods = [m for m in result.scores if m in set(table["method_a"]) | set(table["method_b"])]
    with st.page(width, max(26 + 3.6 * len(names), 62), title) as fig:
        left, right = fig.subplots(1, 2, width_ratios=[1, 1.25])
        _pairs_panel(left, table, methods, statistic, known[statistic])
        for i, name in enumerate(names):
            rows = table[table["signature"] == name]
            worst = rows.loc[rows[statistic].idxmin()]
            values = rows[statistic].to_numpy(np.float64)
            right.hlines(i, values.min(), values.max(), color="#BDBDBD", linewidth=0.8)
            right.plot(values, np.full(len(values), i), "|", color=st.BLUE, markersize=4.5, markeredgewidth=0.8)
            right.plot([np.median(values)], [i], "o", color="white", markeredgecolor=st.INK, markersize=3)
            text = f"{st.signed(worst[statistic], plus=False)} {worst['method_a']}, {worst['method_b']}"
            right.text(1.02, i, text, transform=right.get_yaxis_transform(), va="center", fontsize=5.2)
        st.rows(right, [st.shorten((labels or {}).get(n, n)) for n in names])
        low = float(table[statistic].min())
        right.set_xlim(min(low - 0.05, 0.0 if statistic == "top_overlap" else 0.45), 1.02)
        if low < 0:
            right.axvline(0, color=st.GREY, linewidth=0.6)
        right.set_xlabel(f"{known[statistic]}, one tick per pair of methods")
        right.text(1.02, -1, "least agreed", transform=right.get_yaxis_transform(), va="center", fontsize=5.2)
    return fig


def _pairs_panel(ax: Axes, table: pd.DataFrame, methods: list[str], statistic: str, label: str) -> None:
    place = {m: i for i, m in enumerate(methods)}
    matrix = np.full((len(methods), len(methods)), np.nan)
    for (a, b), value in table.groupby(["method_a", "method_b"])[statistic].median().items():
        matrix[place[a], place[b]] = matrix[place[b], place[a]] = value
    image = ax.imshow(matrix, cmap=st.diverging(), vmin=-1, vmax=1)
    if len(methods) <= 12:
        _write_values(ax, matrix, 2, 5.5)
    ax.set_anchor("N")
    ax.set_xticks(range(len(methods)), methods, rotation=90)
    ax.set_yticks(range(len(methods)), methods)
    st.bare(ax)
    bar = ax.get_figure().colorbar(image, ax=ax, location="top", aspect=22, shrink=0.8, pad=0.03)  # type: ignore[union-attr]
    _finish(bar, f"{label}, median of {st.counted(table['signature'].nunique(), 'signature')}")


def _write_values(ax: Axes, values: npt.NDArray[np.float64], decimals: int, fontsize: float) -> None:
    """Write the values of a matrix into its cells."""
    for i, j in np.argwhere(np.isfinite(values)):
        ink = "white" if abs(values[i, j]) > 0.65 else st.ON_LIGHT
        ax.text(
            j, i, st.signed(values[i, j], decimals, plus=False), ha="center", va="center", fontsize=fontsize, color=ink
        )


def _finish(bar: Colorbar, label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    bar.locator = MaxNLocator(4)
    bar.update_ticks()
    bar.set_label(label, fontsize=6)
    bar.outline.set_visible(False)

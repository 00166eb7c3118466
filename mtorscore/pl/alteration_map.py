"""Scores, classes and DNA alterations of every tumour in one figure (an oncoprint)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError, examples
from mtorscore.pl import theme as st
from mtorscore.pl._tables import need, standardise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["oncoprint"]

_LIMIT = 2.5
_PROFILED, _UNKNOWN = "#E4E4E4", "#FFFFFF"
# Copy number fills a cell; what happens to the sequence is drawn over it, as a bar.
_FULL = {
    "amplification": st.VERMILLION, "gain": "#F2B79F", "deep deletion": st.BLUE, "shallow deletion": "#A9CBE3",
}  # fmt: skip
_BAR = {
    "truncating": "#262626", "missense hotspot": "#005C43", "missense": st.GREEN, "inframe": "#8C6D31",
    "promoter": st.ORANGE, "structural variant": st.PURPLE, "unclassified": st.GREY, "altered": "#6F6F6F",
}  # fmt: skip


def oncoprint(
    alterations: Any,
    scores: pd.DataFrame | None = None,
    tracks: pd.DataFrame | None = None,
    *,
    order: str = "alterations",
    genes: Sequence[str] | None = None,
    most: int = 20,
    labels: dict[str, str] | None = None,
    width: float = st.DOUBLE,
    title: str = "",
) -> Figure:
    """Draw scores, classes and alterations of every tumour, a column each.

    Parameters
    ----------
    alterations
        What `mtorscore.io.read_alterations` returned, or a table of observation, gene, kinds and altered (1, 0,
        missing) as ``alterations/calls.tsv``.
    scores
        Observations x signatures, drawn above as a heat map of z-scores; those without alterations are left out.
    tracks
        Observations x columns in words or numbers (class, outcome, aetiology), drawn on top.
    order
        Of the columns: ``"alterations"`` (the commonest gene first, as in an oncoprint), or the name of a score, a
        track or a gene. Ties follow the alterations.
    genes
        Rows and their order; by default those altered in any tumour, the commonest first.
    most
        Rows at most.
    labels
        Signature -> name to print.
    width
        Millimetres.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Grey cells are profiled and not altered, white ones not profiled. Beside each gene stands the share of altered
        among profiled tumours.

    Raises
    ------
    DataError
        If no gene is altered, a gene is missing, or `order` names nothing.
    """
    kinds, altered = _matrices(alterations)
    rows = _genes(altered, genes, most)
    index = [o for o in kinds.index if scores is None or o in scores.index]
    if not index:
        raise DataError("No tumour has both scores and alterations; both must bear the same names.")
    shown = None if scores is None else standardise(scores.loc[index].astype(np.float64))
    above = None if tracks is None else tracks.reindex(index)
    at = _order(order, altered.loc[index, rows], shown, above)
    n_tracks, n_scores = (0 if above is None else above.shape[1]), (0 if shown is None else shown.shape[1])
    with st.page(width, 24 + 3.6 * n_tracks + 3.2 * n_scores + 4.4 * len(rows), title) as fig:
        fig.get_layout_engine().set(h_pad=0.015, hspace=0.0, w_pad=0.01)  # type: ignore[union-attr, call-arg]
        heights = [2.8] * n_tracks + ([3.2 * n_scores] if n_scores else []) + [4.4 * len(rows)]
        grid = fig.add_gridspec(len(heights), 2, width_ratios=[1, 0.1], height_ratios=heights)
        for i, name in enumerate([] if above is None else above.columns):
            _track(fig, grid, i, above[name].iloc[at], str(name))  # type: ignore[index]
        if shown is not None:
            _heat(fig, grid, n_tracks, shown.iloc[at], labels or {})
        ax = fig.add_subplot(grid[len(heights) - 1, 0])
        _cells(ax, kinds.loc[index, rows].iloc[at], altered.loc[index, rows].iloc[at])
        side = fig.add_subplot(grid[len(heights) - 1, 1], sharey=ax)
        _shares(side, altered.loc[index, rows])
        _legend(fig, kinds.loc[index, rows])
    return fig


def _matrices(given: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return kinds and calls, observations x genes."""
    if hasattr(given, "layers"):
        kinds = pd.DataFrame(given.layers["kind"], given.obs_names, given.var_names)
        return kinds, given.to_df().astype(np.float64)
    need(given, ["observation", "gene", "kinds", "altered"])
    table = given.astype({"observation": str, "gene": str})
    text = table.assign(kinds=table["kinds"].astype(object).where(table["kinds"].notna(), ""))
    kinds = text.pivot_table(index="observation", columns="gene", values="kinds", aggfunc="first", sort=False)
    calls = table.pivot_table(
        index="observation", columns="gene", values="altered", aggfunc="first", sort=False, dropna=False
    )
    return kinds, calls.reindex(index=kinds.index, columns=kinds.columns).astype(np.float64)


def _genes(altered: pd.DataFrame, genes: Sequence[str] | None, most: int) -> list[str]:
    if genes is not None:
        missing = [g for g in genes if g not in altered.columns]
        if missing:
            raise DataError(f"{len(missing)} gene(s) are not among the alterations ({examples(missing)}).")
        return list(genes)[:most]
    counts = altered.eq(1).sum()
    found = [str(g) for g in counts.sort_values(ascending=False, kind="stable").index if counts[g]]
    if not found:
        raise DataError("No gene is altered in any tumour, so there is nothing to draw.")
    return found[:most]


def _order(order: str, altered: pd.DataFrame, shown: pd.DataFrame | None, above: pd.DataFrame | None) -> list[int]:
    """Return the positions of the columns: altered in the first gene first, then in the second, and so on."""
    keys = [-altered[g].fillna(-1).to_numpy() for g in altered.columns]
    if order == "alterations":
        first: list[Any] = []
    elif shown is not None and order in shown:
        first = [-shown[order].to_numpy()]
    elif above is not None and order in above:
        first = [_codes(above[order])]
    elif order in altered:
        first = [-altered[order].fillna(-1).to_numpy()]
    else:
        known = [*altered.columns, *([] if shown is None else shown.columns), *([] if above is None else above.columns)]
        raise DataError(f"order={order!r} is no score, track or gene here; there are {examples(known, 8)}.")
    return [int(i) for i in np.lexsort([*keys[::-1], *first])]


def _codes(values: pd.Series) -> Any:
    if pd.api.types.is_numeric_dtype(values) and not isinstance(values.dtype, pd.CategoricalDtype):
        return values.fillna(np.inf).to_numpy(dtype=np.float64)
    codes = pd.factorize(values.astype(object).map(lambda v: str(v), na_action="ignore"), sort=True)[0]
    return np.where(codes < 0, len(values), codes)


def _track(fig: Figure, grid: Any, i: int, values: pd.Series, name: str) -> None:
    from matplotlib.colors import ListedColormap, to_rgba

    ax, side = fig.add_subplot(grid[i, 0]), fig.add_subplot(grid[i, 1])
    side.set_axis_off()
    numeric = pd.api.types.is_numeric_dtype(values) and values.nunique() > 2
    if numeric:
        scale: Any = st.with_missing(st.sequential())
        ax.imshow(values.to_numpy(np.float64)[None], aspect="auto", cmap=scale, rasterized=True)
        side.text(0, 0.5, f"{values.min():.3g} to {values.max():.3g}", va="center", fontsize=5)
    else:
        text = values.astype(object).map(_word, na_action="ignore")
        levels = sorted({str(v) for v in text.dropna()})
        codes = text.map({v: k + 1 for k, v in enumerate(levels)}).fillna(0).to_numpy(np.float64)
        colours = [to_rgba(st.CYCLE[k % len(st.CYCLE)]) for k in range(len(levels))]
        scale = ListedColormap([to_rgba(_PROFILED), *colours])
        ax.imshow(codes[None], aspect="auto", cmap=scale, vmin=-0.5, vmax=len(levels) + 0.5, rasterized=True)
        step = 1 / max(len(levels), 1)
        for k, level in enumerate(levels):
            side.text(k * step, 0.5, st.shorten(level, 9), color=colours[k], va="center", fontsize=5, weight="bold")
    ax.set_yticks([0], [st.shorten(name.replace("_", " "))])
    ax.set_xticks([])
    st.bare(ax)


def _word(value: Any) -> str:
    return {0.0: "no", 1.0: "yes"}.get(value, str(value)) if isinstance(value, int | float) else str(value)


def _heat(fig: Figure, grid: Any, row: int, shown: pd.DataFrame, labels: dict[str, str]) -> None:
    ax, side = fig.add_subplot(grid[row, 0]), fig.add_subplot(grid[row, 1])
    image = ax.imshow(
        shown.to_numpy().T, aspect="auto", cmap=st.with_missing(st.diverging()), vmin=-_LIMIT, vmax=_LIMIT,
        interpolation="nearest", rasterized=True,
    )  # fmt: skip
    ax.set_yticks(range(shown.shape[1]), [st.shorten(labels.get(str(c), str(c))) for c in shown.columns])
    ax.set_xticks([])
    st.bare(ax)
    side.set_axis_off()
    bar = fig.colorbar(image, ax=side, fraction=0.35, extend="both", location="left")
    bar.set_label("score (SD)")
    bar.outline.set_visible(False)


def _cells(ax: Axes, kinds: pd.DataFrame, altered: pd.DataFrame) -> None:
    n = len(kinds)
    for y, gene in enumerate(kinds.columns):
        known, words = altered[gene].notna().to_numpy(), [set(str(w).split("; ")) for w in kinds[gene]]
        bare = [w == {""} for w in words]
        _bars(ax, known | ~np.array(bare), y, 0.8, _PROFILED)
        for kind, colour in _FULL.items():
            _bars(ax, np.array([kind in w for w in words]), y, 0.8, colour)
        for kind, colour in _BAR.items():
            _bars(ax, np.array([kind in w for w in words]), y, 0.34 if kind != "truncating" else 0.46, colour)
        # Tables of 0 and 1 tell no kind.
        _bars(ax, np.array(bare) & altered[gene].eq(1).to_numpy(), y, 0.34, _BAR["altered"])
    ax.set_xlim(-0.5, n - 0.5)
    st.rows(ax, [str(g) for g in kinds.columns])
    ax.set_xticks([])
    ax.set_xlabel(st.counted(n, "tumour"))
    st.bare(ax)


def _bars(ax: Axes, here: Any, y: int, height: float, colour: str) -> None:
    spans = [(float(i) - 0.43, 0.86) for i in np.flatnonzero(here)]
    if spans:
        ax.broken_barh(spans, (y - height / 2, height), color=colour, linewidth=0, rasterized=len(spans) > 400)


def _shares(ax: Axes, altered: pd.DataFrame) -> None:
    for y, gene in enumerate(altered.columns):
        known, hit = int(altered[gene].notna().sum()), int(altered[gene].eq(1).sum())
        text = f"{100 * hit / known:.0f}% ({hit}/{known})" if known else "not profiled"
        ax.text(0.02, y, text, va="center", fontsize=5.5)
    ax.set_xlim(0, 1)
    ax.set_axis_off()


def _legend(fig: Figure, kinds: pd.DataFrame) -> None:
    from matplotlib.patches import Patch

    there = {k for column in kinds for w in kinds[column] for k in str(w).split("; ")}
    marks = [Patch(color=c, label=k) for k, c in (_BAR | _FULL).items() if k in there]
    marks += [
        Patch(color=_PROFILED, label="profiled, not altered"),
        Patch(fc=_UNKNOWN, ec=st.GREY, label="not profiled"),
    ]
    fig.legend(handles=marks, loc="outside lower left", ncols=min(6, len(marks)), fontsize=6, handlelength=0.9)

"""Figures of scores over observations: heat map, distributions, contrast with normal tissue, correlation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError
from mtorscore.pl import theme as st
from mtorscore.pl._tables import cluster_order, groups_of, need, scores_and_obs, standardise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["correlation", "heatmap", "landscape", "violin"]

_LIMIT = 2.5


def heatmap(
    data: Any,
    obs: pd.DataFrame | None = None,
    *,
    method: str | None = None,
    signatures: Sequence[str] | None = None,
    tracks: Sequence[str] | None = None,
    branches: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    width: float = st.DOUBLE,
    title: str = "",
) -> Figure:
    """Draw scores of every observation, with clinical tracks above.

    Parameters
    ----------
    data
        A scored AnnData, or a DataFrame observations x signatures.
    obs
        Columns per observation, where `data` is a DataFrame.
    method
        Which scores of an AnnData.
    signatures
        Rows and their order; all, clustered, by default.
    tracks
        Columns of `obs` to show above; by default those of the usual clinical columns that are there.
    branches
        Signature -> branch: rows are grouped by it.
    labels
        Signature -> name to print.
    width
        Millimetres.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Rows are standardised over the observations shown (z-scores cut at 2.5 SD); columns are grouped by
        ``sample_type`` where it is there, then clustered; grey is a missing value.

    Raises
    ------
    DataError
        If there is nothing to draw, or a track is missing.
    """
    scores, columns = scores_and_obs(data, obs, method, signatures)
    usual = [t for t in ("sample_type", "stage", "sex", "OS", "PFI", "recurrence_24m") if t in columns]
    shown = usual if tracks is None else list(tracks)
    if shown:
        need(columns, shown)
    z = standardise(scores)
    rows = _row_order(z, signatures is not None, branches)
    order = _column_order(z[rows], columns)
    with st.page(width, 14 + 3.2 * len(rows) + 3.6 * len(shown), title) as fig:
        fig.get_layout_engine().set(h_pad=0.015, hspace=0.0, w_pad=0.01)  # type: ignore[union-attr, call-arg]
        heights = [2.8] * len(shown) + [3.2 * len(rows)]
        grid = fig.add_gridspec(len(shown) + 1, 2, width_ratios=[1, 0.012], height_ratios=heights)
        for i, track in enumerate(shown):
            _track(fig.add_subplot(grid[i, 0]), columns[track].iloc[order], track)
        ax = fig.add_subplot(grid[len(shown), 0])
        image = ax.imshow(
            z[rows].to_numpy().T[:, order], aspect="auto", cmap=st.with_missing(st.diverging()), vmin=-_LIMIT,
            vmax=_LIMIT, interpolation="nearest", rasterized=True,
        )  # fmt: skip
        ax.set_yticks(range(len(rows)), [st.shorten((labels or {}).get(r, r)) for r in rows])
        ax.set_xticks([])
        ax.set_xlabel(st.counted(len(order), "observation"))
        st.bare(ax)
        _branch_lines(ax, rows, branches)
        bar = fig.colorbar(image, cax=fig.add_subplot(grid[len(shown), 1]), extend="both")
        bar.set_label("score (SD)")
        bar.outline.set_visible(False)
    return fig


def _row_order(z: pd.DataFrame, given: bool, branches: Mapping[str, str] | None) -> list[str]:
    names = [str(c) for c in z.columns]
    if branches is not None:
        first = {b: i for i, b in reversed(list(enumerate(branches.get(n, "") for n in names)))}
        return sorted(names, key=lambda n: first[branches.get(n, "")])
    return names if given else [names[i] for i in cluster_order(z.T)]


def _column_order(z: pd.DataFrame, obs: pd.DataFrame) -> list[int]:
    if "sample_type" not in obs:
        return cluster_order(z)
    kinds, levels = groups_of(obs, "sample_type")
    out: list[int] = []
    for level in [*levels, None]:
        at = np.flatnonzero(kinds.isna() if level is None else (kinds == level))
        out += [int(at[i]) for i in cluster_order(z.iloc[at])] if len(at) else []
    return out


def _branch_lines(ax: Axes, rows: Sequence[str], branches: Mapping[str, str] | None) -> None:
    if branches is None:
        return
    owners = [branches.get(r, "") for r in rows]
    for i in range(1, len(rows)):
        if owners[i] != owners[i - 1]:
            ax.axhline(i - 0.5, color="white", linewidth=1.4)


def _track(ax: Axes, values: pd.Series, name: str) -> None:
    """Draw one clinical column: ordered categories as one hue, others as colours, numbers as a scale."""
    from matplotlib.colors import ListedColormap, to_rgba

    text = values.astype(str).where(values.notna(), "")
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > 2:
        scale = st.with_missing(st.sequential())
        ax.imshow(values.to_numpy(np.float64)[None], aspect="auto", cmap=scale, rasterized=True)
        span = f"{values.min():.3g} (light) to {values.max():.3g} (dark)"
        ax.annotate(span, (1, 0.5), (3, 0), "axes fraction", "offset points", fontsize=5.5, va="center")
    else:
        if pd.api.types.is_numeric_dtype(values):
            text = values.map({0.0: "no", 1.0: "yes"}).fillna("")
        ordered = isinstance(values.dtype, pd.CategoricalDtype) and values.dtype.ordered
        levels = list(map(str, values.cat.categories)) if ordered else sorted(set(text) - {""})
        if not ordered:
            levels.sort(key=lambda v: {"tumour": 0, "normal": 1}.get(v, 2))
        colours = _track_colours(levels, ordered)
        codes = text.map({v: i + 1 for i, v in enumerate(levels)}).fillna(0).to_numpy(np.float64)
        scale = ListedColormap([to_rgba("#E8E8E8"), *(to_rgba(c) for c in colours)])
        ax.imshow(codes[None], aspect="auto", cmap=scale, vmin=-0.5, vmax=len(levels) + 0.5, rasterized=True)
        _key(ax, levels, colours)
    ax.set_yticks([0], [st.shorten(name.replace("_", " "))])
    ax.set_xticks([])
    st.bare(ax)


def _track_colours(levels: Sequence[str], ordered: bool) -> list[str]:
    if ordered:
        from matplotlib.colors import to_hex

        return [to_hex(st.sequential()(0.25 + 0.75 * i / max(len(levels) - 1, 1))) for i in range(len(levels))]
    if set(levels) <= {"yes", "no"}:
        return [{"yes": st.INK, "no": "#C9C9C9"}[v] for v in levels]
    if set(levels) <= set(st.KINDS):
        return [st.KINDS[v] for v in levels]
    # Other hues than those of tumour and normal, which are above.
    hues = (st.GREEN, st.PURPLE, st.ORANGE, st.SKY, st.GREY, st.YELLOW, st.BLUE, st.VERMILLION)
    return [hues[i % len(hues)] for i in range(len(levels))]


def _key(ax: Axes, levels: Sequence[str], colours: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    if len(levels) > 6:
        return
    ax.legend(
        handles=[Patch(color=c, label=st.shorten(v, 16)) for v, c in zip(levels, colours, strict=True)],
        loc="center left", bbox_to_anchor=(1.0, 0.5), ncols=min(len(levels), 4), handlelength=0.8, handleheight=0.8,
        columnspacing=0.7, handletextpad=0.3, borderaxespad=0.3, fontsize=5.5,
    )  # fmt: skip


def violin(
    data: Any,
    obs: pd.DataFrame | None = None,
    *,
    method: str | None = None,
    signatures: Sequence[str] | None = None,
    groupby: str = "sample_type",
    labels: Mapping[str, str] | None = None,
    colours: Mapping[str, str] | None = None,
    columns: int = 6,
    ylabel: str = "score",
    width: float = st.DOUBLE,
    title: str = "",
) -> Figure:
    """Draw the distribution of each score per group: violin, quartiles and every observation.

    Parameters
    ----------
    data, obs, method, signatures, labels
        As in `heatmap`; one panel per signature.
    groupby
        Column of `obs`.
    colours
        Group -> colour.
    columns
        Most panels side by side; fewer where that leaves less of the last row empty.
    ylabel
        Left of the figure.
    width
        Millimetres.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        A violin is drawn for groups of five or more; points alone below that.

    Raises
    ------
    DataError
        If there is nothing to draw.
    """
    scores, table = scores_and_obs(data, obs, method, signatures)
    kinds, levels = groups_of(table, groupby)
    chosen = st.palette(levels, colours)
    count = scores.shape[1]
    # A group needs 3 mm, so many groups take the room of several panels.
    down = -(-count // max(1, min(columns, count, int(width / (3.0 * len(levels) + 8)))))
    side = -(-count // down)
    wide = 0.85 * width / side / len(levels)
    aslant = max(map(len, levels)) > wide / 1.1 and len(levels) > 1
    rng = np.random.default_rng(0)
    height = 8 + 40 * down + 16 * aslant * (1 + (count % side > 0))
    with st.page(width if side > 2 or aslant else width * side / 3, height, title) as fig:
        axes = fig.subplots(down, side, squeeze=False, sharex=True)
        for k, ax in enumerate(axes.flat):
            if k >= count:
                ax.set_visible(False)
                continue
            name = str(scores.columns[k])
            values = [scores.iloc[:, k][(kinds == g).to_numpy()].dropna().to_numpy() for g in levels]
            for i, (group, v) in enumerate(zip(levels, values, strict=True)):
                _one_violin(ax, i, v, chosen[group], rng)
            ax.set_title(
                st.wrap((labels or {}).get(name, name), max(12, round(100 / side))), fontsize=5.5, fontweight="normal"
            )
            named = zip(levels, values, strict=True)
            if aslant:
                ax.set_xticks(range(len(levels)), [f"{st.shorten(g, 20)} ({len(v)})" for g, v in named], rotation=90)
            else:
                ax.set_xticks(range(len(levels)), [f"{st.shorten(g, 20)}\n{len(v)}" for g, v in named])
            ax.set_xlim(-0.6, len(levels) - 0.4)
            ax.locator_params(axis="y", nbins=4)
            # The lowest panel of a column names the groups, also where the last row is not full.
            ax.tick_params(axis="x", length=0, labelbottom=k + side >= count)
        fig.supylabel(ylabel, fontsize=7)
    return fig


def _one_violin(ax: Axes, at: int, values: np.ndarray, colour: str, rng: np.random.Generator) -> None:
    if not len(values):
        return
    if len(values) >= 5 and np.ptp(values) > 0:
        parts = ax.violinplot([values], [at], widths=0.8, showextrema=False)
        for body in list(parts["bodies"]):  # type: ignore[call-overload]
            body.set(facecolor=colour, edgecolor=colour, alpha=0.28, linewidth=0.6)
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        ax.vlines(at, low, high, color=st.INK, linewidth=2.4)
        ax.plot(
            [at],
            [middle],
            marker="o",
            color="white",
            markersize=2.6,
            markeredgecolor=st.INK,
            markeredgewidth=0.7,
            zorder=4,
        )
    shown = values if len(values) <= 400 else rng.choice(values, 400, replace=False)
    jitter = 0.16 * (2 * rng.random(len(shown)) - 1)
    ax.scatter(at + jitter, shown, s=2.2, color=colour, alpha=0.55, linewidths=0, rasterized=len(shown) > 150, zorder=3)


def landscape(
    data: Any,
    obs: pd.DataFrame | None = None,
    *,
    method: str | None = None,
    signatures: Sequence[str] | None = None,
    groupby: str = "sample_type",
    reference: str = "normal",
    branches: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    width: float = st.ONE_AND_A_HALF,
    title: str = "",
) -> Figure:
    """Draw the scores of all other observations in SD of a reference tissue.

    Parameters
    ----------
    data, obs, method, signatures, branches, labels
        As in `heatmap`.
    groupby, reference
        Column of `obs`, and the group whose mean is 0 and whose SD is 1.
    width
        Millimetres.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Per signature the median, the middle half and the middle 90% of the others in SD of the reference. The
        shaded band is the middle 95% of the reference if its scores were normally distributed; confounders are grey.
        A contrast with reference tissue mixes
        activity with lineage and cell composition. Scores that do not vary in the reference are left out.

    Raises
    ------
    DataError
        If the reference has fewer than three observations or no score that varies, or there are no others.
    """
    scores, table = scores_and_obs(data, obs, method, signatures)
    need(table, [groupby])
    is_reference = (table[groupby].astype(str) == reference).to_numpy()
    if is_reference.sum() < 3:
        raise DataError(
            f"{int(is_reference.sum())} observation(s) are {reference!r} in {groupby!r}; a scale needs at least 3."
        )
    if is_reference.all():
        raise DataError(f"Every observation is {reference!r}; there is nothing to compare with it.")
    base = scores[is_reference]
    relative = ((scores[~is_reference] - base.mean()) / base.std().replace(0, np.nan)).dropna(axis=1, how="all")
    if relative.empty:
        raise DataError(f"No score varies among the observations that are {reference!r}, so they make no scale.")
    rows = _row_order(relative, True, branches)
    steps = relative[rows].quantile([0.05, 0.25, 0.5, 0.75, 0.95])
    tints = [st.GREY if (branches or {}).get(r) in ("confounder", "context") else st.BLUE for r in rows]
    with st.canvas(None, width, 20 + 3.6 * len(rows)) as (fig, ax):
        ax.axvspan(-1.96, 1.96, color="#9A9A9A", alpha=0.16, linewidth=0)
        ax.axvline(0, color=st.GREY, linewidth=0.6)
        for i, row in enumerate(rows):
            low, quarter, middle, three, high = steps[row]
            ax.hlines(i, low, high, color=tints[i], linewidth=0.8)
            ax.hlines(i, quarter, three, color=tints[i], linewidth=3.2)
            ax.plot([middle], [i], "o", color="white", markersize=2.8, markeredgecolor=st.INK, markeredgewidth=0.7)
        st.rows(ax, [st.shorten((labels or {}).get(r, r)) for r in rows])
        others = int((~is_reference).sum())
        ax.set_xlabel(f"score in SD of {reference} ({int(is_reference.sum())} {reference}, {others} others)")
        ax.set_title(title)
    return fig


def correlation(
    data: Any,
    obs: pd.DataFrame | None = None,
    *,
    method: str | None = None,
    signatures: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    rank: bool = True,
    width: float = st.ONE_AND_A_HALF,
    title: str = "",
) -> Figure:
    """Draw the correlation between scores over observations, similar signatures side by side.

    Parameters
    ----------
    data, obs, method, signatures, labels
        As in `heatmap`.
    rank
        Spearman's correlation; Pearson's where False.
    width
        Millimetres.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Values are printed where there are at most 20 signatures, without the zero before the point; those that
        round to 0 are left out. Grey where a score does not vary.

    Raises
    ------
    DataError
        If there are fewer than two signatures or three observations.
    """
    scores, _ = scores_and_obs(data, obs, method, signatures)
    if scores.shape[1] < 2 or len(scores) < 3:
        raise DataError(f"A correlation needs two signatures and three observations; there are {scores.shape[::-1]}.")
    r = scores.corr("spearman" if rank else "pearson")
    order = cluster_order(r)
    values = r.to_numpy()[np.ix_(order, order)]
    names = [st.shorten((labels or {}).get(str(scores.columns[i]), str(scores.columns[i])), 26) for i in order]
    with st.page(width, width * 0.92, title) as fig:
        ax = fig.add_subplot()
        image = ax.imshow(values, cmap=st.with_missing(st.diverging()), vmin=-1, vmax=1, interpolation="nearest")
        size = 6.0 if len(names) <= 26 else max(3.0, 156 / len(names))
        ax.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
        ax.set_yticks(range(len(names)), names, fontsize=size)
        st.bare(ax)
        if len(names) <= 20:
            for i, j in np.ndindex(values.shape):
                if i != j and np.isfinite(values[i, j]) and round(abs(values[i, j]), 1) > 0:
                    ink = "white" if abs(values[i, j]) > 0.65 else st.ON_LIGHT
                    ax.text(j, i, _tenths(values[i, j]), ha="center", va="center", fontsize=4.8, color=ink)
        bar = fig.colorbar(image, ax=ax, shrink=0.5, aspect=22, pad=0.01)
        bar.set_label(f"{'Spearman' if rank else 'Pearson'} correlation, {len(scores)} observations")
        bar.outline.set_visible(False)
    return fig


def _tenths(value: float) -> str:
    return f"{value:.1f}".replace("0.", ".").replace("-", "−")

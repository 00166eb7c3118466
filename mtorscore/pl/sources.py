"""Figures of the input: gene coverage, sample flow, running sums, enrichment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.collection import Signature
from mtorscore.errors import DataError
from mtorscore.pl import theme as st
from mtorscore.pl._tables import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["coverage", "enrichment", "flow", "gsea"]


def coverage(
    table: pd.DataFrame,
    *,
    signatures: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    width: float = st.ONE_AND_A_HALF,
    title: str = "",
) -> Figure:
    """Draw the gene coverage of each signature, per direction.

    Parameters
    ----------
    table
        ``signature, n_up, matched_up, n_down, matched_down``, as ``uns["mtorscore"][method]["coverage"]``.
    signatures
        Rows to show and their order; all by default.
    labels
        Signature -> name to print.
    width
        Millimetres.
    title
        Above the axes.

    Returns
    -------
    matplotlib.figure.Figure
        One bar per signature, up genes to the right and down genes to the left of 0, each as the share of the
        signature's genes in that direction; signatures with less than half of their genes are marked.

    Raises
    ------
    DataError
        If columns are missing or a signature is unknown.
    """
    if "signature" not in table:
        table = table.rename_axis("signature").reset_index()
    need(table, ["signature", "n_up", "matched_up", "n_down", "matched_down"])
    data = table.drop_duplicates("signature").set_index("signature")
    data = data.fillna(dict.fromkeys(["n_up", "matched_up", "n_down", "matched_down"], 0))
    data.index = data.index.astype(str)
    if signatures is not None:
        unknown = [s for s in signatures if s not in data.index]
        if unknown:
            raise DataError(f"The coverage table has no row for {', '.join(unknown[:3])}.")
        data = data.loc[list(signatures)]
    with st.canvas(None, width, 20 + 3.5 * len(data)) as (fig, ax):
        for i, (name, row) in enumerate(data.iterrows()):
            _coverage_row(ax, i, row)
            total, found = row["n_up"] + row["n_down"], row["matched_up"] + row["matched_down"]
            share = found / total if total else np.nan
            colour = st.VERMILLION if not share >= 0.5 else st.INK
            note = f"{int(found)}/{int(total)}" + (" few" if not share >= 0.5 else "")
            ax.text(1.02, i, note, transform=ax.get_yaxis_transform(), va="center", fontsize=5.5, color=colour)
            del name
        ax.axvline(0, color=st.INK, linewidth=0.6)
        signed = bool((data["n_down"] > 0).any())
        ax.set_xlim(-1.0 if signed else 0.0, 1.0)
        ticks = [-1, -0.5, 0, 0.5, 1] if signed else [0, 0.25, 0.5, 0.75, 1]
        ax.set_xticks(ticks, [f"{abs(t):.0%}" for t in ticks])
        ax.set_xlabel("share of genes found: down ←  → up" if signed else "share of genes found")
        st.rows(ax, [st.shorten((labels or {}).get(s, s)) for s in data.index])
        ax.set_title(title)
    return fig


def _coverage_row(ax: Axes, i: int, row: pd.Series) -> None:
    for side, sign, colour in (("up", 1, st.VERMILLION), ("down", -1, st.BLUE)):
        total, found = row[f"n_{side}"], row[f"matched_{side}"]
        if total:
            ax.barh(i, sign, height=0.62, color="#DDDDDD", linewidth=0)
            ax.barh(i, sign * found / total, height=0.62, color=colour, linewidth=0)


def flow(
    table: pd.DataFrame, *, excluded: pd.DataFrame | None = None, width: float = st.SINGLE, title: str = ""
) -> Figure:
    """Draw a flow chart from the samples read to the samples analysed.

    Parameters
    ----------
    table
        One row per step: ``step, samples``, and where there ``tumours, normals``, in order, as
        ``uns["flow"]`` of a prepared cohort.
    excluded
        Exclusions with ``rule``, and ``effect`` where only some were dropped; counted at the side.
    width
        Millimetres.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Boxes from top to bottom, how many were left out at the right, and by which rules below.

    Raises
    ------
    DataError
        If columns are missing.
    """
    need(table, ["step", "samples"])
    steps = table.reset_index(drop=True)
    gap = 1.0
    rules = [] if excluded is None or not len(excluded) else _excluded_lines(excluded)
    below = 0.28 * len(rules)
    with st.page(width, 8 + 15 * len(steps) + 10 * below, title) as fig:
        ax = fig.add_subplot()
        ax.set_axis_off()
        ax.set_xlim(0, 10)
        lowest = -(len(steps) - 1) * 1.5 - 0.55
        ax.set_ylim(lowest - below, 0.55)
        for i, (_, row) in enumerate(steps.iterrows()):
            y = -1.5 * i
            _box(ax, 0.1, y, 5.8, _step_text(row))
            if i == 0:
                continue
            ax.annotate(
                "", (3.0, y + 0.5), (3.0, y + gap), arrowprops={"arrowstyle": "-|>", "color": st.INK, "linewidth": 0.7}
            )
            lost = int(steps["samples"].iloc[i - 1] - row["samples"])
            if lost:
                ax.annotate(
                    "", (6.6, y + 0.75), (3.0, y + 0.75),
                    arrowprops={"arrowstyle": "-|>", "color": st.GREY, "linewidth": 0.7},
                )  # fmt: skip
                ax.text(6.7, y + 0.75, f"{lost} left out", va="center", fontsize=6, color=st.GREY)
        if rules:
            ax.text(0.1, lowest, "\n".join(rules), va="top", fontsize=5.5, color=st.GREY, linespacing=1.3)
    return fig


def _box(ax: Axes, x: float, y: float, width: float, text: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    box = FancyBboxPatch(
        (x, y - 0.42), width, 0.84, boxstyle="round,pad=0.02,rounding_size=0.12", facecolor=(0.0, 0.45, 0.70, 0.10),
        edgecolor=st.BLUE, linewidth=0.7,
    )  # fmt: skip
    ax.add_patch(box)
    ax.text(x + width / 2, y, text, ha="center", va="center", fontsize=6.5, linespacing=1.3)


def _step_text(row: pd.Series) -> str:
    text = f"{st.shorten(row['step'], 40)}\n{int(row['samples'])} samples"
    if "tumours" in row and "normals" in row:
        text += f": {int(row['tumours'])} tumours, {int(row['normals'])} normals"
    return text


def _excluded_lines(excluded: pd.DataFrame) -> list[str]:
    need(excluded, ["rule"])
    dropped = excluded if "effect" not in excluded else excluded[excluded["effect"].astype(str) == "dropped"]
    counts = dropped["rule"].astype(str).value_counts().head(8)
    lines = [f"{n} {st.shorten(rule, 60)}" for rule, n in counts.items()]
    return ["Left out by rule:", *lines] if lines else []


def enrichment(
    data: Any,
    observation: str,
    signature: Signature,
    *,
    layer: str | None = None,
    alpha: float = 0.25,
    ax: Axes | None = None,
    width: float = st.SINGLE,
    height: float = 62.0,
    title: str = "",
) -> Figure:
    """Draw the running sum of one signature along the genes of one observation, ranked from high to low.

    Parameters
    ----------
    data
        AnnData, or a DataFrame observations x genes.
    observation
        Name of the row.
    signature
        Its up genes are drawn, and its down genes where it has any.
    layer
        Layer of the AnnData; ``X`` by default.
    alpha
        Weight of the rank, as in ssGSEA (Barbie et al., Nature 2009): a gene at rank r from the bottom steps up by
        ``r ** alpha``, scaled so that all steps up add to 1.
    ax
        Draw here.
    width, height
        Millimetres.
    title
        Above the axes; the observation's name by default.

    Returns
    -------
    matplotlib.figure.Figure
        The curves, and each gene's place as a tick below.

    Raises
    ------
    DataError
        If the observation is unknown or holds none of the genes.
    """
    values = _one_row(data, observation, layer).dropna()
    order = values.sort_values(ascending=False, kind="stable")
    found = [
        (side, [g for g in genes if g in order.index])
        for side, genes in (("up", signature.up), ("down", signature.down))
    ]
    found = [(side, genes) for side, genes in found if genes]
    if not found:
        raise DataError(f"None of the {len(signature.genes)} genes of {signature.id} has a value in {observation!r}.")
    tints = {"up": st.VERMILLION, "down": st.BLUE}
    with st.canvas(ax, width, height) as (fig, axes):
        lowest = 0.0
        for side, genes in found:
            curve = _running_sum(order, genes, alpha)
            lowest = min(lowest, float(curve.min()))
            axes.plot(
                np.arange(1, len(curve) + 1),
                curve,
                color=tints[side],
                label=f"{side}: {st.counted(len(genes), 'gene')}",
            )
        span = axes.get_ylim()[1] - lowest
        for k, (side, genes) in enumerate(found):
            top = lowest - span * (0.06 + 0.12 * k)
            axes.vlines(
                np.flatnonzero(order.index.isin(genes)) + 1, top - 0.09 * span, top, color=tints[side], linewidth=0.5
            )
        axes.axhline(0, color=st.GREY, linewidth=0.6)
        axes.set_xlim(1, len(order))
        axes.set_xlabel(f"{len(order)} genes, highest first")
        axes.set_ylabel("running sum")
        axes.set_ylim(top=axes.get_ylim()[1] + 0.2 * span)
        axes.legend(loc="upper right", ncols=2)
        axes.set_title(title or f"{st.shorten(signature.id, 30)} in {st.shorten(observation, 24)}")
    return fig


def _one_row(data: Any, observation: str, layer: str | None) -> pd.Series:
    names = data.index if isinstance(data, pd.DataFrame) else data.obs_names
    if observation not in names:
        raise DataError(f"There is no observation {observation!r}; there are {', '.join(map(str, names[:3]))}, ...")
    if isinstance(data, pd.DataFrame):
        return data.loc[observation].astype(np.float64)
    row = data[observation]
    values = row.X if layer is None else row.layers[layer]
    dense = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    return pd.Series(np.asarray(dense, dtype=np.float64).ravel(), index=data.var_names)


def _running_sum(order: pd.Series, genes: Sequence[str], alpha: float) -> np.ndarray:
    inside = order.index.isin(list(genes))
    rank = np.arange(len(order), 0, -1, dtype=np.float64)
    up = np.where(inside, rank**alpha, 0.0)
    down = (~inside).astype(np.float64)
    return np.asarray(np.cumsum(up) / up.sum() - np.cumsum(down) / max(down.sum(), 1.0))


def gsea(
    table: pd.DataFrame, *, n: int = 30, level: float = 0.05, width: float = st.ONE_AND_A_HALF, title: str = ""
) -> Figure:
    """Draw normalised enrichment scores of gene sets between two groups.

    Parameters
    ----------
    table
        What `mtorscore.tl.prerank` returned: ``signature``, ``direction``, ``nes``, ``q``, ``contrast``.
    n
        How many sets to show, by largest absolute score.
    level
        Sets whose false discovery rate is below are filled.
    width
        Millimetres.
    title
        Above the axes; the contrast by default.

    Returns
    -------
    matplotlib.figure.Figure
        One row per set, up genes in vermillion and down genes in blue.

    Raises
    ------
    DataError
        If a column is missing or no set has a score.
    """
    need(table, ["signature", "direction", "nes", "q", "contrast"])
    known = table[table["nes"].notna()].reset_index(drop=True)
    if not len(known):
        raise DataError("No gene set of this table has an enrichment score.")
    rows = known.loc[known["nes"].abs().sort_values(ascending=False, kind="stable").index[:n]].sort_values("nes")
    tints = [st.VERMILLION if d == "up" else st.BLUE for d in rows["direction"]]
    filled = rows["q"] < level
    with st.canvas(None, width, 18 + 3.8 * len(rows)) as (fig, ax):
        places = np.arange(len(rows))
        ax.axvline(0, color=st.GREY, linewidth=0.6)
        ax.hlines(places, 0, rows["nes"], color=tints, linewidth=0.8)
        faces = [t if f else "none" for t, f in zip(tints, filled, strict=True)]
        ax.scatter(rows["nes"], places, s=16, facecolors=faces, edgecolors=tints, linewidths=0.9, zorder=3)
        names = rows["signature"] + rows["direction"].map({"up": "", "down": ", down genes"}).fillna("")
        ax.set_yticks(places, [st.shorten(str(v), 44) for v in names])
        ax.set_ylim(-0.8, len(rows) - 0.2)
        ax.set_xlabel(f"normalised enrichment score (filled: q < {level:g})")
        ax.set_title(title or st.shorten(rows["contrast"].iloc[0], 60))
    return fig

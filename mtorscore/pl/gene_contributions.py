"""Figure of the genes that make up one score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtorscore.errors import DataError
from mtorscore.pl import theme as st
from mtorscore.pl._tables import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["contributions"]


def contributions(
    table: pd.DataFrame,
    *,
    n: int = 15,
    ax: Axes | None = None,
    width: float = st.SINGLE,
    height: float | None = None,
    title: str | None = None,
) -> Figure:
    """Draw what each gene contributes to the score of one observation.

    Parameters
    ----------
    table
        As `mtorscore.tl.explain` returns it.
    n
        Genes shown, from the head of the table; the others are added up in one bar where contributions add up.
    ax
        Axes of a figure of your own.
    width, height
        Millimetres; the height follows the number of genes by default.
    title
        Above the figure; observation and signature by default.

    Returns
    -------
    matplotlib.figure.Figure
        A bar per gene, red where it raises the score and blue where it lowers it; an upright line is the mean
        contribution over the cohort. Down genes are marked by an arrow; genes that the matrix lacks are named below.

    Raises
    ------
    DataError
        If columns are missing, or the table explains nothing.
    """
    need(table, ["gene", "direction", "present", "contribution", "cohort_mean", "score", "method", "adds_up_to"])
    present = table[table["present"].astype(bool)].reset_index(drop=True)
    if present.empty:
        raise DataError("The table has no gene that is in the matrix, so there is nothing to draw.")
    rows = _rows(present, n)
    with st.canvas(ax, width, height or 22 + 3.6 * len(rows)) as (fig, axes):
        at = np.arange(len(rows))
        values = rows["contribution"].to_numpy(dtype=float)
        axes.barh(at, values, height=0.66, color=np.where(values < 0, st.BLUE, st.VERMILLION), linewidth=0)
        means = rows["cohort_mean"].to_numpy(dtype=float)
        known = np.isfinite(means)
        axes.vlines(means[known], at[known] - 0.42, at[known] + 0.42, color=st.INK, linewidth=1.0)
        axes.axvline(0, color=st.INK, linewidth=0.6)
        st.rows(axes, list(rows["label"]))
        axes.set_xlabel(_axis_label(table, bool(known.any())))
        first = present.iloc[0]
        axes.set_title(title if title is not None else _title(first))
    return fig


def _rows(present: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return the genes shown with their labels, and the others added up where that means something."""
    arrow = np.where(present["direction"] == "down", " ↓", "")
    shown = present.assign(label=present["gene"].astype(str) + arrow)[["label", "contribution", "cohort_mean"]]
    rest = shown.iloc[n:]
    if rest.empty or not np.isfinite(present["total"].iloc[0]):
        return shown.head(n)
    total = pd.DataFrame(
        {
            "label": [st.counted(len(rest), "other gene")],
            "contribution": [rest["contribution"].sum()],
            "cohort_mean": [rest["cohort_mean"].sum(skipna=False)],
        }
    )
    return pd.concat([shown.head(n), total], ignore_index=True)


def _axis_label(table: pd.DataFrame, with_means: bool) -> str:
    first = table.iloc[0]
    adds_up = np.isfinite(first["total"])
    what = "contribution" if adds_up else "score minus the score without the gene"
    text = f"{what} ({first['method']}" + (f", sum: {first['adds_up_to']})" if adds_up else ")")
    lacking = list(table.loc[~table["present"].astype(bool), "gene"].astype(str))
    more = f" and {len(lacking) - 4} more" if len(lacking) > 4 else ""
    notes = ["line: mean over the cohort"] if with_means else []
    notes += [f"not in the matrix: {', '.join(lacking[:4])}{more}"] if lacking else []
    return "\n".join([text, *notes])


def _title(first: pd.Series) -> str:
    return f"{st.shorten(first.get('observation', ''), 20)}: {st.shorten(first.get('signature', ''), 30)}"

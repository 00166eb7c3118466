"""Figures of scores against outcome: Kaplan-Meier, forest, random-signature null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore._outcome_terms import DAYS
from mtorscore.errors import DataError
from mtorscore.pl import theme as st
from mtorscore.pl._tables import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["forest", "km", "null_distribution"]

_KM_COLUMNS = ("group", "time", "n_risk")
_YEARS = {unit: DAYS["years"] / days for unit, days in DAYS.items()}


def km(
    curves: pd.DataFrame,
    *,
    ax: Axes | None = None,
    unit: str | None = None,
    at_risk: bool = True,
    interval: bool = True,
    colours: Mapping[str, str] | None = None,
    ylabel: str = "",
    width: float = st.SINGLE,
    height: float = 68.0,
    title: str = "",
) -> Figure:
    """Draw Kaplan-Meier curves, or cumulative incidence where there are competing events, with numbers at risk.

    Parameters
    ----------
    curves
        As `mtorscore.prognosis.kaplan_meier` returns it, one signature and endpoint: ``group, time, survival,
        n_risk`` (or ``incidence`` instead of survival, which is then drawn rising from 0), and where there ``low, high,
        n_censor, n, events, logrank_p, unit``.
    ax
        Draw here; the numbers at risk are then printed below the axes.
    unit
        Unit of `time`: days, weeks, months or years; shown in years. Read from ``curves["unit"]`` by default.
    at_risk
        Whether to print the numbers at risk.
    interval
        Whether to shade the pointwise interval.
    colours
        Group -> colour.
    ylabel
        Label of the vertical axis; "surviving" or "cumulative incidence" by default.
    width, height
        Millimetres, for two groups; more lines at risk and a legend of more than four groups make it larger.
    title
        Above the axes.

    Returns
    -------
    matplotlib.figure.Figure
        Censored observations are ticks; the log-rank p value is in the corner.

    Raises
    ------
    DataError
        If columns are missing, rows of several signatures are mixed, or there are more than eight groups.
    """
    rising = "incidence" in curves and bool(curves["incidence"].notna().any())
    shown = "incidence" if rising else "survival"
    need(curves, (*_KM_COLUMNS, shown))
    for column in ("signature", "endpoint", "method"):
        if column in curves and curves[column].nunique() > 1:
            raise DataError(f"The curves are of {curves[column].nunique()} {column}s; choose one and draw it alone.")
    chosen = unit or (str(curves["unit"].iloc[0]) if "unit" in curves else "days")
    if chosen not in _YEARS:
        raise DataError(f"Unknown unit of time {chosen!r}; use one of {', '.join(_YEARS)}.")
    if len(curves) and curves["time"].isna().all():
        why = str(curves["reason"].iloc[0]) if "reason" in curves else "there are no times"
        raise DataError(f"There is no curve to draw: {why}.")
    groups = [str(g) for g in pd.unique(curves["group"])]
    if len(groups) > len(st.CYCLE):
        raise DataError(f"{len(groups)} curves cannot be told apart; draw at most {len(st.CYCLE)} groups.")
    tints = st.palette(groups, colours)
    with st.canvas(ax, width + 40 * (len(groups) > 4), height + 3 * max(0, len(groups) - 2)) as (fig, axes):
        for group in groups:
            rows = curves[curves["group"].astype(str) == group]
            _curve(axes, rows, shown, _YEARS[chosen], tints[group], interval)
        axes.set_ylim(0, 1.03)
        axes.set_xlim(0, float(curves["time"].max()) / _YEARS[chosen] * 1.01)
        axes.set_ylabel(ylabel or ("cumulative incidence" if rising else "surviving"))
        axes.set_xlabel("years")
        axes.set_title(title)
        _legend(axes, curves, groups, tints, "upper left" if rising else "upper right")
        if "logrank_p" in curves:
            text = "log-rank " + st.p_text(float(curves["logrank_p"].iloc[0]))
            side, where = ("right", 0.98) if rising else ("left", 0.02)
            axes.text(where, 0.03, text, transform=axes.transAxes, fontsize=6, ha=side)
        if at_risk:
            _risk_table(axes, curves, groups, tints, _YEARS[chosen])
    return fig


def _curve(ax: Axes, rows: pd.DataFrame, shown: str, per_year: float, colour: str, interval: bool) -> None:
    rows = rows.sort_values("time")
    years = rows["time"].to_numpy(np.float64) / per_year
    height = rows[shown].to_numpy(np.float64)
    ax.step(years, height, where="post", color=colour)
    if interval and {"low", "high"} <= set(rows.columns):
        low, high = rows["low"].to_numpy(np.float64), rows["high"].to_numpy(np.float64)
        ax.fill_between(years, low, high, step="post", color=colour, alpha=0.13, linewidth=0)
    if "n_censor" in rows:
        lost = rows["n_censor"].to_numpy() > 0
        ax.plot(years[lost], height[lost], "|", color=colour, markersize=3.2, markeredgewidth=0.6)


def _legend(ax: Axes, curves: pd.DataFrame, groups: Sequence[str], tints: Mapping[str, str], where: str) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for group in groups:
        rows = curves[curves["group"].astype(str) == group]
        text = st.shorten(group, 24)
        if {"n", "events"} <= set(rows.columns):
            text += f" (n = {int(rows['n'].iloc[0])}, {int(rows['events'].iloc[0])} events)"
        handles.append(Line2D([], [], color=tints[group], label=text))
    st.many(ax, len(groups), handles=handles, loc=where, borderaxespad=0.1)


def _risk_table(
    ax: Axes, curves: pd.DataFrame, groups: Sequence[str], tints: Mapping[str, str], per_year: float
) -> None:
    ticks = [t for t in ax.get_xticks() if 0 <= t <= ax.get_xlim()[1]]
    ax.set_xticks(ticks)
    start, line = -30.0, -8.5  # points below the axes, whatever height the layout gives them
    place: dict[str, Any] = {"textcoords": "offset points", "fontsize": 6, "va": "top", "annotation_clip": False}
    ax.annotate("at risk", (0, 0), xycoords=ax.transAxes, xytext=(0, start), color=st.INK, **place)
    for k, group in enumerate(groups):
        rows = curves[curves["group"].astype(str) == group].sort_values("time")
        times = rows["time"].to_numpy(np.float64) / per_year
        for tick in ticks:
            later = np.flatnonzero(times >= tick - 1e-9)
            count = int(rows["n_risk"].iloc[later[0]]) if len(later) else 0
            ax.annotate(
                str(count), (tick, 0), xycoords=ax.get_xaxis_transform(), xytext=(0, start + (k + 1) * line),
                ha="center", color=tints[group], **place,
            )  # fmt: skip


def forest(
    table: pd.DataFrame,
    *,
    estimate: str = "hr",
    low: str | None = None,
    high: str | None = None,
    label: str = "signature",
    groupby: str | None = None,
    groups: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    colours: Mapping[str, str] | None = None,
    xlabel: str = "hazard ratio per SD (95% interval)",
    width: float = st.ONE_AND_A_HALF,
    title: str = "",
) -> Figure:
    """Draw effects with their intervals on a log scale, one row per signature.

    Parameters
    ----------
    table
        One row per signature (and group), such as `mtorscore.prognosis.associate` returns.
    estimate, low, high
        Columns of the ratio and its interval; ``<estimate>_low`` and ``<estimate>_high`` by default.
    label
        Column that names the row.
    groupby, groups
        Column whose values are drawn side by side in each row (such as unadjusted and adjusted models), and their
        order.
    labels
        Row -> name to print.
    colours
        Group -> colour.
    xlabel
        Below the axis.
    width
        Millimetres.
    title
        Above the axes.

    Returns
    -------
    matplotlib.figure.Figure
        Rows with ``valid`` False are hollow; numbers are at the right.

    Raises
    ------
    DataError
        If columns are missing.
    """
    low, high = low or f"{estimate}_low", high or f"{estimate}_high"
    need(table, [label, estimate, low, high, *([groupby] if groupby else [])])
    data = table[np.isfinite(table[estimate].to_numpy(np.float64)) & (table[estimate] > 0)]
    if not len(data):
        raise DataError(f"No row has a value of {estimate!r}, so there is nothing to draw.")
    rows = [str(r) for r in pd.unique(data[label])]
    kinds = [str(g) for g in (groups or pd.unique(data[groupby]))] if groupby else [""]
    tints = st.palette(kinds, colours) if groupby else {"": st.BLUE}
    step = 0.68 / max(len(kinds), 1)
    with st.canvas(None, width, 18 + (3.8 if len(kinds) == 1 else 1.6 + 2.5 * len(kinds)) * len(rows)) as (fig, ax):
        ax.axvline(1, color=st.GREY, linewidth=0.7)
        for k, kind in enumerate(kinds):
            part = data if not groupby else data[data[groupby].astype(str) == kind]
            at = np.array([rows.index(str(r)) for r in part[label]], dtype=np.float64)
            at += step * (k - (len(kinds) - 1) / 2)
            _intervals(ax, part, at, (estimate, low, high), tints[kind])
            for y, (_, row) in zip(at, part.iterrows(), strict=True):
                text = st.ratio_text(row[estimate], row[low], row[high])
                ax.text(1.01, y, text, transform=ax.get_yaxis_transform(), va="center", fontsize=5.2, color=tints[kind])
        ax.set_xscale("log")
        ratio_axis(ax, data, (estimate, low, high))
        st.rows(ax, [st.shorten((labels or {}).get(r, r)) for r in rows])
        ax.set_xlabel(xlabel)
        ax.set_title(title)
        if groupby:
            _group_key(fig, kinds, tints)
    return fig


def _intervals(ax: Axes, part: pd.DataFrame, at: np.ndarray, names: tuple[str, str, str], colour: str) -> None:
    estimate, low, high = (part[n].to_numpy(np.float64) for n in names)
    ax.hlines(at, low, high, color=colour, linewidth=1.0)
    valid = part["valid"].to_numpy(bool) if "valid" in part else np.ones(len(part), dtype=bool)
    for keep, face in ((valid, colour), (~valid, "white")):
        ax.scatter(estimate[keep], at[keep], s=11, facecolors=face, edgecolors=colour, linewidths=0.8, zorder=3)


def ratio_axis(ax: Axes, data: pd.DataFrame, names: tuple[str, str, str]) -> None:
    """Limit a log axis to the relevant range, and label it with plain numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    values = data[list(names)].to_numpy(np.float64)
    middle = values[:, 0]
    finite = values[np.isfinite(values) & (values > 0)]
    # A wild interval of a small cohort must not squeeze all others: the axis shows 8 times the largest effect.
    reach = min(max(np.abs(np.log(finite)).max(), np.log(1.5)), np.abs(np.log(middle)).max() + np.log(8))
    ax.set_xlim(np.exp(-reach * 1.05), np.exp(reach * 1.05))
    ticks = [t for t in (0.02, 0.05, 0.1, 0.2, 0.5, 0.67, 1, 1.5, 2, 5, 10, 20, 50) if abs(np.log(t)) <= reach * 1.05]
    if reach > np.log(4):
        ticks = [t for t in ticks if t not in (0.67, 1.5)]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))


def _group_key(fig: Figure, kinds: Sequence[str], tints: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=tints[k], marker="o", markersize=3, linewidth=1, label=st.shorten(k, 40)) for k in kinds
    ]
    fig.legend(handles=handles, loc="outside lower left", ncols=min(len(kinds), 3))


def null_distribution(
    values: Any,
    observed: float,
    *,
    p: float | None = None,
    percentile: float | None = None,
    xlabel: str = "statistic",
    ax: Axes | None = None,
    width: float = st.SINGLE,
    height: float = 55.0,
    title: str = "",
) -> Figure:
    """Draw the null distribution of random signatures with the observed statistic marked.

    Parameters
    ----------
    values
        One statistic per random signature, such as log hazard ratios.
    observed
        Ours.
    p
        p value to print; by default ``(1 + b) / (1 + B)`` for the larger absolute value.
    percentile
        Percentile of ours among them, 0-100; computed by default.
    xlabel
        What the statistic is.
    ax
        Draw here.
    width, height
        Millimetres.
    title
        Above the axes.

    Returns
    -------
    matplotlib.figure.Figure
        A histogram with the 2.5 and 97.5 percentiles of the random ones shaded.

    Raises
    ------
    DataError
        If fewer than 20 random values are given, or ours is missing.
    """
    null = np.asarray(values, dtype=np.float64).ravel()
    null = null[np.isfinite(null)]
    if len(null) < 20:
        raise DataError(f"{len(null)} random value(s) make no distribution; give at least 20.")
    if not np.isfinite(observed):
        raise DataError("Our own statistic is missing, so there is nothing to mark among the random ones.")
    chance = (1 + int((np.abs(null) >= abs(observed)).sum())) / (1 + len(null)) if p is None else p
    share = 100 * float((null <= observed).mean()) if percentile is None else percentile
    low, high = np.quantile(null, [0.025, 0.975])
    with st.canvas(ax, width, height) as (fig, axes):
        axes.axvspan(low, high, color="#9A9A9A", alpha=0.16, linewidth=0)
        axes.hist(null, bins=min(60, max(12, len(null) // 25)), color="#A9A9A9", edgecolor="white", linewidth=0.3)
        # The text is above the bars.
        full = axes.get_ylim()[1]
        words = 27.0 / (axes.get_window_extent().height * 72 / fig.dpi)
        top = full / max(1 - words, 0.5)
        axes.set_ylim(0, top)
        axes.axvline(observed, color=st.VERMILLION, linewidth=1.6)
        left = observed > (null.min() + null.max()) / 2
        axes.annotate(
            f"ours\n{share:.0f}th percentile\n{st.p_text(chance)}", (observed, top), xytext=(-4 if left else 4, -2),
            textcoords="offset points", ha="right" if left else "left", va="top", color=st.VERMILLION, fontsize=6,
        )  # fmt: skip
        axes.set_xlabel(xlabel)
        axes.set_ylabel(f"of {len(null)} random signatures")
        axes.set_title(title)
    return fig

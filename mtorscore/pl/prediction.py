"""Figures of predictions and of several cohorts: ROC, calibration, decision curve, meta-analysis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError
from mtorscore.pl import theme as st
from mtorscore.pl._tables import Floats, need
from mtorscore.pl.outcome import ratio_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["calibration", "decision_curve", "meta_forest", "roc"]


def roc(
    y: Any,
    predictions: Any,
    *,
    ax: Axes | None = None,
    colours: Mapping[str, str] | None = None,
    width: float = st.SINGLE,
    height: float = 78.0,
    title: str = "",
) -> Figure:
    """Draw receiver operating characteristics.

    Parameters
    ----------
    y
        ``(n,)`` labels, 1 for the positive class and 0 for the other.
    predictions
        ``(n,)`` predicted values, or a mapping of model names to such; out of sample, or the curve flatters.
    ax
        Draw here.
    colours
        Model -> colour.
    width, height
        Millimetres.
    title
        Above the axes.

    Returns
    -------
    matplotlib.figure.Figure
        With the area under each curve; ties count half.

    Raises
    ------
    DataError
        If lengths differ, a class is absent or values are missing.
    """
    truth = np.asarray(y, dtype=np.float64)
    models = dict(predictions) if isinstance(predictions, Mapping) else {"": predictions}
    if set(np.unique(truth)) != {0.0, 1.0}:
        raise DataError("A ROC curve needs labels 0 and 1, each at least once.")
    tints = st.palette(list(models), colours)
    with st.canvas(ax, width + 40 * (len(models) > 4), height) as (fig, axes):
        axes.plot([0, 1], [0, 1], color=st.GREY, linewidth=0.7, linestyle=(0, (3, 3)))
        for name, values in models.items():
            x, up, area = _roc(truth, np.asarray(values, dtype=np.float64), name)
            text = f"{st.shorten(name, 26)}: " if name else ""
            axes.plot(x, up, color=tints[name], label=f"{text}AUC {area:.2f}")
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
        axes.set_aspect("equal")
        axes.set_xlabel("1 − specificity")
        axes.set_ylabel("sensitivity")
        st.many(axes, len(models), loc="lower right")
        axes.set_title(title)
    return fig


def _roc(truth: Floats, values: Floats, name: str) -> tuple[Floats, Floats, float]:
    # numpy has it under this name from 2.0 on.
    from scipy.integrate import trapezoid

    if values.shape != truth.shape or not np.isfinite(values).all():
        raise DataError(f"Predictions {name!r} must be {len(truth)} numbers, none missing.")
    order = np.argsort(-values, kind="stable")
    last = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)
    up = np.concatenate([[0.0], np.cumsum(truth[order])[last]]) / truth.sum()
    x = np.concatenate([[0.0], np.cumsum(1 - truth[order])[last]]) / (1 - truth).sum()
    return x, up, float(trapezoid(up, x))


def calibration(
    table: pd.DataFrame,
    *,
    smooth: pd.DataFrame | None = None,
    groupby: str | None = None,
    ax: Axes | None = None,
    colours: Mapping[str, str] | None = None,
    width: float = st.SINGLE,
    height: float = 78.0,
    title: str = "",
) -> Figure:
    """Draw observed against predicted risk.

    Parameters
    ----------
    table
        ``predicted, observed``, and where there ``low, high, n``, as `mtorscore.prognosis.calibration_curve` returns.
    smooth
        ``predicted, observed, low, high``, as the ``curve`` of `mtorscore.prognosis.smooth_calibration`: drawn as a
        line with its band, and the groups as points without a line.
    groupby
        Column whose values are curves of their own, such as the model.
    ax
        Draw here.
    colours
        Group -> colour.
    width, height
        Millimetres.
    title
        Above the axes.

    Returns
    -------
    matplotlib.figure.Figure
        Points below the diagonal mean that risk was overestimated.

    Raises
    ------
    DataError
        If columns are missing or risks lie outside 0 to 1.
    """
    need(table, ["predicted", "observed", *([groupby] if groupby else [])])
    if smooth is not None and len(smooth):
        need(smooth, ["predicted", "observed", "low", "high", *([groupby] if groupby else [])])
    table = table.dropna(subset=["predicted", "observed"])
    if not len(table):
        raise DataError("No row has both a predicted and an observed risk, so there is nothing to draw.")
    risks = table[["predicted", "observed"]].to_numpy(np.float64)
    if np.nanmin(risks) < 0 or np.nanmax(risks) > 1:
        raise DataError("Risks lie between 0 and 1; give probabilities, not linear predictors.")
    kinds = [str(g) for g in pd.unique(table[groupby])] if groupby else [""]
    tints = st.palette(kinds, colours)
    top = float(min(1.0, 0.05 + np.nanmax(table[[c for c in ("predicted", "observed", "high") if c in table]])))
    with st.canvas(ax, width + 40 * (len(kinds) > 4), height) as (fig, axes):
        axes.plot([0, 1], [0, 1], color=st.GREY, linewidth=0.7, linestyle=(0, (3, 3)))
        for kind in kinds:
            rows = _of_kind(table, groupby, kind)
            x, y = rows["predicted"].to_numpy(np.float64), rows["observed"].to_numpy(np.float64)
            if {"low", "high"} <= set(rows.columns):
                axes.vlines(x, rows["low"], rows["high"], color=tints[kind], linewidth=0.8)
            drawn = smooth is not None and _band(axes, _of_kind(smooth, groupby, kind), tints[kind])
            style = "o" if drawn else "o-"
            axes.plot(x, y, style, color=tints[kind], markersize=3.2, linewidth=0.9, label=st.shorten(kind, 30))
        axes.set_xlim(0, top)
        axes.set_ylim(0, top)
        axes.set_aspect("equal")
        axes.set_xlabel("predicted risk")
        axes.set_ylabel("observed risk")
        if groupby:
            st.many(axes, len(kinds), loc="upper left")
        axes.set_title(title)
    return fig


def _of_kind(table: pd.DataFrame, groupby: str | None, kind: str) -> pd.DataFrame:
    """Rows of one curve, by ascending risk."""
    return (table if not groupby else table[table[groupby].astype(str) == kind]).sort_values("predicted")


def _band(axes: Axes, rows: pd.DataFrame, colour: str) -> bool:
    """Draw a smooth curve with its band; False where there is none."""
    if not len(rows):
        return False
    x = rows["predicted"].to_numpy(np.float64)
    low, high = rows["low"].to_numpy(np.float64), rows["high"].to_numpy(np.float64)
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(x, rows["observed"].to_numpy(np.float64), "-", color=colour, linewidth=1.0)
    return True


def decision_curve(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    colours: Mapping[str, str] | None = None,
    width: float = st.SINGLE,
    height: float = 62.0,
    title: str = "",
) -> Figure:
    """Draw the net benefit of acting on a predicted risk.

    Parameters
    ----------
    table
        ``strategy, threshold, net_benefit``, as `mtorscore.prognosis.decision_curve` returns it; the strategies
        ``"all"`` and ``"none"`` are drawn in grey.
    ax
        Draw here.
    colours
        Strategy -> colour.
    width, height
        Millimetres.
    title
        Above the axes.

    Returns
    -------
    matplotlib.figure.Figure
        A model is of use where its curve lies above both grey ones.

    Raises
    ------
    DataError
        If columns are missing.
    """
    need(table, ["strategy", "threshold", "net_benefit"])
    table = table[np.isfinite(table["net_benefit"].astype(np.float64))]
    if not len(table):
        raise DataError("No row has a net benefit, so there is nothing to draw.")
    names = [str(s) for s in pd.unique(table["strategy"])]
    models = [n for n in names if n not in ("all", "none")]
    tints = st.palette(models, colours) | {"all": st.GREY, "none": st.GREY}
    dashes: dict[str, Any] = {"all": (0, (4, 2)), "none": "solid"}
    with st.canvas(ax, width + 40 * (len(names) > 5), height) as (fig, axes):
        for name in [*models, *(n for n in names if n not in models)]:
            rows = table[table["strategy"].astype(str) == name].sort_values("threshold")
            label = {"all": "act on all", "none": "act on none"}.get(name, st.shorten(name, 28))
            axes.plot(
                rows["threshold"], rows["net_benefit"], color=tints[name], linestyle=dashes.get(name, "solid"),
                linewidth=0.8 if name in dashes else 1.3, label=label,
            )  # fmt: skip
        best = float(table["net_benefit"].max())
        axes.set_ylim(-max(0.05, 0.25 * best), max(best * 1.1, 0.05))
        axes.set_xlabel("risk above which one would act")
        axes.set_ylabel("net benefit")
        axes.xaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
        st.many(axes, len(names) - 1, loc="upper right")
        axes.set_title(title)
    return fig


def meta_forest(
    tables: Mapping[str, pd.DataFrame],
    combined: pd.DataFrame | None,
    signature: str,
    *,
    endpoint: str | None = None,
    model: str = "unadjusted",
    xlabel: str = "hazard ratio per SD (95% interval)",
    width: float = st.ONE_AND_A_HALF,
    title: str = "",
) -> Figure:
    """Draw one signature over cohorts, with the random-effects estimate below.

    Parameters
    ----------
    tables
        Cohort -> table of `mtorscore.prognosis.associate`.
    combined
        As `mtorscore.prognosis.meta_analyse` returns it; None leaves the diamond out.
    signature, endpoint, model
        What to draw; `endpoint` may be left out where there is one.
    xlabel
        Below the axis.
    width
        Millimetres.
    title
        Above the axes; the signature by default.

    Returns
    -------
    matplotlib.figure.Figure
        Squares grow with the events; the diamond is the combined ratio, the thin line its prediction interval.

    Raises
    ------
    DataError
        If no cohort has the signature, or endpoints are mixed.
    """
    parts = []
    for cohort, table in tables.items():
        need(table, ["signature", "endpoint", "model", "hr", "hr_low", "hr_high", "events"])
        parts.append(_chosen(table, signature, endpoint, model).assign(cohort=str(cohort)))
    rows = pd.concat(parts, ignore_index=True)
    if not len(rows):
        raise DataError(f"No cohort relates {signature} to {endpoint or 'an endpoint'} by a model {model!r}.")
    if rows["endpoint"].nunique() > 1:
        raise DataError(f"{signature} has several endpoints ({', '.join(pd.unique(rows['endpoint']))}); say which.")
    pooled = None if combined is None else _chosen(combined, signature, str(rows["endpoint"].iloc[0]), model)
    with st.canvas(None, width, 24 + 5.2 * (len(rows) + 1.5)) as (fig, ax):
        ax.axvline(1, color=st.GREY, linewidth=0.7)
        ax.hlines(range(len(rows)), rows["hr_low"], rows["hr_high"], color=st.BLUE, linewidth=1.0)
        size = 12 + 60 * rows["events"].to_numpy(np.float64) / max(float(rows["events"].max()), 1.0)
        ax.scatter(rows["hr"], range(len(rows)), s=size, marker="s", color=st.BLUE, zorder=3, linewidths=0)
        labels = [st.shorten(c, 30) for c in rows["cohort"]]
        texts = [f"{st.ratio_text(r.hr, r.hr_low, r.hr_high)}, {int(r.events)} events" for r in rows.itertuples()]
        if pooled is not None and len(pooled):
            labels.append("combined")
            texts.append(_diamond(ax, pooled.iloc[0], len(rows) + 0.3))
        at = [*range(len(rows)), len(rows) + 0.3][: len(labels)]
        for y, text in zip(at, texts, strict=True):
            ax.text(1.02, y, text, transform=ax.get_yaxis_transform(), va="center", fontsize=5.8)
        ax.set_xscale("log")
        ratio_axis(ax, rows, ("hr", "hr_low", "hr_high"))
        ax.set_yticks(at, labels)
        ax.set_ylim(at[-1] + 0.8, -0.7)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel(xlabel)
        ax.set_title(title or st.wrap(signature, 30))
    return fig


def _chosen(table: pd.DataFrame, signature: str, endpoint: str | None, model: str) -> pd.DataFrame:
    keep = (table["signature"].astype(str) == signature) & (table["model"] == model)
    if endpoint is not None:
        keep &= table["endpoint"].astype(str) == endpoint
    return table[keep & np.isfinite(table["hr"].astype(np.float64))]


def _diamond(ax: Axes, row: pd.Series, y: float) -> str:
    from matplotlib.patches import Polygon

    if np.isfinite(row.get("prediction_low", np.nan)):
        ax.hlines(y, row["prediction_low"], row["prediction_high"], color=st.VERMILLION, linewidth=0.8)
    corners = [(row["hr_low"], y), (row["hr"], y - 0.28), (row["hr_high"], y), (row["hr"], y + 0.28)]
    ax.add_patch(Polygon(corners, facecolor=st.VERMILLION, edgecolor=st.VERMILLION))
    text = st.ratio_text(row["hr"], row["hr_low"], row["hr_high"])
    return text + (f", I² {100 * row['i2']:.0f}%" if np.isfinite(row.get("i2", np.nan)) else "")

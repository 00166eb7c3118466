"""Figure of scores by group, with what a contrast says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError, examples
from mtorscore.pl import theme as st
from mtorscore.pl._tables import groups_of, need, scores_and_obs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["groups"]

_TREND = "per step of "
_MOST_JOINED = 200


def groups(
    data: Any,
    contrasts: pd.DataFrame,
    obs: pd.DataFrame | None = None,
    *,
    groupby: str = "sample_type",
    order: Sequence[str] = (),
    pair: str | None = None,
    method: str | None = None,
    signatures: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    colours: Mapping[str, str] | None = None,
    columns: int = 4,
    ylabel: str = "score",
    width: float = st.DOUBLE,
    title: str = "",
) -> Figure:
    """Draw each score by group: every observation, pairs joined, and the difference with its interval and p.

    Parameters
    ----------
    data, obs, method, signatures, labels
        As in `violin`; one panel per signature.
    contrasts
        Table of `mtorscore.tl.contrast`, or ``contrast/contrasts.tsv`` of a run by one method: ``signature, contrast,
        difference, low, high, p_t``, and ``p_moderated`` where there is one.
    groupby
        Column of groups; of arms (``comparison_arm`` of a run) for contrasts within the values of a factor.
    order
        Groups from left to right; others are left out. By default the order of a trend in `contrasts`, else that of
        the column, the control first.
    pair
        Column that names what is compared within itself: a patient. Its observations are joined by lines.
    colours
        Group -> colour.
    columns
        Most panels side by side.
    ylabel
        Left of the figure.
    width
        Millimetres.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        A short line is a group's mean. Of a comparison with a control, the diamond beside a group stands as far from
        the control's mean (dotted) as the contrast says that the group is, with the interval of the difference; where
        the contrast allows for pairs, blocks or covariates that is not the group's own mean. Of a trend, the line has
        its slope, and the band that of its interval. p is `p_moderated`, else `p_t`.

    Raises
    ------
    DataError
        If columns are missing, the table is of several methods, or none of its contrasts is about these groups.
    """
    need(contrasts, ["signature", "contrast", "difference", "low", "high", "p_t"])
    by = contrasts["method"].unique() if "method" in contrasts else ()
    if len(by) > 1:
        raise DataError(f"The contrasts are of the methods {examples(by)}; hand over those of one.")
    scores, table = scores_and_obs(data, obs, method, signatures)
    kinds, found = groups_of(table, groupby)
    levels = _levels(contrasts, found, order)
    told = [_about(str(c), levels) for c in contrasts["contrast"]]
    if not any(told):
        raise DataError(
            f"No contrast is about groups of {groupby} ({examples(found)}); they are "
            f"{examples(contrasts['contrast'].unique())}."
        )
    chosen = st.palette(levels, colours)
    joined = None if pair is None else _pairs(table, pair)
    count = scores.shape[1]
    side = min(columns, count)
    down = -(-count // side)
    aslant = max(map(len, levels)) > 0.85 * width / side / len(levels) / 1.1
    with st.page(width if count > 1 else width / 2, 10 + 46 * down + 12 * aslant * down, title) as fig:
        axes = fig.subplots(down, side, squeeze=False)
        for k, ax in enumerate(axes.flat):
            if k >= count:
                ax.set_visible(False)
                continue
            name = str(scores.columns[k])
            values = scores.iloc[:, k]
            if joined is not None:
                _join(ax, values, kinds, joined, levels)
            _points(ax, values, kinds, levels, chosen, aside=joined is None)
            rows = contrasts[(contrasts["signature"].astype(str) == name).to_numpy()]
            notes = _differences(ax, rows, values, kinds, levels)
            head = st.wrap((labels or {}).get(name, name), max(14, round(100 / side)))
            ax.set_title("\n".join([head, *notes]), fontsize=5.5, fontweight="normal")
            counts = [int((values.notna() & (kinds == g)).sum()) for g in levels]
            between = " (" if aslant else "\n"
            text = [f"{st.shorten(g, 20)}{between}{n}{')' * aslant}" for g, n in zip(levels, counts, strict=True)]
            ax.set_xticks(range(len(levels)), text, rotation=90 if aslant else 0)
            ax.set_xlim(-0.5, len(levels) - 0.4)
            ax.locator_params(axis="y", nbins=5)
            ax.tick_params(axis="x", length=0)
        fig.supylabel(ylabel, fontsize=7)
    return fig


def _levels(contrasts: pd.DataFrame, found: list[str], order: Sequence[str]) -> list[str]:
    """Return the groups from left to right."""
    if order:
        absent = [g for g in order if g not in found]
        if absent:
            raise DataError(f"No observation is in group {examples(map(repr, absent))}; there are {examples(found)}.")
        return [str(g) for g in order]
    for name in map(str, contrasts["contrast"]):
        steps = name.removeprefix(_TREND).split(" < ")
        if name.startswith(_TREND) and set(steps) <= set(found):
            return steps
    for name in map(str, contrasts["contrast"]):
        if (told := _about(name, found)) and told[1]:
            return [told[1], *(g for g in found if g != told[1])]
    return found


def _about(contrast: str, levels: Sequence[str]) -> tuple[str, str] | None:
    """Return treated and control of a contrast between these groups, two empty texts for a trend, else None."""
    if contrast.startswith(_TREND):
        return ("", "") if contrast.removeprefix(_TREND).split(" < ") == list(levels) else None
    # A group's own name may hold a dash: every cut is looked at.
    for cut in re.finditer(" - | against ", contrast):
        treated, control = contrast[: cut.start()], contrast[cut.end() :]
        if treated in levels and control in levels:
            return treated, control
        # Of arms: drug against vehicle in ko compares drug in ko with vehicle in ko.
        for inner in re.finditer(" in ", control):
            arm = f"{treated} in {control[inner.end() :]}"
            if arm in levels and control in levels:
                return arm, control
    return None


def _pairs(table: pd.DataFrame, pair: str) -> pd.Series:
    need(table, [pair])
    return table[pair].astype(object)


def _join(ax: Axes, values: pd.Series, kinds: pd.Series, pairs: pd.Series, levels: Sequence[str]) -> None:
    place = {g: i for i, g in enumerate(levels)}
    known = values.notna() & kinds.isin(levels) & pairs.notna()
    lines = pd.DataFrame({"x": kinds[known].map(place), "y": values[known], "pair": pairs[known]}).sort_values("x")
    for _, part in list(lines.groupby("pair", sort=False))[:_MOST_JOINED]:
        if part["x"].nunique() > 1:
            means = part.groupby("x")["y"].mean()
            ax.plot(means.index, means.to_numpy(), color=st.GREY, linewidth=0.5, alpha=0.6, zorder=1)


def _points(
    ax: Axes, values: pd.Series, kinds: pd.Series, levels: Sequence[str], chosen: Mapping[str, str], *, aside: bool
) -> None:
    rng = np.random.default_rng(0)
    for i, group in enumerate(levels):
        own = values[(kinds == group).to_numpy()].dropna().to_numpy(dtype=float)
        jitter = (0.12 if aside and len(own) > 3 else 0.0) * (2 * rng.random(len(own)) - 1)
        ax.scatter(i + jitter, own, s=6, color=chosen[group], alpha=0.75, linewidths=0, zorder=3)
        if len(own):
            ax.hlines(own.mean(), i - 0.2, i + 0.2, color=st.INK, linewidth=1.2, zorder=4)


def _differences(ax: Axes, rows: pd.DataFrame, values: pd.Series, kinds: pd.Series, levels: Sequence[str]) -> list[str]:
    """Draw what the contrasts say of one score, and return it in words."""
    notes, several = [], int(sum(bool((t := _about(str(c), levels)) and t[0]) for c in rows["contrast"])) > 1
    for _, row in rows.iterrows():
        told = _about(str(row["contrast"]), levels)
        if told is None:
            continue
        p = _p(row)
        treated, control = told
        if not treated:
            _trend(ax, row, values, kinds, levels)
            notes.append(f"{_interval(row)} per step, {st.p_text(p)}")
            continue
        base = values[(kinds == control).to_numpy()].mean()
        ax.axhline(base, color=st.INK, linewidth=0.5, linestyle=":", zorder=0)
        at = levels.index(treated) + 0.32
        if np.isfinite(row["low"]):
            ax.vlines(at, base + row["low"], base + row["high"], color=st.INK, linewidth=0.9, zorder=4)
        ax.plot([at], [base + row["difference"]], marker="D", markersize=3, color=st.INK, zorder=5)
        if several:
            ax.annotate(
                st.p_text(p), (levels.index(treated), 1.0), xycoords=("data", "axes fraction"), ha="center", va="top",
                fontsize=4.5,
            )  # fmt: skip
        else:
            notes.append(f"{_interval(row)}, {st.p_text(p)}")
    if several:
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.12 * (high - low))
    return notes


def _trend(ax: Axes, row: pd.Series, values: pd.Series, kinds: pd.Series, levels: Sequence[str]) -> None:
    x = kinds.map({g: float(i) for i, g in enumerate(levels)})
    known = x.notna() & values.notna()
    middle, centre = float(x[known].mean()), float(values[known].mean())
    ends = np.array([0.0, len(levels) - 1.0])
    ax.plot(ends, centre + row["difference"] * (ends - middle), color=st.INK, linewidth=0.9, zorder=2)
    if np.isfinite(row["low"]):
        sides = np.sort(centre + np.outer([row["low"], row["high"]], [ends[0] - middle, 0.0, ends[1] - middle]), axis=0)
        ax.fill_between([ends[0], middle, ends[1]], sides[0], sides[1], color=st.INK, alpha=0.1, linewidth=0, zorder=0)


def _interval(row: pd.Series) -> str:
    decimals = 3 if abs(row["difference"]) < 0.1 else 2
    text = st.signed(row["difference"], decimals)
    if not np.isfinite(row["low"]):
        return text
    return f"{text} ({st.signed(row['low'], decimals)} to {st.signed(row['high'], decimals)})"


def _p(row: pd.Series) -> float:
    moderated = float(row.get("p_moderated", np.nan))
    return moderated if np.isfinite(moderated) else float(row["p_t"])

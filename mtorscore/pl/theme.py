"""House style of all figures: sizes in millimetres, fonts, colour-blind-safe colours."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore._atomic import atomic
from mtorscore.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

SINGLE, ONE_AND_A_HALF, DOUBLE = 89.0, 120.0, 183.0
"""Widths in mm of one, one and a half and two columns of most journals."""

# Okabe and Ito, "Color universal design" (2008): told apart with any common colour vision.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW, GREY, INK = "#E69F00", "#56B4E9", "#F0E442", "#7A7A7A", "#222222"
ON_LIGHT = "#262626"
"""Text upon a coloured cell: it stays dark where a page draws `INK` in its own colour."""
CYCLE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY, YELLOW)
KINDS: dict[str, str] = {
    "tumour": VERMILLION, "normal": BLUE, "recurrent": PURPLE, "metastasis": ORANGE, "unknown": GREY,
    "low": BLUE, "high": VERMILLION, "middle": GREY,
}  # fmt: skip
_FONTS = ("Arial", "Helvetica", "Liberation Sans", "DejaVu Sans")


@lru_cache(maxsize=1)
def _fonts() -> list[str]:
    from matplotlib.font_manager import fontManager

    known = {f.name for f in fontManager.ttflist}
    return [f for f in _FONTS if f in known] or ["sans-serif"]


@contextmanager
def style(size: float = 7.0) -> Iterator[None]:
    """Draw within the house style; nothing outside the block is changed.

    Parameters
    ----------
    size
        Font size in points.

    Yields
    ------
    None
        Nothing; the style holds inside the block.
    """
    import matplotlib as mpl

    settings: dict[str, Any] = {
        "font.family": _fonts(), "font.size": size, "axes.titlesize": size + 0.5, "axes.labelsize": size,
        "xtick.labelsize": size - 0.5, "ytick.labelsize": size - 0.5, "legend.fontsize": size - 0.5,
        "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.spines.top": False,
        "axes.spines.right": False, "axes.linewidth": 0.6, "axes.edgecolor": INK, "axes.labelcolor": INK,
        "text.color": INK, "xtick.color": INK, "ytick.color": INK, "xtick.major.width": 0.6,
        "ytick.major.width": 0.6, "xtick.major.size": 2.5, "ytick.major.size": 2.5, "lines.linewidth": 1.1,
        "legend.frameon": False, "legend.handlelength": 1.4, "text.parse_math": False, "figure.facecolor": "none",
        "axes.facecolor": "none", "savefig.facecolor": "none", "pdf.fonttype": 42, "svg.fonttype": "none",
        "patch.linewidth": 0.6, "axes.unicode_minus": True,
    }  # fmt: skip
    with mpl.rc_context(settings), warnings.catch_warnings():  # type: ignore[arg-type]
        # A name in a script or with a symbol that our fonts lack: text stays text, and the reader's fonts draw it.
        warnings.filterwarnings("ignore", r"(Glyph|Matplotlib currently does not support)", UserWarning)
        yield


def figure(width: float, height: float) -> Figure:
    """Return an empty figure that no global registry holds.

    Parameters
    ----------
    width, height
        Millimetres.

    Returns
    -------
    matplotlib.figure.Figure
        With an automatic ("constrained") layout.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width / 25.4, height / 25.4), layout="constrained", dpi=150)


@contextmanager
def page(width: float, height: float, title: str = "") -> Iterator[Figure]:
    """Draw a figure of several axes within the house style.

    Parameters
    ----------
    width, height
        Millimetres.
    title
        Above the figure.

    Yields
    ------
    matplotlib.figure.Figure
        Empty; the title is added when the block ends.
    """
    with style():
        fig = figure(width, height)
        yield fig
        if title:
            fig.suptitle(title, x=0.0, ha="left", fontweight="bold", fontsize=8)


@contextmanager
def canvas(ax: Axes | None, width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """Draw into one pair of axes within the house style: the caller's, or those of a new figure.

    Parameters
    ----------
    ax
        Axes of the caller's own figure, or None.
    width, height
        Millimetres of a new figure.

    Yields
    ------
    figure, axes
        Where to draw.

    Raises
    ------
    DataError
        If the axes belong to no figure.
    """
    from matplotlib.figure import Figure

    with style():
        if ax is None:
            fig = figure(width, height)
            yield fig, fig.add_subplot()
            return
        # The figure that a subfigure is part of; get_figure(root=True) says the same since matplotlib 3.10.
        found = getattr(ax.get_figure(), "figure", None)
        if not isinstance(found, Figure):
            raise DataError("The axes belong to no figure; make them with figure.add_subplot.")
        yield found, ax


def rows(ax: Axes, labels: Sequence[str]) -> None:
    """Label horizontal rows from top to bottom, without an axis line."""
    ax.set_yticks(range(len(labels)), list(labels))
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def bare(ax: Axes) -> None:
    """Remove the frame and the tick marks; the labels stay."""
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def palette(groups: Sequence[str], colours: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return one colour per group: those with a meaning keep theirs, the others follow the cycle.

    Parameters
    ----------
    groups
        Names, in order.
    colours
        Colours that the caller prefers.

    Returns
    -------
    dict
        Group -> colour.
    """
    chosen = {g: (colours or {}).get(g, KINDS.get(g, "")) for g in groups}
    free = [c for c in CYCLE if c not in chosen.values()] or list(CYCLE)
    rest = [g for g in groups if not chosen[g]]
    return chosen | {g: free[i % len(free)] for i, g in enumerate(rest)}


def diverging() -> Colormap:
    """Return the colour scale of signed values: blue below 0, white, red-brown above."""
    from matplotlib.colors import LinearSegmentedColormap

    steps = ["#1B4F8A", "#4A8CC4", "#A9CBE5", "#F7F7F7", "#F4B183", "#D9662B", "#8C2D04"]
    return LinearSegmentedColormap.from_list("mtorscore_diverging", steps)


def with_missing(scale: Colormap) -> Colormap:
    """Return a colour scale in which missing values are grey: white would look like an average one."""
    return scale.with_extremes(bad="#DADADA")


def sequential() -> Colormap:
    """Return the colour scale of amounts: light to dark blue, even in lightness."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("mtorscore_sequential", ["#F3F6FA", "#9CC3E3", "#3B83BD", "#0B3C6B"])


def shorten(text: object, most: int = 34) -> str:
    """Return a label that fits: control characters out, the middle cut where it is long.

    Parameters
    ----------
    text
        Any label.
    most
        Characters kept.

    Returns
    -------
    str
        At most `most` characters.
    """
    plain = "".join(c if c.isprintable() else " " for c in str(text)).strip()
    if len(plain) <= most:
        return plain
    head = (most - 1) * 2 // 3
    return f"{plain[:head]}…{plain[-(most - 1 - head) :]}"


def wrap(text: object, most: int = 20) -> str:
    """Return a label on at most two lines, broken at an underscore or space where there is one.

    Parameters
    ----------
    text
        Any label.
    most
        Characters per line.

    Returns
    -------
    str
        With a line break where it is needed.
    """
    plain = shorten(text, 2 * most)
    if len(plain) <= most:
        return plain
    breaks = [i + 1 for i, c in enumerate(plain[:most]) if c in "_ -" and len(plain) - i - 1 <= most]
    cut = breaks[-1] if breaks else most
    return f"{plain[:cut].rstrip()}\n{shorten(plain[cut:].lstrip(), most)}"


def ratio_text(value: float, low: float, high: float) -> str:
    """Return a ratio with its interval as it is printed: ``1.28 (0.97–1.69)``.

    Parameters
    ----------
    value, low, high
        The ratio and the ends of its interval; where an end is missing, the text says so.

    Returns
    -------
    str
        Very large and very small ends as bounds.
    """
    if math.isnan(low) or math.isnan(high):
        return f"{_ratio(value)} (no interval)"
    return f"{_ratio(value)} ({_ratio(low)}–{_ratio(high)})"


def _ratio(value: float) -> str:
    if value > 1000:
        return "> 1000"
    if 0 <= value < 0.005:
        return "< 0.01"
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def counted(n: int, what: str) -> str:
    """Return a number with its noun, in the plural unless it is one."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def many(ax: Axes, n: int, **where: Any) -> None:
    """Place the legend inside the axes, or beside them where it would cover the curves.

    Parameters
    ----------
    ax
        Axes with labelled curves.
    n
        How many there are.
    **where
        What `Axes.legend` gets where they are few.
    """
    if n <= 4:
        ax.legend(**where)
    else:
        ax.legend(
            loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=5.5, borderaxespad=0.2,
            **{k: v for k, v in where.items() if k == "handles"},
        )  # fmt: skip


def p_text(p: float, name: str = "p") -> str:
    """Return a p value as it is printed: ``p = 0.013``, ``p < 0.0001``, or that it is missing."""
    if math.isnan(p):
        return f"{name} not available"
    if p < 1e-4:
        return f"{name} < 0.0001"
    return f"{name} = {p:.2g}" if p < 0.1 else f"{name} = {p:.2f}"


def signed(value: float, decimals: int = 2, *, plus: bool = True) -> str:
    """Return a number with a typographic minus sign, and a plus sign where asked; a zero has no sign."""
    rounded = round(value, decimals)
    sign = "\u2212" if rounded < 0 else "+" if rounded > 0 and plus else ""
    return f"{sign}{abs(rounded):.{decimals}f}"


def save(fig: Figure, path: str | Path, *, dpi: int = 300) -> Path:
    """Write a figure atomically, in the format of the path's suffix.

    Parameters
    ----------
    fig
        A figure of this module.
    path
        ``.svg`` and ``.pdf`` stay vector with text as text; ``.png`` is written at `dpi`.
    dpi
        Dots per inch of raster parts.

    Returns
    -------
    pathlib.Path
        The file.
    """
    path = Path(path)
    with atomic(path) as temporary, style():
        fig.savefig(temporary, dpi=dpi, bbox_inches="tight", pad_inches=0.02, facecolor="white")
    return path

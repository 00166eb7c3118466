"""Figures as inline SVG in the page's colours."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from mtorscore.errors import DataError
from mtorscore.pl import theme as st
from mtorscore.report.data.run_files import Cohort

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Drawer", "Picture", "small_multiples", "to_svg"]


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Attributes
    ----------
    key
        Unique on the page.
    kind
        What it shows, such as ``"heatmap"``: the interactive layer replaces it by kind.
    svg
        Inline SVG; empty where there is nothing to draw.
    alt
        What a reader who cannot see it needs to know.
    caption
        Below it.
    empty
        Why there is nothing, where there is nothing.
    endpoint
        The endpoint, for figures that have one.
    """

    key: str
    kind: str
    svg: str
    alt: str
    caption: str
    empty: str = ""
    endpoint: str = ""


@dataclass(frozen=True)
class Drawer:
    """Data of one cohort's static figures."""

    cohort: Cohort
    method: str
    scores: pd.DataFrame
    shown: list[str]
    branches: dict[str, str]

    def picture(self, kind: str, make: Callable[[], Figure], alt: str, caption: str, endpoint: str = "") -> Picture:
        """Draw a figure as SVG, or say why it cannot be drawn."""
        key = f"{kind}-{self.cohort.name}-{endpoint}"
        try:
            svg = to_svg(make(), key, alt)
        except DataError as error:
            return self.none(kind, str(error), endpoint)
        return Picture(key, kind, svg, alt, caption, endpoint=endpoint)

    def none(self, kind: str, why: str, endpoint: str = "") -> Picture:
        """Return a placeholder with its reason."""
        return Picture(f"{kind}-{self.cohort.name}-{endpoint}", kind, "", "", "", why, endpoint)


@contextmanager
def small_multiples(names: Sequence[str], height: float) -> Iterator[tuple[Figure, list[Any]]]:
    """Draw one small panel per name, at most four side by side.

    Parameters
    ----------
    names
        Titles of the panels, which are set when the block ends.
    height
        Millimetres of a row.

    Yields
    ------
    figure, axes
        One pair of axes per name.
    """
    columns = min(4, len(names))
    down = -(-len(names) // columns)
    with st.style(6.0):
        fig = st.figure(st.DOUBLE, height * down)
        axes = list(fig.subplots(down, columns, squeeze=False).flat)
        for ax in axes[len(names) :]:
            ax.set_visible(False)
        yield fig, axes[: len(names)]
        for ax, name in zip(axes, names, strict=False):
            ax.set_title(st.wrap(name, 24), fontsize=5.5)


def to_svg(fig: Figure, key: str, alt: str) -> str:
    """Return a figure as inline SVG whose text and lines take the page's colour.

    Parameters
    ----------
    fig
        Any figure of `mtorscore.pl`.
    key
        Prefix of every id, so that several figures share a page.
    alt
        Its accessible name.

    Returns
    -------
    str
        ``<svg ...>``; matplotlib has escaped all text in it.
    """
    import matplotlib as mpl
    from markupsafe import escape

    buffer = io.StringIO()
    with st.style(), mpl.rc_context({"svg.hashsalt": key}):
        fig.savefig(
            buffer, format="svg", dpi=150,
            metadata={"Date": None, "Creator": None},
        )  # fmt: skip
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    prefix = re.sub(r"[^A-Za-z0-9_-]", "_", key)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}--\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}--\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}--\1)", svg)
    svg = svg.replace(st.INK.lower(), "currentColor").replace("#000000", "currentColor")
    # Orange and blue are the page's, which are lighter upon a dark ground.
    svg = svg.replace(st.VERMILLION.lower(), "var(--tumour)").replace(st.BLUE.lower(), "var(--normal)")
    svg = re.sub(r"font: ([^;\"]*?)(\d[\d.]*px) [^;\"]*", r"font: \1\2 var(--sans)", svg)
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups()  # type: ignore[union-attr]
    head = (
        f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 {width} {height}" '
        f'style="--w:{float(width):.0f}" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return head + svg[svg.index(">") + 1 :]

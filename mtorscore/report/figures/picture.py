"""What a figure of a cohort is: how it is drawn, its caption, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from mtorscore.pl import theme as st
from mtorscore.report.data.run_files import Cohort

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Drawer", "Picture", "small_multiples"]


@dataclass(frozen=True)
class Picture:
    """A figure of a cohort for papers.

    Attributes
    ----------
    kind
        What it shows, such as ``"heatmap"``.
    make
        Draws it; None where there is nothing to draw.
    alt
        What a reader who cannot see it needs to know.
    caption
        Below it.
    empty
        Why there is nothing, where there is nothing.
    endpoint
        The endpoint, for figures that have one.
    """

    kind: str
    make: Callable[[], Figure] | None
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
        """Return a figure that is drawn when it is asked for."""
        return Picture(kind, make, alt, caption, endpoint=endpoint)

    def none(self, kind: str, why: str, endpoint: str = "") -> Picture:
        """Return a placeholder with its reason."""
        return Picture(kind, None, "", "", why, endpoint)


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

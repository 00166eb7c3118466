"""The oncoprint of a cohort: scores of the leading signatures, classes, outcome and alterations."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import pandas as pd

from mtorscore import pl
from mtorscore.errors import DataError
from mtorscore.pl import theme as st
from mtorscore.report.figures.picture import Drawer, Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["as_image", "oncoprint_picture"]


def oncoprint_picture(draw: Drawer) -> Picture:
    """Return the oncoprint, or why there is none."""
    cohort = draw.cohort
    calls = cohort.table("alteration_calls")
    if not len(calls):
        return draw.none("oncoprint", "No table of alterations was given to this run.")
    scores = draw.scores[draw.shown].loc[[o for o in cohort.tumours if o in draw.scores.index]]
    alt = f"Oncoprint of {calls['observation'].nunique()} tumours: scores, classes, outcome, and altered genes."
    caption = (
        "Each column is a tumour, by class and then by the commonest alteration. Grey: profiled and not altered; "
        "white: not profiled. Beside a gene: altered among profiled."
    )

    def make() -> Figure:
        tracks = _tracks(draw, scores.index)
        order = str(tracks.columns[0]) if tracks.shape[1] else "alterations"
        return pl.oncoprint(calls, scores, tracks if tracks.shape[1] else None, order=order)

    return draw.picture("oncoprint", make, alt, caption)


def _tracks(draw: Drawer, index: pd.Index) -> pd.DataFrame:
    """Return classes and the first outcome, where they are known."""
    cohort = draw.cohort
    tracks: dict[str, pd.Series] = {}
    classes = cohort.table("classes")
    for scheme, part in classes.groupby("scheme") if len(classes) else ():
        tracks[str(scheme)] = part.set_index("observation")["class"].reindex(index)
    for endpoint in cohort.endpoints[:1]:
        tracks[endpoint] = cohort.obs[endpoint].reindex(index)
    table = pd.DataFrame(tracks, index=index)
    return table[[c for c in table if table[c].notna().any()]]


def as_image(picture: Picture) -> str:
    """Return a figure as the address of an image that needs no file; "" where nothing can be drawn."""
    if picture.make is None:
        return ""
    buffer = io.BytesIO()
    try:
        figure = picture.make()
    except DataError:
        return ""
    with st.style():
        figure.savefig(buffer, format="svg", dpi=150, facecolor="white", metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"

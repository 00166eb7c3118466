"""The static figures of a report: drawn by `mtorscore.pl`, turned into inline SVG that follows the page's colours."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtorscore import pl
from mtorscore.errors import DataError
from mtorscore.pl.theme import BLUE, INK, VERMILLION, p_text, wrap
from mtorscore.report.data.described import Described
from mtorscore.report.data.run_files import Cohort

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Drawer", "Picture", "cohort_pictures", "combined_picture"]

_MODELS = ("unadjusted", "adjusted for proliferation")
_STATIC_ENDPOINTS = 2


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


def cohort_pictures(
    cohort: Cohort, method: str | None, described: dict[str, Described], leads: list[str]
) -> dict[str, Picture]:
    """Draw the static figures of a cohort by its first method.

    Parameters
    ----------
    cohort
        Results.
    method
        The method whose scores are drawn; None where there are none.
    described
        Signature -> description.
    leads
        Signatures of the overview figures.

    Returns
    -------
    dict
        Kind (and endpoint) -> picture; what cannot be drawn is there with the reason.
    """
    scores = cohort.scores.get(method or "", pd.DataFrame(index=cohort.obs.index))
    shown = [n for n in leads if n in scores.columns and scores[n].notna().any()]
    shown = shown or [n for n in scores.columns if scores[n].notna().any()][:20]
    from mtorscore.report.figures.cells import cell_pictures
    from mtorscore.report.figures.drug_templates import drug_picture
    from mtorscore.report.figures.prediction import null_picture, prediction_pictures

    draw = Drawer(cohort, method or "", scores, shown, {n: d.branch for n, d in described.items()})
    pictures = [draw.flow(), draw.coverage(), draw.heatmap(), draw.violin(), draw.landscape(), draw.correlation()]
    pictures += [draw.gsea()]
    pictures += [draw.forest(endpoint) for endpoint in cohort.endpoints[:_STATIC_ENDPOINTS]]
    pictures += [draw.km(endpoint) for endpoint in cohort.endpoints[:1]]
    pictures += [null_picture(draw, endpoint) for endpoint in cohort.endpoints[:1]]
    pictures += [*prediction_pictures(draw), *cell_pictures(draw), drug_picture(draw)]
    return {p.kind if not p.endpoint else f"{p.kind}:{p.endpoint}": p for p in pictures}


@dataclass(frozen=True)
class Drawer:
    """What the static figures of one cohort are drawn from."""

    cohort: Cohort
    method: str
    scores: pd.DataFrame
    shown: list[str]
    branches: dict[str, str]

    def flow(self) -> Picture:
        """Show how many samples were read and how many are analysed."""
        table = self.cohort.flow
        if "step" not in table or "samples" not in table or not len(table):
            return self.none("flow", "The steps from samples read to samples analysed were not recorded.")
        first, last = int(table["samples"].iloc[0]), int(table["samples"].iloc[-1])
        alt = f"Flow chart: {first} samples read, {last} analysed."
        return self.picture("flow", lambda: pl.flow(table), alt, "From samples read to samples analysed.")

    def coverage(self) -> Picture:
        """Share of each signature found in the matrix."""
        table = self.cohort.table("coverage")
        known = [n for n in self.shown if "signature" in table and n in set(table["signature"].astype(str))]
        if not known:
            return self.none("coverage", self.cohort.missing.get("coverage", "No coverage was recorded."))
        low = [n for n in known if not float(table.set_index("signature").loc[n, "coverage"]) >= 0.5]
        alt = f"Bars of the share of genes found for {len(known)} signatures; {len(low)} have less than half."
        caption = "Share of each signature's genes that the matrix holds. The table lists every signature."
        return self.picture("coverage", lambda: pl.coverage(table, signatures=known), alt, caption)

    def heatmap(self) -> Picture:
        """Scores by sample."""
        if not self.shown:
            return self.none("heatmap", self.cohort.missing.get("scores", "There are no scores to draw."))
        alt = f"Heat map of {len(self.shown)} signatures over {len(self.scores)} observations, with clinical tracks."
        caption = "One signature per branch, fixed in advance, then confounders; standardised over what is shown."
        return self.picture(
            "heatmap",
            lambda: pl.heatmap(self.scores, self.cohort.obs, signatures=self.shown, branches=self.branches),
            alt,
            caption,
        )

    def violin(self) -> Picture:
        """Scores by group."""
        by = self.cohort.group
        if not self.shown or by not in self.cohort.obs:
            return self.none("violin", "There are no scores, or the samples' types are not known.")
        groups = self.cohort.obs[by].astype(str).value_counts()
        alt = "Distributions of scores: " + ", ".join(f"{n} {k}" for k, n in groups.head(12).items()) + "."
        return self.picture(
            "violin", lambda: pl.violin(self.scores, self.cohort.obs, signatures=self.shown, groupby=by), alt,
            f"Scores by {by.replace('_', ' ')}: every {self.cohort.unit}, the quartiles and the shape.",
        )  # fmt: skip

    def landscape(self) -> Picture:
        """Tumours against normal tissue."""
        if self.cohort.cells:
            return self.none("landscape", "Single cells: there is no normal tissue to compare tumours with.")
        if not self.shown or self.cohort.count("normal") < 3:
            count = self.cohort.count("normal")
            return self.none("landscape", f"{count} normal sample(s): a contrast with normal tissue needs at least 3.")
        caption = (
            f"Tumours on the scale of {self.cohort.count('normal')} normal samples: median, middle half and middle "
            "90%. The contrast mixes activity with lineage and cell composition; adjacent liver is often cirrhotic."
        )
        return self.picture(
            "landscape",
            lambda: pl.landscape(self.scores, self.cohort.obs, signatures=self.shown, branches=self.branches),
            f"Intervals of {len(self.shown)} scores of tumours in standard deviations of normal samples.",
            caption,
        )

    def correlation(self) -> Picture:
        """Correlation between scores."""
        tumours = self.scores.loc[self.cohort.tumours]
        what = "cells" if self.cohort.cells else "tumours"
        if len(self.shown) < 2 or len(tumours) < 3:
            return self.none("correlation", "A correlation needs two signatures and three tumours.")
        return self.picture(
            "correlation", lambda: pl.correlation(tumours, signatures=self.shown),
            f"Matrix of Spearman correlations between {len(self.shown)} scores over {len(tumours)} {what}.",
            f"Spearman's correlation between scores over {len(tumours)} {what}; some signatures share genes.",
        )  # fmt: skip

    def gsea(self) -> Picture:
        """Gene set enrichment between groups."""
        table = self.cohort.table("gsea")
        if not {"comparison", "contrast", "signature", "nes", "q"} <= set(table.columns):
            return self.none("gsea", self.cohort.missing.get("gsea", "No enrichment was computed."))
        rows = table[table["comparison"] == table["comparison"].iloc[0]]
        own = rows[rows["signature"].isin(self.shown)]
        rows = own if len(own) else rows
        contrast = str(rows["contrast"].iloc[0])
        tested = int(rows["nes"].notna().sum())
        return self.picture(
            "gsea", lambda: pl.gsea(rows),
            f"Normalised enrichment scores of {tested} gene sets, {contrast}.",
            f"Normalised enrichment score, {contrast}: filled where the false discovery rate is below 5%. One "
            "signature per branch, fixed in advance; up genes in orange, down genes, which fall with what the "
            "signature measures, in blue. The table lists all comparisons.",
        )  # fmt: skip

    def forest(self, endpoint: str) -> Picture:
        """Effects on an endpoint."""
        table = self.cohort.table("associations")
        if not {"method", "endpoint", "signature", "hr", "model"} <= set(table.columns):
            return self.none("forest", self.cohort.missing.get("associations", "No associations."), endpoint)
        rows = table[(table["method"] == self.method) & (table["endpoint"] == endpoint)]
        rows = rows[rows["signature"].isin(self.shown)].copy()
        rows["shown model"] = model_names(rows)
        rows = rows[rows["shown model"].isin(_MODELS)]
        if not len(rows):
            return self.none("forest", f"There is no association with {endpoint} to draw.", endpoint)
        n, events = int(rows["n"].max()), int(rows["events"].max())
        rows["signature"] = pd.Categorical(rows["signature"], self.shown)
        rows = rows.sort_values("signature")
        models = [m for m in _MODELS if (rows["shown model"] == m).any()]
        caption = (
            f"Hazard ratios per SD for {endpoint}: {n} patients, {events} events. Hollow: not to be trusted, see the "
            "reason in the table. Values above 1 mean a worse outcome with a higher score."
        )
        alt = f"Forest plot of hazard ratios of {rows['signature'].nunique()} signatures for {endpoint}."
        return self.picture(
            "forest", lambda: pl.forest(rows, groupby="shown model", groups=models), alt, caption, endpoint
        )

    def km(self, endpoint: str) -> Picture:
        """Kaplan-Meier curves of an endpoint."""
        from mtorscore.prognosis import Endpoint, kaplan_meier

        clinical = self.cohort.obs.loc[self.cohort.tumours]
        shown = [n for n in self.shown if self.branches.get(n) != "confounder"][:12]
        if not shown:
            return self.none("km", "There are no scores to draw.", endpoint)
        one = Endpoint.survival(time=f"{endpoint}.time", event=endpoint, unit="days", name=endpoint)
        curves = kaplan_meier(self.scores.loc[clinical.index, shown], clinical, one)
        if not len(curves):
            return self.none("km", f"No score splits the patients of {endpoint} into two groups.", endpoint)
        alt = f"Kaplan-Meier curves of {endpoint} above and below the median of {len(shown)} signatures."
        caption = (
            f"{endpoint}: patients above (orange) and at or below (blue) the median of the score, one signature per "
            "branch, fixed in advance. The p values are not adjusted for the number of panels."
        )
        return self.picture("km", lambda: _km_grid(curves, shown), alt, caption, endpoint)

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


def combined_picture(across: pd.DataFrame, methods: list[str], leads: list[str]) -> Picture:
    """Draw the combined hazard ratios of one signature per branch, for the first method and endpoint."""
    rows = across[across["method"] == methods[0]] if len(across) and methods else across
    rows = rows[rows["signature"].isin(leads)] if len(rows) else rows
    if not len(rows):
        return Picture("combined", "combined", "", "", "")
    endpoint = str(rows["endpoint"].iloc[0])
    rows = rows[rows["endpoint"] == endpoint].copy()
    rows["signature"] = pd.Categorical(rows["signature"], [n for n in leads if n in set(rows["signature"])])
    rows = rows.sort_values("signature")
    alt = f"Forest plot of combined hazard ratios of {len(rows)} signatures for {endpoint}."
    caption = f"{endpoint}, {methods[0]}: hazard ratios per SD combined over cohorts, unadjusted."
    return Picture("combined", "combined", to_svg(pl.forest(rows), "combined", alt), alt, caption, endpoint=endpoint)


def model_names(rows: pd.DataFrame) -> pd.Series:
    """Return each row's model in words: ``unadjusted`` or ``adjusted for X``."""
    by = rows["adjusted_for"] if "adjusted_for" in rows else pd.Series("", index=rows.index)
    words = "adjusted for " + by.fillna("").astype(str).str.replace("_", " ")
    return words.where(rows["model"] != "unadjusted", "unadjusted")


def _km_grid(curves: pd.DataFrame, shown: list[str]) -> Figure:
    """Small multiples: one panel per signature, the numbers at risk below each."""
    from mtorscore.pl.theme import DOUBLE, figure, style

    present = [n for n in shown if (curves["signature"] == n).any()]
    columns = min(4, len(present))
    down = -(-len(present) // columns)
    with style(6.0):
        fig = figure(DOUBLE, 50 * down)
        axes = fig.subplots(down, columns, squeeze=False)
        for ax in axes.flat[len(present) :]:
            ax.set_visible(False)
        for ax, name in zip(axes.flat, present, strict=False):
            part = curves[curves["signature"] == name]
            pl.km(part.drop(columns=["n", "n_censor", "logrank_p"], errors="ignore"), ax=ax, interval=False)
            ax.set_title(wrap(name, 24), fontsize=5.5)
            ax.get_legend().remove()
            p = float(part["logrank_p"].iloc[0]) if "logrank_p" in part else np.nan
            ax.text(0.03, 0.04, p_text(p), transform=ax.transAxes, fontsize=5.5)
            ax.set_ylabel("surviving" if ax.get_subplotspec().is_first_col() else "")
    return fig


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

    from mtorscore.pl.theme import style

    buffer = io.StringIO()
    with style(), mpl.rc_context({"svg.hashsalt": key}):
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
    svg = svg.replace(INK.lower(), "currentColor").replace("#000000", "currentColor")
    # Orange and blue are the page's, which are lighter upon a dark ground.
    svg = svg.replace(VERMILLION.lower(), "var(--tumour)").replace(BLUE.lower(), "var(--normal)")
    svg = re.sub(r"font: ([^;\"]*?)(\d[\d.]*px) [^;\"]*", r"font: \1\2 var(--sans)", svg)
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups()  # type: ignore[union-attr]
    head = (
        f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 {width} {height}" '
        f'style="--w:{float(width):.0f}" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return head + svg[svg.index(">") + 1 :]

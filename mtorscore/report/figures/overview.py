"""The overview figures of a cohort: coverage, scores, associations and survival curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtorscore import pl
from mtorscore.pl import theme as st
from mtorscore.report.data.described import Described
from mtorscore.report.data.run_files import Cohort
from mtorscore.report.figures.cells import cell_pictures
from mtorscore.report.figures.drug_templates import drug_picture
from mtorscore.report.figures.oncoprint import oncoprint_picture
from mtorscore.report.figures.picture import Drawer, Picture, small_multiples
from mtorscore.report.figures.prediction import null_picture, prediction_pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["cohort_pictures", "combined_picture", "model_names"]

_MODELS = ("unadjusted", "adjusted for proliferation")
_STATIC_ENDPOINTS = 2


def cohort_pictures(
    cohort: Cohort, method: str | None, described: dict[str, Described], leads: list[str]
) -> dict[str, Picture]:
    """Return the figures of a cohort by its first method.

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
        Kind (and endpoint) -> picture, drawn when asked for; what cannot be drawn is there with the reason.
    """
    scores = cohort.scores.get(method or "", pd.DataFrame(index=cohort.obs.index))
    shown = [n for n in leads if n in scores.columns and scores[n].notna().any()]
    shown = shown or [n for n in scores.columns if scores[n].notna().any()][:20]
    draw = Drawer(cohort, method or "", scores, shown, {n: d.branch for n, d in described.items()})
    pictures = [_flow(draw), _coverage(draw), _heatmap(draw), _violin(draw), _landscape(draw), _correlation(draw)]
    pictures += [_gsea(draw)]
    pictures += [_forest(draw, endpoint) for endpoint in cohort.endpoints[:_STATIC_ENDPOINTS]]
    pictures += [_km(draw, endpoint) for endpoint in cohort.endpoints[:1]]
    pictures += [null_picture(draw, endpoint) for endpoint in cohort.endpoints[:1]]
    pictures += [oncoprint_picture(draw), *prediction_pictures(draw), *cell_pictures(draw), drug_picture(draw)]
    return {p.kind if not p.endpoint else f"{p.kind}:{p.endpoint}": p for p in pictures}


def _flow(draw: Drawer) -> Picture:
    """Show how many samples were read and how many are analysed."""
    table = draw.cohort.flow
    if "step" not in table or "samples" not in table or not len(table):
        return draw.none("flow", "The steps from samples read to samples analysed were not recorded.")
    first, last = int(table["samples"].iloc[0]), int(table["samples"].iloc[-1])
    alt = f"Flow chart: {first} samples read, {last} analysed."
    return draw.picture("flow", lambda: pl.flow(table), alt, "From samples read to samples analysed.")


def _coverage(draw: Drawer) -> Picture:
    """Share of each signature found in the matrix."""
    table = draw.cohort.table("coverage")
    known = [n for n in draw.shown if "signature" in table and n in set(table["signature"].astype(str))]
    if not known:
        return draw.none("coverage", draw.cohort.missing.get("coverage", "No coverage was recorded."))
    low = [n for n in known if not float(table.set_index("signature").loc[n, "coverage"]) >= 0.5]
    alt = f"Bars of the share of genes found for {len(known)} signatures; {len(low)} have less than half."
    caption = "Share of each signature's genes that the matrix holds. The table lists every signature."
    return draw.picture("coverage", lambda: pl.coverage(table, signatures=known), alt, caption)


def _heatmap(draw: Drawer) -> Picture:
    """Scores by sample."""
    if not draw.shown:
        return draw.none("heatmap", draw.cohort.missing.get("scores", "There are no scores to draw."))
    alt = f"Heat map of {len(draw.shown)} signatures over {len(draw.scores)} observations, with clinical tracks."
    caption = "One signature per branch, fixed in advance, then confounders; standardised over what is shown."
    return draw.picture(
        "heatmap",
        lambda: pl.heatmap(draw.scores, draw.cohort.obs, signatures=draw.shown, branches=draw.branches),
        alt,
        caption,
    )


def _violin(draw: Drawer) -> Picture:
    """Scores by group."""
    by = draw.cohort.group
    if not draw.shown or by not in draw.cohort.obs:
        return draw.none("violin", "There are no scores, or the samples' types are not known.")
    groups = draw.cohort.obs[by].astype(str).value_counts()
    alt = "Distributions of scores: " + ", ".join(f"{n} {k}" for k, n in groups.head(12).items()) + "."
    return draw.picture(
        "violin", lambda: pl.violin(draw.scores, draw.cohort.obs, signatures=draw.shown, groupby=by), alt,
        f"Scores by {by.replace('_', ' ')}: every {draw.cohort.unit}, the quartiles and the shape.",
    )  # fmt: skip


def _landscape(draw: Drawer) -> Picture:
    """Tumours against normal tissue."""
    if draw.cohort.cells:
        return draw.none("landscape", "Single cells: there is no normal tissue to compare tumours with.")
    by = draw.cohort.group
    if by in ("comparison_group", "comparison_arm") and draw.cohort.obs[by].nunique() > 2:
        return draw.none("landscape", "Several groups: see how they compare in the section on groups.")
    if not draw.shown or draw.cohort.count("normal") < 3:
        count = draw.cohort.count("normal")
        return draw.none("landscape", f"{count} normal sample(s): a contrast with normal tissue needs at least 3.")
    caption = (
        f"Tumours on the scale of {draw.cohort.count('normal')} normal samples: median, middle half and middle "
        "90%. The contrast mixes activity with lineage and cell composition; adjacent liver is often cirrhotic."
    )
    return draw.picture(
        "landscape",
        lambda: pl.landscape(draw.scores, draw.cohort.obs, signatures=draw.shown, branches=draw.branches),
        f"Intervals of {len(draw.shown)} scores of tumours in standard deviations of normal samples.",
        caption,
    )


def _correlation(draw: Drawer) -> Picture:
    """Correlation between scores."""
    tumours = draw.scores.loc[draw.cohort.tumours]
    what = "cells" if draw.cohort.cells else "tumours"
    if len(draw.shown) < 2 or len(tumours) < 3:
        return draw.none("correlation", "A correlation needs two signatures and three tumours.")
    return draw.picture(
        "correlation", lambda: pl.correlation(tumours, signatures=draw.shown),
        f"Matrix of Spearman correlations between {len(draw.shown)} scores over {len(tumours)} {what}.",
        f"Spearman's correlation between scores over {len(tumours)} {what}; some signatures share genes.",
    )  # fmt: skip


def _gsea(draw: Drawer) -> Picture:
    """Gene set enrichment between groups."""
    table = draw.cohort.table("gsea")
    if not {"comparison", "contrast", "signature", "nes", "q"} <= set(table.columns):
        return draw.none("gsea", draw.cohort.missing.get("gsea", "No enrichment was computed."))
    rows = table[table["comparison"] == table["comparison"].iloc[0]]
    own = rows[rows["signature"].isin(draw.shown)]
    rows = own if len(own) else rows
    contrast = str(rows["contrast"].iloc[0])
    tested = int(rows["nes"].notna().sum())
    return draw.picture(
        "gsea", lambda: pl.gsea(rows),
        f"Normalised enrichment scores of {tested} gene sets, {contrast}.",
        f"Normalised enrichment score, {contrast}: filled where the false discovery rate is below 5%. One "
        "signature per branch, fixed in advance; up genes in orange, down genes, which fall with what the "
        "signature measures, in blue. The table lists all comparisons.",
    )  # fmt: skip


def _forest(draw: Drawer, endpoint: str) -> Picture:
    """Effects on an endpoint."""
    table = draw.cohort.table("associations")
    if not {"method", "endpoint", "signature", "hr", "model"} <= set(table.columns):
        return draw.none("forest", draw.cohort.missing.get("associations", "No associations."), endpoint)
    rows = table[(table["method"] == draw.method) & (table["endpoint"] == endpoint)]
    rows = rows[rows["signature"].isin(draw.shown)].copy()
    rows["shown model"] = model_names(rows)
    rows = rows[rows["shown model"].isin(_MODELS)]
    if not len(rows):
        return draw.none("forest", f"There is no association with {endpoint} to draw.", endpoint)
    n, events = int(rows["n"].max()), int(rows["events"].max())
    rows["signature"] = pd.Categorical(rows["signature"], draw.shown)
    rows = rows.sort_values("signature")
    models = [m for m in _MODELS if (rows["shown model"] == m).any()]
    caption = (
        f"Hazard ratios per SD for {endpoint}: {n} patients, {events} events. Hollow: not to be trusted, see the "
        "reason in the table. Values above 1 mean a worse outcome with a higher score."
    )
    alt = f"Forest plot of hazard ratios of {rows['signature'].nunique()} signatures for {endpoint}."
    return draw.picture("forest", lambda: pl.forest(rows, groupby="shown model", groups=models), alt, caption, endpoint)


def _km(draw: Drawer, endpoint: str) -> Picture:
    """Kaplan-Meier curves of an endpoint."""
    from mtorscore.prognosis import Endpoint, kaplan_meier

    clinical = draw.cohort.obs.loc[draw.cohort.tumours]
    shown = [n for n in draw.shown if draw.branches.get(n) != "confounder"][:12]
    if not shown:
        return draw.none("km", "There are no scores to draw.", endpoint)
    competing = f"{endpoint}.competing"
    one = Endpoint.survival(
        f"{endpoint}.time", endpoint, "days", competing=competing if competing in clinical else None, name=endpoint
    )
    curves = kaplan_meier(draw.scores.loc[clinical.index, shown], clinical, one)
    curves = curves[curves["time"].notna()]
    if not len(curves):
        return draw.none("km", f"No score splits the patients of {endpoint} into two groups.", endpoint)
    beside = str(curves["competing"].iloc[0])
    kind = "Cumulative incidence" if beside else "Kaplan-Meier curves"
    alt = f"{kind} of {endpoint} above and below the median of {len(shown)} signatures."
    caption = (
        f"{endpoint}: patients above (orange) and at or below (blue) the median of the score, one signature per "
        "branch, fixed in advance. The p values are not adjusted for the number of panels."
        + (f" {beside}." if beside else "")
    )
    return draw.picture("km", lambda: _km_grid(curves, shown), alt, caption, endpoint)


def combined_picture(across: pd.DataFrame, methods: list[str], leads: list[str]) -> Picture:
    """Draw the combined hazard ratios of one signature per branch, for the first method and endpoint."""
    rows = across[across["method"] == methods[0]] if len(across) and methods else across
    rows = rows[rows["signature"].isin(leads)] if len(rows) else rows
    if not len(rows):
        return Picture("combined", None, "", "", "No hazard ratios were combined.")
    endpoint = str(rows["endpoint"].iloc[0])
    rows = rows[rows["endpoint"] == endpoint].copy()
    rows["signature"] = pd.Categorical(rows["signature"], [n for n in leads if n in set(rows["signature"])])
    rows = rows.sort_values("signature")
    alt = f"Forest plot of combined hazard ratios of {len(rows)} signatures for {endpoint}."
    caption = f"{endpoint}, {methods[0]}: hazard ratios per SD combined over cohorts, unadjusted."
    return Picture("combined", lambda: pl.forest(rows), alt, caption, endpoint=endpoint)


def model_names(rows: pd.DataFrame) -> pd.Series:
    """Return each row's model as text: ``unadjusted`` or ``adjusted for X``."""
    by = rows["adjusted_for"] if "adjusted_for" in rows else pd.Series("", index=rows.index)
    words = "adjusted for " + by.astype(object).fillna("").astype(str).str.replace("_", " ")
    return words.where(rows["model"] != "unadjusted", "unadjusted")


def _km_grid(curves: pd.DataFrame, shown: list[str]) -> Figure:
    """Small multiples: one panel per signature, the numbers at risk below each."""
    present = [n for n in shown if (curves["signature"] == n).any()]
    with small_multiples(present, 50) as (fig, axes):
        for ax, name in zip(axes, present, strict=True):
            part = curves[curves["signature"] == name]
            pl.km(part.drop(columns=["n", "n_censor", "logrank_p"], errors="ignore"), ax=ax, interval=False)
            ax.get_legend().remove()
            p = float(part["logrank_p"].iloc[0]) if "logrank_p" in part else np.nan
            ax.text(0.03, 0.04, st.p_text(p), transform=ax.transAxes, fontsize=5.5)
            ax.set_ylabel(ax.get_ylabel() if ax.get_subplotspec().is_first_col() else "")
    return fig

"""Figures of prediction (calibration, decision curve, random signatures) and their summary in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtorscore import pl
from mtorscore._outcome_terms import DAYS
from mtorscore.pl import theme as st
from mtorscore.report.data.run_files import Cohort
from mtorscore.report.figures.picture import Drawer, Picture, small_multiples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

YEAR = DAYS["years"]
_ORDER = ("clinical", "score", "clinical + score")
_METRICS = {"harrell_c": "Harrell's C", "roc_auc": "AUC"}


def endpoints_predicted(cohort: Cohort) -> list[str]:
    """Return the endpoints whose risks were predicted for held-out patients."""
    table = cohort.table("calibration")
    return [str(e) for e in dict.fromkeys(table["endpoint"])] if "endpoint" in table else []


def predicted_words(cohort: Cohort) -> list[str]:
    """Say per predicted endpoint what calibration and decision curve are of."""
    out = []
    for endpoint in endpoints_predicted(cohort):
        rows = _rows(cohort, "calibration", endpoint)
        n = int(rows.groupby("model")["n"].sum().max()) if "n" in rows else 0
        out.append(
            f"{endpoint}{_by(rows)}: observed against predicted risk in groups of patients of equal size"
            + (f" ({n} patients)" if n else "")
            + ", each predicted by models fitted without them; and net benefit of acting on a predicted risk."
        )
    return out


def prediction_pictures(draw: Drawer) -> list[Picture]:
    """Draw calibration and decision curve of every predicted endpoint."""
    out: list[Picture] = []
    for endpoint in endpoints_predicted(draw.cohort):
        out += [_calibration(draw, endpoint), _decision(draw, endpoint)]
    if not out:
        why = "No risk was predicted: that needs an outcome with at least ten events, and patients followed beyond."
        out = [draw.none("calibration", why)]
    return out


def _rows(cohort: Cohort, name: str, endpoint: str) -> pd.DataFrame:
    table = cohort.table(name)
    return table[table["endpoint"].astype(str) == endpoint].copy() if "endpoint" in table else table


def _by(rows: pd.DataFrame) -> str:
    horizon = pd.to_numeric(rows["horizon"], errors="coerce").dropna()
    return f" by {horizon.iloc[0] / YEAR:g} years" if len(horizon) else ""


def _calibration(draw: Drawer, endpoint: str) -> Picture:
    rows = _rows(draw.cohort, "calibration", endpoint)
    rows["model"] = pd.Categorical(rows["model"], [m for m in _ORDER if (rows["model"] == m).any()])
    rows = rows.dropna(subset=["model"]).sort_values(["model", "group"])
    rows["model"] = rows["model"].astype(str)
    if rows.empty:
        return draw.none("calibration", f"No model of {endpoint} has a calibration.", endpoint)
    by = _by(rows)
    smooth = draw.cohort.table("smooth_calibration")
    if len(smooth):
        smooth = _rows(draw.cohort, "smooth_calibration", endpoint)
    return draw.picture(
        "calibration",
        lambda: _calibration_grid(rows, smooth),
        f"Calibration of the predicted risk of {endpoint}{by}, for {', '.join(dict.fromkeys(rows['model']))}.",
        f"{endpoint}{by}: observed against predicted risk in groups of patients of equal size, each predicted by "
        "models fitted without them"
        + ("; the line is a smooth model of the same with its 95% band" if len(smooth) else "")
        + ". On the dashed line the risks are right; below it they are too high.",
        endpoint,
    )


def _calibration_grid(rows: pd.DataFrame, smooth: pd.DataFrame) -> Figure:
    """One panel per model: three overlaid curves of a small cohort cannot be told apart."""
    models = list(dict.fromkeys(rows["model"]))
    with st.style():
        fig = st.figure(160 * len(models) / 3, 54)
        axes = fig.subplots(1, len(models), squeeze=False, sharex=True, sharey=True)
        for ax, model in zip(axes.flat, models, strict=True):
            line = smooth[smooth["model"] == model] if len(smooth) else None
            pl.calibration(rows[rows["model"] == model], smooth=line, ax=ax, title=model)
            ax.set_xlim(0, 1)
            ax.set_ylim(0, 1)
            ax.label_outer()
    return fig


def _decision(draw: Drawer, endpoint: str) -> Picture:
    rows = _rows(draw.cohort, "decision", endpoint).rename(columns={"model": "strategy"})
    if rows.empty:
        return draw.none("decision", f"No decision curve was computed for {endpoint}.", endpoint)
    return draw.picture(
        "decision",
        lambda: pl.decision_curve(rows),
        f"Decision curve of {endpoint}{_by(rows)}: net benefit against the risk above which one would act.",
        f"{endpoint}{_by(rows)}: net benefit of acting on a predicted risk. A model is of use only where its curve "
        "is above both acting on all and acting on none; nothing here is for choosing a treatment. No interval is "
        "drawn: it would need the models fitted anew in resampled patients.",
        endpoint,
    )


def null_picture(draw: Drawer, endpoint: str) -> Picture:
    """Draw random signatures' statistics with that of each branch's signature marked."""
    rows = draw.cohort.table("null")
    if "quantiles" not in rows:
        return draw.none("nulls", "These signatures were not compared with random signatures.", endpoint)
    rows = rows[(rows["endpoint"].astype(str) == endpoint) & (rows["model"] == "unadjusted")]
    rows = rows.set_index(rows["signature"].astype(str))
    shown = [n for n in draw.shown if n in rows.index and draw.branches.get(n) != "confounder"][:12]
    if not shown:
        return draw.none("nulls", f"No random signatures were tested against {endpoint}.", endpoint)
    count = int(rows["n_null"].max())
    return draw.picture(
        "nulls",
        lambda: _null_grid(rows.loc[shown]),
        f"Distributions of the score statistic of random signatures for {endpoint}; {len(shown)} signatures marked.",
        f"{endpoint}: absolute score statistic of up to {count} random signatures of the same size and expression "
        "(grey; shaded: their middle 95%), and of the signature (line). A signature within the grey is not specific.",
        endpoint,
    )


def values_of(text: object) -> np.ndarray:
    """Return the quantiles that a cell of ``null.tsv`` holds."""
    return np.array([float(v) for v in str(text).split()])


def _null_grid(rows: pd.DataFrame) -> Figure:
    with small_multiples([str(n) for n in rows["signature"]], 36) as (fig, axes):
        for ax, row in zip(axes, rows.itertuples(), strict=True):
            pl.null_distribution(values_of(row.quantiles), float(row.statistic), xlabel="|z|", ax=ax)
            ax.set_ylabel("")
            ax.set_yticks([])
    return fig


def prediction_words(cohort: Cohort) -> list[str]:
    """State per endpoint whether the scores predict held-out patients better than clinical variables or chance.

    Parameters
    ----------
    cohort
        Results.

    Returns
    -------
    list of str
        Sentences; empty without predictions.
    """
    out = []
    for name, metric in (("survival_models", "harrell_c"), ("classifiers", "roc_auc")):
        table = cohort.table(name)
        if not {"method", "endpoint", "model", "metric", "value"} <= set(table.columns):
            continue
        first = table[(table["method"] == table["method"].iloc[0]) & (table["metric"] == metric)]
        for endpoint, rows in first.groupby("endpoint", sort=False):
            if endpoint != "tumour_vs_normal":
                out += _compared(str(endpoint), rows.drop_duplicates("model").set_index("model"), _METRICS[metric])
    return out


def _compared(endpoint: str, rows: pd.DataFrame, metric: str) -> list[str]:
    if "score" not in rows.index or ("valid" in rows and not rows["valid"].all()):
        return []
    parts = [
        f"{model} {rows.loc[model, 'value']:.2f} ({rows.loc[model, 'low']:.2f} to {rows.loc[model, 'high']:.2f})"
        for model in _ORDER
        if model in rows.index
    ]
    text = f"Predicting {endpoint} in held-out patients, {metric}: {'; '.join(parts)}; 0.50 is chance."
    both = "clinical + score"
    if both in rows.index and "difference" in rows:
        gain, low, high = (float(rows.loc[both, c]) for c in ("difference", "difference_low", "difference_high"))
        verdict = "the interval includes 0: no improvement was shown"
        if low > 0:
            verdict = "the whole interval is above 0"
        elif high < 0:
            verdict = "the whole interval is below 0, so they make it worse"
        span = f"{st.signed(gain)} ({st.signed(low)} to {st.signed(high)})"
        text += f" Adding the scores to the clinical variables changes it by {span}: {verdict}."
    return [text]

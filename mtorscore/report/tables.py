"""What the columns of a report's tables mean, in words that need no manual."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

_ANY = {
    "method": "how the scores were made",
    "signature": "the gene list",
    "endpoint": "the outcome: OS overall survival, PFI progression-free interval, DSS disease-specific survival, DFI "
    "disease-free interval, or a label of the cohort such as recurrence within 24 months",
    "model": "unadjusted: the score alone; adjusted: with one confounder beside it. Of predictions: dummy (knows how "
    "often the outcome occurs, nothing else), clinical (clinical variables alone), score, or both",
    "adjusted_for": "the one confounder beside the score",
    "n": "patients in the model",
    "events": "patients in whom the event happened",
    "p": "p value of the score in this model",
    "q": "p value adjusted for the number of signatures tested (Benjamini and Hochberg)",
    "valid": "whether the numbers can be trusted",
    "reason": "why not, or what else to know",
}

MEANINGS: dict[str, dict[str, str]] = {
    "exclusions": {
        "sample": "name in the expression matrix",
        "patient": "whose sample it is",
        "rule": "the rule that applied",
        "reason": "the same in words",
        "effect": "dropped; no OS and the like (kept, but without that outcome); or kept",
    },
    "coverage": {
        "n_up": "genes that rise with what the signature measures",
        "n_down": "genes that fall with it",
        "matched_up": "of the rising genes, those in the matrix",
        "matched_down": "of the falling genes, those in the matrix",
        "coverage": "share of all genes in the matrix, from 0 to 1",
        "missing": "genes that were not found",
        "reason": "why there is no score",
        "standardised_by": "of a sum over other scores: the samples whose mean and SD its parts are measured in",
    },
    "associations": {
        "effect": "what hr is: a hazard ratio",
        "parameters": "parameters of the model",
        "hr": "hazard ratio per standard deviation of the score; above 1, a worse outcome with a higher score",
        "hr_low": "lower end of its 95% interval",
        "hr_high": "upper end of its 95% interval",
        "ph_p": "test of proportional hazards; small means that the ratio changes over time",
        "c_index": "Harrell's C: share of pairs of patients put in the right order; 0.5 is chance",
        "c_low": "lower end of its 95% interval",
        "c_high": "upper end of its 95% interval",
        "null_percentile": "percent of random signatures of the same size and expression with a weaker association",
        "null_p": "p value among those random signatures",
        "n_null": "how many random signatures",
        "unadjusted_same_n": "hazard ratio of the score alone in the patients of the adjusted model",
        "residual_ratio": "hazard ratio per its own SD of what is left of the score once proliferation is taken out",
        "residual_low": "lower end of its 95% interval",
        "residual_high": "upper end of its 95% interval",
        "residual_p": "its p value",
        "residual_null_p": "its p value among random signatures treated alike",
        "sd": "standard deviation of the score",
        "firth": "whether Firth's penalty for few events was used",
    },
    "survival_models": {
        "metric": "harrell_c and uno_c: share of pairs of patients put in the right order (0.5 is chance); mean_auc: "
        "area under the time-dependent ROC curve (0.5 is chance); integrated_brier: squared error of the risks, lower "
        "is better",
        "value": "its value in patients left out of the fitting",
        "low": "lower end of its 95% interval",
        "high": "upper end of its 95% interval",
        "reference": "the model that it is compared with on the same folds",
        "difference": "value minus that of the reference",
        "difference_low": "lower end of the difference's 95% interval",
        "difference_high": "upper end of the difference's 95% interval",
        "folds": "parts of the data that were left out in turn",
        "folds_scored": "those in which the metric is defined",
    },
    "gsea": {
        "comparison": "which groups of samples",
        "contrast": "the same in words; a positive score means higher in the first",
        "n_first": "samples of the first group",
        "n_second": "samples of the second group",
        "direction": "the signature's up genes or its down genes, tested apart",
        "es": "enrichment score: peak of the running sum",
        "nes": "the same relative to its permutations",
        "p": "nominal p value",
        "q": "false discovery rate within the comparison",
        "n_genes": "genes of the set in the matrix",
        "permutation": "what was permuted: samples keep the correlation of genes, genes do not",
        "leading_edge": "the genes up to the peak",
        "reason": "why there is no result",
    },
    "cells": {
        "sample": "whose cells",
        "cell_type": "of which type",
        "n_cells": "cells with a score",
        "mean": "mean score over these cells",
        "median": "median score",
        "sd": "standard deviation over these cells",
    },
    "meta": {
        "cohorts": "cohorts combined",
        "tau2": "variance between cohorts, on the scale of the log hazard ratio",
        "i2": "share of the variance that lies between cohorts, from 0 to 1",
        "prediction_low": "lower end of the interval in which a further cohort's ratio would be expected",
        "prediction_high": "its upper end",
        "cochran_q": "how far the cohorts lie apart: Cochran's Q",
        "cochran_p": "test of whether they differ more than by chance",
        "weights": "share of each cohort in the combined ratio",
        "n": "patients of all cohorts together",
        "events": "events of all cohorts together",
        "p": "p value of the combined ratio",
    },
}
MEANINGS["classifiers"] = MEANINGS["survival_models"] | {
    "metric": "roc_auc: share of pairs of one case and one other put in the right order (0.5 is chance); "
    "average_precision: area under the precision-recall curve (the dummy's value is chance); brier and log_loss: "
    "error of the risks, lower is better",
    "events": "patients with the outcome",
}
MEANINGS["meta"] = {k: v for k, v in MEANINGS["associations"].items() if k in ("hr", "hr_low", "hr_high")} | MEANINGS[
    "meta"
]


_PRINTED = {
    "coverage": "signature n_up matched_up n_down matched_down coverage reason",
    "associations": "signature endpoint adjusted_for n events hr hr_low hr_high p q null_p",
    "gsea": "signature direction n_genes es nes p q permutation",
    "survival_models": "endpoint model metric value low high difference difference_low difference_high",
    "classifiers": "method endpoint model metric value low high difference difference_low difference_high",
    "cells": "sample cell_type signature n_cells mean median sd",
    "meta": "signature endpoint cohorts n events hr hr_low hr_high p i2",
}
_MOST_ROWS = 40


def printed(key: str, table: pd.DataFrame, leads: Sequence[str], method: str | None) -> tuple[pd.DataFrame, str]:
    """Return the part of a table that fits on paper, and a sentence on what it is a part of.

    Parameters
    ----------
    key
        Which table.
    table
        It.
    leads
        Signatures of the overview figures, fixed before any result was seen.
    method
        The run's first method.

    Returns
    -------
    rows, note
        At most 40 rows: of the first method and, where the table is of signatures, of `leads`.
    """
    rows, kinds = table, []
    if "method" in rows and method in set(rows["method"]):
        rows = rows[rows["method"] == method]
        kinds.append(f"by {method}")
    if "signature" in rows and rows["signature"].isin(list(leads)).any():
        rows = rows[rows["signature"].isin(list(leads))]
        kinds.append("one signature per branch, fixed in advance, and confounders")
    if key == "associations" and {"adjusted_for", "endpoint"} <= set(rows.columns):
        rows = rows[rows["adjusted_for"].fillna("").isin(["", "proliferation"])]
        rows = rows[rows["endpoint"] == rows["endpoint"].iloc[0]] if len(rows) else rows
        kinds.append("alone and beside proliferation")
    if key == "gsea" and "comparison" in rows and len(rows):
        rows = rows[rows["comparison"] == rows["comparison"].iloc[0]]
    wanted = _PRINTED[key].split() if key in _PRINTED else list(table.columns)
    rows = rows[[c for c in wanted if c in rows.columns and (rows[c].notna().any() or c in ("p", "q"))]].head(
        _MOST_ROWS
    )
    if len(rows) == len(table):
        return rows, ""
    what = f" ({', '.join(kinds)})" if kinds else ""
    return rows, f"{len(rows)} of {len(table)} rows{what}; the whole table is a file of the run."


def meanings(key: str, table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return what the columns of a table mean, in their order.

    Parameters
    ----------
    key
        Which table.
    table
        It.

    Returns
    -------
    list of tuple
        Column and meaning; columns that explain themselves are left out.
    """
    known = _ANY | MEANINGS.get(key, {})
    return [(str(c), known[str(c)]) for c in table.columns if str(c) in known and table[c].notna().any()]

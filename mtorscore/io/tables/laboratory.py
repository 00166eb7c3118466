"""Laboratory values and risk scores among the genes of a merged table of patients."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from mtorscore.genes.tables import human
from mtorscore.io.tables.delimited import Grid
from mtorscore.io.tables.name_evidence import weigh_names

__all__ = ["laboratory_columns"]

_LABORATORY = re.compile(
    r"^(serum_?|plasma_?|pre_?op\w*_|log_?)?(afp|alpha_?fetoprotein|cea|ca_?(19_?9|125|15_?3|72_?4|50|242)|psa|alt|ast|ggt|gamma_?gt|alp|"
    r"ldh|alb(umin)?|globulin|total_?protein|tbil(i)?|dbil|ibil|(total_?|direct_?)?bili(rubin)?|inr|pt|ptt|aptt|pta|pivka(_?ii)?|dcp|plt|platelets?|wbc|rbc|hgb|"
    r"hb|hemoglobin|haemoglobin|crp|esr|cr(e|ea)?|creatinine|bun|urea|glucose|fbg|hba1c|cholesterol|tc|tg|triglycerides?|hdl|ldl|uric_?acid|"
    r"hbs_?ag|hbe_?ag|anti_?hcv|hbv_?dna|hcv_?rna|neutrophils?|lymphocytes?|monocytes?|nlr|plr|lmr|sii|pni|meld|albi|fib_?4|apri|child_?pugh\w*|"
    r"tumou?r_?(size|number|diameter|count|burden)\w*|(max_?|largest_?)?(tumou?r_?)?(size|diameter)(_?cm|_?mm)?|tumou?r_?purity|purity|ploidy|ki_?67(_index)?|"
    r"tmb|msi|ascites|cirrhosis|mvi|vascular_?invasion|weight|height|bmi|sodium|potassium|calcium|ferritin|transferrin|prealbumin|cholinesterase|che|tba|ammonia)"
    r"(_?(level|value|ng_?ml|u_?l|g_?l|iu_?ml|umol_?l|mg_?dl|baseline|preop\w*|group|log\w*|log10))?$",
    re.IGNORECASE,
)
_SCORE = re.compile(
    r"^(risk_?(score|group)?|(prognostic_?)?score|signature_?score|nomogram\w*|points?|cluster\d?|subtype)$",
    re.IGNORECASE,
)


def laboratory_columns(grid: Grid, columns: Sequence[int], beside_clinical: bool) -> list[int]:
    """Return columns of laboratory values and risk scores among those taken for genes.

    A word that is no approved symbol (ALT, CEA, bilirubin) is a laboratory value wherever clinical columns or other
    such words are. One that also names a gene (AFP, ALB) is one where its values lie far outside of those of the genes.

    Parameters
    ----------
    grid
        The table, samples in rows.
    columns
        Columns of numbers taken for genes.
    beside_clinical
        Whether the table holds clinical columns.
    """
    words = {i: re.sub(r"[^A-Za-z0-9]+", "_", grid.names[i]).strip("_") for i in columns}
    scores = [i for i in columns if _SCORE.match(words[i]) and grid.names[i] not in human().by_symbol]
    named = [i for i in columns if _LABORATORY.match(words[i])]
    words_alone = [i for i in named if grid.names[i] not in human().by_symbol]
    if not (beside_clinical or scores or len(words_alone) >= 2):
        return []
    # Without a word that can mean nothing else, aliases of genes (ALT, TC) stay genes.
    certain = [i for i in words_alone if weigh_names([grid.names[i]]).genes < 0.5]
    if not (beside_clinical or certain or scores):
        return []
    others = [i for i in columns if i not in named and i not in scores]
    odd = [i for i in named if i not in words_alone and _far_from(grid, i, others)]
    return sorted({*scores, *words_alone, *odd})


def _far_from(grid: Grid, i: int, others: Sequence[int]) -> bool:
    """Whether the values of column `i` are beyond the genes' values, or whole where those have decimals."""
    some = others[:: max(1, len(others) // 200)]
    if len(some) < 3:
        return False
    values = np.concatenate([grid.columns[k] for k in some])
    values, own = values[np.isfinite(values)], grid.columns[i][np.isfinite(grid.columns[i])]
    if not values.size or not own.size:
        return False
    outside = np.median(own) > np.max(values) or np.max(own) > 3 * max(np.max(values), 1e-9)
    whole = bool((own == np.round(own)).all()) and float(np.mean(values == np.round(values))) < 0.2
    return bool(outside or whole)

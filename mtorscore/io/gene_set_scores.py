"""Scores as cBioPortal imports gene-set scores: a pair of tables with their metadata."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from mtorscore._atomic import write_whole
from mtorscore.errors import DataError

__all__ = ["write_gene_set_scores"]


def write_gene_set_scores(
    scores: pd.DataFrame, pvalues: pd.DataFrame, folder: str | Path, *, study: str, method: str
) -> list[Path]:
    """Write ``data_gsva_scores.txt`` and ``data_gsva_pvalues.txt`` with their metadata, as cBioPortal imports them.

    Parameters
    ----------
    scores
        Observations x signatures, between -1 and 1.
    pvalues
        The same shape, between 0 and 1.
    folder
        Where the four files go.
    study
        Identifier of the study; letters that cBioPortal does not take become underscores.
    method
        Scoring method, named in the descriptions.

    Returns
    -------
    list of pathlib.Path
        The files. Only signatures with scores and p values throughout are written, as the importer wants no gaps.

    Raises
    ------
    DataError
        If a score lies outside of -1 to 1, or no signature is complete.
    """
    common = [c for c in scores.columns if c in pvalues.columns]
    whole = [c for c in common if scores[c].notna().all() and pvalues[c].notna().all()]
    if not whole:
        raise DataError("No signature has a score and a p value for every observation, so there is nothing to import.")
    widest = float(np.abs(scores[whole].to_numpy(np.float64)).max())
    if widest > 1:
        raise DataError(
            f"cBioPortal takes scores between -1 and 1; these reach {widest:.3g}. Choose singscore or gsva."
        )
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9_]+", "_", study).strip("_").lower() or "study"
    kinds = (
        ("scores", "GSVA-SCORE", "gsva_scores", scores, f"Scores of mTOR branches by {method} (mtorscore)"),
        (
            "pvalues",
            "P-VALUE",
            "gsva_pvalues",
            pvalues,
            f"P values by random genes, {method}: gene correlation ignored",
        ),
    )
    paths = []
    for kind, datatype, stable, table, description in kinds:
        meta = {
            "cancer_study_identifier": name, "genetic_alteration_type": "GENESET_SCORE", "datatype": datatype,
            "stable_id": stable, "source_stable_id": "rna_seq_mrna" if kind == "scores" else "gsva_scores",
            "profile_name": f"mtorscore {method} {kind}", "profile_description": description,
            "data_filename": f"data_gsva_{kind}.txt", "show_profile_in_analysis_tab": str(kind == "scores").lower(),
            "geneset_def_version": "mtorscore",
        }  # fmt: skip
        rows = table[whole].T
        text = "\t".join(["geneset_id", *(_cell(c) for c in rows.columns)]) + "\n"
        for signature, values in zip(rows.index, rows.to_numpy(np.float64), strict=True):
            text += "\t".join([_cell(signature), *(f"{v:.6g}" for v in values)]) + "\n"
        paths.append(write_whole(target / f"data_gsva_{kind}.txt", text))
        lines = "".join(f"{key}: {value}\n" for key, value in meta.items())
        paths.append(write_whole(target / f"meta_gsva_{kind}.txt", lines))
    return paths


def _cell(value: object) -> str:
    return " ".join(str(value).split())

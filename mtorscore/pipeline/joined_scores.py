"""Scores beside a clinical table: observations joined, every patient once."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.genes.identifier_kinds import gene_likeness
from mtorscore.io.tables.cell_text import holds_text
from mtorscore.pipeline.tables import named_rows, read_clinical_table
from mtorscore.pp.clinical import PATIENT, match_records
from mtorscore.tl.analysis.method_agreement import with_agreement

__all__ = ["Joined", "by_method", "join_clinical", "methods_beside"]

_OF_METHOD = re.compile(r"(?P<signature>.+) \((?P<method>\w+)\)")

_SAME = "Their first columns must hold the same names."


@dataclass(frozen=True)
class Joined:
    """Scores and what the clinical table says of the same observations.

    Attributes
    ----------
    scores, clinical
        Tables with the same index.
    patients
        Whose sample each observation is, where a patient has several; else None.
    """

    scores: pd.DataFrame
    clinical: pd.DataFrame
    patients: pd.Series | None


def join_clinical(scores: Path, clinical: Path, *, normals: bool = False, every: bool = False) -> Joined:
    """Read scores and clinical table, and keep the observations that both have, one tumour per patient as a run does.

    Parameters
    ----------
    scores
        As `mtorscore score` writes it. A column ``method`` is spread, so that columns become ``signature (method)``.
    clinical
        First column the observation; TCGA barcodes of patients or samples join those of samples and aliquots.
    normals
        Whether normal tissue stays beside the tumours, as a label may be about it; never where the table has one row
        per patient, since what it says is said of tumours.
    every
        Whether all samples stay, several of a patient among them, as a comparison of groups has them.

    Returns
    -------
    Joined
        In the order of the scores.

    Raises
    ------
    DataError
        If a score is not a number, or no observation is in both tables, with examples of both sides.

    Warns
    -----
    DataWarning
        If observations have scores and no clinical row, or the other way round.
    """
    values = named_rows(scores)
    values = _spread(values, scores) if "method" in values else values
    twice = values.index[values.index.duplicated()].unique()
    if len(twice):
        raise DataError(f"{scores}: {len(twice)} observation(s) are duplicated ({examples(twice)}); keep one row each.")
    table = read_clinical_table(clinical)
    position, joined_on = match_records(values.index, table.index)
    if not (position >= 0).any():
        genes = gene_likeness(list(map(str, values.index)))[0] > 0.5
        way = f"The former are genes: score the matrix first (mtorscore score {scores})." if genes else _SAME
        raise DataError(
            f"No observation is in both tables: {scores} has {examples(values.index)}; {clinical} has "
            f"{examples(table.index)}. {way}"
        )
    there = position >= 0
    _warn_of_strays(values, table, int(there.sum()), len(set(position[there])), scores, clinical)
    values = _numeric(values, scores).loc[there]
    table = table.iloc[position[there]].set_axis(values.index)
    if every:
        return Joined(values, table, None)
    kept, patients = _one_each(table, normals=normals and joined_on != PATIENT)
    return Joined(values.loc[kept], table.loc[kept], patients)


def by_method(values: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the scores of each method, columns named by signature; of an unnamed method under ``""``."""
    found = [_OF_METHOD.fullmatch(str(c)) for c in values.columns]
    methods = list(dict.fromkeys(m["method"] for m in found if m is not None))
    if not methods or any(m is None for m in found):
        return {"": values}
    out = {}
    for method in methods:
        columns = {c: m["signature"] for c, m in zip(values.columns, found, strict=True) if m and m["method"] == method}
        out[method] = values[list(columns)].rename(columns=columns)
    return out


def methods_beside(table: pd.DataFrame) -> pd.DataFrame:
    """Add to hazard ratios of ``signature (method)`` whether the methods agree; of one method nothing is added."""
    parts = table["signature"].astype(str).str.extract(f"^{_OF_METHOD.pattern}$")
    if parts.isna().any(axis=None) or parts["method"].nunique() < 2:
        return table
    keyed = table.assign(method=parts["method"], of=parts["signature"])
    by = ("of", "endpoint", "model", "adjusted_for")
    told = with_agreement(keyed, by=by, effect="hr", low="hr_low", high="hr_high", null=1.0)
    return told.drop(columns=["method", "of"])


def _one_each(table: pd.DataFrame, *, normals: bool) -> tuple[pd.Index, pd.Series | None]:
    """Return the observations that the rule of runs keeps, and whose they are where a patient has several."""
    import anndata as ad

    from mtorscore.pp import resolve_patients

    telling = [c for c in ("patient", "sample_type", "is_ffpe", "preservation", "preservation_method") if c in table]
    found = ad.AnnData(obs=table[telling].astype(str))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        resolve_patients(found, histology="all")
    rows = found.obs if normals else found.obs[found.obs["in_outcome"].to_numpy(dtype=bool)]
    if not len(rows):
        raise DataError(
            f"None of the {len(table)} observations is a tumour ({examples(found.obs['sample_type'].unique())}), and "
            "outcomes are those of tumours."
        )
    kept = table.index[table.index.isin(rows.index)]
    _warn_of_repeats(table, found.obs.loc[~found.obs_names.isin(kept)], found.uns["exclusions"])
    patients = rows["patient"].astype(str).reindex(kept)
    return kept, patients if patients.duplicated().any() else None


def _warn_of_repeats(table: pd.DataFrame, normals: pd.DataFrame, log: pd.DataFrame) -> None:
    """Warn of samples that would count a patient twice, by the reason why they do not."""
    dropped = log[log["effect"] == "dropped"]
    parts = [f"{len(part)} by the rule {rule} ({examples(part['sample'])})" for rule, part in dropped.groupby("rule")]
    if len(normals):
        parts.insert(0, f"{len(normals)} of normal tissue ({examples(normals.index)})")
    if parts:
        warn(
            f"Patients count once, by their primary tumour: of {len(table)} samples are left out {'; '.join(parts)}.",
            DataWarning,
        )


def _numeric(scores: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return scores as float64; a column without any value, of a signature without genes, stays in place."""
    empty = [c for c in scores if scores[c].isna().all()]
    out = scores.assign(**{c: np.full(len(scores), np.nan) for c in empty})
    for column in out:
        if holds_text(out[column]):
            strange = [v for v in out[column].dropna() if not _is_number(v)]
            raise DataError(
                f"{path}, column {column}: {len(strange)} of {len(out)} scores are not numbers ({examples(strange)}). "
                "Correct them, or take the column out."
            )
    if not out.shape[1]:
        raise DataError(f"{path} has no column of scores beside the observations' names.")
    return out.astype(np.float64)


def _is_number(text: object) -> bool:
    try:
        float(str(text))
    except ValueError:
        return False
    return True


def _warn_of_strays(
    scores: pd.DataFrame, clinical: pd.DataFrame, shared: int, used: int, first: Path, second: Path
) -> None:
    lone = [f"{len(scores) - shared} of {len(scores)} observations of {first} have no row in {second}"]
    lone = lone if len(scores) > shared else []
    if len(clinical) > used:
        lone.append(f"{len(clinical) - used} of {len(clinical)} rows of {second} have no scores")
    if lone:
        warn(f"{'; '.join(lone)}; they are left out.", DataWarning)


def _spread(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Turn one row per observation and method into one row per observation."""
    values = _numeric(table.drop(columns="method"), path).assign(method=table["method"].astype(str))
    keyed = values.set_index("method", append=True)
    twice = keyed.index[keyed.index.duplicated()].unique()
    if len(twice):
        shown = examples(f"{o} by {m}" for o, m in twice)
        raise DataError(f"{path}: {len(twice)} observation(s) are duplicated ({shown}); keep one row each.")
    order = list(dict.fromkeys(values.index))
    wide = keyed.unstack("method")
    wide.columns = [f"{signature} ({method})" for signature, method in wide.columns]
    return wide.loc[order]

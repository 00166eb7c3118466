"""Data of the interactive layer: compact, complete, plain types only."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mtorscore._outcome_terms import ENDPOINTS
from mtorscore.collection import USER_BRANCH
from mtorscore.report.data.described import Described, as_json
from mtorscore.report.data.run_files import TRACKS, Cohort, Run
from mtorscore.report.data.sample_genes import sample_genes
from mtorscore.results import TABLES

MISSING = 65535
_STEPS = 65534
_MOST_ROWS = 20000
_LONG, _MOST_SINGLE, _FULL = 200, 3e38, 0.8


def payload(run: Run, described: dict[str, Described], leads: Sequence[str]) -> dict[str, Any]:
    """Return the data that the page's script reads.

    Parameters
    ----------
    run
        The run.
    described
        Signature -> description.
    leads
        Signatures of the overview figures.

    Returns
    -------
    dict
        Plain types only; not-a-number is null.
    """
    return {
        "run": run.name,
        "methods": run.methods,
        "signatures": as_json(described, described),
        "genes": _genes(described),
        "printed": {t.name: t.printed.split() for t in TABLES.values() if t.printed and t.script},
        "leads": list(leads),
        "cohorts": [
            _cohort(c, run.methods, list(described))
            | {"carriers": sample_genes(run.folder / c.name / "cohort.h5ad", c, leads)}
            for c in run.cohorts
        ],
    }


def _genes(described: dict[str, Described]) -> dict[str, str]:
    """Return signature -> its genes, for the search; those of the library alone."""
    from mtorscore.collection import library

    known = library(experimental=True)
    own = {n for n, d in described.items() if d.branch == USER_BRANCH}
    return {n: " ".join(sorted(known[n].genes)) for n in described if n in known and n not in own}


def _cohort(cohort: Cohort, methods: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    obs = cohort.obs
    tracks = [t for t in TRACKS if t in obs]
    extra = [
        c
        for c in obs.columns
        if c not in {*TRACKS, "patient", "simulated"} and not _of_an_endpoint(c, (*ENDPOINTS, *cohort.own_endpoints))
    ]
    extra = [c for c in extra if 1 < obs[c].nunique() <= 8][:6]
    return {
        "name": cohort.name,
        "simulated": cohort.simulated,
        "unit": cohort.unit,
        "group": cohort.group,
        "total": cohort.total,
        "guessed": "; ".join(cohort.guesses),
        "embedding": _places(cohort),
        "observations": [str(n) for n in obs.index],
        "tracks": {t: column(_ordered(obs[t]) if t == "sample_type" else obs[t]) for t in [*tracks, *extra]},
        "endpoints": {e: _outcome(cohort, e) for e in cohort.endpoints},
        "scores": {m: packed(cohort.scores[m], names) for m in methods if m in cohort.scores},
        "tables": {
            t.name: columns(cohort.table(t.name)) for t in TABLES.values() if t.script and t.name in cohort.tables
        },
        "missing": cohort.missing,
        "pairs": _pairs(cohort),
    }


def _pairs(cohort: Cohort) -> list[list[int]]:
    """Return the positions of tumour and normal sample of the patients who have one of each."""
    if "patient" not in cohort.obs or "sample_type" not in cohort.obs or cohort.cells:
        return []
    kinds, patients = cohort.obs["sample_type"].astype(str).to_numpy(), cohort.obs["patient"].astype(str).to_numpy()
    of: dict[str, dict[str, list[int]]] = {}
    for i, (kind, patient) in enumerate(zip(kinds, patients, strict=True)):
        of.setdefault(patient, {}).setdefault(kind, []).append(i)
    single = [[*p.get("tumour", []), *p.get("normal", [])] for p in of.values()]
    return [at for at, p in zip(single, of.values(), strict=True) if len(at) == 2 and len(p.get("normal", ())) == 1]


def _places(cohort: Cohort) -> dict[str, Any] | None:
    if cohort.embedding is None:
        return None
    x, y = (numbers(pd.Series(cohort.embedding[:, k]), 4) for k in (0, 1))
    return {"x": x, "y": y, "made": cohort.embedding_made}


def _ordered(kinds: pd.Series) -> pd.Series:
    """Return sample types as a category that begins with tumours, then normals: files sort them by name."""
    found = sorted(map(str, kinds.dropna().unique()), key=lambda v: ({"tumour": 0, "normal": 1}.get(v, 2), v))
    return pd.Series(pd.Categorical(kinds.astype(str).where(kinds.notna()), found), index=kinds.index)


def _of_an_endpoint(column: str, endpoints: Sequence[str]) -> bool:
    """Whether a column is the time, or the competing event, of an endpoint."""
    return column in {f"{e}.{part}" for e in endpoints for part in ("time", "competing")}


def _outcome(cohort: Cohort, endpoint: str) -> dict[str, list[float | None]]:
    """Return time and event of an endpoint, and its competing event where the cohort has one."""
    parts = {"time": f"{endpoint}.time", "event": endpoint}
    if f"{endpoint}.competing" in cohort.obs:
        parts["competing"] = f"{endpoint}.competing"
    return {key: _times(cohort, column) for key, column in parts.items()}


def _times(cohort: Cohort, name: str) -> list[float | None]:
    """Return an endpoint's column for tumours; other samples are missing, so that no patient counts twice."""
    values = pd.to_numeric(cohort.obs[name].astype(object), errors="coerce")
    return numbers(values.where(cohort.obs.index.isin(cohort.tumours)))


def packed(scores: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """Quantise scores to 16 bits between each signature's minimum and maximum.

    Parameters
    ----------
    scores
        Observations x signatures.
    names
        Signatures in the order of the page; those without a score are left out.

    Returns
    -------
    dict
        ``names, low, high`` and ``data`` (base64 of little-endian uint16, signature by signature; 65535 is missing).
        The largest error is 1/131068 of a signature's range, finer than a screen shows.
    """
    kept = [n for n in names if n in scores.columns and scores[n].notna().any()]
    values = scores[kept].to_numpy(np.float64).T
    values = np.where(np.isfinite(values), values, np.nan)
    low, high = np.nanmin(values, axis=1, initial=np.inf), np.nanmax(values, axis=1, initial=-np.inf)
    span = np.where(high > low, high - low, 1.0)
    steps = np.rint((values - low[:, None]) / span[:, None] * _STEPS)
    steps = np.where(np.isfinite(steps), steps, MISSING).astype("<u2")
    return {
        "names": kept,
        "low": numbers(pd.Series(low), 9),
        "high": numbers(pd.Series(high), 9),
        "data": base64.b64encode(steps.tobytes()).decode("ascii"),
    }


def columns(table: pd.DataFrame) -> dict[str, Any]:
    """Return a table column by column, for the sortable tables; at most 20,000 rows, and long columns packed."""
    cut = table.head(_MOST_ROWS)
    make = _long_column if len(cut) >= _LONG else column
    return {"rows": len(table), "columns": {str(c): make(cut[c]) for c in cut.columns if cut[c].notna().any()}}


def _long_column(values: pd.Series) -> dict[str, Any]:
    """Return a long column in fewer letters: codes as runs, numbers as base64 of single precision (seven digits).

    Of a column with many gaps the known values alone, beside a bit for each row.
    """
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        exact = values.to_numpy(np.float64, na_value=np.nan)
        single = np.where(np.abs(exact) < _MOST_SINGLE, exact, np.nan).astype("<f4")
        known = np.isfinite(single)
        if known.mean() > _FULL:
            return {"single": _base64(single)}
        return {"single": _base64(single[known]), "known": _base64(np.packbits(known)), "rows": len(single)}
    found = column(values)
    codes = np.asarray(found["codes"])
    starts = np.flatnonzero(np.diff(codes, prepend=codes[0] - 1))
    lengths = np.diff(np.append(starts, len(codes)))
    runs = np.column_stack([codes[starts], lengths]).ravel().tolist()
    if len(runs) >= len(codes):
        return found
    return {"levels": found["levels"], "runs": runs, "ordered": found["ordered"]}


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode("ascii")


def column(values: pd.Series) -> dict[str, Any]:
    """Return a column as numbers, or as text by its distinct values.

    Parameters
    ----------
    values
        Any column.

    Returns
    -------
    dict
        ``{"numbers": [...]}``, or ``{"levels": [...], "codes": [...], "ordered": bool}`` with -1 for missing.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        category = values.cat.remove_unused_categories()
        levels = [str(v) for v in category.cat.categories]
        return {"levels": levels, "codes": category.cat.codes.tolist(), "ordered": bool(category.cat.ordered)}
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        text = values.astype(object).where(values.notna(), None)
        codes, levels = pd.factorize(pd.Series([None if v is None else str(v) for v in text], dtype=object))
        return {"levels": [str(v) for v in levels], "codes": codes.tolist(), "ordered": False}
    return {"numbers": numbers(values)}


def numbers(values: pd.Series, digits: int = 6) -> list[float | None]:
    """Return numbers rounded to significant digits; missing and infinite ones as None."""
    array = pd.to_numeric(values.astype(object), errors="coerce").to_numpy(np.float64)
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in array]

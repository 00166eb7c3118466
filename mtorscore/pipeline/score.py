"""Step 3: signature scores by every method asked for, with gene coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from mtorscore import results
from mtorscore.errors import DataError
from mtorscore.pipeline.config import DEFAULTS, schema
from mtorscore.pipeline.from_disk.cell_cohort import CohortScores, described, score_cells, works_from_disk
from mtorscore.pipeline.prepare import cohort_file, load_cohort
from mtorscore.pipeline.single_cells import are_cells
from mtorscore.pipeline.table_files import read_table, write_result

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from anndata import AnnData

    from mtorscore.collection import SignatureCollection

__all__ = ["LEAST_NORMALS", "REFERENCES", "reference_rows", "score", "technical_of", "technical_rows"]

REFERENCES = tuple(schema()["properties"]["reference"]["enum"])
# A mean and an SD from fewer normals than this would say more of those few than of normal liver.
LEAST_NORMALS = 20
# Two halvings of 60 samples leave 120 differences to estimate one SD from.
MOST_HALVED, N_SPLITS = 60, 2


def score(
    folder: str | Path,
    signatures: SignatureCollection,
    methods: Sequence[str],
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    reference: str = DEFAULTS["reference"],
) -> list[Path]:
    """Write the scores of a cohort, and the frozen reference by which others can be scored like it.

    Parameters
    ----------
    folder
        The cohort's results folder, prepared.
    signatures
        What to score.
    methods
        Names of scoring methods, see `mtorscore.tl.methods`.
    parameters
        Per method its keyword arguments, where they differ from the defaults.
    reference
        What composites are standardised by, see `reference_rows`.

    Returns
    -------
    list of pathlib.Path
        The files written: ``scores/<method>.tsv`` (observations x signatures and composites),
        ``scores/reference/<method>.npz`` (for ``tl.score(reference=...)``), ``linear/ratio.tsv`` and
        ``linear/panel.tsv`` (entries of these kinds, whatever the method), ``scores/coverage.tsv``, whose column
        ``standardised_by`` states the reference of each composite, and ``technical.tsv`` (see `technical_rows`).

    Raises
    ------
    MethodError
        If a method is unknown.

    Notes
    -----
    The matrix of a cohort of cells stays on disk, unless a method has to learn from all of it at once (gsva, plage).
    """
    out = Path(folder) / "scores"
    (out / "reference").mkdir(parents=True, exist_ok=True)
    about = described(cohort_file(folder))
    rows, standard = reference_rows(about, reference)
    if are_cells(about) and works_from_disk(methods, parameters):
        found = score_cells(cohort_file(folder), signatures, methods, parameters, out / ".cells.parquet")
        noise: list[pd.DataFrame] = []
    else:
        adata = load_cohort(folder)
        found = _in_memory(adata, signatures, methods, parameters, rows)
        noise = technical_rows(adata, signatures, methods, parameters)
    paths = []
    for method, frozen in found.references.items():
        paths.append(frozen.save(out / "reference" / f"{method}.npz"))
        scores = found.tables[f"score_{method}"]
        paths.append(write_result(scores, results.SCORES, folder, index=True, method=method))
    for table in (results.RATIOS, results.PANELS):
        paths.append(write_result(found.tables.get(table.name, about.obs[[]]), table, folder, index=True))
    coverage = found.coverage.copy()
    composites = [e.id for e in signatures if e.kind == "composite"]
    coverage["standardised_by"] = np.where(coverage.index.isin(composites), standard, "")
    context = str(about.uns.get("context", "")) or None
    coverage["grade"] = ["; ".join(signatures[n].graded(context)) for n in coverage.index]
    return [
        *paths,
        write_result(coverage, results.COVERAGE, folder, index=True),
        write_result(noise, results.TECHNICAL_NOISE, folder),
    ]


def _in_memory(
    adata: AnnData,
    signatures: SignatureCollection,
    methods: Sequence[str],
    parameters: Mapping[str, Mapping[str, Any]] | None,
    rows: npt.NDArray[np.bool_],
) -> CohortScores:
    from mtorscore.tl.scoring import score_cohort

    references = score_cohort(adata, signatures, method=methods, standardise_by=rows, layer="log", params=parameters)
    return CohortScores(dict(adata.obsm.items()), adata.uns["mtorscore"][methods[0]]["coverage"], references)


def technical_rows(
    adata: AnnData,
    signatures: SignatureCollection,
    methods: Sequence[str],
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[pd.DataFrame]:
    """Return the technical SD of each score by each method, from random halves of the reads of up to 60 samples.

    Parameters
    ----------
    adata
        The prepared cohort; ``X`` as published.
    signatures, methods, parameters
        As for `score`.

    Returns
    -------
    list of pandas.DataFrame
        Rows of `mtorscore.results.TECHNICAL_NOISE`; none where the values are no counts, or of cells.
    """
    from mtorscore import pp, tl

    if are_cells(adata) or pp.detect_scale(adata).kind != "counts":
        return []
    chosen = np.unique(np.linspace(0, adata.n_obs - 1, min(adata.n_obs, MOST_HALVED)).astype(int))
    some = adata[chosen].copy()
    x = some.X.toarray() if sparse.issparse(some.X) else np.asarray(some.X)
    # Quantifiers give decimals of reads.
    some.X = np.rint(np.nan_to_num(x))
    own: dict[str, Any] = {m: dict(p) for m, p in (parameters or {}).items() if m in methods}
    found = tl.technical_sd(some, signatures, method=list(methods), n_splits=N_SPLITS, **own)
    return [found.assign(n=some.n_obs)[list(results.TECHNICAL_NOISE.names)]]


def technical_of(folder: str | Path, method: str) -> pd.Series:
    """Return the technical SD per signature that `score` wrote; empty where it is not known."""
    import pandas as pd

    path = Path(folder) / results.TECHNICAL_NOISE.path
    if not path.is_file():
        return pd.Series(dtype=np.float64)
    table = read_table(path)
    return table[table["method"] == method].set_index("signature")["technical_sd"].astype(np.float64)


def reference_rows(adata: AnnData, reference: str = DEFAULTS["reference"]) -> tuple[npt.NDArray[np.bool_], str]:
    """Choose the observations whose scores standardise composites, and say which they are.

    Parameters
    ----------
    adata
        The prepared cohort, ``obs["sample_type"]``.
    reference
        ``"normals"``, ``"tumours"``, ``"none"``, or ``"auto"``: the cohort's normals where there are at least 20,
        else its tumours.

    Returns
    -------
    rows : numpy.ndarray
        ``(n_obs,)`` bool.
    standard : str
        For the coverage table and the report.

    Raises
    ------
    DataError
        If `reference` is something else, or names samples of which the cohort has fewer than two.
    """
    if reference not in REFERENCES:
        raise DataError(f"reference is {reference!r}; it must be one of {', '.join(REFERENCES)}.")
    kinds = adata.obs["sample_type"].astype(str)
    n_normal = int((kinds == "normal").sum())
    chosen = reference if reference != "auto" else "normals" if n_normal >= LEAST_NORMALS else "tumours"
    if chosen == "none":
        return np.zeros(adata.n_obs, dtype=bool), "nothing: no reference was asked for"
    rows = (kinds == chosen.removesuffix("s")).to_numpy()
    if rows.sum() < 2:
        if reference == "auto":
            return np.zeros(adata.n_obs, dtype=bool), "nothing: fewer than two tumours"
        raise DataError(f"reference is {reference!r}, but the cohort has {rows.sum()} of them; two are the least.")
    beyond = "" if chosen == "normals" else ", so not on the scale of other cohorts"
    return rows, f"the {rows.sum()} {chosen} of this cohort{beyond}; frozen in scores/reference"

"""From a user's own tables to scores and associations: what the single-step commands do."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from mtorscore.errors import DataError, EndpointError, examples
from mtorscore.pipeline._files import read_table

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from mtorscore.collection import SignatureCollection

__all__ = [
    "check_overlap",
    "check_values",
    "join_clinical",
    "read_clinical_table",
    "read_expression",
    "relate_label",
    "relate_survival",
    "scores_table",
]


def read_expression(source: Path | IO[str], *, harmonise: bool, organism: str = "human") -> AnnData:
    """Read an expression matrix and, where asked, bring its genes to current symbols.

    Parameters
    ----------
    source
        A path in any supported format, or an open text stream of a tab-separated table.
    harmonise
        Map identifiers to current symbols; wanted with the shipped library, whose symbols are current, and not with
        gene lists that use the matrix's own identifiers.
    organism
        ``"human"`` or ``"mouse"``.

    Returns
    -------
    anndata.AnnData
        Observations x genes, values as published.

    Raises
    ------
    DataError
        If the file is missing or its values cannot be expression.
    FormatError
        If it is not what its format promises.
    """
    from mtorscore import io, pp

    if isinstance(source, Path):
        adata = io.read(source)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "standard-input.tsv"
            path.write_text(source.read(), encoding="utf-8")
            adata = io.read(path)
    check_values(adata)
    if harmonise:
        harmonised = pp.harmonise_genes(adata, organism=organism)
        adata = adata if harmonised is None else harmonised
    return adata


def check_values(adata: AnnData) -> None:
    """Refuse negative values where everything else says counts or linear abundance.

    Parameters
    ----------
    adata
        Observations x genes.

    Raises
    ------
    DataError
        If a value is negative and the matrix is integer-valued or has values over 100, which no log or z scale has.
    """
    values = adata.X.data if hasattr(adata.X, "indptr") else np.asarray(adata.X)
    if not values.size or not np.fmin.reduce(values, axis=None) < 0:
        return
    finite = values if np.isfinite(np.sum(values)) else values[np.isfinite(values)]
    # Some values settle it nearly always: what is not whole is soon found.
    if finite.size and finite.max() <= 100:
        some = finite.ravel()[:100_000]
        if (some != np.round(some)).any() or (finite != np.round(finite)).any():
            return
    dense = adata.X.toarray() if hasattr(adata.X, "toarray") else np.asarray(adata.X)
    rows, columns = np.nonzero(dense < 0)
    where = (
        f"{adata.obs_names[r]} x {adata.var_names[c]} = {dense[r, c]:g}" for r, c in zip(rows, columns, strict=True)
    )
    raise DataError(
        f"{len(rows)} negative value(s) in a matrix that otherwise holds counts or linear abundances "
        f"({examples(where)}). Mend those values, or give log-scale expression."
    )


def check_overlap(adata: AnnData, signatures: SignatureCollection) -> None:
    """Refuse a matrix that holds no gene of any signature.

    Parameters
    ----------
    adata
        Observations x genes.
    signatures
        What is to be scored.

    Raises
    ------
    DataError
        If nothing overlaps, with examples of both sides.
    """
    genes = {g for s in signatures.signatures for g in s.genes}
    if genes and not genes & set(adata.var_names):
        raise DataError(
            f"None of the {len(genes)} genes of {len(signatures.signatures)} signature(s) ({examples(sorted(genes))}) "
            f"is among the {adata.n_vars} genes of the matrix ({examples(adata.var_names)}). "
            "Check that both use the same identifiers; pp.harmonise_genes turns others into current symbols (on the "
            "command line: score --harmonise)."
        )


def scores_table(adata: AnnData, methods: Sequence[str]) -> pd.DataFrame:
    """Collect scores into one table to be written.

    Parameters
    ----------
    adata
        Scored observations.
    methods
        Names of the methods.

    Returns
    -------
    pandas.DataFrame
        Column ``observation``, with several methods column ``method``, then one column per signature.
    """
    import pandas as pd

    parts = []
    for method in methods:
        part = adata.obsm[f"score_{method}"].copy()
        if len(methods) > 1:
            part.insert(0, "method", method)
        part.insert(0, "observation", adata.obs_names)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def read_clinical_table(path: Path) -> pd.DataFrame:
    """Read a clinical table whose first column names the observation.

    Parameters
    ----------
    path
        Tab- or comma-separated text.

    Returns
    -------
    pandas.DataFrame
        Indexed by observation, as text.

    Raises
    ------
    DataError
        If the file is missing or names an observation twice.
    FormatError
        If it is empty.
    """
    import pandas as pd

    if not Path(path).is_file():
        raise DataError(f"There is no file {path}. Check the path.")
    if ".csv" in Path(path).suffixes:
        try:
            table = pd.read_csv(path, dtype={0: str})
        except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: not a comma-separated table ({error}).") from error
    else:
        table = read_table(path)
    table = table.set_index(table.columns[0])
    table.index = table.index.astype(str)
    twice = table.index[table.index.duplicated()]
    if len(twice):
        raise DataError(f"{path}: {len(twice)} observation(s) stand twice ({examples(twice)}); keep one row each.")
    return table


def join_clinical(scores: Path, clinical: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read scores and clinical table and keep the observations that both have.

    Parameters
    ----------
    scores
        As `mtorscore score` writes it. A column ``method`` is spread, so that columns become ``signature (method)``.
    clinical
        First column the observation, or the patient's 12-character TCGA barcode.

    Returns
    -------
    scores, clinical : pandas.DataFrame
        Same index, in the order of the scores.

    Raises
    ------
    DataError
        If no observation is in both, with examples of both sides.
    """
    values = read_clinical_table(scores) if "method" not in _header(scores) else _spread(scores)
    table = read_clinical_table(clinical)
    shared = [name for name in values.index if name in table.index]
    if not shared:
        raise DataError(
            f"No observation is in both tables: {scores} has {examples(values.index)}; {clinical} has "
            f"{examples(table.index)}. Their first columns must hold the same names."
        )
    numeric = values.select_dtypes("number")
    return numeric.loc[shared], table.loc[shared]


def relate_survival(
    scores: pd.DataFrame, clinical: pd.DataFrame, *, time: str, event: str, unit: str, adjust: Sequence[str] = ()
) -> pd.DataFrame:
    """Fit Cox models of every score; see `mtorscore.prognosis.associate`.

    Parameters
    ----------
    scores, clinical
        Tables with the same index.
    time, event, unit
        Columns of the endpoint and the unit of its times.
    adjust
        Clinical columns to adjust for, one at a time.

    Returns
    -------
    pandas.DataFrame
        One row per signature and model.
    """
    from mtorscore import prognosis

    endpoint = prognosis.Endpoint.survival(time=time, event=event, unit=unit)
    return prognosis.associate(scores, clinical, endpoint, adjust=tuple(adjust))


def relate_label(
    scores: pd.DataFrame, clinical: pd.DataFrame, label: str, *, baseline: Sequence[str] = ()
) -> pd.DataFrame:
    """Cross-validate a classifier of a label on all scores; see `mtorscore.prognosis.evaluate`.

    Parameters
    ----------
    scores, clinical
        Tables with the same index.
    label
        Column of a two-valued label.
    baseline
        Clinical columns of the model to compare with.

    Returns
    -------
    pandas.DataFrame
        One row per model and metric.
    """
    from mtorscore import prognosis

    if label not in clinical:
        raise EndpointError(f"The clinical table has no column {label!r}; it has {examples(clinical.columns, 8)}.")
    result: Any = prognosis.evaluate(None, scores, clinical, prognosis.Endpoint.label(label), baseline=tuple(baseline))
    return result.summary if hasattr(result, "summary") else result


def _header(path: Path) -> list[str]:
    table = read_table(path)
    return [str(c) for c in table.columns]


def _spread(path: Path) -> pd.DataFrame:
    table = read_table(path)
    wide = table.pivot_table(index=table.columns[0], columns="method", sort=False)
    wide.columns = [f"{signature} ({method})" for signature, method in wide.columns]
    wide.index = wide.index.astype(str)
    return wide

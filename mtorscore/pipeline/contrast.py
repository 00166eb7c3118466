"""The single-step command ``contrast``: a table of differential expression, or scores with groups."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore.errors import ConfigError, DataError, MtorscoreError, MtorscoreWarning, examples
from mtorscore.tl.analysis.method_agreement import with_agreement

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from mtorscore.collection import SignatureCollection

__all__ = ["contrast_scores", "differential_expression", "score_table"]


def differential_expression(path: Path) -> tuple[AnnData | None, str]:
    """Return a table of differential expression as it was read, or None where the file is something else, and why.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    tuple
        The table without observations, its genes' columns in ``var``; and what was seen instead.

    Raises
    ------
    DataError
        If there is no such file.
    """
    from mtorscore import io

    if not path.exists():
        raise DataError(f"{path} does not exist.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MtorscoreWarning)  # of a matrix, which this may not be
            adata = io.read(path)
    except MtorscoreError as error:
        return None, str(error)
    source = adata.uns.get("source", {})
    return (adata, "") if source.get("table") == "contrast" else (None, str(source.get("evidence", "")))


def score_table(table: AnnData, signatures: SignatureCollection | None, **options: Any) -> pd.DataFrame:
    """Score a table of differential expression; see `mtorscore.tl.score_contrast`.

    Parameters
    ----------
    table
        From `differential_expression`.
    signatures
        The shipped library by default.
    **options
        Of `score_contrast`.

    Returns
    -------
    pandas.DataFrame
        Its table.
    """
    from mtorscore import tl

    return tl.score_contrast(table, signatures, **options)


def contrast_scores(
    scores: Path, clinical: Path, *, group: str | None, covariates: Sequence[str] = (), **design: Any
) -> pd.DataFrame:
    """Compare scores between groups of a clinical table; see `mtorscore.tl.contrast`.

    Parameters
    ----------
    scores
        As `mtorscore score` writes it, by one method or several.
    clinical
        First column the observation.
    group
        Column of groups.
    covariates
        Columns.
    **design
        Other keywords of `contrast`; `block`, `pair`, `interaction` and `continuous` name columns.

    Returns
    -------
    pandas.DataFrame
        The table of `contrast`; by several methods with a column `method` in front, and `methods_agree`, `differ` and
        `claim` (see `mtorscore.tl.agreement`) behind.

    Raises
    ------
    ConfigError
        If a column is absent.
    """
    import pandas as pd

    from mtorscore import tl
    from mtorscore.pipeline.joined_scores import by_method, join_clinical

    both = join_clinical(scores, clinical, every=True)
    values, about = both.scores, both.clinical
    named = {k: design[k] for k in ("block", "pair", "interaction", "continuous") if design.get(k) is not None}
    wanted = [c for c in (group, *covariates, *named.values()) if c is not None]
    absent = [c for c in wanted if c not in about]
    if absent:
        raise ConfigError(
            f"{clinical} has no column {examples(map(repr, absent))}; it has {examples(about.columns, 12)}."
        )
    keywords = {**design, **{k: about[c] for k, c in named.items()}}
    if covariates:
        keywords["covariates"] = about[list(covariates)]
    labels = None if group is None else _as_text(about[group])
    tables = {m: tl.contrast(v, labels, **keywords) for m, v in by_method(values).items()}
    if len(tables) == 1:
        return next(iter(tables.values()))
    joined = pd.concat([t.assign(method=m) for m, t in tables.items()], ignore_index=True)
    merged = with_agreement(joined, by=("signature", "contrast"))
    return merged[["method", *[c for c in merged if c != "method"]]]


def _as_text(labels: pd.Series) -> pd.Series:
    """Return groups as they are written on the command line: 1 for 1.0."""
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(labels):
        return labels.astype(object)
    return pd.Series([f"{v:g}" if pd.notna(v) else None for v in labels], index=labels.index, dtype=object)

"""The single-step command ``contrast``: a table of differential expression, or scores with groups."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore.errors import ConfigError, DataError, MtorscoreError, MtorscoreWarning, examples, warn
from mtorscore.tl.analysis.method_agreement import with_agreement

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from mtorscore.collection import SignatureCollection

__all__ = ["answers", "contrast_scores", "differential_expression", "score_table"]


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
        Columns; several may stand in one text, by commas, as may groups in `order`.
    **design
        Other keywords of `contrast`; `block`, `pair`, `interaction`, `within` and `continuous` name columns.

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
    from mtorscore.pp.groups import as_known

    both = join_clinical(scores, clinical, every=True)
    values, about = both.scores, both.clinical
    named = {
        k: design[k] for k in ("block", "pair", "interaction", "within", "continuous") if design.get(k) is not None
    }
    covariates = as_known(covariates, map(str, about.columns))
    wanted = [c for c in (group, *covariates, *named.values()) if c is not None]
    absent = [c for c in wanted if c not in about]
    if absent:
        raise ConfigError(
            f"{clinical} has no column {examples(map(repr, absent))}; it has {examples(about.columns, 12)}."
        )
    keywords = {**design, **{k: about[c] for k, c in named.items()}}
    if covariates:
        keywords["covariates"] = about[list(covariates)]
    if design.get("interaction_control") is not None and "interaction" in named:
        keywords["interaction"] = _as_text(about[named["interaction"]])
    if named.get("within") is not None:
        keywords["within"] = _as_text(about[named["within"]])
    labels = None if group is None else _as_text(about[group])
    if design.get("order") is not None and labels is not None:
        keywords["order"] = as_known(design["order"], labels.dropna().unique())
    with _each_warning_once():
        tables = {m: tl.contrast(v, labels, **keywords) for m, v in by_method(values).items()}
    if len(tables) == 1:
        return next(iter(tables.values()))
    joined = pd.concat([t.assign(method=m) for m, t in tables.items()], ignore_index=True)
    merged = with_agreement(joined, by=("signature", "contrast"))
    return merged[["method", *[c for c in merged if c != "method"]]]


@contextmanager
def _each_warning_once() -> Iterator[None]:
    """Say once what is said of every method, such as which pairs are not complete."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    first: dict[tuple[type[Warning], str], warnings.WarningMessage] = {}
    for one in caught:
        first.setdefault((one.category, str(one.message)), one)
    for one in first.values():
        if issubclass(one.category, MtorscoreWarning):
            warn(str(one.message), one.category)
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def answers(table: pd.DataFrame, *, most: int = 5) -> list[str]:
    """Return what a table of this command says, a sentence for each contrast.

    Parameters
    ----------
    table
        Of `contrast_scores` or `score_table`; of several methods the first is told.
    most
        Sentences.
    """
    if "part" in table:
        whole = table[table["part"] == "whole"]
        parts = [(f"{name}: " if name else "", part) for name, part in whole.groupby("comparison", sort=False)]
        more = [f"and {len(parts) - most} more comparisons"] if len(parts) > most else []
        return [_of_chosen(h, p) if p["t"].isna().all() else _answer(h, p, "t") for h, p in parts[:most]] + more
    rows = table[table["method"] == table["method"].iloc[0]] if "method" in table else table
    by = f" ({rows['method'].iloc[0]})" if "method" in rows else ""
    parts = [(f"{name}{by}, {_samples(part.iloc[0])}: ", part) for name, part in rows.groupby("contrast", sort=False)]
    more = [f"and {len(parts) - most} more contrasts"] if len(parts) > most else []
    return [_answer(head, part, "hedges_g") for head, part in parts[:most]] + more


def _of_chosen(head: str, rows: pd.DataFrame) -> str:
    """Say of a table of chosen genes which signatures have most of their genes in it, moving one way."""
    known = rows[rows["n_genes"] >= 3]
    if not len(known):
        return f"{head}no signature has three genes in the table"
    ways = []
    usual = min(known["n_genes"].sum() / known["n_total"].sum(), 1 - 1e-9)
    for word, found in (("as it says", known["n_agree"]), ("against it", known["n_genes"] - known["n_agree"])):
        surplus = (found - usual * known["n_total"]) / (known["n_total"] * usual * (1 - usual)) ** 0.5
        named = known["signature"] + [
            f" ({n} of {of} genes {word})" for n, of in zip(found, known["n_total"], strict=True)
        ]
        ways += list(zip(surplus, named, strict=True))
    top = [name for _, name in sorted(ways, key=lambda w: -w[0])[:3]]
    return (
        f"{head}most genes of a signature in the table, moving one way: {', '.join(top)}; a test takes the whole table"
    )


def _samples(row: pd.Series) -> str:
    if row["n"] != row["n"]:
        return "no sample that fits"
    n = f"{int(row['n'])} samples"
    return f"{n} in {int(row['n_blocks'])} pairs or blocks" if row["n_blocks"] > 1 else n


def _answer(head: str, rows: pd.DataFrame, size: str) -> str:
    known = rows[rows["q"].notna()]
    if not len(known):
        reasons = rows["reason"].dropna().astype(str)
        reasons = reasons[reasons != ""].value_counts()
        return f"{head}whether a signature moves cannot be said{f': {reasons.index[0]}' if len(reasons) else ''}"
    hits = known[known["q"] < 0.05]
    top = hits.reindex(hits[size].abs().sort_values(ascending=False).index).head(3)
    label = "g" if size == "hedges_g" else size
    named = ", ".join(f"{s} ({label} {v:+.2f})" for s, v in zip(top["signature"], top[size], strict=True))
    ways = f"{int((hits[size] > 0).sum())} are higher and {int((hits[size] < 0).sum())} lower with q < 0.05"
    agree = f", {int(hits['claim'].str.contains(': all ').sum())} of them by every method" if "claim" in hits else ""
    return f"{head}of {len(known)} signatures {ways}{agree}{f'; most: {named}' if named else ''}"


def _as_text(labels: pd.Series) -> pd.Series:
    """Return groups as they are written on the command line: 1 for 1.0."""
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(labels):
        return labels.astype(object)
    return pd.Series([f"{v:g}" if pd.notna(v) else None for v in labels], index=labels.index, dtype=object)

"""Branches, alterations and outcome beside the classes of tumours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mtorscore._alteration_results import BEYOND_CLASS, CLASS_CONTRASTS, CLASS_LABELS
from mtorscore._multiple_testing import adjust_p
from mtorscore.collection import library
from mtorscore.prognosis.association.associate import associate
from mtorscore.prognosis.association.survival import logrank
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.genomics.exact_test import cramers_v
from mtorscore.prognosis.genomics.shares import share_row

__all__ = ["LEAST_OF_CLASS", "beyond_class", "class_contrasts", "class_labels"]

LEAST_OF_CLASS = 5
"""Fewest tumours of a class that is compared with the others."""


def _usable(classes: pd.Series) -> pd.Series:
    """Return the classes of which there are enough tumours."""
    known = classes.dropna().astype(str)
    counts = known.value_counts()
    return known[known.isin(counts.index[counts >= LEAST_OF_CLASS])]


def class_contrasts(
    scores: pd.DataFrame, classes: pd.Series, *, scheme: str, n_permutations: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Compare the scores of each class with those of all other classes.

    Parameters
    ----------
    scores
        Tumours x signatures.
    classes
        Class of each tumour, missing where none was called.
    scheme
        Which classes.
    n_permutations, seed
        See `mtorscore.tl.contrast`.

    Returns
    -------
    pandas.DataFrame
        Columns of ``alterations/class_contrasts.tsv``; ``q`` is Benjamini-Hochberg over signatures and classes.
    """
    from mtorscore import tl

    known, entries = _usable(classes), library(experimental=True)
    parts = []
    for name in sorted(known.unique()) if known.nunique() > 1 else ():
        labels = known.where(known == name, "others")
        found = tl.contrast(
            scores.loc[labels.index], labels, treated=name, control="others", n_permutations=n_permutations, seed=seed
        )
        found = found.rename(columns={"n_treated": "n_class", "n_control": "n_others"})
        parts.append(found.assign(**{"scheme": scheme, "class": name}))
    if not parts:
        return pd.DataFrame(columns=list(CLASS_CONTRASTS.names))
    table = pd.concat(parts, ignore_index=True)
    table["branch"] = [entries[s].branch if s in entries else "" for s in table["signature"]]
    table["q"] = adjust_p(table["p"].to_numpy(dtype=np.float64))
    return table.reindex(columns=list(CLASS_CONTRASTS.names))


def class_labels(
    classes: pd.Series,
    labels: Mapping[str, pd.Series],
    clinical: pd.DataFrame,
    endpoints: Sequence[Endpoint],
    *,
    scheme: str,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Lay altered genes, aetiologies and outcomes beside classes.

    Parameters
    ----------
    classes
        Class of each tumour, missing where none was called.
    labels
        What is laid beside -> 1, 0 or missing per tumour.
    clinical, endpoints
        Outcomes, for a log-rank test between classes.
    scheme
        Which classes.
    level
        Of the intervals of shares (Wilson).
    seed
        Of the permutations.

    Returns
    -------
    pandas.DataFrame
        Columns of ``alterations/class_labels.tsv``, one row per class; the test over all classes stands on each.
    """
    known = _usable(classes)
    rows: list[dict[str, Any]] = []
    if known.nunique() < 2:
        return pd.DataFrame(columns=list(CLASS_LABELS.names))
    for name, values in labels.items():
        both = values.reindex(known.index).dropna()
        statistic, p = cramers_v(
            pd.factorize(known[both.index], sort=True)[0].astype(np.int64), both.to_numpy().astype(np.int64), seed=seed
        )
        why = "" if np.isfinite(statistic) else "the label does not vary among these tumours"
        about = {"scheme": scheme, "beside": name, "test": "Cramer's V", "statistic": statistic, "p": p, "reason": why}
        for one in sorted(known.unique()):
            part = both[(known[both.index] == one).to_numpy()]
            rows.append(about | {"class": one} | share_row(part, level))
    for endpoint in endpoints:
        rows += _outcome(known, clinical, endpoint, scheme, level)
    return pd.DataFrame(rows).reindex(columns=list(CLASS_LABELS.names))


def _outcome(
    known: pd.Series, clinical: pd.DataFrame, endpoint: Endpoint, scheme: str, level: float
) -> list[dict[str, Any]]:
    data = endpoint.resolve_survival(clinical, known.index)
    events = pd.Series(np.asarray(data.event, dtype=np.float64) == 1, data.index).astype(float)
    here = known[data.index]
    about: dict[str, Any] = {"scheme": scheme, "beside": endpoint.name, "test": "log-rank", "reason": ""}
    about |= {"statistic": np.nan, "p": np.nan}
    if here.nunique() > 1 and events.any():
        found = logrank(here, clinical, endpoint).iloc[0]
        about |= {"statistic": float(found["chisq"]), "p": float(found["p"])}
    else:
        about["reason"] = "no event, or one class alone has follow-up"
    return [
        about | {"class": one} | share_row(events[(here == one).to_numpy()], level) for one in sorted(here.unique())
    ]


def beyond_class(
    scores: pd.DataFrame,
    classes: pd.Series,
    clinical: pd.DataFrame,
    endpoints: Sequence[Endpoint],
    *,
    scheme: str,
    seed: int = 0,
) -> pd.DataFrame:
    """Relate scores to outcomes beside the class, as one more negative control.

    Parameters
    ----------
    scores
        Tumours x signatures.
    classes
        Class of each tumour, missing where none was called.
    clinical, endpoints
        Survival outcomes.
    scheme
        Which classes; ``adjusted_for`` says so.
    seed
        As of `associate`.

    Returns
    -------
    pandas.DataFrame
        Columns of ``alterations/beyond_class.tsv``: the unadjusted model, then that beside the class.
    """
    known = _usable(classes)
    if known.nunique() < 2 or not endpoints:
        return pd.DataFrame(columns=list(BEYOND_CLASS.names))
    column = f"class ({scheme})"
    beside = clinical.assign(**{column: known.reindex(clinical.index)})
    table = associate(
        scores, beside, list(endpoints), [column], negative_controls=(), n_boot=0, seed=seed,
    )  # fmt: skip
    return table.reindex(columns=list(BEYOND_CLASS.names))

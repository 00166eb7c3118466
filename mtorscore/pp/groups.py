"""Columns that tell groups of samples, and what their values mean."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

__all__ = ["group_columns"]

_MOST_GROUPS = 8
# Words of tissue, treatment and condition; a column that holds two of them tells groups.
_TISSUE = re.compile(
    r"normal|adjacent|non[ _-]?tumou?r(al|ous)?|tumou?r(al|ous)?|cancer|carcinoma|hcc|lihc|i?cca|healthy|control|ctrl|"
    r"ctl|cirrho\w*|dysplas\w*|hepatitis|fibro\w*|steato\w*|primary|recurren\w*|metasta\w*|vehicle|dmso|treated|"
    r"untreated|mock|wt|wild[ _-]?type|ko|knock[ _-]?out|sham|n|t|nt|nl|tl|tp",
    re.IGNORECASE,
)
_OTHER_MEANING = re.compile(
    r"sex|gender|age|race|ethnic\w*|stage\w*|grade\w*|status|vital|event|os|pfi|dss|dfi|dfs|rfs|efs|pfs|t|n|m|ajcc\w*|"
    r"path\w*|in_outcome|patient|sample_type",
    re.IGNORECASE,
)


def group_columns(obs: pd.DataFrame) -> dict[str, list[str]]:
    """Return the columns that look like groups of samples, with their values; those that name tissues come first.

    Parameters
    ----------
    obs
        Observations and their columns.

    Returns
    -------
    dict
        Column -> values, for columns of text with two to eight values of which some occur more than once, but those
        that have another usual meaning (sex, stage, ...). Where a column names tissue or treatment, only such.
    """
    likely, others = {}, {}
    for name in map(str, obs.columns):
        values = _words(obs[name])
        if not 2 <= len(set(values)) <= min(_MOST_GROUPS, max(2, len(values) // 2)):
            continue
        found = list(dict.fromkeys(values))
        if sum(_is_tissue(v) for v in found) >= 2:
            likely[name] = found
        elif not _OTHER_MEANING.fullmatch(name):
            others[name] = found
    return likely or others


def _words(column: pd.Series) -> list[str]:
    """Return the values of a column of text; nothing for numbers."""
    known = column.dropna()
    if pd.api.types.is_numeric_dtype(known.dtype) or not len(known):
        return []
    return [str(v).strip() for v in known]


def _is_tissue(value: str) -> bool:
    return any(_TISSUE.fullmatch(word) for word in _split(value))


def _split(value: str) -> Iterable[str]:
    return (value, *re.split(r"[^A-Za-z]+", value))

"""Do the methods agree? Sign and size of one effect by several methods, and what may be claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, MethodError, examples

__all__ = ["agreement", "with_agreement"]

_Float = npt.NDArray[np.float64]
_COLUMNS = (
    "n_methods", "n_above", "n_below", "least", "most", "found_above", "found_below", "differ", "methods_agree",
    "claim",
)  # fmt: skip


def agreement(
    tables: Mapping[str, pd.DataFrame],
    *,
    by: str | Sequence[str] = ("signature", "contrast"),
    effect: str = "hedges_g",
    low: str = "g_low",
    high: str = "g_high",
    null: float = 0.0,
) -> pd.DataFrame:
    """Say for each effect whether the methods agree: a claim is made where they do, or names its method.

    Parameters
    ----------
    tables
        Method -> its result table, such as those of `contrast`, of `prognosis.associate` (``effect="hr", low="hr_low",
        high="hr_high", null=1``), or shares of active samples (``effect="share", null=0.5``).
    by
        Columns that name one effect in every table.
    effect, low, high
        Columns of the effect and its interval, on a scale that methods share.
    null
        Value of no effect.

    Returns
    -------
    pandas.DataFrame
        One row per effect: `by`, ``n_methods`` (with a number), ``n_above, n_below`` (signs), ``least, most`` (effect),
        ``found_above, found_below`` (methods whose interval leaves out `null`), ``differ`` (methods of the rarer sign,
        or whose effect lies outside the intervals of all others), ``methods_agree`` (all of one sign, and none
        differs) and ``claim``: ``above: all 3 methods``, ``above: ucell alone`` (the others have the same sign),
        ``methods disagree``, ``no method finds it`` or ``cannot be said``.

    Raises
    ------
    MethodError
        If there are fewer than two methods.
    DataError
        If a column is absent.
    """
    if len(tables) < 2:
        raise MethodError(f"Agreement needs two methods or more; there is {', '.join(tables) or 'none'}.")
    keys = [by] if isinstance(by, str) else list(by)
    parts = []
    for method, table in tables.items():
        absent = [c for c in (*keys, effect, low, high) if c not in table]
        if absent:
            raise DataError(f"The table of {method} has no column {examples(map(repr, absent))}.")
        chosen = table[[*keys, effect, low, high]].copy()
        chosen.columns = pd.Index([*keys, "effect", "low", "high"])
        parts.append(chosen.assign(method=method))
    joined = pd.concat(parts, ignore_index=True)
    rows = []
    for key, part in joined.groupby(keys, sort=False, dropna=False):
        values = key if isinstance(key, tuple) else (key,)
        rows.append(dict(zip(keys, values, strict=True)) | _of_one(*_known(_columns_of(part), slice(None)), null))
    return pd.DataFrame(rows, columns=[*keys, *_COLUMNS])


def with_agreement(
    table: pd.DataFrame,
    *,
    by: Sequence[str],
    effect: str = "hedges_g",
    low: str = "g_low",
    high: str = "g_high",
    null: float = 0.0,
    prefix: str = "",
) -> pd.DataFrame:
    """Add to a table of several methods whether they agree on each effect.

    Parameters
    ----------
    table
        With a column ``method``; rows of one method alone are told so in `claim`.
    by
        Columns that name one effect; missing values count as a value.
    effect, low, high, null
        See `agreement`.
    prefix
        Of the new columns.

    Returns
    -------
    pandas.DataFrame
        `table` with ``methods_agree`` (missing for an effect of one method), ``differ`` and ``claim``.
    """
    agree: list[Any] = [None] * len(table)
    differ, claim = [""] * len(table), [""] * len(table)
    named = table[["method", effect, low, high]].set_axis(["method", "effect", "low", "high"], axis=1)
    groups = table.groupby(list(by), sort=False, dropna=False).ngroup().to_numpy()
    columns = _columns_of(named)
    for places in _places(groups):
        found = _of_one(*_known(columns, places), null)
        for i in places:
            agree[i] = found["methods_agree"] if found["n_methods"] > 1 else None
            differ[i], claim[i] = found["differ"], found["claim"]
    told = {"methods_agree": pd.array(agree, dtype="boolean"), "differ": differ, "claim": claim}
    return table.assign(**{prefix + k: v for k, v in told.items()})


def _places(groups: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1) if len(order) else []


def _columns_of(table: pd.DataFrame) -> tuple[npt.NDArray[Any], _Float, _Float, _Float]:
    """Return method, effect and interval of all rows."""
    effect, low, high = (pd.to_numeric(table[c]).to_numpy(dtype=np.float64) for c in ("effect", "low", "high"))
    return table["method"].astype(str).to_numpy(dtype=object), effect, low, high


def _known(
    columns: tuple[npt.NDArray[Any], _Float, _Float, _Float], places: npt.NDArray[np.int64] | slice
) -> tuple[list[str], _Float, _Float, _Float]:
    """Return method, effect and interval of the rows at some places whose effect is known."""
    methods, effect, low, high = (c[places] for c in columns)
    known = np.isfinite(effect)
    return list(methods[known]), effect[known], low[known], high[known]


def _of_one(methods: list[str], effect: _Float, low: _Float, high: _Float, null: float) -> dict[str, Any]:
    above, below = effect > null, effect < null
    found_above = [m for m, f in zip(methods, low > null, strict=True) if f]
    found_below = [m for m, f in zip(methods, high < null, strict=True) if f]
    differ = _differing(methods, effect, low, high, above, below)
    agree = len(methods) > 1 and not differ and (bool(above.all()) or bool(below.all()))
    told = bool(np.isfinite(low).any() or np.isfinite(high).any())
    return {
        "n_methods": len(methods),
        "n_above": int(above.sum()),
        "n_below": int(below.sum()),
        "least": effect.min() if len(methods) else np.nan,
        "most": effect.max() if len(methods) else np.nan,
        "found_above": ",".join(found_above),
        "found_below": ",".join(found_below),
        "differ": ",".join(differ),
        "methods_agree": agree,
        "claim": _claim(len(methods), above, below, found_above, found_below) if told else "cannot be said",
    }


def _differing(methods: list[str], effect: _Float, low: _Float, high: _Float, above: Any, below: Any) -> list[str]:
    rarer = above if 0 < above.sum() < below.sum() else below if 0 < below.sum() < above.sum() else None
    if rarer is None and above.any() and below.any():
        return methods
    names = [] if rarer is None else [m for m, r in zip(methods, rarer, strict=True) if r]
    outside = (low[None, :] > effect[:, None]) | (high[None, :] < effect[:, None])
    np.fill_diagonal(outside, True)
    far = [] if len(methods) < 2 else [m for m, row in zip(methods, outside, strict=True) if row.all()]
    return names + [m for m in far if m not in names]


def _claim(n: int, above: Any, below: Any, found_above: list[str], found_below: list[str]) -> str:
    if not found_above and not found_below:
        return "no method finds it"
    if (found_above and below.any()) or (found_below and above.any()):
        return "methods disagree"
    side, found = ("above", found_above) if found_above else ("below", found_below)
    if len(found) == n > 1:
        return f"{side}: all {n} methods"
    return f"{side}: {', '.join(found)} alone"

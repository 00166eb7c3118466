"""Do the methods agree? Sign and size of one effect by several methods, and what may be claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError, MethodError, examples

__all__ = ["agreement"]

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
        rows.append(dict(zip(keys, values, strict=True)) | _of_one(part, null))
    return pd.DataFrame(rows, columns=[*keys, *_COLUMNS])


def _of_one(part: pd.DataFrame, null: float) -> dict[str, Any]:
    known = part[np.isfinite(part["effect"].to_numpy(dtype=np.float64))]
    above, below = known["effect"] > null, known["effect"] < null
    found_above = known.loc[known["low"] > null, "method"].tolist()
    found_below = known.loc[known["high"] < null, "method"].tolist()
    differ = _differing(known, above, below)
    agree = len(known) > 1 and not differ and (bool(above.all()) or bool(below.all()))
    return {
        "n_methods": len(known),
        "n_above": int(above.sum()),
        "n_below": int(below.sum()),
        "least": known["effect"].min() if len(known) else np.nan,
        "most": known["effect"].max() if len(known) else np.nan,
        "found_above": ",".join(found_above),
        "found_below": ",".join(found_below),
        "differ": ",".join(differ),
        "methods_agree": agree,
        "claim": _claim(known, above, below, found_above, found_below),
    }


def _differing(known: pd.DataFrame, above: pd.Series, below: pd.Series) -> list[str]:
    rarer = above if 0 < above.sum() < below.sum() else below if 0 < below.sum() < above.sum() else None
    names = [] if rarer is None else known.loc[rarer, "method"].tolist()
    if rarer is None and above.any() and below.any():
        return [str(m) for m in known["method"]]
    for i, (_, row) in enumerate(known.iterrows()):
        others = known.drop(index=known.index[i])
        outside = (others["low"] > row["effect"]) | (others["high"] < row["effect"])
        if len(others) and outside.all() and row["method"] not in names:
            names.append(row["method"])
    return [str(n) for n in names]


def _claim(
    known: pd.DataFrame, above: pd.Series, below: pd.Series, found_above: list[str], found_below: list[str]
) -> str:
    if not len(known) or known[["low", "high"]].isna().all(axis=None):
        return "cannot be said"
    if not found_above and not found_below:
        return "no method finds it"
    if (found_above and below.any()) or (found_below and above.any()):
        return "methods disagree"
    side, found = ("above", found_above) if found_above else ("below", found_below)
    if len(found) == len(known) > 1:
        return f"{side}: all {len(known)} methods"
    return f"{side}: {', '.join(found)} alone"

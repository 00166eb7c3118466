"""How small a difference can be seen: the technical SD of scores, and the samples that a difference needs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse, stats

from mtorscore.collection import SignaturesLike, as_collection
from mtorscore.errors import DataError, MtorscoreWarning, examples
from mtorscore.pp.cohort import add_log_layer
from mtorscore.tl.scoring import score

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["samples_needed", "technical_sd"]

_Float = npt.NDArray[np.float64]
# Methods whose scores do not depend on the scale of an observation take counts as they are.
_RANKS = frozenset({"singscore", "ucell", "aucell", "ssgsea"})
_MOST = 20_000


def technical_sd(
    adata: AnnData,
    signatures: SignaturesLike = None,
    *,
    method: str | Sequence[str] = "singscore",
    layer: str | None = None,
    replicates: str | None = None,
    n_splits: int = 10,
    seed: int = 0,
    **params: Any,
) -> pd.DataFrame:
    """Estimate the technical SD of each score, from the counts themselves and from technical replicates.

    Counting noise: the counts of every observation are split at random into two halves (binomial thinning), which are
    independent if counts are Poisson. Both are scored; half of the difference has the variance of counting at full
    depth, if that falls with depth. Noise of library preparation is not in it; technical replicates hold both.

    Parameters
    ----------
    adata
        Observations x genes, raw counts (in `layer` or ``.X``).
    signatures
        As in `score`.
    method
        A scoring method, or several, which share one pass over each half. Those of ranks take counts, others the log
        layer of each half.
    layer
        Layer of the counts.
    replicates
        Column of ``.obs`` that is the same for technical replicates of one sample.
    n_splits
        Random splits.
    seed
        Of the splits.
    **params
        Of the method; of several, one mapping per method (``ucell={"max_rank": 1000}``).

    Returns
    -------
    pandas.DataFrame
        One row per signature (and, of several methods, ``method``): ``signature, technical_sd`` (of replicates where
        there are any, else of counting), ``source`` (``replicates`` or ``thinning``), ``sd_thinning, sd_replicates,
        n_splits, n_replicates`` (degrees of freedom), ``reason``. Hand that of one method to
        ``contrast(technical=...)``.

    Raises
    ------
    DataError
        If values are no counts, or `replicates` names no column.
    """
    counts = _counts(adata, layer)
    collection = as_collection(signatures)
    names = [s.id for s in collection.signatures]
    rng = np.random.default_rng(seed)
    squares: list[dict[str, _Float]] = []
    for _ in range(n_splits):
        half = rng.binomial(counts, 0.5)
        first, second = (_scores(v, adata, collection, method, params) for v in (half, counts - half))
        squares.append({m: ((first[m] - second[m])[names].to_numpy(dtype=np.float64) / 2) ** 2 for m in first})
    repeated, degrees = _replicates(adata, counts, collection, method, params, replicates, names)
    tables = []
    for name in squares[0]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a score that is NaN everywhere
            thinned = np.sqrt(np.nanmean(np.array([found[name] for found in squares]), axis=(0, 1)))
        table = _table(names, thinned, repeated.get(name, np.full(len(names), np.nan)), n_splits, degrees)
        tables.append(table if isinstance(method, str) else table.assign(method=name)[["method", *table.columns]])
    return pd.concat(tables, ignore_index=True)


def _table(names: list[str], thinned: _Float, repeated: _Float, n_splits: int, degrees: int) -> pd.DataFrame:
    known = np.isfinite(repeated)
    table = pd.DataFrame({"signature": names, "technical_sd": np.where(known, repeated, thinned)})
    table["source"] = np.where(known, "replicates", "thinning")
    table["sd_thinning"], table["sd_replicates"] = thinned, repeated
    table["n_splits"], table["n_replicates"] = n_splits, degrees
    lost = ~np.isfinite(table["technical_sd"].to_numpy(dtype=np.float64))
    table["reason"] = np.where(lost, "it has no score", "")
    return table


def _counts(adata: AnnData, layer: str | None) -> npt.NDArray[np.int64]:
    if layer is not None and layer not in adata.layers:
        raise DataError(f"There is no layer {layer!r}; there are {examples(filter(None, adata.layers)) or 'none'}.")
    x = adata.X if layer is None else adata.layers[layer]
    values = np.asarray(x.toarray() if sparse.issparse(x) else x, dtype=np.float64)
    if not np.isfinite(values).all() or (values < 0).any() or np.abs(values - np.round(values)).max(initial=0) > 1e-6:
        raise DataError(
            "Counting noise is told from raw counts, and these values are none; name the layer of counts in layer=."
        )
    return np.round(values).astype(np.int64)


def _scores(
    values: npt.NDArray[np.int64], adata: AnnData, collection: Any, method: str | Sequence[str], params: Any
) -> dict[str, pd.DataFrame]:
    from anndata import AnnData

    methods = [method] if isinstance(method, str) else list(method)
    bare = AnnData(values.astype(np.float64), obs=adata.obs[[]].copy(), var=adata.var[[]].copy())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MtorscoreWarning)  # coverage is that of the scores themselves
        layer = None
        if not _RANKS.issuperset(methods):
            add_log_layer(bare, scale="counts")
            layer = "log"
        score(bare, collection, method=method, layer=layer, **params)
    return {m: bare.obsm[f"score_{m}"] for m in methods}


def _replicates(
    adata: AnnData, counts: npt.NDArray[np.int64], collection: Any, method: str | Sequence[str], params: Any,
    column: str | None, names: list[str],
) -> tuple[dict[str, _Float], int]:  # fmt: skip
    if column is None:
        return {}, 0
    if column not in adata.obs:
        raise DataError(f"`replicates` names the column {column!r}, which .obs does not have.")
    codes = pd.factorize(adata.obs[column])[0]
    known = codes >= 0
    degrees = int(known.sum()) - len(np.unique(codes[known]))
    if degrees < 1:
        raise DataError(f"No value of {column} stands twice, so there are no technical replicates.")
    out: dict[str, _Float] = {}
    for name, table in _scores(counts, adata, collection, method, params).items():
        values = table[names][known]
        within = values - values.groupby(codes[known]).transform("mean")
        out[name] = np.sqrt((within.to_numpy(dtype=np.float64) ** 2).sum(axis=0) / degrees)
    return out, degrees


def samples_needed(
    table: pd.DataFrame,
    difference: float | pd.Series,
    *,
    power: float = 0.8,
    level: float = 0.05,
    depth: float = 1.0,
    n_simulations: int = 4000,
    seed: int = 0,
) -> pd.DataFrame:
    """Say how many samples a design like this one needs to find a difference, by simulation of its t test.

    The residual SD of the contrast holds biological and technical noise. Where the table has `technical_sd`, its part
    is scaled to another sequencing depth; beyond that, deeper sequencing cannot help.

    Parameters
    ----------
    table
        From `contrast`, best with ``technical=``.
    difference
        To be found, in units of the score; one for all, or one per signature (index: signature).
    power
        Share of experiments that find it.
    level
        Of the two-sided test.
    depth
        Sequencing depth, as a multiple of the present one.
    n_simulations
        Experiments per number of samples.
    seed
        Of the simulation.

    Returns
    -------
    pandas.DataFrame
        One row per row of `table`: ``signature, contrast, difference, residual_sd`` (at that depth), ``power_now``
        (with the present samples), ``n_now, n_needed`` (observations in all, groups in the present shares, pairs as
        pairs), ``reason``.

    Raises
    ------
    DataError
        If the table is not one of `contrast`, or a number is out of range.
    """
    absent = [c for c in ("signature", "contrast", "residual_sd", "error", "n", "df") if c not in table]
    if absent:
        raise DataError(f"The table has no column {examples(map(repr, absent))}; hand over that of tl.contrast.")
    if not (0 < power < 1 and 0 < level < 1 and depth > 0):
        raise DataError(f"power={power}, level={level} and depth={depth} must be within (0, 1), (0, 1) and above 0.")
    wanted = table["signature"].map(difference) if isinstance(difference, pd.Series) else float(difference)
    asked = np.broadcast_to(np.asarray(wanted, dtype=np.float64), (len(table),))
    rng = np.random.default_rng(seed)
    normal, uniform = rng.standard_normal(n_simulations), rng.random(n_simulations)
    rows = [
        _needed(row, d, power, level, depth, normal, uniform)
        for (_, row), d in zip(table.iterrows(), asked, strict=True)
    ]
    return pd.DataFrame(rows)


def _needed(
    row: pd.Series, difference: float, power: float, level: float, depth: float, normal: _Float, uniform: _Float
) -> dict[str, Any]:
    out: dict[str, Any] = {"signature": row["signature"], "contrast": row["contrast"], "difference": difference}
    technical = float(row.get("technical_sd", np.nan))
    technical = technical if np.isfinite(technical) else 0.0
    rest = max(float(row["residual_sd"]) ** 2 - technical**2, 0.0)
    spread = float(np.sqrt(rest + technical**2 / depth))
    out |= {
        "residual_sd": spread,
        "power_now": np.nan,
        "n_now": int(row["n"]) if row["n"] > 0 else 0,
        "n_needed": np.nan,
    }
    if not np.isfinite(spread) or not row["df"] >= 1 or not np.isfinite(difference):
        return out | {"reason": "its residual SD is not known in this design"}
    if difference == 0 or spread == 0:
        return out | {"reason": "a difference of 0 cannot be found" if difference == 0 else "its residuals are all 0"}
    n_now, unscaled = int(row["n"]), float(row["error"]) / float(row["residual_sd"])
    used = n_now - float(row["df"])
    growing = float(row.get("n_blocks", 1)) if row.get("robust", "") == "paired" else 0.0

    def found(n: int) -> float:
        degrees = n - (used - growing) - growing * n / n_now
        if degrees < 1:
            return 0.0
        shift = abs(difference) / (spread * unscaled * np.sqrt(n_now / n))
        t = (shift + normal) / np.sqrt(stats.chi2.ppf(uniform, degrees) / degrees)
        return float((np.abs(t) > stats.t.isf(level / 2, degrees)).mean())

    out["power_now"] = found(n_now)
    low, high = 2, 4
    while high <= _MOST and found(high) < power:
        low, high = high, 2 * high
    if high > _MOST:
        return out | {"reason": f"more than {_MOST} samples"}
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) >= power else (middle, high)
    step = 2 if growing or row.get("n_treated", np.nan) == row.get("n_control", np.nan) else 1
    return out | {"n_needed": -(-high // step) * step, "reason": ""}

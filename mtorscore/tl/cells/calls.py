"""Which cells are active, and in what share of the cells of a sample, with the threshold's uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.errors import DataError, examples
from mtorscore.pp.cell_aggregation import groups_of
from mtorscore.tl.analysis.cell_summaries import score_key
from mtorscore.tl.cells.thresholds import (
    LEAST_SAMPLES,
    Cells,
    Floats,
    Ints,
    Rule,
    dip,
    quantile,
    share_interval,
    threshold_interval,
)

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["CellCalls", "call_cells"]

# What a threshold must be found in, of the resamples.
LEAST_FOUND = 0.9


@dataclass(frozen=True)
class CellCalls:
    """Calls of cells.

    Attributes
    ----------
    signatures
        One row per signature: ``signature, rule, n_cells, n_samples, n_reference_cells, n_reference_samples, threshold,
        threshold_low, threshold_high, reference_active, active, active_low, active_high, reason``.
    samples
        One row per signature and sample: ``sample, signature, n_cells, n_active, active``.
    cells
        Cells x signatures: 1 active, 0 not, NaN without a threshold or a score.
    without_sample
        Names of the cells that no sample names; they are called, and count in no share.
    """

    signatures: pd.DataFrame = field(repr=False)
    samples: pd.DataFrame = field(repr=False)
    cells: pd.DataFrame = field(repr=False)
    without_sample: tuple[str, ...] = ()


def call_cells(
    adata: AnnData,
    *,
    sample_key: str,
    reference: Any = None,
    method: str | None = None,
    signatures: str | Sequence[str] | None = None,
    level_above: float = 0.95,
    n_boot: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> CellCalls:
    """Call cells active above a threshold, and say how sure threshold and share are.

    With reference cells the threshold is the quantile `level_above` of their scores, samples counting alike. Without,
    it is the dip between two modes of the scores, as AUCell sets thresholds; where the scores have one mode there is no
    threshold, and the row says so. Cells of one sample are not independent, so whole samples are resampled for the
    interval of the threshold, and the share of active cells is a mean over samples.

    Parameters
    ----------
    adata
        Scored cells.
    sample_key
        Column of ``.obs`` that names the sample (patient, section) of each cell.
    reference
        Boolean mask, or name of a boolean column of ``.obs``: reference cells, such as hepatocytes of healthy donors.
        They are called as well, and count in no share.
    method, signatures
        Whose scores; by default the only ones, and all of them.
    level_above
        Quantile of the reference cells.
    n_boot, seed
        Resamples of samples.
    level
        Of the intervals.

    Returns
    -------
    CellCalls
        Thresholds and shares per signature, shares per sample, calls per cell. ``reference_active`` is the share of
        cells of a reference sample above the threshold that the other reference samples set: what a sample like the
        reference shows, to be held against ``active``. ``obsm["active_<method>"]`` has the calls too.

    Warns
    -----
    DataWarning
        Once, if cells have no sample.

    Raises
    ------
    DataError
        If there are no scores, no such column, or no cell to be called or to refer to.

    References
    ----------
    Aibar et al., Nat Methods 2017;14:1083 (AUCell's thresholds).
    """
    import pandas as pd

    if not 0.5 < level_above < 1:
        raise DataError(f"level_above={level_above!r} must lie between 0.5 and 1.")
    key = score_key(adata, method)
    table = _chosen(adata.obsm[key], signatures, key)
    codes, keys = groups_of(adata.obs, [sample_key])
    names = keys[sample_key].astype(str).tolist()
    refer = _mask(adata, reference)
    if len(names) == adata.n_obs and adata.n_obs > 1:
        raise DataError(f"{sample_key} names cells, not samples: each of {adata.n_obs} has another value.")
    rng = np.random.default_rng(seed)
    rows, by_sample, called = [], [], {}
    for name in map(str, table.columns):
        values = table[name].to_numpy(dtype=np.float64)
        row, calls = _one(values, codes, refer, level_above, n_boot, level, rng)
        rows.append({"signature": name} | row)
        called[name] = calls
        by_sample += _shares(name, calls, np.where(refer, -1, codes) if refer is not None else codes, names)
    calls_of = pd.DataFrame(called, index=adata.obs_names)
    adata.obsm[f"active_{key.removeprefix('score_')}"] = calls_of
    lost = tuple(str(n) for n in adata.obs_names[codes < 0])
    columns = ["sample", "signature", "n_cells", "n_active", "active"]
    return CellCalls(pd.DataFrame(rows), pd.DataFrame(by_sample, columns=columns), calls_of.copy(), lost)


def _chosen(table: pd.DataFrame, signatures: str | Sequence[str] | None, key: str) -> pd.DataFrame:
    if signatures is None:
        return table
    wanted = [signatures] if isinstance(signatures, str) else list(signatures)
    absent = [s for s in wanted if s not in table.columns]
    if absent:
        raise DataError(f"{len(absent)} signature(s) have no score in obsm[{key!r}] ({examples(absent)}).")
    return table[wanted]


def _mask(adata: AnnData, reference: Any) -> Any:
    if reference is None:
        return None
    if isinstance(reference, str):
        if reference not in adata.obs:
            raise DataError(
                f"obs has no column {reference!r} of reference cells; it has {examples(adata.obs.columns)}."
            )
        reference = adata.obs[reference]
    mask = np.asarray(reference)
    if mask.dtype != bool or mask.shape != (adata.n_obs,):
        raise DataError(f"reference must be {adata.n_obs} booleans, not {mask.dtype} of shape {mask.shape}.")
    if not mask.any() or mask.all():
        raise DataError(f"reference marks {int(mask.sum())} of {adata.n_obs} cells; some must be, and some must not.")
    return mask


def _one(
    values: Floats, codes: Ints, refer: Any, level_above: float, n_boot: int, level: float, rng: np.random.Generator
) -> tuple[dict[str, Any], Floats]:
    """Return the row of one signature and the calls of the cells."""
    own = Cells.of(values, codes if refer is None else np.where(refer, -1, codes))
    basis = own if refer is None else Cells.of(values, np.where(refer, codes, -1))
    rule: Rule = dip if refer is None else partial(quantile, level=level_above)
    row: dict[str, Any] = {
        "rule": "dip between two modes" if refer is None else f"quantile {level_above:g} of the reference",
        "n_cells": len(own.values), "n_samples": own.n_samples,
        "n_reference_cells": 0 if refer is None else len(basis.values),
        "n_reference_samples": 0 if refer is None else basis.n_samples,
    }  # fmt: skip
    numbers = [
        "threshold",
        "threshold_low",
        "threshold_high",
        "reference_active",
        "active",
        "active_low",
        "active_high",
    ]
    row |= dict.fromkeys(numbers, float("nan"))
    if not len(own.values) or not len(basis.values):
        return row | {"reason": "no cell with a score and a sample"}, np.full(len(values), np.nan)
    threshold = float(rule(basis, basis.alike)[0])
    if not np.isfinite(threshold):
        why = "the scores have one mode, and nothing separates active cells; give reference cells"
        return row | {"reason": why}, np.full(len(values), np.nan)
    said = []
    low = high = float("nan")
    if basis.n_samples < LEAST_SAMPLES:
        said.append(f"{basis.n_samples} samples set the threshold; {LEAST_SAMPLES} are needed for its interval")
    else:
        low, high, found = threshold_interval(basis, rule, threshold, n_boot, level, rng)
        if found < LEAST_FOUND:
            why = f"{found:.0%} of the resamples have two modes; {LEAST_FOUND:.0%} are needed for a threshold"
            return row | {"reason": why}, np.full(len(values), np.nan)
    shares = own.shares_above(threshold)
    row["active"] = float(shares.mean())
    if np.isfinite(low) and own.n_samples > 1:
        ends = share_interval(shares, own.shares_above(high), own.shares_above(low), level)
        row["active_low"], row["active_high"] = ends
    if refer is not None:
        row["reference_active"] = _left_out(basis, rule)
    row |= {"threshold": threshold, "threshold_low": low, "threshold_high": high, "reason": "; ".join(said)}
    return row, np.where(np.isfinite(values), (values > threshold).astype(np.float64), np.nan)


def _left_out(basis: Cells, rule: Rule) -> float:
    """Return the mean share of a reference sample above the threshold of the others; NaN with one sample."""
    if basis.n_samples < 2:
        return float("nan")
    thresholds = rule(basis, 1.0 - np.eye(basis.n_samples))
    return float(np.mean([basis.shares_above(t)[k] for k, t in enumerate(thresholds)]))


def _shares(name: str, calls: Floats, codes: Ints, names: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for k, sample in enumerate(names):
        here = calls[(codes == k) & np.isfinite(calls)]
        if len(here):
            n = int(here.sum())
            rows.append({"sample": sample, "signature": name, "n_cells": len(here), "n_active": n,
                         "active": n / len(here)})  # fmt: skip
    return rows

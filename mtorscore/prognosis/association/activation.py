"""Activation calls of tumours against a reference tissue, and when calls are withheld."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore._multiple_testing import adjust_p
from mtorscore.errors import DataError
from mtorscore.prognosis.endpoints.inputs import read_inputs
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["MIN_REFERENCE", "activation"]

MIN_REFERENCE = 20
"""Below this many reference samples the 95th percentile is a guess."""

ADJACENT = (
    "adjacent liver is often cirrhotic or steatotic and mTOR is active there too: a tumour below its quantile is not "
    "shown to be inactive"
)
LINEAGE: dict[str, str] = {
    "cca": "the tumours are biliary and the reference is liver: the contrast shows cell type before activity",
    "hb": "the tumours are immature hepatocytes and the reference is mature liver: the contrast shows maturity first",
}


def activation(
    scores: Any,
    tumour: Any = None,
    reference: Any = None,
    *,
    method: str | None = None,
    quantile: float = 0.95,
    disease: str | None = None,
    same_lineage: bool | None = None,
    reference_is: str = "adjacent",
    signs: dict[str, int] | None = None,
    n_boot: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Share of tumours whose score lies beyond a quantile of the reference tissue.

    Parameters
    ----------
    scores
        DataFrame of scores or scored AnnData, with tumours and reference samples. With an AnnData, the column
        ``sample_type`` (``"tumour"`` and ``"normal"``) names them.
    tumour, reference
        Boolean masks or lists of observations.
    method
        Which scores of an AnnData.
    quantile
        Of the reference; for signatures that fall with activity the opposite one.
    disease
        ``"hcc"``, ``"cca"`` or ``"hb"``: the last two differ in lineage from liver.
    same_lineage
        Whether tumour and reference are of one lineage; taken from `disease` when None.
    reference_is
        ``"adjacent"`` or ``"healthy"``; with adjacent liver the row says what that means.
    signs
        Signature -> +1 or -1, the direction in which its score rises with activity; +1 by default.
    n_boot, level, seed
        Bootstrap of reference *and* tumours for the interval.

    Returns
    -------
    pandas.DataFrame
        signature, n_tumour, n_reference, difference (of means, in SD of the reference) with interval, p and q
        (Mann-Whitney), threshold, active (share) with interval, called, reason. Without a call, threshold and active
        are NaN and the continuous contrast stands alone.

    Raises
    ------
    DataError
        If there are no tumours or no reference, or `disease` is unknown.
    """
    if not 0.5 < quantile < 1:
        raise DataError(f"The quantile must lie between 0.5 and 1, not {quantile}.")
    if disease is not None and disease not in ("hcc", "cca", "hb"):
        raise DataError(f"Unknown disease {disease!r}; use 'hcc', 'cca' or 'hb'.")
    inputs = read_inputs(scores, getattr(scores, "obs", pd.DataFrame()), None, None, method)
    rows_t = _mask(inputs.scores, inputs.clinical, tumour, "tumour")
    rows_r = _mask(inputs.scores, inputs.clinical, reference, "normal")
    if (rows_t & rows_r).any():
        raise DataError(f"{int((rows_t & rows_r).sum())} observation(s) are both tumour and reference.")
    lineage = (disease not in LINEAGE) if same_lineage is None else same_lineage
    rng = np.random.default_rng(seed)
    out = []
    for given in inputs.scores.columns:
        name = str(given)
        column = inputs.scores[given].to_numpy(dtype=np.float64) * (signs or {}).get(name, 1)
        t, r = column[rows_t], column[rows_r]
        out.append({"signature": name} | _contrast(t[np.isfinite(t)], r[np.isfinite(r)], quantile, n_boot, level, rng))
    table = pd.DataFrame(out)
    table.insert(int(table.columns.get_loc("p")) + 1, "q", adjust_p(table["p"]))
    reasons = []
    for i, n in enumerate(table["n_reference"]):
        why = []
        if n < MIN_REFERENCE:
            why.append(f"{n} reference samples; {MIN_REFERENCE} are needed for a call")
        if n >= MIN_REFERENCE and np.isnan(table.loc[i, "threshold"]):
            why.append("the reference does not vary, or there are fewer than two tumours")
        if not lineage:
            why.append(LINEAGE.get(str(disease), "tumour and reference differ in lineage"))
        table.loc[i, "called"] = not why
        if why:
            table.loc[i, ["threshold", "active", "active_low", "active_high"]] = np.nan
        elif reference_is == "adjacent":
            why.append(ADJACENT)
        reasons.append("; ".join(why))
    table["called"] = table["called"].astype(bool)
    table["reason"] = reasons
    return table


def _mask(scores: pd.DataFrame, obs: pd.DataFrame, given: Any, kind: str) -> Any:
    if given is None:
        if "sample_type" not in obs.columns:
            raise DataError(f"Say which observations are {kind}: a mask, a list, or a column sample_type in obs.")
        mask = (obs["sample_type"].reindex(scores.index).astype(str) == kind).to_numpy()
    elif isinstance(given, pd.Series) and given.dtype == bool:
        mask = given.reindex(scores.index, fill_value=False).to_numpy()
    else:
        values = np.asarray(given)
        mask = values if values.dtype == bool else scores.index.isin(values)
    if len(mask) != len(scores) or not mask.any():
        raise DataError(
            f"No observation is {kind}, or the mask has {len(mask)} entries for {len(scores)} observations."
        )
    return mask


def _contrast(
    t: FloatArray, r: FloatArray, quantile: float, n_boot: int, level: float, rng: np.random.Generator
) -> dict[str, Any]:
    row: dict[str, Any] = {"n_tumour": len(t), "n_reference": len(r)}
    names: Sequence[str] = (
        *("difference", "difference_low", "difference_high", "p", "threshold"),
        *("active", "active_low", "active_high"),
    )
    row |= dict.fromkeys(names, np.nan) | {"called": False}
    sd = r.std(ddof=1) if len(r) > 1 else 0.0
    if len(t) < 2 or sd == 0:
        return row
    threshold = float(np.quantile(r, quantile))
    boot_t, boot_r = (v[rng.integers(0, len(v), (n_boot, len(v)))] for v in (t, r))
    active = (boot_t > np.quantile(boot_r, quantile, axis=1)[:, None]).mean(axis=1)
    spread = boot_r.std(axis=1, ddof=1)
    gaps = (boot_t.mean(axis=1) - boot_r.mean(axis=1)) / np.where(spread > 0, spread, sd)
    tails = [0.5 - level / 2, 0.5 + level / 2]
    row |= dict(zip(("difference_low", "difference_high"), map(float, np.quantile(gaps, tails)), strict=True))
    row |= dict(zip(("active_low", "active_high"), map(float, np.quantile(active, tails)), strict=True))
    row |= {"difference": float((t.mean() - r.mean()) / sd), "threshold": threshold}
    row |= {"active": float((t > threshold).mean()), "p": float(stats.mannwhitneyu(t, r).pvalue)}
    return row

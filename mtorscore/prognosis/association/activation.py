"""Activation calls of tumours against a reference tissue, and when calls are withheld."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore._multiple_testing import adjust_p
from mtorscore.collection import SignatureCollection, library
from mtorscore.errors import DataError
from mtorscore.prognosis.endpoints.inputs import is_anndata, read_inputs
from mtorscore.prognosis.prediction.folds import patients_of
from mtorscore.prognosis.statistics.quantiles import least_reference, predictive_quantile, share_beyond
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray
from mtorscore.tl.engine.readability import opposed_in

__all__ = ["MIN_REFERENCE", "activation"]

MIN_REFERENCE = 20
"""Fewest reference samples for a call; a quantile above 0.95 asks for more (`least_reference`)."""

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
    patients: Any = None,
    signatures: SignatureCollection | None = None,
    n_boot: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Share of tumours whose score lies beyond a quantile of the reference tissue.

    The threshold is the quantile that a *new* reference sample exceeds with probability ``1 - quantile`` (order
    statistics; no shape is assumed), so that tumours like the reference are called in that share whatever the number of
    reference samples. The interval of the share holds the uncertainty of the threshold: fewer than 72 reference samples
    (at 0.95) give the threshold no upper bound, and the interval begins at 0.

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
    signatures
        What was scored, for the grades in `disease`; by default the shipped library, by name. A signature that moves
        against what it should read in tumours of this disease (of any kind, where none is stated) gets no call, and
        the row says so.
    patients
        Patient of each observation, where patients gave several: a column of the AnnData's ``obs`` or a Series; the
        column ``patient`` of an AnnData by default. Pairs are resampled as pairs.
    n_boot, seed
        Resamples of patients for the error of the difference.
    level
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        signature, n_tumour, n_reference, difference (of means, in SD of the reference) with interval (Student's t on
        the bootstrap's error), p and q (Mann-Whitney; with patients that gave several samples by the error of their
        summed placements), threshold, active (share) with interval, called, reason. Without a call, threshold and
        active are NaN and the continuous contrast stands alone.

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
    members = _members(scores, inputs.clinical, inputs.scores.index, patients)
    entries = library(experimental=True) if signatures is None else signatures
    rng = np.random.default_rng(seed)
    out = []
    for given in inputs.scores.columns:
        name = str(given)
        column = inputs.scores[given].to_numpy(dtype=np.float64) * (signs or {}).get(name, 1)
        known = np.isfinite(column)
        t, r = (_Sample(column[rows & known], members[rows & known]) for rows in (rows_t, rows_r))
        out.append({"signature": name} | _contrast(t, r, quantile, n_boot, level, rng))
    table = pd.DataFrame(out)
    table.insert(int(table.columns.get_loc("p")) + 1, "q", adjust_p(table["p"]))
    least = max(MIN_REFERENCE, least_reference(quantile))
    reasons = []
    for i, n in enumerate(table["n_reference"]):
        why = []
        if n < least:
            why.append(f"{n} reference samples; {least} are needed for a call")
        if n >= least and np.isnan(table.loc[i, "threshold"]):
            why.append("the reference does not vary, or there are fewer than two tumours")
        if not lineage:
            why.append(LINEAGE.get(str(disease), "tumour and reference differ in lineage"))
        why += opposed_in(entries, str(table.loc[i, "signature"]), disease)
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


def _members(scores: Any, obs: pd.DataFrame, index: pd.Index, patients: Any) -> IntArray:
    """Return the number of the patient of each observation; all differ where nothing says who they are."""
    if patients is None and is_anndata(scores) and "patient" in obs.columns and obs["patient"].notna().all():
        patients = "patient"
    found = patients_of(patients, obs, index)
    return np.arange(len(index)) if found is None else found


@dataclass(frozen=True)
class _Sample:
    """Scores of one group, with the patient of each."""

    values: FloatArray
    patient: IntArray


def _contrast(
    t: _Sample, r: _Sample, quantile: float, n_boot: int, level: float, rng: np.random.Generator
) -> dict[str, Any]:
    row: dict[str, Any] = {"n_tumour": len(t.values), "n_reference": len(r.values)}
    names: Sequence[str] = (
        *("difference", "difference_low", "difference_high", "p", "threshold"),
        *("active", "active_low", "active_high"),
    )
    row |= dict.fromkeys(names, np.nan) | {"called": False}
    sd = r.values.std(ddof=1) if len(r.values) > 1 else 0.0
    if len(t.values) < 2 or sd == 0:
        return row
    difference = float((t.values.mean() - r.values.mean()) / sd)
    row |= {"difference": difference, "p": _rank_p(t, r), "threshold": predictive_quantile(r.values, quantile)}
    if n_boot > 1:
        half = stats.t.ppf(0.5 + level / 2, len(np.unique(r.patient)) - 1) * _error(t, r, n_boot, rng)
        row |= {"difference_low": difference - half, "difference_high": difference + half}
    shares = share_beyond(t.values, r.values, quantile, level, len(np.unique(t.patient)))
    return row | dict(zip(("active", "active_low", "active_high"), shares, strict=True))


def _error(t: _Sample, r: _Sample, n_boot: int, rng: np.random.Generator) -> float:
    """Bootstrap error of the difference in SD of the reference; a patient is drawn with all samples."""
    patients = np.unique(np.concatenate([t.patient, r.patient]))
    centre = r.values.mean()
    x, y = t.values - centre, r.values - centre
    drawn = rng.multinomial(len(patients), np.full(len(patients), 1 / len(patients)), n_boot).astype(np.float64)
    of_t, of_r = (drawn[:, np.searchsorted(patients, s.patient)] for s in (t, r))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_t, mean_r = of_t @ x / of_t.sum(axis=1), of_r @ y / of_r.sum(axis=1)
        total = of_r.sum(axis=1)
        variance = (of_r @ y**2 / total - mean_r**2) * total / (total - 1)
        gaps = (mean_t - mean_r) / np.sqrt(variance)
    return float(np.std(gaps[np.isfinite(gaps)], ddof=1))


def _rank_p(t: _Sample, r: _Sample) -> float:
    """Mann-Whitney p-value; where patients gave several samples by the error of their summed placements.

    Obuchowski, Biometrics 1997;53:567 (areas under the ROC curve of clustered samples).
    """
    both = np.concatenate([t.patient, r.patient])
    patients, at = np.unique(both, return_inverse=True)
    if len(patients) == len(both):
        return float(stats.mannwhitneyu(t.values, r.values).pvalue)
    ranks = stats.rankdata(np.concatenate([t.values, r.values]))
    n, m = len(t.values), len(r.values)
    above = (ranks[:n] - stats.rankdata(t.values)) / m
    below = 1 - (ranks[n:] - stats.rankdata(r.values)) / n
    area = float(above.mean())
    influence = np.concatenate([(above - area) / n, (below - area) / m])
    k = len(patients)
    error = float(np.sqrt(k / (k - 1) * (np.bincount(at, weights=influence) ** 2).sum()))
    return float(2 * stats.t.sf(abs(area - 0.5) / error, k - 1)) if error > 0 else float(area == 0.5)

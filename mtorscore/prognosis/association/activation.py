"""Activation calls of tumours against a reference tissue, and when calls are withheld."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore._blas_threads import one_blas_thread
from mtorscore._multiple_testing import adjust_p
from mtorscore.collection import SignatureCollection, library
from mtorscore.errors import DataError
from mtorscore.prognosis.endpoints.inputs import is_anndata, read_inputs
from mtorscore.prognosis.prediction.folds import patients_of
from mtorscore.prognosis.statistics.quantiles import least_reference, predictive_quantile, share_beyond
from mtorscore.prognosis.statistics.risk_sets import FloatArray, IntArray
from mtorscore.tl.engine.gene_sets import ROUNDING
from mtorscore.tl.engine.readability import opposed_in

__all__ = ["MIN_REFERENCE", "activation"]

ERRORS = ("jackknife", "bootstrap")
"""How the error of a difference is had."""

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
    error: str = "jackknife",
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
        column ``patient`` of an AnnData by default. A patient is left out, or drawn, with all samples.
    error
        Of the difference: ``"jackknife"`` over patients, or ``"bootstrap"``. Both hold their level; with few reference
        samples the bootstrap is far wider (docs/evidence/activation_error.md).
    n_boot, seed
        Resamples of patients by the bootstrap.
    level
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        signature, n_tumour, n_reference, difference (of means, in SD of the reference) with interval (Student's t on
        its error), p and q (Mann-Whitney; with patients that gave several samples by the error of their
        summed placements), threshold, active (share) with interval, called, reason. Without a call, threshold and
        active are NaN and the continuous contrast stands alone.

    Raises
    ------
    DataError
        If there are no tumours or no reference, or `disease` is unknown.
    """
    if not 0.5 < quantile < 1:
        raise DataError(f"The quantile must lie between 0.5 and 1, not {quantile}.")
    if error not in ERRORS:
        raise DataError(f"Unknown error {error!r}; use {' or '.join(map(repr, ERRORS))}.")
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
        of_difference = _jackknife_error if error == "jackknife" else partial(_bootstrap_error, n_boot=n_boot, rng=rng)
        out.append({"signature": name} | _contrast(t, r, quantile, of_difference, level))
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
    t: _Sample, r: _Sample, quantile: float, error: Callable[[_Sample, _Sample], float], level: float
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
    half = stats.t.ppf(0.5 + level / 2, len(np.unique(r.patient)) - 1) * error(t, r)
    row |= {"difference_low": difference - half, "difference_high": difference + half}
    shares = share_beyond(t.values, r.values, quantile, level, len(np.unique(t.patient)))
    return row | dict(zip(("active", "active_low", "active_high"), shares, strict=True))


def _sums(t: _Sample, r: _Sample) -> FloatArray:
    """Return per patient ``(P, 5)`` tumours and their sum, reference samples, their sum and their sum of squares."""
    patients = np.unique(np.concatenate([t.patient, r.patient]))
    centre = r.values.mean()

    def of_patients(sample: _Sample, values: FloatArray) -> FloatArray:
        at = np.searchsorted(patients, sample.patient)
        return np.asarray(np.bincount(at, weights=values, minlength=len(patients)), dtype=np.float64)

    x, y = t.values - centre, r.values - centre
    parts = [of_patients(t, np.ones_like(x)), of_patients(t, x)]
    return np.column_stack(parts + [of_patients(r, v) for v in (np.ones_like(y), y, y * y)])


def _differences(sums: FloatArray) -> FloatArray:
    """Return the difference in SD of the reference for each row of summed `_sums`; NaN where it cannot be had."""
    n_t, sum_t, n_r, sum_r, squares = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sum_r / n_r
        spread = squares / n_r - mean**2
        # One reference sample drawn again and again has no spread but that of rounding.
        spread = np.where(spread > ROUNDING * squares / n_r, spread, np.nan)
        out: FloatArray = (sum_t / n_t - mean) / np.sqrt(spread * n_r / (n_r - 1))
    return np.where(np.isfinite(out), out, np.nan)


def _jackknife_error(t: _Sample, r: _Sample) -> float:
    """Error of the difference in SD of the reference, each patient left out with all samples."""
    sums = _sums(t, r)
    left = _differences(sums.sum(axis=0) - sums)
    if len(left) < 2 or np.isnan(left).any():
        return float("nan")
    return float(np.sqrt((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum()))


def _bootstrap_error(t: _Sample, r: _Sample, n_boot: int, rng: np.random.Generator) -> float:
    """Error of the same over resamples, in which a patient is drawn with all samples."""
    if n_boot < 2:
        return float("nan")
    sums = _sums(t, r)
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), n_boot).astype(np.float64)
    with one_blas_thread():
        gaps = _differences(drawn @ sums)
    return float(np.std(gaps[~np.isnan(gaps)], ddof=1))


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

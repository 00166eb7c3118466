"""Survival and recurrence of a simulated cohort: drawn once with it, or many times on its fixed latent state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._outcome_terms import DAYS
from mtorscore.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData

RECURRENCE_DAYS = 730.5
COLUMNS = ("OS", "OS.time", "PFI", "PFI.time", "recurrence_24m")
_PROGRESSION = 0.55
# Time steps of the integral behind the expected residual.
_STEPS = 400


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of the same tumours, drawn ``n`` times.

    Attributes
    ----------
    observations
        Names of the tumours, length ``n_tumours``.
    os, pfi
        ``(n, n_tumours)`` int8; 1 where the death (or the progression or death) was seen.
    os_time, pfi_time
        ``(n, n_tumours)`` float64; days, whole, at least 1.
    recurrence_24m
        ``(n, n_tumours)`` float64; 1 with progression or death within 730.5 days, 0 where followed longer without,
        NaN where the follow-up ended before.
    """

    observations: tuple[str, ...]
    os: npt.NDArray[np.int8]
    os_time: npt.NDArray[np.float64]
    pfi: npt.NDArray[np.int8]
    pfi_time: npt.NDArray[np.float64]
    recurrence_24m: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.os.shape[0])

    def frame(self, draw: int) -> pd.DataFrame:
        """Return one draw as a clinical table.

        Parameters
        ----------
        draw
            Which draw, from 0.

        Returns
        -------
        pandas.DataFrame
            Tumours x ``OS, OS.time, PFI, PFI.time, recurrence_24m``; times in days, 1 = event.
        """
        arrays = (self.os, self.os_time, self.pfi, self.pfi_time, self.recurrence_24m)
        values = np.column_stack([np.asarray(a[draw], dtype=np.float64) for a in arrays])
        return pd.DataFrame(values, columns=list(COLUMNS), index=list(self.observations))


def draw_outcomes(
    adata: AnnData,
    n: int = 1,
    *,
    seed: int = 0,
    hazard_branch: str | None = None,
    log_hazard: float | None = None,
    confounder_hazard: float | None = None,
    stage_hazard: float | None = None,
) -> Outcomes:
    """Draw the outcomes of a simulated cohort again, its expression and latent state held fixed.

    Parameters
    ----------
    adata
        From `simulate_cohort`, or a subset of its observations.
    n
        How many independent draws.
    seed
        Seed of the draws; the same seed gives the same outcomes.
    hazard_branch, log_hazard, confounder_hazard, stage_hazard
        As in `simulate_cohort`; None keeps what the cohort was made with.

    Returns
    -------
    Outcomes
        Arrays ``(n, n_tumours)``; 2,000 draws of 300 tumours take well under a second.

    Raises
    ------
    DataError
        If the cohort does not carry its truth, or has no such branch.
    """
    if "truth" not in adata.uns or "parameters" not in adata.uns.get("truth", {}):
        raise DataError(
            'This AnnData has no uns["truth"]: outcomes can only be redrawn for a cohort that '
            "datasets.simulate_cohort made."
        )
    truth = adata.uns["truth"]
    given = {
        "hazard_branch": hazard_branch, "log_hazard": log_hazard, "confounder_hazard": confounder_hazard,
        "stage_hazard": stage_hazard,
    }  # fmt: skip
    parameters = dict(truth["parameters"]) | {k: v for k, v in given.items() if v is not None}
    tumours = adata.obs_names[np.asarray(adata.obs["sample_type"].astype(str) == "tumour")]
    latent = truth["latent"].loc[tumours]
    return draw(np.random.default_rng(seed), latent, parameters, n)


def linear_predictor(latent: pd.DataFrame, parameters: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """Return the true log hazard of each tumour relative to one with every factor at 0.

    Parameters
    ----------
    latent
        Tumours x factors, with ``stage_number``.
    parameters
        ``hazard_branch, log_hazard, confounder_hazard, stage_hazard``.

    Returns
    -------
    numpy.ndarray
        ``(n_tumours,)``.

    Raises
    ------
    DataError
        If there is no such branch.
    """
    branch = str(parameters["hazard_branch"])
    if branch not in latent.columns:
        raise DataError(f"No simulated branch is called {branch!r}; there are {', '.join(map(str, latent.columns))}.")
    stage = latent["stage_number"].to_numpy(np.float64) - 2.0
    return np.asarray(
        float(parameters["log_hazard"]) * latent[branch].to_numpy(np.float64)
        + float(parameters["confounder_hazard"]) * latent["proliferation"].to_numpy(np.float64)
        + float(parameters["stage_hazard"]) * stage
    )


def expected_residual(predictor: npt.NDArray[np.float64], parameters: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """Return how many more deaths each tumour is expected to show than a model without any covariate gives it.

    Over repeated outcomes of the same tumours the score statistic of a covariate has the sum of covariate times this
    residual as its mean: a covariate that does not correlate with it looks prognostic by noise alone.

    Parameters
    ----------
    predictor
        ``(n_tumours,)`` log hazard, as `linear_predictor` gives it.
    parameters
        ``weibull_shape, median_survival, follow_up_min, follow_up_max, dropout``.

    Returns
    -------
    numpy.ndarray
        ``(n_tumours,)`` expected martingale residual.
    """
    first, last = float(parameters["follow_up_min"]), float(parameters["follow_up_max"])
    time = np.linspace(0.0, last, _STEPS + 1)[1:]
    followed = np.clip((last - time) / max(last - first, 1e-9), 0.0, 1.0) * np.exp(
        -time * float(parameters["dropout"]) / DAYS["years"]
    )
    base = np.log(2.0) * (time / float(parameters["median_survival"])) ** float(parameters["weibull_shape"])
    hazard = np.exp(predictor)[:, None]
    at_risk = np.exp(-hazard * base) * followed
    marginal = (at_risk * hazard).sum(axis=0) / np.maximum(at_risk.sum(axis=0), 1e-300)
    step = np.diff(base, prepend=0.0)
    return np.asarray((at_risk * (hazard - marginal) * step).sum(axis=1))


def draw(rng: np.random.Generator, latent: pd.DataFrame, parameters: Mapping[str, Any], n: int) -> Outcomes:
    """Draw ``n`` sets of outcomes from Weibull times with administrative and random censoring.

    Parameters
    ----------
    rng
        Source of randomness.
    latent
        Tumours x factors.
    parameters
        As stored in ``uns["truth"]["parameters"]``.
    n
        Number of draws.

    Returns
    -------
    Outcomes
        ``(n, n_tumours)`` each.
    """
    risk = np.exp(-linear_predictor(latent, parameters))
    shape = float(parameters["weibull_shape"])
    median = float(parameters["median_survival"])
    first, last = float(parameters["follow_up_min"]), float(parameters["follow_up_max"])
    size = (n, len(latent))

    def event_times(median_days: float) -> npt.NDArray[np.float64]:
        unit = rng.exponential(size=size) * risk / np.log(2.0)
        return np.asarray(median_days * unit ** (1.0 / shape))

    death = event_times(median)
    progression = np.minimum(event_times(_PROGRESSION * median), death)
    end = rng.uniform(first, last, size=size)
    if float(parameters["dropout"]) > 0:
        end = np.minimum(end, rng.exponential(DAYS["years"] / float(parameters["dropout"]), size=size))
    os = (death <= end).astype(np.int8)
    pfi = (progression <= end).astype(np.int8)
    os_time = np.maximum(np.ceil(np.minimum(death, end)), 1.0)
    pfi_time = np.maximum(np.ceil(np.minimum(progression, end)), 1.0)
    recurrence = np.where(pfi_time > RECURRENCE_DAYS, 0.0, np.where(pfi == 1, 1.0, np.nan))
    return Outcomes(tuple(map(str, latent.index)), os, os_time, pfi, pfi_time, recurrence)

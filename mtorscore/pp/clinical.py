"""Outcomes beside expression: joining clinical tables on the barcode, and checking every time and event."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtorscore.errors import DataError, EndpointError, examples
from mtorscore.io.clinical import read_clinical
from mtorscore.pp._barcodes import parse_barcode

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["attach_clinical", "check_endpoints", "endpoints_of"]


def _key(name: str, width: int) -> str:
    code = parse_barcode(name)
    return name if code is None else (code.patient if width == 12 else f"{code.patient}-{code.code}")


def attach_clinical(adata: AnnData, clinical: pd.DataFrame | str | Path, *, on: str | None = None) -> AnnData:
    """Join a clinical table to the observations; the object is changed and returned.

    Parameters
    ----------
    adata
        Observations x genes; names may be TCGA barcodes of any length.
    clinical
        A table with patients or samples as index, or a path for `mtorscore.io.read_clinical`. Barcodes of 12
        characters join on the patient, of 15 or more on the sample (first 15); other names must be equal.
    on
        Column of `adata.obs` to join on instead of the observation names.

    Returns
    -------
    anndata.AnnData
        The same object; `obs` has every clinical column (an equal column is replaced), missing where a patient has
        no record. ``uns["clinical"]`` counts the matches.

    Raises
    ------
    DataError
        If no observation has a record, or keys of the table repeat.
    """
    table = clinical if isinstance(clinical, pd.DataFrame) else read_clinical(clinical)
    keys = [str(k) for k in table.index]
    codes = [c for c in map(parse_barcode, keys) if c is not None]
    width = 0
    if codes and len(codes) > 0.5 * len(keys):
        width = 15 if sum(bool(c.code) for c in codes) > 0.5 * len(codes) else 12
    names = [str(n) for n in (adata.obs_names if on is None else adata.obs[on])]
    left = [_key(n, width) for n in names] if width else names
    right = pd.Index([_key(k, width) for k in keys] if width else keys)
    if right.has_duplicates:
        twice = right[right.duplicated()].unique()
        raise DataError(
            f"the clinical table has {len(twice)} patient(s) or sample(s) more than once ({examples(twice)}); "
            "reduce it to one row each."
        )
    position = right.get_indexer(pd.Index(left))
    if not (position >= 0).any():
        raise DataError(
            f"none of the {len(left)} samples of the matrix ({examples(left)}) is among the {len(right)} of the "
            f"clinical table ({examples(right)}); check that both belong to one cohort, or name the key column."
        )
    # A column without any value says nothing, and h5ad cannot store one.
    matched = table.iloc[position[position >= 0]]
    for name in [c for c in table.columns if matched[c].notna().any()]:
        column = table[name].take(np.maximum(position, 0)).set_axis(adata.obs_names)
        adata.obs[str(name)] = column.where(pd.Series(position >= 0, index=adata.obs_names))
    adata.uns["clinical"] = {
        "joined_on": {0: on or "observation name", 12: "patient barcode", 15: "sample barcode"}[width],
        "matched": int((position >= 0).sum()),
        "unmatched": int((position < 0).sum()),
        "records": len(right),
    }
    return adata


def endpoints_of(obs: pd.DataFrame) -> list[str]:
    """Return the endpoints whose event column ``X`` and time column ``X.time`` are both there."""
    return [str(c) for c in obs.columns if f"{c}.time" in obs.columns]


def check_endpoints(obs: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, str, str, str]]]:
    """Blank every endpoint value that cannot be used, and list those and the times of 0.

    Parameters
    ----------
    obs
        Observations with columns ``X`` (1 = event, 0 = censored) and ``X.time`` (days) per endpoint.

    Returns
    -------
    pandas.DataFrame
        The table; unusable pairs are missing in both columns.
    list of tuple
        (observation, rule, reason, effect) per finding; effect is ``"kept"`` or ``"no <endpoint>"``.

    Raises
    ------
    EndpointError
        If an event column holds anything but 0, 1 and missing.
    """
    obs = obs.copy()
    log: list[tuple[str, str, str, str]] = []
    for endpoint in endpoints_of(obs):
        event = pd.to_numeric(obs[endpoint], errors="coerce")
        time = pd.to_numeric(obs[f"{endpoint}.time"], errors="coerce")
        strange = obs[endpoint].notna() & ~event.isin([0, 1])
        if strange.any():
            raise EndpointError(
                f"{int(strange.sum())} value(s) of {endpoint} are neither 0 (censored) nor 1 (event): "
                f"{examples(sorted(set(map(str, obs.loc[strange, endpoint]))))}; map them in the cohort recipe."
            )
        rules = {
            "no_record": (event.isna() & time.isna(), f"{endpoint} not recorded"),
            "missing_event": (event.isna() & time.notna(), f"{endpoint}.time without an event status"),
            "missing_time": (event.notna() & time.isna(), f"{endpoint} without a time"),
            "negative_time": (event.notna() & (time < 0), f"{endpoint}.time is negative"),
        }
        unusable = pd.Series(False, index=obs.index)
        for rule, (mask, reason) in rules.items():
            unusable |= mask
            log += [(str(n), rule, reason, f"no {endpoint}") for n in obs.index[mask]]
        zero = (time == 0) & event.notna()
        log += [(str(n), "zero_time", f"{endpoint}.time is 0; counted in n", "kept") for n in obs.index[zero]]
        obs[endpoint] = event.mask(unusable)
        obs[f"{endpoint}.time"] = time.mask(unusable)
    return obs, log

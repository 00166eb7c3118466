"""Outcomes beside expression: joining clinical tables on the barcode, and checking every time and event."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._doors import option
from mtorscore._outcome_terms import DAYS
from mtorscore.errors import DataError, DataWarning, EndpointError, examples, warn
from mtorscore.io.clinical import read_clinical
from mtorscore.pp.barcodes import parse_barcode

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = [
    "HISTOLOGY_RULES",
    "attach_clinical",
    "check_endpoints",
    "compare_clinical",
    "endpoints_of",
    "histology_rule",
    "match_records",
    "warn_follow_up",
]

NAME, PATIENT, SAMPLE = "observation name", "patient barcode", "sample barcode"

# Tumours that are another disease than hepatocellular carcinoma, with another biology and prognosis.
HISTOLOGY_RULES: dict[str, str] = {
    "fibrolamellar": r"fibrolamellar",
    "mixed": r"hepatocholangio|combined hepatocellular|mixed (hepatocellular|hcc)",
}


def _key(name: str, width: int) -> str:
    code = parse_barcode(name)
    return name if code is None else (code.patient if width == 12 else f"{code.patient}-{code.code}")


def match_records(names: Iterable[object], keys: Iterable[object]) -> tuple[npt.NDArray[np.intp], str]:
    """Return the record of each observation.

    Parameters
    ----------
    names
        Observations; names may be TCGA barcodes of any length.
    keys
        What the records of a clinical table are called: barcodes of 12 characters join on the patient, of 15 or more
        on the sample (first 15); other names must be equal.

    Returns
    -------
    position : numpy.ndarray
        ``(n_obs,)``: the record's position, -1 for none.
    joined_on : str
        ``"observation name"``, ``"patient barcode"`` or ``"sample barcode"``.

    Raises
    ------
    DataError
        If a key repeats.
    """
    written = [str(k) for k in keys]
    codes = [c for c in map(parse_barcode, written) if c is not None]
    width = 0
    if codes and len(codes) > 0.5 * len(written):
        width = 15 if sum(bool(c.code) for c in codes) > 0.5 * len(codes) else 12
    left = [_key(str(n), width) if width else str(n) for n in names]
    right = pd.Index([_key(k, width) if width else k for k in written])
    if right.has_duplicates:
        twice = right[right.duplicated()].unique()
        raise DataError(
            f"the clinical table has {len(twice)} patient(s) or sample(s) more than once ({examples(twice)}); "
            "reduce it to one row each."
        )
    position = right.get_indexer(pd.Index(left))
    if not width:
        _respelt(left, list(right), position)
    return position, {0: NAME, 12: PATIENT, 15: SAMPLE}[width]


def _respelt(names: list[str], keys: list[str], position: npt.NDArray[np.intp]) -> None:
    """Match, in place, names that R or a spreadsheet has respelt: HCC.001 or X001 for HCC-001 or 001; and say so."""
    free = set(range(len(keys))) - set(position.tolist())
    left, right = (Counter(_plain(n) for n in found) for found in (names, keys))
    by_plain = {_plain(keys[i]): i for i in free if right[_plain(keys[i])] == 1}
    found = {}
    for i, name in enumerate(names):
        at = by_plain.get(_plain(name))
        if position[i] < 0 and at is not None and left[_plain(name)] == 1:
            position[i], found[name] = at, keys[at]
    if found:
        warn(
            f"{len(found)} of {len(names)} samples were matched although their names are spelt differently in the two "
            f"tables ({examples(f'{a} and {b}' for a, b in found.items())}).",
            DataWarning,
        )


def _plain(name: str) -> str:
    """Return a name as R makes it, in lower case: every other character a dot, an X before digits taken off."""
    text = re.sub(r"[^A-Za-z0-9]", ".", name.strip()).lower()
    return re.sub(r"^x(?=[\d.])", "", text)


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
    names = [str(n) for n in (adata.obs_names if on is None else adata.obs[on])]
    position, joined_on = match_records(names, table.index)
    if not (position >= 0).any():
        raise DataError(
            f"none of the {len(names)} samples of the matrix ({examples(names)}) is among the {len(table)} of the "
            f"clinical table ({examples(table.index)}); a sample needs the same "
            "name in both: in the table's first column, or in the column that a recipe names as key."
        )
    idle = sorted(set(range(len(table))) - set(position.tolist()))
    # A column without any value says nothing, and h5ad cannot store one.
    matched = table.iloc[position[position >= 0]]
    for name in [c for c in table.columns if matched[c].notna().any()]:
        column = table[name].take(np.maximum(position, 0)).set_axis(adata.obs_names)
        adata.obs[str(name)] = column.where(pd.Series(position >= 0, index=adata.obs_names))
    adata.uns["clinical"] = {
        "joined_on": on if on and joined_on == NAME else joined_on,
        "matched": int((position >= 0).sum()),
        "unmatched": int((position < 0).sum()),
        "records": len(table),
        "unused": len(idle),
        "without_sample": [str(table.index[i]) for i in idle[:100]],
        "without_record": [str(n) for n, p in zip(adata.obs_names, position, strict=True) if p < 0][:100],
    }
    return adata


def compare_clinical(
    tables: Mapping[str, pd.DataFrame], patients: Collection[str] | None = None, *, days: float = 1.0
) -> pd.DataFrame:
    """List by patient where clinical tables of one cohort disagree.

    Parameters
    ----------
    tables
        Source -> table with patients or samples as index (`mtorscore.io.read_clinical`); of several samples of a TCGA
        patient the primary tumour counts.
    patients
        Only these; by default all that any table has.
    days
        Differences of time up to this are none.

    Returns
    -------
    pandas.DataFrame
        ``patient``, ``field`` (``record``, an endpoint, its time, ``histology``), and one column per source with its
        value; a row where not all sources say the same. Histologies are compared by the rules that leave tumours out.
    """
    reduced = {name: _per_patient(table) for name, table in tables.items()}
    everyone = sorted(set(patients) if patients is not None else {str(p) for t in reduced.values() for p in t.index})
    rows: list[dict[str, object]] = []
    for who in everyone:
        records = {n: (t.loc[who] if who in t.index else None) for n, t in reduced.items()}
        if any(r is None for r in records.values()):
            rows.append({"patient": who, "field": "record"} | {n: r is not None for n, r in records.items()})
        present = {n: r for n, r in records.items() if r is not None}
        for field in ("OS", "OS.time", "PFI", "PFI.time", "DSS", "DSS.time", "DFI", "DFI.time"):
            numbers = {n: float(r[field]) if pd.notna(r[field]) else np.nan for n, r in present.items() if field in r}
            known = [v for v in numbers.values() if v == v]
            gap = days if field.endswith(".time") else 0.0
            if len(numbers) > 1 and known and (len(known) < len(numbers) or max(known) - min(known) > gap):
                rows.append({"patient": who, "field": field, **numbers})
        kinds = {n: histology_rule(r["histology"]) for n, r in present.items() if "histology" in r}
        if len(set(kinds.values())) > 1:
            said = {n: present[n]["histology"] for n in kinds}
            rows.append({"patient": who, "field": "histology"} | said)
    return pd.DataFrame(rows, columns=["patient", "field", *tables])


def histology_rule(value: object, rules: Mapping[str, str] | None = None) -> str:
    """Return the rule that leaves a tumour of this histology out, "" for none."""
    if not isinstance(value, str):
        return ""
    chosen = HISTOLOGY_RULES if rules is None else rules
    return next((rule for rule, pattern in chosen.items() if re.search(pattern, value, re.IGNORECASE)), "")


def _per_patient(table: pd.DataFrame) -> pd.DataFrame:
    codes = [parse_barcode(str(n)) for n in table.index]
    kept = [i for i, c in enumerate(codes) if c is None or c.code in ("", "01")]
    names = [c.patient if c is not None else str(n) for c, n in zip(codes, table.index, strict=True)]
    out = table.iloc[kept].set_axis(pd.Index([names[i] for i in kept]))
    return out[~out.index.duplicated()]


# Longer than any cohort was followed, and shorter than any that looks at outcomes of cancer, in days.
_TOO_LONG = 60 * DAYS["years"]
_SHORT, _SHORT_MEDIAN, _SHORT_MOST, _LEAST = 183, 92, 366, 31


def warn_follow_up(days: pd.Series, endpoint: str, column: str, unit: str) -> None:
    """Warn where the follow-up is longer or shorter than cohorts are followed, as with a wrong unit of time.

    Parameters
    ----------
    days
        Times in days.
    endpoint, column, unit
        The endpoint's name, its column of times, and the unit in which they were read.
    """
    known = days[days >= 0]
    if not len(known):
        return
    longest, median = float(known.max()), float(known.median())
    longer = ["days", "weeks", "months", "years"]
    if longest > _TOO_LONG:
        kind, others = "longest follow-up would be", longer[: longer.index(unit)]
    elif longest < _LEAST or (
        unit == "days" and (longest < _SHORT or (median < _SHORT_MEDIAN and longest < _SHORT_MOST))
    ):
        kind, others = "longest follow-up would only be", longer[longer.index(unit) + 1 :]
    else:
        return
    span = f"{longest / DAYS['years']:.0f} years" if longest > 730 else f"{longest:.0f} days"
    hint = (
        f"If they are {' or '.join(others)}, say so: {option('unit', others[-1])}." if others else "Check the column."
    )
    warn(f"{endpoint}: read in {unit}, the times of {column} are implausible: the {kind} {span}. {hint}", DataWarning)


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

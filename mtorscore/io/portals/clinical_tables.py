"""Reduce clinical tables of the portals to one row per patient, with overall survival from all follow-up forms.

The curated resource (TCGA-CDR) is to be preferred where it exists. Elsewhere the event is the latest vital status
over the baseline form and all follow-up forms, and the time the largest day of death, or of last contact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtorscore._outcome_terms import DAYS, ENDPOINTS, event_code, event_codes, is_unsaid
from mtorscore.errors import DataWarning, EndpointError, FormatError, examples, warn
from mtorscore.io.tables.cell_text import is_missing, is_missing_word, is_number

__all__ = ["ROUTES", "TimeError", "biotab_rows", "cart_frame", "plain_survival", "refused_time", "route_of"]

Route = Callable[[pd.DataFrame], pd.DataFrame]


def _status(value: object, about: str = "death", endpoint: str = "") -> float:
    """Return 1, 0, or NaN where the status is missing or its word unknown."""
    code = None if is_missing(value) else event_code(value, about, endpoint)
    return np.nan if code is None else code


def _warn_unread(values: Iterable[object], what: str, about: str = "death") -> None:
    """Warn once of statuses that are neither event nor censoring; refuse numeric codes of unknown meaning."""
    _, odd = event_codes((v for v in values if not is_missing(v)), about, what)
    codes = sorted({v for v in odd if is_number(v)})
    if codes:
        raise EndpointError(
            f"{what} is coded with numbers other than 0 and 1 ({examples(codes)}), and nothing says which one is the "
            "event. Say it in a cohort recipe (event_values, censored_values)."
        )
    if odd:
        warn(
            f"{len(odd)} value(s) of {what} are neither an event nor its absence ({examples(dict.fromkeys(odd))}); "
            "the outcome of these patients is missing. Map them with a cohort recipe, or recode them.",
            DataWarning,
        )


def _days(value: object) -> float:
    """Return a number of days, NaN where it is missing; other text is refused."""
    text = str(value).strip()
    if is_missing_word(value) or is_unsaid(text):
        return np.nan
    if is_number(text):
        return float(text)
    raise TimeError(text)


class TimeError(ValueError):
    """Text where a time is expected."""


def refused_time(text: str, frame: pd.DataFrame, path: Path) -> FormatError:
    """Return the error for text in a column of times: where it is, and how to fix it."""
    where, column = "", None
    for i, name in enumerate(map(str, frame.columns)):
        if not re.search(r"day|month|year|time|follow|interval", name, re.IGNORECASE):
            continue
        rows = np.flatnonzero([str(v).strip() == text for v in frame.iloc[:, i]])
        if len(rows):
            key = next((c for c in frame.columns if re.search(r"submitter|barcode|patient|donor", str(c), re.I)), name)
            where, column = f" in column {name!r} of {frame[key].iloc[rows[0]]}", i + 1
            break
    return FormatError(
        f"{text!r} where a time is expected{where}; write times as plain numbers, without separators of thousands, "
        "signs such as > or dates.",
        path=path,
        column=column,
    )


def _largest(values: Sequence[float]) -> float:
    known = [v for v in values if v == v]
    return max(known) if known else np.nan


def survival(status: Sequence[object], death: Sequence[object], contact: Sequence[object]) -> tuple[float, float]:
    """Return event and time from all that is recorded about one patient.

    Dead if any form says so; then the time is the day of death. Otherwise alive if any form says so, and the time is
    the latest contact. NaN where it cannot be known.
    """
    said = [_status(s) for s in status]
    if 1.0 in said:
        return 1.0, _largest([_days(d) for d in death])
    if 0.0 in said:
        return 0.0, _largest([_days(c) for c in contact])
    return np.nan, np.nan


def _first(values: Sequence[object]) -> Any:
    return next((v for v in values if not is_missing(v) and str(v).lower() not in ("not reported", "unknown")), None)


def _gdc_table(frame: pd.DataFrame) -> pd.DataFrame:
    """GDC ``clinical.tsv``: several rows per case, one per diagnosis, treatment and follow-up."""
    short = {
        c: c.split(".", 1)[1] if c.startswith(("cases.", "demographic.", "diagnoses.")) else c for c in frame.columns
    }
    key = next(c for c in ("cases.submitter_id", "case_submitter_id", "submitter_id") if c in frame)

    def column(name: str) -> str | None:
        return next((c for c, s in short.items() if s == name and c != key), None)

    wanted = {
        n: column(n)
        for n in (
            "vital_status", "days_to_death", "days_to_last_follow_up", "age_at_index", "gender", "race",
            "ajcc_pathologic_stage", "tumor_grade", "primary_diagnosis", "classification_of_tumor", "year_of_diagnosis",
            "diagnosis_is_primary_disease", "days_to_last_followup", "last_known_disease_status",
            "child_pugh_classification",
        )
    }  # fmt: skip
    rows = []
    for who, block in frame.groupby(key, sort=True):
        primary = block
        kind = wanted["classification_of_tumor"]
        flag = wanted["diagnosis_is_primary_disease"]
        if flag and (block[flag].astype(str).str.lower() == "true").any():
            primary = block[block[flag].astype(str).str.lower() == "true"]
        elif kind and (block[kind].astype(str).str.lower() == "primary").any():
            primary = block[block[kind].astype(str).str.lower() == "primary"]
        row: dict[str, Any] = {"submitter_id": who, "rows": len(block)}
        for name, source in wanted.items():
            if source:
                row[name] = _first(list(primary[source])) or _first(list(block[source]))
        contacts = [c for c in (wanted["days_to_last_follow_up"], wanted["days_to_last_followup"]) if c]
        # A follow-up table of newer exports counts the days of each visit.
        contacts += [c for c in frame.columns if c.endswith("follow_ups.days_to_follow_up")]
        if not any(wanted.values()):
            # Exposures or family history: whatever is said once per case.
            row |= _said_once(block, key)
            rows.append(row)
            continue
        row["OS"], row["OS.time"] = survival(
            list(block[wanted["vital_status"]]) if wanted["vital_status"] else [],
            list(block[wanted["days_to_death"]]) if wanted["days_to_death"] else [],
            [v for c in contacts for v in block[c]],
        )
        rows.append(row)
    _warn_unread(frame[wanted["vital_status"]] if wanted["vital_status"] else [], "vital_status")
    return pd.DataFrame(rows).set_index("submitter_id")


def cart_frame(entries: list[dict[str, Any]], path: Path) -> pd.DataFrame:
    """Clinical cart JSON of the GDC: one row per case, named by the barcode that its records carry."""
    rows = []
    for entry in entries:
        demographic = entry.get("demographic") or {}
        diagnoses = [d for d in entry.get("diagnoses") or [] if isinstance(d, dict)]
        named = [
            entry.get("submitter_id"),
            demographic.get("submitter_id"),
            *(d.get("submitter_id") for d in diagnoses),
        ]
        named += [e.get("submitter_id") for e in entry.get("exposures") or []]
        named.append(entry.get("case_id"))
        barcode = next((re.split(r"_(?=[a-z])", n)[0] for n in named if isinstance(n, str) and n), "")
        if not barcode:
            raise FormatError("a record has neither submitter_id nor case_id in words: not a clinical cart.", path=path)
        primary = next((d for d in diagnoses if str(d.get("classification_of_tumor", "")).lower() == "primary"), None)
        main = primary or (diagnoses[0] if diagnoses else {})
        row = {"submitter_id": barcode, "case_id": entry.get("case_id", "")}
        for name in ("ajcc_pathologic_stage", "tumor_stage", "tumor_grade", "primary_diagnosis", "year_of_diagnosis"):
            row[name] = main.get(name)
        for name in ("gender", "race", "ethnicity", "age_at_index", "vital_status"):
            row[name] = demographic.get(name)
        visits = [f for f in entry.get("follow_ups") or [] if isinstance(f, dict)]
        event, time = survival(
            [demographic.get("vital_status"), *(d.get("vital_status") for d in diagnoses)],
            [demographic.get("days_to_death"), *(d.get("days_to_death") for d in diagnoses)],
            [*(d.get("days_to_last_follow_up") for d in diagnoses), *(f.get("days_to_follow_up") for f in visits)],
        )
        rows.append(row | {"OS": event, "OS.time": time})
    return pd.DataFrame(rows).groupby("submitter_id", sort=True).first()


def _said_once(block: pd.DataFrame, key: str) -> dict[str, Any]:
    """Return the columns that hold one value for all rows of a case."""
    out = {}
    for name in block.columns:
        values = {str(v) for v in block[name] if not is_missing(v)}
        if name != key and len(values) == 1:
            out[str(name)] = values.pop()
    return out


_STATUS = ("vital_status", "vital_status.demographic", "VITAL_STATUS", "demographic.vital_status")
_DEATH = ("days_to_death", "days_to_death.demographic", "DAYS_TO_DEATH", "demographic.days_to_death")
_CONTACT = (
    "days_to_last_followup", "days_to_last_follow_up", "days_to_last_follow_up.diagnoses", "DAYS_TO_LAST_FOLLOWUP",
    "diagnoses.days_to_last_follow_up",
)  # fmt: skip


def plain_survival(frame: pd.DataFrame) -> dict[str, list[float]]:
    """Return OS and OS.time of a table with one row each in raw fields; {} where these are absent."""
    status, death, contact = ([c for c in names if c in frame] for names in (_STATUS, _DEATH, _CONTACT))
    if not status or not (death or contact):
        return {}
    _warn_unread((v for c in status for v in frame[c]), status[0])
    found = [
        survival([r[c] for c in status], [r[c] for c in death], [r[c] for c in contact]) for _, r in frame.iterrows()
    ]
    return {"OS": [f[0] for f in found], "OS.time": [f[1] for f in found]}


def biotab_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop the two further header lines of a legacy biotab."""
    first = frame.iloc[:, 0].astype(str)
    extra = [
        i for i in range(min(3, len(frame))) if first.iloc[i] == frame.columns[0] or first.iloc[i].startswith("CDE_ID")
    ]
    return frame.drop(index=frame.index[extra])


def _biotab(frame: pd.DataFrame) -> pd.DataFrame:
    """Legacy biotab, patient and follow-up forms stacked: one row per patient, the latest of everything."""
    key = "bcr_patient_barcode"
    death = next((c for c in ("death_days_to", "days_to_death") if c in frame), None)
    contact = next((c for c in ("last_contact_days_to", "days_to_last_followup") if c in frame), None)
    rows = []
    for who, block in frame.groupby(key, sort=True):
        row = {c: _first(list(block[c])) for c in frame.columns if c != key}
        row["OS"], row["OS.time"] = survival(
            list(block["vital_status"]) if "vital_status" in frame else [],
            list(block[death]) if death else [],
            list(block[contact]) if contact else [],
        )
        rows.append({key: who, "forms": len(block)} | row)
    _warn_unread(frame.get("vital_status", []), "vital_status")
    out = pd.DataFrame(rows).set_index(key)
    renames = {"histologic_diagnosis": "histology", "age_at_initial_pathologic_diagnosis": "age"}
    return out.rename(columns={k: v for k, v in renames.items() if k in out and v not in out})


def _firehose(frame: pd.DataFrame) -> pd.DataFrame:
    """Firehose merged clinical table: one row per patient, follow-ups in numbered columns."""
    key = "patient.bcr_patient_barcode"

    def columns(name: str) -> list[str]:
        return [c for c in frame.columns if re.fullmatch(rf"patient\.(follow_ups\.follow_up(-\d+)?\.)?{name}", c)]

    status, death, contact = columns("vital_status"), columns("days_to_death"), columns("days_to_last_followup")
    found = [
        survival([r[c] for c in status], [r[c] for c in death], [r[c] for c in contact]) for _, r in frame.iterrows()
    ]
    out = frame.assign(**{"OS": [f[0] for f in found], "OS.time": [f[1] for f in found]})
    age = next((c for c in frame.columns if c.endswith("age_at_initial_pathologic_diagnosis")), None)
    grade = next((c for c in frame.columns if c.endswith("neoplasm_histologic_grade")), None)
    extra = {k: frame[c] for k, c in (("age", age), ("grade", grade)) if c}
    return out.assign(**extra).set_index(key)


def _cbioportal(frame: pd.DataFrame) -> pd.DataFrame:
    """Patient or sample table of cBioPortal: ``X_STATUS`` with ``X_MONTHS`` becomes ``X`` and ``X.time`` in days."""
    new: dict[str, Any] = {}
    for endpoint in ENDPOINTS:
        status, months = f"{endpoint}_STATUS", f"{endpoint}_MONTHS"
        if status in frame and months in frame:
            about = ENDPOINTS[endpoint].about
            _warn_unread(frame[status], status, about)
            new[endpoint] = [_status(v, about, endpoint) for v in frame[status]]
            new[f"{endpoint}.time"] = [_days(v) * DAYS["months"] for v in frame[months]]
    key = "SAMPLE_ID" if "SAMPLE_ID" in frame else "PATIENT_ID"
    return frame.assign(**new).set_index(key, drop=False)


def _icgc(frame: pd.DataFrame) -> pd.DataFrame:
    """ICGC donors: vital status with survival time, or the interval of the last follow-up for those alive."""
    _warn_unread(frame["donor_vital_status"], "donor_vital_status")
    found = []
    for _, row in frame.iterrows():
        time = [row.get("donor_survival_time"), row.get("donor_interval_of_last_followup")]
        event = _status(row.get("donor_vital_status"))
        found.append((event, _days(_first(time)) if event == event else np.nan))
    return frame.assign(**{"OS": [f[0] for f in found], "OS.time": [f[1] for f in found]}).set_index("icgc_donor_id")


ROUTES: dict[str, Route] = {
    "gdc-clinical": _gdc_table,
    "biotab": _biotab,
    "firehose": _firehose,
    "cbioportal-clinical": _cbioportal,
    "icgc-donor": _icgc,
}


def route_of(columns: Sequence[str]) -> tuple[str, Route | None]:
    """Name the portal that a clinical table comes from by its columns, and what turns it into patients."""
    names = set(columns)
    route = ""
    if names & {"cases.submitter_id", "case_submitter_id"}:
        route = "gdc-clinical"
    elif "bcr_patient_uuid" in names and "bcr_patient_barcode" in names and "OS.time" not in names:
        route = "biotab"
    elif "patient.bcr_patient_barcode" in names:
        route = "firehose"
    elif "PATIENT_ID" in names:
        route = "cbioportal-clinical"
    elif "donor_vital_status" in names and "icgc_donor_id" in names:
        route = "icgc-donor"
    return route, ROUTES.get(route)

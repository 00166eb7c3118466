"""Clinical tables: one row per patient or sample, missing values as missing, outcomes under standard names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._outcome_terms import DAYS, is_unsaid
from mtorscore.errors import DataWarning, FormatError, examples, warn
from mtorscore.io import detect
from mtorscore.io.formats import binary
from mtorscore.io.portals import clinical_tables
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.cell_text import is_missing, typed
from mtorscore.io.tables.delimited import parse

__all__ = ["STAGES", "clean", "read_clinical", "read_named_rows", "simple_stage", "standardise"]

STAGES = ("I", "II", "III", "IV")

# Names of the column that holds the patient or sample, most telling first.
_KEYS = (
    "bcr_patient_barcode", "cases.submitter_id", "case_submitter_id", "patient.bcr_patient_barcode", "sample",
    "SAMPLE_ID", "PATIENT_ID", "icgc_donor_id", "submitter_id", "sampleID", "geo_accession", "patient", "Patient",
    "Barcode", "barcode", "patient_id", "sample_id",
)  # fmt: skip
_FIELDS: dict[str, tuple[str, ...]] = {
    "stage_raw": (
        "ajcc_pathologic_tumor_stage", "ajcc_pathologic_stage", "diagnoses.ajcc_pathologic_stage", "tumor_stage",
        "pathologic_stage", "patient.stage_event.pathologic_stage", "AJCC_PATHOLOGIC_TUMOR_STAGE", "stage", "Stage",
        "donor_tumour_stage_at_diagnosis",
    ),
    "age": (
        "age_at_initial_pathologic_diagnosis", "age_at_diagnosis", "demographic.age_at_index", "age_at_index", "age",
        "Age", "AGE", "donor_age_at_diagnosis",
    ),
    "sex": ("gender", "sex", "Sex", "SEX", "demographic.gender", "patient.gender", "donor_sex", "Gender"),
    "grade": (
        "histological_grade", "tumor_grade", "diagnoses.tumor_grade", "neoplasm_histologic_grade", "GRADE", "grade",
    ),
    "histology": (
        "histological_type", "diagnoses.primary_diagnosis", "primary_diagnosis", "HISTOLOGICAL_DIAGNOSIS",
        "patient.primary_pathology.histological_type", "Histology", "histology", "histologic_diagnosis",
    ),
}  # fmt: skip
_STAGE = re.compile(r"^(?:stage[\s_:]*)?(iv|iii|ii|i|[1-4])\s*(?:[abc]\d?)?$", re.IGNORECASE)
_AGE = re.compile(r"^\s*(?:\((?P<unit>months?|mos?|yrs?|years?)\):)?\s*(?P<number>\d+(?:\.\d+)?)\s*$", re.IGNORECASE)
_ARABIC = {"1": "I", "2": "II", "3": "III", "4": "IV"}


def simple_stage(value: object) -> str:
    """Return I, II, III or IV for a stage in any spelling, "" where it is none of them.

    Examples
    --------
    >>> [simple_stage(s) for s in ("Stage IIIA", "stage ii", "IVB", "[Discrepancy]", "2")]
    ['III', 'II', 'IV', '', 'II']
    """
    found = _STAGE.match(str(value).strip().removesuffix(".0"))
    if not found:
        return ""
    stage = found[1].upper()
    return _ARABIC.get(stage, stage)


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with every spelling of "missing" as missing, and columns of numbers as float64."""
    out = {}
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position]
        if column.dtype != object:
            out[str(name)] = column
            continue
        values: npt.NDArray[Any] = np.array([None if is_missing(v) else str(v).strip() for v in column], dtype=object)
        number = typed(np.array(["" if v is None else v for v in values], dtype=object))
        missing = all(v is None for v in values)
        out[str(name)] = pd.Series(values if missing or number.dtype == object else number, index=frame.index)
    return pd.DataFrame(out, index=frame.index)


def _text_frame(path: Path, sheet: str | None) -> pd.DataFrame:
    found = detect.detect(path)
    if found.kind == "excel":
        frame, _, _, _ = binary.sheet_frame(path, sheet)
        return frame.loc[:, [bool(c) for c in frame.columns]]
    if found.kind == "parquet":
        return pd.read_parquet(path).reset_index()
    if found.kind == "rdata":
        from mtorscore.io.formats.r_objects import objects

        tables = objects(path)
        return tables[max(tables, key=lambda n: tables[n].size)]
    if found.kind == "table" or found.kind.startswith("clinical:"):
        return clinical_tables.biotab_rows(parse(file_bytes.load(path), text=True).frame())
    from mtorscore.io.reading import read

    obs = read(path).obs
    return obs if "sample" in obs else obs.rename_axis("sample").reset_index()


def _follow_ups(path: Path) -> list[Path]:
    """Return the follow-up forms that lie beside a legacy biotab of patients."""
    found = re.match(r"(?P<start>.*clinical)_patient_(?P<cancer>[a-z]+)\.", path.name)
    if not found:
        return []
    return sorted(path.parent.glob(f"{found['start']}_follow_up_v*_{found['cancer']}.*"))


def read_named_rows(path: str | Path) -> pd.DataFrame:
    """Read any table whose first column names its rows; nothing is added and no row is merged or left out.

    Parameters
    ----------
    path
        Any table that `read` takes: text with any delimiter, compressed or not, a workbook, Parquet.

    Returns
    -------
    pandas.DataFrame
        Index: the first column as text. Other columns: float64 where all that is not missing is a number, ``True``
        and ``False`` as numbers too, else text, missing as None.

    Raises
    ------
    FormatError
        If there is no such file, or it holds no table.
    """
    path = Path(path)
    frame = _text_frame(path, None)
    if not frame.shape[1]:
        raise FormatError("the table has no columns.", path=path)
    names = pd.Index([str(v).strip() for v in frame.iloc[:, 0]], name=str(frame.columns[0]))
    out = clean(frame.iloc[:, 1:])
    for column in out:
        known = out[column].dropna()
        if out[column].dtype == object and known.astype(str).str.lower().isin(["true", "false"]).all():
            out[column] = [np.nan if v is None else float(str(v).lower() == "true") for v in out[column]]
    return out.set_axis(names)


def read_clinical(
    path: str | Path,
    *,
    key: str | None = None,
    sheet: str | None = None,
    where: Mapping[str, Collection[str]] | None = None,
    follow_up: Collection[str | Path] | None = None,
) -> pd.DataFrame:
    """Read a clinical table.

    Parameters
    ----------
    path
        Any table that `read` takes.
    key
        The column that names patients or samples; found by its name if None.
    sheet
        Sheet of a workbook.
    where
        Column -> values: only rows with one of them are kept, such as ``{"type": ["LIHC"]}``.
    follow_up
        Further forms of a legacy biotab, merged patient by patient; those beside the file are found if None.

    Returns
    -------
    pandas.DataFrame
        Index: upper-case TCGA barcodes, or the names as they are. The published columns, with missing values as
        missing and numbers as numbers, and the standard ones of `standardise`.

    Raises
    ------
    FormatError
        If the table cannot be read, has no key column, or repeats a key with differing rows.
    """
    path = Path(path)
    frame = _where(_text_frame(path, sheet), where or {}, path)
    if key is None:
        route, reduce = clinical_tables.route_of(list(map(str, frame.columns)))
        if reduce is not None:
            if route == "biotab":
                forms = [Path(f) for f in follow_up] if follow_up is not None else _follow_ups(path)
                if not forms and follow_up is None and "bcr_followup_barcode" not in frame:
                    warn(
                        f"{path.name}: no follow-up form lies beside this form of patients, so outcomes stand as of "
                        "enrolment and later deaths are missing (31% of them in TCGA-LIHC). Put the files "
                        "clinical_follow_up_* beside it, name them with follow_up=, or prefer the curated outcomes.",
                        DataWarning,
                    )
                frame = pd.concat([*(_text_frame(f, None) for f in forms[::-1]), frame], ignore_index=True)
            try:
                frame = reduce(frame)
            except clinical_tables.TimeError as error:
                raise clinical_tables.refused_time(str(error), frame, path) from error
            frame = _one_row_each(frame, str(frame.index.name), path)
            frame.index = pd.Index([_barcode(n) for n in frame.index], name=frame.index.name)
            return standardise(clean(frame))
    frame = clean(frame)
    if key is None:
        key = next((k for k in _KEYS if k in frame.columns), str(frame.columns[0]))
    if key not in frame.columns:
        raise FormatError(f"there is no column {key!r}; there are {examples(frame.columns, 12)}.", path=path)
    names = [("" if is_missing(v) else str(v)) for v in frame[key]]
    names = [_barcode(n) for n in names]
    frame = frame.set_axis(pd.Index(names, name=key)).loc[[bool(n) for n in names]]
    try:
        return standardise(_one_row_each(frame, key, path))
    except clinical_tables.TimeError as error:
        raise clinical_tables.refused_time(str(error), frame, path) from error


def _one_row_each(frame: pd.DataFrame, key: str, path: Path) -> pd.DataFrame:
    """Drop rows that repeat another in everything; refuse a table without rows, or a name with differing rows."""
    if not len(frame):
        raise FormatError(f"no row holds a value of {key!r}: the table has a header and no patients.", path=path)
    if frame.index.has_duplicates:
        frame = frame[~(frame.index.duplicated() & frame.duplicated())]
    repeated = frame.index[frame.index.duplicated()].unique()
    if len(repeated):
        raise FormatError(
            f"{len(repeated)} value(s) of {key!r} stand on several differing rows ({examples(repeated)}); "
            "name another key column, or reduce the table to one row each.",
            path=path,
        )
    return frame


def _barcode(name: object) -> str:
    text = str(name)
    return text.upper() if text.lower().startswith("tcga-") else text


def _where(frame: pd.DataFrame, where: Mapping[str, Collection[str]], path: Path) -> pd.DataFrame:
    for column, values in where.items():
        if column not in frame.columns:
            raise FormatError(f"there is no column {column!r}; there are {examples(frame.columns, 12)}.", path=path)
        frame = frame[[str(v) in values for v in frame[column]]]
        if not len(frame):
            raise FormatError(f"no row has {column} = {' or '.join(sorted(values))}.", path=path)
    return frame


def standardise(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the standard columns that the table's own columns allow.

    ``OS``, ``OS.time`` and likewise DSS, DFI, PFI (1 = event, 0 = censored; days), ``stage`` (ordered I-IV),
    ``stage_number``, ``stage_raw``, ``age`` (years), ``sex`` (female, male), ``grade``, ``histology``. A column that
    is there under the standard name is kept. Overall survival is put together from vital status, days to death and
    days to last follow-up where the table has these alone.
    """
    new: dict[str, Any] = {}
    for standard, known in _FIELDS.items():
        source = next((k for k in known if k in frame.columns), None)
        if source is not None and not (standard in frame.columns and source == standard):
            new[standard] = frame[source]
    if not {"OS", "OS.time"} & set(map(str, frame.columns)):
        new |= clinical_tables.plain_survival(frame)
    out = frame.assign(**new)
    if "stage_raw" in out:
        stage = [simple_stage(v) for v in out["stage_raw"]]
        out["stage"] = pd.Categorical([s or None for s in stage], categories=list(STAGES), ordered=True)
        out["stage_number"] = [float(STAGES.index(s) + 1) if s else np.nan for s in stage]
    if "age" in out:
        out["age"] = _years(out["age"])
    if "sex" in out:
        out["sex"] = [{"f": "female", "m": "male"}.get(str(v).strip().lower()[:1]) for v in out["sex"]]
    return out


def _years(values: pd.Series) -> npt.NDArray[np.float64]:
    if values.dtype == object:
        parsed = [_AGE.match("" if v is None or v != v else str(v)) for v in values]
        odd = [str(v) for v, m in zip(values, parsed, strict=True) if not m and not is_missing(v) and not is_unsaid(v)]
        if odd:
            warn(f"{len(odd)} age(s) are no number ({examples(dict.fromkeys(odd))}) and count as missing.", DataWarning)
        # GEO's hepatoblastoma series write "(month): 33" and "(yrs): 0.7".
        return np.array(
            [float(m["number"]) / (12.0 if (m["unit"] or "").startswith("m") else 1.0) if m else np.nan for m in parsed]
        )
    age: npt.NDArray[np.float64] = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    # GDC gives the age at diagnosis in days.
    return age / DAYS["years"] if np.nanmax(age, initial=0) > 200 else age

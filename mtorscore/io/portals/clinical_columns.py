"""Columns of clinical tables: missing values, stages, ages and outcomes under standard names, one row per patient."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataWarning, EndpointError, FormatError, examples, warn
from mtorscore.io.formats.reader import Columns, Found, Reader
from mtorscore.io.portals import clinical_tables
from mtorscore.io.portals.patient_fields import STAGES, ages, sexes, stages
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import described
from mtorscore.io.tables.cell_text import holds_text, is_missing, is_missing_word, is_number, typed
from mtorscore.io.tables.delimited import parse

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["READER", "clean", "one_row_each", "patients", "standardise", "text_frame"]

# Names of the column that holds the patient or sample, most telling first.
_KEYS = (
    "bcr_patient_barcode", "cases.submitter_id", "case_submitter_id", "patient.bcr_patient_barcode", "sample",
    "SAMPLE_ID", "PATIENT_ID", "icgc_donor_id", "submitter_id", "sampleID", "geo_accession", "patient", "Patient",
    "Barcode", "barcode", "patient_id", "sample_id",
)  # fmt: skip
# Names of such a column in other spellings, looked for where the first column measures something or counts rows.
_LIKE_KEY = re.compile(
    r"(patient|sample|subject|case|donor|participant|specimen|record|tumou?rsample)(s?(id|no|nr|number|name|code|barcode))?"
    r"|mrn|usubjid|barcode|id"
)
_MEASURED = re.compile(
    r"(OS|DSS|DFI|PFI|RFS|DFS|PFS|TTR|EFS)([._ ]?(time|event|status|days|months|years))?|age|sex|gender|time|event|"
    r"status|stage|grade|race|weight|height|bmi|fu?status|fustat|futime|vital_?status|follow_?up|afp",
    re.IGNORECASE,
)
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


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with every spelling of "missing" as missing, and columns of numbers as float64."""
    out = {}
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position]
        if not holds_text(column):
            out[str(name)] = column
            continue
        # Most columns hold few distinct words.
        cells = column.tolist()
        told = {v: _told(v) for v in {v for v in cells if v.__class__ is str}}
        values: npt.NDArray[Any] = np.array([told[v] if v.__class__ is str else _told(v) for v in cells], dtype=object)
        number = typed(np.array(["" if v is None else v for v in values], dtype=object))
        missing = all(v is None for v in values)
        if not missing and number.dtype == object:
            number = _typed_but_for_words(values)
        out[str(name)] = pd.Series(values if missing or number.dtype == object else number, index=frame.index)
    return pd.DataFrame(out, index=frame.index)


def _told(value: object) -> str | None:
    return None if is_missing(value) else str(value).strip()


def _typed_but_for_words(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return numbers where all else in a column only says that a number is missing (n.d., not done, unknown)."""
    known = {v for v in values if v is not None}
    numbers = {v for v in known if is_number(v)}
    if not numbers or not all(is_missing_word(v) for v in known - numbers):
        return values
    return typed(np.array([v if v in numbers else "" for v in values], dtype=object))


def text_frame(path: Path) -> pd.DataFrame:
    """Read a delimited clinical table as text, without the further header lines of a legacy biotab."""
    return clinical_tables.biotab_rows(parse(file_bytes.load(path), text=True).frame())


def patients(path: Path) -> pd.DataFrame:
    """Read a delimited clinical table: one row per patient or sample, with the columns of `standardise`."""
    return one_row_each(text_frame(path), path)


def _follow_up_forms(path: Path) -> list[Path]:
    """Return the follow-up forms beside a legacy biotab of patients."""
    found = re.match(r"(?P<start>.*clinical)_patient_(?P<cancer>[a-z]+)\.", path.name)
    if not found:
        return []
    return sorted(path.parent.glob(f"{found['start']}_follow_up_v*_{found['cancer']}.*"))


def one_row_each(
    frame: pd.DataFrame,
    path: Path,
    *,
    key: str | None = None,
    forms: Sequence[Path] | None = None,
    read_form: Callable[[Path], pd.DataFrame] = text_frame,
) -> pd.DataFrame:
    """Reduce a clinical table to one row per patient or sample and add the columns of `standardise`.

    Parameters
    ----------
    frame
        The table as published.
    path
        Its file.
    key
        The column that names patients or samples; found by its name if None.
    forms
        Follow-up forms of a legacy biotab; those beside the file if None.
    read_form
        Reads one of them.

    Returns
    -------
    pandas.DataFrame
        Index: upper-case TCGA barcodes, or the names as they are.

    Raises
    ------
    FormatError
        If there is no key column, a key has differing rows, a time is text, or nothing says what the codes of an
        outcome mean.
    """
    try:
        return _one_row_each(frame, path, key, forms, read_form)
    except EndpointError as error:
        raise FormatError(str(error), path=path) from error


def _one_row_each(
    frame: pd.DataFrame,
    path: Path,
    key: str | None,
    forms: Sequence[Path] | None,
    read_form: Callable[[Path], pd.DataFrame],
) -> pd.DataFrame:
    if key is None:
        route, reduce = clinical_tables.route_of(list(map(str, frame.columns)))
        if reduce is not None:
            if not len(frame):
                raise FormatError(
                    "there are no patients in it: a header and no row below it. Download or export it again.", path=path
                )
            if route == "biotab":
                frame = _with_follow_up(frame, path, forms, read_form)
            try:
                frame = reduce(frame)
            except clinical_tables.TimeError as error:
                raise clinical_tables.refused_time(str(error), frame, path) from error
            frame = _distinct(frame, str(frame.index.name), path)
            frame.index = pd.Index([_barcode(n) for n in frame.index], name=frame.index.name)
            return standardise(clean(frame))
    frame.columns = pd.Index([str(c) for c in frame.columns])
    if key is None:
        key = _key_column(frame, path)
    if key not in frame.columns:
        raise FormatError(f"there is no column {key!r}; there are {examples(frame.columns, 12)}.", path=path)
    # Names are text as written (1.10, 001, 1E0); the other columns become numbers.
    names = [_barcode(n) for n in _names(frame[key])]
    named = np.array([bool(n) for n in names], dtype=bool)
    # A row of units below the header must not keep its columns from being numbers.
    _warn_nameless(frame.loc[~named], key)
    names = [n for n in names if n]
    frame = clean(frame.loc[named])
    frame[key] = pd.Series(names, index=frame.index, dtype=object)
    frame = frame.set_axis(pd.Index(names, name=key))
    try:
        return standardise(_distinct(frame, key, path))
    except clinical_tables.TimeError as error:
        raise clinical_tables.refused_time(str(error), frame, path) from error


def _key_column(frame: pd.DataFrame, path: Path) -> str:
    """Return the column that names patients or samples: by its usual name, else the first that is no measurement."""
    found = next((k for k in _KEYS if k in frame.columns), None)
    if found is not None:
        return found
    first = str(frame.columns[0])
    if not (_MEASURED.fullmatch(first) or _counts_rows(frame.iloc[:, 0], first)):
        return first
    alike = [str(c) for c in frame.columns[1:] if _LIKE_KEY.fullmatch(re.sub(r"[\W_]+", "", str(c)).lower())]
    if alike:
        return alike[0]
    if _MEASURED.fullmatch(first):
        raise FormatError(
            f"no column says whose rows these are: the first is {first!r}, and there are {examples(frame.columns, 12)}"
            ". Name it with key=, or put the names of patients or samples first.",
            path=path,
            line=1,
        )
    return first


def _counts_rows(column: pd.Series, name: str) -> bool:
    """Whether a first column without a name of its own only counts the rows."""
    if name.lower() not in ("", "column_1", "unnamed: 0", "index", "row", "no", "no.", "nr", "nr.", "#", "x"):
        return False
    values = [str(v) for v in column]
    return values in ([str(i) for i in range(len(values))], [str(i + 1) for i in range(len(values))])


def _warn_nameless(rows: pd.DataFrame, key: str) -> None:
    """Warn of rows that say something and name nobody."""
    said = [" ".join(str(v) for v in row if not is_missing(v)) for row in rows.to_numpy(dtype=object)]
    said = [text for text in said if text]
    if said:
        warn(
            f"{len(said)} row(s) name nobody in column {key!r} and were left out ({examples(said)}).",
            DataWarning,
        )


def _names(column: pd.Series) -> list[str]:
    """Return names of patients or samples as written; blank where a word for "missing" is on several rows."""
    written = ["" if v is None or v != v else str(v).strip() for v in column]
    missing = [n for n in written if is_missing(n)]
    if not missing:
        return written
    return ["" if is_missing(n) and (not n or len(missing) > 1 or n in (".", "-", "--", "?")) else n for n in written]


def _with_follow_up(
    frame: pd.DataFrame, path: Path, forms: Sequence[Path] | None, read_form: Callable[[Path], pd.DataFrame]
) -> pd.DataFrame:
    """Put the follow-up forms above a form of patients, the latest first; warn where there is none."""
    chosen = _follow_up_forms(path) if forms is None else forms
    if not chosen and forms is None and "bcr_followup_barcode" not in frame:
        warn(
            f"{path.name}: no follow-up form lies beside this form of patients, so outcomes stand as of "
            "enrolment and later deaths are missing (31% of them in TCGA-LIHC). Put the files "
            "clinical_follow_up_* beside it, name them with follow_up=, or prefer the curated outcomes.",
            DataWarning,
        )
    return pd.concat([*(read_form(f) for f in chosen[::-1]), frame], ignore_index=True)


def _distinct(frame: pd.DataFrame, key: str, path: Path) -> pd.DataFrame:
    """Drop rows that repeat another in everything; refuse a table without rows, or a name with differing rows."""
    if not len(frame):
        raise FormatError(f"no row holds a value of {key!r}: the table has a header and no patients.", path=path)
    if frame.index.has_duplicates:
        frame = frame[~(frame.index.duplicated() & frame.duplicated())]
    repeated = frame.index[frame.index.duplicated()].unique()
    if len(repeated):
        raise FormatError(
            f"{len(repeated)} value(s) of {key!r} are on several differing rows ({examples(repeated)}); "
            "name another key column, or reduce the table to one row each.",
            path=path,
        )
    return frame


def _barcode(name: object) -> str:
    text = str(name)
    return text.upper() if text.lower().startswith("tcga-") else text


def standardise(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the standard columns that the table's own columns allow.

    ``OS``, ``OS.time`` and likewise DSS, DFI, PFI (1 = event, 0 = censored; days), ``stage`` (ordered I-IV),
    ``stage_number``, ``stage_raw``, ``age`` (years), ``sex`` (female, male), ``grade``, ``histology``. A column that
    is there under the standard name is kept. Overall survival is put together from vital status, days to death and
    days to last follow-up where the table has these alone.
    """
    new: dict[str, Any] = {}
    for standard, known in _FIELDS.items():
        # Read once already: `stage` holds numerals now, and the words stand in `stage_raw` alone.
        if standard == "stage_raw" and standard in frame.columns:
            continue
        source = next((k for k in known if k in frame.columns), None)
        if source is not None and not (standard in frame.columns and source == standard):
            new[standard] = frame[source]
    if not {"OS", "OS.time"} & set(map(str, frame.columns)):
        new |= clinical_tables.plain_survival(frame)
    out = frame.assign(**new)
    if "stage_raw" in out:
        stage = stages(out["stage_raw"].tolist(), quiet="stage_raw" not in new)
        out["stage"] = pd.Categorical([s or None for s in stage], categories=list(STAGES), ordered=True)
        out["stage_number"] = [float(STAGES.index(s) + 1) if s else np.nan for s in stage]
    if "age" in out:
        out["age"] = ages(out["age"])
    if "sex" in out:
        out["sex"] = sexes(out["sex"])
    return out


def clinical(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a patient or sample table; the ``#`` lines above the names, where there are any, describe the columns."""
    frame = patients(path)
    return described(frame, [str(n) for n in frame.index], genes=False), {"table": "clinical"}


def _is_clinical(seen: Columns) -> Found | None:
    route, _ = clinical_tables.route_of(seen.names)
    if not route:
        return None
    above = " and # lines above the names" if seen.commented else ""
    return Found(f"clinical:{route}", f"the columns of {route}{above}")


READER = Reader(
    kinds=tuple(f"clinical:{route}" for route in clinical_tables.ROUTES),
    read=clinical,
    detect={Columns: _is_clinical},
    origin="Clinical tables",
    title="patients or samples of the GDC (`clinical.tsv`), a legacy biotab with its follow-up forms, Firehose "
    "(merged), cBioPortal, ICGC (donors)",
)

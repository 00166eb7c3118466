"""Clinical columns as times, events and exclusion rules, with one clear error for unusable columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._outcome_terms import event_codes
from mtorscore.errors import DataError, DataWarning, EndpointError, StatisticsWarning, examples, nearest, warn
from mtorscore.pp.barcodes import are_tcga, parse_barcode
from mtorscore.prognosis.endpoints.coding import name_of

EXCLUDED = ["observation", "endpoint", "rule", "reason"]
"""Columns of a table of excluded observations."""


def row(observation: object, endpoint: str, rule: str) -> dict[str, str]:
    """Return one row of the exclusion log."""
    return {
        "observation": str(observation),
        "endpoint": endpoint,
        "rule": rule,
        "reason": f"{endpoint}: {rule}",
    }


def align(clinical: pd.DataFrame, index: pd.Index | None, name: str) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Return the clinical rows of the observations, and log rows for those without one."""
    if not isinstance(clinical, pd.DataFrame):
        raise EndpointError(f"The clinical table must be a DataFrame indexed by observation, not {type(clinical)}.")
    twice = clinical.index[clinical.index.duplicated()].unique()
    if len(twice):
        raise EndpointError(
            f"{len(twice)} observation(s) are duplicated in the clinical table ({examples(twice)}); "
            "keep one row per patient (pp.resolve_patients does, and logs it)."
        )
    if index is None:
        return clinical, []
    if index.has_duplicates:
        again = index[index.duplicated()].unique()
        raise EndpointError(
            f"Endpoint {name}: {len(again)} observation(s) are duplicated ({examples(again)}); keep one row per "
            "patient."
        )
    if not len(index):
        raise EndpointError(f"Endpoint {name}: there is no observation with a value to relate to it.")
    known = index.isin(clinical.index)
    alike = "" if known.all() else nearly_same(index[~known], clinical.index)
    if not known.any():
        raise EndpointError(
            f"None of the {len(index)} observations ({examples(index)}) is in the clinical table "
            f"({examples(clinical.index)}); {alike or 'join both on the same identifier'}."
        )
    if alike:
        warn(f"{int((~known).sum())} of {len(index)} observations are not in the clinical table: {alike}.", DataWarning)
    lost = [row(o, name, "not in the clinical table") for o in index[~known]]
    return clinical.loc[index[known]], lost


def nearly_same(lost: pd.Index, names: pd.Index) -> str:
    """Say how names without a clinical row differ from those of the table, where they are nearly the same."""
    ways: tuple[tuple[Callable[[object], str], str], ...] = (
        (str, "one table names them by numbers, the other by text (index.astype(str) makes text of both)"),
        (lambda v: re.sub(r"[\W_]+", "", name_of(v)).casefold(), "they differ in capitals, blanks or punctuation"),
    )
    for plain, how in ways:
        known = {plain(n): n for n in names}
        pairs = [f"{v!r} is {known[plain(v)]!r}" for v in lost if plain(v) in known]
        if pairs:
            return f"{len(pairs)} have a row under nearly the same name ({examples(pairs)}): {how}; write them alike"
    return ""


def pick(table: pd.DataFrame, column: str | None, name: str) -> pd.Series:
    """Return a column, or name the nearest ones."""
    if column not in table.columns:
        near = nearest(column, table.columns)
        hint = f" Near: {', '.join(near)}." if near else f" It has {examples(table.columns, 6)}."
        raise EndpointError(f"Endpoint {name}: the clinical table has no column {column!r}.{hint}")
    return table[column]


def numbers(
    column: pd.Series, what: str, fix: str = "set them to missing when the table is read"
) -> npt.NDArray[np.float64]:
    """Return a column as floats; dates, text and infinite values are errors that quote examples."""
    kind = column.dtype.kind if isinstance(column.dtype, np.dtype) else "-"
    if kind in "mM" or isinstance(column.dtype, pd.DatetimeTZDtype):
        found = "durations" if kind == "m" else "dates"
        raise EndpointError(
            f"The {what} holds {found}; numbers are needed. Turn dates into the time since diagnosis, and durations "
            "into numbers of the endpoint's unit (column / pd.Timedelta(days=1))."
        )
    values: npt.NDArray[np.float64] = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    text = column[np.isnan(values) & column.notna().to_numpy()]
    if len(text):
        raise EndpointError(
            f"The {what} holds {len(text)} value(s) that are no number ({examples(text.unique())}); {fix}."
        )
    if np.isinf(values).any():
        raise EndpointError(f"The {what} holds {int(np.isinf(values).sum())} infinite value(s).")
    return values


def status_of(
    column: pd.Series, value: Hashable | None = None, code: str | int | None = None, endpoint: str = ""
) -> npt.NDArray[np.float64]:
    """Return 1 event, 0 none, 2 competing (by code), NaN missing; `endpoint` is its name."""
    if value is not None:
        return _by_value(column, value, code)
    values = _by_words(column, endpoint)
    if values is not None:
        return values
    fix = "say which value is the event (event_value=), or set them to missing when the table is read"
    values = numbers(column, f"event column {column.name!r}", fix)
    allowed = {0.0, 1.0}
    if isinstance(code, int):
        allowed.add(float(code))
    odd = values[~np.isnan(values) & ~np.isin(values, list(allowed))]
    if len(odd):
        raise EndpointError(
            f"Event column {column.name!r} holds {len(odd)} value(s) other than 0 and 1 ({examples(np.unique(odd))}); "
            "say which value is the event (event_value=) or the competing event (competing=)."
        )
    if isinstance(code, int):
        values = np.where(values == code, 2.0, values)
    return values


def ask_for_event(column: pd.Series) -> None:
    """Refuse a 0/1 column whose name speaks of censoring: 1 may mean that follow-up was censored.

    Raises
    ------
    EndpointError
        If its name holds "censor" and its values are 0 and 1.
    """
    if "censor" not in str(column.name).lower():
        return
    words = {name_of(v).lower() for v in column.dropna().unique()}
    if words <= {"0", "1", "true", "false"}:
        raise EndpointError(
            f"Event column {column.name!r} speaks of censoring and holds {examples(sorted(words))}: say which value is "
            "the event (event_value=0 where 1 means censored)."
        )


def two_classes(
    column: pd.Series, positive: Hashable | None, endpoint: str
) -> tuple[list[Hashable], npt.NDArray[np.int64]]:
    """Return the classes of a label, the positive one last, and the code of each value.

    Parameters
    ----------
    column
        Labels, none missing.
    positive
        The positive class; None takes the larger number (1 of 0 and 1).
    endpoint
        Name of the endpoint.

    Raises
    ------
    EndpointError
        If the label is in words and no positive class is named, or none of its values is the positive class.
    """
    classes: list[Hashable] = list(column.astype(object).unique())
    classes.sort(key=lambda v: (isinstance(v, str), v))
    if positive is not None:
        classes = _with_positive(classes, positive, column.name)
    elif classes and {name_of(v) for v in classes} <= {"0", "1"}:
        classes = ["0", "1"]
    elif classes and {name_of(v) for v in classes} <= {"False", "True"}:
        classes = ["False", "True"]
    elif 0 < len(classes) <= 2 and any(isinstance(v, str) for v in classes):
        raise EndpointError(
            f"Endpoint {endpoint}: {column.name!r} holds {examples(classes)}, and which of them is the positive class "
            f"is not said; name it: positive={' or '.join(repr(str(c)) for c in classes)} in Endpoint.label, or "
            "--positive on the command line."
        )
    place = {name_of(v): i for i, v in enumerate(classes)}
    return classes, np.array([place[name_of(v)] for v in column], dtype=np.int64)


def _with_positive(classes: list[Hashable], positive: Hashable, column: object) -> list[Hashable]:
    """Return the classes with the positive one last; a cohort that holds it alone still has two classes."""
    named = [c for c in classes if name_of(c) == name_of(positive)]
    if classes and not named:
        raise EndpointError(
            f"{column!r} holds no {positive!r}; it holds {examples(classes, 5)}. Name one of these as the positive "
            "class."
        )
    rest = [c for c in classes if name_of(c) != name_of(positive)]
    return [*(rest or [f"not {positive}"]), positive]


def _by_words(column: pd.Series, endpoint: str) -> npt.NDArray[np.float64] | None:
    """Return the codes of a column of recognised words; None for numbers.

    Raises
    ------
    EndpointError
        If a word is not recognised.
    """
    if pd.api.types.is_numeric_dtype(column.dtype) or column.dtype.kind in "mM":
        return None
    codes, unread = event_codes(column, endpoint=endpoint)
    words = pd.Series(unread, dtype=object)
    words = words[pd.to_numeric(words, errors="coerce").isna()]
    if len(words):
        raise EndpointError(
            f"The event column {column.name!r} holds {len(words)} value(s) that are no number "
            f"({examples(words.unique())}); say which value is the event (event_value=), as these may mean anything, "
            "or set them to missing when the table is read."
        )
    return None if unread else codes


def _by_value(column: pd.Series, value: Hashable, code: str | int | None) -> npt.NDArray[np.float64]:
    """1 where the column holds the value that means the event, 2 where the competing code, 0 another, NaN none."""
    found = column.dropna()
    # A number and its text are one value, as they are for labels.
    names = np.array([name_of(v) for v in found], dtype=object)
    hit = (names == name_of(value)).astype(bool)
    other = (names == name_of(code)) & ~hit if isinstance(code, int) else np.zeros(len(found), dtype=bool)
    others = found[~hit & ~other].astype(str).value_counts()
    if len(found) and not hit.any():
        raise EndpointError(
            f"Event column {column.name!r} holds no {value!r}, the value that is said to mean the event; it holds "
            f"{examples(others.index, 6)}."
        )
    if len(others) > 1:
        counts = ", ".join(f"{v} ({n})" for v, n in others.items())
        warn(
            f"Event column {column.name!r}: {len(others)} values count as no event: {counts}. Set those that mean "
            "'not known' to missing.",
            DataWarning,
        )
    out = np.full(len(column), np.nan)
    out[column.notna().to_numpy()] = np.where(other, 2.0, hit)
    return out


def apply_rules(
    index: pd.Index, name: str, rules: Iterable[tuple[str, npt.NDArray[np.bool_]]]
) -> tuple[npt.NDArray[np.bool_], list[dict[str, str]]]:
    """Drop by the first rule that fits; every dropped observation is logged once."""
    keep = np.ones(len(index), dtype=bool)
    log: list[dict[str, str]] = []
    for rule, hit in rules:
        hit = np.asarray(hit, dtype=bool) & keep
        log += [row(o, name, rule) for o in index[hit]]
        keep &= ~hit
    return keep, log


def warn_repeated_patients(clinical: pd.DataFrame, index: pd.Index) -> None:
    """Warn if a patient (a column that names patients, or TCGA barcodes) has several observations in an endpoint."""
    twice, _ = _repeated(clinical, index)
    if len(twice):
        warn(
            f"{len(twice)} patient(s) have several observations with an outcome ({examples(twice)}), which count as if "
            "they were independent: intervals and p-values are too small. Keep one each (pp.resolve_patients does), or "
            "hand groups='patient' to evaluate.",
            StatisticsWarning,
        )


def refuse_repeated_patients(clinical: pd.DataFrame, index: pd.Index) -> None:
    """Refuse observations of which several are of one patient (a column that names patients, or TCGA barcodes).

    Raises
    ------
    DataError
        If a patient has several; the message names some.
    """
    twice, column = _repeated(clinical, index)
    if len(twice):
        groups = f"groups={column!r}" if column else "the patient of each barcode as groups="
        raise DataError(
            f"{len(twice)} patient(s) have several observations with an outcome ({examples(twice)}): in different "
            f"folds they would tell each other's outcome. Hand over {groups}, or keep one each "
            "(pp.resolve_patients does)."
        )


_PATIENT = re.compile(r"(bcr_?)?(patient|subject|participant|donor)([ ._]?(id|barcode|no|number))?", re.IGNORECASE)


def patient_of(clinical: pd.DataFrame | None, index: pd.Index) -> tuple[pd.Series, str]:
    """Return the patient of each observation, and the column that says so.

    Parameters
    ----------
    clinical
        Observations x columns; the column ``patient``, else the first that names patients, is read.
    index
        Observations.

    Returns
    -------
    patients, column
        Text, indexed by observation: by the column, else by TCGA barcodes (column ``""``), else the observation.
    """
    own = pd.Series(index.astype(str), index=index, dtype=object)
    columns = [] if clinical is None else [str(c) for c in clinical.columns if _PATIENT.fullmatch(str(c))]
    column = "patient" if "patient" in columns else next(iter(columns), "")
    if clinical is not None and column:
        named = clinical[column].reindex(index).astype(object)
        return named.where(named.notna(), own).astype(str), column
    if are_tcga(index):
        barcodes = [parse_barcode(str(o)) for o in index]
        return pd.Series([b.patient if b else "" for b in barcodes], index=index, dtype=object), ""
    return own, ""


def _repeated(clinical: pd.DataFrame, index: pd.Index) -> tuple[npt.NDArray[Any], str]:
    """Return the patients with several observations, and the column that names patients ("" for barcodes)."""
    names, column = patient_of(clinical, index)
    found: npt.NDArray[Any] = names[names.duplicated()].unique()
    return found, column

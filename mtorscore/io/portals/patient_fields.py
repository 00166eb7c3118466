"""What clinical tables say of a patient in words of their own: stage, sex and age."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._outcome_terms import DAYS, is_unsaid
from mtorscore.errors import DataWarning, examples, warn
from mtorscore.io.tables.cell_text import holds_text, is_missing

__all__ = ["STAGES", "ages", "sexes", "simple_stage", "stages"]

STAGES = ("I", "II", "III", "IV")

_STAGE = re.compile(
    r"(?:(?:ajcc|uicc|tnm|clinical|pathologic(?:al)?|[cp])?[\s_:.-]*(?:stage|stadium)[\s_:.-]*)?"
    r"(?P<stage>iv|iii|ii|i|[1-4])\s*(?:[abc]\d?)?\s*期?",
    re.IGNORECASE,
)
# What registries write where there is no stage from I to IV: unknown, in situ, not otherwise specified.
_NO_STAGE = re.compile(r"(?:stage[\s_:]*)?(?:x|0a?|0?is)|i/ii nos|", re.IGNORECASE)
_OTHER_STAGING = re.compile(r"[0ABCD]|BCLC[ -]?[0A-D]|p?T[1-4][ab]?")
_ARABIC = {"1": "I", "2": "II", "3": "III", "4": "IV"}
_AGE = re.compile(
    r"(?:\((?P<unit>months?|mos?|yrs?|years?)\):)?\s*(?P<number>\d+(?:\.\d+)?)\s*"
    r"(?P<after>months?|mos?|monate?|y\.?o?\.?|y/o|yrs?\.?|years?(?: old)?|jahre?|ans?|a)?",
    re.IGNORECASE,
)
_FEMALE = frozenset(
    {
        "f", "w", "female", "woman", "girl", "weiblich", "frau", "femme", "féminin", "feminin", "féminine", "femenino",
        "feminino", "mujer", "mulher", "donna", "femmina", "vrouw", "kvinna", "女", "女性",
    }
)  # fmt: skip
_MALE = frozenset(
    {
        "m", "h", "male", "man", "boy", "männlich", "maennlich", "mann", "herr", "homme", "masculin", "masculine",
        "masculino", "hombre", "homem", "uomo", "maschio", "男", "男性",
    }
)  # fmt: skip
OLDEST = 120.0
"""Years beyond which a number is no age."""


def simple_stage(value: object) -> str:
    """Return I, II, III or IV for a stage in any spelling, "" where it is none of them.

    Examples
    --------
    >>> [simple_stage(s) for s in ("Stage IIIA", "stage ii", "IVB", "[Discrepancy]", "2", "Stadium III", "\u2162a")]
    ['III', 'II', 'IV', '', 'II', 'III', 'III']
    """
    # Roman numerals are also single characters (U+2160 onwards).
    found = _STAGE.fullmatch(unicodedata.normalize("NFKC", str(value)).strip().removesuffix(".0"))
    if not found:
        return ""
    stage = found["stage"].upper()
    return _ARABIC.get(stage, stage)


def stages(written: Sequence[object], *, quiet: bool = False) -> list[str]:
    """Return the simple stage of each value, "" where there is none.

    Parameters
    ----------
    written
        As published.
    quiet
        Nothing is said of values that are no stage.

    Warns
    -----
    DataWarning
        If some values, or all in a column of another staging (BCLC, T), say something else than I to IV.
    """
    told = {str(v): simple_stage(v) for v in written}
    odd = [str(v) for v in written if not told[str(v)] and not is_missing(v) and not _unstaged(str(v))]
    # A column without any stage is about something else (normal, cirrhosis, HCC), unless it is another staging.
    if odd and not quiet and (any(told.values()) or all(map(_OTHER_STAGING.fullmatch, odd))):
        warn(
            f"{len(odd)} stage(s) are none of I to IV ({examples(dict.fromkeys(odd))}) and count as missing in "
            "`stage`; `stage_raw` keeps them as they are written.",
            DataWarning,
        )
    return [told[str(v)] for v in written]


def _unstaged(text: str) -> bool:
    return is_unsaid(text) or _NO_STAGE.fullmatch(text.strip()) is not None


def sexes(values: pd.Series) -> list[object]:
    """Return female, male or None for the sex as published; a column of codes stays as it is.

    Warns
    -----
    DataWarning
        If values are neither, or are codes that nothing explains.
    """
    words = [None if is_missing(v) else str(v).strip().lower().removesuffix(".0") for v in values]
    known = {w for w in words if w is not None}
    # Hombre and mujer beside homme: what M means then is not sure.
    unsure = {"h", "m"} if {"h", "m"} <= known else set()
    told = {w: "female" if w in _FEMALE else "male" for w in (_FEMALE | _MALE) - unsure}
    odd = [w for w in words if w is not None and w not in told and not is_unsaid(w)]
    if odd and not known & set(told):
        warn(
            f"The sex is coded with {examples(dict.fromkeys(odd))}, and nothing says which one is female: the column "
            "stays as it is. Write female and male.",
            DataWarning,
        )
        return list(values)
    if odd:
        warn(
            f"{len(odd)} value(s) of the sex are neither female nor male ({examples(dict.fromkeys(odd))}) and count as "
            "missing.",
            DataWarning,
        )
    return [told.get(w) if w is not None else None for w in words]


def ages(values: pd.Series) -> npt.NDArray[np.float64]:
    """Return ages in years; numbers of days are converted, and what can be no age is missing.

    Warns
    -----
    DataWarning
        If values are no number, negative, or more years than people live.
    """
    age = _in_words(values) if holds_text(values) else _in_numbers(values)
    with np.errstate(invalid="ignore"):
        odd = (age < 0) | (age > OLDEST)
    if odd.any():
        quoted = examples(f"{v:g}" for v in np.unique(age[odd]))
        warn(
            f"{int(odd.sum())} age(s) are no age in years ({quoted}), such as a code of missing values, and count as "
            "missing.",
            DataWarning,
        )
    return np.where(odd, np.nan, age)


def _in_numbers(values: pd.Series) -> npt.NDArray[np.float64]:
    age: npt.NDArray[np.float64] = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    # GDC gives the age at diagnosis in days. One large number, such as 999, says nothing of the others.
    known = age[np.isfinite(age)]
    return age / DAYS["years"] if known.size and np.median(known) > 200 else age


def _in_words(values: pd.Series) -> npt.NDArray[np.float64]:
    parsed = [_AGE.fullmatch("" if v is None or v != v else str(v).strip()) for v in values]
    odd = [str(v) for v, m in zip(values, parsed, strict=True) if not m and not is_missing(v) and not is_unsaid(v)]
    if odd:
        warn(f"{len(odd)} age(s) are no number ({examples(dict.fromkeys(odd))}) and count as missing.", DataWarning)
    return np.array([_age_of(m) if m else np.nan for m in parsed], dtype=np.float64)


def _age_of(found: re.Match[str]) -> float:
    # GEO's hepatoblastoma series write "(month): 33" and "(yrs): 0.7".
    unit = (found["unit"] or found["after"] or "").lower()
    return float(found["number"]) / (12.0 if unit.startswith("m") else 1.0)

"""An event column of a user's own table as 1, 0 and missing, with competing events by their code."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from mtorscore._doors import option
from mtorscore._outcome_terms import event_codes, word_of
from mtorscore.errors import EndpointError, examples

__all__ = ["events_of", "is_code"]


def is_code(competing: object, clinical: pd.DataFrame, event: object) -> bool:
    """Whether what was said of competing events is no column, but a value of the event column."""
    if competing is None or competing in clinical.columns or event not in clinical.columns:
        return False
    return bool((clinical[event].map(word_of, na_action="ignore") == word_of(competing)).any())


def events_of(column: pd.Series, source: object, competing: object = None) -> pd.Series:
    """Turn an event column into 1, 0 and missing, whether it holds numbers or words such as Dead and Alive.

    Parameters
    ----------
    column
        Numbers, booleans or text.
    source
        What the message calls the table.
    competing
        A value that means a competing event, and so 0.

    Raises
    ------
    EndpointError
        If a value may mean anything.
    """
    words = column.map(word_of, na_action="ignore")
    other = (words == word_of(competing)).to_numpy() if competing is not None else np.zeros(len(column), dtype=bool)
    codes, unread = event_codes(column.astype(object).where(~other, 0).rename(column.name))
    unread = [re.sub(r"\.0+$", "", v) for v in unread]
    if unread:
        raise EndpointError(
            f"{source}: the column {column.name} holds {examples(dict.fromkeys(unread))}, which may mean anything. Use "
            "1 where the event happened and 0 where follow-up ended before it, or words such as Dead and Alive; or say "
            f"which value is the event ({option('event_value')}; the others then count as none)."
            + (_of_codes(set(words.dropna())) if set(unread) == {"2"} else "")
        )
    return pd.Series(codes, index=column.index, name=column.name)


def _of_codes(there: set[str]) -> str:
    if "0" in there:
        return " Where 2 is a competing event, such as death of another cause, say --competing 2."
    return " R's coding (1 censored, 2 event) becomes 0 and 1."

"""One word of an outcome table has one meaning at every entry point, or is refused there."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore._outcome_terms import DAYS, ENDPOINTS, event_code, event_codes
from mtorscore.errors import EndpointError, MtorscoreError
from mtorscore.io.portals.clinical_tables import _status, plain_survival
from mtorscore.pipeline.tables import events_of
from mtorscore.pp.cohort import _events
from mtorscore.pp.cohort_recipes import Recipe
from tests.conftest import ROOT

PAIRS: list[tuple[Any, Any]] = [
    ("Dead", "Alive"),
    ("DECEASED", "LIVING"),
    ("1:DECEASED", "0:LIVING"),
    ("Expired", "Alive"),
    ("death", "alive"),
    ("Yes", "No"),
    ("true", "false"),
    ("Relapse", "Disease free"),
    ("Progressed", "None"),
    ("event", "censored"),
    ("1:Recurred/Progressed", "0:DiseaseFree"),
    ("1:PROGRESSION", "0:CENSORED"),
    ("recurrence", "recurrence-free"),
    ("Progression", "progression free"),
    ("Died of disease", "Alive with disease"),
    ("Recurred", "not recurred"),
    (True, False),
    (1, 0),
    (1.0, 0.0),
    ("1", "0"),
    ("1.0", "0.0"),
]
UNCLEAR: list[tuple[Any, Any]] = [(2, 1), ("1:Alive", "0:Dead"), ("HCC", "liver"), ("NED", "AWD"), ("yes?", "no?")]


def through_command_line(column: pd.Series) -> list[float]:
    return list(events_of(column, "x"))


def through_endpoint(column: pd.Series) -> list[float]:
    table = pd.DataFrame({"t": np.arange(1.0, len(column) + 1), "e": column.to_numpy()})
    data = mt.prognosis.Endpoint.survival("t", "e").resolve_survival(table)
    return [float(data.event[list(data.index).index(i)]) if i in data.index else math.nan for i in range(len(column))]


def through_recipe(column: pd.Series) -> list[float]:
    return list(_events(column, {"event": "e"}, "OS", Recipe(id="r")))


DOORS = {"command line": through_command_line, "Endpoint": through_endpoint, "recipe": through_recipe}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("event", "none"), PAIRS, ids=str)
def test_the_same_at_every_door(door: str, event: Any, none: Any) -> None:
    column = pd.Series([event, none, event, None, none], name="e")
    np.testing.assert_array_equal(DOORS[door](column), [1.0, 0.0, 1.0, np.nan, 0.0])


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("event", "none"), UNCLEAR, ids=str)
def test_what_may_mean_anything_is_refused_at_every_door(door: str, event: Any, none: Any) -> None:
    with pytest.raises(EndpointError):
        DOORS[door](pd.Series([event, none, event], name="e"))


@pytest.mark.parametrize(("event", "none"), PAIRS + UNCLEAR, ids=str)
@pytest.mark.parametrize("about", ["death", "recurrence"])
def test_the_portals_refuse_or_agree(event: Any, none: Any, about: str) -> None:
    for value, code in ((event, 1.0), (none, 0.0)):
        found = _status(value, about)
        assert math.isnan(found) or found == code or (value, found) == (1, 1.0)
    if (event, none) in UNCLEAR:
        assert math.isnan(_status(event, about))


def test_the_portals_refuse_numbers_that_nobody_explains() -> None:
    table = pd.DataFrame({"vital_status": [2, 1, 2], "days_to_death": [5, None, 7], "days_to_last_followup": [5, 6, 7]})
    with pytest.raises(EndpointError, match="other than 0 and 1"):
        plain_survival(table)


def test_nobody_knows_is_missing_and_no_answer() -> None:
    for text in ("Unknown", "not reported", "[Not Available]", "Not Evaluated", "unreported", "", None, np.nan, pd.NA):
        assert math.isnan(event_code(text) or 0.0), text
    assert event_code("not recurred") == 0.0
    codes, unread = event_codes(["Dead", "Unknown", "somewhere"])
    np.testing.assert_array_equal(codes, [1.0, np.nan, np.nan])
    assert unread == ["somewhere"]


def test_a_death_is_no_recurrence() -> None:
    assert event_code("Recurred", "death") is None
    assert event_code("Dead", "recurrence") is None
    assert {e.about for e in ENDPOINTS.values()} == {"death", "recurrence"}


def test_words_and_units_are_stated_in_one_file() -> None:
    """Lists of event words and lengths of units stand in the ground floor only."""
    assert DAYS["months"] * 12 == DAYS["years"] == 365.25
    words = re.compile(r"[\"'|(](deceased|diseasefree|living|expired)[\"'|)]|365\.25|30\.4375", re.IGNORECASE)
    files = [p for p in (ROOT / "mtorscore").rglob("*.py") if words.search(p.read_text(encoding="utf-8"))]
    assert [p.name for p in files] == ["_outcome_terms.py"]
    for title in (e.title for e in ENDPOINTS.values()):
        stated = re.compile(rf"[\"']{title}[\"']")
        files = [p for p in (ROOT / "mtorscore").rglob("*.py") if stated.search(p.read_text(encoding="utf-8"))]
        assert [p.name for p in files] == ["_outcome_terms.py"], title


def test_errors_are_ours() -> None:
    with pytest.raises(MtorscoreError, match="may mean anything"):
        events_of(pd.Series(["a", "b"], name="e"), "x")

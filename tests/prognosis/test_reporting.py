"""Checklists are filled from a run where it knows the answer, and name the gaps."""

from __future__ import annotations

import pytest

from mtorscore.errors import DataError
from mtorscore.prognosis import evaluate, reporting_table
from mtorscore.prognosis.prediction.checklists import GAP
from tests.prognosis.test_models import ENDPOINT, cohort


def test_reporting_tables_number_their_items_and_say_that_they_paraphrase() -> None:
    for name, n in (("remark", 20), ("tripod+ai", 27)):
        table = reporting_table(name)
        assert table["item"].tolist() == [str(i + 1) for i in range(n)]
        assert "Check every item against the original" in table.attrs["note"]
        assert not table["filled"].any()


def test_reporting_tables_fill_what_is_known_and_name_the_gaps() -> None:
    from mtorscore.prognosis import associate

    x, clinical = cohort(2, 100)
    run = {
        "associations": associate(x, clinical, ENDPOINT, ["age"], negative_controls=()),
        "evaluation": evaluate(None, x, clinical, ENDPOINT, n_repeats=1, n_boot=20),
        "patients": "Simulated.",
    }
    remark = reporting_table("remark", run).set_index("topic")
    assert "100 patients" in remark.filter(like="Flow", axis=0)["answer"].iloc[0]
    assert "Riley" in remark.filter(like="sample size", axis=0)["answer"].iloc[0]
    assert (remark["answer"] == GAP).any()
    assert (remark["filled"] == (remark["answer"] != GAP)).all()
    tripod = reporting_table("tripod+ai", run)
    assert tripod["filled"].sum() >= 8
    assert not reporting_table("remark")["filled"].any()
    with pytest.raises(DataError, match="Unknown checklist"):
        reporting_table("strobe")

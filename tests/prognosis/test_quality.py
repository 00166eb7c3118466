"""Coverage has a say: what is hardly in the matrix is not valid, and the row says so."""

from __future__ import annotations

from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from mtorscore import SignatureCollection, tl
from mtorscore.collection import Signature
from mtorscore.errors import CoverageWarning, StatisticsWarning
from mtorscore.prognosis import Endpoint, associate
from mtorscore.prognosis.association import quality
from mtorscore.prognosis.association.quality import why_not_valid
from mtorscore.prognosis.endpoints.inputs import Inputs
from mtorscore.tl.engine import readability
from mtorscore.tl.engine.readability import grade_in

ENDPOINT = Endpoint.survival("time", "event")
GENES = [f"G{i}" for i in range(60)]


def gone(n: int, start: int = 0) -> tuple[str, ...]:
    return tuple(f"X{i}" for i in range(start, start + n))


SIGNATURES = SignatureCollection(
    [
        Signature(id="WHOLE", up=tuple(GENES[:8]), down=tuple(GENES[8:12])),
        Signature(id="FEW", up=(*GENES[12:15], *gone(5))),
        Signature(id="ONE_SIDE", up=tuple(GENES[15:25]), down=gone(3)),
        Signature(id="HALF", up=(*GENES[25:29], *gone(4))),
        Signature(id="META_PCNA", branch="confounder", up=(*GENES[30:33], *gone(30))),
        Signature(id="STROMA", branch="confounder", up=tuple(GENES[40:50])),
    ]
)


@pytest.fixture(scope="module")
def cohort() -> ad.AnnData:
    rng = np.random.default_rng(0)
    index = [f"p{i}" for i in range(80)]
    time = rng.exponential(10, 80).round(3) + 0.01
    obs = pd.DataFrame({"time": time, "event": rng.integers(0, 2, 80)}, index=index)
    adata = ad.AnnData(pd.DataFrame(rng.normal(8, 1, (80, 60)), index, GENES), obs=obs)
    with pytest.warns(CoverageWarning):
        tl.score(adata, SIGNATURES, method="singscore")
    return adata


@pytest.mark.parametrize("by", ["the record of the scores", "signatures and expression"])
def test_half_of_the_genes_and_both_directions_are_asked_for(cohort: ad.AnnData, by: str) -> None:
    more = {} if by == "the record of the scores" else {"signatures": SIGNATURES, "expression": cohort}
    with pytest.warns(StatisticsWarning, match=r"3 signature\(s\) have results that should not be trusted"):
        table = associate(cohort, None, ENDPOINT, negative_controls=(), n_boot=0, **more).set_index("signature")
    assert table["valid"].to_dict() == {
        "WHOLE": True, "FEW": False, "ONE_SIDE": False, "HALF": True, "META_PCNA": False, "STROMA": True,
    }  # fmt: skip
    assert table.loc["FEW", "reason"] == "3 of 8 genes are in the matrix, less than half"
    assert "none of the 3 down genes is in the matrix" in table.loc["ONE_SIDE", "reason"]
    assert table["hr"].notna().all()


def test_a_confounder_that_is_hardly_in_the_matrix_shows_nothing(cohort: ad.AnnData) -> None:
    scores = cohort.obsm["score_singscore"][["WHOLE"]]
    table = associate(
        scores, cohort.obs, ENDPOINT, ["META_PCNA", "STROMA"], expression=cohort, signatures=SIGNATURES,
        method="singscore", negative_controls=(), n_boot=0,
    ).set_index("adjusted_for")  # fmt: skip
    assert table["valid"].to_dict() == {"": True, "META_PCNA": False, "STROMA": True}
    assert "META_PCNA: 3 of 33 genes are in the matrix, less than half" in table.loc["META_PCNA", "reason"]


@dataclass(frozen=True)
class Graded:
    grades: dict[str, str]


def test_a_grade_by_tissue_is_looked_up() -> None:
    entry = Graded({"liver": "opposed", "breast": "shown"})
    assert grade_in(entry, "liver") == "opposed"
    assert grade_in(entry, "colon") is None
    assert grade_in(entry, None) is None
    assert grade_in(SIGNATURES["WHOLE"], "liver") is None


def test_an_entry_that_is_opposed_in_the_tissue_is_not_valid(
    cohort: ad.AnnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (quality, readability):
        monkeypatch.setattr(
            module, "grade_in", lambda e, tissue: "opposed" if tissue == "liver" and e.id == "WHOLE" else None
        )
    scores = cohort.obsm["score_singscore"][["WHOLE", "STROMA"]]
    inputs = Inputs(scores, cohort.obs, None, SIGNATURES, None, {})
    assert why_not_valid(inputs, "liver") == {"WHOLE": "this entry is graded opposed in liver"}
    assert why_not_valid(inputs, "colon") == {}
    with pytest.warns(StatisticsWarning):
        table = associate(
            scores, cohort.obs, ENDPOINT, signatures=SIGNATURES, tissue="liver", negative_controls=(), n_boot=0
        ).set_index("signature")
    assert table["valid"].to_dict() == {"WHOLE": False, "STROMA": True}
    assert table.loc["WHOLE", "reason"] == "this entry is graded opposed in liver"

"""Kinds of outcome: what differs between them is asked in few places, and what a kind lacks is one clear error."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from mtorscore.errors import EndpointError
from mtorscore.prognosis import Endpoint, associate, calibration_curve
from mtorscore.prognosis.endpoints.outcome_models import make_outcome
from mtorscore.prognosis.models.model_kinds import KINDS, kind_of
from mtorscore.prognosis.prediction.tasks import make_task
from tests.conftest import ROOT
from tests.prognosis.simulate import survival_table

# The data class, its outcome model, its metrics; and, for kinds that can be frozen, the kinds of model.
PLACES = {
    "endpoints/endpoints.py",
    "endpoints/outcome_models.py",
    "prediction/tasks.py",
    "models/model_kinds.py",
}


def test_a_kind_of_outcome_is_told_apart_in_three_files() -> None:
    room = ROOT / "mtorscore" / "prognosis"
    asked = re.compile(r"isinstance\([^)]*\w+(?:Data|Outcome)\b|\bkind [!=]= \"(?:survival|label|early)\"")
    found = {
        path.relative_to(room).as_posix()
        for path in room.rglob("*.py")
        if asked.search(path.read_text(encoding="utf-8"))
    }
    assert found <= PLACES, f"a new kind of outcome would have to touch {found - PLACES} too"


@dataclass(frozen=True, eq=False)
class Counts:
    """A kind of outcome that nothing knows."""

    name: str
    index: pd.Index
    counts: npt.NDArray[np.int64]
    excluded: pd.DataFrame

    @property
    def n(self) -> int:
        return len(self.counts)

    @property
    def n_events(self) -> int:
        return int(self.counts.sum())

    def take(self, keep: Any) -> Counts:
        return replace(self, index=self.index[keep], counts=self.counts[keep])


@pytest.mark.parametrize("use", [make_outcome, make_task, kind_of, lambda d: calibration_curve([0.1, 0.2, 0.3], d)])
def test_an_unknown_kind_of_data_is_one_clear_error(use: Any) -> None:
    data = Counts("nodules", pd.RangeIndex(3), np.array([0, 2, 1]), pd.DataFrame({"rule": []}))
    with pytest.raises(EndpointError, match=r"nodules.* Counts"):
        use(data)


def test_an_unknown_kind_of_endpoint_names_those_there_are() -> None:
    clinical = pd.DataFrame({"x": [1.0, 2.0]})
    with pytest.raises(EndpointError, match="survival, label, early"):
        Endpoint("ordinal", "x", column="x").resolve(clinical)


def test_every_kind_of_model_is_that_of_a_kind_of_endpoint() -> None:
    rng = np.random.default_rng(0)
    clinical = survival_table(rng.normal(size=40), rng, events=0.6)
    for endpoint in (
        Endpoint.survival("time", "event"),
        Endpoint.label("event"),
        Endpoint.early("time", "event", 300, "days"),
    ):
        kind = kind_of(endpoint.resolve(clinical))
        assert KINDS[endpoint.data_kind] is kind
        assert kind.name == endpoint.data_kind


def test_ratios_stand_in_the_columns_of_their_kind() -> None:
    rng = np.random.default_rng(1)
    clinical = survival_table(rng.normal(size=80), rng, events=0.5)
    scores = pd.DataFrame({"A": rng.normal(size=80)}, clinical.index)
    survival, label = Endpoint.survival("time", "event", name="OS"), Endpoint.label("event", name="dead")
    both = associate(scores, clinical, [survival, label], negative_controls=(), n_boot=0).set_index("endpoint")
    assert both[["hr", "hr_low", "hr_high"]].notna().all(axis=1).to_dict() == {"OS": True, "dead": False}
    assert both[["odds_ratio", "or_low", "or_high"]].notna().all(axis=1).to_dict() == {"OS": False, "dead": True}
    alone = associate(scores, clinical, survival, negative_controls=(), n_boot=0)
    assert "odds_ratio" not in alone

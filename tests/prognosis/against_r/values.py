"""What R gave for the patients of this folder; see ``reference.R``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.prognosis import Endpoint

HERE = Path(__file__).parent
AT = 6.0
SURVIVAL = Endpoint.survival("time", "event", unit="months")
COMPETING = Endpoint.survival("time2", "status", competing=2, unit="months")


def patients() -> pd.DataFrame:
    return pd.read_csv(HERE / "patients.tsv", sep="\t", index_col="id")


@cache
def _table() -> pd.DataFrame:
    return pd.read_csv(HERE / "expected.tsv", sep="\t")


def expected(name: str) -> npt.NDArray[np.float64]:
    """Values of a name, in order; of what each patient has the first 40."""
    found = _table().loc[_table()["name"] == name, "value"].to_numpy()
    assert len(found), name
    return np.asarray(found)

"""Common interface of resolved endpoints, whatever their kind; the data classes stand beside `Endpoint`."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import numpy.typing as npt
import pandas as pd

__all__ = ["HAZARD_RATIO", "ODDS_RATIO", "OutcomeData", "RatioColumns", "competing_text", "reasons"]

RatioColumns = tuple[str, str, str]

HAZARD_RATIO: RatioColumns = ("hr", "hr_low", "hr_high")
ODDS_RATIO: RatioColumns = ("odds_ratio", "or_low", "or_high")
Data = TypeVar("Data", bound="OutcomeData")


class OutcomeData(Protocol):
    """Common interface of resolved endpoints, whatever their kind."""

    @property
    def name(self) -> str:
        """What tables call the endpoint."""
        ...

    @property
    def index(self) -> pd.Index:
        """Observations that count."""
        ...

    @property
    def excluded(self) -> pd.DataFrame:
        """Table observation, endpoint, rule, reason."""
        ...

    @property
    def n(self) -> int:
        """Number of observations."""
        ...

    @property
    def n_events(self) -> int:
        """Number of events, or size of the positive class."""
        ...

    @property
    def n_competing(self) -> int:
        """Number of competing events, which count as such; 0 where the endpoint names none."""
        ...

    @property
    def positive(self) -> str:
        """What a ratio above 1 means more of: the event, or the positive class."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of a label; none of a time to an event."""
        ...

    @property
    def horizon(self) -> float:
        """Horizon that the outcome was cut at; NaN where there is none."""
        ...

    @property
    def longest(self) -> float:
        """Longest follow-up; NaN where there is none."""
        ...

    def take(self: Data, keep: npt.NDArray[Any]) -> Data:
        """Return the observations at positions, or under a mask, `keep`."""
        ...


def competing_text(data: OutcomeData, how: str) -> str:
    """Say how competing events count, as tables do in their column `competing`; nothing where there is none."""
    return f"{data.n_competing} competing event(s): {how}" if data.n_competing else ""


def reasons(data: OutcomeData, otherwise: str) -> str:
    """Say why observations were excluded, with counts; `otherwise` where none was."""
    counts = data.excluded["rule"].value_counts()
    return ", ".join(f"{count} {rule}" for rule, count in counts.items()) or otherwise

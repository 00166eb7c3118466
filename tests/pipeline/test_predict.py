"""By when survival is predicted: chosen from the follow-up alone, as the reference of the results says."""

from __future__ import annotations

import numpy as np

from mtorscore.pipeline.predict import horizon_of

YEAR = 365.25


def test_the_horizon_is_the_longest_with_ten_patients_beyond_and_ten_events() -> None:
    time = np.r_[np.full(10, 100.0), np.full(10, 4 * YEAR)]
    event = np.r_[np.ones(10), np.zeros(10)]
    assert horizon_of(time, event) == 3 * YEAR
    assert horizon_of(np.r_[time, np.full(10, 6 * YEAR)], np.r_[event, np.zeros(10)]) == 5 * YEAR
    assert horizon_of(time[1:], event[1:]) is None  # nine events
    assert horizon_of(time[:-1], event[:-1]) is None  # nine followed beyond

"""One simulated cohort of every resampled test and interval; see coverage.py."""

from __future__ import annotations

GROUPS = {}

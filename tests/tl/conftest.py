"""Fixtures of the tests of scoring."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.tl.agreement import Compare


@pytest.fixture
def compare(record_property: Callable[[str, object], None]) -> Compare:
    """Return a function that asserts agreement with a reference implementation and records how close it is."""
    return Compare(record_property)

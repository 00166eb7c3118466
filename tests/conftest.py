"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("MTORSCORE_SHARED", ROOT.parent / "shared")).resolve()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of reference data and golden results; tests that need it are skipped where it is absent."""
    if not (SHARED / "golden").is_dir():
        message = f"no reference data at {SHARED}; set MTORSCORE_SHARED"
        if os.environ.get("MTORSCORE_REQUIRE_SHARED"):
            pytest.fail(message)
        pytest.skip(message)
    return SHARED


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    """Return the inputs and outputs of the reference implementations."""
    return shared / "golden"

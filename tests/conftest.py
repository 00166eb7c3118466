"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.containers import ARRAY_TYPES, ArrayType
from tests.tl import agreement

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("MTORSCORE_SHARED", ROOT.parent / "shared")).resolve()


def peer(name: str) -> Any:
    """Return a library that results are compared with, or skip where its requirements forbid it (pandas 3)."""
    import importlib

    import pandas as pd

    if pd.__version__.startswith("2"):
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"{name} does not know pandas {pd.__version__} yet")


def locked(name: str) -> str:
    """Return the version of a library that requirements.lock names for the oldest interpreter."""
    found = re.search(rf"^{re.escape(name)}==([^ ;\n]+)", (ROOT / "requirements.lock").read_text(), re.M)
    assert found, name
    return found[1]


def compare_only_with_locked(name: str) -> None:
    """Skip what follows where a library is not the version that the pictures or numbers on file were made with."""
    have, want = metadata.version(name), locked(name)
    if have != want:
        pytest.skip(f"{name} {have} is not the locked {want}, which the comparison was made with")


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


@pytest.fixture(params=list(ARRAY_TYPES))
def array_type(request: pytest.FixtureRequest) -> ArrayType:
    """Return each container that can hold a matrix in turn; see `tests.containers`."""
    found = ARRAY_TYPES[request.param]
    if found.name.startswith("dask"):
        pytest.importorskip("dask.array")
    return found


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how far scores are from the reference implementations; here, since workers do not print."""
    agreement.print_summary(terminalreporter)

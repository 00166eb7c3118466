"""The manual's folder and its generators."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="session")
def docs() -> Path:
    return DOCS


@pytest.fixture(scope="session")
def generate() -> ModuleType:
    """Return the module that writes the generated pages."""
    if str(DOCS / "_ext") not in sys.path:
        sys.path.insert(0, str(DOCS / "_ext"))
    return importlib.import_module("generate")


@pytest.fixture(scope="session")
def pages(generate: ModuleType) -> dict[str, str]:
    found: dict[str, str] = generate.pages(DOCS)
    return found

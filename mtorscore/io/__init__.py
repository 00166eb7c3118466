"""Readers into AnnData, fetching from public archives, and the files of GSEA.

Everything is imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "Description": "reading",
    "describe": "reading",
    "fetch": "fetching",
    "read": "reading",
    "read_clinical": "clinical",
}
_GSEA = "gsea"

__all__ = ["Description", "describe", "fetch", "gsea", "read", "read_clinical"]

if TYPE_CHECKING:
    import mtorscore.io.gsea as gsea
    from mtorscore.io.clinical import read_clinical
    from mtorscore.io.fetching import fetch
    from mtorscore.io.reading import Description, describe, read


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"mtorscore.io.{_HOME[name]}"), name)
    if name.startswith(("write_", "read_")) or name == _GSEA:
        module = importlib.import_module("mtorscore.io.gsea")
        if name == _GSEA:
            return module
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"module 'mtorscore.io' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

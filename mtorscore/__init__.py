"""Branch-resolved mTOR pathway scores from transcriptomes, and their relation to prognosis.

Heavy libraries are imported when a function that needs them is first called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_MODULES = ("datasets", "io", "pl", "pp", "prognosis", "report", "tl")
_NAMES = {
    "Signature": "mtorscore.collection",
    "SignatureCollection": "mtorscore.collection",
    "SignatureScorer": "mtorscore.tl",
    "fetch": "mtorscore.io",
    "library": "mtorscore.collection",
    "read": "mtorscore.io",
}

__all__ = [
    "Signature",
    "SignatureCollection",
    "SignatureScorer",
    "__version__",
    "datasets",
    "fetch",
    "io",
    "library",
    "pl",
    "pp",
    "prognosis",
    "read",
    "report",
    "tl",
]

if TYPE_CHECKING:
    from mtorscore import datasets, io, pl, pp, prognosis, report, tl
    from mtorscore.collection import Signature, SignatureCollection, library
    from mtorscore.io import fetch, read
    from mtorscore.tl import SignatureScorer


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"mtorscore.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'mtorscore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

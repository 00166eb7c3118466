"""Scoring: `score` an AnnData, `SignatureScorer` for scikit-learn, `methods` for what each method assumes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_NAMES = {
    "Reference": "reference",
    "SignatureScorer": "scorer",
    "compare_methods": "comparison",
    "contrast": "contrasts",
    "diagnose": "diagnosis",
    "methods": "_table",
    "prerank": "gsea",
    "random_scores": "random_sets",
    "random_signatures": "random_sets",
    "read_scores": "_stream_parts",
    "score": "_score",
    "compare_samples": "_summarise",
    "smooth": "_summarise",
    "summarise": "_summarise",
    "translation_efficiency": "translation",
}

__all__ = [
    "Reference",
    "SignatureScorer",
    "compare_methods",
    "compare_samples",
    "contrast",
    "diagnose",
    "methods",
    "prerank",
    "random_scores",
    "random_signatures",
    "read_scores",
    "score",
    "smooth",
    "summarise",
    "translation_efficiency",
]

if TYPE_CHECKING:
    from mtorscore.tl._score import score
    from mtorscore.tl._stream_parts import read_scores
    from mtorscore.tl._summarise import compare_samples, smooth, summarise
    from mtorscore.tl._table import methods
    from mtorscore.tl.comparison import compare_methods
    from mtorscore.tl.contrasts import contrast
    from mtorscore.tl.diagnosis import diagnose
    from mtorscore.tl.gsea import prerank
    from mtorscore.tl.random_sets import random_scores, random_signatures
    from mtorscore.tl.reference import Reference
    from mtorscore.tl.scorer import SignatureScorer
    from mtorscore.tl.translation import translation_efficiency


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"mtorscore.tl.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'mtorscore.tl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

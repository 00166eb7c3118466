"""Figures for papers: each function takes results and returns a matplotlib Figure.

Sizes are millimetres, colours are safe for colour-blind readers, text stays text in SVG and PDF. No figure is held by
a global registry; ``mt.pl.save(figure, "name.pdf")`` writes one.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_NAMES = {
    "calibration": "prediction",
    "comparison": "checks",
    "correlation": "scores",
    "coverage": "sources",
    "decision_curve": "prediction",
    "diagnosis": "checks",
    "dotplot": "cells",
    "enrichment": "sources",
    "flow": "sources",
    "forest": "outcome",
    "gsea": "sources",
    "heatmap": "scores",
    "km": "outcome",
    "landscape": "scores",
    "meta_forest": "prediction",
    "null_distribution": "outcome",
    "ridge": "cells",
    "roc": "prediction",
    "save": "_style",
    "style": "_style",
    "umap": "cells",
    "violin": "scores",
}

__all__ = [
    "calibration",
    "comparison",
    "correlation",
    "coverage",
    "decision_curve",
    "diagnosis",
    "dotplot",
    "enrichment",
    "flow",
    "forest",
    "gsea",
    "heatmap",
    "km",
    "landscape",
    "meta_forest",
    "null_distribution",
    "ridge",
    "roc",
    "save",
    "style",
    "umap",
    "violin",
]

if TYPE_CHECKING:
    from mtorscore.pl._style import save, style
    from mtorscore.pl.cells import dotplot, ridge, umap
    from mtorscore.pl.checks import comparison, diagnosis
    from mtorscore.pl.outcome import forest, km, null_distribution
    from mtorscore.pl.prediction import calibration, decision_curve, meta_forest, roc
    from mtorscore.pl.scores import correlation, heatmap, landscape, violin
    from mtorscore.pl.sources import coverage, enrichment, flow, gsea


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"mtorscore.pl.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'mtorscore.pl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

"""Scores in tissue: neighbours, autocorrelation, hot spots, smoothing, zonation, regions compared over sections.

Everything is imported when first used.
"""

from __future__ import annotations

import lazy_loader

# The names, each with its module, stand in `__init__.pyi` and nowhere else.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

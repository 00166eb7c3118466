"""Figures for papers: each function takes results and returns a matplotlib Figure.

Sizes are millimetres, colours are safe for colour-blind readers, text stays text in SVG and PDF. No figure is held by
a global registry; ``mt.pl.save(figure, "name.pdf")`` writes one.
"""

from __future__ import annotations

import lazy_loader

# The names, each with its module, are listed in `__init__.pyi` and nowhere else.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Readers into AnnData, fetching from public archives, and the files of GSEA.

Everything is imported when first used.
"""

from __future__ import annotations

import lazy_loader

# The names, each with its module, are listed in `__init__.pyi` and nowhere else.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

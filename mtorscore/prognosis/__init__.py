"""Relate scores to prognosis: endpoints, association with negative controls, prediction, validation.

Names are loaded when first used; scikit-survival (GPL) only where an optional model or metric asks for it.
"""

from __future__ import annotations

import lazy_loader

# The names, each with its module, stand in `__init__.pyi` and nowhere else.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Branch-resolved mTOR pathway scores from transcriptomes, and their relation to prognosis.

Heavy libraries are imported when a function that needs them is first called.
"""

from __future__ import annotations

import lazy_loader

# The names, each with its module, stand in `__init__.pyi` and nowhere else.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

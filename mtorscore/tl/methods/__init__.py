"""One file per scoring method: formula and citation, a pure function on a tile, and a `MethodSpec`.

Called as a function, ``mtorscore.tl.methods()``, it returns the table of all methods.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Methods(ModuleType):
    """A package and, for users, the function that lists it: both stand under the same name."""

    def __call__(self) -> Any:
        from mtorscore.tl._table import methods

        return methods()


sys.modules[__name__].__class__ = _Methods

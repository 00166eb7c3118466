"""The configuration of numba: compiled code is cached on disk and releases the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

__all__ = ["jit"]

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile a function for plain arrays; IEEE arithmetic is kept, so results are the same bits everywhere."""
    compiled: F = numba.njit(cache=True, nogil=True, fastmath=False)(function)
    return compiled

"""How many threads a computation may start: all cores, or none of its own where its caller has the cores already."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["alone", "workers"]

_ALONE: ContextVar[bool] = ContextVar("alone", default=False)


def workers() -> int:
    """Return the number of threads that a computation of this thread may use."""
    return 1 if _ALONE.get() else os.cpu_count() or 1


@contextmanager
def alone() -> Iterator[None]:
    """Let this thread compute by itself: others like it have the other cores, and more threads would only wait."""
    token = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(token)

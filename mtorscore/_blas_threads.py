"""Many small matrix products: threads of the linear-algebra library cost more than they bring."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

__all__ = ["one_blas_thread"]


@cache
def _controller() -> Any:
    # Looking for the libraries takes 10 ms, so it is done once; numpy has loaded its own by now.
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class _OneBlasThread:
    """Linear algebra keeps to one thread while anyone is inside; other threads of the process are held to it too.

    Those inside may overlap, as do blocks that are scored at the same time, so the last to leave sets the threads back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limit = _controller().limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


_ONE = _OneBlasThread()


def one_blas_thread() -> _OneBlasThread:
    """Return the context in which linear algebra keeps to one thread."""
    return _ONE

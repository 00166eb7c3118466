"""Thousands of small matrix products: threads of the linear-algebra library cost more than they bring."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


@cache
def _controller() -> Any:
    # Looking for the libraries takes 10 ms, so it is done once; numpy has loaded its own by now.
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[Any]:
    """Keep linear algebra to one thread for a while; other threads of the process are held to it too."""
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited

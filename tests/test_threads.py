"""Linear algebra keeps to one thread while any block is scored, and gets its threads back after the last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from mtorscore._blas_threads import one_blas_thread
from mtorscore.tl.engine.open_source import open_source

# The libraries are looked for once: before threadpoolctl 3.7 a thread that looks for them and one that imports a
# library may wait for each other.
POOLS = ThreadpoolController()


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in POOLS.info() if pool["user_api"] == "blas"}


def test_the_last_to_leave_gives_the_threads_back() -> None:
    with threadpool_limits(2, user_api="blas"):
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__()
        assert blas_threads() == {1}
        second.__exit__()
        assert blas_threads() == {2}
        with pytest.raises(KeyError), one_blas_thread():
            raise KeyError
        assert blas_threads() == {2}


@pytest.mark.parametrize("threads", [1, 2])
def test_tiles_on_several_threads_have_one_thread_each_for_matrix_products(threads: int) -> None:
    def look(_tile: Any) -> set[int]:
        return blas_threads()

    with threadpool_limits(2, user_api="blas"):
        source = open_source(np.ones((8, 3)), block=2)
        assert list(source.each(look, threads)) == [{1 if threads > 1 else 2}] * 4
        # Whoever stops half-way gives the threads back, too.
        next(source.each(look, threads))
        assert blas_threads() == {2}

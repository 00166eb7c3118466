"""The configuration of numba: compiled code is cached on disk and releases the interpreter lock."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

from mtorscore.errors import IgnoredWarning, warn

__all__ = ["jit", "jit_in_place", "jit_within"]

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile a function for plain arrays; IEEE arithmetic is kept, so results are the same bits everywhere.

    Divisions follow IEEE as well (x / 0 is infinite), and nobody calls the functions through pointers of C: both make
    the first call of a process with an empty cache a fifth shorter. Where no cache can be written, it is done without.
    """
    return _compiled(function)


def jit_in_place(function: F) -> F:
    """Compile a function that makes and returns no array, as `jit` does, in a tenth less time.

    Without arrays of its own it needs nothing of numba's runtime, which counts who holds one (``_nrt``).
    """
    return _compiled(function, _nrt=False)


def _compiled(function: F, **more: bool) -> F:
    _look_for_chosen_cache()
    how = {"nogil": True, "fastmath": False, "error_model": "numpy", "no_cfunc_wrapper": True, **more}
    try:
        compiled: F = numba.njit(cache=True, **how)(function)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        _say_that_nothing_is_kept()
        compiled = numba.njit(cache=False, **how)(function)
    return compiled


def jit_within(function: F) -> F:
    """Let compiled functions call this one, which is compiled with them; called from Python it stays plain Python.

    Nothing is compiled for calls from Python, which takes about a sixth of the time of a first call.
    """
    from numba.extending import register_jitable

    inner: F = register_jitable(fastmath=False, error_model="numpy")(function)
    return inner


@cache
def _look_for_chosen_cache() -> None:
    """Warn once if the folder that the user chose cannot be written to; numba looks elsewhere without a word."""
    chosen = numba.config.CACHE_DIR
    if not chosen:
        return
    try:
        Path(chosen).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=chosen).close()
    except OSError as error:
        warn(
            f"NUMBA_CACHE_DIR is {chosen}, which cannot be written to ({error.strerror}), so compiled code is not kept "
            "there. Scores are the same; the first call of a process may compile, for some seconds. Set "
            "NUMBA_CACHE_DIR to a folder that can be written to.",
            IgnoredWarning,
        )


@cache
def _say_that_nothing_is_kept() -> None:
    if numba.config.CACHE_DIR:
        # Said by `_look_for_chosen_cache`.
        return
    warn(
        "There is no folder to keep compiled code in, so every process compiles at its first call, for some seconds. "
        "Scores are the same. Set NUMBA_CACHE_DIR to a folder that can be written to.",
        IgnoredWarning,
    )

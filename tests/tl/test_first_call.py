"""The first call: one thread of linear algebra where matrices are small, and a cache that cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from anndata import AnnData
from threadpoolctl import threadpool_info, threadpool_limits

import mtorscore as mt
from mtorscore.tl.algorithms import plage

SCORE = """
import hashlib, sys, warnings
import numpy as np
import mtorscore as mt
from anndata import AnnData
values = np.random.default_rng(0).gamma(1.0, size=(6, 30))
adata = AnnData(values)
adata.var_names = [f"G{i}" for i in range(30)]
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
    mt.tl.score(adata, {"S": ["G0", "G1", "G2"]}, method=["ucell", "mean"])
said = [str(w.message) for w in found if issubclass(w.category, mt.errors.MtorscoreWarning)]
print(hashlib.sha256(b"".join(adata.obsm[k].to_numpy().tobytes() for k in sorted(adata.obsm))).hexdigest())
for line in said:
    print(line)
"""


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_what_a_method_learns_is_learned_with_one_thread_of_linear_algebra(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[int]] = []

    def fit(*args: Any) -> Any:
        seen.append(blas_threads())
        return plage.fit(*args)

    monkeypatch.setattr(plage, "SPEC", replace(plage.SPEC, fit=fit))
    adata = AnnData(np.random.default_rng(0).normal(size=(8, 5)))
    adata.var_names = list("ABCDE")
    with threadpool_limits(2, user_api="blas"):
        mt.tl.score(adata, {"S": list("ABC")}, method="plage")
        assert blas_threads() == {2}
    assert seen == [{1}]


def twice(x: int) -> int:
    return 2 * x


def scored(tmp_path: Path, cache: str) -> list[str]:
    # A folder below a file: not even the administrator can write there.
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    command = [sys.executable, "-c", SCORE]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment, cwd=Path(mt.__file__).parents[1]
    ).stdout.splitlines()


def test_a_cache_that_cannot_be_written_changes_no_score_and_is_said_once(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    writable, unwritable = scored(tmp_path, ""), scored(tmp_path, str(file / "numba"))
    assert len(writable) == 1
    assert unwritable[0] == writable[0]
    (said,) = unwritable[1:]
    assert "NUMBA_CACHE_DIR" in said
    assert "cannot be written" in said


def test_without_any_folder_for_a_cache_kernels_still_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    from mtorscore.tl.kernels import jit

    real = numba.njit

    def njit(*, cache: bool, **how: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function 'f': no locator available for file 'f.py'")
        return real(cache=cache, **how)

    monkeypatch.setattr(numba, "njit", njit)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    jit._say_that_nothing_is_kept.cache_clear()
    with pytest.warns(mt.errors.IgnoredWarning, match="no folder to keep compiled code"):
        compiled = jit.jit(twice)
    # Said once: another one would be an error here.
    jit.jit(twice)
    assert compiled(3) == 6


def test_what_only_compiled_code_calls_is_not_compiled_for_python() -> None:
    """Wrappers for calls from Python take a sixth of a first call; functions within kernels have none."""
    from mtorscore.tl.kernels import jit, ranks

    assert not hasattr(ranks._rank_positive, "py_func")

    inner = jit.jit_within(twice)

    @jit.jit
    def four_times(x: int) -> int:
        return inner(inner(x))

    assert inner(3) == 6
    assert four_times(3) == 12

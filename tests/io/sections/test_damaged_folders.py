"""Damaged files of sections and modalities: what was read before, another reading, or one error of ours."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mtorscore as mt
from mtorscore.errors import MtorscoreError
from tests.io.sections.folders import write_visium, write_visium_hd, write_xenium
from tests.io.sections.test_spatial_data import store, table
from tests.io.test_mudata import modalities, write_h5mu

FLIPS, CUTS = 40, 6


def _visium_hd(folder: Path) -> None:
    write_visium_hd(folder, ("square_008um",))


def _spatialdata(folder: Path) -> None:
    store(folder, {"table": table(coordinates=False)})


def _h5mu(folder: Path) -> None:
    folder.mkdir()
    write_h5mu(folder / "x.h5mu", {"rna": modalities()[0]["rna"]}, modalities()[1])


KINDS: dict[str, Callable[[Path], object]] = {
    "visium": write_visium,
    "visium-hd": _visium_hd,
    "xenium": write_xenium,
    "spatialdata": _spatialdata,
    "h5mu": _h5mu,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_an_error_of_ours(kind: str, tmp_path: Path) -> None:
    """Compiled code that crashes would end the run; seeds are printed."""
    seed = int(np.random.default_rng().integers(10**6))
    print(kind, "seed", seed)
    rng = np.random.default_rng(seed)
    folder = tmp_path / "data"
    KINDS[kind](folder)
    path = folder / "x.h5mu" if kind == "h5mu" else folder
    mt.read(path)
    # The HDF5 library itself may end the process over a flipped byte of its structure (docs/howto/read_files.md), so
    # those files are cut and emptied only; the readers' own are flipped as well.
    files = [f for f in sorted(folder.rglob("*")) if f.is_file() and f.stat().st_size]
    for file in files:
        whole = file.read_bytes()
        own = file.suffix not in (".h5", ".h5mu")
        for k in range((FLIPS if own else 0) // len(files) + 1 + CUTS):
            data = bytearray(whole)
            if k < CUTS or not own:
                data = data[: int(rng.integers(len(data)))]
            else:
                data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
            file.write_bytes(bytes(data))
            _either(path)
        file.write_bytes(whole)
    mt.read(path)


def _either(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for door in (mt.io.describe, mt.read):
            with contextlib.suppress(MtorscoreError):
                door(path)

"""What ``signatures/library.yaml`` states of the library: version, branches, levels, leading signatures."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from mtorscore.collection.yaml_text import Loader

__all__ = ["BRANCHES", "LEVELS", "library_folder", "library_meta"]


def library_folder() -> Path:
    """Return the folder of the shipped library."""
    return Path(str(files("mtorscore.signatures")))


@lru_cache(maxsize=1)
def library_meta() -> dict[str, Any]:
    """Return the content of ``library.yaml``.

    Returns
    -------
    dict
        ``version``; ``branches``: per branch ``title`` and, where it has no transcript readout, ``no_readout`` (why);
        ``levels``: per level its meaning; ``leads``: per branch its standing leads, see `leads`.
    """
    text = (library_folder() / "library.yaml").read_text(encoding="utf-8")
    meta: dict[str, Any] = yaml.load(text, Loader=Loader)  # noqa: S506 - the loader builds plain values only
    return meta


BRANCHES: tuple[str, ...] = tuple(library_meta()["branches"])
"""Branches of the library, in the order of ``library.yaml``."""
LEVELS: tuple[str, ...] = tuple(library_meta()["levels"])
"""What a transcript score can mean; the meanings are in ``library_meta()["levels"]``."""

"""Whether ``--quiet`` was given."""

from __future__ import annotations

__all__ = ["quiet", "set_quiet"]

_state = {"quiet": False}


def quiet() -> bool:
    """Return whether ``--quiet`` was given: results and errors only, no progress, warnings or remarks."""
    return _state["quiet"]


def set_quiet(value: bool) -> None:
    """Say whether ``--quiet`` was given."""
    _state["quiet"] = value

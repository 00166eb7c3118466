"""What ``signatures/library.yaml`` states of the library: version, branches, levels, leading signatures."""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from mtorscore.collection.yaml_text import load
from mtorscore.errors import SignatureError

__all__ = [
    "BRANCHES",
    "LEVELS",
    "SEED_COLUMNS",
    "library_folder",
    "library_meta",
    "reads_inversely",
    "seed_answer",
    "seed_map",
]

SEED_COLUMNS: tuple[str, ...] = (
    *("system", "what", "where", "unit", "estimate", "low", "high", "n", "expected", "answer", "because"),
)
"""Columns of ``seed_answers.tsv``: what the data at hand answer to each system of the seed review."""


def library_folder() -> Path:
    """Return the folder of the shipped library."""
    return Path(str(files("mtorscore.signatures")))


@lru_cache(maxsize=1)
def library_meta() -> dict[str, Any]:
    """Return the content of ``library.yaml``.

    Returns
    -------
    dict
        ``version``; ``branches``: per branch ``title`` and, where it has no transcript readout, ``no_readout`` (why),
        and ``sign: -1`` where the branch falls with mTOR activity;
        ``levels``: per level its meaning; ``leads``: per branch its standing leads, see `leads`.
    """
    text = (library_folder() / "library.yaml").read_text(encoding="utf-8")
    meta: dict[str, Any] = load(text)
    return meta


def reads_inversely(branch: str, sign: float) -> bool:
    """Whether a score falls with the activity of its branch.

    Parameters
    ----------
    branch
        Of the library.
    sign
        Direction of the score with mTOR activity, as of an entry: 1, -1, or 0.
    """
    about = library_meta()["branches"].get(branch, {})
    return bool(sign * float(about.get("sign", 1)) < 0)


@lru_cache(maxsize=1)
def seed_map() -> list[dict[str, Any]]:
    """Return the systems S01 to S53 of the seed review, as in ``seed_map.yaml``."""
    text = (library_folder() / "seed_map.yaml").read_text(encoding="utf-8")
    systems: list[dict[str, Any]] = load(text)["systems"]
    return systems


def seed_answer(system: str) -> tuple[list[dict[str, str]], str]:
    """Return what the data at hand answer to a system of the seed review.

    Parameters
    ----------
    system
        ``"S01"`` to ``"S53"``.

    Returns
    -------
    rows : list of dict
        One per check, with `SEED_COLUMNS`; none where the data hold nothing on it.
    sentence : str
        Yes, no, or cannot be said, because of what; by the first check, with how many of the others say what.

    Raises
    ------
    SignatureError
        If there is no such system.
    """
    known = {s["id"]: s for s in seed_map()}
    if system not in known:
        raise SignatureError(f"There is no system {system!r}; the seed review has {min(known)} to {max(known)}.")
    path = library_folder() / "seed_answers.tsv"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [r for r in csv.DictReader(lines, delimiter="\t") if r["system"] == system]
    if not rows:
        return rows, f"Cannot be said, because no data at hand hold what it needs: {known[system]['needs']}."
    first = rows[0]
    said = first["answer"].capitalize() + (f", because {first['because']}" if first["because"] else "")
    if not first["estimate"]:
        return rows, f"{said} ({first['what']}, {first['where']}){_others(rows[1:])}."
    numbers = f"{first['estimate']} ({first['low']} to {first['high']}), n {first['n']}"
    asked = f"{first['what']} in {first['where']}, {first['unit']}"
    return rows, f"{said}: {asked}: {numbers}; expected {first['expected']}{_others(rows[1:])}."


def _others(rows: list[dict[str, str]]) -> str:
    """Return how the rows that do not decide are answered, so that nobody takes the first for all."""
    answers = [r["answer"] for r in rows]
    counts = ", ".join(f"{answers.count(a)} {a}" for a in ("yes", "no", "cannot be said") if a in answers)
    return f"; of {len(rows)} more row{'s' if len(rows) > 1 else ''} {counts}" if rows else ""


BRANCHES: tuple[str, ...] = tuple(library_meta()["branches"])
"""Branches of the library, in the order of ``library.yaml``."""
LEVELS: tuple[str, ...] = tuple(library_meta()["levels"])
"""What a transcript score can mean; the meanings are in ``library_meta()["levels"]``."""

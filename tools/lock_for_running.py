"""Write ``packaging/requirements.lock``: of ``requirements.lock`` what a run needs, without tools of developers.

Run as ``python tools/lock_for_running.py`` in an environment made from the lock file; `make lock` does.
"""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
EXTRAS = ("prognosis", "scale")
ALSO = ("setuptools",)
"""What installs mtorscore itself without a network."""


def needed() -> set[str]:
    """Return the names of everything that mtorscore with its extras for running depends on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *ALSO]
    for extra in EXTRAS:
        asked += project["optional-dependencies"][extra]
    found: set[str] = set()
    todo = [Requirement(line) for line in asked]
    while todo:
        one = todo.pop()
        key = f"{canonicalize_name(one.name)}[{','.join(sorted(one.extras))}]"
        if key in found:
            continue
        found |= {key, canonicalize_name(one.name)}
        todo += [r for r in _requires(one.name) if _wanted(r, ("", *one.extras))]
    return found


def _requires(name: str) -> list[Requirement]:
    try:
        return [Requirement(line) for line in metadata.requires(name) or []]
    except metadata.PackageNotFoundError:
        # Of another platform or version of Python; the lock file has its own marker.
        return []


def _wanted(one: Requirement, extras: tuple[str, ...]) -> bool:
    return one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras)


def lock() -> str:
    """Return the entries of the lock file that are needed, as they stand there."""
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text().rstrip("\n"))
    wanted = needed()
    kept = [e for e in entries if canonicalize_name(re.split(r"[=\[ ;]", e, maxsplit=1)[0]) in wanted]
    return "\n".join(kept) + "\n"


if __name__ == "__main__":
    (ROOT / "packaging" / "requirements.lock").write_text(lock(), encoding="utf-8")

"""Reference pages of the public names: one per room, from the docstrings."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import Any

from markdown import cell, code, escape, join, table, toctree
from pictures import UNDRAWN

__all__ = ["ROOMS", "TOP", "pages"]

ROOMS = {
    "io": "Reading, fetching, describing",
    "pp": "Genes, scales, samples, patients",
    "tl": "Scoring",
    "prognosis": "Relating scores to outcome",
    "pl": "Figures",
    "report": "The report",
    "datasets": "Simulated cohorts",
    "pipeline": "Steps of a run",
}
TOP = {
    "Signature": "mtorscore.collection",
    "SignatureCollection": "mtorscore.collection",
    "library": "mtorscore.collection",
}
OTHER_HOME = {"mtorscore.tl.methods": "mtorscore.tl._table"}
COLLECTION = ("library", "as_collection", "SignatureCollection", "Signature", "Ratio", "Panel", "Composite", "Source")


def pages() -> dict[str, str]:
    """Return the overview, one page per room and one for signatures and errors."""
    out = {"api/index.md": _overview(), "api/collection.md": _collection()}
    return out | {f"api/{room}.md": _room(room, title) for room, title in ROOMS.items()}


def _overview() -> str:
    top = importlib.import_module("mtorscore")
    rows = []
    for name in sorted(set(top.__all__) - set(ROOMS)):
        thing = getattr(top, name)
        if not callable(thing):
            continue
        page = "collection" if name in TOP else thing.__module__.split(".")[1]
        home = f"mtorscore.{page}.{name}"
        rows.append([f"[`mt.{name}`](#{home})", _first_line(thing)])
    # What `import mtorscore` does not offer as an attribute is imported by its whole name.
    names = {room: f"mt.{room}" if room in top.__all__ else f"mtorscore.{room}" for room in ROOMS}
    rooms = [[f"[`{names[room]}`]({room}.md)", title] for room, title in ROOMS.items()]
    rooms.append(["[`mtorscore.collection`](collection.md)", "Signatures and collections of them"])
    return join(
        "# API reference",
        "```python\nimport mtorscore as mt\n```",
        "Rows of a matrix are observations (samples or cells), columns are genes. A function that changes an AnnData "
        "writes into it and returns it; where it has `copy`, `copy=True` works on a copy. `mt.__version__` is the "
        "version.",
        table(["name", ""], rows),
        "## Rooms",
        "Each room is a module. Data go through them in this order: read (`io`), make sense of (`pp`), score (`tl`), "
        "relate (`prognosis`), draw (`pl`), report; a room imports only from those before it. Heavy libraries are "
        "imported when they are first used.",
        table(["room", ""], rooms),
        toctree(["collection", *ROOMS], hidden=True),
    )


def _first_line(thing: object) -> str:
    """Return the first line of a docstring for a cell, names in backticks kept as code."""
    parts = (inspect.getdoc(thing) or "").split("\n")[0].replace("``", "`").split("`")
    return "".join(code(part) if i % 2 else escape(part) for i, part in enumerate(parts))


def _collection() -> str:
    module = importlib.import_module("mtorscore.collection")
    blocks = [_block(f"mtorscore.collection.{name}", getattr(module, name)) for name in COLLECTION]
    return join("# mtorscore.collection: Signatures", inspect.getdoc(module) or "", *blocks)


def _room(room: str, title: str) -> str:
    module = importlib.import_module(f"mtorscore.{room}")
    names = [n for n in module.__all__ if not n.startswith("_")]
    rows, blocks = [], []
    for name in sorted(names, key=lambda n: (inspect.isclass(getattr(module, n)), n.lower())):
        thing = getattr(module, name)
        path = f"mtorscore.{room}.{name}"
        if isinstance(thing, ModuleType) and room == "io":
            rows += [[f"[`{name}.{n}`](#{path}.{n})", _first_line(getattr(thing, n))] for n in thing.__all__]
            blocks += [_block(f"{path}.{n}", getattr(thing, n)) for n in thing.__all__]
            continue
        if isinstance(thing, ModuleType):
            # The function shares its name with a module, which Python put in its place.
            home = OTHER_HOME.get(path, path)
            thing, path = getattr(importlib.import_module(home), name), f"{home}.{name}"
        line = _first_line(thing) if callable(thing) else cell(repr(thing))
        rows.append([f"[`{name}`](#{path})", line])
        blocks.append(_block(path, thing))
        if room == "pl" and name not in UNDRAWN:
            blocks.append(f"![Example of {name}: {_first_line(thing)}](../figures/{name}.svg)")
    return join(
        f"# mtorscore.{room}: {title}",
        (inspect.getdoc(module) or "").replace("``", "`"),
        table(["name", ""], rows),
        *blocks,
    )


def _block(path: str, thing: Any) -> str:
    """Return one object's directive; a class also lists what it inherits from the package, nothing else."""
    if inspect.isclass(thing):
        directive = "autoexception" if issubclass(thing, Exception) else "autoclass"
        return f"```{{eval-rst}}\n.. {directive}:: {path}\n```"
    directive = "autofunction" if callable(thing) else "autodata"
    return f"```{{eval-rst}}\n.. {directive}:: {path}\n```"

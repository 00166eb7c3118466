"""Small helpers for writing MyST pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["cell", "code", "escape", "join", "table", "toctree"]


def cell(value: object) -> str:
    """Return text for one cell of a table: no line break, no bar, no markup by accident."""
    return escape(" ".join(str(value).split()))


def escape(text: str) -> str:
    """Return text with its markup characters escaped."""
    for mark in ("\\", "|", "*", "_", "<", "[", "]", "$", "`", "~"):
        text = text.replace(mark, f"\\{mark}")
    return text


def code(value: object) -> str:
    """Return text as code in a cell; a bar would end the cell, so it is written as a word."""
    text = " ".join(str(value).split()).replace("|", " or ")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> str:
    """Return a pipe table; cells are taken as they are. `align` has one of ``lcr`` per column."""
    marks = {"l": "---", "c": ":-:", "r": "---:"}
    rule = [marks[a] for a in align] if align else ["---"] * len(header)
    lines = [header, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def toctree(names: Iterable[str], *, depth: int = 1, caption: str = "", hidden: bool = False) -> str:
    """Return a toctree."""
    options = [f":maxdepth: {depth}"]
    if caption:
        options.append(f":caption: {caption}")
    if hidden:
        options.append(":hidden:")
    return "\n".join(["```{toctree}", *options, "", *names, "```"]) + "\n"


def join(*parts: str) -> str:
    """Return paragraphs with an empty line between, ending in one line break; empty parts are left out."""
    return "\n\n".join(p.strip("\n") for p in parts if p.strip()) + "\n"
